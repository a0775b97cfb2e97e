"""One set of dependencies: its ranges in pyproject.toml, its versions in requirements.lock, and who installs them."""

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import course

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIME = [Requirement(text) for text in PROJECT["dependencies"]]
DEVELOPMENT = [Requirement(text) for text in PROJECT["optional-dependencies"]["dev"]]
CLUSTER = [Requirement(text) for text in PROJECT["optional-dependencies"]["cluster"]]
PEERS = [Requirement(text) for text in PROJECT["optional-dependencies"]["bench"]]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
SYSTEMS = ["linux", "darwin", "win32"]
STACKS = {"3.11": {"pymc": 5, "arviz": 0}, "3.12": {"pymc": 6, "arviz": 1}}
TESTED = ("3.11", "3.13")  # a failure on one of these stops a change
# Modules whose project has another name, or which another project brings (PyMC its PyTensor). Else module = project.
MODULES = {"sklearn": "scikit-learn", "yaml": "pyyaml", "IPython": "ipython", "PIL": "pillow"}
MODULES |= {"pytensor": "pymc", "xarray": "arviz", "dask": "distributed"}


def marked(marker, python, system):
    """Does a line with this marker apply to this Python on this system?"""
    platform = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[system]
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_system": platform,
        "os_name": "nt" if system == "win32" else "posix",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "extra": "",
    }
    return marker is None or Marker(str(marker)).evaluate(environment)


def lock_lines():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pins(python, system):
    """The lock for one Python on one system: {project: version}; a second pin of the same project is an error."""
    chosen = {}
    for requirement in map(Requirement, lock_lines()):
        if marked(requirement.marker, python, system):
            name = canonicalize_name(requirement.name)
            assert name not in chosen, f"two pins of {name} for Python {python} on {system}"
            (pin,) = requirement.specifier
            chosen[name] = Version(pin.version)
    return chosen


