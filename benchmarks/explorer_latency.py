"""How long a move of an explorer takes: from the key going down to the new picture on the screen, in JupyterLab.

    python benchmarks/explorer_latency.py [--moves 12]        # writes benchmarks/explorer_latency.json

All explorers of the lessons stand in one notebook; every control is moved by keyboard, back and forth, and drawing pads
with the mouse. Times are taken inside the browser.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import nbformat

from tests._browser import chromium
from tests._lab import Page, lab
from tools import NOTEBOOKS, text

WATCH = """picture => {
    window.moves = [];
    const begin = () => { window.began = performance.now(); };
    for (const kind of ['keydown', 'pointerdown', 'pointermove']) window.addEventListener(kind, begin, true);
    new MutationObserver(() => window.moves.push(performance.now() - window.began))
        .observe(picture, {attributes: true, attributeFilter: ['data-draw']});
}"""


def explorer_cells():
    for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")) + sorted(NOTEBOOKS.glob("appendix/[A-Z]_*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if text.is_explorer(cell):
                yield text.number_of(path.stem), cell


def move(page, row, turn):
    """One step of a control, to and fro."""
    forth = turn % 2 == 0
    if row.locator("canvas").count():
        row.locator("canvas").scroll_into_view_if_needed()
        box = row.locator("canvas").bounding_box()
        page.mouse.move(box["x"] + 20 + 12 * turn, box["y"] + 30)
        page.mouse.down()
        page.mouse.up()
        return
    control = row.locator("select, [role=slider]").first
    control.focus()
    is_list = control.evaluate("part => part.tagName") == "SELECT"
    page.keyboard.press(("ArrowDown" if forth else "ArrowUp") if is_list else ("ArrowLeft" if forth else "ArrowRight"))


def measure(page, shown, moves):
    """Milliseconds of all moves of all controls of one explorer."""
    shown.scroll_into_view_if_needed()
    picture = shown.locator("img").last
    picture.evaluate(WATCH)
    rows = shown.locator(".bnn-control")
    times = []
    for place in range(rows.count()):
        for turn in range(moves + 2):
            before = page.evaluate("window.moves.length")
            move(page, rows.nth(place), turn)
            for _ in range(150):
                if page.evaluate("window.moves.length") > before:
                    break
                page.wait_for_timeout(20)  # at first a control may stand at its end and not move
            page.wait_for_timeout(30)
            found = page.evaluate("window.moves")[before:]
            assert found or turn < 2, f"control {place} was moved, and no picture came within three seconds"
            times += found[-1:] if turn >= 2 else []  # the first two fill caches
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=12)
    options = parser.parse_args()
    cells, rows = list(explorer_cells()), []
    with tempfile.TemporaryDirectory() as scratch, chromium() as open_page:
        folder = Path(scratch, "notebooks")
        folder.mkdir()
        for name in ("records", "matplotlibrc"):
            folder.joinpath(name).symlink_to(NOTEBOOKS / name)
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(c.source) for _, c in cells], metadata=text.METADATA
        )
        nbformat.write(notebook, folder / "explorers.ipynb")
        with lab(folder, Path(scratch)) as server:
            server.open_page = open_page
            page = Page(server, "explorers.ipynb")
            page.run_all()
            for (lesson, cell), shown in zip(cells, page.explorers(len(cells)), strict=True):
                times = sorted(measure(page.page, shown, options.moves))
                row = {"lesson": lesson, "explorer": cell.source.splitlines()[-1], "moves": len(times)}
                row |= {"median_ms": statistics.median(times), "p95_ms": times[int(0.95 * (len(times) - 1))]}
                rows.append(row)
                print({k: round(v) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
            page.close()
    Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
