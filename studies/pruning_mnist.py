"""Remove weights of a Bayesian neural network for MNIST and see what it costs (lesson 08 draws the record).

    python studies/pruning_mnist.py     # writes notebooks/records/pruning_mnist*.csv, about 30 minutes on one core

The network, its fit and the pruning rules are those of the lesson. An interrupted run continues where it stopped.

pruning_mnist.csv: prior; its standard deviation; passes through the training pictures; seed; negative ELBO (nats per
picture, last pass); rule; share of weights removed; accuracy and NLL (nats) on the test pictures, of 10 draws and of
the network that has the means as its weights. pruning_mnist_histogram.csv: share of the weights whose decimal logarithm
of |μ|/σ lies in [left, left + 0.1).
"""

import argparse
import csv
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import pymc as pm
import pytensor

from tools.lessons import lesson

pytensor.config.floatX = "float32"  # as in the lesson

CURVE = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "pruning_mnist.csv"
HISTOGRAM = CURVE.with_name("pruning_mnist_histogram.csv")
FIT = ["prior", "prior_sd", "passes", "seed"]
COLUMNS = [*FIT, "negative_elbo", "rule", "removed", "accuracy", "nll", "mean_accuracy", "mean_nll"]
RULES = ["signal-to-noise", "size", "random"]
SHARES = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99]
EDGES = np.round(np.arange(-4, 2.01, 0.1), 1)

PRIORS = {
    "Normal": lambda sd: lambda name, shape: pm.Normal(name, 0, sd, shape=shape),
    "Laplace": lambda sd: lambda name, shape: pm.Laplace(name, 0, sd / np.sqrt(2), shape=shape),
}
SETTINGS = [(1.0, 20), (0.1, 20), (1.0, 100)]  # standard deviation of the prior, passes
FITS = [(prior, *setting, seed) for setting in SETTINGS for seed in range(5) for prior in PRIORS]


def from_lesson():
    """What the lesson defines: the network, its fit, its scores and the pruning rules."""
    return lesson("08").define("digit_network", "fit_digits", "test_scores", "prune")


def measure(names, model, prior, prior_sd, passes, seed):
    """Rows of both records for one fit."""
    fit = names["fit_digits"](model, passes, seed)
    row = {"prior": prior, "prior_sd": prior_sd, "passes": passes, "seed": seed}
    elbo = f"{fit.loss[-429:].mean() / 55_000:.4f}"
    curve = []
    for rule in RULES:
        for removed in SHARES:
            if removed == 0 and curve:  # the same for every rule
                curve.append(curve[0] | {"rule": rule})
                continue
            pruned = names["prune"](fit, rule, removed)
            scores = names["test_scores"](model, pruned)
            scores += names["test_scores"](
                model, pruned.with_moments(pruned.mean, {n: np.zeros_like(s) for n, s in fit.sd.items()}), 1
            )
            named = dict(zip(COLUMNS[-4:], [f"{value:.4f}" for value in scores], strict=True))
            curve.append(row | {"negative_elbo": elbo, "rule": rule, "removed": removed} | named)
    ratio = np.concatenate([(np.abs(fit.mean[n]) / fit.sd[n]).ravel() for n in fit.mean])
    counts, _ = np.histogram(np.clip(np.log10(ratio + 1e-12), EDGES[0], EDGES[-1] - 1e-6), EDGES)
    share = [f"{c / ratio.size:.5f}" for c in counts]
    return curve, [row | {"left": left, "share": s} for left, s in zip(EDGES[:-1], share, strict=True)]


def read(path):
    return list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []


def write(path, rows):
    partial = path.with_suffix(".part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=len(FITS), help="only the first so many fits")
    options = parser.parse_args()
    names, networks = from_lesson(), {}
    curve, histogram = read(CURVE), read(HISTOGRAM)
    done = {tuple(row[column] for column in FIT) for row in curve}
    for fit in FITS[: options.fits]:
        if tuple(map(str, fit)) in done:
            continue
        prior, prior_sd, *_ = fit
        if fit[:2] not in networks:
            networks = {fit[:2]: names["digit_network"](PRIORS[prior](prior_sd))} | dict(list(networks.items())[-1:])
        rows, bars = measure(names, networks[fit[:2]], *fit)
        histogram = [row for row in histogram if tuple(row[c] for c in FIT) != tuple(map(str, fit))] + bars
        curve += rows
        write(HISTOGRAM, histogram)
        write(CURVE, curve)
        print(*fit, rows[0]["accuracy"], flush=True)


if __name__ == "__main__":
    main()
