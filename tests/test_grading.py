"""The master for nbgrader: it is in nbgrader's form, and right, wrong and missing answers get their points."""

import copy
import csv
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bnn_course.answers import ANSWERS
from tools import NOTEBOOKS, build, checks, exercises, grading, text

NAMES = exercises.names(NOTEBOOKS)
LESSON = "# 01 · Tiny\n"
TEXT = """---
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

+++ {"tags": ["starter"]}

**Question.** Is this graded?

+++

## Before you start

```{code-cell} ipython3
:name: setup
import numpy as np
from bnn_course.exercises import check
```

+++ {"level": "warm-up", "special": "predict, then run"}

## Again

How ill? See ![A table.](../figures/solutions/01/table.svg)

```{code-cell} ipython3
:name: second-test
:tags: [starter]
share = ...
check("01-second-test", share)
```

```{code-cell} ipython3
:name: second-test
:tags: [solution]
share = 16.2 / (16.2 + 2.45)
check("01-second-test", share)
```

```{code-cell} ipython3
:name: shown
:tags: [solution]
print("more")
```

+++ {"tags": ["solution"]}

Nearly sure.

+++ {"level": "core"}

## Too low

```{code-cell} ipython3
:name: lost-width
:tags: [starter]
def repaired(theta, likelihood, prior):
    return ...


check("01-lost-width", repaired)  # a function
```

```{code-cell} ipython3
:name: lost-width
:tags: [solution]
def repaired(theta, likelihood, prior):
    product = likelihood * prior
    return product / (np.sum(product) * (theta[1] - theta[0]))


check("01-lost-width", repaired)  # a function
```

+++ {"tags": ["solution"]}

Per length.
"""
# What three students hand in, in the place of the solutions: (share, what the function returns)
STUDENTS = {
    "right": ("16.2 / 18.65", "likelihood * prior / np.sum(likelihood * prior) / (theta[1] - theta[0])"),
    "wrong": ("18 / 67", "likelihood * prior / np.sum(likelihood * prior)"),
    "half": ("0.8686", "1 / 0"),
}
SCORES = {"right": [2, 6], "wrong": [0, 0], "half": [2, 0], "blank": [0, 0]}


@pytest.fixture
def tiny(tmp_path):
    """The folder of a course with one lesson and two exercises."""
    folder = tmp_path / "notebooks"
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "01_tiny.md").write_text(LESSON, encoding="utf-8")
    (folder / "source" / "01_tiny.exercises.md").write_text(TEXT, encoding="utf-8")
    (folder / "figures/solutions/01").mkdir(parents=True)
    (folder / "figures/solutions/01/table.svg").write_text("<svg/>", encoding="utf-8")
    return folder


def kinds(notebook, key):
    """The cells of which nbgrader's metadata say so, by grade id."""
    return {c.metadata.nbgrader.grade_id: c for c in notebook.cells if c.metadata.get("nbgrader", {}).get(key)}


def without(kind, source, instead=""):
    return re.sub(rf"### BEGIN {kind}\n.*?### END {kind}", instead, source, flags=re.DOTALL)


