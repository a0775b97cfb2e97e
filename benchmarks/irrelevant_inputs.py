"""Three priors on a linear model with three relevant and seventeen irrelevant inputs (lesson 08 draws the record).

    python benchmarks/irrelevant_inputs.py    # writes notebooks/records/irrelevant_inputs.csv, about 6 minutes

Tasks, models and scores are the lesson's own cells. An interrupted run continues where it stopped.

Columns: data set; method; NLL of fresh observations (nats); relevant inputs chosen (of 3); irrelevant ones chosen (of
17); mean absolute error of the relevant and of the irrelevant weights; divergences and largest R-hat of the weights.
"""

import argparse
import csv
import re
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "notebooks")]
import lesson_text  # noqa: E402

LESSON = ROOT / "notebooks" / "source" / "08_sparsity_priors.md"
NEEDED = ["import bnn_course", "def make_task", "def horseshoe():", "def sample", "def r_hat", "def judge"]
RECORD = ROOT / "notebooks" / "records" / "irrelevant_inputs.csv"
COLUMNS = "data_set method nll right wrong error_relevant error_irrelevant divergences r_hat".split()


def lesson_functions():
    """Run the needed cells of the lesson, of the one with R-hat only the function, and return their names."""
    cells = lesson_text.code_of(LESSON)
    namespace = {}
    for text in NEEDED:
        (cell,) = [cell for cell in cells if re.search(rf"^{re.escape(text)}", cell, re.MULTILINE)]
        exec(compile(cell.split("\n\n\nidata")[0], LESSON.name, "exec"), namespace)
    return namespace


def measure(lesson, number):
    """Rows of the record for one data set."""
    x, y, *fresh = lesson["make_task"](number)
    rows = []
    for method in lesson["priors"]:
        found = lesson["sample"](method, x, y, number)
        w = found.posterior["w"].values
        checks = {"divergences": int(found.sample_stats["diverging"].values.sum())}
        checks["r_hat"] = f"{lesson['r_hat'](w).max():.3f}"
        rows.append({"method": method} | lesson["judge"](w.reshape(-1, 20), *fresh) | checks)
    for method, w in lesson["rivals"](x, y, np.random.default_rng(number)).items():
        rows.append({"method": method} | lesson["judge"](w, *fresh))
    digits = {"nll": ".5f", "error_relevant": ".4f", "error_irrelevant": ".4f"}
    return [{"data_set": number} | {k: format(v, digits.get(k, "")) for k, v in row.items()} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=24)
    options = parser.parse_args()
    lesson = lesson_functions()
    rows = list(csv.DictReader(RECORD.open(encoding="utf-8"))) if RECORD.exists() else []
    for number in range(options.data_sets):
        if str(number) in {str(row["data_set"]) for row in rows}:
            continue
        rows += measure(lesson, number)
        partial = RECORD.with_suffix(".part")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(RECORD)
        print(*(f"{row['method']} {row['nll']}" for row in rows[-6:]), flush=True)


if __name__ == "__main__":
    main()
