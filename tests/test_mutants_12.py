"""The checks of lesson 12 see what they look for: each break of a formula fails the claim or the law that guards it."""

import numpy as np
import pandas as pd
import pytest
from _mutants import fails
from scipy import stats

from bnn_course import data
from tools.lessons import lesson

LESSON = lesson("12")
RNG = np.random.default_rng(12)

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "PSIS and refits exchanged with the row": (
        "12-refits",
        "loo-results",
        'exact["psis"] - exact["exact"]',
        'exact["row"]',
    ),
    "the wrong one leads": ("12-ozone", "ozone-results", '"linear", "network"', '"network", "linear"'),
    "whole weeks judged by their worst days": (
        "12-weeks",
        "record",
        'weeks.groupby("method")["nll"].mean()',
        'weeks.groupby("method")["nll"].max()',
    ),
    "the intervals of a careful method": (
        "12-map",
        "ozone-results",
        'days["method"] == "MAP"',
        'days["method"] == "GP"',
    ),
    "hot for cool": ("12-hot", "coverage-results", "of_cool - of_hot", "of_hot - of_cool"),
    "coverage of the other interval": (
        "12-coverage",
        "coverage-results",
        '"network"], 90)',
        '"network"], 50)',
    ),
    "a baseline that knows nothing": (
        "12-penguins",
        "penguin-results",
        '"logistic", "network"',
        '"trivial", "network"',
    ),
    "costs the wrong way round": ("12-rare", "decide", "cost[1] *= 4", "cost[:, 1] *= 40"),
}
RECORDED = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.mark.parametrize("claim", RECORDED)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim, given=given(claim))


def given(claim):
    """What the statement of a claim would fit first, which does not matter here."""
    return {"left_out": None, "gain": np.ones(3)} if claim == "12-refits" else {}


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)}, given=given(claim))


# --- the models, written twice ----------------------------------------------------------------------

REGRESSION = {  # what is broken: expression of the lesson, expression of the mutant
    "the lesson": None,
    "inputs not centred": ("- centre) / spread", ") / spread"),
    "noise in standardised units": ("y.std() * pt.exp", "pt.exp"),
    "another prior of the first scale": ("2 * width", "width"),
    "bias not scaled": ("scale_1 * (z @ w1 + b1)", "scale_1 * (z @ w1) + b1"),
}


@pytest.mark.parametrize("broken", REGRESSION.values(), ids=REGRESSION)
def test_the_density_of_the_regression_network_is_that_of_numpy(broken):
    replace = {} if broken is None else {"regression-network": broken}
    build = LESSON.define("regression_network", replace=replace)["regression_network"]
    X, y = RNG.normal(3, 5, (20, 2)), RNG.normal(100, 30, 20)
    model = build(X, y, units=3)
    point = {name: RNG.normal(size=np.shape(value)) for name, value in model.initial_point().items()}
    scales = {name: np.exp(point[f"{name}_log__"]) for name in ("scale_1", "scale_2")}
    z = (X - X.mean(axis=0)) / X.std(axis=0)
    f = np.tanh(scales["scale_1"] * (z @ point["w1"] + point["b1"])) @ (scales["scale_2"] * point["w2"]) + point["b2"]
    mean, noise = y.mean() + y.std() * f[:, 0], y.std() * np.exp(f[:, 1] - 1)
    expected = stats.norm.logpdf(y, mean, noise).sum()
    expected += sum(stats.norm.logpdf(point[name]).sum() for name in ("w1", "b1", "w2", "b2"))
    for name, width in {"scale_1": 2, "scale_2": 1}.items():
        expected += stats.halfnorm.logpdf(scales[name], scale=width) + np.log(scales[name])
    found = model.compile_logp(mode="FAST_COMPILE")(point)
    assert (abs(found - expected) < 1e-6) == (broken is None)


