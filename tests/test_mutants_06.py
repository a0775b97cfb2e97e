"""The checks of lesson 06 see what they look for: each break of a formula fails the claim that guards it."""

from types import SimpleNamespace

import pytest
from _mutants import fails

from bnn_course import data, models
from tools.lessons import lesson

LESSON = lesson("06")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "Normal weights in place of Cauchy": ("06-tail-cauchy", "families", "stats.cauchy()", "stats.norm()"),
    "mean instead of the largest unit": ("06-share-cauchy", "variation", "variation.max()", "variation.mean()"),
    "share of the flat parts": ("06-steps", "variation", "[::-1]", "[::1]"),
    "bias forgotten in the theory": ("06-variance", "variance-of-output", "np.sqrt(x**2 + 1)", "np.sqrt(x**2)"),
    "bias forgotten in the network": ("06-variance", "variance-of-output", "w1 * x + b1", "w1 * x"),
    "variance divided by the root": (
        "06-variance",
        "variance-of-output",
        "variance / np.array(widths)",
        "variance / np.sqrt(widths)",
    ),
    "mean of tanh, not of its square": ("06-variance", "variance-of-output", "* nodes) ** 2", "* nodes) ** 4"),
    "divided by the number of units": ("06-cauchy-root", "middle-half", "/ np.sqrt(units)", "/ units"),
    "Inverse-Gamma on the scale itself": (
        "06-hyper-large-ig",
        "hyperpriors",
        '"inverse_gamma": 2',
        '"inverse_gamma": 1',
    ),
    "a scale that is its own square": (
        "06-package",
        "hierarchical-model",
        'pt.sqrt(pm.InverseGamma("scale2_squared", alpha=1, beta=0.7))',
        'pm.InverseGamma("scale2_squared", alpha=1, beta=0.7)',
    ),
    "bias with the scale of the other layer": ("06-package", "hierarchical-model", "b1 = scale1", "b1 = scale2"),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


def log_density(model):
    """PyMC's own log density, which is compiled faster than that of the package."""
    return model.compile_logp(mode="FAST_COMPILE")


GIVEN = {"06-package": {"data": data, "models": models, "inference": SimpleNamespace(log_density=log_density)}}


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim, given=GIVEN.get(claim))


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)}, given=GIVEN.get(claim))
