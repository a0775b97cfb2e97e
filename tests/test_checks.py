"""`tools.checks`: each rule is broken once and must be noticed; a sound lesson breaks none."""

import base64
import struct

import nbformat
import pytest

from tools import build, checks


def broken_source(course, old, new):
    """Return the tiny lesson with its source changed and the notebook built from the old one."""
    path = course / "source" / "01_tiny.md"
    source = path.read_text(encoding="utf-8")
    assert old in source
    path.write_text(source.replace(old, new), encoding="utf-8")
    return checks.read_lesson(course, "01_tiny")


def broken_notebook(course, change):
    """Return the tiny lesson with its notebook changed after the build."""
    path = course / "01_tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook, checks.code_cells(notebook))
    nbformat.write(notebook, path)
    return checks.read_lesson(course, "01_tiny")


def test_a_sound_lesson_has_no_problems(course):
    assert checks.problems_of_lesson(checks.read_lesson(course, "01_tiny")) == []


# Rules of the text ----------------------------------------------------------------------------------------------------

READING = "The histogram is bell-shaped, [as we said](#source-deck).\n"
SHARE = "[96 %]{claim=01-share}"
TEXT = [
    (checks.has_goals_and_ending, "# 01 · Tiny", "# Tiny", "must begin with “# 01 · Title”"),
    (checks.has_goals_and_ending, "**What you need**", "You need", "must say **What you need**"),
    (checks.has_goals_and_ending, "**How long it takes**", "", "must say **How long it takes**"),
    (checks.has_goals_and_ending, "## Exercises", "## Tasks", "the last sections must be"),
    (checks.has_goals_and_ending, "+++\n\n## Sources", "## Sources", "“## Sources” must begin a cell"),
    (checks.cells_are_short, "bell-shaped", "bell-shaped " * 130, "prose of 137 words, at most 120"),
    (checks.cells_are_short, "import sys\n", "import sys\n" * 19, "code of 24 lines, at most 20"),
    (checks.code_is_plain, "plt.show()", "plt.show();", "ends with a semicolon"),
    (checks.code_is_plain, "nbval-ignore-output", "nbval-ignore-ouput", "unknown tag nbval-ignore-ouput"),
    (checks.code_is_plain, "import sys\n", "# NBVAL_SKIP\nimport sys\n", "use the tag"),
    (checks.figures_are_read, ":caption: Values", "# Values", "needs both alt and caption"),
    (
        checks.figures_are_read,
        ":alt: A histogram: symmetric, with one peak at zero.\n",
        "",
        "needs both alt and caption",
    ),
    (checks.figures_are_read, READING, "", "must be followed by prose"),
    (checks.figures_are_read, "bell-shaped", "![](x.png)", "needs alt text"),
    (checks.figures_are_read, "bell-shaped", '<img src="x.png">', "needs alt text"),
    (checks.numbers_are_bound, "bell-shaped", "bell-shaped in 3 ways", "without claim, source or code: 3"),
    (checks.numbers_are_bound, "one peak at zero", "one peak at 0", "without claim, source or code: 0"),
    (checks.numbers_are_bound, "Values near zero", "The 5 values", "without claim, source or code: 5"),
    (checks.numbers_are_bound, SHARE, "[95.7 %]{claim=01-share}", "[95.7 %]{claim=01-share} is not in the claim “95.6"),
    (checks.numbers_are_bound, SHARE, "[96]{claim=01-share}", "[96]{claim=01-share} is not in the claim"),
    (checks.numbers_are_bound, "[93 %]", "[94 %]", "[94 %]{claim=01-share, bound} is not in the bound “at least 0.93”"),
    (checks.numbers_are_bound, "bell-shaped", "{claim:01-part}", "{claim:01-part}: no stored notebook"),
    (checks.numbers_are_bound, SHARE, "[96 %]{claim=01-part}", "no stored notebook prints that claim"),
    (checks.numbers_are_bound, SHARE, "[most]{claim=01-share}", "markup without a number"),
    (checks.numbers_are_bound, "{source=deck}", "{source=desk}", "is not in ## Sources"),
    (checks.numbers_are_bound, "[10 000]{code}", "[10 001]{code}", "no literal in the lesson's code"),
    (checks.sources_are_listed, '<a id="source-deck"></a>', "", "1 of 1 sources are not written"),
    (checks.sources_are_listed, "**[deck]**", "**[desk]**", "1 of 1 sources are not written"),
    (checks.sources_are_listed, "- <a", "<a", "lists nothing"),
    (checks.sources_are_listed, "bell-shaped", "as [said](#source-desk)", "link to #source-desk"),
    (checks.networks_have_their_name, "bell-shaped", "that of a *Bayesian*\nnetwork", "write Bayesian neural network"),
    (checks.networks_have_their_name, "one peak at zero", "Bayesian networks", "write Bayesian neural network"),
]


@pytest.mark.parametrize(("check", "old", "new", "problem"), TEXT, ids=[f"{c[0].__name__}-{c[3]}" for c in TEXT])
def test_a_broken_rule_of_the_text_is_noticed(course, check, old, new, problem):
    assert any(problem in found for found in check(broken_source(course, old, new)))


