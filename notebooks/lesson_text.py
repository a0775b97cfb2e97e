"""From the text of a lesson (MyST) to the cells of its notebook, and the numbers in its prose.

A number in prose is bound to what proves it: ``[97.7 %]{claim=09-accuracy}`` to a claim that some lesson prints,
``[1.58 %]{source=deck}`` to an entry of the section "Sources", ``[128]{code}`` to a literal in the lesson's code.
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
BOUND = re.compile(r"\[(?P<text>[^\[\]]*)\]\{(?:(?P<kind>claim|source)=(?P<id>[\w-]+)|(?P<code>code))\}")
MALFORMED = re.compile(r"\[[^\[\]]*\]\{[^{}]*\}")
FIGURE_TEXT = re.compile(r"^(?P<key>:(?:alt|caption): +)(?P<text>[^\"'\s].*?) *$", re.MULTILINE)
MATH = re.compile(r"\$\$.+?\$\$|\$(?!\s)[^$]+?(?<!\s)\$", re.DOTALL)
FREE = [
    re.compile(r"^#+ +\d\d · .*$", re.MULTILINE),  # the title with the lesson's number
    re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)`*$", re.MULTILINE | re.DOTALL),
    re.compile(r"(?P<ticks>`+).+?(?P=ticks)", re.DOTALL),
    re.compile(r"<!--.*?-->|<[^<>]+>", re.DOTALL),  # comments, tags, autolinks
    re.compile(r"!?\[[^\[\]]*\](?:\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s\"[^\"]*\")?\)|\[[^\[\]]*\])"),  # links
    re.compile(r"https?://\S+"),
    re.compile(r"\blessons? \d\d(?:(?:,| and|, and| or|–| to)? ?\d\d)*\b", re.IGNORECASE),
    re.compile(r"\((?:19|20)\d\d[a-z]?\)"),
    re.compile(r"(?:\bet al\.?|(?:&|\band) [A-Z][\w’'-]+),? \(?(?:19|20)\d\d[a-z]?\)?"),
    re.compile(r"^ *\d+\. ", re.MULTILINE),  # list items
]
LINK_TARGET = re.compile(r"\]\(#([\w-]+)\)")
SOURCE_ITEM = re.compile(r'^- <a id="source-([\w-]+)"></a>\*\*\[([\w-]+)\]\*\* \S', re.MULTILINE)


class BoundNumber(NamedTuple):
    """A number in prose: its text, what kind of thing it is bound to ("claim", "source", "code"), and which."""

    text: str
    kind: str
    id: str | None


def notebook_of(text):
    """Return the notebook, not yet run, that belongs to the MyST text of a lesson.

    Markup of bound numbers is removed, every cell has an id that follows from its content, and a cell that draws is
    followed by a caption cell. Figures are numbered; explorers are not.
    """
    cells, figures = [], 0
    for cell in source_cells(text):
        if cell.cell_type == "code":
            cells.append(nbformat.v4.new_code_cell(cell.source, metadata=_figure_text(cell.metadata)))
            if "alt" in cell.metadata and "caption" in cell.metadata:
                figures += not is_explorer(cell)
                name = "Explorer" if is_explorer(cell) else f"Figure {figures}"
                cells.append(_caption_cell(name, cells[-1].metadata))
        else:
            cells.append(nbformat.v4.new_markdown_cell(without_markup(cell.source), metadata=dict(cell.metadata)))
    _number_cells(cells)
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(METADATA))
    notebook.metadata["title"] = title_of(cells[0].source if cells else "")
    return notebook


@functools.lru_cache(maxsize=64)
def source_cells(text):
    """Return the cells as written, with the markup of bound numbers, and without empty ones (do not change them)."""
    quoted = FIGURE_TEXT.sub(lambda found: found["key"] + json.dumps(found["text"], ensure_ascii=False), text)
    return [cell for cell in jupytext.reads(quoted, fmt="md:myst").cells if cell.source.strip()]


def code_of(path):
    """Return the code of a lesson's code cells, from its source file."""
    return [cell.source for cell in source_cells(path.read_text(encoding="utf-8")) if cell.cell_type == "code"]


def title_of(markdown):
    """Return the text of the first heading, or "" if there is none."""
    found = re.search(r"^# +(.+?) *$", markdown, re.MULTILINE)
    return found.group(1) if found else ""


def without_number(title):
    """Return the title without the number of the lesson: "09 · MNIST" becomes "MNIST"."""
    return re.sub(r"^\d\d · ", "", title)


def without_markup(markdown):
    """Return the prose as the reader sees it: ``[97.7 %]{claim=09-accuracy}`` becomes ``97.7 %``."""
    return BOUND.sub(lambda found: found["text"], markdown)


def _figure_text(metadata):
    return {k: without_markup(str(v)) if k in ("alt", "caption") else v for k, v in metadata.items()}


def is_explorer(cell):
    """Say whether a cell shows an explorer: its picture is not counted among the figures."""
    return "explorer" in cell.metadata.get("tags", [])


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


# Numbers --------------------------------------------------------------------------------------------------------------


def bound_numbers(prose):
    """Return the numbers of the prose that carry markup; markup without a number has the text as it stands."""
    return [
        BoundNumber(text, found["kind"] or "code", found["id"])
        for found in BOUND.finditer(prose)
        for text in NUMBER.findall(found["text"]) or [found["text"]]
    ]


def unbound_numbers(prose):
    """Return the numbers of the prose that carry no markup and are not free, and malformed markup: {place: number}.

    Free are code, links, tags, integers in formulas, lessons ("lesson 09"), years of citations ("(2015)",
    "et al. 2015", "and Turner 2018"), list numbers, and digits glued to a letter (S14).
    """
    text = _blank(prose, BOUND, *FREE[:4])  # code and tags before formulas: a dollar sign in code opens no formula
    formulas = [found for formula in MATH.finditer(text) for found in _decimals(formula)]
    text = _blank(text, MATH, *FREE[4:])
    malformed = [(found.start(), found.group()) for found in MALFORMED.finditer(text)]
    plain = [(found.start(), found.group()) for found in NUMBER.finditer(_blank(text, MALFORMED))]
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


def quantities_of_code(code):
    """Return the numeric literals of a code cell, each also as the percentage it may stand for."""
    lines = ["pass" if line.lstrip().startswith(("%", "!")) else line for line in code.splitlines()]
    try:
        nodes = ast.walk(ast.parse("\n".join(lines)))
    except SyntaxError:
        return set()
    literals = [n.value for n in nodes if isinstance(n, ast.Constant) and type(n.value) in (int, float)]
    values = [Decimal(repr(value)) for value in literals]
    return {(value, False) for value in values} | {(100 * value, True) for value in values}
