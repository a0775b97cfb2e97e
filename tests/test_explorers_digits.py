"""Explorers of lesson 09: the NumPy prediction is the lesson's own, and what is drawn and said is what it gives."""

import itertools
from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from _explorers import drawn, numbers, strokes
from matplotlib.figure import Figure

from bnn_course import data, inference, models, plots, uncertainty
from bnn_course.explorers import digits


@pytest.fixture(scope="module")
def mnist():
    return data.load_mnist()


@pytest.fixture(scope="module")
def posterior():
    return data.load_digit_posterior()


ONE = [(98, 30), (98, 160)]
SEVEN = [(50, 40), (140, 40), (90, 160)]
SMALL_N = [[(60, 60), (60, 160)], [(60, 90), (80, 62), (110, 60), (130, 80), (132, 160)]]
LETTER_W = [(30, 50), (65, 150), (98, 80), (130, 150), (165, 50)]


# Oracle: the prediction is that of the lesson -------------------------------------------------------------------------


def test_draws_and_probabilities_are_those_of_the_lesson(mnist, posterior):
    pictures = mnist.test_images[:40].reshape(-1, 784)
    batch = pm.Minibatch(pictures, mnist.test_labels[:40], batch_size=8)
    model = models.image_classifier(*batch, total_size=40)
    fit = inference.advi(model, steps=1, learning_rate=1e-3, random_seed=0)
    mean = tuple(posterior.mean[name] for name in fit.mean)
    log_sd = tuple(np.log(posterior.sd[name]) for name in fit.mean)
    fit = replace(fit, state=fit.state._replace(mean=mean, log_sd=log_sd))
    sample = fit.sample(4, random_seed=7)
    wanted = inference.predict(model, sample, "probability", given={batch[0]: pictures})
    networks = digits.draw_networks(posterior, 4, np.random.default_rng(7))
    for name in posterior.mean:
        np.testing.assert_allclose(
            np.stack([network[name] for network in networks]), sample["posterior"][name].values[0], atol=1e-6
        )
    np.testing.assert_allclose(digits.probabilities(networks, mnist.test_images[:40]), wanted, atol=2e-5)


def test_the_shipped_posterior_is_as_accurate_as_the_lesson_claims_of_every_seed(mnist):
    _scores, answers = digits._judged()
    assert (answers == mnist.test_labels).mean() >= 0.977


def test_half_precision_changes_neither_accuracy_nor_uncertainty(mnist, posterior):
    """The fit lay where rounding leads to what is stored: so any point there must say the same."""
    rng = np.random.default_rng(3)

    def unrounded(value):
        half = value.astype(np.float16)
        low, high = (value + 0.499 * (np.nextafter(half, np.float16(end)) - value) for end in (-np.inf, np.inf))
        return rng.uniform(low, high).astype(np.float32)

    before = data.DigitPosterior(*({name: unrounded(value) for name, value in part.items()} for part in posterior))
    for part, shipped in zip(before, posterior, strict=True):
        assert all(np.array_equal(part[name].astype(np.float16), shipped[name]) for name in part)
        assert not np.array_equal(part["w1"], shipped["w1"])
    stored, fitted = (
        digits.probabilities(digits.draw_networks(p, 10, np.random.default_rng(5)), mnist.test_images)
        for p in (posterior, before)
    )
    right = [uncertainty.accuracy(uncertainty.mean_probability(p), mnist.test_labels) for p in (stored, fitted)]
    assert abs(right[0] - right[1]) <= 0.0005
    for a, b in zip(uncertainty.decompose_entropy(stored), uncertainty.decompose_entropy(fitted), strict=True):
        assert np.abs(a - b).max() <= 0.005


# Rejecting ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score, percent", list(itertools.product(digits.SCORES, (0.5, 3, 30))))
def test_the_line_counts_errors_as_the_risk_coverage_curve_does(mnist, score, percent):
    scores, answers = digits._judged()
    wrong = answers != mnist.test_labels
    axes, line = drawn(digits.draw_rejecting, percent=percent, score=score)
    rejected = np.argsort(-scores[score], kind="stable")[: round(100 * percent)]
    left = wrong.sum() - wrong[rejected].sum()
    said = numbers(line.replace(score, ""))
    assert said[:2] == [percent, 10_000] and said[-2:] == [left, wrong.sum()]
    assert said[2] == pytest.approx(scores[score][rejected].min(), rel=0.05)
    assert said[3] == pytest.approx(100 * wrong[rejected].mean(), abs=0.5)
    assert said[4] == pytest.approx(100 - 100 * left / (10_000 - len(rejected)), abs=0.005)
    (point,) = (artist for artist in axes[0].lines if artist.get_marker() == "o")
    assert point.get_xydata()[0] == pytest.approx([1 - percent / 100, left / (10_000 - len(rejected))])


