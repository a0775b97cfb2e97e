"""The samplers of lesson 02: known moments, laws of the dynamics, refusals."""

import csv

import numpy as np
import pytest

from bnn_course import samplers
from studies import sampler_scaling as script

COVARIANCE = np.array([[1.0, 0.8], [0.8, 2.0]])
MEAN = np.array([0.5, -1.0])
PRECISION = np.linalg.inv(COVARIANCE)


def log_density(theta):
    return -(theta - MEAN) @ PRECISION @ (theta - MEAN) / 2


def gradient(theta):
    return -PRECISION @ (theta - MEAN)


def rng(seed=1):
    return np.random.default_rng(seed)


def conditional(i):
    """θᵢ given the other component (Bishop 2006, section 2.3.1)."""
    slope = COVARIANCE[0, 1] / COVARIANCE[1 - i, 1 - i]
    sd = np.sqrt(COVARIANCE[i, i] - slope * COVARIANCE[0, 1])
    return lambda theta, rng: MEAN[i] + slope * (theta[1 - i] - MEAN[1 - i]) + sd * rng.normal()


# Every sampler with good settings; a test changes one of them.
GOOD = {
    "random_walk_metropolis": {"log_density": log_density, "start": MEAN, "draws": 20, "step": 1.2, "rng": rng()},
    "gibbs": {
        "conditionals": [conditional(0), conditional(1)],
        "start": MEAN,
        "draws": 20,
        "rng": rng(),
    },
    "hmc": {
        "log_density": log_density,
        "gradient": gradient,
        "start": MEAN,
        "draws": 20,
        "step": 0.4,
        "n_steps": 8,
        "rng": rng(),
    },
    "nuts": {
        "log_density": log_density,
        "gradient": gradient,
        "start": MEAN,
        "draws": 20,
        "step": 0.4,
        "rng": rng(),
    },
}


def run(name, **changes):
    return getattr(samplers, name)(**(GOOD[name] | {"rng": rng()} | changes))


