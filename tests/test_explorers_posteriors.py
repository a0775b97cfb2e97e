"""The explorers of lesson 01: curves, contours and lines of numbers."""

import numpy as np
import pytest
from _explorers import drawn, named, numbers
from matplotlib.figure import Figure
from scipy import stats
from scipy.optimize import minimize
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from bnn_course import exact
from bnn_course.explorers import posteriors as room

COIN = {"a_1": 2, "a_0": 2, "n_1": 7, "n_0": 3}
GAUSSIAN = {"prior_mean": -1.0, "prior_sd": 2.0, "n": 4, "data_mean": 2.0, "noise_sd": 1.0}
PENALTY = {"laplace": 1.0, "prior_sd": 0.2, "second": 0.5, "correlation": 0.3}


# --- coin ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [COIN, {"a_1": 1, "a_0": 5, "n_1": 0, "n_0": 9}, {**COIN, "n_1": 70, "n_0": 30}])
def test_coin_says_map_mean_and_interval_of_the_posterior(values):
    posterior = exact.Beta(values["a_1"] + values["n_1"], values["a_0"] + values["n_0"])
    fine = np.linspace(0, 1, 100_001)
    top = fine[stats.beta.pdf(fine, *posterior).argmax()]
    said = numbers(drawn(room.draw_coin, **values)[1].replace("90 %", ""))
    assert said == pytest.approx([top, stats.beta.mean(*posterior), *stats.beta.interval(0.9, *posterior)], abs=6e-4)


@pytest.mark.parametrize("values", [COIN, {"a_1": 40, "a_0": 1, "n_1": 30, "n_0": 20}])
def test_coin_draws_densities_and_the_posterior_is_prior_times_likelihood(values):
    (ax,), _ = drawn(room.draw_coin, **values)
    prior, likelihood, posterior = (named(ax, name) for name in room.CURVES)
    areas = [line.get_ydata().mean() for line in (prior, likelihood, posterior)]  # the cells are a thousandth wide
    assert areas == pytest.approx([1, 1, 1], abs=1e-3)
    ratio = prior.get_ydata() * likelihood.get_ydata() / posterior.get_ydata()
    assert np.ptp(ratio) < 1e-9 * ratio.max()


def test_coin_shades_nine_tenths_and_marks_top_and_mean():
    (ax,), _ = drawn(room.draw_coin, **COIN)
    (shaded,) = ax.collections
    x, y = shaded.get_paths()[0].vertices.T
    assert abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2 == pytest.approx(0.9, abs=1e-3)
    assert named(ax, "MAP").get_xdata()[0] == pytest.approx(2 / 3)
    assert named(ax, "mean").get_xdata()[0] == pytest.approx(9 / 14)
    assert named(ax, "MAP").get_linestyle() != named(ax, "mean").get_linestyle()


def test_a_flat_posterior_has_no_top():
    (ax,), line = drawn(room.draw_coin, **({"a_1": 1, "a_0": 1, "n_1": 0, "n_0": 0}))
    assert line.startswith("MAP: every θ is as high as the others; mean 0.500;")
    assert "MAP" not in [each.get_label() for each in ax.lines]


# --- a mean with Normal noise -------------------------------------------------------------------


def test_gaussian_says_what_the_precisions_give():
    (ax,), line = drawn(room.draw_gaussian, **GAUSSIAN)
    precision = 1 / 2.0**2 + 4 / 1.0**2
    mean, sd = (-1 / 2.0**2 + 4 * 2.0) / precision, precision**-0.5
    wanted = [mean, *stats.norm.interval(0.9, mean, sd), 100 * 4 / precision]
    *said, share = numbers(line.replace("90 %", ""))
    assert said == pytest.approx(wanted[:3], abs=6e-3) and share == pytest.approx(wanted[3], abs=0.51)
    assert named(ax, "MAP").get_xdata()[0] == pytest.approx(mean)


def test_gaussian_draws_densities_and_the_posterior_is_prior_times_likelihood():
    (ax,), _ = drawn(room.draw_gaussian, **GAUSSIAN)
    prior, likelihood, posterior = (named(ax, name) for name in room.CURVES)
    assert [np.trapezoid(*line.get_data()[::-1]) for line in (likelihood, posterior)] == pytest.approx([1, 1], abs=1e-3)
    near = np.abs(prior.get_xdata() - 1.8) < 2
    ratio = (prior.get_ydata() * likelihood.get_ydata() / posterior.get_ydata())[near]
    assert np.ptp(ratio) < 1e-9 * ratio.max()


def test_the_width_of_a_normal_posterior_does_not_depend_on_the_data():
    widths = []
    for data_mean in (-4.0, 0.0, 4.0):
        low, high = numbers(drawn(room.draw_gaussian, **(GAUSSIAN | {"data_mean": data_mean}))[1])[2:4]
        widths.append(high - low)
    assert np.ptp(widths) < 0.011


# --- a penalty between ridge and lasso ----------------------------------------------------------


def regression(second, correlation, rows=40):
    """Inputs and targets with the likelihood of the explorer: XᵀX/σ² and least squares as there, σ = 2."""
    rng = np.random.default_rng(0)
    noise_sd, precision = 2.0, room.PULL * np.array([[1, correlation], [correlation, 1]])
    orthogonal = np.linalg.qr(rng.normal(size=(rows, 2)))[0]
    x = noise_sd * orthogonal @ np.linalg.cholesky(precision).T
    rest = rng.normal(size=rows)
    return x, x @ [room.FIRST, second] + rest - orthogonal @ (orthogonal.T @ rest), noise_sd, precision


