"""A master for nbgrader, from the same text as the exercises: answers are graded by the course's own check.

`python -m tools grading FOLDER` writes ``FOLDER/source/NN_slug/NN_slug.ipynb`` and ``FOLDER/nbgrader_config.py``; the
rest (generate_assignment, autograde, generate_feedback) is nbgrader's, which this module does not need. Each exercise
has three cells that nbgrader knows:

- the *answer*: the starter, and between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` the solution;
- the *check*, locked: its hidden test fails unless the check says ✓;
- the *words*, graded by hand: why it is so, with the explanation of the solution as the model answer.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from pathlib import Path

import nbformat

from tools import NOTEBOOKS, build, checks, exercises, text

ANSWER, WORDS = 2, 1  # points for each five minutes that an exercise takes: for the answer, and for words
MINUTES_A_POINT = 5
BEGIN, END = "### BEGIN {}", "### END {}"
FIGURE = re.compile(r"(?<=\]\()\.\./(?P<path>figures/[^()\s]+)(?=\))")  # as the notebooks of the course link to it
HEAD = """# {number} · {title}: graded exercises

Put your answer in the place of each `...` and run the cell. The cell after it checks your answer: ◻ there is still a \
`...` somewhere; ✗ not yet, with a hint; ✓ right, and why it matters. Then say in your own words why it is so. Before \
you hand in, restart the kernel and run everything: what does not run from top to bottom cannot be graded."""
STATEMENT = """{heading}

*{level} · {minutes} minutes · {answer} points for the answer, {words} for your words*
{rest}"""
IN_WORDS = "**In your own words.** How did you find it, and why is it so? Two to five sentences."
HIDDEN_TEST = """import bnn_course.answers
import bnn_course.exercises

