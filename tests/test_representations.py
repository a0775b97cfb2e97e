"""Alignment of hidden units: against trying all copies, against laws of the group, and what is refused."""

from itertools import permutations, product

import numpy as np
import pytest
from _refusals import refuses

from bnn_course.representations import Symmetry, align, random_symmetries, rearrange

DRAWS, PICTURES, UNITS = 6, 50, 8


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture
def networks(rng):
    """Pictures, and the weights into and out of the hidden units of six networks."""
    x = rng.normal(size=(PICTURES, 5))
    return x, rng.normal(size=(DRAWS, 5, UNITS)), rng.normal(size=(DRAWS, UNITS, 3))


def forward(x, w1, w2):
    hidden = np.tanh(x @ w1)
    return hidden, hidden @ w2


def transformed(w1, w2, symmetry):
    return rearrange(w1, symmetry), rearrange(w2.swapaxes(1, 2), symmetry).swapaxes(1, 2)


# Oracle ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signs", [True, False])
def test_no_other_copy_is_nearer_to_the_reference(rng, signs):
    reference, draw = rng.normal(size=(2, 20, 4))
    every = [
        ((reference - draw[:, list(p)] * s) ** 2).sum()
        for p in permutations(range(4))
        for s in (product([-1, 1], repeat=4) if signs else [(1, 1, 1, 1)])
    ]
    aligned = rearrange(draw[None], align(draw[None], reference, signs=signs))[0]
    assert ((reference - aligned) ** 2).sum() == pytest.approx(min(every), rel=1e-12)


def test_a_hidden_symmetry_is_found_under_noise(rng):
    reference = rng.normal(size=(200, UNITS))
    symmetry = random_symmetries(30, UNITS, rng=rng)
    copies = rearrange(np.tile(reference, (30, 1, 1)), symmetry) + rng.normal(0, 0.3, (30, 200, UNITS))
    assert np.abs(rearrange(copies, align(copies, reference)) - reference).max() < 2


# Laws -----------------------------------------------------------------------------------------------------------------


def test_symmetries_change_the_weights_and_not_the_function(networks, rng):
    x, w1, w2 = networks
    symmetry = random_symmetries(DRAWS, UNITS, rng=rng)
    hidden, output = forward(x, *transformed(w1, w2, symmetry))
    assert np.allclose(output, forward(x, w1, w2)[1], rtol=0, atol=1e-12)
    assert np.allclose(hidden, rearrange(forward(x, w1, w2)[0], symmetry), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_aligned_activations_do_not_see_random_symmetries_of_the_draws(networks, seed):
    x, w1, w2 = networks
    hidden, _ = forward(x, w1, w2)
    copies, _ = forward(x, *transformed(w1, w2, random_symmetries(DRAWS, UNITS, rng=np.random.default_rng(seed))))
    first, second = (rearrange(h, align(h, hidden[0])) for h in (hidden, copies))
    assert np.abs(first - second).max() < 1e-8


def test_aligning_twice_is_aligning_once(networks):
    hidden, _ = forward(*networks)
    aligned = rearrange(hidden, align(hidden, hidden[2]))
    again = align(aligned, hidden[2])
    assert (again.order == np.arange(UNITS)).all() and (again.sign == 1).all()


def test_the_reference_decides_order_and_signs(networks, rng):
    hidden, _ = forward(*networks)
    symmetry = random_symmetries(1, UNITS, rng=rng)
    other = rearrange(hidden[:1], symmetry)[0]
    everywhere = Symmetry(*(np.tile(part, (DRAWS, 1)) for part in symmetry))
    expected = rearrange(rearrange(hidden, align(hidden, hidden[0])), everywhere)
    assert np.allclose(rearrange(hidden, align(hidden, other)), expected, rtol=0, atol=1e-12)


def test_alignment_never_increases_the_distance(networks):
    hidden, _ = forward(*networks)
    before, after = (
        ((h - hidden[0]) ** 2).sum(axis=(1, 2)) for h in (hidden, rearrange(hidden, align(hidden, hidden[0])))
    )
    assert (after <= before + 1e-12).all() and after[1:].mean() < 0.9 * before[1:].mean()


def test_random_symmetries_are_uniform(rng):
    order, sign = random_symmetries(6_000, 3, rng=rng)
    _, counts = np.unique(order, axis=0, return_counts=True)
    assert len(counts) == 6 and np.abs(counts - 1_000).max() < 150
    assert np.abs(sign.mean(axis=0)).max() < 0.06 and set(np.unique(sign)) == {-1, 1}


# Refusal --------------------------------------------------------------------------------------------------------------

GOOD = np.ones((2, 5, 3))
STAY = Symmetry(np.tile(np.arange(3), (2, 1)), np.ones((2, 3), int))
REFUSED = {
    "reference of draws": (lambda: align(GOOD, GOOD), "reference", "shape (2, 5, 3)"),
    "other pictures": (lambda: align(GOOD, np.ones((4, 3))), "activations", "(2, 5, 3)"),
    "one draw without its axis": (lambda: align(GOOD[0], GOOD[0]), "activations", "shape (5, 3)"),
    "NaN": (lambda: align(np.full((2, 5, 3), np.nan), GOOD[0]), "activations", "nan at index (0, 0, 0)"),
    "masked": (lambda: align(np.ma.masked_greater(GOOD, 0), GOOD[0]), "activations", "30 masked of 30"),
    "other number of draws": (lambda: rearrange(GOOD[:1], STAY), "order", "(2, 3)"),
    "no permutation": (lambda: rearrange(GOOD, Symmetry(np.zeros((2, 3), int), STAY.sign)), "symmetry", "others"),
    "a sign of zero": (lambda: rearrange(GOOD, Symmetry(STAY.order, 0 * STAY.sign)), "symmetry", "others"),
    "no draws": (lambda: random_symmetries(0, 3, rng=np.random.default_rng(1)), "draws", "0"),
}


@pytest.mark.parametrize(("call", "quantity", "received"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused(call, quantity, received):
    refuses(call, ValueError, quantity, received)


def test_a_seed_in_place_of_a_generator_is_refused():
    refuses(lambda: random_symmetries(2, 3, rng=1), TypeError, "rng", "1")
