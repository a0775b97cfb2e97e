"""Closed forms of `bnn_course.exact`: against SciPy and quadrature, against laws, and what is refused."""

# ruff: noqa: E501 - in a table, a case is a line

import numpy as np
import pytest
from _refusals import refuses
from scipy import integrate, stats

from bnn_course import exact


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(12, 3))
    return x, x @ [1.0, -0.5, 0.2] + rng.normal(size=12)


def random_normal(rng, dim):
    root = rng.normal(size=(dim, dim))
    return exact.Normal(rng.normal(size=dim), root @ root.T + 0.1 * np.eye(dim))


# Oracle: known answers ------------------------------------------------------------------------------------------------


def test_log_integral_of_a_normal_density_is_zero():
    assert exact.log_integral(stats.norm(1, 0.5).logpdf, -6, 8) == pytest.approx(0, abs=1e-12)


def test_log_integral_does_not_overflow():
    assert exact.log_integral(lambda t: stats.norm.logpdf(t) - 5_000, -9, 9) == pytest.approx(-5_000)
    assert exact.log_integral(lambda t: np.full_like(t, -np.inf), 0, 1) == -np.inf


def test_kl_of_one_dimension_by_quadrature():
    q, p = stats.norm(0.5, 0.8), stats.norm(-0.2, 1.3)
    by_hand = integrate.quad(lambda t: q.pdf(t) * (q.logpdf(t) - p.logpdf(t)), -9, 9)[0]
    pair = [exact.Normal(np.array([d.mean()]), np.array([[d.var()]])) for d in (q, p)]
    assert exact.normal_kl(*pair) == pytest.approx(by_hand, abs=1e-8)


# Law ------------------------------------------------------------------------------------------------------------------


def test_a_constant_input_gives_the_posterior_of_a_mean_by_quadrature():
    y = np.array([0.3, 1.9, 1.1])

    def joint(theta):
        return stats.norm.pdf(y, theta, 0.7).prod() * stats.norm.pdf(theta, 0, 1.5)

    area = integrate.quad(joint, -8, 8, points=[1])[0]
    mean = integrate.quad(lambda t: t * joint(t), -8, 8, points=[1])[0] / area
    variance = integrate.quad(lambda t: (t - mean) ** 2 * joint(t), -8, 8, points=[1])[0] / area
    posterior = exact.regression_posterior(np.ones((3, 1)), y, noise_sd=0.7, prior_sd=1.5)
    assert np.allclose([posterior.mean[0], posterior.covariance[0, 0]], [mean, variance], rtol=1e-8)


def test_the_posterior_of_a_regression_is_proportional_to_prior_times_likelihood(data):
    x, y = data
    posterior = exact.regression_posterior(x, y, noise_sd=0.8, prior_sd=1.7)
    evidence = [
        stats.norm.logpdf(y, x @ w, 0.8).sum() + stats.norm.logpdf(w, 0, 1.7).sum()
        - stats.multivariate_normal.logpdf(w, *posterior)
        for w in np.random.default_rng(2).normal(size=(20, 3))
    ]  # fmt: skip
    covariance = 0.8**2 * np.eye(12) + 1.7**2 * x @ x.T
    assert evidence == pytest.approx([stats.multivariate_normal.logpdf(y, np.zeros(12), covariance)] * 20, abs=1e-9)


def test_regression_works_with_fewer_data_than_weights(data):
    x, y = data
    posterior = exact.regression_posterior(x[:1], y[:1], noise_sd=1.0, prior_sd=2.0)
    assert np.linalg.eigvalsh(posterior.covariance) == pytest.approx([4 / (1 + 4 * x[0] @ x[0]), 4, 4])


