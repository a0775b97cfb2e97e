"""The checks of lesson 05 see what they look for: each break of a formula fails the claim or the law that guards it."""

import numpy as np
import pandas as pd
import pytest
from _mutants import fails
from scipy import stats

from bnn_course import data, models, uncertainty
from tools.lessons import lesson

LESSON = lesson("05")
RNG = np.random.default_rng(5)
WEIGHTS = RNG.normal(0, 2, (20, 21))
POINTS = RNG.normal(0, 1, (30, 2))

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "one hidden layer instead of two": ("05-maximum", "curvature", "hidden=(5, 5)", "hidden=(5,)"),
    "differences that are not divided": ("05-maximum", "curvature", " / (2 * step)", ""),
    "both starts at random": ("05-stuck", "stuck", '"start at zero": from_zero', '"start at zero": from_somewhere'),
    "R-hats of another size": ("05-rhat-weights", "record-results", "n == 400", "n == 25"),
    "far ends and seen bands exchanged": (
        "05-away",
        "record-results",
        'disagree[100, "outside"] / disagree[100, "seen"]',
        'disagree[100, "seen"] / disagree[100, "outside"]',
    ),
    "little and much data exchanged": (
        "05-shrinks-by",
        "record-results",
        'disagree[25, "seen"] / disagree[400, "seen"]',
        'disagree[400, "seen"] / disagree[25, "seen"]',
    ),
    "disagreement taken for coins": (
        "05-stays",
        "record-results",
        'index="seed", columns=columns, values="aleatoric"',
        'index="seed", columns=columns, values="epistemic"',
    ),
    "copies not paid": ("05-copies", "copies-results", "lead - owed", "lead"),
    "copies paid to the wrong fit": ("05-bent", "copies-results", "lead - owed", "lead + owed"),
    "correlations not paid": ("05-bent", "copies-results", '-ahead["full rank, copies paid"]', '-ahead["mean field"]'),
    "wide and narrow exchanged": ("05-narrow", "prior-results", 'whole["2"] - whole["4"]', 'whole["4"] - whole["2"]'),
    "point and posterior": (
        "05-point-wins",
        "prior-results",
        'whole["2"] - point["2"]',
        'point["2"] - whole["2"]',
    ),
    "MAP at the width it likes": ("05-forgives", "prior-results", 'point["8"] - point["4"]', 'point["4"] - point["4"]'),
    "MAP at the width that is worst": ("05-fair", "prior-results", ".idxmin()", ".idxmax()"),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})


# --- the model, written three times -----------------------------------------------------------------

TWINS = {  # what is broken: (cell, expression of the lesson, expression of the mutant)
    "the lesson": None,
    "output bias forgotten": ("numpy-twin", "@ w2 + b2", "@ w2"),
    "another activation": ("numpy-twin", "np.tanh", "special.expit"),
    "a bias without prior width": ("network-model", '"b2", 0, scale', '"b2", 0, 1'),
    "another width of the prior": ("network-model", "scale=2.0", "scale=2.1"),
}


@pytest.mark.parametrize("broken", TWINS.values(), ids=TWINS)
def test_lesson_helper_and_numpy_are_one_model_and_its_density_is_cross_entropy_and_weight_decay(broken):
    replace = {} if broken is None else {broken[0]: broken[1:]}
    names = LESSON.define("moons_model", "network", "as_point", replace=replace)
    labels = np.arange(30) % 2
    model = names["moons_model"](POINTS, labels)
    helper = models.bnn_model(POINTS, labels, hidden=(5,), hyperprior_parameters={"scale": 2.0})
    ours, helpers = (m.compile_logp(mode="FAST_COMPILE") for m in (model, helper))
    gaps = []
    for w in WEIGHTS:
        p = names["network"](w, POINTS)
        energy = -stats.bernoulli.logpmf(labels, p).sum() + np.square(w).sum() / (2 * 2.0**2)
        energy += 21 * np.log(2.0 * np.sqrt(2 * np.pi))
        values = ours(names["as_point"](w)), helpers(names["as_point"](w)), -energy
        gaps.append(np.ptp(values))
    assert (max(gaps) < 1e-6) == (broken is None)


def test_a_vector_of_weights_and_a_point_of_pymc_are_the_same():
    names = LESSON.define("as_point", "as_vector")
    assert (names["as_vector"](names["as_point"](WEIGHTS[0])) == WEIGHTS[0]).all()


# --- copies -----------------------------------------------------------------------------------------

RELABELLED = {  # what is broken: expression of the lesson, expression of the mutant
    "the lesson": None,
    "signs of half of the weights forgotten": ("* np.array(signs)", "* np.array(signs) ** np.arange(4)[:, None]"),
    "output bias flipped": ("w[..., 20:]", "-w[..., 20:]"),
}