def deviation(draws, truth, batches=50):
    """Mean minus truth, in standard errors from batch means."""
    means = draws[: len(draws) // batches * batches].reshape(batches, -1, *draws.shape[1:]).mean(axis=1)
    return np.abs(means.mean(axis=0) - truth) / (means.std(axis=0, ddof=1) / np.sqrt(batches))


# --- oracle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOOD)
def test_moments_of_a_correlated_normal_are_reproduced(name):
    chain = run(name, draws=10_000)
    centred = chain.draws - MEAN
    second = np.einsum("si,sj->sij", centred, centred).reshape(-1, 4)
    assert deviation(chain.draws, MEAN).max() < 4
    assert deviation(second, COVARIANCE.ravel()).max() < 4


def test_sweeps_of_gibbs_have_the_autocorrelation_of_theory():
    draws = run("gibbs", draws=20_000).draws
    correlation = COVARIANCE[0, 1] / np.sqrt(COVARIANCE[0, 0] * COVARIANCE[1, 1])
    assert abs(np.corrcoef(draws[1:, 0], draws[:-1, 0])[0, 1] - correlation**2) < 0.03


def test_nuts_trees_grow_when_the_step_shrinks():
    short, long = (run("nuts", draws=200, step=step).evaluations.mean() for step in (0.4, 0.05))
    assert long > 4 * short


def test_nuts_stops_at_its_largest_depth():
    assert run("nuts", step=1e-5, draws=2).evaluations.tolist() == [2**samplers.MAX_DEPTH - 1] * 2


def test_the_record_of_lesson_02_is_what_its_script_makes():
    with script.RECORD.open(encoding="utf-8") as file:
        rows = {(row["sampler"], int(row["dimension"]), int(row["seed"])): row for row in csv.DictReader(file)}
    assert len(rows) == len(script.SAMPLERS) * len(script.DIMENSIONS) * 20
    for name in script.SAMPLERS:
        made, recorded = script.measure(name, 4, 1), rows[name, 4, 1]
        assert list(made) == list(recorded) == script.COLUMNS
        assert float(made["ess"]) == pytest.approx(float(recorded["ess"]), rel=0.3)  # a flipped bit may change a path
        assert int(made["evaluations"]) == pytest.approx(int(recorded["evaluations"]), rel=0.1)


# --- law ----------------------------------------------------------------------------------------


def bent(theta):
    return np.array([-theta[0] + 4 * theta[0] * (theta[1] - theta[0] ** 2 / 2), -4 * (theta[1] - theta[0] ** 2 / 2)])


def test_leapfrog_is_reversible():
    theta, momentum = np.array([0.3, -0.4]), np.array([1.0, 0.5])
    there = samplers.leapfrog(bent, theta, momentum, step=0.1, n_steps=30)
    back = samplers.leapfrog(bent, there[0], -there[1], step=0.1, n_steps=30)
    by_sign = samplers.leapfrog(bent, *there, step=-0.1, n_steps=30)
    np.testing.assert_allclose(np.concatenate([back[0], -back[1]]), [*theta, *momentum], atol=1e-11)
    np.testing.assert_allclose(np.concatenate(by_sign), [*theta, *momentum], atol=1e-11)


def test_single_leapfrog_steps_add_up():
    point = np.array([0.3, -0.4]), np.array([1.0, 0.5])
    at_once = samplers.leapfrog(bent, *point, step=0.1, n_steps=5)
    for _ in range(5):
        point = samplers.leapfrog(bent, *point, step=0.1)
    np.testing.assert_allclose(np.concatenate(point), np.concatenate(at_once), atol=1e-13)


def test_leapfrog_is_of_second_order():
    def error(step):
        theta, momentum = samplers.leapfrog(gradient, MEAN + 1, np.ones(2), step=step, n_steps=round(1 / step))
        return abs(log_density(theta) - momentum @ momentum / 2 - log_density(MEAN + 1) + np.ones(2) @ np.ones(2) / 2)

    assert np.log2(error(0.02) / error(0.01)) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_tree_is_a_trajectory(direction):
    start, visited = samplers.State(MEAN + 0.1, np.array([0.3, 0.2])), []

    def leaf(end, direction):
        visited.append(samplers.leapfrog(gradient, *end, step=direction * 0.01))
        return samplers.Tree(visited[-1], visited[-1], visited[-1].theta, 1, True)

    tree = samplers.build_tree(leaf, start, direction, 3, rng())
    end = samplers.leapfrog(gradient, *start, step=direction * 0.01, n_steps=8)
    near, far = (tree.last, tree.first) if direction < 0 else (tree.first, tree.last)
    np.testing.assert_allclose(far.theta, end.theta, atol=1e-12)
    assert near is visited[0] and far is visited[-1] and tree.count == len(visited) == 8
    assert any(tree.candidate is state.theta for state in visited)


def test_a_candidate_is_any_point_of_the_tree_alike():
    start = samplers.State(MEAN, np.zeros(2))

    def leaf(end, direction):
        state = samplers.State(end.theta + 1, end.momentum)
        return samplers.Tree(state, state, state.theta, 1, True)

    generator = rng()
    candidates = [samplers.build_tree(leaf, start, 1, 2, generator).candidate[0] - MEAN[0] for _ in range(4_000)]
    assert np.bincount(np.round(candidates).astype(int))[1:] == pytest.approx([1_000] * 4, abs=120)


def test_ends_that_approach_each_other_have_turned_back():
    away, there = np.array([1.0, 0]), np.array([2.0, 0])
    at = samplers.State(np.zeros(2), away)
    assert not samplers.turned_back(at, samplers.State(there, away))
    assert samplers.turned_back(at, samplers.State(there, -away))
    assert samplers.turned_back(samplers.State(np.zeros(2), -away), samplers.State(there, away))


@pytest.mark.parametrize("name", GOOD)
def test_the_same_generator_gives_the_same_chain(name):
    first, second = run(name), run(name)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", GOOD)
def test_a_chain_has_a_row_for_each_draw_and_leaves_its_start_alone(name):
    start = MEAN.copy()
    chain = run(name, start=start)
    assert chain.draws.shape == (20, 2)
    assert chain.acceptance.shape == chain.evaluations.shape == chain.divergent.shape == (20,)
    assert ((chain.acceptance >= 0) & (chain.acceptance <= 1)).all()
    assert (chain.evaluations >= 1).all()
    np.testing.assert_array_equal(start, MEAN)


@pytest.mark.parametrize("name", ["hmc", "nuts"])
def test_too_large_a_step_is_reported_as_divergent_without_a_warning(name):
    quartic = {"log_density": lambda t: -float(np.sum(t**4)), "gradient": lambda t: -4 * t**3, "start": np.ones(2)}
    chain = run(name, **quartic, step=10.0)
    assert chain.divergent.all()
    assert np.isfinite(chain.draws).all()


@pytest.mark.parametrize("name", [name for name in GOOD if name != "gibbs"])
def test_places_without_density_are_never_entered(name):
    def half(theta):
        return log_density(theta) if theta[0] > 0.4 else (-np.inf if theta[0] > 0 else np.nan)

    assert (run(name, log_density=half, draws=500).draws[:, 0] > 0.4).all()


# --- refusal ------------------------------------------------------------------------------------

REFUSED = [
    ("start", np.array([0.0, np.nan]), ValueError, "start must be finite, got nan at index"),
    ("start", np.array([0.0, np.inf]), ValueError, "start must be finite, got inf at index"),
    ("start", np.zeros((1, 2)), ValueError, "start must have 1 axes, got shape"),
    ("start", "here", TypeError, "start must be an array of numbers"),
    ("draws", 0, ValueError, "draws must be ≥ 1, got 0"),
    ("draws", -3, ValueError, "draws must be ≥ 1, got -3"),
    ("draws", 10.0, TypeError, "draws must be a whole number"),
    ("rng", 2017, TypeError, "rng must be a numpy.random.Generator"),
    ("step", 0, ValueError, r"step must lie in \(0"),
    ("step", -0.1, ValueError, r"step must lie in \(0"),
    ("step", np.nan, ValueError, r"step must lie in \(0"),
    ("step", np.inf, ValueError, r"step must lie in \(0"),
    ("n_steps", 0, ValueError, "n_steps must be ≥ 1"),
    ("log_density", 3.0, TypeError, "log_density must be a function"),
    ("log_density", lambda theta: theta, TypeError, r"log_density must return numbers of shape \(\), got shape"),
    ("log_density", lambda theta: np.array([1.0]), TypeError, r"log_density must return numbers of shape \(\), got"),
    ("log_density", lambda theta: np.nan, ValueError, "log_density must be finite at the start, got nan"),
    ("log_density", lambda theta: -np.inf, ValueError, "log_density must be finite at the start, got -inf"),
    ("gradient", None, TypeError, "gradient must be a function"),
    ("gradient", lambda theta: np.zeros(3), ValueError, "gradient at the start must have shape"),
    ("gradient", lambda theta: np.full(2, np.nan), ValueError, "gradient at the start must be finite"),
]


@pytest.mark.parametrize(
    ("name", "argument", "value", "error", "message"),
    [(name, *row) for row in REFUSED for name, settings in GOOD.items() if row[0] in settings],
)
def test_bad_input_is_refused(name, argument, value, error, message):
    with pytest.raises(error, match=message):
        run(name, **{argument: value})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"conditionals": [None, None]}, TypeError, r"conditionals\[0\] must be a function"),
        ({"start": np.zeros(3)}, ValueError, r"start must have shape \(2,\)"),
    ],
)
def test_gibbs_refuses(changes, error, message):
    with pytest.raises(error, match=message):
        run("gibbs", **changes)


