"""Run lessons and write what follows from them.

Each ``source/NN_slug.md`` becomes ``NN_slug.ipynb``, run from top to bottom in the folder of the notebooks. Time and
memory of the lessons go to ``lessons.json``, their claims to ``CLAIMS.md``, their figures to ``figures/`` for the
slides. Building again changes no byte.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import os
import re
import sys
import tempfile
import threading
import time

import nbformat
import psutil
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from bnn_course._files import write_whole
from tools import NOTEBOOKS, ROOT, checks, form, live, pictures, text

CELL_TIMEOUT = 600  # seconds
STEPS = {"seconds": 5, "megabytes": 50}  # records are rounded up to these
TOLERANCE = 0.35  # a record is kept while the new measurement is within this share of it


class BuildError(Exception):
    """A lesson that cannot be built; the message says where and why."""


# Running --------------------------------------------------------------------------------------------------------------


class ThisPython(KernelSpecManager):
    """Starts the Python that builds, whatever kernels the user has installed."""

    def get_kernel_spec(self, kernel_name):
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


def kernel_environment(scratch):
    """Return environment variables under which outputs depend on the lesson alone."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MPLBACKEND", "MATPLOTLIBRC")}
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return environment | {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "0",  # no date in a vector figure
        "IPYTHONDIR": str(scratch),  # no start-up files of the user
        **dict.fromkeys(threads, "1"),  # sums come out the same on any number of cores
    }


def run(notebook, folder):
    """Run all cells of the notebook, in place."""
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=CELL_TIMEOUT,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR", "--ext=tools.projection"],
        resources={"metadata": {"path": str(folder)}},
    )
    with tempfile.TemporaryDirectory() as scratch:
        try:
            client.execute(env=kernel_environment(scratch), cleanup_kc=True)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            message = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
            raise BuildError(f"{notebook.metadata.title}, cell {_last_started(notebook)} failed: {message}") from None


def _last_started(notebook):
    """Return the number of the cell that was run last, counted from 0 as elsewhere."""
    started = [n for n, cell in enumerate(notebook.cells) if cell.get("execution_count") or cell.get("outputs")]
    return started[-1] if started else 0


def is_progress(message):
    """Say whether an output or a kernel's message is a progress line: it tells the time left, so it is not stored."""
    return message.get("metadata", {}).get("bnn_course") == "progress"


def tidy(notebook):
    """Drop what differs from run to run (progress lines too), and give each picture its alt text and its size.

    What is shown of a widget goes, too, as it needs a kernel; an explorer's picture and text stay. Return the figures
    for the slides: {file name: content}.
    """
    notebook.metadata = nbformat.from_dict(
        {k: v for k, v in notebook.metadata.items() if k in (*text.METADATA, "title")}
    )
    notebook.metadata.update(nbformat.from_dict(text.METADATA))
    figures = {}
    for cell in checks.code_cells(notebook):
        cell.metadata.pop("execution", None)
        cell.outputs = [output for output in cell.outputs if not is_progress(output)]
        for output in cell.outputs:
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        for output in checks.pictures(cell):
            vector = output.data.pop("image/svg+xml", None)
            size = {key: output.metadata.get("image/png", {}).get(key) for key in ("width", "height")}
            shown = {key: value for key, value in size.items() if value is not None}
            output.data["image/png"] = pictures.smaller(output.data["image/png"])
            output.metadata = nbformat.from_dict({"image/png": {"alt": cell.metadata.get("alt", "")} | shown})
            if vector is not None and not text.is_explorer(cell):
                content = pictures.shorter(vector).encode()
                file = f"{cell.metadata.get('name', f'figure-{len(figures) + 1}')}.svg"
                figures[file] = content
                output.metadata["figure"] = {"file": file, "sha256": hashlib.sha256(content).hexdigest()}
    return figures




class Usage:
    """Wall time and peak resident memory of the processes started inside a ``with`` block."""

    def __enter__(self):
        self.begin, self.megabytes, self._done = time.monotonic(), 0.0, threading.Event()
        self._others = set(psutil.Process().children(recursive=True))  # a browser of other tests, perhaps
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *error):
        self.seconds = time.monotonic() - self.begin
        self._done.set()
        self._watcher.join()

    def _watch(self):
        this = psutil.Process()
        while not self._done.wait(0.1):
            resident = 0
            for child in set(this.children(recursive=True)) - self._others:
                with contextlib.suppress(psutil.Error):
                    resident += child.memory_info().rss
            self.megabytes = max(self.megabytes, resident / 1e6)


# Records --------------------------------------------------------------------------------------------------------------


def rounded(key, measured, recorded):
    """Return the value to record: the old one while the new one is near it, else the new one rounded up."""
    step = STEPS[key]
    if recorded is not None and abs(measured - recorded) <= max(TOLERANCE * recorded, step):
        return recorded
    return step * math.ceil(measured / step)


