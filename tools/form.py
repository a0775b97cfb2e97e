"""What a lesson in the form of today must satisfy besides `tools.checks`: it teaches, and its tests stand behind.

A check takes a `Lesson` and returns sentences that say what is wrong. Lessons that are still in the old form are named
in `NOT_YET`; a lesson leaves the list when it is rewritten.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import re
import string
import subprocess
import sys
from pathlib import Path

import nbformat

from tools import ROOT, text

NOT_YET: set[str] = set()
WORDS_A_MINUTE, LINES_A_MINUTE, ROUNDED_TO = 200, 12, 5
BUDGET = {"cells": 60, "words": 2_800, "visible lines of code": 220, "results": 12, "figures": 10}
MAX_TEACHING_LINES, MAX_MODEL_LINES = 15, 20
LINE_LENGTH = 88
MEASURED = {"value", "low", "high"}
PLOTTING = {"fig", "ax", "axes"}  # every figure has its own
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
HOW_LONG = "**How long it takes** — about {} minutes to read (text and code; the exercises come on top)"
RECORD = re.compile(r"(?<!course_file\()[\"'](?:\.\./)?(records/[^\"']*)[\"']")
ROW_CODE = re.compile(r"\bS(?:1\d|20|[1-9])\b")
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


# Budgets --------------------------------------------------------------------------------------------------------------


def measures(lesson):
    """Return what the budgets are about: {measure: number}. Results are those printed, or written where none are."""
    built = text.notebook_of(lesson.source, lesson.claims)
    prose = [cell for cell in text.source_cells(lesson.source) if cell.cell_type == "markdown"]
    code = _code(lesson)
    visible = [line for cell in code if not text.is_folded(cell) for line in cell.source.splitlines() if line.strip()]
    drawn = [cell for cell in code if "alt" in cell.metadata and not text.is_explorer(cell)]
    printed = sum(claim.lesson == lesson.name for claim in lesson.claims.values())
    return {
        "cells": len(built.cells),
        "words": sum(len(text.words(cell.source)) for cell in prose if not _is_apparatus(cell)),
        "visible lines of code": len(visible),
        "results": max(sum(len(_claims(cell)) for cell in code), printed),
        "figures": len(drawn),
        "widest line": max((len(line) for cell in code for line in cell.source.splitlines()), default=0),
    }


def _is_apparatus(cell):
    """Say whether a cell is a list to look things up in, which nobody reads from beginning to end."""
    return cell.source.startswith("## Sources") or "| symbol |" in cell.source


def minutes(source):
    """Return how long a lesson takes to read, prose and visible code, without its exercises."""
    cells = text.source_cells(source)
    prose = [cell for cell in cells if cell.cell_type == "markdown" and not cell.source.startswith("## Exercises")]
    code = [cell for cell in cells if cell.cell_type == "code" and not text.is_folded(cell)]
    words = sum(len(text.words(cell.source)) for cell in prose if not _is_apparatus(cell))
    lines = sum(bool(line.strip()) for cell in code for line in cell.source.splitlines())
    return max(1, round((words / WORDS_A_MINUTE + lines / LINES_A_MINUTE) / ROUNDED_TO)) * ROUNDED_TO


def is_within_budget(lesson):
    """A lesson is one class session."""
    measured = measures(lesson)
    return [f"{measured[key]} {key}, at most {most}" for key, most in BUDGET.items() if measured[key] > most]


def reading_time_is_true(lesson):
    """The first cell says how many minutes a lesson takes to read, as measured; an appendix may leave it out."""
    first = text.source_cells(lesson.source)[0].source
    measured = minutes(lesson.source)
    pattern = re.escape(HOW_LONG).replace(r"\ ", r"\s+").replace(r"\{\}", r"(\d+)")
    said = re.search(pattern, first)
    if said and abs(int(said[1]) - measured) <= ROUNDED_TO:
        return []
    if lesson.name.startswith("appendix/") and "How long it takes" not in first:
        return []
    return [f"it takes about {measured} minutes to read, by words and lines: write “{HOW_LONG.format(measured)}, …”"]


# Cells ----------------------------------------------------------------------------------------------------------------


def cells_have_names(lesson):
    """Every code cell has a name of lower-case words, its own."""
    names = [cell.metadata.get("name", "") for cell in _code(lesson)]
    problems = [f"a cell needs :name: lower-case-words: {_start(c)}" for c in _code(lesson) if not _is_named(c)]
    return problems + [f"{names.count(n)} cells are named {n}" for n in sorted(set(names)) if names.count(n) > 1 and n]


def _is_named(cell):
    return bool(NAME.fullmatch(str(cell.metadata.get("name", ""))))


def cells_are_of_one_kind(lesson):
    """A claim stands in a result cell, and only there; a folded cell begins with a comment that says what it holds."""
    problems = []
    for cell in _code(lesson):
        is_result = "result" in text.tags(cell)
        if _claims(cell) and not is_result:
            problems.append(f"a claim in a cell that teaches, give it a cell with the tag result: {_start(cell)}")
        if is_result and not _claims(cell):
            problems.append(f"a result cell without a claim: {_start(cell)}")
        if text.is_folded(cell) and not cell.source.lstrip().startswith("#"):
            problems.append(f"a folded cell begins with a comment that says what it holds: {_start(cell)}")
    return problems


def explorers_stand_alone(lesson):
    """An explorer's cell uses no variable of its lesson: it runs by itself, on a page where nothing else has run."""
    problems = []
    for cell in _code(lesson):
        tree = ast.parse(text.without_magics(cell.source))
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        own = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | _imported(tree) | set(dir(builtins))
        foreign = sorted({node.id for node in names} - own)
        if text.is_explorer(cell) and foreign:
            problems.append(f"an explorer that needs {', '.join(foreign)} of the lesson, import it: {_start(cell)}")
    return problems


