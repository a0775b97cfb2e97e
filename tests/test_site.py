"""The web site, built from the stored notebooks and read in a browser: each page on a telephone and a large screen."""

import functools
import html
import http.server
import importlib.util
import posixpath
import re
import sys
import threading
import types
from sys import path as module_path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from _browser import chromium
from IPython.core.inputtransformer2 import TransformerManager

from tools import ROOT, checks, site, text

REMOTE = "https://github.com/ada-lovelace/bnn.course"
PAGES = [*(re.sub(r"\.\w+$", ".html", page) for page in site.PAGES.values()), "search.html"]
KINDS = ["index", *(f"notebooks/{part}02_monte_carlo_samplers" for part in ("", "exercises/"))]  # keys take time
SCREENS = {"telephone, dark": (390, "dark"), "large, light": (1280, "light")}

# Returns what is wrong with the page, a line for each element. Folds are opened first: what they hold is read, too.
PROBLEMS = r"""() => {
    const found = new Set(), all = (what, root = document) => [...root.querySelectorAll(what)];
    const name = e => e.tagName.toLowerCase() + [...e.classList].slice(0, 2).map(c => '.' + c).join('')
        + ' “' + (e.alt || e.textContent || e.outerHTML).trim().replace(/\s+/g, ' ').slice(0, 50) + '”';
    const say = (e, what) => found.add(`${name(e)}: ${what}`);
    const seen = e => e.checkVisibility({visibilityProperty: true, opacityProperty: true})
        && e.getBoundingClientRect().width > 1 && !e.closest('mjx-assistive-mml');
    const width = document.documentElement.clientWidth;

    const held = e => {  // by a box that scrolls or cuts, above it
        for (let box = e.parentElement; box && box !== document.body; box = box.parentElement)
            if (getComputedStyle(box).overflowX !== 'visible') return true;
    };
    if (document.documentElement.scrollWidth > width)
        all('body *').filter(e => seen(e) && e.getBoundingClientRect().right > width + 1 && !held(e))
            .forEach(e => say(e, 'is wider than the page'));

    for (const e of all('img')) {
        if (!e.alt.trim()) say(e, `no alt text: ${e.outerHTML.slice(0, 80)}`);
        else if (!e.naturalWidth) say(e, 'does not load');
        else if (seen(e) && Math.abs(e.width / e.height / (e.naturalWidth / e.naturalHeight) - 1) > 0.02)
            say(e, 'is distorted');
    }
    for (const e of all('.math')) if (!e.querySelector('mjx-container')) say(e, 'a formula is not rendered');
    for (const e of all('mjx-merror, [data-mjx-error]')) say(e, 'a formula has an error');

    const numbers = colour => {
        const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
        return colour.startsWith('color(srgb') ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
    };
    const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => a * c + (1 - a) * under[i]);
    const grounds = new Map();
    const ground = e => {
        if (!e) return [255, 255, 255];
        const own = numbers(getComputedStyle(e).backgroundColor);
        if (!grounds.has(e)) grounds.set(e, over(own, ground(e.parentElement)));
        return grounds.get(e);
    };
    const light = colour => colour.slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const written = new Set(all('mjx-container'));
    while (texts.nextNode()) {
        const parent = texts.currentNode.parentElement;
        if (texts.currentNode.data.trim() && !parent.closest('script, style, noscript')) written.add(parent);
        if (/\$\$|\\\(|\\\[/.test(texts.currentNode.data) && !parent.closest('pre, code, script'))
            say(parent, 'a formula is not rendered');
    }
    for (const e of [...written].filter(seen)) {
        const under = ground(e), style = getComputedStyle(e), ink = over(numbers(style.color), under);
        const [low, high] = [light(ink), light(under)].sort((a, b) => a - b), ratio = (high + 0.05) / (low + 0.05);
        if (ratio < 4.5) say(e, `contrast ${ratio.toFixed(1)}`);
        if (parseFloat(style.fontSize) < 11 && !e.closest('mjx-container, sub, sup'))
            say(e, `text of ${parseFloat(style.fontSize).toFixed(1)} pixels`);
    }
    for (const e of all('a[href], button, input, summary, select, [onclick], label[for]').filter(seen))
        if (e.tabIndex < 0 && !e.closest('mjx-container, [aria-hidden=true]')) say(e, 'no key reaches it');
    const titles = all('h1').filter(seen).length;
    if (titles !== 1) found.add(`${titles} titles`);
    return [...found];
}"""
# Every element that somebody without a mouse must get to, numbered; what gets the focus is noted.
STOPS = r"""() => {
    const scrolls = e => e.scrollWidth > e.clientWidth + 1
        && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX);
    const seen = e => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().width > 1;
    const inside = e => e.querySelector('a[href], button, input, summary');
    const stops = [...document.querySelectorAll('body *')].filter(seen)
        .filter(e => e.matches('a[href], button, input, select, summary') || (scrolls(e) && !inside(e)));
    window.reached = new Set();
    document.addEventListener('focusin', event => window.reached.add(event.target));
    window.stops = stops;
    return stops.length;
}"""
MISSED = "() => window.stops.filter(e => !window.reached.has(e)).map(e => e.outerHTML.slice(0, 100))"
OPEN = "() => document.querySelectorAll('details').forEach(fold => { fold.open = true; })"
TYPESET = "() => window.MathJax?.startup?.promise ?? null"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("site") / "site"
    site.build(target, REMOTE)
    return target


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served(folder):
    """The address at which the site is served."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def reader(served):
    """A function that opens a page of the site; it returns the browser's page, and notes what it complains about."""
    with chromium() as open_page:
        page, foreign = open_page("about:blank")
        page.set_default_timeout(180_000)  # milliseconds: the machine may be busy
        errors = []
        page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))

        def read(name, width=1280):
            page.set_viewport_size({"width": width, "height": 844})
            foreign.clear()
            errors.clear()
            page.goto(f"{served}/{name}", wait_until="load")
            page.evaluate(TYPESET)
            page.add_style_tag(content="* { transition: none !important; }")  # colours change at once
            return page

        read.foreign, read.errors = foreign, errors
        yield read


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read(reader, name):
    page, found = reader(name), []
    page.evaluate(OPEN)
    for screen, (width, scheme) in SCREENS.items():
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=scheme)
        found += [f"{screen}: {problem}" for problem in page.evaluate(PROBLEMS)]
    found += [f"asks {address}" for address in reader.foreign] + [f"console: {error}" for error in reader.errors]
    assert not found, "\n".join([name, *found])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("width", [390, 1280])
