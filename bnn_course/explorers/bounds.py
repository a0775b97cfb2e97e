"""A Normal q to move: evidence, ELBO and KL stand on one another, and the KL has two directions (lesson 03)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from ipywidgets import FloatSlider
from matplotlib.figure import Figure
from scipy.optimize import minimize
from scipy.special import log_ndtr, logsumexp

from bnn_course import plots
from bnn_course._checks import Array, positive, real_number
from bnn_course.explorers import Explorer, number

WIDTH = 0.02
THETA = WIDTH * (np.arange(3000) - 1499.5)  # middles of cells from -30 to 30, symmetric about zero
NOISE, PRIOR_SD = 1.0, 2.0  # as in the lesson
SHARES, SDS = np.array([0.65, 0.35]), np.array([0.6, 0.9])  # of the lesson's mixture
MIDDLE = 0.25  # between its two centres


def log_normal(at: Array | float, mean: Array | float, sd: Array | float) -> Array:
    """Log density of a Normal distribution.

    Parameters
    ----------
    at : array
    mean, sd : float or array

    Returns
    -------
    array
    """
    return -0.5 * ((at - mean) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi))


def integral(values: Array) -> float:
    """Integrate values on the grid `THETA`.

    Parameters
    ----------
    values : array (cell,)

    Returns
    -------
    float
    """
    return float(values.sum() * WIDTH)


# Evidence, ELBO and KL ------------------------------------------------------------------------------------------------


def log_joint(reading: float) -> Array:
    """Log of prior times likelihood when only the size of θ was measured, y = |θ| + noise (lesson 03).

    Parameters
    ----------
    reading : float
        The measurement y. The prior of θ is N(0, 2²), the noise N(0, 1).

    Returns
    -------
    array (cell,)
        On the grid `THETA`.
    """
    return log_normal(reading, np.abs(THETA), NOISE) + log_normal(THETA, 0, PRIOR_SD)


def reading_log_evidence(reading: float) -> float:
    """Log evidence of that measurement in closed form: the joint is two halves of Normal densities.

    Parameters
    ----------
    reading : float

    Returns
    -------
    float
        In nats.
    """
    mean, sd = _half(reading)
    return float(np.log(2) + log_normal(reading, 0, np.hypot(NOISE, PRIOR_SD)) + log_ndtr(mean / sd))


def reading_log_posterior(reading: float) -> Array:
    """Log posterior of θ in closed form: a Normal density of |θ|, cut off at zero, and its mirror image.

    Parameters
    ----------
    reading : float

    Returns
    -------
    array (cell,)
    """
    mean, sd = _half(reading)
    return log_normal(np.abs(THETA), mean, sd) - np.log(2) - log_ndtr(mean / sd)


def _half(reading):
    """Posterior mean and standard deviation if the sign were known and nothing were cut off."""
    precision = 1 / NOISE**2 + 1 / PRIOR_SD**2
    return reading / NOISE**2 / precision, precision**-0.5


def elbo_and_kl(mean: float, sd: float, reading: float) -> tuple[float, float]:
    """ELBO, from the joint alone, and KL(q‖p), from the posterior alone, of q = N(mean, sd²) (lesson 03).

    Parameters
    ----------
    mean, sd : float
        sd > 0.
    reading : float

    Returns
    -------
    (float, float)
        In nats.
    """
    log_q = log_normal(THETA, mean, positive(sd, "sd"))
    q = np.exp(log_q)
    return integral(q * (log_joint(reading) - log_q)), integral(q * (log_q - reading_log_posterior(reading)))


def draw_evidence(figure: Figure, *, mean: float, sd: float, reading: float) -> str:
    """Draw q beside the posterior p, and the bars of its ELBO and KL up to the log evidence (lesson 03).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    mean, sd : float
        μ and σ of q, σ > 0.
    reading : float
        The measurement y of |θ|.

    Returns
    -------
    str
        ELBO, KL and their sum.
    """
    elbo, kl = elbo_and_kl(mean, sd, reading)
    evidence = reading_log_evidence(reading)
    left, right = figure.subplots(1, 2, width_ratios=[2.2, 1])
    figure.subplots_adjust(left=0.1, right=0.98, bottom=0.15, top=0.88, wspace=0.3)
    _densities(left, reading_log_posterior(reading), {"q": (mean, sd, {"color": plots.BLUE, "linewidth": 2})})
    left.set(ylim=(0, max(0.75, left.get_ylim()[1])))
    floor = min(_floor(reading), elbo - 0.2)
    right.bar(0, elbo - floor, bottom=floor, color=plots.BLUE, alpha=0.6, label="ELBO")
    right.bar(0, kl, bottom=elbo, color=plots.VERMILLION, alpha=0.6, hatch="//", edgecolor="white", label="KL(q‖p)")
    _broken_foot(right)
    right.axhline(evidence, color=plots.BLACK, linestyle="--", label="ln p(D)")
    right.set(ylabel="nats", xlim=(-0.9, 0.9), ylim=(floor, -0.5), xticks=[])
    right.spines["bottom"].set_visible(False)
    _legend(figure, left, right)
    return f"ELBO {number(elbo, 3)} and KL {number(kl, 3)} nats; their sum ln p(D) = {number(elbo + kl, 3)}"


def _broken_foot(ax):
    """Break the column and its axis near the foot: a log density has no zero to begin at."""
    across = np.linspace(-0.45, 0.45, 9)
    up_and_down = np.where(np.arange(9) % 2, 0.045, 0.025)
    ax.plot(across, up_and_down, transform=ax.get_xaxis_transform(), color="white", linewidth=3, label="_broken foot")
    slash = {"marker": [(-1, -0.5), (1, 0.5)], "markersize": 7, "color": plots.BLACK, "linestyle": "none"}
    ax.plot([0, 0], [0.025, 0.045], transform=ax.transAxes, clip_on=False, **slash)


@lru_cache(maxsize=16)
def _floor(reading):
    """Where the bars begin: below the ELBO of every q that the sliders reach, so that the axis stands still."""
    return float(np.floor(min(elbo_and_kl(mean, sd, reading)[0] for mean in (0, 3) for sd in (0.2, 3)) - 0.2))


def evidence() -> Explorer:
    """Return the explorer of a Normal q for a posterior that is none: ELBO and KL, and their sum.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_evidence,
        "Left, the posterior p over θ, shaded, symmetric about zero and mostly with two humps, and the bell curve of "
        "q. Right, one column, broken off at its foot: the ELBO below, the KL on top of it, which ends at the dashed "
        "line of ln p(D).",
        main="mean",
        mean=FloatSlider(value=1, min=-3, max=3, step=0.1, description=r"mean $\mu$ of $q$"),
        sd=FloatSlider(value=0.5, min=0.2, max=3, step=0.1, description=r"sd $\sigma$ of $q$"),
        reading=FloatSlider(value=2.5, min=0, max=4, step=0.5, description="measured size $y$"),
    )


