"""`tools.build` on a tiny course: what it writes, what it refuses, and that building again changes nothing."""

import base64
import copy
import io
import json
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from PIL import Image

from tools import build, pictures

ROOT = build.ROOT


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# Building -------------------------------------------------------------------------------------------------------------


def test_a_built_course_has_no_problems(course):
    assert sorted(contents(course)) == ["00_start.ipynb", "01_tiny.ipynb", "CLAIMS.md", "lessons.json", "matplotlibrc"]
    assert build.problems(course, ["00_start", "01_tiny"]) == []


def test_building_again_changes_no_byte(course):
    before = contents(course)
    assert build.main([], course) == 0
    assert contents(course) == before


def test_a_notebook_holds_outputs_and_nothing_of_the_machine(course):
    notebook = nbformat.read(course / "01_tiny.ipynb", as_version=4)
    assert notebook.metadata.title == "01 · Tiny"
    assert set(notebook.metadata) == {"kernelspec", "language_info", "title"}
    assert "version" not in notebook.metadata.language_info
    first, claimed, drawn, _ = build.checks.code_cells(notebook)
    assert first.outputs[0].text == "the first line\n"
    assert claimed.outputs[0].text.startswith("✓ 95.6 % of 10 000 values lie within two standard deviations")
    assert claimed.outputs[0].text.endswith("  [01-share: at least 0.93]\n")
    assert claimed.metadata.jupyter.source_hidden and "jupyter" not in first.metadata
    assert drawn.outputs[0].metadata["image/png"]["alt"] == "A histogram: symmetric, with one peak at zero."


