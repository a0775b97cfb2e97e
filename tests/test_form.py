"""`tools.form`: each rule of the form of today is broken once and must be noticed; the tiny lesson breaks none."""

import pytest

from tools import checks, form, text


@pytest.fixture
def broken(course):
    """A function that changes the source of the tiny lesson and reads it again."""

    def change(old, new):
        path = course / "source" / "01_tiny.md"
        source = path.read_text(encoding="utf-8")
        assert source.count(old) == 1, old
        path.write_text(source.replace(old, new), encoding="utf-8")
        return checks.read_lesson(course, "01_tiny")

    return change


def many(what):
    return "\n\n".join(what.format(n=n) for n in range(70))


IMPORT = "import sys\n"
VALUES = "values = np.random.default_rng(1).normal(size=10_000)\n"
BELL = "The histogram is bell-shaped"
YES = 'claim("01-a", "yes", True)\n'
CELL = "```{{code-cell}} ipython3\n:name: cell-{n}\nprint({n})\n```"
CLAIM = '    "{value:.1%} of {draws:,} values lie within two standard deviations",'
BROKEN = [
    (form.is_within_budget, BELL, many(CELL) + "\n\n" + BELL, "cells, at most 60"),
    (form.is_within_budget, BELL, "word " * 2_900 + BELL, "words, at most 2800"),
    (form.is_within_budget, IMPORT, IMPORT + "print(1)\n" * 220, "visible lines of code, at most 220"),
    (form.is_within_budget, "# what the tests check\n", "# checks\n" + YES * 12, "13 results"),
    (form.is_within_budget, BELL, many(CELL.replace("print", ":alt: x\nprint")) + "\n\n" + BELL, "71 figures"),
    (form.reading_time_is_true, "about 5 minutes", "about 15 minutes", "takes about 5 minutes to read, by words and"),
    (form.reading_time_is_true, "about 5 minutes", "five minutes", "takes about 5 minutes to read, by words and"),
    (form.reading_time_is_true, BELL, "word " * 2_800 + BELL, "takes about 15 minutes to read, by words and"),
    (form.reading_time_is_true, IMPORT, IMPORT + "print(1)\n" * 170, "takes about 15 minutes to read, by words and"),
    (form.cells_have_names, ":name: machine\n", "", "a cell needs :name: lower-case-words: “import sys”"),
    (form.cells_have_names, ":name: machine", ":name: The_Machine", "a cell needs :name:"),
    (form.cells_have_names, ":name: machine", ":name: draw", "2 cells are named draw"),
    (form.cells_are_of_one_kind, IMPORT, 'claim("01-b", "yes", True)\n', "a claim in a cell that teaches"),
    (form.cells_are_of_one_kind, IMPORT, 'claims.claim("01-b", "yes", True)\n', "a claim in a cell that teaches"),
    (form.cells_are_of_one_kind, ":tags: [result]\n", "", "a claim in a cell that teaches"),
    (form.cells_are_of_one_kind, ":tags: [figure]", ":tags: [result]", "a result cell without a claim"),
    (form.cells_are_of_one_kind, "# draws the histogram\n", "", "begins with a comment"),
    (form.explorers_stand_alone, "[nbval-ignore-output]\nimport sys", "[explorer]\nvalues.min()", "needs sys, values"),
    (form.teaching_cells_are_short, IMPORT, IMPORT + "\n" * 12, "lines, at most 15"),
    (form.teaching_cells_are_short, IMPORT, "pm.Model()\n" * 18, "lines, at most 20"),
    (form.code_is_tidy, VALUES, VALUES + f"print('{'wide ' * 20}')\n", "a line of 109 columns, at most 88"),
    (form.code_is_tidy, "ax.hist(values)", "ax.hist( values )", "not tidy, run `python -m tools"),
    (form.code_is_python, IMPORT, "files = !ls\n", "not Python (invalid syntax, line 1): “files = !ls”"),
    (form.code_is_simple, IMPORT, "print([[a for a in b] for b in values])\n", "a comprehension in a comprehension"),
    (form.code_is_simple, "ax.hist(values)", "bars = ax.hist(values)", "bars is assigned for nothing"),
    (form.names_mean_one_thing, IMPORT, "values = [3]\nprint(values)\n", "values means different things in the cells"),
    (form.names_mean_one_thing, IMPORT, "def share():\n    pass\n", "share means different things"),
    (form.records_are_found, IMPORT, 'open("records/a.csv")\n', 'read it by data.course_file("records/a.csv")'),
    (form.records_are_found, IMPORT, 'open("../records/a.csv")\n', 'read it by data.course_file("records/a.csv")'),
    (form.results_are_visible, CLAIM, '"At least {at_least:.1%} of {draws:,} are near",', "a bound without a visible"),
    (form.results_are_visible, CLAIM, '    "Most of {draws:,} are near",', "a bound without a visible value"),
    (form.results_are_visible, "at_least=0.93,", "at_least=0.9304,", "{value} needs more digits beside its bound"),
    (form.results_are_visible, CLAIM, '    "{value:.0%} of {draws:,} are {near",', "a bound without a visible value"),
    (form.no_row_codes, BELL, "Row S14: the histogram is bell-shaped", "S14 is a name for us"),
]


