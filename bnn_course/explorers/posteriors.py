"""Posteriors to move: a coin, a mean with Normal noise, what a prior does to weights (lesson 01, appendix F)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from ipywidgets import FloatSlider, IntSlider, SelectionSlider
from matplotlib.figure import Figure
from scipy.special import betaincinv, betaln, ndtri

from bnn_course import exact, plots
from bnn_course._checks import Array, real_number
from bnn_course.explorers import Explorer, number, scale

THETA = (np.arange(1000) + 0.5) / 1000  # the middles of the cells, as in the lesson
TAILS = np.array([0.05, 0.95])  # the central 90 %
CURVES = {
    "prior": {"color": plots.GREY, "linestyle": "--"},
    "likelihood, scaled to area 1": {"color": plots.ORANGE, "linestyle": "-."},
    "posterior": {"color": plots.BLUE, "linewidth": 2},
}


# A coin ---------------------------------------------------------------------------------------------------------------


def draw_coin(figure: Figure, *, a_1: float, a_0: float, n_1: int, n_0: int) -> str:
    """Draw prior, likelihood and posterior of the probability of heads (lesson 01).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    a_1, a_0 : float
        Of the Beta prior, at least 1.
    n_1, n_0 : int
        Heads and tails that were seen, at least 0.

    Returns
    -------
    str
        MAP, mean and central 90 % interval.
    """
    if min(a_1, a_0) < 1 or min(n_1, n_0) < 0:
        raise ValueError(f"a_1, a_0 must be ≥ 1 and n_1, n_0 ≥ 0, got {a_1}, {a_0}, {n_1}, {n_0}: move them up")
    prior, likelihood = exact.Beta(a_1, a_0), exact.Beta(n_1 + 1, n_0 + 1)
    posterior = exact.Beta(a_1 + n_1, a_0 + n_0)
    low, high = betaincinv(*posterior, TAILS)
    mean = posterior.ones / sum(posterior)
    top = (posterior.ones - 1) / (sum(posterior) - 2) if sum(posterior) > 2 else None
    ax = _axes(figure, THETA, [_beta_density(each) for each in (prior, likelihood, posterior)], low, high, top, mean)
    ax.set(xlabel="θ, probability of heads", xlim=(0, 1), ylim=(0, max(4.2, ax.get_ylim()[1])))
    best = "MAP: every θ is as high as the others" if top is None else f"MAP {number(top, 3)}"
    ends = f"{number(low, 3)} and {number(high, 3)}"
    return f"{best}; mean {number(mean, 3)}; with probability 90 % θ lies between {ends}"


def coin() -> Explorer:
    """Return the explorer of a coin: a Beta prior times heads and tails.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_coin,
        "Three curves over θ from zero to one: the prior, dashed; the likelihood, dash-dotted; the posterior, solid, "
        "between them. Below the posterior its central 90 % is shaded, and lines mark its top and its mean.",
        main="n_1",
        a_1=IntSlider(value=2, min=1, max=40, description="prior, heads $a_1$"),
        a_0=IntSlider(value=2, min=1, max=40, description="prior, tails $a_0$"),
        n_1=IntSlider(value=7, min=0, max=100, description="heads seen $N_1$"),
        n_0=IntSlider(value=3, min=0, max=100, description="tails seen $N_0$"),
    )


def _beta_density(shape):
    return np.exp((shape.ones - 1) * np.log(THETA) + (shape.zeros - 1) * np.log1p(-THETA) - betaln(*shape))


# A mean with Normal noise ---------------------------------------------------------------------------------------------


