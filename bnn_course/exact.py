"""Answers known in closed form or by quadrature: what approximations are judged by.

Lesson 01 derives the posteriors, lesson 03 the divergence of two Normal distributions. Words for shapes:
`y` (datum,) are observations, `x` (datum, weight) is a design matrix whose columns may include a constant one for the
bias. Logarithms are natural, integrals and divergences in nats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import logsumexp

from bnn_course._checks import Array, as_array, log_densities, positive, positive_integer, real_number


class Beta(NamedTuple):
    """Beta distribution of a probability; its density is proportional to θ^(ones − 1) · (1 − θ)^(zeros − 1)."""

    ones: float
    zeros: float


class Normal(NamedTuple):
    """Normal distribution: mean (dim,) and covariance (dim, dim)."""

    mean: Array
    covariance: Array


def _normal(value: Any, name: str) -> tuple[Normal, Array]:
    """Return `value` as a `Normal` and the lower Cholesky factor of its covariance."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError(f"{name} must be a pair (mean, covariance), got {type(value).__name__}: pass exact.Normal(…)")
    mean = as_array(value[0], f"{name}.mean", ndim=1).astype(float)
    covariance = as_array(value[1], f"{name}.covariance", ndim=2, shape=(len(mean), len(mean))).astype(float)
    if (worst := np.abs(covariance - covariance.T).max()) > 1e-8 * np.abs(covariance).max():
        raise ValueError(
            f"{name}.covariance must be symmetric, got entries that differ by {worst:.3g}: use (c + c.T) / 2"
        )
    if (smallest := np.linalg.eigvalsh(covariance)[0]) <= 0:
        raise ValueError(
            f"{name}.covariance must be positive definite, got smallest eigenvalue {smallest:.3g}: check that "
            "variances are > 0 and correlations between −1 and 1"
        )
    return Normal(mean, covariance), np.linalg.cholesky(covariance)


# Linear regression ----------------------------------------------------------------------------------------------------


def regression_posterior(x: ArrayLike, y: ArrayLike, *, noise_sd: float, prior_sd: float) -> Normal:
    r"""Posterior of the weights of a linear model with known noise and independent Normal(0, prior_sd²) priors.

    .. math:: \Sigma_N = (X^\top X / \sigma^2 + I / s_0^2)^{-1}, \qquad m_N = \Sigma_N X^\top y / \sigma^2

    Its mean is also the MAP estimate and the solution of ridge regression with penalty σ²/s₀². Lesson 01.

    Parameters
    ----------
    x : array (datum, weight)
    y : array (datum,)
    noise_sd : float
        σ > 0.
    prior_sd : float
        s₀ > 0.

    Returns
    -------
    Normal
        mean (weight,), covariance (weight, weight).

    References
    ----------
    Bishop (2006), equations 3.53–3.55.
    """
    x = as_array(x, "x", ndim=2).astype(float)
    y = as_array(y, "y", ndim=1, shape=(len(x),)).astype(float)
    noise_sd, prior_sd = positive(noise_sd, "noise_sd"), positive(prior_sd, "prior_sd")
    n_weights = x.shape[1]
    factor = cholesky(x.T @ x / noise_sd**2 + np.eye(n_weights) / prior_sd**2, lower=True)
    covariance = cho_solve((factor, True), np.eye(n_weights))
    covariance = (covariance + covariance.T) / 2  # rounding leaves it a little asymmetric
    return Normal(cho_solve((factor, True), x.T @ y / noise_sd**2), covariance)


# Any density ----------------------------------------------------------------------------------------------------------


def normal_kl(q: Normal | tuple[ArrayLike, ArrayLike], p: Normal | tuple[ArrayLike, ArrayLike]) -> float:
    r"""Kullback–Leibler divergence KL(q‖p) of two Normal distributions, in nats (lesson 03).

    .. math:: \tfrac12 \big[\operatorname{tr}(\Sigma_p^{-1}\Sigma_q) + (m_p - m_q)^\top \Sigma_p^{-1} (m_p - m_q)
              - d + \ln\det\Sigma_p - \ln\det\Sigma_q\big]

    Parameters
    ----------
    q, p : Normal or pair (mean, covariance)
        mean (dim,), covariance (dim, dim), symmetric and positive definite.

    Returns
    -------
    float
        ≥ 0 up to rounding, and 0 only when both are the same.
    """
    (q, root_q), (p, root_p) = _normal(q, "q"), _normal(p, "p")
    if len(q.mean) != len(p.mean):
        raise ValueError(
            f"q and p must have the same dimension, got {len(q.mean)} and {len(p.mean)}: compare like with like"
        )
    spread = solve_triangular(root_p, root_q, lower=True)
    shift = solve_triangular(root_p, p.mean - q.mean, lower=True)
    log_dets = 2 * np.log(np.diag(root_p) / np.diag(root_q)).sum()
    return float(0.5 * ((spread**2).sum() + shift @ shift - len(q.mean) + log_dets))


def log_integral(log_density: Callable[[Array], ArrayLike], low: float, high: float, *, cells: int = 1000) -> float:
    """Logarithm of the integral of exp(log_density) from `low` to `high`, by the midpoint rule (lesson 01).

    With a log likelihood plus a log prior it is the log evidence. The rule is very accurate for a smooth density that
    vanishes at both ends, as long as its peak is several cells wide; doubling `cells` shows how good it is.

    Parameters
    ----------
    log_density : callable
        Takes an array (cell,) of midpoints, returns an array (cell,); −inf where the density is zero.
    low, high : float
        Finite ends, low < high.
    cells : int

    Returns
    -------
    float
        −inf if the density is zero at every midpoint.
    """
    low, high = real_number(low, "low"), real_number(high, "high")
    if low >= high:
        raise ValueError(f"low must be below high, got {low} and {high}: exchange them")
    cells = positive_integer(cells, "cells")
    width = (high - low) / cells
    points = low + width * (np.arange(cells) + 0.5)
    values = log_densities(log_density, points, shape=(cells,))
    if (bad := np.isnan(values) | (values == np.inf)).any():
        where = np.argmax(bad)
        raise ValueError(
            f"log_density must be finite or −inf, got {values[where]} at {points[where]:.6g}: mend the density there"
        )
    return float(logsumexp(values) + np.log(width))
