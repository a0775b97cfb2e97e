"""Models: equal to the same network written out, priors in two geometries, and every refusal with its message."""

# ruff: noqa: E501 - error messages are quoted whole

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

from bnn_course import inference, models

RNG = np.random.default_rng(5)
X = RNG.normal(size=(30, 2))
LABELS = {
    "bernoulli": RNG.integers(0, 2, 30),
    "categorical": RNG.integers(0, 3, 30),
    "normal": RNG.normal(size=30),
}


def some_point(model):
    rng = np.random.default_rng(9)
    return {name: rng.normal(0, 0.7, np.shape(value)) for name, value in model.initial_point().items()}


# --- oracle: the same network written out -----------------------------------------------------------------------------


def written_out(likelihood):
    with pm.Model() as model:
        w1, b1 = pm.Laplace("w1", 0, 0.5, shape=(2, 4)), pm.Laplace("b1", 0, 0.5, shape=4)
        outputs = 3 if likelihood == "categorical" else 1
        w2, b2 = pm.Laplace("w2", 0, 0.5, shape=(4, outputs)), pm.Laplace("b2", 0, 0.5, shape=outputs)
        linear = pt.maximum(X @ w1 + b1, 0) @ w2 + b2
        if likelihood == "categorical":
            pm.Categorical("y", logit_p=linear, observed=LABELS[likelihood])
        elif likelihood == "bernoulli":
            pm.Bernoulli("y", logit_p=linear[:, 0], observed=LABELS[likelihood])
        else:
            pm.Normal("y", linear[:, 0], pm.HalfNormal("noise", 1), observed=LABELS[likelihood])
    return model


@pytest.mark.parametrize("likelihood", models.LIKELIHOODS)
def test_density_is_that_of_the_network_written_out(likelihood):
    settings = {"hidden": (4,), "prior": "laplace", "hyperprior_parameters": {"scale": 0.5}, "activation": "relu"}
    model = models.bnn_model(X, LABELS[likelihood], likelihood=likelihood, **settings)
    other = written_out(likelihood)
    assert {v.name for v in model.free_RVs} == {v.name for v in other.free_RVs}
    point = some_point(model)
    assert inference.log_density(model)(point) == pytest.approx(inference.log_density(other)(point), rel=1e-12)


WRITTEN_PRIORS = [
    ("normal", {}, lambda s: pm.Normal.dist(0, s)),
    ("laplace", {}, lambda s: pm.Laplace.dist(0, s)),
    ("student_t", {"nu": 4.0}, lambda s: pm.StudentT.dist(nu=4, mu=0, sigma=s)),
    ("cauchy", {}, lambda s: pm.Cauchy.dist(0, s)),
]
WRITTEN_HYPERPRIORS = [
    ("half_normal", {"sigma": 0.7}, lambda s: pm.logp(pm.HalfNormal.dist(0.7), s)),
    ("half_cauchy", {"beta": 0.7}, lambda s: pm.logp(pm.HalfCauchy.dist(0.7), s)),
    # density of the scale s when s² is Inverse-Gamma: change of variables, ds²/ds = 2 s
    ("inverse_gamma", {"alpha": 3.0, "beta": 0.7}, lambda s: pm.logp(pm.InverseGamma.dist(3, 0.7), s**2) + np.log(2 * s)),
]  # fmt: skip


