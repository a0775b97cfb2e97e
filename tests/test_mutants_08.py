"""The checks of lesson 08 see what they look for: each break of a formula fails the claim that guards it."""

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytest
from _mutants import fails
from scipy import integrate, stats

from tools.lessons import lesson

LESSON, APPENDIX = lesson("08"), lesson("J")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "no threshold": ("08-mean-not-zero", "laplace-rules", "np.maximum(np.abs(seen) - alpha, 0)", "np.abs(seen)"),
    "a threshold of half the size": ("08-mean-not-zero", "laplace-rules", "np.abs(seen) - alpha", "np.abs(seen) / 2"),
    "a mean that is zero, too": ("08-mean-not-zero", "laplace-rules", "alpha * average_sign", "seen"),
    "mean moved away from zero": ("08-bias", "laplace-rules", "seen - alpha * average", "seen + alpha * average"),
    "kink forgotten": ("08-middle", "laplace-rules", "right = -alpha * seen + ", "right = "),
    "local scales from a uniform": ("08-bias", "horseshoe-mean", "np.tan(np.pi / 2 * places)", "places"),
    "a wider global scale": ("08-middle", "horseshoe-mean", "tau=0.3", "tau=1.0"),
    "shrinkage upside down": ("08-middle", "horseshoe-mean", "variance / (1 + variance)", "1 / (1 + variance)"),
    "somebody else's inputs": ("08-network-found", "choice-results", "ten[5:]", "ten[:5]"),
    "the wrong rival": ("08-network-gain", "choice-results", '["one scale"] - ', '["horseshoe"] - '),
    "a usual setting each": (
        "08-selection",
        "choice-results",
        "found(method, 0.5).mean()",
        "selection.query('method == @method')['right'].mean()",
    ),
    "removed share mistaken": ("08-free", "pruning-results", "recorded(kind)[0.75]", "recorded(kind)[0.95]"),
    "the same prior twice": ("08-s13", "pruning-results", '"Laplace")[0.9]', '"Normal")[0.9]'),
    "Normal ahead of Laplace": (
        "08-settings",
        "pruning-results",
        'recorded("Laplace", **training)[0.95] - ',
        'recorded("Normal", **training)[0.95] - ',
    ),
    "a record of another rule": ("08-free", "pruning-record", 'rule="signal-to-noise"', 'rule="random"'),
}
OF_APPENDIX = {
    "threshold without the step size": ("j-lasso", "proximal-gradient", "rate / scale", "1 / scale"),
    "number of observations forgotten": ("j-lasso", "searches", "1 / (50 * 0.1)", "1 / 0.1"),
    "uphill": ("j-lasso", "proximal-gradient", "y - x @ w", "x @ w - y"),
    "a threshold that leaves no zero": ("j-zeros", "proximal-gradient", "np.abs(seen) - alpha, 0", "np.abs(seen), 0"),
    "variance for standard deviation": ("j-units-ratio", "other-units", "np.sqrt(np.diag(", "(np.diag("),
    "units left alone": ("j-units-size", "other-units", "units[0] = 1_000", "units[0] = 1"),
    "half of the weak weights": ("j-weak", "ratios", '["left"] < 0', '["left"] < -1'),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@dataclass(frozen=True)
class Fit:
    """What `prune` needs of a fit."""

    mean: dict
    sd: dict

    def with_moments(self, mean, sd):
        return Fit(mean, sd)


@pytest.fixture
def fit():
    """A made-up fit."""
    rng = np.random.default_rng(8)
    shapes = {"w1": (20, 30), "b1": (30,), "w2": (30, 10)}
    return Fit(
        {n: rng.normal(size=s) for n, s in shapes.items()}, {n: rng.uniform(0.1, 2, s) for n, s in shapes.items()}
    )


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})


@pytest.mark.parametrize(("claim", "cell", "old", "new"), OF_APPENDIX.values(), ids=OF_APPENDIX)
def test_a_broken_formula_of_the_appendix_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        APPENDIX.check(claim, replace={cell: (old, new)})


