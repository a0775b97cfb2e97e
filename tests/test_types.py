"""The package's types: what mypy checks, and that a user's own code is checked against them."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["files"]


def mypy(*arguments, cwd=ROOT):
    """Return the exit status and the report of mypy."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), *arguments]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_types_are_right():
    assert mypy() == (0, f"Success: no issues found in {len(CHECKED)} source files\n")


def test_every_module_of_the_core_is_checked():
    core = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bnn_course").glob("*.py")}
    assert core <= set(CHECKED)


def test_wrong_calls_of_a_user_are_found(tmp_path):
    """The package says that it has types, and mypy sees through them."""
    assert (ROOT / "bnn_course" / "py.typed").is_file()
    (tmp_path / "mine.py").write_text(
        "from bnn_course import uncertainty\n"
        "uncertainty.t_interval([1.0, 2.0], prob='95 %')\n"
        "score: str = uncertainty.nll([[0.5, 0.5]], [0])\n"
    )
    status, report = mypy("mine.py", cwd=tmp_path)
    assert status == 1 and 'Argument "prob" to "t_interval"' in report and '(expression has type "float"' in report
