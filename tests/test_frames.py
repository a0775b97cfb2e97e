"""Explorers that move in a page, without a kernel, along their main control: they show what those of Python draw."""

import base64
import io
import json
import re
import zlib

import ipywidgets
import nbformat
import numpy as np
import pytest
from _browser import chromium
from PIL import Image

from bnn_course.explorers import Explorer
from tools import NOTEBOOKS, checks, frames, live, pictures, text

CSP = '<meta http-equiv="Content-Security-Policy" content="connect-src \'none\'">'  # as nbviewer sets it
NAMES = list(frames.shown())
PATHS = [NOTEBOOKS / f"{name}.ipynb" for name in checks.lesson_names(NOTEBOOKS)]
KEEP = """window.kept = {};
const make = URL.createObjectURL;
URL.createObjectURL = blob => { const address = make(blob); window.kept[address] = blob; return address; };"""
SHOWN = "picture => window.kept[picture.src].text()"  # nothing may be fetched in this page


def unpacked(name):
    """What the page gets of an explorer."""
    packed = re.search('packed="(.+?)"', frames.element(name))[1]
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def picture(explorer, place):
    return "".join(explorer["pieces"][piece] for piece in explorer["pictures"][place])


def numbers(svg):
    return np.array(re.findall(r"-?\d+\.\d+|-?\d+", svg), dtype=float)


def same(svg, other):
    """Whether two pictures are the same but for the last digit of a number."""
    words = [re.sub(r"-?\d+(\.\d+)?", "#", INSIDE.sub("", one)) for one in (svg, other)]
    return words[0] == words[1] and np.allclose(*(numbers(INSIDE.sub("", one)) for one in (svg, other)), atol=0.011)


INSIDE = re.compile(r"base64,[^\"]*|#?p[0-9a-f]{10}|#?m[0-9a-f]{10}|image[0-9a-f]{10}")  # and the ids of parts


# --- the files ----------------------------------------------------------------------------------


def test_the_pictures_follow_from_what_they_are_made_of():
    assert frames.stale() == [] and frames.left_over() == []


def test_only_the_explorers_made_of_what_has_changed_are_stale(monkeypatch):
    shown = frames.shown()
    assert {
        name for name in NAMES if frames.made_from(shown[name].code) & {frames.ROOT / "bnn_course/samplers.py"}
    } == {"chain-explorer", "funnel-explorer"}
    of_trust = {path.relative_to(frames.ROOT).as_posix() for path in frames.made_from(shown["trust-explorer"].code)}
    assert {"notebooks/records/transfer_trust.csv", "bnn_course/explorers/trust.py", "bnn_course/plots.py"} < of_trust
    assert "bnn_course/explorers/__init__.py" in of_trust and "bnn_course/explorers/units.py" not in of_trust
    changed = shown["units-explorer"]._replace(code="from bnn_course.explorers import units\nunits.copies( )")
    monkeypatch.setattr(frames, "shown", lambda: shown | {"units-explorer": changed})
    assert frames.stale() == ["units-explorer"]


def test_pictures_of_an_explorer_that_no_lesson_shows_are_found(monkeypatch):
    monkeypatch.setattr(frames, "shown", lambda: {name: None for name in NAMES if name != "units-explorer"})
    assert [path.name for path in frames.left_over()] == ["units-explorer.html"]


def test_they_are_small():
    """A page holds two at most."""
    assert {name: len(frames.element(name)) for name in NAMES if len(frames.element(name)) > 150_000} == {}
    assert len(frames.script()) < 6_000


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_explorer_of_a_lesson_moves_in_the_stored_notebook(path):
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if text.is_explorer(cell)]
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    moving = [output.data["text/html"] for output in outputs if live.is_live(output)]
    assert len(moving) == len(cells)
    own = [html for cell, html in zip(cells, moving, strict=True) if cell.metadata.name in NAMES]
    assert all(html.endswith(frames.element(c.metadata.name) or "") for c, html in zip(cells, moving, strict=True))
    assert [frames.script() in html for html in own] == [place == 0 for place in range(len(own))]