def conda():
    """environment.yml as ([what conda installs], [what pip installs])."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (by_pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    return [entry for entry in entries if isinstance(entry, str)], by_pip


def workflow(name):
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


# --- package ------------------------------------------------------------------------------------


def test_an_installed_package_brings_its_data_sets(tmp_path):
    subprocess.run([sys.executable, "-m", "flit_core.wheel", "--outdir", tmp_path, ROOT], check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = set(wheel.namelist())
    shipped = {file.relative_to(ROOT).as_posix() for file in (ROOT / "bnn_course" / "datasets").glob("*.npz")}
    assert len(shipped) >= 2 and shipped <= packed


# --- lock ---------------------------------------------------------------------------------------


def test_lock_holds_only_names_versions_and_markers():
    wrong = [line for line in lock_lines() if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+( ; .+)?", line)]
    assert wrong == []
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_lock_names_the_command_that_makes_it():
    header = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()[:3]
    assert any("uv pip compile --universal" in line and "pyproject.toml" in line for line in header)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_lock_satisfies_the_project_on_every_python_and_system(python, system):
    chosen = pins(python, system)
    for requirement in RUNTIME + DEVELOPMENT + CLUSTER:
        if marked(requirement.marker, python, system):
            name = canonicalize_name(requirement.name)
            assert name in chosen, f"{name} is missing from requirements.lock: compile it again"
            assert chosen[name] in requirement.specifier, f"{requirement}, but {chosen[name]} is locked"


@pytest.mark.parametrize("python", PYTHONS)
def test_only_the_two_tested_stacks_can_be_resolved(python):
    stack = STACKS["3.11" if python == "3.11" else "3.12"]
    locked = pins(python, "linux")
    for name, major in stack.items():
        assert locked[name].major == major
        ranges = [r.specifier for r in RUNTIME if r.name == name and marked(r.marker, python, "linux")]
        assert len(ranges) == 1
        other = {0: "1.3", 1: "0.23.4", 5: "6.4", 6: "5.28.5"}[major]
        assert other not in ranges[0], f"Python {python} could resolve to {name} {other}"


def test_both_stacks_share_the_versions_that_stored_outputs_depend_on():
    first, second = pins("3.11", "linux"), pins("3.13", "linux")
    assert {name: first[name] for name in ("jax", "jaxlib", "nbval")} == {
        name: second[name] for name in ("jax", "jaxlib", "nbval")
    }


def test_python_range_is_the_one_that_the_script_accepts():
    script = ast.parse((ROOT / "course.py").read_text(encoding="utf-8"))
    (accepted,) = [n.value for n in script.body if isinstance(n, ast.Assign) and n.targets[0].id == "PYTHONS"]
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert ast.literal_eval(accepted) == PYTHONS == [v for v in map("3.{}".format, range(6, 40)) if v in allowed]


def test_lock_is_complete():
    """What the installed projects need, step by step, has a line in the lock."""
    python = "{}.{}".format(*sys.version_info[:2])
    locked, todo, seen = pins(python, sys.platform), [canonicalize_name(r.name) for r in RUNTIME + DEVELOPMENT], set()
    while todo:
        name = todo.pop()
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # not for this Python, or a conda package under another name
        assert name in locked, f"{name} is installed and needed, but not locked"
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                todo += {canonicalize_name(need.name)} - seen
                seen.add(canonicalize_name(need.name))
    assert "numpy" in seen


# --- environment.yml ----------------------------------------------------------------------------


def installed_by_setup(monkeypatch, tmp_path):
    """What `make setup` asks pip for: the files after -r and the folders after -e, relative to the course."""
    monkeypatch.setenv("COURSE_VENV", str(tmp_path / "venv"))
    calls = []
    monkeypatch.setattr(course, "pip_install", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(course, "make_venv", lambda: course.venv_folder().mkdir())
    course.setup()
    for arguments in calls:
        *_, option, path = arguments
        yield f"{option} {Path(path).relative_to(ROOT).as_posix()}"


def test_conda_and_binder_install_what_setup_installs(monkeypatch, tmp_path):
    by_conda, by_pip = conda()
    assert [re.split("[=<>]", entry)[0] for entry in by_conda] == ["python", "pip"]
    assert by_pip == list(installed_by_setup(monkeypatch, tmp_path))


def test_the_python_of_conda_and_binder_is_one_that_must_pass_the_tests():
    (python,) = [entry.partition("=")[2] for entry in conda()[0] if entry.startswith("python=")]
    matrix = workflow("tests")["jobs"]["tests"]["strategy"]["matrix"]
    assert python in matrix["python"] and python in PYTHONS
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (stack_b,) = re.findall(r"^if PYTHON=\$\(python_of (\S+)", script, flags=re.MULTILINE)
    assert python == stack_b, "it is the Python in which .ci/run installs the lock file"


# --- the canary ---------------------------------------------------------------------------------


def test_the_canary_resolves_the_ranges_afresh_each_week_and_runs_the_tests():
    canary = workflow("canary")
    ((cron,),) = [entry.values() for entry in canary[True]["schedule"]]  # YAML 1.1 reads the key "on" as true
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", cron)
    commands = [step["run"] for step in canary["jobs"]["canary"]["steps"] if "run" in step]
    header = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()[1]
    compile_lock = header.removeprefix("#").strip().replace("compile", "compile --upgrade")
    compiles, tests = commands.index(compile_lock), commands.index("python course.py test")
    assert compiles < tests
    assert canary["jobs"]["canary"]["strategy"]["matrix"]["python"] == list(TESTED)


def test_a_canary_that_dies_opens_one_issue():
    job = workflow("canary")["jobs"]["canary"]
    *others, last = job["steps"]
    assert job["permissions"] == {"contents": "read", "issues": "write"}
    assert "failure()" in last["if"] and not any("if" in step or step.get("continue-on-error") for step in others)
    look, create = last["run"].splitlines()
    assert look.startswith("gh issue list ") and look.endswith("|| exit 0") and "--state open" in look
    assert create.startswith("gh issue create ") and all("$TITLE" in line for line in (look, create))


# --- what the files import ----------------------------------------------------------------------


def sources():
    """Yield (path, code, may it use what only development needs?) for the course's Python, code cells included."""
    developing = dict.fromkeys(("tools", "studies", "tests", "benchmarks"), True)
    for folder, development in ({"bnn_course": False} | developing).items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, path.read_text(encoding="utf-8"), development
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                lines = "".join(cell["source"]).splitlines()
                yield path, "\n".join(line for line in lines if not line.startswith(("%", "!"))), False
    for path in sorted(ROOT.glob("*.py")):
        yield path, path.read_text(encoding="utf-8"), True


