"""The explorers of lesson 03: densities, bars and lines of numbers."""

from itertools import product

import numpy as np
import pytest
from _explorers import drawn, named, numbers
from matplotlib.figure import Figure
from scipy import stats
from scipy.integrate import quad

from bnn_course import exact
from bnn_course.explorers import bounds as room

EVIDENCE = {"mean": 1.0, "sd": 0.5, "reading": 2.5}
DIRECTIONS = {"mean": 0.2, "sd": 1.2, "separation": 4.5}


def bars(ax):
    """Lower end and upper end of every bar."""
    return [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.patches]


# --- both ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw, values", [(room.draw_evidence, EVIDENCE), (room.draw_directions, DIRECTIONS)])
def test_q_is_drawn_as_the_normal_of_the_sliders(draw, values):
    (left, _), _ = drawn(draw, **values)
    theta, density = named(left, "q").get_data()
    assert density == pytest.approx(stats.norm.pdf(theta, values["mean"], values["sd"]), abs=1e-12)


# --- evidence -----------------------------------------------------------------------------------


def direct_log_joint(theta, reading):
    return stats.norm.logpdf(reading, abs(theta), 1) + stats.norm.logpdf(theta, 0, 2)


@pytest.mark.parametrize("reading", [0.0, 1.5, 4.0])
def test_evidence_and_posterior_are_those_of_quadrature(reading):
    by_quadrature = exact.log_integral(lambda theta: direct_log_joint(theta, reading), -20, 20, cells=4000)
    assert room.reading_log_evidence(reading) == pytest.approx(by_quadrature, abs=1e-5)
    wanted = direct_log_joint(room.THETA, reading) - by_quadrature
    assert room.reading_log_posterior(reading) == pytest.approx(wanted, abs=1e-5)
    assert room.integral(np.exp(room.reading_log_posterior(reading))) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("mean, sd", [(1, 0.5), (-3, 0.2), (0, 3)])
@pytest.mark.parametrize("reading", [0.0, 2.5, 4.0])
def test_elbo_and_kl_are_the_integrals_and_their_sum_is_the_evidence(mean, sd, reading):
    elbo, kl = room.elbo_and_kl(mean, sd, reading)
    q = stats.norm(mean, sd)
    wanted = quad(
        lambda theta: q.pdf(theta) * (direct_log_joint(theta, reading) - q.logpdf(theta)),
        mean - 9 * sd,
        mean + 9 * sd,
        points=[0] if abs(mean) < 9 * sd else None,
        limit=200,
    )[0]
    assert elbo == pytest.approx(wanted, abs=1e-3)
    assert kl >= -1e-9
    assert elbo + kl == pytest.approx(room.reading_log_evidence(reading), abs=1e-9)


def test_elbo_and_kl_do_not_look_at_one_another(monkeypatch):
    elbo, kl = room.elbo_and_kl(**EVIDENCE)
    monkeypatch.setattr(room, "reading_log_posterior", lambda reading: np.zeros_like(room.THETA))
    assert room.elbo_and_kl(**EVIDENCE)[0] == elbo
    monkeypatch.undo()
    monkeypatch.setattr(room, "log_joint", lambda reading: np.zeros_like(room.THETA))
    assert room.elbo_and_kl(**EVIDENCE)[1] == kl


@pytest.mark.parametrize("mean", [-3.0, 0.0, 2.0])
@pytest.mark.parametrize("sd", [0.2, 0.9, 3.0])
def test_the_bars_meet_at_the_elbo_and_end_at_the_evidence_wherever_q_is(mean, sd):
    (_, right), line = drawn(room.draw_evidence, **(EVIDENCE | {"mean": mean, "sd": sd}))
    (floor, elbo), (border, top) = bars(right)
    assert border == elbo and top == pytest.approx(room.reading_log_evidence(2.5), abs=1e-9)
    assert named(right, "ln p(D)").get_data()[1][0] == pytest.approx(top)
    assert right.get_ylim() == (floor, -0.5) == (-6, -0.5), "the axis stands still while q moves"
    assert numbers(line) == pytest.approx([elbo, top - elbo, top], abs=6e-4)
    assert right.patches[0].get_hatch() != right.patches[1].get_hatch()


@pytest.mark.parametrize("mean, sd, reading", list(product([-3.0, 0.0, 3.0], [0.2, 3.0], [0.0, 2.5, 4.0])))
def test_the_column_is_broken_across_its_foot_because_a_log_density_has_no_zero(mean, sd, reading):
    (_, right), _ = drawn(room.draw_evidence, mean=mean, sd=sd, reading=reading)
    across, height = named(right, "_broken foot").get_data()
    column = right.patches[0]
    assert across[0] <= column.get_x() and across[-1] >= column.get_x() + column.get_width()
    (floor, elbo), ends = bars(right)[0], right.get_ylim()
    assert 0 < min(height) < max(height) < (elbo - floor) / (ends[1] - ends[0]), "within the part below the ELBO"


