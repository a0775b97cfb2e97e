"""A fair contest of ways to learn five digits from few labels, with and without a source (lesson 11 reads the records).

    python studies/transfer_digits.py           # writes to notebooks/records/, about twenty-five minutes

The source is lesson 11's network for the digits 0–4. A task is one of

- new digits: tell 5–9 apart, with 1 to 100 labels per class; the hidden layer is handed on;
- turned 15 … turned 90: tell 0–4 apart when they are turned by so many degrees; both layers are handed on.

transfer_choice.csv: every setting that was tried, with its NLL on 2 000 images that neither train nor test, and which
setting was chosen for each task, number of labels and method. The settings of a method are chosen one after the other,
in the order of `GRIDS`, from the means of two seeds (four, with three labels or fewer) that are not used below.
transfer_digits.csv: accuracy and NLL (nats) on all test images of the task's digits; each seed has a source, labelled
images and fits of its own. transfer_source.csv: how the source fit and what it is worth change with its passes.
transfer_trust.csv: transfer with its chosen settings and every trust of `TRUSTS`, for few and many labels (turned
digits have the settings chosen with ten); accuracy and NLL on the images that choose and on those that test. With the
posterior of the first source, transfer_posterior.npz (half precision), the explorer and the exercises start from it.

What is in the tables is not computed again: a run that was killed goes on where it was.
"""

import argparse
import functools
import itertools
from pathlib import Path
from typing import NamedTuple

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import pandas as pd
import pytensor

from bnn_course import data, inference, uncertainty
from bnn_course._files import write_whole
from bnn_course.datasets import build_datasets
from tools.lessons import lesson

pytensor.config.floatX = "float32"  # as in the lesson

RECORDS = Path(__file__).resolve().parents[1] / "notebooks" / "records"
CHOICE, SCORES, SOURCE, TRUST = (RECORDS / f"transfer_{name}.csv" for name in ("choice", "digits", "source", "trust"))
POSTERIOR = RECORDS / "transfer_posterior.npz"
LABELS, ANGLES, TURNED_LABELS = (1, 3, 10, 30, 100), (15, 30, 60, 90), 10
SOURCE_SEEDS, PASSES = (1, 2, 3), (10, 40, 160)
TRUSTS, TRUST_LABELS, TRUST_SEEDS = (0, 0.01, 0.03, 0.1, 0.3, 1, 3, 10), (1, 10, 100), (1, 2, 3, 4)
SETTING = {"width": 0.3, "trust": 1.0, "output": 1.0}
START = {
    inference.advi: SETTING | {"steps": 2_000, "rate": 0.02},
    inference.find_map: SETTING | {"steps": 500, "rate": 0.01},
}
GRIDS = {
    "cold start": {"output": (1, 3, 10), "width": (0.1, 0.3), "steps": (500, 2_000)},
    "transfer": {"output": (1, 3, 10), "trust": (0.01, 0.1, 1, 10), "steps": (500, 2_000)},
    "from scratch": {"output": (1, 3, 10), "width": (0.1, 0.3, 1), "steps": (50, 500)},
    "fine-tuning": {"output": (1, 3, 10), "steps": (20, 50, 200, 500), "rate": (0.003, 0.01)},
    "informed MAP": {"output": (1, 3, 10), "trust": (0.001, 0.01, 0.1, 1), "steps": (50, 500)},
    "linear probe": {"output": (1, 3, 10), "steps": (50, 200, 500)},
}
INFORMED = ("transfer", "informed MAP")
FROM_LESSON = (
    "both_fits",
    "fit_source",
    "few_rows",
    "nearest_mean",
    "network",
    "turned",
    "source_weights",
    "shuffled",
    "rivals",
    "compete",
    "answers",
    "source_images",
    "spare_images",
    "spare_labels",
    "new_images",
    "new_labels",
    "choose_images",
    "choose_labels",
    "test_images",
    "test_labels",
)


@functools.cache
def from_lesson():
    """What the lesson defines: digits, models, rivals and how they compete."""
    return lesson("11").define(*FROM_LESSON, given={"SEED": 0})


class Task(NamedTuple):
    """Images and labels to learn from, to choose settings and to test, and the layers that are handed on."""

    name: str
    pool: tuple
    choose: tuple
    test: tuple
    layers: tuple

    def grid(self, method):
        """The settings of a method: where both layers are handed on, none keeps the plain prior."""
        both = 2 in self.layers and method in INFORMED
        return {name: values for name, values in GRIDS[method].items() if not (both and name == "output")}


def new_digits():
    """The digits five to nine, as in the lesson."""
    names = from_lesson()
    pool, choose = (names["new_images"], names["new_labels"]), (names["choose_images"], names["choose_labels"])
    return Task("new digits", pool, choose, (names["test_images"], names["test_labels"]), (1,))