def imported(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def test_every_import_is_declared():
    runtime = {canonicalize_name(r.name) for r in RUNTIME}
    development = runtime | {canonicalize_name(r.name) for r in DEVELOPMENT + CLUSTER}
    peers = {canonicalize_name(r.name) for r in PEERS}
    cluster = {canonicalize_name(r.name) for r in CLUSTER}  # lesson 14 says how to install it
    folders = (".", "tools", "studies", "tests", "benchmarks")
    scripts = [path.stem for folder in folders for path in ROOT.glob(f"{folder}/*.py")]
    own = {"bnn_course", "tools", "studies", "benchmarks", "tests", *scripts, "__future__"}
    missing = {
        (path.relative_to(ROOT).as_posix(), module)
        for path, code, may_develop in sources()
        for module in imported(code)
        if module not in sys.stdlib_module_names | own
        and canonicalize_name(MODULES.get(module, module))
        not in (development if may_develop else runtime)
        | (peers if path.parent.name == "benchmarks" else set())
        | (cluster if path.name.startswith("14_") else set())
    }
    assert missing == set(), "declare these in pyproject.toml, and compile requirements.lock"


def test_the_script_needs_nothing_but_python():
    assert set(imported((ROOT / "course.py").read_text(encoding="utf-8"))) <= sys.stdlib_module_names


# --- the words ----------------------------------------------------------------------------------


def words_of_the_script():
    script = ast.parse((ROOT / "course.py").read_text(encoding="utf-8"))
    (table,) = [n.value for n in script.body if isinstance(n, ast.Assign) and n.targets[0].id == "WORDS"]
    return [key.value for key in table.keys]


def test_makefile_has_the_words_of_the_script():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^(\w[\w ]*):\n\t@\$\(PYTHON\) course\.py \$@", makefile, flags=re.MULTILINE)
    assert targets.group(1).split() == words_of_the_script()
    assert ".DEFAULT_GOAL := help" in makefile


def test_readme_asks_for_as_much_disk_as_the_script():
    script = ast.parse((ROOT / "course.py").read_text(encoding="utf-8"))
    (disk,) = [n.value.value for n in script.body if isinstance(n, ast.Assign) and n.targets[0].id == "DISK_GB"]
    assert f"{disk} GB" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_the_test_command_of_the_readme():
    assert re.search(r"\bmake test\b", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        steps = [step for job in workflow(path.stem)["jobs"].values() for step in job["steps"]]
        assert any("course.py test" in step.get("run", "") for step in steps)
    assert workflow("tests")["jobs"]["tests"]["strategy"]["matrix"]["python"] == list(TESTED)


def test_ci_hands_saved_fits_from_each_stack_to_the_other():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    handed = re.findall(r"test_checkpoints_across_stacks (\w+) \"?(\S+)/checkpoints", script)
    assert handed == [("write", "$COURSE_VENV"), ("read", ".venv-a"), ("write", ".venv-b"), ("read", ".venv-b")]


def test_citation_names_the_version_of_the_package():
    package = (ROOT / "bnn_course" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"$', package, flags=re.MULTILINE).group(1)
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version


def test_pre_commit_uses_the_ruff_of_the_lock():
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    (revision,) = [repo["rev"] for repo in repos if "ruff" in repo["repo"]]
    assert Version(revision) == pins("3.13", "linux")["ruff"]
