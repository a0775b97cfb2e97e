"""Automatic differentiation variational inference in NumPy, as lesson 04 builds it, and how to judge its result.

A target is a function `log_density(zeta)` of unconstrained values: an array (draw, parameter) goes in, one number per
draw comes out, the log-Jacobian of the transform included; `gradient(zeta)` returns its derivative, (draw, parameter).
The approximation is q(ζ) = N(μ, diag σ²), written as ζ = μ + σ ε with standard Normal noise ε.

Source: Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), "Automatic differentiation variational inference",
JMLR 18(14); for k̂: Vehtari, Simpson, Gelman, Yao & Gabry (2024), "Pareto smoothed importance sampling", JMLR 25(72).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bnn_course._checks import (
    Array,
    Unfinished,
    as_array,
    density_at_start,
    generator,
    guarded,
    log_densities,
    positive,
    positive_integer,
)

Function = Callable[[Array], ArrayLike]


class Fit(NamedTuple):
    """What `advi` returns.

    Attributes
    ----------
    mean, sd : array (parameter,)
        μ and σ after the last step.
    elbo : array (step,)
        Estimate of the ELBO at the start of each step, in nats.
    path : array (step + 1, 2, parameter)
        μ and ln σ before the first step and after each.
    """

    mean: Array
    sd: Array
    elbo: Array
    path: Array


class FitError(Unfinished):
    """The log density or its gradient failed in mid-fit; `.made` is the `Fit` up to there."""


# Optimisation ---------------------------------------------------------------------------------------------------------

TAU, ALPHA, DELTA = 1.0, 0.1, 1e-16  # of the step sizes, as published (δ is ε there)


def advi(
    log_density: Function,
    gradient: Function,
    start: ArrayLike,
    *,
    steps: int,
    eta: float,
    rng: np.random.Generator,
    draws: int = 1,
    start_sd: float = 1.0,
) -> Fit:
    r"""Mean-field ADVI by stochastic gradient ascent with the adaptive step-size sequence (lesson 04).

    With g the gradient of the log density at ζ = μ + σ ε, the ELBO is estimated by ln p(D, ζ) plus the exact entropy of
    q, and its derivatives by

    .. math:: \nabla_\mu = g(\zeta), \qquad \nabla_{\ln\sigma} = g(\zeta)\,\sigma\varepsilon + 1

    Each of them, averaged over the draws of ε, has step sizes of its own:

    .. math:: \rho_i = \eta\, i^{-1/2+\delta}\,(\tau+\sqrt{s_i})^{-1}, \qquad
              s_i = \alpha \nabla_i^2 + (1-\alpha) s_{i-1}, \quad s_1 = \nabla_1^2

    Parameters
    ----------
    log_density, gradient : callable
        ζ (draw, parameter) ↦ ln p(D, ζ), (draw,), and its gradient, (draw, parameter). They get ζ read-only.
    start : array (parameter,)
        First μ, unconstrained.
    steps : int
    eta : float
        Scale of the step sizes, > 0; the paper tries 0.01, 0.1, 1, 10 and 100.
    rng : numpy.random.Generator
    draws : int
        Draws of ε per step.
    start_sd : float
        First σ of every component, > 0.

    Returns
    -------
    Fit

    Raises
    ------
    FitError
        If a function raises, or the gradient is not finite, in mid-fit; the steps made are in ``error.made``.

    References
    ----------
    Kucukelbir et al. (2017), algorithm 1; equations 10 and 11 for the step sizes.
    """
    mean = as_array(start, "start", ndim=1).astype(float)
    eta, start_sd = positive(eta, "eta"), positive(start_sd, "start_sd")
    steps, draws = positive_integer(steps, "steps"), positive_integer(draws, "draws")
    generator(rng)
    density_at_start(log_density, mean[None], shape=(1,))
    _slope(gradient, mean[None])
    elbo, path = np.empty(steps), np.empty((steps + 1, 2, len(mean)))
    path[0] = mean, np.full(len(mean), np.log(start_sd))
    memory = None
    for i in range(steps):
        mean, log_sd = path[i]
        noise = rng.standard_normal((draws, len(mean)))
        zeta = mean + np.exp(log_sd) * noise
        try:
            log_p, slope = log_densities(log_density, zeta, shape=(draws,)), _slope(gradient, zeta)
        except Exception as error:
            made = Fit(mean, np.exp(log_sd), elbo[:i], path[: i + 1])
            raise FitError(f"step {i + 1} of {steps}", error, made) from error
        elbo[i] = (log_p + (log_sd.sum() + 0.5 * len(mean) * np.log(2 * np.pi * np.e))).mean()
        ascent = np.stack([slope, slope * np.exp(log_sd) * noise + 1], axis=1).mean(axis=0)
        memory = ascent**2 if memory is None else ALPHA * ascent**2 + (1 - ALPHA) * memory
        path[i + 1] = path[i] + eta * (i + 1) ** (-0.5 + DELTA) / (TAU + np.sqrt(memory)) * ascent
    return Fit(path[-1, 0], np.exp(path[-1, 1]), elbo, path)


def _slope(gradient: Function, zeta: Array) -> Array:
    return as_array(guarded(gradient, "gradient")(zeta), "gradient", ndim=2, shape=zeta.shape)


# Diagnosis ------------------------------------------------------------------------------------------------------------


def pareto_khat(log_weights: ArrayLike) -> float:
    """Shape k̂ of the generalised Pareto distribution that fits the largest importance weights (appendix E).

    Below 0.7 (and 1 − 1/log10(draws)) the draws can be reweighted to the target; above, q misses part of it.
    Written out because ArviZ's versions differ in tail length and sign convention.

    Parameters
    ----------
    log_weights : array (draw,)
        ln p(D, ζ) − ln q(ζ) for draws from q, at least 25, known up to a constant.

    Returns
    -------
    float
        −inf if the largest weights are all equal: q is the target.

    References
    ----------
    Vehtari et al. (2024), also for the pull towards ½ by ten imagined draws; the fit itself: Zhang & Stephens (2009),
    "A new and efficient estimation method for the generalized Pareto distribution".
    """
    log_weights = as_array(log_weights, "log_weights", ndim=1).astype(float)
    if len(log_weights) < 25:
        raise ValueError(f"log_weights must hold at least 25 draws, got {len(log_weights)}: draw more from q")
    weights = np.sort(np.exp(log_weights - log_weights.max()))
    length = int(np.ceil(min(len(weights) / 5, 3 * np.sqrt(len(weights)))))
    tail = weights[-length:] - weights[-length - 1]
    tail = tail[tail > 1e-12]
    if len(tail) < 5:
        return -np.inf
    n, m = len(tail), 30 + int(np.sqrt(len(tail)))
    quartile = tail[int(n / 4 + 0.5) - 1]
    b = 1 / tail[-1] + (1 - np.sqrt(m / (np.arange(m) + 0.5))) / (3 * quartile)
    k = np.log1p(-b[:, None] * tail).mean(axis=1)
    log_likelihood = n * (np.log(-b / k) - k - 1)
    posterior = np.exp(log_likelihood - log_likelihood.max())
    k = np.log1p(-(posterior @ b / posterior.sum()) * tail).mean()
    return float((n * k + 10 * 0.5) / (n + 10))
