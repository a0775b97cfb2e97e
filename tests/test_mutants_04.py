"""The checks of lesson 04 see what they look for: each break of a formula fails the claim that guards it."""

import pytest
from _mutants import Cells

LESSON = Cells("04")

# What each guarding claim stands on: a piece of text that occurs in exactly one cell each, in the order of the lesson.
START = ["SEED = 2017", "stars = np.array", "def log_joint(zeta)"]
GRADIENTS = [
    *START,
    "def exact_elbo",
    "mean, log_sd = np.array([0.6])",
    "def score_gradient",
    "by_score = score_gradient",
]
SCRATCH = [*START, "def exact_elbo", "def score_gradient", "def adaptive_step", "def advi(", '"04-scratch"']
NEEDED = {
    "04-jacobian-area": [*START, "areas = "],
    "04-jacobians": ["SEED = 2017", "def log_sigmoid_slope", "as transform_model"],
    "04-numerical-jacobian": ["SEED = 2017", "def log_sigmoid_slope", "def numerical_log_jacobian"],
    "04-elbo": GRADIENTS[:5],
    "04-gradients": GRADIENTS,
    "04-steps": ["SEED = 2017", "def adaptive_step", '"04-steps"'],
    "04-scratch": SCRATCH,
    "04-unbiased": ["SEED = 2017", "n_data, batch_size", '"04-unbiased"'],
    "04-khat-pareto": ["SEED = 2017", "def pareto_khat", '"04-khat-pareto"'],
}

MUTANTS = {  # what is broken: (claim that must fail, text of the lesson, text of the mutant)
    "Jacobian dropped": ("04-jacobian-area", "np.exp(zeta)) + zeta).sum", "np.exp(zeta))).sum"),
    "Jacobian with the wrong sign": ("04-jacobian-area", "np.exp(zeta)) + zeta).sum", "np.exp(zeta)) - zeta).sum"),
    "half of the logit's Jacobian": (
        "04-jacobians",
        "-np.logaddexp(0, z) - np.logaddexp(0, -z)",
        "-np.logaddexp(0, z)",
    ),
    "width of the interval forgotten": ("04-jacobians", "np.log(2 * np.pi) + log_sig", "log_sig"),
    "a factor of the simplex twice": ("04-numerical-jacobian", "np.log(3) + np.log", "2 * np.log(3) + np.log"),
    "entropy forgotten": ("04-elbo", "* noise) + entropy", "* noise)"),
    "derivative of the entropy forgotten": ("04-gradients", "* noise + 1], axis=1)", "* noise], axis=1)"),
    "noise without its scale": ("04-gradients", "slope * np.exp(log_sd) * noise", "slope * noise"),
    "score: ln q added": ("04-gradients", "* noise) - log_q", "* noise) + log_q"),
    "score by ln σ with the wrong sign": ("04-gradients", "noise**2 - 1], axis=1)", "1 - noise**2], axis=1)"),
    "memory that never forgets": ("04-steps", "+ (1 - alpha) * memory", "+ memory"),
    "steps that fall too fast": ("04-steps", "step ** (-0.5 + delta)", "step ** (-1 + delta)"),
    "root forgotten": ("04-steps", "np.sqrt(memory)), memory", "memory), memory"),
    "downhill": ("04-scratch", "path[i] + rates * slope", "path[i] - rates * slope"),
    "total_size forgotten": ("04-unbiased", "total_size=n_data)\nwith", "total_size=batch_size)\nwith"),
    "total_size too large": ("04-unbiased", "total_size=n_data)\nwith", "total_size=2 * n_data)\nwith"),
    "threshold not subtracted": ("04-khat-pareto", "weights[-length:] - weights[-length - 1]", "weights[-length:]"),
    "k̂ with the wrong sign": ("04-khat-pareto", "return (n * k + 10", "return (-n * k + 10"),
}


@pytest.mark.parametrize("claim", NEEDED)
def test_the_lesson_itself_passes(claim):
    LESSON.passes(claim, NEEDED[claim])


@pytest.mark.parametrize(("claim", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, old, new):
    LESSON.breaks(claim, NEEDED[claim], old, new)
