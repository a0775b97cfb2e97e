"""The explorers of digits that run in a page, without a kernel: they say what those of Python say.

`bnn_course/explorers/digits.js` computes in the browser what `digits.py` computes: networks, pictures and probabilities
are compared on what 200 people might have drawn, then the page itself is moved by mouse, finger and keys.
"""

import base64
import json
import re

import nbformat
import numpy as np
import pytest
from _browser import INK, chromium
from _explorers import numbers, strokes
from matplotlib.figure import Figure
from scipy.ndimage import affine_transform, rotate

from bnn_course import data, uncertainty
from bnn_course.explorers import digits
from tools import NOTEBOOKS, SLIDES, decks, live

LETTER_W = [(30, 50), (65, 150), (98, 80), (130, 150), (165, 50)]  # places on a pad of 196 pixels
CSP = '<meta http-equiv="Content-Security-Policy" content="connect-src \'none\'">'  # as nbviewer sets it


# --- the files ----------------------------------------------------------------------------------


def test_the_files_follow_from_what_they_are_made_of():
    assert live.problems() == []


def test_files_made_of_something_else_are_found(monkeypatch):
    monkeypatch.setattr(live, "digest", lambda: "0" * 32)
    found = [line.split(" is ")[0] for line in live.problems()]
    assert found == ["live/digits.html", "live/turning.svg", "live/drawing.svg"]


def test_a_notebook_without_its_explorers_is_found(monkeypatch):
    monkeypatch.setattr(live, "element", lambda kind: f"another {kind}")
    assert [line.split(" is ")[0] for line in live.problems()] == ["09_mnist_uncertainty.ipynb"]


def test_the_script_is_small_and_holds_the_module():
    script = live.script()
    assert len(script) <= 3e6 and live.SCRIPT.read_text(encoding="utf-8") in script


# --- what the module computes -------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_page():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def module(open_page):
    """A page in which `js` is the module and `data` what it needs, and the networks are drawn."""
    page, _ = open_page("about:blank")
    source = base64.b64encode(live.SCRIPT.read_bytes()).decode()
    page.evaluate(
        """async ([source, data]) => {
            window.js = await import('data:text/javascript;base64,' + source);
            window.data = data;
            window.networks = await js.drawNetworks(data);
            window.bytes = base64 => Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
        }""",
        [source, json.loads(json.dumps(live.data_of_page()))],
    )
    yield page
    page.close()


def coded(array):
    return base64.b64encode(np.ascontiguousarray(array, np.uint8).tobytes()).decode()


def drawings(count):
    """What people might draw: digits of another size, place and slant, and strokes at random."""
    rng, images = np.random.default_rng(2017), data.load_mnist().test_images
    for number in range(count):
        if number % 4 == 0:
            yield strokes(*[rng.uniform(15, 180, (rng.integers(2, 6), 2)) for _ in range(rng.integers(1, 4))])
            continue
        image = rotate(images[rng.integers(len(images))], rng.normal(0, 25), reshape=False, order=1)
        scale, middle = rng.uniform(0.8, 1.6), np.array([13.5, 13.5])
        yield affine_transform(image, [scale, scale], middle - scale * (middle + rng.uniform(-4, 4, 2)), order=1)


def test_the_networks_are_those_of_python(module):
    said = module.evaluate(
        """() => networks.map(network => Object.fromEntries(Object.entries(network).map(
            ([name, values]) => [name, [values[0], values.at(-1), values.reduce((sum, value) => sum + value, 0)]])))"""
    )
    assert len(said) == digits.DRAWS
    for ours, theirs in zip(digits._networks(), said, strict=True):
        for name, (first, last, total) in theirs.items():
            values = ours[name].ravel().astype(float)
            assert (first, last) == (values[0], values[-1])
            assert total == pytest.approx(values.sum(), abs=1e-5)


