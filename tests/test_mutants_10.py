"""The checks of lesson 10 see what they look for: each break of a formula fails the claim that guards it.

The fits are replaced by random networks of eight units, which have the same symmetries.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from _mutants import fails
from scipy.special import softmax

from bnn_course import representations
from tools.lessons import lesson

LESSON = lesson("10")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "units exchanged on one side only": ("10-same-function", "symmetries", "symmetry), out, b2", "symmetry), w2, b2"),
    "farthest copy": ("10-package", "nearest-copy", "maximize=True", "maximize=False"),
    "signs ignored in the assignment": ("10-package", "nearest-copy", "np.abs(products)", "products"),
    "signs forgotten": ("10-package", "nearest-copy", "return order, sign", "return order, np.abs(sign)"),
    "the inverse permutation": ("10-package", "nearest-copy", "return order, sign", "return np.argsort(order), sign"),
    "roles exchanged": ("10-exact", "every-copy", "nearest_copy(small, target)", "nearest_copy(target, small)"),
    "the old alignment for the new copies": (
        "10-invariant",
        "invariance",
        "align(h, reference)",
        "align(some_hidden, reference)",
    ),
    "a gap is not a distance": (
        "10-border",
        "nearest-border",
        "np.divide(gap, length,",
        "np.divide(gap, length * 0 + 1,",
    ),
    "wrong direction": ("10-border", "nearest-border", "reference - away", "reference + away"),
    "precisions that do not add up": ("10-power", "informed-prior", "+ 1 - trust", "+ 1"),
    "mean not weighed by its precision": ("10-power", "informed-prior", "* mean / sd**2 /", "* mean /"),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


def fabricated():
    """Names that the lesson's cells use: a hundred random networks in place of the fits."""
    rng = np.random.default_rng(1)
    units, classes, pictures = 8, 4, rng.normal(size=(30, 5))

    def forward(weights, x):
        w1, w2, b2 = weights
        hidden = np.tanh(x @ w1)
        return hidden, softmax(hidden @ w2 + b2[:, None], axis=-1)

    weights = rng.normal(size=(100, 5, units)), rng.normal(size=(100, units, classes)), rng.normal(size=(100, classes))
    hidden, probability = forward(weights, pictures)
    source = {"mean": rng.normal(size=(785, units)), "sd": rng.uniform(0.3, 1, (785, units))}
    return {
        "representations": representations,
        "UNITS": units,
        "WIDTH": 0.3,
        "weights": weights,
        "means": weights,
        "some_images": pictures,
        "forward": forward,
        "hidden": hidden,
        "probability": probability,
        "reference": hidden[0],
        "source": SimpleNamespace(mean={"z": source["mean"]}, sd={"z": source["sd"]}),
    }


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim, given=fabricated())


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)}, given=fabricated())
