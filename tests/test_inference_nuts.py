"""`bnn_course.inference.nuts`: the exact posterior, what PyMC's NUTS draws, and warnings that reach the student."""

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

from bnn_course import _problem, data, inference, models

RNG = np.random.default_rng(21)
X = RNG.normal(size=(60, 3))
Y = X @ [1.0, -2.0, 0.5] + RNG.normal(0, 0.7, 60)
SETTINGS = {"draws": 500, "tune": 500, "chains": 4, "random_seed": 3}


def conjugate_model():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        pm.Normal("y", mu, 0.7, observed=Y)
    return model


def regression_model():
    """A constrained scale, a vector with named dims, a deterministic variable, and data that can be changed."""
    with pm.Model(coords={"feature": ["a", "b", "c"]}) as model:
        features = pm.Data("features", X)
        w = pm.Normal("w", 0, 1, dims="feature")
        sigma = pm.HalfNormal("sigma", 1)
        mean = pm.Deterministic("mean", features @ w)
        pm.Normal("y", mean, sigma, observed=Y, shape=mean.shape)
    return model


def funnel():
    with pm.Model() as model:
        v = pm.Normal("v", 0, 3)
        w = pm.Normal("w", 0, pt.exp(v / 2), shape=9)
        pm.Potential("data", 0 * w.sum())
    return model


def minibatch_model():
    with pm.Model() as model:
        y = pm.Minibatch(Y, batch_size=20)
        pm.Normal("y", pm.Normal("mu", 0, 2), 0.7, observed=y, total_size=60)
    return model


def discrete_model():
    with pm.Model() as model:
        pm.Normal("y", pm.Bernoulli("k", 0.5), 1, observed=Y)
    return model


def no_data():
    with pm.Model() as model:
        pm.Normal("mu", 0, 1)
    return model


def standard_error(values):
    return values.std() / float(az.ess(values)) ** 0.5


# --- oracle ---------------------------------------------------------------------------------------------------------


def test_draws_are_of_the_exact_posterior():
    precision = 1 / 2**2 + len(Y) / 0.7**2
    draws = inference.nuts(conjugate_model(), **SETTINGS).posterior["mu"].values
    assert draws.shape == (4, 500)
    assert abs(draws.mean() - Y.sum() / 0.7**2 / precision) < 5 * standard_error(draws)
    assert draws.std() == pytest.approx(precision**-0.5, rel=0.1)


def test_draws_are_those_of_the_nuts_of_pymc():
    model = regression_model()
    ours = inference.nuts(model, **SETTINGS)
    with model:
        theirs = pm.sample(
            500, tune=500, chains=4, cores=1, random_seed=3, nuts_sampler="pymc", progressbar=False
        )  # fmt: skip
    for name, part in [("sigma", ()), ("w", (0,)), ("w", (1,)), ("w", (2,))]:
        a, b = (found.posterior[name].values[:, :, *part] for found in (ours, theirs))
        assert abs(a.mean() - b.mean()) < 5 * np.hypot(standard_error(a), standard_error(b))
        assert a.std() == pytest.approx(b.std(), rel=0.2)
    shared = set(theirs.sample_stats.data_vars) & set(inference.NUTS_STATISTICS.values())
    assert shared == set(inference.NUTS_STATISTICS.values())
    at = {"w": ours.posterior["w"].values[1, 7], "sigma_log__": np.log(ours.posterior["sigma"].values[1, 7])}
    assert ours.sample_stats["lp"].values[1, 7] == pytest.approx(inference.log_density(model)(at), rel=1e-8)


# --- law ------------------------------------------------------------------------------------------------------------


def test_the_posterior_has_the_dims_of_the_model_and_its_deterministics():
    found = inference.nuts(regression_model(), **SETTINGS | {"draws": 20, "compute_convergence_checks": False})
    w, mean = found.posterior["w"], found.posterior["mean"]
    assert w.dims == ("chain", "draw", "feature") and list(w["feature"].values) == ["a", "b", "c"]
    np.testing.assert_allclose(mean.values, w.values @ X.T, rtol=1e-10)
    assert set(found.posterior.data_vars) == {"w", "sigma", "mean"}
    assert (found.posterior["sigma"].values > 0).all()


def test_a_seed_fixes_the_draws_and_each_chain_has_its_own():
    model = conjugate_model()
    few = SETTINGS | {"draws": 50, "compute_convergence_checks": False}
    first, again = (inference.nuts(model, **few).posterior["mu"].values for _ in range(2))
    other = inference.nuts(model, **few | {"random_seed": 4}).posterior["mu"].values
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and len(np.unique(first[:, -1])) == 4


def test_a_model_is_compiled_once_and_again_when_its_data_change(monkeypatch):
    compiled = []
    original = inference.nutpie.compile_pymc_model
    monkeypatch.setattr(inference.nutpie, "compile_pymc_model", lambda model: (compiled.append(1), original(model))[1])
    model = regression_model()
    before, _ = (inference.nuts(model, **SETTINGS | {"random_seed": seed}) for seed in (0, 1))
    assert len(compiled) == 1
    model.set_data("features", 2 * X)
    after = inference.nuts(model, **SETTINGS)
    assert len(compiled) == 2
    np.testing.assert_allclose(after.posterior["w"].mean(), before.posterior["w"].mean() / 2, atol=0.05)


def test_only_the_last_model_stays_compiled():
    def kept():
        return sum(kind == ("nuts",) for made in _problem._MADE.values() for kind in made)

    models = [regression_model(), regression_model()]
    for model in [*models, models[0]]:
        inference.nuts(model, **SETTINGS)
        assert kept() == 1


