"""How the cost of a Bayesian neural network grows: with weights, rows, devices, workers, chains (lesson 14).

    python studies/cost_growth.py        # fills notebooks/records/cost_growth.csv, about ten minutes on a free core

Rows that exist are kept, so an interrupted run goes on where it was; delete the file to measure everything anew. Within
a turn all sizes of a part are measured one after another, so that a disturbance meets all of them: what the lesson
concludes is from ratios within a turn, and their medians over turns. One hidden layer of rectified units on MNIST; for
NUTS one hidden layer of tanh units on moons. The sweep is that of the lesson, with more seeds.

Parts, and what their size is:

weights     weights: a step of mean-field ADVI with 128 rows
rows        rows of a batch: a step with 10⁵ weights
gradient    weights: one gradient over all 60 000 images
devices     devices: a step with 1024 rows and 10⁵ weights
sweep       fits: a worker of a cluster that starts, imports, and makes so many fits of the lesson's sweep
chains      chains: 1000 draws of NUTS in all, each chain with 300 steps of tuning
nuts        weights: gradients for a draw of NUTS, after tuning
memory      weights: of a process of its own that fits mean-field ADVI, at its largest; 0: it only loads MNIST

Columns: part; turn; size; cpu_seconds, added up over cores and workers; wall_seconds; gradients (of nuts); megabytes
(of memory).
"""

import argparse
import csv
import functools
import importlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import jax
import joblib
import numpy as np
import optax
import pymc as pm
import pytensor

from bnn_course import data, inference, models
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "cost_growth.csv"
COLUMNS = ["part", "turn", "size", "cpu_seconds", "wall_seconds", "gradients", "megabytes"]
UNITS = (1, 12, 126, 1_258, 12_579)  # 10³ … 10⁷ weights
BATCH, UNITS_OF_OTHERS = 128, 126
BATCHES = (16, 64, 256, 1_024, 4_096)
DEVICES, SHARED_BATCH = (1, 2, 4), 1_024
FITS = (0, 12)
CHAINS, DRAWS, TUNE = (1, 2, 4), 1_000, 300
NUTS_UNITS = (2, 8, 32, 128)


def from_lesson():
    """What the lesson defines: one fit of the sweep."""
    return lesson("14").define("one_fit")


def weights_of(units):
    return 784 * units + units + 10 * units + 10


@functools.cache
def classifier(units, batch=None):
    """A network on MNIST that sees `batch` rows at a time, or all of them."""
    mnist = data.load_mnist()
    images, labels = mnist.train_images.reshape(-1, 784), mnist.train_labels
    with pytensor.config.change_flags(floatX="float32"):
        rows = pm.Minibatch(images, labels, batch_size=batch or len(images))
        return models.image_classifier(*rows, total_size=len(images), hidden=(units,), weight_sd=0.1)


def mesh_of(devices):
    return None if devices == 1 else jax.make_mesh((devices,), ("batch",), devices=jax.devices()[:devices])


