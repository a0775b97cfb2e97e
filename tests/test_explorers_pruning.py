"""The explorer of lesson 08, tested as data against its record, over every position of the controls."""

import csv
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from bnn_course.explorers import pruning as room

RECORDS = Path(__file__).resolve().parents[1] / "notebooks" / "records"


def table(name):
    """A record as columns, read without pandas."""
    with (RECORDS / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {key: _column([row[key] for row in rows]) for key in rows[0]}


def _column(words):
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        return np.array(words)


@pytest.fixture(scope="module")
def record():
    return table("pruning_mnist.csv")


@pytest.fixture(scope="module")
def explorer(record):
    return room.curve(record, table("pruning_mnist_histogram.csv"))


def drawn(explorer, **values):
    figure = Figure(figsize=(6, 3.4))
    line = explorer.draw(figure, **(explorer.values | values))
    return figure.axes, line


def mean_accuracy(record, prior, rule, removed, passes=20, sd=1.0):
    here = (record["prior"] == prior) & (record["rule"] == rule) & (record["removed"] == removed)
    return record["accuracy"][here & (record["passes"] == passes) & (record["prior_sd"] == sd)].mean()


def test_every_position_of_the_controls_gives_finite_curves_and_a_line(explorer):
    shares = [share for _, share in explorer.controls["removed"].options]
    assert shares == [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99]
    for removed, prior, setting in product(shares, room.PRIORS, room.SETTINGS):
        axes, line = drawn(explorer, removed=removed, prior=prior, setting=setting)
        assert all(np.isfinite(curve.get_xydata().astype(float)).all() for ax in axes for curve in ax.lines)
        assert "nan" not in line and line.startswith(f"{prior} prior, {setting}: {100 * removed:.0f} % ")


def test_the_line_gives_the_accuracies_of_the_record(explorer, record):
    _, line = drawn(explorer, removed=0.9, prior="Laplace")

    said = [float(number) / 100 for number in re.findall(r"([\d.]+) %(?: by| at|$)", line)]
    right = [mean_accuracy(record, "Laplace", rule, 0.9) for rule in room.RULES]
    assert said == pytest.approx([*right, mean_accuracy(record, "Normal", "signal-to-noise", 0.9)], abs=5.1e-4)
    assert "11,828 left" in line


def test_curves_are_the_mean_errors_of_the_record_on_a_logarithmic_axis(explorer, record):
    (left, _), _ = drawn(explorer, prior="Normal", setting="100 passes, sd 1")
    shares = np.unique(record["removed"])
    for curve, (prior, rule) in zip(
        left.lines, [*product(["Normal"], room.RULES), ("Laplace", "signal-to-noise")], strict=False
    ):
        right = [100 * (1 - mean_accuracy(record, prior, rule, share, passes=100)) for share in shares]
        assert 10 ** curve.get_ydata() == pytest.approx(right)
        low, high = left.get_ylim()
        assert low < curve.get_ydata().min() and curve.get_ydata().max() < high


def test_the_marker_stands_at_the_chosen_share(explorer):
    (left, _), _ = drawn(explorer, removed=0.98)
    (x, _) = left.lines[-1].get_xdata()
    labels = [text.get_text() for text in left.get_xticklabels()]
    assert labels[x] == "98"


def test_the_threshold_has_the_removed_share_below_it(explorer):
    left, share = room.ratios(table("pruning_mnist_histogram.csv"))
    for removed in (0.25, 0.75, 0.99):
        border = room.threshold(left, share["20 passes, sd 1", "Laplace"], removed)
        weights = share["20 passes, sd 1", "Laplace"]
        part = np.clip((border - left) / 0.1, 0, 1)
        assert (weights * part).sum() / weights.sum() == pytest.approx(removed, abs=1e-9)
        (_, right), _ = drawn(explorer, removed=removed)
        assert right.lines[0].get_xdata()[0] == pytest.approx(border)


def test_a_uniform_histogram_is_cut_in_proportion():
    left = np.array([-1.0, -0.9, -0.8, -0.7])
    assert room.threshold(left, np.full(4, 0.25), 0.375) == pytest.approx(-0.85)


def test_a_table_without_a_column_is_refused(record):
    with pytest.raises(ValueError, match="must have the column 'accuracy', got"):
        room.errors({name: column for name, column in record.items() if name != "accuracy"})


@pytest.mark.parametrize("wrong", [{"removed": 0.8}, {"prior": "Cauchy"}, {"setting": "5 passes"}])
def test_a_value_that_the_record_does_not_have_is_refused(explorer, wrong):
    with pytest.raises(ValueError, match="must be one of"):
        drawn(explorer, **wrong)