def handed_in(notebook, student):
    """The notebook as a student hands it in: what nbgrader takes out is gone, and the blanks are filled."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = without("HIDDEN TESTS", without("SOLUTION", cell.source, "# here")).rstrip()
    if student != "blank":
        share, density = STUDENTS[student]
        answers = kinds(notebook, "solution")
        answers["second-test-answer"].source = f"share = {share}"
        answers["lost-width-answer"].source = answers["lost-width-answer"].source.replace("...", density)
        answers["lost-width-words"].source = "Because a density is per length."
    if student == "wrong":  # and tries to change what judges
        kinds(notebook, "locked")["second-test-check"].source = "print('✓ ')"
    return notebook


# The form -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_master_is_in_the_form_of_nbgrader(name):
    """The rules of nbgrader's schema 3: keys, types, and which kinds of cells there are."""
    notebook = grading.master(NOTEBOOKS, name)
    nbformat.validate(notebook)
    found = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    ids = [cell.metadata.nbgrader.grade_id for cell in found]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-zA-Z0-9_-]+", id) for id in ids)
    for cell in found:
        known = dict(cell.metadata.nbgrader)
        assert set(known) - {"points"} == {"schema_version", "grade_id", "grade", "solution", "locked", "task"}
        assert known["schema_version"] == 3 and known["task"] is False
        assert ("points" in known) == known["grade"] and known.get("points", 1) > 0
        assert known["locked"] != known["solution"], "what is locked is given, what is not is the student's"
        if cell.cell_type == "markdown":
            assert known["grade"] and known["solution"], "nbgrader grades prose by hand only"
        assert ("### BEGIN SOLUTION" in cell.source) == known["solution"]
        assert ("### BEGIN HIDDEN TESTS" in cell.source) == (known["grade"] and cell.cell_type == "code")


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_answer_check_and_words(name):
    notebook = grading.master(NOTEBOOKS, name)
    graded, solutions = kinds(notebook, "grade"), kinds(notebook, "solution")
    places = {id: place for place, id in enumerate(graded)}
    written = exercises.exercises_of(exercises.read(NOTEBOOKS, name))
    for exercise in written:
        (starter,) = [c for c in exercise.cells if c.cell_type == "code" and "starter" in text.tags(c)]
        cell = starter.metadata.name
        answer, words = grading.points(exercise.level)
        assert graded[f"{cell}-check"].metadata.nbgrader.points == answer
        assert graded[f"{cell}-words"].metadata.nbgrader.points == words
        assert f'check("{text.number_of(name)}-{cell}"' in graded[f"{cell}-check"].source
        assert f'ANSWERS["{text.number_of(name)}-{cell}"]' in graded[f"{cell}-check"].source
        blanks, solved = solutions[f"{cell}-answer"].source.split("### BEGIN SOLUTION")
        assert starter.source.startswith(blanks.rstrip()) and "..." in blanks and "check(" not in blanks + solved
        assert places[f"{cell}-words"] == places[f"{cell}-check"] + 1
    assert len(graded) == 2 * len(written)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_the_students_version_says_the_answer(name):
    """Once nbgrader has taken out its regions, no solution is left, nor markup, nor a link that leads nowhere."""
    left = [cell.source for cell in handed_in(grading.master(NOTEBOOKS, name), "blank").cells]
    solved = [c.source for c in exercises.cells_of(exercises.read(NOTEBOOKS, name)) if "solution" in text.tags(c)]
    assert not set(left) & set(solved)
    page = "\n".join(left)
    assert "BEGIN" not in page and "ANSWERS" not in page and "](../" not in page
    assert text.BOUND.findall(page) == [] and text.SENTENCE.findall(page) == []
    linked = set(re.findall(r"\]\((figures/[^)]+)\)", page))
    assert linked <= {path.relative_to(f"source/{name}").as_posix() for path in grading.files(NOTEBOOKS, name)}


# Grading --------------------------------------------------------------------------------------------------------------


def scores(notebook, graded, folder):
    """Run what was handed in with the checks of the master, as nbgrader does: an error in a check costs its points."""
    notebook = copy.deepcopy(notebook)
    for id, cell in kinds(notebook, "locked").items():
        cell.source = kinds(graded, "locked")[id].source
    for cell in checks.code_cells(notebook):
        cell.metadata["tags"] = ["raises-exception"]
    build.run(notebook, folder)
    results = []
    for cell in kinds(notebook, "grade").values():
        if cell.cell_type == "code":
            failed = any(output.output_type == "error" or output.get("name") == "stderr" for output in cell.outputs)
            results.append(0 if failed else cell.metadata.nbgrader.points)
    return results


@pytest.mark.parametrize("student", SCORES)
def test_answers_are_graded_as_they_should_be(tiny, student):
    master = grading.master(tiny, "01_tiny")
    assert scores(handed_in(master, student), master, tiny) == SCORES[student]


def test_the_solutions_of_the_master_get_all_points(tiny):
    master = grading.master(tiny, "01_tiny")
    assert scores(master, master, tiny) == SCORES["right"]


