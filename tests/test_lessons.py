"""`tools.lessons`: the one runner of lesson code, on a small lesson of its own."""

import pytest

from bnn_course.claims import ClaimError
from tools import NOTEBOOKS
from tools.lessons import Lesson, LessonError, lesson

SOURCE = """---
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

# 77 · Runner

```{code-cell} ipython3
:name: setup
%config InlineBackend.figure_formats = ["retina"]
import numpy as np

from bnn_course.claims import claim

SEED = 3
```

```{code-cell} ipython3
:name: slow
raise RuntimeError("nobody needs this cell")
```

```{code-cell} ipython3
:name: double
factor = 2
rows = []


def double(x):
    return factor * x + offset
```

```{code-cell} ipython3
offset = 0
rows.append(double(SEED))
np.random.default_rng(rows[0])
```

```{code-cell} ipython3
:name: judge
:tags: [result]
total = sum(rows)
claim("77-total", "The total is {value}", total, equal_to=6, within=0)
```
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.lessons.NOTEBOOKS", tmp_path)
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "77_runner.md"
    path.write_text(SOURCE, encoding="utf-8")
    return Lesson(path)


def test_cells_are_known_by_name_and_by_place_where_they_have_none(small):
    assert list(small.cells) == ["setup", "slow", "double", "#3", "judge"]
    assert small["judge"].startswith("total = sum(rows)")


def test_cells_run_in_the_order_named_and_find_what_is_given(small):
    assert small.run("setup", "double", "#3")["rows"] == [6]
    assert small.run("judge", given={"rows": [4, 2], "claim": lambda *_, **__: None})["total"] == 6


def test_running_until_a_cell_runs_all_before_it(small):
    assert small.run(until="setup")["SEED"] == 3
    with pytest.raises(RuntimeError, match="nobody needs this cell"):
        small.run(until="judge")


def test_a_cell_that_takes_long_can_be_stood_in_for(small):
    assert small.run(until="judge", replace={"slow": "pass"})["total"] == 6


def test_a_name_brings_only_what_it_needs_also_what_is_defined_later_or_changed_in_place(small):
    names = small.define("rows")
    assert names["rows"] == [6] and "total" not in names
    assert small.define("rows", given={"double": lambda x: 10 * x})["rows"] == [30]


def test_a_claim_brings_what_it_needs_and_notices_a_mistake(small):
    small.check("77-total")
    with pytest.raises(ClaimError, match="77-total"):
        small.check("77-total", replace={"double": ("factor * x", "factor - x")})


MORE = """
```{code-cell} ipython3
:name: effects
def fill(rows):
    print("filling")
    rows.append(1)


class Model(list):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


filled, model = [], Model()
fill(filled)
with model:
    fill(model)
print("a table for the reader")
```
"""


def test_what_is_handed_over_is_changed_and_so_is_an_open_model(small):
    small.path.write_text(SOURCE + MORE, encoding="utf-8")
    small = Lesson(small.path)
    assert small.define("filled")["filled"] == [1]
    with_model = MORE.replace("    fill(model)", "    model.append(2)")
    small.path.write_text(SOURCE + with_model, encoding="utf-8")
    assert Lesson(small.path).define("model")["model"] == [2]


def test_a_function_that_prints_does_not_bring_all_that_is_printed(small):
    talk = MORE.replace("a table", "{1 / 0}").replace('print("{', 'print(f"{')
    small.path.write_text(SOURCE + talk, encoding="utf-8")
    assert "fill" in Lesson(small.path).define("fill")


def test_code_that_python_cannot_read_is_named_by_its_cell(small):
    with pytest.raises(SyntaxError, match="cell setup"):
        small.run("setup", replace={"setup": "files = !ls"})


def test_the_variable_of_a_comprehension_is_its_own(small):
    code = "for row in [1, 2]:\n    slow_row = row / 0\nkinds = {row: [row for _ in 'ab' if row] for row in rows}\n"
    small.path.write_text(SOURCE.replace("total = sum(rows)\n", code + "total = sum(rows)\n"), encoding="utf-8")
    assert Lesson(small.path).define("kinds")["kinds"] == {6: [6, 6]}


def test_a_traceback_names_lesson_and_cell(small):
    with pytest.raises(ZeroDivisionError) as caught:
        small.check("77-total", replace={"judge": ("sum(rows)", "sum(rows) / 0")})
    assert caught.traceback[-1].path == "77_runner.md, cell judge" or "cell judge" in str(caught.traceback[-1].path)


REFUSED = {
    "an unknown cell": (lambda small: small.run("jugde"), "no cell 'jugde', it has setup, slow, double, judge"),
    "an unknown last cell": (lambda small: small.run(until="jugde"), "no cell 'jugde'"),
    "a stand-in for an unknown cell": (lambda small: small.run("setup", replace={"x": ""}), "no cell 'x'"),
    "an unknown name": (lambda small: small.define("totals"), "does not define totals"),
    "an unknown claim": (lambda small: small.check("77-sum"), "must make the claim 77-sum in one statement, got 0"),
    "an expression that is not there": (
        lambda small: small.run("double", replace={"double": ("factor * y", "")}),
        "'factor \\* y' must stand once in cell 'double', got 0 times",
    ),
    "an expression that is there twice": (
        lambda small: small.run("double", replace={"double": ("factor", "")}),
        "got 2 times",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_lesson_does_not_have_is_refused_by_name(small, case):
    action, message = REFUSED[case]
    with pytest.raises(LessonError, match=message):
        action(small)


def test_two_cells_of_one_name_are_refused(small):
    small.path.write_text(SOURCE.replace(":name: slow", ":name: setup"), encoding="utf-8")
    with pytest.raises(LessonError, match="same name"):
        Lesson(small.path)


def test_there_is_one_lesson_of_a_number():
    assert lesson("03").path == NOTEBOOKS / "source" / "03_elbo.md"
    with pytest.raises(LessonError, match="one lesson 98"):
        lesson("98")
