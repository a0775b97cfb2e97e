"""Build the slides from their texts.

Each ``NN_slug.md`` becomes ``NN_slug.html``, one file that needs nothing else, and ``NN_slug.pdf``; the talk also
becomes a handout of its notes, ``course.notes.pdf``. Building again changes no byte. Needs Node, which runs Marp (npm
fetches it at the first build), and Chromium, which prints the PDF; whoever teaches needs neither. Where there is Node
but no environment of the course, ``npm run build`` in slides/ does the same, without the checks of numbers.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import course
from tools import SLIDES, live
from tools import decks as text

FONT = "node_modules/@fontsource/source-sans-3/files"
FACES = [("400", "normal"), ("400", "italic"), ("600", "normal")]
WITH_HANDOUT = ["course"]  # others are made by `npm run notes`: all together they are as large as the decks
RANGES = {"latin": "U+0000-02FF,U+2000-206F,U+2191,U+2193,U+2212", "greek": "U+0370-03FF"}
STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def mark(digest):
    """Return the tag by which an HTML file says what it was built from."""
    return f'<meta name="keywords" content="slides-{digest}">'


# Checking without Node ------------------------------------------------------------------------------------------------


def pdf_text(path):
    """Return the objects of a PDF file, unpacked; Marp packs most of them."""
    raw = path.read_bytes()
    parts = [STREAM.sub(b"", raw)]
    for found in STREAM.finditer(raw):
        try:
            parts.append(zlib.decompressobj().decompress(found[1]))
        except zlib.error:
            continue  # a picture or a font that is packed in another way
    return b"\n".join(parts)


def pages(path):
    """Return the number of pages of a PDF file."""
    return len(PAGE.findall(pdf_text(path)))


def is_printed_from(path, digest):
    """Say whether a PDF file says that it was built from this digest, among its keywords or in its title."""
    return f"slides-{digest}".encode("utf-16-be").hex().upper().encode() in pdf_text(path)


def printed(path):
    """Return the PDF files of a deck."""
    return [path.with_suffix(".pdf"), *([path.with_suffix(".notes.pdf")] if path.stem in WITH_HANDOUT else [])]


def problems(path, lessons):
    """Return what is wrong with the files of a deck."""
    page, pdfs = path.with_suffix(".html"), printed(path)
    if missing := [file.name for file in (page, *pdfs) if not file.exists()]:
        return [f"{path.name}: {' and '.join(missing)} missing: run `python course.py slides`"]
    try:
        digest = text.digest(path, lessons)
    except text.DeckError as error:
        return [f"{path.name}: {error}"]
    stale = []
    if mark(digest) not in page.read_text(encoding="utf-8"):
        stale.append(page.name)
    stale += [pdf.name for pdf in pdfs if not is_printed_from(pdf, digest)]
    return [
        f"{name} is out of date (its text, a lesson or the theme has changed): run `python course.py slides`"
        for name in stale
    ]


# Building -------------------------------------------------------------------------------------------------------------


def node():
    """Return the path of Node; install Marp and the font beside the decks unless they are there."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if not program or not npm:
        raise text.DeckError("building slides needs Node with npm: install them (on Debian: apt install nodejs npm)")
    packages = SLIDES / "node_modules"
    wanted = hashlib.sha256((SLIDES / "package-lock.json").read_bytes()).hexdigest()
    stamp = packages / "course-stamp"
    if not stamp.exists() or stamp.read_text() != wanted:
        command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.call(command, cwd=SLIDES):
            raise text.DeckError("npm could not install Marp: its own words stand above")
        stamp.write_text(wanted)
    return program


def theme():
    """Return the theme with its font inside."""
    faces = []
    for weight, style in FACES:
        for subset, codes in RANGES.items():
            file = SLIDES / FONT / f"source-sans-3-{subset}-{weight}-{style}.woff2"
            data = base64.b64encode(file.read_bytes()).decode()
            faces.append(
                f'@font-face{{font-family:"Source Sans 3";font-weight:{weight};font-style:{style};'
                f"unicode-range:{codes};src:url(data:font/woff2;base64,{data})}}"
            )
    sheet = (SLIDES / "theme.css").read_text(encoding="utf-8")
    return sheet.replace("/* fonts */", "\n".join(faces))


