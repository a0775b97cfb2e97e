"""The checks of lesson 07 see what they look for: each break of a formula fails the claim that guards it."""

from types import SimpleNamespace

import numpy as np
import pytest
from _mutants import Cells

from bnn_course import claims
from bnn_course.claims import ClaimError

LESSON = Cells("07")

# What each guarding claim stands on: a piece of text that occurs in exactly one cell each, in the order of the lesson.
DATA = ["SEED = 2017", "def draw_tasks", "def best_probability"]
PRIOR = ["SEED = 2017", "def draw_tasks", "def separate_model", "def same_for_all", "def hierarchical_model"]
WEIGHTS = ["SEED = 2017", "LAYERS = {", "def draws_of", "unit = np.abs"]
NEEDED = {
    "07-half-turn": [*DATA, "half_turn = "],
    "07-best": [*DATA, "half_turn = "],
    "07-batch": ["SEED = 2017", "def draw_tasks", "def separate_model", "def same_for_all"],
    "07-prior": [*PRIOR, "prior_w = "],
    "07-unknowns": [*PRIOR, "prior_w = "],
    "07-rhat": ["SEED = 2017", "def halves_rhat"],
    "07-middle": [*WEIGHTS, "record = np.genfromtxt", "parts = {", '"07-middle"'],
    "07-tip-turned": ["SEED = 2017", "def draw_tasks", "def best_probability", "def turn_point"],
    "07-matched": ["SEED = 2017", "def matched_normal", '"07-matched"'],
    "07-gain-seeds": ["SEED = 2017", "record = np.genfromtxt", "def better"],
}

MUTANTS = {  # what is broken: (claim that must fail, text of the lesson, text of the mutant)
    "arcs turned the wrong way": (
        "07-best",
        "np.cos(-angles)[:, None], np.sin(-angles)",
        "np.cos(angles)[:, None], np.sin(angles)",
    ),
    "classes of the best rule exchanged": ("07-best", "return one / (zero + one)", "return zero / (zero + one)"),
    "both arcs moved aside": ("07-half-turn", "for arc in (upper, -upper)", "for arc in (upper + 0.1, -upper + 0.1)"),
    "a bias without its axis": ("07-batch", 'w["w1"] + w["b1"][:, None]', 'w["w1"] + w["b1"].mean(0)'),
    "second layer skipped its tanh": (
        "07-batch",
        'pt.tanh(h1 @ w["w2"] + w["b2"][:, None])',
        'h1 @ w["w2"] + w["b2"][:, None]',
    ),
    "weights of neighbours": ("07-batch", 'h1 @ w["w2"]', 'h1 @ w["w2"][::-1]'),
    "spread forgotten": ("07-prior", "mean + spread * offset", "mean + offset * 0.1"),
    "mean forgotten": ("07-prior", "mean + spread * offset", "spread * offset"),
    "spread with the wrong width": (
        "07-prior",
        'pm.HalfNormal(f"spread_{name}", 1,',
        'pm.HalfNormal(f"spread_{name}", 2,',
    ),
    "a group mean for each task": (
        "07-prior",
        'f"mean_{name}", 0, 1, shape=shape',
        'f"mean_{name}", 0, 1, shape=(len(x), *shape)',
    ),
    "another unit taken": ("07-middle", "axis=(0, 1))[:, 0].argmax()", "axis=(0, 1))[:, 0].argmin()"),
    "tip turned the wrong way": ("07-tip-turned", "point[0] * cos - point[1] * sin", "point[0] * cos + point[1] * sin"),
    "variance of the means forgotten": (
        "07-matched",
        "mean.var(axis=0) + (spread**2).mean(axis=0)",
        "(spread**2).mean(axis=0)",
    ),
    "mean spread instead of mean square": ("07-matched", "(spread**2).mean(axis=0)", "spread.mean(axis=0) ** 2"),
    "better and worse exchanged": ("07-gain-seeds", 'if field == "accuracy" else -1', 'if field == "nll" else -1'),
}


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
    posterior = {name: SimpleNamespace(values=value) for name, value in draws.items()}
    return angles, SimpleNamespace(
        posterior=posterior, sample_stats={"diverging": SimpleNamespace(values=np.zeros(200))}
    )


def stand_ins(drift=0.0):
    """What the sampler would have left: a family, and answers (draw, task, point) of a chain that may drift."""
    rng = np.random.default_rng(0)
    angles, posterior = family(rng)
    logit = rng.normal(2, 0.3, (200, 18, 5)) + drift * np.linspace(-1, 1, 200)[:, None, None]
    both = ["separate", "hierarchical"]
    return {
        "angles": angles,
        "posteriors": dict.fromkeys(both, posterior),
        "models": dict.fromkeys(both),
        "answers": dict.fromkeys(both, 1 / (1 + np.exp(-logit))),
        "new_y": np.ones((18, 5), int),
    }


def stood_in(**drift):
    """Options of `Cells.run`: the stand-ins, also after the cell that defines the lesson's own predict."""
    answer = np.full((10, 18, 1), 0.5)

    def after(cell, names):
        if "def draws_of" in cell:  # its predict needs a model
            names["predict"] = lambda *_: answer

    return {"given": stand_ins(**drift) | {"predict": lambda *_: answer}, "after": after}


@pytest.mark.parametrize("claim", NEEDED)
def test_the_lesson_itself_passes(claim):
    try:
        LESSON.run(NEEDED[claim], **stood_in())
    except ClaimError as error:  # a claim about sampled answers, for which the stand-ins are too plain
        assert f"[{claim}]" not in str(error)
    assert claim in claims._sentences


@pytest.mark.parametrize(("claim", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, old, new):
    LESSON.breaks(claim, NEEDED[claim], old, new, **stood_in())


def test_a_drifting_chain_fails_the_check_of_functions():
    LESSON.breaks("07-rhat", NEEDED["07-rhat"], **stood_in(drift=2.0))
