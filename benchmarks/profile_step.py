"""Where the time of an ADVI step on MNIST goes: `inference.advi`, part by part.

    python benchmarks/profile_step.py [--widths 128 400 1200]      # writes profile.json; about four minutes

Network, batch and optimiser are those of benchmarks/run.py. XLA fuses a step into few loops, so a part is what the step
gains when the part is left out: the noise (a constant in its place), and Adam with the standard deviations (plain
gradient steps on the means in its place). What is left is the log density with its gradient; fetching the batch is
timed on its own. Three more variants are the whole step as it was once: with the noise of `jax.random` ("threefry"),
with JAX's inverse distribution function ("erf_inv"), and with the derivative of a draw left to JAX ("derivative").
Medians of five turns; variants take turns. Beside it stands what this machine allows:
Adam must move each weight's mean, log sd and four moments through memory, and the gradient needs three matrix products.
"""

import argparse
import contextlib
import json
import math
import statistics
import time
from pathlib import Path
from unittest import mock

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import contestants, growth
from bnn_course import _graph, _loop, data
from bnn_course._problem import Problem

TURN, TURNS = 1.0, 5  # seconds of a turn, roughly, and their number


def threefry(offset, shape, stream, dtype):
    key = jax.random.fold_in(jax.random.key(0), stream + jnp.uint32(offset))
    return jax.random.normal(key, shape, dtype)


def constant(offset, shape, stream, dtype):
    return jnp.full(shape, 0.5, dtype) * (1 + stream.astype(dtype) * 0)  # depends on the step, so it is not hoisted


def erf_inv(u):
    return math.sqrt(2) * jax.lax.erf_inv(u)


VARIANTS = {  # names of `_loop`, and what stands in their place
    "step": {},
    "constant": {"normals": constant},
    "threefry": {"normals": threefry},
    "erf_inv": {"normal_quantile": erf_inv},
    "derivative": {"drawn": _loop._draw},
}


def whole_step(width, images, labels, others):
    """`inference.advi` with `others` in place of what has their names in `_loop`: a function that runs n more steps."""
    with contextlib.ExitStack() as stack:
        for name, other in others.items():
            stack.enter_context(mock.patch.object(_loop, name, other))
        run, _ = contestants.ours(width, images, labels, 1e-3)
        run(8)  # compiles
    return run


def batches(n):
    return jnp.asarray(np.random.default_rng(0).integers(0, contestants.N, (n, contestants.BATCH)))


def gradient_step(width, images, labels):
    """Gradient steps on the means, without noise."""
    problem = Problem(contestants.pymc_model(width, images, labels))
    values = tuple(jnp.asarray(value) for value in problem.start(contestants.start(width)).values())
    call, constants = problem.log_density(jacobian=True)
    arrays, constants = _graph.to_device(problem.batches.arrays), constants()

    @jax.jit
    def run(values, arrays, rows):
        def one(values, row):
            batch = tuple(array[row] for array in arrays)
            gradient = jax.grad(lambda values: call(*values, *batch, *constants)[0])(values)
            return tuple(v + 1e-9 * g for v, g in zip(values, gradient, strict=True)), None

        return jax.lax.scan(one, values, rows)

    return lambda n: jax.block_until_ready(run(values, arrays, batches(n)))


def fetch(images, labels):
    """Fetch the batches and sum them."""
    arrays = _graph.to_device((images, labels))

    @jax.jit
    def run(arrays, rows):
        return jax.lax.scan(lambda total, row: (total + sum(jnp.sum(a[row]) for a in arrays), None), 0, rows)

    return lambda n: jax.block_until_ready(run(arrays, batches(n)))


def milliseconds(runs):
    """Median milliseconds of a step of each of them, in turns."""
    lengths, times = {}, {name: [] for name in runs}
    for name, run in runs.items():
        run(64)
        began = time.perf_counter()
        run(64)
        lengths[name] = int(np.clip(64 * TURN / (time.perf_counter() - began), 64, 512))
        run(lengths[name])
    for _ in range(TURNS):
        for name, run in runs.items():
            began = time.perf_counter()
            run(lengths[name])
            times[name].append(1e3 * (time.perf_counter() - began) / lengths[name])
    return {name: statistics.median(ms) for name, ms in times.items()}


def parts_of(width, images, labels):
    """Milliseconds of the parts of a step, and of the step with other noise; and what memory and products allow."""
    runs = {name: whole_step(width, images, labels, others) for name, others in VARIANTS.items()}
    runs["density"] = gradient_step(width, images, labels)
    runs["batch"] = fetch(images, labels)
    ms = milliseconds(runs)
    parts = {"step": ms["step"], "noise": ms["step"] - ms["constant"], "Adam": ms["constant"] - ms["density"]}
    parts |= {"log density": ms["density"], "of which batch": ms["batch"]}
    parts |= {name: ms[name] for name in ("threefry", "erf_inv", "derivative")}
    weights = sum(mean.size for mean in contestants.start(width).values())
    operations = growth.OPERATIONS * contestants.BATCH * weights
    limits = {
        "memory": growth.BYTES * weights / growth.memory_bandwidth(),
        "products": operations / growth.matrix_speed(),
    }
    return {"width": width, "weights": weights} | parts | {name: 1e3 * limit for name, limit in limits.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 400, 1200])
    options = parser.parse_args()
    mnist = data.load_mnist()
    images, labels = mnist.train_images.reshape(-1, 784), mnist.train_labels
    rows = []
    for width in options.widths:
        rows.append(parts_of(width, images, labels))
        print(rows[-1], flush=True)
    Path(__file__).with_name("profile.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
