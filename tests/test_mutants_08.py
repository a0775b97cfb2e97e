"""The checks of lesson 08 see what they look for: each break of a formula fails the claim that guards it."""

from dataclasses import dataclass

import numpy as np
import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("08")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "mean moved away from zero": ("08-mean", "laplace-mean", "z - c * np.tanh", "z + c * np.tanh"),
    "share in place of difference": (
        "08-mean",
        "laplace-mean",
        "np.tanh((right - left) / 2)",
        "special.expit(right - left)",
    ),
    "the wrong half": ("08-mean", "laplace-mean", "logcdf(-z - c)", "logcdf(z + c)"),
    "kink forgotten": ("08-mean", "laplace-mean", "right = -c * z + ", "right = "),
    "no threshold": ("08-map-zero", "soft-threshold", "np.maximum(np.abs(z) - c, 0)", "np.abs(z)"),
    "a threshold of half the size": ("08-map-zero", "soft-threshold", "np.abs(z) - c", "np.abs(z) - c / 2"),
    "local scales from a Normal": ("08-no-bias", "estimates", "np.tan(np.pi / 2 * (", "(("),
    "shrinkage upside down": ("08-horseshoe-small", "estimates", "share * variance / (1", "share / (1"),
    "threshold without the step size": ("08-lasso", "proximal-gradient", "rate / b", "1 / b"),
    "number of data forgotten in the penalty": ("08-lasso", "proximal-gradient", "1 / (50 * b)", "1 / b"),
    "uphill": ("08-lasso", "proximal-gradient", "y - x @ w", "x @ w - y"),
    "average of logarithms": (
        "08-record-rivals",
        "judge",
        "np.mean(np.log(len(w)) - special.logsumexp(log_p, axis=0))",
        "-np.mean(log_p)",
    ),
    "draws not averaged": ("08-record-rivals", "judge", "np.log(len(w)) - special", "-special"),
    "somebody else's choice": ("08-horseshoe-misses", "paired-gains", '["horseshoe"] < 3', '["lasso"] < 3'),
    "gain with the wrong sign": ("08-laplace-gain", "paired-gains", "mean - half", "-mean - half"),
    "the best weights removed": ("08-pruned", "prune", "value >= border", "value <= border"),
    "share kept, not removed": ("08-pruned", "prune", "values.values()]), removed", "values.values()]), 1 - removed"),
    "spread left behind": ("08-pruned-rest", "prune", "fit.sd[name] * keep[name]", "fit.sd[name]"),
    "size instead of ratio": ("08-pruned-rest", "prune", "np.abs(mean) / sd", "np.abs(mean)"),
    "variance for standard deviation": ("08-units-ratio", "other-units", "np.sqrt(np.diag(", "(np.diag("),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@dataclass(frozen=True)
class Fit:
    """What `prune` needs of a fit."""

    mean: dict
    sd: dict

    def with_moments(self, mean, sd):
        return Fit(mean, sd)


def fit():
    """A made-up fit."""
    rng = np.random.default_rng(8)
    shapes = {"w1": (20, 30), "b1": (30,), "w2": (30, 10)}
    return Fit(
        {n: rng.normal(size=s) for n, s in shapes.items()}, {n: rng.uniform(0.1, 2, s) for n, s in shapes.items()}
    )


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim, given={"fit": fit()})


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)}, given={"fit": fit()})
