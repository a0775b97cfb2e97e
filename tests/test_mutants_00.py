"""The claims of lesson 00 see what they look for: each mistake fails the claim that guards it."""

import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("00")


@pytest.fixture(scope="module")
def networks():
    """The networks that the lesson draws, for mistakes that come after them: sampling takes ten seconds."""
    return {"posterior": LESSON.define("posterior")["posterior"]}


MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "doubts exchanged": (
        "00-overlap",
        "doubt",
        "return aleatoric, total - aleatoric",
        "return total - aleatoric, aleatoric",
    ),
    "entropy of the mean in place of the mean entropy": (
        "00-away",
        "doubt",
        "entropy(answers).mean(axis=0)",
        "entropy(answers.mean(axis=0))",
    ),
    "everywhere in place of on the border": ("00-between", "regions", "abs(p - 0.5) < 0.25", "abs(p - 0.5) < 0.5"),
    "beside and far exchanged": (
        "00-overlap",
        "regions",
        "distance < 0.2, distance > 1.5",
        "distance > 1.5, distance < 0.2",
    ),
    "sure of both classes at once": ("00-sure", "regions", "(p < 0.05) | (p > 0.95)", "(p < 0.05) & (p > 0.95)"),
    "sure where the network is in doubt": (
        "00-unwarned",
        "regions",
        "(p < 0.05) | (p > 0.95)",
        "(p > 0.05) & (p < 0.95)",
    ),
    "a chain that says the opposite": (
        "00-chains",
        "grid",
        "crowd = ask(grid)",
        "crowd = abs(ask(grid) - (np.arange(500) < 250)[:, None])",
    ),
    "labels exchanged": ("00-moons", "exam", "== exam_y", "!= exam_y"),
    "moons that overlap": ("00-moons", "exam", "noise=0.2", "noise=1.0"),
    "doubt only at one half": ("00-warned", "exam", "abs(exam - 0.5) < 0.4", "abs(exam - 0.5) < 0.05"),
}
SAMPLED = {  # mistakes before the sampling
    "a network that is sure nowhere": ("00-sure", "model", 'w2 = pm.Normal("w2", 0, 2', 'w2 = pm.Normal("w2", 0, 0.05'),
    "a network that never disagrees": ("00-away", "model", 'w1 = pm.Normal("w1", 0, 2', 'w1 = pm.Normal("w1", 0, 0.05'),
    "labels by chance": ("00-moons", "model", "observed=y", "observed=rng.integers(2, size=100)"),
}
CLAIMS = sorted({claim for claim, *_ in [*MUTANTS.values(), *SAMPLED.values()]})


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(networks, claim):
    LESSON.check(claim, given=networks)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_mistake_fails_its_claim(networks, claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)}, given=networks)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), SAMPLED.values(), ids=SAMPLED)
def test_a_mistake_before_the_sampling_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})


def test_data_that_are_not_complete_are_noticed():
    with fails("00-data"):
        LESSON.check("00-data", replace={"data": ("data.load_mnist()", "data.load_mnist()._replace(test_labels=[])")})


def test_too_little_memory_is_noticed():
    with fails("00-memory"):
        LESSON.check("00-memory", replace={"versions": ("psutil.virtual_memory().available", "1e9")})
