"""The checks of lesson 05 see what they look for: each break of a formula fails the claim that guards it."""

import functools

import pytest
from _mutants import fails

from tools.lessons import lesson

LESSON = lesson("05")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "another file of draws": ("05-checksum", "reference-draws", "record_file.read_bytes()", 'b"another"'),
    "another width of the prior": ("05-helper", "network-model", "scale=2.0", "scale=2.1"),
    "a bias without prior width": ("05-helper", "network-model", '"b2", 0, scale', '"b2", 0, 1'),
    "output bias forgotten": ("05-twin", "numpy-twin", "@ w2 + b2", "@ w2"),
    "another activation": ("05-twin", "numpy-twin", "np.tanh", "special.expit"),
    "weight decay twice as strong": ("05-energy", "energy", "(2 * 2.0**2)", "2.0**2"),
    "labels swapped": ("05-energy", "energy", "y == 1, a, -a", "y == 0, a, -a"),
    "signs of the outgoing weights forgotten": (
        "05-symmetry",
        "symmetries",
        "w[15:20][order] * signs",
        "w[15:20][order]",
    ),
    "biases left in their old order": ("05-symmetry", "symmetries", "w[10:15][order]", "w[10:15]"),
    "units not renamed": (
        "05-rhat-renamed",
        "renamed-chain",
        "np.arange(5)[::-1], -np.ones(5)",
        "np.arange(5), np.ones(5)",
    ),
    "aleatoric: entropy of the mean": (
        "05-identity",
        "split-uncertainty",
        "entropy(p).mean(axis=0)",
        "entropy(mean)",
    ),
    "divergence the wrong way": ("05-identity", "split-uncertainty", "rel_entr(p, mean)", "rel_entr(mean, p)"),
    "one class forgotten": ("05-identity", "split-uncertainty", " + special.entr(1 - q)", ""),
    "probabilities taken for labels": ("05-labels", "drawn-labels", ".astype(float)", ' * on_grid["NUTS"]'),
    "MAP and posterior exchanged": (
        "05-outside",
        "map-against-posterior",
        'advantage("accuracy", "outside", 100)',
        '-advantage("accuracy", "outside", 100)',
    ),
    "points of another place": (
        "05-outside-nll",
        "map-against-posterior",
        '"nll", "outside", 100',
        '"nll", "between", 100',
    ),
    "answers of a mean, twice": (
        "05-mean-worse",
        "mean-of-weights",
        "network(mean_weights, seen_x)",
        "answers(reference, seen_x).mean(axis=0)",
    ),
    "sizes in another order": ("05-shrinks", "ladder-record", "[25, 100, 400]", "[25, 400, 100]"),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@functools.cache
def stand_ins():
    """Answers of the shipped draws, instead of those of a live run of NUTS; and PyMC's log densities, compiled once."""
    names = LESSON.define("answers", "reference", "grid", "ours")
    return {"on_grid": {"NUTS": names["answers"](names["reference"][::5], names["grid"])}, "ours": names["ours"]}


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim, given=stand_ins())


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)}, given=stand_ins())