# Rules of the notebook ------------------------------------------------------------------------------------------------


def stripped(notebook, code):
    for cell in code:
        cell.outputs, cell.execution_count = [], None


def out_of_order(notebook, code):
    code[0].execution_count = 7


def edited_code(notebook, code):
    code[0].source += "\n"


def edited_prose(notebook, code):
    notebook.cells[0].source += " And more."


def extra_cell(notebook, code):
    notebook.cells.append(nbformat.v4.new_markdown_cell("More."))


def other_title(notebook, code):
    notebook.metadata.title = "Untitled"


def kernel_version(notebook, code):
    notebook.metadata.language_info.version = "3.13.5"


def widget_state(notebook, code):
    notebook.metadata.widgets = {"state": {}}


def output(**fields):
    def change(notebook, code):
        code[0].outputs.append(nbformat.v4.new_output(**fields))

    return change


def printed(text):
    return output(output_type="stream", name="stdout", text=text)


def shown(text):
    return output(output_type="display_data", data={"text/plain": text})


def large_picture(notebook, code):
    code[2].outputs[0].metadata["image/png"].update(width=601, height=400)


def picture_without_size(notebook, code):
    header = struct.pack(">8s4s4sII", b"\x89PNG\r\n\x1a\n", b"", b"IHDR", 601, 400)
    code[2].outputs[0].data["image/png"] = base64.b64encode(header).decode()
    code[2].outputs[0].metadata = {}


def no_alt(notebook, code):
    code[2].outputs[0].metadata = {}


def blurred(notebook, code):
    del code[2].outputs[0].metadata["image/png"]["width"]


def another_figure(notebook, code):
    code[2].outputs[0].metadata["figure"]["sha256"] = "0" * 64


def no_picture(notebook, code):
    code[2].outputs = []


def two_pictures(notebook, code):
    code[2].outputs *= 2


def long_output(notebook, code):
    code[0].outputs[0].text = "word " * 250_000


def no_claim(notebook, code):
    code[1].outputs = []


def claim_twice(notebook, code):
    code[0].outputs = code[1].outputs


def claim_unchecked(notebook, code):
    code[3].outputs = code[1].outputs


def foreign_claim(notebook, code):
    code[1].outputs[0].text = "✓ It holds  [09-share: true]\n"


NOTEBOOK = [
    (checks.is_current, edited_code, "stale at cell 2"),
    (checks.is_current, edited_prose, "stale at cell 0"),
    (checks.is_current, extra_cell, "stale: the source gives"),
    (checks.is_current, other_title, "stale metadata"),
    (checks.is_current, kernel_version, "stale metadata"),
    (checks.is_current, widget_state, "stale metadata"),
    (checks.ran_from_top_to_bottom, stripped, "execution counts are [None, None, None, None]"),
    (checks.ran_from_top_to_bottom, out_of_order, "execution counts are [7, 2, 3, 4]"),
    (checks.outputs_are_clean, output(output_type="error", ename="E", evalue="", traceback=[]), "stored error"),
    (checks.outputs_are_clean, output(output_type="stream", name="stderr", text="!"), "stored stderr"),
    (checks.outputs_are_clean, shown("<Figure at 0x7f3e237e3c10>"), "a memory address"),
    (checks.outputs_are_clean, printed("saved to /home/me/fit.npz"), "an absolute path"),
    (checks.outputs_are_clean, printed(r"saved to C:\Users\me"), "an absolute path"),
    (checks.outputs_are_clean, printed("sampling took 3 seconds"), "a timing"),
    (checks.outputs_are_clean, printed("done in 3.2 s"), "a timing"),
    (checks.outputs_are_clean, printed("512.3it/s"), "a timing"),
    (checks.outputs_are_clean, printed("512 draws/s"), "a timing"),
    (checks.outputs_are_clean, printed("ETA 00:12"), "a timing"),
    (checks.outputs_are_clean, printed("Wall time: 3 ms"), "a timing"),
    (checks.outputs_are_clean, printed("10%|█"), "a progress bar"),
    (checks.outputs_are_clean, printed("step 1\rstep 2"), "a progress bar"),
    (checks.outputs_are_clean, shown("<xarray.Dataset> Size: 1MB"), "xarray or ArviZ"),
    (checks.outputs_are_clean, shown("Inference data with groups of InferenceData"), "xarray or ArviZ"),
    (checks.outputs_are_clean, shown("<DataTree>"), "xarray or ArviZ"),
    (checks.pictures_are_small_and_described, large_picture, "601×400 pixels, at most 600×400"),
    (checks.pictures_are_small_and_described, picture_without_size, "601×400 pixels, at most 600×400"),
    (checks.pictures_are_small_and_described, no_alt, "does not carry its alt text"),
    (checks.pictures_are_small_and_described, no_picture, "0 pictures where alt text announces 1"),
    (checks.pictures_are_small_and_described, two_pictures, "2 pictures where alt text announces 1"),
    (checks.figures_are_for_slides, blurred, "not drawn for screen and slides"),
    (checks.figures_are_for_slides, another_figure, "figures/01/histogram.svg is not what the lesson drew"),
    (checks.figures_are_for_slides, no_picture, "figures/01/histogram.svg is drawn by no cell"),
    (checks.notebook_is_small, long_output, "at most 1,000,000"),
    (checks.claims_are_checked, no_claim, "prints no claim"),
    (checks.claims_are_checked, claim_twice, "claim 01-share is printed 2 times"),
    (checks.claims_are_checked, claim_unchecked, "whose output is not compared"),
    (checks.claims_are_checked, claim_twice, "a line like that of a claim, which nothing checks: “import matplotlib"),
    (checks.claims_are_checked, foreign_claim, "claim 09-share must begin with 01"),
]


