"""The checks of lesson 06 see what they look for: each break of a formula fails the claim that guards it."""

import pytest
from _mutants import Cells

LESSON = Cells("06")

# What each guarding claim stands on: a piece of text that occurs in exactly one cell each, in the order of the lesson.
START = ["SEED = 2017", "FAMILIES = {"]
SHARES = [*START, "def prior_network(", "def largest_share(", "shares = {"]
VARIANCE = [*START, "def prior_network(", "def output("]
NEEDED = {
    "06-tail-cauchy": START,
    "06-share-cauchy": SHARES,
    "06-steps": SHARES,
    "06-variance": VARIANCE,
    "06-cauchy-root": [*VARIANCE, "def middle_half("],
    "06-hyper-large-ig": ["SEED = 2017", '"06-hyper-median"'],
    "06-package": ["SEED = 2017", "as hierarchical_model", '"06-package"'],
}

MUTANTS = {  # what is broken: (claim that must fail, text of the lesson, text of the mutant)
    "Normal weights in place of Cauchy": ("06-tail-cauchy", '"cauchy": stats.cauchy()', '"cauchy": stats.norm()'),
    "mean instead of the largest unit": ("06-share-cauchy", "variation.max()", "variation.mean()"),
    "share of the flat parts": ("06-steps", "[::-1]", "[::1]"),
    "bias forgotten in the theory": ("06-variance", "np.sqrt(x**2 + 1)", "np.sqrt(x**2)"),
    "bias forgotten in the network": ("06-variance", "np.tanh(w1 * x + b1)).sum", "np.tanh(w1 * x)).sum"),
    "variance divided by the root": ("06-variance", "variance / np.array(widths)", "variance / np.sqrt(widths)"),
    "mean of tanh, not of its square": ("06-variance", "* nodes) ** 2 /", "* nodes) ** 4 /"),
    "divided by the number of units": ("06-cauchy-root", "units, 1) / np.sqrt(units)", "units, 1) / units"),
    "Inverse-Gamma on the scale itself": ("06-hyper-large-ig", '"inverse_gamma": 2}', '"inverse_gamma": 1}'),
    "a scale that is its own square": (
        "06-package",
        'pt.sqrt(pm.InverseGamma("scale2_squared", alpha=1, beta=0.7))',
        'pm.InverseGamma("scale2_squared", alpha=1, beta=0.7)',
    ),
    "bias with the scale of the other layer": ("06-package", "b1 = scale1 *", "b1 = scale2 *"),
}


@pytest.mark.parametrize("claim", NEEDED)
def test_the_lesson_itself_passes(claim):
    LESSON.passes(claim, NEEDED[claim])


@pytest.mark.parametrize(("claim", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, old, new):
    LESSON.breaks(claim, NEEDED[claim], old, new)