@pytest.mark.parametrize(("check", "old", "new", "problem"), BROKEN, ids=[f"{c[0].__name__}-{c[3]}" for c in BROKEN])
def test_a_broken_rule_of_form_is_noticed(broken, check, old, new, problem):
    found = check(broken(old, new))
    assert any(problem in line for line in found), found


def test_a_source_that_nobody_cites_is_noticed(course):
    path = course / "source" / "01_tiny.md"
    source = path.read_text(encoding="utf-8").replace("{source=deck}", "{code}").replace("(#source-deck)", "(x)")
    path.write_text(source, encoding="utf-8")
    assert "deck is listed and never cited" in form.sources_are_cited(checks.read_lesson(course, "01_tiny"))[0]


def test_a_source_may_be_cited_in_a_caption(broken):
    lesson = broken("Values near zero are frequent", "[Values](#source-deck) near zero are frequent")
    prose = lesson.source.replace("[97.7 %]{source=deck}", "97.7 %").replace("[as we said](#source-deck)", "so")
    assert form.sources_are_cited(lesson._replace(source=prose.replace("what [a deck](#source-deck)", "what"))) == []


@pytest.mark.parametrize(
    ("spec", "bounds", "is_too_coarse"),
    [
        (".1f", "at_most=0.98", True),  # 0.97 is shown as 1.0
        (".1f", "at_least=0.03", True),  # 0.04 is shown as 0.0
        (".0f", "at_least=7.5", False),  # whatever is larger is shown as 8 or more
        (".0f", "at_most=7.5", True),
        (".0%", "at_least=0.98", False),
        (".1e", "at_most=1e-6", False),
        (".1f", "at_least=-0.25", False),
        (".0f", "at_most=limit", False),  # unknown
        (".0f", "equal_to=0.5, within=0.1", False),
    ],
)
def test_a_value_that_keeps_its_bound_is_seen_to_keep_it(broken, spec, bounds, is_too_coarse):
    lesson = broken("{value:.1%} of", f"{{value:{spec}}} of")
    lesson = lesson._replace(source=lesson.source.replace("at_least=0.93", bounds))
    assert bool(form.results_are_visible(lesson)) is is_too_coarse


def test_every_rule_of_form_has_been_seen_failing():
    assert {case[0] for case in BROKEN} | {form.sources_are_cited} == set(form.CHECKS)


def test_a_sound_lesson_breaks_no_rule_of_form(course):
    assert [problem for check in form.CHECKS for problem in check(checks.read_lesson(course, "01_tiny"))] == []


def test_a_lesson_in_the_old_form_is_measured_by_the_old_rules_alone(broken, monkeypatch):
    lesson = broken(":name: machine\n", "")
    assert any("needs :name:" in problem for problem in checks.problems_of_lesson(lesson))
    monkeypatch.setattr(form, "NOT_YET", {"01_tiny"})
    assert not any("needs :name:" in problem for problem in checks.problems_of_lesson(lesson))


def test_an_appendix_may_name_the_rows_of_the_deck(broken):
    lesson = broken(BELL, "S14")._replace(name="appendix/A_deck")
    assert form.no_row_codes(lesson) == []


def test_formatting_a_source_makes_it_tidy_and_changes_nothing_else(course):
    path = course / "source" / "01_tiny.md"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("ax.hist(values)", "ax.hist( values )"), encoding="utf-8")
    form.tidy_code(path)
    assert path.read_text(encoding="utf-8") == before


def test_an_equal_statement_in_two_cells_means_one_thing(broken):
    assert form.names_mean_one_thing(broken(IMPORT, VALUES)) == []


def test_a_table_of_symbols_takes_no_time_to_read(broken):
    table = "+++\n\n| symbol | meaning |\n|---|---|\n" + "| $x$ | an input |\n" * 900 + "\n+++\n\n"
    lesson = broken(BELL, table + BELL)
    assert form.minutes(lesson.source) == 5 and form.measures(lesson)["words"] < 200


def test_folded_lines_do_not_count_as_visible(course):
    lesson = checks.read_lesson(course, "01_tiny")
    code = [cell for cell in text.source_cells(lesson.source) if cell.cell_type == "code"]
    hidden = sum(line.strip() != "" for cell in code if text.is_folded(cell) for line in cell.source.splitlines())
    shown = sum(line.strip() != "" for cell in code if not text.is_folded(cell) for line in cell.source.splitlines())
    assert hidden > 0 and form.measures(lesson)["visible lines of code"] == shown