@pytest.mark.parametrize("hyperprior, hyper_parameters, scale_density", WRITTEN_HYPERPRIORS)
@pytest.mark.parametrize("prior, parameters, weight_prior", WRITTEN_PRIORS)
def test_both_geometries_are_the_stated_prior(
    prior, parameters, weight_prior, hyperprior, hyper_parameters, scale_density
):
    """Density of (scale, w) by hand; with raw weights it is larger by the volume ∏ scale of w = scale · raw."""
    names = {"prior_parameters": parameters, "hyperprior_parameters": hyper_parameters}
    centred, raw = (
        models.bnn_model(X, LABELS["bernoulli"], hidden=(3,), prior=prior, hyperprior=hyperprior, centred=c, **names)
        for c in (True, False)
    )
    value = {f"scale{k}" + "_squared" * (hyperprior == "inverse_gamma"): 0.6 + k for k in (1, 2)}
    scale = {k: np.sqrt(v) if hyperprior == "inverse_gamma" else v for k, v in zip((1, 2), value.values(), strict=True)}
    rng = np.random.default_rng(3)
    weights = {"w1": rng.normal(size=(2, 3)), "b1": rng.normal(size=3), "w2": rng.normal(size=(3, 1)), "b2": [0.3]}
    by_hand = sum(
        float(pm.logp(weight_prior(scale[int(n[-1])]), np.asarray(w)).sum().eval()) for n, w in weights.items()
    )
    jacobian = 0.0
    for s in scale.values():
        by_hand += float(scale_density(s).eval())
        if hyperprior == "inverse_gamma":  # the model's variable is s²
            by_hand -= np.log(2 * s)
    for n, w in weights.items():
        jacobian += np.size(w) * np.log(scale[int(n[-1])])
    logs = {f"{name}_log__": np.log(v) for name, v in value.items()}

    def prior_density(model, weights):
        graph = model.logp(vars=model.free_RVs, jacobian=False)
        point = {v: {**logs, **weights}[v.name] for v in model.value_vars}
        return float(graph.eval({v: np.asarray(x, dtype=v.dtype) for v, x in point.items()}))

    assert prior_density(centred, weights) == pytest.approx(by_hand, rel=1e-7)
    raw_weights = {f"{n}_raw": np.asarray(w) / scale[int(n[-1])] for n, w in weights.items()}
    assert prior_density(raw, raw_weights) == pytest.approx(by_hand + jacobian, rel=1e-7)


# --- law --------------------------------------------------------------------------------------------------------------


def test_scaling_by_the_fan_in_keeps_the_prior_variance_of_the_output():
    rng = np.random.default_rng(1)
    spread = []
    for width in (4, 64):
        model = models.bnn_model(X, LABELS["normal"], hidden=(width,), likelihood="normal", fan_in_scaling=True)
        draws = pm.draw(model["mean"], draws=2_000, random_seed=rng)
        spread.append(draws.var(axis=0).mean())
    assert spread[1] / spread[0] == pytest.approx(1, abs=0.15)  # without scaling about 1 : 11


def test_variables_have_named_dims_and_known_shapes():
    model = models.bnn_model(X, LABELS["categorical"], hidden=(4, 5), likelihood="categorical")
    dims = {name: tuple(d) for name, d in model.named_vars_to_dims.items()}
    assert dims["w1"] == ("input", "hidden1") and dims["w2"] == ("hidden1", "hidden2")
    assert dims["w3"] == ("hidden2", "class") and dims["probability"] == ("row", "class")
    assert model["w2"].type.shape == (4, 5)
    assert models.random_start(model, np.random.default_rng(0))["w3"].shape == (5, 3)


def test_a_model_can_be_extended_and_given_new_data():
    with models.bnn_model(X, LABELS["bernoulli"], hidden=(3,), hyperprior="half_cauchy") as model:
        pm.Potential("more", -pt.sum(model["w1"] ** 2))
        pm.set_data({"X": np.zeros((4, 2)), "y": np.zeros(4, dtype=int)})
        assert pm.draw(model["probability"], random_seed=1).shape == (4,)