def test_two_hundred_drawings_get_the_probabilities_of_python(module):
    inks = list(drawings(200))
    pictures = np.stack([digits.as_mnist(ink) for ink in inks])
    draws = digits.probabilities(digits._networks(), pictures)
    entropy = uncertainty.decompose_entropy(draws)
    said = module.evaluate(
        """inks => inks.map(ink => {
            const picture = js.asMnist(bytes(ink)), draws = js.probabilities(networks, picture);
            const {total, aleatoric, epistemic} = js.judge(draws), entropy = [total, aleatoric, epistemic];
            return {picture: Array.from(picture), draws: draws.map(p => Array.from(p)), entropy};
        })""",
        [coded(ink) for ink in inks],
    )
    seen = np.array([one["picture"] for one in said]).reshape(pictures.shape)
    assert np.abs(seen - pictures.astype(int)).max() <= 1
    np.testing.assert_allclose(np.array([one["draws"] for one in said]).swapaxes(0, 1), draws, atol=1e-3)
    np.testing.assert_allclose(np.array([one["entropy"] for one in said]).T, entropy, atol=1e-3)
    answers = draws.mean(axis=0)
    assert len(set(answers.argmax(axis=1))) == 10 and 20 < (answers.max(axis=1) < 0.8).sum() < 180  # of all kinds


@pytest.mark.parametrize("digit", digits.DIGITS)
def test_digits_turn_as_in_python(module, digit):
    said = module.evaluate(
        "([digit, angles]) => angles.map(angle => Array.from(js.turned(bytes(data.digits[digit]), angle)))",
        [digit, list(digits.ANGLES)],
    )
    pictures = digits._turned(digit)[0].reshape(len(said), -1)
    assert np.abs(np.array(said) - pictures.astype(int)).max() <= 1


# --- the page -----------------------------------------------------------------------------------


def without_numbers(line):
    return re.sub(r"\d+(\.\d+)?", "#", line)


def same(line, expected):
    """Whether two lines say the same, but for the last digit of a number that lies at a rounding."""
    near = numbers(line) == pytest.approx(numbers(expected), abs=0.0101)
    return without_numbers(line) == without_numbers(expected) and near


def line_of(shown):
    return shown.locator("p").inner_text()


def line_of_ink(shown):
    """What Python says of what is on the pad."""
    ink = base64.b64decode(shown.locator(".pad canvas").evaluate(INK))
    return digits.draw_drawing(Figure(), ink)


@pytest.fixture(scope="module")
def page(open_page, tmp_path_factory):
    """A page with both explorers; afterwards there were no requests and no errors."""
    page = tmp_path_factory.mktemp("live") / "page.html"
    places = "".join(live.element(kind, "<i>on paper</i>") for kind in live.EXPLORERS)
    page.write_text(f"<!doctype html><meta charset='utf-8'>{CSP}{live.script()}{places}", encoding="utf-8")
    opened, foreign = open_page(page.as_uri())
    errors = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield opened
    assert foreign == [] and errors == []
    opened.close()


@pytest.fixture
def shown(page):
    """Both explorers, by kind; afterwards they are as they were."""
    found = {kind: ready(page, kind) for kind in live.EXPLORERS}
    yield found
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(media="screen")
    for kind, button in [("turning", "Reset"), ("drawing", "Clear")]:
        found[kind].get_by_role("button", name=button).click()


def ready(page, kind):
    page.wait_for_selector(f"bnn-digits[kind={kind}][data-ready]", timeout=20_000)
    return page.locator(f"bnn-digits[kind={kind}]").first


def draw(shown, corners):
    """Draw lines with the mouse."""
    canvas = shown.locator(".pad canvas")
    canvas.scroll_into_view_if_needed()
    box, mouse = canvas.bounding_box(), shown.page.mouse
    places = [(box["x"] + x * box["width"] / 196, box["y"] + y * box["height"] / 196) for x, y in corners]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=6)
    mouse.up()


def press(shown, part, *keys):
    shown.locator(part).focus()
    for key in keys:
        shown.page.keyboard.press(key)


