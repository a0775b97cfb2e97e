"""The explorer of lesson 07, tested as data against its record, and the record against what must hold of it."""

import hashlib
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from bnn_course.explorers import shrinkage as room

RECORDS = Path(__file__).resolve().parents[1] / "notebooks" / "records"


@pytest.fixture(scope="module")
def record():
    with np.load(RECORDS / "shrinkage_moons.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def explorer(record):
    return room.tasks(record)


def drawn(explorer, **values):
    figure = Figure(figsize=(6, 3.2))
    line = explorer.draw(figure, **(explorer.values | values))
    return figure.axes, line


# --- the record ---------------------------------------------------------------------------------


def test_the_record_has_its_checksum():
    sums = dict(line.split()[::-1] for line in (RECORDS / "SHA256SUMS").read_text().splitlines())
    found = hashlib.sha256((RECORDS / "shrinkage_moons.npz").read_bytes()).hexdigest()
    assert sums["shrinkage_moons.npz"] == found


def test_chains_agree_about_the_accuracy_of_every_rung(record):
    assert record["spread_of_chains"].max() < 0.015


def test_probabilities_and_scores_are_in_their_ranges(record):
    assert record["accuracy"].min() > 0.05 and record["accuracy"].max() <= 1
    assert record["nll"].min() > 0
    assert 0 < record["tip"].min() and record["tip"].max() < 1


def test_the_best_rung_lies_between_pooled_and_separate_for_both_prior_widths(record):
    for mean in record["accuracy"].mean(axis=2):
        assert 0 < mean.argmax() < len(mean) - 1
        assert mean.max() > mean[-1] + 0.005 > mean[0] + 0.2


def test_no_rung_beats_the_best_rule(record):
    assert record["accuracy"].mean(axis=2).max() < record["best_accuracy"].mean()


def test_the_pooled_network_is_the_same_for_all_tasks(record):
    assert np.ptp(record["map"][:, 0].astype(int), axis=1).max() == 0
    assert np.ptp(record["map"][:, -1].astype(int), axis=1).max() > 100


# --- the picture --------------------------------------------------------------------------------


def test_every_position_of_the_ladder_gives_finite_curves_and_a_line(explorer):
    shares = [share for _, share in explorer.controls["share"].options]
    for share, width, task in product(shares, (1.0, 2.0), (1, 18)):
        axes, line = drawn(explorer, share=share, width=width, task=task)
        assert all(np.isfinite(curve.get_xydata().astype(float)).all() for ax in axes for curve in ax.lines)
        assert "nan" not in line and f"task {task}:" in line


def test_the_line_gives_the_scores_of_the_record(explorer, record):
    _, line = drawn(explorer, share=0.35, width=1.0, task=7)
    per_cent = [float(number) for number in re.findall(r"([\d.]+) %", line)]
    mean = record["accuracy"][0].mean(axis=1, dtype=float)
    expected = [mean[4], mean[0], mean[-1], record["best_accuracy"].mean(), record["accuracy"][0, 4, 6]]
    assert per_cent == pytest.approx(100 * np.array(expected), abs=0.051)
    nll, tip, sd = (
        float(re.search(rf"{word} ([\d.]+)", line)[1]) for word in ("NLL", r"p\(class zero\) is", "average, sd")
    )
    at_tip = record["tip"][0, 4]
    assert (nll, tip, sd) == pytest.approx((record["nll"][0, 4].mean(), at_tip.mean(), at_tip.std()), abs=0.0051)


def test_every_task_has_its_line_and_a_dot_at_the_chosen_spread(explorer, record):
    (left, _), _ = drawn(explorer, share=0.2, width=2.0, task=5)
    for task in range(18):
        assert left.lines[task].get_ydata() == pytest.approx(record["tip"][1, :, task])
    shown, marker, dots, diamond, best = left.lines[18:]
    assert shown.get_ydata() == pytest.approx(record["tip"][1, :, 4])
    assert set(marker.get_xdata()) == {3} == set(dots.get_xdata())
    assert dots.get_ydata() == pytest.approx(record["tip"][1, 3])
    assert diamond.get_ydata() == pytest.approx(record["tip"][1, 3, 4])
    assert best.get_ydata() == pytest.approx([float(record["best_tip"])] * 2)


def test_the_map_and_the_points_are_those_of_the_shown_task(explorer, record):
    (_, right), _ = drawn(explorer, share=1.0, width=1.0, task=3)
    mesh, *_ = right.collections
    assert np.asarray(mesh.get_array()).reshape(31, 31) == pytest.approx(record["map"][0, -1, 2] / 255)
    points = np.concatenate([dots.get_offsets() for dots in right.collections if len(dots.get_offsets()) > 1][-2:])
    assert sorted(points[:, 0]) == pytest.approx(sorted(record["x"][2, :, 0]))
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
def test_a_value_that_the_record_does_not_have_is_refused(explorer, wrong, message):
    with pytest.raises(ValueError, match=message):
        drawn(explorer, **wrong)


def test_arrays_that_are_missing_or_do_not_belong_together_are_refused(record):
    with pytest.raises(ValueError, match="must hold the array 'tip'"):
        room.read({name: array for name, array in record.items() if name != "tip"})
    with pytest.raises(ValueError, match=r"nll must have shape \(2, 9, 18\), got \(2, 8, 18\)"):
        room.read(record | {"nll": record["nll"][:, 1:]})
