"""What every lesson must satisfy, checked without running it.

Each check takes a `Lesson` and returns sentences that say what is wrong; no sentence means that all is well. The tests
over the real notebooks and the tests of the checks themselves call the same functions.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import json
import re
import struct
from pathlib import Path
from typing import NamedTuple

import nbformat

from bnn_course.claims import LINE
from tools import form, live, text
from tools.text import tags

TAGS = {"nbval-ignore-output", "gallery", "explorer", "caption", *text.FOLDED}
GOALS = ["**What you will learn**", "**What you need**", "**How long it takes**"]
ENDING = ["## What we saw", "## Exercises", "## Sources"]
TEMPLATE = "template"  # a notebook to fill in, built as lessons are: no lesson, so no goals, sources, claims, record
MAX_CODE_LINES, MAX_FOLDED_LINES = 20, 40
MAX_PROSE_WORDS = 120
MAX_BYTES = 1_000_000
FIGURE_PIXELS = (600, 400)
GALLERY_PIXELS = (800, 600)
BUDGET = {"seconds": 90, "megabytes": 1_000}
BUDGETS = {
    "06": {"seconds": 90, "megabytes": 1_100},  # compiles six models for NUTS
    "08": {"seconds": 90, "megabytes": 1_100},  # compiles four models for NUTS, then all of MNIST
    "09": {"seconds": 120, "megabytes": 1_500},
    "12": {"seconds": 120, "megabytes": 1_000},  # three posteriors by NUTS, with long trajectories
    "13": {"seconds": 120, "megabytes": 1_800},  # compiles a dozen methods, and JAX keeps every program
    "14": {"seconds": 120, "megabytes": 2_600},  # two workers beside the kernel, each a process with PyMC and JAX
    "B": {"seconds": 120, "megabytes": 1_500},  # the images and the network of lesson 09
}

UNWANTED = {
    "a memory address": r"0x[0-9a-fA-F]{6,}",
    "an absolute path": r"(?<![\w.:/<])/(?:[\w.+-]+/)+|\b[A-Za-z]:\\",
    "a timing": r"\btook \d|(?:\b|\d)(?:it|s|draws|steps)/(?:s|it)\b|\bETA\b|[Ww]all time|CPU times|"
    r"\belapsed\b|\d:\d\d<|\bin \d+(?:\.\d+)? ?(?:s|ms|sec|seconds|minutes|min)\b",
    "a progress bar": r"[█▉▊▋▌▍▎▏━╸╺]|\d%\||\r(?!\n)",
    "the text of an xarray or ArviZ object": r"<xarray\.|xarray-|\bInferenceData\b|\bDataTree\b",
}
UNWANTED = {what: re.compile(pattern) for what, pattern in UNWANTED.items()}


class Lesson(NamedTuple):
    """A lesson as written and as built; `source` and `notebook` are None where the file is missing."""

    folder: Path
    name: str
    source: str | None
    notebook: nbformat.NotebookNode | None
    size: int
    claims: dict  # id -> Claim, over all lessons


class Claim(NamedTuple):
    """A claim that a stored notebook prints."""

    id: str
    lesson: str
    sentence: str
    bound: str


# Reading --------------------------------------------------------------------------------------------------------------


def lesson_names(folder):
    """Return the names of all lessons, then of all appendices, that have a source or a notebook."""
    lessons = [*folder.glob("source/[0-9][0-9]_*.md"), *folder.glob("[0-9][0-9]_*.ipynb")]
    lessons = {file.stem for file in lessons if not file.stem.endswith(".exercises")}
    appendices = [*folder.glob("source/appendix/[A-Z]_*.md"), *folder.glob("appendix/[A-Z]_*.ipynb")]
    return sorted(lessons) + sorted({f"appendix/{file.stem}" for file in appendices})


def is_appendix(name):
    """Say whether a name is that of an appendix."""
    return name.startswith("appendix/")


def figures_of(folder, name):
    """Return where the figures of a lesson are: in figures/09, or in figures/solutions/09 those of its solutions."""
    kind = name.rpartition("/")[0].replace("appendix", "")
    return folder / "figures" / kind / text.number_of(name)


def read_lesson(folder, name):
    """Read one lesson of the folder that holds the notebooks."""
    source, path = folder / "source" / f"{name}.md", folder / f"{name}.ipynb"
    return Lesson(
        folder,
        name,
        source.read_text(encoding="utf-8") if source.exists() else None,
        nbformat.read(path, as_version=4) if path.exists() else None,
        path.stat().st_size if path.exists() else 0,
        {claim.id: claim for claim in course_claims(folder)},
    )


def course_claims(folder):
    """Return the claims that the stored notebooks print, in order of lessons."""
    found = []
    for name in lesson_names(folder):
        path = folder / f"{name}.ipynb"
        if path.exists():
            found += _claims_of_file(name, path, path.stat().st_mtime_ns, path.stat().st_size)
    return found


@functools.lru_cache(maxsize=64)
def _claims_of_file(name, path, _changed, _size):
    return claims_of(name, nbformat.read(path, as_version=4))


def claims_of(name, notebook):
    """Return the claims that a notebook prints."""
    found = itertools.chain.from_iterable(LINE.finditer(output_text(cell)) for cell in code_cells(notebook))
    return [Claim(line["id"], name, line["sentence"], line["bound"]) for line in found]


def code_cells(notebook):
    """Return the code cells, or none where there is no notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"] if notebook else []


