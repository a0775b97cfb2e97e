"""The teacher's pack says what is so: what it names exists, minutes add up, numbers of the exam are right."""

import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from scipy import stats

import course
import tools.__main__
from bnn_course import data, exact, uncertainty
from bnn_course.answers import ANSWERS
from tools import NOTEBOOKS, ROOT, checks, exercises, form, grading, readme, teaching, text
from tools.lessons import lesson

PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(teaching.FOLDER.glob("*.md"))}
CLAIMS = {claim.id for claim in checks.course_claims(NOTEBOOKS)}
PAGE = pytest.mark.parametrize("name", PAGES)
ID = re.compile(r"`((?:\d\d|[a-j])-[a-z0-9-]+)`")
CELL = re.compile(r"`(\d\d|[A-Z])/([\w-]+)`")
LINK = re.compile(r"\[([^\[\]]*)\]\(([^()#\s]+)?(?:#([^()\s]*(?:\([^()]*\))?[^()\s]*))?\)")
SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def rows(page):
    """The rows of the tables of a page, without their heads: lists of cells."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")
    ]
    rules = [place for place, row in enumerate(found) if all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    return [row for place, row in enumerate(found) if place not in rules and place + 1 not in rules]


def headings(path):
    """The anchors of a page or of a notebook: GitHub writes them in small letters, Jupyter keeps them."""
    if path.suffix == ".ipynb":
        source = NOTEBOOKS / "source" / path.resolve().relative_to(NOTEBOOKS).with_suffix(".md")
        prose = [cell.source for cell in text.source_cells(source.read_text(encoding="utf-8"))]
        return {heading.replace(" ", "-") for heading in re.findall(r"^#+ (.+?) *$", "\n".join(prose), re.MULTILINE)}
    said = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in said}


# What the pages name --------------------------------------------------------------------------------------------------


@PAGE
def test_links_arrive(name):
    """At files, at headings of pages and lessons, and at slides, whose titles must be those of the link."""
    wrong = []
    for said, target, anchor in LINK.findall(PAGES[name]):
        path = teaching.FOLDER / (target or name)
        if target.startswith("http"):
            continue
        if not path.exists():
            wrong.append(target)
        elif anchor and path.suffix == ".html":
            slides = teaching.slides(path.name[:2])
            if not 1 <= int(anchor) <= len(slides) or said not in (anchor, slides[int(anchor) - 1][0]):
                wrong.append(f"{target}#{anchor}")
        elif anchor and anchor not in headings(path):
            wrong.append(f"{target}#{anchor}")
    assert wrong == []


@PAGE
def test_exercises_and_results_exist(name):
    assert [id for id in ID.findall(PAGES[name]) if id not in ANSWERS and id not in CLAIMS] == []


@PAGE
def test_what_is_called_an_exercise_is_one(name):
    called = re.findall(r"\bexercises?((?:,?(?: and)?\s`[\w-]+`)+)", PAGES[name])
    assert [id for ids in called for id in ID.findall(ids) if id not in ANSWERS] == []


@PAGE
def test_cells_exist(name):
    for number, cell in CELL.findall(PAGES[name]):
        assert cell in lesson(number).cells, (
            f"lesson {number} has no cell {cell}: it has {', '.join(lesson(number).cells)}"
        )


@PAGE
def test_functions_files_and_commands_exist(name):
    page = PAGES[name]
    assert [f for f in re.findall(r"`data\.(\w+)`", page) if not hasattr(data, f)] == []
    assert [f for f in re.findall(r"`sklearn\.datasets\.(\w+)`", page) if not hasattr(sklearn.datasets, f)] == []
    assert [f for f in re.findall(r"`((?:bnn_course|tests)/\w+\.py)`", page) if not (ROOT / f).exists()] == []
    assert set(re.findall(r"python -m tools (\w+)", page)) <= set(tools.__main__.WORDS)
    assert set(re.findall(r"`make (\w+)", page)) <= set(course.WORDS)
    assert set(re.findall(r"\blessons? (\d\d)\b", page)) <= set(teaching.lessons())
    assert set(re.findall(r"\bappendix ([A-Z])\b", page)) <= set(teaching.lessons())


def test_the_door_leads_to_every_page_and_the_readme_to_the_door():
    linked = {target for _, target, _ in LINK.findall(PAGES["README.md"])}
    assert set(PAGES) - {"README.md"} <= linked
    assert "](teaching/README.md)" in readme.README.read_text(encoding="utf-8")


# Objectives and misconceptions ----------------------------------------------------------------------------------------


def test_every_lesson_has_its_objectives_under_its_title():
    titles = [text.title_of(teaching.source(number)) for number in teaching.lessons() if number.isdigit()]
    assert [title for title, _ in SECTION.findall(PAGES["objectives.md"])] == titles


def test_every_exercise_has_an_objective_and_every_objective_a_result():
    seen = set()
    for title, section in SECTION.findall(PAGES["objectives.md"]):
        number = text.number_of(title.replace(" ", "_"))
        known = set(teaching.exercises_of(number))
        for objective, solved, results in rows(section):
            ids, claims = set(ID.findall(solved)), set(ID.findall(results))
            assert ids <= known and (ids or (solved == "in the lesson" and not known)), objective
            assert claims and claims <= CLAIMS and all(claim.startswith(number) for claim in claims), objective
            seen |= ids
    assert sorted(set(ANSWERS) - seen) == [], "give these exercises an objective in teaching/objectives.md"


def test_every_misconception_has_a_cure():
    found = rows(PAGES["misconceptions.md"])
    assert len(found) >= 30
    for said, so, cure in found:
        assert said.startswith("“") and said.endswith("”") and so, said
        assert CELL.search(cure) or "exercise" in cure, said


# Syllabus -------------------------------------------------------------------------------------------------------------


def test_the_syllabus_is_current():
    assert teaching.filled(PAGES["syllabus.md"]) == PAGES["syllabus.md"], "run `python -m tools teaching`"


@pytest.mark.parametrize("plan", teaching.read_plans())
def test_minutes_add_up(plan):
    """Row by row and session by session, from what stands in the page."""
    table = readme.parts(PAGES["syllabus.md"])[plan]
    session, everything = 0, 0
    for when, _, _, reading, slides, done, minutes in rows(table):
        if done.endswith("together*"):
            assert float(minutes.strip("*")) == session
            continue
        parts = [*re.findall(r"\((\d+(?:\.\d+)?)\)", slides), *re.findall(r"\((\d+)\)(?=;|$)", done), reading or 0]
        assert sum(map(float, parts)) == float(minutes)
        session = float(minutes) + (0 if when else session)
        everything += float(minutes)
    hours, rest = divmod(round(everything), 60)
    assert f"\nTogether {hours} h {rest:02} min: " in table


def test_a_row_takes_its_minutes_from_the_course():
    entry = {"when": "Now", "lesson": "02", "read": True, "slides": "all", "exercises": ["02-accept", "02-rotated"]}
    row = teaching.row_of(entry | {"work": ["a walk", 7]})
    assert row.reading == form.minutes(teaching.source("02"))
    assert row.slides[1] == sum(minutes for _, minutes in teaching.slides("02"))
    assert row.exercises == ("`02-accept`, `02-rotated`", 5 + 45) and row.work == ("a walk", 7)
    assert row.minutes == row.reading + row.slides[1] + 57 and row.needs == ["00", "01"]
    everything = teaching.row_of({"when": "Now", "lesson": "02", "exercises": "all"})
    written = exercises.exercises_of(exercises.read(NOTEBOOKS, teaching.lessons()["02"]))
    assert everything.exercises[1] == sum(exercises.MINUTES[exercise.level] for exercise in written)


REFUSED = {
    "Now: lesson must be one of 00, 01,": {"lesson": "77"},
    "Now: deck 01 has no slide 'Nothing', it has Bayes' theorem and MAP;": {"lesson": "01", "slides": ["Nothing"]},
    "Now: lesson 01 has no exercise '02-accept', it has": {"lesson": "01", "exercises": ["02-accept"]},
    "Now: lesson D has no exercises that answer back": {"lesson": "D", "exercises": "all"},
    "Now: a row has exercises, lesson, read, slides, when, work, got minuts": {"lesson": "01", "minuts": 3},
    "Now: lesson 03 needs 00, 01, 02: put it before": {"lesson": "03"},
}


@pytest.mark.parametrize("said, entry", REFUSED.items())
def test_a_row_that_cannot_be_is_refused(said, entry):
    with pytest.raises(teaching.TeachingError, match=re.escape(said)):
        teaching.rows([{"when": "Now"} | entry])


def test_what_a_lesson_needs_is_read_from_its_first_cell(monkeypatch):
    first = "**What you need** — a thing (lesson 01), lessons 03 to 05,\nand lessons 07 and 08. Not lesson 10."
    said = f"# 09 · T\n\n{first}\n\nlesson 06"
    monkeypatch.setattr(teaching, "source", lambda number: said)
    assert teaching.needs("09") == ["01", "03", "04", "05", "07", "08"]


def test_the_semester_has_every_lesson_and_the_exam():
    plan = teaching.rows(teaching.read_plans()["semester"])
    assert [row.lesson for row in plan if row.lesson] == [n for n in teaching.lessons() if n.isdigit()]
    assert [row.minutes for row in plan if "](exam.md)" in row.work[0]] == [
        sum(sum(p) for p in points_of_exam().values())
    ]


@pytest.fixture
def copied(tmp_path, monkeypatch):
    monkeypatch.setattr(teaching, "FOLDER", Path(shutil.copytree(teaching.FOLDER, tmp_path / "teaching")))
    return teaching.FOLDER


def test_a_stale_syllabus_is_noticed_and_written_anew(copied, capsys):
    path = copied / "syllabus.md"
    page = path.read_text(encoding="utf-8")
    path.write_text(page.replace("Together", "Altogether", 1), encoding="utf-8")
    assert teaching.main(["--check"]) == 1 and "run `python -m tools teaching`" in capsys.readouterr().out
    assert teaching.main([]) == 0 and path.read_text(encoding="utf-8") == page
    assert teaching.main(["--check"]) == 0


def test_a_plan_without_its_place_is_refused(copied, capsys):
    path = copied / "syllabus.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("[[day]]", "[[night]]"), encoding="utf-8")
    assert teaching.main([]) == 1 and "but one lacks day, night" in capsys.readouterr().err


# Marking --------------------------------------------------------------------------------------------------------------


def test_the_points_are_those_that_nbgrader_gives():
    wanted = [[level, str(m), *map(str, grading.points(level))] for level, m in exercises.MINUTES.items()]
    assert [row for row in rows(PAGES["marking.md"]) if row[0] in exercises.MINUTES] == wanted


def test_the_weights_and_the_lines_of_a_project_add_up():
    page = PAGES["marking.md"]
    parts, project = page.partition("\n## ")[0], dict(SECTION.findall(page))["Projects"]
    weights = [[int(cell.rstrip(" %")) for cell in row[2:]] for row in rows(parts)]
    assert np.sum(weights, axis=0).tolist() == [100, 100]
    lines = [row[0] for row in rows(project)]
    (said,) = re.findall(r"(\d+) points in all", project)
    assert int(said) == 4 * (len(lines) + sum(line.startswith("**") for line in lines))


# The exam -------------------------------------------------------------------------------------------------------------


def points_of_exam():
    """The points of the parts of each question: {"1": [4, 3, 3]}."""
    found = SECTION.findall(PAGES["exam.md"])
    return {title.split(" ")[0]: list(map(int, re.findall(r"\*(\d+) points\*", part))) for title, part in found}


def solutions():
    """The model answers of each question."""
    return {title.split(" ")[0]: part for title, part in SECTION.findall(PAGES["exam_solutions.md"])}


def entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def ringing(prior):
    return prior * 0.95 / (prior * 0.95 + (1 - prior) * 0.04)


def sd_of(weights, covariance):
    return math.sqrt(np.array(weights) @ covariance @ np.array(weights))


def computed():
    """Every number of the solutions, in their order, from its definition."""
    a, b = 3 + 9, 3 + 3
    mean, top = a / (a + b), (a - 1) / (a + b - 2)
    weight = exact.regression_posterior(np.array([[math.sqrt(40)]]), [24 / math.sqrt(40)], noise_sd=2, prior_sd=0.5)
    variance = weight.covariance.item()
    means = np.array([1.0, 1.2, 2.0, 2.2])
    posterior, q = ([1.0], [[0.5]]), ([1.0], [[1.0]])
    evidence = -math.log(4 * math.pi) / 2 - 2**2 / (2 * 2)
    both = 4 * np.array([[1, 0.8], [0.8, 1]])
    mean_field = np.diag(1 / np.diag(np.linalg.inv(both)))
    doubt = uncertainty.decompose_entropy(np.array([[[p, 1 - p]] for p in (0.9, 0.9, 0.1, 0.1)]))
    seeds = 0.010 * (np.arange(5) - 2) / np.std(np.arange(5), ddof=1) + 0.012
    interval = uncertainty.t_interval(seeds)
    gaps = np.array([0.6 - 0.55, 0.8 - 0.7, 0.95 - 0.94])
    return {
        "1": [0.02 * 0.95, 0.98 * 0.04, ringing(0.02), ringing(ringing(0.02))],
        "2": [a, b, mean, top, mean * (a + 1) / (a + b + 1), top**2, mean**2, mean],
        "3": [1 / variance, math.sqrt(variance), weight.mean.item(), 2**2 / 0.5**2, math.sqrt(4 + 9 * variance)],
        "4": [
            min(1, 0.4 * 0.3 / 0.2),
            4500 / (1 + 2 * 0.8 / (1 - 0.8)),
            3 / math.sqrt(500),
            means.var(ddof=1),
            math.sqrt(1 - 1 / 100 + means.var(ddof=1) / 1),
        ],
        "5": [
            exact.normal_kl(([0.0], [[1.0]]), ([1.0], [[4.0]])),
            -14.2 - -14.9,
            -14.2 - -15.6,
            evidence,
            exact.normal_kl(q, posterior),
            evidence - exact.normal_kl(q, posterior),
        ],
        "6": [
            mean_field[0, 0] / both[0, 0],
            math.sqrt(mean_field[0, 0]),
            sd_of([1, 1], both),
            sd_of([1, -1], both),
            sd_of([1, 1], mean_field),
            math.sqrt(5000 / 100),
        ],
        "7": [doubt.total.item(), doubt.aleatoric.item(), doubt.epistemic.item(), entropy(0.5), entropy(0.99)],
        "8": [math.factorial(4) * 2**4, math.sqrt(2**2 / 100), 2 / 100],
        "9": [
            gaps @ [0.2, 0.3, 0.5],
            interval.half,
            interval.mean - interval.half,
            interval.mean + interval.half,
        ],
    }


def test_the_exam_takes_a_minute_a_point():
    titles = dict(re.findall(r"^## (\d+) · .*\((\d+) points\)$", PAGES["exam.md"], re.MULTILINE))
    assert titles == {number: str(sum(points)) for number, points in points_of_exam().items()}
    assert sum(map(int, titles.values())) == 90 and "Ninety minutes, ninety points" in PAGES["exam.md"]


@pytest.mark.parametrize("number", points_of_exam())
def test_the_solutions_say_what_earns_each_point(number):
    credit = re.findall(r"^\*Points:\* (.+?)(?:\n\n|\Z)", solutions()[number], re.MULTILINE | re.DOTALL)
    assert [sum(map(int, re.findall(r"\b(\d+)\s+for\b", said))) for said in credit] == points_of_exam()[number]


@pytest.mark.parametrize("number", points_of_exam())
def test_the_numbers_of_the_solutions_are_computed(number):
    typed = [n.replace("−", "-") for n in re.findall(r"\*\*(−?\d+(?:\.\d+)?)\*\*", solutions()[number])]
    values = computed()[number]
    assert len(typed) == len(values)
    assert [f"{value:.{len(said.partition('.')[2])}f}" for said, value in zip(typed, values, strict=True)] == typed


@pytest.mark.parametrize("number", points_of_exam())
def test_the_questions_lead_back_to_the_lessons(number):
    taught = solutions()[number].partition("*Where it is taught:*")[2]
    assert CELL.search(taught) and re.search(r"\blessons? \d\d", taught)


def test_the_quantile_of_the_exam_is_that_of_student():
    assert f"is {stats.t.ppf(0.975, 4):.3f})" in PAGES["exam.md"]