def _imported(tree):
    aliases = [node for node in ast.walk(tree) if isinstance(node, ast.alias)]
    return {(alias.asname or alias.name).split(".")[0] for alias in aliases}


def teaching_cells_are_short(lesson):
    """What a student reads has at most fifteen lines, a model twenty."""
    problems = []
    for cell in _code(lesson):
        lines = len(cell.source.splitlines())
        most = MAX_MODEL_LINES if "pm.Model(" in cell.source else MAX_TEACHING_LINES
        if not text.is_folded(cell) and lines > most:
            problems.append(f"a teaching cell of {lines} lines, at most {most}: {_start(cell)}")
    return problems


# Code -----------------------------------------------------------------------------------------------------------------


def tidy_code(path: Path) -> None:
    """Write the code cells of a source as `ruff format` does with lines of 88 columns."""
    source = path.read_text(encoding="utf-8")
    codes = [cell.source for cell in text.source_cells(source) if cell.cell_type == "code"]
    for code, tidy in zip(codes, _formatted(codes), strict=True):
        source = source.replace(f"\n{code}\n```", f"\n{tidy}\n```", 1)
    path.write_text(source, encoding="utf-8")


def _formatted(codes):
    """Return code cells as `ruff format` writes them; raises `SourceError` where it cannot read them."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        f"--line-length={LINE_LENGTH}",
        "--stdin-filename=cell.ipynb",
        "-",
    ]
    cells = [nbformat.v4.new_code_cell(code, id=f"cell-{place}") for place, code in enumerate(codes)]
    notebook = nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(text.METADATA)))
    done = subprocess.run(command, input=notebook, capture_output=True, encoding="utf-8", cwd=ROOT)
    if done.returncode:
        raise text.SourceError(f"ruff cannot read the code: {done.stderr.strip()}")
    return [cell.source for cell in nbformat.reads(done.stdout, as_version=4).cells]


def code_is_tidy(lesson):
    """Code is as `ruff format` leaves it, in lines of at most 88 columns."""
    wide = [
        f"a line of {len(line)} columns, at most {LINE_LENGTH}: {line.strip()[:60]}"
        for cell in _code(lesson)
        for line in cell.source.splitlines()
        if len(line) > LINE_LENGTH
    ]
    try:
        tidy = _formatted([cell.source for cell in _code(lesson)])
    except text.SourceError as error:
        return [*wide, str(error)]
    return wide + [
        f"code is not tidy, run `python -m tools lessons --format {lesson.name[:2]}`: {_start(cell)}"
        for cell, code in zip(_code(lesson), tidy, strict=True)
        if code != cell.source
    ]


def code_is_python(lesson):
    """Python reads every cell once the lines for IPython alone, which begin with % or !, are left out."""
    problems = []
    for cell in _code(lesson):
        try:
            ast.parse(text.without_magics(cell.source))
        except SyntaxError as error:
            problems.append(f"not Python ({error.msg}, line {error.lineno}): {_start(cell)}")
    return problems


def code_is_simple(lesson):
    """No comprehension in a comprehension, and no name that is assigned for nothing."""
    trees = _trees(lesson)
    read = {node.id for tree in trees.values() for node in ast.walk(tree) if _is_read(node)}
    problems = []
    for name, tree in trees.items():
        for node in ast.walk(tree):
            inner = [child for child in ast.walk(node) if child is not node and isinstance(child, COMPREHENSIONS)]
            if isinstance(node, COMPREHENSIONS) and inner:
                problems.append(f"a comprehension in a comprehension, line {node.lineno} of cell {name}: write a loop")
        for statement in tree.body:
            unused = [target for target in _single_targets(statement) if target not in read]
            problems += [f"{target} is assigned for nothing in cell {name}" for target in unused]
    return problems


def _is_read(node):
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _single_targets(statement):
    """Return the names that a statement assigns one by one; what is unpacked may have parts that nobody uses."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def names_mean_one_thing(lesson):
    """A name of the notebook is bound in one cell, so that any earlier cell can be run again."""
    bound = {}
    for cell, tree in _trees(lesson).items():
        for name, code in _bound_at_top(tree):
            bound.setdefault(name, {}).setdefault(code, cell)
    return [
        f"{name} means different things in the cells {', '.join(dict.fromkeys(codes.values()))}: give it two names"
        for name, codes in bound.items()
        if len(set(codes.values())) > 1 and name not in PLOTTING
    ]


