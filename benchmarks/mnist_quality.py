"""Error and NLL on MNIST at KL weight 1: a mixture of ADVI fits beside an ensemble, settings chosen on validation.

    python benchmarks/mnist_quality.py [--seeds 5]        # writes mnist_quality.csv; resumable; about 40 minutes

Network 784-1200-1200-10, rectified layers, no augmentation. First each setting of the grid learns from 50 000 training
images and answers the other 10 000: per method the smallest NLL chooses. Only then are the chosen settings fitted to
all 60 000 training images, four fits for each seed, and asked about the 10 000 test images. The probabilities of the
four are averaged: a mixture of four mean-field Normals, or a deep ensemble of four MAP networks.
"""

import argparse
import itertools
import time
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import pandas as pd
import pymc as pm
import pytensor

from bnn_course import data, inference, models, uncertainty

RECORD = Path(__file__).with_suffix(".csv")
MEMBERS, DRAWS, N_TRAIN, BATCH = 4, 30, 50_000, 128
GRIDS = {
    "ADVI": {"prior_sd": (1.0,), "passes": (4,), "learning_rate": (1e-3, 2e-3), "start_sd": (0.005, 0.02)},
    "ensemble": {"prior_sd": (0.1, 0.3, 1.0), "passes": (4, 8), "learning_rate": (1e-3,), "start_sd": (0.0,)},
}
SETTING = ["prior_sd", "passes", "learning_rate", "start_sd"]


class Images:
    """Training images and those that are answered, with one model for each prior."""

    def __init__(self, train, labels, asked, answers):
        self.n, self.asked, self.answers, self.models = len(labels), asked, answers, {}
        self.batch = pm.Minibatch(train, labels, batch_size=BATCH)

    def model(self, prior_sd):
        if prior_sd not in self.models:
            network = {"total_size": self.n, "hidden": (1200, 1200), "weight_sd": prior_sd}
            self.models[prior_sd] = models.image_classifier(*self.batch, **network)
        return self.models[prior_sd]


def fitted(images, method, setting, seed):
    """Probabilities of the asked images by one fit."""
    model = images.model(setting["prior_sd"])
    how = {"steps": setting["passes"] * (images.n // BATCH), "learning_rate": setting["learning_rate"]}
    how |= {"random_seed": seed, "start": models.random_start(model, np.random.default_rng(seed))}
    if method == "ADVI":
        draws = inference.advi(model, **how, start_sd=setting["start_sd"]).sample(DRAWS, random_seed=seed)
    else:
        draws = inference.find_map(model, **how).sample(1, random_seed=seed)
    p = inference.predict(model, draws, "probability", given={images.batch[0]: images.asked})
    return uncertainty.mean_probability(p)


def row_of(images, method, setting, seed, members):
    """A row of the record: the members' mean answer."""
    began = time.perf_counter()
    p = np.mean([fitted(images, method, setting, 1000 * seed + member) for member in range(members)], axis=0)
    row = {"method": method, **setting, "seed": seed, "members": members}
    row |= {"error": 1 - uncertainty.accuracy(p, images.answers), "nll": uncertainty.nll(p, images.answers)}
    return row | {"seconds": time.perf_counter() - began}


def chosen(rows):
    """The setting of each method with the smallest NLL on the validation images."""
    tried = rows[rows["asked"] == "validation"]
    best = tried.loc[tried.groupby("method")["nll"].idxmin()]
    return {row["method"]: {**row[SETTING].to_dict(), "passes": int(row["passes"])} for _, row in best.iterrows()}


def done(rows, asked, method, setting, seed):
    wanted = {"asked": asked, "method": method, **setting, "seed": seed}
    return len(rows) and bool(np.logical_and.reduce([rows[name] == value for name, value in wanted.items()]).any())


def add(rows, asked, images, method, setting, seed, members):
    """The rows with one more, printed and written, if it is not there."""
    if done(rows, asked, method, setting, seed):
        return rows
    row = {"asked": asked, **row_of(images, method, setting, seed, members)}
    print(row, flush=True)
    rows = pd.concat([rows, pd.DataFrame([row])], ignore_index=True)
    rows.to_csv(RECORD, index=False, float_format="%.6g", lineterminator="\n")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    pytensor.config.floatX = "float32"
    mnist = data.load_mnist()
    images, labels = mnist.train_images.reshape(-1, 784), mnist.train_labels
    rows = pd.read_csv(RECORD) if RECORD.exists() else pd.DataFrame()
    validation = Images(images[:N_TRAIN], labels[:N_TRAIN], images[N_TRAIN:], labels[N_TRAIN:])
    for method, grid in GRIDS.items():
        for values in itertools.product(*grid.values()):
            rows = add(rows, "validation", validation, method, dict(zip(grid, values, strict=True)), 99, 1)
    test = Images(images, labels, mnist.test_images.reshape(-1, 784), mnist.test_labels)
    for seed in range(options.seeds):
        for method, setting in chosen(rows).items():
            rows = add(rows, "test", test, method, setting, seed, MEMBERS)
    for method, found in rows[rows["asked"] == "test"].groupby("method"):
        for score in ("error", "nll"):
            mean, half, n = uncertainty.t_interval(found[score])
            print(f"{method:10s} {score:5s} {mean:.5f} ± {half:.5f} ({n} seeds)")


if __name__ == "__main__":
    main()
