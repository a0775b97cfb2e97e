"""The checks of lesson 01 see what they look for: each break of a formula fails the claim that guards it."""

import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("01")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "prior left out of the product": (
        "01-grid",
        "grid-posterior",
        "likelihood * prior / evidence",
        "likelihood / evidence",
    ),
    "cell width forgotten in the evidence": (
        "01-grid",
        "grid-posterior",
        "np.sum(likelihood * prior) * width",
        "np.sum(likelihood * prior)",
    ),
    "heads and tails exchanged": (
        "01-grid",
        "grid-posterior",
        "theta**n_1 * (1 - theta) ** n_0",
        "theta**n_0 * (1 - theta) ** n_1",
    ),
    "evidence without the prior's constant": ("01-evidence", "coin-evidence", " - betaln(a_1, a_0)", ""),
    "predictions that do not learn": ("01-evidence", "coin-evidence", "counts[flip] += 1", "counts[flip] += 0"),
    "sign of the prior flipped in S3": (
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
    "Jacobian of the log-odds dropped": (
        "01-map-log-odds",
        "map-on-three-scales",
        "theta * (1 - theta)",
        "np.ones_like(theta)",
    ),
    "Jacobian of the log-odds turned over": (
        "01-map-log-odds",
        "map-on-three-scales",
        "theta * (1 - theta)",
        "1 / (theta * (1 - theta))",
    ),
    "Jacobian of the odds dropped": ("01-map-odds", "map-on-three-scales", "(1 - theta) ** 2", "np.ones_like(theta)"),
    "PyMC asked without its Jacobian": ("01-jacobian", "jacobian", "jacobian=True", "jacobian=False"),
    "Jacobian dropped from an area": ("01-area", "jacobian", " * expit(z) * expit(-z)", ""),
    "sign of the penalty flipped": ("01-mean-grid", "normal-mean", "-squares - penalty", "-squares + penalty"),
    "factor one half forgotten in the squares": (
        "01-mean-penalised",
        "normal-mean",
        " / (2 * sigma**2)",
        " / sigma**2",
    ),
    "precisions do not add": ("01-mean-penalised", "normal-mean", "1 / prior_sd**2 + ", ""),
    "prior precision forgotten": (
        "01-bayes-at-any-w",
        "regression-posterior",
        "np.eye(x.shape[1]) / prior_sd**2 + ",
        "",
    ),
    "prior variance taken for precision": (
        "01-bayes-at-any-w",
        "regression-posterior",
        "np.eye(x.shape[1]) / prior_sd**2",
        "np.eye(x.shape[1]) * 3",
    ),
    "weights forgotten in the evidence": ("01-bayes-at-any-w", "regression-posterior", " + prior_sd**2 * x @ x.T", ""),
    "noise sd in place of its variance": (
        "01-bayes-at-any-w",
        "regression-posterior",
        "sigma**2 * np.eye",
        "0.5 * np.eye",
    ),
    "ridge with twice the penalty": ("01-ridge", "ridge", "alpha=sigma**2", "alpha=2 * sigma**2"),
    "ridge with an intercept": ("01-ridge", "ridge", "fit_intercept=False", "fit_intercept=True"),
    "ridge divided by N as the lasso": (
        "01-ridge-objective",
        "ridge",
        "((y - any_w @ x.T) ** 2).sum",
        "((y - any_w @ x.T) ** 2).mean",
    ),
    "lasso's N forgotten": ("01-lasso", "lasso", "(len(y) * b)", "b"),
    "threshold that overshoots zero": (
        "01-soft-threshold",
        "coordinate-descent",
        "np.maximum(np.abs(z) - c, 0)",
        "(np.abs(z) - c)",
    ),
    "descent that forgets the weight it moves": ("01-lasso", "coordinate-descent", " + x[:, j] * w[j]", ""),
    "lasso's objective without its N": ("01-lasso-objective", "lasso-in-pymc", "(len(y) * b)", "b"),
    "a wrong scale of the Laplace prior": ("01-lasso-objective", "lasso-in-pymc", '"w", 0, b', '"w", 0, 2 * b'),
    "a smooth prior where the lasso's was meant": ("01-lasso-objective", "lasso-in-pymc", "pm.Laplace", "pm.Normal"),
    "a height that is not the lasso's": ("01-lasso-top", "lasso-in-pymc", '{"w": w_lasso}', '{"w": 0.9 * w_lasso}'),
    "lasso's solution passed off as find_MAP's": ("01-kink", "lasso-in-pymc", 'find_map(lasso_model)["w"]', "w_lasso"),
    "one tail of the Normal counted for two": (
        "01-coverage-theory",
        "coverage",
        "2 * norm.cdf(z_90 * sigma / spread) - 1",
        "norm.cdf(z_90 * sigma / spread)",
    ),
    "weights' part of the variance dropped": (
        "01-coverage-predictive",
        "predictive",
        "sigma**2 + np.einsum",
        "sigma**2 + 0 * np.einsum",
    ),
    "weights' part of the variance counted twice": (
        "01-coverage-predictive",
        "predictive",
        "sigma**2 + np.einsum",
        "sigma**2 + 2 * np.einsum",
    ),
    "one-sided quantile for a two-sided interval": (
        "01-coverage-predictive",
        "predictive",
        "norm.ppf(0.95)",
        "norm.ppf(0.90)",
    ),
    "prior precision dropped from the simulation": (
        "01-coverage-predictive",
        "coverage",
        "np.eye(4) / prior_sd**2",
        "1e-6 * np.eye(4)",
    ),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})
