"""A claim is a sentence that shows what was measured, and a bound that guards it.

`claim` prints one line when the value keeps the bound and raises an error when it does not. The reader gets the
sentence; the bound stands small behind it: how far the value may stray on another machine, or with another seed.
"""

from __future__ import annotations

import re
import string
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bnn_course._checks import Array, present, real_number
from bnn_course.uncertainty import MeanInterval

IDENTIFIER = re.compile(r"(\d\d|[a-z])-[a-z][a-z0-9]*(-[a-z0-9]+)*")
# A number in a text: 97.7 %, 10 000, .0573, 1e-6, and 10 of 10x and 10ms; but not those of names (S14, R2D2, 3D).
NUMBER = re.compile(
    r"(?<!\w)(?<!\d\.)(?:(?:\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+|\d+)(?:[.,]\d+)*|(?<!\.)\.\d+)"
    r"(?:[eE][+−-]?\d+)?(?![\d_]|D\b)(?:[ \u00a0\u2009\u202f]?%)?"
)
LINE = re.compile(r"^✓ (?P<sentence>.+)  \[(?P<id>[a-z0-9-]+): (?P<bound>[^\]]+)\]$", re.MULTILINE)
MEASURED = ("value", "half", "low", "high", "n")
BOUNDS = ("at_least", "at_most", "equal_to", "within")
SAID = {"at_least": "at least|no less than|no fewer than", "at_most": "at most|no more than"}  # bound -> its words

_sentences: dict[str, str] = {}  # id -> sentence, of the claims made so far in this process


class ClaimError(AssertionError):
    """A claim that turned out false."""


class Bound(NamedTuple):
    """What the value must keep; `None` where nothing is asked."""

    at_least: float | None
    at_most: float | None
    equal_to: Any
    within: float | None

    def __str__(self) -> str:
        """Say it in words that are the same on every machine: a computed target is not printed."""
        if self.within is not None:
            return f"within {self.within:g}"
        ends = [f"{words} {end:.12g}" for words, end in self.ends().items()]
        return " and ".join(ends) or "true"

    def ends(self) -> dict[str, float]:
        """Return the ends of the interval that are given, by their words."""
        ends = {"at least": self.at_least, "at most": self.at_most}
        return {words: end for words, end in ends.items() if end is not None}


def claim(
    id: str,
    sentence: str,
    value: MeanInterval | ArrayLike,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    equal_to: ArrayLike | None = None,
    within: float | None = None,
    **settings: float,
) -> None:
    """Print the sentence with what was measured, or raise `ClaimError` if the value misses its bound.

    Parameters
    ----------
    id : str
        ``NN-words-with-hyphens``; NN is the number of the lesson, or the letter of the appendix.
    sentence : str
        What was found, with a field for each number; no number may be typed. Measured are ``{value}`` (of several
        values their mean), ``{low}`` and ``{high}`` (the lowest and the highest), ``{n}`` (how many there are) and, of
        a `MeanInterval`, ``{half}``, half its width: ``{value:.1f} ± {half:.1f}``. The names of the bounds and of
        `settings` are fields too. Fields take format specifications, as in ``{value:.1%}``.
    value : float, bool, MeanInterval, or array of any shape
        Without a bound: bool. With a bound: numbers. All elements, or the whole interval, must keep the bound.
    at_least, at_most : float, optional
        Ends of the closed interval in which the value must lie.
    equal_to : float or array, optional
        What the value must equal, up to `within`.
    within : float, optional
        Largest absolute difference from `equal_to`.
    **settings : int or float
        Other numbers of the sentence, such as ``images=10_000`` for the field ``{images:,}``.

    Raises
    ------
    ClaimError
        If an element of `value` misses the bound, is NaN or infinite, or if there is none.
    ValueError, TypeError
        If the claim is not well put: see the message.

    Examples
    --------
    >>> claim("09-variance", "Wrong digits have {value:.0f} times the variance of right ones", 13.4, at_least=8)
    ✓ Wrong digits have 13 times the variance of right ones  [09-variance: at least 8]
    """
    _check_identity(id, sentence)
    bound = _bound(at_least, at_most, equal_to, within)
    values = _values(value, bound)
    line = f"{_fill(sentence, bound, settings, _measured(value, values))}  [{id}: {bound}]"
    if values.size == 0:
        raise ClaimError(f"✗ {line}\n  there is no value to judge: the array is empty")
    excess = _excess(values, bound)
    if failing := np.count_nonzero(excess > 0):
        worst = np.unravel_index(np.argmax(excess), values.shape)
        where = f" at index {tuple(int(i) for i in worst)}" if values.ndim else ""
        allowed = bound if bound.equal_to is None else f"{bound} of {bound.equal_to}"
        raise ClaimError(
            f"✗ {line}\n  worst value {values[worst]}{where}; allowed: {allowed}; {failing} of {values.size} fail"
        )
    _sentences[id] = sentence
    print(f"✓ {line}")


