"""Answers known in closed form or by quadrature: what the approximations of lessons 02–04 are judged by.

Lesson 01 derives and checks every formula but one; the divergence of two Normal distributions is derived in lesson 03.
Words for shapes: `y` (datum,) are observations, `x` (datum, weight) is a design matrix whose columns may include a
constant one for the bias. Logarithms are natural, evidences and divergences in nats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import betaln, logsumexp

from bnn_course._checks import as_array, as_labels, positive_integer, real_number


class Beta(NamedTuple):
    """Beta distribution of a probability; its density is proportional to θ^(ones − 1) · (1 − θ)^(zeros − 1)."""

    ones: float
    zeros: float


class Normal(NamedTuple):
    """Normal distribution: mean (dim,) and covariance (dim, dim)."""

    mean: np.ndarray
    covariance: np.ndarray


# Entry: what is refused -----------------------------------------------------------------------------------------------


def _positive(value, name):
    return real_number(value, name, low=0, open_ends=True)


def _beta(prior):
    if len(np.atleast_1d(np.asarray(prior, dtype=object))) != 2:
        raise ValueError(f"prior must hold two numbers, got {prior!r}: pass (ones, zeros), for example (1, 1)")
    return Beta(_positive(prior[0], "prior[0]"), _positive(prior[1], "prior[1]"))


def _flips(flips):
    return as_labels(flips, "flips", n_classes=2).astype(int)


def _normal(value, name):
    """Return `value` as a `Normal` and the lower Cholesky factor of its covariance."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError(f"{name} must be a pair (mean, covariance), got {type(value).__name__}: pass exact.Normal(…)")
    mean = as_array(value[0], f"{name}.mean", ndim=1).astype(float)
    shape = (len(mean), len(mean))
    covariance = as_array(value[1], f"{name}.covariance", ndim=2, shape=shape).astype(float)
    if not np.allclose(covariance, covariance.T, rtol=1e-8, atol=0):
        worst = np.abs(covariance - covariance.T).max()
        raise ValueError(
            f"{name}.covariance must be symmetric, got entries that differ by {worst:.3g}: use (c + c.T) / 2"
        )
    try:
        factor = cholesky(covariance, lower=True)
    except np.linalg.LinAlgError:
        smallest = np.linalg.eigvalsh(covariance)[0]
        raise ValueError(
            f"{name}.covariance must be positive definite, got the eigenvalue {smallest:.3g}: check it, or add a small "
            "multiple of the unit matrix"
        ) from None
    return Normal(mean, covariance), factor


def _regression(x, y, noise_sd, prior_sd):
    x = as_array(x, "x", ndim=2).astype(float)
    y = as_array(y, "y", ndim=1, shape=(len(x),)).astype(float)
    return x, y, _positive(noise_sd, "noise_sd"), _positive(prior_sd, "prior_sd")


# A coin ---------------------------------------------------------------------------------------------------------------


def coin_posterior(flips, *, prior):
    """Posterior of the probability of a one, Beta prior and independent flips (lesson 01).

    Parameters
    ----------
    flips : array of int (datum,)
        Zeros and ones.
    prior : Beta or pair of float
        Both positive; (1, 1) is uniform.

    Returns
    -------
    Beta

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 2.1.1.
    """
    flips, prior = _flips(flips), _beta(prior)
    return Beta(prior.ones + int(flips.sum()), prior.zeros + int((1 - flips).sum()))


def coin_log_evidence(flips, *, prior):
    """Log probability of exactly these flips in this order, averaged over the prior: a ratio of Beta functions.

    Parameters
    ----------
    flips : array of int (datum,)
        Zeros and ones.
    prior : Beta or pair of float
        Both positive. Shown in full in lesson 01.

    Returns
    -------
    float
        In nats.
    """
    prior = _beta(prior)
    return float(betaln(*coin_posterior(flips, prior=prior)) - betaln(*prior))


# A mean ---------------------------------------------------------------------------------------------------------------


