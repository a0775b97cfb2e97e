"""What would give a silent wrong result is made right, or refused with quantity, range, value and remedy."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest

from bnn_course import inference, models

ROOT = Path(__file__).resolve().parents[1]
RNG = np.random.default_rng(20)
X = RNG.normal(size=(60, 3))
Y = X @ [1.0, -2.0, 0.5] + RNG.normal(0, 0.7, 60)
LABELS = RNG.integers(0, 3, 60).astype("uint8")
FIT = {"steps": 5, "learning_rate": 0.01, "random_seed": 0}
NUTS = {"draws": 20, "tune": 20, "chains": 2, "random_seed": 0, "compute_convergence_checks": False}
METHODS = {
    "advi": lambda model: inference.advi(model, **FIT),
    "find_map": lambda model: inference.find_map(model, **FIT),
    "nuts": lambda model: inference.nuts(model, **NUTS),
}


def regression(total_size=60, batches="one"):
    with pm.Model() as model:
        if batches == "one":
            x, y = pm.Minibatch(X, Y, batch_size=10)
        elif batches == "two":
            x, y = pm.Minibatch(X, batch_size=10), pm.Minibatch(Y, batch_size=10)
        else:
            x, y = X, Y
        pm.Normal("y", x @ pm.Normal("w", shape=3), 1, observed=y, total_size=total_size)
    return model


def classes(labels, size=3, batch=False, **parameter):
    with pm.Model() as model:
        x, labels = pm.Minibatch(X, labels, batch_size=10) if batch else (X, labels)
        linear = x @ pm.Normal("w", shape=(3, size))
        p = {"logit_p": linear} if not parameter else {"p": parameter["p"](linear)}
        pm.Categorical("label", **p, observed=labels, **({"total_size": 60} if batch else {}))
    return model


def groups(index, *, as_data=False, batch=False):
    with pm.Model() as model:
        y, size = Y[: len(index)], {}
        if batch:
            (index, y), size = pm.Minibatch(index, y, batch_size=10), {"total_size": 60}
        elif as_data:
            index = pm.Data("g", index)
        effect = pm.Normal("effect", shape=5)
        mean = pm.Deterministic("mean", effect[index])
        pm.Normal("y", mean, 1, observed=y, **size)
    return model


def multinomial():
    with pm.Model() as model:
        pm.Multinomial("counts", n=10, p=pm.HalfNormal("p", shape=3), observed=[[2, 3, 5]])
    return model


def beta_of_a_real_number():
    with pm.Model() as model:
        pm.Beta("y", pm.Normal("alpha", initval=0.1), 2, observed=[0.2, 0.7])
    return model


def outside_its_support(start=-1.0):
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 1, initval=start)
        pm.Potential("half", pt.switch(theta > 0, 0.0, -np.inf))
        pm.Normal("y", theta, 1, observed=Y)
    return model


FROM_ONE = np.tile(np.arange(1, 6), 12)
BY_GRADIENT = ("advi", "find_map", "nuts")
LOOP = ("advi", "find_map")
REFUSED = {
    # what: (model, methods, what the sentence says)
    "two calls of Minibatch": (lambda: regression(batches="two"), LOOP, "must be called once, got 2 calls"),
    "total_size too small": (lambda: regression(47), LOOP, "total_size of y must be 60, .* got 47.*total_size="),
    "total_size too large": (lambda: regression(600), LOOP, "total_size of y must be 60, .* got 600"),
    "total_size of full data": (lambda: regression(47, "none"), LOOP, "total_size of y must be 60, .* got 47"),
    "groups from 1": (lambda: groups(FROM_ONE), BY_GRADIENT, "indices .* got index 5 .* size 5.*from 0"),
    "groups from 1, data": (lambda: groups(FROM_ONE, as_data=True), BY_GRADIENT, "indices .* got index 5 .* size 5"),
    "groups from 1, batch": (lambda: groups(FROM_ONE, batch=True), LOOP, "indices .* got index 5 .* size 5"),
    "group -9": (lambda: groups(np.full(60, -9)), BY_GRADIENT, "indices .* got index -9 .* size 5"),
    "p of a sigmoid": (lambda: classes(LABELS, p=pm.math.sigmoid), BY_GRADIENT, "parameters of label .*got.*softmax"),
    "p not a simplex": (multinomial, BY_GRADIENT, "parameters of counts must be .*sum.*got"),
    "a negative alpha": (beta_of_a_real_number, BY_GRADIENT, "parameters of y must be .*alpha > 0.*got.*alpha = "),
    "labels 1, 2, 3": (lambda: classes(LABELS + 1), LOOP, "log density of label .*-inf .*value 3.*from 0"),
    "label 255, batch": (lambda: classes(np.where(np.arange(60) == 7, 255, LABELS).astype("uint8"), batch=True), LOOP,
                         "log density of label .*-inf .*value 255"),
    "label -1": (lambda: classes(LABELS.astype(int) - 1), LOOP, "log density of label .*-inf .*value -1"),
    "start outside, named": (outside_its_support, LOOP, "log density of half must be finite .*got -inf.*start="),
    "missing value, batch": (lambda: classes_of_nan(), LOOP, r"array 0 of pm.Minibatch .*got nan at index \(7, 0\)"),
}  # fmt: skip


def classes_of_nan():
    x = np.where(np.arange(60)[:, None] == 7, np.nan, X)
    with pm.Model() as model:
        x, y = pm.Minibatch(x, Y, batch_size=10)
        pm.Normal("y", x @ pm.Normal("w", shape=3), 1, observed=y, total_size=60)
    return model


@pytest.mark.parametrize(("what", "method"), [(what, m) for what, (_, methods, _) in REFUSED.items() for m in methods])
def test_what_would_be_wrong_is_refused(what, method):
    make, _, words = REFUSED[what]
    with pytest.raises(ValueError, match=words):
        METHODS[method](make())


@pytest.mark.parametrize(
    "model",
    [
        lambda: regression(),
        lambda: regression(None, "none"),
        lambda: groups(FROM_ONE - 1),
        lambda: groups(FROM_ONE - 6),  # −5 … −1 count from the end, in NumPy, JAX and PyMC
        lambda: groups(FROM_ONE - 1, batch=True),
        lambda: classes(LABELS),
        lambda: classes(LABELS, batch=True),
        lambda: classes(LABELS, p=lambda linear: pm.math.softmax(linear, axis=-1)),
        lambda: outside_its_support(start=1.0),
    ],
)
def test_what_is_right_is_not_refused(model):
    assert np.isfinite(inference.advi(model(), **FIT).loss).all()


def test_another_total_size_can_be_meant():
    fit = {**FIT, "steps": 3000, "learning_rate": 0.03}
    right, wide = (inference.advi(regression(n), **fit, total_size=n).sd["w"].mean() for n in (60, 6))
    assert wide / right == pytest.approx(10**0.5, rel=0.15)
    with pytest.raises(ValueError, match=r"must be 60.* got 47"):
        inference.advi(regression(47), **FIT, total_size=46)


def test_nuts_names_the_variable_where_no_start_is_possible():
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 1, initval=-50)
        pm.Potential("half", pt.switch(theta > 0, 0.0, -np.inf))
    with pytest.raises(ValueError, match=r"log density of half must be finite"):
        inference.nuts(model, **NUTS)


def scores(x, y):
    with pm.Model() as model:
        intercept, slope = pm.Flat("intercept"), pm.Flat("slope")
        pm.Normal("y", intercept + slope * x, pm.HalfCauchy("sigma", 2.5), observed=y)
    return model


def test_a_fit_that_has_not_arrived_on_data_far_from_zero_says_so_and_standardised_data_help():
    """Test scores of children and of their mothers: a ridge, of intercepts and slopes, that is climbed slowly."""
    rng = np.random.default_rng(3)
    mother = rng.normal(100, 15, 400)
    child = 26 + 0.6 * mother + rng.normal(0, 18, 400)
    settings = {"steps": 20_000, "learning_rate": 0.02, "random_seed": 1}
    slope, intercept = np.polyfit(mother, child, 1)
    with pytest.warns(models.DataWarning, match=r"(intercept|slope) moved by .* ± 15.*standardise") as caught:
        raw = inference.advi(scores(mother, child), **settings)
    assert Path(caught[0].filename).name == "test_inference_refusals.py"
    assert abs(raw.mean["intercept"] - intercept) > 5  # a posterior standard deviation is about six
    x, y = ((values - values.mean()) / values.std() for values in (mother, child))
    standardised = inference.advi(scores(x, y), **settings)
    assert standardised.mean["slope"] * child.std() / mother.std() == pytest.approx(slope, abs=0.02)


@pytest.mark.parametrize("widths", [np.full((50, 3), 0.3, "float32"), np.linspace(0.9, 1, 150).reshape(50, 3)])
def test_widths_of_a_prior_and_constant_columns_are_no_data_far_from_zero(widths):
    rng = np.random.default_rng(4)
    x = np.column_stack([rng.normal(size=(200, 49)), np.full(200, 0.3)]).astype(widths.dtype)
    with pm.Model() as model:
        z = pm.Normal("z", 0, 1, shape=(50, 3))
        mean = pm.math.dot(x, widths * z)
        pm.Normal("y", mean, 0.01, observed=rng.normal(size=(200, 3)))
    approximation = inference.advi(model, steps=40, learning_rate=0.05, random_seed=1)  # a warning is an error
    assert np.abs(approximation.mean["z"]).max() > 3 * approximation.sd["z"].max()  # it has not arrived


# --- data that change -----------------------------------------------------------------------------------------------


def test_a_minibatch_of_data_follows_set_data():
    with pm.Model() as model:
        data = pm.Data("data", Y)
        y = pm.Minibatch(data, batch_size=10)
        pm.Normal("y", pm.Normal("mu", 0, 10), 0.7, observed=y, total_size=60)
    settings = {**FIT, "steps": 2000, "learning_rate": 0.05}
    assert inference.advi(model, **settings).mean["mu"] == pytest.approx(Y.mean(), abs=0.1)
    pm.set_data({"data": Y + 7}, model=model)
    assert inference.advi(model, **settings).mean["mu"] == pytest.approx(Y.mean() + 7, abs=0.2)
    pm.set_data({"data": np.tile(Y, 2)}, model=model)
    with pytest.raises(ValueError, match=r"total_size of y must be 120, .* got 60"):
        inference.advi(model, **settings)


def test_shapes_that_follow_data_follow_set_data():
    with pm.Model() as model:
        x = pm.Data("x", np.ones((60, 1)))
        w = pm.Normal("w", shape=x.shape[1])
        pm.Normal("y", x @ w, 1, observed=Y)
    for columns in (1, 4, 3):
        pm.set_data({"x": RNG.normal(size=(60, columns))}, model=model)
        point = {"w": RNG.normal(size=columns)}
        expected = float(model.compile_logp(mode="FAST_COMPILE")(point))
        assert inference.log_density(model)(point) == pytest.approx(expected, rel=1e-12)
        found = inference.advi(model, **FIT)
        assert found.mean["w"].shape == (columns,) and found.sample(3, random_seed=0) is not None


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int8"])
def test_whole_numbers_lose_no_digits(dtype):
    with pm.Model() as model:
        n = pm.Data("n", np.array([10, 20, 100]).astype(dtype))
        pm.Binomial("k", n, pm.Beta("p", 2, 3), observed=[3, 7, 41])
        z = pm.Normal("z")
        pm.Potential("unary", pt.sum(z * pt.log1p(n) + pt.gammaln(n) + pt.sqrt(n) + pt.exp(n / 7)))
    point = {"p_logodds__": np.array(0.3), "z": np.array(0.2)}
    wide = model.compile_logp(mode="FAST_COMPILE")
    expected = float(wide(point))
    tolerance = 1e-12 if dtype.startswith("int") and dtype != "int8" else 1e-6  # PyTensor's own: int8 → float32
    assert inference.log_density(model)(point) == pytest.approx(expected, rel=tolerance)


def test_variables_of_two_float_types_are_fitted():
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1, dtype="float32")
        pm.Normal("y", a + pm.Normal("b", 0, 1), 1, observed=Y)
    found = inference.advi(model, **FIT | {"steps": 50})
    assert (found.mean["a"].dtype, found.mean["b"].dtype) == (np.float32, np.float64)


# --- predictions ----------------------------------------------------------------------------------------------------


def network(width):
    with pm.Model() as model:
        x = pm.Data("x", X)
        w = pm.Normal("w", shape=(3, width))
        hidden = pm.Deterministic("hidden", pt.tanh(x @ w))
        pm.Normal("y", hidden.sum(axis=1), 1, observed=Y, shape=hidden.shape[0])
    return model


def draws_of(model, n=4):
    return inference.advi(model, **FIT).sample(n, random_seed=0)


def test_a_posterior_of_another_network_is_refused():
    with pytest.raises(ValueError, match=r"w of shape \(3, 4\), got \(3, 5\)"):
        inference.predict(network(4), draws_of(network(5)), "hidden", given={"x": X})


def test_the_fit_itself_in_place_of_draws_is_refused():
    model = network(4)
    with pytest.raises(TypeError, match=r"must hold draws, got an Approximation.*sample\("):
        inference.predict(model, inference.advi(model, **FIT), "hidden", given={"x": X})


@pytest.mark.parametrize("kind", ["extract", "dataset", "group", "array"])
def test_draws_are_accepted_in_whatever_they_come(kind):
    model = network(4)
    posterior = draws_of(model)
    forms = {
        "extract": lambda: az.extract(posterior),
        "dataset": lambda: az.convert_to_dataset(posterior, group="posterior"),
        "group": lambda: posterior["posterior"],
        "array": lambda: az.extract(posterior, var_names="w"),
    }
    expected = inference.predict(model, posterior, "hidden", given={"x": X[:7]})
    np.testing.assert_array_equal(inference.predict(model, forms[kind](), "hidden", given={"x": X[:7]}), expected)


def test_draws_without_a_dim_of_draws_are_refused():
    model = network(4)
    mean = az.convert_to_dataset(draws_of(model), group="posterior").mean(("chain", "draw"))
    with pytest.raises(ValueError, match=r"dims chain and draw, or sample"):
        inference.predict(model, mean, "hidden", given={"x": X})


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("number", [7, -9])
def test_groups_that_are_given_must_exist(number, batch):
    model = groups(FROM_ONE - 1, as_data=True, batch=batch)
    key = "g"
    if batch:
        with pm.Model() as model:
            key, y = pm.Minibatch(FROM_ONE - 1, Y, batch_size=10)
            mean = pm.Deterministic("mean", pm.Normal("effect", shape=5)[key])
            pm.Normal("y", mean, 1, observed=y, total_size=60)
    posterior = draws_of(model)
    effect = az.convert_to_dataset(posterior, group="posterior")["effect"].values[0]
    right = inference.predict(model, posterior, "mean", given={key: np.array([4, 0, 2] * 5)})
    np.testing.assert_array_equal(right, effect[:, [4, 0, 2] * 5])
    with pytest.raises(ValueError, match=rf"indices must exist, got index {number} .*size 5"):
        inference.predict(model, posterior, "mean", given={key: np.array([0] * 14 + [number])})


def test_a_deterministic_without_a_row_for_each_row_that_is_given_is_refused_beside_one_that_has_them():
    with pm.Model() as model:
        x, y = pm.Minibatch(X, Y, batch_size=10)
        w = pm.Normal("w", shape=3)
        pm.Deterministic("mean", x @ w)
        pm.Deterministic("length", pt.sqrt((w**2).sum()))
        pm.Normal("y", x @ w, 1, observed=y, total_size=60)
    posterior = draws_of(model)
    with pytest.raises(ValueError, match=r"a row for each row that is given, got length of shape \(\): predict it by"):
        inference.predict(model, posterior, ["mean", "length"], given={x: X[:25]})
    assert inference.predict(model, posterior, "mean", given={x: X[:25]}).shape == (4, 25)
    assert inference.predict(model, posterior, "length", given={}).shape == (4,)


def test_deterministics_of_observed_imputed_and_constant_values_are_predicted():
    with pm.Model() as model:
        x = pm.Data("x", X[:4, 0])
        mu = pm.Normal("mu")
        with pytest.warns(UserWarning, match=r"impute"):
            y = pm.Normal("y", mu + x, 1, observed=np.array([1.0, np.nan, 2.0, np.nan]))
        pm.Deterministic("residual", y - mu)
        pm.Deterministic("twice", 2 * x)
    posterior = draws_of(model)
    draws = az.convert_to_dataset(posterior, group="posterior")
    found = inference.predict(model, posterior, ["residual", "twice", "y"], given={})
    np.testing.assert_allclose(found["residual"] + draws["mu"].values[0][:, None], found["y"])
    np.testing.assert_array_equal(found["y"][:, [0, 2]], np.tile([1.0, 2.0], (4, 1)))
    np.testing.assert_array_equal(found["y"][:, [1, 3]], draws["y_unobserved"].values[0])
    alone = inference.predict(model, posterior, "twice", given={"x": np.arange(3.0)})
    np.testing.assert_array_equal(alone, np.tile([0.0, 2.0, 4.0], (4, 1)))


# --- labels, starts, seeds ------------------------------------------------------------------------------------------

LABELLED = {
    "tuples": ([("a", 1), ("b", 2)], ["('a', 1)", "('b', 2)"]),
    "levels": (pd.MultiIndex.from_product([["a"], [1, 2]]), ["('a', 1)", "('a', 2)"]),
    "periods": (pd.period_range("2020-01", periods=2, freq="M"), ["2020-01", "2020-02"]),
    "bytes": ([b"a", b"b"], ["a", "b"]),
    "mixed": (["a", 2], ["a", "2"]),
    "numbers": ([3, 5], [3, 5]),
    "text": (["x", "y"], ["x", "y"]),
    "dates": (pd.date_range("2020-01-01", periods=2), pd.date_range("2020-01-01", periods=2)),
}


@pytest.mark.parametrize("kind", LABELLED)
def test_coordinates_of_every_kind_label_draws(kind):
    labels, expected = LABELLED[kind]
    with pm.Model(coords={"part": labels}) as model:
        pm.Normal("y", pm.Normal("w", dims="part").sum(), 1, observed=Y)
    for posterior in (draws_of(model), inference.nuts(model, **NUTS)):
        found = az.convert_to_dataset(posterior, group="posterior")["part"].values
        assert list(found) == list(np.asarray(expected))


@pytest.mark.parametrize("value", [np.ones((1, 3)), np.ones(2), 1.0])
@pytest.mark.parametrize("method", [inference.advi, inference.find_map])
def test_a_start_of_another_shape_is_refused(method, value):
    with pytest.raises(ValueError, match=rf"start of w must have .*got (shape )?{re.escape(str(np.shape(value)))}"):
        method(regression(), **FIT, start={"w": value})


@pytest.mark.parametrize("bits", [32, 64])
def test_seeds_above_32_and_64_bits_are_seeds_of_their_own(bits):
    small, large = (inference.advi(regression(), **FIT | {"random_seed": s}).loss for s in (1, 1 + 2**bits))
    assert (small != large).all()
    small, large = (METHODS["nuts"](regression(None, "none")) for _ in range(2))
    few = NUTS | {"random_seed": 1 + 2**bits}
    first, again = (inference.nuts(regression(None, "none"), **few).posterior["w"].values for _ in range(2))
    other = inference.nuts(regression(None, "none"), **NUTS | {"random_seed": 1}).posterior["w"].values
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("both", [{}, {"learning_rate": 0.1, "optimizer": 3}])
def test_exactly_one_of_learning_rate_and_optimizer(both):
    with pytest.raises(TypeError, match=r"exactly one of learning_rate and optimizer"):
        inference.advi(regression(), steps=5, random_seed=0, **both)


def test_an_optimizer_is_one_of_optax():
    with pytest.raises(TypeError, match=r"optimizer must be an optax.GradientTransformation, got 'adam'"):
        inference.advi(regression(), steps=5, random_seed=0, optimizer="adam")


# --- what JAX cannot do ---------------------------------------------------------------------------------------------


def repeated():
    with pm.Model() as model:
        times = pm.Data("times", np.full(20, 3))
        pm.Normal("y", pt.repeat(pm.Normal("effect", shape=20), times), 1, observed=Y)
    return model


@pytest.mark.parametrize("method", LOOP)
def test_a_model_that_jax_cannot_run_is_refused_in_one_sentence_with_the_way_out(method):
    with pytest.raises(ValueError, match=r"operations that JAX can run, got [^\n]*inference.nuts") as caught:
        METHODS[method](repeated())
    assert "\n" not in str(caught.value)
    assert METHODS["nuts"](repeated()).posterior["effect"].shape == (2, 20, 20)


def run(code, **variables):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


FIT_IN_A_PROCESS = """
    import bnn_course, pymc as pm
    from bnn_course import inference
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), 1, observed=[1.0, 2.0])
    print(inference.advi(model, steps=5, learning_rate=0.1, random_seed=0).step)
