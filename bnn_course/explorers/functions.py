"""Functions that a network believes in: before any data (lesson 06) and as points are added (lesson 05)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from ipywidgets import Dropdown, IntSlider, SelectionSlider
from matplotlib.figure import Figure

from bnn_course import exact, plots
from bnn_course._checks import Array, one_of
from bnn_course.explorers import Explorer

SEED = 2017

# Prior functions (lesson 06) ------------------------------------------------------------------------------------------

DRAWS, SHOWN, UNITS, DEPTH = 30, 8, 100, 3
FAMILIES = ("Normal", "Laplace", "Student-t", "Cauchy")
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"tanh": np.tanh, "ReLU": partial(np.maximum, 0)}
LINE = np.linspace(-3, 3, 201)
POWERS = (-4, 11)  # of ten, between which the axis of sizes goes; what is beyond stands at its end


@cache
def standard_weights(family: str) -> list[tuple[Array, Array]]:
    """Draw the weights of networks with one input from a prior of scale one (lesson 06).

    Every family is a Normal weight times a scale of its own, as lesson 06 shows for the Cauchy prior. The Normal part
    is the same in all families.

    Parameters
    ----------
    family : {"Normal", "Laplace", "Student-t", "Cauchy"}
        Student-t has three degrees of freedom.

    Returns
    -------
    list of (array, array)
        Weights (draw, input, unit) and biases (draw, 1, unit) of each layer, the output layer last.
    """
    one_of(family, "family", FAMILIES)
    normal, other = np.random.default_rng(SEED), np.random.default_rng([SEED, 1])
    own_scale = {
        "Normal": lambda shape: 1.0,
        "Laplace": lambda shape: np.sqrt(2 * other.standard_exponential(shape)),
        "Student-t": lambda shape: np.sqrt(3 / other.chisquare(3, shape)),
        "Cauchy": lambda shape: 1 / np.abs(other.standard_normal(shape)),
    }[family]
    shapes = [(1, UNITS), *[(UNITS, UNITS)] * (DEPTH - 1), (UNITS, 1)]
    sizes = [((DRAWS, inputs, units), (DRAWS, 1, units)) for inputs, units in shapes]
    return [tuple(normal.standard_normal(size) * own_scale(size) for size in pair) for pair in sizes]


def prior_functions(family: str, scale: float, width: int, depth: int, activation: str) -> Array:
    r"""Compute functions of networks drawn from a prior: the :math:`f(x)` of lesson 06, for one to three layers.

    The sum over the units of a layer is divided by :math:`\sqrt K`; the output has no bias.

    Parameters
    ----------
    family : {"Normal", "Laplace", "Student-t", "Cauchy"}
    scale : float
        Scale of every weight and bias, > 0.
    width : int
        Hidden units K of a layer, 1 … 100.
    depth : int
        Hidden layers, 1 … 3.
    activation : {"tanh", "ReLU"}

    Returns
    -------
    array (draw, point)
        Thirty functions at 201 inputs from -3 to 3.
    """
    (first, first_bias), *middle, (last, _) = standard_weights(family)
    bend = ACTIVATIONS[one_of(activation, "activation", ACTIVATIONS)]
    hidden = bend(scale * (LINE[:, None] * first[..., :width] + first_bias[..., :width]))
    for weights, biases in middle[: depth - 1]:
        summed = hidden @ weights[:, :width, :width] / np.sqrt(width)
        hidden = bend(scale * (summed + biases[..., :width]))
    return (hidden @ (scale * last[:, :width]))[..., 0] / np.sqrt(width)


def half_of_the_way(functions: Array) -> Array:
    """Return the smallest share of the axis that holds half of a function's variation.

    Parameters
    ----------
    functions : array (draw, point)

    Returns
    -------
    array (draw,)
    """
    steps = -np.sort(-np.abs(np.diff(functions, axis=1)), axis=1)
    return ((np.cumsum(steps, axis=1) < 0.5 * steps.sum(axis=1, keepdims=True)).sum(axis=1) + 1) / steps.shape[1]


def draw_priors(figure: Figure, family: str, scale: float, width: int, depth: int, activation: str) -> str:
    """Draw eight prior functions, each on its own range, and beside them the size of that range.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    family, scale, width, depth, activation
        As in `prior_functions`.

    Returns
    -------
    str
        The line of numbers, from thirty functions.
    """
    functions = prior_functions(family, scale, width, depth, activation)
    size = np.ptp(functions, axis=1)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    figure.subplots_adjust(left=0.08, right=0.97, bottom=0.13, top=0.98, wspace=0.08)
    for k, f in enumerate(functions[:SHOWN]):
        colour, place = plots.CYCLE[k % 7], (f - f.min()) / (size[k] or 1)
        left.plot(LINE, k + 0.1 + 0.8 * place, color=colour, linewidth=1.3)
        right.plot(np.clip(np.log10(size[k] or 1e-300), *POWERS), k + 0.5, plots.MARKERS[k % 7], color=colour)
    left.set(xlabel="input x", ylabel="eight draws of f(x), each on its own range")
    left.set(xlim=(-3, 3), ylim=(SHOWN, 0), xticks=[-3, 0, 3], yticks=[])
    right.set(xlabel="size of f (its range)", xlim=np.add(POWERS, (-0.5, 0.5)))
    right.set_xticks([0, 4, 8], ["1", "10⁴", "10⁸"])
    right.grid(axis="x", color=plots.PALE, linewidth=0.6)
    half, at_one = np.median(half_of_the_way(functions)), functions[:, np.searchsorted(LINE, 1 - 1e-9)]
    low, high = np.quantile(at_one, [0.25, 0.75])
    return (
        f"{family} weights of scale {scale:g}, {depth} × {width} {activation} units: half of a function's ups and downs"
        f" happen on {100 * half:.0f} % of the axis (median of {DRAWS} draws); the middle half of f(1) spans"
        f" {high - low:.2g}"
    )


def priors() -> Explorer:
    """Explorer for lesson 06: prior functions of networks with one input; the draws stay, the prior moves.

    Returns
    -------
    Explorer
    """
    for family in FAMILIES:
        standard_weights(family)
    return Explorer(
        draw_priors,
        "Eight functions drawn from a prior over networks, one above the other, and the size of each on a logarithmic"
        " axis.",
        size=(6, 4),
        main="scale",
        family=Dropdown(options=FAMILIES, value="Normal", description="prior family"),
        scale=SelectionSlider(options=[0.3, 1, 3, 10], value=3, description=r"prior scale $s$"),
        width=SelectionSlider(options=[5, 10, 20, 50, 100], value=50, description=r"hidden units $K$"),
        depth=IntSlider(value=1, min=1, max=DEPTH, description="hidden layers"),
        activation=Dropdown(options=list(ACTIVATIONS), value="tanh", description="activation"),
    )


# A band that is known exactly (lesson 05) -----------------------------------------------------------------------------

POINTS = 60
LAYOUTS = {"two groups": (-2.5, -1, 1, 2.5), "everywhere": (-4.5, 0, 0, 4.5), "left half": (-4.5, -2.25, -2.25, 0)}
PLACES = (-1.5, 0, 3.5)  # where the line of numbers looks
AXIS = np.linspace(-4.5, 4.5, 181)
OUTPUT_SD = 2


def truth(x: Array) -> Array:
    """Return the function that made the points.

    Parameters
    ----------
    x : array

    Returns
    -------
    array of the same shape
    """
    return np.sin(1.5 * x) + 0.2 * x


def features(x: Array) -> Array:
    """Compute the hundred tanh units of a hidden layer that was drawn once and stays, and a constant.

    Parameters
    ----------
    x : array (point,)

    Returns
    -------
    array (point, 101)
        Divided by the root of their number, as in lesson 06.
    """
    rng = np.random.default_rng(SEED)
    slope, centre = rng.normal(0, 3, UNITS), rng.uniform(-5, 5, UNITS)
    return np.column_stack([np.tanh(slope * (np.asarray(x)[:, None] - centre)), np.ones(len(x))]) / np.sqrt(UNITS)


@cache
def observations(layout: str) -> tuple[Array, Array]:
    """Return where the points lie, and noise of sd one for each: adding points leaves the earlier ones in place.

    Parameters
    ----------
    layout : {"two groups", "everywhere", "left half"}

    Returns
    -------
    x, noise : arrays (60,)
    """
    a, b, c, d = LAYOUTS[one_of(layout, "layout", LAYOUTS)]
    rng = np.random.default_rng(SEED)
    share, noise = rng.random(POINTS), rng.standard_normal(POINTS)
    even = np.arange(POINTS) % 2 == 0
    return np.where(even, a + share * (b - a), c + share * (d - c)), noise


def predictive(x: Array, y: Array, noise_sd: float, at: Array) -> tuple[Array, Array]:
    r"""Predict with the exact posterior of the output weights: mean and epistemic sd of the network at some inputs.

    With features :math:`\phi` and the posterior of lesson 01 the mean is :math:`\phi^\top m_N` and the epistemic
    variance :math:`\phi^\top\Sigma_N\phi`; the total variance is larger by that of the noise.

    Parameters
    ----------
    x, y : arrays (datum,)
    noise_sd : float
    at : array (point,)

    Returns
    -------
    mean, epistemic_sd : arrays (point,)
    """
    posterior = exact.regression_posterior(features(x), y, noise_sd=noise_sd, prior_sd=OUTPUT_SD)
    phi = features(at)
    return phi @ posterior.mean, np.sqrt(np.einsum("pi,ij,pj->p", phi, posterior.covariance, phi))


def draw_band(figure: Figure, points: int, noise_sd: float, layout: str) -> str:
    """Draw the predictive band, and below it the total, aleatoric and epistemic sd.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    points : int
        1 … 60.
    noise_sd : float
        Standard deviation of the noise, > 0; the network knows it.
    layout : {"two groups", "everywhere", "left half"}
        Where the points lie.

    Returns
    -------
    str
        The line of numbers.
    """
    x, noise = (values[:points] for values in observations(layout))
    y = truth(x) + noise_sd * noise
    mean, epistemic = predictive(x, y, noise_sd, AXIS)
    total = np.hypot(epistemic, noise_sd)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    figure.subplots_adjust(left=0.11, right=0.98, bottom=0.12, top=0.98, hspace=0.08)
    for sd, name, colour in ((total, "total", plots.PALE), (epistemic, "epistemic", plots.SKY)):
        upper.fill_between(AXIS, mean - 2 * sd, mean + 2 * sd, color=colour, linewidth=0, label=f"± 2 {name} sd")
    upper.plot(AXIS, mean, color=plots.BLUE)
    upper.plot(AXIS, truth(AXIS), color=plots.BLACK, linestyle=":", label="truth")
    upper.plot(x, y, "o", color=plots.VERMILLION, markersize=4)
    upper.set(ylabel="y", xlim=AXIS[[0, -1]], ylim=(-4.5, 5.5), yticks=[-4, 0, 4])
    upper.legend(ncols=3, loc="upper center", columnspacing=1.2, handlelength=1.5)
    lower.plot(AXIS, total, "-", color=plots.BLACK, label="total")
    lower.plot(AXIS, np.full(len(AXIS), noise_sd), "--", color=plots.VERMILLION, label="aleatoric")
    lower.plot(AXIS, epistemic, "-.", color=plots.BLUE, label="epistemic")
    lower.set(xlabel="input x", ylabel="sd", ylim=(0, 2.4), xticks=[-4, -2, 0, 2, 4], yticks=[0, 1, 2])
    lower.legend(ncols=3, loc="upper center")
    line = f"{points} points, aleatoric sd {noise_sd:g} everywhere"
    for place, sd in zip(PLACES, predictive(x, y, noise_sd, np.array(PLACES))[1], strict=True):
        line += f"; at x = {place:g} epistemic sd {sd:.2f}, total {np.hypot(sd, noise_sd):.2f}"
    return line.replace("= -", "= −")


def band() -> Explorer:
    """Explorer for lesson 05: where uncertainty lives as points are added, for a network with an exact posterior.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_band,
        "A network's mean with a band that is narrow at the points and wide elsewhere; below, total, aleatoric and"
        " epistemic standard deviation along the input.",
        size=(6, 4),
        play="points",
        main="points",
        points=IntSlider(value=12, min=1, max=POINTS, description="points"),
        noise_sd=SelectionSlider(options=[0.05, 0.1, 0.2, 0.4, 0.8], value=0.2, description="noise sd"),
        layout=Dropdown(options=list(LAYOUTS), value="two groups", description="points lie"),
    )
