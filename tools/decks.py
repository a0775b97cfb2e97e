"""From the text of a deck (Marp Markdown with placeholders) to the Markdown that Marp turns into slides.

Nothing is copied into a deck by hand. The placeholders are filled from the built lessons, or the build stops:

- ``![](figure:04/path)`` is the figure that the cell "path" of lesson 04 draws, with its alt text; so is
  ``![](figure:04/3)``, if it is Figure 3;
- ``![In words.](figure:04/path#0,50,100,50)`` is a part of it, here the lower half: left, top, width and height in
  hundredths of the figure, and what this part shows in words;
- ``![](live:turning)`` is an explorer that moves on the slide, and a picture of it on paper (`tools.live`);
- ``{claim:04-gap}`` is the sentence of a claim, as the lesson prints it;
- ``[97.7 %]{claim=09-accuracy}`` is a number that stands in that sentence, rounded as typed;
- ``[97 %]{claim=09-accuracy, bound}`` is the bound that guards it;
- ``[0.983]{printed=09/Bayes}`` is a number, perhaps rounded, that lesson 09 prints in a line with the word "Bayes";
- ``[1.58 %]{source=09/antoran}`` is a number that lesson 09 quotes from its source "antoran";
- ``[128]{code=09}`` is a number in the code of lesson 09;
- ``<!-- lesson 04: The objective -->`` names lesson and section in the footer of a slide.

Every slide has notes for the speaker: a comment with the lines ``Say:``, ``Ask:``, ``Misconception:`` and ``Minutes:``.
A slide of the short path has a line ``Short:``, too: its minutes there; the build marks it in the footer. A slide whose
heading begins with "Backup: " belongs to neither path. `slides/build.mjs` fills decks in the same way, without Python.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
from pathlib import Path
from typing import NamedTuple

import nbformat

from bnn_course.claims import LINE, NUMBER
from tools import NOTEBOOKS, SLIDES, checks, live
from tools import text as lesson_text

# what slides depend on besides their text
BUILT_WITH = ["theme.css", "package.json", "package-lock.json", "handout.mjs"]
NOTES = ["Say", "Ask", "Misconception", "Minutes"]  # of every slide
LINES = [*NOTES, "Short"]
SHORT = " ◆"  # ends the footer of a slide on the short path
BACKUP = "Backup: "
MAX_WORDS, MAX_CODE_LINES = 40, 9
ON_A_SLIDE = "display: block; height: 100%; margin: 0 24px; text-align: left; font-size: 27px"  # no text below 24

FRONT_MATTER = re.compile(r"\A---\n(?P<settings>.*?)\n---\n", re.DOTALL)
COMMENT = re.compile(r"<!--(?P<text>.*?)-->", re.DOTALL)
CELL = re.compile(r"\s*(?:lesson|appendix) (?P<lesson>\d\d|[A-Z]): (?P<section>.+?)\s*")
FIGURE = re.compile(
    r"!\[(?P<alt>[^\[\]]*)\]\(figure:(?P<lesson>\d\d|[A-Z])/(?P<place>[\w-]+)(?:#(?P<part>\d+(?:,\d+){3}))?\)"
)
LIVE = re.compile(r"!\[\]\(live:(?P<kind>\w+)\)")
SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt" viewBox="0 0 \1 \2"')  # of a figure by Matplotlib
SEPARATOR = re.compile(r"^---$", re.MULTILINE)
SENTENCE = re.compile(r"\{claim:(?P<id>[\w-]+)\}")
BOUND = re.compile(
    r"\[(?P<text>[^\[\]]*)\]\{(?P<kind>claim|printed|source|code)=(?P<place>[^{},]+)(?P<bound>, bound)?\}"
)
LEFTOVER = re.compile(r"figure:|\(live:|\]\{\w+=[^{}]*\}|\{claim[:=][^{}]*\}")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


class DeckError(Exception):
    """A deck that cannot be built; the message says where and why."""


class Slide(NamedTuple):
    """One slide: its text without comments, the footer that it names, and the notes for the speaker."""

    text: str
    cell: tuple | None  # (number of the lesson, section)
    notes: dict  # "Say" -> …

    @property
    def title(self):
        """The heading."""
        return self.text.partition("\n")[0].removeprefix("# ")


# Lessons --------------------------------------------------------------------------------------------------------------


class Figure(NamedTuple):
    """A figure of a lesson: its file, which the build of the lesson wrote, and what it shows in words."""

    path: Path
    alt: str

    def source(self, part=None):
        """Return the picture, or a part of it, as an address that holds it whole.

        The part is (left, top, width, height) in hundredths of the figure.
        """
        svg = self.path.read_text(encoding="utf-8")
        if part:
            svg = _part(svg, *part)
        return _address("svg+xml", svg.encode())


def _address(kind, content):
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _part(svg, left, top, width, height):
    whole = [float(side) / 100 for side in SIZE.search(svg).groups()]
    x, y, w, h = (f"{share * side:.2f}" for share, side in zip((left, top, width, height), whole * 2, strict=True))
    return SIZE.sub(f'width="{w}pt" height="{h}pt" viewBox="{x} {y} {w} {h}"', svg, count=1)


class Lessons:
    """The built lessons of a folder, each read when it is first asked for."""

    def __init__(self, folder=NOTEBOOKS):
        self.folder = folder

    @functools.cache  # noqa: B019
    def notebook(self, number):
        """Return the built notebook of a lesson."""
        paths = [*self.folder.glob(f"{number}_*.ipynb"), *self.folder.glob(f"appendix/{number}_*.ipynb")]
        if len(paths) != 1:
            raise DeckError(f"lesson {number} is not built: run `python course.py notebooks {number}`")
        return nbformat.read(paths[0], as_version=4)

    def title(self, number):
        """Return the title of a lesson, without its number."""
        return lesson_text.without_number(self.notebook(number).metadata.title)

    @functools.cache  # noqa: B019
    def figures(self, number):
        """Return the figures of a lesson in order: {name of the cell, or "figure-3": figure}."""
        outputs = [o for cell in checks.code_cells(self.notebook(number)) for o in checks.pictures(cell)]
        folder = self.folder / "figures" / number
        drawn = [o.metadata for o in outputs if "figure" in o.metadata]
        return {Path(m.figure.file).stem: Figure(folder / m.figure.file, m["image/png"]["alt"]) for m in drawn}

    def figure(self, number, place):
        """Return one figure, by the name of its cell or, counted from 1, by its number in the lesson's captions."""
        figures = self.figures(number)
        names = list(figures)
        name = names[int(place) - 1] if place.isdigit() and 1 <= int(place) <= len(names) else place
        if name not in figures:
            raise DeckError(f"there is no figure {place} in lesson {number}, which has {', '.join(names)}")
        return figures[name]

    @functools.cache  # noqa: B019
    def claims(self, number):
        """Return the claims that a lesson prints, by id. It prints none that is false."""
        return {claim.id: claim for claim in checks.claims_of(number, self.notebook(number))}

    def claim(self, id):
        """Return a claim: its sentence and its bound."""
        number = id.partition("-")[0].upper()  # of a lesson, or the letter of an appendix
        claims = self.claims(number)
        if id not in claims:
            raise DeckError(f"lesson {number} prints no claim {id}: see notebooks/CLAIMS.md for those it prints")
        return claims[id]

    @functools.cache  # noqa: B019
    def sections(self, number):
        """Return the headings of a lesson."""
        prose = [cell.source for cell in self.notebook(number).cells if cell.cell_type == "markdown"]
        return re.findall(r"^## +(.+?) *$", "\n".join(prose), re.MULTILINE)

    def printed(self, number, word):
        """Return the numbers that a lesson prints, claims aside, in lines with this word (all lines without one)."""
        text = "\n".join(checks.output_text(cell) for cell in checks.code_cells(self.notebook(number)))
        lines = [line for line in text.splitlines() if word in line and not LINE.match(line)]
        return [q for line in lines for q in map(lesson_text.quantity, re.findall(r"-?" + NUMBER.pattern, line)) if q]

    @functools.cache  # noqa: B019
    def _source(self, number):
        paths = [path for path in (self.folder / "source").glob(f"{number}_*.md") if "." not in path.stem]
        if len(paths) != 1:
            raise DeckError(f"lesson {number} has no source")
        return lesson_text.source_cells(paths[0].read_text(encoding="utf-8"))

    def quoted(self, number, source):
        """Return the numbers that a lesson quotes from one of its sources."""
        prose = [cell.source for cell in self._source(number) if cell.cell_type == "markdown"]
        bound = [number for text in prose for number in lesson_text.bound_numbers(text)]
        return [lesson_text.quantity(b.text) for b in bound if b.kind == "source" and b.id == source]

    def coded(self, number):
        """Return the numbers in the code of a lesson."""
        code = [cell.source for cell in self._source(number) if cell.cell_type == "code"]
        return [quantity for text in code for quantity in lesson_text.quantities_of_code(text)]


