"""Which networks, priors, families and lengths of a fit give which ELBO and which test error on MNIST, KL weight 1.

    python benchmarks/mnist_frontier.py [--seeds 3] [--cases 0 9 16]   # writes mnist_frontier.csv and .png; resumable

All 60 000 training pictures, no augmentation, rectified layers, mean-field ADVI of lesson 09 with a cosine schedule.
With several members the approximation is a mixture of as many fits: its negative ELBO lies between the mean of theirs
and that minus ln(members) nats for all pictures together, so the mean is recorded. In the priors with "factors" each
weight is a product, exp(factor of its unit) times its own Normal, so that the weights of a unit are correlated in the
approximation. Noise "activations" is local reparametrisation (Kingma, Salimans & Welling 2015), written out below: the
same objective, with noise that pictures do not share. Errors are of the 10 000 test pictures, with 30 draws a fit.
"""

import argparse
import csv
import functools
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import jax
import jax.numpy as jnp
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from bnn_course import _loop, data, inference, models, plots, uncertainty

pytensor.config.floatX = "float32"
matplotlib.use("Agg")

RECORD = Path(__file__).with_suffix(".csv")
COLUMNS = [
    "case",
    "prior",
    "width",
    "start_sd",
    "passes",
    "learning_rate",
    "batch",
    "noise",
    "members",
    "seed",
    "negative_elbo",
    "error",
    "nll",
    "seconds",
]
DRAWS = 30


class Case(NamedTuple):
    """One way to fit; width is that of both hidden layers, start_sd where the standard deviations start."""

    prior: str
    width: int = 400
    start_sd: float = 0.02
    passes: int = 20
    learning_rate: float = 1e-3
    members: int = 1
    batch: int = 128
    noise: str = "weights"


CASES = [
    Case("normal, sd 1"),
    Case("normal, sd 0.1"),
    Case("normal, sd √(2/inputs)"),
    Case("scale mixture"),
    Case("unit scales, Half-Cauchy"),
    Case("normal, sd 1", passes=5),
    Case("normal, sd 1", members=5),
    Case("normal, sd 0.3"),
    Case("layer scales, Half-Cauchy"),
    Case("normal, sd 1", width=1200, passes=8),
    Case("normal, sd 1", width=128, passes=60, learning_rate=2e-3),
    Case("normal, sd 1", passes=60),
    Case("normal, sd 1", passes=8),
    Case("normal, sd 1", passes=8, start_sd=0.05),
    Case("normal, sd 1", passes=8, start_sd=0.01),
    Case("normal, sd 1", passes=8, batch=512, learning_rate=2e-3),
    Case("normal, sd 1", passes=12, noise="activations"),
    Case("unit factors, sd 1", passes=8),
    Case("normal, sd 1", passes=8, start_sd=0.005),
    Case("normal, sd 1", passes=8, start_sd=0.002),
    Case("normal, sd 1", width=1200, passes=6, start_sd=0.005),
    Case("normal, sd 1", width=1200, passes=16, start_sd=0.005),
    Case("normal, sd 1", width=1200, passes=6, start_sd=0.005, members=4),
    Case("normal, sd 1", width=1200, passes=4, start_sd=0.005, learning_rate=2e-3, members=6),
    Case("normal, sd 1", width=1200, passes=4, start_sd=0.005, learning_rate=2e-3, members=4),
]


def scaled(name, prior, shape):
    """A weight matrix under a prior."""
    if prior == "scale mixture":  # Blundell et al. 2015, eq. 7, with π = 1/2, σ₁ = 1, σ₂ = e⁻⁶
        sigma = np.array([1, np.exp(-6)], np.float32)
        return pm.NormalMixture(
            name, w=np.full(2, 0.5, np.float32), mu=np.zeros(2, np.float32), sigma=sigma, shape=shape
        )
    if prior == "layer scales, Half-Cauchy":
        return pm.Normal(name, 0, pm.HalfCauchy(f"scale_{name}", 0.1), shape=shape)
    if prior == "unit factors, sd 1":
        factor = pm.Normal(f"factor_{name}", 0, np.float32(0.3), shape=(shape[0], 1))
        return pt.exp(factor) * pm.Normal(name, 0, 1, shape=shape)
    if prior == "unit scales, Half-Cauchy":
        return pm.Normal(name, 0, pm.HalfCauchy(f"scale_{name}", 0.1, shape=(shape[0], 1)), shape=shape)
    sd = np.sqrt(2 / shape[0]) if "inputs" in prior else float(prior.split()[-1])
    return pm.Normal(name, 0, np.float32(sd), shape=shape)


