"""`tools.text`: which numbers of a text are bound, free, or neither."""

from decimal import Decimal

import pytest

from tools import ROOT, checks, text

FREE = [
    "# 09 · MNIST",
    "in lesson 09 and in lessons 01, 03 and 05, also Lessons 02–04",
    "Kingma (2015), Blundell et al. 2015, (Blundell et al., 2015), Trippe & Turner 2018, Kingma and Welling (2014)",
    "rows S14 and H2 of the 3D plot in v1.2 of L2",
    "`x = 3.5`, ``a ` 2``",
    "```\nx = 3\n```",
    "see [chapter 3](https://x.org/2) and ![panel 4](figure-4.png), https://x.org/5, <https://x.org/6>",
    "[at 1](https://en.wikipedia.org/wiki/Bayes_(3)) and [2017](#source-deck)",
    "<!-- 12 --> <img src='3.png'>",
    r"$28\times28$, $10^{-6}$, $$\tfrac12 x_1 \in [0, 255]$$, $p < [0.05]{code}$",
    "1. first\n2. second",
    "nine in ten, one millionth",
    "[97.7 %]{claim=09-a}, at least [97 %]{claim=09-a, bound} and [60 000 and 10 000]{source=deck-2}",
    "# B · Tempering",
    "**Result** — {claim:09-a}. {claim:05-b}",
]
UNBOUND = {
    "about 97.7 % are right": ["97.7 %"],
    "97.7% right": ["97.7%"],
    "the 10 000 digits": ["10 000"],
    "10,000 digits, 1e-6": ["10,000", "1e-6"],
    "NLL is .0573.": [".0573"],
    "from 2...256": ["2", "256"],
    "in 2017": ["2017"],
    "a 2-d map of 28×28": ["2", "28", "28"],
    "(200 draws)": ["200"],
    "## 3 ways": ["3"],
    "**98 %**": ["98 %"],
    r"$p < 0.05$": ["0.05"],
    r"$\alpha = 5\%$": ["5 %"],
    "[3]{clam=09-a}": ["[3]{clam=09-a}"],
    "[3]{claim:09-a}": ["[3]{claim:09-a}"],
    "costs $5 and $6": ["5", "6"],
    "a `$` and 7 and another `$`": ["7"],
    "10x faster, in 5ms": ["10", "5"],
}


@pytest.mark.parametrize("prose", FREE)
def test_some_numbers_need_no_proof(prose):
    assert text.unbound_numbers(prose) == {}


@pytest.mark.parametrize("prose", UNBOUND)
def test_every_other_number_is_found(prose):
    assert list(text.unbound_numbers(prose).values()) == UNBOUND[prose]


def test_markup_says_what_a_number_is_bound_to_and_disappears():
    prose = "[97.7 %]{claim=09-a} (at least [97 %]{claim=09-a, bound}), [60 000 and 10 000]{source=deck}, [128]{code}"
    assert text.bound_numbers(prose) == [
        ("97.7 %", "claim", "09-a"),
        ("97 %", "bound", "09-a"),
        ("60 000", "source", "deck"),
        ("10 000", "source", "deck"),
        ("128", "code", None),
    ]
    assert text.without_markup(prose) == "97.7 % (at least 97 %), 60 000 and 10 000, 128"


@pytest.mark.parametrize("number", ["10 000", "10_000", "10,000", "10\u202f000", "1e4", "10000.0"])
def test_a_number_is_the_same_however_it_is_written(number):
    assert text.quantity(number) == (Decimal(10_000), False)


def test_a_percentage_is_not_a_number_of_the_same_digits():
    assert text.quantity("5 %") == (Decimal(5), True) != text.quantity("5")
    assert text.quantity("many") is None


@pytest.mark.parametrize(
    ("measured", "typed"),
    [("13.4", "13"), ("0.9827", "98.3 %"), ("98.27 %", "98.3 %"), ("98.27 %", "98 %"), (".0541", "0.054"), ("7", "7")],
)
def test_a_measured_number_may_be_rounded(measured, typed):
    assert text.rounds_to(text.quantity(measured), text.quantity(typed))


@pytest.mark.parametrize(
    ("measured", "typed"),
    [("13.4", "14"), ("13", "13.4"), ("98.27 %", "98.2 %"), ("98.3 %", "98.3"), ("0.9827", "0.99"), ("7", "7.1")],
)
def test_a_measured_number_is_not_another_one(measured, typed):
    assert not text.rounds_to(text.quantity(measured), text.quantity(typed))


@pytest.mark.parametrize(
    ("measured", "typed"),
    [
        ("0.3", "0"),
        ("0.4 %", "0 %"),
        ("0.5", "1"),
        ("1.4", "1"),
        ("149", "1e2"),
        ("99.6 %", "100 %"),
        ("0.996", "100 %"),
    ],
)
def test_rounding_does_not_mislead(measured, typed):
    assert not text.rounds_to(text.quantity(measured), text.quantity(typed))


