"""What the README quotes of the benchmarks is what they measured last, and the targets that were set are met."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
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


def test_the_readme_quotes_the_records():
    assert [row for row in rows_of_readme() if row not in README] == []
    cold = record("start_pymc5")["cold"]
    sentence = f"first step it takes {cold['first_step_s']:.0f} s, to 97.7 % on MNIST {cold['accurate_s']:.0f} s, with "
    assert f"{sentence}{cold['fit_megabytes']:.0f} MB at most" in " ".join(README.split())


@pytest.mark.parametrize("stack", STACKS)
def test_the_recorded_step_takes_at_most_four_fifths_of_the_faster_peers(stack):
    ratios = [row["ours_over_it"] for row in record(f"step_{stack}")["rows"] if row["name"] in ("torch", "numpyro")]
    assert len(ratios) == 6 and max(ratios) <= 0.8


def test_the_recorded_moves_of_explorers_are_fast():
    rows = record("explorer_latency")
    assert {row["lesson"] for row in rows} == {f"0{n}" for n in range(1, 10)}
    assert max(row["median_ms"] for row in rows) < 150
