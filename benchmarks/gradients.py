"""What a gradient costs NUTS, with the lessons' networks of `nuts.py`: by Numba, with two kinds of tanh, and by XLA.

    python benchmarks/gradients.py        # writes gradients.json; about five minutes

`inference.nuts` lets nutpie compile the log density with Numba, loop by loop, with the course's tanh (`_tanh`). "C
tanh" is the same with PyTensor's own, which calls the C library for one number after another. nutpie can also have it
compiled by JAX, whose XLA works on whole arrays, but is called anew for each gradient (in NumPyro's compiled loop it is
not). One chain on one core, 50 steps of tuning and 50 draws; microseconds for each gradient, sampler included. They
take turns, five seeds; ratios are geometric means with their 95 % t-intervals.
"""

import json
import statistics
import time
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import nutpie
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.link.numba.dispatch.scalar import numba_funcify_ScalarOp
from pytensor.scalar.basic import Tanh

from benchmarks.nuts import geometric_mean, networks
from bnn_course import _tanh

NUMBA, XLA = {"backend": "numba"}, {"backend": "jax", "gradient_backend": "jax"}
BACKENDS = {"Numba": NUMBA, "C tanh": NUMBA, "XLA": XLA}
TANH = {"Numba": _tanh.for_pytensor, "C tanh": numba_funcify_ScalarOp, "XLA": _tanh.for_pytensor}
LENGTHS = {"chains": 1, "cores": 1, "tune": 50, "draws": 50, "maxdepth": 7}
SEEDS = 5


def microseconds(compiled, seed):
    """Of a gradient, from the wall time of a chain and the number of its leapfrog steps."""
    began = time.perf_counter()
    trace = nutpie.sample(compiled, **LENGTHS, seed=seed, progress_bar=False)
    seconds = time.perf_counter() - began
    steps = sum(int(trace[group]["n_steps"].sum()) for group in ("sample_stats", "warmup_sample_stats"))
    return 1e6 * seconds / steps


def compiled_by(kind, model):
    register_funcify_and_cache_key(Tanh)(TANH[kind])
    return nutpie.compile_pymc_model(model, **BACKENDS[kind])


def row_of(name, model):
    compiled = {kind: compiled_by(kind, model) for kind in BACKENDS}
    times = {kind: [] for kind in compiled}
    for seed in range(SEEDS + 1):
        for kind, its in compiled.items():
            times[kind].append(microseconds(its, seed))
    times = {kind: its[1:] for kind, its in times.items()}  # the first run compiles
    medians = {kind: round(statistics.median(its), 2) for kind, its in times.items()}
    ratios = {kind: geometric_mean(np.divide(times["Numba"], times[kind])) for kind in ("C tanh", "XLA")}
    return {"model": name, "us": medians, "numba_over": ratios}


def main():
    rows = []
    for name, model in networks():
        rows.append(row_of(name, model))
        print(rows[-1], flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps({"seeds": SEEDS, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
