"""`bnn_course.inference`: PyMC's objective, PyMC's optimum, and a fit that can be stopped, saved and continued."""

import dataclasses
import re
import signal
import sys
import warnings

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import special

from bnn_course import _graph, _loop, inference, models

RNG = np.random.default_rng(20)
X = RNG.normal(size=(200, 3))
Y = X @ [1.0, -2.0, 0.5] + RNG.normal(0, 0.7, 200)


def conjugate_model():
    """Known noise, Normal prior: the posterior of the mean is Normal in closed form."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        pm.Normal("y", mu, 0.7, observed=Y)
    return model


def regression_model():
    """A constrained scale and a vector of weights, correlated as X is."""
    with pm.Model() as model:
        features = pm.Data("features", X)
        w = pm.Normal("w", 0, 1, shape=3)
        sigma = pm.HalfNormal("sigma", 1)
        mean = pm.Deterministic("mean", features @ w)
        pm.Normal("y", mean, sigma, observed=Y, shape=mean.shape)
    return model


def minibatch_model(batch_size=20, total_size=200):
    with pm.Model() as model:
        features, y = pm.Minibatch(X, Y, batch_size=batch_size)
        w = pm.Normal("w", 0, 1, shape=3)
        sigma = pm.HalfNormal("sigma", 1)
        pm.Deterministic("mean", features @ w)
        pm.Normal("y", features @ w, sigma, observed=y, total_size=total_size)
    return model, features


def fit(model, **options):
    return inference.advi(model, **{"steps": 3000, "learning_rate": 0.03, "random_seed": 1, "start_sd": 0.1} | options)


# --- oracle ---------------------------------------------------------------------------------------------------------


def test_advi_finds_the_exact_posterior_of_a_conjugate_model():
    precision = 1 / 2**2 + len(Y) / 0.7**2
    mean, sd = Y.sum() / 0.7**2 / precision, precision**-0.5
    fits = [fit(conjugate_model(), random_seed=seed) for seed in range(5)]
    np.testing.assert_allclose([f.mean["mu"] for f in fits], mean, atol=0.2 * sd)
    np.testing.assert_allclose([f.sd["mu"] for f in fits], sd, rtol=0.1)


def test_the_negative_elbo_at_the_exact_posterior_is_the_negative_log_evidence():
    from scipy.stats import multivariate_normal

    log_evidence = multivariate_normal.logpdf(Y, np.zeros(200), 0.7**2 * np.eye(200) + 4 * np.ones((200, 200)))
    assert fit(conjugate_model()).loss[-1000:].mean() == pytest.approx(-log_evidence, abs=0.1)


def test_advi_and_pm_fit_have_the_same_optimum():
    model = regression_model()
    ours = fit(model)
    with model:
        theirs = pm.fit(
            20_000, method="advi", obj_optimizer=pm.adam(learning_rate=0.01), random_seed=1, progressbar=False
        )
    theirs_mean = dict(zip(["w", "sigma_log__"], np.split(theirs.mean.eval(), [3]), strict=True))
    theirs_sd = dict(zip(["w", "sigma_log__"], np.split(theirs.std.eval(), [3]), strict=True))
    for name in theirs_mean:
        # a constant step size leaves pm.fit wandering about the optimum by a fraction of a posterior sd
        np.testing.assert_allclose(np.ravel(ours.mean[name]), theirs_mean[name], atol=theirs_sd[name].max())
        np.testing.assert_allclose(np.ravel(ours.sd[name]), theirs_sd[name], rtol=0.25)


def test_a_mixture_prior_is_fitted():
    """With all of the weight on one component the mixture is that component, and the posterior is known."""
    with pm.Model() as model:
        mu = pm.NormalMixture("mu", w=np.array([1 - 1e-9, 1e-9]), mu=np.zeros(2), sigma=np.array([2.0, 1.0]))
        pm.Normal("y", mu, 0.7, observed=Y)
    precision = 1 / 2**2 + len(Y) / 0.7**2
    found = fit(model)
    assert found.mean["mu"] == pytest.approx(Y.sum() / 0.7**2 / precision, abs=0.2 * precision**-0.5)
    assert found.sd["mu"] == pytest.approx(precision**-0.5, rel=0.1)


def test_map_is_ridge_regression():
    with pm.Model() as model:
        w = pm.Normal("w", 0, 1, shape=3)
        pm.Normal("y", X @ w, 0.7, observed=Y)
    found = inference.find_map(model, steps=2000, learning_rate=0.05, random_seed=0)
    ridge = np.linalg.solve(X.T @ X + 0.7**2 * np.eye(3), X.T @ Y)
    np.testing.assert_allclose(found.mean["w"], ridge, atol=1e-5)
    assert (found.sd["w"] == 0).all()


@pytest.mark.parametrize("jacobian", [True, False])
def test_log_density_is_that_of_pymc(jacobian):
    model = regression_model()
    point = {"w": np.array([0.3, -1.0, 0.2]), "sigma_log__": np.array(-0.4)}
    expected = float(model.compile_logp(jacobian=jacobian)(point))
    assert inference.log_density(model, jacobian=jacobian)(point) == pytest.approx(expected, rel=1e-10)


def constrained_model():
    """One variable for each of PyMC's ways to constrain: half-line, interval, simplex, order, circle."""
    ordered = pm.distributions.transforms.ordered
    with pm.Model(coords={"part": ["a", "b", "c"]}) as model:
        positive = pm.HalfCauchy("positive", 1)
        interval = pm.Uniform("interval", -1, 2)
        share = pm.Beta("share", 2, 3)
        simplex = pm.Dirichlet("simplex", np.array([1.0, 2.0, 3.0]), dims="part")
        steps = pm.Normal("steps", 0, 1, shape=3, transform=ordered, initval=np.array([-1.0, 0.0, 1.0]))
        angle = pm.VonMises("angle", 0, 1)
        pm.Normal("y", positive + interval + share + (simplex * steps).sum() + angle, 1, observed=Y[:20])
    return model