def draw_gaussian(
    figure: Figure, *, prior_mean: float, prior_sd: float, n: int, data_mean: float, noise_sd: float
) -> str:
    """Draw prior, likelihood and posterior of a mean (appendix F).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    prior_mean, prior_sd : float
        Of the Normal prior; the standard deviation is positive.
    n : int
        Number of observations, at least 1.
    data_mean : float
        Their mean.
    noise_sd : float
        Standard deviation of one observation, > 0.

    Returns
    -------
    str
        MAP, mean, central 90 % interval, and whose precision it is.
    """
    shifted = np.full(n, data_mean - prior_mean)  # only the mean of the data matters
    posterior = exact.regression_posterior(np.ones((n, 1)), shifted, noise_sd=noise_sd, prior_sd=prior_sd)
    mean, sd = float(prior_mean + posterior.mean[0]), float(posterior.covariance[0, 0]) ** 0.5
    low, high = mean + sd * ndtri(TAILS)
    line = np.union1d(np.linspace(-6, 6, 401), mean + sd * np.linspace(-5, 5, 201))
    normals = [(prior_mean, prior_sd), (data_mean, noise_sd / n**0.5), (mean, sd)]
    ax = _axes(figure, line, [_normal_density(line, *normal) for normal in normals], low, high, mean, mean)
    ax.set(xlabel="θ, the unknown mean", xlim=(-6, 6), ylim=(0, max(1, ax.get_ylim()[1])))
    share = 100 * sd**2 * n / noise_sd**2
    return (
        f"MAP and mean {number(mean)}; with probability 90 % θ lies between {number(low)} and {number(high)}; "
        f"the data give {number(share, 0)} % of the precision"
    )


