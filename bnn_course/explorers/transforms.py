"""Explorers of lesson 04: a change of variable with and without its Jacobian, and the path of ADVI over the ELBO."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from ipywidgets import Dropdown, FloatSlider, IntSlider, SelectionSlider
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy import integrate, optimize, special, stats

from bnn_course import variational
from bnn_course._checks import Array, one_of, positive_integer, real_number
from bnn_course.explorers import Explorer, scale
from bnn_course.plots import BLACK, BLUE, DARK, GREY, SKY, SMALL, VERMILLION

SEED = 2017


# Change of variable ---------------------------------------------------------------------------------------------------


class Transform(NamedTuple):
    """A transform ζ = T(θ) and a density over θ to try it on.

    Attributes
    ----------
    back, log_jacobian : callable
        T⁻¹ and ln |dT⁻¹/dζ|, functions of ζ.
    density : callable
        Two parameters ↦ frozen distribution of θ.
    ends : (float, float)
        The part of the ζ axis that is drawn.
    names : (str, str)
        Of both axes.
    """

    back: Callable[[Array], Array]
    log_jacobian: Callable[[Array], Array]
    density: Callable[[float, float], Any]
    ends: tuple[float, float]
    names: tuple[str, str]


def _gamma(shape, rate):
    return stats.gamma(shape, scale=1 / rate)


def _logistic_log_slope(zeta):
    return special.log_expit(zeta) + special.log_expit(-zeta)


RATE, SHARE = ("rate θ (per hour)", "ζ = ln θ"), ("share θ", "ζ = ln θ − ln(1 − θ)")
TRANSFORMS = {
    "log": Transform(np.exp, np.positive, _gamma, (-6.0, 3.5), RATE),
    "logit": Transform(special.expit, _logistic_log_slope, stats.beta, (-6.0, 6.0), SHARE),
}
CHOICES = [("θ = exp ζ: a rate", "log"), ("θ = logistic(ζ): a share", "logit")]
STRIP = 0.4  # width on the ζ axis


def on_the_line(transform: str, a: float, b: float, zeta: Array) -> tuple[Array, Array]:
    """Return the density of ζ, and what it is taken for without the Jacobian (lesson 04).

    Parameters
    ----------
    transform : {"log", "logit"}
        θ is Gamma (shape a, rate b per hour) for "log" and Beta(a, b) for "logit".
    a, b : float
        At least 1.
    zeta : array (point,)

    Returns
    -------
    with_jacobian, without : array (point,)
    """
    chosen = TRANSFORMS[one_of(transform, "transform", tuple(TRANSFORMS))]
    a, b = real_number(a, "a", low=1), real_number(b, "b", low=1)
    without = chosen.density(a, b).pdf(chosen.back(zeta))
    return without * np.exp(chosen.log_jacobian(zeta)), without


@lru_cache(maxsize=256)
def masses(transform: str, a: float, b: float, low: float = -60.0, high: float = 60.0) -> tuple[float, float]:
    """Return the areas under both curves of `on_the_line` between `low` and `high`, by the trapezoidal rule.

    Parameters
    ----------
    transform, a, b
        As in `on_the_line`.
    low, high : float
        Ends on the ζ axis.

    Returns
    -------
    with_jacobian, without : float
        The second is infinite over the whole axis if the dashed curve never falls to zero: a = 1, or, for shares,
        b = 1.
    """
    zeta = np.linspace(low, high, 2_401)
    right, wrong = (float(integrate.trapezoid(curve, zeta)) for curve in on_the_line(transform, a, b, zeta))
    never_ends = (low, high) == (-60, 60) and (a == 1 or (transform == "logit" and b == 1))
    return right, np.inf if never_ends else wrong


def draw_jacobian(figure: Figure, transform: str, a: float, b: float, place: float) -> str:
    """Draw a density of θ and, over ζ, the same density with and without the Jacobian (lesson 04).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty; 6 × 3.2 inches suit it.
    transform : {"log", "logit"}
    a, b : float
        Parameters of the density of θ, in [1, 8]: shape and rate of a Gamma, or both parameters of a Beta.
    place : float
        Middle of the strip on the ζ axis, in [−3, 3]; the strip on the θ axis is the same event.

    Returns
    -------
    str
        Areas under both curves, of all and of the strip.
    """
    chosen = TRANSFORMS[one_of(transform, "transform", tuple(TRANSFORMS))]
    density, strip = chosen.density(a, b), (place - STRIP / 2, place + STRIP / 2)
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.1, right=0.985, bottom=0.26, top=0.96, wspace=0.22)
    theta = np.linspace(0, 1 if transform == "logit" else density.ppf(0.999), 301)
    zeta = np.linspace(*chosen.ends, 301)
    curves = on_the_line(transform, a, b, zeta)
    left.plot(theta, density.pdf(theta), color=BLUE, linewidth=1.8, gid="theta")
    right.plot(zeta, curves[0], color=BLUE, linewidth=1.8, label="with the Jacobian", gid="with")
    right.plot(zeta, curves[1], "--", color=VERMILLION, linewidth=1.5, label="without", gid="without")
    inside = np.linspace(*strip, 21)
    there = chosen.back(inside)
    strips = {"color": SKY, "alpha": 0.6, "linewidth": 0, "label": "the same event on both axes"}
    left.fill_between(there, density.pdf(there), **strips)
    right.fill_between(inside, on_the_line(transform, a, b, inside)[0], **strips)
    for ax, name, ends in zip((left, right), chosen.names, ((0, theta[-1]), chosen.ends), strict=True):
        ax.set(xlabel=name, xlim=ends)
        ax.set_ylim(bottom=0)
        ax.locator_params(nbins=4)
    left.set_ylabel("density")
    figure.legend(*right.get_legend_handles_labels(), loc="lower center", ncols=3)
    return _mass_line(transform, a, b, strip)


def _mass_line(transform, a, b, strip):
    (whole, forgetful), (share, wrong) = masses(transform, a, b), masses(transform, a, b, *strip)
    area = "infinite" if np.isinf(forgetful) else f"{forgetful:.3f}"
    density = f"Gamma, shape {a:g} and rate {b:g} per hour" if transform == "log" else f"Beta({a:g}, {b:g})"
    return (
        f"{density}: area over ζ with the Jacobian {whole:.3f}, without it {area}. The strip holds {share:.3f} on both "
        f"axes; without the Jacobian it would be {wrong:.3f}."
    )


def jacobian() -> Explorer:
    """Explorer of lesson 04: the same density over θ and over ζ, with and without the Jacobian.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_jacobian,
        "Left, a density over the constrained parameter theta. Right, over zeta, the density with its Jacobian as a "
        "solid curve and without it as a dashed one. A shaded strip marks the same event in both panels.",
        size=(6, 3.2),
        main="place",
        transform=Dropdown(options=CHOICES, description="transform"),
        a=FloatSlider(5, min=1, max=8, step=0.5, description="parameter $A$"),
        b=FloatSlider(6, min=1, max=8, step=0.5, description="parameter $R$"),
        place=FloatSlider(-0.8, min=-3, max=3, step=0.1, description=r"strip at $\zeta$"),
    )