def test_other_units_change_nothing_but_the_units_of_the_answers():
    build = LESSON.define("regression_network")["regression_network"]
    X, y = RNG.normal(size=(20, 2)), RNG.normal(size=20)
    one, other = build(X, y), build(1000 * X + 7, 60 * y - 3)
    point = {name: RNG.normal(size=np.shape(value)) for name, value in one.initial_point().items()}
    densities = [model.compile_logp(mode="FAST_COMPILE")(point) for model in (one, other)]
    assert densities[1] == pytest.approx(densities[0] - 20 * np.log(60))  # the density of y, per unit of y


# --- tables -----------------------------------------------------------------------------------------

PREPARED = {  # what is broken: expression of the lesson, expression of the mutant
    "the lesson": None,
    "medians of the rows to be filled": ("fillna(like[name].median())", "fillna(frame[name].median())"),
    "holes that are not marked": ('columns[f"{name} is missing"] = frame[name].isna()', "pass"),
    "levels of the rows to be filled": (
        "sorted(like[name].dropna().unique())",
        "sorted(frame[name].dropna().unique())",
    ),
}


@pytest.mark.parametrize("broken", PREPARED.values(), ids=PREPARED)
def test_holes_and_levels_are_those_of_the_training_rows(broken):
    replace = {} if broken is None else {"prepare": broken}
    prepare = LESSON.define("prepare", replace=replace)["prepare"]
    like = pd.DataFrame({"x": [1.0, 3.0, np.nan], "word": ["a", "b", None]})
    frame = pd.DataFrame({"x": [np.nan, 9.0], "word": ["c", "a"]})
    wanted = pd.DataFrame(
        {"x": [2.0, 9.0], "x is missing": [1.0, 0.0], "word is a": [0.0, 1.0], "word is b": [0.0, 0.0]}
    )
    assert prepare(frame, like).equals(wanted) == (broken is None)


def test_every_row_is_tested_once_in_each_round():
    splits = LESSON.define("splits")["splits"]
    rows = {0: [], 1: []}
    for repeat, _, train, test in splits(np.arange(23)):
        assert not set(train) & set(test)
        rows[repeat] += list(test)
    assert all(sorted(tested) == list(range(23)) for tested in rows.values())


def test_draws_are_averaged_as_probabilities():
    nll = LESSON.define("nll")["nll"]
    mean, noise = RNG.normal(size=(50, 4)), RNG.uniform(0.5, 2, (50, 4))
    y = RNG.normal(size=4)
    np.testing.assert_allclose(nll(y, mean, noise), -np.log(stats.norm.pdf(y, mean, noise).mean(axis=0)))


def test_the_answer_of_the_lowest_expected_cost():
    decide = LESSON.define("decide", given={"birds": pd.DataFrame(columns=["p0", "p1", "p2"])})["decide"]
    assert decide(np.array([[0.7, 0.25, 0.05], [0.9, 0.05, 0.05]])).tolist() == [1, 0]


# --- the records ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "rows", "methods"), [("ozone", 116, 9), ("penguins", 344, 7)])
def test_a_record_is_whole_and_every_row_is_tested_twice_by_every_method(name, rows, methods):
    record = pd.read_csv(data.course_file(f"records/own_data_{name}.csv"))
    sizes = record.groupby(["method", "row"]).size()
    assert (sizes == 2).all() and len(sizes) == rows * methods
    assert record.groupby("method")[["repeat", "fold"]].value_counts().groupby("method").size().eq(10).all()


@pytest.mark.parametrize(("name", "above"), [("ozone", 0), ("penguins", 0), ("loo", 0), ("weeks", 1)])
def test_the_fits_of_a_record_keep_the_limit_of_the_lesson_but_for_one_that_it_mentions(name, above):
    limit = LESSON.define("LIMIT")["LIMIT"]
    rhat = pd.read_csv(data.course_file(f"records/own_data_{name}.csv"))["rhat"].dropna().unique()
    assert len(rhat) > 0 and (rhat > limit).sum() == above and (rhat < 1.1).all()


def test_the_record_of_weeks_is_whole_and_every_row_is_tested_once_by_every_method():
    record = pd.read_csv(data.course_file("records/own_data_weeks.csv"))
    sizes = record.groupby(["method", "row"]).size()
    assert (sizes == 1).all() and len(sizes) == 116 * 6
