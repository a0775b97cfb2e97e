"""One idea drawn on a given axes: `ax` first, arrays in, artist out; no titles, no sampling, no saving.

Colours are those of Okabe and Ito (2008), readable with any colour vision. Throughout the course blue means true or
right and vermillion means wrong; on maps blue is class 0 and vermillion class 1. What colour says, a marker, a line
style or a word says too. Extra keywords go to the main artist.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from bnn_course._checks import Array, as_array, as_labels, in_range, one_of, positive_integer
from bnn_course.uncertainty import Reliability, as_probability

T = TypeVar("T")

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE, DARK = "#9A9A9A", "#D9D9D9", "#404040"

CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))

PROBABILITY_MAP = LinearSegmentedColormap.from_list(
    "probability", ["#3D8FC0", "#A6CFE8", "#F7F7F7", "#F3C4A2", "#DE7F3A"]
)
UNCERTAINTY_MAP = LinearSegmentedColormap.from_list("uncertainty", ["#FFFFFF", "#EBC9DC", PURPLE, "#8A3A6B", "#3D0F30"])

SMALL = 8  # points; the smallest text anywhere
COLUMNS = 5  # of a gallery
CELL = np.array([1.45, 1.9])  # inches; the smallest cell of a gallery in which nothing overlaps


# Shared ---------------------------------------------------------------------------------------------------------------


def _axes(ax: Axes) -> Axes:
    return _of_type(ax, "ax", Axes, "create one with fig, ax = plt.subplots()")


def _of_type(value: T, name: str, kind: type, remedy: str) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}: {remedy}")
    return value


def _next_style(ax: Axes, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Give the n-th line on an axes the n-th colour and dash pattern, unless the caller chose."""
    n = sum(line.get_gid() == "series" for line in ax.lines) % len(CYCLE)
    chosen = {"color", "c"} & set(kwargs), {"linestyle", "ls"} & set(kwargs)
    style = {} if chosen[0] else {"color": CYCLE[n]}
    return style | ({} if chosen[1] else {"linestyle": LINES[n]}) | {"gid": "series"} | kwargs


def _legend_if(ax: Axes, label: str | None, **kwargs: Any) -> None:
    if label is not None:
        ax.legend(frameon=False, **kwargs)


# Curves ---------------------------------------------------------------------------------------------------------------


def loss_curve(ax: Axes, steps: ArrayLike, loss: ArrayLike, *, window: int = 1, **line_kwargs: Any) -> Line2D:
    """Draw the loss of a fit against its steps.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    steps : array (record,)
        Optimisation steps.
    loss : array (record,)
        Negative ELBO per datum, in nats.
    window : int
        Above 1, the raw loss is drawn pale behind its running mean over this many records.

    Returns
    -------
    matplotlib.lines.Line2D
        The loss, or its running mean (shorter by window − 1 records).
    """
    steps = as_array(steps, "steps", ndim=1)
    loss = as_array(loss, "loss", ndim=1, shape=steps.shape)
    if positive_integer(window, "window") > len(loss):
        raise ValueError(
            f"window must lie in [1, {len(loss)}], the number of records, got {window}: choose a smaller one"
        )
    style = {"linewidth": 1.8} | _next_style(_axes(ax), line_kwargs)
    if window > 1:
        ax.plot(steps, loss, color=style.get("color", style.get("c")), alpha=0.25, linewidth=0.8)
    smooth = np.convolve(loss, np.full(window, 1 / window), mode="valid")
    (line,) = ax.plot(steps[window - 1 :], smooth, **style)
    ax.set(xlabel="optimisation step", ylabel="negative ELBO per datum (nats)")
    _legend_if(ax, line_kwargs.get("label"))
    return line


# Calibration ----------------------------------------------------------------------------------------------------------