def output_text(cell):
    """Return all text that a run of a cell shows."""
    parts = []
    for output in cell.outputs:
        if live.is_live(output):
            continue
        shown = output.get("data", {})
        parts.append(output.get("text", ""))
        parts += [value for kind, value in shown.items() if kind.startswith("text/") and isinstance(value, str)]
    return "\n".join(parts)


def pictures(cell):
    """Return the PNG outputs of a cell."""
    return [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]


def files_of(folder):
    """Return the files of a folder, without those that the system or an editor hides there (.DS_Store)."""
    return [path for path in folder.glob("[!.]*") if path.is_file()]


# The text of a lesson -------------------------------------------------------------------------------------------------


def has_goals_and_ending(lesson):
    """The first cell names the goals; the last sections are summary, exercises and sources (an appendix: sources)."""
    cells = _prose(lesson)
    first = cells[0].source if cells else ""
    goals, ending = ([], ENDING[-1:]) if is_appendix(lesson.name) else (GOALS, ENDING)
    title = f"# {text.number_of(lesson.name)} · "
    problems = [] if first.startswith(title) else [f"the first cell must begin with “{title}Title”"]
    problems += [f"the first cell must say {goal}" for goal in goals if goal not in first]
    headings = [line for cell in cells for line in cell.source.splitlines() if line.startswith("## ")]
    if (last := headings[-len(ending) :]) != ending:
        problems.append(f"the last sections must be {', '.join(ending)}; they are {last}")
    starts = [cell.source.splitlines()[0].strip() for cell in cells]
    problems += [f"“{part}” must begin a cell: put +++ before it" for part in ending if part not in starts]
    return problems


def cells_are_short(lesson):
    """Code has at most 20 lines a cell, 40 where it is folded, prose 120 words; first and last cells are free."""
    problems = []
    for number, cell in enumerate(_source_cells(lesson)):
        lines, words = len(cell.source.splitlines()), len(text.words(cell.source))
        free = number == 0 or cell.source.startswith(tuple(ENDING))
        most = MAX_FOLDED_LINES if text.is_folded(cell) else MAX_CODE_LINES
        if cell.cell_type == "code" and lines > most:
            problems.append(f"code of {lines} lines, at most {most}: {_start(cell)}")
        if cell.cell_type == "markdown" and words > MAX_PROSE_WORDS and not free:
            problems.append(f"prose of {words} words, at most {MAX_PROSE_WORDS} (split it with +++): {_start(cell)}")
    return problems


