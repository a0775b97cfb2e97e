"""The checks of lesson 04 see what they look for: each break of a formula fails the claim that guards it."""

import inspect

import numpy as np
import pymc as pm
import pytest
from _mutants import fails

from bnn_course import variational
from tools.lessons import lesson

LESSON = lesson("04")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "Jacobian dropped": ("04-jacobian-area", "log-joint", " + zeta", ""),
    "Jacobian with the wrong sign": ("04-jacobian-area", "log-joint", " + zeta", " - zeta"),
    "half of the logit's Jacobian": ("04-transforms", "transform-results", "[places, -places]", "[places]"),
    "width of the interval forgotten": ("04-transforms", "transform-results", "np.log(2 * np.pi) + ", ""),
    "a factor of the simplex twice": ("04-transforms", "transform-results", "np.log(3)", "2 * np.log(3)"),
    "score by μ without its scale": ("04-gradients", "score", "noise / np.exp(log_sd)", "noise"),
    "score by ln σ whose mean is not zero": ("04-gradients", "score", "noise**2 - 1", "noise**2"),
    "ln q added": ("04-gradients", "gradient-estimators", " - log_q", " + log_q"),
    "derivative of the entropy forgotten": ("04-gradients", "gradient-estimators", "noise + 1", "noise"),
    "noise without its scale": (
        "04-gradients",
        "gradient-estimators",
        "slope * np.exp(log_sd) * noise",
        "slope * noise",
    ),
    "a pathwise estimate that scatters": ("04-variance", "gradient-estimators", "[slope, ", "[slope + 20 * noise, "),
    "downhill": ("04-three-optima", "advi", "q + step_size * slope", "q - step_size * slope"),
    "steps that die at once": ("04-three-optima", "advi", "i**-0.5", "i**-3.0"),
    "total_size too large": ("04-unbiased", "minibatch", "level_model(batch, 2_000)", "level_model(batch, 4_000)"),
    "total_size given where it is to be forgotten": (
        "04-forgotten",
        "forget",
        "level_model(batch)",
        "level_model(batch, 2_000)",
    ),
    "a plant without correlation": (
        "04-khat",
        "plant",
        "day = np.linspace(10, 20, 30)",
        "day = np.linspace(-5, 5, 30)",
    ),
    "a default run that begins at the answer": (
        "04-not-done",
        "default-run",
        "callbacks=[note], ",
        "callbacks=[note], start={'start': exact_mean[0], 'growth': exact_mean[1]}, ",
    ),
    "a column raveled": ("04-broadcast", "column", "height[:, None]", "height"),
}
SLOW = {"04-not-done", "04-khat"}  # need the long default run
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()} - SLOW)


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})


def test_the_package_walks_the_path_of_the_lesson():
    names = LESSON.define("advi", "gradient", "Normal", "log_joint")
    settings = {"steps": 50, "eta": 0.7, "draws": 3}
    path = names["advi"](names["gradient"], names["Normal"](-1.5, 0.0), **settings, rng=np.random.default_rng(1))

    def log_density(zeta):
        return names["log_joint"](zeta).sum(axis=-1)

    package = variational.advi(
        log_density, names["gradient"], np.array([-1.5]), **settings, rng=np.random.default_rng(1)
    )
    assert package.path[..., 0] == pytest.approx(path, abs=1e-12)


def test_the_best_normal_is_a_summit_of_the_exact_elbo():
    names = LESSON.define("best", "exact_elbo")
    mean, log_sd = names["best"]
    around = [names["exact_elbo"](mean + a, log_sd + b) for a in (-0.01, 0, 0.01) for b in (-0.01, 0, 0.01)]
    assert np.argmax(around) == 4


def test_the_default_of_pymc_has_the_speed_limit_that_the_lesson_names():
    default = inspect.signature(pm.adagrad_window).parameters
    assert (default["learning_rate"].default, default["n_win"].default) == (0.001, 10)
    assert inspect.signature(pm.fit).parameters["n"].default == 10_000
    assert 10_000 * 0.001 / np.sqrt(10) == pytest.approx(3, abs=0.2)
