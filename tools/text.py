"""From the text of a lesson (MyST) to the cells of its notebook, and the numbers in its prose.

A number in prose is bound to what proves it: ``[13]{claim=09-variance}`` to what a claim of some lesson measured,
rounded as typed; ``[8]{claim=09-variance, bound}`` to the bound of that claim; ``[1.58 %]{source=deck}`` to an entry
of the section "Sources"; ``[128]{code}`` to a literal in the lesson's code.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
from decimal import Decimal
from typing import NamedTuple

import jupytext
import nbformat
from jupytext.myst import MystMetadataParsingError

from bnn_course.claims import NUMBER

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}
FOLDED = {"result", "figure"}
TO_RUN = (
    "**To run it** — type `make lab` in the folder of the course; `README.md` lists other ways. If a cell says "
    "`No module named 'bnn_course'`, the notebook runs in a Python in which the course is not installed."
)
BOUND = re.compile(
    r"\[(?P<text>[^\[\]]*)\]"
    r"\{(?:claim=(?P<claim>[\w-]+)(?P<bound>, bound)?|source=(?P<source>[\w-]+)|code)\}"
)
SENTENCE = re.compile(r"\{claim:(?P<id>[\w-]+)\}")
MALFORMED = re.compile(r"\[[^\[\]]*\]\{[^{}]*\}")
FIGURE_TEXT = re.compile(r"^(?P<key>:(?:alt|caption): +)(?P<text>[^\"'\s].*?) *$", re.MULTILINE)
MATH = re.compile(r"\$\$.+?\$\$|\$(?!\s)[^$]+?(?<!\s)\$", re.DOTALL)
FREE = [
    re.compile(r"^#+ +(?:\d\d|[A-Z]) · .*$", re.MULTILINE),  # the title with the lesson's number
    re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)`*$", re.MULTILINE | re.DOTALL),
    re.compile(r"(?P<ticks>`+).+?(?P=ticks)", re.DOTALL),
    re.compile(r"<!--.*?-->|<[^<>]+>", re.DOTALL),  # comments, tags, autolinks
    re.compile(r"!?\[[^\[\]]*\](?:\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s\"[^\"]*\")?\)|\[[^\[\]]*\])"),  # links
    re.compile(r"https?://\S+"),
    re.compile(r"\blessons? \d\d(?:(?:,| and|, and| or|–| to)? ?\d\d)*\b", re.IGNORECASE),
    re.compile(r"\((?:19|20)\d\d[a-z]?\)"),
    re.compile(r"(?:\bet al\.?|(?:&|\band) [A-Z][\w’'-]+),? \(?(?:19|20)\d\d[a-z]?\)?"),
    re.compile(r"^ *\d+\. ", re.MULTILINE),  # list items
    re.compile(r"\*\*How long it takes\*\* — about \d+ minutes to read"),  # `form.reading_time_is_true` measures it
]
LINK_TARGET = re.compile(r"\]\(#([\w-]+)\)")
WRONG_NAME = re.compile(r"\bBayesian\b\*?\s+(?:networks?|nets?)\b", re.IGNORECASE)  # a directed graphical model
SOURCE_ITEM = re.compile(r'^- <a id="source-([\w-]+)"></a>\*\*\[([\w-]+)\]\*\* \S', re.MULTILINE)


class SourceError(Exception):
    """The text of a lesson that cannot be read; the message says where and why."""


class BoundNumber(NamedTuple):
    """A number in prose: its text, the kind of what it is bound to ("claim", "bound", "source", "code"), and which."""

    text: str
    kind: str
    id: str | None


def notebook_of(text, claims=None):
    """Return the notebook, not yet run, that belongs to the MyST text of a lesson.

    `claims` maps ids to the claims that stored lessons print: ``{claim:09-variance}`` becomes its sentence. Markup of
    bound numbers is removed, every cell has an id that follows from its content, and a cell that draws is followed by
    a caption cell. Figures are numbered; explorers are not. The cell with the title says how to run the notebook.
    """
    cells, figures = [], 0
    for cell in source_cells(text):
        if cell.cell_type == "code":
            cells.append(nbformat.v4.new_code_cell(cell.source, metadata=_code_metadata(cell)))
            if "alt" in cell.metadata and "caption" in cell.metadata:
                figures += not is_explorer(cell)
                name = "Explorer" if is_explorer(cell) else f"Figure {figures}"
                cells.append(_caption_cell(name, cells[-1].metadata))
        else:
            prose = _with_way_to_run(without_markup(with_sentences(cell.source, claims or {})))
            cells.append(nbformat.v4.new_markdown_cell(prose, metadata=dict(cell.metadata)))
    _number_cells(cells)
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(METADATA))
    notebook.metadata["title"] = title_of(cells[0].source if cells else "")
    return notebook


@functools.lru_cache(maxsize=64)
def source_cells(text):
    """Return the cells as written, with the markup of bound numbers, and without empty ones (do not change them)."""
    quoted = FIGURE_TEXT.sub(lambda found: found["key"] + json.dumps(found["text"], ensure_ascii=False), text)
    try:
        cells = jupytext.reads(quoted, fmt="md:myst").cells
    except (MystMetadataParsingError, nbformat.ValidationError) as error:
        what = str(error).splitlines()[0]
        raise SourceError(
            f"the text of “{title_of(text)}” cannot be read, {what}: write options of cells as “:name: words” and "
            "“:tags: [result]”"
        ) from None
    return [cell for cell in cells if cell.source.strip()]


def title_of(markdown):
    """Return the text of the first heading, or "" if there is none."""
    found = re.search(r"^# +(.+?) *$", markdown, re.MULTILINE)
    return found.group(1) if found else ""


def _with_way_to_run(markdown):
    """Return the cell with the title of a lesson, with `TO_RUN` before its first section; other cells as they are."""
    if without_number(title_of(markdown)) == title_of(markdown):
        return markdown
    head, mark, rest = markdown.partition("\n## ")
    return f"{head.rstrip()}\n\n{TO_RUN}" + (f"\n{mark}{rest}" if mark else "")


def number_of(name):
    """Return what a lesson is called by: "09" of "09_mnist_uncertainty", "B" of "appendix/B_tempering"."""
    return name.rpartition("/")[2].partition("_")[0]


def without_number(title):
    """Return the title without the number of the lesson: "09 · MNIST" becomes "MNIST"."""
    return re.sub(r"^(?:\d\d|[A-Z]) · ", "", title)


def with_sentences(markdown, claims):
    """Return the prose with ``{claim:09-variance}`` replaced by the sentence that the lesson prints.

    An id that no stored lesson prints stays as it is, and the checks report it.
    """
    return SENTENCE.sub(lambda found: claims[found["id"]].sentence if found["id"] in claims else found[0], markdown)


def words(markdown):
    """Return the words of prose as the reader sees it; a formula is one word."""
    return MATH.sub(" formula ", without_markup(markdown)).split()


def without_markup(markdown):
    """Return the prose as the reader sees it: ``[97.7 %]{claim=09-accuracy}`` becomes ``97.7 %``."""
    return BOUND.sub(lambda found: found["text"], markdown)


def _code_metadata(cell):
    """Return the metadata of a code cell: alt text and caption as the reader sees them; folded where it is to be."""
    metadata = {k: without_markup(str(v)) if k in ("alt", "caption") else v for k, v in cell.metadata.items()}
    return metadata | ({"jupyter": {"source_hidden": True}} if is_folded(cell) else {})


def tags(cell):
    """Return the tags of a cell."""
    return set(cell.metadata.get("tags", []))


def is_folded(cell):
    """Say whether JupyterLab hides the source of a cell: results, and figures whose code teaches nothing."""
    return bool(tags(cell) & FOLDED)


def is_explorer(cell):
    """Say whether a cell shows an explorer: its picture is not counted among the figures."""
    return "explorer" in tags(cell)


def _caption_cell(name, metadata):
    """The caption, and the alt text once more where screen readers find it: JupyterLab shows none for outputs."""
    return nbformat.v4.new_markdown_cell(
        f"**{name}.** {metadata.caption}\n\n"
        f"<details><summary>{name} in words</summary>\n\n{metadata.alt}\n\n</details>",
        metadata={"tags": ["caption"]},
    )


def _number_cells(cells):
    """Give each cell an id that follows from its content, so that an edit changes few ids."""
    seen = {}
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type} {cell.source}".encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def without_magics(code):
    """Return the code of a cell with lines for IPython alone (%config …), which are not indented, left out."""
    return "\n".join("" if line.startswith(("%", "!")) else line for line in code.splitlines())


# Numbers --------------------------------------------------------------------------------------------------------------


def bound_numbers(prose):
    """Return the numbers of the prose that carry markup; markup without a number has the text as it stands."""
    return [
        BoundNumber(text, _kind(found), found["claim"] or found["source"])
        for found in BOUND.finditer(prose)
        for text in NUMBER.findall(found["text"]) or [found["text"]]
    ]


def _kind(found):
    if found["source"]:
        return "source"
    if found["claim"]:
        return "bound" if found["bound"] else "claim"
    return "code"


def unbound_numbers(prose):
    """Return the numbers of the prose that carry no markup and are not free, and malformed markup: {place: number}.

    Free are code, links, tags, integers in formulas, lessons ("lesson 09"), years of citations ("(2015)",
    "et al. 2015", "and Turner 2018"), list numbers, and digits glued to a letter (S14).
    """
    text = _blank(prose, BOUND, *FREE[:4])  # code and tags before formulas: a dollar sign in code opens no formula
    formulas = [found for formula in MATH.finditer(text) for found in _decimals(formula)]
    text = _blank(text, MATH, *FREE[4:])
    malformed = [(found.start(), found.group()) for found in MALFORMED.finditer(text)]
    plain = [(found.start(), found.group()) for found in NUMBER.finditer(_blank(text, MALFORMED, SENTENCE))]
    return dict(sorted(formulas + malformed + plain))


def _blank(text, *patterns):
    """Overwrite all matches with spaces, which leaves the rest in its place."""
    for pattern in patterns:
        text = pattern.sub(lambda found: " " * len(found.group()), text)
    return text


def _decimals(formula):
    """Return place and text of the decimal numbers and percentages of a formula; its integers are free."""
    text = formula.group().replace(r"\%", " %").replace(r"\,", "  ")
    found = [(formula.start() + number.start(), number.group()) for number in NUMBER.finditer(text)]
    return [(place, number) for place, number in found if "." in number or number.endswith("%")]


def quantity(number):
    """Return what a number says as (value, is a percentage), or None: "10 000", "10_000" and "10,000" are the same."""
    percent = number.rstrip().endswith("%")
    plain = re.sub(r"[\s_%]", "", number).replace("−", "-")
    plain = re.sub(r",(?=\d{3}(?!\d))", "", plain)
    try:
        return Decimal(plain), percent
    except ArithmeticError:
        return None


def quantities(text):
    """Return all quantities of a text."""
    return {quantity(number) for number in NUMBER.findall(text)} - {None}


def rounds_to(measured, typed):
    """Say whether a quantity, rounded to the digits that are typed, is the one typed: 0.9827 is 98.3 %.

    Signs are dropped, since prose says "lower by" where a sentence has a minus sign. Rounding must not mislead: 0.3 is
    not 0, 1.4 is not 1, and 99.6 % is not 100 %.
    """
    (value, percent), (target, is_percent) = measured, typed
    if percent and not is_percent:
        return False
    value = abs(value) * (100 if is_percent and not percent else 1)
    error = abs(value - abs(target))
    most = 0 if is_percent and target == 100 else value / 4
    return error <= min(most, Decimal("0.5").scaleb(target.as_tuple().exponent))


def quantities_of_code(code):
    """Return the numeric literals of a code cell, each also as the percentage it may stand for."""
    try:
        nodes = ast.walk(ast.parse(without_magics(code)))
    except SyntaxError:
        return set()
    literals = [n.value for n in nodes if isinstance(n, ast.Constant) and type(n.value) in (int, float)]
    values = [Decimal(repr(value)) for value in literals]
    return {(value, False) for value in values} | {(100 * value, True) for value in values}
