#!/usr/bin/env python3
"""Run the course: set up its environment, open the lessons, run the tests.

Needs nothing but Python itself. `make WORD` calls `python3 course.py WORD`; where there is no make (Windows), call
`py course.py WORD`. Words after WORD are handed on: `python3 course.py test -x`.

The environment lives in `.venv` beside this file, or in the folder that the variable COURSE_VENV names. It is made with
the Python that runs this script. This file keeps to the syntax of Python 3.6, so that an old Python can still read the
sentence that says it is too old.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "requirements.lock"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
MEMORY_GB = 3  # for each process that runs tests, with the kernel of a lesson
DISK_GB = 3  # .venv takes 1.5 GB, pip's cache 0.4 GB, and unpacking needs room

# What pip says -> what to do about it.
PIP_TROUBLE = [
    (
        ("No space left on device", "Errno 28", "not enough space on the disk"),
        "The disk is full: free {} GB and run the same command again.".format(DISK_GB),
    ),
    (
        ("Retrying (", "connection broken", "Could not fetch URL", "Connection refused", "timed out", "ProxyError"),
        "The package registry cannot be reached: check the network (behind a proxy set HTTPS_PROXY, for a mirror set "
        "PIP_INDEX_URL) and run the same command again.",
    ),
]

# JupyterLab asks no server for news or updates, so that it opens the same way without a network, and saves explorers
# with their pictures.
LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
}


# --- the environment ------------------------------------------------------------------------------------------------


def venv_folder():
    """Return the folder of the environment."""
    return ROOT / os.environ.get("COURSE_VENV", ".venv")


def venv_python():
    """Return the path of the environment's Python, which need not exist yet."""
    return venv_folder() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def version_of(python):
    """Return "3.13" for a Python that runs, None for one that does not."""
    try:
        question = "import sys; print('%d.%d' % sys.version_info[:2])"
        out = subprocess.check_output([str(python), "-c", question], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None
    return out.decode().strip()


def this_version():
    """Return the version of the Python that runs this script, as in "3.13"."""
    return "{}.{}".format(*sys.version_info[:2])


def stamp():
    """Return what the environment depends on, as one string: lock, project file, Python, and this folder."""
    digest = hashlib.sha256()
    for part in (LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), this_version(), str(ROOT)):
        digest.update(part if isinstance(part, bytes) else part.encode())
    return digest.hexdigest()


def is_current():
    """Tell whether the environment was completely installed from today's files with this Python."""
    mark = venv_folder() / "course-stamp"
    return mark.is_file() and mark.read_text() == stamp() and version_of(venv_python()) == this_version()


def refuse_wrong_python():
    """Stop with one sentence when this Python is none of the tested ones."""
    if this_version() in PYTHONS:
        return
    found = [name for name in ("python" + v for v in reversed(PYTHONS)) if version_of(name)]
    remedy = "`make PYTHON={0} lab` uses the one you have".format(found[0]) if found else "install one from python.org"
    raise SystemExit(
        "This course needs Python {} to {}, and {} is Python {}: {}.".format(
            PYTHONS[0], PYTHONS[-1], sys.executable, this_version(), remedy
        )
    )


def refuse_missing_venv_module():
    """Stop with one sentence when Python came without what makes environments (Debian and Ubuntu split it off)."""
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        raise SystemExit(
            "This Python cannot make environments: install its venv package (on Debian or Ubuntu: "
            "apt install python{}-venv) and run the same command again.".format(this_version())
        )


def refuse_full_disk():
    """Stop with one sentence when the environment would not fit."""
    place = next(folder for folder in [venv_folder()] + list(venv_folder().parents) if folder.exists())
    free = shutil.disk_usage(str(place)).free / 1e9
    if free < DISK_GB:
        raise SystemExit(
            "The disk is too full: the environment needs {} GB and {} has {:.1f} GB free. Free some space, or name a "
            "folder on another disk in COURSE_VENV.".format(DISK_GB, place, free)
        )


def refuse_foreign_folder(folder):
    """Stop with one sentence rather than write into a folder that is no environment."""
    if folder.exists() and not (folder / "pyvenv.cfg").exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SystemExit("{} is not a Python environment: remove it, or name another in COURSE_VENV.".format(folder))