def normal_mean_posterior(y, *, noise_sd, prior_mean, prior_sd):
    """Posterior of the mean of Normal observations with known noise: precisions add (lesson 01).

    Parameters
    ----------
    y : array (datum,)
    noise_sd : float
        Standard deviation of one observation, > 0.
    prior_mean : float
    prior_sd : float
        Standard deviation of the prior, > 0.

    Returns
    -------
    Normal
        With one component: mean (1,), covariance (1, 1).

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 2.5.
    """
    y = as_array(y, "y", ndim=1).astype(float)
    prior_mean = real_number(prior_mean, "prior_mean")
    centred = regression_posterior(np.ones((len(y), 1)), y - prior_mean, noise_sd=noise_sd, prior_sd=prior_sd)
    return Normal(prior_mean + centred.mean, centred.covariance)


def normal_mean_log_evidence(y, *, noise_sd, prior_mean, prior_sd):
    """Log density of Normal observations, averaged over the Normal prior of their mean (lesson 01).

    Parameters
    ----------
    y : array (datum,)
    noise_sd : float
        Standard deviation of one observation, > 0.
    prior_mean : float
    prior_sd : float
        Standard deviation of the prior, > 0.

    Returns
    -------
    float
        In nats.
    """
    y = as_array(y, "y", ndim=1).astype(float) - real_number(prior_mean, "prior_mean")
    return regression_log_evidence(np.ones((len(y), 1)), y, noise_sd=noise_sd, prior_sd=prior_sd)


# Linear regression ----------------------------------------------------------------------------------------------------


def regression_posterior(x, y, *, noise_sd, prior_sd):
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
    x, y, noise_sd, prior_sd = _regression(x, y, noise_sd, prior_sd)
    n_weights = x.shape[1]
    factor = cholesky(x.T @ x / noise_sd**2 + np.eye(n_weights) / prior_sd**2, lower=True)
    covariance = cho_solve((factor, True), np.eye(n_weights))
    covariance = (covariance + covariance.T) / 2  # rounding leaves it a little asymmetric
    return Normal(cho_solve((factor, True), x.T @ y / noise_sd**2), covariance)


def regression_log_evidence(x, y, *, noise_sd, prior_sd):
    r"""Log evidence of a linear model with known noise and independent Normal(0, prior_sd²) priors of its weights.

    All observations together are Normal(0, σ² I + s₀² X Xᵀ). Lesson 01.

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
    float
        In nats.
    """
    x, y, noise_sd, prior_sd = _regression(x, y, noise_sd, prior_sd)
    factor = cholesky(noise_sd**2 * np.eye(len(y)) + prior_sd**2 * x @ x.T, lower=True)
    white = solve_triangular(factor, y, lower=True)
    return float(-0.5 * white @ white - np.log(np.diag(factor)).sum() - 0.5 * len(y) * np.log(2 * np.pi))


# Any density ----------------------------------------------------------------------------------------------------------


def normal_kl(q, p):
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


def log_integral(log_density, low, high, *, cells=1000):
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
    if not callable(log_density):
        raise TypeError(f"log_density must be callable, got {log_density!r}: pass a function of an array of points")
    low, high = real_number(low, "low"), real_number(high, "high")
    if low >= high:
        raise ValueError(f"low must be below high, got {low} and {high}: exchange them")
    cells = positive_integer(cells, "cells")
    width = (high - low) / cells
    values = np.asarray(log_density(low + width * (np.arange(cells) + 0.5)), dtype=float)
    if values.shape != (cells,):
        raise ValueError(f"log_density must return shape ({cells},), got {values.shape}: give one value per point")
    if (bad := np.isnan(values) | (values == np.inf)).any():
        where = int(np.argmax(bad))
        point = low + width * (where + 0.5)
        raise ValueError(
            f"log_density must be finite or −inf, got {values[where]} at {point:.6g}: mend the density there"
        )
    return float(logsumexp(values) + np.log(width))
