"""The checks of lesson 02 see what they look for: each break of a formula fails the claim that guards it."""

import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("02")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "gradient of the prior forgotten": ("02-gradients", "line", " - theta / 4", ""),
    "sign of the banana's gradient": ("02-gradients", "banana", "+ 4 * miss * theta[0]", "- 4 * miss * theta[0]"),
    "prior counted twice in the closed form": ("02-grid", "line", "np.eye(2) / 4", "np.eye(2) / 2"),
    "variance of the banana": ("02-grid", "banana", "np.diag([1, 0.75])", "np.diag([1, 0.5])"),
    # a chain that runs away has so large an MCSE that 02-walk-moments holds; the twin from the package tells
    "acceptance turned round": ("02-package", "metropolis-hastings", "< log_ratio", "< -log_ratio"),
    "logarithm of the uniform number forgotten": (
        "02-walk-moments",
        "metropolis-hastings",
        "np.log(rng.uniform())",
        "rng.uniform()",
    ),
    "half of the log density": (
        "02-walk-moments",
        "metropolis-hastings",
        "new_log_p - log_p",
        "(new_log_p - log_p) / 2",
    ),
    "Hastings ratio upside down": (
        "02-hastings-right",
        "metropolis-hastings",
        "log_proposal(theta, new) - log_proposal(new, theta)",
        "log_proposal(new, theta) - log_proposal(theta, new)",
    ),
    "Hastings ratio with one term": ("02-hastings-right", "metropolis-hastings", "log_proposal(theta, new) -", "-"),
    "Jacobian of the multiplication forgotten": ("02-hastings-right", "multiplying-walk", "-np.log(to[0])", "0.0"),
    "balance without Hastings ratio": (
        "02-balance",
        "detailed-balance",
        "p[None, :] * q.T / (p[:, None] * q)",
        "p[None, :] / p[:, None]",
    ),
    "balance with the ratio upside down": (
        "02-balance",
        "detailed-balance",
        "p[None, :] * q.T / (p[:, None] * q)",
        "p[:, None] * q / (p[None, :] * q.T)",
    ),
    "sign of the conditional mean": ("02-gibbs-moments", "gibbs", "-precision[i] /", "precision[i] /"),
    "precision for variance": ("02-gibbs-moments", "gibbs", "precision[i, i] ** -0.5", "precision[i, i] ** 0.5"),
    "sign in the displayed conditional": (
        "02-conditionals",
        "conditionals",
        "mean[i] - precision[i, j]",
        "mean[i] + precision[i, j]",
    ),
    "leapfrog without its first half step": (
        "02-reversible",
        "leapfrog",
        "step / 2 * gradient(theta)\n    for",
        "step * gradient(theta)\n    for",
    ),
    "leapfrog becomes Euler": ("02-reversible", "leapfrog", "step / 2 * gradient(theta)\n    return", "0\n    return"),
    "leapfrog with friction": (
        "02-reversible",
        "leapfrog",
        "momentum + step / 2 * gradient(theta)\n    return",
        "0.99 * momentum + step / 2 * gradient(theta)\n    return",
    ),
    "energy without its motion": ("02-order", "leapfrog", " + momentum @ momentum / 2", ""),
    "energy with the sign of its motion flipped": (
        "02-hmc-moments",
        "leapfrog",
        "+ momentum @ momentum / 2",
        "- momentum @ momentum / 2",
    ),
    "trajectory accepted always": ("02-package", "hmc", "np.log(rng.uniform()) < gain", "True"),
    "momentum of half the variance": (
        "02-hmc-moments",
        "hmc",
        "rng.normal(size=len(theta))",
        "0.7 * rng.normal(size=len(theta))",
    ),
    "distance from the wrong place": ("02-uturn", "u-turn", "(thetas - start) * momenta", "thetas * momenta"),
    "slice not drawn": ("02-nuts-moments", "nuts", " - rng.exponential()", " - 5"),
    "candidates outside the slice": ("02-nuts-moments", "nuts-tree", "int(log_u <= log_joint)", "1"),
    "new half always preferred": ("02-nuts-moments", "nuts", "rng.uniform() < grown[3] / count", "True"),
    "stop at the first turn, keep the point": (
        "02-nuts-moments",
        "nuts",
        "grown[4] and rng.uniform()",
        "rng.uniform()",
    ),
    "R-hat without splitting": ("02-rhat", "split-rhat", "chains.reshape(2 * len(chains), -1)", "chains"),
    "R-hat without the factor n": ("02-rhat", "split-rhat", "between / n", "between"),
    "ESS ratio upside down": ("02-ess", "ess", "(1 + phi) / (1 - phi)", "(1 - phi) / (1 + phi)"),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})
