"""The generated tables of the teacher's pack: a day, a week and a semester, with all minutes computed.

`teaching/syllabus.toml` says what comes when; the minutes come from what is read (`form.minutes`), from the notes of
the slides, and from the levels of the exercises. A row has ``when`` and a ``lesson`` with any of

- ``read = true``: the lesson is read;
- ``slides = "all"``, or a list of their titles;
- ``exercises = "all"``, or a list of their ids;
- ``work = ["what else", minutes]``;

or, without a lesson, ``work`` alone.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from typing import NamedTuple

from tools import NOTEBOOKS, ROOT, SLIDES, build, checks, decks, exercises, form, readme, text

FOLDER = ROOT / "teaching"
KEYS = {"when", "lesson", "read", "slides", "exercises", "work"}
LESSONS = re.compile(r"\blessons? (\d\d(?:(?:,| and|, and| to|–) ?\d\d)*)")
NEEDS = re.compile(r"\*\*What you need\*\*.+?(?=\n\n|\Z)", re.DOTALL)


class TeachingError(Exception):
    """A syllabus that cannot be written; the message says why."""


class Row(NamedTuple):
    """A row of a table: when, lesson (or None), what it needs, and what is done, each with its minutes."""

    when: str
    lesson: str | None
    needs: list[str]
    reading: int
    slides: tuple[str, float]
    exercises: tuple[str, int]
    work: tuple[str, int]

    @property
    def minutes(self):
        """All minutes of the row."""
        return self.reading + sum(minutes for _, minutes in (self.slides, self.exercises, self.work))


# What the course has --------------------------------------------------------------------------------------------------


def lessons():
    """Return the names of all lessons and appendices: {"09": "09_mnist_uncertainty"}."""
    return {text.number_of(name): name for name in checks.lesson_names(NOTEBOOKS)}


def source(number):
    """Return the text of a lesson."""
    return (NOTEBOOKS / "source" / f"{lessons()[number]}.md").read_text(encoding="utf-8")


def needs(number):
    """Return the lessons that a lesson says it needs, all before it."""
    said = NEEDS.search(source(number))
    found = set()
    for numbers in LESSONS.findall(said.group() if said else ""):
        named = re.findall(r"\d\d", numbers)
        is_range = " to " in numbers or "–" in numbers
        found |= {f"{n:02}" for n in range(int(named[0]), int(named[-1]) + 1)} if is_range else set(named)
    return sorted(other for other in found if other < number)


def slides(number):
    """Return the slides of a lesson's deck, in order, as (title, minutes)."""
    path = SLIDES / f"{lessons()[number]}.md"
    found = decks.slides_of(path.read_text(encoding="utf-8")) if path.exists() else []
    return [(text.title_of(slide.text), float(slide.notes["Minutes"])) for slide in found]


def exercises_of(number):
    """Return the exercises of a lesson that answer back: {id: minutes}."""
    name = lessons()[number]
    written = exercises.exercises_of(exercises.read(NOTEBOOKS, name)) if name in exercises.names(NOTEBOOKS) else []
    found = {}
    for exercise in written:
        ids = [id for cell in exercise.cells if cell.cell_type == "code" for id in exercises.CHECK.findall(cell.source)]
        found |= dict.fromkeys(ids, exercises.MINUTES[exercise.level])
    return found


# Plans ----------------------------------------------------------------------------------------------------------------


def read_plans():
    """Return the plans as written: {"day": rows, …}."""
    return tomllib.loads((FOLDER / "syllabus.toml").read_text(encoding="utf-8"))


def row_of(entry):
    """Return a row as written with everything looked up and added up."""
    number, when = entry.get("lesson"), entry.get("when", "?")
    if unknown := set(entry) - KEYS:
        raise TeachingError(f"{when}: a row has {', '.join(sorted(KEYS))}, got {', '.join(sorted(unknown))}: remove it")
    work = tuple(entry.get("work", ("", 0)))
    if number is None:
        return Row(when, None, [], 0, ("", 0), ("", 0), work)
    if number not in lessons():
        raise TeachingError(f"{when}: lesson must be one of {', '.join(lessons())}, got {number!r}: name one of them")
    reading = form.minutes(source(number)) if entry.get("read") else 0
    shown = _shown(when, number, entry.get("slides", []))
    return Row(when, number, needs(number), reading, shown, _solved(when, number, entry.get("exercises", [])), work)


