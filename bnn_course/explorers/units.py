"""Three hidden units without names: exchange them, flip them, and the function stays (lesson 10)."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from ipywidgets import Dropdown
from matplotlib.figure import Figure

from bnn_course import plots
from bnn_course._checks import one_of
from bnn_course.explorers import Explorer, number
from bnn_course.representations import Symmetry, rearrange

INTO = np.array([[1.6, -2.5, 0.9], [1.1, 0.4, -1.8]])  # weights and biases into the units
OUT = np.array([[1.3, 0.8, -1.7]])
ORDERS = [" ".join(map(str, order)) for order in permutations((1, 2, 3))]
FLIPS = {"none": (), "unit 1": (1,), "unit 2": (2,), "unit 3": (3,), "all": (1, 2, 3)}
SIDES = ["both sides", "into the units only"]
INPUTS = np.linspace(-3, 3, 121)


def draw_copies(figure: Figure, order: str, flip: str, side: str) -> str:
    """Draw the weights of three units, rearranged, and the function of their network.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    order : str
        Which unit takes each place, one of `ORDERS`.
    flip : str
        Which units change their signs, a key of `FLIPS`.
    side : str
        One of `SIDES`: whether the weights out of the units move, too.

    Returns
    -------
    str
        The line of numbers.
    """
    places = np.array(one_of(order, "order", ORDERS).split(), int)
    sign = np.where(np.isin(places, FLIPS[one_of(flip, "flip", list(FLIPS))]), -1, 1)
    copy = Symmetry(places[None] - 1, sign[None])
    into = rearrange(INTO[None], copy)[0]
    out = rearrange(OUT[None], copy)[0] if one_of(side, "side", SIDES) == SIDES[0] else OUT
    left, right = figure.subplots(1, 2, width_ratios=[2, 3])
    figure.subplots_adjust(left=0.11, right=0.98, bottom=0.15, top=0.93, wspace=0.3)
    weights, before = np.vstack([into, out]), np.vstack([INTO, OUT])
    left.imshow(weights, cmap="PuOr_r", vmin=-4, vmax=4, aspect="auto")
    for (row, column), weight in np.ndenumerate(weights):
        left.text(column, row, number(weight, 1).replace("-", "−"), ha="center", va="center")
    left.set_xticks(range(3), [f"place {place}" for place in (1, 2, 3)])
    left.set_yticks(range(3), ["into", "bias", "out"])
    curves = [out[0] @ np.tanh(np.outer(w[0], INPUTS) + w[1][:, None]) for w, out in ((into, out), (INTO, OUT))]
    right.plot(INPUTS, curves[0], color=plots.BLUE, linewidth=3, label="now")
    right.plot(INPUTS, curves[1], color=plots.BLACK, linestyle="--", linewidth=1.2, label="before")
    right.set(xlabel="input $x$", ylabel="$f(x)$", ylim=(-4.5, 4.5))
    right.legend(loc="lower right", fontsize=plots.SMALL)
    moved, change = (weights != before).sum(), np.abs(curves[0] - curves[1]).max()
    return f"Units {order}, flipped: {flip}; {moved} of 9 weights changed, the function by at most {number(change)}"


def copies() -> Explorer:
    """Explorer for lesson 10: exchange and flip three hidden units and see the weights change, the function not.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_copies,
        "Left, a table of the weights of three hidden units, one column each, coloured by sign. Right, the function of"
        " the network, a solid curve, and a dashed one, which is the function before any move.",
        size=(6, 2.9),
        main="order",
        order=Dropdown(options=ORDERS, value="2 1 3", description="units in places 1 2 3"),
        flip=Dropdown(options=list(FLIPS), description="flip the signs of"),
        side=Dropdown(options=SIDES, description="move the weights"),
    )
