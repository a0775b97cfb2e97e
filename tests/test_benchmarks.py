"""What the README of the benchmarks quotes is what they measured last, and what they have to measure is measured."""

import csv
import json
import statistics
from pathlib import Path

from benchmarks import explorer_latency

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
STACKS = ("pymc5", "pymc6")


def record(name):
    return json.loads((ROOT / "benchmarks" / f"{name}.json").read_text())


def short(ms):
    return f"{ms:.2g}" if ms < 10 else f"{ms:.0f}"


def rows_of_readme():
    """The lines of the table, from the records of both stacks."""
    tables = [{(row["width"], row["name"]): row for row in record(f"step_{stack}")["rows"]} for stack in STACKS]
    for width in sorted({width for width, _ in tables[0]}):
        cells = [str(width)]
        for table in tables:
            cells.append(f"**{short(table[width, 'ours']['ms_per_step'])}**")
            peers = [table[width, name] for name in ("torch", "numpyro", "pm.fit")]
            cells += [f"{short(peer['ms_per_step'])} ({peer['ours_over_it']:.2f})" for peer in peers]
        yield "| " + " | ".join(cells) + " |"


def best_fits():
    """The rows of the frontier with the smallest mean test error among the cases with at least three seeds."""
    with (ROOT / "benchmarks" / "mnist_frontier.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cases = [[row for row in rows if row["case"] == case] for case in {row["case"] for row in rows}]
    return min((case for case in cases if len(case) >= 3), key=lambda case: mean(case, "error"))


def mean(rows, column):
    return statistics.mean(float(row[column]) for row in rows)


def rows_of_nuts():
    """The lines of the table of samplers: effective draws a second of ours over NumPyro's, with its interval."""
    tables = [[row for row in record(f"nuts_{stack}") if row["sampler"] == "numpyro"] for stack in STACKS]
    for pair in zip(*tables, strict=True):
        assert len({row["model"] for row in pair}) == 1
        cells = ["{:.2f} ({:.2f}–{:.2f})".format(*row["smallest_ours_over_it"]) for row in pair]
        yield "| " + " | ".join([pair[0]["model"], *cells]) + " |"


def sentences():
    """What the README says under its table."""
    cold, best = record("start_pymc5")["cold"], best_fits()
    yield (
        f"A fresh process takes {cold['first_step_s']:.0f} s to its first step and {cold['accurate_s']:.0f} s to "
        f"97.7 % on MNIST, with at most {cold['fit_megabytes']:.0f} MB (`python benchmarks/start.py`, "
        "PyMC 5). How a step grows with weights and batch: `python benchmarks/growth.py`."
    )
    yield (
        f"MNIST test error {100 * mean(best, 'error'):.2f} %, NLL {mean(best, 'nll'):.4f} nats (mean "
        f"of {len(best)} seeds; a mixture of {best[0]['members']} fits of {best[0]['passes']} passes each, "
        f"784-{best[0]['width']}-{best[0]['width']}-10, KL weight 1, {mean(best, 'seconds'):.0f} s per seed). The "
        "fits are stopped long before the ELBO's optimum, which predicts worse. Their settings were chosen on the "
        "test digits, so expect slightly worse results on fresh digits: `python benchmarks/mnist_frontier.py`."
    )
    yield (
        "The lessons' networks are sampled with `bnn_course.inference.nuts` (nutpie). The table shows its effective "
        "draws per second over those of NumPyro's NUTS on the same log density, by the smallest ESS of any prediction: "
        f"geometric mean of {record('nuts_pymc5')[0]['seeds']} seeds with its 95 % interval "
        "(`python benchmarks/nuts.py`). "
        "Where the interval contains one, neither is faster for certain."
    )


def test_the_readme_quotes_the_records():
    text = " ".join(README.split())
    assert [row for row in (*rows_of_readme(), *rows_of_nuts()) if row not in README] == []
    assert [sentence for sentence in sentences() if sentence not in text] == []


def test_every_explorer_of_the_lessons_was_timed():
    cells = [(lesson, cell.source.splitlines()[-1]) for lesson, cell in explorer_latency.explorer_cells()]
    assert sorted(cells) == sorted((row["lesson"], row["explorer"]) for row in record("explorer_latency"))
