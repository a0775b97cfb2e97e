"""The slides: up to date with the lessons, complete, readable from the last row, and at rest without a network."""

import base64
import re
import shutil
import subprocess

import pytest
from _browser import chromium

from tools import ROOT, SLIDES, slides
from tools import decks as text

LESSONS = text.Lessons()
DECKS = text.deck_paths()
NAMES = [path.stem for path in DECKS]
every_deck = pytest.mark.parametrize("path", DECKS, ids=NAMES)


def raw(path):
    return path.read_text(encoding="utf-8")


def filled(path):
    return text.fill(raw(path), LESSONS)


# --- up to date, and the same twice -------------------------------------------------------------


@every_deck
def test_the_slides_follow_from_their_text_and_the_lessons(path):
    assert slides.problems(path, LESSONS) == []


@every_deck
def test_slides_that_follow_from_another_text_are_found(path, monkeypatch):
    monkeypatch.setattr(text, "digest", lambda *of: "0" * 32)
    found = slides.problems(path, LESSONS)
    names = [f"{path.stem}.html", *(pdf.name for pdf in slides.printed(path))]
    assert [line.split(" is out of date")[0] for line in found] == names


needs_marp = pytest.mark.skipif(
    not shutil.which("npm") or not (SLIDES / "node_modules" / "course-stamp").exists(),
    reason="building slides needs Node and Marp: run `python course.py slides`",
)


@needs_marp
def test_building_again_gives_the_same_slides(tmp_path):
    slides.build(DECKS, LESSONS, target=tmp_path, pdf=False)
    for path in DECKS:
        again, stored = tmp_path / f"{path.stem}.html", path.with_suffix(".html")
        assert again.read_bytes() == stored.read_bytes(), f"{stored.name} differs: run `python course.py slides`"


