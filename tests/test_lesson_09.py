"""Lesson 09 by its named cells: lesson and package compute the same, and a mistake fails the claim that guards it."""

import jax
import numpy as np
import pytensor
import pytest
from _mutants import fails
from scipy.special import log_softmax, softmax
from scipy.stats import special_ortho_group

from bnn_course import inference, models, uncertainty
from tools.lessons import lesson

LESSON = lesson("09")
CONTEST = dict.fromkeys(["MAP", "MAP, temperature", "ensemble", "ADVI", "last-layer Laplace", "MC dropout"])


@pytest.fixture
def rng():
    return np.random.default_rng(9)


def answers(rng, draws=4, images=300):
    """Probabilities (draw, image, class) and labels, made up."""
    return softmax(3 * rng.normal(size=(draws, images, 10)), axis=-1), rng.integers(10, size=images)


# Lesson and package ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior_sd", [0.3, 1.0])
def test_the_network_of_the_lesson_is_the_packages(rng, prior_sd):
    batch = rng.integers(256, size=(128, 784)).astype(np.uint8), rng.integers(10, size=128).astype(np.uint8)
    with pytensor.config.change_flags(floatX="float32"):
        given = {"train_images": batch[0], "train_labels": batch[1], "n_train": 55_000}
        names = LESSON.define("digit_network", given=given)
        images, labels = names["batch_images"], names["batch_labels"]
        theirs = models.image_classifier(images, labels, total_size=55_000, weight_sd=prior_sd)
        ours = names["digit_network"](prior_sd)
        point = {rv.name: rng.normal(0, 0.1, rv.type.shape).astype("float32") for rv in ours.free_RVs}
        densities = [inference.log_density(model)(point, *batch) for model in (ours, theirs)]
    assert densities[0] == pytest.approx(densities[1], rel=1e-6)


def test_the_scores_are_the_packages(rng):
    probabilities, labels = answers(rng)
    scores = LESSON.define("scores", given={"test_draws": {}, "live": {}})["scores"](probabilities, labels)
    mean = uncertainty.mean_probability(probabilities)
    for name in ("accuracy", "nll", "brier", "ece"):
        assert scores[name] == pytest.approx(getattr(uncertainty, name)(mean, labels), abs=1e-12)


def test_the_two_kinds_of_not_knowing_are_the_packages_and_add_up(rng):
    probabilities, _ = answers(rng)
    names = LESSON.define("epistemic", "aleatoric", "gap", given={"test_draws": {"ADVI": probabilities}})
    split = uncertainty.decompose_entropy(probabilities)
    np.testing.assert_allclose(names["epistemic"], split.epistemic, atol=1e-12)
    np.testing.assert_allclose(names["aleatoric"], split.aleatoric, atol=1e-12)
    np.testing.assert_allclose(names["gap"], 0, atol=1e-12)


# The methods ----------------------------------------------------------------------------------------------------------


def test_a_power_of_the_probabilities_divides_the_logits(rng):
    logits = rng.normal(size=(5, 10))
    tempered = LESSON.define("tempered")["tempered"]
    np.testing.assert_allclose(tempered(softmax(logits, axis=1), 1.7), softmax(logits / 1.7, axis=1), rtol=1e-12)


def test_the_temperature_is_found(rng):
    logits = 2 * rng.normal(size=(20_000, 10))
    labels = np.array([rng.choice(10, p=p) for p in softmax(logits / 1.4, axis=1)])
    best = LESSON.define("best_temperature")["best_temperature"]
    assert best(softmax(logits, axis=1), labels) == pytest.approx(1.4, abs=0.03)


def test_the_curvature_is_the_second_derivative_of_the_nll(rng):
    features, labels = rng.normal(size=(6, 3)), rng.integers(10, size=6)
    last = rng.normal(size=(3, 10))

    def nll(weights):
        return -log_softmax(features @ weights.reshape(3, 10), axis=1)[np.arange(6), labels].sum()

    hessian = LESSON.define("curvature")["curvature"](features, last)
    step = 1e-3
    for i, j in rng.integers(30, size=(40, 2)):
        a, b = step * np.eye(30)[i], step * np.eye(30)[j]
        flat = last.ravel()
        numerical = (nll(flat + a + b) - nll(flat + a - b) - nll(flat - a + b) + nll(flat - a - b)) / (4 * step**2)
        assert hessian[i, j] == pytest.approx(numerical, abs=1e-5)