@pytest.mark.parametrize("score", digits.SCORES)
def test_the_chosen_curve_is_blue_and_goes_through_the_point(score):
    ax = drawn(digits.draw_rejecting, percent=5.0, score=score)[0][0]
    (curve,) = (line for line in ax.lines if line.get_color() == plots.BLUE)
    (point,) = (line for line in ax.lines if line.get_color() == plots.VERMILLION)
    x, y = point.get_xydata()[0]
    assert np.interp(x, *curve.get_data()) == pytest.approx(y, abs=1e-4)
    assert sum(line.get_color() == plots.GREY for line in ax.lines) == 3


def test_the_row_shows_the_ten_digits_above_the_threshold_with_answer_and_label(mnist):
    scores, answers = digits._judged()
    row = drawn(digits.draw_rejecting, percent=3, score="total entropy")[0][1]
    just = np.argsort(-scores["total entropy"], kind="stable")[:300][::-1][:10]
    shown = row.images[0].get_array()
    for place, item in enumerate(just):
        np.testing.assert_array_equal(shown[2:30, 32 * place + 2 : 32 * place + 30], mnist.test_images[item])
        text = row.texts[place]
        assert text.get_text() == f"says {answers[item]}\nis {mnist.test_labels[item]}"
        right = answers[item] == mnist.test_labels[item]
        assert (text.get_color(), text.get_fontweight()) == (
            (plots.BLUE, "normal") if right else (plots.VERMILLION, "bold")
        )


# Turning --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit, index", list(digits.DIGITS.items()))
def test_every_digit_to_turn_is_what_its_name_says_and_is_read_upright(mnist, digit, index):
    assert str(mnist.test_labels[index]) == digit
    assert f"says {digit}" in drawn(digits.draw_turning, digit=digit, angle=0)[1]


@pytest.mark.parametrize("digit, angle", list(itertools.product(digits.DIGITS, (0, 90, 180, 360))))
def test_line_bars_and_dots_of_a_turned_digit_say_the_same(digit, angle):
    axes, line = drawn(digits.draw_turning, digit=digit, angle=angle)
    _picture, bars, curves = axes
    heights = np.array([bar.get_height() for bar in bars.patches])
    assert heights.sum() == pytest.approx(1, abs=1e-5)
    assert f"says {heights.argmax()}" in line and f"A {digit} turned by {angle}°" in line
    (dots,) = (artist for artist in curves.lines if artist.get_marker() == "o")
    total, epistemic = dots.get_ydata()
    assert numbers(line)[-2:] == pytest.approx([total, epistemic], abs=0.005)
    for artist, value in zip(curves.lines[:2], (total, epistemic), strict=True):
        assert artist.get_ydata()[list(digits.ANGLES).index(angle)] == value


def test_a_quarter_turn_is_to_the_left_as_in_the_lesson(mnist):
    picture = drawn(digits.draw_turning, digit="3", angle=90)[0][0].images[0].get_array()
    np.testing.assert_array_equal(picture, np.rot90(mnist.test_images[digits.DIGITS["3"]]))


def test_the_three_of_the_explorer_is_that_of_the_lesson(mnist):
    assert digits.DIGITS["3"] == np.flatnonzero(mnist.test_labels == 3)[1]


def test_what_lesson_09_says_of_turned_digits():
    draws = {digit: digits._turned(digit)[1] for digit in "367"}
    at = {angle: place for place, angle in enumerate(digits.ANGLES)}
    whiskers = np.quantile(draws["3"][:, at[60], [4, 5, 7]], [0.05, 0.95], axis=0)
    assert whiskers[0].max() < 0.05 and whiskers[1].min() > 0.75
    six, seven = draws["6"][:, at[150]], draws["7"][:, at[180]]
    assert six[:, 9].mean() > 0.95 and (six.argmax(axis=1) == 9).all()
    assert (seven.argmax(axis=1) == 6).mean() >= 0.85


# Drawing --------------------------------------------------------------------------------------------------------------


def test_a_digit_of_mnist_is_left_nearly_as_it_is_and_read_as_well(mnist):
    pictures = np.stack([digits.as_mnist(image) for image in mnist.test_images[:1000]])
    change = np.abs(pictures.astype(float) - mnist.test_images[:1000]).mean(axis=(1, 2))
    assert np.median(change) < 10  # of 255
    draws = digits.probabilities(digits._networks(), pictures)
    assert uncertainty.accuracy(uncertainty.mean_probability(draws), mnist.test_labels[:1000]) >= 0.96


@pytest.mark.parametrize("shift", [(0, 0), (3, -3), (-3, 4)])
def test_the_place_of_a_drawing_does_not_matter(shift):
    ink = strokes([(70, 60), (120, 60), (95, 130)])
    moved = np.roll(ink, shift, axis=(0, 1))
    np.testing.assert_allclose(digits.as_mnist(moved), digits.as_mnist(ink), atol=1)