# --- formulas against another route ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [-3.0, -0.8, 0.1, 2.0])
@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_the_mean_under_a_laplace_prior_is_that_of_an_integral(seen, alpha):
    def density(w):
        return np.exp(-((seen - w) ** 2) / 2 - alpha * abs(w))

    def moment(w):
        return w * density(w)

    halves = [(-20, 0), (0, 20)]  # the density has a kink at zero
    area, total = (sum(integrate.quad(f, *ends)[0] for ends in halves) for f in (density, moment))
    mean = LESSON.define("laplace_mean")["laplace_mean"](np.array([seen]), alpha)
    assert mean == pytest.approx([total / area], abs=1e-8)


def test_the_mean_under_a_horseshoe_is_that_of_draws():
    rng = np.random.default_rng(8)
    w = rng.normal(size=400_000) * 0.3 * np.abs(rng.standard_cauchy(400_000))
    weight = stats.norm.pdf(2.0, w, 1)
    mean = LESSON.define("horseshoe_mean")["horseshoe_mean"](np.array([2.0]))
    assert mean == pytest.approx([np.sum(weight * w) / np.sum(weight)], abs=0.02)


def test_the_slab_adds_its_precision():
    names = LESSON.define("horseshoe_scales")
    with pm.Model() as model:
        scales = names["horseshoe_scales"](3, 0.5, 2.0)
        tau, local, slab = (model[name] for name in ("tau", "local", "slab_variance"))
        values = pm.draw([scales, tau, local, slab], random_seed=8)
    scale, tau, local, slab = values
    assert 1 / scale**2 == pytest.approx(1 / (tau * local) ** 2 + 1 / slab)


def test_the_certainty_is_above_0975_where_the_central_interval_excludes_zero():
    w = np.random.default_rng(8).normal(np.linspace(-3, 3, 61), 1, size=(2_001, 61))
    low, high = np.quantile(w, [0.025, 0.975], axis=0)
    certain = LESSON.define("certainty")["certainty"](w) > 0.975
    assert np.array_equal(certain, (low > 0) | (high < 0))


def test_at_most_so_many_irrelevant_inputs_are_chosen():
    names = LESSON.define("found", "selection", "input_columns")
    table = names["selection"].query("method == 'lasso'")[names["input_columns"]].to_numpy()
    for mistakes in (0.5, 2):
        border = np.sort(table[:, 3:].ravel())[::-1][round(mistakes * len(table))]
        assert np.sum(table[:, 3:] > border) <= mistakes * len(table)
        assert np.array_equal(names["found"]("lasso", mistakes), np.sum(table[:, :3] > border, axis=1))


def test_the_weights_with_the_lowest_ratio_lose_mean_and_spread(fit):
    pruned = LESSON.define("prune")["prune"](fit, "signal-to-noise", 0.9)
    kept = {name: pruned.mean[name] != 0 for name in fit.mean}
    ratio = {name: np.abs(fit.mean[name]) / fit.sd[name] for name in fit.mean}
    assert np.mean(np.concatenate([k.ravel() for k in kept.values()])) == pytest.approx(0.1, abs=0.002)
    lowest_kept = min(ratio[name][kept[name]].min() for name in kept if kept[name].any())
    for name in kept:
        assert np.all(ratio[name][~kept[name]] < lowest_kept)
        assert np.all(pruned.sd[name][~kept[name]] == 0)
        assert np.array_equal(pruned.sd[name][kept[name]], fit.sd[name][kept[name]])


def test_the_fallen_weights_depend_on_the_rule(fit):
    prune = LESSON.define("prune")["prune"]
    fallen = {rule: prune(fit, rule, 0.5).mean["w1"] == 0 for rule in ("signal-to-noise", "size", "random")}
    assert np.mean(fallen["size"] == fallen["signal-to-noise"]) < 0.95
    assert np.mean(fallen["random"] == fallen["size"]) < 0.7
