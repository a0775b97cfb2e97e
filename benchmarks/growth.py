"""How the time of an ADVI step grows with weights and batch, and the time to a fixed ELBO with the data.

    python benchmarks/growth.py        # writes benchmarks/growth.json and growth.png

The machine's limits are measured beside it and drawn in. A step must at least read and write every weight's mean,
log sd and their four moments of Adam (48 bytes a weight), and multiply three times with the batch (forward, and
backward to the inputs and to the weights: 6 × batch operations a weight).
"""

import json
import statistics
import time
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import optax
import pymc as pm
import pytensor

from bnn_course import data, inference, models, plots

pytensor.config.floatX = "float32"
matplotlib.use("Agg")

BATCH = 128
NETWORKS = [
    (25, (25,)),
    (100, (90,)),
    (784, (38,)),
    (784, (128, 128)),
    (784, (400, 400)),
    (784, (1200, 1200)),
    (2048, (4096,)),
]
BATCHES = [16, 32, 64, 128, 256, 512, 1024, 2048]
SIZES = [1_000, 3_000, 10_000, 30_000, 60_000]
BYTES, OPERATIONS = 48, 6  # of a weight, in a step (operations: times the batch)


def network(images, labels, hidden, batch, weight_sd=1.0):
    train = pm.Minibatch(images, labels, batch_size=batch)
    model = models.image_classifier(*train, total_size=len(images), hidden=hidden, weight_sd=weight_sd)
    return model, models.random_start(model, np.random.default_rng(0))


def step_time(images, labels, hidden, batch):
    """Median seconds of a step over five turns, and the number of weights."""
    model, start = network(images, labels, hidden, batch)
    fit = {"model": model, "optimizer": optax.adam(1e-3), "random_seed": 0}
    found = inference.advi(**fit, steps=2, start=start)
    weights = sum(mean.size for mean in found.mean.values())
    turn = int(np.clip(2e8 / weights, 20, 500))  # many, so that what a call costs besides its steps is small
    times = []
    for _ in range(5):
        began = time.perf_counter()
        found = inference.advi(**fit, steps=found.step + turn, resume=found)
        times.append((time.perf_counter() - began) / turn)
    return statistics.median(times), weights


def time_to_elbo(images, labels):
    """Seconds and steps until the mean of 200 losses is within 2 % of what a long fit reaches."""
    model, start = network(images, labels, (64,), BATCH, weight_sd=0.1)
    inference.advi(model, steps=2, learning_rate=1e-3, random_seed=0, start=start)  # compiled outside the measurement
    began = time.perf_counter()
    found = inference.advi(model, steps=20_000, learning_rate=2e-3, random_seed=1, start=start)
    seconds = time.perf_counter() - began
    mean = np.convolve(found.loss, np.full(200, 1 / 200), "valid")
    steps = int(np.argmax(mean <= 1.02 * mean[-1])) + 200
    return seconds * steps / found.step, steps


def memory_bandwidth():
    """Bytes a second that a large copy reads and writes, median of nine."""
    a = np.ones(2**25, np.float32)
    b = np.empty_like(a)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        np.copyto(b, a)
        times.append(time.perf_counter() - began)
    return 2 * a.nbytes / statistics.median(times)


def matrix_speed():
    """Operations a second of a product of 1024 × 1024 float32 matrices in JAX, median of nine."""
    import jax
    import jax.numpy as jnp

    a = jnp.ones((1024, 1024), jnp.float32)
    product = jax.jit(lambda x: x @ x)
    product(a).block_until_ready()
    times = []
    for _ in range(9):
        began = time.perf_counter()
        product(a).block_until_ready()
        times.append(time.perf_counter() - began)
    return 2 * 1024**3 / statistics.median(times)


def draw(result, path):
    """Three panels: weights and batch on logarithmic axes, data."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
    weights, seconds = np.array(result["weights"]).T
    left.plot(weights, 1e3 * seconds, "o-", color=plots.BLUE, label="measured")
    left.plot(weights, 1e3 * BYTES * weights / result["bytes_per_s"], "--", color=plots.DARK, label="memory bandwidth")
    work = OPERATIONS * BATCH * weights / result["operations_per_s"]
    left.plot(weights, 1e3 * work, ":", color=plots.VERMILLION, label="matrix products")
    left.set(xscale="log", yscale="log", xlabel=f"weights (batch {BATCH})", ylabel="ms a step")
    batch, seconds = np.array(result["batch"]).T
    n = result["batch_weights"]
    middle.plot(batch, 1e3 * seconds, "o-", color=plots.BLUE)
    middle.axhline(1e3 * BYTES * n / result["bytes_per_s"], ls="--", color=plots.DARK)
    middle.plot(batch, 1e3 * OPERATIONS * batch * n / result["operations_per_s"], ":", color=plots.VERMILLION)
    middle.set(xscale="log", yscale="log", xlabel=f"batch ({n:,} weights)", ylabel="ms a step")
    size, seconds, _ = np.array(result["data"]).T
    right.plot(size, seconds, "o-", color=plots.BLUE)
    right.set(xscale="log", xlabel="training pictures", ylabel="s to within 2 % of the final ELBO")
    right.set_ylim(0, 1.3 * max(seconds))
    left.legend(frameon=False)
    for ax in (left, middle, right):
        ax.spines[["top", "right"]].set_visible(False)
    fig.savefig(path, dpi=130)


def main():
    mnist = data.load_mnist()
    images, labels = mnist.train_images.reshape(-1, 784), mnist.train_labels
    rng = np.random.default_rng(0)
    result = {
        "bytes_per_s": memory_bandwidth(),
        "operations_per_s": matrix_speed(),
        "weights": [],
        "batch": [],
        "data": [],
    }
    for inputs, hidden in NETWORKS:
        pictures = images if inputs == 784 else rng.integers(0, 256, (4_000, inputs)).astype(np.uint8)
        seconds, weights = step_time(pictures, labels[: len(pictures)], hidden, BATCH)
        result["weights"].append((weights, seconds))
        print(f"{weights:10,d} weights {1e3 * seconds:9.3f} ms a step", flush=True)
    for batch in BATCHES:
        seconds, result["batch_weights"] = step_time(images, labels, (128, 128), batch)
        result["batch"].append((batch, seconds))
        print(f"batch {batch:5d} {1e3 * seconds:9.3f} ms a step", flush=True)
    for size in SIZES:
        seconds, steps = time_to_elbo(images[:size], labels[:size])
        result["data"].append((size, seconds, steps))
        print(f"{size:6,d} pictures {seconds:6.1f} s, {steps:,} steps to within 2 % of the final ELBO", flush=True)
    here = Path(__file__).parent
    (here / "growth.json").write_text(json.dumps(result, indent=2) + "\n")
    draw(result, here / "growth.png")


if __name__ == "__main__":
    main()
