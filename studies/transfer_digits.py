"""The two records of lesson 10: representation against prediction, and transfer from digits 0–4 to 5–9 (row S20).

    python studies/transfer_digits.py           # writes two tables to notebooks/records/, about 10 minutes

Everything that is measured is written in the lesson; this script runs the lesson's own functions with many seeds. Rows
that are there already are kept, so that a stopped run continues where it was.

representations_digits.csv: seed (of five fits); six Spearman correlations over 600 test pictures of the digits 0–4, as
the lesson defines them. transfer_digits.csv: seed (of the source fit, the labelled pictures and the fits); labels per
class; competitor; accuracy and NLL (nats) on all test pictures of the digits 5–9.
"""

import argparse
import csv
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np
import pytensor

from bnn_course.representations import align, rearrange
from tools.lessons import lesson

pytensor.config.floatX = "float32"  # as in the lesson

RECORDS = Path(__file__).resolve().parents[1] / "notebooks" / "records"
LABELS = [1, 5, 10, 50, 100]
COMPETITORS = 9


def from_lesson():
    """What the lesson defines: the model of the source and its fit, the correlations, and the competitors."""
    source = ["source_model", "fit_classifier", "fit_source", "PLAIN", "WIDTH", "some_images"]
    correlations = ["draw_weights", "forward", "rank_correlations"]
    return lesson("10").define(*source, *correlations, "target_model", "competitors", "compete")


def table(path, columns):
    """The rows that a table has already, and a function that appends one."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text(",".join(columns) + "\n", encoding="utf-8")
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def append(values):
        line = ",".join(f"{v:.5f}" if isinstance(v, float) else str(v) for v in values)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)

    return rows, append


def representations_of(seed, names):
    """One row: five fits, twenty draws of each, their correlations."""
    seeds = [10 * seed + k for k in range(5)]
    fits = [names["fit_classifier"](names["source_model"], 2_400, s, 5) for s in seeds]
    drawn = [names["draw_weights"](fit, names["PLAIN"], 20, seed) for fit in fits]
    weights = tuple(np.concatenate(part) for part in zip(*drawn, strict=True))
    pictures = names["some_images"]
    hidden, probability = names["forward"](weights, pictures)
    centre = [(names["WIDTH"] * fits[0].mean["z"])[None], fits[0].mean["w2"][None], fits[0].mean["b2"][None]]
    reference = names["forward"](tuple(part.astype(float) for part in centre), pictures)[0][0]
    aligned = rearrange(hidden, align(hidden, reference))
    mean_network = reference, centre[1][0].astype(float), centre[2][0].astype(float)
    rng = np.random.default_rng(seed)
    return names["rank_correlations"](hidden, aligned, probability, mean_network, 20, rng)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8, help="of transfer; representations take ten")
    options = parser.parse_args()
    names = from_lesson()
    columns = ["one fit", "shuffled", "five fits", "unaligned", "nearness", "ratio"]
    rows, append = table(RECORDS / "representations_digits.csv", ["seed", *columns])
    done = {int(row["seed"]) for row in rows}
    for seed in sorted({*range(1, 11)} - done):
        append([seed, *representations_of(seed, names).values()])
    rows, append = table(RECORDS / "transfer_digits.csv", ["seed", "labels", "competitor", "accuracy", "nll"])
    done = {(int(row["seed"]), int(row["labels"]), row["competitor"]) for row in rows}
    for seed in range(1, options.seeds + 1):
        found = None  # the source is fitted only if a row needs it
        for n in LABELS:
            if sum(key[:2] == (seed, n) for key in done) == COMPETITORS:
                continue
            found = found or names["fit_source"](seed)
            model = names["target_model"](n, np.random.default_rng(seed))
            for name, competitor in names["competitors"](*found, seed).items():
                if (seed, n, name) not in done:
                    append([seed, n, name, *map(float, names["compete"](model, competitor, seed))])


if __name__ == "__main__":
    main()
