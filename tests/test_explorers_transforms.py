"""The explorers of lesson 04: areas under densities, and the path of ADVI."""

import itertools
import re

import _explorers
import numpy as np
import pytest
from _explorers import named
from scipy import integrate, optimize, special, stats

from bnn_course import variational
from bnn_course.explorers import transforms
from bnn_course.explorers.transforms import (
    BEST,
    DRAWS,
    ETAS,
    SEED,
    STEPS,
    STRIP,
    TRANSFORMS,
    ascent,
    draw_jacobian,
    draw_path,
    elbo_gap,
    gap_of_best,
    masses,
)

JACOBIAN, PATH = ("transform", "a", "b", "place"), ("eta", "draws", "start", "steps")


def drawn(draw, *values):
    """The axes and the line of one of both drawing functions, its values in their order."""
    return _explorers.drawn(draw, **dict(zip(JACOBIAN if draw is draw_jacobian else PATH, values, strict=True)))


# Change of variable ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("a", [1, 1.5, 5, 8])
@pytest.mark.parametrize("b", [1, 1.5, 6, 8])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_area_is_one_with_the_jacobian_and_a_known_other_number_without(name, a, b):
    right, wrong = masses(name, a, b)
    assert right == pytest.approx(1, abs=1e-6)
    if a == 1 or (name == "logit" and b == 1):
        assert wrong == np.inf
    elif name == "log":
        assert wrong == pytest.approx(b / (a - 1), rel=1e-6)  # the mean of 1/θ
    else:
        assert wrong == pytest.approx(np.exp(special.betaln(a - 1, b - 1) - special.betaln(a, b)), rel=1e-6)


def test_without_the_jacobian_the_area_of_the_shooting_stars_is_half_too_large_and_right_by_luck_elsewhere():
    assert masses("log", 5, 6)[1] == pytest.approx(1.5)
    assert masses("log", 7, 6)[1] == pytest.approx(1)
    zeta = np.linspace(-5, 3, 801)
    true, forgetful = transforms.on_the_line("log", 7, 6, zeta)
    assert zeta[forgetful.argmax()] < zeta[true.argmax()] - 0.1


@pytest.mark.parametrize("name", TRANSFORMS)
def test_jacobians_are_derivatives_of_the_transforms(name):
    chosen, zeta = TRANSFORMS[name], np.linspace(-4, 4, 33)
    slope = (chosen.back(zeta + 1e-5) - chosen.back(zeta - 1e-5)) / 2e-5
    assert np.log(slope) == pytest.approx(chosen.log_jacobian(zeta), abs=1e-6)


@pytest.mark.parametrize("name, place", [("log", -0.8), ("log", 1.0), ("logit", -3), ("logit", 0.4)])
def test_the_strip_holds_the_probability_of_its_event(name, place):
    ends = TRANSFORMS[name].back(np.array([place - STRIP / 2, place + STRIP / 2]))
    share = np.diff(TRANSFORMS[name].density(2.5, 3.0).cdf(ends))[0]
    line = drawn(draw_jacobian, name, 2.5, 3.0, place)[1]
    assert float(re.search(r"strip holds (\S+) on", line)[1]) == pytest.approx(share, abs=0.0006)


def test_the_curves_are_those_of_the_lesson():
    axes, line = drawn(draw_jacobian, "log", 5.0, 6.0, -0.8)
    zeta, height = named(axes[1], "with").get_data()
    assert integrate.trapezoid(height, zeta) == pytest.approx(1, abs=1e-4)
    assert height == pytest.approx(stats.gamma.pdf(np.exp(zeta), 5, scale=1 / 6) * np.exp(zeta))
    zeta, height = named(axes[1], "without").get_data()
    assert integrate.trapezoid(height, zeta) == pytest.approx(1.5, abs=1e-3)
    theta, height = named(axes[0], "theta").get_data()
    assert height == pytest.approx(stats.gamma.pdf(theta, 5, scale=1 / 6))
    assert "with the Jacobian 1.000, without it 1.500" in line


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("a", [1.0, 8.0])
@pytest.mark.parametrize("b", [1.0, 8.0])
def test_extremes_of_the_densities_are_drawn_inside_the_axes(name, a, b):
    for place in (-3.0, 3.0):
        axes, line = drawn(draw_jacobian, name, a, b, place)
        assert ("infinite" in line) == (a == 1 or (name == "logit" and b == 1))
        assert "area over ζ with the Jacobian 1.000" in line
        for ax in axes:
            low, high = ax.get_ylim()
            assert low == 0 and all(np.isfinite(part.get_xydata()).all() for part in ax.lines)
            assert max(part.get_ydata().max() for part in ax.lines) <= high
        zeta, height = named(axes[1], "with").get_data()
        assert integrate.trapezoid(height, zeta) > 0.94  # the curve is on the axis


@pytest.mark.parametrize("values", [("root", 2, 2), ("log", 0.5, 2), ("logit", 2, 0.5)])
def test_unknown_transforms_and_densities_without_a_finite_height_are_refused(values):
    with pytest.raises(ValueError, match="must"):
        masses(*values)


# The path of ADVI -----------------------------------------------------------------------------------------------------


def test_the_best_normal_is_where_an_optimiser_finds_it():
    found = optimize.minimize(lambda v: elbo_gap(*v), [0.0, 0.0], tol=1e-10)
    assert found.x == pytest.approx(BEST, abs=1e-4)
    assert found.fun == pytest.approx(0, abs=1e-9)