def test_a_figure_is_drawn_at_twice_its_size_and_kept_as_a_vector_for_the_slides(course):
    cells = build.checks.code_cells(nbformat.read(course / "01_tiny.ipynb", as_version=4))
    (output,) = [output for cell in cells for output in build.checks.pictures(cell)]
    picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
    shown = output.metadata["image/png"]
    assert [side // 2 for side in picture.size] == [shown["width"], shown["height"]]
    assert (course / "figures" / "01" / "histogram.svg").read_text(encoding="utf-8").count("<path") > 20


def test_a_picture_of_few_colours_keeps_the_hue_of_large_areas_and_rare_colours():
    across, down = np.meshgrid(np.linspace(0, 1, 200), np.linspace(0, 1, 200))
    pale = 1 - 0.15 * np.stack([across * down, across, down], axis=-1)
    whole = np.concatenate([pale] * 4 + [np.stack([across, down, 1 - across], axis=-1)])
    pixels = (255 * whole).round().astype(np.uint8)
    pixels[:3, :3] = [0, 255, 0]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    packed = pictures.smaller(base64.b64encode(file.getvalue()).decode())
    picture = Image.open(io.BytesIO(base64.b64decode(packed)))
    error = np.abs(np.asarray(picture.convert("RGB")).astype(int) - pixels)
    assert picture.mode == "P" and error[:3, :3].max() < 20
    assert error.mean() < 3.2  # 3.6 without averaging


def test_an_explorer_leaves_no_figure_for_the_slides(course):
    notebook = nbformat.read(course / "01_tiny.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if build.checks.pictures(cell)]
    cell.outputs[0].data["image/svg+xml"] = "<svg/>"
    assert list(build.tidy(copy.deepcopy(notebook))) == ["histogram.svg"]
    cell.metadata.tags = ["explorer"]
    assert build.tidy(notebook) == {}


def test_progress_lines_are_shown_but_not_stored(course):
    cells = nbformat.read(course / "01_tiny.ipynb", 4).cells
    (cell,) = [cell for cell in cells if "progress.update" in cell.source]
    assert [output.get("text") for output in cell.outputs] == ["the first line\n"]


def test_a_figure_is_followed_by_its_caption_and_its_description(course):
    notebook = nbformat.read(course / "01_tiny.ipynb", as_version=4)
    (caption,) = [cell.source for cell in notebook.cells if "caption" in cell.metadata.get("tags", [])]
    assert caption.startswith("**Figure 1.** Values near zero are frequent, 95.6 % are near.\n")
    assert "A histogram: symmetric, with one peak at zero." in caption


def test_lesson_00_shows_the_measured_lessons(course):
    records = json.loads((course / "lessons.json").read_text())
    assert list(records) == ["00_start", "01_tiny"]
    assert records["01_tiny"]["title"] == "Tiny" and records["01_tiny"]["seconds"] % 5 == 0
    table = build.checks.output_text(build.checks.code_cells(nbformat.read(course / "00_start.ipynb", 4))[0])
    for name, row in records.items():
        assert f"{name} {row['title']} {row['seconds']} {row['megabytes']}\n" in table


def test_lesson_00_shows_its_own_row_however_long_its_second_run_takes(sources, monkeypatch):
    class Slower(build.Usage):
        seconds, megabytes = 0, 120

        def __enter__(self):
            return self

        def __exit__(self, *error):
            Slower.seconds += 40

    monkeypatch.setattr(build, "Usage", Slower)
    assert build.main([], sources) == 0
    row = json.loads((sources / "lessons.json").read_text())["00_start"]
    assert row["seconds"] == 80  # the first of its two runs, after lesson 01
    shown = build.checks.output_text(build.checks.code_cells(nbformat.read(sources / "00_start.ipynb", 4))[0])
    assert f"00_start Start 80 {row['megabytes']}\n" in shown


def test_claims_page_lists_every_claim(course):
    page = (course / "CLAIMS.md").read_text(encoding="utf-8")
    assert "2 results, each within its bound." in page
    assert "| The course is ready | true | [00](00_start.ipynb) | `00-ready` |" in page
    assert "standard deviations | at least 0.93 | [01](01_tiny.ipynb) | `01-share` |" in page


def test_changing_one_lesson_leaves_the_others_alone(course):
    before = contents(course)
    edit(course / "source" / "01_tiny.md", "bell-shaped", "symmetric")
    assert build.main(["01"], course) == 0
    changed = {name for name, content in contents(course).items() if content != before[name]}
    assert changed == {"01_tiny.ipynb"}


def test_lesson_00_follows_when_the_table_changes(course):
    before = contents(course)
    edit(course / "source" / "01_tiny.md", "# 01 · Tiny", "# 01 · Small")
    assert build.main(["01"], course) == 0
    changed = {name for name, content in contents(course).items() if content != before[name]}
    assert changed == {"00_start.ipynb", "01_tiny.ipynb", "lessons.json"}
    assert build.problems(course, ["00_start", "01_tiny"]) == []


# Refusing -------------------------------------------------------------------------------------------------------------


def test_a_wrong_claim_stops_the_build_which_writes_nothing(course, capsys):
    before = contents(course)
    edit(course / "source" / "01_tiny.md", "at_least=0.93,", "at_least=0.99,")
    assert build.main(["01"], course) == 1
    assert contents(course) == before
    message = capsys.readouterr().err
    assert "01 · Tiny, cell 3 failed" in message and "ClaimError: ✗ 95.6 % of 10 000 values" in message
    assert "worst value 0.9562" in message and "[01-share: at least 0.99]" in message


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    build.write(path, "old")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(KeyboardInterrupt):
        build.write(path, "new")
    assert contents(tmp_path) == {"file": b"old"}


def test_an_unknown_lesson_is_refused_by_name(sources, capsys):
    assert build.main(["07"], sources) == 1
    assert "one of 00_start, 01_tiny, got '07'" in capsys.readouterr().err


def test_a_source_that_cannot_be_read_is_named(sources, capsys):
    edit(sources / "source" / "01_tiny.md", ":tags: [result]", ":tags: result")
    for arguments in ([], ["--check"], ["--format"]):
        assert build.main(["01", *arguments], sources) == 1
        assert "error: the text of “01 · Tiny” cannot be read" in capsys.readouterr().err


def test_check_runs_and_writes_nothing(sources, capsys):
    before = contents(sources)
    assert build.main(["--check"], sources) == 1
    assert contents(sources) == before
    assert "01_tiny.ipynb is missing" in capsys.readouterr().out


def test_a_record_is_kept_while_the_new_measurement_is_near():
    assert build.rounded("seconds", 61.2, None) == 65
    assert build.rounded("seconds", 80, 65) == 65
    assert build.rounded("seconds", 91, 65) == 95
    assert build.rounded("seconds", 3, 5) == 5
    assert build.rounded("megabytes", 410, 700) == 450


def test_memory_of_started_processes_is_measured():
    code = "import time; block = bytearray(b'x') * 200_000_000; time.sleep(0.5)"
    with build.Usage() as usage:
        subprocess.run([sys.executable, "-c", code], check=True)
    assert 200 < usage.megabytes < 300
    assert usage.seconds > 0.5


# Strict validation ----------------------------------------------------------------------------------------------------


def nbval(folder, *options):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        ROOT / "pyproject.toml",
        "--rootdir",
        ROOT,
        "-p",
        "conftest",
        "--nbval",
    ]
    command += ["-p", "no:cacheprovider", "-q", "--tb=short", "--color=no", *options, folder]
    environment = build.kernel_environment(folder) | {"MPLBACKEND": "Agg"}
    return subprocess.run(list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True)


def test_strict_validation_passes_on_what_was_built_also_in_parallel(course):
    result = nbval(course, "-n", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 passed" in result.stdout


def test_strict_validation_compares_the_bound_of_a_result_and_not_what_another_computer_measured(course):
    edit(course / "01_tiny.ipynb", "✓ 95.6 % of", "✓ 95.5 % of")
    assert nbval(course).returncode == 0
    edit(course / "01_tiny.ipynb", "[01-share: at least 0.93]", "[01-share: at least 0.94]")
    result = nbval(course)
    assert result.returncode == 1 and "1 failed, 5 passed" in result.stdout


def test_strict_validation_finds_an_edited_output_and_a_wrong_claim(course):
    edit(course / "01_tiny.ipynb", 'the first line\\n"', 'the last line\\n"')
    edit(course / "00_start.ipynb", '\\"The course is ready\\", True', '\\"The course is ready\\", False')
    result = nbval(course)
    assert result.returncode == 1 and "2 failed, 4 passed" in result.stdout
    assert "the last line" in result.stdout and "ClaimError" in result.stdout
