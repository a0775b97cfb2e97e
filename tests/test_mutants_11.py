"""The checks of lesson 11 see what they look for: each break of a formula fails the claim that guards it."""

from types import SimpleNamespace

import numpy as np
import pytest
from _mutants import fails
from scipy import stats

from tools.lessons import lesson

LESSON = lesson("11")

MUTANTS = {  # what is broken: (claim that must fail, cell, expression of the lesson, expression of the mutant)
    "usual settings for chosen ones": (
        "11-transfer-accuracy",
        "race-results",
        'lead("transfer", "cold start", 10)',
        'lead("transfer, usual", "cold start, usual", 10)',
    ),
    "chosen settings for usual ones": (
        "11-usual",
        "control-results",
        'lead("transfer, usual", "cold start, usual", 10)',
        'lead("transfer", "cold start", 10)',
    ),
    "the lead the other way round": (
        "11-fine-tuning",
        "record",
        "scores.loc[(task, labels, method)] - scores.loc[(task, labels, over)]",
        "scores.loc[(task, labels, over)] - scores.loc[(task, labels, method)]",
    ),
    "accuracy for NLL": ("11-stopped", "race-results", '"fine-tuning", 3, "nll"', '"fine-tuning", 3, "accuracy"'),
    "ten labels for a hundred": ("11-hundred", "race-results", '"fine-tuning", 100)', '"fine-tuning", 10)'),
    "usual for longer": ("11-budget", "control-results", 'f"{name}, longer"', '"fine-tuning"'),
    "nothing shuffled": ("11-content", "control-results", '"transfer, shuffled", 1', '"transfer", 1'),
    "the shorter run twice": ("11-source", "convergence-results", '["negative_elbo"][160]', '["negative_elbo"][10]'),
    "the source's NLL instead": (
        "11-source-transfer",
        "convergence-results",
        '["transfer_nll"][160]',
        '["negative_elbo"][160]',
    ),
    "right angle for small": ("11-turned-help", "turned-results", 'near, far = "turned 15"', 'near, far = "turned 90"'),
    "chosen trust for full trust": ("11-turned-harm", "turned-results", '"full trust"', '"transfer"'),
}
CLAIMS = sorted({claim for claim, *_ in MUTANTS.values()})


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim)


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_record_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)})


# --- formulas against another route ---------------------------------------------------------------------------------


def weights_of_a_source(mean, sd):
    """A posterior that is the same for all weights, on the scale of z."""
    shapes = {"z1": (785, 32), "z2": (33, 5)}
    return SimpleNamespace(
        mean={name: np.full(shape, mean) for name, shape in shapes.items()},
        sd={name: np.full(shape, sd) for name, shape in shapes.items()},
    )


@pytest.mark.parametrize("trust", [0.0, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("layer", [1, 2])
def test_the_power_prior_is_the_product_of_powers(trust, layer):
    names = LESSON.define("power_prior", "SOURCE_PRIOR")
    width = names["SOURCE_PRIOR"][f"width{layer}"][0, 0]
    prior = names["power_prior"](weights_of_a_source(0.8, 0.5), trust, [layer])
    w = np.linspace(-12 * width, 12 * width, 20_001)
    q, plain = stats.norm.logpdf(w, 0.8 * width, 0.5 * width), stats.norm.logpdf(w, 0, width)
    density = np.exp(trust * q + (1 - trust) * plain)
    mean = np.average(w, weights=density)
    sd = np.sqrt(np.average((w - mean) ** 2, weights=density))
    assert prior[f"mean{layer}"][0, 0] == pytest.approx(mean, rel=1e-5, abs=1e-6)
    assert prior[f"width{layer}"][0, 0] == pytest.approx(sd, rel=1e-5)


def test_no_prior_is_wider_than_the_plain_one():
    prior = LESSON.define("power_prior")["power_prior"](weights_of_a_source(0.8, 1.2), 1.0, [1])
    assert prior["width1"] == pytest.approx(0.3)


def test_the_rivals_differ_in_what_they_take_from_the_source():
    names = LESSON.define("rivals", "inference")
    source = SimpleNamespace(posterior=weights_of_a_source(0.8, 0.5), point=weights_of_a_source(0.6, 0.0))
    setting = {"width": 0.1, "output": 3.0, "trust": 1.0}
    for layers in ((1,), (1, 2)):
        rivals = names["rivals"](setting, source, 1, layers)
        for name in ("cold start", "from scratch"):
            assert (rivals[name].prior["mean1"] == 0).all() and (rivals[name].prior["width1"] == np.float32(0.1)).all()
            assert set(rivals[name].start) == {"z1", "z2"}
        for name in ("transfer", "informed MAP"):
            assert rivals[name].prior["mean1"] == pytest.approx(0.24)
            assert set(rivals[name].start) == {f"z{k}" for k in (1, 2) if k not in layers}
            assert rivals[name].prior["width2"] == pytest.approx(0.5 if 2 in layers else 3.0)
        start = rivals["fine-tuning"].start["z1"] * rivals["fine-tuning"].prior["width1"]
        assert start == pytest.approx(0.18) == rivals["linear probe"].prior["mean1"]
        assert (rivals["linear probe"].prior["width1"] == 0).all()
    same = names["rivals"](setting, source, 1)
    assert (same["cold start"].start["z1"] == rivals["cold start"].start["z1"]).all()


def test_shuffled_pixels_have_the_same_numbers_elsewhere_and_their_bias():
    names = LESSON.define("shuffled", "Rival")
    rng = np.random.default_rng(1)
    prior = {"mean1": rng.normal(size=(785, 32)), "width1": rng.uniform(size=(785, 32))}
    moved = names["shuffled"](names["Rival"](None, prior, {}), rng).prior
    order = [np.flatnonzero((prior["mean1"] == row).all(axis=1)).item() for row in moved["mean1"]]
    assert sorted(order) == list(range(785)) and order != sorted(order) and order[-1] == 784
    assert (moved["width1"] == prior["width1"][order]).all()


def test_a_quarter_turn_is_a_quarter_turn():
    images = np.random.default_rng(1).integers(256, size=(3, 784), dtype=np.uint8)
    turned = LESSON.define("turned")["turned"](images, 90).reshape(3, 28, 28)
    quarter = np.rot90(images.reshape(3, 28, 28), axes=(1, 2))
    assert min(abs(turned.astype(int) - way).max() for way in (quarter, quarter[:, ::-1, ::-1])) <= 1


def test_the_nearest_mean_is_the_nearest():
    few, labels = np.array([[0.0, 0], [2, 0], [10, 0], [0, 10], [5, 5], [9, 9]]), np.array([0, 0, 1, 2, 3, 4])
    found = LESSON.define("nearest_mean")["nearest_mean"](few, labels, np.array([[1.0, 1], [8, 0], [8, 8.5]]))
    assert found.tolist() == [0, 1, 4]
