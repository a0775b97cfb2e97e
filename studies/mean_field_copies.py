"""Why does mean field draw a straight border? Two fits of one small network, and what each of them is not paid for.

    python studies/mean_field_copies.py       # about 3 processor minutes; repeats only the data sets that are missing

Fills notebooks/records/mean_field_copies.csv (lesson 05). Network, prior and data are those of `network_ladder.py`, 100
points, ten data sets. For each, mean-field ADVI twice: "best ELBO", the best of four random starts, and "bent", which
starts at the MAP (best of six starts) with short steps and so settles beside it. Each is then continued with a full
covariance matrix, from where it was.

Columns: data_set; fit; family (mean field, or full rank); loss (negative ELBO, nats: for mean field the mean of the
last 1000 steps, for full rank 3200 fresh draws); copies (nats by which the ELBO would rise if q were spread evenly over
all copies of its network, from 300 draws); distance (total variation to the shipped NUTS draws, mean over 1000 points
of each part of the plane).
"""

import argparse
import csv
import time
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats

from bnn_course import inference
from studies import network_ladder as ladder
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "mean_field_copies.csv"
COLUMNS = ("data_set", "fit", "family", "loss", "copies", "distance")
STEPS, FULL_STEPS, DRAWS = 8_000, 6_000, 300
SIZE = 21  # weights


def from_lesson():
    """What the lesson defines: the data, the network in NumPy and PyMC, and what spreading over copies would gain."""
    return lesson("05").define("moons", "network", "as_point", "as_vector", "spread")


def full_rank(log_density, mean, sd, key):
    """Full-rank ADVI that starts at a mean-field fit: mean, Cholesky factor, and negative ELBO."""
    below = np.tril_indices(SIZE, -1)

    def factor(q):
        return jnp.zeros((SIZE, SIZE)).at[below].set(q["below"]) + jnp.diag(jnp.exp(q["log_diagonal"]))

    def loss(q, key):
        w = q["mean"] + jax.random.normal(key, (8, SIZE)) @ factor(q).T
        entropy = q["log_diagonal"].sum() + SIZE / 2 * jnp.log(2 * jnp.pi * jnp.e)
        return -jax.vmap(log_density)(w).mean() - entropy

    optimizer = optax.adam(optax.cosine_decay_schedule(0.005, FULL_STEPS))

    def step(carry, key):
        q, state = carry
        updates, state = optimizer.update(jax.grad(loss)(q, key), state)
        return (optax.apply_updates(q, updates), state), None

    q = {"mean": jnp.array(mean), "log_diagonal": jnp.log(jnp.array(sd)), "below": jnp.zeros(len(below[0]))}
    first, last = jax.random.split(key)
    run = jax.jit(lambda q: jax.lax.scan(step, (q, optimizer.init(q)), jax.random.split(first, FULL_STEPS))[0][0])
    q = run(q)
    losses = jax.jit(jax.vmap(loss, in_axes=(None, 0)))(q, jax.random.split(last, 400))
    return np.asarray(q["mean"]), np.asarray(factor(q)), float(losses.mean())


def measure(number, model, names, shipped):
    """The four rows of a data set."""
    x, y = shipped[f"x{number}"].astype(float), shipped[f"y{number}"].astype(int)
    model.set_data("X", x)
    model.set_data("y", y)
    network, as_point, as_vector = names["network"], names["as_point"], names["as_vector"]
    rng = np.random.default_rng([2017, number, 2])
    places = np.concatenate([names["moons"](1000, part, rng)[0] for part in ladder.PARTS])
    known = np.mean([network(w, places) for w in shipped[f"weights{number}"].astype(float)], axis=0)

    def log_density(w):  # of the lesson's model, for JAX
        logit = jnp.tanh(x @ w[:10].reshape(2, 5) + w[10:15]) @ w[15:20] + w[20]
        log_prior = -(w**2).sum() / 8 - SIZE * np.log(2 * np.sqrt(2 * np.pi))
        return log_prior - jnp.logaddexp(0, jnp.where(y == 1, -logit, logit)).sum()

    starts = [as_point(np.random.default_rng([number, k]).normal(0, 1, SIZE)) for k in range(6)]
    settings = {"learning_rate": 0.02, "random_seed": number}
    points = [inference.find_map(model, steps=4_000, start=start, **settings) for start in starts]
    at_map = dict(min(points, key=lambda fit: fit.loss[-1]).mean)
    fits = [inference.advi(model, steps=STEPS, start=start, **settings) for start in starts[:4]]
    bent = inference.advi(model, steps=STEPS, start=at_map, learning_rate=0.006, random_seed=number)
    best = min(fits, key=lambda fit: fit.loss[-1_000:].mean())
    for name, fit in {"best ELBO": best, "bent": bent}.items():
        mean, sd = as_vector(fit.mean), as_vector(fit.sd)
        found = {"mean field": (mean, np.diag(sd), fit.loss[-1_000:].mean())}
        found["full rank"] = full_rank(log_density, mean, sd, jax.random.key(number))
        for family, (mean, factor, loss) in found.items():
            draws = mean + rng.standard_normal((DRAWS, SIZE)) @ factor.T
            copies = names["spread"](stats.multivariate_normal(mean, factor @ factor.T).logpdf, draws)
            distance = np.abs(np.mean([network(w, places) for w in draws], axis=0) - known).mean()
            numbers = [f"{value:.4f}" for value in (loss, copies, distance)]
            yield dict(zip(COLUMNS, [number, name, family, *numbers], strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=10)
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    rows = list(csv.DictReader(options.output.open(encoding="utf-8"))) if options.output.exists() else []
    there = {row["data_set"] for row in rows}
    names, model = from_lesson(), ladder.network(np.zeros((100, 2)), np.arange(100) % 2)
    with np.load(RECORD.with_name("network_ladder.npz")) as shipped, jax.enable_x64(True):
        for number in range(options.data_sets):
            if str(number) in there:
                continue
            rows += measure(number, model, names, shipped)
            with options.output.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            print(f"data set {number}: {time.process_time():.0f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
