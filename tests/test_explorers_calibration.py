"""The explorer of temperature in lesson 09: what it draws and says, computed again from probabilities."""

import numpy as np
import pytest
from _explorers import EXPLORERS, moved, named, numbers
from matplotlib.figure import Figure
from scipy.special import log_softmax, softmax

from bnn_course import data, uncertainty
from bnn_course.explorers import calibration as room
from bnn_course.explorers import digits
from tools.lessons import lesson

EXPLORER = EXPLORERS["temperature"]()


@pytest.fixture(scope="module")
def mnist():
    return data.load_mnist()


@pytest.fixture(scope="module")
def networks():
    return digits.draw_networks(data.load_digit_posterior(), digits.DRAWS, np.random.default_rng(2017))


@pytest.mark.parametrize("count", [1, 3])
def test_the_answers_are_means_over_the_first_networks(mnist, networks, count):
    made = room.answers(count)
    test = digits.probabilities(networks[:count], mnist.test_images[:200]).mean(axis=0)
    choose = digits.probabilities(networks[:count], mnist.train_images[55_000:55_200]).mean(axis=0)
    np.testing.assert_allclose(made.test[:200], test, atol=2e-5)
    np.testing.assert_allclose(made.choose[:200], choose, atol=2e-5)
    assert (made.test_labels == mnist.test_labels).all()
    assert (made.choose_labels == mnist.train_labels[55_000:57_500]).all()


def test_the_images_that_choose_are_those_of_the_lesson_and_never_those_that_test():
    lines = [line for line in lesson("09")["split"].splitlines() if line.startswith("ends = ")]
    assert lines == [f"ends = [{room.CHOOSE.start:_}, {room.CHOOSE.stop:_}]"]


def test_a_temperature_divides_the_logits():
    logits = np.random.default_rng(9).normal(size=(50, 10))
    mine, theirs = room.tempered, lesson("09").define("tempered")["tempered"]
    for temperature in (0.4, 1.0, 2.5):
        wanted = softmax(logits / temperature, axis=1)
        np.testing.assert_allclose(mine(softmax(logits, axis=1), temperature), wanted, rtol=1e-10)
        np.testing.assert_allclose(theirs(softmax(logits, axis=1), temperature), wanted, rtol=1e-10)


@pytest.mark.parametrize("count", room.COUNTS)
def test_no_temperature_has_a_lower_nll_on_the_images_that_choose(count):
    made, chosen = room.answers(count), room.chosen_temperature(count)
    rows = np.arange(len(made.choose))

    def loss(temperature):
        return -log_softmax(np.log(made.choose) / temperature, axis=1)[rows, made.choose_labels].mean()

    least = loss(chosen)
    assert all(loss(chosen + move) > least for move in (-0.05, -0.01, 0.01, 0.05))
    assert all(loss(temperature) >= least for temperature in np.linspace(room.COLDEST, room.HOTTEST, 22))


@pytest.mark.parametrize("count", room.COUNTS)
@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_diagram_dot_and_line_are_scores_of_the_tempered_answers(count, temperature):
    (diagram, losses), line = moved(EXPLORER, count=count, temperature=temperature)
    made = room.answers(count)
    now = softmax(np.log(made.test) / temperature, axis=1)
    confidence, hit = now.max(axis=1), now.argmax(axis=1) == made.test_labels
    nll = -np.log(now[np.arange(len(hit)), made.test_labels]).mean()
    bins = np.ceil(10 * confidence).astype(int)
    filled = np.unique(bins)
    wanted = [[confidence[bins == place].mean(), hit[bins == place].mean()] for place in filled]
    assert named(diagram, "series").get_xydata() == pytest.approx(np.array(wanted))
    assert named(losses, "here").get_xydata()[0] == pytest.approx([temperature, nll])
    assert np.interp(temperature, *named(losses, "test").get_data()) == pytest.approx(nll, abs=1e-4)
    assert named(losses, "chosen T").get_xdata()[0] == room.chosen_temperature(count)
    said = numbers(line)[-5:]
    wanted = [
        temperature,
        uncertainty.ece(now, made.test_labels),
        nll,
        100 * hit.mean(),
        room.chosen_temperature(count),
    ]
    assert said == pytest.approx(wanted, abs=0.0051)
    assert said[1:3] == pytest.approx(wanted[1:3], abs=6e-5)


def test_the_curves_stay_on_the_axis_and_do_not_move_with_the_temperature():
    for count in room.COUNTS:
        (_, losses), _ = moved(EXPLORER, count=count)
        low, high = losses.get_ylim()
        assert all(
            low < named(losses, each).get_ydata().min() < named(losses, each).get_ydata().max() < high
            for each in ("test", "choosing")
        )


@pytest.mark.parametrize("count", room.COUNTS)
def test_no_temperature_changes_an_answer(count):
    made = room.answers(count)
    for temperature in (room.COLDEST, room.HOTTEST):
        assert (room.tempered(made.test, temperature).argmax(axis=1) == made.test.argmax(axis=1)).all()


def test_what_the_lesson_says_one_can_see():
    def scores(count, temperature):
        return numbers(moved(EXPLORER, count=count, temperature=temperature)[1])[-4:-1]  # ECE, NLL, accuracy

    modest, bold = room.chosen_temperature(20), room.chosen_temperature(1)
    assert 0.7 < modest < 0.8 < 0.9 < room.chosen_temperature(3) < 1.05 < 1.2 < bold
    for count, chosen in ((20, modest), (1, bold)):
        assert scores(count, chosen)[0] < scores(count, 1.0)[0] / 2
        assert scores(count, chosen)[2] == scores(count, 1.0)[2]
    assert scores(1, bold)[1] > 1.5 * scores(20, modest)[1] and scores(1, bold)[2] < scores(20, modest)[2] - 1


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"temperature": 0.1}, r"temperature must lie in \[0.4, 2.5\], got 0.1"),
        ({"temperature": float("nan")}, "temperature must lie in .*got nan"),
        ({"count": 2}, "count must be one of .*got 2"),
    ],
)
def test_values_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        room.draw_temperature(Figure(), **(EXPLORER.values | wrong))


def test_a_temperature_must_be_positive():
    with pytest.raises(ValueError, match=r"temperature must lie in \(0, inf\), got 0"):
        room.tempered(np.full((1, 2), 0.5), 0.0)
