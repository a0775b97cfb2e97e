"""The explorer of lesson 02: the same chains as one long run, moves drawn where they were made, a true line."""

import re
import warnings

import _explorers
import numpy as np
import pytest

from bnn_course import samplers
from bnn_course.explorers import chains
from bnn_course.explorers.chains import DRAWS, SAMPLERS, SEED, STEPS, TARGETS, draw_chain, effective_size, moves

STABLE = {"banana": 0.3, "correlated": 0.2, "two modes": 0.5}


def long_run(target, sampler, step, n_steps, draws):
    target, settings = TARGETS[target], {"draws": draws, "rng": np.random.default_rng(SEED)}
    if sampler == "Metropolis":
        return samplers.random_walk_metropolis(target.log_density, target.start, step=step, **settings)
    if sampler == "Gibbs":
        return samplers.gibbs(target.conditionals, target.start, **settings)
    if sampler == "HMC":
        slope = target.log_density, target.gradient
        return samplers.hmc(*slope, target.start, step=step, n_steps=n_steps, **settings)
    return samplers.nuts(target.log_density, target.gradient, target.start, step=step, **settings)


def drawn(target, sampler, step, n_steps, draws):
    values = {"target": target, "sampler": sampler, "step": step, "n_steps": n_steps, "draws": draws}
    return _explorers.drawn(draw_chain, **values)


def artists(axes, name):
    return [line for line in axes[0].lines if line.get_gid() == name]


# Targets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TARGETS)
def test_gradients_are_derivatives_of_the_log_density(name):
    target, h = TARGETS[name], 1e-5
    for theta in np.random.default_rng(1).normal(size=(20, 2)):
        sides = [(target.log_density(theta + h * e) - target.log_density(theta - h * e)) / (2 * h) for e in np.eye(2)]
        assert target.gradient(theta) == pytest.approx(sides, abs=1e-5)


@pytest.mark.parametrize("name", TARGETS)
def test_the_exact_moments_are_those_of_the_density_on_a_grid(name):
    target = TARGETS[name]
    xs, ys = np.linspace(-8, 8, 161), np.linspace(-8, 25, 331)
    weights = np.exp([[target.log_density(np.array([x, y])) for x in xs] for y in ys])
    weights /= weights.sum()
    means = weights.sum(axis=0) @ xs, weights.sum(axis=1) @ ys
    assert means == pytest.approx(target.mean, abs=1e-3)
    assert np.sqrt(weights.sum(axis=0) @ (xs - means[0]) ** 2) == pytest.approx(target.sd, rel=1e-3)


def test_the_correlated_target_is_the_line_posterior_of_the_lesson():
    target, design = TARGETS["correlated"], np.column_stack([np.ones(20), np.linspace(0, 2, 20)])
    precision = design.T @ design + np.eye(2) / 4
    slopes = [target.gradient(target.mean - e) for e in np.eye(2)]
    assert np.array(slopes) == pytest.approx(precision)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("i", [0, 1])
def test_conditionals_draw_from_slices_of_the_density(name, i):
    target, rng, theta = TARGETS[name], np.random.default_rng(2), np.array([0.4, 0.4])
    grid = np.linspace(-8, 8, 2001)
    slices = [target.log_density(np.array([x, 0.4] if i == 0 else [0.4, x])) for x in grid]
    cumulative = np.cumsum(np.exp(slices)) / np.exp(slices).sum()
    values = np.sort([target.conditionals[i](theta, rng) for _ in range(4000)])
    distance = np.abs(np.interp(values, grid, cumulative) - np.arange(1, 4001) / 4000).max()
    assert distance < 1.95 / np.sqrt(4000)  # Kolmogorov–Smirnov, 0.1 %


# Chains ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("target", TARGETS)
def test_move_after_move_is_the_chain_of_one_long_run(target, sampler):
    step = STABLE[target]
    made, chain = moves(target, sampler, step, 12, 60), long_run(target, sampler, step, 12, 60)
    assert np.array_equal([move.theta for move in made], chain.draws)
    assert np.array_equal([move.acceptance for move in made], chain.acceptance)
    assert np.array_equal([move.evaluations for move in made], chain.evaluations)
    assert np.array_equal([move.divergent for move in made], chain.divergent)


def test_a_chain_does_not_depend_on_how_far_one_looked_before():
    chains._begun.cache_clear()
    short = moves("banana", "NUTS", 0.3, 5, 7)
    longer = moves("banana", "NUTS", 0.3, 5, 30)
    chains._begun.cache_clear()
    again = moves("banana", "NUTS", 0.3, 5, 30)
    assert np.array_equal([m.theta for m in longer], [m.theta for m in again])
    assert [m.evaluations for m in short] == [m.evaluations for m in again[:7]]


