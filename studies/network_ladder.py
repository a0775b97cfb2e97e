"""The inference ladder of lesson 05: one small network, the same data, six ways to fit it, over seeds (rows S7, S18).

    python studies/network_ladder.py            # about 10 processor minutes; repeats only the seeds that are missing

Writes notebooks/records/network_ladder.csv and network_ladder.npz (training data, reference draws of every seed), and
the checksum of the latter. Model (`models.bnn_model`, written out in the lesson): 2 inputs, 5 tanh units, Normal(0, 2²)
weights. Data: the function `moons` of the lesson; training points come from the part "seen" only, and the first 25,
100 and 400 of one stream are used. The reference is NUTS, 4 chains of 1000 draws after 300 of tuning, on 100 points.

Columns: seed; n (training points); method; budget (draws for each chain, or optimisation steps); part of the plane; tv,
agreement (total variation distance of the predictive probability to the reference, and share of points with the same
class; mean over 1000 held-out points); sd (mean standard deviation of p over the draws); aleatoric, epistemic (nats);
accuracy, nll, brier, ece of the held-out labels; cpu_seconds (processor time without compilation; for NUTS with its
tuning); rhat_functions (largest, of p at 60 points) and rhat_weights (largest).
"""

import argparse
import csv
import time
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import arviz as az
import numpy as np
import pymc as pm

from bnn_course import inference, models, uncertainty
from bnn_course.datasets import build_datasets
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "network_ladder.csv"
COLUMNS = (
    "seed n method budget part tv agreement sd aleatoric epistemic accuracy nll brier ece cpu_seconds rhat_functions "
    "rhat_weights"
).split()
PARTS = ("seen", "between", "outside")
HELD_OUT = 1000  # points in each part
WEIGHTS = ("w1", "b1", "w2", "b2")
SIZES = (25, 100, 400)
KEPT = 500  # reference draws that are shipped


def from_lesson():
    """What the lesson defines: the data, the network in NumPy, and its fit by least squares."""
    return lesson("05").define("moons", "network", "least_squares")


class Judge:
    """Turns predictive draws of one seed into rows of the record."""

    def __init__(self, seed, moons, rng):
        self.seed, self.rows, self.reference = seed, [], None
        parts = [moons(HELD_OUT, part, rng) for part in PARTS]
        self.x = np.concatenate([x for x, _ in parts])
        self.y = np.concatenate([y for _, y in parts])

    def predict(self, model, posterior):
        return inference.predict(model, posterior, "probability", given={"X": self.x})

    def add(self, p, *, method, budget, seconds, n=100, rhats=("", "")):
        for i, part in enumerate(PARTS):
            here = slice(i * HELD_OUT, (i + 1) * HELD_OUT)
            draws = p[:, here].astype(float)
            mean = draws.mean(axis=0)
            both, split = np.stack([1 - mean, mean], axis=-1), uncertainty.decompose_entropy(stacked(draws))
            values = {"sd": draws.std(axis=0).mean()}
            if self.reference is not None and n == 100:
                known = self.reference[here]
                values |= {"tv": np.abs(mean - known).mean(), "agreement": np.mean((mean > 0.5) == (known > 0.5))}
            values |= {"aleatoric": split.aleatoric.mean(), "epistemic": split.epistemic.mean()}
            for score in ("accuracy", "nll", "brier", "ece"):
                values[score] = getattr(uncertainty, score)(both, self.y[here])
            row = {"seed": self.seed, "n": n, "method": method, "budget": budget, "part": part}
            row |= {name: f"{value:.5f}" for name, value in values.items()}
            row |= {"cpu_seconds": f"{seconds:.4f}"} | dict(zip(COLUMNS[-2:], rhats, strict=True))
            self.rows.append(row)


def stacked(p):
    return np.stack([1 - p, p], axis=-1)


def network(x, y):
    return models.bnn_model(x, y, hidden=(5,), hyperprior_parameters={"scale": 2})


def sample(model, *, draws, tune, chains, seed):
    """NUTS, and the processor seconds of every chain until each of its draws, tuning included."""
    with model:
        idata = pm.sample(
            draws, tune=tune, chains=chains, cores=1, random_seed=seed, nuts_sampler="pymc", progressbar=False,
            compute_convergence_checks=False, discard_tuned_samples=False,
        )  # fmt: skip
    spent = [idata[group]["process_time_diff"].values for group in ("warmup_sample_stats", "sample_stats")]
    return idata, spent[0].sum(axis=1, keepdims=True) + spent[1].cumsum(axis=1)


