"""The studies find in the lessons what they take from them, without running anything that takes long."""

import ast
import importlib
from pathlib import Path

import numpy as np
import pandas as pd
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


def test_the_path_of_moons_leads_through_the_loudest_units_and_knows_the_rarer_sign():
    study = imported("hierarchical_moons")
    w = np.full((3, 4, 51), 0.1)  # three draws, four tasks
    w[..., [1, 6, 15 + 5 * 1 + 2, 45 + 2]] = 3  # through unit 1 of the first layer and unit 2 of the second
    w[:, 0, 45 + 2] = -3  # in one of the four tasks
    own = np.full(51, 0.5)
    own[[1, 6]], own[[11, *range(17, 40, 5), 42]], own[47] = 0.9, 0.2, 0.7
    found = study.path(w, own, np.random.default_rng(0).normal(size=(4, 20, 2)))
    assert found == {"first": "0.900", "middle": "0.200", "last": "0.700", "minority": "0.250"}


def test_the_moons_choose_each_width_on_the_tasks_that_do_not_judge():
    study = imported("hierarchical_moons")
    assert study.CHOICE not in study.VERDICT
    rows = [
        {"seed": str(seed), "method": "separate", "labels": "50", "width": width, "nll": nll}
        for seed, nlls in {study.CHOICE: (0.4, 0.2), study.VERDICT[0]: (0.1, 0.3)}.items()
        for width, nll in zip(("1.0", "2.0"), nlls, strict=True)
    ]
    assert study.chosen(rows, "separate", 50, (1.0, 2.0)) == 2.0
    with pytest.raises(SystemExit, match=r"separate of width 3\.0 is not yet measured on seed 5"):
        study.chosen(rows, "separate", 50, (1.0, 3.0))


def test_the_network_of_the_motorcycle_ladder_is_that_of_lesson_12():
    study = imported("ladder_motorcycle")
    names = study.from_lesson()
    x = np.linspace(-1, 1, 30) * np.sqrt(3 * 29 / 31)  # mean 0 and sd 1
    theirs = inference.log_density(names["regression_network"](x[:, None], x))
    rng, differences = np.random.default_rng(0), []
    for _ in range(5):
        zeta = rng.normal(0, 0.5, 36)
        weights = {"w1": zeta[None, :8], "b1": zeta[8:16], "w2": zeta[16:32].reshape(8, 2), "b2": zeta[32:34]}
        scales = {"scale_1_log__": zeta[34], "scale_2_log__": zeta[35]}
        ours = study.log_prior(zeta) + study.log_likelihood(zeta, names["Task"](x[:, None], x, None))
        differences.append(float(ours) - theirs(weights | scales))
    assert np.ptp(differences) < 0.01


def test_the_splits_by_weeks_cut_no_week_and_test_every_day_once():
    study = imported("own_data")
    known = study.from_lesson()["known"]
    dates = pd.to_datetime({"year": 1973, "month": known["month"], "day": known["day"]})
    week = ((dates - pd.Timestamp("1973-05-01")).dt.days // 7).to_numpy()
    tested = []
    for _, _, train, test in study.by_weeks(known):
        assert not set(week[train]) & set(week[test])
        assert sorted([*train, *test]) == list(range(len(known)))
        tested += list(test)
    assert sorted(tested) == list(range(len(known)))


def test_a_record_of_lesson_12_gets_the_rows_that_it_lacks_and_no_others(tmp_path, monkeypatch):
    study = imported("own_data")
    whole = (study.RECORDS / "own_data_weeks.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path / "own_data_weeks.csv"
    path.write_text("".join(line for line in whole if not line.startswith("linear,0,2,")), encoding="utf-8")
    monkeypatch.setattr(study, "Network", None)  # no network is missing
    study.measure_weeks(study.Record("weeks", tmp_path))
    both = [pd.read_csv(one).set_index(["method", "fold", "row"]) for one in (study.RECORDS / path.name, path)]
    assert len(both[0]) == len(both[1])
    pd.testing.assert_frame_equal(both[0].sort_index(), both[1].sort_index(), atol=2e-4)


def test_costs_are_measured_turn_by_turn_and_a_rerun_fills_what_is_missing(monkeypatch, tmp_path):
    study = imported("cost_growth")
    path, order = tmp_path / "costs.csv", []

    def prepare(argument):
        order.append(f"compile {argument}")
        return lambda: order.append(argument) or {"cpu_seconds": argument / 3}

    monkeypatch.setattr(study, "PARTS", {"rows": study.Part(2, {16: 1, 64: 2}, prepare)})
    monkeypatch.setattr(study.jax.config, "update", lambda *_: None)  # JAX may have begun to compute here
    monkeypatch.setattr("sys.argv", ["cost_growth.py", "--output", str(path)])
    study.main()
    assert order == ["compile 1", "compile 2", 1, 2, 1, 2]
    whole = path.read_text(encoding="utf-8")
    path.write_text("".join(whole.splitlines(keepends=True)[:3]), encoding="utf-8")  # the first turn alone
    order.clear()
    study.main()
    assert order == ["compile 1", "compile 2", 1, 2] and path.read_text(encoding="utf-8") == whole
    study.main()
    assert len(order) == 4
