"""Weights removed from a network for MNIST, and what is left of its accuracy (lesson 08)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
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
    """What the study measured, means over the seeds, from `read`.

    Attributes
    ----------
    error : DataFrame (setting × prior × rule, share removed)
        Test error in [0, 1].
    ratios : DataFrame (setting × prior, bin)
        Share of all weights in a bin of their signal-to-noise ratio; a bin is named by its left end, as power of ten.
    """

    error: pd.DataFrame
    ratios: pd.DataFrame


def read(table: Mapping[str, ArrayLike], histogram: Mapping[str, ArrayLike]) -> Record:
    """Arrange the record of the study.

    Parameters
    ----------
    table : mapping of str to array, for example a pandas DataFrame
        notebooks/records/pruning_mnist.csv.
    histogram : mapping of str to array
        notebooks/records/pruning_mnist_histogram.csv.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        If a column is missing.
    """
    accuracy = _means(table, ["prior", "rule"], along="removed", of="accuracy")
    return Record(1 - accuracy, _means(histogram, ["prior"], along="left", of="share"))


def _means(table, names, *, along, of):
    """Means over the seeds, a row for each setting and name, a column for each place along."""
    needed = ["passes", "prior_sd", *names, along, of]
    if missing := [name for name in needed if name not in table]:
        raise ValueError(f"table must have the column {missing[0]!r}, got {list(table)}: read the record")
    frame = pd.DataFrame({name: table[name] for name in needed})
    titles = {fit: title for title, fit in SETTINGS.items()}
    frame["setting"] = [titles.get(fit) for fit in zip(frame["passes"], frame["prior_sd"], strict=True)]
    return frame.pivot_table(index=["setting", *names], columns=along, values=of)


def threshold(edges: Array, share: Array, removed: float) -> float:
    """Find the power of ten below which the wanted share of the weights lies, linear within a bin.

    Parameters
    ----------
    edges : array (bin + 1,)
        As powers of ten.
    share : array (bin,)
    removed : float
        In [0, 1].

    Returns
    -------
    float
    """
    below = np.concatenate([[0], np.cumsum(share)]) / share.sum()
    return float(np.interp(removed, below, edges))


def draw_curve(figure: Figure, removed: float, prior: str, setting: str, record: Record) -> str:
    """Draw test error against the share removed, and the signal-to-noise ratios with those that go.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    removed : float
        Share of the weights set to zero, one of the record's.
    prior : {"Normal", "Laplace"}
    setting : {"20 passes, sd 1", "100 passes, sd 1", "20 passes, sd 0.1"}
    record : Record

    Returns
    -------
    str
        The line of numbers.
    """
    shares = record.error.columns.tolist()
    place = shares.index(one_of(removed, "removed", shares))
    one_of(prior, "prior", PRIORS)
    one_of(setting, "setting", list(SETTINGS))
    other = PRIORS[1 - PRIORS.index(prior)]
    error, ratios = record.error.loc[setting], record.ratios.loc[setting, prior]
    edges = np.append(ratios.index, ratios.index[-1] + BIN)
    border = threshold(edges, ratios.to_numpy(), removed)
    curve, bars = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.09, right=0.98, bottom=0.15, top=0.86, wspace=0.28)
    _curves(curve, error.loc[prior], error.loc[other, RULES[0]], other)
    curve.axvline(place, color=plots.BLACK, linewidth=1, linestyle=":")
    curve.set_xticks(range(len(shares)), [f"{100 * share:.0f}" for share in shares])
    _histogram(bars, ratios, edges, border)
    shown = {key: round(100 * (1 - rate), 6) for key, rate in error[removed].items()}
    where = f", all with a ratio below {10**border:.2g}" if removed else ""
    return (
        f"{prior} prior, {setting}: {100 * removed:.0f} % of the weights removed{where}, "
        f"{round(WEIGHTS * (1 - removed)):,} left. Test accuracy {shown[prior, RULES[0]]:.1f} % by signal-to-noise, "
        f"{shown[prior, RULES[1]]:.1f} % by size, {shown[prior, RULES[2]]:.1f} % at random; "
        f"{other} prior by signal-to-noise {shown[other, RULES[0]]:.1f} %"
    )


def _curves(ax, error, other_error, other):
    """Test errors (rule, share removed) in per cent on a logarithmic axis."""
    for rule, style, marker, colour in zip(RULES, *STYLES, strict=True):
        height = np.log10(100 * error.loc[rule].to_numpy())
        ax.plot(height, linestyle=style, marker=marker, markersize=4, color=colour, label=rule)
    ax.plot(np.log10(100 * other_error.to_numpy()), color=plots.GREY, linewidth=1.2, label=f"{other} prior", zorder=1)
    ax.set(xlabel="weights removed (%), not to scale", ylabel="test error (%)", ylim=(0.15, 2))
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
    record = read(table, histogram)
    shares = [(f"{100 * share:.0f} %", share) for share in record.error.columns.tolist()]
    return Explorer(
        partial(draw_curve, record=record),
        "Left, test error against the share of weights removed, by three rules; a dotted line marks the chosen share."
        " Right, the signal-to-noise ratios of all weights, pale where they are removed.",
        size=(6, 3.4),
        main="removed",
        removed=SelectionSlider(options=shares, value=0.75, description="weights removed"),
        prior=Dropdown(options=PRIORS, value="Laplace", description="prior"),
        setting=Dropdown(options=list(SETTINGS), description="setting"),
    )