# Two directions -------------------------------------------------------------------------------------------------------


def log_mixture(separation: float) -> Array:
    """Log density of the lesson's mixture of two Normals, its centres moved apart or together.

    Parameters
    ----------
    separation : float
        Distance of the centres, ≥ 0; 4.5 in the lesson.

    Returns
    -------
    array (cell,)
    """
    centres = MIDDLE + real_number(separation, "separation", low=0) * np.array([-0.5, 0.5])
    return logsumexp(log_normal(THETA[:, None], centres, SDS), b=SHARES, axis=1)


def both_kls(mean: float, sd: float, log_p: Array) -> tuple[float, float]:
    """KL(q‖p) and KL(p‖q) for q = N(mean, sd²), by quadrature (lesson 03).

    Parameters
    ----------
    mean, sd : float
        sd > 0.
    log_p : array (cell,)

    Returns
    -------
    (float, float)
        In nats.
    """
    log_q = log_normal(THETA, mean, positive(sd, "sd"))
    return integral(np.exp(log_q) * (log_q - log_p)), integral(np.exp(log_p) * (log_p - log_q))


@lru_cache(maxsize=64)
def best_normals(separation: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Mean and standard deviation of the Normals with the smallest KL(q‖p) and KL(p‖q).

    The first is the best of three searches, started left, right and wide as in the lesson; the second has the mean and
    the variance of p.

    Parameters
    ----------
    separation : float

    Returns
    -------
    ((float, float), (float, float))
    """
    log_p = log_mixture(separation)
    near = slice(750, 2250, 2)  # θ from -15 to 15 in wider cells: enough for a q that is nearly right
    theta, log_near = THETA[near], log_p[near]

    def kl(parameters):
        log_q = log_normal(theta, parameters[0], np.exp(parameters[1]))
        return (np.exp(log_q) * (log_q - log_near)).sum() * 2 * WIDTH

    starts = [(MIDDLE - separation / 2, -0.5), (MIDDLE + separation / 2, 0), (MIDDLE, 1)]
    options = {"xatol": 1e-8, "fatol": 1e-12}
    seeking = min((minimize(kl, start, method="Nelder-Mead", options=options) for start in starts), key=lambda r: r.fun)
    mean = integral(np.exp(log_p) * THETA)
    variance = integral(np.exp(log_p) * (THETA - mean) ** 2)
    return (float(seeking.x[0]), float(np.exp(seeking.x[1]))), (mean, variance**0.5)


def draw_directions(figure: Figure, *, mean: float, sd: float, separation: float) -> str:
    """Draw q and the two best Normals beside a mixture p, and both KLs of q over the smallest possible (lesson 03).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    mean, sd : float
        μ and σ of q, σ > 0.
    separation : float
        Distance of the centres of p, ≥ 0.

    Returns
    -------
    str
        Both divergences and both minima.
    """
    separation = round(separation, 9)
    log_p, best = log_mixture(separation), best_normals(separation)
    now = both_kls(mean, sd, log_p)
    least = [both_kls(*each, log_p)[place] for place, each in enumerate(best)]
    left, right = figure.subplots(1, 2, width_ratios=[2.2, 1])
    figure.subplots_adjust(left=0.1, right=0.98, bottom=0.15, top=0.88, wspace=0.3)
    styles = [{"color": plots.GREEN, "linestyle": "--"}, {"color": plots.ORANGE, "linestyle": "-."}]
    names = ["KL(q‖p)", "KL(p‖q)"]
    curves = {f"smallest {name}": (*each, style) for name, each, style in zip(names, best, styles, strict=True)}
    _densities(left, log_p, {"q": (mean, sd, {"color": plots.BLUE, "linewidth": 2})} | curves)
    left.set(ylim=(0, max(0.75, left.get_ylim()[1])))
    for place, (value, lowest, style) in enumerate(zip(now, least, styles, strict=True)):
        right.bar(place, value, width=0.6, color=plots.BLUE, alpha=0.6)
        right.hlines(lowest, place - 0.4, place + 0.4, linewidth=2.5, **style)
    right.set(ylabel="nats", xticks=[0, 1], xticklabels=names, xlim=(-0.6, 1.6), ylim=(0, max(4, 1.05 * max(now))))
    _legend(figure, left)
    parts = [
        f"{name} {number(value)}, smallest {number(lowest)} at μ = {number(where[0])}, σ = {number(where[1])}"
        for name, value, lowest, where in zip(names, now, least, best, strict=True)
    ]
    return "; ".join(parts)


def directions() -> Explorer:
    """Return the explorer of both directions of the KL divergence on a mixture of two Normals.

    Returns
    -------
    Explorer
    """
    for separation in np.arange(0, 7.5, 0.5):  # searched for now, so that the slider moves at once
        best_normals(float(separation))
    return Explorer(
        draw_directions,
        "Left, a density p with two modes, shaded; the bell curve of q; dashed the Normal with the smallest KL(q‖p), "
        "on one mode unless the modes are close; dash-dotted that with the smallest KL(p‖q), over both. Right, a bar "
        "for each KL of q and a line at its smallest value.",
        main="separation",
        mean=FloatSlider(value=0.2, min=-5, max=5, step=0.1, description=r"mean $\mu$ of $q$"),
        sd=FloatSlider(value=1.2, min=0.2, max=4, step=0.1, description=r"sd $\sigma$ of $q$"),
        separation=FloatSlider(value=4.5, min=0, max=7, step=0.5, description="mode distance"),
    )


# Shared ---------------------------------------------------------------------------------------------------------------


def _densities(ax, log_p, normals):
    """The density p shaded, and Normal densities as lines."""
    shown = np.abs(THETA) <= 7
    ax.fill_between(THETA[shown], np.exp(log_p[shown]), color=plots.PALE, label="p")
    for name, (mean, sd, style) in normals.items():
        ax.plot(THETA[shown], np.exp(log_normal(THETA[shown], mean, sd)), label=name, **style)
    ax.set(xlabel="θ", ylabel="density", xlim=(-7, 7))
    ax.set_ylim(bottom=0)


def _legend(figure, *axes):
    handles, labels = np.hstack([np.array(ax.get_legend_handles_labels(), dtype=object) for ax in axes])
    figure.legend(handles, labels, loc="upper center", ncol=min(len(labels), 5))