@pytest.mark.parametrize("broken", RELABELLED.values(), ids=RELABELLED)
def test_a_relabelled_network_is_the_same_function(broken):
    replace = {} if broken is None else {"symmetries": broken}
    names = LESSON.define("relabel", "network", replace=replace)
    order, signs = [3, 0, 4, 1, 2], [1, -1, 1, -1, -1]
    moved = names["relabel"](WEIGHTS, order, signs)
    gaps = [names["network"](a, POINTS) - names["network"](b, POINTS) for a, b in zip(WEIGHTS, moved, strict=True)]
    assert (np.abs(gaps).max() < 1e-12) == (broken is None)
    assert np.abs(moved - WEIGHTS).max() > 1
    assert (names["relabel"](WEIGHTS[0], order, signs) == moved[0]).all()


def test_renaming_the_units_of_a_chain_changes_r_hat_of_weights_and_not_of_the_function():
    names = LESSON.define("first", "second", "renamed", "rhat", "answers", "probes")
    first, probes = names["first"], names["probes"]
    assert names["rhat"](np.array([first, names["second"]])) < 1.05
    assert names["rhat"](np.array([first, names["renamed"]])) > 1.5
    assert names["rhat"](np.array([names["answers"](w, probes) for w in (first, names["renamed"])])) < 1.05


SEPARATE = {  # what works: (means of the units, sds, copies that do not overlap)
    "all units": (np.arange(20).reshape(4, 5) + 1.0, np.full((4, 5), 1e-3), 3840),
    "one unit": (np.eye(4, 5)[:, [0, 0, 0, 0, 0]] * [9, 0, 0, 0, 0], np.array([[0.1, 2, 2, 2, 2]] * 4), 10),
    "no unit": (np.zeros((4, 5)), np.full((4, 5), 2.0), 1),
}


@pytest.mark.parametrize(("mean", "sd", "copies"), SEPARATE.values(), ids=SEPARATE)
def test_spreading_q_gains_the_logarithm_of_the_number_of_separate_copies(mean, sd, copies):
    spread = LESSON.define("spread", "COPIES")["spread"]
    q = stats.multivariate_normal([*mean.ravel(), 0], np.diag([*sd.ravel(), 1.0]) ** 2)
    assert spread(q.logpdf, q.rvs(50, random_state=1)) == pytest.approx(np.log(copies), abs=0.05)


# --- doubt ------------------------------------------------------------------------------------------

SPLITS = {  # what is broken: expression of the lesson, expression of the mutant
    "the lesson": None,
    "aleatoric: entropy of the mean": ("entropy(p).mean(axis=0)", "entropy(mean)"),
    "divergence the wrong way": ("rel_entr(p, mean)", "rel_entr(mean, p)"),
    "one class forgotten": (" + special.entr(1 - p)", ""),
}


@pytest.mark.parametrize("broken", SPLITS.values(), ids=SPLITS)
def test_doubt_splits_into_coins_and_disagreement_as_the_package_splits_it(broken):
    replace = {} if broken is None else {"split-uncertainty": broken}
    split = LESSON.define("split", replace=replace)["split"]
    p = RNG.uniform(0.01, 0.99, (50, 30))
    total, aleatoric, epistemic = split(p)
    package = uncertainty.decompose_entropy(np.stack([1 - p, p], axis=-1))
    gaps = [total - aleatoric - epistemic, *(np.array(package) - [total, aleatoric, epistemic])]
    assert (np.abs(gaps).max() < 1e-10) == (broken is None)
    assert epistemic.min() > -1e-15


def test_drawn_labels_have_no_coins_left():
    split = LESSON.define("split")["split"]
    p = RNG.uniform(0.3, 0.7, (500, 30))
    total, aleatoric, epistemic = split((RNG.random(p.shape) < p).astype(float))
    assert aleatoric.max() == 0
    assert epistemic.mean() > 5 * split(p)[2].mean()
    assert total.mean() == pytest.approx(split(p)[0].mean(), abs=0.01)


# --- the records ------------------------------------------------------------------------------------


def test_the_record_of_prior_widths_is_whole_and_its_chains_agree_about_functions():
    record = pd.read_csv(data.course_file("records/prior_scales.csv"))
    sizes = record.query("n == 100").groupby(["data_set", "prior", "method"]).size()
    assert len(sizes) == 10 * 5 * 4 and (sizes == 3).all()
    nuts = record[record["method"] == "NUTS"]
    assert nuts["rhat_functions"].max() < 1.05 and nuts["ess_functions"].min() > 200
    assert nuts["divergences"].max() < 0.02 * 2000
    assert not record.duplicated(["data_set", "n", "prior", "method", "part"]).any()


def test_the_record_of_copies_is_whole_and_gains_lie_between_none_and_all_copies():
    record = pd.read_csv(data.course_file("records/mean_field_copies.csv"))
    assert record.groupby("data_set").size().eq(4).sum() == 10
    assert record["copies"].between(0, np.log(3840) + 0.01).all()