@functools.lru_cache(maxsize=1)
def network(case):
    """The model, and the minibatch of its data: built and compiled once for all members."""
    mnist = data.load_mnist()
    images, labels = mnist.train_images.reshape(-1, 784), mnist.train_labels
    train = pm.Minibatch(images, labels, batch_size=case.batch)
    with pm.Model() as model:
        layer = pt.as_tensor(train[0]) / 255
        for depth, shape in enumerate(pairwise([784, case.width, case.width, 10]), start=1):
            linear = layer @ scaled(f"w{depth}", case.prior, shape) + pm.Normal(f"b{depth}", 0, 1, shape=shape[1])
            layer = pt.maximum(linear, 0)
        pm.Deterministic("probability", pm.math.softmax(linear, axis=-1))
        pm.Categorical("label", logit_p=linear, observed=train[1], total_size=len(images))
    return model, train


def network_of_activations(layers, images, key):
    """Logits of a network whose noise is on the activations, and the KL divergence of its weights from Normal(0, 1).

    `layers` holds for each layer the means and log standard deviations of weights and biases. Given its input, a
    unit's linear response is Normal: mean ``h @ mean``, variance ``h² @ sd²``. So one draw of it for each picture
    replaces the draw of all weights, and the KL divergence is exact.
    """
    hidden, divergence = images, 0.0
    for depth, (w, log_sw, b, log_sb) in enumerate(layers):
        sd = jnp.sqrt(hidden**2 @ jnp.exp(2 * log_sw) + jnp.exp(2 * log_sb))
        linear = hidden @ w + b + sd * jax.random.normal(jax.random.fold_in(key, depth), sd.shape, sd.dtype)
        hidden = jnp.maximum(linear, 0)
        for mean, log_sd in ((w, log_sw), (b, log_sb)):
            divergence += jnp.sum((mean**2 + jnp.exp(2 * log_sd) - 1) / 2 - log_sd)
    return linear, divergence


def layers_of(mean, log_sd):
    """(w, log sd of w, b, log sd of b) of each layer, from means and log standard deviations (w1, b1, w2, b2, …)."""
    return list(zip(mean[::2], log_sd[::2], mean[1::2], log_sd[1::2], strict=True))


def local_objective(mean, log_sd, batch, constants, stream):
    """One-draw estimate of the negative ELBO, for the loop of `bnn_course`; the constant is the number of pictures."""
    (images, labels), (total,) = batch, constants
    layers, key = layers_of(mean, log_sd), jax.random.fold_in(jax.random.key(0), stream)
    linear, divergence = network_of_activations(layers, images.astype(mean[0].dtype) / 255, key)
    log_likelihood = jnp.take_along_axis(jax.nn.log_softmax(linear), labels[:, None].astype(jnp.int32), axis=1).sum()
    return divergence - log_likelihood * total / len(labels)


