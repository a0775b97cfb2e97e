"""The checks of lesson 06 see what they look for: each break of a formula fails the claim that guards it."""

import contextlib
import io
import re
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from lesson_text import source_cells

from bnn_course import claims
from bnn_course.claims import ClaimError

SOURCE = Path(__file__).resolve().parents[1] / "notebooks" / "source" / "06_priors_and_hyperpriors.md"
CELLS = [c.source for c in source_cells(SOURCE.read_text(encoding="utf-8")) if c.cell_type == "code"]

# What each guarding claim stands on: a piece of text that occurs in exactly one cell each, in the order of the lesson.
START = ["SEED = 2017", "FAMILIES = {"]
SHARES = [*START, "def prior_network(", "def largest_share("]
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
    "mean instead of the largest unit": ("06-share-cauchy", "variation.max(axis=-1)", "variation.mean(axis=-1)"),
    "share of the flat parts": ("06-steps", "-np.sort(-np.abs", "np.sort(np.abs"),
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


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(claims, "_sentences", {})
    matplotlib.use("Agg")
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # a mutant may overflow on its way to the claim
        yield
    plt.close("all")


def run(needed, old="", new=""):
    """Run the needed cells, with `old` replaced by `new` in the one that holds it."""
    found = [[cell for cell in CELLS if text in cell] for text in needed]
    assert [len(cells) for cells in found] == [1] * len(needed), "a piece of text must occur in exactly one cell"
    cells = list(dict.fromkeys(cell for (cell,) in found))
    assert sum(cell.count(old) for cell in cells) == 1 or not old, f"{old!r} must occur exactly once in these cells"
    namespace = {}
    for cell in cells:
        code = cell.replace(old, new) if old else cell
        exec(compile(code, SOURCE.name, "exec"), namespace)


@pytest.mark.parametrize("claim", NEEDED)
def test_the_lesson_itself_passes(claim):
    run(NEEDED[claim])
    assert claim in claims._sentences


@pytest.mark.parametrize(("claim", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, old, new):
    with pytest.raises(ClaimError, match=re.escape(f"[{claim}]")):
        run(NEEDED[claim], old, new)