def test_the_tab_key_reaches_everything(reader, name, width):
    page = reader(f"{name}.html", width)
    for _ in range(page.evaluate(STOPS) + 20):
        page.keyboard.press("Tab")
    assert page.evaluate(MISSED) == []


# --- what the browser test would notice ---------------------------------------------------------------

FAULTS = {
    "no alt text": "document.querySelector('.cell_output img').alt = ''",
    "is distorted": "document.querySelector('.cell_output img').style.height = '20px'",
    "is wider than the page": "document.querySelector('.bd-article p:not(.ways)').style.width = '2000px'",
    "a formula is not rendered": "document.querySelector('.bd-article .math mjx-container').remove()",
    "contrast": "document.querySelector('.bd-article p:not(.ways)').style.color = '#999'",
    "text of 8.0 pixels": "document.querySelector('.bd-article p:not(.ways)').style.fontSize = '8px'",
    "no key reaches it": "document.querySelector('.ways a').tabIndex = -1",
    "titles": "document.querySelector('.bd-article').append(document.querySelector('h1').cloneNode(true))",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(reader, fault):
    page = reader("notebooks/solutions/02_monte_carlo_samplers.html", 390)
    page.emulate_media(color_scheme="light")
    assert page.evaluate(PROBLEMS) == []
    page.evaluate(f"() => {{ {FAULTS[fault]}; }}")
    found = page.evaluate(PROBLEMS)
    assert found and all(fault in problem for problem in found)


def test_requests_that_leave_the_machine_and_errors_are_noticed(reader):
    page = reader("slides/index.html")
    page.evaluate("() => { fetch('http://course.invalid/').catch(() => null); console.error('said on purpose'); }")
    page.wait_for_timeout(100)
    assert reader.foreign == ["http://course.invalid/"] and "said on purpose" in reader.errors


def test_a_key_that_reaches_nothing_is_noticed(reader):
    page = reader("slides/index.html")
    page.evaluate("() => { document.querySelector('.bd-article li a').tabIndex = -1; }")
    for _ in range(page.evaluate(STOPS) + 20):
        page.keyboard.press("Tab")
    assert len(page.evaluate(MISSED)) == 1


# --- what the pages hold --------------------------------------------------------------------------------


def html_of(folder, name):
    return html.unescape((folder / name).read_text(encoding="utf-8"))


def test_every_page_is_read(folder):
    decks = {f"slides/{deck.stem}.html" for deck in (ROOT / "slides").glob("*.md")}
    built = {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")} - decks
    assert {name for name in built if not name.startswith("_")} == set(PAGES)


def test_links_inside_the_site_arrive(folder):
    ids = {name: set(re.findall(r'\bid="([^"]+)"', html_of(folder, name))) for name in PAGES}
    lost = []
    for name in PAGES:
        for target in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', html_of(folder, name)):
            to = urlsplit(target)
            if to.scheme or to.netloc:
                continue
            place = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(to.path))) if to.path else name
            if not (folder / place).is_file() or (to.fragment and unquote(to.fragment) not in ids.get(place, {"1"})):
                lost.append(f"{name} links to {target}")
    assert lost == []


