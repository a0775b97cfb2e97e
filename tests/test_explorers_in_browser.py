"""Every lesson in JupyterLab, and its explorers: each control is moved by keyboard, and picture and line follow.

What is expected is what the same explorer gives here, in Python. The folder `screenshots` keeps a picture of each
explorer and what a screen reader is given of it.
"""

import ast
import base64
import itertools
import re
import shutil
from pathlib import Path

import ipywidgets
import matplotlib
import nbformat
import pytest
from _browser import INK, chromium
from _lab import Page, lab, wait_until

from bnn_course.explorers import Pad, digits
from tools import build, text

NOTEBOOKS = (build.ROOT / "notebooks")
SCREENSHOTS = NOTEBOOKS.parent / "screenshots"
PICTURE = "async picture => (await fetch(picture.src)).text()"


def explorer_cells(path):
    """The explorers of a lesson: {place among the code cells: cell}."""
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return {place: cell for place, cell in enumerate(code) if text.is_explorer(cell)}


FOUND = [*sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")), *sorted(NOTEBOOKS.glob("appendix/[A-Z]_*.ipynb"))]
LESSONS = [path.relative_to(NOTEBOOKS).with_suffix("").as_posix() for path in FOUND]
CELLS = {name: explorer_cells(NOTEBOOKS / f"{name}.ipynb") for name in LESSONS}


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
    svg = expected.picture.svg
    wait_until(shown.page, lambda: shown.locator("img").evaluate(PICTURE) == svg, f"the picture of: {expected.line}")


def said(slider):
    """What a screen reader says of a slider."""
    return slider.get_attribute("aria-valuetext")


def is_near(text, value):
    """Whether a text says a value, with a minus sign of either kind."""
    return float(text.replace("−", "-")) == pytest.approx(value, abs=1e-6)


def is_read_aloud(shown, here):
    """Picture, line and controls of an explorer have names, and a slider says the value that stands beside it."""
    labels = here.picture.labels
    assert shown.get_attribute("aria-label") == f"Explorer with the controls {', '.join(labels)}"
    assert shown.get_by_role("img", name=here.alt, exact=True).count() == 1
    assert shown.locator(".bnn-line").get_attribute("aria-live") == "polite"
    for place, (label, control) in enumerate(zip(labels, here.controls.values(), strict=True)):
        row = shown.locator(".bnn-control").nth(place)
        part = row.locator("select, canvas, [role=slider]")
        assert part.get_attribute("aria-label") == label
        formulas, typeset = control.description.count("$") // 2, row.locator("mjx-container")
        wait_until(shown.page, lambda n=formulas, t=typeset: t.count() == n, f"{formulas} formulas in {label}")
        if isinstance(control, ipywidgets.SelectionSlider):
            value = control._options_labels[control.index]
            wait_until(shown.page, lambda p=part, v=value: said(p) == v, f"{label} to say {value}")
        elif part.get_attribute("role") == "slider":
            v = control.value
            wait_until(shown.page, lambda p=part, v=v: is_near(said(p), v), f"{label} to say {v}")


def keep(shown, name):
    """Keep a picture of an explorer, and what a screen reader is given of it."""
    SCREENSHOTS.mkdir(exist_ok=True)
    shown.screenshot(path=SCREENSHOTS / f"{name}.png")
    (SCREENSHOTS / f"{name}.txt").write_text(shown.aria_snapshot() + "\n", encoding="utf-8")


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


def test_a_lesson_runs_whole_in_jupyterlab(open_lesson):
    """The first one; strict validation runs all of them, cell by cell and in the same kernel."""
    open_lesson(LESSONS[0]).run_all()


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_opens_in_jupyterlab_and_its_explorers_move(name, open_lesson, style_of_lessons):
    """An explorer uses no variable of its lesson: its cell is run, the others show what they came with."""
    lesson = open_lesson(name)
    for place in CELLS[name]:
        lesson.run_cell(place)
    explorers = lesson.explorers(len(CELLS[name]))
    lesson.has_no_trouble()
    for number, (cell, shown) in enumerate(zip(CELLS[name].values(), explorers, strict=True), start=1):
        here = twin(cell)
        shown.scroll_into_view_if_needed()
        same(shown, here)
        start = here.line
        is_read_aloud(shown, here)
        for place, (control, label) in enumerate(zip(here.controls.values(), here.picture.labels, strict=True)):
            reset(lesson.page, shown, here)
            before = here.picture.svg
            move(lesson.page, shown, place, control)
            assert here.picture.svg != before, f"{label} moves nothing"
            same(shown, here)
            is_read_aloud(shown, here)
            assert not isinstance(control, Pad) or "says 1 with" in here.line
        keep(shown, f"{text.number_of(name)}_explorer_{number}")
        reset(lesson.page, shown, here)
        assert here.line == start


# --- the pad, with a finger and by keyboard -----------------------------------------------------

PAD = "from bnn_course.explorers import digits\ndigits.drawing()"
LETTER_W = [(30, 50), (65, 150), (98, 80), (130, 150), (165, 50)]  # places on the pad


def write(server, name, *sources):
    """Write a notebook with these cells into the folder of the server."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=text.METADATA)
    nbformat.write(notebook, server.folder / f"{name}.ipynb")


@pytest.fixture
def pad(server, open_lesson, style_of_lessons):
    """A page with the explorer of drawings, and a function that waits until it shows what is said of the ink here."""
    write(server, "pad", PAD)
    page = open_lesson("pad")
    page.run_all()
    (shown,) = page.explorers(1)
    shown.locator("canvas").scroll_into_view_if_needed()

    def line_of_ink():
        here = digits.drawing()
        here.controls["ink"].value = base64.b64decode(shown.locator("canvas").evaluate(INK))
        same(shown, here)
        return here.line

    return page.page, shown, line_of_ink


def touch(page, corners):
    """Move a finger along lines between places on the page."""
    device = page.context.new_cdp_session(page)
    places = [corners[0]]
    for (x, y), (to_x, to_y) in itertools.pairwise(corners):
        places += [(x + part / 8 * (to_x - x), y + part / 8 * (to_y - y)) for part in range(1, 9)]
    for kind, (x, y) in zip(["touchStart", *["touchMove"] * (len(places) - 1)], places, strict=True):
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    device.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_letter_drawn_with_a_finger_is_not_known_to_the_network(pad):
    page, shown, line_of_ink = pad
    canvas = shown.locator("canvas")
    canvas.evaluate("canvas => canvas.addEventListener('pointermove', event => { window.with = event.pointerType; })")
    box = canvas.bounding_box()
    touch(page, [(box["x"] + x, box["y"] + y) for x, y in LETTER_W])
    assert page.evaluate("window.with") == "touch"
    line = line_of_ink()
    assert int(re.search(r"more than for (\d+) % of the test digits", line)[1]) >= 98
    keep(shown, "letter_with_a_finger")


def test_a_one_is_drawn_by_keyboard_and_reset_wipes_the_pad(pad):
    page, shown, line_of_ink = pad
    shown.locator("canvas").focus()
    for key in ("ArrowRight", " ", *["ArrowDown"] * 19, " ", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert "says 1 with over 99 %" in line_of_ink()
    keep(shown, "one_by_keyboard")
    reset(page, shown, digits.drawing())
    assert not any(base64.b64decode(shown.locator("canvas").evaluate(INK)))


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
    write(server, "slow", SLOW)
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
    shown.get_by_role("button", name="pause, step").focus()
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
    wait_for_line(shown, "step 0,")
    slow.page.wait_for_timeout(2000)
    assert "step 0," in shown.locator(".bnn-line").inner_text()
    assert shown.locator("[role=slider]").nth(1).get_attribute("aria-valuenow") == "0.0"


def test_formulas_in_labels_are_typeset(slow):
    (shown,) = slow.explorers(1)
    wait_until(slow.page, lambda: shown.locator(".widget-label mjx-container").count() == 1, "one typeset formula")


def test_arrow_keys_that_move_a_control_do_not_move_to_another_cell(server, open_lesson):
    write(server, "keys", "'above'", PAD.replace("drawing", "turning"), "'below'")
    page = open_lesson("keys")
    page.run_all()
    (shown,) = page.explorers(1)
    for part, key, line in [("select", "ArrowDown", "A 1 turned by 60°"), ("[role=slider]", "ArrowUp", "by 65°")]:
        shown.locator(part).focus()
        page.page.keyboard.press(key)
        wait_for_line(shown, line)
        assert page.page.locator(".jp-Cell.jp-mod-active .bnn-explorer").count() == 1


def test_a_saved_notebook_shows_picture_and_line_without_a_kernel(slow, server, open_lesson):
    slow.save()
    server.end_kernels()
    again = open_lesson("slow")
    (shown,) = again.explorers(1)
    wait_for_line(shown, "height 0,")
    assert shown.locator("img").evaluate("picture => picture.width") == 600


def test_an_untrusted_notebook_shows_the_first_picture_and_its_line(slow, server, open_lesson):
    slow.save()
    notebook = nbformat.read(server.folder / "slow.ipynb", as_version=4)
    assert "application/vnd.jupyter.widget-view+json" in notebook.cells[0].outputs[0].data
    notebook.cells.append(nbformat.v4.new_markdown_cell("Changed elsewhere: JupyterLab knows no such notebook."))
    nbformat.write(notebook, server.folder / "strange.ipynb")
    cell = open_lesson("strange").page.locator(".jp-CodeCell")
    wait_until(cell.page, lambda: "At the start: height 0, step 0" in cell.inner_text(), "the first line")
    assert cell.locator("img").evaluate("picture => picture.naturalWidth") == 600
    assert cell.locator(".bnn-explorer").count() == 0 and "Explorer(" not in cell.locator(".jp-OutputArea").inner_text()


def test_errors_and_requests_that_leave_the_machine_are_noticed(server):
    write(server, "empty", "1")
    page = Page(server, "empty.ipynb")
    page.page.evaluate("""() => {
        console.error('said on purpose');
        fetch('http://course.invalid/').catch(() => null);
        new WebSocket('ws://course.invalid/');
    }""")
    wait_until(page.page, lambda: len(page.foreign) == 2, "both requests")
    assert sorted(page.foreign) == ["http://course.invalid/", "ws://course.invalid/"]
    assert "said on purpose" in page.errors
    page.close()


@pytest.mark.parametrize("name", ["01_bayes_theorem_and_map", "09_mnist_uncertainty"])
def test_a_lesson_that_has_not_run_shows_pictures_and_lines(name, server, open_lesson):
    """The second holds explorers for pages without a kernel, too: nothing is seen of them in an untrusted notebook."""
    shutil.copy(NOTEBOOKS / f"{name}.ipynb", server.folder / "as_shipped.ipynb")
    page = open_lesson("as_shipped")
    notebook = page.page.locator(".jp-Notebook")
    wait_until(page.page, lambda: notebook.inner_text().count("At the start: ") == len(CELLS[name]), "all first lines")
    shown = notebook.inner_text()
    assert "interactive(" not in shown and "Error displaying widget" not in shown
    widths = "pictures => pictures.map(picture => picture.naturalWidth)"
    cells = page.page.locator(".jp-CodeCell", has_text="At the start: ")
    assert cells.locator("img").evaluate_all(widths) == [600] * len(CELLS[name])
