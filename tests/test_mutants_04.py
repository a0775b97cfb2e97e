"""The checks of lesson 04 see what they look for: each break of a formula fails the claim that guards it."""

import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("04")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "Jacobian dropped": ("04-jacobian-area", "log-joint", " + zeta", ""),
    "Jacobian with the wrong sign": ("04-jacobian-area", "log-joint", " + zeta", " - zeta"),
    "half of the logit's Jacobian": ("04-jacobians", "transforms", " - np.logaddexp(0, -z)", ""),
    "width of the interval forgotten": ("04-jacobians", "transforms", "np.log(2 * np.pi) + ", ""),
    "a factor of the simplex twice": ("04-numerical-jacobian", "transforms", "np.log(3)", "2 * np.log(3)"),
    "entropy forgotten": ("04-elbo", "elbo", " + entropy", ""),
    "derivative of the entropy forgotten": ("04-gradients", "gradient-estimators", "noise + 1", "noise"),
    "noise without its scale": (
        "04-gradients",
        "gradient-estimators",
        "slope * np.exp(log_sd) * noise",
        "slope * noise",
    ),
    "score: ln q added": ("04-gradients", "gradient-estimators", " - log_q", " + log_q"),
    "score by ln σ with the wrong sign": ("04-gradients", "gradient-estimators", "noise**2 - 1", "1 - noise**2"),
    "memory that never forgets": ("04-steps", "adaptive-step", "(1 - alpha) * memory", "memory"),
    "steps that fall too fast": ("04-steps", "adaptive-step", "-0.5 + delta", "-1 + delta"),
    "root forgotten": ("04-steps", "adaptive-step", "np.sqrt(memory)", "memory"),
    "downhill": ("04-scratch", "advi", "path[i] + rates * slope", "path[i] - rates * slope"),
    "total_size forgotten": ("04-unbiased", "minibatch", "total_size=n_data", "total_size=batch_size"),
    "total_size too large": ("04-unbiased", "minibatch", "total_size=n_data", "total_size=2 * n_data"),
    "threshold not subtracted": ("04-khat-pareto", "pareto-khat", " - weights[-length - 1]", ""),
    "k̂ with the wrong sign": ("04-khat-pareto", "pareto-khat", "n * k", "-n * k"),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})