def make_venv():
    """Make the environment; start afresh when it belongs to another Python."""
    folder = venv_folder()
    refuse_foreign_folder(folder)
    fresh = ["--clear"] if version_of(venv_python()) != this_version() else []
    command = [sys.executable, "-m", "venv"] + fresh + [str(folder)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.call(command)
    except OSError as error:
        raise SystemExit("Cannot write {} ({}): name another folder in COURSE_VENV.".format(folder, error.strerror))
    if done != 0:
        raise SystemExit("Making the environment failed: read the lines above, remove {} and try again.".format(folder))


def pip_install(*arguments):
    """Run pip in the environment; when it fails, say in one sentence why."""
    command = [str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check"] + list(arguments)
    report = []
    with subprocess.Popen(
        command, cwd=str(ROOT), stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
    ) as process:
        for line in process.stderr:
            sys.stderr.write(line)
            report.append(line)
    if process.returncode == 0:
        return
    for signs, sentence in PIP_TROUBLE:
        if any(sign in line for line in report for sign in signs):
            raise SystemExit(sentence)
    raise SystemExit("pip could not install the course's packages: its own words stand above.")


def setup(*_):
    """Set up the environment (done once, then skipped until the lock or Python changes)."""
    refuse_wrong_python()
    folder, mark = venv_folder(), venv_folder() / "course-stamp"
    if is_current():
        print("Environment {} is ready (Python {}).".format(folder, this_version()), flush=True)
        return 0
    refuse_missing_venv_module()
    refuse_full_disk()
    print("Setting up {} with Python {}: a few minutes, once.".format(folder, this_version()), flush=True)
    make_venv()
    if mark.exists():
        mark.unlink()  # from here until the end the environment is neither the old nor the new one
    pip_install("-r", str(LOCK))
    pip_install("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    settings = folder / "etc" / "jupyter" / "labconfig"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "default_setting_overrides.json").write_text(json.dumps(LAB_SETTINGS))
    mark.write_text(stamp())
    print("Environment {} is ready.".format(folder), flush=True)
    return 0


def run(*arguments):
    """Run the environment's Python at the top of the course; return its exit status."""
    scripts = str(venv_python().parent)
    env = dict(os.environ, VIRTUAL_ENV=str(venv_folder()), PATH=scripts + os.pathsep + os.environ.get("PATH", ""))
    command = [str(venv_python())] + [str(argument) for argument in arguments]
    with subprocess.Popen(command, cwd=str(ROOT), env=env) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                pass  # the program received it too, and ends in its own way


# --- the browser ----------------------------------------------------------------------------------------------------


def find_browser(python=None):
    """Return the path of a Chromium that tests and slides can drive: the system's, else Playwright's own, else None.

    Playwright is asked in the environment, or in the Python that is given.
    """
    for name in ("chromium", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    question = (
        "from playwright.sync_api import sync_playwright; p = sync_playwright().start(); "
        "print(p.chromium.executable_path); p.stop()"
    )
    try:
        out = subprocess.check_output([str(python or venv_python()), "-c", question], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None
    path = out.decode().strip()
    return path if os.path.exists(path) else None


def install_browser():
    """Install Chromium: Debian's package when we may, else the one that Playwright brings."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", "chromium"]):
            subprocess.call(["apt-get"] + words, env=env, stdout=subprocess.DEVNULL)
    if not find_browser():
        run("-m", "playwright", "install", "chromium")


def browser(*_):
    """Set up, then find or install the browser in which slides are tested and printed."""
    setup()
    if not find_browser():
        print("The browser tests need Chromium: installing it (once).", flush=True)
        install_browser()
    if find_browser():
        return 0
    print("There is no Chromium: install one (on Debian: apt install chromium), or the browser tests are left out.")
    return int(os.environ.get("BNN_COURSE_BROWSER") == "required")


# --- the words ------------------------------------------------------------------------------------------------------


def lab(*arguments):
    """Set up, then open lesson 00 in JupyterLab."""
    setup()
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    lesson = "notebooks/00_start_here.ipynb"
    options = ["--ServerApp.root_dir={}".format(ROOT), "--LabApp.extension_manager=readonly"] + as_root
    print("Opening {} in the browser; Ctrl-C here ends it.".format(lesson), flush=True)
    return run("-m", "jupyterlab", lesson, *(options + list(arguments)))


def workers():
    """Return how many processes share the tests: one for each core, while each has memory for itself and a lesson."""
    return max(1, min(os.cpu_count() or 1, int(memory_gb() // MEMORY_GB)))


def memory_gb():
    """Return the memory of this machine in GB; where the system does not say (Windows), 8."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return 8.0


def test(*arguments):
    """Set up, then run every test on all cores: the package's, and each notebook's stored values anew."""
    return browser() or run("-m", "pytest", "--nbval", "-n", workers(), *arguments)


def check(*arguments):
    """Set up, then check style, types and stored notebooks, without running them (seconds)."""
    setup()
    style = run("-m", "ruff", "check", ".") or run("-m", "mypy")
    files = ["tests/test_{}.py".format(name) for name in ("notebooks", "environment", "readme")]
    return run("-m", "pytest", "-q", *(files + list(arguments))) or style


def notebooks(*arguments):
    """Set up, then build and execute the notebooks from notebooks/source."""
    setup()
    done = run("-m", "tools", "lessons", *arguments) or run("-m", "tools", "exercises", *arguments)
    return done or run("-m", "tools", "readme", "--check" if "--check" in arguments else "--lessons")


def slides(*arguments):
    """Set up, then build the slide decks from slides/*.md (needs Node)."""
    if not list((ROOT / "slides").glob("*.md")):
        print("There is no deck yet: slides/ holds no .md file.")
        return 0
    browser()
    return run("-m", "tools", "slides", *arguments)


def site(*arguments):
    """Set up, then build the web site in build/site from the stored notebooks."""
    setup()
    return run("-m", "tools", "site", *arguments)


def bench(*arguments):
    """Set up, then time a step of ADVI beside other libraries and write the tables of benchmarks/README.md."""
    setup()
    return run("benchmarks/run.py", *arguments) or run("benchmarks/readme.py")


def show_help(*_):
    """Show this help."""
    print("Usage: make WORD     or     python3 course.py WORD     or, on Windows,     py course.py WORD\n")
    for word, action in WORDS.items():
        print("  {:<10} {}".format(word, action.__doc__.splitlines()[0]))
    return 0


WORDS = {
    "setup": setup,
    "browser": browser,
    "lab": lab,
    "test": test,
    "check": check,
    "notebooks": notebooks,
    "slides": slides,
    "site": site,
    "bench": bench,
    "help": show_help,
}


def main(arguments):
    """Run the word that the command line names."""
    word = arguments[0] if arguments else "help"
    if word not in WORDS:
        raise SystemExit("There is no word {!r}: say one of {}.".format(word, ", ".join(WORDS)))
    return WORDS[word](*arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
