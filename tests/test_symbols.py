"""One symbol, one meaning: the table of lesson 00 explains what stands in the formulas of all lessons and decks."""

import re

import pytest

from tools import NOTEBOOKS, SLIDES, checks, form, symbols, text

NAMES = checks.lesson_names(NOTEBOOKS)
STRICT = {text.number_of(name) for name in NAMES if name not in form.NOT_YET}
ROWS = symbols.table((NOTEBOOKS / "source" / "00_start_here.md").read_text(encoding="utf-8"))
KNOWN = {symbol for row in ROWS for symbol in row.symbols}


def prose_of(name):
    """Return all that a lesson, its exercises and its deck say: prose, captions, alt texts; but not the table."""
    source = NOTEBOOKS / "source"
    files = [path for path in (source / f"{name}.md", source / f"{name}.exercises.md") if path.exists()]
    cells = [cell for path in files for cell in text.source_cells(path.read_text(encoding="utf-8"))]
    parts = [cell.source for cell in cells if cell.cell_type == "markdown" and "| symbol |" not in cell.source]
    parts += [str(cell.metadata[key]) for cell in cells for key in ("alt", "caption") if key in cell.metadata]
    deck = SLIDES / f"{name}.md"
    return "\n\n".join([*parts, deck.read_text(encoding="utf-8") if deck.exists() else ""])


# --- the course -------------------------------------------------------------------------------------


def test_the_table_explains_the_symbols_of_all_lessons_and_no_others():
    used = {text.number_of(name): symbols.symbols_of(prose_of(name), KNOWN) for name in NAMES}
    assert symbols.problems(ROWS, used, STRICT) == []


def test_the_meanings_in_the_table_use_symbols_of_the_table():
    assert {symbol for row in ROWS for symbol in symbols.symbols_of(row.meaning, KNOWN)} <= KNOWN


def test_the_table_is_read_whole():
    source = (NOTEBOOKS / "source" / "00_start_here.md").read_text(encoding="utf-8")
    assert len(ROWS) == sum(line.startswith("| $") for line in source.splitlines()) > 40


# --- the glossary -----------------------------------------------------------------------------------

GLOSSARY = re.findall(
    r"^- \*\*(.+?)\*\*.+?\[Lesson (\d\d)\]\((.+?)\.ipynb\)$",
    (NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)


def test_the_glossary_is_read_whole_and_is_in_order():
    words = [word for word, _, _ in GLOSSARY]
    assert len(words) == (NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8").count("\n- ") >= 25
    assert words == sorted(set(words), key=str.lower)


@pytest.mark.parametrize(("word", "number", "name"), GLOSSARY)
def test_a_word_of_the_glossary_is_explained_in_its_lesson(word, number, name):
    assert name.startswith(f"{number}_")
    assert word.lower() in (NOTEBOOKS / "source" / f"{name}.md").read_text(encoding="utf-8").lower()


# --- the reading of formulas ------------------------------------------------------------------------

FORMULAS = {
    r"$\ln p(y_n\mid x_n,w)$": {"p", "y", "n", "x", "w"},
    r"$s_0^2+\sigma^2$": {"s_0", r"\sigma"},
    r"$s_N$ and $s_n$": {"s", "N", "n"},
    r"$\theta_{\text{MAP}}=\operatorname{argmax}_\theta\,p(\theta\mid\mathcal D)$": {
        r"\theta_MAP",
        r"\theta",
        "p",
        r"\mathcal D",
    },
    r"$q(\theta'\mid\theta)$": {"q", r"\theta'", r"\theta"},
    r"$w'$": {"w"},
    r"$\hat R$, $\hat{R}$, $\widehat R$": {r"\hat R", r"\widehat R"},
    r"$\operatorname{KL}(q\,\Vert\,p)$ and $\mathrm{KL}$, $\text{where}$": {"KL", "q", "p"},
    r"$\mathrm B(a_1,a_0)$": {r"\mathrm B", "a_1", "a"},
    r"$\int p(\theta)\,\mathrm d\theta = e^{-\pi}$": {"p", r"\theta"},
    r"$w^{(s)}$, $\frac1S\sum_s$": {"w", "s", "S"},
    r"$\overline{g^2}_i$": {r"\overline g^2", "i"},
    r"$\Delta t\,\nabla H$ and $\Delta$": {r"\Delta t", "H", r"\Delta"},
    r"$$\begin{aligned}a&=b\\[1ex]\end{aligned}$$": {"a", "b"},
    r"$J_{T^{-1}}$": {"J_T^-1"},
    r"$V_\text{between}$, $V_{\mathrm{within}}$": {"V_between", "V"},
    "noise σ, Λ and λ, not π or é": {r"\sigma", r"\Lambda", r"\lambda"},
    r"$2^{[0.8]{code}\,\varepsilon}$": {r"\varepsilon"},
    r"$\varphi$ and $\mathsf{x}$": {r"\varphi", r"\mathrm x"},
    r"$\varepsilon\sim\mathcal N(0,1)$": {r"\varepsilon", r"\mathcal N"},
}
ROWS_KNOWN = {"s_0", r"\theta_MAP", r"\theta'", "KL", "a_1", "J_T^-1", "V_between"}


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_symbols_of_a_formula(formula):
    assert symbols.symbols_of(formula, ROWS_KNOWN) == FORMULAS[formula]


TABLE = r"""
| symbol | meaning | first in |
|---|---|---|
| $x$, $y_n$ | a pair | lesson 01 |
| $q(\theta)$ | an approximation of $p$ | lesson 03 |
| $\operatorname{KL}(q\,\Vert\,p)$ | a divergence | lesson 03 |
| $s_0,\;s_N$ | widths | appendix A |
"""


def test_a_row_explains_the_symbol_with_which_each_of_its_formulas_begins():
    rows = symbols.table(TABLE)
    assert [row.symbols for row in rows] == [["x", "y_n"], ["q"], ["KL"], ["s_0"]]
    assert [row.first for row in rows] == ["01", "03", "03", "A"] and rows[1].meaning == "an approximation of $p$"


# --- what is refused --------------------------------------------------------------------------------

SOUND = [symbols.Row(["x", "y"], "a pair", "01"), symbols.Row(["q"], "an approximation", "03")]
USED = {"01": {"x"}, "02": {"x", "r", "q"}, "03": {"q", "x", "y"}}  # 02 is in the old form


def test_a_sound_table_has_no_problems():
    assert symbols.problems(SOUND, USED, {"01", "03"}) == []


@pytest.mark.parametrize(
    ("rows", "used", "strict", "problem"),
    [
        (SOUND, USED, {"01", "02"}, "lesson 02: r is not in the table of lesson 00"),
        (SOUND, {**USED, "A": {"z"}}, {"01", "03", "A"}, "lesson A: z is not in the table of lesson 00"),
        ([*SOUND, symbols.Row(["q"], "a proposal", "03")], USED, {"01", "03"}, "q has two rows in the table"),
        ([*SOUND, symbols.Row(["k"], "a count", "02")], USED, {"01"}, "k does not come first in lesson 02, but"),
        ([*SOUND, symbols.Row(["q'", "x'"], "a step", "03")], USED, {"01"}, "x' is used by no lesson"),
        (SOUND, USED, {"01", "02", "03"}, "q does not come first in lesson 03, but in ['02']"),
        (SOUND, {"01": {"q"}, **{n: USED[n] for n in ("02", "03")}}, set(), "x does not come first in lesson 01"),
    ],
)
def test_a_broken_table_is_refused(rows, used, strict, problem):
    assert any(problem in line for line in symbols.problems(rows, used, strict))
