"""Three priors on a linear model with three relevant and seventeen irrelevant inputs (lesson 08 draws the record).

    python studies/irrelevant_inputs.py    # writes notebooks/records/irrelevant_inputs.csv, about 6 minutes

Tasks, models and scores are the lesson's own functions. An interrupted run continues where it stopped.

Columns: data set; method; NLL of fresh observations (nats); relevant inputs chosen (of 3); irrelevant ones chosen (of
17); mean absolute error of the relevant and of the irrelevant weights; divergences and largest R-hat of the weights.
"""

import argparse
import csv
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numpy as np

from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "irrelevant_inputs.csv"
COLUMNS = "data_set method nll right wrong error_relevant error_irrelevant divergences r_hat".split()


def from_lesson():
    """What the lesson defines: tasks, priors, sampling and scores."""
    return lesson("08").define("make_task", "priors", "sample", "r_hat", "rivals", "judge")


def measure(names, number):
    """Rows of the record for one data set."""
    x, y, *fresh = names["make_task"](number)
    rows = []
    for method in names["priors"]:
        found = names["sample"](method, x, y, number)
        w = found.posterior["w"].values
        checks = {"divergences": int(found.sample_stats["diverging"].values.sum())}
        checks["r_hat"] = f"{names['r_hat'](w).max():.3f}"
        rows.append({"method": method} | names["judge"](w.reshape(-1, 20), *fresh) | checks)
    for method, w in names["rivals"](x, y, np.random.default_rng(number)).items():
        rows.append({"method": method} | names["judge"](w, *fresh))
    digits = {"nll": ".5f", "error_relevant": ".4f", "error_irrelevant": ".4f"}
    return [{"data_set": number} | {k: format(v, digits.get(k, "")) for k, v in row.items()} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=24)
    options = parser.parse_args()
    names = from_lesson()
    rows = list(csv.DictReader(RECORD.open(encoding="utf-8"))) if RECORD.exists() else []
    for number in range(options.data_sets):
        if str(number) in {str(row["data_set"]) for row in rows}:
            continue
        rows += measure(names, number)
        partial = RECORD.with_suffix(".part")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(RECORD)
        print(*(f"{row['method']} {row['nll']}" for row in rows[-6:]), flush=True)


if __name__ == "__main__":
    main()
