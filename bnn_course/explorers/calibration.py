"""A temperature on the answers of lesson 09's network: what it does to calibration and NLL (lesson 09)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from ipywidgets import FloatSlider, SelectionSlider
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar

from bnn_course import data, plots, uncertainty
from bnn_course._checks import Array, one_of, positive, real_number
from bnn_course.explorers import Explorer, digits, number

COUNTS = (1, 3, 10, 20)  # networks whose answers are averaged
CHOOSE = slice(55_000, 57_500)  # of the training images: those that choose settings in lesson 09
COLDEST, HOTTEST = 0.4, 2.5
BINS = 10


class Answers(NamedTuple):
    """What the mean of some networks says, and of what.

    Attributes
    ----------
    choose, test : array (item, class)
        Mean class probabilities of the images that choose settings and of the test images.
    choose_labels, test_labels : array of int (item,)
    """

    choose: Array
    choose_labels: Array
    test: Array
    test_labels: Array


@lru_cache(maxsize=len(COUNTS))
def answers(count: int) -> Answers:
    """Average the answers of networks drawn from the posterior that ships with the course.

    Parameters
    ----------
    count : int
        How many, one of `COUNTS`; the first of those of `bnn_course.explorers.digits`.

    Returns
    -------
    Answers

    Raises
    ------
    ValueError
        If the count is not one of these.
    """
    one_of(count, "count", COUNTS)
    choose, choose_labels, test_labels = _draws()
    means = [draws[:count].mean(axis=0) for draws in (choose, digits.test_draws())]
    return Answers(means[0], choose_labels, means[1], test_labels)


@lru_cache(maxsize=1)
def _draws():
    """Probabilities (draw, item, class) of the images that choose, and the labels of these and of the test images."""
    mnist = data.load_mnist()
    labels = (each.astype(int) for each in (mnist.train_labels[CHOOSE], mnist.test_labels))
    return digits.exact_probabilities(mnist.train_images[CHOOSE]), *labels


def tempered(probability: Array, temperature: float) -> Array:
    """Divide all logits by a temperature (lesson 09; Guo et al. 2017, equation 9).

    Parameters
    ----------
    probability : array (item, class)
    temperature : float
        T > 0; above one the answers become more modest, below one bolder.

    Returns
    -------
    array (item, class)
    """
    power = probability ** (1 / positive(temperature, "temperature"))
    return np.asarray(power / power.sum(axis=-1, keepdims=True))


@lru_cache(maxsize=len(COUNTS))
def chosen_temperature(count: int) -> float:
    """Return the temperature with the lowest NLL on the images that choose settings (lesson 09).

    Parameters
    ----------
    count : int
        One of `COUNTS`.

    Returns
    -------
    float
    """
    made = answers(count)

    def loss(temperature):
        return uncertainty.nll(tempered(made.choose, temperature), made.choose_labels)

    return float(minimize_scalar(loss, bounds=(COLDEST, HOTTEST), method="bounded").x)


@lru_cache(maxsize=len(COUNTS))
def curves(count: int) -> Array:
    """Compute the NLL of the test images and of those that choose, at temperatures between the ends of the slider.

    Parameters
    ----------
    count : int
        One of `COUNTS`.

    Returns
    -------
    array (3, 43)
        Temperature, NLL of the test images, NLL of the choosing images, both in nats.
    """
    made, temperatures = answers(count), np.linspace(COLDEST, HOTTEST, 43)
    test = [uncertainty.nll(tempered(made.test, t), made.test_labels) for t in temperatures]
    choose = [uncertainty.nll(tempered(made.choose, t), made.choose_labels) for t in temperatures]
    return np.array([temperatures, test, choose])


def draw_temperature(figure: Figure, temperature: float, count: int) -> str:
    """Draw the reliability diagram of the tempered answers to the test images, and their NLL against the temperature.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty; 6 × 3.4 inches suit it.
    temperature : float
        T, in [0.4, 2.5].
    count : int
        How many networks are averaged, one of `COUNTS`.

    Returns
    -------
    str
        ECE, NLL and accuracy on the test images, and the temperature that the other images choose.
    """
    real_number(temperature, "temperature", low=COLDEST, high=HOTTEST)
    made, chosen = answers(count), chosen_temperature(count)
    now = tempered(made.test, temperature)
    nll, ece = uncertainty.nll(now, made.test_labels), uncertainty.ece(now, made.test_labels)
    diagram, losses = figure.subplots(1, 2, width_ratios=[1, 1.05])
    figure.subplots_adjust(left=0.08, right=0.98, bottom=0.15, top=0.91, wspace=0.34)
    _reliability(diagram, uncertainty.reliability(now, made.test_labels, bins=BINS))
    _losses(losses, curves(count), (temperature, nll), chosen)
    who = "One network" if count == 1 else f"The mean of {count} networks"
    return (
        f"{who} at T = {number(temperature)}: ECE {number(ece, 4)}, NLL {number(nll, 4)} nats, accuracy "
        f"{number(100 * uncertainty.accuracy(now, made.test_labels))} %; the images that choose want T = "
        f"{number(chosen)}"
    )


def _reliability(ax, table):
    """The upper part of a reliability diagram, and what it means to lie above the diagonal."""
    plots.reliability_diagram(ax, table, color=plots.BLUE)
    words = {"transform": ax.transAxes, "fontsize": plots.SMALL, "color": plots.DARK}
    ax.text(0, 1.02, "above the diagonal: too modest", **words)
    ax.set(xlim=(0.34, 1.02), ylim=(0.29, 1.02), xticks=[0.4, 0.6, 0.8, 1], yticks=[0.4, 0.6, 0.8, 1])


def _losses(ax, table, here, chosen):
    """Both NLLs against the temperature, a dot at the present one, a line at the one that is chosen."""
    temperature, test, choose = table
    ax.plot(temperature, test, color=plots.BLUE, linewidth=1.8, label="test")
    ax.plot(temperature, choose, color=plots.GREY, linewidth=1.2, linestyle="--", label="choosing")
    ax.axvline(chosen, color=plots.DARK, linewidth=1.2, linestyle=":", label="chosen T")
    ax.plot(*here, "o", color=plots.VERMILLION, markersize=8, gid="here", clip_on=False, zorder=3)
    ax.set(xlabel="temperature $T$", ylabel="NLL (nats)", xlim=(COLDEST, HOTTEST), ylim=(0.04, 0.24))
    ax.set(xticks=[0.5, 1, 1.5, 2, 2.5], yticks=[0.05, 0.1, 0.15, 0.2])
    key = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "borderaxespad": 0.1, "ncols": 3}
    ax.legend(frameon=False, fontsize=8, columnspacing=1, handlelength=1.8, **key)


def temperature() -> Explorer:
    """Explorer for lesson 09: turn the temperature of one network, or of the mean of several.

    Returns
    -------
    Explorer
    """
    for count in COUNTS:  # computed now, so that the controls move at once
        curves(count)
    return Explorer(
        draw_temperature,
        "Left, a reliability diagram of the test digits, accuracy against confidence with bars, beside the diagonal of "
        "perfect calibration. Right, NLL against the temperature for the test images and for those that choose, with "
        "a dot at the present temperature and a dotted line at the chosen one.",
        size=(6, 3.3),
        main="temperature",
        temperature=FloatSlider(
            value=1, min=COLDEST, max=HOTTEST, step=0.05, description="temperature $T$", readout_format=".2f"
        ),
        count=SelectionSlider(options=list(COUNTS), value=20, description="networks averaged"),
    )
