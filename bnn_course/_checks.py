"""Refusals shared by all modules: name the quantity, the allowed range, the value received, the remedy."""

from __future__ import annotations

import numbers

import numpy as np


def as_array(value, name, *, ndim, shape=None, kind="number"):
    """Return `value` as an array of the wanted rank, or say what is wrong with it.

    Parameters
    ----------
    value : array_like
    name : str
        What the quantity is called in the message.
    ndim : int
        Wanted number of axes.
    shape : tuple of (int or None), optional
        Wanted shape; None leaves an axis free.
    kind : {"number", "integer"}
        "number" accepts bool, integer and float arrays; "integer" refuses floats.

    Raises
    ------
    TypeError
        If the dtype is not numeric (or not integer).
    ValueError
        If the rank or shape differs, the array is empty, or holds NaN or infinity.
    """
    array = np.asarray(value)
    allowed = "biuf" if kind == "number" else "biu"
    if array.dtype.kind not in allowed:
        raise TypeError(
            f"{name} must be an array of {kind}s, got dtype {array.dtype}: convert it, e.g. {name}.astype("
            f"{'float' if kind == 'number' else 'np.uint8'})"
        )
    if array.ndim != ndim:
        hint = ": flatten it with .ravel()" if array.ndim == ndim + 1 and array.shape[-1] == 1 else ""
        raise ValueError(f"{name} must have {ndim} axes, got shape {array.shape}{hint or ': reshape it'}")
    if shape is not None and any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        wanted = tuple("any" if want is None else want for want in shape)
        raise ValueError(f"{name} must have shape {wanted}, got {array.shape}: check that rows belong together")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}: pass at least one element per axis")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite, got {array[where]} at index {where}: remove or repair the entry")
    return array


def in_range(array, name, low, high):
    """Refuse entries outside the closed interval [low, high]; return the array."""
    outside = (array < low) | (array > high)
    if np.any(outside):
        where = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(f"{name} must lie in [{low}, {high}], got {array[where]} at index {where}: correct or drop it")
    return array


def as_labels(value, name, *, n_items=None, n_classes=None):
    """Return class labels as a one-dimensional integer array in 0 … n_classes − 1."""
    labels = as_array(value, name, ndim=1, shape=None if n_items is None else (n_items,), kind="integer")
    return in_range(labels, name, 0, np.inf if n_classes is None else n_classes - 1)


def positive_integer(value, name):
    """Return `value` as an int ≥ 1 (bools and floats are refused)."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number ≥ 1, got {value!r}: pass an int")
    if value < 1:
        raise ValueError(f"{name} must be ≥ 1, got {value}: choose a positive number")
    return int(value)


def real_number(value, name, *, low=-np.inf, high=np.inf, open_ends=False):
    """Return `value` as a finite float in [low, high], or in (low, high) when `open_ends`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}: pass a float")
    inside = low < value < high if open_ends else low <= value <= high
    if not inside or not np.isfinite(value):
        left, right = ("(", ")") if open_ends else ("[", "]")
        raise ValueError(f"{name} must lie in {left}{low}, {high}{right}, got {value}: choose a value inside")
    return float(value)


def one_of(value, name, allowed):
    """Return `value` if it is one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}: pick one of them")
    return value


def generator(rng, name="rng"):
    """Return `rng` if it is a NumPy random generator: the caller owns the seed, never the package."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{name} must be a numpy.random.Generator, got {rng!r}: pass np.random.default_rng(seed)")
    return rng
