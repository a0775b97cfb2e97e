"""Weights removed from a network for MNIST, and what is left of its accuracy (lesson 08)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from ipywidgets import Dropdown, SelectionSlider
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bnn_course import plots
from bnn_course._checks import Array, one_of
from bnn_course.explorers import Explorer

WEIGHTS = 118_282  # of the network 784 → 128 → 128 → 10 with its biases
PRIORS = ("Normal", "Laplace")
RULES = ("signal-to-noise", "size", "random")
SETTINGS = {"20 passes, sd 1": (20, 1.0), "100 passes, sd 1": (100, 1.0), "20 passes, sd 0.1": (20, 0.1)}
STYLES = plots.LINES[:3], plots.MARKERS[:3], plots.CYCLE[:3]
BIN = 0.1  # width of a bin of the recorded histogram, in powers of ten


class Record(NamedTuple):
    """What the study measured, arranged by `errors` and `ratios`."""

    shares: tuple[float, ...]
    error: dict[tuple[str, str, str], Array]
    left: Array
    share: dict[tuple[str, str], Array]


def columns(table: Mapping[str, ArrayLike], *names: str) -> dict[str, Array]:
    """Take columns of a table out as arrays.

    Parameters
    ----------
    table : mapping of str to array, for example a pandas DataFrame
    *names : str

    Returns
    -------
    dict of str to array

    Raises
    ------
    ValueError
        If a column is missing.
    """
    missing = [name for name in names if name not in table]
    if missing:
        raise ValueError(f"table must have the column {missing[0]!r}, got {list(table)}: read the record")
    return {name: np.asarray(table[name]) for name in names}


def errors(table: Mapping[str, ArrayLike]) -> tuple[tuple[float, ...], dict[tuple[str, str, str], Array]]:
    """Arrange the record by setting, prior, rule and share removed.

    Parameters
    ----------
    table : mapping of str to array
        notebooks/records/pruning_mnist.csv.

    Returns
    -------
    shares : tuple of float
        Shares removed, from small to large.
    errors : dict of (setting, prior, rule) to array (seed, share)
        Test error in [0, 1].
    """
    record = columns(table, "prior", "prior_sd", "passes", "rule", "seed", "removed", "accuracy")
    found = {}
    for setting, prior, here in _fits(record):
        for rule in RULES:
            shares, accuracy = _by_seed(record, here & (record["rule"] == rule), "removed", "accuracy")
            found[setting, prior, rule] = 1 - accuracy
    return tuple(shares.tolist()), found


def _fits(record):
    """Every setting and prior, and which rows of the record are theirs."""
    for setting, (passes, sd) in SETTINGS.items():
        for prior in PRIORS:
            here = (record["passes"] == passes) & (record["prior_sd"] == sd)
            yield setting, prior, here & (record["prior"] == prior)


def _by_seed(record, here, along, values):
    """Values (seed, place) of the chosen rows, and the places along the second axis."""
    rows = np.flatnonzero(here)
    rows = rows[np.lexsort((record[along][rows], record["seed"][rows]))]
    places = np.unique(record[along][rows])
    return places, record[values][rows].reshape(-1, len(places))


def ratios(histogram: Mapping[str, ArrayLike]) -> tuple[Array, dict[tuple[str, str], Array]]:
    """Arrange the record of signal-to-noise ratios by setting and prior.

    Parameters
    ----------
    histogram : mapping of str to array
        notebooks/records/pruning_mnist_histogram.csv.

    Returns
    -------
    left : array (bin,)
        Left ends of the bins, as powers of ten.
    share : dict of (setting, prior) to array (bin,)
        Share of all weights in a bin, mean over the seeds.
    """
    record = columns(histogram, "prior", "prior_sd", "passes", "seed", "left", "share")
    found = {}
    for setting, prior, here in _fits(record):
        left, share = _by_seed(record, here, "left", "share")
        found[setting, prior] = share.mean(axis=0)
    return left, found


def threshold(left: Array, share: Array, removed: float) -> float:
    """Find the power of ten below which the wanted share of the weights lies, linear within a bin.

    Parameters
    ----------
    left, share : arrays (bin,)
    removed : float
        In [0, 1].

    Returns
    -------
    float
    """
    below = np.concatenate([[0], np.cumsum(share)]) / share.sum()
    return float(np.interp(removed, below, np.append(left, left[-1] + BIN)))


def draw_curve(figure: Figure, removed: float, prior: str, setting: str, record: Record) -> str:
    """Draw test error against the share removed, and the signal-to-noise ratios with those that go.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    removed : float
        Share of the weights set to zero, one of `shares`.
    prior : {"Normal", "Laplace"}
    setting : {"20 passes, sd 1", "100 passes, sd 1", "20 passes, sd 0.1"}
    record : Record

    Returns
    -------
    str
        The line of numbers.
    """
    place = record.shares.index(one_of(removed, "removed", record.shares))
    one_of(prior, "prior", PRIORS)
    one_of(setting, "setting", SETTINGS)
    other = PRIORS[1 - PRIORS.index(prior)]
    mean = {(p, rule): record.error[setting, p, rule].mean(axis=0) for p in PRIORS for rule in RULES}
    border = threshold(record.left, record.share[setting, prior], removed)
    curve, bars = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.09, right=0.98, bottom=0.15, top=0.86, wspace=0.28)
    _curves(curve, {rule: mean[prior, rule] for rule in RULES}, mean[other, RULES[0]], other)
    curve.axvline(place, color=plots.BLACK, linewidth=1, linestyle=":")
    curve.set_xticks(range(len(record.shares)), [f"{100 * share:.0f}" for share in record.shares])
    _histogram(bars, record.share[setting, prior], np.append(record.left, record.left[-1] + BIN), border)
    shown = {key: round(100 * (1 - error[place]), 6) for key, error in mean.items()}
    where = f", all with a ratio below {10**border:.2g}" if removed else ""
    return (
        f"{prior} prior, {setting}: {100 * removed:.0f} % of the weights removed{where}, "
        f"{round(WEIGHTS * (1 - removed)):,} left. Test accuracy {shown[prior, RULES[0]]:.1f} % by signal-to-noise, "
        f"{shown[prior, RULES[1]]:.1f} % by size, {shown[prior, RULES[2]]:.1f} % at random; "
        f"{other} prior by signal-to-noise {shown[other, RULES[0]]:.1f} %"
    )


def _curves(ax, by_rule, other_error, other):
    """Test errors in per cent on a logarithmic axis."""
    for (rule, error), style, marker, colour in zip(by_rule.items(), *STYLES, strict=True):
        ax.plot(np.log10(100 * error), linestyle=style, marker=marker, markersize=4, color=colour, label=rule)
    ax.plot(np.log10(100 * other_error), color=plots.GREY, linewidth=1.2, label=f"{other} prior", zorder=1)
    ax.set(xlabel="weights removed (%)", ylabel="test error (%)", ylim=(0.15, 2))
    ax.set_yticks(np.log10([2, 5, 20, 90]), ["2", "5", "20", "90"])
    ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1), ncols=2, frameon=False, fontsize=8, columnspacing=1)


def _histogram(ax, share, edges, border):
    """The ratios, those below the border pale."""
    ax.stairs(share, edges, fill=True, color=plots.BLUE)
    ax.axvspan(-3.2, border, color="white", alpha=0.7, linewidth=0)
    ax.axvline(border, color=plots.BLACK, linewidth=1, linestyle=":")
    ax.text(max(border, -3.2) + 0.07, 0.077, "kept", fontsize=8)
    ax.text(border - 0.07, 0.077, "removed", fontsize=8, ha="right", clip_on=True)
    ax.set(xlabel="signal-to-noise ratio |μ|/σ", ylabel="share of weights per bin", xlim=(-3.2, 2), ylim=(0, 0.083))
    ax.set_xticks([-2, 0, 2], ["0.01", "1", "100"])
    ax.set_yticks([0, 0.04, 0.08])


def curve(table: Mapping[str, ArrayLike], histogram: Mapping[str, ArrayLike]) -> Explorer:
    """Explorer for lesson 08: how many weights can go, under two priors and three settings, from the lesson's record.

    Parameters
    ----------
    table : mapping of str to array
        notebooks/records/pruning_mnist.csv, read for example by pandas.
    histogram : mapping of str to array
        notebooks/records/pruning_mnist_histogram.csv.

    Returns
    -------
    Explorer
    """
    record = Record(*errors(table), *ratios(histogram))
    shares = [(f"{100 * share:.0f} %", share) for share in record.shares]
    return Explorer(
        partial(draw_curve, record=record),
        "Left, test error against the share of weights removed, by three rules; a dotted line marks the chosen share."
        " Right, the signal-to-noise ratios of all weights, pale where they are removed.",
        size=(6, 3.4),
        removed=SelectionSlider(options=shares, value=0.75, description="weights removed"),
        prior=Dropdown(options=PRIORS, value="Laplace", description="prior"),
        setting=Dropdown(options=list(SETTINGS), description="setting"),
    )