# The path of ADVI -----------------------------------------------------------------------------------------------------

A, R = 5, 6  # posterior of the shooting stars, Gamma: two plus three stars, one plus five hours
STEPS = 200
ETAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
DRAWS = (1, 3, 10, 30, 100)
BEST = (np.log(A / R) - 1 / (2 * A), -0.5 * np.log(A))  # μ and ln σ of the best Normal
LEVELS = (0.05, 0.2, 0.5, 1, 2, 4, 8, 16)


def log_joint(zeta: Array) -> Array:
    """Log joint density of the shooting stars on the scale ζ = ln θ, Jacobian included, in nats (lesson 04).

    Parameters
    ----------
    zeta : array (draw, 1)

    Returns
    -------
    array (draw,)
    """
    return (A * zeta - R * np.exp(zeta)).sum(axis=-1) - np.log(2)


def gradient(zeta: Array) -> Array:
    """Derivative of `log_joint`.

    Parameters
    ----------
    zeta : array (draw, 1)

    Returns
    -------
    array (draw, 1)
    """
    return A - R * np.exp(zeta)


def elbo_gap(mean: Array | float, log_sd: Array | float) -> Array | float:
    """How far the exact ELBO of q = N(μ, σ²) lies below that of the best Normal, in nats (lesson 04, "The objective").

    Parameters
    ----------
    mean, log_sd : float or array
        μ and ln σ.

    Returns
    -------
    float or array
        At least 0.
    """

    return _elbo(*BEST) - _elbo(mean, log_sd)


