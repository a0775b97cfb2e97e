"""A fit that was saved with one PyMC goes on with the other, as if nothing had happened.

Here each stack reads what it wrote itself. `.ci/run` lets them exchange:

    python -m tests.test_checkpoints_across_stacks write FOLDER    # on one stack
    python -m tests.test_checkpoints_across_stacks read FOLDER     # on the other
"""

import sys
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import arviz as az
import numpy as np
import optax
import pymc as pm
import pytensor
import pytest

from bnn_course import inference, models
from tests._user_models import MODELS

SETTINGS = {"optimizer": optax.adam(0.02), "random_seed": 3}  # a step size that does not depend on the number of steps
KINDS = [  # one for each way of being constrained, observed or written
    "correlated_pairs",
    "dirichlet_and_multinomial",
    "image_classifier",
    "marginal_gaussian_process",
    "minibatches",
    "missing_values",
    "named_dimensions",
    "normal_mixture",
    "single_precision",
    "weibull_survival",
    "zero_sum",
]


def image_classifier():
    """The network of lesson 09, on six images of four pixels."""
    rng = np.random.default_rng(4)
    images, labels = rng.integers(0, 256, (60, 4), dtype=np.uint8), rng.permutation(60).astype("uint8") % 3
    with pytensor.config.change_flags(floatX="float32"):
        batch = pm.Minibatch(images, labels, batch_size=6)
        return models.image_classifier(*batch, total_size=60, hidden=(5,), n_classes=3)


def build(name):
    return (MODELS | {"image_classifier": image_classifier})[name]()


def tolerance(name):
    return 1e-3 if name in ("image_classifier", "single_precision") else 1e-8


def draws(fit):
    """Some draws of the free variables by name, on their own scale."""
    posterior = az.convert_to_dataset(fit.sample(4, random_seed=1), group="posterior")
    return {str(name): posterior[name].values for name in posterior.data_vars}


def write(name, folder):
    """Save a fit after half of its steps, the whole fit, and draws from it."""
    model = build(name)
    inference.advi(model, steps=20, **SETTINGS).save(folder / f"{name}-half.npz")
    whole = inference.advi(model, steps=40, **SETTINGS)
    whole.save(folder / f"{name}-whole.npz")
    np.savez(folder / f"{name}-draws.npz", **draws(whole))


def read(name, folder):
    """Go on from the half of the steps with a new model, and compare with the whole fit and its draws."""
    model = build(name)
    half, whole = (inference.load(folder / f"{name}-{part}.npz", model) for part in ("half", "whole"))
    assert (half.step, whole.step) == (20, 40)
    resumed = inference.advi(model, steps=40, **SETTINGS, resume=half)
    for value in whole.mean:
        np.testing.assert_allclose(resumed.mean[value], whole.mean[value], rtol=0, atol=tolerance(name))
        np.testing.assert_allclose(resumed.sd[value], whole.sd[value], rtol=tolerance(name))
    with np.load(folder / f"{name}-draws.npz") as stored:
        now = draws(whole)
        assert set(now) == set(stored)
        for variable in stored:
            np.testing.assert_allclose(now[variable], stored[variable], rtol=tolerance(name), atol=tolerance(name))


@pytest.mark.parametrize("name", KINDS)
def test_a_fit_that_was_stored_goes_on_with_a_new_model_as_if_it_had_not_been(name, tmp_path):
    write(name, tmp_path)
    read(name, tmp_path)


def main(word, folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in KINDS:
        {"write": write, "read": read}[word](name, folder)
    print(f"PyMC {pm.__version__}: {len(KINDS)} fits {'written' if word == 'write' else 'read and continued'}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
