"""The explorers that move without a kernel: those of digits by a script that computes, all others by `tools.frames`.

A page that holds `script()` shows an explorer of digits at every `element(kind)`: a deck, the site, the stored notebook
of lesson 09 in a viewer. The script is `bnn_course/explorers/digits.js` with what it needs of the course inside:
posterior, state of the noise, digits; with it goes a picture of each for paper. All is kept in ``notebooks/live``, and
each file says what it was made from (`mark`).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import io
import json
import zlib
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
from matplotlib.figure import Figure

from bnn_course import data
from bnn_course.explorers import digits
from tools import NOTEBOOKS, frames, projection, text

FOLDER = NOTEBOOKS / "live"
SCRIPT = Path(digits.__file__).with_suffix(".js")
EXPLORERS = {"turning": digits.turning, "drawing": digits.drawing}  # by the names that digits.js knows
LETTERS = 9.1  # points of the smallest letter of a picture for paper, so that it is read on a slide
MADE_FROM = [Path(__file__), SCRIPT, Path(digits.__file__), data.FOLDER / "SHA256SUMS", NOTEBOOKS / "matplotlibrc"]
MADE_FROM += [Path(projection.__file__)]


# What a page gets -----------------------------------------------------------------------------------------------------


def script() -> str:
    """Return the script that a page needs once, wherever it stands in the page."""
    return (FOLDER / "digits.html").read_text(encoding="utf-8")


def element(kind: str, inside: str = "", style: str = "") -> str:
    """Return the place of an explorer in a page.

    Parameters
    ----------
    kind : {"turning", "drawing"}
    inside : str
        What is shown on paper, and where no script runs.
    style : str
        CSS. All lengths follow the font size.
    """
    styled = f' style="{html.escape(style)}"' if style else ""
    return f'<bnn-digits kind="{kind}"{styled}>{inside}</bnn-digits>'


def is_used(page: str) -> bool:
    """Say whether a page has a place for an explorer, and so needs the script."""
    return "<bnn-digits" in page


def picture(kind: str) -> str:
    """Return the address of the picture of an explorer at the start, which holds it whole."""
    return f"data:image/svg+xml;base64,{base64.b64encode((FOLDER / f'{kind}.svg').read_bytes()).decode()}"


def put_into(notebook: nbformat.NotebookNode) -> None:
    """Give the explorers of a built notebook their places without a kernel, as a last output of their cells.

    A viewer that runs scripts shows an explorer there; elsewhere nothing is seen of it.
    """
    scripts = {script, frames.script}
    for cell in notebook.cells:
        if not text.is_explorer(cell):
            continue
        cell.outputs = [output for output in cell.outputs if not is_live(output)]
        kinds = [kind for kind in EXPLORERS if cell.source.endswith(f"digits.{kind}()")]
        place = element(*kinds) if kinds else frames.element(cell.metadata.get("name", ""))
        if place:
            needed = script if kinds else frames.script
            page = needed() if needed in scripts else ""  # once is enough
            scripts.discard(needed)
            data = {"text/html": page + place}
            cell.outputs.append(nbformat.v4.new_output("display_data", data, metadata={"bnn_course": "live"}))


def is_live(output: dict) -> bool:
    """Say whether an output is the place of an explorer without a kernel: no run makes it."""
    return output.get("metadata", {}).get("bnn_course") == "live"


# Making it ------------------------------------------------------------------------------------------------------------


def digest() -> str:
    """Return a number that changes whenever the files would."""
    parts = [path.read_bytes() for path in MADE_FROM]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def mark() -> str:
    """Return the comment by which a file says what it was made from."""
    return f"<!-- python -m tools live: {digest()} -->\n"


def data_of_page() -> dict:
    """Return what digits.js needs of the course, for JSON; bytes are in base64."""
    noise = np.random.default_rng(digits.SEED).bit_generator.state["state"]
    images = data.load_mnist().test_images
    return {
        "posterior": _base64(zlib.compress(_half_precision(data.load_digit_posterior()), 9)),
        "noise": {"state": hex(noise["state"]), "increment": hex(noise["inc"])},
        "draws": digits.DRAWS,
        "digits": {digit: _base64(images[index]) for digit, index in digits.DIGITS.items()},
        "start": digits.turning().start,
        "letter": digits.EXAMPLE,
        "example": _base64(digits.example()),
        "usual": [float(f"{value:.6g}") for value in _hundredths(digits.usual_information())],
    }


def _base64(content):
    return base64.b64encode(bytes(content)).decode()


def _half_precision(posterior):
    """Means, then standard deviations: all lower bytes, then all upper ones, as these pack best together."""
    values = np.concatenate([value.ravel() for part in posterior for value in part.values()])
    return values.astype("<f2").view(np.uint8).reshape(-1, 2).T.tobytes()


def _hundredths(values):
    """The values below which at most 0, 1 … 99 hundredths of the values lie, one for each."""
    return np.sort(values)[len(values) // 100 - 1 :: len(values) // 100]


def _drawn(explorer):
    """The picture of an explorer at the start, as SVG."""
    with matplotlib.rc_context(fname=NOTEBOOKS / "matplotlibrc"):
        figure, file = Figure(figsize=explorer.size, layout="none"), io.StringIO()
        explorer.draw(figure, **explorer.start)
        with projection.letters_of_at_least(LETTERS, figure):
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def make() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    module = SCRIPT.read_text(encoding="utf-8")
    page = f'<script type="module">\n{module}\ndefine({json.dumps(data_of_page())});\n</script>\n'
    _write("digits.html", page)
    for kind, explorer in EXPLORERS.items():
        _write(f"{kind}.svg", _drawn(explorer()))
    frames.make()
    for path in _notebooks():
        path.write_text(_with_explorers(path), encoding="utf-8", newline="\n")


def _notebooks():
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")) + sorted(NOTEBOOKS.glob("appendix/[A-Z]_*.ipynb"))


def _with_explorers(path):
    notebook = nbformat.read(path, as_version=4)
    put_into(notebook)
    return nbformat.writes(notebook) + "\n"


def _write(name, content):
    (FOLDER / name).write_text(content + mark(), encoding="utf-8", newline="\n")


def problems() -> list[str]:
    """Return what is missing or out of date."""
    files = [FOLDER / name for name in ("digits.html", *(f"{kind}.svg" for kind in EXPLORERS))]
    stale = [path for path in files if not path.exists() or not path.read_text(encoding="utf-8").endswith(mark())]
    stale += [frames.FOLDER / f"{name}.html" for name in frames.stale()] + frames.left_over()
    stale = stale or [path for path in _notebooks() if path.read_text(encoding="utf-8") != _with_explorers(path)]
    return [f"{path.relative_to(NOTEBOOKS)} is missing or out of date: run `python -m tools live`" for path in stale]


def main(arguments=None):
    """Write the explorers that move without a kernel; --check only says what is out of date."""
    parser = argparse.ArgumentParser(prog="python -m tools live", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only say what is out of date")
    options = parser.parse_args(arguments)
    if not options.check:
        make()
    found = problems()
    print("\n".join(found) if found else "the explorers without a kernel are up to date")
    return 1 if found else 0
