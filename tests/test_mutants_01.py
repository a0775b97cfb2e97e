"""The checks of lesson 01 and its appendix F see what they look for, and the package computes what these show."""

import numpy as np
import pytest
from _mutants import fails
from scipy.special import betaln, logit
from scipy.stats import beta

from bnn_course import exact
from tools.lessons import lesson

LESSON, APPENDIX = lesson("01"), lesson("F")
ONE_WORLD = ('{"as assumed": 1.0, "wild": 5.0, "calm": 0.1}', '{"as assumed": 1.0}')  # the others take time

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "counts of ill and healthy not used as the prior": (
        "01-test",
        "table-of-bayes",
        "everybody / everybody.sum()",
        "0.5 + 0 * everybody",
    ),
    "likelihood divided by the wrong total": (
        "01-test",
        "table-of-bayes",
        'people["positive"] / everybody',
        'people["positive"] / everybody.sum()',
    ),
    "cell width forgotten in the evidence": (
        "01-evidence",
        "grid-posterior",
        "np.sum(likelihood * prior) * width",
        "np.sum(likelihood * prior)",
    ),
    "heads and tails exchanged": (
        "01-evidence",
        "grid-posterior",
        "theta**n_1 * (1 - theta) ** n_0",
        "theta**n_0 * (1 - theta) ** (n_1 + 1)",
    ),
    "evidence without the prior's constant": ("01-evidence", "coin-evidence", " - betaln(a_1, a_0)", ""),
    "predictions that do not learn": ("01-evidence", "coin-evidence", "counts[flip] += 1", "counts[flip] += 0"),
    "a fair coin of nine flips": ("01-fair", "coin-evidence", "0.5 ** len(flips)", "0.5 ** (len(flips) - 1)"),
    "sign of the prior flipped": (
        "01-s3",
        "coin-map",
        "np.log(likelihood) + np.log(prior)",
        "np.log(likelihood) - np.log(prior)",
    ),
    "mean of the Beta taken for its mode": (
        "01-s3",
        "coin-map",
        "(a_1 + n_1 - 1) / (a_1 + a_0 + n_1 + n_0 - 2)",
        "(a_1 + n_1) / (a_1 + a_0 + n_1 + n_0)",
    ),
    "PyMC given another prior": ("01-s3", "coin-map", "alpha=a_1", "alpha=a_1 + 1"),
    "prior left out of the product": (
        "01-next-flip",
        "grid-posterior",
        "likelihood * prior / evidence",
        "likelihood / np.sum(likelihood * width)",
    ),
    "Jacobian of the log-odds dropped": (
        "01-map-scales",
        "map-on-three-scales",
        "theta * (1 - theta)",
        "np.ones_like(theta)",
    ),
    "Jacobian of the log-odds turned over": (
        "01-map-scales",
        "map-on-three-scales",
        "theta * (1 - theta)",
        "1 / (theta * (1 - theta))",
    ),
    "Jacobian of the odds dropped": ("01-map-scales", "map-on-three-scales", "(1 - theta) ** 2", "np.ones_like(theta)"),
    "ridge with twice the penalty": ("01-ridge", "ridge", "alpha=sigma**2", "alpha=2 * sigma**2"),
    "ridge with an intercept": ("01-ridge", "ridge", "fit_intercept=False", "fit_intercept=True"),
    "prior precision forgotten": ("01-ridge", "ridge", "np.eye(X.shape[1]) / prior_sd**2 + ", ""),
    "noise forgotten in the precision": ("01-ridge", "ridge", "X.T @ X / sigma**2", "X.T @ X / (2 * sigma**2)"),
    "PyMC's Normal given a variance": ("01-ridge", "ridge", '"w", 0, prior_sd', '"w", 0, prior_sd**2'),
    "lasso's N forgotten": ("01-lasso", "lasso", "(len(y) * laplace_scale)", "laplace_scale"),
    "a wrong scale of the Laplace prior": ("01-lasso", "lasso", '"w", 0, laplace_scale', '"w", 0, 2 * laplace_scale'),
    "a smooth prior where the lasso's was meant": ("01-lasso", "lasso", "pm.Laplace", "pm.Normal"),
}
COVERAGE_MUTANTS = {
    "weights' part of the variance dropped": (
        "01-coverage-predictive",
        "predictive",
        "noise_sd**2 + phi @ covariance @ phi",
        "noise_sd**2 + 0 * phi @ covariance @ phi",
    ),
    "weights' part of the variance counted twice": (
        "01-coverage-predictive",
        "predictive",
        "noise_sd**2 + phi @ covariance @ phi",
        "noise_sd**2 + 2 * phi @ covariance @ phi",
    ),
    "one-sided quantile for a two-sided interval": (
        "01-coverage-predictive",
        "predictive",
        "norm.ppf(0.95)",
        "norm.ppf(0.90)",
    ),
    "a prior wider than that of the curves": (
        "01-coverage-predictive",
        "coverage",
        "noise_sd, curve_prior_sd",
        "noise_sd, 3 * curve_prior_sd",
    ),
    "the plug-in given the width of the predictive": (
        "01-coverage-plug-in",
        "coverage",
        "error < reach * noise_sd",
        "error < reach * sd",
    ),
}
CHECK_MUTANTS = {
    "low and high BMI exchanged": ("highest].std(axis=-1) / scores", "lowest].std(axis=-1) / scores"),
    "the tail below instead of above": ("replicas) >=", "replicas) <="),
}
APPENDIX_MUTANTS = {
    "sign of the penalty flipped": ("f-mean", "grid", "-squares - penalty", "-squares + penalty"),
    "factor one half forgotten in the squares": ("f-mean", "grid", " / (2 * sigma**2)", " / sigma**2"),
    "precisions do not add": ("f-mean", "normal-mean", "1 / prior_sd**2 + ", ""),
    "threshold that overshoots zero": (
        "f-lasso",
        "coordinate-descent",
        "np.maximum(np.abs(w) - alpha, 0)",
        "(np.abs(w) - alpha)",
    ),
    "descent that forgets the weight it moves": ("f-lasso", "coordinate-descent", " + X[:, j] * w[j]", ""),
    "lasso's N forgotten": ("f-lasso", "lasso", "(len(y) * scale)", "scale"),
    "prior precision forgotten": ("f-chib", "regression-evidence", "np.eye(X.shape[1]) / prior_sd**2 + ", ""),
    "weights forgotten in the evidence": ("f-chib", "regression-evidence", " + prior_sd**2 * X @ X.T", ""),
    "noise sd in place of its variance": ("f-chib", "regression-evidence", "sigma**2 * np.eye", "0.5 * np.eye"),
    "evidence of the likelihood alone": ("f-occam", "regression-evidence", "prior_sd**2 * X @ X.T", "0 * X @ X.T"),
}