@pytest.mark.parametrize("number", ["0", "0.0 %", "1", "100 %"])
def test_nothing_and_everything_can_be_said_where_they_were_measured(number):
    assert text.rounds_to(text.quantity(number), text.quantity(number))


def test_results_and_figures_are_folded_and_nothing_else_is():
    cell = "```{code-cell} ipython3\n:tags: [%s]\nx = 1\n```\n"
    folded = {tag: text.notebook_of(cell % tag).cells[0].metadata.get("jupyter") for tag in text.FOLDED | {"gallery"}}
    assert folded == {"result": {"source_hidden": True}, "figure": {"source_hidden": True}, "gallery": None}


def test_a_sentence_is_quoted_where_a_lesson_prints_it_and_left_alone_where_none_does():
    claims = {"09-a": checks.Claim("09-a", "09_x", "MAP wins by 3 nats", "at least 2")}
    (cell,) = text.notebook_of("So {claim:09-a}, and {claim:09-b}.", claims).cells
    assert cell.source == "So MAP wins by 3 nats, and {claim:09-b}."


@pytest.mark.parametrize(("name", "number"), [("09_mnist_uncertainty", "09"), ("appendix/B_tempering", "B")])
def test_a_lesson_is_called_by_its_number_and_an_appendix_by_its_letter(name, number):
    assert text.number_of(name) == number
    assert text.without_number(f"{number} · MNIST") == "MNIST"


def test_literals_of_code_count_but_comments_and_strings_do_not():
    code = "%config x\nn = 5_000  # 17\nlabel = '18'\nmodel(rate=0.12, width=-3)\nflag = True"
    found = text.quantities_of_code(code)
    for number in ["5 000", "12 %", "0.12", "3"]:
        assert text.quantity(number) in found
    for number in ["17", "18", "1"]:
        assert text.quantity(number) not in found


def test_magics_stand_at_the_beginning_of_a_line_and_other_percent_signs_are_code():
    code = "%config x\n!ls\nrest = (\n    7\n    % 4\n)"
    assert text.without_magics(code) == "\n\nrest = (\n    7\n    % 4\n)"
    assert text.quantity("7") in text.quantities_of_code(code)


@pytest.mark.parametrize("option", [":name: [", ":tags: result", ":name: 12"])
def test_a_text_that_cannot_be_read_is_named(option):
    with pytest.raises(text.SourceError, match="the text of “01 · Tiny” cannot be read"):
        text.source_cells(f"# 01 · Tiny\n\n```{{code-cell}} ipython3\n{option}\nx = 1\n```\n")


def test_texts_of_figures_are_taken_literally():
    cell = (
        '```{code-cell} ipython3\n:tags: [gallery]\n:alt: Two: "curves" # here\n:caption: "Look: there"\nx = 1\n```\n'
    )
    code, caption = text.notebook_of(cell).cells
    assert code.metadata == {"tags": ["gallery"], "alt": 'Two: "curves" # here', "caption": "Look: there"}
    assert "Look: there" in caption.source and code.source == "x = 1"


def test_equal_cells_have_different_ids_which_do_not_depend_on_cells_before():
    ids = [cell.id for cell in text.notebook_of("a\n\n+++\n\nb\n\n+++\n\na\n").cells]
    assert len(set(ids)) == 3
    assert ids[1] == text.notebook_of("b").cells[0].id


def test_the_cell_with_the_title_says_how_to_run_the_notebook_before_its_first_section():
    lesson = "# 09 · MNIST\n\nGoals.\n\n## The question\n\nWhy?\n\n+++\n\n# Another heading\n"
    first, second = text.notebook_of(lesson).cells
    assert first.source == f"# 09 · MNIST\n\nGoals.\n\n{text.TO_RUN}\n\n## The question\n\nWhy?"
    assert second.source == "# Another heading"
    assert text.notebook_of("# A · The deck").cells[0].source.endswith(text.TO_RUN)


NAMED = ["README.md", "CONTRIBUTING.md", "CITATION.cff", "benchmarks/README.md", "notebooks/lessons.toml"]
NAMED += ["slides/*.md", "bnn_course/**/*.py", "tools/*.py", "studies/*.py"]


def test_nothing_calls_a_bayesian_neural_network_by_the_name_of_a_graphical_model():
    paths = [path for pattern in NAMED for path in ROOT.glob(pattern)]
    found = {path.name: text.WRONG_NAME.findall(path.read_text(encoding="utf-8")) for path in paths}
    assert len(found) > 40 and {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("wrong", ["a Bayesian network", "*Bayesian*\nnetworks", "BAYESIAN NET"])
def test_the_wrong_name_is_found(wrong):
    assert text.WRONG_NAME.search(wrong)


def test_the_right_name_passes():
    assert not text.WRONG_NAME.search("Bayesian neural networks, a Bayesian prior, networks")