def weights_of(prior):
    """Regression weights under a prior of lesson 06 or 08, their scales learnt from minibatches."""
    scale = pm.HalfNormal("scale", 1)
    if prior == "horseshoe":
        local = pm.HalfCauchy("local", 1, shape=3)
        slab = pm.InverseGamma("slab", 2, 2)
        return scale * local * pt.sqrt(slab / (slab + scale**2 * local**2)) * pm.Normal("raw", 0, 1, shape=3)
    family = {"Normal": pm.Normal, "Laplace": pm.Laplace, "Cauchy": pm.Cauchy, "Student-t": pm.StudentT}[prior]
    return family("w", **({"nu": 3} if prior == "Student-t" else {}), **LOCATION[prior](scale), shape=3)


LOCATION = {
    "Normal": lambda scale: {"mu": 0, "sigma": scale},
    "Laplace": lambda scale: {"mu": 0, "b": scale},
    "Cauchy": lambda scale: {"alpha": 0, "beta": scale},
    "Student-t": lambda scale: {"mu": 0, "sigma": scale},
}


@pytest.mark.parametrize("jacobian", [True, False])
def test_the_log_density_of_constrained_variables_is_that_of_pymc(jacobian):
    model, rng = constrained_model(), np.random.default_rng(3)
    point = {name: rng.normal(0, 0.7, value.shape) for name, value in model.initial_point().items()}
    expected = float(model.compile_logp(jacobian=jacobian, mode="FAST_COMPILE")(point))
    assert inference.log_density(model, jacobian=jacobian)(point) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("prior", [*LOCATION, "horseshoe"])
def test_under_every_prior_minibatches_average_to_the_log_density_that_pymc_gives_to_all_data(prior):
    densities = []
    for batched in (True, False):
        features, y = pm.Minibatch(X, Y, batch_size=20) if batched else (X, Y)
        with pm.Model() as model:
            pm.Normal("y", pt.as_tensor(features) @ weights_of(prior), 0.7, observed=y, total_size=200)
        densities.append(inference.log_density(model) if batched else model.compile_logp(mode="FAST_COMPILE"))
    rng = np.random.default_rng(3)
    point = {name: rng.normal(0, 0.7, value.shape) for name, value in model.initial_point().items()}
    batches = [densities[0](point, X[i : i + 20], Y[i : i + 20]) for i in range(0, 200, 20)]
    assert np.mean(batches) == pytest.approx(float(densities[1](point)), rel=1e-10)


