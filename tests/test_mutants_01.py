"""Lesson 01 notices errors: each mutant changes one piece of its code, and a claim of the lesson must fail.

The lesson is run once as it stands in the source, without its figures, and its variables are kept before every cell. A
mutant starts from there at the cell that it changes, and runs to the claim that should notice.
"""

import contextlib
import copy
import io
from pathlib import Path

import build
import lesson_text
import pytest

from bnn_course.claims import ClaimError

(SOURCE,) = (Path(build.__file__).parent / "source").glob("01_*.md")
CELLS = [
    cell.source
    for cell in lesson_text.source_cells(SOURCE.read_text(encoding="utf-8"))
    if cell.cell_type == "code" and "alt" not in cell.metadata
]


def cell_with(text):
    """The number of the only cell that holds the text, once."""
    counts = [cell.count(text) for cell in CELLS]
    assert sum(counts) == 1, f"{text!r} must stand once in the lesson, got {sum(counts)}: update the mutant"
    return counts.index(1)


def run(code, variables):
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, SOURCE.name, "exec"), variables)


@pytest.fixture(scope="module")
def before():
    """The variables of the lesson before each cell; the generator is copied, since every draw changes it."""
    variables, kept = {}, []
    for code in CELLS:
        kept.append(variables | {"rng": copy.deepcopy(variables.get("rng"))})
        run(code, variables)
    return kept


# what goes wrong: (the claim that notices, the code, what stands there instead)
MUTANTS = {
    "prior left out of the product": (
        "01-grid",
        "posterior = likelihood * prior / evidence",
        "posterior = likelihood / evidence",
    ),
    "cell width forgotten in the evidence": (
        "01-grid",
        "np.sum(likelihood * prior) * width",
        "np.sum(likelihood * prior)",
    ),
    "heads and tails exchanged": ("01-grid", "theta**n_1 * (1 - theta) ** n_0", "theta**n_0 * (1 - theta) ** n_1"),
    "evidence without the prior's constant": ("01-evidence", " - betaln(a_1, a_0)", ""),
    "predictions that do not learn": ("01-evidence", "counts[flip] += 1", "counts[flip] += 0"),
    "sign of the prior flipped in S3": (
        "01-s3",
        "np.log(likelihood) + np.log(prior)",
        "np.log(likelihood) - np.log(prior)",
    ),
    "mean of the Beta taken for its mode": (
        "01-s3",
        "(a_1 + n_1 - 1) / (a_1 + a_0 + n_1 + n_0 - 2)",
        "(a_1 + n_1) / (a_1 + a_0 + n_1 + n_0)",
    ),
    "Jacobian of the log-odds dropped": (
        "01-map-log-odds",
        '"log-odds": theta * (1 - theta)',
        '"log-odds": np.ones_like(theta)',
    ),
    "Jacobian of the log-odds turned over": (
        "01-map-log-odds",
        'theta * (1 - theta), "odds"',
        '1 / (theta * (1 - theta)), "odds"',
    ),
    "Jacobian of the odds dropped": ("01-map-odds", '"odds": (1 - theta) ** 2', '"odds": np.ones_like(theta)'),
    "PyMC asked without its Jacobian": ("01-jacobian", "compile_logp(jacobian=True)", "compile_logp(jacobian=False)"),
    "Jacobian dropped from an area": ("01-area", "* expit(z) * expit(-z)", ""),
    "sign of the penalty flipped": ("01-mean-grid", "np.exp(-squares - penalty)", "np.exp(-squares + penalty)"),
    "factor one half forgotten in the squares": ("01-mean-penalised", "/ (2 * sigma**2)", "/ sigma**2"),
    "precisions do not add": (
        "01-mean-penalised",
        "precision = 1 / prior_sd**2 + len(y) / sigma**2",
        "precision = len(y) / sigma**2",
    ),
    "prior precision forgotten": ("01-bayes-at-any-w", "np.eye(x.shape[1]) / prior_sd**2 + x.T", "x.T"),
    "prior variance taken for precision": (
        "01-bayes-at-any-w",
        "np.eye(x.shape[1]) / prior_sd**2",
        "np.eye(x.shape[1]) * 3",
    ),
    "weights forgotten in the evidence": ("01-bayes-at-any-w", " + prior_sd**2 * x @ x.T", ""),
    "noise sd in place of its variance": (
        "01-bayes-at-any-w",
        "covariance = sigma**2 * np.eye",
        "covariance = 0.5 * np.eye",
    ),
    "ridge with twice the penalty": (
        "01-ridge",
        "Ridge(alpha=sigma**2 / prior_sd**2",
        "Ridge(alpha=2 * sigma**2 / prior_sd**2",
    ),
    "ridge with an intercept": ("01-ridge", "prior_sd**2, fit_intercept=False", "prior_sd**2, fit_intercept=True"),
    "ridge divided by N as the lasso": (
        "01-ridge-objective",
        "((y - any_w @ x.T) ** 2).sum",
        "((y - any_w @ x.T) ** 2).mean",
    ),
    "lasso's N forgotten": ("01-lasso", "sigma**2 / (len(y) * b), fit_intercept", "sigma**2 / b, fit_intercept"),
    "threshold that overshoots zero": ("01-soft-threshold", "np.maximum(np.abs(z) - c, 0)", "(np.abs(z) - c)"),
    "descent that forgets the weight it moves": ("01-lasso", " + x[:, j] * w[j]  #", "  #"),
    "lasso's objective without its N": (
        "01-lasso-objective",
        "sigma**2 / (len(y) * b) * np.abs",
        "sigma**2 / b * np.abs",
    ),
    "a wrong scale of the Laplace prior": ("01-lasso-objective", 'pm.Laplace("w", 0, b', 'pm.Laplace("w", 0, 2 * b'),
    "a smooth prior where the lasso's was meant": ("01-lasso-objective", 'pm.Laplace("w", 0, b', 'pm.Normal("w", 0, b'),
    "a height that is not the lasso's": (
        "01-lasso-top",
        'height = lasso_log_density({"w": w_lasso})',
        'height = lasso_log_density({"w": 0.9 * w_lasso})',
    ),
    "lasso's solution passed off as find_MAP's": ("01-kink", 'found = find_map(lasso_model)["w"]', "found = w_lasso"),
    "one tail of the Normal counted for two": (
        "01-coverage-theory",
        "2 * norm.cdf(z_90 * sigma / spread) - 1",
        "norm.cdf(z_90 * sigma / spread)",
    ),
    "weights' part of the variance dropped": (
        "01-coverage-predictive",
        "sigma**2 + np.einsum",
        "sigma**2 + 0 * np.einsum",
    ),
    "weights' part of the variance subtracted": (
        "01-coverage-predictive",
        "sigma**2 + np.einsum",
        "sigma**2 + 2 * np.einsum",
    ),
    "one-sided quantile for a two-sided interval": ("01-coverage-predictive", "norm.ppf(0.95)", "norm.ppf(0.90)"),
    "prior precision dropped from the simulation": (
        "01-coverage-predictive",
        "np.eye(4) / prior_sd**2 +",
        "1e-6 * np.eye(4) +",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant, before):
    claim, old, new = MUTANTS[mutant]
    first, last = cell_with(old), cell_with(f'"{claim}"')
    variables = before[first] | {"rng": copy.deepcopy(before[first]["rng"])}
    cells = [CELLS[first].replace(old, new), *CELLS[first + 1 : last + 1]]
    with pytest.raises(ClaimError, match=rf"\[{claim}\]"):
        for code in cells:
            run(code, variables)
