"""Every lesson in JupyterLab, and its explorers: each control is moved by keyboard, and picture and line follow.

What is expected is what the same explorer gives here, in Python. Screenshots are kept in the folder `screenshots`.
"""

import ast
import base64
import shutil
from pathlib import Path

import build
import ipywidgets
import lesson_text
import matplotlib
import nbformat
import pytest
from _browser import chromium
from _lab import Page, lab, wait_until

from bnn_course.explorers import Pad

NOTEBOOKS = Path(build.__file__).parent
SCREENSHOTS = NOTEBOOKS.parent / "screenshots"
PICTURE = """async picture => {
    const file = await (await fetch(picture.src)).arrayBuffer();
    return btoa(Array.from(new Uint8Array(file), byte => String.fromCharCode(byte)).join(''));
}"""
INK = """canvas => {
    const [side, cells] = [canvas.width, 28], step = side / cells;
    const shown = canvas.getContext('2d').getImageData(0, 0, side, side).data;
    return btoa(String.fromCharCode(...Array.from({length: cells * cells}, (_, cell) => {
        let sum = 0;
        const [top, left] = [Math.floor(cell / cells) * step, (cell % cells) * step];
        for (let y = top; y < top + step; y++)
            for (let x = left; x < left + step; x++) sum += 255 - shown[4 * (y * side + x)];
        return Math.round(sum / step ** 2);
    })));
}"""


def explorer_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if lesson_text.is_explorer(cell)]


