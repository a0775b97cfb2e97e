"""The checks of lesson 10 see what they look for: each break of a formula fails the claim that guards it.

The fits are replaced by random networks of six units, which have the same symmetries.
"""

import contextlib
import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lesson_text import source_cells
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from bnn_course import claims, representations
from bnn_course.claims import ClaimError, claim

SOURCE = Path(__file__).resolve().parents[1] / "notebooks" / "source" / "10_representations_and_transfer.md"
CELLS = [c.source for c in source_cells(SOURCE.read_text(encoding="utf-8")) if c.cell_type == "code"]

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


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(claims, "_sentences", {})
    with contextlib.redirect_stdout(io.StringIO()):
        yield


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


def run(needed, old="", new=""):
    """Run the needed cells, with `old` replaced by `new` in the one that holds it."""
    found = [[cell for cell in CELLS if text in cell] for text in needed]
    assert [len(cells) for cells in found] == [1] * len(needed), "a piece of text must occur in exactly one cell"
    cells = [cell for (cell,) in found]
    assert sum(cell.count(old) for cell in cells) == 1 or not old, f"{old!r} must occur exactly once in these cells"
    namespace = fabricated()
    for cell in cells:
        exec(compile(cell.replace(old, new) if old else cell, SOURCE.name, "exec"), namespace)


@pytest.mark.parametrize("claim", NEEDED)
def test_the_lesson_itself_passes(claim):
    run(NEEDED[claim])
    assert claim in claims._sentences


@pytest.mark.parametrize(("claim", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, old, new):
    with pytest.raises(ClaimError, match=re.escape(f"[{claim}]")):
        run(NEEDED[claim], old, new)
