"""Ten approximations of one small posterior, each with the best of six settings (lesson 13).

    python studies/ladder_contest.py    # about 25 processor minutes; repeats only what is missing

Fills notebooks/records/ladder_contest.csv. Network, data and priors are those of `prior_scales.py`: 2 inputs, 5 tanh
units, 100 points in two bands; Normal(0, s²) weights with s = 1, 2, 4, 8, or a learned scale for each layer,
HalfNormal(4). The methods are the functions of the lesson. Data sets 10 and 11 are set aside: on them every method
tries six settings (`SETTINGS`); on data sets 0 to 7, which give the verdict, it runs with those that were best there by
`tv` and by `nll` (the mean over the three parts), for each prior by itself.

The reference is NUTS, 4 chains of 300 draws after 300 of tuning. NUTS as a competitor has 2 chains and 200 steps of
tuning; its settings are six numbers of draws of one run, all on every data set.

Columns: data_set; prior (a scale, or "half-normal"); method ("reference" among them); setting; part of the plane; tv
(total variation distance of the predictive probability to the reference; for the reference, of its first two chains to
the other two), nll (nats): means over 1000 held-out points, inf where a fit diverged; cpu_seconds (with all starts,
tuning and, but for NUTS, answers at 3000 points; without compilation); rhat (largest, of p at 60 points) and
divergences, of the reference.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import Any, NamedTuple

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import jax
import numpy as np
import nutpie
import pandas as pd
import pytensor

from bnn_course import uncertainty
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "ladder_contest.csv"
COLUMNS = "data_set prior method setting part tv nll cpu_seconds rhat divergences".split()
PRIORS = {"1": 1.0, "2": 2.0, "4": 4.0, "8": 8.0, "half-normal": None}
PARTS = ("seen", "between", "outside")
POINTS, HELD_OUT = 100, 1000  # for training; in each part
ASIDE, VERDICT = (10, 11), range(8)
SUMMITS = [{"steps": steps, "rate": rate} for steps in (60, 250, 2000) for rate in (0.01, 0.05)]
NORMALS = [{"at_summit": at_summit, "rate": rate} for at_summit in (False, True) for rate in (0.003, 0.01, 0.03)]
SETTINGS = {  # method: (function of the lesson, its six settings)
    "least squares": ("least_squares", [{"steps": steps} for steps in (15, 30, 60, 125, 250, 1000)]),
    "MAP": ("best_summit", SUMMITS),
    "ensemble": ("ensemble", SUMMITS),
    "Laplace": (
        "laplace",
        [{"linear": linear, "spread": spread} for linear in (False, True) for spread in (0.25, 0.5, 1.0)],
    ),
    "last-layer Laplace": ("last_layer", [{"precision": factor} for factor in (0.0625, 0.25, 1.0, 4.0, 16.0, 64.0)]),
    "MC dropout": ("dropout", [{"drop": drop} for drop in (0.003, 0.01, 0.03, 0.1, 0.2, 0.4)]),
    "SWAG": ("swag", [{"rate": rate} for rate in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)]),
    "SGLD": ("sgld", [{"rate": rate} for rate in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)]),
    "mean field": ("advi", [{"rank": 0} | setting for setting in NORMALS]),
    "low rank": ("advi", [{"rank": 3} | setting for setting in NORMALS]),
    "full rank": ("advi", [{"rank": 23} | setting for setting in NORMALS]),
}
DRAWS = (8, 16, 32, 64, 128, 250)  # of each chain of the competitor NUTS
WORDS = ("steps", "linear", "rank", "at_summit")  # of a setting, for which a method is compiled anew


def from_lesson():
    """What the lesson defines: data, network, methods, and how a setting is chosen."""
    names = {function for function, _ in SETTINGS.values()}
    return lesson("13").define("moons", "moons_model", "Task", "answers", "chosen", *names)


def text_of(setting):
    return " ".join(f"{name}={value}" for name, value in setting.items())


class DataSet:
    """Points of one data set, the first of those of `prior_scales.py`, and what is judged on them."""

    def __init__(self, number, moons):
        rng = np.random.default_rng([2017, number])
        x, y = moons(400, "seen", rng)
        self.number, self.x, self.y = number, x[:POINTS].astype(np.float32), y[:POINTS].astype(np.float32)
        held_out = [moons(HELD_OUT, part, rng) for part in PARTS]
        self.places = np.concatenate([x for x, _ in held_out]).astype(np.float32)
        self.labels = np.concatenate([y for _, y in held_out])

    def rows(self, p, known, **about):
        """The rows of a mean predictive probability (place,), of single precision: one for each part."""
        p = p.clip(1e-7, 1 - 1e-7)
        for i, part in enumerate(PARTS):
            here = slice(i * HELD_OUT, (i + 1) * HELD_OUT)
            row = {"data_set": self.number, "part": part, "tv": np.inf, "nll": np.inf} | about
            if np.isfinite(p).all():
                row["tv"] = float(np.abs(p[here] - known[here]).mean())
                row["nll"] = uncertainty.nll(np.stack([1 - p[here], p[here]], axis=-1), self.labels[here])
            yield {name: f"{value:.5f}" if isinstance(value, float) else value for name, value in row.items()}


class Run(NamedTuple):
    """A run of NUTS: its processor seconds, and the share of them that had passed after each draw, by gradients."""

    posterior: Any
    seconds: float
    shares: np.ndarray
    divergences: int


def sample(compiled, **sizes):
    began = time.process_time()
    trace = nutpie.sample(compiled, **sizes, cores=1, save_warmup=True, progress_bar=False)
    seconds = time.process_time() - began
    steps = [trace[group]["n_steps"].values.sum(axis=0) for group in ("warmup_sample_stats", "sample_stats")]
    shares = (steps[0].sum() + np.cumsum(steps[1])) / (steps[0].sum() + steps[1].sum())
    return Run(trace["posterior"], seconds, shares, int(trace["sample_stats"]["diverging"].sum()))


class Contest:
    """All methods; what can be compiled once is compiled once, for all data sets and all scales that are fixed."""

    def __init__(self, names):
        self.names = names
        self.methods = {method: names.get(function) for method, (function, _) in SETTINGS.items()}
        data = np.zeros((POINTS, 2)), np.arange(POINTS) % 2
        shared = pytensor.shared(np.float64(1), name="scale")
        models = {True: names["moons_model"](*data, shared), False: names["moons_model"](*data)}
        self.nuts = {is_fixed: nutpie.compile_pymc_model(model) for is_fixed, model in models.items()}
        self.compiled = set()

    def sample(self, data, scale, **sizes):
        """Answers (chain, draw, place) of a run, and the run."""
        values = {"X": data.x.astype(float), "y": data.y.astype(int)} | ({} if scale is None else {"scale": scale})
        run = sample(self.nuts[scale is not None].with_data(**values), **sizes)
        zeta = [run.posterior["unit"].values]
        if scale is None:
            zeta.append(np.log(run.posterior["scales"].values))
        zeta = np.concatenate(zeta, axis=-1)
        p = self.names["answers"](zeta.reshape(-1, zeta.shape[-1]), data.places, self.task(data, scale))
        return np.asarray(p, float).reshape(*zeta.shape[:2], -1), run

    def task(self, data, scale):
        return self.names["Task"](data.x, data.y, scale)

    def measure(self, data, prior, wanted):
        """All rows of a data set and a prior; `wanted` says whether a method runs with a setting."""
        scale = PRIORS[prior]
        p, run = self.sample(data, scale, draws=300, tune=300, chains=4, seed=data.number)
        known = p.mean(axis=(0, 1))
        rhat = float(uncertainty.split_rhat(p[..., :: HELD_OUT // 20]).max())
        about = {"prior": prior, "setting": "", "cpu_seconds": run.seconds}
        halves = p[:2].mean(axis=(0, 1)), p[2:].mean(axis=(0, 1))
        own = [row["tv"] for row in data.rows(*halves)]
        rows = list(data.rows(known, known, **about, method="reference", rhat=rhat, divergences=run.divergences))
        for row, tv in zip(rows, own, strict=True):
            row["tv"] = tv

        p, run = self.sample(data, scale, draws=DRAWS[-1], tune=200, chains=2, seed=100 + data.number)
        for draws in DRAWS:
            seconds = run.seconds * float(run.shares[draws - 1])
            about |= {"method": "NUTS", "setting": f"draws={draws}", "cpu_seconds": seconds}
            rows += data.rows(p[:, :draws].mean(axis=(0, 1)), known, **about)
        for method, (_, settings) in SETTINGS.items():
            for setting in settings:
                if wanted(method, text_of(setting)):
                    p, seconds = self.run(self.task(data, scale), data, self.methods[method], setting)
                    about |= {"method": method, "setting": text_of(setting), "cpu_seconds": seconds}
                    rows += data.rows(p.mean(axis=0), known, **about)
        return rows

    def run(self, task, data, method, setting):
        """Answers (draw, place) of a method, and its processor seconds."""
        key = method, len(task.y), task.scale is None, *(setting.get(word) for word in WORDS)
        for _ in range(1 if key in self.compiled else 2):  # the first time compiles
            began = time.process_time()
            p = np.asarray(method(task, data.places, jax.random.key(data.number), **setting), float)
            seconds = time.process_time() - began
        self.compiled.add(key)
        return p, seconds


def options_and_rows(description, record):
    """Where the rows go, and those that are there."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--output", type=Path, default=record)
    path = parser.parse_args().output
    return path, list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []


def write(path, columns, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main():
    path, rows = options_and_rows(__doc__, RECORD)
    names = from_lesson()
    contest = Contest(names)

    def fill(number, prior, wanted):
        if any((row["data_set"], row["prior"]) == (str(number), prior) for row in rows):
            return
        rows.extend(contest.measure(DataSet(number, names["moons"]), prior, wanted))
        write(path, COLUMNS, rows)
        print(f"data set {number}, prior {prior}: {time.process_time():.0f} s", flush=True)

    for number in ASIDE:
        for prior in PRIORS:
            fill(number, prior, lambda method, setting: True)
    record = pd.read_csv(path)
    best = pd.concat([names["chosen"](record, yardstick) for yardstick in ("tv", "nll")])
    runs = {*zip(best["prior"], best["method"], best["setting"], strict=True)}
    for number in VERDICT:
        for prior in PRIORS:
            fill(number, prior, lambda method, setting, prior=prior: (prior, method, setting) in runs)


if __name__ == "__main__":
    main()
