"""Hidden layers of many networks on one footing: undo the order and the signs of their units.

Exchanging two hidden units, or flipping the signs of an odd unit's incoming and outgoing weights, changes the weights
and not the function. Activations of different networks can be compared only after these symmetries have been undone.
Lesson 10 shows what `align` and `rearrange` do in full.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from bnn_course._checks import Array, as_array, generator, positive_integer


class Symmetry(NamedTuple):
    """A signed permutation per draw: unit j of the result is ``sign[j]`` times unit ``order[j]``; both (draw, unit)."""

    order: Array
    sign: Array


def align(activations: ArrayLike, reference: ArrayLike, *, signs: bool = True) -> Symmetry:
    """Find the order and signs of each draw's units that bring its activations closest to a reference (lesson 10).

    Closest in the sum of squared differences over pictures and units: a linear assignment problem on the inner products
    of the units' activations, which is solved exactly.

    Parameters
    ----------
    activations : array (draw, picture, unit)
        Of tanh units; for other odd activations it holds as well.
    reference : array (picture, unit)
        Activations of one network for the same pictures.
    signs : bool
        False if units can be exchanged but not flipped. Rectified units can be rescaled, too: divide each unit by its
        root mean square over the pictures before.

    Returns
    -------
    Symmetry
        For `rearrange`.

    References
    ----------
    Kuhn (1955), The Hungarian method for the assignment problem; the symmetries: Sussmann (1992), Uniqueness of the
    weights for minimal feedforward nets with a given input-output map.
    """
    reference = as_array(reference, "reference", ndim=2)
    activations = as_array(activations, "activations", ndim=3, shape=(None, *reference.shape))
    order, sign = [], []
    for draw in activations:
        products = reference.T.astype(float) @ draw  # (unit of the reference, unit of the draw)
        rows, columns = linear_sum_assignment(np.abs(products) if signs else products, maximize=True)
        order.append(columns)
        sign.append(np.where(signs & (products[rows, columns] < 0), -1, 1))
    return Symmetry(np.array(order), np.array(sign))


def rearrange(units: ArrayLike, symmetry: Symmetry) -> Array:
    """Apply one signed permutation per draw to the last axis: activations, or the weights into the units (lesson 10).

    Weights out of the units, (draw, unit, class), have their units on the axis before the last: swap the axes before
    and after.

    Parameters
    ----------
    units : array (draw, …, unit)
    symmetry : Symmetry
        From `align` or `random_symmetries`.

    Returns
    -------
    array (draw, …, unit)
    """
    units = as_array(units, "units", ndim=max(np.ndim(units), 2))
    order, sign = symmetry
    order = as_array(order, "order", ndim=2, shape=(len(units), units.shape[-1]), kind="integer")
    sign = as_array(sign, "sign", ndim=2, shape=order.shape)
    if (np.sort(order, axis=1) != np.arange(order.shape[1])).any() or (np.abs(sign) != 1).any():
        raise ValueError("symmetry must hold permutations and signs ±1, got others: take it from align")
    shape = (len(units), *[1] * (units.ndim - 2), units.shape[-1])
    moved = np.take_along_axis(units, order.reshape(shape), axis=-1)
    return np.asarray(moved * sign.reshape(shape).astype(units.dtype))


def random_symmetries(draws: int, units: int, *, rng: np.random.Generator) -> Symmetry:
    """Draw random orders and signs, uniformly and independently (lesson 10).

    Parameters
    ----------
    draws, units : int
    rng : numpy.random.Generator

    Returns
    -------
    Symmetry
    """
    draws, units = positive_integer(draws, "draws"), positive_integer(units, "units")
    order = generator(rng).permuted(np.tile(np.arange(units), (draws, 1)), axis=1)
    return Symmetry(order, rng.choice([-1, 1], size=(draws, units)))