def test_with_no_sign_lost_the_kl_can_vanish():
    assert room.elbo_and_kl(0, (1 + 1 / 4) ** -0.5, 0.0)[1] == pytest.approx(0, abs=1e-9)
    assert room.elbo_and_kl(0, 2.0, 2.5)[1] > 0.3


# --- directions ---------------------------------------------------------------------------------


def direct_log_p(theta, separation):
    left, right = 0.25 - separation / 2, 0.25 + separation / 2
    return np.log(0.65 * stats.norm.pdf(theta, left, 0.6) + 0.35 * stats.norm.pdf(theta, right, 0.9))


def test_the_start_is_the_mixture_of_the_lesson():
    near = np.abs(room.THETA) < 6
    assert direct_log_p(room.THETA[near], 4.5) == pytest.approx(room.log_mixture(4.5)[near])
    assert 0.25 + np.array([-2.25, 2.25]) == pytest.approx([-2, 2.5])


@pytest.mark.parametrize("separation", [0.0, 3.0, 7.0])
def test_both_divergences_are_the_integrals(separation):
    mean, sd = 0.5, 1.5
    q = stats.norm(mean, sd)
    now = room.both_kls(mean, sd, room.log_mixture(separation))
    theta = np.linspace(-12, 12, 48_001)
    log_p, log_q = direct_log_p(theta, separation), q.logpdf(theta)
    usable = np.isfinite(log_p)
    forward = np.trapezoid(np.where(usable, np.exp(log_q) * (log_q - np.where(usable, log_p, 0)), 0), theta)
    backward = np.trapezoid(np.where(usable, np.exp(log_p) * (np.where(usable, log_p, 0) - log_q), 0), theta)
    assert now == pytest.approx((forward, backward), abs=1e-5)


@pytest.mark.parametrize("separation", [0.0, 3.0, 3.5, 7.0])
def test_no_normal_of_a_fine_net_is_better_than_the_best(separation):
    log_p, best = room.log_mixture(separation), room.best_normals(separation)
    least = [room.both_kls(*each, log_p)[place] for place, each in enumerate(best)]
    net = [room.both_kls(mean, sd, log_p) for mean in np.arange(-5, 5.1, 0.25) for sd in np.geomspace(0.4, 4, 20)]
    assert (np.min(net, axis=0) >= np.array(least) - 1e-7).all()


def test_one_direction_has_the_moments_of_p_and_the_other_seeks_the_larger_mode():
    (mode, width), (mean, sd) = room.best_normals(6.0)
    assert (mode, width) == pytest.approx((-2.75, 0.6), abs=0.01)
    assert mean == pytest.approx(0.25 + 6 * (0.35 - 0.5), abs=1e-6)
    between = 0.65 * 0.35 * 6**2
    assert sd**2 == pytest.approx(0.65 * 0.6**2 + 0.35 * 0.9**2 + between, abs=1e-4)


def test_the_seeker_jumps_and_the_coverer_glides():
    steps = np.arange(0, 7.1, 0.5)
    seeker, coverer = np.transpose([room.best_normals(float(step)) for step in steps], (1, 0, 2))
    jump = np.abs(np.diff(seeker[:, 0]))
    assert steps[jump.argmax()] == 3.0 and jump.max() > 1.5 > 5 * np.sort(jump)[-2]
    assert np.abs(np.diff(coverer, axis=0)).max() < 0.3


def test_bars_and_line_say_both_divergences_and_their_minima():
    (left, right), line = drawn(room.draw_directions, **DIRECTIONS)
    log_p, best = room.log_mixture(4.5), room.best_normals(4.5)
    now = room.both_kls(0.2, 1.2, log_p)
    least = [room.both_kls(*each, log_p)[place] for place, each in enumerate(best)]
    assert [top for _, top in bars(right)] == pytest.approx(now)
    assert [lines.get_segments()[0][0, 1] for lines in right.collections] == pytest.approx(least)
    wanted = [now[0], least[0], *best[0], now[1], least[1], *best[1]]
    assert numbers(line) == pytest.approx(wanted, abs=6e-3)
    assert least[0] == pytest.approx(-np.log(0.65), abs=0.02), "the lesson's claim 03-price"
    for name, each in zip(("smallest KL(q‖p)", "smallest KL(p‖q)"), best, strict=True):
        theta, density = named(left, name).get_data()
        assert density == pytest.approx(stats.norm.pdf(theta, *each), abs=1e-12)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw, values, message",
    [
        (room.draw_evidence, EVIDENCE | {"sd": 0.0}, r"sd must .*got "),
        (room.draw_directions, DIRECTIONS | {"sd": -1.0}, r"sd must .*got "),
        (room.draw_directions, DIRECTIONS | {"separation": -1.0}, r"separation must .*got -1"),
    ],
)
def test_values_without_a_meaning_are_refused(draw, values, message):
    with pytest.raises(ValueError, match=message):
        draw(Figure(), **values)
