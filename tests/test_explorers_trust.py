"""The explorer of lesson 11, tested as data against its record, over every position of the controls."""

from itertools import product

import numpy as np
import pytest
from _explorers import EXPLORERS, moved, named, numbers, table

from bnn_course.explorers import trust as room

RECORD = table("transfer_trust")
EXPLORER = EXPLORERS["believe"]()
TASKS, COUNTS = EXPLORER.controls["task"].options, EXPLORER.controls["labels"].options
TRUSTS = [value for _, value in EXPLORER.controls["trust"].options]


def of_record(name, task, labels, trust):
    here = (RECORD["task"] == task) & (RECORD["labels"] == labels) & (RECORD["trust"] == trust)
    return RECORD[name][here]


def test_the_record_is_whole():
    seeds = [len(of_record("seed", *place)) for place in product(TASKS, COUNTS, TRUSTS)]
    assert seeds == [4] * len(seeds) and len(seeds) == 5 * 3 * 8


@pytest.mark.parametrize(("task", "labels"), [*product(TASKS, COUNTS)])
def test_the_curves_and_the_line_are_means_of_the_record(task, labels):
    (_, right), _ = moved(EXPLORER, task=task, labels=labels)
    for count in COUNTS:
        wanted = [of_record("choose_nll", task, count, trust).mean() for trust in TRUSTS]
        assert 10 ** named(right, f"{count} per class").get_ydata() == pytest.approx(wanted)
    low, high = right.get_ylim()
    assert all(low < np.min(line.get_ydata()) and np.max(line.get_ydata()) < high for line in right.lines[1:])
    for place, trust in enumerate(TRUSTS):
        (_, ax), line = moved(EXPLORER, task=task, labels=labels, trust=trust)
        assert ax.lines[0].get_xdata()[0] == place
        choose, test, accuracy = (
            of_record(name, task, labels, trust).mean() for name in ("choose_nll", "test_nll", "test_accuracy")
        )
        best = min(TRUSTS, key=lambda value: of_record("choose_nll", task, labels, value).mean())
        said = numbers(line.partition(": NLL")[2])[:4]
        assert said == pytest.approx([choose, best, test, 100 * accuracy], abs=0.051) and f"trust {trust:g}:" in line


def test_the_power_prior_goes_from_the_plain_prior_to_the_source_and_beyond():
    for trust, twin in {0: "plain", 1: "source"}.items():
        (left, _), _ = moved(EXPLORER, trust=trust)
        assert named(left, "power prior").get_ydata() == pytest.approx(named(left, twin).get_ydata())
    widths = [numbers(moved(EXPLORER, trust=trust)[1])[-1] for trust in TRUSTS]
    assert widths == sorted(widths, reverse=True) and widths[-1] < room.SD / 2


def test_the_weight_is_that_of_the_formula_of_powers():
    """q to the power α times p to the power 1 − α, on a grid."""
    w = np.linspace(-3, 3, 60_001)
    for trust in TRUSTS:
        log_q, log_p = -0.5 * ((w - room.MEAN) / room.SD) ** 2, -0.5 * (w / room.PLAIN) ** 2
        density = np.exp(trust * log_q + (1 - trust) * log_p - (trust * log_q + (1 - trust) * log_p).max())
        mean = (w * density).sum() / density.sum()
        sd = np.sqrt(((w - mean) ** 2 * density).sum() / density.sum())
        assert numbers(moved(EXPLORER, trust=trust)[1])[-2:] == pytest.approx([mean, sd], abs=0.0051)


def test_what_the_lesson_says_one_can_see():
    def best(task, labels):
        return min(TRUSTS, key=lambda trust: of_record("choose_nll", task, labels, trust).mean())

    def nll(task, labels, trust):
        return of_record("choose_nll", task, labels, trust).mean()

    assert best("turned 15", 1) == 1 and nll("turned 15", 1, 1) < nll("turned 15", 100, 1) + 0.05
    assert 0 < best("turned 90", 1) < 0.1
    level = [nll("turned 90", 100, trust) for trust in TRUSTS if trust <= 0.1]
    assert max(level) - min(level) < 0.05 and nll("turned 90", 100, 10) > 5 * level[0]


def test_a_table_without_a_column_is_refused():
    with pytest.raises(ValueError, match="must have the column 'trust', got"):
        room.read({name: column for name, column in RECORD.items() if name != "trust"})


@pytest.mark.parametrize("wrong", [{"trust": 0.5}, {"task": "turned 45"}, {"labels": 5}])
def test_a_value_that_the_record_does_not_have_is_refused(wrong):
    with pytest.raises(ValueError, match="must be one of"):
        moved(EXPLORER, **wrong)
