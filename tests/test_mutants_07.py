"""The checks of lesson 07 see what they look for: each break of a formula fails the claim that guards it."""

from types import SimpleNamespace

import numpy as np
import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("07")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "arcs turned the wrong way": (
        "07-best",
        "best-rule",
        "np.cos(-angles)[:, None], np.sin(-angles)",
        "np.cos(angles)[:, None], np.sin(angles)",
    ),
    "classes of the best rule exchanged": ("07-best", "best-rule", "one / (zero + one)", "zero / (zero + one)"),
    "both arcs moved aside": ("07-half-turn", "best-rule", "(upper, -upper)", "(upper + 0.1, -upper + 0.1)"),
    "a bias without its axis": ("07-batch", "separate-model", 'w["b1"][:, None]', 'w["b1"].mean(0)'),
    "second layer skipped its tanh": ("07-batch", "separate-model", "h2 = pt.tanh", "h2 = "),
    "weights of neighbours": ("07-batch", "separate-model", 'w["w2"]', 'w["w2"][::-1]'),
    "spread forgotten": ("07-prior", "hierarchical-model", "mean + spread * offset", "mean + offset * 0.1"),
    "mean forgotten": ("07-prior", "hierarchical-model", "mean + spread * offset", "spread * offset"),
    "spread with the wrong width": (
        "07-prior",
        "hierarchical-model",
        'pm.HalfNormal(f"spread_{name}", 1',
        'pm.HalfNormal(f"spread_{name}", 2',
    ),
    "a group mean for each task": (
        "07-prior",
        "hierarchical-model",
        'f"mean_{name}", 0, 1, shape=shape',
        'f"mean_{name}", 0, 1, shape=(len(x), *shape)',
    ),
    "another unit taken": ("07-middle", "important-unit", "[:, 0].argmax()", "[:, 0].argmin()"),
    "tip turned the wrong way": (
        "07-tip-turned",
        "tip-of-the-moon",
        "point[0] * cos - point[1] * sin",
        "point[0] * cos + point[1] * sin",
    ),
    "variance of the means forgotten": ("07-matched", "matched-normal", "mean.var(axis=0) + ", ""),
    "mean spread instead of mean square": (
        "07-matched",
        "matched-normal",
        "(spread**2).mean(axis=0)",
        "spread.mean(axis=0) ** 2",
    ),
    "better and worse exchanged": ("07-gain-seeds", "paired-gains", 'field == "accuracy"', 'field == "nll"'),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


def family(rng):
    """A made-up posterior as the lesson describes it: unit 2 of 5 turns with its task, its last weight takes a sign."""
    angles = np.linspace(0.1, 2 * np.pi, 18, endpoint=False)
    sign = np.where(np.cos(angles) > 0, 1.0, -1.0)
    shapes = {"w1": (2, 5), "b1": (5,), "w2": (5, 5), "b2": (5,), "w3": (5, 1), "b3": (1,)}
    draws = {name: 0.1 * rng.normal(size=(1, 200, 18, *shape)) for name, shape in shapes.items()}
    draws["w1"][..., 0, 3] += 2 * sign * np.cos(angles)
    draws["w1"][..., 1, 3] += 2 * sign * np.sin(angles)
    draws["w2"][..., 3, 2] += 2
    draws["w3"][..., 2, 0] += 5 * sign
    for name, shape in shapes.items():
        draws[f"spread_{name}"] = np.full((1, 200, *shape), 0.8)
    draws["spread_w3"][..., 2, 0] = 4
    draws["spread_w2"][..., 2] = draws["spread_b2"][..., 2] = draws["spread_b3"][:] = 0.2
    return SimpleNamespace(posterior={name: SimpleNamespace(values=value) for name, value in draws.items()})


def answers(rng, drift=0.0):
    """Made-up probabilities (draw, task, point) of the right class, from a chain that may drift."""
    logit = rng.normal(2, 0.3, (200, 18, 5)) + drift * np.linspace(-1, 1, 200)[:, None, None]
    return 1 / (1 + np.exp(-logit))


def stand_ins(claim, **drift):
    """What the sampler would have left, for the claims that need it."""
    rng = np.random.default_rng(0)
    if claim == "07-middle":
        return {"posteriors": {"hierarchical": family(rng)}}
    if claim == "07-rhat":
        both = dict.fromkeys(["separate", "hierarchical"], answers(rng, **drift))
        return {"answers": both, "new_y": np.ones((18, 5), int)}
    return {}


@pytest.mark.parametrize("claim", [*CLAIMS, "07-rhat"])
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim, given=stand_ins(claim))


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)}, given=stand_ins(claim))


def test_a_drifting_chain_fails_the_check_of_functions():
    with fails("07-rhat"):
        LESSON.check("07-rhat", given=stand_ins("07-rhat", drift=2.0))
