"""The checks of lesson 10 see what they look for: each break of a formula fails the claim that guards it.

The fits are replaced by random networks of six units, which have the same symmetries.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from _mutants import Cells
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from bnn_course import representations
from bnn_course.claims import claim

LESSON = Cells("10")

# What each guarding claim stands on: a piece of text that occurs in exactly one cell each, in the order of the lesson.
ALIGNED = ["def transform(", "def nearest_copy("]
NEEDED = {
    "10-same-function": ALIGNED[:1],
    "10-package": ALIGNED,
    "10-exact": [*ALIGNED, "small, target ="],
    "10-invariant": [*ALIGNED, "again = "],
    "10-border": ["def nearest_border("],
    "10-power": ["def informed_prior("],
}
MUTANTS = {  # what is broken: (claim that must fail, text of the lesson, text of the mutant)
    "units exchanged on one side only": ("10-same-function", "w1, symmetry), out, b2", "w1, symmetry), w2, b2"),
    "farthest copy": ("10-package", "maximize=True", "maximize=False"),
    "signs ignored in the assignment": ("10-package", "(np.abs(products), maximize", "(products, maximize"),
    "signs forgotten": ("10-package", "return order, sign", "return order, np.abs(sign)"),
    "the inverse permutation": ("10-package", "return order, sign", "return np.argsort(order), sign"),
    "roles exchanged": ("10-exact", "nearest_copy(small, target)", "nearest_copy(target, small)"),
    "the old alignment for the new copies": (
        "10-invariant",
        "representations.align(h, reference)) for",
        "representations.align(some_hidden, reference)) for",
    ),
    "a gap is not a distance": ("10-border", "np.divide(gap, length,", "np.divide(gap, length * 0 + 1,"),
    "wrong direction": ("10-border", "reference - away", "reference + away"),
    "precisions that do not add up": ("10-power", "+ 1 - trust", "+ 1"),
    "mean not weighed by its precision": ("10-power", "* mean / sd**2 / precision", "* mean / precision"),
}


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
    spread = rng.uniform(0.3, 1, (785, units))
    return {
        "np": np, "claim": claim, "representations": representations, "linear_sum_assignment": linear_sum_assignment,
        "SEED": 1, "UNITS": units, "WIDTH": 0.3, "weights": weights, "means": weights, "some_images": pictures,
        "forward": forward, "hidden": hidden, "probability": probability, "reference": hidden[0],
        "source": SimpleNamespace(mean={"z": rng.normal(size=(785, units))}, sd={"z": spread}),
    }  # fmt: skip


@pytest.mark.parametrize("claim", NEEDED)
def test_the_lesson_itself_passes(claim):
    LESSON.passes(claim, NEEDED[claim], given=fabricated())


@pytest.mark.parametrize(("claim", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, old, new):
    LESSON.breaks(claim, NEEDED[claim], old, new, given=fabricated())
