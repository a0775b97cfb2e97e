"""The lessons themselves, without running them: every rule of `notebooks/lesson_checks.py` holds."""

from pathlib import Path

import lesson_checks as checks
import pytest

FOLDER = Path(checks.__file__).parent
LESSONS = checks.lesson_names(FOLDER)


def test_the_foundation_is_there():
    assert {"00_start_here", "09_mnist_uncertainty"} <= set(LESSONS)


@pytest.mark.parametrize("check", [*checks.OF_TEXT, *checks.OF_NOTEBOOK], ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", LESSONS)
def test_lesson(name, check):
    problems = check(checks.read_lesson(FOLDER, name))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("check", checks.OF_COURSE, ids=lambda check: check.__name__)
def test_course(check):
    problems = check(FOLDER)
    assert not problems, "\n".join(problems)