def test_the_first_exercises_of_a_lesson_grade_right_and_wrong(tmp_path):
    """The same with real exercises: the first two of lesson 01, which need no sampling."""
    master = grading.master(NOTEBOOKS, "01_bayes_theorem_and_map")
    last = next(place for place, cell in enumerate(master.cells) if "## 3 · " in cell.source)
    master.cells = master.cells[:last]
    wrong = copy.deepcopy(master)
    (first, *_) = [cell for id, cell in kinds(wrong, "solution").items() if id.endswith("-answer")]
    name = first.source.partition(" ")[0]
    first.source = f"{name} = {ANSWERS['01-second-test'].wrong[0][0]!r}"
    assert scores(master, master, tmp_path) == [2, 2] and scores(wrong, master, tmp_path) == [0, 2]


# The command ----------------------------------------------------------------------------------------------------------


def test_the_command_writes_a_course_directory(tiny, tmp_path, capsys):
    target = tmp_path / "graded"
    assert grading.main([str(target), "01"], tiny) == 0
    assert capsys.readouterr().out == f"cd {target} && nbgrader generate_assignment 01_tiny\n"
    written = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assignment = ["01_tiny.ipynb", "figures/solutions/01/table.svg"]
    assert written == ["nbgrader_config.py", *(f"source/01_tiny/{path}" for path in assignment)]
    assert nbformat.read(target / "source/01_tiny/01_tiny.ipynb", as_version=4) == grading.master(tiny, "01_tiny")
    assert grading.main([str(target)], tiny) == 0, "writing the same again does no harm"


def test_what_a_teacher_has_changed_is_not_overwritten(tiny, tmp_path, capsys):
    target = tmp_path / "graded"
    grading.main([str(target)], tiny)
    config = target / "nbgrader_config.py"
    config.write_text("# mine\n", encoding="utf-8")
    assert grading.main([str(target)], tiny) == 1 and config.read_text(encoding="utf-8") == "# mine\n"
    assert "nbgrader_config.py exists and is not what would be written: move it away" in capsys.readouterr().err


def test_a_lesson_without_exercises_is_refused(tmp_path, capsys):
    without_any = next(name for name in checks.lesson_names(NOTEBOOKS) if name not in NAMES)
    assert grading.main([str(tmp_path / "graded"), without_any], NOTEBOOKS) == 1
    assert "lesson must be one with exercises (00_" in capsys.readouterr().err and not (tmp_path / "graded").exists()


# With nbgrader itself -------------------------------------------------------------------------------------------------


def nbgrader(folder, *words):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # it calls alembic by its name
    command = [sys.executable, "-m", "nbgrader", *words]
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(importlib.util.find_spec("nbgrader") is None, reason="nbgrader is not installed")
def test_nbgrader_generates_grades_and_gives_feedback(tiny, tmp_path):
    target = tmp_path / "graded"
    grading.main([str(target)], tiny)
    nbgrader(target, "generate_assignment", "01_tiny")
    path = "01_tiny/01_tiny.ipynb"
    released = (target / "release" / path).read_text(encoding="utf-8")
    assert "16.2" not in released and "Nearly sure" not in released and "HIDDEN" not in released
    assert "YOUR CODE HERE" not in released and "NotImplementedError" not in released
    for student in SCORES:
        notebook = nbformat.reads(released, as_version=4)
        if student != "blank":
            notebook = handed_in(notebook, student)
        submitted = target / "submitted" / student / path
        submitted.parent.mkdir(parents=True)
        nbformat.write(notebook, submitted)
    nbgrader(target, "autograde", "01_tiny", "--create")
    nbgrader(target, "generate_feedback", "01_tiny")
    nbgrader(target, "export")
    with open(target / "grades.csv", encoding="utf-8", newline="") as file:
        graded = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert graded == {student: sum(points) for student, points in SCORES.items()}
    feedback = (target / "feedback" / "wrong" / "01_tiny" / "01_tiny.html").read_text(encoding="utf-8")
    assert ANSWERS["01-second-test"].wrong[0][1] in feedback, "feedback shows the hint for what was handed in"
