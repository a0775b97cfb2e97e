"""The explorer of lesson 07, tested as data against its record."""

import re
from itertools import product

import numpy as np
import pytest
from _explorers import EXPLORERS, arrays, moved

from bnn_course.explorers import shrinkage as room

RECORD = arrays("shrinkage_moons")
EXPLORER = EXPLORERS["tasks"]()


def test_every_position_of_the_ladder_gives_finite_curves_and_a_line():
    shares = [share for _, share in EXPLORER.controls["share"].options]
    for share, width, task in product(shares, (1.0, 2.0), (1, 18)):
        axes, line = moved(EXPLORER, share=share, width=width, task=task)
        assert all(np.isfinite(curve.get_xydata().astype(float)).all() for ax in axes for curve in ax.lines)
        assert "nan" not in line and f"task {task}:" in line


def test_the_line_gives_the_scores_of_the_record():
    _, line = moved(EXPLORER, share=0.35, width=1.0, task=7)
    per_cent = [float(number) for number in re.findall(r"([\d.]+) %", line)]
    mean = RECORD["accuracy"][0].mean(axis=1, dtype=float)
    expected = [mean[4], mean[0], mean[-1], RECORD["best_accuracy"].mean(), RECORD["accuracy"][0, 4, 6]]
    assert per_cent == pytest.approx(100 * np.array(expected), abs=0.051)
    nll, tip, sd = (
        float(re.search(rf"{word} ([\d.]+)", line)[1]) for word in ("NLL", r"p\(class zero\) is", "average, sd")
    )
    at_tip = RECORD["tip"][0, 4]
    assert (nll, tip, sd) == pytest.approx((RECORD["nll"][0, 4].mean(), at_tip.mean(), at_tip.std()), abs=0.0051)


def test_every_task_has_its_line_and_a_dot_at_the_chosen_spread():
    (left, _), _ = moved(EXPLORER, share=0.2, width=2.0, task=5)
    for task in range(18):
        assert left.lines[task].get_ydata() == pytest.approx(RECORD["tip"][1, :, task])
    shown, marker, dots, diamond, best = left.lines[18:]
    assert shown.get_ydata() == pytest.approx(RECORD["tip"][1, :, 4])
    assert set(marker.get_xdata()) == {3} == set(dots.get_xdata())
    assert dots.get_ydata() == pytest.approx(RECORD["tip"][1, 3])
    assert diamond.get_ydata() == pytest.approx(RECORD["tip"][1, 3, 4])
    assert best.get_ydata() == pytest.approx([float(RECORD["best_tip"])] * 2)


def test_the_map_and_the_points_are_those_of_the_shown_task():
    (_, right), _ = moved(EXPLORER, share=1.0, width=1.0, task=3)
    mesh, *_ = right.collections
    assert np.asarray(mesh.get_array()).reshape(31, 31) == pytest.approx(RECORD["map"][0, -1, 2] / 255)
    points = np.concatenate([dots.get_offsets() for dots in right.collections if len(dots.get_offsets()) > 1][-2:])
    assert sorted(points[:, 0]) == pytest.approx(sorted(RECORD["x"][2, :, 0]))
    assert right.get_xlabel().startswith("task 3")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"share": 0.3}, "share must be one of"),
        ({"width": 3.0}, "width must be"),
        ({"task": 19}, "task must be"),
        ({"task": 0}, "task must be"),
    ],
)
def test_a_value_that_the_record_does_not_have_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        moved(EXPLORER, **wrong)


def test_arrays_that_are_missing_or_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="must hold the array 'tip'"):
        room.read({name: array for name, array in RECORD.items() if name != "tip"})
    with pytest.raises(ValueError, match=r"nll must have shape \(2, 9, 18\), got \(2, 8, 18\)"):
        room.read(RECORD | {"nll": RECORD["nll"][:, 1:]})
