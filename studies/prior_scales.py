"""How wide should the prior of a small network be, for its posterior and for its MAP? (lessons 05 and 13)

    python studies/prior_scales.py                # about 12 processor minutes; repeats only what is missing
    python studies/prior_scales.py --points 25    # adds another number of training points

Fills notebooks/records/prior_scales.csv. Network and data are those of `network_ladder.py`: 2 inputs, 5 tanh units, ten
data sets of moons whose training points lie in two bands, the first 100 points of each. What varies is the prior
of the weights: Normal(0, s²) with s = 1, 2, 4, 8, or one scale for each layer with the hyperprior HalfNormal(4)
(weights not centred: the scale times free variables of scale 1). Methods, for each prior:

- NUTS: 4 chains of 500 draws after 450 of tuning, target_accept 0.9; every second draw is used;
- MAP: the best of six starts by its log density. With the hyperprior, the mode over scales and standardised weights;
- ensemble: the mean of the answers of the optima of the six starts;
- mean field: ADVI, the best of four of these starts by its final loss.

Columns: data_set; n (training points); prior (a scale, or "half-normal"); method; part of the plane; tv (total
variation distance of the predictive probability to that of NUTS with the same prior; for NUTS, of its first two chains
to the other two), agreement (share of points with the same class), sd (of p over the draws), aleatoric, epistemic
(nats), accuracy, nll, brier, ece: means over 1000 held-out points; validation_nll (of 100 further points of the seen
bands, by which a reader may choose a scale); scale1, scale2 (median, or mode, of the scale of each layer);
rhat_functions (largest) and ess_functions (smallest, bulk), of p at 60 points; divergences; cpu_seconds (with tuning
and all starts, without compilation).
"""

import argparse
import csv
import time
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import arviz as az
import numpy as np
import nutpie

from bnn_course import inference, models, uncertainty
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "prior_scales.csv"
COLUMNS = (
    "data_set n prior method part tv agreement sd aleatoric epistemic accuracy nll brier ece validation_nll scale1 "
    "scale2 rhat_functions ess_functions divergences cpu_seconds"
).split()
PRIORS = {f"{scale}": ("fixed", {"scale": float(scale)}) for scale in (1, 2, 4, 8)}
PRIORS["half-normal"] = ("half_normal", {"sigma": 4.0})
PARTS = ("seen", "between", "outside")
HELD_OUT, VALIDATION = 1000, 100  # points in each part; in the seen bands
CHAINS, DRAWS, TUNE, THIN = 4, 500, 450, 2
STARTS, FIELD_STARTS, FIELD_DRAWS = 6, 4, 500
PLAN = {"steps": 8_000, "learning_rate": 0.02}


def from_lesson():
    """What the lesson defines: the data."""
    return lesson("05").define("moons")


class DataSet:
    """Points of one data set, as `network_ladder.py` draws them, and what is judged on them."""

    def __init__(self, number):
        moons = from_lesson()["moons"]
        rng = np.random.default_rng([2017, number])
        x, self.y = moons(400, "seen", rng)
        self.x = x.astype(np.float32).astype(float)  # as shipped
        held_out = [moons(HELD_OUT, part, rng) for part in PARTS]
        held_out.append(moons(VALIDATION, "seen", np.random.default_rng([2017, number, 1])))
        self.places = np.concatenate([x for x, _ in held_out])
        self.labels = np.concatenate([y for _, y in held_out])
        self.number = number

    def starts(self, model):
        """Random starts, Normal(0, 1) for every weight, or standardised weight; scales start where PyMC says."""
        shapes = {rv.name: rv.type.shape for rv in model.free_RVs if rv.type.ndim}  # scales have no axis
        rngs = [np.random.default_rng([self.number, k]) for k in range(STARTS)]
        return [{name: rng.normal(0, 1, shape) for name, shape in shapes.items()} for rng in rngs]

    def rows(self, p, known, **about):
        """The rows of predictive draws p (draw, place): one for each part."""
        p = p.astype(float)
        both = stacked(p.mean(axis=0))
        last = slice(len(PARTS) * HELD_OUT, None)
        distances = self.distances(both[:, 1], known)
        about["validation_nll"] = uncertainty.nll(both[last], self.labels[last])
        for i, part in enumerate(PARTS):
            here = slice(i * HELD_OUT, (i + 1) * HELD_OUT)
            split = uncertainty.decompose_entropy(stacked(p[:, here]))
            row = {"data_set": self.number, "part": part, **about, **distances[i], "sd": p[:, here].std(axis=0).mean()}
            row |= {"aleatoric": split.aleatoric.mean(), "epistemic": split.epistemic.mean()}
            for score in ("accuracy", "nll", "brier", "ece"):
                row[score] = getattr(uncertainty, score)(both[here], self.labels[here])
            yield row

    def distances(self, mean, known):
        """Distance and agreement of two predictive probabilities, for each part."""
        far, same = np.abs(mean - known), (mean > 0.5) == (known > 0.5)
        parts = [slice(i * HELD_OUT, (i + 1) * HELD_OUT) for i in range(len(PARTS))]
        return [{"tv": far[here].mean(), "agreement": same[here].mean()} for here in parts]


