"""course.py: every failure is one clear sentence, and what is done is not done again."""

import ast
import collections
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
USAGE = collections.namedtuple("usage", "total used free")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A copy of the script in a course of its own, whose lock is empty."""
    home = tmp_path / "a course"
    home.mkdir()
    shutil.copy(ROOT / "course.py", home)
    (home / "requirements.lock").write_text("# nothing\n")
    (home / "pyproject.toml").write_text("[project]\n")
    monkeypatch.delenv("COURSE_VENV", raising=False)
    spec = importlib.util.spec_from_file_location("course_copy", home / "course.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pip_calls(course, monkeypatch):
    """Make environments without pip, and note what pip would have been asked to do."""
    calls = []
    monkeypatch.setattr(course, "pip_install", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(course, "make_venv", lambda: venv.create(course.venv_folder(), with_pip=False))
    return calls


def sentence(call, *arguments):
    """Return the one line with which a call stops."""
    with pytest.raises(SystemExit) as stop:
        call(*arguments)
    assert isinstance(stop.value.code, str) and "\n" not in stop.value.code
    return stop.value.code


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 13), (3, 15, 0)])
def test_a_python_outside_the_range_is_refused(course, monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    text = sentence(course.main, ["setup"])
    assert text.startswith("This course needs Python 3.11 to 3.14, and ")
    assert "is Python {}.{}: ".format(*version) in text
    assert "make PYTHON=" in text or "python.org" in text
    assert not course.venv_folder().exists()


def test_the_script_keeps_to_the_syntax_of_python_3_6():
    ast.parse((ROOT / "course.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_a_full_disk_is_refused_before_anything_is_written(course, monkeypatch):
    monkeypatch.setattr(course.shutil, "disk_usage", lambda path: USAGE(10**12, 10**12 - 10**9, 10**9))
    text = sentence(course.main, ["setup"])
    assert "The disk is too full: the environment needs 3 GB" in text and "has 1.0 GB free" in text
    assert not course.venv_folder().exists()


def test_the_disk_that_counts_is_the_one_of_the_environment(course, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(course.shutil, "disk_usage", lambda path: asked.append(path) or USAGE(10**12, 0, 10**12))
    monkeypatch.setenv("COURSE_VENV", str(tmp_path / "other disk" / "venv"))
    course.refuse_full_disk()
    assert asked == [str(tmp_path)]


def test_a_python_without_venv_is_refused(course, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    assert "install its venv package" in sentence(course.main, ["setup"])


def test_a_folder_that_is_no_environment_is_left_alone(course, monkeypatch, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    monkeypatch.setenv("COURSE_VENV", str(tmp_path))
    assert "is not a Python environment" in sentence(course.main, ["setup"])
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_place_that_cannot_be_written_is_named(course, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_VENV", str(tmp_path / "file" / "venv"))
    monkeypatch.setattr(course, "refuse_foreign_folder", lambda folder: None)
    assert sentence(course.make_venv).startswith("Cannot write")


def test_an_unknown_word_is_refused(course):
    assert "There is no word 'bake': say one of setup, browser, lab, test," in sentence(course.main, ["bake"])


def test_an_unreachable_registry_ends_in_one_sentence_and_no_stamp(course, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    (course.ROOT / "requirements.lock").write_text("numpy==2.4.6\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    environment |= {
        "PIP_INDEX_URL": f"http://127.0.0.1:{closed}/",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "1",
        "PIP_NO_CACHE_DIR": "1",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, str(course.ROOT / "course.py"), "setup"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("The package registry cannot be reached: check the network")
    assert not (course.venv_folder() / "course-stamp").exists()


@pytest.mark.parametrize(
    ("report", "start"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
        ("WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'", "The package registry"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "pip could not install"),
    ],
)
def test_what_pip_reports_becomes_one_sentence(course, monkeypatch, report, start):
    code = f"import sys; sys.stderr.write({report!r} + chr(10)); sys.exit(1)"
    popen = subprocess.Popen
    monkeypatch.setattr(course.subprocess, "Popen", lambda command, **how: popen([sys.executable, "-c", code], **how))
    assert sentence(course.pip_install, "anything").startswith(start)


# --- done once ----------------------------------------------------------------------------------


def test_setup_installs_the_lock_then_the_course_and_marks_the_environment(course, pip_calls):
    assert course.main(["setup"]) == 0
    assert pip_calls[0] == ("-r", str(course.LOCK))
    assert pip_calls[1] == ("--no-deps", "--no-build-isolation", "-e", str(course.ROOT))
    assert (course.venv_folder() / "course-stamp").read_text() == course.stamp()


def test_setup_is_skipped_the_second_time(course, pip_calls, capsys):
    course.main(["setup"])
    del pip_calls[:]
    assert course.main(["setup"]) == 0
    assert pip_calls == []
    assert "is ready (Python" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_setup_is_done_again_when_a_file_changes(course, pip_calls, name):
    course.main(["setup"])
    del pip_calls[:]
    (course.ROOT / name).write_text("# changed\n")
    course.main(["setup"])
    assert len(pip_calls) == 2


def test_another_python_needs_another_environment(course, pip_calls, monkeypatch):
    course.main(["setup"])
    before = course.stamp()
    monkeypatch.setattr(course, "this_version", lambda: "3.14")
    assert course.stamp() != before and not course.is_current()


def test_an_interrupted_setup_is_not_taken_for_a_finished_one(course, pip_calls, monkeypatch):
    course.main(["setup"])
    old = (course.ROOT / "requirements.lock").read_text()
    (course.ROOT / "requirements.lock").write_text("# changed\n")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(course, "pip_install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        course.main(["setup"])
    (course.ROOT / "requirements.lock").write_text(old)
    assert not course.is_current()


def test_an_environment_whose_python_is_gone_is_not_current(course, pip_calls):
    course.main(["setup"])
    course.venv_python().unlink()
    assert not course.is_current()


def test_two_environments_live_side_by_side(course, pip_calls, monkeypatch):
    course.main(["setup"])
    monkeypatch.setenv("COURSE_VENV", ".venv-other")
    assert not course.is_current()
    course.main(["setup"])
    assert (course.ROOT / ".venv" / "course-stamp").exists() and (course.ROOT / ".venv-other" / "course-stamp").exists()


def test_jupyterlab_is_told_to_ask_for_no_news_and_to_save_explorers(course, pip_calls):
    course.main(["setup"])
    path = course.venv_folder() / "etc" / "jupyter" / "labconfig" / "default_setting_overrides.json"
    news, widgets = json.loads(path.read_text()).values()
    assert news == {"fetchNews": "false", "checkForUpdates": False}
    assert widgets == {"saveState": True}


# --- words --------------------------------------------------------------------------------------


@pytest.fixture
def runs(course, monkeypatch):
    """Note what would be run instead of running it."""
    calls = []
    monkeypatch.setattr(course, "setup", lambda *_: calls.append("setup") or 0)
    monkeypatch.setattr(course, "run", lambda *arguments: calls.append(arguments) or 0)
    monkeypatch.setattr(course, "find_browser", lambda: "/chromium")
    return calls


def test_test_runs_strict_nbval_on_all_cores_and_hands_words_on(course, runs, monkeypatch):
    monkeypatch.setattr(course, "workers", lambda: 4)
    course.main(["test", "-x", "-n", "2"])  # pytest takes the last
    assert runs == ["setup", ("-m", "pytest", "--nbval", "-n", 4, "-x", "-n", "2")]


MACHINES = [(2, 24, 2), (16, 8, 2), (8, 64, 8), (4, 2, 1), (None, 8, 1)]


@pytest.mark.parametrize(("cores", "gigabytes", "workers"), MACHINES)
def test_a_worker_has_a_core_and_memory_for_a_lesson(course, monkeypatch, cores, gigabytes, workers):
    monkeypatch.setattr(course.os, "cpu_count", lambda: cores)
    monkeypatch.setattr(course, "memory_gb", lambda: gigabytes)
    assert course.workers() == workers


def test_the_memory_of_this_machine_is_known(course):
    assert 1 < course.memory_gb() < 10_000


def test_a_missing_browser_is_installed_once(course, runs, monkeypatch):
    found = []
    monkeypatch.setattr(course, "find_browser", lambda: found)
    monkeypatch.setattr(course, "install_browser", lambda: found.append("now it is there"))
    assert course.main(["browser"]) == 0 and found and runs == ["setup"]
    assert course.main(["browser"]) == 0 and len(found) == 1


@pytest.mark.parametrize("wish, status", [("", 0), ("required", 1)])
def test_without_a_browser_the_tests_go_on_unless_it_is_required(course, runs, monkeypatch, capsys, wish, status):
    monkeypatch.setenv("BNN_COURSE_BROWSER", wish)
    monkeypatch.setattr(course, "find_browser", lambda: None)
    monkeypatch.setattr(course, "install_browser", lambda: None)
    assert course.main(["test"]) == status
    assert any("--nbval" in call for call in runs) == (status == 0)
    assert "install one (on Debian: apt install chromium)" in capsys.readouterr().out


def test_a_browser_on_the_path_is_found(course, monkeypatch):
    monkeypatch.setattr(course.shutil, "which", lambda name: "/usr/bin/chromium" if name == "chromium" else None)
    assert course.find_browser() == "/usr/bin/chromium"


def test_lab_opens_lesson_00(course, runs):
    course.main(["lab", "--no-browser"])
    assert runs[0] == "setup"
    assert runs[1][:3] == ("-m", "jupyterlab", "notebooks/00_start_here.ipynb") and runs[1][-1] == "--no-browser"


@pytest.mark.parametrize("tool", ["ruff", "mypy", "pytest"])
def test_check_fails_when_only_one_thing_is_wrong(course, monkeypatch, tool):
    monkeypatch.setattr(course, "setup", lambda *_: 0)
    monkeypatch.setattr(course, "run", lambda *arguments: int(tool in arguments))
    assert course.main(["check"]) == 1


def test_slides_says_plainly_when_there_is_no_deck(course, runs, capsys):
    assert course.main(["slides"]) == 0
    assert "There is no deck yet" in capsys.readouterr().out and runs == []


def test_slides_builds_when_there_is_one(course, runs):
    (course.ROOT / "slides").mkdir()
    (course.ROOT / "slides" / "course.md").write_text("# Deck\n")
    course.main(["slides"])
    assert runs == ["setup", ("-m", "tools", "slides")]


def test_the_status_of_the_program_is_handed_on(course, monkeypatch):
    monkeypatch.setattr(course, "venv_python", lambda: Path(sys.executable))
    assert course.run("-c", "import sys; sys.exit(7)") == 7


def test_help_lists_every_word(course, capsys):
    assert course.main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {word} " in shown for word in course.WORDS)