def test_map_of_a_constrained_variable_is_the_top_of_its_density_on_its_own_scale():
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2, 1)
        pm.Poisson("stars", rate, observed=np.array([2, 0, 0, 0, 1]))
    found = inference.find_map(model, steps=2000, learning_rate=0.05, random_seed=0)
    assert np.exp(found.mean["rate_log__"]) == pytest.approx((2 + 3 - 1) / (1 + 5), rel=1e-5)  # of Gamma(5, 6)


# --- law ------------------------------------------------------------------------------------------------------------


def test_minibatch_log_density_averages_to_that_of_the_full_data():
    point = {"w": np.array([0.3, -1.0, 0.2]), "sigma_log__": np.array(-0.4)}
    density = inference.log_density(minibatch_model()[0])
    batches = [density(point, X[i : i + 20], Y[i : i + 20]) for i in range(0, 200, 20)]
    assert np.mean(batches) == pytest.approx(inference.log_density(regression_model())(point), rel=1e-10)


def test_every_pass_visits_every_row_once_in_a_new_order():
    found = fit(minibatch_model()[0], steps=1)
    first, second = (_loop.batch_rows(inference._task(found), 3, start, 10)[:10].ravel() for start in (0, 10))
    assert sorted(first) == sorted(second) == list(range(200))
    assert (first != second).any()


def test_a_weight_whose_mean_and_spread_are_zero_is_zero_in_every_draw():
    found = fit(regression_model(), steps=50)
    keep = np.array([1, 0, 1])
    pruned = found.with_moments(found.mean | {"w": found.mean["w"] * keep}, found.sd | {"w": found.sd["w"] * keep})
    w = pruned.sample(20, random_seed=0).posterior["w"].values[0]
    assert not w[:, 1].any() and (w[:, [0, 2]].std(axis=0) > 0).all()
    np.testing.assert_allclose(pruned.sd["w"], found.sd["w"] * keep)


@pytest.mark.parametrize("broken", [{"w": np.zeros(2)}, {"v": np.zeros(3)}])
def test_moments_of_other_shapes_are_refused(broken):
    found = fit(regression_model(), steps=1)
    with pytest.raises(ValueError, match=r"mean must have the shapes .*, got .*: change a copy of fit\.mean"):
        found.with_moments(found.mean | broken, found.sd)


def test_changed_data_change_the_fit():
    model = regression_model()
    before = fit(model, steps=1500)
    model.set_data("features", 2 * X)
    after = fit(model, steps=1500)
    np.testing.assert_allclose(after.mean["w"], before.mean["w"] / 2, atol=0.05)


def interrupted(model, chunks=3, **options):
    """A fit, and the signal of Ctrl-C while the compiled loop runs: what Python sees of it comes after the chunk."""
    original, calls = _loop.compiled, []
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

    def compiled(*arguments):
        run = original(*arguments)

        def run_and_interrupt(*arguments):
            result = run(*arguments)
            calls.append(int(arguments[-1]))
            if len(calls) == chunks + 1:
                signal.raise_signal(signal.SIGINT)
            return result

        return run_and_interrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_loop, "compiled", compiled)
        found = fit(model, **options)
    assert found.step == len(found.loss) == sum(calls[:chunks]) < found.plan.steps  # the chunk that was running is lost
    return found


def other(model_and_batch):
    """The same model, compiled afresh."""
    return model_and_batch[0] if isinstance(model_and_batch, tuple) else model_and_batch


def test_a_resumed_fit_equals_an_uninterrupted_one(tmp_path):
    whole = fit(other(minibatch_model()), steps=700)
    part = interrupted(other(minibatch_model()), steps=700)
    part.save(tmp_path / "part.npz")
    for resumed in (part, inference.load(tmp_path / "part.npz", other(minibatch_model()))):
        rest = fit(other(minibatch_model()), steps=700, resume=resumed)
        assert rest.step == 700
        np.testing.assert_array_equal(rest.loss, whole.loss)
        np.testing.assert_equal((rest.mean, rest.sd), (whole.mean, whole.sd))


