"""The five fits of lesson 10 and all that the lesson measures on them, with twenty seeds (the lesson reads the record).

    python studies/representations.py           # writes a table to notebooks/records/, about eight minutes

representations_digits.csv: seed; test errors of a network alone, of averaged answers and of averaged weights, unaligned
and aligned; mean squared distances of activations from the reference; rank correlations with the mutual information.
What is in the table is not computed again: a run that was killed goes on where it was.
"""

import argparse
import gc
from pathlib import Path

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import pandas as pd

from bnn_course._files import write_whole
from tools.lessons import lesson

RECORD = Path(__file__).resolve().parents[1] / "notebooks" / "records" / "representations_digits.csv"


def from_lesson():
    """What all seeds share: the model, which is compiled once."""
    names = lesson("10").define("digit_model")
    return {"digit_model": names["digit_model"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    shared = from_lesson()
    rows = pd.read_csv(RECORD).to_dict("records") if RECORD.exists() else []
    for seed in range(1, parser.parse_args().seeds + 1):
        if any(row["seed"] == seed for row in rows):
            continue
        live = lesson("10").define("live", given=shared | {"SEED": seed})["live"]
        rows.append({"seed": seed} | live)
        table = pd.DataFrame(rows).to_csv(index=False, float_format="%.5g", lineterminator="\n")
        write_whole(RECORD, table.encode())
        print(rows[-1], flush=True)
        gc.collect()  # functions and the variables of a lesson refer to each other


if __name__ == "__main__":
    main()