def test_the_gap_is_a_difference_of_elbos():
    noise = np.random.default_rng(1).standard_normal((200_000, 1))

    def elbo(mean, log_sd):
        return transforms.log_joint(mean + np.exp(log_sd) * noise) + log_sd

    difference = elbo(*BEST) - elbo(0.4, -0.6)
    assert difference.mean() == pytest.approx(elbo_gap(0.4, -0.6), abs=5 * difference.std() / 200_000**0.5)


def test_the_gradient_is_the_derivative_of_the_log_density():
    zeta = np.linspace(-2, 1, 7)[:, None]
    slope = (transforms.log_joint(zeta + 1e-5) - transforms.log_joint(zeta - 1e-5)) / 2e-5
    assert transforms.gradient(zeta)[:, 0] == pytest.approx(slope, abs=1e-5)


def test_the_dashed_line_is_the_kl_divergence_of_the_best_normal():
    q = stats.norm(BEST[0], np.exp(BEST[1]))

    def integrand(zeta):
        log_p = 5 * np.log(6) - special.gammaln(5) + 5 * zeta - 6 * np.exp(zeta)
        return q.pdf(zeta) * (q.logpdf(zeta) - log_p)

    assert gap_of_best() == pytest.approx(integrate.quad(integrand, -6, 5)[0], abs=1e-8)
    axes, _ = drawn(draw_path, 1.0, 1, -1.5, 60)
    heights = [10 ** line.get_ydata()[0] for line in axes[1].lines if line.get_linestyle() == "--"]
    assert heights == pytest.approx([0.017], abs=0.001)


def test_the_path_is_that_of_the_package():
    rng = np.random.default_rng(SEED)
    fit = variational.advi(
        transforms.log_joint, transforms.gradient, np.array([1.2]), steps=STEPS, eta=0.3, draws=3, rng=rng
    )
    axes, line = drawn(draw_path, 0.3, 3, 1.2, 80)
    path = named(axes[0], "path").get_xydata()
    assert path == pytest.approx(fit.path[:81, :, 0])
    assert 10 ** named(axes[1], "gap").get_ydata() == pytest.approx(np.maximum(elbo_gap(*path.T), 1e-5))
    numbers = re.search(r"Step 80: μ (\S+), ln σ (\S+) \(best −0.28, −0.80\). ELBO (\S+) nats", line)
    values = [float(text.replace("−", "-")) for text in numbers.groups()]
    assert values[:2] == pytest.approx(path[-1], abs=0.0051)
    assert values[2] == pytest.approx(elbo_gap(*path[-1]), abs=0.00051)


def test_labels_of_contours_stand_on_their_lines_and_apart():
    axes, _ = drawn(draw_path, 1.0, 1, -1.5, 60)
    labels = [text for text in axes[0].texts if text.get_text()[0].isdigit()]
    assert len(labels) == 4
    for text in labels:
        assert elbo_gap(*text.get_position()) == pytest.approx(float(text.get_text()), rel=1e-6)
    boxes = [text.get_window_extent().padded(5) for text in labels]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    (lines,) = axes[0].collections
    gaps = [elbo_gap(*path.vertices.T) for path in lines.get_paths()]
    nearest = [np.abs(np.array(transforms.LEVELS) / gap.mean() - 1).min() for gap in gaps]
    assert max(nearest) < 0.02 and max(np.ptp(gap) / gap.mean() for gap in gaps) < 0.1


def test_more_draws_and_smaller_steps_hover_lower():
    late = {key: elbo_gap(*ascent(*key, -1.5)[100:].T).mean() for key in [(1.0, 1), (1.0, 100), (0.3, 1)]}
    assert late[1.0, 100] < late[1.0, 1] / 5 and late[0.3, 1] < late[1.0, 1]


@pytest.mark.parametrize("eta", ETAS)
@pytest.mark.parametrize("draws", DRAWS)
def test_every_setting_is_drawn_finite_from_its_first_step_to_its_last(eta, draws):
    for start in (-1.5, 1.2):
        for steps in (1, STEPS):
            axes, line = drawn(draw_path, eta, draws, start, steps)
            assert all(np.isfinite(part.get_xydata()).all() for ax in axes for part in ax.lines)
            assert line.startswith((f"Step {steps}: ", "Stopped: "))


def test_the_first_leaps_of_the_largest_steps_are_said_without_overflow():
    for draws, steps in [(1, 1), (1, 2), (30, 13)]:
        line = drawn(draw_path, max(ETAS), draws, -1.5, steps)[1]
        assert "off the map" in line and "ELBO over 1000 nats below" in line


def test_a_run_whose_gradient_explodes_stops_and_says_so():
    stopped = [(e, d, s) for e in ETAS for d in DRAWS for s in (-1.5, 1.2) if len(ascent(e, d, s)) <= STEPS]
    for setting in stopped:
        done = len(ascent(*setting)) - 1
        assert f"Stopped: after step {done} the gradient" in drawn(draw_path, *setting, STEPS)[1]
        assert drawn(draw_path, *setting, done)[1].startswith(f"Step {done}: ")
    assert stopped and min(setting[0] for setting in stopped) == max(ETAS)


# Builders -------------------------------------------------------------------------------------------------------------


def test_the_controls_reach_what_the_drawing_functions_document():
    shape, path = transforms.jacobian(), transforms.path()
    assert list(shape.values) == ["transform", "a", "b", "place"] and shape.player is None
    assert (shape.controls["a"].min, shape.controls["b"].min) == (1, 1)
    assert list(path.values) == ["eta", "draws", "start", "steps"]
    assert (path.controls["steps"].min, path.controls["steps"].max) == (path.player.min, path.player.max) == (1, STEPS)