def test_a_resumed_fit_may_have_another_learning_rate():
    part = interrupted(conjugate_model(), chunks=1)
    still = fit(conjugate_model(), learning_rate=1e-9, resume=part)
    assert still.step == 3000 and still.plan.learning_rate == 1e-9
    np.testing.assert_allclose(still.mean["mu"], part.mean["mu"], rtol=1e-4)
    assert abs(fit(conjugate_model(), resume=part).mean["mu"] - part.mean["mu"]) > 0.01


@pytest.mark.parametrize(
    "make",
    [
        lambda: optax.adam(0.01),
        lambda: optax.chain(optax.clip_by_global_norm(50.0), optax.adamw(optax.cosine_decay_schedule(0.03, 3000))),
        lambda: optax.sgd(1e-5, momentum=0.9),
        lambda: optax.contrib.schedule_free_adamw(0.03),
    ],
    ids=["adam", "chain", "sgd", "schedule free"],
)
def test_any_optimiser_of_optax_takes_the_place_of_adam(make):
    model = conjugate_model()
    found = fit(model, steps=3000, learning_rate=None, optimizer=make())
    precision = 1 / 2**2 + len(Y) / 0.7**2
    assert found.mean["mu"] == pytest.approx(Y.sum() / 0.7**2 / precision, abs=precision**-0.5)


def test_a_fit_with_a_constant_step_size_can_be_given_more_steps():
    model, optimizer = conjugate_model(), optax.adam(0.01)
    constant = {"learning_rate": None, "optimizer": optimizer}
    half = fit(model, steps=200, **constant)
    whole, resumed = (fit(model, steps=400, resume=resume, **constant) for resume in (None, half))
    np.testing.assert_array_equal(resumed.loss, whole.loss)


def test_the_default_is_adam_with_cosine_as_published():
    """Kingma & Ba 2015, algorithm 1, in NumPy, on the loop's own gradients of −log density."""
    model = conjugate_model()
    found = inference.find_map(model, steps=40, learning_rate=0.05, random_seed=0)
    slope = model.compile_dlogp(jacobian=False, mode="FAST_COMPILE")
    mu = m = v = 0.0
    for t in range(1, 41):
        g = -float(slope({"mu": np.array(mu)})[0])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.05 * (1 + np.cos(np.pi * (t - 1) / 40)) / 2
        mu -= rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert found.mean["mu"] == pytest.approx(mu, rel=1e-7)


def test_the_step_is_traced_once_and_runs_without_python(monkeypatch):
    calls = []
    original = _loop.negative_elbo

    def counted(log_density, like):
        return original(lambda *values: (calls.append(1), log_density(*values))[1], like)

    monkeypatch.setattr(_loop, "negative_elbo", counted)
    fit(conjugate_model(), steps=50)
    few = len(calls)
    calls.clear()
    fit(conjugate_model(), steps=5000)
    assert 1 <= len(calls) == few


def test_draws_of_constrained_variables_compile_once_and_keep_constraints_and_coordinates(monkeypatch):
    calls = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = fit(constrained_model(), steps=50)
    original = _graph.jax_function
    monkeypatch.setattr(_graph, "jax_function", lambda *graph: (calls.append(1), original(*graph))[1])
    assert not [w.message for w in caught if "fusion" in str(w.message)]  # many variables: nothing to warn about
    first, _ = found.sample(500, random_seed=0), found.sample(3, random_seed=1)
    assert len(calls) == 1
    draws = az.convert_to_dataset(first, group="posterior")
    assert draws["simplex"].dims == ("chain", "draw", "part") and list(draws["part"].values) == ["a", "b", "c"]
    np.testing.assert_allclose(draws["simplex"].sum("part"), 1, rtol=1e-12)
    assert (draws["simplex"] > 0).all() and (draws["positive"] > 0).all()
    assert ((draws["interval"] > -1) & (draws["interval"] < 2)).all()
    assert ((draws["share"] > 0) & (draws["share"] < 1)).all() and (np.abs(draws["angle"]) <= np.pi).all()
    assert (np.diff(draws["steps"].values, axis=-1) > 0).all()
    assert np.ptp(draws["interval"].values) > 0


