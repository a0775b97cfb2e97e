"""The checks of lesson 05 see what they look for: each break of a formula fails the claim that guards it."""

# ruff: noqa: E501 - lines of the lesson are quoted whole

import pytest
from _mutants import Cells

SHIPPED_DRAWS = 'on_grid = {"NUTS": answers(reference[::5], grid)}'  # instead of a live run of NUTS
LESSON = Cells("05", SHIPPED_DRAWS)

# What each guarding claim stands on: a piece of text that occurs in exactly one cell each, in the order of the lesson.
START = ["SEED = 2017", "def moons(", '"05-checksum"']
MODEL = [*START, "def moons_model", "def network(", '"05-helper"']
GRID = [*START, "def network(", "def answers("]
NEEDED = {
    "05-checksum": START,
    "05-helper": MODEL,
    "05-twin": MODEL,
    "05-energy": [*MODEL, "def energy(", '"05-energy"'],
    "05-symmetry": [*GRID, "def energy(", "def relabel("],
    "05-rhat-renamed": [*GRID, "def energy(", "def relabel(", "def rhat("],
    "05-identity": [*GRID, SHIPPED_DRAWS, "def split("],
    "05-labels": [*GRID, SHIPPED_DRAWS, "def split(", 'labels = (rng', ],
    "05-shrinks": [*START, "RECORD = np", "def interval(", '"05-shrinks"'],
    "05-outside": [*START, "RECORD = np", "def interval(", "def advantage(", '"05-few"'],
    "05-outside-nll": [*START, "RECORD = np", "def interval(", "def advantage(", '"05-few"'],
    "05-mean-worse": [*MODEL, "def energy(", "def answers(", '"05-mean-worse"'],
}  # fmt: skip

MUTANTS = {  # what is broken: (claim that must fail, text of the lesson, text of the mutant)
    "another file of draws": ("05-checksum", "record_file.read_bytes()).hex", 'b"another").hex'),
    "another width of the prior": ("05-helper", "scale=2.0):", "scale=2.1):"),
    "a bias without prior width": ("05-helper", 'pm.Normal("b2", 0, scale, shape=1)', 'pm.Normal("b2", 0, 1, shape=1)'),
    "output bias forgotten": ("05-twin", "@ w2 + b2\n\n", "@ w2\n\n"),
    "another activation": ("05-twin", "np.tanh(x @ w1 + b1)", "special.expit(x @ w1 + b1)"),
    "weight decay twice as strong": ("05-energy", "/ (2 * 2.0**2)", "/ 2.0**2"),
    "labels swapped": ("05-energy", "np.where(y == 1, a, -a)", "np.where(y == 0, a, -a)"),
    "signs of the outgoing weights forgotten": ("05-symmetry", "w[15:20][order] * signs", "w[15:20][order]"),
    "biases left in their old order": ("05-symmetry", "w[10:15][order] * signs", "w[10:15] * signs"),
    "units not renamed": ("05-rhat-renamed", "np.arange(5)[::-1], -np.ones(5)", "np.arange(5), np.ones(5)"),
    "aleatoric: entropy of the mean": ("05-identity", "entropy(p).mean(axis=0)", "entropy(mean)"),
    "divergence the wrong way": ("05-identity", "special.rel_entr(p, mean)", "special.rel_entr(mean, p)"),
    "one class forgotten": ("05-identity", " + special.entr(1 - q)", ""),
    "probabilities taken for labels": ("05-labels", ".astype(float)\n_,", " * on_grid['NUTS']\n_,"),
    "MAP and posterior exchanged": ("05-outside", 'advantage("accuracy", "outside", 100)', '-advantage("accuracy", "outside", 100)'),
    "points of another place": ("05-outside-nll", 'advantage("nll", "outside", 100)', 'advantage("nll", "between", 100)'),
    "answers of a mean, twice": ("05-mean-worse", "(network(mean_weights, seen_x), answers", "(answers(reference, seen_x).mean(axis=0), answers"),
    "sizes in another order": ("05-shrinks", "SIZES, SEEDS = [25, 100, 400]", "SIZES, SEEDS = [25, 400, 100]"),
}  # fmt: skip


@pytest.mark.parametrize("claim", NEEDED)
def test_the_lesson_itself_passes(claim):
    LESSON.passes(claim, NEEDED[claim])


@pytest.mark.parametrize(("claim", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, old, new):
    LESSON.breaks(claim, NEEDED[claim], old, new)
