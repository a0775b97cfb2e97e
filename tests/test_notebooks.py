"""The lessons and their exercises, without running them: every rule of `tools.checks` holds."""


import pytest

from tools import NOTEBOOKS, checks, exercises, form

FOLDER = NOTEBOOKS
LESSONS = checks.lesson_names(FOLDER)


def test_the_foundation_is_there():
    assert {"00_start_here", "09_mnist_uncertainty"} <= set(LESSONS)


@pytest.mark.parametrize("check", [*checks.OF_TEXT, *checks.OF_NOTEBOOK], ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", LESSONS)
def test_lesson(name, check):
    problems = check(checks.read_lesson(FOLDER, name))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("check", form.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [name for name in LESSONS if name not in form.NOT_YET])
def test_lesson_in_the_form_of_today(name, check):
    problems = check(checks.read_lesson(FOLDER, name))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("check", checks.OF_TEMPLATE, ids=lambda check: check.__name__)
def test_template(check):
    problems = check(checks.read_lesson(FOLDER, checks.TEMPLATE))
    assert not problems, "\n".join(problems)


def test_the_list_of_lessons_in_the_old_form_names_lessons():
    assert set(LESSONS) >= form.NOT_YET


@pytest.mark.parametrize("check", exercises.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", exercises.names(FOLDER))
def test_exercises(name, check):
    problems = check(FOLDER, name)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("check", checks.OF_COURSE, ids=lambda check: check.__name__)
def test_course(check):
    problems = check(FOLDER)
    assert not problems, "\n".join(problems)