def writing(theta, *_):
    theta += 1.0
    return theta


@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, part) for name, settings in GOOD.items() for part in ("log_density", "gradient") if part in settings],
)
def test_a_function_that_writes_into_its_argument_is_refused(name, argument):
    with pytest.raises(ValueError, match=f"{argument} must not write into its argument, got an assignment"):
        run(name, **{argument: writing})


def test_a_conditional_that_writes_into_its_argument_is_refused():
    with pytest.raises(
        samplers.ChainError, match=r"draw 1 of 20 failed .*conditionals\[0\] must not write into its argument"
    ):
        run("gibbs", conditionals=[writing, writing])


@pytest.mark.parametrize("argument", ["log_density", "gradient"])
@pytest.mark.parametrize("name", ["hmc", "nuts"])
def test_a_function_that_begins_to_write_in_mid_chain_is_refused(name, argument):
    calls, good = [0], GOOD[name][argument]

    def later(theta):
        calls[0] += 1
        return writing(theta) if calls[0] > 5 else good(theta)

    with pytest.raises(samplers.ChainError, match=f"{argument} must not write into its argument"):
        run(name, **{argument: later})


@pytest.mark.parametrize("name", GOOD)
def test_a_failure_in_mid_chain_loses_no_draw(name):
    calls = [0]

    def failing(function):
        def wrapped(*arguments):
            calls[0] += 1
            if calls[0] > 60:
                raise ZeroDivisionError("the model broke")
            return function(*arguments)

        return wrapped

    if name == "gibbs":
        changes = {"conditionals": [failing(f) for f in GOOD["gibbs"]["conditionals"]]}
    else:
        changes = {"log_density": failing(log_density)}
    whole = run(name, draws=200)
    with pytest.raises(samplers.ChainError, match=r"of 200 failed \(ZeroDivisionError: the model broke\)") as caught:
        run(name, draws=200, **changes)
    made = caught.value.made
    assert 1 < len(made.draws) < 200
    assert {len(part) for part in made} == {len(made.draws)}
    np.testing.assert_array_equal(made.draws, whole.draws[: len(made.draws)])
