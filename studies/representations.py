"""The five fits of lesson 10 and all that the lesson measures on them, with twenty seeds (the lesson reads the record).

    python studies/representations.py           # writes to notebooks/records/, about a quarter of an hour

representations_digits.csv: seed; test errors of a network alone, of averaged answers and of averaged weights, unaligned
and aligned; mean squared distances of activations from the reference; rank correlations with the mutual information.

representations_controls.csv: does the alignment find a match where there is none? Each row aligns a network to the
first fit of its seed: another fit ("same labels"), fits that learned shuffled labels or the digits five to nine, and
random weights from the prior. `correlation` is the mean over the aligned pairs of units, `error` the test error of the
average of both networks. representations_networks.npz: the mean networks of the first seed, what the exercises start
from; five of the lesson's fits, then the three controls, in half precision.

What is in the tables is not computed again: a run that was killed goes on where it was.
"""

import argparse
import functools
import gc
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import pandas as pd

from bnn_course import data
from bnn_course._files import write_whole
from bnn_course.datasets import build_datasets
from tools.lessons import lesson

RECORDS = Path(__file__).resolve().parents[1] / "notebooks" / "records"
RECORD, CONTROLS, NETWORKS = (
    RECORDS / f"representations_{name}" for name in ("digits.csv", "controls.csv", "networks.npz")
)
FITS = 5  # of a seed, in the lesson
FROM_LESSON = (
    "labels",
    "forward",
    "average",
    "error",
    "rearranged",
    "nearest_copy",
    "correlations",
    "test_images",
    "Networks",
)


@functools.cache
def from_lesson():
    """What all seeds share: the model, which is compiled once, and how networks are moved and judged."""
    return lesson("10").define("digit_model", *FROM_LESSON, given={"SEED": 0})


# The lesson, with other seeds -----------------------------------------------------------------------------------------


def repeat(seed):
    """Append what the lesson measures with this seed."""
    rows = read(RECORD)
    if any(row["seed"] == seed for row in rows):
        return
    shared = {"digit_model": from_lesson()["digit_model"]}
    live = lesson("10").define("live", given=shared | {"SEED": seed})["live"]
    write(RECORD, [*rows, {"seed": seed} | live])
    gc.collect()  # functions and the variables of a lesson refer to each other


# Networks that have nothing to do with each other ---------------------------------------------------------------------


@functools.cache
def model_of(kind):
    """The model of the lesson for other labels or other digits, compiled once."""
    names, mnist = from_lesson(), data.load_mnist()
    if kind == "same labels":
        return names["digit_model"]
    if kind == "shuffled labels":
        given = {"labels": np.random.default_rng(0).permutation(names["labels"])}
    else:
        high = mnist.train_labels >= 5
        given = {"images": mnist.train_images[high].reshape(-1, 784), "labels": mnist.train_labels[high] - 5}
    return lesson("10").define("digit_model", given={"SEED": 0} | given)["digit_model"]


def network_of(kind, seed):
    """The mean network of a fit, or random weights, with a first axis of length one."""
    names, rng = from_lesson(), np.random.default_rng(seed)
    if kind == "random weights":
        shapes = {"w1": (784, 32), "b1": (32,), "w2": (32, 5), "b2": (5,)}
        width = {"w1": 0.3, "b1": 0.3, "w2": 1, "b2": 1}  # the prior of the lesson
        return names["Networks"](*(rng.normal(0, width[part], (1, *shape)) for part, shape in shapes.items()))
    fit = lesson("10").define("fit", given={"digit_model": model_of(kind)})["fit"]
    mean = fit(seed).mean
    return names["Networks"](*(mean[part][None].astype(float) for part in names["Networks"]._fields))


def matched(reference, network):
    """How well a network fits the reference when it is aligned to it."""
    names = from_lesson()
    both = names["Networks"](*(np.concatenate(part) for part in zip(reference, network, strict=True)))
    hidden = names["forward"](both, names["test_images"])[0]
    copies = [names["nearest_copy"](h, hidden[0]) for h in hidden]
    aligned = names["rearranged"](both, *(np.array(part) for part in zip(*copies, strict=True)))
    both_hidden = names["forward"](aligned, names["test_images"])[0]
    of_average = names["forward"](names["average"](aligned), names["test_images"])[1]
    return {
        "correlation": np.diag(names["correlations"](*both_hidden)).mean(),
        "error": names["error"](of_average),
    }


KINDS = ("same labels", "digits five to nine", "shuffled labels", "random weights")


def control(seed):
    """Append how well related and unrelated networks align to the first fit of a seed."""
    rows = read(CONTROLS)
    missing = [kind for kind in KINDS if not any(row["seed"] == seed and row["network"] == kind for row in rows)]
    if missing:
        reference = network_of("same labels", 10 * seed)
        for kind in missing:
            rows.append({"seed": seed, "network": kind} | matched(reference, network_of(kind, 10 * seed + 1)))
        write(CONTROLS, rows)


def keep_networks(seed):
    """Store the mean networks of the first seed, if they are not there."""
    if NETWORKS.exists():
        return
    networks = [network_of("same labels", 10 * seed + k) for k in range(FITS)]
    networks += [network_of(kind, 10 * seed + 1) for kind in KINDS[1:]]
    parts = zip(from_lesson()["Networks"]._fields, zip(*networks, strict=True), strict=True)
    arrays = {name: np.concatenate(part).astype(np.float16) for name, part in parts}
    build_datasets.write_all(RECORDS, {NETWORKS.name: arrays})


# Tables ---------------------------------------------------------------------------------------------------------------


def read(path):
    """The rows of a table, if there is one."""
    return pd.read_csv(path).to_dict("records") if path.exists() else []


def write(path, rows):
    """Write a table whole or not at all, with five significant digits."""
    write_whole(path, pd.DataFrame(rows).to_csv(index=False, float_format="%.5g", lineterminator="\n").encode())
    print(path.stem, rows[-1], flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    keep_networks(1)
    for seed in range(1, parser.parse_args().seeds + 1):
        repeat(seed)
        control(seed)


if __name__ == "__main__":
    main()
