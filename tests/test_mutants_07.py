"""The checks of lesson 07 see what they look for: each break of a formula fails the claim that guards it."""

import numpy as np
import pytensor.tensor as pt
import pytest
from _mutants import fails
from scipy import stats

from tools.lessons import lesson

LESSON, TURNS = lesson("07"), lesson("I")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "turned the wrong way": ("07-best", "best-probability", "turned(points, -angle)", "turned(points, angle)"),
    "classes of the best rule exchanged": ("07-best", "best-probability", "one / (zero + one)", "zero / (zero + one)"),
    "one arc moved aside": (
        "07-half-turn",
        "best-probability",
        "arc_density(back, -arc)",
        "arc_density(back, 0.1 - arc)",
    ),
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
        'f"mean_{name}", 0, 1, shape=all_tasks',
    ),
    "the worst width chosen": ("07-wide-share", "record", "idxmin()", "idxmax()"),
    "the rival keeps the narrow prior": (
        "07-wide-share",
        "contest-results",
        'column("separate", 1), column("separate")',
        'column("separate", 1), column("separate", 1)',
    ),
    "the family judged as one more separate network": (
        "07-sharing",
        "contest-results",
        'family_nll = column("hierarchical")',
        'family_nll = column("separate")',
    ),
    "accuracies of pooled networks": (
        "07-gain-interval",
        "contest-results",
        'column("hierarchical", field="accuracy")',
        'column("pooled", field="accuracy")',
    ),
    "cold start and group exchanged": (
        "07-transfer-seeds",
        "transfer-results",
        'few = paired(column("cold", labels=5), column("group prior", 1.0, 5))',
        'few = paired(column("group prior", 1.0, 5), column("cold", labels=5)) - 0.2',
    ),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})


# What the lesson's claims rest on ------------------------------------------------------------------------------------


def test_a_group_prior_that_misleads_fails_the_transfer():
    labels = np.ones((12, 5), int)
    given = {"judge_y": labels, "cold": np.full((4, 12, 5), 0.8)}
    with fails("07-transfer"):
        LESSON.check("07-transfer", given=given | {"group": np.full((8, 12, 5), 0.7)})
    LESSON.check("07-transfer", given=given | {"group": np.full((8, 12, 5), 0.9)})


def test_one_product_over_all_tasks_is_one_network_after_the_other():
    rng = np.random.default_rng(0)
    names = LESSON.define("network", "LAYERS")
    w = {name: rng.normal(size=(3, *shape)) for name, shape in names["LAYERS"].items()}
    x = rng.normal(size=(3, 7, 2))
    together = names["network"](pt.as_tensor(x), {name: pt.as_tensor(value) for name, value in w.items()}).eval()
    for t in range(3):
        h1 = np.tanh(x[t] @ w["w1"][t] + w["b1"][t])
        h2 = np.tanh(h1 @ w["w2"][t] + w["b2"][t])
        assert together[t] == pytest.approx((h2 @ w["w3"][t] + w["b3"][t])[:, 0], abs=1e-12)


def test_the_matched_normal_has_mean_and_sd_of_the_mixture_and_loses_its_tails():
    rng = np.random.default_rng(0)
    mean, spread = rng.normal(2, 0.5, 100_000), np.abs(rng.normal(0, 1, 100_000))
    mixture = mean + spread * rng.standard_normal(100_000)
    matched = LESSON.define("matched_normal")["matched_normal"](mean, spread)
    assert matched == pytest.approx((mixture.mean(), mixture.std()), abs=0.03)
    assert stats.kurtosis(mixture) > 0.5


def test_mixing_sees_chains_that_disagree_about_the_answers():
    rng = np.random.default_rng(0)
    mixing = LESSON.define("mixing")["mixing"]
    good = rng.uniform(0.4, 0.6, (200, 3, 12))
    apart = good + np.where(np.arange(200) < 100, 0.0, 0.3)[:, None, None]
    assert mixing(good, 2)[0] < 1.06 and mixing(good, 2)[1] > 100
    assert mixing(apart, 2)[0] > 1.5 and mixing(apart, 2)[1] < 10


def test_each_width_is_chosen_by_the_seed_that_does_not_judge():
    names = LESSON.define("best_width", "column", "record", "CHOOSE")
    record = names["record"]
    own = record[(record["method"] == "separate") & (record["seed"] == names["CHOOSE"])]
    assert names["best_width"]("separate") == own.loc[own["nll"].idxmin(), "width"]
    assert names["CHOOSE"] not in names["column"]("separate").index