@pytest.mark.parametrize("claim", sorted({claim for claim, *_ in MUTANTS.values()}))
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})


@pytest.mark.parametrize("claim", ["01-coverage-predictive", "01-coverage-plug-in"])
def test_one_world_is_enough_for_the_coverage_as_promised(claim):
    LESSON.check(claim, replace={"coverage-table": ONE_WORLD})


@pytest.mark.parametrize(("claim", "cell", "old", "new"), COVERAGE_MUTANTS.values(), ids=COVERAGE_MUTANTS)
def test_a_broken_interval_fails_its_coverage(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new), "coverage-table": ONE_WORLD})


def test_wild_weights_that_are_not_wild_fail_the_claim():
    worlds = ONE_WORLD[0], '{"as assumed": 1.0, "wild": 1.0}'
    with fails("01-wild"):
        LESSON.check("01-wild", replace={"coverage-table": worlds})


@pytest.mark.parametrize("claim", sorted({claim for claim, *_ in APPENDIX_MUTANTS.values()}))
def test_the_appendix_itself_passes(claim):
    APPENDIX.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), APPENDIX_MUTANTS.values(), ids=APPENDIX_MUTANTS)
def test_a_broken_formula_of_the_appendix_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        APPENDIX.check(claim, replace={cell: (old, new)})


# The check of the patients' line, on replicas of a least squares line: no sampler needed ------------------------------


@pytest.fixture(scope="module")
def patients():
    """The patients, and the least squares line through them: means and one sd."""
    shown = LESSON.define("bmi", "score")
    design = np.column_stack([np.ones(len(shown["bmi"])), shown["bmi"]])
    line = design @ np.linalg.lstsq(design, shown["score"], rcond=None)[0]
    return shown | {"line": line, "sd": np.std(shown["score"] - line)}


def replicas_of(patients, growth):
    """Data made up along the line; the log of the noise's sd grows by `growth` per kg/m²."""
    noise = np.random.default_rng(1).normal(size=(2_000, len(patients["bmi"])))
    return patients["line"] + noise * patients["sd"] * np.exp(growth * patients["bmi"])


def test_the_spread_of_a_line_with_one_sd_is_not_that_of_the_patients(patients):
    LESSON.check("01-spread", given={"replicas": replicas_of(patients, growth=0)})


@pytest.mark.parametrize(("old", "new"), CHECK_MUTANTS.values(), ids=CHECK_MUTANTS)
def test_a_broken_statistic_finds_nothing(patients, old, new):
    with fails("01-spread"):
        LESSON.check("01-spread", replace={"check": (old, new)}, given={"replicas": replicas_of(patients, growth=0)})


def test_the_check_is_silent_when_the_noise_grows_in_the_model_too(patients):
    with fails("01-spread"):
        LESSON.check("01-spread", given={"replicas": replicas_of(patients, growth=0.029)})


# What the lesson says without a claim ---------------------------------------------------------------------------------


