"""Separate, pooled and hierarchical networks on rotated moons, and what a new task gains, over seeds (lesson 07).

    python studies/hierarchical_moons.py        # writes notebooks/records/hierarchical_moons.csv, about 20 minutes

Data, models, sampler settings and scores are the lesson's: its functions are taken here. Each seed draws tasks and
points anew. Rows that the record already holds are kept, so that an interrupted run can be continued.

Columns: seed; method; labels a task; accuracy and NLL in nats on 500 held-out points a task, means over the tasks; the
standard error of the NLL over the tasks; divergent draws; seconds of processor time (shared by methods that are fitted
together); for "hierarchical" the median group spread in the first layer, the middle and the last layer of the path
through the unit that matters, and of the other weights. "cold", "cold wide" and "group prior" are judged on 6 tasks
that the group has not seen, all other methods on the 18 tasks.
"""

import argparse
import csv
import time
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression

from bnn_course import inference
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "hierarchical_moons.csv"
COLUMNS = "seed method labels accuracy nll nll_error divergent seconds first middle last others".split()
NEW_TASKS, LABELS = 6, (5, 10, 25, 50)


def from_lesson():
    """What the lesson defines: data, models, sampling and scores."""
    data_and_scores = ["SEED", "draw_tasks", "best_probability", "scores"]
    networks = ["LAYERS", "same_for_all", "separate_model", "hierarchical_model"]
    return lesson("07").define(*data_and_scores, *networks, "draw_posterior", "predict", "group_prior")


class Seed:
    """One set of tasks, and every method on it."""

    def __init__(self, names, seed):
        self.names, self.seed = names, seed
        rng = np.random.default_rng(seed)
        self.angles, self.x, self.y, self.new_x, self.new_y = names["draw_tasks"](18, rng)
        self.other = names["draw_tasks"](NEW_TASKS, rng)
        self.prior, self.family = None, {}

    def fit(self, model, new_x, **settings):
        posterior = self.names["draw_posterior"](model, self.seed, **settings)
        divergent = int(posterior.sample_stats["diverging"].values.sum())
        return posterior, self.names["predict"](model, posterior, new_x), divergent

    def separate(self, sd):
        flat = self.names["same_for_all"]
        model = self.names["separate_model"](self.x, self.y, flat(0), flat(sd))
        return self.fit(model, self.new_x)[1:]

    def pooled(self):
        """Half as many steps and draws as the others: nine hundred points on one task make each of them dear."""
        flat = self.names["same_for_all"]
        model = self.names["separate_model"](self.x.reshape(1, -1, 2), self.y.reshape(1, -1), flat(0), flat(1))
        _, probability, divergent = self.fit(model, self.new_x.reshape(1, -1, 2), draws=100, tune=100)
        return probability.reshape(-1, *self.new_y.shape), divergent

    def hierarchical(self):
        posterior, *rest = self.fit(self.names["hierarchical_model"](self.x, self.y), self.new_x)
        self.family = self.family_of(posterior)
        self.prior = self.names["group_prior"](posterior)
        return rest

    def family_of(self, posterior):
        """What the lesson reads off the group: median spreads on and off the path through the unit that matters."""
        group = lesson("07").define("spread", "on_path", given={"posteriors": {"hierarchical": posterior}})
        spread, on_path = group["spread"], group["on_path"]
        parts = {"first": ["w1"], "middle": ["b1", "w2", "b2", "b3"], "last": ["w3"]}
        found = {k: np.median(np.concatenate([spread[n][on_path[n]] for n in part])) for k, part in parts.items()}
        found["others"] = np.median(np.concatenate([s[~on_path[n]] for n, s in spread.items()]))
        return {k: f"{v:.3f}" for k, v in found.items()}

    def informed(self):
        return self.fit(self.names["separate_model"](self.x, self.y, *self.prior_of_group()), self.new_x)[1:]

    def prior_of_group(self):
        if self.prior is None:
            self.hierarchical()
        return self.prior

    def hierarchical_advi(self):
        model = self.names["hierarchical_model"](self.x, self.y)
        start = {rv.name: np.random.default_rng(self.seed).normal(0, 0.5, rv.type.shape) for rv in model.free_RVs}
        start = {name: value for name, value in start.items() if not name.startswith("spread")}
        fit = inference.advi(model, steps=15_000, learning_rate=0.02, random_seed=self.seed, start=start)
        posterior = fit.sample(200, random_seed=self.seed)
        return self.names["predict"](model, posterior, self.new_x), 0

    def line(self):
        pairs = [LogisticRegression().fit(x, y) for x, y in zip(self.x, self.y, strict=True)]
        return np.stack([p.predict_proba(x)[:, 1] for p, x in zip(pairs, self.new_x, strict=True)])[None], 0

    def best(self):
        return self.names["best_probability"](self.new_x, self.angles)[None], 0

    def transfer(self, labels, tasks):
        """New tasks with few labels under three priors, fitted as one model of three times as many tasks."""
        _, x, y, new_x, _ = tasks
        flat = self.names["same_for_all"]
        priors = [(flat(0), flat(1)), (flat(0), flat(2)), self.prior_of_group()]
        mean, sd = (
            {name: np.repeat(np.stack([pair[k][name] for pair in priors]), len(x), axis=0) for name in flat(0)}
            for k in (0, 1)
        )
        x, y, new_x = (np.concatenate([array] * 3) for array in (x[:, :labels], y[:, :labels], new_x))
        _, probability, divergent = self.fit(self.names["separate_model"](x, y, mean, sd), new_x, chains=2)
        return [(part, divergent) for part in np.split(probability, 3, axis=1)]


