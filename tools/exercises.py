"""The exercises of a lesson: one text, and from it a notebook with blanks and one with solutions.

``source/NN_slug.exercises.md`` becomes ``exercises/NN_slug.ipynb`` and ``solutions/NN_slug.ipynb``, both run from top
to bottom. Cells tagged ``starter`` go into the first only, cells tagged ``solution`` into the second only, all others
into both. The answers are in `bnn_course.answers`.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import re
import sys
from typing import NamedTuple

import jupytext
import nbformat

from bnn_course.answers import ANSWERS
from bnn_course.exercises import UNANSWERED
from tools import NOTEBOOKS, build, checks, form, text
from tools.lessons import lesson

LEFT_OUT = {"exercises": "solution", "solutions": "starter"}  # notebook -> tag of the cells that it does not have
MINUTES = {"warm-up": 5, "core": 15, "project": 45}
AT_LEAST = {"warm-up": 2, "core": 3, "project": 1}
SPECIAL = {"predict, then run", "find the fault"}  # each lesson has one of each
QUESTIONS, OPTIONS = 5, 3
REFERENCE = re.compile(r'^lesson\("(\w+)"\)\["([\w-]+)"\]$', re.MULTILINE)
CHECK = re.compile(r'^check\("([^"]+)", ', re.MULTILINE)
OPTION = re.compile(r"<details><summary>(.+?)</summary>\s*([✓✗]) (.+?)\s*</details>", re.DOTALL)
HEAD = {
    "exercises": """# {number} · {title}: exercises

First a self-test, then exercises on [the lesson](../{name}.ipynb). Put your answer in the place of each `...` and run \
the cell. Its last line answers:

- ◻ there is still a `...` somewhere;
- ✗ not yet, with a hint that fits what you wrote;
- ✓ right, and why it matters.

Try before you unfold a hint. The [solutions](../solutions/{name}.ipynb) are one click away: they are worth reading \
after your own, too.""",
    "solutions": """# {number} · {title}: solutions

One way to solve each of the [exercises](../exercises/{name}.ipynb) on [the lesson](../{name}.ipynb), and why it \
works. If you have not tried yet, try first: ten minutes of your own are worth more than this page.""",
}


class Exercise(NamedTuple):
    """An exercise as written: its title, its level, what is special about it (or ""), and its cells."""

    title: str
    level: str
    special: str
    cells: list


# Reading --------------------------------------------------------------------------------------------------------------


def names(folder):
    """Return the names of the lessons that have exercises."""
    return [name for name in checks.lesson_names(folder) if _path(folder, name).exists()]


def _path(folder, name):
    return folder / "source" / f"{name}.exercises.md"


def read(folder, name):
    """Return the text of the exercises of a lesson."""
    return _path(folder, name).read_text(encoding="utf-8")


def cells_of(source):
    """Return the cells of a text, with the lesson's own code in the place of references to it."""
    cells = copy.deepcopy(text.source_cells(source))
    for cell in cells:
        if cell.cell_type == "code":
            cell.source = REFERENCE.sub(lambda found: lesson(found[1])[found[2]], cell.source)
    return cells


def exercises_of(source):
    """Return the exercises of a text, in order: each begins at a cell that has a level."""
    found = []
    for cell in cells_of(source):
        if "level" in cell.metadata:
            special = cell.metadata.get("special", "")
            found.append(Exercise(text.title_of(cell.source[1:]), cell.metadata["level"], special, []))
        if found:
            found[-1].cells.append(cell)
    return found


def version(folder, name, kind):
    """Return the text of one of the two notebooks, as `tools.text` reads it."""
    title = text.without_number(text.title_of((folder / "source" / f"{name}.md").read_text(encoding="utf-8")))
    head = HEAD[kind].format(number=text.number_of(name), title=title, name=name)
    cells, number = [nbformat.v4.new_markdown_cell(head)], 0
    for cell in cells_of(read(folder, name)):
        if LEFT_OUT[kind] in text.tags(cell):
            continue
        if level := cell.metadata.pop("level", None):
            number += 1
            what = f"*{' · '.join([level.capitalize(), f'{MINUTES[level]} minutes', *_special(cell)])}*"
            first, _, rest = cell.source.partition("\n")
            cell.source = f"{first.replace('## ', f'## {number} · ')}\n\n{what}\n{rest}"
        if tags := [tag for tag in cell.metadata.pop("tags", []) if tag not in LEFT_OUT.values()]:
            cell.metadata["tags"] = tags
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(text.METADATA))
    return jupytext.writes(notebook, fmt="md:myst")