# Filling --------------------------------------------------------------------------------------------------------------


def fill(text, lessons):
    """Return the Markdown of a deck with all placeholders filled from the lessons."""
    for pattern, filled in [
        (COMMENT, _comment),
        (FIGURE, _figure),
        (LIVE, _live),
        (SENTENCE, _sentence),
        (BOUND, _number),
    ]:
        text = pattern.sub(functools.partial(filled, lessons), text)
    without_pictures = re.sub(r'src="[^"]*"', "", text)
    if left := LEFTOVER.search(without_pictures):
        around = without_pictures[max(0, left.start() - 30) : left.end() + 30]
        raise DeckError(f"a placeholder is misspelt near “{around}”")
    return text


def _comment(lessons, found):
    """Turn the name of a lesson and a section into a footer; give each line of the notes a paragraph."""
    if not (cell := CELL.fullmatch(found["text"])):
        return re.sub(rf"\n(?={'|'.join(LINES)})", "\n\n", found.group())
    number, section = cell["lesson"], cell["section"]
    if section not in lessons.sections(number):
        raise DeckError(f"lesson {number} has no section “{section}”: it has {'; '.join(lessons.sections(number))}")
    kind = "lesson" if number.isdigit() else "appendix"
    rest_of_slide = SEPARATOR.split(found.string[found.end() :], maxsplit=1)[0]
    mark = SHORT if re.search(r"^Short:", rest_of_slide, re.MULTILINE) else ""
    return f"<!-- _footer: {json.dumps(f'{kind} {number} · {section}{mark}', ensure_ascii=False)} -->"


