"""Tempering, and active learning: the two records of appendix B.

    python studies/tempering_and_labels.py

writes notebooks/records/mnist_tempering.csv (accuracy, NLL, ECE and AUROC of clothes for three weights of the KL term,
five seeds each) and mnist_labels.csv (test accuracy against the number of labels for three ways of choosing them, five
pools each). A run takes about half an hour on two cores; rows that are there are not computed again.
"""

from pathlib import Path

import pandas as pd

from tools.build import write
from tools.lessons import lesson

RECORDS = Path(__file__).resolve().parents[1] / "notebooks" / "records"
SEEDS, KL_WEIGHTS = (2017, 2018, 2019, 2020, 2021), (1.0, 0.3, 0.1)
POOLS, ROUNDS, STRATEGIES = range(1, 6), 14, ("random", "mutual information", "total entropy")


def rows_of(path: Path) -> list[dict]:
    """Return the rows that a table has already."""
    return pd.read_csv(path).to_dict("records") if path.exists() else []


def keep(path: Path, rows: list[dict]) -> None:
    """Write a table whole or not at all."""
    write(path, pd.DataFrame(rows).to_csv(index=False, float_format="%.5g", lineterminator="\n"))


def temper(path: Path) -> None:
    """Fit with each weight of the KL term from each seed."""
    names = lesson("B").define("tempered_fit", "tempered_scores")
    rows = rows_of(path)
    for seed in SEEDS:
        for kl_weight in KL_WEIGHTS:
            if any(row["seed"] == seed and row["kl_weight"] == kl_weight for row in rows):
                continue
            scores = names["tempered_scores"](*names["tempered_fit"](kl_weight, seed))
            rows.append({"seed": seed, "kl_weight": kl_weight} | scores)
            keep(path, rows)
            print(rows[-1], flush=True)


def buy(path: Path) -> None:
    """Play the game with each strategy on each pool."""
    buy_labels = lesson("B").define("buy_labels")["buy_labels"]
    rows = rows_of(path)
    for seed in POOLS:
        for strategy in STRATEGIES:
            if any(row["seed"] == seed and row["strategy"] == strategy for row in rows):
                continue
            accuracy, _ = buy_labels(strategy, 100 * seed, rounds=ROUNDS)
            for turn, value in enumerate(accuracy):
                rows.append({"seed": seed, "strategy": strategy, "labels": 20 * (turn + 1), "accuracy": float(value)})
            keep(path, rows)
            print(seed, strategy, accuracy.round(3), flush=True)


if __name__ == "__main__":
    temper(RECORDS / "mnist_tempering.csv")
    buy(RECORDS / "mnist_labels.csv")
