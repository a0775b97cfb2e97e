"""The checks of lesson 06 see what they look for: each break of a formula or a comparison fails its claim."""

import numpy as np
import pandas as pd
import pytest
from _mutants import fails
from scipy import integrate, stats

from bnn_course import models
from tools import NOTEBOOKS
from tools.lessons import lesson

LESSON = lesson("06")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "Normal weights in place of Cauchy": ("06-steps", "prior-network", "stats.cauchy()", "stats.norm()"),
    "inside and outside exchanged": ("06-no-steps", "cliffs", '= "Normal", "Cauchy"', '= "Cauchy", "Normal"'),
    "any slope is a cliff": ("06-no-steps", "prior-network", "np.ptp(f) / 3", "np.ptp(f) / 30"),
    "no slope is a cliff": ("06-steps", "prior-network", "np.ptp(f) / 3", "np.ptp(f) * 3"),
    "divided by the number of units": ("06-cauchy-root", "middle-half", "/ np.sqrt(units)", "/ units"),
    "not divided": ("06-cauchy-root", "middle-half", " / np.sqrt(units)", ""),
    "the widest instead of the middle": ("06-cauchy-root", "middle-half", "[0.25, 0.75]", "[0, 1]"),
    "scales chosen by the worst NLL": ("06-gap-hyper", "choose", "idxmin", "idxmax"),
    "the widest of scales is right for all": ("06-gap-wide", "learned-results", 'nll["fixed 10"]', 'nll["fixed 3"]'),
    "the usual scale is not narrow": ("06-gap-small", "learned-results", 'nll["fixed 1"]', 'nll["fixed 10"]'),
    "equal scales for both layers": ("06-apart", "choose", "TWO = list(FIXED)", "TWO = ONE"),
    "a scale that suits spirals": ("06-adapt", "contest-figure", "compromise[row[1]]", '"fixed 10"'),
    "families at another scale": ("06-pair", "map-results", '"accuracy", "Inverse-Gamma"', '"accuracy", "fixed 0.3"'),
}  # fmt: skip
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_formula_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})


def test_a_centred_network_fails_the_claim_on_effective_draws():
    cell = LESSON["network-ess"].replace("centred=centred", "centred=True")
    with fails("06-network-ess"):
        LESSON.check("06-network-ess", replace={"network-ess": cell})


# --- what the lesson says without a claim --------------------------------------------------------------------------


def test_the_network_of_the_lesson_is_that_of_the_package():
    names = LESSON.define("network", "points")
    x, y = names["points"]("moons", 0)[0]
    ours = names["network"](x, y, "Student-t", "Inverse-Gamma")
    theirs = models.bnn_model(
        x,
        y,
        hidden=(8,),
        prior="student_t",
        prior_parameters={"nu": 3},
        hyperprior="inverse_gamma",
        hyperprior_parameters={"alpha": 1, "beta": 0.7},
    )
    rng, shapes = np.random.default_rng(1), theirs.initial_point()
    point = {name: rng.normal(size=value.shape) for name, value in shapes.items()}
    flat = {name: point[name].reshape(value.shape) for name, value in ours.initial_point().items()}
    density = theirs.compile_logp(mode="FAST_COMPILE")(point)
    assert ours.compile_logp(mode="FAST_COMPILE")(flat) == pytest.approx(density, rel=1e-7)


def test_a_layer_of_fifty_has_as_many_far_weights_as_the_lesson_says():
    families = LESSON.define("FAMILIES")["FAMILIES"]
    far = {name: 50 * 2 * family.sf(10) for name, family in families.items()}
    assert far["Normal"] < 1e-20 and 1 / far["Laplace"] == pytest.approx(400, rel=0.15)
    assert 1 / far["Student-t"] == pytest.approx(10, rel=0.1) and far["Cauchy"] == pytest.approx(3, rel=0.1)


def test_the_three_hyperpriors_have_the_median_one_and_the_tails_of_the_table():
    at = np.array([0.1, 1, 10])
    below = {
        "Half-Normal": stats.halfnorm(scale=1.5).cdf(at),
        "Half-Cauchy": stats.halfcauchy().cdf(at),
        "Inverse-Gamma": stats.invgamma(1, scale=0.7).cdf(at**2),
    }
    for cdf in below.values():
        assert cdf[1] == pytest.approx(0.5, abs=0.01)
    assert below["Half-Normal"][0] == pytest.approx(0.05, abs=0.005) and 1 - below["Half-Normal"][2] < 1e-10
    assert below["Half-Cauchy"][0] == pytest.approx(0.06, abs=0.005)
    assert 1 - below["Half-Cauchy"][2] == pytest.approx(0.06, abs=0.005)
    assert below["Inverse-Gamma"][0] < 1e-30 and 1 - below["Inverse-Gamma"][2] == pytest.approx(1 / 150, rel=0.1)


def test_a_cauchy_weight_is_a_normal_one_with_an_inverse_gamma_hyperprior():
    def joint(squared, w):
        return stats.norm.pdf(w, 0, np.sqrt(squared)) * stats.invgamma.pdf(squared, 0.5, scale=0.5)

    for w in (0.5, 1, 4):
        mixture, _ = integrate.quad(joint, 0, np.inf, args=(w,))
        assert mixture == pytest.approx(stats.cauchy.pdf(w), rel=1e-6)


def test_scales_are_chosen_on_the_points_put_aside_alone():
    names = LESSON.define("nll_of_best", "ONE")
    table = pd.read_csv(NOTEBOOKS / "records" / "prior_grid.csv")
    one = table.query("data == 'moons' and prior == 'Normal' and seed == 0").set_index("scale").loc[names["ONE"]]
    expected = one["nll"][one["choose_nll"].idxmin()]
    assert names["nll_of_best"](names["ONE"])["moons", "Normal", 0] == expected