def turned_digits(angle):
    """The digits of the source, turned; none of these images has trained the source."""
    names, mnist = from_lesson(), data.load_mnist()
    old = mnist.test_labels < 5
    images = [*np.split(names["spare_images"], 2), mnist.test_images[old].reshape(-1, 784)]
    labels = [*np.split(names["spare_labels"], 2), mnist.test_labels[old]]
    parts = [(names["turned"](x, angle), y) for x, y in zip(images, labels, strict=True)]
    return Task(f"turned {angle}", *parts, (1, 2))


# Fitting --------------------------------------------------------------------------------------------------------------


@functools.cache
def source_of(seed):
    """The source of a seed, fitted once."""
    return from_lesson()["both_fits"](seed)


@functools.cache
def shared_model(n):
    """A model for n labels per class, and the two variables that hold the data."""
    few = [pytensor.shared(np.zeros(shape, "uint8"), shape=shape) for shape in ((5 * n, 784), (5 * n,))]
    return from_lesson()["network"](*few), few


def labelled(task, n, seed):
    """Images and labels that a seed learns from."""
    images, labels = task.pool
    rows = from_lesson()["few_rows"](labels, n, np.random.default_rng(seed))
    return images[rows], labels[rows]


def fitted(task, n, method, setting, seed, *, source=None, change=None):
    """The weights that one method ends with; `change` may replace what its prior is."""
    names = from_lesson()
    model, few = shared_model(n)
    for variable, values in zip(few, labelled(task, n, seed), strict=True):
        variable.set_value(values.astype("uint8"))
    rival = names["rivals"](setting, source or source_of(seed), seed, task.layers)[method]
    return names["compete"](model, change(rival) if change else rival, setting, seed)


def scores(task, n, method, setting, seed, on, **changes):
    """Accuracy and NLL of one method."""
    return judged(from_lesson()["answers"](fitted(task, n, method, setting, seed, **changes), on[0]), on[1])


def judged(probability, labels):
    return {"accuracy": uncertainty.accuracy(probability, labels), "nll": uncertainty.nll(probability, labels)}


# Choosing -------------------------------------------------------------------------------------------------------------


def choose(task, n):
    """Choose the settings of each method of a task one after the other: {method: setting}."""
    rows, settings = read(CHOICE), {}
    seeds = range(101, 105 if n <= 3 else 103)
    for method in GRIDS if task.layers == (1,) else [name for name in GRIDS if name != "linear probe"]:
        here = {"task": task.name, "labels": n, "method": method}
        how = inference.advi if method in ("cold start", "transfer") else inference.find_map
        setting = dict(START[how])
        for name, values in task.grid(method).items():
            tried = [setting | {name: value} for value in values]
            losses = [np.mean([try_one(task, n, method, one, here, s, rows) for s in seeds]) for one in tried]
            setting = tried[int(np.argmin(losses))]
        for row in rows:
            if agrees(row, here):
                row["chosen"] = int(agrees(row, setting))
        write(CHOICE, rows)
        settings[method] = setting
    return settings


def try_one(task, n, method, setting, here, seed, rows):
    """The NLL of a setting on the images that choose, from the table if it is there."""
    wanted = here | setting | {"seed": seed}
    for row in rows:
        if agrees(row, wanted):
            return row["nll"]
    rows.append(wanted | scores(task, n, method, setting, seed, task.choose) | {"chosen": 0})
    write(CHOICE, rows)
    return rows[-1]["nll"]


# Measuring ------------------------------------------------------------------------------------------------------------


def contest(task, n, seed, settings):
    """Yield method and scores of one seed, and those of the controls."""
    test = task.test

    def score(method, setting, change=None):
        return scores(task, n, method, setting, seed, test, change=change)

    for method, setting in settings.items():
        yield method, functools.partial(score, method, setting)
    if task.name != "new digits":
        yield "full trust", functools.partial(score, "transfer", settings["transfer"] | {"trust": 1.0})
        yield "untouched", lambda: untouched(seed, test)
        return
    yield "nearest mean", lambda: nearest(labelled(task, n, seed), test)
    for method in ("cold start", "transfer"):
        yield f"{method}, usual", functools.partial(score, method, START[inference.advi])
    shuffle = functools.partial(from_lesson()["shuffled"], rng=np.random.default_rng(seed))
    yield "transfer, shuffled", functools.partial(score, "transfer", settings["transfer"], shuffle)
    if n == 10:
        for method in ("cold start", "transfer"):
            longer = settings[method] | {"steps": 4 * settings[method]["steps"]}
            yield f"{method}, longer", functools.partial(score, method, longer)


