"""Refusals shared by all modules: name the quantity, the allowed range, the value received, the remedy.

An array may be anything that NumPy can read: an array, a list, a pandas frame or series, an xarray DataArray. Masked
and missing entries are refused wherever an array enters, because NumPy would read what lies under a mask.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
T = TypeVar("T")

# Kind of array -> the dtypes it may have (as `numpy.dtype.kind`), and what to do with another.
_KINDS = {
    "number": ("biuf", "convert it to numbers"),
    "integer": ("biu", "convert it to whole numbers"),
    "label": ("biu", "number the classes from 0, e.g. with models.encode_labels"),
}


def as_array(
    value: object, name: str, *, ndim: int, shape: tuple[int | None, ...] | None = None, kind: str = "number"
) -> Array:
    """Return `value` as an array of the wanted rank, or say what is wrong with it.

    Parameters
    ----------
    value : array_like
        Or a pandas frame or series, or an xarray DataArray. Its entries must all be there: none masked, NA or None.
    name : str
        What the quantity is called in the message.
    ndim : int
        Wanted number of axes.
    shape : tuple of (int or None), optional
        Wanted shape; None leaves an axis free.
    kind : {"number", "integer", "label"}
        "number" accepts bool, integer and float arrays; "integer" and "label" refuse floats.

    Raises
    ------
    TypeError
        If the dtype is not numeric (or not integer).
    ValueError
        If the rank or shape differs, the array is empty, or holds NaN, infinity, or an entry that is missing.
    """
    array = present(value, name)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        where = first(~np.isfinite(array))
        raise ValueError(f"{name} must be finite, got {array[where]} at index {where}: remove or repair the entry")
    allowed, remedy = _KINDS[kind]
    if array.dtype.kind not in allowed:
        raise TypeError(f"{name} must be an array of {kind}s, got dtype {array.dtype}: {remedy}")
    if array.ndim != ndim:
        remedy = "flatten it with .ravel()" if array.ndim == ndim + 1 and array.shape[-1] == 1 else "reshape it"
        raise ValueError(f"{name} must have {ndim} axes, got shape {array.shape}: {remedy}")
    if shape is not None and any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        wanted = tuple("any" if want is None else want for want in shape)
        raise ValueError(f"{name} must have shape {wanted}, got {array.shape}: check that rows belong together")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}: pass at least one element per axis")
    return array


def present(value: object, name: str) -> Array:
    """Return `value` as an array of one of NumPy's types, if no entry is masked or missing."""
    try:
        masked = np.ma.asarray(value) if isinstance(value, list | tuple) else value  # a list of masked rows, too
        _refuse_missing(np.ma.getmaskarray(masked) if isinstance(masked, np.ma.MaskedArray) else None, name, "masked")
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(f"{name} must have rows of one length, got several: cut or fill them") from None
    if array.dtype.kind == "O":
        absent = [_is_missing(item) for item in array.flat]
        _refuse_missing(np.reshape(np.array(absent, bool), array.shape), name, "missing")
        array = np.array(array.tolist())  # a frame with columns of several types: one that holds them all
    return array


def _is_missing(item: object) -> bool:
    return item is None or type(item).__name__ in ("NAType", "NaTType") or (isinstance(item, float) and item != item)


def _refuse_missing(absent: Array | None, name: str, word: str) -> None:
    if absent is not None and absent.any():
        raise ValueError(
            f"{name} must be complete, got {absent.sum()} {word} of {absent.size} entries, the first at index "
            f"{first(absent)}: drop these rows, or fill them in"
        )


def first(found: Array) -> tuple[int, ...]:
    """Return the index of the first True."""
    return tuple(int(i) for i in np.argwhere(found)[0])


def in_range(array: Array, name: str, low: float, high: float, remedy: str = "correct or drop it") -> Array:
    """Refuse entries outside the closed interval [low, high]; return the array."""
    outside = (array < low) | (array > high)
    if np.any(outside):
        where = first(outside)
        raise ValueError(f"{name} must lie in [{low}, {high}], got {array[where]} at index {where}: {remedy}")
    return array


