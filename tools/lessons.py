"""The one runner of lesson code: tests, mutants, studies, slides and exercises take cells of a lesson by name.

    lesson("08")["prune"]                                    the code of a cell
    lesson("08").run(until="prune")                          all cells up to that one; returns the names
    lesson("08").define("prune", given={"fit": fit})         only the statements that a name needs
    lesson("08").check("08-bias", replace={"laplace-rules": ("tanh", "sin")})  a claim, what it needs, a mistake

A lesson's cells run in the folder of the notebooks, without output and windows.

A statement changes what it assigns to, wholly or in part (``x[0] = 1``), what has a method called for its effect alone
(``rows.append(1)``), what it hands to a function of the lesson for its effect alone (``fill(rows)``), and the model of
``with model:`` if something is called there for its effect alone. Not seen are other effects of calls (``rows.pop()``
in an assignment, draws from a generator that statements share), a second name of the same object, and ``global``.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import functools
import io
import symtable
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tools import NOTEBOOKS, text
from tools.text import without_magics


class LessonError(Exception):
    """A cell, name or claim that a lesson does not have; the message says what it has."""


class Statement(NamedTuple):
    """A statement of a cell: its code, the names that it binds or changes, and those that it reads."""

    cell: str
    code: ast.stmt
    binds: frozenset[str]
    reads: frozenset[str]


class Lesson:
    """The code of one lesson. `cells` maps names to code, in order; a cell without a name has its place, ``"#7"``."""

    def __init__(self, path: Path):
        self.path = path
        code = [cell for cell in text.source_cells(path.read_text(encoding="utf-8")) if cell.cell_type == "code"]
        self.cells = {cell.metadata.get("name", f"#{place}"): cell.source for place, cell in enumerate(code)}
        if len(self.cells) < len(code):
            raise LessonError(f"two cells of {path.name} have the same name: rename one")

    def __getitem__(self, name: str) -> str:
        if name not in self.cells:
            named = ", ".join(cell for cell in self.cells if not cell.startswith("#"))
            raise LessonError(f"{self.path.name} has no cell {name!r}, it has {named}: name one of them")
        return self.cells[name]

    def run(
        self,
        *names: str,
        until: str | None = None,
        replace: Mapping[str, object] | None = None,
        given: Mapping[str, object] | None = None,
    ) -> dict:
        """Run cells, by name or all `until` one, and return the variables.

        `replace` maps a cell to the code that stands in for it, or to an (old, new) pair of expressions, of which the
        old one must stand in the cell once. `given` are variables that the cells find.
        """
        order = list(self.cells)
        chosen = [*names] if until is None else order[: order.index(until) + 1] if self[until] else []
        changed = self._changed(replace or {})
        trees = [_parsed(name, changed.get(name, self[name])) for name in chosen]
        return self._execute(zip(chosen, trees, strict=True), given)

    def define(
        self,
        *names: str,
        replace: Mapping[str, object] | None = None,
        given: Mapping[str, object] | None = None,
    ) -> dict:
        """Run only the statements that these names need, and return the variables; `given` ones are not computed."""
        statements = self._statements(replace)
        known = set().union(*(statement.binds for statement in statements))
        if unknown := set(names) - known:
            raise LessonError(f"{self.path.name} does not define {', '.join(sorted(unknown))}: look for other names")
        return self._execute(self._needed(statements, set(names), given), given)

    def check(
        self,
        claim: str,
        replace: Mapping[str, object] | None = None,
        given: Mapping[str, object] | None = None,
    ) -> dict:
        """Make one claim, with the statements that it needs; raises `ClaimError` if it is false."""
        statements = self._statements(replace)
        places = [place for place, statement in enumerate(statements) if claim in _texts(statement.code)]
        if len(places) != 1:
            raise LessonError(f"{self.path.name} must make the claim {claim} in one statement, got {len(places)}")
        (last,) = places
        wanted = statements[last]
        return self._execute([*self._needed(statements[:last], wanted.reads, given), (wanted.cell, wanted.code)], given)

    def _changed(self, replace: Mapping[str, object]) -> dict[str, str]:
        """Return the code of the cells that are changed."""
        changed = {}
        for name, change in replace.items():
            cell = self[name]
            if isinstance(change, str):
                changed[name] = change
                continue
            old, new = change
            if cell.count(old) != 1:
                raise LessonError(f"{old!r} must stand once in cell {name!r}, got {cell.count(old)} times")
            changed[name] = cell.replace(old, new)
        return changed

    def _statements(self, replace: Mapping[str, object] | None) -> list[Statement]:
        cells = self.cells | self._changed(replace or {})
        imported = frozenset().union(*(_imported_in(name, code) for name, code in cells.items()))
        return [statement for name, code in cells.items() for statement in _statements(name, code, imported)]

    def _needed(self, statements: list[Statement], wanted: Iterable[str], given: Mapping[str, object] | None):
        """Return the statements that bind or change a wanted name, or one that these read in turn."""
        given, wanted, chosen = set(given or {}), set(wanted), set()
        grown = True
        while grown:
            grown = False
            for place, statement in enumerate(statements):
                if place not in chosen and statement.binds & (wanted - given):
                    chosen.add(place)
                    wanted |= statement.reads
                    grown = True
        return [(statements[place].cell, statements[place].code) for place in sorted(chosen)]

    def _execute(self, parts, given: Mapping[str, object] | None) -> dict:
        variables = {"__name__": f"lesson_{self.path.stem[:2]}"} | dict(given or {})
        with _quiet_in(NOTEBOOKS / self.path.parent.relative_to(NOTEBOOKS / "source")):
            for name, code in parts:
                tree = code if isinstance(code, ast.Module) else ast.Module([code], [])
                exec(compile(tree, f"{self.path.name}, cell {name}", "exec"), variables)
        return variables


@functools.cache
def lesson(number: str) -> Lesson:
    """Return a lesson by its two digits, an appendix by its letter."""
    paths = [path for path in (NOTEBOOKS / "source").glob(f"**/{number}_*.md") if "." not in path.stem]
    if len(paths) != 1:
        raise LessonError(f"there must be one lesson {number}, got {[path.name for path in paths]}")
    return Lesson(paths[0])


def _imported(code: ast.AST):
    """Yield the names that imports bind: ``plt.show()`` does not change `plt`."""
    aliases = (node for node in ast.walk(code) if isinstance(node, ast.alias))
    return ((alias.asname or alias.name).split(".")[0] for alias in aliases)


@functools.cache
def _imported_in(cell: str, code: str) -> frozenset[str]:
    return frozenset(_imported(_parsed(cell, code)))


@functools.cache
def _statements(cell: str, code: str, imported: frozenset[str]) -> list[Statement]:
    return [_statement(cell, statement, imported) for statement in _parsed(cell, code).body]


def _parsed(cell: str, code: str) -> ast.Module:
    return ast.parse(without_magics(code), f"cell {cell}")


def _statement(cell: str, code: ast.stmt, imported: frozenset[str]) -> Statement:
    """Read off which names a statement binds, changes in place, and reads."""
    bound = {*_bound(code)} | ({*_changed_in_place(code, imported)} - imported)
    return Statement(cell, code, frozenset(bound), frozenset(_read(code)))


def _bound(code: ast.AST):
    """Yield the names that a statement binds in the notebook's namespace."""
    yield from _imported(code)
    for node in _outside_functions(code):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id


