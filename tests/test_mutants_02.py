"""The checks of lesson 02 and appendix D see what they look for: each broken formula fails the claim that guards it."""

import numpy as np
import pytest
from _mutants import fails

from bnn_course import samplers
from tools.lessons import lesson

LESSON, APPENDIX = lesson("02"), lesson("D")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "error of a median": (
        "02-root",
        "root",
        "np.mean(rng.normal(size=shape) ** 2)",
        "np.median(rng.normal(size=shape))",
    ),
    "no chain is timid": ("02-verdict", "fabricated", '["timid"][0] *= 0.3', '["timid"][0] *= 1.0'),
    "R-hat that looks at widths": (
        "02-timid",
        "diagnose",
        "halves.mean(axis=1).var(ddof=1)",
        "halves.var(axis=1).var()",
    ),
    "logarithm of the uniform number forgotten": (
        "02-moments",
        "metropolis-hastings",
        "np.log(rng.uniform())",
        "rng.uniform()",
    ),
    "half of the log density": (
        "02-moments",
        "metropolis-hastings",
        "log_density(new) - log_density(theta)",
        "(log_density(new) - log_density(theta)) / 2",
    ),
    "rejected proposals are kept": (
        "02-hastings-right",
        "metropolis-hastings",
        "kept.append(theta)",
        "kept.append(new)",
    ),
    "Hastings ratio upside down": (
        "02-hastings-right",
        "metropolis-hastings",
        "log_q(theta, new) - log_q(new, theta)",
        "log_q(new, theta) - log_q(theta, new)",
    ),
    "Hastings ratio with one term": (
        "02-hastings-right",
        "metropolis-hastings",
        "log_q(theta, new) - log_q(new, theta)",
        "log_q(theta, new)",
    ),
    "Jacobian of the multiplication forgotten": ("02-hastings-right", "multiplying-walk", "-np.log(to[0])", "0.0"),
    "the forgotten ratio is there": (
        "02-hastings-wrong",
        "multiplying-walk",
        "5_500, multiply) for",
        "5_500, multiply, log_multiply) for",
    ),
    "wrong chains that do not mix": (
        "02-hastings-converged",
        "multiplying-walk",
        "5_500, multiply) for",
        "5_500, lambda theta: theta * np.exp(0.001 * rng.normal(size=1))) for",
    ),
    "balance without Hastings ratio": (
        "02-balance",
        "detailed-balance",
        "np.minimum(1, wanted.T / wanted)",
        "np.minimum(1, p / p[:, None])",
    ),
    "balance with the ratio upside down": (
        "02-balance",
        "detailed-balance",
        "np.minimum(1, wanted.T / wanted)",
        "np.minimum(1, wanted / wanted.T)",
    ),
    "sign of the conditional mean": ("02-moments", "gibbs", "m[i] - pull *", "m[i] + pull *"),
    "precision for variance": ("02-moments", "gibbs", "precision[i, i] ** -0.5", "precision[i, i] ** 0.5"),
    "leapfrog without its first half step": (
        "02-reversible",
        "leapfrog",
        "state.momentum + dt / 2 * gradient(state.theta)",
        "state.momentum + dt * gradient(state.theta)",
    ),
    "sign of leapfrog's last half step": (
        "02-reversible",
        "leapfrog",
        "half + dt / 2 * gradient(theta)",
        "half - dt / 2 * gradient(theta)",
    ),
    "leapfrog with friction": (
        "02-reversible",
        "leapfrog",
        "half + dt / 2 * gradient(theta)",
        "0.99 * half + dt / 2 * gradient(theta)",
    ),
    "energy without its motion": ("02-order", "hmc", "state.momentum @ state.momentum / 2 -", "-"),
    "energy with the sign of its motion flipped": (
        "02-moments",
        "hmc",
        "state.momentum @ state.momentum / 2 -",
        "-state.momentum @ state.momentum / 2 -",
    ),
    "momentum of half the variance": (
        "02-moments",
        "hmc",
        "rng.normal(size=len(theta))",
        "0.7 * rng.normal(size=len(theta))",
    ),
    "another prior in the closed form": ("02-moments", "line", "np.eye(2) / 4", "np.eye(2)"),
    "a model with another prior": (
        "02-pymc-moments",
        "spring",
        'pm.Normal("offset", 0, 2)',
        'pm.Normal("offset", 0, 0.5)',
    ),
    "too few paths to see one diverge": ("02-divergent", "funnel", "draws=1_500", "draws=15"),
}
OF_APPENDIX = {
    "slice not drawn": ("d-nuts", "nuts", " - rng.exponential()", " - 5"),
    "candidates outside the slice": ("d-nuts", "leaf", "int(log_u <= height)", "1"),
    "new half always preferred": ("d-nuts", "double", "rng.uniform() < new.count / old.count", "True"),
    "stop at the first turn, keep the point": ("d-nuts", "double", "new.go and rng.uniform()", "rng.uniform()"),
    "tuned to another acceptance": (
        "d-tune",
        "tune",
        "chain.acceptance.mean() - wanted",
        "chain.acceptance.mean() - 0.5",
    ),
}
ALL = [(LESSON, *row) for row in MUTANTS.values()] + [(APPENDIX, *row) for row in OF_APPENDIX.values()]
CLAIMS = dict.fromkeys((source, claim) for source, claim, *_ in ALL)


