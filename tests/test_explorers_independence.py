"""The explorer of correlation in lesson 03: the best independent Normals, against the lesson's own formulas."""

import numpy as np
import pytest
from _explorers import EXPLORERS, moved, named, numbers
from matplotlib.figure import Figure
from scipy import optimize, stats

from bnn_course import exact
from bnn_course.explorers import independence as room
from tools.lessons import lesson

EXPLORER = EXPLORERS["correlation"]()
PLACES = (-0.99, -0.6, 0.0, 0.5, 0.9, 0.99)


def covariance(rho):
    return np.array([[1, rho], [rho, 1]])


def divergence(direction, rho, log_sd):
    p, q = (np.zeros(2), covariance(rho)), (np.zeros(2), np.diag(np.exp(2 * np.asarray(log_sd))))
    return exact.normal_kl(q, p) if direction == "KL(q‖p)" else exact.normal_kl(p, q)


@pytest.mark.parametrize("rho", PLACES)
@pytest.mark.parametrize("direction", room.DIRECTIONS)
def test_no_independent_normal_is_better(direction, rho):
    """An optimiser that knows no formula finds the same widths and the same divergence."""
    found = optimize.minimize(lambda v: divergence(direction, rho, v), [-0.3, 0.2], method="BFGS", tol=1e-10)
    best = room.best(rho, direction)
    assert np.exp(found.x) == pytest.approx([best.sd] * 2, rel=1e-3)
    assert best.kl == pytest.approx(divergence(direction, rho, np.log([best.sd] * 2)), abs=1e-10)
    assert best.kl <= found.fun + 1e-9


def test_coordinate_ascent_of_the_lesson_ends_there():
    ascent = lesson("03").define("coordinate_ascent")["coordinate_ascent"]
    for rho in PLACES:
        mu, sigma, _path = ascent(np.zeros(2), covariance(rho), [1.0, -1.0], sweeps=2_000)
        assert mu == pytest.approx([0, 0], abs=1e-6) and sigma == pytest.approx([room.best(rho, "KL(q‖p)").sd] * 2)


def test_what_is_left_is_the_mutual_information_of_the_two_unknowns():
    for rho in PLACES:
        joint = stats.multivariate_normal(cov=covariance(rho)).entropy()
        wanted = 2 * stats.norm.entropy() - joint
        assert [room.best(rho, each).kl for each in room.DIRECTIONS] == pytest.approx([wanted] * 2, abs=1e-9)


@pytest.mark.parametrize("rho", PLACES)
@pytest.mark.parametrize("share", room.SHARES)
def test_an_ellipse_holds_its_share(rho, share):
    corners = room.ellipse(rho, 0.7, share)
    squared = np.einsum("ik,ij,jk->k", corners, np.linalg.inv(0.49 * covariance(rho)), corners)
    assert stats.chi2.cdf(squared, 2) == pytest.approx(np.full(len(squared), share))
    assert corners[:, 0] == pytest.approx(corners[:, -1])


@pytest.mark.parametrize("direction", room.DIRECTIONS)
@pytest.mark.parametrize("rho", PLACES)
def test_the_picture_and_the_line_say_the_same(rho, direction):
    (plane, widths), line = moved(EXPLORER, correlation=rho, direction=direction)
    best = room.best(rho, direction)
    assert named(plane, "best q").get_xydata().T == pytest.approx(room.ellipse(0, best.sd, 0.9))
    assert [patch.get_xy()[:121].T for patch in plane.patches] == [
        pytest.approx(room.ellipse(rho, 1, share)) for share in (0.9, 0.5)
    ]
    assert named(widths, "here").get_xydata()[0] == pytest.approx([rho, best.sd])
    curve = named(widths, f"smallest {direction}")
    assert np.interp(rho, *curve.get_data()) == pytest.approx(best.sd, abs=0.002)
    of_sum = [np.sqrt(np.ones(2) @ matrix @ np.ones(2)) for matrix in (covariance(rho), best.sd**2 * np.eye(2))]
    assert numbers(line) == pytest.approx([rho, best.sd, best.sd**2, best.kl, *of_sum], abs=0.0051)
    assert f"smallest {direction}" in line


def test_what_the_lesson_says_one_can_see():
    kept = {rho: room.best(rho, "KL(q‖p)").sd for rho in (0.86, -0.86, 0.87, -0.87)}
    assert kept[0.86] > 0.5 > kept[0.87] and kept[-0.86] > 0.5 > kept[-0.87]
    for rho, surer in ((0.5, True), (0.9, True), (-0.5, False), (-0.9, False)):
        of_p, of_q = numbers(moved(EXPLORER, correlation=rho)[1])[-2:]
        assert (of_q < of_p) == surer
    nats = [numbers(moved(EXPLORER, correlation=0.9, direction=each)[1])[3] for each in room.DIRECTIONS]
    assert nats[0] == nats[1] > 0.8


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"correlation": 1.0}, r"correlation must lie in \[-0.99, 0.99\], got 1.0"),
        ({"correlation": float("nan")}, "correlation must lie in .*got nan"),
        ({"direction": "KL"}, "direction must be one of .*got 'KL'"),
    ],
)
def test_values_without_a_meaning_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        room.draw_correlation(Figure(), **(EXPLORER.values | wrong))