def test_kl_is_zero_for_the_same_and_positive_for_others_and_adds_over_independent_parts():
    rng = np.random.default_rng(3)
    q, p = random_normal(rng, 3), random_normal(rng, 3)
    assert exact.normal_kl(q, q) == pytest.approx(0, abs=1e-12)
    assert exact.normal_kl(q, p) > 0 and exact.normal_kl(p, q) > 0
    a, b = random_normal(rng, 2), random_normal(rng, 2)

    def side_by_side(u, v):
        covariance = np.block([[u.covariance, np.zeros((3, 2))], [np.zeros((2, 3)), v.covariance]])
        return exact.Normal(np.append(u.mean, v.mean), covariance)

    parts = exact.normal_kl(q, p) + exact.normal_kl(a, b)
    assert exact.normal_kl(side_by_side(q, a), side_by_side(p, b)) == pytest.approx(parts)


def test_kl_does_not_change_under_a_change_of_units():
    rng = np.random.default_rng(4)
    q, p, units = random_normal(rng, 3), random_normal(rng, 3), np.diag([1e-3, 1.0, 60.0])
    q_new, p_new = (exact.Normal(units @ d.mean, units @ d.covariance @ units) for d in (q, p))
    assert exact.normal_kl(q_new, p_new) == pytest.approx(exact.normal_kl(q, p))


# Refusal --------------------------------------------------------------------------------------------------------------

X, Y, UNIT = np.ones((3, 2)), np.ones(3), (np.zeros(2), np.eye(2))
SD = {"noise_sd": 1.0, "prior_sd": 1.0}
REFUSED = {
    "no noise": (exact.regression_posterior, (X, Y), SD | {"noise_sd": 0.0}, "noise_sd", "0.0"),
    "a negative scale": (exact.regression_posterior, (X, Y), SD | {"prior_sd": -1.0}, "prior_sd", "-1.0"),
    "targets as a column": (exact.regression_posterior, (X, Y[:, None]), SD, "y", "shape (3, 1)"),
    "rows that do not match": (exact.regression_posterior, (X, Y[:2]), SD, "y", "(2,)"),
    "missing values": (exact.regression_posterior, (X, np.array([1, np.nan, 1])), SD, "y", "nan at index (1,)"),
    "masked values": (exact.regression_posterior, (np.ma.masked_greater(X, 0), Y), SD, "x", "6 masked of 6"),
    "a covariance that is not square": (exact.normal_kl, (UNIT, (np.zeros(2), np.ones((2, 3)))), {}, "p.covariance", "(2, 3)"),
    "a covariance that is not symmetric": (exact.normal_kl, ((np.zeros(2), [[1, 0.5], [0, 1]]), UNIT), {}, "q.covariance", "entries that differ by 0.5"),
    "a covariance that is not positive": (exact.normal_kl, (UNIT, (np.zeros(2), np.diag([1.0, -2.0]))), {}, "p.covariance", "smallest eigenvalue -2"),
    "different dimensions": (exact.normal_kl, (UNIT, (np.zeros(1), np.eye(1))), {}, "q and p", "2 and 1"),
    "a lone mean": (exact.normal_kl, (np.zeros(2), UNIT), {}, "q", "ndarray"),
    "ends exchanged": (exact.log_integral, (np.sin, 1, 0), {}, "low", "1.0 and 0.0"),
    "an infinite end": (exact.log_integral, (np.sin, 0, np.inf), {}, "high", "inf"),
    "no cells": (exact.log_integral, (np.sin, 0, 1), {"cells": 0}, "cells", "0"),
    "a density that returns one number": (exact.log_integral, (lambda t: 0.0, 0, 1), {}, "log_density", "shape ()"),
    "a density that returns NaN": (exact.log_integral, (lambda t: t * np.nan, 0, 1), {}, "log_density", "nan"),
    "a density that is infinite": (exact.log_integral, (lambda t: t + np.inf, 0, 1), {}, "log_density", "inf"),
    "a density that writes": (exact.log_integral, (lambda t: np.negative(t, out=t), 0, 1), {}, "log_density", "an assignment"),
    "no density": (exact.log_integral, (3, 0, 1), {}, "log_density", "3"),
}  # fmt: skip
TYPES = {"a lone mean", "a density that returns one number", "no density"}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(case):
    function, arguments, keywords, quantity, received = REFUSED[case]
    error = TypeError if case in TYPES else ValueError
    refuses(lambda: function(*arguments, **keywords), error, quantity, received)