def _figure(lessons, found):
    figure = lessons.figure(found["lesson"], found["place"])
    part = found["part"] and [int(share) for share in found["part"].split(",")]
    if bool(part) != bool(found["alt"]):
        raise DeckError(f"words are needed for a part of a figure, and for that only, got {found.group()}")
    alt = html.escape(found["alt"] or figure.alt, quote=True)
    return f'<figure><img alt="{alt}" src="{figure.source(part)}"></figure>'


def _live(lessons, found):
    """An explorer of lesson 09, so large that its text can be read from the last row."""
    if found["kind"] not in live.EXPLORERS:
        raise DeckError(f"there is no explorer {found['kind']}, only {', '.join(live.EXPLORERS)}")
    cells = {cell.metadata.get("name"): cell for cell in lessons.notebook("09").cells}
    alt = html.escape(cells[f"{found['kind']}-explorer"].metadata.alt, quote=True)
    on_paper = f'<img alt="{alt}" src="{live.picture(found["kind"])}">'
    return f"<figure>{live.element(found['kind'], on_paper, ON_A_SLIDE)}</figure>"


def _sentence(lessons, found):
    """Return the sentence, word for word."""
    sentence = lessons.claim(found["id"]).sentence
    plain = re.sub(r"[*_`$\[\]|~\\<>&]", lambda sign: f"&#{ord(sign.group())};", sentence)
    whole = re.sub(r"\d{1,3}(?: \d{3})+|\d+(?:\.\d+)?(?: %|e-\d+)", r"<i>\g<0></i>", plain)  # no line break inside
    return f'<span class="claim">{whole}</span>'


def _number(lessons, found):
    """Return the text, which no line break divides, once each of its numbers is where the markup says."""
    numbers = NUMBER.findall(found["text"])
    if not numbers:
        raise DeckError(f"there is no number in {found.group()}")
    for number in numbers:
        if not _is_there(lessons, number, "bound" if found["bound"] else found["kind"], found["place"]):
            raise DeckError(f"{number} does not stand where {found.group()} says")
    return f'<span class="number">{found["text"]}</span>'


