"""Exercises: what `check` replies to right, wrong, strange and missing answers, and that texts and notebooks agree."""

import re
import shutil

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from bnn_course._answer import Answer, calls, curve
from bnn_course.answers import ANSWERS
from bnn_course.claims import NUMBER
from bnn_course.exercises import OTHERWISE, UNANSWERED, check, verdict
from tools import NOTEBOOKS, checks, exercises, text

EXERCISES = pytest.mark.parametrize("id", ANSWERS)
STRANGE = ["two", ["one", 2], [], [[1], [1, 2]], {"a": 1}, None, np.nan, 1j, len, object(), b"1", np.ma.masked]


def reply(capsys, id, answer):
    check(id, answer)
    (line,) = capsys.readouterr().out.splitlines()
    return line


# The registry ---------------------------------------------------------------------------------------------------------


@EXERCISES
def test_the_right_answer_is_told_why_it_matters(id, capsys):
    assert reply(capsys, id, ANSWERS[id].right) == f"✓ {ANSWERS[id].why}"


@EXERCISES
def test_each_wrong_answer_gets_its_own_hint(id, capsys):
    wrong = ANSWERS[id].wrong
    assert len(wrong) >= 2 and len({hint for _, hint in wrong}) == len(wrong)
    for answer, hint in wrong:
        assert reply(capsys, id, answer) == f"✗ {hint}"


@EXERCISES
def test_what_nobody_has_answered_is_neither_right_nor_wrong(id, capsys):
    for blank in (..., [...], [1, ...], np.array([..., 1])) if ANSWERS[id].read.__name__ == "numbers" else (...,):
        assert reply(capsys, id, blank) == UNANSWERED


@EXERCISES
def test_a_strange_answer_gets_a_sentence(id, capsys):
    for answer in STRANGE:
        assert re.fullmatch(r"✗ \S.*[.?!]", reply(capsys, id, answer))
        capsys.readouterr()


@EXERCISES
def test_no_hint_says_the_answer(id):
    answer = ANSWERS[id]
    if callable(answer.right) or hasattr(answer.right, "get_lines") or answer.feature is not None:
        return
    if np.asarray(answer.right).dtype.kind == "U":  # words, of which a hint may have to speak
        return
    said = {text.quantity(number) for _, hint in answer.wrong for number in NUMBER.findall(hint)}
    values = {float(value) / (100 if percent else 1) for value, percent in said - {None}}
    right = {float(value) for value in np.ravel(answer.right)} - {0, 1}  # too common to give anything away
    assert not values & right


def test_an_exercise_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="id must be that of an exercise, got '99-nothing': write it as"):
        check("99-nothing", 1)


# How answers are read -------------------------------------------------------------------------------------------------

NUMERIC = Answer(right=[0.5, 2], within=0.01, why="Why.", wrong=[([2, np.nan], "The first."), ([0, 0], "Both.")])
FUNCTION = Answer(right=np.square, read=calls(lambda rng: (rng.normal(size=3),)), why="Why.", wrong=[(np.abs, "No.")])


def drawn(*heights):
    ax = plt.figure().add_subplot()
    ax.plot(np.arange(len(heights)), heights)
    return ax


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


DRAWING = Answer(right=drawn(0, 1, 2), read=curve([0, 1, 2]), why="Why.", wrong=[(drawn(2, 1, 0), "Falls.")])
WORD = Answer(right="Gibbs", why="Why.", wrong=[("HMC", "No axes.")])
ANY_EVEN = Answer(right=2, feature=lambda number: number % 2, why="Why.", wrong=[(1, "Odd.")])

