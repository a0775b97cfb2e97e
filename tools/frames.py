"""Explorers that move without a kernel along their main control: a picture drawn beforehand for each of its places.

A page that holds `script()` moves every explorer whose `element` it holds. An element carries its pictures: SVGs that
the explorer draws, cut at their tags into pieces, each of which is kept once; then compressed. All is kept in
``notebooks/live/frames``, a file for each explorer, which says what it was made from (`mark`).
"""

from __future__ import annotations

import ast
import base64
import functools
import hashlib
import html
import itertools
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from ipywidgets import Dropdown

from bnn_course import explorers
from bnn_course.explorers import Explorer, spoken
from tools import NOTEBOOKS, ROOT, lessons, pictures, text

FOLDER = NOTEBOOKS / "live" / "frames"
SCRIPT = Path(explorers.__file__).with_name("frames.js")
MOST = 11  # pictures of an explorer
STYLE = NOTEBOOKS / "matplotlibrc"
OTHERS = ("turning-explorer", "drawing-explorer")  # move by another script: `tools.live`
ALWAYS = [Path(__file__), Path(pictures.__file__), STYLE, ROOT / "bnn_course" / "datasets" / "SHA256SUMS"]


# What a page gets -----------------------------------------------------------------------------------------------------


def script() -> str:
    """Return the script that moves the explorers of a page."""
    return f'<script type="module">\n{SCRIPT.read_text(encoding="utf-8")}</script>\n'


def element(name: str) -> str | None:
    """Return what a page shows of the explorer of a cell, or None if it has no pictures."""
    path = FOLDER / f"{name}.html"
    return path.read_text(encoding="utf-8") if path.exists() else None


# Which explorers there are, and what they are made from ---------------------------------------------------------------


class Shown(NamedTuple):
    """An explorer of the course: the lesson that shows it, the name of its cell, and the code there."""

    lesson: str
    name: str
    code: str

    def explorer(self) -> Explorer:
        """Run the cell."""
        lines = self.code.splitlines()
        last = ast.parse(self.code).body[-1].lineno - 1
        lines[last] = f"explorer = {lines[last]}"
        with matplotlib.rc_context(fname=STYLE):
            return lessons.lesson(self.lesson).run(self.name, replace={self.name: "\n".join(lines)})["explorer"]

    def mark(self) -> str:
        """Return the comment by which the file of this explorer says what it was made from."""
        digest = hashlib.sha256(self.code.encode())
        for path in [*ALWAYS, *sorted(made_from(self.code))]:
            digest.update(b"\0" + path.read_bytes())
        return f"<!-- python -m tools live: {digest.hexdigest()[:32]} -->\n"


@functools.cache
def shown() -> dict[str, Shown]:
    """Return all explorers of lessons and appendices that pictures move, by the names of their cells."""
    found = {}
    for path in sorted((NOTEBOOKS / "source").glob("**/[0-9A-Z]*_*.md")):
        if "." in path.stem:
            continue  # exercises
        for cell in text.source_cells(path.read_text(encoding="utf-8")):
            name = cell.metadata.get("name")
            if not text.is_explorer(cell) or name in OTHERS:
                continue
            if name in found:
                raise ValueError(f"cells with explorers must have different names, got {name} twice: rename one")
            found[name] = Shown(text.number_of(path.stem), name, cell.source)
    return found


def made_from(code: str) -> set[Path]:
    """Return the files of the course on which code depends: modules that it imports, theirs, and records."""
    found, new = set(), {code}
    while new:
        code = new.pop()
        fresh = {*_imported(code), *(NOTEBOOKS / name for name in re.findall(r"records/\w+\.\w+", code))} - found
        found |= fresh
        new |= {path.read_text(encoding="utf-8") for path in fresh if path.suffix == ".py"}
    return found