def test_both_begin_as_in_python(shown):
    for kind, make in live.EXPLORERS.items():
        assert same(line_of(shown[kind]), make().line)


def test_a_letter_is_drawn_with_the_mouse_and_wiped(shown):
    drawing = shown["drawing"]
    start = line_of(drawing)
    draw(drawing, LETTER_W)
    assert same(line_of(drawing), line_of_ink(drawing)) and line_of(drawing) != start
    assert "more than for 99 % of the test digits" in line_of(drawing)
    drawing.get_by_role("button", name="Clear").click()
    assert line_of(drawing) == start and not any(base64.b64decode(drawing.locator(".pad canvas").evaluate(INK)))


def test_a_finger_draws_too(shown):
    drawing = shown["drawing"]
    canvas = drawing.locator(".pad canvas")
    canvas.scroll_into_view_if_needed()
    box, device = canvas.bounding_box(), shown["drawing"].page.context.new_cdp_session(drawing.page)
    for kind, part in [("touchStart", 0.2), *[("touchMove", 0.2 + 0.1 * n) for n in range(1, 7)]]:
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] * part}
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    device.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert "says 1 with over 99 %" in line_of(drawing) and same(line_of(drawing), line_of_ink(drawing))


def test_a_one_is_drawn_by_keyboard(shown):
    drawing = shown["drawing"]
    press(drawing, ".pad canvas", "ArrowRight", " ", *["ArrowDown"] * 19, " ", "ArrowLeft")
    assert "says 1 with over 99 %" in line_of(drawing) and same(line_of(drawing), line_of_ink(drawing))


@pytest.mark.parametrize("digit, steps, angle", [("6", 18, 150), ("7", 24, 180), ("3", -12, 0)])
def test_a_digit_is_turned_by_keyboard(shown, digit, steps, angle):
    turning = shown["turning"]
    turning.locator("select").select_option(digit)
    press(turning, "input", *["ArrowRight" if steps > 0 else "ArrowLeft"] * abs(steps))
    assert same(line_of(turning), digits.draw_turning(Figure(), digit, angle))
    turning.get_by_role("button", name="Reset").press("Enter")
    assert same(line_of(turning), digits.turning().line)


def test_bars_whiskers_and_dots_show_what_python_draws(shown):
    turning = shown["turning"]
    turning.locator("circle").first.wait_for()
    figure = Figure()
    digits.draw_turning(figure, "3", 60)
    _, bars, below = figure.axes
    drawn = turning.locator("svg").first.locator("rect").evaluate_all("all => all.map(r => +r.getAttribute('height'))")
    heights = np.array([bar.get_height() for bar in bars.patches])
    np.testing.assert_allclose(np.array(drawn) / max(drawn), heights / heights.max(), atol=1e-3)
    whiskers = turning.locator("svg").first.locator("path[stroke=black]").evaluate_all(
        "all => all.map(path => path.getAttribute('d').match(/[\\d.e-]+/g).map(Number))"
    )
    lengths = np.abs([y2 - y1 for _, y1, _, y2 in whiskers])
    theirs = np.array([top - bottom for (_, bottom), (_, top) in bars.collections[0].get_segments()])
    np.testing.assert_allclose(lengths / lengths.max(), theirs / theirs.max(), atol=1e-3)
    dots = turning.locator("circle").evaluate_all("all => all.map(dot => 120 - dot.getAttribute('cy'))")
    total, epistemic = next(line for line in below.lines if line.get_marker() == "o").get_ydata()
    assert dots[0] / dots[1] == pytest.approx(total / epistemic, abs=1e-3)