def local_fit(case, number, mnist):
    """Losses of all steps, and the test pictures' probabilities: the fit of `inference.advi` with the other noise."""
    n, rng = len(mnist.train_labels), np.random.default_rng(number)
    mean = []
    for a, b in pairwise([784, case.width, case.width, 10]):
        mean += [rng.normal(0, a**-0.5, (a, b)).astype(np.float32), np.zeros(b, np.float32)]
    log_sd = [np.full_like(part, np.log(case.start_sd)) for part in mean]
    pictures = (mnist.train_images.reshape(n, -1), mnist.train_labels)
    names = tuple(f"{kind}{depth}" for depth in (1, 2, 3) for kind in "wb")
    task = _loop.Task(local_objective, names, pictures, case.batch, (np.float32(n),))
    plan = _loop.Plan(case.passes * (n // case.batch), number, case.learning_rate, None)
    losses = []
    for state, loss in _loop.states(task, _loop.begin(plan, mean, log_sd), plan):
        losses.append(loss)
        layers = layers_of(state.mean, state.log_sd)
    test = jnp.asarray(mnist.test_images.reshape(-1, 784), jnp.float32) / 255
    forward = jax.jit(lambda layers, key: jax.nn.softmax(network_of_activations(layers, test, key)[0]))
    draws = [np.asarray(forward(layers, jax.random.key(k))) for k in range(DRAWS)]
    return np.concatenate(losses), np.mean(draws, axis=0)


def weight_fit(case, number, mnist):
    """Losses of all steps, and the test pictures' probabilities, by `inference.advi`."""
    (model, train), test = network(case), mnist.test_images.reshape(-1, 784)
    start = models.random_start(model, np.random.default_rng(number))
    start = {name: value for name, value in start.items() if name.startswith("w")}
    steps = case.passes * (len(mnist.train_labels) // case.batch)
    options = {"learning_rate": case.learning_rate, "random_seed": number, "start": start, "start_sd": case.start_sd}
    fit = inference.advi(model, steps=steps, **options)
    draws = inference.predict(model, fit.sample(DRAWS, random_seed=number), "probability", given={train[0]: test})
    return fit.loss, uncertainty.mean_probability(draws)


def measure(case, seed, mnist):
    """A row of the record."""
    began, n = time.perf_counter(), len(mnist.train_labels)
    fit = local_fit if case.noise == "activations" else weight_fit
    fits = [fit(case, 100 * seed + member, mnist) for member in range(case.members)]
    seconds = time.perf_counter() - began
    p = np.mean([probability for _, probability in fits], axis=0)
    values = {"negative_elbo": np.mean([loss[-(n // case.batch) :].mean() / n for loss, _ in fits])}
    values |= {"error": 1 - uncertainty.accuracy(p, mnist.test_labels), "nll": uncertainty.nll(p, mnist.test_labels)}
    row = {"case": CASES.index(case), "seed": seed} | {k: v for k, v in case._asdict().items() if k in COLUMNS}
    return row | {name: f"{value:.5f}" for name, value in (values | {"seconds": seconds}).items()}


def draw(rows, path):
    """Test error and NLL against the negative ELBO, a marker for each prior."""
    fig, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
    priors = list(dict.fromkeys(row["prior"] for row in rows))
    for ax, score, factor in zip(axes, ("error", "nll"), (100, 1), strict=True):
        for place, prior in enumerate(priors):
            here = [row for row in rows if row["prior"] == prior]
            x, y = ([float(row[key]) for row in here] for key in ("negative_elbo", score))
            again = place // 7  # past the seventh prior: the same colours, other markers, filled
            style = {"marker": plots.MARKERS[(place + again) % 7], "color": plots.CYCLE[place % 7], "linestyle": "none"}
            ax.plot(x, factor * np.array(y), label=prior, fillstyle="full" if again else "none", **style)
        ax.set(xscale="log", xlabel="negative ELBO (nats a picture)")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("test error (%)")
    axes[1].set_ylabel("test NLL (nats)")
    axes[0].axhline(1.32, color=plots.GREY, ls=":")
    axes[1].axhline(0.0435, color=plots.GREY, ls=":")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    fig.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(CASES)))
    options = parser.parse_args()
    mnist = data.load_mnist()
    rows = list(csv.DictReader(RECORD.open(encoding="utf-8"))) if RECORD.exists() else []
    done = {(int(row["case"]), int(row["seed"])) for row in rows}
    for seed in range(options.seeds):
        for place in options.cases:
            if (place, seed) not in done:
                rows.append(measure(CASES[place], seed, mnist))
                print(rows[-1], flush=True)
                with RECORD.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                    writer.writeheader()
                    writer.writerows(rows)
    draw(rows, RECORD.with_suffix(".png"))


if __name__ == "__main__":
    main()