def test_a_second_fit_and_a_resumed_one_compile_nothing(monkeypatch):
    traces, steps = [], []
    original, density = _loop.compiled, _loop.negative_elbo

    def counted(*arguments):
        run = original(*arguments)
        return lambda *arguments: (steps.append(arguments[-1]), run(*arguments))[1]

    monkeypatch.setattr(_loop, "compiled", counted)
    monkeypatch.setattr(_loop, "negative_elbo", lambda f, like: density(lambda *v: (traces.append(1), f(*v))[1], like))
    model = minibatch_model()[0]
    fit(model, steps=1500)
    assert sum(steps) == 1500 and len(steps) <= 10  # chunks of up to 512 steps: Python is not asked at every step
    few = len(traces)
    again = fit(model, steps=1600, random_seed=2, learning_rate=0.01, start_sd=0.3)
    half = dataclasses.replace(again, state=again.state._replace(step=700), loss=again.loss[:700])
    fit(model, steps=1600, random_seed=2, learning_rate=0.02, resume=half)
    assert len(traces) == few


@pytest.mark.parametrize("place", ["notebook", "terminal", "file"])
def test_progress_says_step_loss_and_time_left_where_somebody_can_see_it(place, monkeypatch, capsys):
    shown = []
    monkeypatch.setitem(sys.modules, "ipykernel", sys) if place == "notebook" else monkeypatch.delitem(
        sys.modules, "ipykernel", raising=False
    )
    monkeypatch.setattr(inference, "display", lambda data, **options: shown.append((data, options["metadata"])))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: place == "terminal", raising=False)
    fit(conjugate_model(), steps=100)
    text = "".join(data["text/plain"] for data, _ in shown) if place == "notebook" else capsys.readouterr().err
    assert all(tag == inference.PROGRESS_TAG for _, tag in shown)
    if place == "file":
        assert text == ""
    else:
        assert re.search(r"step \d+ of 100 +loss [\d,]+ nats +\d+ s left", text)


def test_noise_is_standard_normal_and_unrelated_between_steps_and_components():
    with jax.enable_x64(True):
        steps = [_loop.stream_of(jnp.uint32(k), jnp.uint32(7)) for k in (1, 2)]
        first, second = (np.asarray(_loop.normals(0, (200_000,), s, "float32")) for s in steps)
    error = 1 / np.sqrt(200_000)
    for moment, expected, spread in [(1, 0, 1), (2, 1, 2**0.5), (3, 0, 15**0.5), (4, 3, 96**0.5)]:
        assert abs(np.mean(first.astype(float) ** moment) - expected) < 5 * spread * error
    assert abs(np.mean(first * second)) < 5 * error
    assert abs(np.mean(first[1:] * first[:-1])) < 5 * error
    assert np.isfinite(first).all() and 4 < np.abs(first).max() < 5.5


@pytest.mark.parametrize("x64", [False, True])
def test_the_quantile_of_all_numbers_that_24_bits_can_give(x64):
    u = np.arange(2**24) * 2.0**-23 + 2.0**-24 - 1
    with jax.enable_x64(x64):
        found = jax.jit(_loop.normal_quantile)(u.astype("float32"))
    assert found.dtype == "float32"
    assert np.abs(np.asarray(found, float) - np.sqrt(2) * special.erfinv(u)).max() < 1e-5


def test_the_gradient_of_a_draw_is_that_of_its_formula():
    rng = np.random.default_rng(0)
    mean, log_sd, noise, weight = (rng.normal(size=(4, 3)) for _ in range(4))
    with jax.enable_x64(True):
        gradients = [
            jax.grad(lambda m, s, draw=draw: (weight * jnp.sin(draw(m, s, noise))).sum(), (0, 1))(mean, log_sd)
            for draw in (_loop.drawn, lambda m, s, e: m + jnp.exp(s) * e)
        ]
    np.testing.assert_allclose(*gradients, rtol=1e-12)


def test_draws_have_the_moments_of_the_approximation_on_the_variables_own_scale():
    found = fit(regression_model(), steps=500)
    posterior = az.convert_to_dataset(found.sample(20_000, random_seed=0), group="posterior")
    assert posterior["w"].shape == (1, 20_000, 3)
    np.testing.assert_allclose(
        posterior["w"].mean(("chain", "draw")), found.mean["w"], atol=5 * found.sd["w"].max() / 141
    )
    np.testing.assert_allclose(np.log(posterior["sigma"]).std(), found.sd["sigma_log__"], rtol=0.03)
    assert (posterior["sigma"] > 0).all()


