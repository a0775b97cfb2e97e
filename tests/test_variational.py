"""`bnn_course.variational`: known optima, laws of the gradients and of k̂, and what is refused."""

# ruff: noqa: E501 - in a table, a case is a line

import numpy as np
import pytest
from _refusals import refuses
from scipy import stats

from bnn_course import variational as v

A, B = 5.0, 6.0  # ζ = ln θ for θ ~ Gamma(A, B): the best Normal has variance 1/A and mean ln(A/B) − 1/(2A)


def log_density(zeta):
    return (A * zeta - B * np.exp(zeta)).sum(axis=-1)


def gradient(zeta):
    return A - B * np.exp(zeta)


def exact_elbo(mean, log_sd):
    return A * mean - B * np.exp(mean + np.exp(2 * log_sd) / 2) + log_sd + 0.5 * np.log(2 * np.pi * np.e)


def exact_gradient(mean, log_sd):
    tilt = B * np.exp(mean + np.exp(2 * log_sd) / 2)
    return np.stack([A - tilt, 1 - np.exp(2 * log_sd) * tilt])


def fit(**options):
    settings = {"steps": 50, "eta": 1.0, "rng": np.random.default_rng(1)} | options
    start = settings.pop("start", np.zeros(1))
    return v.advi(settings.pop("log_density", log_density), settings.pop("gradient", gradient), start, **settings)


# Oracle: known answers ------------------------------------------------------------------------------------------------


def test_one_step_follows_the_gradient_of_the_closed_form():
    """With plenty of draws: the first step of a slope g is η g / (1 + |g|)."""
    one = fit(start=np.zeros(1), start_sd=np.exp(-0.6), steps=1, draws=200_000, eta=0.5)
    assert one.elbo[0] == pytest.approx(exact_elbo(0, -0.6), abs=0.02)
    slope = exact_gradient(0, -0.6)
    assert (one.path[1] - one.path[0])[:, 0] == pytest.approx(0.5 * slope / (1 + np.abs(slope)), abs=2e-3)


def test_several_parameters_move_as_each_would_alone():
    both = fit(start=np.array([0.6, -0.2]), steps=1, draws=200_000)
    alone = [fit(start=np.array([mean]), steps=1, draws=200_000).path[1, :, 0] for mean in (0.6, -0.2)]
    assert both.path[1].T == pytest.approx(np.array(alone), abs=5e-3)


def test_the_step_sizes_of_the_paper_by_hand():
    slopes = iter([9.0, 3.0, 0.0, -1.0])  # the first one is asked for by the check of the start
    path = fit(gradient=lambda zeta: np.full_like(zeta, next(slopes)), steps=3, eta=2).path[:, 0, 0]
    memory = [9, 8.1, 0.1 + 0.9 * 8.1]
    steps = [2 * g / np.sqrt(i) / (1 + np.sqrt(s)) for i, (g, s) in enumerate(zip([3, 0, -1], memory, strict=True), 1)]
    assert np.diff(path) == pytest.approx(steps)


def test_advi_finds_the_best_normal():
    found = fit(steps=3_000, draws=10)
    assert found.mean == pytest.approx(np.log(A / B) - 1 / (2 * A), abs=0.08)
    assert found.sd == pytest.approx(A**-0.5, rel=0.1)
    assert found.elbo[-1_000:].mean() == pytest.approx(exact_elbo(found.mean[0], np.log(found.sd[0])), abs=0.02)


def test_advi_finds_inverse_diagonal_precisions_of_a_correlated_normal():
    precision = np.array([[2.0, 1.2], [1.2, 1.0]])
    found = fit(
        log_density=lambda z: -0.5 * (z @ precision * z).sum(axis=1),
        gradient=lambda z: -z @ precision,
        start=np.ones(2),
        steps=3_000,
        draws=10,
    )
    assert found.sd == pytest.approx(np.diag(precision) ** -0.5, rel=0.1) and np.abs(found.mean).max() < 0.15


@pytest.mark.parametrize("k", [0.2, 0.5, 1.0])
def test_khat_of_pareto_weights_is_their_shape(k):
    estimates = [v.pareto_khat(-k * np.log(np.random.default_rng(s).uniform(size=4_000))) for s in range(40)]
    assert np.mean(estimates) == pytest.approx(k, abs=0.1)


@pytest.mark.parametrize("sd", [0.5, 0.8])
def test_khat_of_a_narrow_normal_is_the_variance_it_lacks(sd):
    draws = np.random.default_rng(1).normal(0, sd, (40, 4_000))
    weights = stats.norm.logpdf(draws) - stats.norm.logpdf(draws, 0, sd)
    assert np.mean([v.pareto_khat(row) for row in weights]) == pytest.approx(1 - sd**2, abs=0.12)


# Law: identities ------------------------------------------------------------------------------------------------------