CELLS = {path.stem: explorer_cells(path) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab on a copy of the lessons: it would save what it runs."""
    scratch = tmp_path_factory.mktemp("lab")
    with chromium() as open_page:
        copy = shutil.copytree(NOTEBOOKS, scratch / "notebooks", ignore=shutil.ignore_patterns("__pycache__", "source"))
        with lab(copy, scratch) as running:
            running.folder, running.open_page = Path(copy), open_page
            yield running


@pytest.fixture
def open_lesson(server):
    """Open a notebook of the folder; afterwards there were no foreign requests and no errors on the console."""
    opened = []

    def open_one(name):
        opened.append(Page(server, f"{name}.ipynb"))
        return opened[-1]

    yield open_one
    for page in opened:
        assert page.foreign == []
        assert page.errors == []
        page.close()


def twin(cell):
    """The explorer of a cell, made in this process with the lessons' settings for figures."""
    *statements, last = ast.parse(cell.source).body
    names = {}
    exec(compile(ast.Module(statements, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.fixture
def style_of_lessons(monkeypatch):
    monkeypatch.chdir(NOTEBOOKS)
    with matplotlib.rc_context(fname="matplotlibrc"):
        yield


def one_step(control):
    """The key that moves a control by one step, and the value that it has then."""
    if isinstance(control, ipywidgets.Dropdown | ipywidgets.SelectionSlider):
        forward = control.index + 1 < len(control.options)
        keys = ("ArrowDown", "ArrowUp") if isinstance(control, ipywidgets.Dropdown) else ("ArrowRight", "ArrowLeft")
        return keys[not forward], control._options_values[control.index + (1 if forward else -1)]
    forward = control.value + control.step <= control.max + 1e-9
    return ("ArrowRight", "ArrowLeft")[not forward], control.value + (control.step if forward else -control.step)


def wait_for_line(shown, wanted):
    wait_until(shown.page, lambda: wanted in shown.locator(".bnn-line").inner_text(), wanted)


def same(shown, expected):
    """Wait until an explorer on the page shows what the explorer here shows, line and picture."""
    wait_until(shown.page, lambda: shown.locator(".bnn-line").inner_text() == expected.line, expected.line)
    png = base64.b64encode(expected.picture.png).decode()
    wait_until(shown.page, lambda: shown.locator("img").evaluate(PICTURE) == png, f"the picture of: {expected.line}")


def draw_a_one(page, canvas):
    box = canvas.bounding_box()
    middle, top, bottom = box["x"] + box["width"] / 2, box["y"] + 30, box["y"] + box["height"] - 30
    page.mouse.move(middle, top)
    page.mouse.down()
    page.mouse.move(middle, bottom, steps=12)
    page.mouse.up()


def move(page, shown, place, control):
    """Move the control at a place by keyboard, or draw on it; move the one here alike."""
    row = shown.locator(".bnn-control").nth(place)
    if isinstance(control, Pad):
        canvas = row.locator("canvas")
        canvas.scroll_into_view_if_needed()
        draw_a_one(page, canvas)
        control.value = base64.b64decode(canvas.evaluate(INK))
        return
    key, value = one_step(control)
    row.locator("select, [role=slider]").first.focus()
    page.keyboard.press(key)
    control.value = value


def reset(page, shown, here):
    here.reset()
    shown.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Enter")
    same(shown, here)


@pytest.mark.parametrize("name", CELLS)
def test_a_lesson_runs_in_jupyterlab_and_its_explorers_move(name, open_lesson, style_of_lessons):
    lesson = open_lesson(name)
    lesson.run_all()
    explorers = lesson.explorers(len(CELLS[name]))
    for number, (cell, shown) in enumerate(zip(CELLS[name], explorers, strict=True), start=1):
        here = twin(cell)
        shown.scroll_into_view_if_needed()
        same(shown, here)
        start, labels = here.line, here.picture.labels
        for place, control in enumerate(here.controls.values()):
            parts = shown.locator(".bnn-control").nth(place).locator("select, canvas, [role=slider]")
            assert parts.first.get_attribute("aria-label") == labels[place]
            reset(lesson.page, shown, here)
            before = here.picture.png
            move(lesson.page, shown, place, control)
            assert here.picture.png != before, f"{labels[place]} moves nothing"
            same(shown, here)
            assert not isinstance(control, Pad) or "says 1 with" in here.line
        SCREENSHOTS.mkdir(exist_ok=True)
        shown.screenshot(path=SCREENSHOTS / f"{name[:2]}_explorer_{number}.png")
        reset(lesson.page, shown, here)
        assert here.line == start


# --- the mechanism, with a drawing function that is slow and one that fails ---------------------

SLOW = """
import time
import ipywidgets
from bnn_course.explorers import Explorer
calls = []
def draw(figure, height, step):
    calls.append(height)
    time.sleep(0.5)
    if height > 30:
        raise ValueError("height must be ≤ 30")
    figure.subplots().plot([0, 1], [0, height])
    return f"height {height}, step {step}, drawn in {min(len(calls), 12)} calls at least"
height = ipywidgets.IntSlider(value=0, max=40, description=r"height $\\theta$")
step = ipywidgets.IntSlider(value=0, max=1000, description="step")
Explorer(draw, "A line from zero", play="step", height=height, step=step)
"""


@pytest.fixture
def slow(server, open_lesson):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SLOW)], metadata=lesson_text.METADATA)
    nbformat.write(notebook, server.folder / "slow.ipynb")
    page = open_lesson("slow")
    page.run_all()
    return page


def test_moves_do_not_queue_up(slow):
    (shown,) = slow.explorers(1)
    shown.locator("[role=slider]").first.focus()
    for _ in range(20):
        slow.page.keyboard.press("ArrowRight")
    wait_for_line(shown, "height 20,")
    calls = int(shown.locator(".bnn-line").inner_text().split()[-4])
    assert 3 <= calls < 12  # two at the start, then far fewer than twenty: the last move is drawn, most between are not


def test_an_error_is_shown_in_the_explorer_which_lives_on(slow):
    (shown,) = slow.explorers(1)
    shown.locator("[role=slider]").first.focus()
    slow.page.keyboard.press("End")
    wait_for_line(shown, "Cannot draw this: ValueError: height must be ≤ 30")
    slow.page.keyboard.press("Home")
    wait_for_line(shown, "height 0,")


def test_play_and_pause(slow):
    (shown,) = slow.explorers(1)
    shown.get_by_role("button", name="play, step").focus()
    slow.page.keyboard.press("Enter")
    wait_until(slow.page, lambda: "step 0," not in shown.locator(".bnn-line").inner_text(), "a step")
    shown.get_by_role("button", name="play, step").focus()
    slow.page.keyboard.press("Enter")
    slow.page.wait_for_timeout(1500)
    stopped = shown.locator(".bnn-line").inner_text()
    slow.page.wait_for_timeout(1500)
    assert shown.locator(".bnn-line").inner_text() == stopped


def test_reset_while_playing_goes_back_and_stays_there(slow):
    (shown,) = slow.explorers(1)
    shown.get_by_role("button", name="play, step").focus()
    slow.page.keyboard.press("Enter")
    wait_until(slow.page, lambda: "step 0," not in shown.locator(".bnn-line").inner_text(), "a step")
    shown.get_by_role("button", name="Reset").focus()
    slow.page.keyboard.press("Enter")
    slow.page.wait_for_timeout(2000)
    assert "step 0," in shown.locator(".bnn-line").inner_text()
    assert shown.locator("[role=slider]").nth(1).get_attribute("aria-valuenow") == "0.0"


def test_formulas_in_labels_are_typeset(slow):
    (shown,) = slow.explorers(1)
    wait_until(slow.page, lambda: shown.locator(".widget-label mjx-container").count() == 1, "one typeset formula")


def test_a_saved_notebook_shows_picture_and_line_without_a_kernel(slow, server, open_lesson):
    slow.save()
    server.end_kernels()
    again = open_lesson("slow")
    (shown,) = again.explorers(1)
    wait_for_line(shown, "height 0,")
    assert shown.locator("img").evaluate("picture => picture.naturalWidth") == 600


@pytest.mark.parametrize("name", [name for name, cells in CELLS.items() if cells][:1])
def test_a_lesson_that_has_not_run_shows_pictures_and_lines(name, server, open_lesson):
    shutil.copy(NOTEBOOKS / f"{name}.ipynb", server.folder / "as_shipped.ipynb")
    page = open_lesson("as_shipped")
    notebook = page.page.locator(".jp-Notebook")
    wait_until(page.page, lambda: notebook.inner_text().count("At the start: ") == len(CELLS[name]), "all first lines")
    shown = notebook.inner_text()
    assert "interactive(" not in shown and "Error displaying widget" not in shown