def timed(work, times=1):
    """Processor seconds and seconds on the clock of one of `times` equal pieces of work."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return {
        "cpu_seconds": (time.process_time() - cpu) / times,
        "wall_seconds": (time.perf_counter() - wall) / times,
    }


def step_of_advi(units=UNITS_OF_OTHERS, batch=BATCH, devices=1):
    """Return what measures a step, averaged over enough of them; it is compiled here."""
    model = classifier(units, batch)
    with pytensor.config.change_flags(floatX="float32"):
        steps = int(np.clip(1e10 / weights_of(units) / batch, 4, 4_000))
        fit = functools.partial(inference.advi, model, optimizer=optax.adam(1e-3), random_seed=0, mesh=mesh_of(devices))
        begun = fit(steps=2)
    return lambda: timed(lambda: fit(steps=2 + steps, resume=begun), steps)


def gradient(units):
    """Return what measures a gradient over all images: a step towards the MAP; it is compiled here."""
    model = classifier(units)
    fit = functools.partial(inference.find_map, model, optimizer=optax.sgd(1e-9), random_seed=0)
    begun, steps = fit(steps=2), int(np.clip(3e5 / weights_of(units), 2, 30))
    return lambda: timed(lambda: fit(steps=2 + steps, resume=begun), steps)


def sweep(fits):
    """Return what measures a worker that starts, imports, and makes so many fits of the lesson's sweep."""
    one_fit = from_lesson()["one_fit"]
    cells = [(width, seed) for width in (0.5, 1, 2) for seed in range(fits // 3)]

    def measure():
        from dask.distributed import Client, LocalCluster  # the extra `cluster`

        size = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"}
        with LocalCluster(**size) as cluster, Client(cluster) as client, joblib.parallel_config(backend="dask"):
            client.run(importlib.import_module, "bnn_course.inference")
            joblib.Parallel()(joblib.delayed(one_fit)(*cell) for cell in cells)
            return {"cpu_seconds": sum(client.run(time.process_time).values())}

    return measure


@functools.cache
def tanh_network(units):
    x, y = data.make_moons(200, noise=0.2, rng=np.random.default_rng(0))
    with pm.Model() as model:
        inner = pm.Normal("inner", 0, 1, shape=(3, units))
        outer = pm.Normal("outer", 0, 1 / np.sqrt(units), shape=units)
        hidden = pm.math.tanh(x @ inner[:-1] + inner[-1])
        pm.Bernoulli("y", logit_p=3 * hidden @ outer, observed=y)
    return model


QUIET = {"tune": TUNE, "random_seed": 0, "compute_convergence_checks": False}


def chains_of_nuts(chains):
    """Return what measures the same number of draws, shared by chains; it is compiled here."""
    sample = functools.partial(inference.nuts, tanh_network(8), chains=chains, **QUIET)
    sample(draws=chains)
    return lambda: timed(lambda: sample(draws=DRAWS // chains))


def gradients_of_nuts(units):
    """Return what counts the gradients of a draw."""

    def count():
        trace = inference.nuts(tanh_network(units), draws=100, chains=2, **QUIET)
        return {"gradients": float(trace["sample_stats"]["n_steps"].values.mean())}

    return count


def memory(units):
    """Return what measures the memory of a process of its own."""
    command = [sys.executable, __file__, "--memory", str(units)]
    return lambda: {"megabytes": float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)}


def largest_memory(units):
    """Fit, or only load the images, and return the largest memory that this process ever had, in MB."""
    import resource  # Windows has none

    if units:
        step_of_advi(units)()
    else:
        data.load_mnist()
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1_000 if sys.platform == "darwin" else 1)
    return kilobytes * 1.024 / 1_000


class Part(NamedTuple):
    """What is measured: in so many turns, for each of these sizes, by what `prepare` returns for them."""

    turns: int
    sizes: dict[int, Any]  # size: argument
    prepare: Callable[[Any], Callable[[], dict]]


def same(sizes):
    return {size: size for size in sizes}


PARTS = {
    # first: a process inherits, as its own largest, what its parent had when it started
    "memory": Part(1, {0: 0} | {weights_of(units): units for units in UNITS}, memory),
    "chains": Part(3, same(CHAINS), chains_of_nuts),
    "rows": Part(3, same(BATCHES), lambda batch: step_of_advi(batch=batch)),
    "devices": Part(3, same(DEVICES), lambda devices: step_of_advi(batch=SHARED_BATCH, devices=devices)),
    "nuts": Part(1, {4 * units: units for units in NUTS_UNITS}, gradients_of_nuts),
    "weights": Part(3, {weights_of(units): units for units in UNITS}, step_of_advi),
    "gradient": Part(3, {weights_of(units): units for units in UNITS[:4]}, gradient),
    "sweep": Part(3, same(FITS), sweep),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=RECORD)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory is not None:
        print(largest_memory(options.memory))
        return
    jax.config.update("jax_num_cpu_devices", max(DEVICES))
    text = options.output.read_text(encoding="utf-8") if options.output.exists() else ""
    rows = list(csv.DictReader(text.splitlines()))
    done = {(row["part"], int(row["turn"])) for row in rows}
    for part, (turns, sizes, prepare) in PARTS.items():
        missing = [turn for turn in range(turns) if (part, turn) not in done]
        measures = {size: prepare(argument) for size, argument in sizes.items()} if missing else {}
        for turn in missing:
            rows += [{"part": part, "turn": turn, "size": size} | measure() for size, measure in measures.items()]
            with options.output.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rounded(row) for row in rows)
            print(f"{part}, turn {turn + 1} of {turns}", flush=True)


def rounded(row):
    return {name: f"{value:.5g}" if isinstance(value, float) else value for name, value in row.items()}


if __name__ == "__main__":
    main()
