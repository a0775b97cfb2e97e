"""The records of lesson 12: ten splits of two tables, and PSIS-LOO against refits.

    python studies/own_data.py                # about 10 processor minutes; repeats only what is missing
    python studies/own_data.py --only loo     # or ozone, weeks, or penguins

Models, baselines, splits and preparation are the lesson's own; data are standardised here before models do it again,
which changes nothing, so that each model is compiled once. Two rounds of five-fold cross-validation: each row of a
table is tested twice. Fills, in notebooks/records:

own_data_ozone.csv       one line for each method and test day: method; repeat, fold; row (place among the days with an
    ozone reading); nll (nats); mean; inside50, inside90 (is the reading inside that central interval); rhat (of NUTS,
    the largest of all answers of this fit).
own_data_weeks.csv       the same for some of the methods and five splits that put whole weeks aside: a fit to the other
    weeks is tested on weeks 0, 5, 10, … since the first of May, another one on weeks 1, 6, 11, …
own_data_penguins.csv    the same for species: method; repeat, fold; row; nll; p0, p1, p2 (probability of each
    species); rhat.
own_data_loo.csv         the motorcycle data and the network with learned noise: row; khat; psis (its score by PSIS-LOO)
    and exact (its score when the network is fitted without it): the six rows with the highest k̂, and six others; rhat
    of the fit without the row.

Methods: network (NUTS, two chains of 200 draws after 250 of tuning) and its controls with the same prior: constant
noise (ozone), MAP and an ensemble. Where the answers of a fit have an R-hat above 1.05, the fit is done again with
other starts and twice the tuning and draws, as often as needed, five times in all at most. The record keeps the last of
them whatever its R-hat, which stands in each of its rows; the lesson says how many fits are above the limit.

MAP is the best of four random starts by its log density. Its settings, the width of the prior (0.1, 0.3 or 1) and for
ozone whether the noise varies, are those with the lowest NLL on a quarter of the training rows after a fit to the
others from two starts: the density of a network with learned noise has no upper limit worth the name, and its mode can
be a network that is sure of one row. The ensemble is the mean of the answers of the four optima. Baselines: the
trivial one (mean and sd, or shares of the classes, of the training rows), and the lesson's.
"""

import argparse
import csv
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import nutpie
import pandas as pd
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from bnn_course import inference, models, uncertainty
from tools.lessons import lesson

RECORDS = Path(__file__).resolve().parents[1] / "notebooks" / "records"
COLUMNS = {
    "ozone": ["method", "repeat", "fold", "row", "nll", "mean", "inside50", "inside90", "rhat"],
    "penguins": ["method", "repeat", "fold", "row", "nll", "p0", "p1", "p2", "rhat"],
    "loo": ["row", "khat", "psis", "exact", "rhat"],
}
COLUMNS["weeks"] = COLUMNS["ozone"]
WIDTHS = (0.1, 0.3, 1.0)
STARTS = 4
PLAN = {"steps": 2_000, "learning_rate": 0.02}
AGREED, TRIES = 1.05, 5  # largest R-hat of answers that needs no longer run
SIZES = {"draws": 200, "tune": 250, "chains": 2, "target_accept": 0.9, "maxdepth": 7}
WHOLE = SIZES | {"target_accept": 0.8, "maxdepth": 10}  # trajectories of the regression network, up to their turn
OZONE = ("network", "constant noise", "MAP", "ensemble", "linear", "forest", "GP", "GP of log", "trivial")
WEEKS = ("network", "linear", "forest", "GP", "GP of log", "trivial")  # every shape of data is compiled anew
READINGS = 4_000  # drawn for an interval, some from each mean and sd


def from_lesson():
    """What the lesson defines: tables, splits, models, baselines."""
    return lesson("12").define(
        "ozone", "weather", "known", "prepare", "splits", "regression_network", "class_network", "SAMPLING", "interval",
        "nll", "linear", "forest", "gaussian_process", "on_standard_scale", "species", "body", "logistic", "time",
        "acceleration",
    )  # fmt: skip


class Record:
    """A CSV file that knows what it held at the start; rows are appended as they come."""

    def __init__(self, name, folder):
        self.path, self.columns = folder / f"own_data_{name}.csv", COLUMNS[name]
        if not self.path.exists():
            self.path.write_text(",".join(self.columns) + "\n", encoding="utf-8")
        with self.path.open(encoding="utf-8") as file:
            self.rows = list(csv.DictReader(file))

    def has(self, **wanted):
        return any(all(row[key] == str(value) for key, value in wanted.items()) for row in self.rows)

    def add(self, rows):
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            writer.writerows({key: as_text(value) for key, value in row.items()} for row in rows)