reply = bnn_course.exercises.verdict(bnn_course.answers.ANSWERS["{id}"], {answer})
assert reply.startswith("✓ "), reply"""
CONFIG = """# nbgrader reads this file when it runs in this folder. Its settings: https://nbgrader.readthedocs.io
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "bayesian_neural_networks"
c.ClearSolutions.code_stub = {"python": "# Your answer goes in the place of each ... above."}
c.ClearSolutions.text_stub = "(your words)"
c.Execute.timeout = 600  # seconds for one cell: some of them sample
"""


class GradingError(Exception):
    """A master that cannot be written; the message says why."""


# The notebook ---------------------------------------------------------------------------------------------------------


def points(level):
    """Return what an exercise is worth: points for its answer, points for its words."""
    fives = exercises.MINUTES[level] // MINUTES_A_POINT
    return ANSWER * fives, WORDS * fives


def master(folder, name):
    """Return the notebook from which nbgrader makes that of the students, solutions included."""
    source = exercises.read(folder, name)
    number = text.number_of(name)
    title = text.without_number(text.title_of((folder / "source" / f"{name}.md").read_text(encoding="utf-8")))
    cells = [_prose(HEAD.format(number=number, title=title))]
    cells += [_given(cell) for cell in _before_exercises(source)]
    for place, exercise in enumerate(exercises.exercises_of(source), 1):
        cells += _cells_of(exercise, place)
    claims = checks.read_lesson(folder, name).claims
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            cell.source = FIGURE.sub(r"\g<path>", text.without_markup(text.with_sentences(cell.source, claims)))
        cell["id"] = f"{number}-{place:03}"
    return nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(text.METADATA))


def _before_exercises(source):
    """Return what all exercises need: the cells before the first one, without the self-test."""
    cells = exercises.cells_of(source)
    first = next(place for place, cell in enumerate(cells) if "level" in cell.metadata)
    return [cell for cell in cells[:first] if "starter" not in text.tags(cell)]


def _cells_of(exercise, number):
    """Return the cells of an exercise: what is given, then answer, check and words."""
    answer, words = points(exercise.level)
    statement, *others = exercise.cells
    heading, _, rest = statement.source.partition("\n")
    facts = {"level": exercise.level.capitalize(), "minutes": exercises.MINUTES[exercise.level]}
    heading = heading.replace("## ", f"## {number} · ")
    cells = [_prose(STATEMENT.format(heading=heading, rest=rest, answer=answer, words=words, **facts))]
    cells += [_given(cell) for cell in others if not text.tags(cell) & {"starter", "solution"}]
    code = [cell for cell in others if cell.cell_type == "code"]
    (starter,) = [cell for cell in code if "starter" in text.tags(cell)]
    solution = next(cell for cell in code if "solution" in text.tags(cell))
    blanks, _, _ = _split(starter.source)
    solved, check, (id, checked) = _split(solution.source)
    test = _region("HIDDEN TESTS", HIDDEN_TEST.format(id=id, answer=checked))
    explained = [cell.source for cell in others if cell.cell_type == "markdown" and "solution" in text.tags(cell)]
    model_answer = _region("SOLUTION", "\n\n".join(explained))
    name = starter.metadata["name"]
    return [
        *cells,
        _code(f"{blanks}\n{_region('SOLUTION', solved)}", f"{name}-answer", solution=True),
        _code(f"{check}\n{test}", f"{name}-check", grade=True, locked=True, points=answer),
        _prose(f"{IN_WORDS}\n\n{model_answer}", _nbgrader(f"{name}-words", grade=True, solution=True, points=words)),
    ]


def _split(code):
    """Return the code without the check at its end, the check, and its arguments (id, what is checked)."""
    last = ast.parse(code).body[-1]
    lines = code.splitlines()
    before, check = lines[: last.lineno - 1], lines[last.lineno - 1 :]
    id, checked = last.value.args
    return "\n".join(before).rstrip(), "\n".join(check), (ast.literal_eval(id), ast.unparse(checked))


def _region(kind, content):
    return "\n".join([BEGIN.format(kind), content, END.format(kind)])


def _given(cell):
    """Return a cell that students read or run as it is: code is locked, so that grading runs it unchanged."""
    if cell.cell_type == "markdown":
        return _prose(cell.source)
    return _code(cell.source, f"{cell.metadata['name']}-given", locked=True)


def _prose(source, metadata=None):
    return nbformat.v4.new_markdown_cell(source, metadata=metadata or {})


def _code(source, grade_id, **kind):
    return nbformat.v4.new_code_cell(source, metadata=_nbgrader(grade_id, **kind))


def _nbgrader(grade_id, grade=False, solution=False, locked=False, **points):
    """Return the metadata by which nbgrader knows a cell (schema 3)."""
    kind = {"grade": grade, "solution": solution, "locked": locked, "task": False}
    return {"nbgrader": {"schema_version": 3, "grade_id": grade_id, **kind, **points}}


# Writing --------------------------------------------------------------------------------------------------------------


def files(folder, name):
    """Return what belongs to an assignment: {path in the course directory of nbgrader: content}."""
    notebook = master(folder, name)
    place = Path("source") / name
    linked = {path for cell in exercises.cells_of(exercises.read(folder, name)) for path in FIGURE.findall(cell.source)}
    figures = {place / path: (folder / path).read_bytes() for path in sorted(linked)}
    return {place / f"{name}.ipynb": nbformat.writes(notebook).encode() + b"\n"} | figures


def write(target, contents):
    """Write files into a folder; what somebody has changed there since is not overwritten."""
    there = [path for path in contents if (target / path).exists()]
    if changed := [path for path in there if (target / path).read_bytes() != contents[path]]:
        raise GradingError(
            f"{target / changed[0]} exists and is not what would be written: move it away, or name another folder"
        )
    for path, content in contents.items():
        build.write(target / path, content)


def main(arguments=None, folder=NOTEBOOKS):
    """Write masters of the exercises for nbgrader into a folder: python -m tools grading FOLDER [01 02 …]."""
    parser = argparse.ArgumentParser(prog="python -m tools grading", description=main.__doc__)
    parser.add_argument("target", type=Path, help="the course directory of nbgrader; it is made if there is none")
    parser.add_argument("names", nargs="*", help="beginnings of names of lessons, such as 02; all when none is given")
    options = parser.parse_args(arguments)
    try:
        chosen = [name for name in build.chosen(folder, options.names) if name in exercises.names(folder)]
        if not chosen:
            known = ", ".join(exercises.names(folder))
            raise GradingError(f"lesson must be one with exercises ({known}), got {' '.join(options.names)}: name one")
        contents = {Path("nbgrader_config.py"): CONFIG.encode()}
        for name in chosen:
            contents |= files(folder, name)
        write(options.target, contents)
    except (GradingError, build.BuildError, text.SourceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"cd {options.target} && nbgrader generate_assignment {name}" for name in chosen))
    return 0