@pytest.mark.parametrize("by", ["minibatch", "data"])
def test_predictions_follow_the_draws(by):
    model, key = minibatch_model() if by == "minibatch" else (regression_model(), "features")
    posterior = fit(model, steps=200).sample(7, random_seed=0)
    w = az.convert_to_dataset(posterior, group="posterior")["w"].values[0]
    new = RNG.normal(size=(11, 3))
    np.testing.assert_allclose(inference.predict(model, posterior, "mean", given={key: new}), w @ new.T, rtol=1e-10)


def test_float32_models_stay_float32():
    with pytensor.config.change_flags(floatX="float32"):
        train = pm.Minibatch(
            RNG.integers(0, 256, (60, 4), dtype=np.uint8), RNG.integers(0, 3, 60).astype("uint8"), batch_size=6
        )
        model = models.image_classifier(*train, total_size=60, hidden=(5,), n_classes=3)
        found = inference.advi(
            model,
            steps=20,
            learning_rate=0.01,
            random_seed=0,
            start=models.random_start(model, np.random.default_rng(0)),
        )
        p = inference.predict(
            model, found.sample(2, random_seed=0), "probability", given={train[0]: np.zeros((9, 4), np.uint8)}
        )
    assert found.mean["w1"].dtype == found.sd["w1"].dtype == p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-5)


def test_integers_and_constants_survive_the_network():
    """The model's own forward pass, by NumPy."""
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (60, 4), dtype=np.uint8)
    train = pm.Minibatch(pictures, rng.integers(0, 3, 60).astype("uint8"), batch_size=6)
    model = models.image_classifier(*train, total_size=60, hidden=(5,), n_classes=3)
    posterior = inference.advi(model, steps=5, learning_rate=0.01, random_seed=0).sample(3, random_seed=0)
    w = {k: v.values[0] for k, v in az.convert_to_dataset(posterior, group="posterior").items()}
    for s in range(3):
        hidden = np.maximum(pictures / 255 @ w["w1"][s] + w["b1"][s], 0)
        logits = hidden @ w["w2"][s] + w["b2"][s]
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        given = inference.predict(model, posterior, "probability", given={train[0]: pictures})[s]
        np.testing.assert_allclose(given, expected, rtol=1e-6)


# --- refusal --------------------------------------------------------------------------------------------------------


def no_data():
    with pm.Model() as model:
        pm.Normal("mu", 0, 1)
    return model


def no_free_variable():
    with pm.Model() as model:
        pm.Normal("y", 0, 1, observed=Y)
    return model


def forgotten_total_size():
    with pytest.warns(UserWarning, match=r"total_size"):
        return minibatch_model(total_size=None)[0]


def discrete():
    with pm.Model() as model:
        k = pm.Bernoulli("k", 0.5)
        pm.Normal("y", k, 1, observed=Y)
    return model