@pytest.mark.parametrize("size", [0.5, 0.75, 1.0])
def test_a_drawing_of_any_size_fills_the_box_around_its_centre_of_mass(size):
    picture = digits.as_mnist(strokes([(98 + size * (x - 98), 98 + size * (y - 98)) for x, y in SEVEN])).astype(float)
    extent = np.ptp(np.argwhere(picture > 64), axis=0).max() + 1
    assert abs(extent - data.BOX) <= 1
    assert picture.max() == 255
    for indices in np.indices(picture.shape):
        assert np.average(indices, weights=picture) == pytest.approx(14, abs=0.1)


@pytest.mark.parametrize("lines, answer", [([ONE], 1), ([SEVEN], 7), (SMALL_N, 0)])
def test_drawn_strokes_are_read_with_certainty_even_a_small_n(lines, answer):
    _axes, line = drawn(digits.draw_drawing, ink=strokes(*lines).tobytes())
    assert line.startswith(f"Your drawing: the network says {answer} with over 99 %. Total entropy 0.0")


def test_a_letter_w_has_more_mutual_information_than_nearly_all_digits():
    line = drawn(digits.draw_drawing, ink=strokes(LETTER_W).tobytes())[1]
    *_, total, epistemic, share = numbers(line)
    assert epistemic > 0.4 * total > 0.4 and share >= 98


def test_a_blank_pad_shows_a_letter_that_the_network_does_not_know():
    axes, line = drawn(digits.draw_drawing, ink=bytes(784))
    assert line.startswith("The pad is blank; for example the letter K:")
    np.testing.assert_array_equal(
        axes[0].images[0].get_array(), digits.as_mnist(data.render_letters("K", style="sans")[0])
    )
    *_, total, epistemic, share = numbers(line)
    assert epistemic > total / 2 and share >= 98  # as lesson 09 says


def single(place, value):
    ink = np.zeros(784, np.uint8)
    ink[place] = value
    return ink.tobytes()


EXTREMES = {
    "blank": bytes(784),
    "full": bytes([255] * 784),
    "one faint cell": single(0, 1),
    "two corners": single([0, 783], 255),
    "noise": np.random.default_rng(0).integers(0, 256, 784, dtype=np.uint8).tobytes(),
}


@pytest.mark.parametrize("ink", list(EXTREMES.values()), ids=list(EXTREMES))
def test_bars_parts_and_line_of_any_drawing_say_the_same(ink):
    axes, line = drawn(digits.draw_drawing, ink=ink)
    picture, bars, parts = axes
    assert picture.images[0].get_array().max() == 255
    heights = np.array([bar.get_height() for bar in bars.patches])
    assert heights.sum() == pytest.approx(1, abs=1e-5) and f"says {heights.argmax()}" in line
    aleatoric, epistemic = (bar.get_width() for bar in parts.patches)
    assert parts.patches[1].get_x() == aleatoric
    total, said, *_ = numbers(line.partition("entropy")[2])
    assert (total, said) == pytest.approx((aleatoric + epistemic, epistemic), abs=0.006)


@pytest.mark.parametrize("share, words", [(1, "all"), (0.999, "99 % of the"), (0.5, "50 % of the"), (0, "0 % of the")])
def test_all_test_digits_means_all(share, words):
    assert digits._in_words(share) == words


@pytest.mark.parametrize("top, words", [(0.996, "over 99 %"), (0.994, "99 %"), (0.5, "50 %")])
def test_certainty_is_never_said_to_be_complete(top, words):
    assert digits._says(np.array([[1 - top, top]])) == f"the network says {int(top > 0.5)} with {words}"


# Explorers and refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw, values, message",
    [
        (digits.draw_rejecting, {"percent": 31, "score": "total entropy"}, "percent must lie in [0.1, 30"),
        (digits.draw_rejecting, {"percent": 3, "score": "entropy"}, "score must be one of 'total entropy', "),
        (digits.draw_turning, {"digit": "5", "angle": 0}, "digit must be one of '3', '1', "),
        (digits.draw_turning, {"digit": "3", "angle": 7}, "angle must be one of 0, 5, "),
        (digits.draw_drawing, {"ink": bytes(10)}, "ink must hold 784 bytes, got 10: pass"),
    ],
)
def test_drawing_functions_refuse(draw, values, message):
    with pytest.raises(ValueError) as caught:
        draw(Figure(), **values)
    assert str(caught.value).startswith(message)


def test_a_blank_picture_cannot_be_centred():
    with pytest.raises(ValueError, match="ink must be above 0 somewhere, got a blank picture: draw something"):
        digits.as_mnist(np.zeros((28, 28)))