def _is_there(lessons, number, kind, place):
    wanted = lesson_text.quantity(number)
    lesson, _, word = place.partition("/")
    if kind in ("claim", "bound"):
        claim = lessons.claim(place)
        stored = lesson_text.quantities(claim.bound if kind == "bound" else claim.sentence)
        return any(lesson_text.rounds_to(quantity, wanted) for quantity in stored)
    if kind == "source":
        return wanted in lessons.quoted(lesson, word)
    if kind == "code":
        return wanted in lessons.coded(lesson)
    return any(lesson_text.rounds_to(printed, wanted) for printed in lessons.printed(lesson, word))


# Slides ---------------------------------------------------------------------------------------------------------------


def deck_paths(folder=SLIDES):
    """Return the texts of all decks."""
    return sorted([*folder.glob("[0-9][0-9]_*.md"), *folder.glob("course.md")])


def slides_of(text):
    """Return the slides of a deck, filled or not."""
    return [_slide(part) for part in SEPARATOR.split(FRONT_MATTER.sub("", text))]


def _slide(part):
    comments = [found["text"] for found in COMMENT.finditer(part)]
    cells = [(cell["lesson"], cell["section"]) for comment in comments if (cell := CELL.fullmatch(comment))]
    notes = {}
    for comment in comments:
        for line in comment.strip().splitlines():
            key, colon, said = line.partition(":")
            if colon and key in LINES:
                notes[key] = said.strip()
    return Slide(COMMENT.sub("", part).strip(), cells[0] if cells else None, notes)


def words(slide):
    """Return the words of a filled slide: not counted are formulas, code, tags, notes and footer."""
    text = CODE.sub(" ", slide.text)
    text = lesson_text.MATH.sub(" ", text)
    text = re.sub(r"<[^>]*>", " ", text)
    return [word for word in html.unescape(text).split() if re.search(r"\w", word)]


def code_lines(slide):
    """Return the number of lines of code on a slide."""
    return sum(found.group().count("\n") - 1 for found in CODE.finditer(slide.text))


def unbound_numbers(text):
    """Return the numbers of a deck's text, notes included, that no markup binds to a lesson."""
    text = FRONT_MATTER.sub("", text)
    text = re.sub(r"^(?:Minutes|Short):.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"<!-- lesson \d\d: .*?-->|\b2017 deck\b|\b[Ii]n 2017\b|\bof 2017\b", "", text)
    text = FIGURE.sub(r"\g<alt>", text)
    for pattern in (CODE, BOUND, SENTENCE, LIVE, re.compile(r"<[a-z/][^<>]*>")):
        text = pattern.sub(" ", text)
    text = re.sub(r"<!--|-->", " ", text)  # the notes themselves are read
    return list(lesson_text.unbound_numbers(text).values())


def main_slides(text):
    """Return the slides of a deck without those that are kept for questions."""
    return [slide for slide in slides_of(text) if not slide.title.startswith(BACKUP)]


def minutes(text, line="Minutes"):
    """Return the minutes that a deck takes, by its notes; slides for questions afterwards take none."""
    return sum(float(slide.notes.get(line, 0)) for slide in main_slides(text))


# What the slides follow from ------------------------------------------------------------------------------------------


def digest(path, lessons):
    """Return a number that changes whenever the slides of a deck would: text, lessons, theme, font or Marp."""
    parts = [fill(path.read_text(encoding="utf-8"), lessons)]
    parts += [(SLIDES / name).read_text(encoding="utf-8") for name in BUILT_WITH]
    if live.is_used(parts[0]):
        parts.append(live.script())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def marked(path, lessons):
    """Return the filled Markdown of a deck, its digest among the keywords of the document."""
    try:
        filled = fill(path.read_text(encoding="utf-8"), lessons)
    except DeckError as error:
        raise DeckError(f"{path.name}: {error}") from None
    return filled.replace("---\n", f"---\nkeywords: slides-{digest(path, lessons)}\n", 1)