def code_is_plain(lesson):
    """No trailing semicolon, no unknown tag, no marker of the test tool in code."""
    problems = []
    for cell in _source_cells(lesson):
        if unknown := tags(cell) - TAGS:
            problems.append(
                f"unknown tag {', '.join(sorted(unknown))}, known are {', '.join(sorted(TAGS))}: {_start(cell)}"
            )
        if cell.cell_type == "code" and cell.source.rstrip().endswith(";"):
            problems.append(f"code ends with a semicolon: {_start(cell)}")
        if cell.cell_type == "code" and "NBVAL_" in cell.source:
            problems.append(f"use the tag nbval-ignore-output in place of the comment: {_start(cell)}")
    return problems


def figures_are_read(lesson):
    """A cell with a figure has alt text and caption, and is followed by prose; so has every picture in prose."""
    problems = []
    cells = _source_cells(lesson)
    for cell, following in itertools.zip_longest(cells, cells[1:]):
        described = [key for key in ("alt", "caption") if str(cell.metadata.get(key, "")).strip()]
        if len(described) == 1:
            problems.append(f"a figure needs both alt and caption: {_start(cell)}")
        if described and (following is None or following.cell_type != "markdown"):
            problems.append(f"a figure must be followed by prose that reads it: {_start(cell)}")
        if cell.cell_type == "markdown" and re.search(r"!\[\s*\]\(|<img(?![^>]*\balt=\"[^\"]+\")", cell.source):
            problems.append(f"a picture in prose needs alt text: {_start(cell)}")
    return problems


def numbers_are_bound(lesson):
    """Every number in prose, captions and alt texts is bound to a claim, a source or a literal in the code."""
    problems = []
    for prose in _numbered_prose(lesson):
        problems += [
            f"number without claim, source or code: {number} in “{_excerpt(prose, place)}”"
            for place, number in text.unbound_numbers(prose).items()
        ]
        problems += [wrong for number in text.bound_numbers(prose) if (wrong := _binding_problem(lesson, number))]
        missing = [found["id"] for found in text.SENTENCE.finditer(prose) if found["id"] not in lesson.claims]
        problems += [f"{{claim:{id}}}: no stored notebook prints that claim" for id in missing]
    return problems


def _numbered_prose(lesson):
    """Return prose, captions and alt texts; the section Sources holds years and pages and is left out."""
    for cell in _source_cells(lesson):
        if cell.cell_type == "markdown" and not cell.source.startswith(ENDING[-1]):
            yield cell.source
        yield from (str(cell.metadata[key]) for key in ("alt", "caption") if key in cell.metadata)


def _binding_problem(lesson, number):
    """Return what is wrong with a bound number, or None."""
    value = text.quantity(number.text)
    if value is None:
        return f"markup without a number: [{number.text}]"
    if number.kind == "code":
        known = set().union(*(text.quantities_of_code(cell.source) for cell in _source_cells(lesson, "code")))
        return None if value in known else f"[{number.text}]{{code}} is no literal in the lesson's code"
    if number.kind == "source":
        return (
            None if number.id in _sources(lesson) else f"[{number.text}]{{source={number.id}}} is not in {ENDING[-1]}"
        )
    if number.id not in lesson.claims:
        return f"[{number.text}]{{claim={number.id}}}: no stored notebook prints that claim"
    claim = lesson.claims[number.id]
    said = claim.bound if number.kind == "bound" else claim.sentence
    if not any(text.rounds_to(stored, value) for stored in text.quantities(said)):
        markup = f"[{number.text}]{{claim={number.id}{', bound' * (number.kind == 'bound')}}}"
        return f"{markup} is not in the {'bound' if number.kind == 'bound' else 'claim'} “{said}”"
    return None


