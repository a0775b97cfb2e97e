"""The explorer of lesson 08, tested as data against its record, over every position of the controls."""

import re
from itertools import product

import numpy as np
import pytest
from _explorers import EXPLORERS, moved, table

from bnn_course.explorers import pruning as room

RECORD = table("pruning_mnist")
HISTOGRAM = table("pruning_mnist_histogram")
EXPLORER = EXPLORERS["curve"]()


def mean_accuracy(prior, rule, removed, passes=20, sd=1.0):
    here = (RECORD["prior"] == prior) & (RECORD["rule"] == rule) & (RECORD["removed"] == removed)
    return RECORD["accuracy"][here & (RECORD["passes"] == passes) & (RECORD["prior_sd"] == sd)].mean()


def test_every_position_of_the_controls_gives_finite_curves_and_a_line():
    shares = [share for _, share in EXPLORER.controls["removed"].options]
    assert shares == [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99]
    for removed, prior, setting in product(shares, room.PRIORS, room.SETTINGS):
        axes, line = moved(EXPLORER, removed=removed, prior=prior, setting=setting)
        assert all(np.isfinite(curve.get_xydata().astype(float)).all() for ax in axes for curve in ax.lines)
        assert "nan" not in line and line.startswith(f"{prior} prior, {setting}: {100 * removed:.0f} % ")


def test_the_line_gives_the_accuracies_of_the_record():
    _, line = moved(EXPLORER, removed=0.9, prior="Laplace")

    said = [float(number) / 100 for number in re.findall(r"([\d.]+) %(?: by| at|$)", line)]
    right = [mean_accuracy("Laplace", rule, 0.9) for rule in room.RULES]
    assert said == pytest.approx([*right, mean_accuracy("Normal", "signal-to-noise", 0.9)], abs=5.1e-4)
    assert "11,828 left" in line


def test_curves_are_the_mean_errors_of_the_record_on_a_logarithmic_axis():
    (left, _), _ = moved(EXPLORER, prior="Normal", setting="100 passes, sd 1")
    shares = np.unique(RECORD["removed"])
    for curve, (prior, rule) in zip(
        left.lines, [*product(["Normal"], room.RULES), ("Laplace", "signal-to-noise")], strict=False
    ):
        right = [100 * (1 - mean_accuracy(prior, rule, share, passes=100)) for share in shares]
        assert 10 ** curve.get_ydata() == pytest.approx(right)
        low, high = left.get_ylim()
        assert low < curve.get_ydata().min() and curve.get_ydata().max() < high


def test_the_marker_stands_at_the_chosen_share():
    (left, _), _ = moved(EXPLORER, removed=0.98)
    (x, _) = left.lines[-1].get_xdata()
    labels = [text.get_text() for text in left.get_xticklabels()]
    assert labels[x] == "98"


def test_the_threshold_has_the_removed_share_below_it():
    ratios = room.read(RECORD, HISTOGRAM).ratios.loc["20 passes, sd 1", "Laplace"]
    for removed in (0.25, 0.75, 0.99):
        (_, right), _ = moved(EXPLORER, removed=removed)
        border = right.lines[0].get_xdata()[0]
        part = np.clip((border - ratios.index) / 0.1, 0, 1)
        assert (ratios * part).sum() / ratios.sum() == pytest.approx(removed, abs=1e-9)


def test_a_uniform_histogram_is_cut_in_proportion():
    edges = np.array([-1.0, -0.9, -0.8, -0.7, -0.6])
    assert room.threshold(edges, np.full(4, 0.25), 0.375) == pytest.approx(-0.85)


def test_a_table_without_a_column_is_refused():
    with pytest.raises(ValueError, match="must have the column 'accuracy', got"):
        room.read({name: column for name, column in RECORD.items() if name != "accuracy"}, HISTOGRAM)


@pytest.mark.parametrize("wrong", [{"removed": 0.8}, {"prior": "Cauchy"}, {"setting": "5 passes"}])
def test_a_value_that_the_record_does_not_have_is_refused(wrong):
    with pytest.raises(ValueError, match="must be one of"):
        moved(EXPLORER, **wrong)
