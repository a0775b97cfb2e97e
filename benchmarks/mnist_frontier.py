"""Which networks, priors and lengths of a fit give which ELBO and which test error on MNIST, KL weight 1 throughout.

    python benchmarks/mnist_frontier.py [--seeds 3]        # writes benchmarks/mnist_frontier.csv and .png; resumable

All 60 000 training pictures, no augmentation, rectified layers, mean-field ADVI of lesson 09 (batch 128, cosine
schedule). With five members the approximation is a mixture of five fits: its negative ELBO lies between the mean of
theirs and that minus ln 5 nats for all pictures together, so the mean is recorded. Errors are of the 10 000 test
pictures, with 30 draws a fit.
"""

import argparse
import csv
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import matplotlib
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from bnn_course import data, inference, models, plots, uncertainty

pytensor.config.floatX = "float32"
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

RECORD = Path(__file__).with_suffix(".csv")
COLUMNS = [
    "case",
    "prior",
    "width",
    "start_sd",
    "passes",
    "members",
    "seed",
    "negative_elbo",
    "error",
    "nll",
    "seconds",
]
BATCH, DRAWS = 128, 30


class Case(NamedTuple):
    """One way to fit: prior, width of both hidden layers, start of the standard deviations, passes, step size, fits."""

    prior: str
    width: int = 400
    start_sd: float = 0.02
    passes: int = 20
    learning_rate: float = 1e-3
    members: int = 1


CASES = [
    Case("normal, sd 1"),
    Case("normal, sd 0.1"),
    Case("normal, sd √(2/inputs)"),
    Case("scale mixture"),
    Case("unit scales, Half-Cauchy"),
    Case("normal, sd 1", passes=5),
    Case("normal, sd 1", members=5),
    Case("normal, sd 0.3"),
    Case("layer scales, Half-Cauchy"),
    Case("normal, sd 1", width=1200, passes=8),
    Case("normal, sd 1", width=128, passes=60, learning_rate=2e-3),
    Case("normal, sd 1", passes=60),
]


def scaled(name, prior, shape):
    """A weight matrix under a prior."""
    if prior == "scale mixture":  # Blundell et al. 2015, eq. 7, with π = 1/2, σ₁ = 1, σ₂ = e⁻⁶
        sigma = np.array([1, np.exp(-6)], np.float32)
        return pm.NormalMixture(
            name, w=np.full(2, 0.5, np.float32), mu=np.zeros(2, np.float32), sigma=sigma, shape=shape
        )
    if prior == "layer scales, Half-Cauchy":
        return pm.Normal(name, 0, pm.HalfCauchy(f"scale_{name}", 0.1), shape=shape)
    if prior == "unit scales, Half-Cauchy":
        return pm.Normal(name, 0, pm.HalfCauchy(f"scale_{name}", 0.1, shape=(shape[0], 1)), shape=shape)
    sd = np.sqrt(2 / shape[0]) if "inputs" in prior else float(prior.split()[-1])
    return pm.Normal(name, 0, np.float32(sd), shape=shape)


def network(case, images, labels):
    train = pm.Minibatch(images, labels, batch_size=BATCH)
    with pm.Model() as model:
        layer = pt.as_tensor(train[0]) / 255
        for depth, shape in enumerate(pairwise([784, case.width, case.width, 10]), start=1):
            linear = layer @ scaled(f"w{depth}", case.prior, shape) + pm.Normal(f"b{depth}", 0, 1, shape=shape[1])
            layer = pt.maximum(linear, 0)
        pm.Deterministic("probability", pm.math.softmax(linear, axis=-1))
        pm.Categorical("label", logit_p=linear, observed=train[1], total_size=len(images))
    return model, train


def measure(case, seed, mnist):
    """A row of the record."""
    images, test = (a.reshape(-1, 784) for a in (mnist.train_images, mnist.test_images))
    model, train = network(case, images, mnist.train_labels)
    per_pass, losses, probabilities = len(images) // BATCH, [], []
    began = time.perf_counter()
    for member in range(case.members):
        number = 100 * seed + member
        start = models.random_start(model, np.random.default_rng(number))
        start = {name: value for name, value in start.items() if name.startswith("w")}
        fit = inference.advi(
            model, steps=case.passes * per_pass, learning_rate=case.learning_rate, random_seed=number, start=start,
            start_sd=case.start_sd,
        )  # fmt: skip
        losses.append(fit.loss[-per_pass:].mean() / len(images))
        draws = inference.predict(model, fit.sample(DRAWS, random_seed=number), "probability", given={train[0]: test})
        probabilities.append(uncertainty.mean_probability(draws))
    seconds = time.perf_counter() - began
    p = np.mean(probabilities, axis=0)
    values = {"negative_elbo": np.mean(losses), "error": 1 - uncertainty.accuracy(p, mnist.test_labels)}
    values |= {"nll": uncertainty.nll(p, mnist.test_labels), "seconds": seconds}
    row = {"case": CASES.index(case), "seed": seed} | {k: v for k, v in case._asdict().items() if k in COLUMNS}
    return row | {name: f"{value:.5f}" for name, value in values.items()}


def draw(rows, path):
    """Test error and NLL against the negative ELBO, a marker for each prior."""
    fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    priors = list(dict.fromkeys(row["prior"] for row in rows))
    for ax, score, factor in zip(axes, ("error", "nll"), (100, 1), strict=True):
        for place, prior in enumerate(priors):
            here = [row for row in rows if row["prior"] == prior]
            x, y = ([float(row[key]) for row in here] for key in ("negative_elbo", score))
            style = {"marker": plots.MARKERS[place % 7], "color": plots.CYCLE[place % 7], "linestyle": "none"}
            ax.plot(x, factor * np.array(y), label=prior, fillstyle="none", **style)
        ax.set(xscale="log", xlabel="negative ELBO (nats a picture)")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("test error (%)")
    axes[1].set_ylabel("test NLL (nats)")
    axes[0].axhline(1.32, color=plots.GREY, ls=":")
    axes[1].axhline(0.0435, color=plots.GREY, ls=":")
    axes[1].legend(frameon=False)
    fig.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    mnist = data.load_mnist()
    rows = list(csv.DictReader(RECORD.open(encoding="utf-8"))) if RECORD.exists() else []
    done = {(int(row["case"]), int(row["seed"])) for row in rows}
    for seed in range(options.seeds):
        for case in CASES:
            if (CASES.index(case), seed) not in done:
                rows.append(measure(case, seed, mnist))
                print(rows[-1], flush=True)
                with RECORD.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                    writer.writeheader()
                    writer.writerows(rows)
    draw(rows, RECORD.with_suffix(".png"))


if __name__ == "__main__":
    main()
