"""Check an answer to an exercise, and say something useful about it.

The right answers, and the wrong ones that people give, stand in `bnn_course.answers`; nothing of them stands in a
notebook.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bnn_course._answer import Answer, Blank, Parts, Unreadable, first_line
from bnn_course._checks import Array
from bnn_course.answers import ANSWERS

UNANSWERED = "◻ Not answered yet."
OTHERWISE = "Not yet. Unfold the hint, or look at the section again."


def check(id: str, answer: object) -> None:
    """Print ✓ with why it matters, ✗ with a hint for this wrong answer, or ◻ where a blank is still there.

    Parameters
    ----------
    id : str
        The exercise: two digits of the lesson and words, as in "02-accept".
    answer : number, word, array, function or axes
        What the exercise asks for. Whatever is handed over, the reply is one line.

    Raises
    ------
    ValueError
        If there is no exercise `id`.

    Examples
    --------
    >>> check("02-accept", ...)
    ◻ Not answered yet.
    """
    if id not in ANSWERS:
        raise ValueError(f"id must be that of an exercise, got {id!r}: write it as the notebook did, {sorted(ANSWERS)}")
    print(verdict(ANSWERS[id], answer))


def verdict(exercise: Answer, answer: object) -> str:
    """Return what `check` prints about an answer.

    Parameters
    ----------
    exercise : Answer
        What is known about the exercise.
    answer : object
        As for `check`.
    """
    try:
        given = _seen(exercise, answer)
    except Blank:
        return UNANSWERED
    except Unreadable as problem:
        return f"✗ {problem}"
    right = _seen(exercise, exercise.right)
    if _same(given, right, exercise.within):
        return f"✓ {exercise.why}"
    for wrong, hint in exercise.wrong:
        if _same(given, _seen(exercise, wrong), exercise.within, wildcard=True):
            return f"✗ {hint}"
    return f"✗ {_form(given, right) or OTHERWISE}"


def _seen(exercise: Answer, answer: Any) -> Parts:
    """Return what counts of an answer."""
    try:
        parts = exercise.read(answer)
        return parts if exercise.feature is None else [np.asarray(exercise.feature(*parts))]
    except (Blank, Unreadable):
        raise
    except Exception as error:  # whatever an answer contains, the student gets a sentence
        raise Unreadable(f"This cannot be judged ({first_line(error)}): look again at what is asked for.") from None


def _same(given: Parts, target: Parts, within: ArrayLike, wildcard: bool = False) -> bool:
    """Say whether all arrays agree; with `wildcard`, NaN in the target agrees with any number."""
    return len(given) == len(target) and all(
        _form([one], [other]) == "" and _near(one, other, within, wildcard)
        for one, other in zip(given, target, strict=True)
    )


def _near(given: Array, target: Array, within: ArrayLike, wildcard: bool) -> bool:
    if given.dtype.kind == "U":
        return bool((given == target).all())
    near = np.isclose(given.astype(float), target.astype(float), rtol=1e-9, atol=within)
    return bool((near | np.isnan(target.astype(float)) if wildcard else near).all())


def _form(given: Parts, right: Parts) -> str:
    """Return what is wrong with the form of an answer, or ""."""
    for one, other in zip(given, right, strict=False):
        if (one.dtype.kind == "U") != (other.dtype.kind == "U"):
            return "A word is wanted here." if other.dtype.kind == "U" else "A number is wanted here, not a word."
        if one.shape != other.shape:
            return f"{_described(other.shape)} is wanted here, and this is {_described(one.shape).lower()}."
    return ""


def _described(shape: tuple[int, ...]) -> str:
    return f"An array of shape {shape}" if shape else "A single number"