# --- what they hold -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_pictures_and_lines_are_those_of_the_explorer(name):
    explorer, packed = frames.shown()[name].explorer(), unpacked(name)
    places = frames.places(explorer.controls[explorer.main])
    assert packed["values"] == [said for said, _ in places] and 4 <= len(places) <= frames.MOST
    assert packed["lines"][packed["begin"]] == explorer.line and packed["alt"] == explorer.alt
    assert len({picture(packed, place) for place in range(len(places))}) == len(places)
    for place in (packed["begin"], len(places) - 1):
        with frames.matplotlib.rc_context(fname=frames.STYLE):
            svg, line = explorer.drawn(**{explorer.main: places[place][1]})
        assert packed["lines"][place] == line
        assert same(picture(packed, place), pictures.shorter(svg))
    assert not same(picture(packed, 0), picture(packed, len(places) - 1))


@pytest.mark.parametrize(
    "control, wanted",
    [
        (ipywidgets.IntSlider(value=7, min=0, max=100), [0, *range(7, 100, 11), 100]),
        (ipywidgets.FloatSlider(value=0.2, min=-0.5, max=0.5, step=0.1), np.round(np.arange(-5, 6) / 10, 1).tolist()),
        (ipywidgets.Dropdown(options=["b", "a"]), ["b", "a"]),
        (ipywidgets.SelectionSlider(options=[("few", 1), ("many", 9)]), [1, 9]),
    ],
)
def test_places_lie_at_equal_distances_with_the_start_and_both_ends(control, wanted):
    assert [value for _, value in frames.places(control)] == wanted


def test_values_and_labels_are_written_for_people():
    slider = ipywidgets.FloatSlider(value=-1, min=-1, max=1, step=0.5)
    assert [said for said, _ in frames.places(slider)] == ["−1", "−0.5", "0", "0.5", "1"]
    assert frames.written(r"least squares $w_2$, $\mu$ & co") == (
        "least squares <i>w<sub>2</sub></i>, <i>&mu;</i> &amp; co"
    )


def test_the_controls_that_rest_are_named_with_their_values():
    rest = unpacked("trust-explorer")["resting"]
    assert rest == "Fixed here, but not in JupyterLab – target: new digits; labels per class: 10"


def test_an_explorer_without_a_main_control_is_refused():
    explorer = Explorer(lambda figure, **values: "", "Nothing", height=ipywidgets.FloatSlider(description="height"))
    with pytest.raises(ValueError, match=r"must have a main control, .* got none: say main= one of height"):
        frames.packed(explorer)


# --- in a page ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with all explorers on a sharp screen; afterwards there were no requests and no errors."""
    path = tmp_path_factory.mktemp("frames") / "page.html"
    places = "".join(
        f"<div id='{n}'>{frames.element(n).replace('></bnn', '><em>on paper</em></bnn')}</div>" for n in NAMES
    )
    path.write_text(f"<!doctype html><meta charset='utf-8'>{CSP}{frames.script() * 2}{places}", encoding="utf-8")
    with chromium() as open_page:
        page, foreign = open_page("about:blank", scale=2)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.add_init_script(KEEP)
        page.goto(path.as_uri())
        yield page
        assert foreign == [] and errors == []


def ready(page, name):
    page.wait_for_selector(f"#{name} bnn-frames[data-ready]", timeout=20_000)
    return page.locator(f"#{name} bnn-frames")


def seen(shown):
    """Line and picture that are shown."""
    return shown.locator("p").inner_text(), shown.locator("img").evaluate(SHOWN)


