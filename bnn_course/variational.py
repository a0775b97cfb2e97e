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

from bnn_course._checks import Array, as_array, generator, guarded, positive, positive_integer, present

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


class FitError(RuntimeError):
    """The log density or its gradient failed in mid-fit; the steps made so far are in `.fit`."""

    def __init__(self, message: str, fit: Fit) -> None:
        super().__init__(message)
        self.fit = fit


# Gradients of the ELBO ------------------------------------------------------------------------------------------------


def elbo_estimates(log_density: Function, mean: ArrayLike, log_sd: ArrayLike, noise: ArrayLike) -> Array:
    """Estimates of the ELBO, one per draw: log density at ζ = μ + σ ε plus the exact entropy of q (lesson 04).

    Parameters
    ----------
    log_density : callable
        ζ (draw, parameter) ↦ ln p(D, ζ), (draw,), in nats.
    mean, log_sd : array (parameter,)
        μ and ln σ.
    noise : array (draw, parameter)
        ε, standard Normal.

    Returns
    -------
    array (draw,)
        In nats.
    """
    zeta, log_sd, _ = _reparametrised(mean, log_sd, noise)
    entropy = log_sd.sum() + 0.5 * len(log_sd) * np.log(2 * np.pi * np.e)
    return np.asarray(_per_draw(log_density, zeta) + entropy)


def pathwise_gradient(gradient: Function, mean: ArrayLike, log_sd: ArrayLike, noise: ArrayLike) -> Array:
    r"""Reparametrisation estimates of the gradient of the ELBO with respect to μ and ln σ (lesson 04).

    .. math:: \nabla_\mu = g(\zeta), \qquad \nabla_{\ln\sigma} = g(\zeta)\,\sigma\varepsilon + 1, \qquad
              \zeta = \mu + \sigma\varepsilon

    Parameters
    ----------
    gradient : callable
        g: ζ (draw, parameter) ↦ gradient of the log density, (draw, parameter).
    mean, log_sd : array (parameter,)
        μ and ln σ.
    noise : array (draw, parameter)
        ε, standard Normal.

    Returns
    -------
    array (draw, 2, parameter)
        For each draw the derivatives by μ and by ln σ.

    References
    ----------
    Kucukelbir et al. (2017), section 2, "Stochastic optimization".
    """
    zeta, log_sd, noise = _reparametrised(mean, log_sd, noise)
    slope = _slope(gradient, zeta)
    return np.stack([slope, slope * np.exp(log_sd) * noise + 1], axis=1)


# Optimisation ---------------------------------------------------------------------------------------------------------


def adaptive_step(
    gradient: Array,
    memory: Array | None,
    step: int,
    *,
    eta: float,
    tau: float = 1.0,
    alpha: float = 0.1,
    delta: float = 1e-16,
) -> tuple[Array, Array]:
    r"""The adaptive step-size sequence of ADVI (lesson 04).

    .. math:: \rho_i = \eta\, i^{-1/2+\delta}\,(\tau+\sqrt{s_i})^{-1}, \qquad
              s_i = \alpha g_i^2 + (1-\alpha) s_{i-1}, \quad s_1 = g_1^2

    Parameters
    ----------
    gradient : array
        g_i, any shape.
    memory : array or None
        s of the step before; None at the first step.
    step : int
        i, counted from 1.
    eta : float
        Scale of the sequence, > 0; the paper tries 0.01, 0.1, 1, 10 and 100.
    tau, alpha, delta : float
        Constants, as published (δ is ε there).

    Returns
    -------
    rate, memory : arrays like `gradient`

    References
    ----------
    Kucukelbir et al. (2017), equations 10 and 11.
    """
    memory = gradient**2 if memory is None else alpha * gradient**2 + (1 - alpha) * memory
    return eta * step ** (-0.5 + delta) / (tau + np.sqrt(memory)), memory


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
    """Mean-field ADVI by stochastic gradient ascent with the adaptive step-size sequence (lesson 04).

    Parameters
    ----------
    log_density, gradient : callable
        ζ (draw, parameter) ↦ ln p(D, ζ), (draw,), and its gradient, (draw, parameter). They get ζ read-only.
    start : array (parameter,)
        First μ, unconstrained.
    steps : int
    eta : float
        Scale of the step sizes, > 0.
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
        If a function raises, or the gradient is not finite, in mid-fit; the steps made are in ``error.fit``.

    References
    ----------
    Kucukelbir et al. (2017), algorithm 1.
    """
    mean = as_array(start, "start", ndim=1).astype(float)
    eta, start_sd = positive(eta, "eta"), positive(start_sd, "start_sd")
    steps, draws = positive_integer(steps, "steps"), positive_integer(draws, "draws")
    generator(rng)
    _slope(gradient, mean[None])
    if not np.isfinite(value := _per_draw(log_density, mean[None])[0]):
        raise ValueError(f"log_density must be finite at the start, got {value}: start where the density is positive")
    elbo, path = np.empty(steps), np.empty((steps + 1, 2, len(mean)))
    memory = None
    path[0] = mean, np.full(len(mean), np.log(start_sd))
    for i in range(steps):
        try:
            noise = rng.standard_normal((draws, len(mean)))
            elbo[i] = elbo_estimates(log_density, path[i, 0], path[i, 1], noise).mean()
            slope = pathwise_gradient(gradient, path[i, 0], path[i, 1], noise).mean(axis=0)
            rate, memory = adaptive_step(slope, memory, i + 1, eta=eta)
            path[i + 1] = path[i] + rate * slope
        except Exception as error:
            made = Fit(path[i, 0], np.exp(path[i, 1]), elbo[:i], path[: i + 1])
            raise FitError(
                f"step {i + 1} of {steps} failed ({type(error).__name__}: {error}): the {i} steps before it are in the "
                "attribute fit of this error; lower eta, or start nearer to the data",
                made,
            ) from error
    return Fit(path[-1, 0], np.exp(path[-1, 1]), elbo, path)


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


# Shared ---------------------------------------------------------------------------------------------------------------


def _reparametrised(mean: ArrayLike, log_sd: ArrayLike, noise: ArrayLike) -> tuple[Array, Array, Array]:
    """Return ζ = μ + σ ε, ln σ and ε, checked."""
    mean = as_array(mean, "mean", ndim=1).astype(float)
    log_sd = as_array(log_sd, "log_sd", ndim=1, shape=mean.shape).astype(float)
    noise = as_array(noise, "noise", ndim=2, shape=(None, len(mean))).astype(float)
    return mean + np.exp(log_sd) * noise, log_sd, noise


def _per_draw(log_density: Function, zeta: Array) -> Array:
    """One log density per draw; −inf and NaN pass, for they are what the caller wants to see."""
    values = present(guarded(log_density, "log_density")(zeta), "log_density")
    if values.shape != (len(zeta),) or values.dtype.kind not in "iuf":
        raise TypeError(
            f"log_density must return one number per draw, got shape {values.shape} and dtype {values.dtype} for "
            f"{len(zeta)} draws: sum over data and parameters, and over nothing else"
        )
    return values


def _slope(gradient: Function, zeta: Array) -> Array:
    return as_array(guarded(gradient, "gradient")(zeta), "gradient", ndim=2, shape=zeta.shape)