def test_a_minibatch_weighs_as_the_full_data():
    """The mean over all batches of the density is the density of the full data."""
    y = LABELS["categorical"].astype(np.int32)
    whole = models.bnn_model(X, y, hidden=(3,), likelihood="categorical")
    batch_x, batch_y = pm.Minibatch(X, y, batch_size=10)
    kind = {"hidden": (3,), "likelihood": "categorical", "n_classes": 3, "total_size": 30}
    batched = inference.log_density(models.bnn_model(batch_x, batch_y, **kind))
    point = some_point(whole)
    parts = [batched(point, X[i : i + 10], y[i : i + 10]) for i in (0, 10, 20)]
    assert np.mean(parts) == pytest.approx(inference.log_density(whole)(point), rel=1e-10)


FAMILIES = [(prior, "fixed", False) for prior in models.PRIORS]
FAMILIES += [
    ("normal", hyperprior, centred) for hyperprior in list(models.HYPERPRIORS)[1:] for centred in (False, True)
]


@pytest.mark.parametrize(("prior", "hyperprior", "centred"), FAMILIES)
def test_the_density_that_is_fitted_is_pymcs_own(prior, hyperprior, centred):
    settings = {"hidden": (3,), "prior": prior, "hyperprior": hyperprior, "centred": centred}
    model = models.bnn_model(X, LABELS["bernoulli"], **settings)
    point = some_point(model)
    theirs = float(model.compile_logp(mode="FAST_COMPILE")(point))
    assert inference.log_density(model)(point) == pytest.approx(theirs, rel=1e-10)


def test_the_density_of_a_horseshoe_is_pymcs_own():
    with pm.Model() as model:
        shrink = pm.HalfCauchy("tau", 0.1) * pm.HalfCauchy("lambda", 1, shape=2)
        slab = pm.InverseGamma("slab", 2, 8)
        width = pt.sqrt(slab * shrink**2 / (slab + shrink**2))
        w = pm.Deterministic("w", width * pm.Normal("raw", 0, 1, shape=2))
        pm.Bernoulli("y", logit_p=X @ w, observed=LABELS["bernoulli"])
    point = some_point(model)
    theirs = float(model.compile_logp(mode="FAST_COMPILE")(point))
    assert inference.log_density(model)(point) == pytest.approx(theirs, rel=1e-10)


def test_more_rows_than_eight_bits_can_count_are_fitted():
    X, y = RNG.normal(size=(200, 2)), RNG.integers(0, 3, 200)
    model = models.bnn_model(X, y, hidden=(3,), likelihood="categorical")
    point = some_point(model)
    assert inference.log_density(model)(point) == pytest.approx(float(model.compile_logp()(point)), rel=1e-9)


# --- refusal ----------------------------------------------------------------------------------------------------------