def _changed_in_place(code: ast.AST, imported: frozenset[str]):
    """Yield the names whose content a statement may change."""
    for node in _outside_functions(code):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield _root(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            if not isinstance(call.func, ast.Name):
                yield _root(call.func)  # rows.append(…), ax.plot(…)
            elif call.func.id not in imported and not hasattr(builtins, call.func.id):
                yield from map(_root, call.args)  # fill(rows)
        elif isinstance(node, ast.With) and any(isinstance(statement, ast.Expr) for statement in node.body):
            yield from (item.context_expr.id for item in node.items if isinstance(item.context_expr, ast.Name))


def _outside_functions(code: ast.AST):
    """Walk a statement, but not into bodies of functions, classes and comprehensions: their names are their own."""
    yield code
    if isinstance(code, ast.FunctionDef | ast.ClassDef | ast.Lambda):
        return
    comprehension = isinstance(code, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
    for child in [] if comprehension else ast.iter_child_nodes(code):
        yield from _outside_functions(child)


def _root(node: ast.AST) -> str:
    """Return the name at the beginning of ``a.b[c].d``."""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _read(code: ast.AST) -> set[str]:
    """Return the names that a statement, or a function in it, may find outside itself: not those that it has itself."""
    nodes = [*_outside_functions(code)]
    changed = [node for node in nodes if isinstance(node, ast.AugAssign | ast.Delete)]
    own = [node.target for node in nodes if isinstance(node, ast.For)]
    own += [node.optional_vars for node in nodes if isinstance(node, ast.withitem) and node.optional_vars]
    scopes = [symtable.symtable(ast.unparse(_WithoutComprehensions().visit(copy.deepcopy(code))), "cell", "exec")]
    for scope in scopes:
        scopes += scope.get_children()
    symbols = [symbol for scope in scopes for symbol in scope.get_symbols()]
    read = {symbol.get_name() for symbol in symbols if symbol.is_referenced() and symbol.is_global()}
    return (read | _names(changed)) - _names(own)


class _WithoutComprehensions(ast.NodeTransformer):
    """Writes comprehensions as functions: Python 3.12 and newer count their variables as those of the notebook."""

    def _as_function(self, node):
        self.generic_visit(node)
        first, *others = node.generators
        variables = sorted(_names([generator.target for generator in node.generators]))
        inside = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        inside += [test for generator in node.generators for test in generator.ifs]
        inside += [generator.iter for generator in others]
        head = ast.arguments([], [ast.arg(name) for name in variables], None, [], [], None, [])
        return ast.Tuple([first.iter, ast.Lambda(head, ast.Tuple(inside, ast.Load()))], ast.Load())

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _as_function


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}


def _texts(code: ast.AST) -> set[str]:
    """Return the first arguments of the calls of `claim` in a statement."""
    calls = [node for node in ast.walk(code) if isinstance(node, ast.Call) and _root(node.func) == "claim"]
    return {call.args[0].value for call in calls if call.args and isinstance(call.args[0], ast.Constant)}


@contextlib.contextmanager
def _quiet_in(folder: Path):
    import matplotlib
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        try:
            yield
        finally:
            plt.close("all")