def _special(cell):
    special = cell.metadata.pop("special", None)
    return [special] if special else []


def built(folder, name, kind):
    """Return one of the two notebooks as `tools.checks` sees a lesson."""
    return checks.read_lesson(folder, f"{kind}/{name}")._replace(source=version(folder, name, kind))


def _written(folder, name):
    """Return all that is written, unnumbered, as `tools.checks` sees a lesson."""
    notebook = nbformat.v4.new_notebook(cells=cells_of(read(folder, name)), metadata=nbformat.from_dict(text.METADATA))
    return checks.read_lesson(folder, name)._replace(source=jupytext.writes(notebook, fmt="md:myst"))


# What exercises must satisfy ------------------------------------------------------------------------------------------


def levels_are_there(folder, name):
    """Warm-ups, core exercises and a project; one asks for a prediction, one for a fault."""
    exercises = exercises_of(read(folder, name))
    problems = [
        f"level must be one of {', '.join(MINUTES)}, got {exercise.level!r}: {exercise.title}"
        for exercise in exercises
        if exercise.level not in MINUTES
    ]
    for level, least in AT_LEAST.items():
        count = sum(exercise.level == level for exercise in exercises)
        problems += [f"{count} exercises of level {level}, at least {least}"] if count < least else []
    missing = SPECIAL - {exercise.special for exercise in exercises}
    return problems + [f"no exercise is “{special}”" for special in sorted(missing)]


def exercises_are_complete(folder, name):
    """An exercise has a folded hint, a starter, right after it its solution, and words that explain the solution."""
    problems = []
    for title, _, _, cells in exercises_of(read(folder, name)):
        kinds = [(cell.cell_type, *sorted(text.tags(cell) & {"starter", "solution"})) for cell in cells]
        pairs = [place for place, kind in enumerate(kinds) if kind == ("code", "starter")]
        if len(pairs) != 1 or kinds[pairs[0] + 1 : pairs[0] + 2] != [("code", "solution")]:
            problems.append(f"{title}: there must be one starter, and its solution in the next cell")
        if ("markdown", "solution") not in kinds:
            problems.append(f"{title}: nothing explains the solution, in a prose cell tagged solution")
        if not any("<summary><b>Hint</b></summary>" in cell.source for cell in cells):
            problems.append(f"{title}: there is no folded hint")
    return problems


def starters_are_solutions_with_blanks(folder, name):
    """A starter is its solution, line by line, but for the blanks: each ``...`` stands for some code."""
    problems = []
    cells = cells_of(read(folder, name))
    for starter, solution in itertools.pairwise(cells):
        if "starter" not in text.tags(starter) or starter.cell_type != "code":
            continue
        pattern = ".+?".join(re.escape(part) for part in re.split(r"\.\.\.", starter.source))
        start = starter.metadata.get("name")
        if "..." not in starter.source:
            problems.append(f"{start}: there is no blank")
        if not re.fullmatch(pattern, solution.source, re.DOTALL):
            problems.append(f"{start}: the starter is not the solution with blanks")
    return problems


def checks_are_registered(folder, name):
    """Each exercise is checked by the answer of its name, and each answer of the lesson has its exercise."""
    start = f"{text.number_of(name)}-"
    problems, asked = [], []
    for cell in cells_of(read(folder, name)):
        if cell.cell_type != "code" or "starter" not in text.tags(cell):
            continue
        ids, wanted = CHECK.findall(cell.source), start + cell.metadata.get("name", "")
        asked += ids
        if ids != [wanted]:
            problems.append(f"a starter must check {wanted}, the answer of its name, once, got {ids}")
    known = [id for id in ANSWERS if id.startswith(start)]
    problems += [f"{id} has no answer in bnn_course/answers.py" for id in asked if id not in ANSWERS]
    return problems + [f"{id} has an answer and no exercise" for id in known if id not in asked]


def self_test_is_complete(folder, name):
    """Five questions; each has three options or more, one of them right, and every option a reply."""
    questions = [cell.source for cell in cells_of(read(folder, name)) if cell.source.startswith("**Question.** ")]
    problems = [] if len(questions) == QUESTIONS else [f"{len(questions)} questions in the self-test, not {QUESTIONS}"]
    places = set()
    for question in questions:
        options, start = OPTION.findall(question), question.removeprefix("**Question.** ")[:40]
        marks = [mark for _, mark, _ in options]
        if len(options) < OPTIONS or len(options) != question.count("<details>") or marks.count("✓") != 1:
            problems.append(f"a question needs {OPTIONS} options or more, one ✓, and a reply to each: “{start}…”")
            continue
        places.add(marks.index("✓"))
    return problems + (["the right option always stands in the same place"] if len(places) == 1 else [])


