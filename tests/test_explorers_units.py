"""The explorer of lesson 10, tested as data: what a copy of a network shares with it, and what not."""

from itertools import product

import numpy as np
import pytest
from _explorers import EXPLORERS, moved, numbers

from bnn_course.explorers import units as room

EXPLORER = EXPLORERS["copies"]()
COPIES = list(product(room.ORDERS, room.FLIPS))


def table(ax):
    return np.array([float(text.get_text().replace("−", "-")) for text in ax.texts]).reshape(3, 3)


@pytest.mark.parametrize(("order", "flip"), COPIES)
def test_a_copy_has_the_same_function(order, flip):
    (_, right), line = moved(EXPLORER, order=order, flip=flip)
    now, start = right.lines
    assert now.get_ydata() == pytest.approx(start.get_ydata(), abs=1e-12)
    assert numbers(line)[-1] == 0


def test_the_columns_of_the_table_are_the_units_with_their_signs():
    (left, _), line = moved(EXPLORER, order="3 1 2", flip="unit 1")
    before = np.vstack([room.INTO, room.OUT])
    assert table(left) == pytest.approx(before[:, [2, 0, 1]] * [1, -1, 1])
    assert "; 9 of 9 weights" in line


def test_the_incoming_weights_alone_change_the_function():
    for order, flip in COPIES[1:]:
        (left, right), line = moved(EXPLORER, order=order, flip=flip, side=room.SIDES[1])
        assert table(left)[2] == pytest.approx(room.OUT[0])
        change = np.abs(right.lines[0].get_ydata() - right.lines[1].get_ydata()).max()
        assert change > 0.5 and numbers(line)[-1] == pytest.approx(change, abs=0.0051)


@pytest.mark.parametrize("wrong", [{"order": "1 1 2"}, {"flip": "unit 4"}, {"side": "out"}])
def test_a_move_that_there_is_not_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} must be one of"):
        moved(EXPLORER, **wrong)
