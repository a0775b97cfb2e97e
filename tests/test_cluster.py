"""A sweep on a Dask cluster: the rows of the sequential run, bit for bit, even when a worker is killed on the way."""

import contextlib
import functools
import os
import signal
import sys
import time

import numpy as np
import pytest

from studies import _cluster

CELLS = [(prior, "fixed 1", "moons", seed) for prior in ("Normal", "Cauchy", "Laplace") for seed in range(4)]
VICTIM = CELLS[5]


def measure(*cell):
    """A row of a table; all of its numbers follow from the cell."""
    time.sleep(0.1)  # so that no worker gets all of them
    prior, *_, seed = cell
    return [*cell, *np.random.default_rng([len(prior), seed]).normal(size=8)]


def measure_and_die(folder, *cell):
    """The same; but once, in the middle, the worker is killed, with the rows that it has not handed over."""
    died = folder / "died"
    if cell == VICTIM and not died.exists():
        died.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return [*measure(*cell), os.getpid()]


def rows(path):
    return sorted(path.read_text(encoding="utf-8").splitlines()[1:])


@pytest.fixture(scope="module")
def grid():
    from studies import prior_grid  # not above: workers import this file, and need none of it

    return prior_grid.from_appendix()["grid"]


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local:
        yield local


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_worker_loses_nothing(grid, cluster, tmp_path, capsys):
    grid(CELLS, tmp_path / "sequential.csv", measure)
    with _cluster.on(cluster.scheduler_address):
        grid(CELLS, tmp_path / "cluster.csv", functools.partial(measure_and_die, tmp_path))
    said = capsys.readouterr().out
    assert "2 cores" in said and "/status" in said  # where the dashboard is
    found = [row.rpartition(",") for row in rows(tmp_path / "cluster.csv")]
    assert [row for row, _, _ in found] == rows(tmp_path / "sequential.csv")
    (instead,) = (worker for row, _, worker in found if row.startswith(",".join(map(str, VICTIM))))
    assert instead not in {(tmp_path / "died").read_text(), str(os.getpid())}


def test_without_an_address_joblib_computes_here(grid, tmp_path):
    with _cluster.on(None):
        grid(CELLS[:2], tmp_path / "here.csv", measure)
    assert len(rows(tmp_path / "here.csv")) == 2


def test_a_study_takes_an_address(monkeypatch):
    from studies import prior_grid

    asked = []
    monkeypatch.setattr(_cluster, "on", lambda address: contextlib.nullcontext(asked.append(address)))
    monkeypatch.setattr(prior_grid, "from_appendix", lambda: {"grid": lambda *_, **__: None})
    for arguments in ([], ["--cluster", "tcp://here:8786"]):
        monkeypatch.setattr(sys, "argv", ["prior_grid.py", *arguments])
        prior_grid.main()
    assert asked == [None, "tcp://here:8786"]