def read_records(folder):
    """Return the contents of lessons.json, empty where there is none."""
    path = folder / "lessons.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def records_text(folder, name, title, usage):
    """Return the text of lessons.json with the new measurement of one lesson; lessons that are gone are dropped."""
    records = read_records(folder)
    old = records.get(name, {})
    measured = {"seconds": usage.seconds, "megabytes": usage.megabytes}
    records[name] = {"title": text.without_number(title)} | {
        key: rounded(key, measured[key], old.get(key)) for key in STEPS
    }
    kept = {key: records[key] for key in sorted(records) if (folder / "source" / f"{key}.md").exists()}
    return json.dumps(kept, indent=2, ensure_ascii=False) + "\n"


def write(path, content):
    """Write text or bytes so that a reader, or a crash, meets the old file or the new one, never half of one."""
    content = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)


# Building -------------------------------------------------------------------------------------------------------------


def executed(folder, name, source):
    """Return the notebook of a text, run where it will stand, its figures, and what the run used."""
    claims = {claim.id: claim for claim in checks.course_claims(folder)}
    notebook, place = text.notebook_of(source, claims), (folder / name).parent
    if place != folder:  # its figures are drawn alike
        write(place / "matplotlibrc", (folder / "matplotlibrc").read_bytes())
    with Usage() as usage:
        run(notebook, place)
    return notebook, tidy(notebook), usage


def write_notebook(folder, name, notebook, figures):
    """Write a notebook and its figures; figures that it no longer draws go."""
    nbformat.validate(notebook)
    write(folder / f"{name}.ipynb", nbformat.writes(notebook) + "\n")
    _write_figures(checks.figures_of(folder, name), figures)


def _write_figures(folder, figures):
    for path in set(checks.files_of(folder)) - {folder / file for file in figures}:
        path.unlink()
    for file, content in figures.items():
        write(folder / file, content)


def build_lesson(folder, name, *, measure=True):
    """Run one lesson; write its notebook, figures and record, and CLAIMS.md. Nothing is written when a cell fails.

    With ``measure=False`` lessons.json stays as it is, whatever this run took.
    """
    source = (folder / "source" / f"{name}.md").read_text(encoding="utf-8")
    notebook, figures, usage = executed(folder, name, source)
    if name == checks.TEMPLATE:
        write_notebook(folder, name, notebook, figures)
        return usage
    live.put_into(notebook)
    table = folder / "lessons.json"
    records = (
        records_text(folder, name, notebook.metadata.title, usage) if measure else table.read_text(encoding="utf-8")
    )
    if name.startswith("00_"):
        notebook.metadata["lessons"] = hashlib.sha256(records.encode()).hexdigest()
    write_notebook(folder, name, notebook, figures)
    write(table, records)
    write(folder / "CLAIMS.md", checks.claims_page(folder))
    return usage


def build(folder, names):
    """Build lessons, then appendices, which quote lessons; lesson 00, which shows lessons.json, comes last."""
    start = [name for name in checks.lesson_names(folder) if name.startswith("00_")]
    if not (folder / "lessons.json").exists():
        write(folder / "lessons.json", "{}\n")
    for name in [name for name in names if name not in start]:
        yield name, build_lesson(folder, name)
    for name in start:
        if name in names or checks.records_are_current(folder):
            before = read_records(folder)
            yield name, build_lesson(folder, name)
            if read_records(folder) != before:  # it showed the table without its own new row, which stays
                yield name, build_lesson(folder, name, measure=False)


def chosen(folder, wanted):
    """Return the full names of the lessons that the user means; all when none is named."""
    names = [*checks.lesson_names(folder), checks.TEMPLATE]
    names = [name for name in names if (folder / "source" / f"{name}.md").exists()]
    words = {word: f"appendix/{word}" if word[:1].isupper() else word for word in wanted}
    for word in words.values():
        if sum(name.startswith(word) for name in names) != 1:
            raise BuildError(
                f"lesson must be the beginning of one of {', '.join(names)}, got {word!r}: name one of them"
            )
    return [name for name in names if not wanted or any(name.startswith(word) for word in words.values())]


def problems(folder, names):
    """Return what is wrong with the lessons and, when all are meant, with the course."""
    found = [problem for name in names for problem in checks.problems_of_lesson(checks.read_lesson(folder, name))]
    return found + checks.problems_of_course(folder)


def main(arguments=None, folder=NOTEBOOKS):
    """Build and execute lessons from notebooks/source; --check only says what is wrong; --format tidies the code."""
    parser = argparse.ArgumentParser(prog="python -m tools lessons", description=main.__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of names of lessons, such as 09; all when none is given")
    parser.add_argument("--check", action="store_true", help="run and write nothing, only say what is wrong")
    parser.add_argument("--format", action="store_true", help="tidy the code in the sources with ruff, run nothing")
    options = parser.parse_args(arguments)
    try:
        names = chosen(folder, options.names)
        if options.format:
            for name in names:
                form.tidy_code(folder / "source" / f"{name}.md")
            return 0
        if not options.check:
            for name, usage in build(folder, names):
                print(f"{name}: built in {usage.seconds:.0f} s with {usage.megabytes:.0f} MB", flush=True)
        found = problems(folder, names if options.names else sorted({*names, *checks.lesson_names(folder)}))
    except (BuildError, text.SourceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(found) if found else "no problems found")
    return 1 if found else 0