@pytest.mark.parametrize("path", site.notebook_paths())
def test_a_page_shows_what_its_notebook_stores(folder, path):
    page = html_of(folder, path.replace(".ipynb", ".html"))
    cells = checks.code_cells(nbformat.read(ROOT / path, as_version=4))
    alts = [output.metadata["image/png"]["alt"] for cell in cells for output in checks.pictures(cell)]
    assert [alt for alt in alts if f'alt="{alt}"' not in page] == []
    lines = re.findall(r"^[✓✗◻] .+$", "\n".join(map(checks.output_text, cells)), re.MULTILINE)
    assert bool(lines) == bool(cells) and [line for line in lines if line not in page] == []
    folded = [cell.source.partition("\n")[0].removeprefix("# ") for cell in cells if text.is_folded(cell)]
    assert page.count('<details class="admonition hide') == len(folded)
    assert [words for words in folded if f"Code: {words}" not in page] == []
    moving = re.findall(r'<bnn-(?:frames packed|digits kind)="[^"]+"><img alt="', page)
    assert len(moving) == sum(map(text.is_explorer, cells))


def test_the_ways_to_work_with_a_lesson(folder):
    page = html_of(folder, "notebooks/02_monte_carlo_samplers.html")
    (ways,) = re.findall(r'<p class="ways">(.*?)</p>', page)
    assert dict(map(reversed, re.findall(r'<a href="([^"]+)"(?: download)?>([^<]+)</a>', ways))) == {
        "Open in Binder": "https://mybinder.org/v2/gh/ada-lovelace/bnn.course/HEAD"
        "?urlpath=lab/tree/notebooks/02_monte_carlo_samplers.ipynb",
        "Open in Colab": "https://colab.research.google.com/github/ada-lovelace/bnn.course/blob/gh-pages"
        "/notebooks/02_monte_carlo_samplers.ipynb",
        "Download notebook": "02_monte_carlo_samplers.ipynb",
        "Exercises": "exercises/02_monte_carlo_samplers.html",
        "Solutions": "solutions/02_monte_carlo_samplers.html",
        "Slides": "../slides/02_monte_carlo_samplers.html",
        "Slides as PDF": "../slides/02_monte_carlo_samplers.pdf",
    }


