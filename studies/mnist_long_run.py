"""Run ADVI on MNIST until the ELBO stands still, and record what happens on the way (lesson 09 reads the record).

    python studies/mnist_long_run.py            # writes notebooks/records/mnist_long_run.csv, about 15 minutes

Columns: seed; epoch (passes through the 55 000 training images); negative ELBO and its part KL(q‖p), both in nats per
image; the share of weights that are back at the prior; accuracy and NLL of the posterior predictive (30 draws) on the
validation and on the test images.
"""

import argparse
import csv
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import optax
import pymc as pm
import pytensor

from bnn_course import data, inference, models, uncertainty

pytensor.config.floatX = "float32"

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "mnist_long_run.csv"
COLUMNS = "seed epoch negative_elbo kl at_prior validation_accuracy validation_nll test_accuracy test_nll".split()
N_TRAIN, BATCH, WEIGHT_SD, DRAWS = 55_000, 128, 1.0, 30


def kl_to_prior(approximation):
    """KL(q‖p) in nats for a Normal(0, WEIGHT_SD²) prior on every component (Kingma & Welling 2014, appendix B)."""
    total = 0.0
    for mean, sd in zip(approximation.mean.values(), approximation.sd.values(), strict=True):
        ratio = (sd.astype(float) / WEIGHT_SD) ** 2
        total += 0.5 * np.sum(ratio + (mean.astype(float) / WEIGHT_SD) ** 2 - 1 - np.log(ratio))
    return total


def share_at_prior(approximation):
    """Share of the components whose approximation is nearly the prior: 0.9 < σ/σ₀ < 1.1 and |μ|/σ₀ < 0.1."""
    mean = np.concatenate([a.ravel() for a in approximation.mean.values()]) / WEIGHT_SD
    sd = np.concatenate([a.ravel() for a in approximation.sd.values()]) / WEIGHT_SD
    return np.mean((np.abs(sd - 1) < 0.1) & (np.abs(mean) < 0.1))


def run_seed(seed, epochs, write):
    """One fit with a cosine schedule over all epochs; a row after epochs 1, 2, 5, 10, 20, 30, 40, …"""
    mnist = data.load_mnist()
    images = mnist.train_images.reshape(-1, 784)
    train = pm.Minibatch(images[:N_TRAIN], mnist.train_labels[:N_TRAIN], batch_size=BATCH)
    model = models.image_classifier(*train, total_size=N_TRAIN, weight_sd=WEIGHT_SD)
    per_epoch = N_TRAIN // BATCH
    held_out = {
        "validation": (images[N_TRAIN:], mnist.train_labels[N_TRAIN:]),
        "test": (mnist.test_images.reshape(-1, 784), mnist.test_labels),
    }

    def record(approximation):
        epoch = approximation.step // per_epoch
        if epoch not in (1, 2, 5) and epoch % 10:
            return
        row = {"seed": seed, "epoch": epoch, "kl": kl_to_prior(approximation) / N_TRAIN}
        row["at_prior"] = share_at_prior(approximation)
        row["negative_elbo"] = approximation.loss[-per_epoch:].mean() / N_TRAIN
        posterior = approximation.sample(DRAWS, random_seed=seed)
        for name, (images_of, labels) in held_out.items():
            draws = inference.predict(model, posterior, "probability", given={train[0]: images_of})
            probability = uncertainty.mean_probability(draws)
            row[f"{name}_accuracy"] = uncertainty.accuracy(probability, labels)
            row[f"{name}_nll"] = uncertainty.nll(probability, labels)
        write({k: row[k] if k in ("seed", "epoch") else f"{row[k]:.5f}" for k in COLUMNS})

    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, epochs * per_epoch))
    start = models.random_start(model, np.random.default_rng(seed))
    fit = {"optimizer": optimizer, "random_seed": seed, "start": start}
    approximation = None
    for epoch in range(1, epochs + 1):
        approximation = inference.advi(model, steps=epoch * per_epoch, resume=approximation, **fit)
        record(approximation)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    partial = RECORD.with_suffix(".part")
    RECORD.parent.mkdir(exist_ok=True)
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for seed in range(options.seeds):
            run_seed(seed, options.epochs, lambda row: (writer.writerow(row), file.flush(), print(row, flush=True)))
    partial.replace(RECORD)


if __name__ == "__main__":
    main()