def gaussian() -> Explorer:
    """Return the explorer of a mean: a Normal prior times observations with Normal noise.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_gaussian,
        "Three bell curves over θ: the prior, dashed; the likelihood, dash-dotted; the posterior, solid, between them "
        "and narrower than both. Its central 90 % is shaded, and a line marks its top, which is its mean.",
        main="data_mean",
        prior_mean=FloatSlider(value=-1, min=-4, max=4, step=0.5, description="prior mean"),
        prior_sd=SelectionSlider(value=1, options=scale(0.1, 0.2, 0.5, 1, 2, 5), description="prior sd $s_0$"),
        n=IntSlider(value=4, min=1, max=100, description="observations $N$"),
        data_mean=FloatSlider(value=2, min=-4, max=4, step=0.5, description="mean of the data"),
        noise_sd=SelectionSlider(value=2, options=scale(0.2, 0.5, 1, 2, 4), description=r"noise sd $\sigma$"),
    )


def _normal_density(at, mean, sd):
    return np.exp(-0.5 * ((at - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))


def _axes(figure, at, densities, low, high, top, mean):
    """One axes with prior, likelihood and posterior, its interval, its top and its mean; the legend above."""
    ax = figure.subplots()
    figure.subplots_adjust(left=0.11, right=0.98, bottom=0.15, top=0.82)
    for density, (name, style) in zip(densities, CURVES.items(), strict=True):
        ax.plot(at, density, label=name, **style)
    inside = np.union1d(at[(at > low) & (at < high)], [low, high])
    height = np.interp(inside, at, densities[-1])
    ax.fill_between(inside, height, color=plots.BLUE, alpha=0.2, linewidth=0, label="central 90 %")
    ax.axvline(mean, color=plots.DARK, linewidth=1, label="mean")
    if top is not None:
        ax.axvline(top, color=plots.VERMILLION, linestyle=":", linewidth=2, label="MAP")
    ax.set(ylabel="density", ylim=(0, 1.08 * max(density.max() for density in densities)))
    figure.legend(loc="upper center", ncol=3)
    return ax


# A penalty between ridge and lasso ------------------------------------------------------------------------------------

PULL = 10.0  # N / σ², with inputs of variance one
FIRST = 1.5  # least squares, first weight
PRIOR_SDS = np.geomspace(0.02, 3, 81)
SCALES = (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 2)  # to choose from


def penalty_map(fit: Array, precision: Array, prior_sd: Array | float, laplace: float, *, sweeps: int = 200) -> Array:
    r"""MAP weights of a linear model under a prior between Normal and Laplace: the lesson's coordinate descent.

    .. math:: -\ln p(w) = (1-\ell)\sum_j\frac{w_j^2}{2s^2} + \ell\sum_j\frac{\sqrt2\,|w_j|}{s} + \text{const}

    With ℓ = 0 this is ridge (s₀ = s), with ℓ = 1 the lasso (of scale s/√2: then the prior's standard deviation is s).

    Parameters
    ----------
    fit : array (weight,)
        Least squares.
    precision : array (weight, weight)
        XᵀX/σ² of the likelihood.
    prior_sd : float or array (scale,)
        s > 0.
    laplace : float
        ℓ in [0, 1].
    sweeps : int
        Times that every weight is updated, at most.

    Returns
    -------
    array (weight,) or (scale, weight)
    """
    prior_sd = np.asarray(prior_sd, dtype=float)
    if not 0 <= laplace <= 1 or (prior_sd <= 0).any():
        raise ValueError(f"laplace must lie in [0, 1] and prior_sd above 0, got {laplace} and {prior_sd}: move them")
    w = np.zeros((*prior_sd.shape, len(fit)))
    for _ in range(sweeps):
        before = w.copy()
        for j in range(len(fit)):
            pull = precision[j] @ fit - w @ precision[j] + w[..., j] * precision[j, j]
            stiffness = precision[j, j] + (1 - laplace) / prior_sd**2
            w[..., j] = soft_threshold(pull, laplace * np.sqrt(2) / prior_sd) / stiffness
        if np.abs(w - before).max() < 1e-13:
            break
    return w


def soft_threshold(z: Array | float, c: Array | float) -> Array:
    """Move z towards zero by c, and stop there (appendix F).

    Parameters
    ----------
    z : float or array
    c : float or array
        Not negative.

    Returns
    -------
    float or array
    """
    return np.sign(z) * np.maximum(np.abs(z) - c, 0)


def draw_penalty(figure: Figure, *, laplace: float, prior_sd: float, second: float, correlation: float) -> str:
    """Draw likelihood ellipses against contours of the penalty, and the MAP weights as the prior widens (appendix F).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    laplace : float
        Share of the Laplace prior in the penalty, in [0, 1]: 0 is ridge, 1 the lasso.
    prior_sd : float
        Scale of the prior, > 0; its standard deviation when the share is 0 or 1.
    second : float
        Least squares for the second weight; for the first it is 1.5.
    correlation : float
        Of the two inputs, in (-1, 1).

    Returns
    -------
    str
        The MAP weights, and which of them are exactly zero.
    """
    real_number(correlation, "correlation", low=-1, high=1, open_ends=True)
    laplace = round(laplace, 9)  # what a slider makes of nine tenths and one more
    fit, precision = np.array([FIRST, second]), _precision(correlation)
    best = penalty_map(fit, precision, prior_sd, laplace)
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.1, right=0.98, bottom=0.15, top=0.9, wspace=0.35)
    _plane(left, fit, precision, best, prior_sd, laplace)
    _path(right, second, correlation, laplace, prior_sd, best)
    figure.legend(*left.get_legend_handles_labels(), loc="upper center", ncol=4)
    kind = {0.0: "Normal prior (ridge)", 1.0: "Laplace prior (lasso)"}.get(laplace, f"{100 * laplace:.0f} % Laplace")
    words = [f"w{j} = {'0 exactly' if weight == 0 else number(weight)}" for j, weight in zip("₁₂", best, strict=True)]
    return f"{kind}, s = {prior_sd:g}: MAP {', '.join(words)}; least squares {number(FIRST)} and {number(second)}"


def penalty() -> Explorer:
    """Return the explorer of two weights under a prior between Normal and Laplace.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_penalty,
        "Left, the plane of two weights: ellipses of the likelihood around least squares, contours of the penalty "
        "around zero, and a star at the MAP, where two of them touch. Right, both MAP weights against the scale of the "
        "prior.",
        main="laplace",
        laplace=FloatSlider(value=1, min=0, max=1, step=0.1, description=r"share of Laplace $\ell$"),
        prior_sd=SelectionSlider(value=0.2, options=scale(*SCALES), description="prior scale $s$"),
        second=FloatSlider(value=0.5, min=-1.5, max=1.5, step=0.1, description="least squares $w_2$"),
        correlation=FloatSlider(value=0, min=-0.9, max=0.9, step=0.1, description="correlation"),
    )


ANGLES = np.linspace(0, 2 * np.pi, 145)  # meets both axes, where the corners are
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)])


