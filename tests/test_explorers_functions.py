"""The explorers of lessons 05 and 06: prior functions, and the band of a network known exactly."""

import re

import numpy as np
import pytest
from _explorers import drawn
from scipy import stats

from bnn_course.explorers import functions as room

PRIORS = {"family": "Normal", "scale": 3, "width": 50, "depth": 1, "activation": "tanh"}
BAND = {"points": 12, "noise_sd": 0.2, "layout": "two groups"}


def sd(line):
    """The epistemic and total sd at the three places, as the line says them."""
    return np.array([[float(a), float(b)] for a, b in re.findall(r"epistemic sd ([\d.]+), total ([\d.]+)", line)]).T


# --- prior functions ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "truth"),
    [("Normal", stats.norm()), ("Laplace", stats.laplace()), ("Student-t", stats.t(3)), ("Cauchy", stats.cauchy())],
)
def test_a_normal_weight_with_its_own_scale_has_the_named_distribution(family, truth):
    weights = room.standard_weights(family)[1][0].ravel()  # three hundred thousand of them
    assert stats.kstest(weights, truth.cdf).statistic < 0.004


def test_all_families_share_their_normal_draws():
    normal, cauchy = (room.standard_weights(family)[0][0] for family in ("Normal", "Cauchy"))
    assert (np.sign(normal) == np.sign(cauchy)).all()


def test_one_layer_is_the_sum_of_lesson_06():
    (w1, b1), *_, (w2, _) = room.standard_weights("Laplace")
    x, draw = room.LINE, 4
    terms = [3 * w2[draw, k, 0] * np.tanh(3 * w1[draw, 0, k] * x + 3 * b1[draw, 0, k]) for k in range(10)]
    functions = room.prior_functions("Laplace", 3, 10, 1, "tanh")
    assert functions[draw] == pytest.approx(sum(terms) / np.sqrt(10))


def test_rectified_networks_of_two_layers_are_what_a_loop_computes():
    (w1, b1), (w2, b2), _, (w3, _) = room.standard_weights("Normal")
    x = room.LINE[17]
    first = [max(0, 0.3 * (w1[2, 0, k] * x + b1[2, 0, k])) for k in range(5)]
    second = [max(0, 0.3 * (sum(first * w2[2, :5, k]) / np.sqrt(5) + b2[2, 0, k])) for k in range(5)]
    expected = sum(0.3 * w3[2, k, 0] * second[k] for k in range(5)) / np.sqrt(5)
    assert room.prior_functions("Normal", 0.3, 5, 2, "ReLU")[2, 17] == pytest.approx(expected)


def test_the_variance_of_normal_networks_is_that_of_the_theory_at_every_width():
    nodes, weight = np.polynomial.hermite_e.hermegauss(60)
    theory = 9 * (weight @ np.tanh(3 * np.sqrt(2) * nodes) ** 2) / weight.sum()  # at x = 1
    place = np.abs(room.LINE - 1).argmin()
    for width in (5, 50, 100):
        variance = room.prior_functions("Normal", 3, width, 1, "tanh")[:, place].var()
        assert 0.4 < variance / theory < 1.8  # thirty draws


def test_a_step_happens_on_one_step_of_the_axis_and_a_straight_line_on_half_of_it():
    step, line = np.where(np.arange(201) < 100, 0.0, 1.0), np.linspace(0, 1, 201)
    assert room.half_of_the_way(np.stack([step, line])) == pytest.approx([1 / 200, 0.5], abs=1 / 150)


def test_cauchy_networks_are_the_ones_with_steps():
    half = {
        family: np.median(room.half_of_the_way(room.prior_functions(family, 3, 50, 1, "tanh")))
        for family in room.FAMILIES
    }
    assert half["Cauchy"] < half["Student-t"] < half["Normal"] and half["Cauchy"] < half["Laplace"] < half["Normal"]


def test_each_drawn_function_fills_its_own_row_and_its_size_stands_beside_it():
    (left, right), _ = drawn(room.draw_priors, **PRIORS)
    functions = room.prior_functions(**PRIORS)
    for k, (curve, dot) in enumerate(zip(left.lines, right.lines, strict=True)):
        y = curve.get_ydata()
        assert (y.min(), y.max()) == pytest.approx((k + 0.1, k + 0.9))
        assert np.corrcoef(y, functions[k])[0, 1] == pytest.approx(1)
        assert 10 ** dot.get_xdata()[0] == pytest.approx(np.ptp(functions[k])) and k < dot.get_ydata()[0] < k + 1
    assert len(left.lines) == room.SHOWN