def _bound_at_top(tree):
    """Yield the names that a cell assigns or defines, with the code that does it; names of loops are left out."""
    for statement in tree.body:
        code = ast.unparse(statement)
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name, code
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        for node in itertools.chain.from_iterable(ast.walk(target) for target in targets):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, code


def records_are_found(lesson):
    """A record is read through `data.course_file`, which finds it whatever folder the notebook was opened from."""
    names = [found[1] for cell in _code(lesson) for found in RECORD.finditer(cell.source)]
    return [f'a path that only one folder knows, read it by data.course_file("{name}")' for name in names]


# Results and sources --------------------------------------------------------------------------------------------------


def results_are_visible(lesson):
    """A sentence with a bound shows what was measured, in digits fine enough for the bound.

    A bound alone, or a sentence that repeats it, says nothing; and 0.97 shown as 1.0 seems to miss “at most 0.98”.
    """
    problems = []
    for cell in _code(lesson):
        for call in _claims(cell):
            bounds = {word.arg: word.value for word in call.keywords if word.arg in {"at_least", "at_most", "equal_to"}}
            fields = {field: spec for field, spec in _fields(call).items() if field in MEASURED}
            if bounds and not fields:
                problems.append(f"a bound without a visible value, show {{value}} or {{low}}: {ast.unparse(call)[:70]}")
            coarse = [f for f, spec in fields.items() if any(_seems_missed(spec, *bound) for bound in bounds.items())]
            problems += [
                f"{{{field}}} needs more digits beside its bound: {ast.unparse(call)[:70]}" for field in coarse
            ]
    return problems


def _seems_missed(spec, kind, bound):
    """Say whether a value that keeps its bound seems to miss it, once a format has rounded it."""
    try:
        end = float(ast.literal_eval(bound))
        shown, percent = text.quantity(format(end, spec))
    except (TypeError, ValueError):  # a computed bound
        return False
    gap = end - float(shown) / (100 if percent else 1)
    return abs(gap) > 1e-9 * abs(end) and (gap > 0 if kind == "at_least" else kind == "at_most")


def _claims(cell):
    """Return the calls of `claim` in a cell, written alone or as ``claims.claim``."""
    calls = [node for node in ast.walk(_tree(cell)) if isinstance(node, ast.Call)]
    return [call for call in calls if "claim" in (getattr(call.func, "id", ""), getattr(call.func, "attr", ""))]


def _fields(call):
    """Return the fields of the sentence of a claim, with their formats: {field: format}."""
    sentences = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "sentence")]
    texts = [node.value for sentence in sentences for node in ast.walk(sentence) if isinstance(node, ast.Constant)]
    whole = "".join(part for part in texts if isinstance(part, str))
    try:
        return {field: spec for _, field, spec, _ in string.Formatter().parse(whole) if field}
    except ValueError:  # a brace that is not closed; `claim` says so
        return {}


def sources_are_cited(lesson):
    """Whatever the section Sources lists is cited in the text."""
    prose = [cell.source for cell in text.source_cells(lesson.source) if cell.cell_type == "markdown"]
    captions = [cell.metadata["caption"] for cell in _code(lesson) if "caption" in cell.metadata]
    cited = "\n".join([*(part for part in prose if not part.startswith("## Sources")), *map(str, captions)])
    listed = [key for part in prose for key, _ in text.SOURCE_ITEM.findall(part)]
    return [
        f"the source {key} is listed and never cited: link to #source-{key}, or drop it"
        for key in listed
        if f"](#source-{key})" not in cited and f"{{source={key}}}" not in cited
    ]


def no_row_codes(lesson):
    """The rows of the 2017 deck have their names (S1 … S20) on one page only, the appendix."""
    if lesson.name.startswith("appendix/A_"):
        return []
    return [f"{found.group()} is a name for us: say it in words" for found in ROW_CODE.finditer(lesson.source)]


CHECKS = [
    is_within_budget,
    reading_time_is_true,
    cells_have_names,
    cells_are_of_one_kind,
    explorers_stand_alone,
    teaching_cells_are_short,
    code_is_tidy,
    code_is_python,
    code_is_simple,
    names_mean_one_thing,
    records_are_found,
    results_are_visible,
    sources_are_cited,
    no_row_codes,
]


# Helpers --------------------------------------------------------------------------------------------------------------


def _code(lesson):
    return [cell for cell in text.source_cells(lesson.source) if cell.cell_type == "code"]


def _trees(lesson):
    """Return the code of the cells, parsed: {name: tree}."""
    return {cell.metadata.get("name", f"#{n}"): _tree(cell) for n, cell in enumerate(_code(lesson))}


def _tree(cell):
    """Return the code of a cell, parsed; nothing where it is not Python, which `code_is_python` reports."""
    try:
        return ast.parse(text.without_magics(cell.source))
    except SyntaxError:
        return ast.Module([], [])


def _start(cell):
    return f"“{cell.source.strip().splitlines()[0][:60]}”"