Y = LABELS["bernoulli"]
NAN = np.where(np.arange(30)[:, None] == 2, np.nan, X)
BATCH_X, BATCH_Y = pm.Minibatch(X, Y.astype(np.int32), batch_size=10)
LONG_Y = pm.Minibatch(Y.astype(np.int64), batch_size=10)
BAD = [
    ({"y": Y[:-1]}, ValueError, "y must have shape (30,), got (29,): check that rows belong together"),
    ({"y": Y[:, None]}, ValueError, "y must have 1 axes, got shape (30, 1): flatten it with .ravel()"),
    ({"y": Y + 1}, ValueError, "y must lie in [0, 1], got 2 at index (0,): correct or drop it"),
    ({"y": Y - 1}, ValueError, "y must lie in [0, 1], got -1 at index (3,): correct or drop it"),
    ({"y": Y.astype(float)}, TypeError, "y must be an array of integers, got dtype float64: convert it, e.g. y.astype(np.uint8)"),
    ({"y": Y, "likelihood": "categorical", "n_classes": 1}, ValueError, "n_classes must be ≥ 2, got 1: with one class there is nothing to learn"),
    ({"y": Y * 5, "likelihood": "categorical", "n_classes": 3}, ValueError, "y must lie in [0, 2], got 5 at index (0,): correct or drop it"),
    ({"n_classes": 2}, ValueError, "n_classes must be None for likelihood 'bernoulli', got 2: leave it out"),
    ({"X": NAN}, ValueError, "X must be finite, got nan at index (2, 0): remove or repair the entry"),
    ({"X": X[:, 0]}, ValueError, "X must have 2 axes, got shape (30,): reshape it"),
    ({"y": NAN[:, 0], "likelihood": "normal"}, ValueError, "y must be finite, got nan at index (2,): remove or repair the entry"),
    ({"hidden": ()}, ValueError, "hidden must name at least one layer, got none: write e.g. (5, 5)"),
    ({"hidden": 5}, TypeError, "hidden must be a sequence of whole numbers ≥ 1, got 5: write e.g. (5, 5)"),
    ({"hidden": "5"}, TypeError, "hidden must be a sequence of whole numbers ≥ 1, got '5': write e.g. (5, 5)"),
    ({"hidden": (5, 0)}, ValueError, "hidden must be ≥ 1, got 0: choose a positive number"),
    ({"hidden": (5, -2)}, ValueError, "hidden must be ≥ 1, got -2: choose a positive number"),
    ({"hidden": (5, 2.0)}, TypeError, "hidden must be a whole number ≥ 1, got 2.0: pass an int"),
    ({"activation": "swish"}, ValueError, "activation must be one of 'tanh', 'relu', 'sigmoid', got 'swish': pick one of them"),
    ({"prior": "horse"}, ValueError, "prior must be one of 'normal', 'laplace', 'student_t', 'cauchy', got 'horse': pick one of them"),
    ({"hyperprior": "flat"}, ValueError, "hyperprior must be one of 'fixed', 'half_normal', 'half_cauchy', 'inverse_gamma', got 'flat': pick one of them"),
    ({"likelihood": "poisson"}, ValueError, "likelihood must be one of 'bernoulli', 'categorical', 'normal', got 'poisson': pick one of them"),
    ({"prior_parameters": {"nu": 3}}, ValueError, "prior_parameters of 'normal' must be among [], got ['nu']: remove or rename"),
    ({"prior": "student_t", "prior_parameters": {"nu": 0}}, ValueError, "prior_parameters['nu'] must lie in (0.0, inf), got 0: choose a value inside"),
    ({"hyperprior_parameters": {"scale": 0.0}}, ValueError, "hyperprior_parameters['scale'] must lie in (0.0, inf), got 0.0: choose a value inside"),
    ({"hyperprior_parameters": {"scale": -1}}, ValueError, "hyperprior_parameters['scale'] must lie in (0.0, inf), got -1: choose a value inside"),
    ({"hyperprior_parameters": {"scale": np.nan}}, ValueError, "hyperprior_parameters['scale'] must lie in (0.0, inf), got nan: choose a value inside"),
    ({"hyperprior": "inverse_gamma", "hyperprior_parameters": {"sigma": 1}}, ValueError, "hyperprior_parameters of 'inverse_gamma' must be among ['alpha', 'beta'], got ['sigma']: remove or rename"),
    ({"hyperprior": "half_normal", "hyperprior_parameters": {"sigma": 0}}, ValueError, "hyperprior_parameters['sigma'] must lie in (0.0, inf), got 0: choose a value inside"),
    ({"hyperprior": "half_cauchy", "hyperprior_parameters": {"beta": -1.0}}, ValueError, "hyperprior_parameters['beta'] must lie in (0.0, inf), got -1.0: choose a value inside"),
    ({"hyperprior": "inverse_gamma", "hyperprior_parameters": {"alpha": 0.0}}, ValueError, "hyperprior_parameters['alpha'] must lie in (0.0, inf), got 0.0: choose a value inside"),
    ({"hyperprior": "inverse_gamma", "hyperprior_parameters": {"beta": np.inf}}, ValueError, "hyperprior_parameters['beta'] must lie in (0.0, inf), got inf: choose a value inside"),
    ({"hyperprior_parameters": {"scale": "1"}}, TypeError, "hyperprior_parameters['scale'] must be a number, got '1': pass a float"),
    ({"hyperprior_parameters": 0.5}, TypeError, "hyperprior_parameters must be a dict or None, got 0.5: write e.g. {'scale': 2.0}"),
    ({"prior": "student_t", "prior_parameters": [3]}, TypeError, "prior_parameters must be a dict or None, got [3]: write e.g. {'nu': 4.0}"),
    ({"centred": "no"}, TypeError, "centred must be True or False, got 'no': pass one of the two"),
    ({"fan_in_scaling": 2}, TypeError, "fan_in_scaling must be True or False, got 2: pass one of the two"),
    ({"y": Y[:, None].astype(float), "likelihood": "normal"}, ValueError, "y must have 1 axes, got shape (30, 1): flatten it with .ravel()"),
    ({"y": Y.astype(float), "likelihood": "categorical"}, TypeError, "y must be an array of integers, got dtype float64: convert it, e.g. y.astype(np.uint8)"),
    ({"X": X[:0], "y": Y[:0]}, ValueError, "X must not be empty, got shape (0, 2): pass at least one element per axis"),
    ({"X": BATCH_X, "y": BATCH_Y, "total_size": -30}, ValueError, "total_size must be ≥ 1, got -30: choose a positive number"),
    ({"total_size": 30}, ValueError, "total_size must be None for full data, got 30: it is for minibatches"),
    ({"X": BATCH_X, "y": BATCH_Y}, ValueError, "total_size must be given with minibatches, got None: a batch does not tell it"),
    ({"X": BATCH_X, "y": BATCH_Y, "total_size": 30, "likelihood": "categorical"}, ValueError, "n_classes must be given with minibatches, got None: a batch does not tell it"),
    ({"X": BATCH_X, "total_size": 30}, TypeError, "X and y must both be arrays or both be minibatches, got one of each: pass pm.Minibatch(X, y)"),
    ({"X": BATCH_X, "y": LONG_Y, "total_size": 30}, TypeError, "y must hold integers of at most 32 bits, got int64: convert it before pm.Minibatch with .astype(np.int32)"),
    ({"X": BATCH_X, "y": BATCH_Y, "total_size": 30, "likelihood": "normal"}, TypeError, "y must hold floats, got int32: convert it before pm.Minibatch with .astype(float)"),
]  # fmt: skip


