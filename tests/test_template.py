"""`notebooks/template.ipynb`: any table is handled, or refused with a sentence that says what to do."""

import ast

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from tools import NOTEBOOKS
from tools.lessons import Lesson, lesson

TEMPLATE = Lesson(NOTEBOOKS / "source" / "template.md")
RNG = np.random.default_rng(12)
SHARED = ["prepare", "regression_network", "class_network", "nll"]


def read(table, target="y", kind=None):
    """Run the template from the table to its split, and return the variables."""
    given = {"table": table, "TARGET": target, "KIND": kind}
    cells = ["frame", "rows", "columns", "features", "kind", "target", "checked", "prepare", "split"]
    return TEMPLATE.run("imports", *cells, given=given)


def example(rows=60):
    x = RNG.normal(size=rows)
    return pd.DataFrame({"x": x, "word": RNG.choice(["a", "b"], rows), "y": x + RNG.normal(size=rows)})


def definitions(source):
    trees = [ast.parse(code) for code in source.cells.values()]
    functions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {function.name: ast.unparse(function) for function in functions}


@pytest.mark.parametrize("name", SHARED)
def test_the_template_and_the_lesson_write_a_function_alike(name):
    assert definitions(TEMPLATE)[name] == definitions(lesson("12"))[name]


# --- handled ----------------------------------------------------------------------------------------


def test_words_become_a_column_per_level_and_numbers_keep_their_units():
    found = read(example())
    assert found["names"] == ["x", "word is a", "word is b"] and found["classes"] is None
    assert set(np.unique(found["X"][:, 1:])) == {0.0, 1.0}


def with_hole(table):
    table.loc[::7, "x"] = np.nan
    return table


def masked():
    x = np.ma.masked_less(RNG.normal(size=60), -1)
    return pd.DataFrame({"x": x, "z": RNG.normal(size=60), "y": RNG.normal(size=60)})


def nullable(table):
    table["x"] = pd.array([None, *range(1, len(table))], dtype="Int64")
    return table


@pytest.mark.parametrize("table", [with_hole(example()), masked(), nullable(example())], ids=["NaN", "masked", "Int64"])
def test_holes_are_filled_and_named(table):
    found = read(table)
    assert np.isfinite(found["X"]).all() and np.isfinite(found["X_new"]).all()
    assert "x is missing" in found["names"] or found["table"]["x"].isna().sum() == 1


def test_holes_are_filled_from_the_training_rows_alone():
    found = read(with_hole(example()))
    features, train = found["features"], found["train"]
    filled = found["X_new"][features["x"].iloc[found["test"]].isna().to_numpy(), 0]
    assert len(filled) and (filled == features["x"].iloc[train].median()).all()


def test_rows_without_a_target_are_dropped_and_counted():
    table = example(80)
    table.loc[:9, "y"] = np.nan
    assert len(read(table)["features"]) == 70


def test_numbers_in_quotes_are_numbers_and_constant_columns_go():
    table = example()
    table["x"] = table["x"].map(str)
    table["same"], table["empty"] = 3, np.nan
    assert read(table)["names"] == ["x", "word is a", "word is b"]


@pytest.mark.parametrize("labels", [[1, 2, 3], ["low", "high", "no"], [-1, 1, 7], [True, False, False]])
def test_classes_may_have_any_names_and_keep_them(labels):
    found = read(example(90).assign(y=np.repeat(labels, 30)))
    assert found["classes"] == [str(label) for label in sorted(set(labels))]
    assert sorted(set(found["target"])) == list(range(len(set(labels))))


def test_a_category_and_a_boolean_column_are_read():
    table = example()
    table["word"] = table["word"].astype("category")
    table["yes"] = table["x"] > 0
    assert read(table)["names"] == ["x", "word is a", "word is b", "yes"]


def test_a_count_is_a_number_if_the_reader_says_so():
    table = example(90).assign(y=np.arange(90) % 6)
    assert read(table)["classes"] is not None and read(table, kind="number")["classes"] is None


def test_columns_may_be_called_by_numbers():
    assert read(pd.DataFrame(RNG.normal(size=(50, 3))), target=2)["names"] == ["0", "1"]


# --- refused ----------------------------------------------------------------------------------------


def changed(**columns):
    return example().assign(**columns)


REFUSED = {  # what is wrong: (table, target, kind, what the sentence says)
    "one row": (example(1), "y", None, "at least 30 rows with a target, got 1: .*use a linear model"),
    "no table": (np.arange(5.0), "y", None, "must have rows and columns, got 1 axes"),
    "another target": (example(), "z", None, "TARGET must be one of .* got 'z': choose"),
    "two columns of one name": (
        pd.concat([example(), example()], axis=1),
        "y",
        None,
        "different names, got 'x' twice: rename",
    ),
    "names of rows": (changed(id=[f"n{i}" for i in range(60)]), "y", None, "few words to learn from, got 60: drop"),
    "dates": (changed(x=pd.date_range("2020", periods=60)), "y", None, "'x' must hold numbers or words, .*days since"),
    "lists": (changed(x=[[1, 2]] * 60), "y", None, "'x' must hold numbers or words, got object: .*split lists"),
    "infinity": (changed(x=[np.inf] + [1.0] * 59), "y", None, "'x' must be finite, got infinity: make it missing"),
    "a target that does not vary": (changed(y=3), "y", None, "target must vary, got one value"),
    "a rare class": (changed(y=["a"] * 57 + ["b"] * 3), "y", None, "at least 10 rows, got 3 of 'b': merge or drop"),
    "words for a number": (changed(y=["a", "b"] * 30), "y", "number", "must be a number, got words such as 'a'"),
    "an unknown kind": (example(), "y", "regression", 'KIND must be "number", "classes" or None'),
    "nothing to learn from": (example()[["y"]], "y", None, "must have a column to learn from, got none: add one"),
}


@pytest.mark.filterwarnings("ignore:Could not infer format")
@pytest.mark.parametrize(("table", "target", "kind", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_mended_is_refused_with_a_remedy(table, target, kind, said):
    with pytest.raises((ValueError, TypeError), match=said):
        read(table, target, kind)


# --- three tables that the lesson does not use ------------------------------------------------------

LOADERS = {"diabetes": datasets.load_diabetes, "wine": datasets.load_wine, "cancer": datasets.load_breast_cancer}
FAST = ('"draws": 200, "tune": 400', '"draws": 100, "tune": 400')  # with less tuning, chains stick


@pytest.mark.parametrize("name", LOADERS)
def test_the_whole_template_runs_on_another_table_and_beats_the_trivial_baseline(name):
    settings = {"scaled": False} if name == "diabetes" else {}
    table = LOADERS[name](as_frame=True, **settings).frame
    mine = 'TARGET, KIND = "target", None'
    code = {"your-table": mine, "sample": FAST}
    fast = {key: value for key, value in code.items() if key != "your-table"}
    found = TEMPLATE.run(until="loo", replace={**fast, "your-table": mine}, given={"table": table})
    assert found["worst"] < 1.3
    assert found["losses"]["network"].mean() < found["losses"]["trivial"].mean() - 0.1
    assert len(found["left_out"].khat) == len(found["y"])
