"""What the registry of answers says about an exercise, and how an answer of each kind is read as arrays.

Whatever an answer is, reading turns it into a list of arrays; answers are the same when their arrays are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bnn_course._checks import Array, present

Parts = list[Array]
TRIES = 20  # how often a function is called


class Blank(Exception):
    """An answer in which ``...`` is still there."""


class Unreadable(Exception):
    """An answer of the wrong kind; the message is a sentence for the student."""


def numbers(answer: Any) -> Parts:
    """Read a number, a word, or an array of either."""
    _refuse_blank(answer)
    if answer is None or callable(answer):
        kind = "nothing (None)" if answer is None else "a function"
        raise Unreadable(f"This is {kind}, and a number, a word or an array of them is wanted.")
    try:
        part = present(answer, "your answer")
    except (TypeError, ValueError) as error:
        raise Unreadable(f"I cannot read this as a number or an array: {first_line(error)}.") from None
    if part.dtype.kind not in "biufU":
        kind = type(answer).__name__
        raise Unreadable(f"A number, a word or an array of them is wanted, and this is of type {kind}.")
    return [part]


def calls(arguments: Callable[[np.random.Generator], tuple[Any, ...]], times: int = TRIES) -> Callable[[Any], Any]:
    """Read a function by what it returns for random arguments, the same ones for every answer."""

    def read(answer: Any) -> Parts:
        _refuse_blank(answer)
        if not callable(answer):
            kind = type(answer).__name__
            raise Unreadable(f"A function is wanted, and this is of type {kind}: hand over its name, without brackets.")
        rng = np.random.default_rng(0)
        parts: Parts = []
        for _ in range(times):
            try:
                returned = answer(*arguments(rng))
            except Exception as error:
                problem = f"{type(error).__name__}: {first_line(error)}"
                raise Unreadable(f"Your function stops ({problem}). Call it yourself, with small arguments.") from None
            if returned is None:
                raise Unreadable("Your function returns nothing: end it with a return.")
            parts += numbers(returned)
        return parts

    return read


def curve(places: ArrayLike) -> Callable[[Any], Any]:
    """Read a drawing by the height of its first line at these places along the horizontal axis."""

    def read(answer: Any) -> Parts:
        _refuse_blank(answer)
        if not hasattr(answer, "get_lines"):
            raise Unreadable(f"A drawing is wanted, and this is of type {type(answer).__name__}: hand over its ax.")
        lines = answer.get_lines()
        if not lines:
            raise Blank
        x, y = np.asarray(lines[0].get_xdata(), float), np.asarray(lines[0].get_ydata(), float)
        order = np.argsort(x)
        return [np.interp(np.asarray(places, float), x[order], y[order], left=np.inf, right=np.inf)]

    return read


def first_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _refuse_blank(answer: Any) -> None:
    """Raise `Blank` where ``...`` is still there, alone or in a list or an array."""
    if answer is ...:
        raise Blank
    if isinstance(answer, np.ndarray):
        answer = answer.ravel().tolist() if answer.dtype.kind == "O" else []
    for part in answer if isinstance(answer, list | tuple) else []:
        _refuse_blank(part)


class Answer(NamedTuple):
    """The right answer of an exercise, and the wrong ones that people give.

    Attributes
    ----------
    right : number, word, array or function
        Or whatever `read` understands.
    why : str
        One sentence: why it matters. It is shown with the tick.
    wrong : sequence of (answer, hint)
        Misconceptions, in the order in which they are looked for. NaN in an array stands for any number.
    within : float or array
        Largest absolute difference from the right answer, or from a wrong one.
    read : function of an answer
        `numbers`, `calls` or `curve`.
    feature : function of the arrays read, optional
        What counts, where many answers are right.
    """

    right: Any
    why: str
    wrong: Sequence[tuple[Any, str]]
    within: ArrayLike = 1e-9
    read: Callable[[Any], Parts] = numbers
    feature: Callable[..., Any] | None = None