def nearest(few, test):
    """The trivial baseline has no probabilities, so no NLL."""
    return {"accuracy": np.mean(from_lesson()["nearest_mean"](*few, test[0]) == test[1]), "nll": np.nan}


def untouched(seed, test):
    """The source network as it is."""
    w1, w2 = from_lesson()["source_weights"](source_of(seed).point, (1, 2)).values()
    return judged(from_lesson()["answers"]((w1[None], w2[None]), test[0]), test[1])


def measure(task, n, seeds, settings):
    """Append the rows of a task and a number of labels that are missing."""
    for seed in seeds:
        for method, score in contest(task, n, seed, settings):
            here = {"task": task.name, "seed": seed, "labels": n, "method": method}
            rows = read(SCORES)
            if not any(agrees(row, here) for row in rows):
                write(SCORES, [*rows, here | score()])


def measure_source(task, settings):
    """How the source fit, and what it is worth with ten labels, change with the number of passes."""
    names, mnist, rows = from_lesson(), data.load_mnist(), read(SOURCE)
    old = mnist.test_labels < 5
    test = mnist.test_images[old].reshape(-1, 784), mnist.test_labels[old]
    for seed in SOURCE_SEEDS:
        if any(row["seed"] == seed for row in rows):
            continue
        fits = {passes: names["fit_source"](inference.advi, seed, passes) for passes in PASSES}
        longest = fits[max(PASSES)].mean["z1"]
        for passes, fit in fits.items():
            weights = [names["source_weights"](fit, (1, 2))[k][None] for k in (1, 2)]
            used = fit.sd["z1"] < 0.9
            moved = ((longest - fit.mean["z1"]) / fit.sd["z1"])[used]
            source = source_of(seed)._replace(posterior=fit)
            score = scores(task, 10, "transfer", settings["transfer"], seed, task.test, source=source)
            row = {"seed": seed, "passes": passes, "used": used.mean(), "moved": np.sqrt(np.mean(moved**2))}
            row["negative_elbo"] = fit.loss[-1_000:].mean() / len(names["source_images"])
            row["source_accuracy"] = judged(names["answers"](weights, test[0]), test[1])["accuracy"]
            rows.append(row | {f"transfer_{name}": value for name, value in score.items()})
        write(SOURCE, rows)


def measure_trust(task, n, setting):
    """Append the rows of a task and a number of labels that are missing, one for each trust and seed."""
    for seed, trust in itertools.product(TRUST_SEEDS, TRUSTS):
        here, rows = {"task": task.name, "labels": n, "trust": trust, "seed": seed}, read(TRUST)
        if any(agrees(row, here) for row in rows):
            continue
        weights = fitted(task, n, "transfer", setting | {"trust": trust}, seed)
        for name, (images, labels) in {"choose": task.choose, "test": task.test}.items():
            score = judged(from_lesson()["answers"](weights, images), labels)
            here |= {f"{name}_{measure}": value for measure, value in score.items()}
        write(TRUST, [*rows, here])


def keep_posterior():
    """Store what the first source hands on, if it is not there: means and sds by ADVI, and the MAP weights."""
    if not POSTERIOR.exists():
        posterior, point = source_of(1)
        parts = {"mean": posterior.mean, "sd": posterior.sd, "point": point.mean}
        arrays = {
            f"{part}_{z}": z_values.astype(np.float16) for part, of in parts.items() for z, z_values in of.items()
        }
        build_datasets.write_all(RECORDS, {POSTERIOR.name: arrays})


# Tables ---------------------------------------------------------------------------------------------------------------


def agrees(row, wanted):
    """Whether a row has all these values."""
    return all(row[name] == value for name, value in wanted.items())


def read(path):
    """The rows of a table, if there is one."""
    return pd.read_csv(path).to_dict("records") if path.exists() else []


def write(path, rows):
    """Write a table whole or not at all, with five significant digits."""
    write_whole(path, pd.DataFrame(rows).to_csv(index=False, float_format="%.5g", lineterminator="\n").encode())
    print(path.stem, rows[-1], flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    seeds = range(1, parser.parse_args().seeds + 1)
    keep_posterior()
    task = new_digits()
    for n in LABELS:
        settings = choose(task, n)
        measure(task, n, seeds, settings)
        if n == 10:
            measure_source(task, settings)
        if n in TRUST_LABELS:
            measure_trust(task, n, settings["transfer"])
    for angle in ANGLES:
        task_turned = turned_digits(angle)
        settings = choose(task_turned, TURNED_LABELS)
        measure(task_turned, TURNED_LABELS, seeds, settings)
        for n in TRUST_LABELS:
            measure_trust(task_turned, n, settings["transfer"])


if __name__ == "__main__":
    main()