def test_settings_that_do_not_apply_change_nothing():
    line = {sampler: drawn("banana", sampler, 0.3, 20, 30)[1] for sampler in SAMPLERS}
    assert drawn("banana", "Gibbs", 4.0, 1, 30)[1] == line["Gibbs"]
    assert drawn("banana", "Metropolis", 0.3, 1, 30)[1] == line["Metropolis"]
    assert drawn("banana", "NUTS", 0.3, 1, 30)[1] == line["NUTS"]
    assert drawn("banana", "HMC", 0.3, 1, 30)[1] != line["HMC"]
    says = {sampler: ("does not apply" in text) or ("do not apply" in text) for sampler, text in line.items()}
    assert says == {"Metropolis": True, "Gibbs": True, "HMC": False, "NUTS": True}


def test_the_line_says_that_gibbs_on_the_banana_draws_from_a_grid():
    assert "fine grid" in drawn("banana", "Gibbs", 0.3, 20, 30)[1]
    assert "fine grid" not in drawn("two modes", "Gibbs", 0.3, 20, 30)[1]


def test_hmc_ways_are_leapfrog_steps_of_equal_energy():
    target, before = TARGETS["banana"], TARGETS["banana"].start
    for move in moves("banana", "HMC", 0.05, 20, 30):
        assert len(move.way) == move.evaluations
        path = np.vstack([before, move.way])
        if len(path) > 2:  # a leapfrog step in two lines: the second difference is step² times the gradient
            bend = np.diff(path, 2, axis=0)
            assert bend == pytest.approx(0.05**2 * np.array([target.gradient(p) for p in path[1:-1]]), abs=1e-9)
        if not np.array_equal(before, move.theta):
            assert np.array_equal(move.way[-1], move.theta)
        before = move.theta


def test_draws_of_nuts_are_points_of_their_tree_or_the_start():
    before = TARGETS["banana"].start
    for move in moves("banana", "NUTS", 0.3, 1, 60):
        assert len(move.way) == move.evaluations
        assert (np.vstack([before, move.way]) == move.theta).all(axis=1).any()
        before = move.theta


def test_proposals_of_metropolis_are_the_new_places_if_accepted():
    before = TARGETS["two modes"].start
    accepted = 0
    for move in moves("two modes", "Metropolis", 2.0, 1, 60):
        assert move.way.shape == (1, 2)
        assert any(np.array_equal(move.theta, place) for place in (before, move.way[0]))
        accepted += not np.array_equal(move.theta, before)
        before = move.theta
    assert 0 < accepted < 60


# ESS ------------------------------------------------------------------------------------------------------------------


def test_ess_of_a_chain_with_known_autocorrelation_is_the_formula():
    rng, phi, n = np.random.default_rng(3), 0.8, 50_000
    chain = np.zeros(n)
    for t, noise in enumerate(rng.normal(size=n - 1), start=1):
        chain[t] = phi * chain[t - 1] + noise
    assert effective_size(chain) / n == pytest.approx((1 - phi) / (1 + phi), rel=0.1)
    assert effective_size(rng.normal(size=n)) / n == pytest.approx(1, rel=0.1)


def test_ess_is_close_to_that_of_arviz():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz
    for sampler in SAMPLERS:
        for i in range(2):
            values = np.array([move.theta[i] for move in moves("banana", sampler, 0.3, 20, DRAWS)])
            theirs = float(np.squeeze(arviz.ess(values[None], method="identity")))
            assert effective_size(values) == pytest.approx(theirs, rel=0.2, abs=1)


def test_ess_is_one_for_a_chain_that_never_moves_and_bounded_for_one_that_swings():
    assert effective_size(np.full(50, 1.3)) == 1
    assert effective_size(np.tile([1.0, -1.0], 50)) == pytest.approx(200)
    assert effective_size(np.array([1.0, 2.0])) >= 1


# Pictures and lines ---------------------------------------------------------------------------------------------------


def test_the_chain_is_drawn_with_its_start_and_its_last_move():
    axes, _ = drawn("banana", "HMC", 0.3, 20, 24)
    made = moves("banana", "HMC", 0.3, 20, 24)
    (dots,), (path,), (old,), (new,) = (artists(axes, name) for name in ("chain", "way", "old", "new"))
    assert dots.get_xydata() == pytest.approx(np.vstack([TARGETS["banana"].start, [m.theta for m in made]]))
    assert path.get_xydata() == pytest.approx(np.vstack([made[-2].theta, made[-1].way]))
    assert old.get_xydata() == pytest.approx(made[-2].theta[None])
    assert new.get_xydata() == pytest.approx(made[-1].theta[None])
    (trace,) = (line for line in axes[1].lines if line.get_gid() == "trace")
    assert trace.get_ydata() == pytest.approx(dots.get_xdata())