def _plane(ax, fit, precision, best, prior_sd, laplace):
    """Ellipses of the likelihood and contours of the penalty; the thick ones meet at the MAP."""
    ellipse = np.linalg.solve(np.linalg.cholesky(precision).T, CIRCLE)
    ax.axhline(0, color=plots.PALE, linewidth=0.8, zorder=0)
    ax.axvline(0, color=plots.PALE, linewidth=0.8, zorder=0)
    reach = np.sqrt((best - fit) @ precision @ (best - fit))
    for radius in (1, 2, 3, 4, reach):
        thick = {"linewidth": 1.8, "label": "likelihood"} if radius is reach else {"linewidth": 0.6, "alpha": 0.6}
        ax.plot(*(fit[:, None] + radius * ellipse), color=plots.BLUE, **thick)
    for through in (np.array([0.5, 0]), np.array([1, 0]), np.array([2, 0]), best):
        thick = {"linewidth": 1.8, "label": "penalty"} if through is best else {"linewidth": 0.6}
        contour = _penalty_contour(_penalty(through, prior_sd, laplace), prior_sd, laplace)
        ax.plot(*contour, "--", color=plots.ORANGE, **thick)
    ax.plot(*fit, "o", color=plots.BLUE, markersize=5, label="least squares")
    ax.plot(*best, "*", color=plots.VERMILLION, markersize=13, markeredgecolor="white", zorder=4, label="MAP")
    ax.set(xlabel="$w_1$", ylabel="$w_2$", xlim=(-1.2, 2.4), ylim=(-2.04, 2.04), aspect="equal")
    ax.set(xticks=[-1, 0, 1, 2], yticks=[-1, 0, 1])
    ax.yaxis.labelpad = 0


def _penalty(w, prior_sd, laplace):
    return (1 - laplace) * (w**2).sum() / (2 * prior_sd**2) + laplace * np.sqrt(2) * np.abs(w).sum() / prior_sd


def _penalty_contour(level, prior_sd, laplace):
    """Points where the penalty has this level: along each direction a quadratic equation for the distance."""
    square = (1 - laplace) / (2 * prior_sd**2)
    slope = laplace * np.sqrt(2) / prior_sd * np.abs(CIRCLE).sum(axis=0)
    root = np.sqrt(slope**2 + 4 * square * level)
    distance = np.divide(2 * level, slope + root, out=np.zeros_like(root), where=slope + root > 0)
    return distance * CIRCLE


@lru_cache(maxsize=256)
def _path_weights(second, correlation, laplace):
    return penalty_map(np.array([FIRST, second]), _precision(correlation), PRIOR_SDS, laplace)


def _precision(correlation):
    return PULL * np.array([[1, correlation], [correlation, 1]])


def _path(ax, second, correlation, laplace, prior_sd, best):
    """Both MAP weights as the prior widens, and where we are."""
    path = _path_weights(round(second, 9), round(correlation, 9), laplace)
    for j, (colour, above) in enumerate([(plots.GREEN, 4), (plots.PURPLE, -12)]):
        ax.plot(PRIOR_SDS, path[:, j], plots.LINES[j], color=colour)
        ax.plot(prior_sd, best[j], plots.MARKERS[j], color=colour, markersize=6, clip_on=False, zorder=3)
        end = {"xy": (PRIOR_SDS[-1], path[-1, j]), "xytext": (-3, above), "textcoords": "offset points"}
        ax.annotate(f"$w_{j + 1}$", **end, color=colour, ha="right")
    ax.axvline(prior_sd, color=plots.PALE, linewidth=0.8, zorder=0)
    ax.axhline(0, color=plots.PALE, linewidth=0.8, zorder=0)
    ax.set(xscale="log", xlabel="prior scale $s$", ylabel="MAP weight")
    ax.set(xlim=(0.02, 3), ylim=(-2.04, 2.04), yticks=[-1, 0, 1])
    ax.set_xticks([0.02, 0.1, 0.5, 3], ["0.02", "0.1", "0.5", "3"])
    ax.minorticks_off()
    ax.yaxis.labelpad = 0