def rhats(idata, p):
    """Largest R-hat of p at 60 points, 20 of each part, and of the weights."""
    chains, draws = idata.posterior["b2"].shape[:2]
    functions = az.convert_to_dataset({"p": p[:, :: HELD_OUT // 20].reshape(chains, draws, -1).astype(float)})
    weights = az.convert_to_dataset({name: idata.posterior[name].values for name in WEIGHTS})
    found = az.rhat(functions), az.rhat(weights)
    return tuple(f"{max(float(r[name].values.max()) for name in r.data_vars):.4f}" for r in found)


def measure(seed, networks, names):
    """All rows of one seed, its training data and its reference draws."""
    rng = np.random.default_rng([2017, seed])
    x, y = names["moons"](max(SIZES), "seen", rng)
    x = x.astype(np.float32).astype(float)  # as shipped
    judge = Judge(seed, names["moons"], rng)
    for n, model in networks.items():
        model.set_data("X", x[:n], coords={"row": np.arange(n)})
        model.set_data("y", y[:n].astype(int))
    model = networks[100]

    long, seconds = sample(model, draws=1000, tune=300, chains=4, seed=seed)
    p = judge.predict(model, long)
    judge.reference = p.mean(axis=0)
    judge.add(p, method="NUTS long", budget=1000, seconds=seconds[:, -1].sum(), rhats=rhats(long, p))
    judge.reference = p[2000:].mean(axis=0)  # how well does the reference know itself?
    judge.add(p[:2000], method="NUTS half", budget=1000, seconds=seconds[:2, -1].sum())
    judge.reference = p.mean(axis=0)

    short, seconds = sample(model, draws=320, tune=200, chains=1, seed=seed)
    p = judge.predict(model, short)
    for draws in (5, 10, 20, 40, 80, 160, 320):
        judge.add(p[:draws], method="NUTS short", budget=draws, seconds=seconds[0, draws - 1])

    best = mean_field(judge, model, seed, budgets=(250, 500, 1000, 2000, 4000, 8000, 16_000))
    ticks = []
    with model:
        full = pm.fit(
            20_000, method="fullrank_advi", start=dict(best.mean), random_seed=seed, progressbar=False,
            obj_optimizer=pm.adam(learning_rate=0.003), callbacks=[lambda *_: ticks.append(time.process_time())],
        )  # fmt: skip
    p = judge.predict(model, full.sample(500, random_seed=seed))
    judge.add(p, method="full rank", budget=20_000, seconds=ticks[-1] - ticks[0])

    for n, draws in ((25, 500), (400, 200)):
        idata, seconds = sample(networks[n], draws=draws, tune=200, chains=2, seed=seed)
        p = judge.predict(networks[n], idata)
        judge.add(p, method="NUTS long", budget=draws, seconds=seconds[:, -1].sum(), n=n, rhats=rhats(idata, p))
        mean_field(judge, networks[n], seed, budgets=(16_000,), n=n)
    for n in SIZES:
        best_point(judge, networks[n], seed, n)
        plain(judge, names, x[:n], y[:n], seed)
    thinned = np.concatenate([long.posterior[name].values.reshape(4000, -1) for name in WEIGHTS], axis=1)
    return judge.rows, x[:100].astype(np.float32), y[:100], thinned[:: 4000 // KEPT].astype(np.float32)


def starts(seed, model):
    """Four random starts, Normal(0, 1) for every weight."""
    shapes = {name: value.shape for name, value in model.initial_point().items()}
    rngs = [np.random.default_rng([seed, k]) for k in range(4)]
    return [{name: rng.normal(0, 1, shape) for name, shape in shapes.items()} for rng in rngs]


def mean_field(judge, model, seed, *, budgets, n=100):
    """Mean-field ADVI, the best of four starts by its final loss, for each number of steps; return the last."""
    settings = {"learning_rate": 0.02, "random_seed": seed}
    inference.advi(model, steps=600, **settings)  # compile
    for steps in budgets:
        began = time.process_time()
        fits = [inference.advi(model, steps=steps, start=start, **settings) for start in starts(seed, model)]
        seconds = (time.process_time() - began) / len(fits)  # of one start
        best = min(fits, key=lambda fit: fit.loss[-100:].mean())
        p = judge.predict(model, best.sample(500, random_seed=seed))
        judge.add(p, method="mean field", budget=steps, seconds=seconds, n=n)
    return best


def best_point(judge, model, seed, n):
    """MAP, the best of four starts by its density."""
    settings = {"learning_rate": 0.02, "random_seed": seed}
    inference.find_map(model, steps=600, **settings)  # compile
    began = time.process_time()
    fits = [inference.find_map(model, steps=4000, start=start, **settings) for start in starts(seed, model)]
    seconds = (time.process_time() - began) / len(fits)
    best = min(fits, key=lambda fit: fit.loss[-1])
    p = judge.predict(model, best.sample(1, random_seed=0))
    judge.add(p, method="MAP", budget=4000, seconds=seconds, n=n)


def plain(judge, names, x, y, seed):
    """Least squares without a prior, the best of four starts by its sum of squares."""
    began = time.process_time()
    fits = [names["least_squares"](x, y, np.random.default_rng([seed, k]).normal(0, 1, 21)) for k in range(4)]
    seconds = (time.process_time() - began) / len(fits)
    best = min(fits, key=lambda w: np.square(names["network"](w, x) - y).sum())
    p = names["network"](best, judge.x)[None]
    judge.add(p, method="least squares", budget=200, seconds=seconds, n=len(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    path, draws_path = options.output, options.output.with_suffix(".npz")
    path.parent.mkdir(exist_ok=True)
    rows = list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []
    arrays = dict(np.load(draws_path)) if draws_path.exists() else {}
    names = from_lesson()
    networks = {n: network(np.zeros((n, 2)), np.arange(n) % 2) for n in SIZES}  # compiled once
    for seed in range(options.seeds):
        if f"weights{seed}" in arrays and any(row["seed"] == str(seed) for row in rows):
            continue
        new, *more = measure(seed, networks, names)
        arrays |= {f"{name}{seed}": array for name, array in zip(("x", "y", "weights"), more, strict=True)}
        rows = [row for row in rows if row["seed"] != str(seed)] + new
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        build_datasets.write_all(draws_path.parent, {draws_path.name: arrays})
        print(f"seed {seed}: {len(new)} rows, {time.process_time():.0f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