@needs_marp
def test_node_alone_builds_the_same_slides(tmp_path):
    command = [shutil.which("npm"), "run", "build", "--", "--html", "--output", tmp_path]
    done = subprocess.run(command, cwd=SLIDES, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    for path in DECKS:
        assert (tmp_path / f"{path.stem}.html").read_bytes() == path.with_suffix(".html").read_bytes(), path.stem


@needs_marp
@pytest.mark.parametrize(
    "broken, message",
    [
        ("{claim:03-nonsense}", "lesson 03 prints no claim 03-nonsense"),
        ("![](figure:03/nothing)", "there is no figure nothing in lesson 03"),
        ("![](figure:03/hill#0,0,50,50)", "words are needed for a part of a figure"),
        ("![](live:juggling)", "there is no explorer juggling"),
        ("[5]{clam=03-bound}", "misspelt near"),
    ],
)
def test_node_alone_says_what_it_cannot_fill(broken, message, tmp_path):
    for name in ("build.mjs", "handout.mjs", *text.BUILT_WITH):
        shutil.copy(SLIDES / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(SLIDES / "node_modules")
    (tmp_path / "course.md").write_text(f"---\nmarp: true\n---\n\n# Slide\n\n{broken}\n", encoding="utf-8")
    script = (tmp_path / "build.mjs").read_text(encoding="utf-8")
    script = script.replace('join(SLIDES, "..", "notebooks")', repr(str(LESSONS.folder)))
    (tmp_path / "build.mjs").write_text(script, encoding="utf-8")
    done = subprocess.run([shutil.which("node"), "build.mjs"], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert done.returncode == 1 and message in done.stderr
    assert not (tmp_path / "course.html").exists()


@needs_marp
def test_printing_again_leaves_the_pdf_as_it_is(tmp_path):
    pdf = tmp_path / f"{NAMES[0]}.pdf"
    slides.build(DECKS[:1], LESSONS, target=tmp_path)
    printed = pdf.read_bytes()
    slides.build(DECKS[:1], LESSONS, target=tmp_path)
    assert pdf.read_bytes() == printed
    assert slides.pages(pdf) == slides.pages(DECKS[0].with_suffix(".pdf"))


def test_every_lesson_has_a_deck_of_its_stem():
    lessons = {path.stem for path in LESSONS.folder.glob("[0-9][0-9]_*.ipynb")}
    assert lessons | {"course"} == set(NAMES)


def test_the_notes_of_the_talk_are_a_handout_of_a_few_pages():
    (handout,) = slides.printed(SLIDES / "course.md")[1:]
    slides_on_a_page = len(text.slides_of(raw(SLIDES / "course.md"))) / slides.pages(handout)
    assert 3 <= slides_on_a_page <= 6
    assert handout.stat().st_size < 2e6


def test_all_decks_together_are_small():
    kept = [file for file in SLIDES.rglob("*") if file.is_file() and "node_modules" not in file.parts]
    assert sum(file.stat().st_size for file in kept) < 25e6


@every_deck
def test_a_changed_lesson_changes_the_digest(path, monkeypatch):
    before = text.digest(path, LESSONS)
    figure = text.Lessons.figure
    monkeypatch.setattr(text.Lessons, "figure", lambda *of: figure(*of)._replace(alt="another"))
    claim = text.Lessons.claim

    def another(*of):  # its numbers stay: slides quote them
        return claim(*of)._replace(sentence=f"Another: {claim(*of).sentence}")

    monkeypatch.setattr(text.Lessons, "claim", another)
    assert text.digest(path, LESSONS) != before


# --- what a deck must hold ----------------------------------------------------------------------


TALK = raw(SLIDES / "course.md")


def test_the_talk_has_a_backup_slide_for_every_part_of_the_2017_deck():
    backup = [slide for slide in text.slides_of(TALK) if slide.title.startswith(text.BACKUP)]
    assert text.slides_of(TALK)[-len(backup) :] == backup  # at the end
    assert {slide.cell for slide in backup} == {("A", part) for part in LESSONS.sections("A") if part != "Sources"}
    assert all("2017 deck" in slide.text for slide in backup if slide.cell[1] != "The count")


@every_deck
def test_no_slide_names_a_row_of_the_2017_deck_by_its_code(path):
    assert re.findall(r"\bS\d+\b", text.lesson_text.MATH.sub("", raw(path))) == []


def test_a_number_of_the_2017_deck_stands_beside_ours():
    shown = [slide.text for slide in text.slides_of(TALK) if "/deck}" in slide.text]
    assert len(shown) >= 2
    assert all(re.search(r"\]\{printed=(\d\d|[A-Z])/(?!deck)", quoting) for quoting in shown)


def test_the_talk_takes_45_minutes_and_its_short_path_20():
    assert 20 <= len(text.main_slides(TALK)) <= 24
    assert text.minutes(TALK) == 45 and text.minutes(TALK, "Short") == 20
    short = [slide for slide in text.slides_of(TALK) if "Short" in slide.notes]
    assert all(0 < float(slide.notes["Short"]) <= float(slide.notes["Minutes"]) for slide in short)


def test_the_speaker_sees_the_short_path_on_the_slides():
    footers = re.findall(r"<footer[^>]*>(.*?)</footer>", raw(SLIDES / "course.html"))
    marked = ["Short" in slide.notes for slide in text.slides_of(TALK)]
    assert [footer.endswith(text.SHORT) for footer in footers] == marked
    assert "diamond" in text.slides_of(TALK)[0].notes["Say"]


def test_the_talk_asks_for_three_votes_and_answers_each_on_the_next_slide():
    deck = text.slides_of(TALK)
    votes = [place for place, slide in enumerate(deck) if slide.title.startswith("Vote: ")]
    assert len(votes) == 3
    for place in votes:
        question, answer = deck[place : place + 2]
        assert "<!-- _class: question" in TALK.partition(question.title)[0].rpartition("\n---\n")[2]
        assert ("Short" in question.notes) == ("Short" in answer.notes)
        assert question.cell[0] == answer.cell[0]


def test_the_talk_shows_digits_before_it_shows_transfer():
    lessons = [slide.cell[0] for slide in text.main_slides(TALK)]
    assert lessons.index("09") < lessons.index("11")


@pytest.mark.parametrize("path", [path for path in DECKS if path.stem != "course"], ids=lambda path: path.stem)
def test_a_lesson_has_ten_to_twenty_slides(path):
    assert 10 <= len(text.slides_of(raw(path))) <= 20


@every_deck
def test_every_slide_has_notes_for_the_speaker(path):
    for place, slide in enumerate(text.slides_of(raw(path)), 1):
        missing = [key for key in text.NOTES if not slide.notes.get(key)]
        assert not missing, f"slide {place} has no {missing}"
        assert 0 < float(slide.notes["Minutes"]) <= 5


@every_deck
def test_every_slide_names_lesson_and_section(path):
    for place, slide in enumerate(text.slides_of(raw(path)), 1):
        assert slide.cell, f"slide {place} needs <!-- lesson NN: Section -->"
        assert path.stem == "course" or path.stem.startswith(slide.cell[0]), f"slide {place} belongs to another lesson"


@pytest.mark.parametrize("path", [path for path in DECKS if path.stem != "course"], ids=lambda path: path.stem)
def test_a_lesson_names_its_slides_in_its_first_cell(path):
    first = text.lesson_text.source_cells(raw(LESSONS.folder / "source" / path.name))[0].source
    assert f"(../slides/{path.stem}.html)" in first and f"(../slides/{path.stem}.pdf)" in first


def test_the_readme_names_the_slides():
    assert "slides/course.pdf" in raw(ROOT / "README.md")


@every_deck
def test_a_slide_has_few_words_and_one_picture(path):
    for place, slide in enumerate(text.slides_of(filled(path)), 1):
        assert len(text.words(slide)) <= text.MAX_WORDS, f"slide {place}: {len(text.words(slide))} words"
        assert text.code_lines(slide) <= text.MAX_CODE_LINES, f"slide {place}: too much code"
        shown = slide.text.count("<figure>") + ("$$" in slide.text)
        assert shown <= 1, f"slide {place}: more than one figure or one chain of formulas"
        assert slide.text.startswith("# "), f"slide {place} does not begin with its heading"


@every_deck
def test_every_number_comes_from_a_lesson(path):
    assert text.unbound_numbers(raw(path)) == []


@every_deck
def test_the_pdf_has_a_page_for_each_slide(path):
    assert slides.pages(path.with_suffix(".pdf")) == len(text.slides_of(raw(path)))


# --- placeholders: what cannot be filled stops the build ----------------------------------------


@pytest.mark.parametrize(
    "placeholder, message",
    [
        ("![](figure:04/99)", "there is no figure 99 in lesson 04"),
        ("![](figure:99/1)", "lesson 99 is not built"),
        ("![Words.](figure:04/path)", "words are needed for a part of a figure, and for that only"),
        ("![](figure:04/path#0,0,50,100)", "words are needed for a part of a figure"),
        ("![Words.](figure:04/path#0,0,50)", "misspelt"),
        ("{claim:04-nonsense}", "lesson 04 prints no claim 04-nonsense"),
        ("{claim:00-false}", "lesson 00 prints no claim 00-false"),  # it fails there, on purpose
        ("[98.3 %]{claim=09-accuracy}", "98.3 % does not stand where"),
        ("[many]{claim=09-accuracy}", "there is no number"),
        ("[97.6 %]{source=09/deck}", "97.6 % does not stand where"),
        ("[0.985]{printed=09/ensemble}", "0.985 does not stand where"),
        ("[0.9827]{printed=09/nobody}", "0.9827 does not stand where"),
        ("[131]{code=09}", "131 does not stand where"),
        ("[97.7 %]{clam=09-accuracy}", "misspelt"),
        ("![](figure:4/1)", "misspelt"),
        ("<!-- lesson 04: The objektive -->", "lesson 04 has no section"),
    ],
)
def test_a_placeholder_that_cannot_be_filled_stops_the_build(placeholder, message):
    with pytest.raises(text.DeckError, match=re.escape(message)):
        text.fill(f"# Slide\n\n{placeholder}\n", LESSONS)


@pytest.mark.parametrize(
    "placeholder, shown",
    [
        ("[98.2 %]{claim=09-accuracy}", ">98.2 %<"),
        ("[97.7 %]{claim=09-accuracy, bound}", ">97.7 %<"),
        ("[97.7 %]{source=09/deck}", ">97.7 %<"),
        ("[100 %]{printed=02/island}", "100 %"),
        ("[128]{code=09}", "128"),
        ("{claim:09-accuracy}", '<span class="claim">ADVI is right for <i>98.17 %</i> ± <i>0.03 %</i> of the test'),
    ],
)
def test_a_placeholder_is_filled_from_the_lesson(placeholder, shown):
    assert shown in text.fill(placeholder, LESSONS)


def test_a_part_of_a_figure_is_cut_out_and_has_its_own_words():
    svg = 'x width="200pt" height="50.5pt" viewBox="0 0 200 50.5" <path/>'
    part = 'x width="80.00pt" height="25.25pt" viewBox="20.00 25.25 80.00 25.25" <path/>'
    assert text._part(svg, 10, 50, 40, 50) == part
    shown = text.fill("![Its left half.](figure:04/path#0,0,50,100)", LESSONS)
    ((alt, content),) = re.findall(r'<img alt="(.*?)" src="data:image/svg\+xml;base64,(.*?)">', shown)
    whole = text.SIZE.search(raw(LESSONS.figure("04", "path").path))
    left = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', base64.b64decode(content).decode())
    assert alt == "Its left half."
    assert [float(side) for side in left.groups()] == pytest.approx([float(whole[1]) / 2, float(whole[2])], abs=0.01)


def test_a_number_in_the_words_of_a_part_is_read():
    assert text.unbound_numbers("# One\n\n![The 98 % of them.](figure:04/path#0,0,50,100)") == ["98 %"]


def test_printed_numbers_may_be_rounded_but_not_bent():
    from decimal import Decimal

    printed = Decimal("0.9827"), False
    shown = [(Decimal("98.3"), True), (Decimal("98"), True), (Decimal("0.983"), False), (Decimal("98.2"), True)]
    assert [text.lesson_text.rounds_to(printed, number) for number in shown] == [True, True, True, False]


def test_words_are_counted_without_formulas_notes_and_tags():
    deck = '# Two words\n\n$$a+b$$ and $c$ <span class="claim">three</span> — \n<!-- Say: more -->\n'
    (slide,) = text.slides_of(deck)
    assert text.words(slide) == ["Two", "words", "and", "three"]


def test_a_number_that_no_markup_binds_is_found():
    deck = "# S14, lesson 09\n\n$x^2$ [128]{code=09}\n<!--\nSay: 98 %\nMinutes: 2\n-->"
    assert text.unbound_numbers(deck) == ["98 %"]


# --- as the audience sees them: in a browser ----------------------------------------------------

LOOK = """() => {
  const found = [];
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(c => (c /= 255) > 0.04 ? ((c + 0.055) / 1.055) ** 2.4 : c / 12.92);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const contrast = part => {  // as WCAG defines it: what remains when no colour is seen
    let ground = part;
    while (/, 0\\)$|transparent/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
    const pair = [luminance(getComputedStyle(part).color), luminance(getComputedStyle(ground).backgroundColor)];
    return Math.max(...pair) / Math.min(...pair);
  };
  const say = (slide, what) => found.push(`slide ${slide + 1}: ${what}`);
  const sections = [...document.querySelectorAll('section[data-marpit-pagination]')];
  sections.forEach((section, n) => {
    const box = section.getBoundingClientRect(), scale = box.width / 1280;
    if (!section.querySelector('footer')) return say(n, 'has no footer');
    const footer = section.querySelector('footer').getBoundingClientRect();
    if (section.scrollHeight > section.clientHeight || section.scrollWidth > section.clientWidth)
      say(n, `overflows: ${section.scrollWidth} × ${section.scrollHeight}`);
    let [bottom, right, before] = [box.top, box.right, null];
    for (const part of section.children) {
      if (part.tagName === 'FOOTER') continue;
      const place = part.getBoundingClientRect();
      if (place.bottom > footer.top + 1) say(n, `${part.tagName} reaches into the footer`);
      if (place.top < bottom - 1 && place.left < right - 1)
        say(n, `${part.tagName} overlaps ${before} or stands out of order`);
      [bottom, right, before] = [place.bottom, place.right, part.tagName];
      for (const inner of part.querySelectorAll('*')) {
        const edge = inner.getBoundingClientRect();
        if (!edge.width || inner.closest('mjx-container')) continue;
        if (edge.right > box.right - 40 * scale || edge.left < box.left + 20 * scale)
          say(n, `${inner.tagName} reaches over the margin`);
      }
    }
    const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || parent.closest('style, script, mjx-assistive-mml')) continue;
      const size = parseFloat(getComputedStyle(parent).fontSize);
      const said = walker.currentNode.data.trim();
      if (size < 24) say(n, `text of ${size} px: ${said.slice(0, 30)}`);
      if (contrast(parent) < (parent.closest('h1') ? 3 : 4.5)) say(n, `pale text: ${said.slice(0, 30)}`);
      if (!parent.closest('mjx-container, code') && /\\$|\\\\[a-z]/.test(said)) say(n, 'a formula is not rendered');
    }
    for (const math of section.querySelectorAll('mjx-container')) {
      if (math.querySelector('[data-mml-node="merror"], [data-mjx-error]')) say(n, 'a formula has an error');
      const drawn = math.querySelector('svg');
      const ex = parseFloat(drawn.getAttribute('width')) * 0.5 * parseFloat(getComputedStyle(math).fontSize);
      if (drawn.getBoundingClientRect().width < 0.75 * ex * scale) say(n, 'a formula is squeezed');
    }
    for (const image of section.querySelectorAll('img')) {
      if (!image.complete || !image.naturalWidth) say(n, 'an image is not loaded');
      if (!image.alt.trim()) say(n, 'an image has no alt text');
      const shown = image.getBoundingClientRect();  // a lesson shows 100 dots to the inch, a vector has 96
      if (Math.min(shown.width / image.naturalWidth, shown.height / image.naturalHeight) < 100 / 96 * scale)
        say(n, 'a figure is smaller than in its lesson');
    }
  });
  const count = what => document.querySelectorAll(what).length;
  return {found, slides: sections.length, notes: count('.bespoke-marp-note'), formulas: count('mjx-container')};
}"""


@pytest.fixture(scope="module")
def open_page():
    with chromium() as opened:
        yield opened


@every_deck
def test_every_slide_fits_and_is_readable(path, open_page):
    page, foreign = open_page(path.with_suffix(".html").as_uri())
    page.emulate_media(media="print")  # all slides at once
    seen = page.evaluate(LOOK)
    page.close()
    deck = text.slides_of(filled(path))
    formulas = sum(len(text.lesson_text.MATH.findall(text.CODE.sub("", slide.text))) for slide in deck)
    assert seen["found"] == []
    assert seen["slides"] == seen["notes"] == len(deck)
    assert seen["formulas"] == formulas
    assert foreign == []


LETTERS = """() => [...document.querySelectorAll('section[data-marpit-pagination]')].flatMap((section, n) =>
  [...section.querySelectorAll('img')].map(image => {
    const shown = image.getBoundingClientRect(), slide = section.getBoundingClientRect();
    const scale = 1280 / slide.width;
    return {slide: n + 1, source: image.src, width: shown.width * scale, height: shown.height * scale};
  }))"""


def smallest_letters(page):
    """Return the size of the smallest text in each figure, in pixels of a slide: {slide: size}.

    Matplotlib draws glyphs as paths of a hundred units; the scale of a text is its size in hundredths of points.
    """
    sizes = {}
    for image in page.evaluate(LETTERS):
        svg = base64.b64decode(image["source"].removeprefix("data:image/svg+xml;base64,")).decode()
        width, height = map(float, re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg).groups())
        scales = [float(scale) for scale in re.findall(r" scale\((0\.\d+) -0\.\d+\)", svg)]
        if scales:
            sizes[image["slide"]] = 100 * min(scales) * min(image["width"] / width, image["height"] / height)
    return sizes


@every_deck
def test_text_in_figures_is_read_from_the_last_row(path, open_page):
    page, _ = open_page(path.with_suffix(".html").as_uri())
    page.emulate_media(media="print")
    small = {slide: f"{size:.1f} px" for slide, size in smallest_letters(page).items() if size < 20}
    page.add_style_tag(content="figure { max-height: 380px !important }")
    assert min(smallest_letters(page).values()) < 20  # so that the check can fail
    page.close()
    assert small == {}


@pytest.mark.parametrize(
    "style, problem",
    [
        ("section > p { font-size: 12px !important }", "text of 12 px"),
        ("section > p { color: #bbb !important }", "pale text"),
        ("section > p { order: -1 !important }", "stands out of order"),
        ("section > p { margin-top: -90px !important }", "overlaps"),
        ("section > p { margin-left: -60px !important }", "reaches over the margin"),
        ("section { height: 200px !important }", "overflows"),
        ("footer { bottom: 400px !important }", "reaches into the footer"),
        ("figure { max-height: 200px !important }", "smaller than in its lesson"),
        ("mjx-container svg { width: 40px !important }", "a formula is squeezed"),
    ],
)
def test_a_style_that_spoils_the_slides_is_found(style, problem, open_page):
    page, _ = open_page(DECKS[0].with_suffix(".html").as_uri())
    page.emulate_media(media="print")
    assert page.evaluate(LOOK)["found"] == []
    page.add_style_tag(content=style)
    found = " ".join(page.evaluate(LOOK)["found"])
    page.close()
    assert problem in found


def test_what_is_missing_or_foreign_on_a_slide_is_found(open_page, tmp_path):
    broken = raw(DECKS[0].with_suffix(".html")).replace('data-mml-node="mfrac"', 'data-mml-node="merror"')
    broken = broken.replace("<h1", '<p>$x$<img alt="" src="https://example.org/x.png"></p><h1')
    (tmp_path / "broken.html").write_text(broken, encoding="utf-8")
    page, foreign = open_page((tmp_path / "broken.html").as_uri())
    page.emulate_media(media="print")
    found = " ".join(page.evaluate(LOOK)["found"])
    page.close()
    assert set(foreign) == {"https://example.org/x.png"}
    for problem in ("not rendered", "has an error", "not loaded", "no alt text"):
        assert problem in found
