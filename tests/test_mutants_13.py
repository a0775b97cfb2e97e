"""The rungs of lesson 13 do what their formulas say: each is tried where the answer is known, and with a mistake."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("13")
RNG = np.random.default_rng(13)
POINTS = RNG.normal(0, 1, (30, 2)).astype(np.float32)
LABELS = (POINTS[:, 0] > 0).astype(np.float32)
ZETA = jnp.asarray(RNG.normal(0, 0.7, 23).astype(np.float32))
KEYS = jax.random.split(jax.random.key(0), 40)


def draws_themselves(draws, places, task):
    """In place of the lesson's `answers`: so a method returns its draws."""
    return draws


def summit_at_zeta(task, key):
    """In place of the lesson's `summits`: one, in the precision that JAX uses now, which PyTensor may raise."""
    return jnp.asarray(np.asarray(ZETA[None, :21], float))


def defined(*names, broken=None, **given):
    """Names of the lesson; `broken` is (cell, expression of the lesson, expression of the mutant)."""
    replace = {} if broken is None else {broken[0]: broken[1:]}
    return LESSON.define(*names, "Task", replace=replace, given=given)


def mutants(**broken):
    """Parametrise a test by the lesson itself and by its mutants."""
    cases = {"the lesson": None} | broken
    return pytest.mark.parametrize("broken", cases.values(), ids=list(cases))


# --- the network ------------------------------------------------------------------------------------


@mutants(
    output_bias_forgotten=("network", " + last[5]", ""),
    label_forgotten=("density", "task.y * logit", "logit"),
    another_hyperprior=("density", "4**2", "3**2"),
    jacobian_forgotten=("density", "zeta[21:] - jnp.exp", "-jnp.exp"),
)
def test_the_jax_network_is_the_model(broken):
    names = defined("moons_model", "log_density", "inference", broken=broken)
    spreads = []
    for scale in (4.0, None):
        theirs = names["inference"].log_density(names["moons_model"](POINTS, LABELS, scale))
        gaps = []
        for _ in range(10):
            unit, log_scales = RNG.normal(0, 0.5, 21), RNG.normal(0, 0.5, 2)
            learned = {"scales_log__": log_scales} if scale is None else {}
            ours = names["log_density"](np.concatenate([unit, *learned.values()]), names["Task"](POINTS, LABELS, scale))
            gaps.append(float(ours) - theirs({"unit": unit} | learned))
        spreads.append(np.ptp(gaps))
    assert (max(spreads) < 0.01) == (broken is None)


# --- a Normal around the summit ---------------------------------------------------------------------


@mutants(
    likelihood_without_curvature=("curvature", "p * (1 - p)", "p * p"),
    prior_the_wrong_way=("curvature", "of_data - jax", "of_data + jax"),
)
def test_the_curvature_of_the_last_layer_is_exact_and_that_of_all_is_positive(broken):
    names = defined("curvature", "log_density", broken=broken)
    right = True
    for scale in (2.0, None):
        zeta, task = ZETA[: 23 if scale is None else 21], names["Task"](POINTS, LABELS, scale)
        exact = -jax.hessian(names["log_density"])(zeta, task)[15:21, 15:21]
        found = names["curvature"](zeta, task)
        right &= np.allclose(found[15:21, 15:21], exact, rtol=1e-3, atol=1e-3)
        right &= np.linalg.eigvalsh(found).min() > 0.01
    assert right == (broken is None)


@mutants(another_factor=("curvature", "jnp.linalg.cholesky(precision).T", "jnp.linalg.cholesky(precision)"))
def test_draws_have_the_inverse_of_the_precision_as_covariance(broken):
    normal_draws = defined("normal_draws", broken=broken)["normal_draws"]
    precision = jnp.array([[2.0, 1.2], [1.2, 1.0]])
    drawn = np.concatenate([normal_draws(precision, key) for key in KEYS])
    assert np.allclose(np.cov(drawn.T), np.linalg.inv(precision), atol=0.15) == (broken is None)


@mutants(half_a_slope=("laplace", "moves @ slopes.T", "moves @ slopes.T / 2"))
def test_near_the_summit_the_linear_network_is_the_network(broken):
    names = defined("laplace", "answers", broken=broken, summits=summit_at_zeta)
    task = names["Task"](POINTS, LABELS, 1.0)
    p = [names["laplace"](task, POINTS, KEYS[0], linear=linear, spread=0.01) for linear in (True, False)]
    at_summit = names["answers"](ZETA[None, :21], POINTS, task)
    moved = np.abs(p[1] - at_summit).max()
    assert moved > 0.005
    assert (np.abs(p[0] - p[1]).max() < moved / 5) == (broken is None)


@mutants(prior_forgotten=("laplace", " + (precision - 1) * jnp.eye(6)", ""))
def test_a_strict_prior_leaves_the_last_layer_where_it_is(broken):
    given = {"summits": summit_at_zeta, "answers": draws_themselves}
    names = defined("last_layer", broken=broken, **given)
    draws = np.asarray(names["last_layer"](names["Task"](POINTS, LABELS, 1.0), POINTS, KEYS[0], precision=1e6))
    assert (np.abs(draws - ZETA[:21]).max() < 0.01) == (broken is None)
    assert (draws[:, :15] == ZETA[:15]).all()


# --- noise of training ------------------------------------------------------------------------------


@mutants(
    quieter=("dropout", " / (1 - drop)", ""),
    prediction_with_all_units=("dropout", "multiply(masks(key, 400))", "add(0)"),
)
def test_dropped_units_are_zero_and_the_mean_stays(broken):
    given = {"best_first": lambda *_: ZETA[None, :21], "answers": draws_themselves}
    names = defined("dropout", broken=broken, **given)
    draws = np.asarray(names["dropout"](names["Task"](POINTS, LABELS, 1.0), POINTS, KEYS[0], drop=0.5))
    ratios = draws[:, 15:20] / ZETA[15:20]
    right = np.allclose(ratios.mean(axis=0), 1, atol=0.2) and np.mean(np.abs(ratios) < 1e-6) > 0.3
    assert right == (broken is None)