def _shown(when, number, wanted):
    """Return links to the slides that are shown, and their minutes."""
    there = slides(number)
    if missing := [title for title in wanted if title not in dict(there)] if wanted != "all" else []:
        titles = "; ".join(dict(there))
        raise TeachingError(f"{when}: deck {number} has no slide {missing[0]!r}, it has {titles}: name one of them")
    chosen = [place for place, (title, _) in enumerate(there, 1) if wanted == "all" or title in wanted]
    deck = f"../slides/{lessons()[number]}.html"
    links = f"[all {len(there)}]({deck})" if wanted == "all" else _joined(f"[{n}]({deck}#{n})" for n in chosen)
    return links, sum(there[place - 1][1] for place in chosen)


def _solved(when, number, wanted):
    """Return the ids of the exercises that are solved, and their minutes."""
    there = exercises_of(number)
    chosen = list(there) if wanted == "all" else wanted
    if not chosen and wanted:
        raise TeachingError(f"{when}: lesson {number} has no exercises that answer back: describe the work instead")
    if missing := [id for id in chosen if id not in there]:
        known = ", ".join(there)
        raise TeachingError(f"{when}: lesson {number} has no exercise {missing[0]!r}, it has {known}: name one of them")
    shown = f"all {len(chosen)}" if wanted == "all" else _joined(f"`{id}`" for id in chosen)
    return shown, sum(there[id] for id in chosen)


def _joined(parts):
    return ", ".join(parts)


def rows(plan):
    """Return the rows of a plan; a lesson comes after all that it needs."""
    found, seen = [], set()
    for entry in plan:
        row = row_of(entry)
        if missing := set(row.needs) - seen:
            raise TeachingError(f"{row.when}: lesson {row.lesson} needs {_joined(sorted(missing))}: put it before")
        seen |= {row.lesson}
        found.append(row)
    return found


# The page -------------------------------------------------------------------------------------------------------------


def table(plan):
    """Return the table of a plan, each session with its total, and a line that adds everything up."""
    found = rows(plan)
    lines = [
        "| when | lesson | needs | reading | slides | exercises and work | minutes |",
        "|---|---|---|---:|---|---|---:|",
    ]
    for place, row in enumerate(found):
        is_first = place == 0 or found[place - 1].when != row.when
        lines.append(f"| {_cells(row, row.when if is_first else '')} |")
        session = [other for other in found if other.when == row.when]
        if row is session[-1] and len(session) > 1:
            lines.append(f"| | | | | | *{row.when} together* | *{_number(sum(r.minutes for r in session))}* |")
    parts = {
        "reading": sum(row.reading for row in found),
        "slides": sum(row.slides[1] for row in found),
        "exercises": sum(row.exercises[1] for row in found),
        "other work": sum(row.work[1] for row in found),
    }
    added = ", ".join(f"{_hours(minutes)} of {part}" for part, minutes in parts.items() if minutes)
    return "\n".join(lines) + f"\n\nTogether {_hours(sum(parts.values()))}: {added}.\n"


def _cells(row, when):
    done = [f"{shown} ({_number(minutes)})" for shown, minutes in (row.exercises, row.work) if shown]
    shown = f"{row.slides[0]} ({_number(row.slides[1])})" if row.slides[0] else ""
    cells = [when, _link(row.lesson), _joined(row.needs), str(row.reading or ""), shown, "; ".join(done)]
    return " | ".join([*cells, _number(row.minutes)])


def _link(number):
    if number is None:
        return ""
    title = text.title_of(source(number))
    return f"[{title}](../notebooks/{lessons()[number]}.ipynb)"


def _number(minutes):
    return f"{minutes:g}"


def _hours(minutes):
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest:02} min" if hours else f"{rest} min"


def filled(page):
    """Return the syllabus with its tables as they are now."""
    plans = read_plans()
    if missing := sorted(set(plans) ^ set(readme.parts(page))):
        raise TeachingError(f"syllabus.md and syllabus.toml must have the same plans, but one lacks {_joined(missing)}")
    return readme.PART.sub(lambda found: found["begin"] + table(plans[found["name"]]) + found["end"], page)


def main(arguments=None):
    """Write the tables of teaching/syllabus.md; --check only says whether they are out of date."""
    parser = argparse.ArgumentParser(prog="python -m tools teaching", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    path = FOLDER / "syllabus.md"
    page = path.read_text(encoding="utf-8")
    try:
        current = filled(page)
    except TeachingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.check and current != page:
        print("the tables of teaching/syllabus.md are out of date: run `python -m tools teaching`")
        return 1
    if not options.check:
        build.write(path, current)
    print("teaching/syllabus.md is up to date")
    return 0