def test_the_line_tells_half_of_the_way_and_the_spread_at_one():
    _, line = drawn(room.draw_priors, **PRIORS)
    functions = room.prior_functions(**PRIORS)
    steps = np.abs(np.diff(functions, axis=1))
    counts = [next(n for n in range(1, 201) if np.sort(s)[-n:].sum() >= s.sum() / 2) for s in steps]
    spread = stats.iqr(functions[:, 133 if room.LINE[133] >= 1 - 1e-9 else 134])
    assert f"on {100 * np.median(counts) / 200:.0f} % of the axis" in line and line.endswith(f"spans {spread:.2g}")


@pytest.mark.parametrize("wrong", [{"family": "normal"}, {"activation": "relu"}])
def test_an_unknown_name_is_refused_with_the_known_ones(wrong):
    with pytest.raises(ValueError, match="must be one of"):
        room.prior_functions(**(PRIORS | wrong))


# --- the band -----------------------------------------------------------------------------------


def test_the_band_is_that_of_a_gaussian_process_with_the_same_features():
    x, noise = room.observations("two groups")
    y, at = room.truth(x) + 0.2 * noise, np.array([-1.5, 0.0, 3.5])
    phi, there = room.features(x), room.features(at)
    cross, inverse = 4 * there @ phi.T, np.linalg.inv(4 * phi @ phi.T + 0.04 * np.eye(len(x)))
    mean, epistemic = room.predictive(x, y, 0.2, at)
    assert mean == pytest.approx(cross @ inverse @ y, abs=1e-6)
    assert epistemic**2 == pytest.approx(np.diag(4 * there @ there.T - cross @ inverse @ cross.T), abs=1e-6)


def test_the_line_says_the_sd_at_the_three_places_and_variances_add():
    _, line = drawn(room.draw_band, **BAND)
    x, noise = (values[:12] for values in room.observations("two groups"))
    _, epistemic = room.predictive(x, room.truth(x) + 0.2 * noise, 0.2, np.array(room.PLACES))
    assert sd(line) == pytest.approx(np.array([epistemic, np.sqrt(epistemic**2 + 0.04)]), abs=0.006)
    assert line.startswith("12 points, aleatoric sd 0.2 everywhere; at x = −1.5 ")


def test_between_and_outside_the_points_the_network_is_less_sure_than_among_them():
    among, between, outside = sd(drawn(room.draw_band, **BAND)[1])[0]
    assert 3 * among < between and 3 * among < outside


@pytest.mark.parametrize("layout", room.LAYOUTS)
def test_more_points_never_raise_the_epistemic_sd_and_never_touch_the_aleatoric(layout):
    curves = []
    for points in (1, 5, 20, 60):
        (_, lower), _ = drawn(room.draw_band, **(BAND | {"points": points, "layout": layout}))
        total, aleatoric, epistemic = (curve.get_ydata() for curve in lower.lines)
        assert total**2 == pytest.approx(aleatoric**2 + epistemic**2)
        assert aleatoric == pytest.approx(0.2)
        curves.append(epistemic)
    assert (np.diff(curves, axis=0) <= 1e-9).all()


def test_adding_points_leaves_the_earlier_ones_in_place_and_all_lie_where_the_control_says():
    few, many = (drawn(room.draw_band, **(BAND | {"points": n}))[0][0].lines[-1].get_xydata() for n in (5, 60))
    assert (few == many[:5]).all()
    places = np.abs(many[:, 0])
    assert ((places >= 1) & (places <= 2.5)).all() and (many[:, 0] > 0).sum() == 30
    assert room.observations("left half")[0].max() <= 0 and room.observations("everywhere")[0].min() >= -4.5


def test_the_shaded_bands_are_two_sd_wide():
    (upper, lower), _ = drawn(room.draw_band, **BAND)
    total, _, epistemic = (curve.get_ydata() for curve in lower.lines)
    mean = upper.lines[0].get_ydata()
    for band, width in zip(upper.collections, (total, epistemic), strict=True):
        box = band.get_paths()[0].vertices
        assert box[:, 1].max() == pytest.approx((mean + 2 * width).max())
        assert box[:, 1].min() == pytest.approx((mean - 2 * width).min())


def test_an_unknown_layout_is_refused():
    with pytest.raises(ValueError, match="layout must be one of 'two groups'"):
        room.observations("three groups")