def _wilson(share: Array, count: Array, z: float = 1.96) -> tuple[Array, Array]:
    """Ends of the 95 % Wilson interval of a share."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return middle - half, middle + half


def reliability_diagram(
    ax: Axes, reliability: Reliability, *, label: str | None = None, **errorbar_kwargs: Any
) -> ErrorbarContainer:
    """Draw accuracy against confidence, bin by bin, with the diagonal of perfect calibration.

    Bars are 95 % Wilson intervals: a bin of few items can be off the diagonal by chance. Call again to overlay.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    reliability : Reliability
        From `bnn_course.uncertainty.reliability`; empty bins are left out.
    label : str, optional
        Name in the legend.

    Returns
    -------
    matplotlib.container.ErrorbarContainer
    """
    _of_type(reliability, "reliability", Reliability, "compute it with reliability(probability, labels)")
    filled = reliability.count > 0
    confidence, share = reliability.confidence[filled], reliability.accuracy[filled]
    low, high = _wilson(share, reliability.count[filled])
    if not any(line.get_gid() == "diagonal" for line in _axes(ax).lines):
        diagonal = {"color": GREY, "linewidth": 1, "linestyle": (0, (4, 3)), "gid": "diagonal"}
        ax.plot([0, 1], [0, 1], label="perfectly calibrated", **diagonal)
    n = sum(line.get_gid() == "series" for line in ax.lines)
    style = _next_style(ax, errorbar_kwargs)
    gid = style.pop("gid")  # for the line alone: the caps are lines, too
    marker = {"marker": MARKERS[n % len(MARKERS)], "markersize": 6}
    style = marker | {"linewidth": 1.5, "elinewidth": 1, "capsize": 2.5} | style
    bars = np.clip([share - low, high - share], 0, None)
    drawn = ax.errorbar(confidence, share, yerr=bars, label=label, **style)
    drawn[0].set_gid(gid)
    ax.set(xlabel="confidence: largest class probability", ylabel="accuracy: share right")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    _legend_if(ax, label, loc="upper left")
    return drawn


# Pictures and their class probabilities -------------------------------------------------------------------------------


def picture(ax: Axes, image: ArrayLike) -> AxesImage:
    """Draw one grey picture as dark ink on white, without ticks.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    image : array (row, column)
        Integers 0…255 or floats 0…1; 0 is paper.

    Returns
    -------
    matplotlib.image.AxesImage
    """
    image = as_array(image, "image", ndim=2)
    top = 1 if image.dtype.kind == "f" else 255
    in_range(image, "image", 0, top, remedy="divide floats by 255, or clip")
    drawn = _axes(ax).imshow(image, cmap="gray_r", vmin=0, vmax=top, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(color=PALE, linewidth=0.8)
    return drawn


def class_bars(
    ax: Axes,
    probability: ArrayLike,
    *,
    true: int | None = None,
    draws: ArrayLike | None = None,
    **bar_kwargs: Any,
) -> BarContainer:
    """Draw the probability of each class: blue the true class, vermillion a wrong prediction, grey the others.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    probability : array (class,)
    true : int, optional
        Leave out when the picture belongs to no class; the prediction is dark then.
    draws : array (draw, class), optional
        Probabilities of the posterior draws; whiskers from their 5 % to their 95 % quantile.

    Returns
    -------
    matplotlib.container.BarContainer
    """
    probability = as_probability(probability, "probability", ndim=1)
    n_classes = len(probability)
    colours = [PALE] * n_classes
    colours[int(np.argmax(probability))] = DARK if true is None else VERMILLION
    if true is not None:
        colours[as_labels([true], "true", n_classes=n_classes)[0]] = BLUE
    style = {"color": colours, "edgecolor": GREY, "linewidth": 0.5, "width": 0.8}
    if draws is not None:
        draws = as_probability(as_array(draws, "draws", ndim=2, shape=(None, n_classes)), "draws", ndim=2)
    bars = _axes(ax).bar(np.arange(n_classes), probability, **(style | bar_kwargs))
    if draws is not None:
        ax.vlines(np.arange(n_classes), *np.quantile(draws, [0.05, 0.95], axis=0), color=BLACK, linewidth=1)
    ax.set(xlim=(-0.6, n_classes - 0.4), ylim=(0, 1), xticks=range(n_classes), yticks=[0, 0.5, 1], axisbelow=True)
    ax.tick_params(labelsize=SMALL, length=0, pad=2)
    ax.grid(False, axis="x")
    ax.grid(True, axis="y", color=PALE, linewidth=0.6)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return bars


def gallery(
    fig: Figure, images: ArrayLike, probability: ArrayLike, labels: ArrayLike, *, draws: ArrayLike
) -> list[tuple[Axes, Axes]]:
    """Draw pictures in rows of five, each with its true and predicted class in words and its probabilities as bars.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        Each cell needs at least 1.45 × 1.9 inches; ``figsize=(8, 2 * rows)`` is comfortable.
    images : array (item, row, column)
    probability : array (item, class)
    labels : array of int (item,)
        True classes.
    draws : array (draw, item, class)
        Whiskers on the bars, see `class_bars`.

    Returns
    -------
    list of (Axes, Axes)
        Picture and bars of each item, row by row.
    """
    _of_type(fig, "fig", FigureBase, "create one with plt.figure(figsize=(8, 6))")
    images = as_array(images, "images", ndim=3)
    n = len(images)
    probability = as_probability(as_array(probability, "probability", ndim=2, shape=(n, None)), "probability", ndim=2)
    labels = as_labels(labels, "labels", n_items=n, n_classes=probability.shape[1])
    draws = as_array(draws, "draws", ndim=3, shape=(None, *probability.shape))
    columns = min(COLUMNS, n)
    rows = -(-n // columns)
    size = fig.bbox.size / fig.dpi
    cell = size / [columns, rows]
    if (cell < CELL - 1e-6).any():
        least = CELL * [columns, rows]
        raise ValueError(
            f"fig must be at least {least[0]:.2f} × {least[1]:.2f} inches for {n} pictures, got {size[0]:.2f} × "
            f"{size[1]:.2f}: enlarge figsize, or show fewer pictures"
        )
    fig.set_layout_engine("none")  # cells are placed by hand, in inches
    drawn = []
    for i, image in enumerate(images):
        corner = cell * [i % columns, rows - 1 - i // columns]
        drawn.append(_gallery_cell(fig, corner, cell, image, probability[i], int(labels[i]), draws[:, i]))
    return drawn


def _gallery_cell(
    fig: Figure, corner: Array, cell: Array, image: Array, probability: Array, true: int, draws: Array
) -> tuple[Axes, Axes]:
    """One picture at the upper left, words at its right, bars below: placed in inches, so that text never overlaps."""
    (left, bottom), (width, height) = corner, cell
    size = np.tile(fig.bbox.size / fig.dpi, 2)
    top = bottom + height - 0.10
    side = min(width - 0.85, 0.6 * (height - 0.50))
    picture_ax = fig.add_axes(np.array([left + 0.20, top - side, side, side]) / size)
    bars_ax = fig.add_axes(np.array([left + 0.20, bottom + 0.28, width - 0.30, height - side - 0.50]) / size)
    picture(picture_ax, image)
    class_bars(bars_ax, probability, true=true, draws=draws)
    bars_ax.set_yticks([0, 0.5, 1], ["0", "", "1"])
    predicted = int(np.argmax(probability))
    words = [("label", true, BLUE), ("answer", predicted, BLUE if predicted == true else VERMILLION)]
    for row, (word, value, colour) in enumerate(words):
        here = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
        down = -row * max(24, side * 72 / 2)  # points; 24 keeps the two rows apart beside a small picture
        picture_ax.annotate(word, (1, 1), (5, down), fontsize=SMALL, color=DARK, **here)
        picture_ax.annotate(str(value), (1, 1), (5, down - 9), fontsize=14, fontweight="bold", color=colour, **here)
    return picture_ax, bars_ax


# Maps over the plane --------------------------------------------------------------------------------------------------


def probability_map(
    ax: Axes, xs: ArrayLike, ys: ArrayLike, values: ArrayLike, *, kind: str, **mesh_kwargs: Any
) -> QuadMesh:
    """Colour the plane by a probability (diverging, line at ½) or by an uncertainty (sequential from 0).

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    xs : array (column,)
    ys : array (row,)
    values : array (row, column)
    kind : {"probability", "uncertainty"}

    Returns
    -------
    matplotlib.collections.QuadMesh
        For ``fig.colorbar(mesh, ax=ax, label=…)``.
    """
    xs, ys = as_array(xs, "xs", ndim=1), as_array(ys, "ys", ndim=1)
    values = as_array(values, "values", ndim=2, shape=(len(ys), len(xs)))
    is_probability = one_of(kind, "kind", ("probability", "uncertainty")) == "probability"
    in_range(values, "values", 0, 1 if is_probability else np.inf)
    style = {"cmap": PROBABILITY_MAP, "vmin": 0, "vmax": 1} if is_probability else {"cmap": UNCERTAINTY_MAP, "vmin": 0}
    mesh = _axes(ax).pcolormesh(xs, ys, values, **(style | {"shading": "nearest", "rasterized": True} | mesh_kwargs))
    if is_probability and values.min() < 0.5 < values.max():
        ax.contour(xs, ys, values, levels=[0.5], colors=BLACK, linewidths=1.2)
    return mesh


def scatter_classes(ax: Axes, x: ArrayLike, y: ArrayLike, **scatter_kwargs: Any) -> list[PathCollection]:
    """Draw points of the plane, one colour and one marker per class, as in `probability_map`.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x : array (item, 2)
    y : array of int (item,)
        At most 7 classes.

    Returns
    -------
    list of matplotlib.collections.PathCollection
        One per class that occurs.
    """
    x = as_array(x, "x", ndim=2, shape=(None, 2))
    y = as_labels(y, "y", n_items=len(x), n_classes=len(CYCLE))
    style = {"s": 26, "edgecolor": "white", "linewidth": 0.7, "zorder": 3} | scatter_kwargs
    return [
        _axes(ax).scatter(*x[y == c].T, **({"color": CYCLE[c], "marker": MARKERS[c], "label": f"class {c}"} | style))
        for c in np.unique(y)
    ]
