"""Closed forms of `bnn_course.exact`: against SciPy and quadrature, against laws, and what is refused."""

import numpy as np
import pytest
from scipy import integrate, stats

from bnn_course import exact

FLIPS = np.array([1, 1, 0, 1, 0, 1, 1])


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(12, 3))
    return x, x @ [1.0, -0.5, 0.2] + rng.normal(size=12)


def random_normal(rng, dim):
    root = rng.normal(size=(dim, dim))
    return exact.Normal(rng.normal(size=dim), root @ root.T + 0.1 * np.eye(dim))


# Oracle: known answers ------------------------------------------------------------------------------------------------


def test_coin_evidence_and_posterior_are_those_of_quadrature():
    def joint(theta):
        return stats.beta.pdf(theta, 2, 3) * theta**5 * (1 - theta) ** 2

    area = integrate.quad(joint, 0, 1)[0]
    assert exact.coin_log_evidence(FLIPS, prior=(2, 3)) == pytest.approx(np.log(area), abs=1e-10)
    posterior = exact.coin_posterior(FLIPS, prior=(2, 3))
    assert posterior == (7, 5)
    assert stats.beta.pdf(0.3, *posterior) == pytest.approx(joint(0.3) / area)


def test_a_flat_prior_makes_every_number_of_heads_equally_probable():
    """With N flips and a uniform prior, all N + 1 counts have probability 1/(N + 1), shared by their sequences."""
    assert exact.coin_log_evidence(FLIPS, prior=(1, 1)) == pytest.approx(-np.log(8 * 21))


def test_normal_mean_is_that_of_quadrature():
    y, settings = np.array([0.3, 1.9, 1.1]), {"noise_sd": 0.7, "prior_mean": -1.0, "prior_sd": 1.5}

    def joint(theta):
        return stats.norm.pdf(y, theta, 0.7).prod() * stats.norm.pdf(theta, -1, 1.5)

    area = integrate.quad(joint, -8, 8, points=[1])[0]
    mean = integrate.quad(lambda t: t * joint(t), -8, 8, points=[1])[0] / area
    variance = integrate.quad(lambda t: (t - mean) ** 2 * joint(t), -8, 8, points=[1])[0] / area
    posterior = exact.normal_mean_posterior(y, **settings)
    assert np.allclose([posterior.mean[0], posterior.covariance[0, 0]], [mean, variance], rtol=1e-8)
    assert exact.normal_mean_log_evidence(y, **settings) == pytest.approx(np.log(area), abs=1e-8)


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


def test_bayes_theorem_holds_at_any_weights(data):
    x, y = data
    posterior = exact.regression_posterior(x, y, noise_sd=0.8, prior_sd=1.7)
    log_evidence = exact.regression_log_evidence(x, y, noise_sd=0.8, prior_sd=1.7)
    for w in np.random.default_rng(2).normal(size=(20, 3)):
        log_joint = stats.norm.logpdf(y, x @ w, 0.8).sum() + stats.norm.logpdf(w, 0, 1.7).sum()
        assert log_joint - stats.multivariate_normal.logpdf(w, *posterior) == pytest.approx(log_evidence, abs=1e-9)


def test_a_posterior_is_the_prior_of_the_next_data():
    settings = {"noise_sd": 0.7, "prior_sd": 1.5}
    first = exact.normal_mean_posterior([0.3, 1.9], prior_mean=-1.0, **settings)
    second = exact.normal_mean_posterior(
        [1.1], noise_sd=0.7, prior_mean=float(first.mean[0]), prior_sd=float(first.covariance[0, 0] ** 0.5)
    )
    together = exact.normal_mean_posterior([0.3, 1.9, 1.1], prior_mean=-1.0, **settings)
    assert np.allclose(second.mean, together.mean) and np.allclose(second.covariance, together.covariance)
    halves = exact.coin_posterior(FLIPS[3:], prior=exact.coin_posterior(FLIPS[:3], prior=(2, 3)))
    assert halves == exact.coin_posterior(FLIPS, prior=(2, 3))