"""


def test_a_damaged_entry_of_the_compilation_cache_is_replaced(tmp_path):
    variables = {"XDG_CACHE_HOME": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    assert run(FIT_IN_A_PROCESS, **variables).returncode == 0
    (entry,) = tmp_path.glob("bnn_course/jit_run-*-cache")
    size = entry.stat().st_size
    entry.write_bytes(entry.read_bytes()[:100])
    for _ in range(2):
        done = run(FIT_IN_A_PROCESS, **variables)
        assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")
    assert entry.stat().st_size > size / 2


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
def test_a_home_that_cannot_be_written_to_does_no_harm(variable):
    done = run(FIT_IN_A_PROCESS, **{variable: "/proc/nowhere"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")


def test_a_device_that_jax_does_not_have_is_said_to_be_missing():
    done = run(FIT_IN_A_PROCESS, JAX_PLATFORMS="cuda")
    assert "RuntimeError: JAX_PLATFORMS must name a device that JAX can use here, got 'cuda': unset it" in done.stderr


def test_a_process_that_is_forked_after_a_fit_is_told_to_be_spawned():
    code = (
        FIT_IN_A_PROCESS
        + """
    import os, warnings
    warnings.simplefilter("ignore")  # JAX's and Python's own, about the fork
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            inference.advi(model, steps=5, learning_rate=0.1, random_seed=0)
        except RuntimeError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.wait()
    print(os.read(read, 1000).decode())
    """
    )
    assert "spawn" in run(code).stdout