@pytest.mark.parametrize("change, error, message", BAD)
def test_bnn_model_refuses(change, error, message):
    with pytest.raises(error) as caught:
        models.bnn_model(**{"X": X, "y": Y, **change})
    assert str(caught.value) == message


BAD_CLASSIFIER = [
    ({"total_size": 0}, ValueError, "total_size must be ≥ 1, got 0: choose a positive number"),
    ({"hidden": ()}, ValueError, "hidden must name at least one layer, got none: write e.g. (5, 5)"),
    ({"hidden": (5, 0)}, ValueError, "hidden must be ≥ 1, got 0: choose a positive number"),
    ({"hidden": 5}, TypeError, "hidden must be a sequence of whole numbers ≥ 1, got 5: write e.g. (5, 5)"),
    ({"n_classes": 1}, ValueError, "n_classes must be ≥ 2, got 1: with one class there is nothing to learn"),
    ({"weight_sd": 0}, ValueError, "weight_sd must lie in (0.0, inf), got 0: choose a value inside"),
]


@pytest.mark.parametrize("change, error, message", BAD_CLASSIFIER)
def test_image_classifier_refuses(change, error, message):
    with pytest.raises(error) as caught:
        models.image_classifier(BATCH_X, BATCH_Y, **{"total_size": 30, **change})
    assert str(caught.value) == message


def test_a_random_start_wants_a_generator():
    with pytest.raises(TypeError) as caught:
        models.random_start(pm.Model(), 1)
    assert str(caught.value) == "rng must be a numpy.random.Generator, got 1: pass np.random.default_rng(seed)"
