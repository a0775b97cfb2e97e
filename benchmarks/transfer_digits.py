"""The two records of lesson 10: representation against prediction, and transfer from digits 0–4 to 5–9 (row S20).

    python benchmarks/transfer_digits.py           # writes two tables to notebooks/records/, about 10 minutes

Everything that is measured is written in the lesson; this script runs the lesson's own functions with many seeds. Rows
that are there already are kept, so that a stopped run continues where it was.

representations_digits.csv: seed (of five fits); six Spearman correlations over 600 test pictures of the digits 0–4, as
the lesson defines them. transfer_digits.csv: seed (of the source fit, the labelled pictures and the fits); labels per
class; competitor; accuracy and NLL (nats) on all test pictures of the digits 5–9.
"""

import argparse
import contextlib
import csv
import io
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "notebooks" / "records"
LABELS = [1, 5, 10, 50, 100]
COMPETITORS = 9
# Texts that stand in the lesson's cells of imports, data and definitions.
CELLS = ["import bnn_course", "mnist = data", "def network", "def fit_classifier", "def draw_weights", "source_batch ="]
CELLS += ["def nearest_border", "def rank_correlations", "def fit_source", "def informed_prior", "def competitors"]
CELLS += ["def target_model"]


def lesson(seed):
    """The lesson's names: its definitions are executed, what it fits and draws is cut off."""
    sys.path[:0] = [str(ROOT), str(ROOT / "notebooks")]
    os.chdir(ROOT / "notebooks")
    from lesson_text import code_of

    (source,) = Path("source").glob("10_*.md")
    cells = code_of(source)
    names = {"SEED": seed}
    for text in CELLS:
        (code,) = [cell for cell in cells if text in cell]
        for own in ("seeds = ", "ends = ", "source, point = ", "away, direction = "):
            code = code.partition(f"\n{own}")[0]
        exec(code, names)
    return names


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
    import numpy as np

    from bnn_course.representations import align, rearrange

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
    with contextlib.redirect_stderr(io.StringIO()):
        names = lesson(2017)
    import numpy as np

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