def test_every_symbol_is_linked_from_the_lesson_that_is_the_first_to_use_it(folder):
    start = html_of(folder, site.START.replace(".ipynb", ".html"))
    rows = re.findall(r'<span id="(symbol-\d+)">', start)
    pages = [path.replace(".ipynb", ".html") for path in site.notebook_paths()]
    linked = re.findall(r'href="[^"]*#(symbol-\d+)"', "".join(html_of(folder, page) for page in pages))
    assert len(rows) > 40 and sorted(linked) == sorted(rows)


def test_the_search_finds_a_word(reader):
    page = reader("search.html?q=funnel")
    page.wait_for_selector("#search-results li a")
    titles = page.locator("#search-results li a").all_inner_texts()
    assert "02 · Monte Carlo samplers: walking through a posterior" in titles


# --- text -----------------------------------------------------------------------------------------------

REPOSITORY = site.repository_of(REMOTE)
PROSE = {
    "[a](10_representations.ipynb#How-near?-Near)": "[a](10_representations.ipynb#how-near-near)",
    "[a](../README.md#binder)": "[a](../index.md#binder)",
    "[a](exercises)": "[a](exercises/index.md)",
    "[a](../slides/course.html)": '<a href="../slides/course.html">a</a>',
    "[a](../LICENSE)": "[a](https://github.com/ada-lovelace/bnn.course/tree/HEAD/LICENSE)",
    "`[a](../LICENSE)`": "`[a](../LICENSE)`",
    "[![Open](https://example.org/a.svg)](https://example.org)": "[Open](https://example.org)",
    '- <a id="source-deck"></a>**[deck]**': "- []{#source-deck}**[deck]**",
    "<summary>By $K$?</summary>": r'<summary>By <span class="math notranslate nohighlight">\(K\)</span>?</summary>',
}


@pytest.mark.parametrize("markdown", PROSE)
def test_prose_of_a_page(markdown):
    assert site.prose(markdown, "notebooks/09_mnist_uncertainty.ipynb", REPOSITORY) == PROSE[markdown]


def test_without_github_nothing_leads_there():
    page = "notebooks/09_mnist_uncertainty.ipynb"
    assert site.repository_of("git@example.org:a/b.git") is None and site.repository_of(None) is None
    assert site.prose("the [licence](../LICENSE)", page, None) == "the licence"
    assert "Binder" not in site.ways(page, None) and "Download notebook" in site.ways(page, None)


def test_a_link_that_leads_nowhere_is_refused():
    with pytest.raises(site.SiteError, match=r"notebooks/00\.ipynb links to gone\.md, which does not exist"):
        site.prose("[a](gone.md)", "notebooks/00.ipynb", REPOSITORY)


# --- the first cell of a downloaded notebook ---------------------------------------------------------------


def run_first_cell(folder, monkeypatch, package):
    """Run the first cell where `package` is the course's package, None if it is missing; return what it calls."""
    (cell, *others) = nbformat.read(folder / site.START, as_version=4).cells
    assert others == nbformat.read(ROOT / site.START, as_version=4).cells
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    called = []
    code = TransformerManager().transform_cell(cell.source)
    exec(code, {"get_ipython": lambda: types.SimpleNamespace(system=called.append)})
    return called


def package_in(folder):
    return types.SimpleNamespace(origin=str(folder / "bnn_course" / "__init__.py"))


def test_the_first_cell_lets_pass_who_has_the_course(folder, monkeypatch):
    assert run_first_cell(folder, monkeypatch, package_in(ROOT)) == []


def test_the_first_cell_refuses_where_package_or_records_are_missing(folder, monkeypatch, tmp_path):
    with pytest.raises(ModuleNotFoundError, match="bnn_course must be installed"):
        run_first_cell(folder, monkeypatch, None)
    with pytest.raises(FileNotFoundError, match="notebooks/records must lie beside bnn_course"):
        run_first_cell(folder, monkeypatch, package_in(tmp_path))


def test_the_first_cell_installs_the_course_in_colab(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    places = [*module_path]
    monkeypatch.setattr("sys.path", places)
    (command,) = run_first_cell(folder, monkeypatch, package_in(ROOT))
    assert command == f"git clone -q --depth 1 {REMOTE} course && pip install -q './course[cluster]'"
    assert places[0] == str(tmp_path / "course")
