"""Runs cells of a lesson by themselves, with a mistake put in: what the tests of the lessons' own checks share."""

import contextlib
import io
import re
import warnings

import build
import lesson_text
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from bnn_course import claims

NOTEBOOKS = build.ROOT / "notebooks"


class Cells:
    """The code cells of one lesson, and pieces of code that stand in for cells which take long."""

    def __init__(self, number, *stand_ins):
        (self.path,) = (NOTEBOOKS / "source").glob(f"{number}_*.md")
        self.cells = [*lesson_text.code_of(self.path), *stand_ins]

    def run(self, needed, old="", new="", *, given=None, after=lambda cell, names: None):
        """Run the cells that hold the needed pieces of text, with `old` replaced by `new` in the one that holds it.

        `given` are names that the cells find; ``after(cell, names)`` follows each cell.
        """
        found = [[cell for cell in self.cells if text in cell] for text in needed]
        assert [len(cells) for cells in found] == [1] * len(needed), "a piece of text must occur in exactly one cell"
        cells = list(dict.fromkeys(cell for (cell,) in found))
        assert sum(cell.count(old) for cell in cells) == 1 or not old, f"{old!r} must occur exactly once in these cells"
        names = dict(given or {})
        with _quiet(mutant=bool(old)):
            for cell in cells:
                exec(compile(cell.replace(old, new) if old else cell, self.path.name, "exec"), names)
                after(cell, names)

    def breaks(self, claim, needed, *mutant, **options):
        """Run the cells with a mistake; the claim must fail."""
        with pytest.raises(claims.ClaimError, match=re.escape(f"[{claim}]")):
            self.run(needed, *mutant, **options)

    def passes(self, claim, needed, **options):
        """Run the cells as they are; the claim must be made."""
        self.run(needed, **options)
        assert claim in claims._sentences


@contextlib.contextmanager
def _quiet(*, mutant):
    """In the folder of the notebooks, without output and windows; a mutant may overflow on its way to the claim."""
    matplotlib.use("Agg")
    claims._sentences.clear()
    with (
        contextlib.chdir(NOTEBOOKS),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        if mutant:
            warnings.simplefilter("ignore")
        try:
            yield
        finally:
            plt.close("all")
