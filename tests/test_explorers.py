"""The mechanism of all explorers: controls, a drawing function, a picture and a line of numbers."""

import base64
import io
import itertools
import pkgutil
import re
import subprocess
import sys

import ipywidgets
import matplotlib.image
import nbformat
import numpy as np
import pytest
from _browser import skip_without_browser
from _explorers import EXPLORERS, ends, moved, numbers

import course
from bnn_course import explorers
from bnn_course.explorers import Explorer, Pad, number, spoken
from tools import build, frames, text
from tools.live import is_live

LESSONS = sorted((build.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
APPENDICES = sorted((build.ROOT / "notebooks").glob("appendix/[A-Z]_*.ipynb"))


def line_to(figure, height, shape):
    """Draw a line that ends at `height`."""
    if height > 0.9:
        raise ValueError("height must be ≤ 0.9, got more: move it back")
    figure.subplots().plot([0, 1], [0, height], linestyle=shape)
    line_to.calls += 1
    return f"The line ends at {height:.1f}"


@pytest.fixture
def explorer():
    line_to.calls = 0
    height = ipywidgets.FloatSlider(value=0.5, max=1, step=0.1, description=r"height $\theta_1$")
    shape = ipywidgets.Dropdown(options=["-", ":"], description="shape")
    return Explorer(line_to, "A line from zero", height=height, shape=shape)


def pixels(png):
    return matplotlib.image.imread(io.BytesIO(png))


def size(svg):
    """Width and height of an SVG in inches."""
    return tuple(float(side) / 72 for side in re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())


def test_a_move_draws_picture_and_line_once(explorer):
    before, count, calls = explorer.picture.svg, explorer.picture.count, line_to.calls
    explorer.controls["height"].value = 0.7
    assert explorer.picture.line == explorer.line == "The line ends at 0.7"
    assert (explorer.picture.count, line_to.calls) == (count + 1, calls + 1)
    assert explorer.picture.svg != before


def test_the_picture_has_the_announced_size(explorer):
    assert size(explorer.picture.svg) == pytest.approx((6, 3.4)) and explorer.picture.width == 600


def test_another_value_can_be_drawn_without_a_move(explorer):
    svg, line = explorer.drawn(height=0.7)
    assert (line, explorer.line) == ("The line ends at 0.7", "The line ends at 0.5")
    explorer.controls["height"].value = 0.7
    assert explorer.picture.svg == svg


@pytest.mark.parametrize("main", ["width", "pad"])
def test_a_main_control_that_is_none_is_refused(main):
    pad, height = Pad(description="pad"), ipywidgets.FloatSlider(description="height")
    with pytest.raises(ValueError, match=f"main must be one of None, 'height', got '{main}': pick one"):
        Explorer(lambda figure, **values: "", "Nothing", main=main, pad=pad, height=height)


def test_reset_puts_all_controls_back_and_draws_once(explorer):
    start = explorer.picture.svg
    explorer.controls["height"].value = 0.7
    explorer.controls["shape"].value = ":"
    calls = line_to.calls
    explorer.reset()
    assert explorer.values == {"height": 0.5, "shape": "-"}
    assert line_to.calls == calls + 1
    assert explorer.picture.svg == start


def test_an_error_is_shown_and_the_controls_live_on(explorer):
    before = explorer.picture.svg
    explorer.controls["height"].value = 1.0
    assert explorer.picture.line == "Cannot draw this: ValueError: height must be ≤ 0.9, got more: move it back"
    assert explorer.picture.svg == before
    explorer.controls["height"].value = 0.3
    assert explorer.picture.line == "The line ends at 0.3"


def test_an_error_at_the_start_is_raised():
    with pytest.raises(ValueError, match="height must be"):
        Explorer(line_to, "A line", height=ipywidgets.FloatSlider(value=1.0), shape=ipywidgets.Dropdown(options="-"))


def test_without_a_kernel_there_are_a_picture_and_a_readable_line(explorer, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(explorers, "display", lambda data, raw: shown.append(data))
    explorer._ipython_display_()
    (data,) = shown
    assert pixels(base64.b64decode(data["image/png"])).shape[:2] == (340, 600)
    assert data["text/plain"] == "Explorer with the controls height theta 1, shape"
    assert "application/vnd.jupyter.widget-view+json" in data
    assert capsys.readouterr().out == "At the start: The line ends at 0.5\n"


def test_a_web_page_made_of_a_notebook_shows_picture_and_line(explorer, monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr(explorers, "display", lambda data, raw: shown.append(data))
    explorer._ipython_display_()
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in shown]
    outputs.append(nbformat.v4.new_output("stream", text=f"At the start: {explorer.line}\n"))
    cell = nbformat.v4.new_code_cell("", outputs=outputs, execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "notebook.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--stdout", str(tmp_path / "notebook.ipynb")]
    page = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    assert f'src="data:image/png;base64,{shown[0]["image/png"]}"' in page.replace("\n", "")
    assert "At the start: The line ends at 0.5" in page and "Explorer with" not in page and "widget-view" not in page


@pytest.mark.parametrize("path", LESSONS + APPENDICES, ids=lambda path: path.stem)
def test_the_lessons_ship_a_picture_and_a_readable_line_of_every_explorer(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if text.is_explorer(cell)]
    for cell in cells:
        picture, line = (output for output in cell.outputs if not is_live(output))
        assert set(picture.data) == {"image/png", "text/plain"} and picture.data["text/plain"].startswith(
            "Explorer with"
        )
        assert pixels(base64.b64decode(picture.data["image/png"])).shape[1] == 600 and picture.metadata["image/png"].alt
        assert line.text.startswith("At the start: ") and line.text.count("\n") == 1


def test_every_module_of_explorers_is_shown_by_a_lesson():
    cells = [cell for path in LESSONS for cell in nbformat.read(path, as_version=4).cells if text.is_explorer(cell)]
    shown = "\n".join(cell.source for cell in cells)
    modules = {module.name for module in pkgutil.iter_modules(explorers.__path__)}
    assert {name for name in modules if re.search(rf"\b{name}\b", shown)} == modules


# What holds of every explorer of the course ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_corner_of_the_controls_gives_finite_curves_and_a_line(name):
    explorer = EXPLORERS[name]()
    for corner in itertools.product(*(ends(control) for control in explorer.controls.values())):
        axes, line = moved(explorer, **dict(zip(explorer.controls, corner, strict=True)))
        for ax in axes:
            assert all(np.isfinite(np.asarray(curve.get_xydata(), dtype=float)).all() for curve in ax.lines)
            assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
        assert numbers(line) and "nan" not in line and "\n" not in line and "-0.00 " not in f"{line} "


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_moves_picture_and_line_and_reset_moves_them_back(name):
    explorer = EXPLORERS[name]()
    start = explorer.picture.svg, explorer.line
    for control in explorer.controls.values():
        control.value = next(value for value in ends(control)[::-1] if value != control.value)
        assert explorer.picture.svg != start[0] and explorer.line != start[1]
        explorer.reset()
        assert (explorer.picture.svg, explorer.line) == start


@pytest.mark.parametrize("name", EXPLORERS)
def test_another_session_draws_and_says_the_same(name):
    first = EXPLORERS[name]()
    for module in pkgutil.iter_modules(explorers.__path__, "bnn_course.explorers."):
        for value in vars(sys.modules[module.name]).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    again = EXPLORERS[name]()
    assert (again.picture.svg, again.line) == (first.picture.svg, first.line)


@pytest.mark.parametrize("value", [0.625, -0.125])
def test_numbers_are_written_the_same_whatever_the_last_bit(value):
    assert number(value) == number(np.nextafter(value, 1)) == number(np.nextafter(value, -1))
    assert (number(-1e-12), number(2 / 3, 3)) == ("0.00", "0.667")


# Labels, play button, pad ---------------------------------------------------------------------------------------------


def test_formulas_in_labels_are_read_aloud():
    assert spoken(r"prior sd $\tau$") == "prior sd tau"
    assert spoken(r"$\mu_1$, mean of $q$") == "mu 1, mean of q"
    assert spoken(r"rate $10^{-3}$") == "rate 10 -3"
    assert spoken("plain") == "plain"


def test_every_control_is_named_for_a_screen_reader(explorer):
    assert explorer.picture.labels == ["height theta 1", "shape"]
    assert explorer.picture.alt == "A line from zero"


@pytest.fixture
def steps():
    step = ipywidgets.IntSlider(value=3, min=1, max=9, description="step")
    return Explorer(lambda figure, step: f"step {step}", "Steps", play="step", step=step)


def test_a_play_button_moves_its_control_from_where_it_is(steps):
    player, step = steps.player, steps.controls["step"]
    assert (player.value, player.min, player.max) == (3, 1, 9)
    player.set_state({"playing": True, "value": 4})  # what the browser sends
    assert (steps.line, step.value) == ("step 4", 4)
    step.value = 7
    assert (steps.line, player.value, player.playing) == ("step 7", 7, True)
    player.set_state({"playing": False, "value": 8})  # "pause", and the step before it
    assert (steps.line, step.value) == ("step 8", 8)
    player.set_state({"value": 1})  # "stop"
    assert steps.line == "step 1"


@pytest.mark.parametrize("moves", [0, 1, 3])
def test_steps_of_the_play_button_that_arrive_after_reset_are_undone(steps, moves):
    player, step = steps.player, steps.controls["step"]
    player.set_state({"playing": True, "value": 6})
    steps.reset()
    assert (steps.line, player.value, player.playing) == ("step 3", 3, False)
    for late in range(7, 7 + moves):
        player.set_state({"value": late})
        assert (steps.line, player.value, step.value) == ("step 3", 3, 3)
    step.value = 5  # the reader's hand is free at once
    assert (steps.line, player.value) == ("step 5", 5)
    player.set_state({"playing": True})
    player.set_state({"value": 6})
    player.set_state({"value": 7, "playing": False})
    assert steps.line == "step 7"
    steps.reset()
    player.set_state({"playing": False, "value": 1})  # "stop"
    assert steps.line == "step 1"


def test_ink_and_value_of_a_pad_say_the_same():
    pad = Pad(description="digit")
    assert np.frombuffer(pad.value, np.uint8).sum() == 0 and base64.b64decode(pad.ink) == pad.value
    ink = np.arange(784, dtype=np.uint8).tobytes()
    pad.ink = base64.b64encode(ink).decode()  # what the browser sends
    assert pad.value == ink
    pad.value = bytes(784)
    assert base64.b64decode(pad.ink) == bytes(784)


def test_a_pad_is_a_control():
    pad = Pad(value=bytes([255] * 784), description="digit")
    explorer = Explorer(lambda figure, digit: f"ink {sum(digit)}", "Ink", digit=pad)
    assert explorer.line == f"ink {255 * 784}"
    pad.value = bytes(784)
    assert explorer.line == "ink 0"
    explorer.reset()
    assert explorer.line == f"ink {255 * 784}"


@pytest.mark.parametrize("wish, outcome", [("", pytest.skip.Exception), ("required", pytest.fail.Exception)])
def test_without_a_browser_its_tests_say_what_to_do_and_fail_where_one_is_required(monkeypatch, wish, outcome):
    monkeypatch.setenv("BNN_COURSE_BROWSER", wish)
    monkeypatch.setattr(course, "find_browser", lambda *_: None)
    with pytest.raises(outcome, match=r"the browser tests need .*: run `python course.py "):
        skip_without_browser()


def test_the_front_end_asks_no_server():
    words = ("http", "fetch(", "import ", "import(", "@import", "XMLHttpRequest", "WebSocket")
    scripts = explorers.FRONT_END + frames.script()
    assert [word for word in words if word in scripts] == []