def as_labels(value: object, name: str, *, n_items: int | None = None, n_classes: int | None = None) -> Array:
    """Return class labels as a one-dimensional array of whole numbers 0 … n_classes − 1."""
    labels = as_array(value, name, ndim=1, shape=None if n_items is None else (n_items,), kind="label")
    outside = (labels < 0) | (labels > (np.inf if n_classes is None else n_classes - 1))
    if outside.any():
        where, last = first(outside), "" if n_classes is None else n_classes - 1
        raise ValueError(
            f"{name} must be labels 0 … {last}, got label {labels[where]} at index {where}: {_KINDS['label'][1]}"
        )
    return labels.astype(np.int64)


def positive_integer(value: object, name: str) -> int:
    """Return `value` as an int ≥ 1 (bools and floats are refused)."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number ≥ 1, got {value!r}: pass an int")
    if value < 1:
        raise ValueError(f"{name} must be ≥ 1, got {value}: choose a positive number")
    return int(value)


def real_number(
    value: object, name: str, *, low: float = -np.inf, high: float = np.inf, open_ends: bool = False
) -> float:
    """Return `value` as a finite float in [low, high], or in (low, high) when `open_ends`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}: pass a float")
    number = float(value)
    inside = low < number < high if open_ends else low <= number <= high
    if not inside or not np.isfinite(number):
        left, right = ("(", ")") if open_ends else ("[", "]")
        raise ValueError(f"{name} must lie in {left}{low}, {high}{right}, got {value}: choose a value inside")
    return number


def positive(value: object, name: str) -> float:
    """Return `value` as a finite float > 0."""
    return real_number(value, name, low=0, open_ends=True)


def one_of(value: T, name: str, allowed: Collection[T]) -> T:
    """Return `value` if it is one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}: pick one of them")
    return value


def generator(rng: object, name: str = "rng") -> np.random.Generator:
    """Return `rng` if it is a NumPy random generator: the caller owns the seed, never the package."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{name} must be a numpy.random.Generator, got {rng!r}: pass np.random.default_rng(seed)")
    return rng


# Functions of a user --------------------------------------------------------------------------------------------------


class Unfinished(RuntimeError):
    """A function of the user failed in mid-run; `.made` is what the run would have returned, cut off there."""

    def __init__(self, what: str, error: Exception, made: Any) -> None:
        super().__init__(
            f"{what} failed ({type(error).__name__}: {error}): what was made before it is in the attribute made of "
            "this error; repair the function, and go on from there"
        )
        self.made = made


def guarded(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return a function of the user that gets its array read-only: one that wrote into it would spoil the algorithm."""
    if not callable(function):
        raise TypeError(f"{name} must be a function, got {function!r}: pass a callable")

    def call(array: Array, *others: Any) -> Any:
        argument = array.view()
        argument.flags.writeable = False
        try:
            return function(argument, *others)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise ValueError(f"{name} must not write into its argument, got an assignment: work on a copy") from error

    return call


def log_densities(log_density: Callable[..., Any], at: Array, *, shape: tuple[int, ...]) -> Array:
    """Return the log densities at some points; −inf and NaN pass, for the caller says what they mean."""
    values = present(guarded(log_density, "log_density")(at), "log_density")
    if values.shape != shape or values.dtype.kind not in "iuf":
        raise TypeError(
            f"log_density must return numbers of shape {shape}, got shape {values.shape} and dtype {values.dtype}: sum "
            "over data and parameters, and over nothing else"
        )
    return values


def density_at_start(log_density: Callable[..., Any], start: Array, *, shape: tuple[int, ...]) -> None:
    """Refuse a start where the log density is not a finite number."""
    value = log_densities(log_density, start, shape=shape).item()
    if not np.isfinite(value):
        raise ValueError(f"log_density must be finite at the start, got {value}: start where the density is positive")