def _elbo(mean, log_sd):
    """Up to a constant."""
    return A * mean - R * np.exp(mean + np.exp(2 * log_sd) / 2) + log_sd


@lru_cache(maxsize=128)
def ascent(eta: float, draws: int, start: float) -> Array:
    """Return the path of `bnn_course.variational.advi` on the shooting stars (lesson 04, "ADVI from scratch").

    Parameters
    ----------
    eta : float
        Scale of the step sizes.
    draws : int
        Draws of the noise for each gradient.
    start : float
        First μ; the first σ is one.

    Returns
    -------
    array (step + 1, [μ, ln σ])
        200 steps, or those before the gradient ceased to be finite.
    """
    at, rng = np.array([start]), np.random.default_rng(SEED)
    with np.errstate(all="ignore"):
        try:
            path = variational.advi(log_joint, gradient, at, steps=STEPS, eta=eta, draws=draws, rng=rng).path
        except variational.FitError as error:
            path = error.made.path
    return path[..., 0]


@lru_cache(maxsize=1)
def _contours():
    """Lines of equal ELBO."""
    grid = np.meshgrid(np.linspace(-2, 1.5, 100), np.linspace(-2.2, 0.6, 100))
    drawn = Figure().subplots().contour(*grid, elbo_gap(*grid), LEVELS)
    return [line for level in drawn.allsegs for line in level]


@lru_cache(maxsize=4)
def _crossing(level, log_sd):
    """Where a line crosses this height, left of the star."""
    return optimize.brentq(lambda mean: elbo_gap(mean, log_sd) - level, -9, BEST[0])


def draw_path(figure: Figure, eta: float, draws: int, start: float, steps: int) -> str:
    """Draw the path of ADVI over contours of the ELBO, and how far below the best it is (lesson 04).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty; 6 × 3.4 inches suit it.
    eta : float
        Scale η of the step sizes, in [0.01, 10].
    draws : int
        Gradient draws per step, in [1, 100].
    start : float
        First μ, −1.5 or 1.2.
    steps : int
        How many steps are shown, in [1, 200].

    Returns
    -------
    str
        Where the path is, and how far its ELBO lies below that of the best Normal.
    """
    whole = ascent(eta, draws, start)
    path = whole[: positive_integer(steps, "steps") + 1]
    with np.errstate(all="ignore"):
        gap = elbo_gap(*path.T)
    surface, fall = figure.subplots(1, 2, width_ratios=[4, 3])
    figure.subplots_adjust(left=0.095, right=0.97, bottom=0.15, top=0.89, wspace=0.36)
    surface.add_collection(LineCollection(_contours(), colors=GREY, linewidths=0.7))
    words = {"fontsize": SMALL, "color": DARK, "ha": "center", "va": "center"}
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    for level, lower in [(0.5, 0.0), (1, 0.4), (2, 0.0), (4, 0.4)]:  # neighbours at two heights do not touch
        log_sd = BEST[1] - lower
        surface.text(_crossing(level, log_sd), log_sd, f"{level:g}", bbox=paper, **words)
    shown = np.clip(path, -50, 50)
    surface.plot(*shown.T, ".-", color=BLUE, linewidth=1, markersize=3, gid="path")
    surface.plot(*shown[0], "o", color=BLACK, markersize=5)
    surface.plot(*shown[-1], "o", color=VERMILLION, markersize=6, gid="now")
    surface.plot(*BEST, "*", color=BLACK, markersize=10)
    surface.set(xlabel="μ", ylabel="ln σ", xlim=(-2, 1.5), ylim=(-2.2, 0.6), xticks=[-2, -1, 0, 1], yticks=[-2, -1, 0])
    surface.text(0, 1.02, "grey: nats below the star", transform=surface.transAxes, fontsize=SMALL, color=DARK)
    _draw_fall(fall, gap)
    return _path_line(len(whole) <= steps, path, gap)


