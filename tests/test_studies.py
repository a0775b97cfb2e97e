"""The studies find in the lessons what they take from them, without running anything that takes long."""

import ast
import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytensor
import pytest

import studies
from bnn_course import inference

FILES = {path.stem: path for folder in studies.__path__ for path in sorted(Path(folder).glob("[a-z]*.py"))}


def imported(name):
    with pytensor.config.change_flags(floatX="float64"):  # some set it; here it is set back
        return importlib.import_module(f"studies.{name}")


def taken(code):
    """Yield the names that a study takes from its lesson: ``names["moons"]``, ``self.names["moons"]``."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("names", "self.names", "from_lesson()"):
            yield ast.literal_eval(node.slice)


@pytest.mark.parametrize("name", FILES)
def test_a_study_can_be_imported_and_says_how_it_is_run(name):
    assert f"python studies/{name}.py" in imported(name).__doc__


@pytest.mark.parametrize("name", [name for name, path in FILES.items() if "from_lesson()" in path.read_text("utf-8")])
def test_what_a_study_takes_from_its_lesson_is_there_and_nothing_is_fitted(name, monkeypatch):
    study = imported(name)
    for method in ("advi", "find_map", "nuts"):
        monkeypatch.setattr(inference, method, None)
    assert set(taken(FILES[name].read_text("utf-8"))) <= set(study.from_lesson())


def test_the_family_of_moons_knows_the_spreads_on_the_path_of_the_largest_weights():
    study = imported("hierarchical_moons")
    names = study.from_lesson()
    own = {name: np.full((1, 3, 4, *shape), 0.1) for name, shape in names["LAYERS"].items()}  # three draws, four tasks
    own["w2"][..., 1, 2] = own["w3"][..., 2, 0] = 3
    spread = {f"spread_{name}": np.full((1, 3, *shape), 0.5) for name, shape in names["LAYERS"].items()}
    path = {"w1": np.s_[..., 1], "b1": np.s_[..., 1], "w2": np.s_[..., 2], "b2": np.s_[..., 2], "w3": np.s_[..., 2, 0]}
    for name, index in (path | {"b3": ...}).items():
        spread[f"spread_{name}"][index] = {"w1": 1, "w3": 2}.get(name, 0.2)
    posterior = {name: SimpleNamespace(values=values) for name, values in (own | spread).items()}
    found = study.Seed.family_of(SimpleNamespace(names=names), SimpleNamespace(posterior=posterior))
    assert found == {"first": "1.000", "middle": "0.200", "last": "2.000", "others": "0.500"}
