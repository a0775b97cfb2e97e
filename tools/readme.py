"""The generated parts of `README.md`: the table of lessons, the Binder badge, and the animation.

A part stands between ``<!-- generated: lessons -->`` and ``<!-- /generated -->``. What a lesson is about, and what a
reader can do afterwards, is written in ``notebooks/lessons.toml``; its title comes from ``lessons.json``, its reading
time from its text. The badge needs the account and the repository on GitHub, which git knows.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tools import NOTEBOOKS, ROOT, build, checks, form, text

README = ROOT / "README.md"
FACTS = {"about", "afterwards"}
PART = re.compile(
    r"(?P<begin><!-- generated: (?P<name>\w+) -->\n)(?P<content>.*?)(?P<end><!-- /generated -->)", re.DOTALL
)
GITHUB = re.compile(
    r"(?:(?:https?|git|ssh)://(?:[^@/]+@)?(?:www\.|ssh\.)?github\.com(?::\d+)?/|(?:[^@/:]+@)?github\.com:)"
    r"(?P<account>[\w.-]+)/(?P<repository>[\w.-]+?)(?:\.git)?/?",
    re.IGNORECASE,
)
BINDER = "https://mybinder.org/v2/gh/{account}/{repository}/HEAD?urlpath=lab/tree/notebooks/00_start_here.ipynb"
BADGE = re.compile(re.escape(BINDER).replace(r"\{account\}", r"([\w.-]+)").replace(r"\{repository\}", r"([\w.-]+)"))
NO_BADGE = (
    "To run the course in a browser without installing anything, push it to GitHub and run "
    "`.venv/bin/python -m tools readme`:\nthis line becomes a [Binder](https://mybinder.org) button.\n"
)


class ReadmeError(Exception):
    """A README that cannot be written; the message says why."""


# Lessons --------------------------------------------------------------------------------------------------------------


def read_facts(folder: Path = NOTEBOOKS) -> dict[str, dict[str, str]]:
    """Return what lessons.toml says: {lesson: {"about": …, "afterwards": …}}."""
    path = folder / "lessons.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def lessons_problems(folder: Path = NOTEBOOKS) -> list[str]:
    """Return what keeps the table of lessons from being written."""
    names, facts, records = checks.lesson_names(folder), read_facts(folder), build.read_records(folder)
    problems = [f"{name} has no title in lessons.json: build it" for name in names if name not in records]
    problems += [
        f"lessons.toml has an entry {name}, which is no lesson: remove it" for name in facts if name not in names
    ]
    for name in names:
        if not (folder / "source" / f"{name}.md").exists():
            problems.append(f"{name} has no source: write it, or remove the notebook")
        said = facts.get(name, {})
        if missing := sorted(fact for fact in FACTS if not str(said.get(fact, "")).strip()):
            problems.append(f"lessons.toml does not say of {name}: {', '.join(missing)}")
        if unknown := sorted(set(said) - FACTS):
            problems.append(f"lessons.toml says of {name} what nobody reads: {', '.join(unknown)}")
    return problems


def lessons_table(folder: Path = NOTEBOOKS) -> str:
    """Return the table of lessons and appendices."""
    if problems := lessons_problems(folder):
        raise ReadmeError("\n".join(problems))
    facts, records = read_facts(folder), build.read_records(folder)
    rows = ["| | lesson | minutes | afterwards you can |", "|---|---|---:|---|"]
    for name in checks.lesson_names(folder):
        title = f"[**{records[name]['title']}**]({NOTEBOOKS.name}/{name}.ipynb)"
        time = form.minutes((folder / "source" / f"{name}.md").read_text(encoding="utf-8"))
        cells = [text.number_of(name), f"{title}<br>{facts[name]['about']}", str(time), facts[name]["afterwards"]]
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


# Binder ---------------------------------------------------------------------------------------------------------------


def git_remote(folder: Path = ROOT) -> str | None:
    """Return the address that git calls origin, or None."""
    if not (folder / ".git").exists():  # a folder above may be somebody else's repository
        return None
    try:
        done = subprocess.run(["git", "remote", "get-url", "origin"], cwd=folder, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None


def badge(remote: str | None) -> str:
    """Return the Binder badge of a repository on GitHub, and without one the sentence that says how to get it."""
    found = GITHUB.fullmatch(remote or "")
    if not found:
        return NO_BADGE
    address = BINDER.format(**found.groupdict())
    return f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({address})\n"


def badge_problems(content: str) -> list[str]:
    """Return what is wrong with the badge in the README: it may be that of any repository, so that forks pass too."""
    found = BADGE.search(content)
    wanted = badge(f"https://github.com/{found[1]}/{found[2]}" if found else None)
    return [] if content == wanted else ["the Binder badge is not as the build writes it"]


# The page -------------------------------------------------------------------------------------------------------------


def parts(page: str) -> dict[str, str]:
    """Return the generated parts of a page: {name: content}."""
    return {found["name"]: found["content"] for found in PART.finditer(page)}


def filled(page: str, contents: dict[str, str]) -> str:
    """Return a page with new contents between the marks."""
    if missing := sorted(set(contents) - set(parts(page))):
        raise ReadmeError(f"README.md has no place for {', '.join(missing)}: write <!-- generated: {missing[0]} -->")

    def replaced(found):
        return found["begin"] + contents.get(found["name"], found["content"]) + found["end"]

    return PART.sub(replaced, page)


def problems(page: str, folder: Path = NOTEBOOKS) -> list[str]:
    """Return what is out of date in a README."""
    found = parts(page)
    if missing := sorted({"lessons", "binder"} - set(found)):
        return [f"README.md has no part <!-- generated: {name} -->" for name in missing]
    wrong = lessons_problems(folder)
    if not wrong and found["lessons"] != lessons_table(folder):
        wrong = ["the table of lessons in README.md is out of date"]
    return wrong + badge_problems(found["binder"])


def main(arguments=None):
    """Write the generated parts of README.md; --check only says what is out of date; --picture draws the animation."""
    parser = argparse.ArgumentParser(prog="python -m tools readme", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only say what is out of date")
    parser.add_argument("--lessons", action="store_true", help="write the table of lessons alone, as after a build")
    parser.add_argument("--picture", action="store_true", help="draw the animation anew (half a minute)")
    options = parser.parse_args(arguments)
    if options.picture:
        from tools import turning

        build.write(turning.PICTURE, turning.animation())
        return 0
    try:
        if not options.check:
            contents = {"lessons": lessons_table()} | ({} if options.lessons else {"binder": badge(git_remote())})
            build.write(README, filled(README.read_text(encoding="utf-8"), contents))
    except ReadmeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = problems(README.read_text(encoding="utf-8"))
    print("\n".join([*found, "run `python -m tools readme`"]) if found else "README.md is up to date")
    return 1 if found else 0
