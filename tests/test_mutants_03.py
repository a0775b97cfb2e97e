"""The checks of lesson 03 and appendix C see what they look for: a broken formula fails the claim that guards it."""

import pytest
from _mutants import fails

from tools.lessons import lesson

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    # the decomposition and its closed forms
    "entropy with the wrong sign": ("03-identity", "closed-forms", "prior + entropy(sigma)", "prior - entropy(sigma)"),
    "spread forgotten in the expected misfit": (
        "03-identity",
        "closed-forms",
        "(reading - mu) ** 2 + sigma**2",
        "(reading - mu) ** 2",
    ),
    "KL with the logarithm upside down": ("03-identity", "closed-forms", "np.log(sd / sigma)", "np.log(sigma / sd)"),
    "prior dropped from the joint": ("03-identity", "evidence", " + stats.norm.logpdf(theta, 0, prior_sd)", ""),
    "evidence of independent readings": (
        "03-identity",
        "evidence",
        "np.eye(N) / beta + prior_sd**2",
        "np.eye(N) / beta + np.eye(N) * prior_sd**2",
    ),
    "sum over the grid without ln q": ("03-identity", "random-q", "joint - humps", "joint"),
    "KL that has lost its logarithm": ("03-identity", "random-q", "humps - log_posterior", "-log_posterior"),
    "a joint that is too large": ("03-bound", "random-q", "elbo(mus, sigmas)", "elbo(mus, sigmas) + 5"),
    # Occam's razor
    "a flexible model that is as narrow as the simple one": (
        "03-occam",
        "occam",
        "np.hypot(noise_sd, prior_sd)",
        "noise_sd",
    ),
    "noise of one reading instead of that of the mean": ("03-occam", "occam", "(N * beta) ** -0.5", "beta**-0.5"),
    # the hill
    "KL to another posterior": (
        "03-argmin",
        "hill",
        "posterior_mean, posterior_sd)\ndepths",
        "0, posterior_sd)\ndepths",
    ),
    # Monte Carlo
    "ln q forgotten": ("03-perfect", "two-estimators", " - stats.norm.logpdf(draws, mu, sigma)", ""),
    "ln q with the wrong sign": (
        "03-unbiased",
        "two-estimators",
        "log_joint(draws) - stats",
        "log_joint(draws) + stats",
    ),
    "draws for the entropy of twice the width": (
        "03-unbiased",
        "two-estimators",
        "draws = rng.normal(mu, sigma, S)\n    return log_joint(draws) + entropy",
        "draws = rng.normal(mu, 2 * sigma, S)\n    return log_joint(draws) + entropy",
    ),
    "entropy subtracted": ("03-unbiased", "two-estimators", "+ entropy(sigma)", "- entropy(sigma)"),
    # the two directions
    "directions exchanged": (
        "03-price",
        "two-directions",
        "average(log_normal(v), log_normal(v) - log_p)",
        "average(log_p, log_p - log_normal(v))",
    ),
    # mean field
    "marginal variance instead of one over the precision": (
        "03-left",
        "coordinate-ascent",
        "np.diag(precision) ** -0.5",
        "np.diag(cov) ** 0.5",
    ),
    # the smallest network
    "a start that is zero in all runs": (
        "03-freed",
        "stuck",
        "train(start, variance_rule)",
        "train(0 * start, variance_rule)",
    ),
    "pull without the data": ("03-freed", "train", "var[i] * xy * mu[other]", "var[i] * mu[other]"),
    "the bug that the lesson shows, repaired": (
        "03-falls",
        "forgetful",
        "(1 + xx * mu_other**2)",
        "(1 + xx * (mu_other**2 + var_other))",
    ),
    "spread of the other weight forgotten": ("03-rises", "train", " + var_other", ""),
    "KL to the prior without its variance": ("03-rises", "smallest-network", "np.log(var) - second", "- second"),
    # appendix C: unknown mean and precision
    "half a degree of freedom forgotten": ("c-variances", "two-updates", "(N + 1) / 2", "N / 2"),
    "spread forgotten in the update of the precision": (
        "c-variances",
        "updates",
        " + (N + kappa_0) * q.sigma**2",
        "",
    ),
    "log precision of the prior forgotten": ("c-identity", "expected-log-joint", "0.5 * (N + 1) *", "0.5 * N *"),
    "Gamma entropy with the wrong sign of ln R": ("c-identity", "elbo", "A - np.log(R)", "A + np.log(R)"),
    "Jacobian of ln β dropped from the grid": ("c-identity", "grid", "np.exp(log_q) * beta", "np.exp(log_q)"),
    "evidence without the spread around the prior": ("c-evidence", "exact-posterior", "(within + between)", "within"),
    "coupling to the mean lost": ("c-rises", "two-updates", "R=R_0 + squares(q) / 2", "R=R_0 + squares(q)"),
    "a posterior with a prior shape too many": ("c-gap", "exact-posterior", "A_0 + N / 2", "A_0 + N"),
    "moments of another posterior": ("c-moments", "grid", "scale=1 / R_N", "scale=2 / R_N"),
    "Gamma density in place of its update": ("c-factor", "two-updates", "A_0 + (N + 1) / 2", "A_0 + N / 2"),
    "the bug that the appendix shows, repaired": ("c-bug", "forgetful", "right.A - 0.5", "right.A"),
    "Jacobian of ln β dropped from the ELBO": (
        "c-lognormal",
        "elbo-lognormal",
        "entropy_normal(sd_2) + v[1]",
        "entropy_normal(sd_2)",
    ),
    "mean precision without the spread of its logarithm": (
        "c-order",
        "elbo-lognormal",
        "np.exp(v[1] + sd_2**2 / 2)",
        "np.exp(v[1])",
    ),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


def lesson_of(claim):
    return lesson(claim.split("-")[0].upper())


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    lesson_of(claim).check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        lesson_of(claim).check(claim, replace={cell: (old, new)})