GOOD = {"steps": 10, "learning_rate": 0.1, "random_seed": 0}
REFUSED = [
    (lambda: inference.advi("model", **GOOD), TypeError, "model must be a pymc.Model"),
    (lambda: inference.advi(no_data(), **GOOD), ValueError, "observed data"),
    (lambda: inference.advi(no_free_variable(), **GOOD), ValueError, "free variables"),
    (lambda: inference.advi(discrete(), **GOOD), ValueError, r"continuous, got \['k'\]"),
    (lambda: inference.advi(forgotten_total_size(), **GOOD), ValueError, "total_size"),
    (lambda: inference.advi(minibatch_model(batch_size=300)[0], **GOOD), ValueError, "batch_size"),
    (lambda: inference.advi(conjugate_model(), **GOOD | {"steps": 0}), ValueError, "steps"),
    (lambda: inference.advi(conjugate_model(), **GOOD | {"steps": 1.5}), TypeError, "steps"),
    (lambda: inference.advi(conjugate_model(), **GOOD | {"learning_rate": 0.0}), ValueError, "learning_rate"),
    (lambda: inference.advi(conjugate_model(), **GOOD | {"learning_rate": float("nan")}), ValueError, "learning_rate"),
    (lambda: inference.advi(conjugate_model(), **GOOD | {"random_seed": -1}), ValueError, "random_seed"),
    (lambda: inference.advi(conjugate_model(), **GOOD | {"random_seed": None}), TypeError, "random_seed"),
    (lambda: inference.advi(conjugate_model(), **GOOD, start_sd=-1.0), ValueError, "start_sd"),
    (lambda: inference.advi(conjugate_model(), **GOOD, start={"nu": 1.0}), ValueError, "start must name"),
    (lambda: inference.advi(conjugate_model(), **GOOD, start={"mu": np.nan}), ValueError, "start of mu"),
    (lambda: inference.advi(conjugate_model(), **GOOD, resume="fit.npz"), TypeError, "resume"),
    (
        lambda: inference.advi(regression_model(), **GOOD, resume=fit(conjugate_model(), steps=1)),
        ValueError,
        "differences",
    ),
    (
        lambda: fit(conjugate_model(), steps=20, random_seed=2, resume=fit(conjugate_model(), steps=20)),
        ValueError,
        "settings",
    ),
    (lambda: fit(conjugate_model(), steps=20).sample(0, random_seed=0), ValueError, "draws"),
    (lambda: inference.log_density(conjugate_model())({"nu": 1.0}), ValueError, "point must have the keys"),
    (
        lambda: inference.log_density(minibatch_model()[0])({"w": np.zeros(3), "sigma_log__": 0.0}),
        ValueError,
        "batch must hold",
    ),
    (lambda: inference.load("nowhere.npz", conjugate_model()), FileNotFoundError, "checkpoint"),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED, ids=[f"{w}-{i}" for i, (_, _, w) in enumerate(REFUSED)])
def test_bad_input_is_refused_by_name(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("names", "given", "error", "words"),
    [
        ("mean", {}, ValueError, "given must replace"),
        ("mean", {"w": np.zeros((2, 3))}, ValueError, "given must be keyed"),
        ("mean", {0: np.zeros((2, 3))}, ValueError, "given must be keyed"),
        ("mean", {"key": np.zeros((2, 4))}, ValueError, r"shape .*3.* got \(2, 4\)"),
        ("mean", {"key": np.zeros(3)}, ValueError, "axes"),
        ("mean", {"key": np.zeros((0, 3))}, ValueError, "empty"),
        ("mean", {"key": np.full((2, 3), np.nan)}, ValueError, "finite"),
        ("mean", {"key": np.array([["a"] * 3])}, TypeError, "numbers, got dtype <U1"),
        ("average", {"key": np.zeros((2, 3))}, ValueError, "names must be pm.Deterministic"),
        ("y", {"key": np.zeros((2, 3))}, ValueError, "names must be pm.Deterministic"),
    ],
)
def test_bad_predictions_are_refused_by_name(names, given, error, words):
    model, key = minibatch_model()
    posterior = fit(model, steps=1).sample(2, random_seed=0)
    with pytest.raises(error, match=words):
        inference.predict(model, posterior, names, given={key if k == "key" else k: v for k, v in given.items()})


def test_predictions_need_the_draws_they_depend_on():
    model, key = minibatch_model()
    posterior = fit(conjugate_model(), steps=1).sample(2, random_seed=0)
    with pytest.raises(ValueError, match=r"posterior must hold draws of w"):
        inference.predict(model, posterior, "mean", given={key: np.zeros((2, 3))})


def test_a_loss_that_is_not_finite_names_step_and_variable_and_keeps_the_last_good_state():
    with pm.Model() as model:
        calm = pm.Normal("calm", 0, 1)
        wild = pm.Normal("wild", 0, 1)
        pm.Potential("cliff", pt.sqrt(1.0 - wild))  # not a number beyond 1, and uphill until there
        pm.Potential("pull", 50 * wild)
        pm.Normal("y", calm, 1, observed=Y)
    with pytest.raises(FloatingPointError, match=r"at step \d+ \(first bad variable: wild\)") as caught:
        inference.advi(model, steps=2000, optimizer=optax.adam(0.05), random_seed=0)
    found = caught.value.approximation
    assert 0 < found.step == len(found.loss) < 2000
    assert np.isfinite(found.loss).all() and all(
        np.isfinite(a).all() for a in (*found.mean.values(), *found.sd.values())
    )