def _sources(lesson):
    """Return the ids of the section Sources."""
    cells = [cell for cell in _prose(lesson) if cell.source.startswith(ENDING[-1])]
    return {anchor for cell in cells for anchor, label in text.SOURCE_ITEM.findall(cell.source) if anchor == label}


def sources_are_listed(lesson):
    """The section Sources is a list of labelled entries, and links into it arrive."""
    section = "\n".join(cell.source for cell in _prose(lesson) if cell.source.startswith(ENDING[-1]))
    items = len(re.findall(r"^- ", section, re.MULTILINE))
    known = _sources(lesson)
    problems = [] if items else [f"{ENDING[-1]} lists nothing"]
    if items != len(known):
        problems.append(f'{items - len(known)} of {items} sources are not written - <a id="source-key"></a>**[key]** …')
    links = {target for cell in _prose(lesson) for target in text.LINK_TARGET.findall(cell.source)}
    missing = sorted(t for t in links if t.startswith("source-") and t.removeprefix("source-") not in known)
    return problems + [f"link to #{target}, which is not in {ENDING[-1]}" for target in missing]


def networks_have_their_name(lesson):
    """Ours are Bayesian neural networks; without the word “neural”, the name is that of graphical models."""
    return [
        f"“{' '.join(found.group().split())}” means a graphical model: write Bayesian neural network"
        for found in text.WRONG_NAME.finditer(lesson.source or "")
    ]


# The notebook of a lesson ---------------------------------------------------------------------------------------------


def is_current(lesson):
    """The notebook's cells and metadata are those that the source gives now."""
    if lesson.source is None or lesson.notebook is None:
        missing = f"source/{lesson.name}.md" if lesson.source is None else f"{lesson.name}.ipynb"
        return [f"{missing} is missing: build the lesson, or remove what is left of it"]
    wanted, stored = text.notebook_of(lesson.source, lesson.claims), lesson.notebook
    if len(wanted.cells) != len(stored.cells):
        return [
            f"stale: the source gives {len(wanted.cells)} cells, the notebook has {len(stored.cells)}: build it again"
        ]
    problems = [
        f"stale at cell {number}, build it again: {_start(new)}"
        for number, (new, old) in enumerate(zip(wanted.cells, stored.cells, strict=True))
        if _identity(new) != _identity(old)
    ]
    extra = {key: value for key, value in stored.metadata.items() if key != "lessons"}
    return problems if wanted.metadata == extra else [*problems, "stale metadata: build it again"]


def _identity(cell):
    return cell.cell_type, cell.source, cell.get("id"), cell.metadata


def ran_from_top_to_bottom(lesson):
    """Execution counts are 1 … N."""
    counts = [cell.execution_count for cell in code_cells(lesson.notebook)]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [f"not run from top to bottom: execution counts are {counts}"]


def outputs_are_clean(lesson):
    """No error, no stderr, no address, path, timing, progress bar, or text of a big object is stored."""
    problems = []
    for cell in code_cells(lesson.notebook):
        if any(output.output_type == "error" for output in cell.outputs):
            problems.append(f"stored error: {_start(cell)}")
        if any(output.get("name") == "stderr" for output in cell.outputs):
            problems.append(f"stored stderr: {_start(cell)}")
        for what, pattern in UNWANTED.items():
            if found := pattern.search(output_text(cell)):
                problems.append(f"output holds {what} ({found.group().strip()!r}): {_start(cell)}")
    return problems