def test_the_doublings_of_a_tree_have_their_own_markers():
    made = moves("banana", "NUTS", 0.1, 1, 30)
    axes, line = drawn("banana", "NUTS", 0.1, 1, 30)
    parts = artists(axes, "way")
    assert [len(part.get_xdata()) for part in parts] == [2**n for n in range(len(parts))]
    assert len({part.get_marker() for part in parts}) == len({part.get_color() for part in parts}) == len(parts)
    assert np.vstack([part.get_xydata() for part in parts]) == pytest.approx(made[-1].way)
    assert f"{made[-1].evaluations} points" in line


def test_a_rejected_proposal_is_crossed_out_and_said():
    made = moves("banana", "Metropolis", 2.0, 1, 60)
    places = np.vstack([TARGETS["banana"].start, [move.theta for move in made]])
    for n in range(1, 20):
        axes, line = drawn("banana", "Metropolis", 2.0, 1, n)
        stays = np.array_equal(places[n], places[n - 1])
        assert len(artists(axes, "rejected")) == stays
        assert ("rejected" in line, " accepted" in line) == (stays, not stays)


def test_a_line_holds_the_numbers_of_the_chain():
    made = moves("two modes", "HMC", 0.3, 20, 20)
    line = drawn("two modes", "HMC", 0.3, 20, 20)[1]
    chain = long_run("two modes", "HMC", 0.3, 20, 20)
    ess = min(effective_size(part) for part in np.column_stack([chain.draws, chain.draws**2]).T)
    numbers = re.search(r"acceptance (\S+), gradients (\d+), ESS (\d+) of 20, mean of θ₁ (\S+) \(exact (\S+)\)", line)
    assert float(numbers[1]) == pytest.approx(chain.acceptance.mean(), abs=0.005)
    assert int(numbers[2]) == chain.evaluations.sum() == sum(move.evaluations for move in made)
    assert int(numbers[3]) == round(ess) >= 15  # the chain sits on one hill, and its ESS cannot know
    assert float(numbers[4].replace("−", "-")) == pytest.approx(chain.draws[:, 0].mean(), abs=0.005)
    assert float(numbers[4].replace("−", "-")) < -1.5
    assert numbers[5] == "0.00"


def test_ess_in_the_line_is_that_of_squares_where_it_is_smaller():
    chain, mean = long_run("correlated", "HMC", 0.1, 20, 200).draws, TARGETS["correlated"].mean
    of_means, of_squares = (min(map(effective_size, parts.T)) for parts in (chain, (chain - mean) ** 2))
    assert of_means > 200 > of_squares  # it swings from side to side
    assert f"ESS {of_squares:.0f} of 200" in drawn("correlated", "HMC", 0.1, 20, 200)[1]


def test_too_large_a_step_diverges_and_stays():
    axes, line = drawn("correlated", "HMC", 2.0, 40, DRAWS)
    assert "off the map, diverged, rejected (probability 0.00)" in line
    assert "ESS 1 of 200" in line
    assert np.ptp(artists(axes, "chain")[0].get_xydata(), axis=0).tolist() == [0, 0]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("target", TARGETS)
def test_extremes_of_all_controls_are_drawn_finite(target, sampler):
    for step in (STEPS[0], STEPS[-1]):
        for n_steps, draws in [(1, 1), (40, 1), (40, DRAWS)]:
            axes, line = drawn(target, sampler, step, n_steps, draws)
            assert all(np.isfinite(part.get_xydata()).all() for ax in axes for part in ax.lines)
            assert line.startswith(f"Draw {draws}: ") and "nan" not in line and "inf" not in line and "\n" not in line


def test_the_controls_reach_what_the_drawing_function_documents():
    explorer = chains.chain()
    assert list(explorer.values) == ["target", "sampler", "step", "n_steps", "draws"]
    options = {name: [v for _, v in explorer.controls[name]._options_full] for name in ("target", "sampler", "step")}
    assert options == {"target": list(TARGETS), "sampler": list(SAMPLERS), "step": list(STEPS)}
    assert explorer.player is not None


@pytest.mark.parametrize(
    "values", [("egg", "HMC", 0.3, 5, 5), ("banana", "slice", 0.3, 5, 5), ("banana", "HMC", 0.3, 5, 0)]
)
def test_unknown_names_and_empty_chains_are_refused(values):
    with pytest.raises(ValueError, match="must"):
        moves(*values)
