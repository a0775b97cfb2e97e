"""Is a gradient faster in XLA than in Numba? What a gradient costs NUTS, with the lessons' networks of `nuts.py`.

    python benchmarks/gradients.py        # writes gradients.json; about five minutes

`inference.nuts` lets nutpie compile the log density with Numba, loop by loop; nutpie can also have it compiled by JAX,
whose XLA works on whole arrays. One chain on one core, 150 steps of tuning and 150 draws; microseconds for each
gradient, sampler included. Both take turns, five seeds; the ratio is their geometric mean with its 95 % t-interval.
"""

import json
import statistics
import time
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import nutpie

from benchmarks.nuts import geometric_mean, networks

BACKENDS = {"Numba": {"backend": "numba"}, "XLA": {"backend": "jax", "gradient_backend": "jax"}}
LENGTHS = {"chains": 1, "cores": 1, "tune": 150, "draws": 150, "maxdepth": 7}
SEEDS = 5


def microseconds(compiled, seed):
    """Of a gradient, from the wall time of a chain and the number of its leapfrog steps."""
    began = time.perf_counter()
    trace = nutpie.sample(compiled, **LENGTHS, seed=seed, progress_bar=False)
    seconds = time.perf_counter() - began
    steps = sum(int(trace[group]["n_steps"].sum()) for group in ("sample_stats", "warmup_sample_stats"))
    return 1e6 * seconds / steps


def row_of(name, model):
    compiled = {kind: nutpie.compile_pymc_model(model, **how) for kind, how in BACKENDS.items()}
    times = {kind: [] for kind in compiled}
    for seed in range(SEEDS + 1):
        for kind, its in compiled.items():
            times[kind].append(microseconds(its, seed))
    times = {kind: its[1:] for kind, its in times.items()}  # the first run compiles
    medians = {kind: round(statistics.median(its), 2) for kind, its in times.items()}
    return {"model": name, "us": medians, "numba_over_xla": geometric_mean(np.divide(times["Numba"], times["XLA"]))}


def main():
    rows = []
    for name, model in networks():
        rows.append(row_of(name, model))
        print(rows[-1], flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps({"seeds": SEEDS, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
