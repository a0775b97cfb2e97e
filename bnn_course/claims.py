"""A claim is a sentence, a value and a bound: one line when it is true, an error when it is not.

The line is the same on every machine: it shows the bound, never the value. The numbers in the sentence are filled in
from the bounds, so that what is said and what is tested cannot drift apart.
"""

from __future__ import annotations

import re
import string

import numpy as np

from bnn_course._checks import real_number

IDENTIFIER = re.compile(r"\d\d-[a-z][a-z0-9]*(-[a-z0-9]+)*")
# A number in a text: 97.7 %, 10 000, .0573, 1e-6; but nothing that is glued to a letter (S14, 3D).
NUMBER = re.compile(
    r"(?<!\w)(?<!\d\.)(?:(?:\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+|\d+)(?:[.,]\d+)*|(?<!\.)\.\d+)"
    r"(?:[eE][+−-]?\d+)?(?!\w)(?:[ \u00a0\u2009\u202f]?%)?"
)
LINE = re.compile(r"^✓ (?P<sentence>.+)  \[(?P<id>[a-z0-9-]+)\]$", re.MULTILINE)

_sentences = {}  # id -> sentence, of the claims made so far in this process


class ClaimError(AssertionError):
    """A claim that turned out false."""


def claim(id, sentence, value, *, at_least=None, at_most=None, equal_to=None, within=None, **settings):
    """Print one line if the claim is true, raise `ClaimError` if it is false.

    Parameters
    ----------
    id : str
        ``NN-words-with-hyphens``; NN is the number of the lesson.
    sentence : str
        What is claimed, with a field for each number: ``{bound}`` for `at_least`, `at_most` or `equal_to`; ``{low}``
        and ``{high}`` where `at_least` and `at_most` are both given; ``{within}``; and the names of `settings`.
        The fields take format specifications, as in ``{bound:.1%}``. No number may be typed.
    value : float, bool, or array of any shape
        Without a bound: bool. With a bound: numbers. All elements must satisfy the claim.
    at_least, at_most : float, optional
        Ends of the closed interval in which the value must lie.
    equal_to : float or array, optional
        What the value must equal, up to `within`.
    within : float, optional
        Largest absolute difference from `equal_to`.
    **settings : int or float
        Other numbers of the sentence, such as ``n=10_000`` for the field ``{n:,}``.

    Raises
    ------
    ClaimError
        If an element of `value` misses the bound, is NaN or infinite, or if there is none.
    ValueError, TypeError
        If the claim is not well put: see the message.

    Examples
    --------
    >>> claim("09-accuracy", "Test accuracy of every seed is at least {bound:.1%}", [0.981, 0.979], at_least=0.977)
    ✓ Test accuracy of every seed is at least 97.7 %  [09-accuracy]
    """
    _check_identity(id, sentence)
    bounds = _bounds(at_least, at_most, equal_to, within)
    line = f"{_fill(sentence, bounds, settings)}  [{id}]"
    values = _values(value, bounds)
    failed = ~_satisfied(values, at_least, at_most, equal_to, within)
    if values.size == 0:
        raise ClaimError(f"✗ {line}\n  there is no value to judge: the array is empty")
    if failed.any():
        raise ClaimError(f"✗ {line}\n  {_worst(values, failed, at_least, at_most, equal_to, within)}")
    _sentences[id] = sentence
    print(f"✓ {line}")


def _check_identity(id, sentence):
    """Refuse malformed ids, and an id that already belongs to another sentence."""
    if not isinstance(id, str) or not IDENTIFIER.fullmatch(id):
        raise ValueError(
            f"id must be two digits and lower-case words joined by hyphens, got {id!r}: write e.g. 09-accuracy"
        )
    if not isinstance(sentence, str) or not sentence.strip() or "\n" in sentence:
        raise ValueError(f"sentence must be one line of text, got {sentence!r}: say what is claimed")
    if _sentences.get(id, sentence) != sentence:
        raise ValueError(f"id {id} already belongs to the claim “{_sentences[id]}”: choose another id")


def _bounds(at_least, at_most, equal_to, within):
    """Return the fields that the bounds fill in."""
    if (equal_to is None) != (within is None):
        raise ValueError(f"equal_to and within go together, got equal_to={equal_to}, within={within}: pass both")
    if equal_to is not None and not (at_least is None and at_most is None):
        raise ValueError("equal_to excludes at_least and at_most, got both: choose one kind of bound")
    if equal_to is not None:
        return {"bound": np.asarray(equal_to), "within": real_number(within, "within", low=0)}
    ends = {"low": at_least, "high": at_most}
    ends = {field: end for field, end in ends.items() if end is not None}
    for field, end in ends.items():
        real_number(end, "at_least" if field == "low" else "at_most")
    if len(ends) == 2 and at_least > at_most:
        raise ValueError(f"at_least must not exceed at_most, got {at_least} > {at_most}: exchange them")
    return ends if len(ends) != 1 else {"bound": next(iter(ends.values()))}


