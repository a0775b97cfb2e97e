"""What the README of the benchmarks quotes is what they measured last, and what they have to measure is measured."""

import json
from pathlib import Path

from benchmarks import explorer_latency, readme

ROOT = Path(__file__).resolve().parents[1]


def test_the_readme_repeats_the_records():
    text = readme.README.read_text(encoding="utf-8")
    assert set(readme.PARTS) == {found["name"] for found in readme.PART.finditer(text)}
    assert readme.filled(text) == text, "run: python benchmarks/readme.py"


def test_the_readme_names_every_script_and_record():
    text = readme.README.read_text(encoding="utf-8")
    made = [path.name for path in (ROOT / "benchmarks").iterdir() if path.suffix in (".py", ".json", ".csv", ".png")]
    assert [name for name in made if f"`{name}`" not in text and f"({name})" not in text] == []


def test_mnist_settings_were_chosen_on_validation():
    from benchmarks import mnist_quality

    rows = mnist_quality.pd.read_csv(mnist_quality.RECORD)
    tested = rows[rows["asked"] == "test"]
    for method, setting in mnist_quality.chosen(rows).items():
        its = tested[tested["method"] == method]
        assert its["seed"].nunique() >= 5 and (its[mnist_quality.SETTING] == list(setting.values())).all(axis=None)


def test_every_explorer_of_the_lessons_was_timed():
    timed = json.loads((ROOT / "benchmarks" / "explorer_latency.json").read_text())
    cells = [(lesson, cell.source.splitlines()[-1]) for lesson, cell in explorer_latency.explorer_cells()]
    assert sorted(cells) == sorted((row["lesson"], row["explorer"]) for row in timed)