def as_text(value):
    return f"{value:.4f}" if isinstance(value, float | np.floating) else value


# Networks -------------------------------------------------------------------------------------------------------------


class Network:
    """A model of the lesson for standardised data, compiled once for all data of this shape."""

    def __init__(self, build, X, y, outputs, sizes, **settings):
        self.model, self.outputs, self.sizes, self.compiled = build(X, y, **settings), outputs, sizes, None

    def nuts(self, X, y, X_new, seed):
        """Answers (draw, row) of NUTS, and the largest R-hat of them on all rows."""
        if self.compiled is None:
            self.compiled = nutpie.compile_pymc_model(self.model)
        compiled, rows = self.compiled.with_data(X=X, y=y), np.concatenate([X, X_new])
        for attempt in range(TRIES):
            longer = {name: self.sizes[name] * 2**attempt for name in ("tune", "draws")}
            sizes = self.sizes | longer | {"seed": seed + 1_000 * attempt}
            trace = nutpie.sample(compiled, **sizes, cores=2, save_warmup=False, progress_bar=False)
            found = self.predict(trace["posterior"], rows)
            answers = found.values() if isinstance(found, dict) else [found]
            rhat = max(uncertainty.split_rhat(values.reshape(2, -1, *values.shape[1:])).max() for values in answers)
            if rhat <= AGREED:
                break
            print(f"R-hat {rhat:.2f} of {sizes['draws']} draws after {sizes['tune']} of tuning", flush=True)
        else:
            print(f"kept with an R-hat above {AGREED}", flush=True)
        return of_rows(found, slice(len(X), None)), rhat

    def predict(self, posterior, X):
        return inference.predict(self.model, posterior, self.outputs, given={"X": X})

    def optima(self, X, y, seed, n=STARTS):
        """MAP fits from several random starts, the best one first."""
        self.model.set_data("X", X)
        self.model.set_data("y", y)
        fits = []
        for k in range(n):
            start = models.random_start(self.model, np.random.default_rng([seed, k]))
            fits.append(inference.find_map(self.model, start=start, random_seed=k, **PLAN))
        return sorted(fits, key=lambda fit: fit.loss[-500:].mean())

    def of_fits(self, fits, X):
        """Answers (fit, row) of MAP fits."""
        found = [self.predict(fit.sample(1, random_seed=0), X) for fit in fits]
        if isinstance(self.outputs, str):
            return np.concatenate(found)
        return {name: np.concatenate([one[name] for one in found]) for name in self.outputs}


def of_rows(found, rows):
    """The answers (draw, row) of some rows; `found` is one array or a dictionary of them."""
    if isinstance(found, dict):
        return {name: values[:, rows] for name, values in found.items()}
    return found[:, rows]


class Networks:
    """One network for each setting and shape of the data, built when first needed: NUTS compiles shapes in."""

    def __init__(self, build, outputs, map_settings, sizes):
        self.build, self.outputs, self.map_settings, self.sizes, self.built = build, outputs, map_settings, sizes, {}

    def get(self, X, y, **settings):
        key = (*X.shape, *settings.items())
        if key not in self.built:
            self.built[key] = Network(self.build, X, y, self.outputs, self.sizes, **settings)
        return self.built[key]

    def map_and_ensemble(self, X, y, X_new, seed, nll):
        """Answers of MAP and of its ensemble, with the settings that a quarter of the rows prefers."""
        shuffled = np.random.default_rng([seed, 99]).permutation(len(y))
        kept, aside = shuffled[len(y) // 4 :], shuffled[: len(y) // 4]
        losses = []
        for settings in self.map_settings:
            network = self.get(X, y, **settings)
            fits = network.optima(X[kept], y[kept], seed, n=2)
            losses.append(nll(y[aside], network.of_fits(fits[:1], X[aside])))
        network = self.get(X, y, **self.map_settings[int(np.argmin(losses))])
        fits = network.optima(X, y, seed)
        return network.of_fits(fits[:1], X_new), network.of_fits(fits, X_new)


def standardised(X, X_new):
    """Columns on the scale of the training rows; a column that does not vary there becomes 0."""
    centre, spread = X.mean(axis=0), X.std(axis=0)
    varies = spread > 0
    return (X - centre)[:, varies] / spread[varies], (X_new - centre)[:, varies] / spread[varies]


# Ozone ----------------------------------------------------------------------------------------------------------------


def by_weeks(known):
    """Splits like those of the lesson, (round, fold, training rows, test rows), that test every fifth week."""
    dates = pd.to_datetime({"year": 1973, "month": known["month"], "day": known["day"]})
    fold_of_row = (dates - pd.Timestamp("1973-05-01")).dt.days.to_numpy() // 7 % 5
    for fold in range(5):
        yield 0, fold, np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold)