def _check_identity(id: str, sentence: str) -> None:
    """Refuse malformed ids, and an id that already belongs to another sentence."""
    if not isinstance(id, str) or not IDENTIFIER.fullmatch(id):
        raise ValueError(
            f"id must be two digits, or a letter, and lower-case words joined by hyphens, got {id!r}: write e.g. 09-gap"
        )
    if not isinstance(sentence, str) or not sentence.strip() or len(sentence.splitlines()) > 1:
        raise ValueError(f"sentence must be one line of text, got {sentence!r}: say what is claimed")
    if _sentences.get(id, sentence) != sentence:
        raise ValueError(f"id {id} already belongs to the claim “{_sentences[id]}”: choose another id")


def _bound(at_least: float | None, at_most: float | None, equal_to: Any, within: float | None) -> Bound:
    """Return the bound, once it makes sense."""
    if (equal_to is None) != (within is None):
        raise ValueError(f"equal_to and within go together, got equal_to={equal_to}, within={within}: pass both")
    if equal_to is not None and not (at_least is None and at_most is None):
        raise ValueError("equal_to excludes at_least and at_most, got both: choose one kind of bound")
    if within is not None:
        real_number(within, "within", low=0)
    bound = Bound(at_least, at_most, equal_to, within)
    for words, end in bound.ends().items():
        real_number(end, words.replace(" ", "_"))
    if at_least is not None and at_most is not None and at_least > at_most:
        raise ValueError(f"at_least must not exceed at_most, got {at_least} > {at_most}: exchange them")
    return bound


def _values(value: MeanInterval | ArrayLike, bound: Bound) -> Array:
    """Return what is judged as an array: bool where there is no bound, numbers where there is one."""
    if isinstance(value, MeanInterval):
        value = [value.mean - value.half, value.mean + value.half]
    values = present(value, "value")
    bounded = any(part is not None for part in bound)
    if values.dtype.kind not in ("iuf" if bounded else "b"):
        wanted = "numbers when a bound is given" if bounded else "bool when no bound is given"
        raise TypeError(f"value must be {wanted}, got dtype {values.dtype}: pass a bound with numbers only")
    return values


def _measured(value: MeanInterval | ArrayLike, values: Array) -> dict[str, Any]:
    """Return the fields that are measured; NaN is shown as it is, so that an error can show it."""
    if isinstance(value, MeanInterval):
        return {"value": value.mean, "half": value.half, "low": values[0], "high": values[1], "n": value.n}
    fields: dict[str, Any] = {"n": values.size}
    if values.size and values.dtype.kind != "b":
        numbers = values.astype(float)
        fields |= {"value": numbers.mean(), "low": numbers.min(), "high": numbers.max()}
    return fields