def pictures_are_small_and_described(lesson):
    """Cells that draw show one picture of limited size, which carries the alt text; others show none.

    Figures are drawn at twice their size, so that they are sharp on any screen.
    """
    problems = []
    for cell in code_cells(lesson.notebook):
        shown, alt = pictures(cell), cell.metadata.get("alt")
        if len(shown) != (alt is not None):
            problems.append(f"{len(shown)} pictures where alt text announces {int(alt is not None)}: {_start(cell)}")
        limit = GALLERY_PIXELS if "gallery" in tags(cell) else FIGURE_PIXELS
        for output in shown:
            size = _size(output)
            if size[0] > limit[0] or size[1] > limit[1]:
                problems.append(f"picture of {size[0]}×{size[1]} pixels, at most {limit[0]}×{limit[1]}: {_start(cell)}")
            if alt is not None and output.metadata.get("image/png", {}).get("alt") != alt:
                problems.append(f"stored picture does not carry its alt text: {_start(cell)}")
    return problems


def _size(output):
    """Width and height at which a picture is shown; where nothing else is said, its pixels."""
    pixels = struct.unpack(">II", base64.b64decode(output["data"]["image/png"])[16:24])
    shown = output.metadata.get("image/png", {})
    return shown.get("width", pixels[0]), shown.get("height", pixels[1])


def figures_are_for_slides(lesson):
    """Every figure was drawn sharp and kept for the slides by the same run."""
    problems, kept, folder = [], set(), figures_of(lesson.folder, lesson.name)
    for cell in code_cells(lesson.notebook):
        for output in [] if text.is_explorer(cell) else pictures(cell):
            figure = output.metadata.get("figure")
            if figure is None or "width" not in output.metadata.get("image/png", {}):
                problems.append(f"a figure that was not drawn for screen and slides, build the lesson: {_start(cell)}")
                continue
            kept.add(figure["file"])
            path = folder / figure["file"]
            if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != figure["sha256"]:
                problems.append(f"figures/{folder.name}/{figure['file']} is not what the lesson drew: build it again")
    extra = sorted({path.name for path in files_of(folder)} - kept)
    return problems + [f"figures/{folder.name}/{file} is drawn by no cell: build the lesson again" for file in extra]


def notebook_is_small(lesson):
    """At most 1 MB."""
    return [f"notebook of {lesson.size:,} bytes, at most {MAX_BYTES:,}"] if lesson.size > MAX_BYTES else []


def claims_are_checked(lesson):
    """Claims are made by `claim`, named after their lesson, once, in cells that are compared; every lesson has one."""
    claims = claims_of(lesson.name, lesson.notebook)
    ids = [claim.id for claim in claims]
    start = f"{text.number_of(lesson.name).lower()}-"
    problems = [] if claims or is_appendix(lesson.name) else ["the lesson prints no claim"]
    problems += [f"claim {i} must begin with {start}" for i in ids if not i.startswith(start)]
    problems += [f"claim {i} is printed {ids.count(i)} times" for i in sorted(set(ids)) if ids.count(i) > 1]
    for cell in code_cells(lesson.notebook):
        if "nbval-ignore-output" in tags(cell) and LINE.search(output_text(cell)):
            problems.append(f"a claim in a cell whose output is not compared: {_start(cell)}")
        if "claim(" not in cell.source and LINE.search(output_text(cell)):
            problems.append(f"a line like that of a claim, which nothing checks: {_start(cell)}")
    return problems


OF_TEXT = [
    has_goals_and_ending,
    cells_are_short,
    code_is_plain,
    figures_are_read,
    numbers_are_bound,
    sources_are_listed,
    networks_have_their_name,
]
OF_NOTEBOOK = [
    is_current,
    ran_from_top_to_bottom,
    outputs_are_clean,
    pictures_are_small_and_described,
    figures_are_for_slides,
    notebook_is_small,
    claims_are_checked,
]


OF_TEMPLATE = [
    check
    for check in [*OF_TEXT, *OF_NOTEBOOK]
    if check not in (has_goals_and_ending, sources_are_listed, claims_are_checked)
]