def ozone_methods(names, networks, wanted, X, y, X_new, seed):
    """Yield method, means and sds, each (draw, row), and the R-hat of NUTS, for standardised X and X_new."""
    centre, spread = y.mean(), y.std()
    target = (y - centre) / spread

    def in_units(found):
        return centre + spread * found["mean"], spread * found["noise"]

    def validation_nll(y, found):
        return names["nll"](y, found["mean"], found["noise"]).mean()

    for method, varying in {"network": True, "constant noise": False}.items():
        if method in wanted:
            found, rhat = networks.get(X, target, varying=varying).nuts(X, target, X_new, seed)
            yield method, *in_units(found), rhat
    if {"MAP", "ensemble"} & set(wanted):
        best, several = networks.map_and_ensemble(X, target, X_new, seed, validation_nll)
        yield "MAP", *in_units(best), ""
        yield "ensemble", *in_units(several), ""
    baselines = {"linear": names["linear"], "forest": names["forest"], "GP": names["gaussian_process"]}
    for method, baseline in baselines.items():
        if method in wanted:
            mean, sd = names["on_standard_scale"](baseline, X, y, X_new)
            yield method, mean[None], sd[None], ""
    yield "trivial", np.full((1, len(X_new)), centre), np.full((1, len(X_new)), y.std(ddof=1)), ""


def measure_ozone(record):
    names = from_lesson()
    measure_splits(record, names, names["splits"](names["ozone"]), OZONE)


def measure_weeks(record):
    names = from_lesson()
    measure_splits(record, names, by_weeks(names["known"]), WEEKS)


def measure_splits(record, names, splits, methods):
    """Add the rows of those methods that the record lacks, split by split."""
    weather, ozone = names["weather"], names["ozone"]
    settings = [{"varying": varying, "width": width} for varying in (True, False) for width in WIDTHS]
    networks = Networks(names["regression_network"], ["mean", "noise"], settings, WHOLE)
    for repeat, fold, train, test in splits:
        about = {"repeat": repeat, "fold": fold}
        wanted = [method for method in methods if not record.has(method=method, **about)]
        if not wanted:
            continue
        X, X_new = (names["prepare"](weather.iloc[rows], weather.iloc[train]).to_numpy() for rows in (train, test))
        X, X_new = standardised(X, X_new)
        y, y_new, seed, rows = ozone[train], ozone[test], 10 * repeat + fold, []
        for method, mean, sd, rhat in ozone_methods(names, networks, wanted, X, y, X_new, seed):
            rows += ozone_rows(names, about | {"method": method, "rhat": rhat}, test, y_new, mean, sd)
        if "GP of log" in wanted:
            rows += log_rows(names, about | {"method": "GP of log", "rhat": ""}, test, y_new, X, y, X_new)
        record.add([row for row in rows if row["method"] in wanted])
        print(f"round {repeat}, fold {fold}: {', '.join(wanted)}", flush=True)


def log_rows(names, about, test, y_new, X, y, X_new):
    """The rows of a Gaussian process of ln(ozone)."""
    mean, sd = names["on_standard_scale"](names["gaussian_process"], X, np.log(y), X_new)
    nll = -stats.norm.logpdf(np.log(y_new), mean, sd) + np.log(y_new)  # with the Jacobian
    tails = stats.norm.cdf(np.log(y_new), mean, sd)
    for place, row in enumerate(test):
        inside = {f"inside{prob}": int(abs(tails[place] - 0.5) < prob / 200) for prob in (50, 90)}
        value = {"row": row, "nll": nll[place], "mean": np.exp(mean[place] + sd[place] ** 2 / 2)}
        yield about | value | inside