def test_grid_closed_form_and_one_flip_at_a_time_are_the_same_posterior():
    shown = LESSON.define("posterior", "theta", "prior", "width", "flips", "a_1", "a_0", "n_1", "n_0")
    theta, one_by_one = shown["theta"], shown["prior"]
    for flip in shown["flips"]:
        one_by_one = one_by_one * (theta if flip else 1 - theta)
        one_by_one = one_by_one / (one_by_one.sum() * shown["width"])
    closed_form = beta.pdf(theta, shown["a_1"] + shown["n_1"], shown["a_0"] + shown["n_0"])
    assert np.abs(shown["posterior"] - closed_form).max() < 1e-6
    assert np.abs(shown["posterior"] - one_by_one).max() < 1e-10


def test_pymc_has_the_log_of_likelihood_times_prior_and_with_the_jacobian_its_top_is_the_mean():
    shown = LESSON.define("coin_model", "theta", "likelihood", "prior")
    some = slice(None, None, 500)
    points = [{"theta_logodds__": logit(t)} for t in shown["theta"][some]]
    plain = shown["coin_model"].compile_logp(jacobian=False)
    by_hand = np.log(shown["likelihood"] * shown["prior"])[some]
    assert np.array([plain(point) for point in points]) == pytest.approx(by_hand, abs=1e-6)
    with_jacobian = shown["coin_model"].compile_logp(jacobian=True)
    near = 9 / 14 + 0.001 * np.arange(-3, 4)
    assert np.argmax([with_jacobian({"theta_logodds__": logit(t)}) for t in near]) == 3


def test_the_median_is_the_same_coin_on_every_scale():
    shown = LESSON.define("density", "theta", "median")
    places = {"θ": shown["theta"], "log-odds": logit(shown["theta"]), "odds": shown["theta"] / (1 - shown["theta"])}
    for scale, place in places.items():
        below = np.cumsum(shown["density"][scale] * np.gradient(place))
        assert shown["theta"][np.searchsorted(below, 0.5)] == pytest.approx(shown["median"], abs=1e-3)


def test_the_free_coin_wins_at_both_ends_only():
    heads = np.arange(11)
    free = betaln(2 + heads, 2 + 10 - heads) - betaln(2, 2)
    assert list(heads[free > 10 * np.log(0.5)]) == [0, 1, 2, 8, 9, 10]


def test_the_lassos_objective_is_pymcs_log_density_times_a_constant():
    shown = LESSON.define("log_density", "lasso", "X", "y", "sigma", "alpha")
    points = shown["lasso"].coef_ + np.random.default_rng(0).normal(size=(20, 8))
    squares = ((shown["y"] - points @ shown["X"].T) ** 2).sum(axis=1) / (2 * len(shown["y"]))
    objective = squares + shown["alpha"] * np.abs(points).sum(axis=1)
    heights = np.array([shown["log_density"]({"w": w}) for w in points])
    assert np.ptp(objective + shown["sigma"] ** 2 / len(shown["y"]) * heights) < 1e-6


def test_find_map_stops_below_the_lasso_and_zeroes_nothing_that_the_lasso_zeroes():
    shown = LESSON.define("log_density", "lasso", "lasso_map")
    assert (shown["lasso"].coef_[3:] == 0).sum() >= 3
    assert (shown["lasso_map"] != 0).all()
    assert shown["log_density"]({"w": shown["lasso_map"]}) < shown["log_density"]({"w": shown["lasso"].coef_})


def test_the_soft_threshold_is_the_minimum_that_a_fine_grid_finds():
    soft_threshold = APPENDIX.define("soft_threshold")["soft_threshold"]
    grid = np.linspace(-3, 3, 60_001)
    for least_squares in (-2, -0.3, 0.5, 1.4):
        found = grid[np.argmin(0.5 * (grid - least_squares) ** 2 + 0.7 * np.abs(grid))]
        assert soft_threshold(least_squares, 0.7) == pytest.approx(found, abs=1e-4)


def test_the_package_computes_what_lesson_and_appendix_show():
    shown = LESSON.define("X", "y", "sigma", "prior_sd", "m_N", "Sigma_N")
    found = exact.regression_posterior(shown["X"], shown["y"], noise_sd=shown["sigma"], prior_sd=shown["prior_sd"])
    assert found.mean == pytest.approx(shown["m_N"], abs=1e-9)
    assert found.covariance == pytest.approx(shown["Sigma_N"], abs=1e-9)
    coin = LESSON.define("log_evidence", "a_1", "a_0", "n_1", "n_0")

    def log_product(theta):
        heads, tails = coin["n_1"] * np.log(theta), coin["n_0"] * np.log1p(-theta)
        return heads + tails + beta.logpdf(theta, coin["a_1"], coin["a_0"])

    assert exact.log_integral(log_product, 0, 1) == pytest.approx(coin["log_evidence"], abs=1e-6)
    number = APPENDIX.define("sigma", "prior_sd", "readings", "mean_posterior")
    widths = {"noise_sd": number["sigma"], "prior_sd": number["prior_sd"]}
    constant = np.ones((len(number["readings"]), 1))
    posterior = exact.regression_posterior(constant, number["readings"], **widths)
    mean, sd = number["mean_posterior"](number["readings"], number["sigma"], number["prior_sd"])
    assert (posterior.mean[0], posterior.covariance[0, 0] ** 0.5) == pytest.approx((mean, sd), abs=1e-9)