@pytest.mark.parametrize(("source", "claim"), CLAIMS, ids=[claim for _, claim in CLAIMS])
def test_the_lesson_itself_passes(source, claim):
    source.check(claim)


@pytest.mark.parametrize(("source", "claim", "cell", "old", "new"), ALL, ids=[*MUTANTS, *OF_APPENDIX])
def test_a_broken_formula_fails_its_claim(source, claim, cell, old, new):
    with fails(claim):
        source.check(claim, replace={cell: (old, new)})


def test_gradients_of_the_targets_are_derivatives_of_their_densities():
    names = LESSON.define("line_log_density", "line_gradient", "banana_log_density", "banana_gradient")
    for theta in np.random.default_rng(1).normal(size=(20, 2)):
        for target in ("line", "banana"):
            density = names[f"{target}_log_density"]
            slopes = [(density(theta + e) - density(theta - e)) / 2e-5 for e in 1e-5 * np.eye(2)]
            np.testing.assert_allclose(names[f"{target}_gradient"](theta), slopes, atol=1e-4)


def fresh():
    return np.random.default_rng(5)


def code(source, *names):
    """Names of a lesson, whose generator begins anew."""
    rng = fresh()
    found = source.define(*names, given={"rng": rng})
    rng.bit_generator.state = fresh().bit_generator.state
    return [found[name] for name in names]


def walk(density, gradient, start):
    ours, step = code(LESSON, "metropolis", "random_step")
    packaged = samplers.random_walk_metropolis(density, start, draws=200, step=0.7, rng=fresh())
    return ours(density, start, 200, step), packaged


def gibbs(density, gradient, start):
    ours, conditional, mean, precision = code(LESSON, "gibbs", "line_conditional", "m", "precision")

    def drawn(i):
        pull, sd = precision[i, 1 - i] / precision[i, i], precision[i, i] ** -0.5
        return lambda theta, rng: rng.normal(mean[i] - pull * (theta[1 - i] - mean[1 - i]), sd)

    conditionals = [drawn(0), drawn(1)]
    return ours(conditional, start, 200), samplers.gibbs(conditionals, start, draws=200, rng=fresh())


def hmc(density, gradient, start):
    (ours,) = code(LESSON, "hmc")
    packaged = samplers.hmc(density, gradient, start, draws=200, step=0.2, n_steps=10, rng=fresh())
    return ours(density, gradient, start, 200, 0.2, 10), packaged


def nuts(density, gradient, start):
    ours, target = code(APPENDIX, "nuts", "Pairs")
    packaged = samplers.nuts(density, gradient, start, draws=200, step=0.2, rng=fresh())
    return ours(target(density, gradient, None, start), start, 200, 0.2), packaged


@pytest.mark.parametrize("twins", [walk, gibbs, hmc, nuts])
def test_lesson_and_package_make_the_same_draws(twins):
    density, gradient = code(LESSON, "banana_log_density", "banana_gradient")
    ours, packaged = twins(density, gradient, np.zeros(2))
    np.testing.assert_allclose(ours, packaged.draws, atol=1e-6)
