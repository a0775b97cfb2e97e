"""How much of a source's posterior to believe: the power prior of one weight, and what it is worth (lesson 11)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from ipywidgets import Dropdown, SelectionSlider
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bnn_course import plots
from bnn_course._checks import one_of
from bnn_course.explorers import Explorer, number, scale

NAMES = ("task", "labels", "trust", "seed", "choose_nll", "test_nll", "test_accuracy")
PLAIN, MEAN, SD = 0.3, 0.35, 0.1  # a hidden weight: width of its plain prior, mean and sd of the source's posterior
WEIGHTS = np.linspace(-0.9, 0.9, 361)
KEY = {"ncols": 3, "frameon": False, "fontsize": 8, "columnspacing": 0.8, "handlelength": 1.6, "borderpad": 0}


def read(table: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Arrange the record of the study: one row for each task, number of labels, trust and seed.

    Parameters
    ----------
    table : mapping of str to array, for example a pandas DataFrame
        notebooks/records/transfer_trust.csv.

    Returns
    -------
    DataFrame (task × labels × trust, measure × seed)

    Raises
    ------
    ValueError
        If a column is missing.
    """
    if missing := [name for name in NAMES if name not in table]:
        raise ValueError(f"table must have the column {missing[0]!r}, got {list(table)}: read transfer_trust.csv")
    frame = pd.DataFrame({name: table[name] for name in NAMES}).astype({"labels": int})
    return frame.pivot(index=list(NAMES[:3]), columns="seed")


def draw_trust(figure: Figure, trust: float, task: str, labels: int, record: pd.DataFrame) -> str:
    """Draw the power prior of one weight, and the NLL of transfer against the trust, for few and many labels.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    trust : float
        One of the record's.
    task : str
        One of the record's: "new digits" or "turned 15" …
    labels : int
        Labels per class, one of the record's.
    record : DataFrame
        From `read`.

    Returns
    -------
    str
        The line of numbers.
    """
    tasks, counts, trusts = (list(level) for level in record.index.levels)
    here = record.loc[one_of(task, "task", tasks)]
    chosen = here.loc[one_of(labels, "labels", counts)]
    place = trusts.index(one_of(trust, "trust", trusts))
    precision = trust / SD**2 + (1 - trust) / PLAIN**2
    mean, sd = trust * MEAN / SD**2 / precision, precision**-0.5
    left, right = figure.subplots(1, 2, width_ratios=[2, 3])
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.16, top=0.88, wspace=0.28)
    _weight(left, {"plain": (0, PLAIN), "source": (MEAN, SD), "power prior": (mean, sd)})
    right.axvline(place, color=plots.BLACK, linewidth=1, linestyle=":")
    _curves(right, here["choose_nll"], labels)
    right.set_xticks(range(len(trusts)), [f"{value:g}" for value in trusts])
    nll = chosen["choose_nll"].mean(axis=1)
    tested = chosen.loc[trust, ["test_nll", "test_accuracy"]].groupby(level=0).mean()
    return (
        f"{task}, {labels} per class, trust {trust:g}: NLL {number(nll[trust])} nats on the images for choosing "
        f"(lowest at trust {nll.idxmin():g}), {number(tested['test_nll'])} on the test images, accuracy "
        f"{number(100 * tested['test_accuracy'], 1)} %; the weight has prior {number(mean)} ± {number(sd)}"
    )


def _weight(ax, curves):
    """Bell curves {name: (mean, sd)} of one weight, all of the same height."""
    for row, (name, (mean, sd)) in enumerate(curves.items()):
        style = {"color": (plots.GREY, plots.VERMILLION, plots.BLUE)[row], "linestyle": ("--", ":", "-")[row]}
        ax.plot(WEIGHTS, np.exp(-0.5 * ((WEIGHTS - mean) / sd) ** 2), linewidth=1.8, label=name, **style)
    ax.set(xlabel="one weight", yticks=[], ylim=(0, 1.1), xticks=[-0.5, 0, 0.5])
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.01), **KEY)


def _curves(ax, nll, labels):
    """NLL (labels × trust, seed) against the trust on a logarithmic axis: means, and the seeds of the chosen labels."""
    ax.plot(np.log10(nll.loc[labels].to_numpy()), color=plots.GREY, linewidth=0.8, zorder=0)
    for row, count in enumerate(nll.index.levels[0]):
        style = {"color": plots.CYCLE[row], "marker": plots.MARKERS[row], "linestyle": plots.LINES[row]}
        width = 2.4 if count == labels else 1
        height = np.log10(nll.loc[count].mean(axis=1).to_numpy())
        ax.plot(height, linewidth=width, markersize=2 + 1.5 * width, label=f"{count} per class", **style)
    ax.set(xlabel=r"trust $\alpha$, not to scale", ylabel="NLL (nats)", ylim=np.log10([0.05, 8]))
    ax.set_yticks(np.log10([0.1, 0.2, 0.5, 1, 2, 5]), ["0.1", "0.2", "0.5", "1", "2", "5"])
    ax.legend(loc="lower right", bbox_to_anchor=(1.02, 1.01), **KEY)


def believe(table: Mapping[str, ArrayLike]) -> Explorer:
    """Explorer for lesson 11: turn the trust in a source, for near and far targets, with few and many labels.

    Parameters
    ----------
    table : mapping of str to array
        notebooks/records/transfer_trust.csv, read for example by pandas.

    Returns
    -------
    Explorer
    """
    record = read(table)
    tasks, counts, trusts = (list(level) for level in record.index.levels)
    return Explorer(
        partial(draw_trust, record=record),
        "Left, three bell curves for one weight: the plain prior, the posterior of the source, and the power prior that"
        " moves from one to the other. Right, NLL against the trust, one curve for each number of labels per class; a"
        " dotted line marks the chosen trust.",
        size=(6, 3.1),
        main="trust",
        trust=SelectionSlider(options=scale(*trusts), value=0.3, description=r"trust $\alpha$"),
        task=Dropdown(options=tasks, description="target"),
        labels=Dropdown(options=counts, value=10, description="labels per class"),
    )