def lesson_links_to_exercises(folder, name):
    """The section Exercises of the lesson links to both notebooks and names every exercise, in order."""
    cells = text.source_cells((folder / "source" / f"{name}.md").read_text(encoding="utf-8"))
    section = "".join(cell.source for cell in cells if cell.source.startswith("## Exercises"))
    links = [f"{kind}/{name}.ipynb" for kind in LEFT_OUT]
    problems = [f"the lesson does not link to {link}" for link in links if f"({link})" not in section]
    listed = re.findall(r"^\d+\. \*\*(.+)\*\* \(([a-z-]+)\)", section, re.MULTILINE)
    written = [(exercise.title, exercise.level) for exercise in exercises_of(read(folder, name))]
    return problems if listed == written else [*problems, f"the lesson lists {listed}, the exercises are {written}"]


def text_is_in_form(folder, name):
    """The rules of `tools.checks` and `tools.form` for prose and code hold."""
    written = _written(folder, name)
    problems = checks.numbers_are_bound(written) + checks.networks_have_their_name(written)
    for kind in LEFT_OUT:
        notebook = built(folder, name, kind)
        rules = [checks.cells_are_short, checks.code_is_plain, form.cells_have_names, form.teaching_cells_are_short]
        rules += [form.code_is_tidy, form.code_is_python, form.names_mean_one_thing, form.records_are_found]
        rules += [checks.figures_are_read, form.code_is_simple] * (kind == "solutions")
        problems += [f"{kind}: {problem}" for rule in rules for problem in rule(notebook)]
    return problems


def notebooks_are_built(folder, name):
    """Both notebooks are those of the text, and ran from top to bottom; blanks are blank, solutions right."""
    problems = []
    for kind in LEFT_OUT:
        notebook = built(folder, name, kind)
        rules = [checks.is_current, checks.ran_from_top_to_bottom, checks.outputs_are_clean]
        rules += [checks.pictures_are_small_and_described, checks.figures_are_for_slides, checks.notebook_is_small]
        problems += [f"{kind}: {problem}" for rule in rules for problem in rule(notebook)]
        for cell in checks.code_cells(notebook.notebook):
            for id in CHECK.findall(cell.source):
                printed = "".join(output.get("text", "") for output in cell.outputs)
                last = printed.strip().splitlines()[-1:]
                reply = UNANSWERED if kind == "exercises" else "✓ "
                if not (last and last[0].startswith(reply)):
                    problems.append(f"{kind}: the last line of {id} must begin with “{reply}”, got {last}")
    return problems


CHECKS = [
    levels_are_there,
    exercises_are_complete,
    starters_are_solutions_with_blanks,
    checks_are_registered,
    self_test_is_complete,
    lesson_links_to_exercises,
    text_is_in_form,
    notebooks_are_built,
]


# Building -------------------------------------------------------------------------------------------------------------


def main(arguments=None, folder=NOTEBOOKS):
    """Build the exercises and solutions of lessons; --check only says what is wrong; --format tidies the code."""
    parser = argparse.ArgumentParser(prog="python -m tools exercises", description=main.__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of names of lessons, such as 09; all when none is given")
    parser.add_argument("--check", action="store_true", help="run and write nothing, only say what is wrong")
    parser.add_argument("--format", action="store_true", help="tidy the code in the texts with ruff, run nothing")
    options = parser.parse_args(arguments)
    try:
        chosen = [name for name in build.chosen(folder, options.names) if name in names(folder)]
        if options.format:
            for name in chosen:
                form.tidy_code(_path(folder, name))
            return 0
        for name in [] if options.check else chosen:
            for kind in LEFT_OUT:
                notebook, figures, usage = build.executed(folder, f"{kind}/{name}", version(folder, name, kind))
                build.write_notebook(folder, f"{kind}/{name}", notebook, figures)
                print(f"{kind}/{name}: built in {usage.seconds:.0f} s with {usage.megabytes:.0f} MB", flush=True)
        found = [f"{name}: {problem}" for name in chosen for check in CHECKS for problem in check(folder, name)]
    except (build.BuildError, text.SourceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(found) if found else "no problems found")
    return 1 if found else 0