def marp(program, *arguments, browser=None):
    """Run Marp."""
    script = SLIDES / "node_modules/@marp-team/marp-cli/marp-cli.js"
    command = [program, "--require", str(SLIDES / "fixed_date.cjs"), str(script), *map(str, arguments)]
    environment = os.environ | ({"CHROME_PATH": str(browser)} if browser else {})
    done = subprocess.run(command, cwd=SLIDES, env=environment, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise text.DeckError(f"Marp failed: {done.stderr.strip()}")


def print_handout(program, page, browser):
    """Print the notes of a built deck, each beside its slide."""
    command = [program, str(SLIDES / "handout.mjs"), str(page)]
    environment = os.environ | {"CHROME_PATH": str(browser)}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise text.DeckError(f"the notes could not be printed: {done.stderr.strip()}")


def build(paths, lessons, target=SLIDES, pdf=True):
    """Build decks into a folder; nothing is written there unless all of them can be built."""
    filled = {path: text.marked(path, lessons) for path in paths}
    digests = {path: text.digest(path, lessons) for path in paths}
    program = node()
    browser = course.find_browser(sys.executable) if pdf else None
    if pdf and not browser:
        raise text.DeckError("printing slides needs Chromium: run `python course.py browser`")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        (scratch / "in").mkdir()
        (scratch / "course.css").write_text(theme(), encoding="utf-8")
        for path, content in filled.items():
            (scratch / "in" / path.name).write_text(content, encoding="utf-8")
        shared = ["--theme-set", scratch / "course.css", "--input-dir", scratch / "in", "--output", scratch / "out"]
        marp(program, *shared)
        if pdf:
            marp(program, *shared, "--pdf", browser=browser)
        for path in paths:
            page = scratch / "out" / path.with_suffix(".html").name
            content = page.read_text(encoding="utf-8").replace("<head>", "<head>" + mark(digests[path]), 1)
            if live.is_used(content):
                content = content.replace("</body>", live.script() + "</body>", 1)
            (target / page.name).write_text(content, encoding="utf-8", newline="\n")
            if pdf:
                sheet = target / page.with_suffix(".pdf").name
                if not sheet.exists() or not is_printed_from(sheet, digests[path]):  # Chromium numbers cells of tables
                    shutil.copyfile(page.with_suffix(".pdf"), sheet)  # by chance: a PDF that is up to date is kept
    for path in paths if pdf else []:
        sheet = target / path.with_suffix(".notes.pdf").name
        if path.stem in WITH_HANDOUT and not (sheet.exists() and is_printed_from(sheet, digests[path])):
            print_handout(program, target / path.with_suffix(".html").name, browser)


def chosen(wanted):
    """Return the texts of the decks that the user means; all when none is named."""
    paths = text.deck_paths()
    for word in wanted:
        if sum(path.stem.startswith(word) for path in paths) != 1:
            names = ", ".join(path.stem for path in paths)
            raise text.DeckError(f"deck must be the beginning of one of {names}, got {word!r}: name one of them")
    return [path for path in paths if not wanted or any(path.stem.startswith(word) for word in wanted)]


def main(arguments=None):
    """Build the slides from slides/*.md; --check only says what is out of date."""
    parser = argparse.ArgumentParser(prog="python -m tools slides", description=main.__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of names of decks, such as 04; all when none is given")
    parser.add_argument("--check", action="store_true", help="build nothing, only say what is out of date")
    options = parser.parse_args(arguments)
    lessons = text.Lessons()
    try:
        paths = chosen(options.names)
        if not options.check:
            begin = time.monotonic()
            build(paths, lessons)
            print(f"built {len(paths)} decks in {time.monotonic() - begin:.0f} s")
    except text.DeckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = [problem for path in paths for problem in problems(path, lessons)]
    print("\n".join(found) if found else "all slides are up to date")
    return 1 if found else 0