def problems_of_lesson(lesson):
    """Return all problems of a lesson, each with its name in front; those of form once it is in the form of today."""
    if lesson.name == TEMPLATE:
        return [f"{lesson.name}: {problem}" for check in OF_TEMPLATE for problem in check(lesson)]
    of_form = [] if lesson.name in form.NOT_YET or lesson.source is None else form.CHECKS
    return [f"{lesson.name}: {problem}" for check in [*OF_TEXT, *OF_NOTEBOOK, *of_form] for problem in check(lesson)]


# The course -----------------------------------------------------------------------------------------------------------


def claims_page(folder):
    """Return the text of CLAIMS.md: every claim of the course."""
    claims = course_claims(folder)
    rows = []
    for claim in claims:
        link = f"[{text.number_of(claim.lesson)}]({claim.lesson}.ipynb)"
        rows.append(f"| {claim.sentence.replace('|', '&#124;')} | {claim.bound} | {link} | `{claim.id}` |")
    head = [
        "# Results of the course",
        "",
        "Each sentence shows what a lesson measured when it was built; the bound is how far the value may stray on",
        "another computer before `pytest --nbval` says so (“true” where the sentence is an order or a fact).",
        "Written by the build (`make notebooks`); do not edit.",
        "",
        f"{len(claims)} results, each within its bound.",
        "",
        "| result | bound | lesson | claim |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def claims_page_is_current(folder):
    """CLAIMS.md lists what the notebooks print."""
    page = folder / "CLAIMS.md"
    current = page.exists() and page.read_text(encoding="utf-8") == claims_page(folder)
    return [] if current else ["CLAIMS.md is not what the notebooks print: build a lesson"]


def claim_ids_are_unique(folder):
    """No two lessons print a claim of the same id."""
    ids = [claim.id for claim in course_claims(folder)]
    return [f"claim {i} is printed {ids.count(i)} times in the course" for i in sorted(set(ids)) if ids.count(i) > 1]


def records_are_current(folder):
    """lessons.json has the title, time and memory of every lesson, within budget, and lesson 00 shows them."""
    path = folder / "lessons.json"
    if not path.exists():
        return ["lessons.json is missing: build the lessons"]
    records = json.loads(path.read_text(encoding="utf-8"))
    names = lesson_names(folder)
    problems = [] if sorted(records) == names else [f"lessons.json lists {sorted(records)}, the lessons are {names}"]
    for name in set(records) & set(names):
        problems += _record_problems(name, records[name], read_lesson(folder, name))
    digest = hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()
    for name in names[:1]:
        notebook = read_lesson(folder, name).notebook
        if name.startswith("00_") and notebook and notebook.metadata.get("lessons") != digest:
            problems.append(f"{name} was built with another lessons.json: build it again")
    return problems


def _record_problems(name, record, lesson):
    """Return what is wrong with the record of one lesson."""
    budget = BUDGETS.get(text.number_of(name), BUDGET)
    over = [key for key in budget if record[key] > budget[key]]
    problems = [f"{name} needs {record[key]} {key}, at most {budget[key]}" for key in over]
    title = lesson.notebook.metadata.get("title", "") if lesson.notebook else ""
    return (
        problems
        if record["title"] == text.without_number(title)
        else [*problems, f"lessons.json has another title for {name}"]
    )


OF_COURSE = [claims_page_is_current, claim_ids_are_unique, records_are_current]


def problems_of_course(folder):
    """Return the problems that concern all lessons together."""
    return [problem for check in OF_COURSE for problem in check(Path(folder))]


# Helpers --------------------------------------------------------------------------------------------------------------


def _source_cells(lesson, kind=None):
    cells = text.source_cells(lesson.source) if lesson.source is not None else []
    return [cell for cell in cells if kind in (None, cell.cell_type)]


def _prose(lesson):
    return _source_cells(lesson, "markdown")


def _start(cell):
    line = cell.source.strip().splitlines()[0]
    return f"“{line[:60]}{'…' if len(line) > 60 else ''}”"


def _excerpt(prose, place):
    return " ".join(prose[max(place - 25, 0) : place + 25].split())
