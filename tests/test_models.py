"""Models: equal to the same network written out, priors in two geometries, a user's own data, and what is refused."""

# ruff: noqa: E501 - in a table, a case is a line

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from _refusals import refuses
from scipy import stats

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


Y_INT = LABELS["bernoulli"]

# --- tables -----------------------------------------------------------------------------------------------------------


def test_one_entry_adds_a_prior_a_hyperprior_and_an_activation(monkeypatch):
    logistic = models.Family(lambda name, scale, **axes: pm.Logistic(name, 0, scale, **axes), {})
    monkeypatch.setitem(models.PRIORS, "logistic", logistic)
    exponential = models.Family(lambda name, rate: pm.Exponential(name, rate), {"rate": 2.0})
    monkeypatch.setitem(models.HYPERPRIORS, "exponential", exponential)
    monkeypatch.setitem(models.ACTIVATIONS, "sine", pt.sin)
    names = {"prior": "logistic", "hyperprior": "exponential", "activation": "sine"}
    model = models.bnn_model(X, Y_INT, hidden=(3,), **names)
    assert model["w1_raw"].owner.op.name == "logistic" and model["scale1"].owner.op.name == "exponential"
    assert "Sin" in pytensor.dprint(model["probability"], file="str")


@pytest.mark.parametrize("table", ["PRIORS", "HYPERPRIORS", "ACTIVATIONS", "LIKELIHOODS"])
def test_a_name_without_a_builder_is_never_another_model(monkeypatch, table):
    monkeypatch.setitem(getattr(models, table), "new", {})
    with pytest.raises((AttributeError, TypeError, ValueError)):
        models.bnn_model(X, Y_INT, hidden=(3,), **{table.lower().rstrip("s").replace("ie", "y"): "new"})


# --- draws: those of the stated distribution, at scales other than 1 --------------------------------------------------

STANDARD = {"normal": stats.norm, "laplace": stats.laplace, "student_t": stats.t(3), "cauchy": stats.cauchy}
SCALES = {
    "half_normal": ({"sigma": 0.1}, stats.halfnorm(scale=0.1)),
    "half_cauchy": ({"beta": 0.1}, stats.halfcauchy(scale=0.1)),
    "inverse_gamma": ({"alpha": 2.0, "beta": 0.1}, stats.invgamma(2, scale=0.1)),  # of the squared scale
}
PAIRS = [(prior, "half_normal") for prior in STANDARD] + [("normal", name) for name in list(SCALES)[1:]]


def uniform(values, distribution):
    """Probability of values so far from a distribution (Kolmogorov and Smirnov)."""
    return stats.kstest(np.ravel(values), distribution.cdf).pvalue


@pytest.mark.parametrize("prior", STANDARD)
def test_weights_are_drawn_from_their_prior(prior):
    model = models.bnn_model(X, Y_INT, hidden=(20,), prior=prior, hyperprior_parameters={"scale": 0.1})
    draws = pm.draw(model["w1"], 200, random_seed=1)
    assert uniform(draws / 0.1, STANDARD[prior]) > 1e-3


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("prior", "hyperprior"), PAIRS)
def test_scales_and_weights_are_drawn_from_their_priors(prior, hyperprior, centred):
    parameters, of_scale = SCALES[hyperprior]
    names = {"prior": prior, "hyperprior": hyperprior, "hyperprior_parameters": parameters, "centred": centred}
    model = models.bnn_model(X, Y_INT, hidden=(4,), **names)
    scale, weights = pm.draw([model["scale1"], model["w1"]], 2_000, random_seed=2)
    assert uniform(scale**2 if hyperprior == "inverse_gamma" else scale, of_scale) > 1e-3
    assert uniform(weights / scale[:, None, None], STANDARD[prior]) > 1e-3


# --- a user's own data ------------------------------------------------------------------------------------------------