def _draw_fall(ax, gap):
    height = np.log10(np.clip(gap, 1e-5, 1e3))  # a linear axis of logarithms draws faster than a logarithmic axis
    ax.plot(height, color=BLUE, linewidth=1.2, gid="gap")
    ax.plot(len(gap) - 1, np.clip(height[-1], -4, 2), "o", color=VERMILLION, markersize=6, clip_on=False)
    ax.axhline(np.log10(gap_of_best()), color=GREY, linestyle="--", linewidth=1)
    ax.set(xlabel="optimisation step", xlim=(0, STEPS), ylim=(-4, 2))
    ax.set_xticks([0, 100, 200])
    ax.set_yticks([-4, -3, -2, -1, 0, 1, 2], ["0.0001", "0.001", "0.01", "0.1", "1", "10", "100"])
    words = "nats below the best Normal\n(dashed: its KL from the posterior)"
    ax.text(1, 1.02, words, transform=ax.transAxes, ha="right", fontsize=SMALL, color=DARK)


def gap_of_best() -> float:
    """From the ELBO of the best Normal to ln p(D): its KL divergence from the posterior (lesson 04).

    Returns
    -------
    float
        In nats.
    """
    log_evidence = special.gammaln(A) - A * np.log(R)
    return log_evidence - _elbo(*BEST) - 0.5 * np.log(2 * np.pi * np.e)


def _path_line(stopped, path, gap):
    if stopped:
        return f"Stopped: after step {len(path) - 1} the gradient is no longer a finite number; take a smaller η."
    here = "" if np.all(np.abs(path[-1] - [-0.25, -0.8]) < [1.75, 1.4]) else ", off the map"
    below, recent = ("over 1000" if g > 1000 else f"{g:.3f}" for g in (gap[-1], gap[-20:].mean()))
    return (
        f"Step {len(path) - 1}: μ {path[-1, 0]:.2f}, ln σ {path[-1, 1]:.2f}{here} (best {BEST[0]:.2f}, {BEST[1]:.2f}). "
        f"ELBO {below} nats below that of the best Normal; mean of the last {len(gap[-20:])} places {recent}."
    ).replace(" -", " −")


def path() -> Explorer:
    """Explorer of lesson 04: ADVI climbs the ELBO of the shooting stars, step by step.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_path,
        "Left, contours of the ELBO over mu and log sigma with the path of ADVI from its start, a black dot, towards "
        "the best Normal, a star. Right, the distance below the best ELBO against steps, on a logarithmic axis.",
        size=(6, 3.4),
        play="steps",
        main="eta",
        eta=SelectionSlider(options=scale(*ETAS), value=1.0, description=r"step scale $\eta$"),
        draws=SelectionSlider(options=DRAWS, value=1, description="gradient draws"),
        start=Dropdown(options=[("μ = −1.5, σ = 1", -1.5), ("μ = 1.2, σ = 1", 1.2)], value=-1.5, description="start"),
        steps=IntSlider(60, 1, STEPS, description="steps"),
    )
