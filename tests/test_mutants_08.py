"""The checks of lesson 08 see what they look for: each break of a formula fails the claim that guards it."""

from dataclasses import dataclass

import numpy as np
import pytest
from _mutants import Cells

LESSON = Cells("08")

# What each guarding claim stands on: a piece of text that occurs in exactly one cell each, in the order of the lesson.
TASK = ["SEED = 2017", "def soft_threshold", "def make_task"]
NAMES = ["def horseshoe():", "def sample("]
ONE_WEIGHT = ["SEED = 2017", "def soft_threshold", "def laplace_mean", '"08-mean"']
NEEDED = {
    "08-mean": ONE_WEIGHT,
    "08-map-zero": ONE_WEIGHT,
    "08-horseshoe-small": [*ONE_WEIGHT, "def horseshoe_mean", '"08-bias"'],
    "08-no-bias": [*ONE_WEIGHT, "def horseshoe_mean", '"08-bias"'],
    "08-lasso": [*TASK, '"08-lasso"'],
    "08-record-rivals": [*TASK, *NAMES, "def judge", '"08-record-rivals"'],
    "08-laplace-gain": [*TASK, *NAMES, "def judge", '"08-record-rivals"', "def gain"],
    "08-horseshoe-misses": [*TASK, *NAMES, "def judge", '"08-record-rivals"', "def gain"],
    "08-pruned": ["SEED = 2017", "def prune", '"08-pruned"'],
    "08-pruned-rest": ["SEED = 2017", "def prune", '"08-pruned"'],
    "08-units-ratio": [*TASK, '"08-units-ratio"'],
}  # fmt: skip

MUTANTS = {  # what is broken: (claim that must fail, text of the lesson, text of the mutant)
    "mean moved away from zero": ("08-mean", "return z - c * np.tanh", "return z + c * np.tanh"),
    "share in place of difference": ("08-mean", "np.tanh((right - left) / 2)", "special.expit(right - left)"),
    "the wrong half": ("08-mean", "stats.norm.logcdf(-z - c)", "stats.norm.logcdf(z + c)"),
    "kink forgotten": ("08-mean", "right = -c * z + stats", "right = stats"),
    "no threshold": ("08-map-zero", "np.maximum(np.abs(z) - c, 0)", "np.abs(z)"),
    "a threshold of half the size": ("08-map-zero", "np.abs(z) - c, 0", "np.abs(z) - c / 2, 0"),
    "local scales from a Normal": ("08-no-bias", "np.tan(np.pi / 2 * (", "(("),
    "shrinkage upside down": ("08-horseshoe-small", "share * variance / (1", "share / (1"),
    "threshold without the step size": ("08-lasso", ", rate / b)", ", 1 / b)"),
    "number of data forgotten in the penalty": ("08-lasso", "alpha=1 / (50 * b)", "alpha=1 / b"),
    "uphill": ("08-lasso", "x.T @ (y - x @ w)", "x.T @ (x @ w - y)"),
    "average of logarithms": (
        "08-record-rivals",
        "np.mean(np.log(len(w)) - special.logsumexp(log_p, axis=0))",
        "-np.mean(log_p)",
    ),
    "draws not averaged": ("08-record-rivals", "np.log(len(w)) - special", "-special"),
    "somebody else's choice": ("08-horseshoe-misses", '["horseshoe"] < 3', '["lasso"] < 3'),
    "gain with the wrong sign": ("08-laplace-gain", "return mean - half", "return -mean - half"),
    "the best weights removed": ("08-pruned", "value >= border", "value <= border"),
    "share kept, not removed": ("08-pruned", "values.values()]), removed)", "values.values()]), 1 - removed)"),
    "spread left behind": ("08-pruned-rest", "fit.sd[name] * keep[name]", "fit.sd[name]"),
    "size instead of ratio": ("08-pruned-rest", "np.abs(mean) / sd,", "np.abs(mean),"),
    "variance for standard deviation": ("08-units-ratio", "/ np.sqrt(np.diag(", "/ (np.diag("),
}  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """What `prune` needs of a fit."""

    mean: dict
    sd: dict


def fit():
    """A made-up fit."""
    rng = np.random.default_rng(8)
    shapes = {"w1": (20, 30), "b1": (30,), "w2": (30, 10)}
    return Fit(
        {n: rng.normal(size=s) for n, s in shapes.items()}, {n: rng.uniform(0.1, 2, s) for n, s in shapes.items()}
    )


@pytest.mark.parametrize("claim", NEEDED)
def test_the_lesson_itself_passes(claim):
    LESSON.passes(claim, NEEDED[claim], given={"fit": fit()})


@pytest.mark.parametrize(("claim", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, old, new):
    LESSON.breaks(claim, NEEDED[claim], old, new, given={"fit": fit()})