def ozone_rows(names, about, test, y, mean, sd):
    """The rows of one method: scores, and whether each reading is inside its intervals."""
    nll, copies, inside = names["nll"](y, mean, sd), max(1, READINGS // len(mean)), {}
    many = np.repeat(mean, copies, axis=0), np.repeat(sd, copies, axis=0)
    for prob in (50, 90):
        low, high = names["interval"](*many, prob / 100, np.random.default_rng(0))
        inside[f"inside{prob}"] = ((low < y) & (y < high)).astype(int)
    for place, row in enumerate(test):
        found = {key: values[place] for key, values in inside.items()}
        yield about | {"row": row, "nll": nll[place], "mean": mean[:, place].mean()} | found


# Penguins -------------------------------------------------------------------------------------------------------------


def penguin_methods(names, networks, X, y, X_new, seed):
    """Yield method, probabilities (row, class), and the R-hat of NUTS, for standardised X and X_new."""

    def validation_nll(y, found):
        return -np.log(found.mean(axis=0)[np.arange(len(y)), y]).mean()

    drawn, rhat = networks.get(X, y).nuts(X, y, X_new, seed)
    yield "network", drawn.mean(axis=0), rhat
    best, several = networks.map_and_ensemble(X, y, X_new, seed, validation_nll)
    yield "MAP", best.mean(axis=0), ""
    yield "ensemble", several.mean(axis=0), ""
    yield "logistic", names["logistic"](X, y, X_new), ""
    forests = []
    for leaf in (1, 3, 5, 10, 20):
        forest = RandomForestClassifier(300, min_samples_leaf=leaf, oob_score=True, random_state=0).fit(X, y)
        p = forest.oob_decision_function_[np.arange(len(y)), y]
        forests.append((-np.log(np.maximum(p, 1e-3)).mean(), forest))
    p = np.maximum(min(forests, key=lambda pair: pair[0])[1].predict_proba(X_new), 1e-3)
    yield "forest", p / p.sum(axis=1, keepdims=True), ""
    kernel = ConstantKernel(4.0) * RBF(2.0)
    yield "GP", GaussianProcessClassifier(kernel, random_state=0).fit(X, y).predict_proba(X_new), ""
    yield "trivial", np.tile(np.bincount(y) / len(y), (len(X_new), 1)), ""


def measure_penguins(record):
    names = from_lesson()
    body, species = names["body"], names["species"]
    networks = Networks(names["class_network"], "probability", [{"width": width} for width in WIDTHS], SIZES)
    for repeat, fold, train, test in names["splits"](species, classes=True):
        if record.has(repeat=repeat, fold=fold):
            continue
        X, X_new = (names["prepare"](body.iloc[rows], body.iloc[train]).to_numpy() for rows in (train, test))
        X, X_new = standardised(X, X_new)
        rows, about, data = [], {"repeat": repeat, "fold": fold}, (X, species[train], X_new)
        for method, p, rhat in penguin_methods(names, networks, *data, 10 * repeat + fold):
            nll = -np.log(p[np.arange(len(test)), species[test]])
            for place, row in enumerate(test):
                found = {f"p{label}": p[place, label] for label in range(3)}
                rows.append(about | {"method": method, "row": row, "nll": nll[place], "rhat": rhat} | found)
        record.add(rows)
        print(f"penguins, round {repeat}, fold {fold}", flush=True)


# PSIS-LOO against refits ----------------------------------------------------------------------------------------------


def measure_loo(record):
    names = from_lesson()
    time, acceleration = names["time"], names["acceleration"]
    X = standardised(time, time)[0]
    centre, spread = acceleration.mean(), acceleration.std()
    y = (acceleration - centre) / spread
    network = Network(names["regression_network"], X, y, ["mean", "noise"], WHOLE)
    whole = inference.nuts(network.model, random_seed=2017, **names["SAMPLING"])
    left_out = inference.loo(network.model, whole)
    network = Network(names["regression_network"], X[1:], y[1:], ["mean", "noise"], WHOLE)  # for one row less
    by_khat = np.argsort(-left_out.khat)
    others = np.random.default_rng(0).permutation(by_khat[6:])[:6]
    for row in [*by_khat[:6], *others]:
        if record.has(row=row):
            continue
        rest = np.arange(len(y)) != row
        found, rhat = network.nuts(X[rest], y[rest], X[[row]], int(row))
        exact = -names["nll"](y[[row]], found["mean"], found["noise"])[0] - np.log(spread)
        psis = left_out.elpd[row] - np.log(spread)
        record.add([{"row": row, "khat": left_out.khat[row], "psis": psis, "exact": exact, "rhat": rhat}])
        print(f"without row {row}", flush=True)


MEASURE = {"ozone": measure_ozone, "weeks": measure_weeks, "penguins": measure_penguins, "loo": measure_loo}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(MEASURE), help="one of the four records")
    parser.add_argument("--folder", type=Path, default=RECORDS)
    options = parser.parse_args()
    for name in [options.only] if options.only else MEASURE:
        MEASURE[name](Record(name, options.folder))


if __name__ == "__main__":
    main()