def test_trajectories_double_at_most_as_often_as_asked():
    moons = data.make_moons(50, noise=0.2, rng=np.random.default_rng(0))
    model = models.bnn_model(*moons, hidden=(3,), hyperprior_parameters={"scale": 2})
    few = {"draws": 50, "tune": 50, "chains": 1, "random_seed": 0, "compute_convergence_checks": False}
    free, bounded = (inference.nuts(model, **few, max_treedepth=depth).sample_stats for depth in (10, 2))
    assert bounded["n_steps"].max() == 3 < free["n_steps"].max()
    assert bounded["reached_max_treedepth"].values.any()


def test_an_interrupted_run_keeps_the_draws_that_all_chains_have(monkeypatch):
    """nutpie fills chains that were cut short with NaN."""
    original = inference.nutpie.sample

    def interrupted(*arguments, **options):
        trace = original(*arguments, **options)
        for name in trace["sample_stats"].data_vars:
            if trace["sample_stats"][name].dtype.kind == "f":
                trace["sample_stats"][name].values[1, done:] = np.nan
        return trace

    monkeypatch.setattr(inference.nutpie, "sample", interrupted)
    done = 120
    with pytest.warns(RuntimeWarning, match=r"interrupted: 120 of 500 draws .* are kept") as caught:
        found = inference.nuts(conjugate_model(), **SETTINGS)
    assert found.posterior["mu"].shape == found.sample_stats["lp"].shape == (4, 120)
    assert np.isfinite(found.posterior["mu"].values).all() and caught[0].filename == __file__
    done = 0
    with pytest.raises(KeyboardInterrupt, match="nothing can be kept"):
        inference.nuts(conjugate_model(), **SETTINGS)


def test_warnings_of_convergence_reach_the_student(caplog):
    inference.nuts(conjugate_model(), **SETTINGS)
    assert caplog.text == ""
    inference.nuts(funnel(), **SETTINGS)
    assert "divergence" in caplog.text and "effective sample size" in caplog.text
    caplog.clear()
    inference.nuts(funnel(), **SETTINGS, compute_convergence_checks=False)
    assert caplog.text == ""


# --- leave one out --------------------------------------------------------------------------------------------------


def test_loo_is_the_predictive_density_of_each_row_given_the_others():
    rng = np.random.default_rng(3)
    y = rng.normal(1, 2, 40)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("target", mu, 2, observed=y)
    posterior = inference.nuts(model, **SETTINGS)
    first, again = inference.loo(model, posterior), inference.loo(model, posterior)
    precision = 1 / 10**2 + 39 / 2**2
    means = (y.sum() - y) / 2**2 / precision
    exact = -0.5 * np.log(2 * np.pi * (4 + 1 / precision)) - (y - means) ** 2 / (2 * (4 + 1 / precision))
    np.testing.assert_allclose(first.elpd, exact, atol=0.02)
    assert first.khat.max() < 0.7 and "log_likelihood" not in posterior
    np.testing.assert_array_equal(first.elpd, again.elpd)


def test_loo_names_rows_that_few_draws_explain_and_does_not_warn(recwarn):
    y = np.array([*np.linspace(-1, 1, 20), 9.0])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("target", mu, 0.7, observed=y)
    found = inference.loo(model, inference.nuts(model, **SETTINGS))
    assert found.khat.argmax() == 20 and not recwarn.list


def test_loo_of_rows_that_a_single_draw_explains_has_a_khat_above_every_limit():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("target", mu, 1e-3, observed=np.linspace(-1, 1, 5))
    posterior = inference.nuts(model, **SETTINGS, compute_convergence_checks=False)
    posterior["posterior"]["mu"][:] = np.random.default_rng(1).normal(size=posterior["posterior"]["mu"].shape)
    found = inference.loo(model, posterior)
    assert found.khat.min() > 0.7  # a missing one would pass for a good one


def test_loo_is_refused_for_minibatches_and_for_two_observed_variables():
    with pytest.raises(ValueError, match=r"model must see all its data, got pm\.Minibatch: build"):
        inference.loo(minibatch_model(), None)
    with pm.Model() as model:
        mu = pm.Normal("mu")
        pm.Normal("a", mu, observed=np.zeros(2))
        pm.Normal("b", mu, observed=np.zeros(3))
    with pytest.raises(ValueError, match=r"one observed variable, got \['a', 'b'\]: rows"):
        inference.loo(model, None)


# --- refusal --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "options", "error", "words"),
    [
        (lambda: "model", {}, TypeError, "model must be a pymc.Model"),
        (no_data, {}, ValueError, "model must have observed data"),
        (discrete_model, {}, ValueError, "free variables must be continuous"),
        (minibatch_model, {}, ValueError, "model must see all its data, got pm.Minibatch"),
        (conjugate_model, {"draws": 0}, ValueError, "draws"),
        (conjugate_model, {"tune": 1.5}, TypeError, "tune"),
        (conjugate_model, {"chains": -1}, ValueError, "chains"),
        (conjugate_model, {"random_seed": None}, TypeError, "random_seed"),
        (conjugate_model, {"target_accept": 1.2}, ValueError, "target_accept"),
        (conjugate_model, {"max_treedepth": 0}, ValueError, "max_treedepth"),
    ],
)
def test_bad_input_is_refused_by_name(make, options, error, words):
    with pytest.raises(error, match=words):
        inference.nuts(make(), **SETTINGS | options)