FRAME = pd.DataFrame(X, columns=["age", "dose"])
KINDS = {
    "frame and series": (FRAME, pd.Series(Y_INT)),
    "nullable types": (FRAME.astype("Float64"), pd.Series(Y_INT, dtype="Int64")),
    "frame of several types": (FRAME.assign(dose=FRAME["dose"] > 0), pd.Series(Y_INT, dtype="boolean")),
    "DataArray": (xr.DataArray(X, dims=("row", "column")), xr.DataArray(Y_INT)),
    "lists": (X.tolist(), Y_INT.tolist()),
    "an empty mask": (np.ma.masked_equal(X, -999), np.ma.masked_equal(Y_INT, -999)),
    "other index": (FRAME.set_index(np.arange(30)[::-1]), pd.Series(Y_INT, index=np.arange(30) + 7)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_data_come_as_arrays_frames_series_and_lists(kind):
    features, labels = KINDS[kind]
    model = models.bnn_model(features, labels, hidden=(3,))
    assert np.array_equal(model["X"].eval(), np.asarray(features, dtype=float))
    assert np.array_equal(model["y"].eval(), Y_INT)


GAP = np.ma.masked_array(X, mask=np.arange(60).reshape(30, 2) == 5)
INCOMPLETE = {
    "masked X": ({"X": GAP}, "X", "1 masked of 60 entries, the first at index (2, 1)"),
    "rows of which one is masked": ({"X": list(GAP)}, "X", "1 masked of 60 entries, the first at index (2, 1)"),
    "masked y": ({"y": np.ma.masked_equal(Y_INT, 1)}, "y", f"{Y_INT.sum()} masked of 30"),
    "masked numbers": (
        {"y": np.ma.masked_less(X[:, 0], 0), "likelihood": "normal"},
        "y",
        f"{(X[:, 0] < 0).sum()} masked of 30",
    ),
    "masked classes": ({"y": np.ma.masked_equal(Y_INT, 0), "likelihood": "categorical"}, "y", "1"),
    "NA among integers": ({"y": pd.Series(Y_INT, dtype="Int64").where(Y_INT > 0)}, "y", "nan at index"),
    "NA among bools": ({"y": pd.Series([pd.NA, *Y_INT[1:]], dtype="boolean")}, "y", "1 missing of 30"),
    "NA in a frame": ({"X": FRAME.astype("Float64").mask(FRAME > 2).assign(n=1)}, "X", "1 missing of 90"),
    "None": ({"y": [None, *Y_INT[1:]]}, "y", "1 missing of 30 entries, the first at index (0,)"),
    "NaN in a DataArray": ({"X": xr.DataArray(X).where(X < 2)}, "X", "nan at index"),
}


@pytest.mark.parametrize(("change", "quantity", "received"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_incomplete_data_are_refused(change, quantity, received):
    refuses(lambda: models.bnn_model(**{"X": X, "y": Y_INT, **change}), ValueError, quantity, received)


OTHER_LABELS = {
    "one to three": ([1, 2, 3] * 10, {"likelihood": "categorical"}, ValueError, "no label 0"),
    "a gap": ([0, 2] * 15, {"likelihood": "categorical"}, ValueError, "no label 1"),
    "minus and plus one": ([-1, 1] * 15, {}, ValueError, "label -1 at index (0,)"),
    "two for yes": ([1, 2] * 15, {}, ValueError, "label 2 at index (1,)"),
    "whole floats": ([0.0, 1.0] * 15, {}, TypeError, "dtype float64"),
    "text": (["no", "yes"] * 15, {}, TypeError, "dtype <U3"),
    "a category": (pd.Series(["no", "yes"] * 15, dtype="category"), {}, TypeError, "dtype <U3"),
    "beyond n_classes": ([0, 3] * 15, {"likelihood": "categorical", "n_classes": 3}, ValueError, "label 3 at index (1,)"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER_LABELS)
def test_labels_that_are_not_numbered_from_zero_are_refused_by_name_with_the_way_out(case):
    labels, options, error, received = OTHER_LABELS[case]
    refuses(lambda: models.bnn_model(X, labels, **options), error, "y", received)
    with pytest.raises(error, match=r"models\.encode_labels"):
        models.bnn_model(X, labels, **options)


def test_a_class_that_does_not_occur_may_be_promised():
    model = models.bnn_model(X, [0, 2] * 15, likelihood="categorical", n_classes=4)
    assert model["b3"].type.shape == (4,)


ENCODED = {
    "text": (["dog", "cat", "dog"], [1, 0, 1], ["cat", "dog"]),
    "minus and plus one": ([1, -1, 1], [1, 0, 1], [-1, 1]),
    "one to three": (np.array([1, 3, 2]), [0, 2, 1], [1, 2, 3]),
    "whole floats": (np.array([2.0, 1.0]), [1, 0], [1, 2]),
    "bools": ([True, False], [1, 0], [False, True]),
    "a series": (pd.Series(["b", "a"], index=[7, 8]), [1, 0], ["a", "b"]),
    "nullable integers": (pd.Series([5, 2], dtype="Int64"), [1, 0], [2, 5]),
    "a category in its order": (pd.Categorical(["low", "high"], ["low", "mid", "high"]), [0, 1], ["low", "high"]),
    "a series of categories": (pd.Series(["low", "high"], dtype=pd.CategoricalDtype(["low", "high"])), [0, 1], ["low", "high"]),
}  # fmt: skip


@pytest.mark.parametrize(("labels", "wanted", "names"), ENCODED.values(), ids=ENCODED)
def test_labels_are_numbered_from_zero(labels, wanted, names):
    encoded = models.encode_labels(labels)
    assert (encoded.labels.tolist(), encoded.labels.dtype, encoded.names) == (wanted, np.int64, names)
    assert [encoded.names[label] for label in encoded.labels] == list(labels)


BAD_LABELS = {
    "a missing category": (pd.Categorical(["a", None]), ValueError, "1 missing of 2"),
    "a missing text": (["a", None, "b"], ValueError, "1 missing of 3"),
    "masked": (np.ma.masked_equal([1, 2, -9], -9), ValueError, "1 masked of 3"),
    "NaN": ([0.0, np.nan], TypeError, "nan at index (1,)"),
    "no whole number": ([0.0, 1.5], TypeError, "1.5 at index (1,)"),
    "a column": ([["a"], ["b"]], ValueError, "shape (2, 1)"),
    "one class": (["a", "a"], ValueError, "['a']"),
    "dates": (np.array(["2020-01-01"], "datetime64[D]"), TypeError, "dtype datetime64[D]"),
}


@pytest.mark.parametrize(("labels", "error", "received"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_labels_that_cannot_be_numbered_are_refused(labels, error, received):
    refuses(lambda: models.encode_labels(labels), error, "labels", received)


ONES = np.ones(30)


def batch_of(array):
    return pm.Minibatch(array, batch_size=10)


FAR = {
    "features in thousands": ({"X": X * 1000}, r"column 0 of X must be near unit scale.*2 of 2 columns"),
    "features a million away": ({"X": X + 1e6}, r"column 0 of X .* got values of about 1e\+06"),
    "features in thousandths": ({"X": X * [1, 1e-3]}, r"column 1 of X .*\(1 of 2 columns"),
    "a named column": ({"X": FRAME.assign(dose=FRAME["dose"] * 50)}, r"column 'dose' of X .*standardise"),
    "targets near a thousand": ({"y": X[:, 0] + 1025, "likelihood": "normal"}, r"y must .* about 1\.02e\+03"),
    "minibatches": ({"X": batch_of(X * 1000), "y": batch_of(Y_INT.astype(np.int32)), "total_size": 30}, "column 0 of X"),
    "minibatches of one class": ({"X": batch_of(X), "y": batch_of(Y_INT.astype(np.uint8) * 0), "total_size": 30}, "got label 0 in all"),
    "one class": ({"y": Y_INT * 0}, r"y must hold several classes .* got label 0 in all 30 rows"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "words"), FAR.values(), ids=FAR)
def test_data_that_a_network_could_hardly_use_raise_a_warning(change, words):
    with pytest.warns(models.DataWarning, match=words) as caught:
        models.bnn_model(**{"X": X, "y": Y_INT, **change})
    assert caught[0].filename == __file__  # the warning points at the line that calls


NEAR = {
    "a constant": np.column_stack([X, ONES]),
    "a dummy of a rare category": np.column_stack([X, np.arange(30) == 3]),
    "nothing but zeros": np.column_stack([X, 0 * ONES]),
    "shares": (X - X.min()) / np.ptp(X),
}


@pytest.mark.parametrize("features", NEAR.values(), ids=NEAR)
def test_ordinary_features_raise_no_warning(features):
    models.bnn_model(features, Y_INT)  # a warning is an error in this test run


@pytest.mark.parametrize("pixels", [X.repeat(2, axis=1) / 255, np.full((3, 4), 200.0)], ids=["shares", "floats"])
def test_pictures_of_another_scale_are_refused_in_predictions(pixels):
    """The type of the minibatch says the scale: floats do not fit into bytes."""
    batch = pm.Minibatch(np.arange(120, dtype=np.uint8).reshape(30, 4), Y_INT.astype(np.uint8), batch_size=10)
    model = models.image_classifier(*batch, total_size=30, hidden=(2,), n_classes=2)
    posterior = inference.advi(model, steps=1, learning_rate=0.01, random_seed=1).sample(2, random_seed=1)
    with pytest.raises(TypeError, match="uint8, got float64"):
        inference.predict(model, posterior, "probability", given={batch[0]: pixels})


def test_weights_known_by_dims_alone_get_a_random_start():
    with pm.Model(coords={"input": range(5), "unit": range(3)}) as model:
        pm.Normal("w", 0, 1, dims=("input", "unit"))
        pm.Normal("b", 0, 1, dims="unit")
    start = models.random_start(model, np.random.default_rng(0))
    assert {name: value.shape for name, value in start.items()} == {"w": (5, 3)}


# --- refusal ----------------------------------------------------------------------------------------------------------

Y = LABELS["bernoulli"]
NAN = np.where(np.arange(30)[:, None] == 2, np.nan, X)
BATCH_X, BATCH_Y = pm.Minibatch(X, Y.astype(np.int32), batch_size=10)
LONG_Y = pm.Minibatch(Y.astype(np.int64), batch_size=10)
BAD = [
    ({"y": Y[:-1]}, ValueError, "y", "(29,)"),
    ({"y": Y[:, None]}, ValueError, "y", "shape (30, 1)"),
    ({"y": Y + 1}, ValueError, "y", "label 2 at index (0,)"),
    ({"y": Y - 1}, ValueError, "y", "label -1 at index (3,)"),
    ({"y": Y.astype(float)}, TypeError, "y", "dtype float64"),
    ({"y": Y, "likelihood": "categorical", "n_classes": 1}, ValueError, "n_classes", "1"),
    ({"y": Y * 5, "likelihood": "categorical", "n_classes": 3}, ValueError, "y", "label 5 at index (0,)"),
    ({"n_classes": 2}, ValueError, "n_classes", "2"),
    ({"X": NAN}, ValueError, "X", "nan at index (2, 0)"),
    ({"X": X[:, 0]}, ValueError, "X", "shape (30,)"),
    ({"y": NAN[:, 0], "likelihood": "normal"}, ValueError, "y", "nan at index (2,)"),
    ({"hidden": ()}, ValueError, "hidden", "none"),
    ({"hidden": 5}, TypeError, "hidden", "5"),
    ({"hidden": "5"}, TypeError, "hidden", "'5'"),
    ({"hidden": (5, 0)}, ValueError, "hidden", "0"),
    ({"hidden": (5, -2)}, ValueError, "hidden", "-2"),
    ({"hidden": (5, 2.0)}, TypeError, "hidden", "2.0"),
    ({"activation": "swish"}, ValueError, "activation", "'swish'"),
    ({"prior": "horse"}, ValueError, "prior", "'horse'"),
    ({"hyperprior": "flat"}, ValueError, "hyperprior", "'flat'"),
    ({"likelihood": "poisson"}, ValueError, "likelihood", "'poisson'"),
    ({"prior_parameters": {"nu": 3}}, ValueError, "prior_parameters of 'normal'", "['nu']"),
    ({"prior": "student_t", "prior_parameters": {"nu": 0}}, ValueError, "prior_parameters['nu']", "0"),
    ({"hyperprior_parameters": {"scale": 0.0}}, ValueError, "hyperprior_parameters['scale']", "0.0"),
    ({"hyperprior_parameters": {"scale": -1}}, ValueError, "hyperprior_parameters['scale']", "-1"),
    ({"hyperprior_parameters": {"scale": np.nan}}, ValueError, "hyperprior_parameters['scale']", "nan"),
    ({"hyperprior": "inverse_gamma", "hyperprior_parameters": {"sigma": 1}}, ValueError, "hyperprior_parameters of 'inverse_gamma'", "['sigma']"),
    ({"hyperprior": "half_normal", "hyperprior_parameters": {"sigma": 0}}, ValueError, "hyperprior_parameters['sigma']", "0"),
    ({"hyperprior": "half_cauchy", "hyperprior_parameters": {"beta": -1.0}}, ValueError, "hyperprior_parameters['beta']", "-1.0"),
    ({"hyperprior": "inverse_gamma", "hyperprior_parameters": {"alpha": 0.0}}, ValueError, "hyperprior_parameters['alpha']", "0.0"),
    ({"hyperprior": "inverse_gamma", "hyperprior_parameters": {"beta": np.inf}}, ValueError, "hyperprior_parameters['beta']", "inf"),
    ({"hyperprior_parameters": {"scale": "1"}}, TypeError, "hyperprior_parameters['scale']", "'1'"),
    ({"hyperprior_parameters": 0.5}, TypeError, "hyperprior_parameters", "0.5"),
    ({"prior": "student_t", "prior_parameters": [3]}, TypeError, "prior_parameters", "[3]"),
    ({"centred": "no"}, ValueError, "centred", "'no'"),
    ({"fan_in_scaling": 2}, ValueError, "fan_in_scaling", "2"),
    ({"y": Y[:, None].astype(float), "likelihood": "normal"}, ValueError, "y", "shape (30, 1)"),
    ({"y": Y.astype(float), "likelihood": "categorical"}, TypeError, "y", "dtype float64"),
    ({"X": X[:0], "y": Y[:0]}, ValueError, "X", "shape (0, 2)"),
    ({"X": BATCH_X, "y": BATCH_Y, "total_size": -30}, ValueError, "total_size", "-30"),
    ({"total_size": 30}, ValueError, "total_size", "30"),
    ({"X": BATCH_X, "y": BATCH_Y}, ValueError, "total_size", "None"),
    ({"X": BATCH_X, "y": BATCH_Y, "total_size": 30, "likelihood": "categorical"}, ValueError, "n_classes", "None"),
    ({"X": BATCH_X, "total_size": 30}, TypeError, "X and y", "one of each"),
    ({"X": BATCH_X, "y": LONG_Y, "total_size": 30}, TypeError, "y", "int64"),
    ({"X": BATCH_X, "y": batch_of(X[:, 0].astype("float32")), "total_size": 30, "likelihood": "normal"}, TypeError, "y", "float32"),
    ({"X": BATCH_X, "y": BATCH_Y, "total_size": 30, "likelihood": "normal"}, TypeError, "y", "int32"),
]  # fmt: skip


@pytest.mark.parametrize("change, error, quantity, received", BAD)
def test_bnn_model_refuses(change, error, quantity, received):
    refuses(lambda: models.bnn_model(**{"X": X, "y": Y, **change}), error, quantity, received)


PIXELS = RNG.integers(0, 256, (30, 4), dtype=np.uint8)
BATCH_IMAGES, BATCH_LABELS = pm.Minibatch(PIXELS, Y.astype(np.uint8), batch_size=10)

BAD_CLASSIFIER = [
    ({"total_size": 0}, ValueError, "total_size", "0"),
    ({"hidden": ()}, ValueError, "hidden", "none"),
    ({"hidden": (5, 0)}, ValueError, "hidden", "0"),
    ({"hidden": 5}, TypeError, "hidden", "5"),
    ({"n_classes": 1}, ValueError, "n_classes", "1"),
    ({"weight_sd": 0}, ValueError, "weight_sd", "0"),
    ({"images": PIXELS, "labels": Y}, TypeError, "images and labels", "arrays"),
    ({"images": batch_of(PIXELS / 255)}, TypeError, "images", "float64"),
    ({"images": batch_of(PIXELS.astype(float))}, TypeError, "images", "float64"),
    ({"images": batch_of(PIXELS > 127)}, TypeError, "images", "bool"),
    ({"images": batch_of((PIXELS > 127).astype(np.uint8))}, ValueError, "images", "0 to 1"),
    ({"images": batch_of(PIXELS.astype(np.int32) - 128)}, ValueError, "images", "-128 to"),
    ({"images": batch_of(PIXELS.reshape(30, 2, 2))}, ValueError, "images", "3"),
    ({"labels": batch_of(Y.astype(float))}, TypeError, "y", "float64"),
    ({"labels": batch_of(Y.astype(np.uint8) + 9)}, ValueError, "y", "label 10 at index (0,)"),
    ({"labels": batch_of(Y.astype(np.int32) - 1)}, ValueError, "y", "label -1 at index (3,)"),
    ({"labels": batch_of(Y.astype(np.int8))}, TypeError, "y", "int8"),
]


@pytest.mark.parametrize("change, error, quantity, received", BAD_CLASSIFIER)
def test_image_classifier_refuses(change, error, quantity, received):
    arguments = {"images": BATCH_IMAGES, "labels": BATCH_LABELS, "total_size": 30, **change}
    refuses(lambda: models.image_classifier(**arguments), error, quantity, received)


def test_a_random_start_wants_a_generator():
    refuses(lambda: models.random_start(pm.Model(), 1), TypeError, "rng", "1")