def rounded(row):
    return {name: f"{value:.5f}" if isinstance(value, float) else value for name, value in row.items()}


def stacked(p):
    return np.stack([1 - p, p], axis=-1)


class Network:
    """The model with one prior and n training points; compiled once for all data."""

    def __init__(self, prior, n):
        hyperprior, parameters = PRIORS[prior]
        self.prior, self.n = prior, n
        settings = {"hyperprior": hyperprior, "hyperprior_parameters": parameters}
        self.model = models.bnn_model(np.zeros((n, 2)), np.arange(n) % 2, hidden=(5,), **settings)
        self.nuts = nutpie.compile_pymc_model(self.model)

    def measure(self, data):
        """All rows of a data set."""
        x, y = data.x[: self.n], data.y[: self.n].astype(int)
        self.model.set_data("X", x)
        self.model.set_data("y", y)
        p, about = self.sample(data, x, y)
        known = p.mean(axis=0)
        about |= {"n": self.n, "prior": self.prior}
        rows = list(data.rows(p, known, **about, method="NUTS"))
        half = len(p) // 2
        for row, own in zip(rows, data.distances(p[:half].mean(axis=0), p[half:].mean(axis=0)), strict=True):
            row |= own  # how well does the reference know itself?

        starts = data.starts(self.model)
        fits, seconds = self.fit(inference.find_map, starts)
        answers = np.concatenate([self.predict(data, fit.sample(1, random_seed=0)) for fit in fits])
        best = int(np.argmin([fit.loss[-1] for fit in fits]))
        about = {"n": self.n, "prior": self.prior, "cpu_seconds": seconds}
        one = about | self.scales(fits[best].sample(1, random_seed=0))
        rows += data.rows(answers[best : best + 1], known, **one, method="MAP")
        rows += data.rows(answers, known, **about, method="ensemble")

        fits, seconds = self.fit(inference.advi, starts[:FIELD_STARTS])
        best = min(fits, key=lambda fit: fit.loss[-500:].mean())
        draws = best.sample(FIELD_DRAWS, random_seed=data.number)
        about |= {"cpu_seconds": seconds} | self.scales(draws)
        rows += data.rows(self.predict(data, draws), known, **about, method="mean field")
        return rows

    def sample(self, data, x, y):
        """Predictive draws of NUTS, and how well it sampled."""
        began = time.process_time()
        trace = nutpie.sample(
            self.nuts.with_data(X=x, y=y), draws=DRAWS, tune=TUNE, chains=CHAINS, cores=1, seed=data.number,
            target_accept=0.9, save_warmup=False, progress_bar=False,
        )  # fmt: skip
        seconds = time.process_time() - began
        p = self.predict(data, trace["posterior"].isel(draw=slice(None, None, THIN)))
        few = p[:, : len(PARTS) * HELD_OUT : HELD_OUT // 20].reshape(CHAINS, DRAWS // THIN, -1).astype(float)
        few = az.convert_to_dataset({"p": few})
        about = {"rhat_functions": float(az.rhat(few)["p"].max()), "ess_functions": float(az.ess(few)["p"].min())}
        about |= {"divergences": int(trace["sample_stats"]["diverging"].sum()), "cpu_seconds": seconds}
        return p, about | self.scales(trace)

    def fit(self, method, starts):
        """A fit from each start, and the processor seconds of all of them."""
        method(self.model, **PLAN | {"steps": 600}, random_seed=0)  # compile
        began = time.process_time()
        fits = [method(self.model, start=start, random_seed=k, **PLAN) for k, start in enumerate(starts)]
        return fits, time.process_time() - began

    def predict(self, data, posterior):
        return inference.predict(self.model, posterior, "probability", given={"X": data.places})

    def scales(self, posterior):
        """Medians of the scales of both layers."""
        hyperprior, parameters = PRIORS[self.prior]
        if hyperprior == "fixed":
            return {"scale1": parameters["scale"], "scale2": parameters["scale"]}
        return {name: float(np.median(posterior["posterior"][name])) for name in ("scale1", "scale2")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=10)
    parser.add_argument("--points", type=int, nargs="+", default=[100], help="training points, at most 400")
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    path = options.output
    rows = list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []
    there = {(row["data_set"], row["n"], row["prior"]) for row in rows}
    for n in options.points:
        networks = {}  # compiled when first needed
        for data in map(DataSet, range(options.data_sets)):
            for prior in PRIORS:
                if (str(data.number), str(n), prior) in there:
                    continue
                if prior not in networks:
                    networks[prior] = Network(prior, n)
                rows += map(rounded, networks[prior].measure(data))
                with path.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                    writer.writeheader()
                    writer.writerows(rows)
                print(f"{n} points, data set {data.number}, prior {prior}: {time.process_time():.0f} s", flush=True)


if __name__ == "__main__":
    main()