@pytest.mark.parametrize(("check", "change", "problem"), NOTEBOOK, ids=[f"{c[0].__name__}-{c[2]}" for c in NOTEBOOK])
def test_a_broken_rule_of_the_notebook_is_noticed(course, check, change, problem):
    assert any(problem in found for found in check(broken_notebook(course, change)))


@pytest.mark.parametrize("text", ["3/4 of 10/20 and a/b/c", "https://x.org/a/b", "time 115 s, 12 min", "in 3 steps"])
def test_harmless_outputs_are_let_through(course, text):
    assert checks.outputs_are_clean(broken_notebook(course, printed(text))) == []


def test_a_gallery_may_be_larger(course):
    lesson = broken_notebook(course, lambda notebook, code: code[2].metadata.update(tags=["gallery"]))
    lesson = broken_notebook(course, large_picture)
    assert not any("pixels" in problem for problem in checks.pictures_are_small_and_described(lesson))


def test_source_and_notebook_go_together(course):
    (course / "source" / "01_tiny.md").unlink()
    (course / "00_start.ipynb").unlink()
    missing = [checks.is_current(checks.read_lesson(course, name)) for name in checks.lesson_names(course)]
    assert [problems[0].split(" is missing")[0] for problems in missing] == ["00_start.ipynb", "source/01_tiny.md"]


def test_files_that_the_system_hides_among_the_figures_do_not_matter(course):
    folder = course / "figures" / "01"
    (folder / ".DS_Store").write_text("")
    (folder / ".ipynb_checkpoints").mkdir()
    assert checks.figures_are_for_slides(checks.read_lesson(course, "01_tiny")) == []
    build._write_figures(folder, {})
    assert sorted(path.name for path in folder.iterdir()) == [".DS_Store", ".ipynb_checkpoints"]


# Rules of the course --------------------------------------------------------------------------------------------------


def rewrite(name, old, new):
    def change(course):
        content = (course / name).read_text(encoding="utf-8")
        assert old in content
        (course / name).write_text(content.replace(old, new), encoding="utf-8")

    return change


def remove(name):
    return lambda course: (course / name).unlink()


COURSE = [
    (checks.claims_page_is_current, rewrite("CLAIMS.md", "The course is ready", "All is well"), "CLAIMS.md is not"),
    (checks.claims_page_is_current, remove("CLAIMS.md"), "CLAIMS.md is not"),
    (checks.claim_ids_are_unique, rewrite("01_tiny.ipynb", "[01-share:", "[00-ready:"), "claim 00-ready is printed 2"),
    (checks.records_are_current, remove("lessons.json"), "lessons.json is missing"),
    (checks.records_are_current, rewrite("lessons.json", "01_tiny", "02_tiny"), "lessons.json lists"),
    (checks.records_are_current, rewrite("lessons.json", "Tiny", "Small"), "another title for 01_tiny"),
    (checks.records_are_current, rewrite("lessons.json", '"seconds": ', '"seconds": 9'), "seconds, at most 90"),
    (checks.records_are_current, rewrite("lessons.json", '"megabytes": ', '"megabytes": 9'), "megabytes, at most 1000"),
    (checks.records_are_current, rewrite("lessons.json", "\n}", "\n} "), "built with another lessons.json"),
]


@pytest.mark.parametrize(("check", "change", "problem"), COURSE, ids=[f"{c[0].__name__}-{c[2]}" for c in COURSE])
def test_a_broken_rule_of_the_course_is_noticed(course, check, change, problem):
    assert check(course) == []
    change(course)
    assert any(problem in found for found in check(course))


def test_every_rule_has_been_seen_failing():
    tried = {case[0] for case in [*TEXT, *NOTEBOOK, *COURSE]}
    assert tried == {*checks.OF_TEXT, *checks.OF_NOTEBOOK, *checks.OF_COURSE}


def test_problems_of_all_rules_are_reported_together(course):
    broken_source(course, "bell-shaped", "bell-shaped in 3 ways")
    assert {problem.split(":")[0] for problem in build.problems(course, ["01_tiny"])} == {"01_tiny"}
    assert len(build.problems(course, ["01_tiny"])) == 2  # the number, and the stale notebook
