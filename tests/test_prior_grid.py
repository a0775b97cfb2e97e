"""The grid of appendix G: it measures each cell once, loses at most a cell; lesson 06 ships its table."""

import csv
import functools

import numpy as np
import pytest

CELLS = [(prior, "fixed 1", "moons", seed) for prior in ("Normal", "Cauchy") for seed in range(3)]


@functools.cache
def script():
    """The module studies/prior_grid.py, imported late: worker processes import this file, and need none of it."""
    from studies import prior_grid

    return prior_grid


def fake(*cell):
    return [*cell, *["0.5"] * 8]


def rows(path):
    with path.open(encoding="utf-8") as file:
        header, *found = csv.reader(file)
    assert header == script().from_appendix()["COLUMNS"]
    return sorted((*row[:3], int(row[3])) for row in found)


@pytest.fixture
def grid():
    return script().from_appendix()["grid"]


def test_a_second_run_measures_nothing(grid, tmp_path):
    calls = []

    def counting(*cell):
        calls.append(cell)
        return fake(*cell)

    path = tmp_path / "grid.csv"
    grid(CELLS[:4], path, counting)
    grid(CELLS, path, counting)
    assert calls == CELLS
    assert rows(path) == sorted(CELLS)


def test_a_row_cut_in_the_middle_is_measured_again(grid, tmp_path):
    path = tmp_path / "grid.csv"
    grid(CELLS[:3], path, fake)
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    grid(CELLS, path, fake)
    assert rows(path) == sorted(CELLS)


@pytest.mark.parametrize("end", [KeyboardInterrupt, MemoryError])
def test_an_interruption_loses_one_cell(grid, tmp_path, end):
    def interrupted(*cell):
        if cell == CELLS[3]:
            raise end
        return fake(*cell)

    path = tmp_path / "grid.csv"
    with pytest.raises(end):
        grid(CELLS, path, interrupted)
    assert rows(path) == sorted(CELLS[:3])


def test_two_processes_measure_the_same_cells(grid, tmp_path):
    path = tmp_path / "grid.csv"
    grid(CELLS, path, square, n_jobs=2)
    assert rows(path) == sorted(CELLS)


def square(*cell):
    return [*cell, *[str(cell[3] ** 2)] * 8]


def test_the_script_makes_the_table_that_ships():
    expected = script().all_cells(5)
    assert len(expected) == len(set(expected)) == 4 * 13 * 3 * 5
    assert rows(script().RECORD) == sorted(expected)
    table = np.genfromtxt(script().RECORD, delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert (table["accuracy"] >= 0).all() and (table["accuracy"] <= 1).all()
    assert (table["nll"] > 0).all() and (table["choose_nll"] > 0).all()
    assert (table["rhat"] > 0.99).all() and (table["divergences"] >= 0).all()


def test_the_points_that_choose_a_scale_are_others_than_those_that_judge_it():
    (x, _), (test_x, _), (choose_x, _) = script().from_lesson()["points"]("spirals", 3)
    together = np.concatenate([x, test_x, choose_x])
    assert len(np.unique(together, axis=0)) == len(together) == 2_100


@pytest.mark.parametrize("scale", ["fixed 3", "fixed 3 and 10", "Half-Cauchy"])
def test_a_compiled_model_takes_the_data_and_the_scales_of_each_cell(scale):
    rng, names = np.random.default_rng(1), script().from_lesson()
    (x, y), *_ = names["points"]("circles", 2)
    script().model_of("Laplace", "fixed 0.3", *names["points"]("moons", 0)[0])  # what was there before
    problem, *_ = script().model_of("Laplace", scale, x, y)
    fresh = names["network"](x, y, "Laplace", scale)
    point = {name: rng.normal(size=value.shape) for name, value in fresh.initial_point().items()}
    densities = [model.compile_logp(mode="FAST_COMPILE")(point) for model in (problem.model, fresh)]
    assert densities[0] == pytest.approx(densities[1])


def test_hamiltonian_monte_carlo_of_the_script_finds_a_known_normal():
    import jax
    import jax.numpy as jnp

    mean, sd = np.array([1.0, -2.0]), np.array([0.5, 3.0])

    def log_p_and_slope(q, constants):
        return -(((q - mean) / sd) ** 2).sum(axis=-1) / 2, (mean - q) / sd**2

    with jax.enable_x64(True):
        segment = jax.jit(functools.partial(script().hmc, log_p_and_slope))
        q, draws = jnp.zeros((8, 2)), []
        for key in jax.random.split(jax.random.key(1), 12):
            some, acceptance, diverged, _ = segment(q, key, sd, np.log(0.3), 0.0, ())
            q = some[-1]
            draws.append(some)
    draws = np.concatenate(draws[2:]).reshape(-1, 2)
    assert acceptance.mean() > 0.9 and diverged.sum() == 0
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.12 * sd.max())
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.06)


def test_values_are_cut_and_put_back():
    q = np.arange(20.0).reshape(2, 10)
    a, b, c = script().unravel(q, [(2, 3), (), (3,)])
    assert (a.shape, b.shape, c.shape) == ((2, 2, 3), (2,), (2, 3))
    np.testing.assert_array_equal(np.concatenate([a.reshape(2, 6), b[:, None], c], axis=1), q)
