"""What a student waits for: the first step, an ELBO and 97.7 % on MNIST, from a process that starts with nothing.

    python benchmarks/start.py [--turns 3]      # writes start.json; about ten minutes

Network of lesson 09 (784-128-128-10), learning rate 0.002, all libraries of `contestants.py` that are installed. Each
run is a process of its own with an empty home folder, so no compile cache; "ours, again" finds that of the run before.
After each pass NumPy computes, alike for all, the negative ELBO (ten draws, 10 000 training pictures) and the accuracy
of the mean probability on the test pictures. Seconds count from the start of the process, importing and data included,
computing the two not. Memory is the peak resident set. Contestants take turns; ratios are of one turn.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks import contestants

ROOT = Path(__file__).resolve().parents[1]
WIDTH, LEARNING_RATE, DRAWS, PASSES = 128, 2e-3, 10, 20
ELBO, ACCURATE = 2.0, 0.977  # nats for each picture, and a share
KEYS = ("first_step_s", "elbo_s", "accurate_s", "passes", "megabytes")


def mnist_arrays():
    """Training pictures and labels, test pictures and labels, without importing more than NumPy."""
    with np.load(ROOT / "bnn_course" / "datasets" / "mnist.npz") as file:
        parts = [file[name] for name in ("train_images", "train_labels", "test_images", "test_labels")]
    return [part.reshape(len(part), -1) if part.ndim > 1 else part for part in parts]


def log_probability(found, images, rng):
    """Log probability of each digit (picture, digit) by one draw of the network."""
    w = [mean + sd * rng.standard_normal(mean.shape, np.float32) for mean, sd in found]
    hidden = images.astype(np.float32) / 255
    for layer in (0, 2, 4):
        linear = hidden @ w[layer] + w[layer + 1]
        hidden = np.maximum(linear, 0)
    linear -= linear.max(axis=1, keepdims=True)
    return linear - np.log(np.exp(linear).sum(axis=1, keepdims=True))


def judged(found, arrays):
    """Negative ELBO in nats for each picture, and accuracy."""
    images, labels, test, digits = arrays
    rng, few = np.random.default_rng(0), slice(10_000)
    divergence = sum(float(((m**2 + s**2 - 1) / 2 - np.log(s)).sum(dtype=float)) for m, s in found)
    nll = -np.mean([log_probability(found, images[few], rng)[np.arange(10_000), labels[few]] for _ in range(DRAWS)])
    p = np.mean([np.exp(log_probability(found, test, rng)) for _ in range(DRAWS)], axis=0)
    return divergence / len(labels) + nll, (p.argmax(axis=1) == digits).mean()


def student(name, began):
    """Fit until both are reached; print what it took."""
    arrays = mnist_arrays()
    run, parameters = contestants.contestants()[name](WIDTH, *arrays[:2], LEARNING_RATE)
    run(1)
    result, judging = {"first_step_s": time.time() - began}, 0.0
    for passes in range(1, PASSES + 1):
        run(contestants.N // contestants.BATCH)
        paused = time.time()
        elbo, accuracy = judged(parameters(), arrays)
        print(f"{name}: pass {passes}, {elbo:.2f} nats, {accuracy:.4f}", file=sys.stderr)
        reached = {"elbo_s": elbo <= ELBO, "accurate_s": accuracy >= ACCURATE}
        result = {key: paused - began - judging for key, is_so in reached.items() if is_so} | result
        judging += time.time() - paused
        if len(result) == 1 + len(reached):
            break
    result |= {"passes": passes, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}
    print(json.dumps(result))


def run(name, home):
    """One student with that home folder: what `student` printed last."""
    env = {key: value for key, value in os.environ.items() if key != "PYTENSOR_FLAGS"}
    env |= {"HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))}
    command = [sys.executable, __file__, "--student", name, "--began", repr(time.time())]
    return json.loads(
        subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
    )


def turn():
    """What each contestant took, by name."""
    found = {}
    for name in contestants.contestants():
        with tempfile.TemporaryDirectory() as home:
            found[name] = run(name, home)
            if name == "ours":
                found["ours, again"] = run(name, home)
    return found


def rows_of(turns):
    """For each contestant the medians, and our seconds to that accuracy over its with the range over the turns."""
    for name in turns[0]:
        its = [turn[name] for turn in turns]
        reached = [key for key in KEYS if all(key in found for found in its)]
        row = {"name": name} | {key: statistics.median(found[key] for found in its) for key in reached}
        if "accurate_s" in row:
            ratios = [turn["ours"]["accurate_s"] / turn[name]["accurate_s"] for turn in turns]
            row |= {"ours_over_it": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--student", help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.student:
        student(options.student, options.began)
        return
    turns = []
    for _ in range(options.turns):
        turns.append(turn())
        print(turns[-1], flush=True)
    rows = list(rows_of(turns))
    record = {"turns": options.turns, "pymc": version("pymc"), "rows": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