@pytest.mark.parametrize("name", NAMES)
def test_it_moves_by_keyboard_and_says_so(page, name):
    shown, explorer = ready(page, name), unpacked(name)
    begin, lines = explorer["begin"], explorer["lines"]
    assert seen(shown) == (lines[begin], picture(explorer, begin))
    group = shown.get_by_role("group", name=f"Explorer: {explorer['name']}", exact=True)
    assert group.get_by_role("img", name=explorer["alt"], exact=True).count() == 1
    assert shown.locator("p").get_attribute("aria-live") == "polite"
    control = group.get_by_role("combobox" if explorer["isList"] else "slider", name=explorer["name"], exact=True)
    forward = begin + 1 < len(lines)
    key = ("ArrowDown" if forward else "ArrowUp") if explorer["isList"] else ("ArrowRight" if forward else "ArrowLeft")
    control.focus()
    page.keyboard.press(key)
    place = begin + (1 if forward else -1)
    assert seen(shown) == (lines[place], picture(explorer, place))
    if explorer["isList"]:
        assert control.locator("option:checked").inner_text() == explorer["values"][place]
    else:
        assert control.get_attribute("aria-valuetext") == explorer["values"][place]
        assert shown.locator("output").inner_text() == explorer["values"][place]
    group.get_by_role("button", name="Reset").press("Enter")
    assert seen(shown)[0] == lines[begin]


def test_keys_and_swipes_are_not_for_the_page_around_it(page):
    shown = ready(page, "trust-explorer")
    page.evaluate(
        "window.heard = 0; for (const kind of ['keydown', 'touchstart']) addEventListener(kind, () => heard++)"
    )
    shown.locator("input").press("ArrowRight")
    shown.locator("input").dispatch_event("touchstart")
    assert page.evaluate("window.heard") == 0
    page.keyboard.press("Tab")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("window.heard") == 1
    shown.get_by_role("button", name="Reset").click()


def test_on_a_telephone_a_picture_moves_sideways_in_its_box(page):
    shown = ready(page, "coin-explorer")
    box = shown.locator(".box")
    assert box.evaluate("box => box.tabIndex") == -1
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert shown.locator("img").bounding_box()["width"] >= 540  # words of 8 points are 10 pixels high
    page.wait_for_function("box => box.tabIndex === 0", arg=box.element_handle())
    box.press("ArrowRight")
    page.wait_for_function("box => box.scrollLeft > 0", arg=box.element_handle())
    page.set_viewport_size({"width": 1280, "height": 720})


def test_on_paper_there_is_what_the_place_holds(page):
    shown = ready(page, "coin-explorer")
    paper, said = shown.locator("em"), shown.locator("p")
    page.emulate_media(media="print")
    assert (paper.is_visible(), said.is_visible()) == (True, False)
    page.emulate_media(media="screen")
    assert (paper.is_visible(), said.is_visible()) == (False, True)


def detail(screenshot):
    """How much a picture loses when it is drawn with half as many pixels each way."""
    shot = Image.open(io.BytesIO(screenshot)).convert("L")
    half = shot.resize((shot.width // 2, shot.height // 2), Image.Resampling.BOX)
    return np.abs(np.asarray(shot, dtype=float) - half.resize(shot.size, Image.Resampling.BILINEAR)).mean()


def test_a_picture_is_sharp_on_a_sharp_screen(page):
    """As in JupyterLab, where the same SVG is shown; the PNG of the stored notebook is the one to compare with."""
    explorer = frames.shown()["units-explorer"].explorer()
    png = base64.b64encode(explorer.drawn("png")[0]).decode()
    page.evaluate(
        """([svg, png]) => document.body.prepend(...[`data:image/svg+xml,${encodeURIComponent(svg)}`, png].map(
            (src, n) => Object.assign(new Image(600), {src, id: `sharp${n}`})))""",
        [explorer.picture.svg, f"data:image/png;base64,{png}"],
    )
    for place in (0, 1):
        page.wait_for_function(f"sharp{place}.complete")
    sharp, plain = (detail(page.locator(f"#sharp{place}").screenshot()) for place in (0, 1))
    assert sharp > 1.5 * plain
    page.evaluate("sharp0.remove(), sharp1.remove()")