def test_they_are_read_aloud(shown):
    for kind, name, images in [("turning", "turn a digit", 3), ("drawing", "draw a digit", 3)]:
        group = shown[kind].get_by_role("group", name=f"Explorer: {name}", exact=True)
        assert group.count() == 1 and group.locator("p").get_attribute("aria-live") == "polite"
        pictures = group.get_by_role("img")
        assert pictures.count() == images
        assert all(pictures.nth(place).get_attribute("aria-label") for place in range(images))
    slider = shown["turning"].get_by_role("slider", name="angle (degrees)", exact=True)
    assert slider.get_attribute("aria-valuetext") == "60 degrees"
    assert shown["turning"].get_by_role("combobox", name="digit", exact=True).count() == 1
    pad = shown["drawing"].locator(".pad canvas")
    assert pad.get_attribute("aria-label") == "draw here" and "arrow keys" in pad.get_attribute("aria-description")


def test_they_fit_a_phone_and_are_sharp(shown):
    page = shown["drawing"].page
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    pad = shown["drawing"].locator(".pad canvas")
    assert pad.evaluate("pad => pad.width") >= 2.5 * pad.bounding_box()["width"]


def test_on_paper_there_is_what_the_place_holds(shown):
    for shown_one in shown.values():
        paper, said = shown_one.locator("i"), shown_one.locator("p")
        shown_one.page.emulate_media(media="screen")
        assert (paper.is_visible(), said.is_visible()) == (False, True)
        shown_one.page.emulate_media(media="print")
        assert (paper.is_visible(), said.is_visible()) == (True, False)


# --- where they stand ---------------------------------------------------------------------------


def test_on_a_slide_they_move_and_the_slide_stays(open_page):
    deck = SLIDES / "09_mnist_uncertainty.md"
    filled = decks.slides_of(deck.read_text(encoding="utf-8"))
    place = {kind: 1 + next(n for n, s in enumerate(filled) if f"live:{kind}" in s.text) for kind in live.EXPLORERS}
    page, foreign = open_page(f"{deck.with_suffix('.html').as_uri()}#{place['turning']}")
    turning = ready(page, "turning")
    press(turning, "input", "ArrowRight")
    assert "turned by 65°" in line_of(turning) and page.url.endswith(f"#{place['turning']}")
    page.goto(page.url.split("#")[0] + f"#{place['drawing']}")
    drawing = ready(page, "drawing")
    page.wait_for_timeout(300)
    draw(drawing, LETTER_W)
    assert same(line_of(drawing), line_of_ink(drawing)) and "Your drawing" in line_of(drawing)
    press(drawing, ".pad canvas", " ", "ArrowRight")
    assert page.url.endswith(f"#{place['drawing']}") and foreign == []
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**#{place['drawing'] + 1}")  # the deck writes its address a moment after the key
    page.close()


def test_in_a_saved_notebook_shown_as_a_page_they_move(open_page, tmp_path):
    """Outputs one after the other, as a viewer of notebooks writes them."""
    notebook = nbformat.read(NOTEBOOKS / "09_mnist_uncertainty.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", []) if live.is_live(output)]
    outputs = [output for output in outputs if live.is_used(output.data["text/html"])]
    assert len(outputs) == 2 and [live.script() in output.data["text/html"] for output in outputs] == [True, False]
    page = CSP + "".join(f"<div>{output.data['text/html']}</div>" for output in outputs)
    (tmp_path / "viewer.html").write_text("<!doctype html><meta charset='utf-8'>" + page, encoding="utf-8")
    opened, foreign = open_page((tmp_path / "viewer.html").as_uri())
    assert [same(line_of(ready(opened, kind)), make().line) for kind, make in live.EXPLORERS.items()] == [True, True]
    assert foreign == []
    opened.close()


def test_an_element_that_comes_later_or_a_second_script_does_no_harm(shown):
    page = shown["drawing"].page
    again = "script => document.body.append(document.createRange().createContextualFragment(script))"
    page.evaluate(again, live.script())
    page.evaluate("""() => {
        const late = Object.assign(document.createElement('bnn-digits'), {id: 'late'});
        late.setAttribute('kind', 'drawing');
        document.body.append(late);
    }""")
    page.wait_for_selector("#late[data-ready]")
    assert line_of(page.locator("#late")) == line_of(shown["drawing"])