def _fill(sentence: str, bound: Bound, settings: dict[str, float], measured: dict[str, Any]) -> str:
    """Return the sentence with its fields filled in; refuse typed numbers, unknown fields and unused settings."""
    parts = list(string.Formatter().parse(sentence))
    for text, *_ in parts:
        if typed := NUMBER.search(text):
            raise ValueError(
                f"numbers of a sentence must be filled in, got {typed.group()!r} typed in “{sentence}”: write a field "
                "such as {value:.1%} or {images:,} and pass its value"
            )
    for name, number in settings.items():
        real_number(number, name)
    _refuse_crossed_words(sentence, bound)
    exact = {name: end for name, end in zip(BOUNDS, bound, strict=True) if end is not None} | settings
    fields = {field for _, field, *_ in parts if field is not None}
    if unknown := fields - set(exact) - set(measured):
        known = sorted(set(exact) | set(measured))
        raise ValueError(f"fields must be among {known}, got {sorted(unknown)} in “{sentence}”: rename them")
    if unsaid := set(settings) - (fields - {"value", "half", "low", "high"}):
        raise ValueError(
            f"every setting must have a field of its own, got {sorted(unsaid)} without one in “{sentence}”: write the "
            "field, or drop the setting ({value}, {low}, {high} and {half} are filled in from the value)"
        )
    slack = {"equal_to": bound.within or 0}
    filled = []
    for text, field, spec, _ in parts:
        filled.append(text)
        if field in exact:
            filled.append(_exact(exact[field], spec or "", slack.get(field, 0), field))
        elif field is not None:
            filled.append(_tidy(format(measured[field], spec or "")))
    return "".join(filled)


def _refuse_crossed_words(sentence: str, bound: Bound) -> None:
    """Refuse "at most {…}" where the value is only kept from below, and the reverse."""
    for said, other in (("at_least", "at_most"), ("at_most", "at_least")):
        opposite = getattr(bound, said) is None and getattr(bound, other) is not None
        for words in re.finditer(rf"\b(?:{SAID[said]}) \{{(\w+)", sentence, re.IGNORECASE):
            if words[1] == other or (opposite and words[1] != "n"):
                raise ValueError(
                    f"a sentence must say its bound, got {words[0]!r} with {other} in “{sentence}”: exchange the words"
                )


def _exact(value: Any, spec: str, slack: float, field: str) -> str:
    """Return a bound or a setting as text; refuse a format that shows another number."""
    if np.ndim(value):
        raise ValueError(f"{field} has shape {np.shape(value)} and cannot stand in a sentence: leave the field out")
    text = format(value.item() if isinstance(value, np.ndarray) else value, spec)
    percent = text.endswith("%")
    shown = float(text.rstrip("%").replace(",", "")) / (100 if percent else 1)
    if abs(shown - value) > max(slack, 1e-9 * abs(value)):
        raise ValueError(
            f"{field} = {value} must be shown as it is, got {text!r} by the format {spec!r}: show more digits"
        )
    return _tidy(text)


def _tidy(number: str) -> str:
    """Return a formatted number as it is written in prose: 10 000 and 97.7 %, and a true minus sign."""
    return re.sub(r"(?<![eE])-", "−", number.replace(",", " ").replace("%", " %"))


def _excess(values: Array, bound: Bound) -> Array:
    """By how much each element misses the bound: at most 0 where it keeps it, infinite for NaN, infinity and False."""
    if values.dtype.kind == "b":
        return np.where(values, 0, np.inf)
    numbers = values.astype(float)
    with np.errstate(invalid="ignore"):
        if bound.equal_to is not None:
            excess = np.abs(numbers - _target(bound.equal_to, values.shape)) - bound.within
        else:
            below = -np.inf if bound.at_least is None else bound.at_least - numbers
            above = -np.inf if bound.at_most is None else numbers - bound.at_most
            excess = np.maximum(below, above)
    return np.where(np.isfinite(numbers), excess, np.inf)


def _target(equal_to: Any, shape: tuple[int, ...]) -> Array:
    target = present(equal_to, "equal_to")
    if target.dtype.kind not in "iuf" or target.shape not in ((), shape) or not np.isfinite(target).all():
        raise ValueError(
            f"equal_to must hold finite numbers, one or as many as the value, got shape {target.shape} and dtype "
            f"{target.dtype} for a value of shape {shape}: compare element by element"
        )
    return target.astype(float)