def _imported(code: str) -> Iterator[Path]:
    """Yield the modules of the package that code imports."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bnn_course"):
            for name in (node.module, *(f"{node.module}.{part.name}" for part in node.names)):
                place = ROOT.joinpath(*name.split("."))
                files = (place.with_suffix(".py"), place / "__init__.py")
                yield from (path for path in files if path.exists() and place.name != "bnn_course")


# Drawing and packing --------------------------------------------------------------------------------------------------


def positions(control: Any) -> list[tuple[str, Any]]:
    """Return all values that a control can have, each with its text."""
    if hasattr(control, "options"):
        return [*zip(control._options_labels, control._options_values, strict=True)]
    count = round((control.max - control.min) / control.step) + 1
    values = [round(control.min + place * control.step, 9) for place in range(count)]
    return [(f"{value:g}".replace("-", "−"), value) for value in values]


def places(control: Any) -> list[tuple[str, Any]]:
    """Return the values that get a picture: all, or some at equal distances, with the start and both ends."""
    every = positions(control)
    begin = [value for _, value in every].index(control.value)
    for stride in itertools.count(1):
        chosen = sorted({0, *range(begin % stride, len(every), stride), len(every) - 1})
        if len(chosen) <= MOST:
            return [every[place] for place in chosen]


def written(description: str) -> str:
    """Return the label of a control as HTML: the formulas of labels are symbols, some with an index."""

    def symbol(formula: re.Match[str]) -> str:
        letters = re.sub(r"\\([A-Za-z]+)", r"&\1;", formula[1])
        return "<i>" + re.sub(r"_(.)", r"<sub>\1</sub>", letters) + "</i>"

    return re.sub(r"\$([^$]+)\$", symbol, html.escape(description))


def resting(explorer: Explorer) -> str:
    """Return what is said of the controls that do not move without a kernel, as HTML."""
    rest = []
    for name, control in explorer.controls.items():
        if name != explorer.main:
            said = next(said for said, value in positions(control) if value == control.value)
            rest.append(f"{written(control.description)}: {html.escape(said)}")
    return f"Fixed here, but not in JupyterLab – {'; '.join(rest)}" if rest else ""


def packed(explorer: Explorer) -> str:
    """Draw an explorer at the places of its main control; return what frames.js unpacks.

    Raises
    ------
    ValueError
        If the explorer names no main control.
    """
    if explorer.main is None:
        raise ValueError(
            f"an explorer must have a main control, which moves without a kernel, got none: say main= one of "
            f"{', '.join(explorer.controls)}"
        )
    control = explorer.controls[explorer.main]
    chosen = places(control)
    with matplotlib.rc_context(fname=STYLE):
        drawn = [explorer.drawn(**{explorer.main: value}) for _, value in chosen]
    cut = [re.split("(?=<)", pictures.shorter(svg)) for svg, _ in drawn]
    pieces = {piece: place for place, piece in enumerate(dict.fromkeys(itertools.chain(*cut)))}
    content = {
        "name": spoken(control.description),
        "label": written(control.description),
        "values": [said for said, _ in chosen],
        "begin": [value for _, value in chosen].index(control.value),
        "isList": isinstance(control, Dropdown),
        "resting": resting(explorer),
        "alt": explorer.alt,
        "lines": [line for _, line in drawn],
        "pieces": [*pieces],
        "pictures": [[pieces[piece] for piece in svg] for svg in cut],
    }
    code = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(code.encode(), 9)).decode()


def stale() -> list[str]:
    """Return the names of the explorers whose pictures are missing or made from something else."""
    return [name for name, one in shown().items() if not (element(name) or "").endswith(one.mark())]


def make() -> None:
    """Draw and write what is missing or out of date; remove what no lesson shows any more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale():
        one = shown()[name]
        content = f'<bnn-frames packed="{packed(one.explorer())}"></bnn-frames>\n{one.mark()}'
        (FOLDER / f"{name}.html").write_text(content, encoding="utf-8", newline="\n")
    for path in left_over():
        path.unlink()


def left_over() -> list[Path]:
    """Return the files of explorers that no lesson shows any more."""
    return [path for path in sorted(FOLDER.glob("*.html")) if path.stem not in shown()]