@mutants(batch_counts_as_all=("noisy-slope", "len(task.x) / size * of_batch", "of_batch"))
def test_the_slope_of_a_batch_is_right_on_average(broken):
    names = defined("noisy_slope", "log_density", broken=broken)
    task = names["Task"](jnp.asarray(POINTS), jnp.asarray(LABELS), 2.0)
    keys = jax.random.split(jax.random.key(1), 4000)
    slopes = jax.vmap(lambda key: names["noisy_slope"](ZETA[:21], task, key))(keys)
    exact = jax.grad(names["log_density"])(ZETA[:21], task)
    errors = np.abs(slopes.mean(axis=0) - exact) / (slopes.std(axis=0) / np.sqrt(4000) + 1e-5)
    assert (errors.max() < 5) == (broken is None)


@mutants(
    step_too_long=("sgld", "rate / 2", "rate"),
    noise_too_small=("sgld", "jnp.sqrt(rate)", "rate"),
    start_kept=("sgld", "steps // 2 :: steps // 100", ":: steps // 50"),
)
def test_sgld_on_a_normal_is_too_wide_by_what_its_step_says(broken):
    given = {"noisy_slope": lambda zeta, task, key: -zeta, "answers": draws_themselves}
    given["random_starts"] = lambda task, key: 300 * jax.random.normal(key, (8, 1))
    sgld = defined("sgld", broken=broken, **given)["sgld"]
    variance = np.mean([np.mean(np.square(sgld(0, 0, key, rate=0.5))) for key in KEYS])
    assert (abs(variance - 1 / (1 - 0.5 / 4)) < 0.05) == (broken is None)


@mutants(
    halves_not_halved=("swag", "moves / jnp.sqrt(2)", "moves"),
    deviations_too_small=("swag", "jnp.sqrt(19)", "19"),
    weights_alone=("swag", "moves += jax", "moves += 0 * jax"),
)
def test_swag_takes_half_of_its_covariance_from_single_weights_and_half_from_the_path(broken):
    def slope(zeta, task, key):  # leads to two weights that always agree
        return (jax.random.normal(key) * jnp.ones(2) - zeta) / 0.1

    given = {"noisy_slope": slope, "answers": draws_themselves, "summits": lambda task, key: jnp.zeros((1, 2))}
    swag = defined("swag", broken=broken, **given)["swag"]
    covariance = np.mean([np.cov(np.asarray(swag(0, 0, key, rate=0.1)).T) for key in KEYS], axis=0)
    assert np.allclose(covariance, [[1, 0.5], [0.5, 1]], atol=0.12) == (broken is None)


# --- Normals that are fitted ------------------------------------------------------------------------

PRECISION = jnp.array([[2.0, 1.5], [1.5, 2.0]])


@pytest.mark.parametrize("rank", [0, 2])
@mutants(entropy_counted_twice=("advi", "[1] / 2", "[1]"))
def test_advi_finds_a_normal_and_mean_field_its_slices(rank, broken):
    def log_density(zeta, task):
        return -zeta @ PRECISION @ zeta / 2

    given = {"log_density": log_density, "answers": draws_themselves, "summits": lambda task, key: jnp.ones((8, 2))}
    advi = defined("advi", broken=broken, **given)["advi"]
    found = np.cov(np.concatenate([advi(0, 0, key, rank=rank, at_summit=True, rate=0.05) for key in KEYS[:5]]).T)
    known = np.linalg.inv(PRECISION) if rank else np.diag(1 / np.diag(PRECISION))
    assert np.allclose(found, known, atol=0.12) == (broken is None)


# --- the contest ------------------------------------------------------------------------------------


@mutants(
    the_judges_data=("choice", '["data_set"] >= 10', '["data_set"] < 10'), the_worst=("choice", "idxmin", "idxmax")
)
def test_a_setting_is_chosen_by_the_data_sets_put_aside(broken):
    chosen = defined("chosen", broken=broken)["chosen"]
    rows = [(0, "a", 0.1), (0, "b", 0.3), (10, "a", 0.5), (10, "b", 0.4), (11, "a", 0.2), (11, "b", 0.1)]
    record = pd.DataFrame(rows, columns=["data_set", "setting", "tv"]).assign(prior="1", method="MAP")
    assert (chosen(record, "tv")["setting"].tolist() == ["b"]) == (broken is None)


MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "the prior that suits a method worst": ("13-gap", "leads", 'nsmallest(1, "nll")', 'nlargest(1, "nll")'),
    "judged by the data of the choice": (
        "13-few-draws", "choice", 'record["data_set"] < 10', 'record["data_set"] >= 10'
    ),
    "seconds of all settings and parts": (
        "13-faster", "price", '"cpu_seconds"]].mean()\nasides', '"cpu_seconds"]].sum()\nasides'
    ),
    "the same stage twice": ("13-crash-longer", "prices", 'longer["twice"]', 'longer["verdict"]'),
    "least squares among the others": ("13-crash-alike", "prices", '.drop(["NUTS", "least squares"])', '.drop("NUTS")'),
}  # fmt: skip
RECORDED = ["13-ensemble", "13-family", "13-sgld", "13-few-draws", "13-gap", "13-point", "13-faster", "13-farther"]
RECORDED += ["13-crash-map", "13-crash-alike", "13-crash-longer"]


@pytest.mark.parametrize("claim", RECORDED)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_contest_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})
