"""The package's rooms: who may import whom, what an import does, and that everything public is documented."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bnn_course"

# A module imports only modules of a smaller number. A new module gets its place here.
FLOOR = {
    "_answer": 1,
    "_checks": 0,
    "_files": 0,
    "_graph": 1,
    "_problem": 2,
    "_loop": 2,
    "_tanh": 0,
    "_checkpoint": 3,
    "_predict": 3,
    "answers": 2,
    "claims": 2,
    "data": 1,
    "explorers": 3,
    "explorers.functions": 4,
    "explorers.pruning": 4,
    "explorers.shrinkage": 4,
    "explorers.transforms": 4,
    "explorers.chains": 4,
    "explorers.bounds": 4,
    "explorers.posteriors": 4,
    "explorers.digits": 4,
    "explorers.calibration": 5,
    "explorers.funnels": 4,
    "explorers.independence": 4,
    "explorers.trust": 4,
    "explorers.units": 4,
    "datasets.build_datasets": 1,
    "datasets.build_tables": 1,
    "exact": 1,
    "exercises": 3,
    "models": 1,
    "representations": 1,
    "samplers": 1,
    "uncertainty": 1,
    "variational": 1,
    "inference": 4,
    "plots": 2,
}
BACKENDS = {"pymc", "pytensor", "jax", "jaxlib", "arviz"}
KNOW_BACKENDS = {"_graph", "_problem", "_loop", "_tanh", "_checkpoint", "_predict", "inference", "models"}
LIGHT = sorted(set(FLOOR) - KNOW_BACKENDS)


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "bnn_course"


MODULES = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}


def imports(tree, package=""):
    """Every module that a tree imports, under its full name; names taken from a package count as modules too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import: write the full name, so that readers and this test see it"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(tree):
    """The rooms of the package that a tree imports."""
    names = {name.removeprefix("bnn_course.") for name in imports(tree) if name.startswith("bnn_course.")}
    return names & set(MODULES) - {"bnn_course", "datasets"}


# --- direction ----------------------------------------------------------------------------------


def test_every_module_has_its_place():
    assert set(MODULES) - {"bnn_course", "datasets"} == set(FLOOR)


@pytest.mark.parametrize("module", FLOOR)
def test_imports_go_only_downward(module):
    higher = {other for other in own_imports(MODULES[module]) if FLOOR[other] >= FLOOR[module]}
    assert higher == set(), f"{module} stands on floor {FLOOR[module]} and must not import {higher}"


def test_the_package_itself_imports_no_room():
    assert own_imports(MODULES["bnn_course"]) == set()


@pytest.mark.parametrize("module", [*LIGHT, "bnn_course"])
def test_only_the_rooms_that_know_backends_import_them(module):
    assert {name.partition(".")[0] for name in imports(MODULES[module])} & BACKENDS == set()


def test_the_checks_above_see_what_they_look_for():
    upward = ast.parse("from bnn_course import plots\nfrom bnn_course.inference import fit\nimport bnn_course.data")
    assert own_imports(upward) == {"plots", "inference", "data"}
    hidden = ast.parse("def late():\n    import pymc.math\n    from pytensor import tensor")
    assert {"pymc.math", "pytensor"} <= imports(hidden)


# --- what an import does ------------------------------------------------------------------------

NO_NETWORK = """
import socket

def refuse(*arguments, **keywords):
    raise AssertionError("an import reached for the network")

socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
socket.getaddrinfo = socket.create_connection = refuse
"""


def run_python(code, *options, cwd, **variables):
    environment = {key: value for key, value in os.environ.items() if key != "PYTENSOR_FLAGS"}
    environment |= {"PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("module", ["bnn_course", *(f"bnn_course.{name}" for name in LIGHT)])
def test_light_import_is_silent_offline_and_knows_no_backend(module, tmp_path):
    code = f"{NO_NETWORK}\nimport sys, {module}\nprint(sorted({BACKENDS!r} & set(sys.modules)))"
    done = run_python(code, "-W", "error", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("module", sorted(KNOW_BACKENDS))
def test_heavy_import_is_silent_and_offline(module, tmp_path):
    done = run_python(f"{NO_NETWORK}\nimport bnn_course.{module}", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_network_check_sees_a_connection(tmp_path):
    done = run_python(f"{NO_NETWORK}\nimport urllib.request as u\nu.urlopen('http://127.0.0.1:9')", cwd=tmp_path)
    assert "an import reached for the network" in done.stderr


def settings(code, tmp_path, **variables):
    report = "import pytensor\nprint(pytensor.config.mode, repr(pytensor.config.cxx), pytensor.config.floatX)"
    done = run_python(f"{code}\n{report}", cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_package_sets_pytensor_up(tmp_path):
    assert settings("import bnn_course", tmp_path) == ["NUMBA", "''", "float64"]


def test_the_package_sets_pytensor_up_when_it_was_there_first(tmp_path):
    assert settings("import pytensor, bnn_course", tmp_path)[:2] == ["NUMBA", "''"]


@pytest.mark.parametrize("code", ["import bnn_course", "import pytensor, bnn_course"])
def test_flags_of_the_user_win(code, tmp_path):
    flags = "mode=FAST_COMPILE,floatX=float32"
    assert settings(code, tmp_path, PYTENSOR_FLAGS=flags) == ["FAST_COMPILE", "''", "float32"]


# --- documentation ------------------------------------------------------------------------------


def public(tree, prefix=""):
    """Yield (name, node) for every public class, function and method."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{prefix}{node.name}.")


def undocumented(tree):
    """Yield what a reader would miss: a docstring, or a parameter that the docstring does not name."""
    if not ast.get_docstring(tree):
        yield "the module"
    for name, node in public(tree):
        text = ast.get_docstring(node) or ""
        if not text:
            yield name
        elif isinstance(node, ast.FunctionDef):
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            yield from (f"{name}({a.arg})" for a in arguments if a.arg not in {"self", "cls"} and a.arg not in text)


# Not for students: the private modules, and the scripts that build the data sets.
PUBLIC = sorted(m for m in MODULES if not m.startswith(("_", "datasets.build_")))


@pytest.mark.parametrize("module", PUBLIC)
def test_everything_public_is_documented(module):
    assert list(undocumented(MODULES[module])) == []


def test_the_check_above_sees_a_missing_docstring():
    bare = ast.parse('"""Doc."""\ndef f(x):\n    """Twice."""\nclass C:\n    """Doc."""\n    def m(self): pass')
    assert list(undocumented(bare)) == ["f(x)", "C.m"]


# The repository -------------------------------------------------------------------------------------------------------

FOLDERS = ("bnn_course", "tools", "tests", "studies", "benchmarks")
SCRIPTS = [path for part in FOLDERS for path in sorted((ROOT / part).rglob("*.py"))]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_script_changes_where_python_looks_for_modules(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "path"]
    changed = [node.lineno for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "sys"]
    assert not changed, f"sys.path in line {changed}: the repository is importable once the course is installed"


def test_no_two_modules_of_the_tools_share_a_name():
    names = [path.stem for part in ("tools", "tests") for path in (ROOT / part).glob("*.py") if path.stem != "__init__"]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", sorted((ROOT / "tests").glob("*.py")), ids=lambda path: path.stem)
def test_lesson_code_has_one_runner(path):
    """Nothing but `tools.lessons` reads and runs the code of a lesson.

    The explorers' cells run in a browser, too; the site puts a cell of its own in front of the notebooks to download.
    """
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    run = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "exec"]
    assert not run or path.stem in {"test_explorers_in_browser", "test_site"}, f"exec in line {run}: use tools.lessons"