def test_draws_of_the_last_layer_have_the_covariance_of_laplace(rng):
    turn = special_ortho_group.rvs(6, random_state=1)
    hessian = turn @ np.diag([1.0, 2, 4, 8, 16, 32]) @ turn.T
    last = rng.normal(size=(3, 2))
    draws = LESSON.define("laplace_draws")["laplace_draws"](last, hessian, 3.0, 40_000, rng).reshape(-1, 6)
    np.testing.assert_allclose(draws.mean(axis=0), last.ravel(), atol=0.02)
    np.testing.assert_allclose(np.cov(draws.T), np.linalg.inv(hessian + 3 * np.eye(6)), atol=0.005)


def test_without_dropout_the_network_is_the_plain_one_and_with_it_the_mean_input_is_kept(rng):
    weights = [(rng.normal(size=shape).astype("float32"), np.ones(shape[1], "float32")) for shape in [(9, 7), (7, 10)]]
    images = rng.integers(256, size=(4, 9))
    logits = LESSON.define("dropout_logits")["dropout_logits"]
    plain = np.maximum(images / 255 @ weights[0][0] + 1, 0) @ weights[1][0] + 1
    np.testing.assert_allclose(logits(weights, images, 0.0, jax.random.key(0)), plain, rtol=1e-4, atol=1e-4)
    keys = jax.random.split(jax.random.key(1), 4_000)
    mean = np.mean([logits(weights, images, 0.3, key) for key in keys], axis=0)
    np.testing.assert_allclose(mean, plain, atol=0.15)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_conformal_sets_hold_as_many_labels_as_promised_when_images_are_alike(rng, level):
    threshold = LESSON.define("conformal_threshold")["conformal_threshold"]
    probability = softmax(rng.normal(size=(40_000, 10)), axis=1)
    labels = np.array([rng.choice(10, p=p) for p in probability])
    found = threshold(probability[:20_000], labels[:20_000], level)
    held = 1 - probability[20_000:][np.arange(20_000), labels[20_000:]] <= found
    assert held.mean() == pytest.approx(level, abs=0.01)


# Mistakes -------------------------------------------------------------------------------------------------------------

RESULTS = "shift-and-strangers-results"
MUTANTS = {
    "the lead with the wrong sign": (
        "09-ensemble",
        "contest-results",
        "wide[over] - wide[method]",
        "wide[method] - wide[over]",
    ),
    "standard deviation for variance": ("09-variance", "doubt-results", '["variance_ratio"]', '["detection"]'),
    "doubt that does not find mistakes": ("09-detection", "doubt-results", '["detection"]', '["refuse_99"]'),
    "no unanimous mistake": ("09-unanimous", "doubt-results", '["unanimous_wrong"]', '["unanimous_wrong"] * 0'),
    "share of right ones": ("09-doubtful", "doubt-results", '["least_confident_wrong"]', '["accuracy"]'),
    "accuracy taken for coverage": ("09-coverage", RESULTS, '["coverage_95"]', '["accuracy"]'),
    "ensemble and ADVI exchanged": (
        "09-far",
        RESULTS,
        'pairs["ADVI"] - pairs["ensemble"]',
        'pairs["ensemble"] - pairs["ADVI"]',
    ),
    "far taken for near": ("09-near", RESULTS, 'gain["held-out digit"]', 'gain["clothes, masked"]'),
    "growth read backwards": ("09-elbo", RESULTS, "runs[300] / runs[20]", "runs[20] / runs[300]"),
}


@pytest.mark.parametrize("claim", sorted({claim for claim, *_ in MUTANTS.values()}))
def test_the_lesson_itself_passes(claim):
    LESSON.check(claim, given={"contest": CONTEST})


@pytest.mark.parametrize(("claim", "cell", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_a_mistake_fails_its_claim(claim, cell, old, new):
    with fails(claim):
        LESSON.check(claim, replace={cell: (old, new)}, given={"contest": CONTEST})