CASES = {
    "within the tolerance": (NUMERIC, (0.505, 1.995), "✓ Why."),
    "beyond the tolerance": (NUMERIC, [0.52, 2], f"✗ {OTHERWISE}"),
    "NaN in a pattern stands for any number": (NUMERIC, [2, 17], "✗ The first."),
    "but NaN is no right answer": (NUMERIC, [0.5, np.nan], f"✗ {OTHERWISE}"),
    "another shape": (NUMERIC, 1.0, "✗ An array of shape (2,) is wanted here, and this is a single number."),
    "a word for a number": (NUMERIC, ["a", "b"], "✗ A number is wanted here, not a word."),
    "a right function": (FUNCTION, lambda x: x * x, "✓ Why."),
    "a known wrong function": (FUNCTION, lambda x: np.sqrt(x * x), "✗ No."),
    "a stub": (FUNCTION, lambda x: ..., UNANSWERED),
    "a stub in parts": (FUNCTION, lambda x: (x, ...), UNANSWERED),
    "a function that returns nothing": (
        FUNCTION,
        lambda x: None,
        "✗ Your function returns nothing: end it with a return.",
    ),
    "a function of another shape": (
        FUNCTION,
        lambda x: 1.0,
        "✗ An array of shape (3,) is wanted here, and this is a single number.",
    ),
    "a function that raises": (
        FUNCTION,
        lambda x: 1 // 0,
        "✗ Your function stops (ZeroDivisionError: integer division or modulo by zero). Call it yourself, with small "
        "arguments.",
    ),
    "a number for a function": (
        FUNCTION,
        1,
        "✗ A function is wanted, and this is of type int: hand over its name, without brackets.",
    ),
    "a drawing with the right curve": (DRAWING, drawn(0, 1, 2, 3), "✓ Why."),
    "a curve that ends too early": (DRAWING, drawn(0, 1), f"✗ {OTHERWISE}"),
    "a known wrong curve": (DRAWING, drawn(2, 1, 0), "✗ Falls."),
    "an empty drawing": (DRAWING, plt.Figure().add_subplot(), UNANSWERED),
    "no drawing": (DRAWING, 3, "✗ A drawing is wanted, and this is of type int: hand over its ax."),
    "a drawing of no points": (
        DRAWING,
        drawn(),
        "✗ This cannot be judged (array of sample points is empty): look again at what is asked for.",
    ),
    "a word": (WORD, "Gibbs", "✓ Why."),
    "a wrong word": (WORD, "HMC", "✗ No axes."),
    "a number for a word": (WORD, 1, "✗ A word is wanted here."),
    "one of many right answers": (ANY_EVEN, 4, "✓ Why."),
    "one of many wrong answers": (ANY_EVEN, 5, "✗ Odd."),
}


@pytest.mark.parametrize("exercise, answer, said", CASES.values(), ids=CASES)
def test_verdict(exercise, answer, said):
    assert verdict(exercise, answer) == said


def test_a_feature_that_cannot_be_computed_gets_a_sentence():
    first = Answer(right=[1], feature=lambda values: values[1], why="Why.", wrong=[])._replace(right=[1, 2])
    assert verdict(first, [3]).startswith("✗ This cannot be judged (index 1 is out of bounds")


def test_an_error_of_several_lines_gets_one():
    def stops(x):
        raise ValueError("The first.\nThe second.")

    said = "✗ Your function stops (ValueError: The first.). Call it yourself, with small arguments."
    assert verdict(FUNCTION, stops) == said


