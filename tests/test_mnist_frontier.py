"""Noise on the activations (`benchmarks/mnist_frontier.py`) gives the ELBO that noise on the weights gives."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytensor
import pytest
from scipy import special

from bnn_course import data

with pytensor.config.change_flags(floatX="float32"):  # the benchmark sets it; here it is set back
    from benchmarks import mnist_frontier

RNG = np.random.default_rng(9)
LAYERS = [(RNG.normal(0, 1, s), RNG.normal(-1, 0.3, s), RNG.normal(0, 1, s[1]), RNG.normal(-1, 0.3, s[1]))
          for s in pairwise([4, 3, 3, 2])]  # fmt: skip
X, Y, TOTAL = RNG.uniform(0, 1, (6, 4)), np.array([0, 1, 1, 0, 1, 0]), 50


def by_weights(draws):
    """Estimates of the negative ELBO from draws of all weights, in NumPy."""
    hidden, divergence = X, 0.0
    for w, log_sw, b, log_sb in LAYERS:
        noisy = w + np.exp(log_sw) * RNG.standard_normal((draws, *w.shape))
        bias = b + np.exp(log_sb) * RNG.standard_normal((draws, 1, *b.shape))
        linear = hidden @ noisy + bias
        hidden = np.maximum(linear, 0)
        divergence += sum((m**2 / 2 + np.exp(2 * s) / 2 - s - 0.5).sum() for m, s in ((w, log_sw), (b, log_sb)))
    log_p = np.log(special.softmax(linear, axis=-1))[:, np.arange(6), Y].sum(axis=1)
    return divergence - TOTAL / 6 * log_p


def by_activations(draws):
    """By the benchmark's objective, as the loop calls it; the pictures come as bytes there, so X is multiplied."""
    w, log_sw, b, log_sb = zip(*LAYERS, strict=True)
    mean, log_sd = (
        tuple(jnp.asarray(part) for pair in zip(*both, strict=True) for part in pair)
        for both in ((w, b), (log_sw, log_sb))
    )

    def estimate(stream):
        return mnist_frontier.local_objective(mean, log_sd, (255 * jnp.asarray(X), jnp.asarray(Y)), (TOTAL,), stream)

    return np.asarray(jax.vmap(estimate)(jnp.arange(draws, dtype=jnp.uint32)), dtype=float)


def test_both_noises_have_the_same_mean():
    a, b = by_weights(40_000), by_activations(40_000)
    error = np.hypot(a.std(), b.std()) / 200
    assert error < 0.3 and a.mean() == pytest.approx(b.mean(), abs=4 * error)


def test_a_fit_by_the_loop_of_the_package_learns(monkeypatch):
    """The whole way on a few digits, with a narrow network."""
    mnist = data.load_mnist()
    few = mnist._replace(train_images=mnist.train_images[:2_560], train_labels=mnist.train_labels[:2_560],
                         test_images=mnist.test_images[:500], test_labels=mnist.test_labels[:500])  # fmt: skip
    monkeypatch.setattr(mnist_frontier, "DRAWS", 3)
    case = mnist_frontier.Case("normal, sd 1", width=20, passes=8, learning_rate=5e-3, noise="activations")
    losses, probability = mnist_frontier.local_fit(case, 0, few)
    assert losses.shape == (8 * 20,) and losses[-20:].mean() < 0.9 * losses[:20].mean()
    assert np.mean(probability.argmax(axis=1) == few.test_labels) > 0.3