TRANSFER = ["cold", "cold wide", "group prior"]


def parts():
    """Parts of the table in the order of their making: each gives (methods, labels, what to run, truth) for a seed."""
    yield lambda s: (["separate"], 50, lambda: [s.separate(1)], s.new_y)
    yield lambda s: (["hierarchical"], 50, lambda: [s.hierarchical()], s.new_y)
    for labels in LABELS:
        yield lambda s, labels=labels: (TRANSFER, labels, lambda: s.transfer(labels, s.other), s.other[-1])
    yield lambda s: (["straight line"], 50, lambda: [s.line()], s.new_y)
    yield lambda s: (["best"], 50, lambda: [s.best()], s.new_y)
    yield lambda s: (["pooled"], 50, lambda: [s.pooled()], s.new_y)
    yield lambda s: (["separate wide"], 50, lambda: [s.separate(2)], s.new_y)
    yield lambda s: (["informed"], 50, lambda: [s.informed()], s.new_y)
    yield lambda s: (["hierarchical ADVI"], 50, lambda: [s.hierarchical_advi()], s.new_y)


def measure(state, methods, labels, run, truth):
    """Rows of the record for methods that are fitted together; their seconds are shared."""
    began = time.process_time()
    answers = run()
    seconds = (time.process_time() - began) / len(methods)
    for method, (probability, divergent) in zip(methods, answers, strict=True):
        accuracy, nll = state.names["scores"](probability, truth)
        row = {"seed": state.seed, "method": method, "labels": labels, "accuracy": f"{accuracy.mean():.4f}"}
        row |= {"nll": f"{nll.mean():.4f}", "nll_error": f"{stats.sem(nll):.4f}"}
        row |= {"divergent": divergent, "seconds": f"{seconds:.0f}"}
        yield row | (state.family if method == "hierarchical" else {})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    names = from_lesson()
    options.output.parent.mkdir(exist_ok=True)
    rows = []
    if options.output.exists():
        with options.output.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    states = [Seed(names, seed) for seed in range(options.seeds)]
    for part in parts():
        for state in states:
            methods, labels, run, truth = part(state)
            if any((r["seed"], r["method"], r["labels"]) == (str(state.seed), methods[0], str(labels)) for r in rows):
                continue
            for row in measure(state, methods, labels, run, truth):
                rows.append({name: str(value) for name, value in row.items()})
                print(*rows[-1].values(), flush=True)
            with options.output.with_suffix(".part").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            options.output.with_suffix(".part").replace(options.output)


if __name__ == "__main__":
    main()