def test_two_checks_of_a_function_use_the_same_arguments():
    seen = []
    for _ in range(2):
        verdict(FUNCTION, lambda x: seen.append(x) or x * x)
    assert np.array_equal(seen[: len(seen) // 2], seen[len(seen) // 2 :])


# Texts and notebooks --------------------------------------------------------------------------------------------------


def test_every_answer_belongs_to_a_lesson_with_exercises():
    numbers = {text.number_of(name) for name in exercises.names(NOTEBOOKS)}
    assert {id.partition("-")[0] for id in ANSWERS} == numbers


NAME = "01_bayes_theorem_and_map"
WARM_UP = '+++ {"level": "warm-up"}'
SPOILT = {  # what is broken: (rule, in the text of the lesson?, old, new, what is said)
    "a level is missing": (
        exercises.levels_are_there,
        WARM_UP,
        '+++ {"level": "core"}',
        "0 exercises of level warm-up",
    ),
    "an unknown level": (exercises.levels_are_there, WARM_UP, '+++ {"level": "easy"}', "got 'easy'"),
    "no prediction": (exercises.levels_are_there, ', "special": "predict, then run"', "", "no exercise is “predict"),
    "no hint": (exercises.exercises_are_complete, "<b>Hint</b>", "<b>More</b>", "there is no folded hint"),
    "no explanation": (
        exercises.exercises_are_complete,
        '+++ {"tags": ["solution"]}',
        "+++",
        "nothing explains the solution",
    ),
    "no starter": (exercises.exercises_are_complete, ":tags: [starter]", ":tags: []", "there must be one starter"),
    "a starter that is no part of the solution": (
        exercises.starters_are_solutions_with_blanks,
        "fewest = ...",
        "least = ...",
        "hundred-flips: the starter is not the solution with blanks",
    ),
    "a starter without a blank": (
        exercises.starters_are_solutions_with_blanks,
        "ill_after_two = ...",
        "ill_after_two = 18 * 0.9 / (18 * 0.9 + 49 * 49 / 980)",
        "second-test: there is no blank",
    ),
    "a check of another exercise": (
        exercises.checks_are_registered,
        'check("01-second-test"',
        'check("01-three-tails"',
        "must check 01-second-test, the answer of its name, once, got ['01-three-tails']",
    ),
    "an answer that is not used": (
        exercises.checks_are_registered,
        'check("01-second-test"',
        'check("01-second"',
        "01-second-test has an answer and no exercise",
    ),
    "a question is missing": (exercises.self_test_is_complete, "**Question.** Two models", "Two models", "4 questions"),
    "two right options": (exercises.self_test_is_complete, "✗ It is a density", "✓ It is a density", "one ✓"),
    "an option without a reply": (exercises.self_test_is_complete, "✗ It is a density", "It is a density", "a reply"),
    "a number that nothing proves": (
        exercises.text_is_in_form,
        "hardly more than half",
        "54 %",
        "number without claim",
    ),
    "untidy code": (exercises.text_is_in_form, "log_fair = ...", "log_fair=...", "code is not tidy"),
    "a name with two meanings": (exercises.text_is_in_form, "top_of_tails", "theta", "means different things"),
    "an edit after the build": (exercises.notebooks_are_built, "Three flips,", "Four flips,", "stale at cell"),
}


@pytest.fixture
def copied(tmp_path):
    """The text, the lesson and both notebooks of one lesson, to be broken."""
    for path in [*NOTEBOOKS.glob(f"**/{NAME}*.md"), *NOTEBOOKS.glob(f"**/{NAME}.ipynb")]:
        copy = tmp_path / path.relative_to(NOTEBOOKS)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
    return tmp_path


@pytest.mark.parametrize("rule, old, new, said", SPOILT.values(), ids=SPOILT)
def test_a_broken_text_is_noticed(copied, rule, old, new, said):
    path = copied / "source" / f"{NAME}.exercises.md"
    source = path.read_text(encoding="utf-8")
    assert old in source and rule(copied, NAME) == []
    path.write_text(source.replace(old, new), encoding="utf-8")
    assert any(said in problem for problem in rule(copied, NAME)), rule(copied, NAME)


def test_a_lesson_that_lists_other_exercises_is_noticed(copied):
    path = copied / "source" / f"{NAME}.md"
    path.write_text(path.read_text(encoding="utf-8").replace("**Three tails** (warm-up)", "**Three tails** (core)"))
    assert "the lesson lists" in exercises.lesson_links_to_exercises(copied, NAME)[0]


@pytest.mark.parametrize("kind, old, new", [("exercises", "◻", "✗"), ("solutions", "✓", "✗")])
def test_a_wrong_reply_in_a_notebook_is_noticed(copied, kind, old, new):
    path = copied / kind / f"{NAME}.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace(f"{old} ", f"{new} "), encoding="utf-8")
    assert any(
        "the last line of 01-second-test must begin with" in p for p in exercises.notebooks_are_built(copied, NAME)
    )


TINY = """---
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

```{code-cell} ipython3
:name: setup
from bnn_course.exercises import check
```

+++ {"level": "core", "special": "find the fault"}

## Again

How ill?

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

+++ {"tags": ["solution"]}

Nearly sure.
"""


def test_one_text_becomes_a_notebook_with_blanks_and_one_with_solutions(course):
    (course / "source" / "01_tiny.exercises.md").write_text(TINY, encoding="utf-8")
    assert exercises.names(course) == ["01_tiny"] and checks.lesson_names(course) == ["00_start", "01_tiny"]
    assert exercises.main(["01"], course) == 1  # the text lacks most of what exercises must have
    seen = {}
    for kind in ("exercises", "solutions"):
        notebook = nbformat.read(course / kind / "01_tiny.ipynb", as_version=4)
        seen[kind] = "\n".join(cell.source for cell in notebook.cells)
        assert f"# 01 · Tiny: {kind}" in seen[kind] and "[the lesson](../01_tiny.ipynb)" in seen[kind]
        assert "## 1 · Again\n\n*Core · 15 minutes · find the fault*\n\nHow ill?" in seen[kind]
        (output,) = [cell.outputs[0].text for cell in checks.code_cells(notebook) if cell.outputs]
        assert output.startswith("◻ Not answered yet." if kind == "exercises" else "✓ ")
    assert "16.2" not in seen["exercises"] and "Nearly sure." not in seen["exercises"]
    assert "..." not in seen["solutions"] and "Nearly sure." in seen["solutions"]
    assert exercises.notebooks_are_built(course, "01_tiny") == []