@pytest.mark.parametrize("prior_sd", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("second, correlation", [(0.5, 0.0), (-0.7, 0.8), (0.2, -0.9)])
def test_the_ends_are_ridge_and_lasso_and_between_is_the_elastic_net(second, correlation, prior_sd):
    x, y, noise_sd, precision = regression(second, correlation)
    fit, n = np.array([room.FIRST, second]), len(y)
    options = {"fit_intercept": False, "tol": 1e-12, "max_iter": 100_000}
    ridge = Ridge(alpha=noise_sd**2 / prior_sd**2, fit_intercept=False).fit(x, y)
    lasso = Lasso(alpha=noise_sd**2 / (n * prior_sd / np.sqrt(2)), **options).fit(x, y)
    one, two = 0.4 * np.sqrt(2) / prior_sd, 0.6 / prior_sd**2
    net = ElasticNet(alpha=noise_sd**2 / n * (one + two), l1_ratio=one / (one + two), **options).fit(x, y)
    for laplace, wanted in [(0, ridge), (1, lasso), (0.4, net)]:
        found = room.penalty_map(fit, precision, prior_sd, laplace)
        assert found == pytest.approx(wanted.coef_, abs=1e-6)
        assert ((found == 0) == (wanted.coef_ == 0)).all()


def test_a_normal_prior_alone_gives_no_weight_that_is_exactly_zero_and_any_laplace_does():
    precision = room.PULL * np.eye(2)
    path = room.penalty_map(np.array([1.5, 0.5]), precision, room.PRIOR_SDS, 0)
    assert path.shape == (len(room.PRIOR_SDS), 2) and (path != 0).all()
    for laplace in (0.1, 0.5, 1):
        path = room.penalty_map(np.array([1.5, 0.5]), precision, room.PRIOR_SDS, laplace)
        assert path[0, 1] == 0 and path[-1, 1] > 0.4


def test_the_line_says_the_map_and_what_is_exactly_zero():
    line = drawn(room.draw_penalty, **(PENALTY | {"correlation": 0.0}))[1]
    wanted = 1.5 - np.sqrt(2) / 0.2 / room.PULL
    assert f"MAP w₁ = {wanted:.2f}, w₂ = 0 exactly; least squares 1.50 and 0.50" in line
    assert line.startswith("Laplace prior (lasso), s = 0.2:")
    assert "exactly" not in drawn(room.draw_penalty, **(PENALTY | {"laplace": 0.0}))[1]
    assert drawn(room.draw_penalty, **(PENALTY | {"laplace": 0.7}))[1].startswith("70 % Laplace, s = 0.2:")
    assert drawn(room.draw_penalty, **(PENALTY | {"laplace": 0.9 + 0.1 - 1e-16}))[1].startswith("Laplace prior")


@pytest.mark.parametrize("laplace", [0.0, 0.6, 1.0])
def test_the_thick_contours_are_level_and_pass_through_the_map(laplace):
    values = PENALTY | {"laplace": laplace, "prior_sd": 0.3}
    (left, _), _ = drawn(room.draw_penalty, **values)
    best = np.array(named(left, "MAP").get_xydata()[0])
    fit, precision = np.array([room.FIRST, 0.5]), room.PULL * np.array([[1, 0.3], [0.3, 1]])

    def misfit(w):
        return 0.5 * (w - fit) @ precision @ (w - fit)

    def penalty(w):
        return (1 - laplace) * w @ w / 0.18 + laplace * np.sqrt(2) * abs(w).sum() / 0.3

    for name, level in [("likelihood", misfit), ("penalty", penalty)]:
        found = np.array([level(point) for point in named(left, name).get_xydata()])
        assert found == pytest.approx(level(best))
    brute = minimize(lambda w: misfit(w) + penalty(w), fit, method="Nelder-Mead", options={"xatol": 1e-8}).x
    assert best == pytest.approx(brute, abs=1e-4)


def test_the_right_panel_marks_where_we_are_on_the_paths():
    (_, right), _ = drawn(room.draw_penalty, **PENALTY)
    (left, _), _ = drawn(room.draw_penalty, **PENALTY)
    best = named(left, "MAP").get_xydata()[0]
    paths = [line for line in right.lines if len(line.get_xdata()) == len(room.PRIOR_SDS)]
    marks = [line for line in right.lines if len(line.get_xdata()) == 1]
    assert [mark.get_xydata()[0].tolist() for mark in marks] == [[0.2, best[0]], [0.2, best[1]]]
    for path, weight in zip(paths, best, strict=True):
        assert np.interp(0.2, *path.get_data()) == pytest.approx(weight, abs=0.01)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw, values, message",
    [
        (room.draw_coin, COIN | {"a_1": 0.5}, "must be ≥ 1"),
        (room.draw_coin, COIN | {"n_0": -1}, "n_1, n_0 ≥ 0"),
        (room.draw_gaussian, GAUSSIAN | {"prior_sd": 0}, "prior_sd"),
        (room.draw_penalty, PENALTY | {"laplace": 1.1}, r"laplace must lie in \[0, 1\]"),
        (room.draw_penalty, PENALTY | {"prior_sd": 0.0}, "prior_sd above 0"),
        (room.draw_penalty, PENALTY | {"correlation": 1.0}, "correlation must lie in"),
    ],
)
def test_values_without_a_posterior_are_refused(draw, values, message):
    with pytest.raises(ValueError, match=message):
        draw(Figure(), **values)
