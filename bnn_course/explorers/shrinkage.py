"""Eighteen tasks between one network for all and one for each (lesson 07)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from ipywidgets import Dropdown, IntSlider, SelectionSlider
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bnn_course import plots
from bnn_course._checks import Array, one_of, positive_integer
from bnn_course.explorers import Explorer, scale

NAMES = ("width", "share", "accuracy", "nll", "tip", "map", "axis", "best_accuracy", "best_tip", "x", "y", "angle")


def read(ladder: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Take the arrays of the record, and check that they belong together.

    Parameters
    ----------
    ladder : mapping of str to array
        notebooks/records/shrinkage_moons.npz, read by `numpy.load`; studies/shrinkage_moons.py describes it.

    Returns
    -------
    dict of str to array
        The probabilities of the maps in [0, 1].

    Raises
    ------
    ValueError
        If an array is missing, or the first three axes of one are not (width, share, task).
    """
    missing = [name for name in NAMES if name not in ladder]
    if missing:
        raise ValueError(f"ladder must hold the array {missing[0]!r}, got {list(ladder)}: load shrinkage_moons.npz")
    table = {name: np.asarray(ladder[name]) for name in NAMES}
    shape = len(table["width"]), len(table["share"]), len(table["x"])
    for name in ("accuracy", "nll", "tip", "map"):
        if table[name].shape[:3] != shape:
            raise ValueError(f"{name} must have shape {shape}, got {table[name].shape}: write the record anew")
    return table | {"map": table["map"] / 255}


def draw_tasks(figure: Figure, share: float, width: float, task: int, table: dict[str, Array]) -> str:
    """Draw what all tasks say at the tip of their moon along the ladder of spreads, and one task's map.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    share : float
        Group spread s as a share of the prior sd v, one of the record's: 0 is pooled, 1 separate.
    width : float
        Prior sd v of every weight, one of the record's.
    task : int
        1 … 18, the task that is shown.
    table : dict of str to array
        From `read`.

    Returns
    -------
    str
        The line of numbers.
    """
    shares, widths = table["share"].tolist(), table["width"].tolist()
    i, j = widths.index(one_of(width, "width", widths)), shares.index(one_of(share, "share", shares))
    t = one_of(positive_integer(task, "task"), "task", range(1, len(table["x"]) + 1)) - 1
    left, right = figure.subplots(1, 2, width_ratios=[4, 3])
    figure.subplots_adjust(left=0.1, right=0.98, bottom=0.15, top=0.93, wspace=0.28)
    _ladder(left, table["tip"][i], j, t, table["best_tip"])
    left.set_xticks(range(0, len(shares), 2), [f"{value:g}" for value in shares[::2]])
    plots.probability_map(right, table["axis"], table["axis"], table["map"][i, j, t], kind="probability")
    plots.scatter_classes(right, table["x"][t], table["y"][t], s=12, linewidth=0.4)
    right.set(xlabel=f"task {task}: $x_1$", ylabel="$x_2$", aspect="equal", xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    accuracy = [round(100 * float(values.mean(dtype=float)), 4) for values in table["accuracy"][i]]
    best = round(100 * float(table["best_accuracy"].mean()), 4)
    tip = table["tip"][i, j].astype(float)
    return (
        f"Spread {share:g} of prior sd {width:g}: right for {accuracy[j]:.1f} % of the held-out points "
        f"(pooled {accuracy[0]:.1f} %, separate {accuracy[-1]:.1f} %, best possible {best:.1f} %), "
        f"NLL {table['nll'][i, j].mean(dtype=float):.2f}; at the tips p(class zero) is {tip.mean():.2f} on average, sd "
        f"{tip.std():.2f} over tasks; task {task}: {100 * float(table['accuracy'][i, j, t]):.1f} %"
    )


def _ladder(ax, tip, place, task, best):
    """One line per task from pooled to separate; the shown task dark."""
    ax.plot(tip, color=plots.PALE, linewidth=0.8)
    ax.plot(tip[:, task], color=plots.BLACK, linewidth=1.4)
    ax.axvline(place, color=plots.GREY, linewidth=1, linestyle=":")
    ax.plot(np.full(tip.shape[1], place), tip[place], "o", color=plots.BLUE, markersize=5, alpha=0.7)
    ax.plot(place, tip[place, task], "D", color=plots.VERMILLION, markersize=7)
    ax.axhline(best, color=plots.DARK, linestyle="--", linewidth=1)
    ax.annotate("best\nrule", (1.01, best), xycoords=("axes fraction", "data"), fontsize=8, va="center")
    ax.set(xlabel="group spread $s/v$: pooled … separate", ylabel="p(class zero) at the tip", ylim=(0, 1))
    ax.set_yticks([0, 0.5, 1])
    words = {"transform": ax.transAxes, "fontsize": plots.SMALL, "color": plots.DARK}
    ax.text(0, 1.02, f"black: task {task + 1}; grey: the other tasks", **words)


def tasks(ladder: Mapping[str, ArrayLike]) -> Explorer:
    """Explorer for lesson 07: from one network for all eighteen tasks to eighteen of their own, by the group spread.

    Parameters
    ----------
    ladder : mapping of str to array
        notebooks/records/shrinkage_moons.npz, read by `numpy.load`.

    Returns
    -------
    Explorer
    """
    table = read(ladder)
    ends = {0.0: "pooled", 1.0: "separate"}
    options = [(ends.get(share, text), share) for text, share in scale(*table["share"].tolist())]
    return Explorer(
        partial(draw_tasks, table=table),
        "Left, eighteen lines, one per task, from the pooled network to separate ones: the probability of the right"
        " class at the tip of the moon. Right, one task's map of probabilities with its points and its border.",
        size=(6, 3.2),
        main="share",
        share=SelectionSlider(options=options, value=1.0, description="group spread $s/v$"),
        width=Dropdown(options=scale(*table["width"].tolist()), description="prior sd $v$"),
        task=IntSlider(value=1, min=1, max=len(table["x"]), description="task shown"),
    )