def _fill(sentence, bounds, settings):
    """Return the sentence with its fields filled in, once it is clear that it says what is tested."""
    parts = list(string.Formatter().parse(sentence))
    for text, *_ in parts:
        if typed := NUMBER.search(text):
            raise ValueError(
                f"numbers of a sentence must be filled in, got {typed.group()!r} typed in “{sentence}”: write a field "
                "such as {bound:.1%} or {n:,} and pass its value"
            )
    fields = {field for _, field, *_ in parts if field is not None}
    for name, value in settings.items():
        real_number(value, name)
    given = bounds | settings
    optional = {"bound"} if "within" in bounds else set()
    if unknown := fields - set(given):
        raise ValueError(f"fields must be among {sorted(given)}, got {sorted(unknown)} in “{sentence}”: rename them")
    if unsaid := set(given) - fields - optional:
        raise ValueError(
            f"every number of a claim must stand in its sentence, got {sorted(unsaid)} without a field in "
            f"“{sentence}”: write the field, or pass a comparison as the value"
        )
    slack = {"bound": bounds["within"]} if "within" in bounds else {}
    shown = {(f, spec): _shown(given[f], spec, slack.get(f, 0), f) for _, f, spec, _ in parts if f is not None}
    return "".join(text + shown.get((field, spec), "") for text, field, spec, _ in parts)


def _shown(value, spec, slack, field):
    """Return the number as text; refuse a format that shows another number."""
    if np.ndim(value):
        raise ValueError(f"{field} has shape {np.shape(value)} and cannot stand in a sentence: leave the field out")
    text = format(value.item() if isinstance(value, np.ndarray) else value, spec)
    percent = text.endswith("%")
    shown = float(text.rstrip("%").replace(",", "")) / (100 if percent else 1)
    if abs(shown - value) > max(slack, 1e-9 * abs(value)):
        raise ValueError(
            f"{field} = {value} must be shown as it is, got {text!r} by the format {spec!r}: show more digits"
        )
    return text.replace(",", " ").replace("%", " %")


def _values(value, bounds):
    """Return the value as an array: bool where there is no bound, numbers where there is one."""
    values = np.asarray(value)
    if not bounds and values.dtype.kind != "b":
        raise TypeError(
            f"value must be bool when no bound is given, got dtype {values.dtype}: pass a comparison or a bound"
        )
    if bounds and values.dtype.kind not in "iuf":
        raise TypeError(
            f"value must be numbers when a bound is given, got dtype {values.dtype}: drop the bound or the bool"
        )
    return values


def _satisfied(values, at_least, at_most, equal_to, within):
    """Return which elements satisfy the claim; NaN and infinity never do."""
    if values.dtype.kind == "b":
        return values
    good = np.isfinite(values)
    if at_least is not None:
        good &= values >= at_least
    if at_most is not None:
        good &= values <= at_most
    if equal_to is not None:
        good &= _distance(values, equal_to) <= within
    return good


def _distance(values, equal_to):
    target = np.asarray(equal_to)
    if target.dtype.kind not in "iuf" or target.shape not in ((), values.shape) or not np.isfinite(target).all():
        raise ValueError(
            f"equal_to must hold finite numbers, one or as many as the value, got shape {target.shape} and dtype "
            f"{target.dtype} for a value of shape {values.shape}: compare element by element"
        )
    with np.errstate(invalid="ignore"):
        return np.abs(values.astype(float) - target.astype(float))


def _worst(values, failed, at_least, at_most, equal_to, within):
    """Say which element misses the bound by most, and what was allowed."""
    if values.dtype.kind == "b":
        return f"false for {failed.sum()} of {values.size}, first at index {_index(failed)}; allowed: true for all"
    if equal_to is not None:
        excess, allowed = _distance(values, equal_to), f"within {within} of {equal_to}"
    else:
        below = -np.inf if at_least is None else at_least - values
        above = -np.inf if at_most is None else values - at_most
        excess = np.maximum(below, above)
        ends = [("at least", at_least), ("at most", at_most)]
        allowed = " and ".join(f"{words} {end}" for words, end in ends if end is not None)
    excess = np.where(failed, np.where(np.isfinite(values), excess, np.inf), -np.inf)
    worst = np.unravel_index(np.argmax(excess), values.shape)
    where = f" at index {tuple(int(i) for i in worst)}" if values.ndim else ""
    return f"worst value {values[worst]}{where}; allowed: {allowed}; {failed.sum()} of {values.size} fail"


def _index(mask):
    return tuple(int(i) for i in np.argwhere(mask)[0])
