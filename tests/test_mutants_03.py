"""The checks of lesson 03 see what they look for: each break of a formula fails the claim that guards it."""

import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("03")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    # the decomposition and its closed forms
    "entropy with the wrong sign": ("03-normal", "closed-forms", "prior + entropy", "prior - entropy"),
    "spread forgotten in the expected misfit": ("03-normal", "closed-forms", " + n * sigma**2", ""),
    "KL with the logarithm upside down": ("03-normal", "closed-forms", "np.log(sd / sigma)", "np.log(sigma / sd)"),
    "prior dropped from the joint": ("03-lines", "evidence", " + stats.norm.logpdf(theta, 0, prior_sd)", ""),
    "evidence of independent data": (
        "03-known",
        "evidence",
        "noise**2 * np.eye(n) + prior_sd**2",
        "(noise**2 + prior_sd**2) * np.eye(n)",
    ),
    "quadrature without ln q": ("03-humps", "random-q", "joint - log_q", "joint"),
    "a bound from a joint that is too large": ("03-bound", "random-q", "elbo(mus, sigmas)", "elbo(mus, sigmas) + 5"),
    "gradient with the prior's sign flipped": (
        "03-gradient",
        "gradient-ascent",
        "- mu / prior_sd**2",
        "+ mu / prior_sd**2",
    ),
    # Monte Carlo
    "Monte Carlo without ln q": ("03-unbiased", "monte-carlo", " - stats.norm.logpdf(draws, mu, sigma)", ""),
    "Monte Carlo with draws of twice the width": (
        "03-unbiased",
        "monte-carlo",
        "rng.normal(mu, sigma, shape)",
        "rng.normal(mu, 2 * sigma, shape)",
    ),
    # the two directions
    "directions exchanged": ("03-seeking", "two-directions", "if reverse", "if not reverse"),
    # mean field
    "marginal variance instead of one over the precision": (
        "03-deficit",
        "coordinate-ascent",
        "precision[j, j] ** -0.5",
        "cov[j][j] ** 0.5",
    ),
    "coupling with the wrong sign": (
        "03-flat",
        "coordinate-ascent",
        "mean[j] - precision[j, others]",
        "mean[j] + precision[j, others]",
    ),
    "KL without the determinant": ("03-independence", "coordinate-ascent", " + np.linalg.slogdet(cov)[1]", ""),
    "regression without its prior": ("03-regression", "correlated-weights", " + np.eye(2)", ""),
    # unknown mean and precision
    "half a degree of freedom forgotten": ("03-tau-mean", "precision-updates", "(count + 1) / 2", "count / 2"),
    "spread forgotten in the update of the precision": (
        "03-tau-mean",
        "precision-updates",
        " + (count + kappa0) * sigma**2",
        "",
    ),
    "log precision forgotten in the prior of the mean": (
        "03-gamma",
        "expected-log-joint",
        "np.log(kappa0) + mean_log_tau",
        "np.log(kappa0)",
    ),
    "Gamma entropy with the wrong sign of ln b": ("03-gamma", "elbo-with-gamma", "a - np.log(b)", "a + np.log(b)"),
    "Jacobian of ln τ dropped from the grid": (
        "03-gamma",
        "exact-posterior",
        "np.exp(log_q) * tau_grid",
        "np.exp(log_q)",
    ),
    "Jacobian dropped from the evidence": (
        "03-evidence",
        "identity-by-grid",
        "np.exp(log_joint_n) * tau_grid",
        "np.exp(log_joint_n)",
    ),
    "Jacobian of ln τ dropped from the ELBO": (
        "03-lognormal",
        "elbo-with-lognormal",
        "entropy_log_tau + nu",
        "entropy_log_tau",
    ),
    "the bug that the lesson shows, repaired": ("03-bug", "forgetful-update", "a - 0.5", "a"),
    # the smallest network
    "KL to the prior without its variance": ("03-net", "smallest-network", "mu**2 - var", "mu**2"),
    "integral over the second weight without its width": (
        "03-net",
        "network-evidence",
        " - 0.5 * np.log(1 + A * w**2)",
        "",
    ),
    "spread of the other weight forgotten": ("03-net-rises", "smallest-network", " + var[other]", ""),
    "a start that is not quite zero": ("03-stuck", "three-starts", "train(0.0)", "train(1e-9)"),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})