def test_the_spread_moves_along_the_derivative_of_the_reparametrised_density():
    """One draw ε: ∇ by ln σ is that of ln p(μ + σ ε) + ln σ, here by a difference quotient."""
    epsilon = np.random.default_rng(1).standard_normal((1, 1))

    def path(log_sd):
        return (log_density(0.6 + np.exp(log_sd) * epsilon) + log_sd)[0]

    slope = (path(-0.4 + 1e-6) - path(-0.4 - 1e-6)) / 2e-6
    one = fit(start=np.array([0.6]), start_sd=np.exp(-0.4), steps=1, eta=1.0)
    assert one.path[1, 1, 0] - one.path[0, 1, 0] == pytest.approx(slope / (1 + abs(slope)), abs=1e-6)


def test_the_same_seed_gives_the_same_fit():
    assert np.array_equal(fit().path, fit().path)


def test_khat_does_not_change_under_a_constant_or_an_order():
    weights = np.random.default_rng(1).normal(0, 2, 1_000)
    assert v.pareto_khat(weights + 700) == pytest.approx(v.pareto_khat(weights), abs=1e-9)
    assert v.pareto_khat(np.sort(weights)) == v.pareto_khat(weights)


def test_khat_of_equal_weights_says_that_nothing_is_missing():
    assert v.pareto_khat(np.zeros(100)) == -np.inf


def test_arguments_are_not_changed():
    weights, start = np.random.default_rng(1).normal(size=100), np.zeros(1)
    before = weights.copy()
    v.pareto_khat(weights)
    fit(start=start)
    assert np.array_equal(weights, before) and start[0] == 0


# Refusal: bad input ---------------------------------------------------------------------------------------------------


def writes(zeta):
    zeta += 1
    return log_density(zeta)


BAD = {
    "start not finite": ({"start": np.array([np.nan])}, ValueError, "start", "nan at index (0,)"),
    "start masked": ({"start": np.ma.masked_equal([0.0, 1.0], 1)}, ValueError, "start", "1 masked of 2"),
    "start a number": ({"start": 0.0}, ValueError, "start", "shape ()"),
    "eta zero": ({"eta": 0.0}, ValueError, "eta", "0.0"),
    "eta infinite": ({"eta": np.inf}, ValueError, "eta", "inf"),
    "scale negative": ({"start_sd": -1.0}, ValueError, "start_sd", "-1.0"),
    "no steps": ({"steps": 0}, ValueError, "steps", "0"),
    "no draws": ({"draws": 0}, ValueError, "draws", "0"),
    "draws a float": ({"draws": 1.5}, TypeError, "draws", "1.5"),
    "seed for rng": ({"rng": 1}, TypeError, "rng", "1"),
    "density an array": ({"log_density": lambda z: z}, TypeError, "log_density", "shape (1, 1)"),
    "density a sum over draws": ({"log_density": lambda z: z.sum()}, TypeError, "log_density", "shape ()"),
    "density a text": ({"log_density": "p"}, TypeError, "log_density", "'p'"),
    "density nan": ({"log_density": lambda z: np.full(len(z), np.nan)}, ValueError, "log_density", "nan"),
    "density zero": ({"log_density": lambda z: np.full(len(z), -np.inf)}, ValueError, "log_density", "-inf"),
    "density that writes": ({"log_density": writes}, ValueError, "log_density", "an assignment"),
    "gradient that writes": ({"gradient": lambda z: np.negative(z, out=z)}, ValueError, "gradient", "an assignment"),
    "gradient nan": ({"gradient": lambda z: z * np.nan}, ValueError, "gradient", "nan"),
    "gradient of one draw": ({"gradient": lambda z: z[0]}, ValueError, "gradient", "shape (1,)"),
    "gradient of one parameter": ({"gradient": lambda z: z[:, :1], "start": [0.0, 1.0]}, ValueError, "gradient", "(1, 1)"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "error", "quantity", "received"), BAD.values(), ids=BAD)
def test_bad_fits_are_refused(options, error, quantity, received):
    refuses(lambda: fit(**options), error, quantity, received)


def test_a_density_that_writes_later_is_refused_too():
    with pytest.raises(v.FitError, match=r"log_density must not write into its argument"):
        fit(log_density=lambda zeta: writes(zeta) if np.abs(zeta).max() > 0 else log_density(zeta))


BAD_WEIGHTS = {
    "too few": (np.zeros(24), ValueError, "24"),
    "two axes": (np.zeros((5, 30)), ValueError, "shape (5, 30)"),
    "infinite": (np.append(np.zeros(30), -np.inf), ValueError, "-inf at index (30,)"),
    "texts": (np.array(["a"] * 30), TypeError, "dtype <U1"),
}


@pytest.mark.parametrize(("weights", "error", "received"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_bad_weights_are_refused(weights, error, received):
    refuses(lambda: v.pareto_khat(weights), error, "log_weights", received)


def test_a_density_that_raises_in_mid_fit_loses_no_steps():
    calls = iter(range(1_000))

    def fragile(zeta):
        if next(calls) == 21:
            raise ZeroDivisionError("the data are gone")
        return log_density(zeta)

    with pytest.raises(v.FitError, match=r"step 21 of 50 failed .ZeroDivisionError: the data are gone") as caught:
        fit(log_density=fragile)
    made, whole = caught.value.made, fit()
    assert len(made.elbo) == 20 and np.array_equal(made.path, whole.path[:21])
    assert np.array_equal(made.mean, whole.path[20, 0]) and np.allclose(made.sd, np.exp(whole.path[20, 1]))