def test_the_evidence_does_not_depend_on_the_order_of_the_data(data):
    x, y = data
    values = [exact.regression_log_evidence(a, b, noise_sd=1.0, prior_sd=1.0) for a, b in [(x, y), (x[::-1], y[::-1])]]
    assert values[0] == pytest.approx(values[1])
    assert exact.coin_log_evidence(FLIPS, prior=(2, 3)) == exact.coin_log_evidence(FLIPS[::-1], prior=(2, 3))


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
    "a flip that is neither 0 nor 1": (
        exact.coin_posterior,
        ([0, 2],),
        {"prior": (1, 1)},
        r"flips must lie in \[0, 1\]",
    ),
    "no flips": (exact.coin_posterior, (np.array([], int),), {"prior": (1, 1)}, "flips must not be empty"),
    "flips as floats": (exact.coin_posterior, ([0.5, 1.0],), {"prior": (1, 1)}, "flips must be an array of integers"),
    "a prior of zero": (exact.coin_log_evidence, ([1],), {"prior": (0, 1)}, r"prior\[0\] must lie in \(0, inf\)"),
    "a prior that is NaN": (exact.coin_log_evidence, ([1],), {"prior": (1, np.nan)}, r"prior\[1\] must lie in"),
    "a prior of one number": (exact.coin_posterior, ([1],), {"prior": 2}, "prior must hold two numbers"),
    "no noise": (exact.regression_posterior, (X, Y), SD | {"noise_sd": 0.0}, r"noise_sd must lie in \(0, inf\)"),
    "a negative scale": (exact.regression_log_evidence, (X, Y), SD | {"prior_sd": -1.0}, "prior_sd must lie in"),
    "targets as a column": (exact.regression_posterior, (X, Y[:, None]), SD, r"y must have 1 axes.*ravel"),
    "rows that do not match": (exact.regression_posterior, (X, Y[:2]), SD, r"y must have shape \(3,\)"),
    "missing values": (exact.regression_posterior, (X, np.array([1, np.nan, 1])), SD, "y must be finite"),
    "an infinite prior mean": (
        exact.normal_mean_posterior,
        (Y,),
        SD | {"prior_mean": np.inf},
        "prior_mean must lie in",
    ),
    "text for a scale": (exact.normal_mean_log_evidence, (Y,), SD | {"prior_mean": "0"}, "prior_mean must be a number"),
    "a covariance that is not square": (exact.normal_kl, (UNIT, (np.zeros(2), np.ones((2, 3)))), {}, "must have shape"),
    "a covariance that is not symmetric": (exact.normal_kl, ((np.zeros(2), [[1, 0.5], [0, 1]]), UNIT), {}, "symmetric"),
    "a covariance that is not positive": (
        exact.normal_kl,
        (UNIT, (np.zeros(2), np.diag([1.0, -2.0]))),
        {},
        r"positive definite, got the eigenvalue -2",
    ),
    "different dimensions": (exact.normal_kl, (UNIT, (np.zeros(1), np.eye(1))), {}, "same dimension, got 2 and 1"),
    "a lone mean": (exact.normal_kl, (np.zeros(2), UNIT), {}, r"q must be a pair \(mean, covariance\)"),
    "ends exchanged": (exact.log_integral, (np.sin, 1, 0), {}, "low must be below high"),
    "an infinite end": (exact.log_integral, (np.sin, 0, np.inf), {}, "high must lie in"),
    "no cells": (exact.log_integral, (np.sin, 0, 1), {"cells": 0}, "cells must be ≥ 1"),
    "a density that returns one number": (
        exact.log_integral,
        (lambda t: 0.0, 0, 1),
        {},
        r"must return shape \(1000,\)",
    ),
    "a density that returns NaN": (
        exact.log_integral,
        (lambda t: t * np.nan, 0, 1),
        {},
        "must be finite or −inf, got nan",
    ),
    "a density that is infinite": (exact.log_integral, (lambda t: t + np.inf, 0, 1), {}, "finite or −inf, got inf"),
    "no density": (exact.log_integral, (3, 0, 1), {}, "log_density must be callable"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(case):
    function, arguments, keywords, message = REFUSED[case]
    with pytest.raises((ValueError, TypeError), match=message):
        function(*arguments, **keywords)
