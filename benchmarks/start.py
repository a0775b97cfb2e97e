"""What a student waits for with lesson 09's network: the first step, 97.7 % on MNIST, predictions; and the memory.

    python benchmarks/start.py [--pairs 3]        # writes benchmarks/start_pymc5.json or start_pymc6.json

Each run is a process of its own. "Cold" runs find no compile cache (a home folder that is empty), "warm" ones find the
cache of the run before. Time counts from the start of the process, importing included; memory is the peak resident set,
the data included.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def student(began):
    """Fit as in lesson 09 until 97.7 % of the test digits are right; print what it took."""
    import resource

    import pytensor

    import bnn_course  # noqa: F401

    pytensor.config.floatX = "float32"
    import numpy as np
    import optax
    import pymc as pm

    from bnn_course import data, inference, models, uncertainty

    found = {"imported_s": time.time() - began}
    mnist = data.load_mnist()
    images, n = mnist.train_images.reshape(-1, 784), len(mnist.train_images)
    train = pm.Minibatch(images, mnist.train_labels, batch_size=128)
    model = models.image_classifier(*train, total_size=n)
    fit = {"optimizer": optax.adam(2e-3), "random_seed": 0}
    now = inference.advi(model, steps=1, start=models.random_start(model, np.random.default_rng(0)), **fit)
    found["first_step_s"] = time.time() - began
    test, accuracy = mnist.test_images.reshape(-1, 784), 0.0
    while accuracy < 0.977 and now.step < 20 * (n // 128):
        now = inference.advi(model, steps=now.step + n // 128, resume=now, **fit)
        draws = inference.predict(model, now.sample(10, random_seed=0), "probability", given={train[0]: test})
        accuracy = uncertainty.accuracy(uncertainty.mean_probability(draws), mnist.test_labels)
    found |= {"passes": now.step // (n // 128), "accuracy": accuracy, "accurate_s": time.time() - began}
    found["fit_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    began_to_predict = time.time()
    inference.predict(model, now.sample(100, random_seed=0), "probability", given={train[0]: test})
    found["predict_100_draws_s"] = time.time() - began_to_predict
    print(json.dumps(found | {"pymc": pm.__version__}))


def run(home):
    """One student with that home folder."""
    env = {key: value for key, value in os.environ.items() if key != "PYTENSOR_FLAGS"}
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, __file__, "--student", repr(time.time())]
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--student", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.student:
        student(options.student)
        return
    runs = {"cold": [], "warm": []}
    for _ in range(options.pairs):
        with tempfile.TemporaryDirectory() as home:
            for kind in runs:
                runs[kind].append(run(home))
                print(kind, runs[kind][-1], flush=True)
    version = runs["cold"][0].pop("pymc")
    keys = [key for key in runs["warm"][0] if key != "pymc"]
    result = {kind: {key: statistics.median(r[key] for r in found) for key in keys} for kind, found in runs.items()}
    Path(__file__).with_name(f"start_pymc{version.split('.')[0]}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
