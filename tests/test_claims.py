"""`bnn_course.claims`: true claims print a fixed line, false ones raise, badly put ones are refused."""

import numpy as np
import pytest

from bnn_course import claims
from bnn_course.claims import ClaimError, claim


@pytest.fixture(autouse=True)
def no_claims_made_yet(monkeypatch):
    monkeypatch.setattr(claims, "_sentences", {})


# True -----------------------------------------------------------------------------------------------------------------

TRUE = {
    "at least": (
        ("Accuracy is at least {bound:.1%}", [0.981, 0.977]),
        {"at_least": 0.977},
        "Accuracy is at least 97.7 %",
    ),
    "at most": (
        ("Error is at most {bound:.3f} nats", np.float32(0.05)),
        {"at_most": 0.075},
        "Error is at most 0.075 nats",
    ),
    "interval": (("Covers {low:.0%} to {high:.0%}", 0.9), {"at_least": 0.88, "at_most": 0.92}, "Covers 88 % to 92 %"),
    "equality": (("Equals {bound} to {within:.0e}", 2.0), {"equal_to": 2, "within": 1e-6}, "Equals 2 to 1e-06"),
    "routes": (("Agree to {within}", [1.0, 2.0]), {"equal_to": [1.001, 2.0], "within": 0.01}, "Agree to 0.01"),
    "rounded": (
        ("Ratio is {bound:.2f} to {within}", 0.333),
        {"equal_to": 1 / 3, "within": 0.01},
        "Ratio is 0.33 to 0.01",
    ),
    "bool": (("S15 holds", np.array([True, True])), {}, "S15 holds"),
    "scalar bool": (("ADVI beats MAP", True), {}, "ADVI beats MAP"),
    "setting": (("All {n:,} pictures are there", True), {"n": 60_000}, "All 60 000 pictures are there"),
    "negative": (("Falls below {bound}", -3), {"at_most": -2.5}, "Falls below -2.5"),
    "no point zero": (("Fewer than {bound} draws", 3.0), {"at_most": 4}, "Fewer than 4 draws"),
    "letters": (("H2 of the R2D2 prior holds in 3D", True), {}, "H2 of the R2D2 prior holds in 3D"),
}


@pytest.mark.parametrize("case", TRUE)
def test_a_true_claim_prints_the_sentence_and_never_the_value(case, capsys):
    positional, keywords, sentence = TRUE[case]
    assert claim("09-some-thing", *positional, **keywords) is None
    assert capsys.readouterr().out == f"✓ {sentence}  [09-some-thing]\n"


def test_the_printed_line_is_found_again(capsys):
    claim("09-a", "It holds for {n} seeds", True, n=3)
    found = claims.LINE.search("before\n" + capsys.readouterr().out + "after\n")
    assert found.groupdict() == {"sentence": "It holds for 3 seeds", "id": "09-a"}


# False ----------------------------------------------------------------------------------------------------------------

FALSE = {
    "one of three": (
        [0.98, 0.91, 0.95],
        {"at_least": 0.96},
        r"worst value 0.91 at index \(1,\); allowed: at least 0.96; 2 of 3",
    ),
    "too large": (3, {"at_most": 2}, r"worst value 3; allowed: at most 2; 1 of 1"),
    "nan": ([1.0, np.nan], {"at_least": 0}, r"worst value nan at index \(1,\)"),
    "inf": (np.inf, {"at_least": 0}, r"worst value inf"),
    "empty": ([], {"at_least": 0}, r"there is no value to judge"),
    "below an interval": ([[0.5, 5.0]], {"at_least": 1, "at_most": 2}, r"worst value 5.0 at index \(0, 1\).*2 of 2"),
    "unequal": (
        [1.0, 3.0],
        {"equal_to": [1.0, 2.0], "within": 0.5},
        r"worst value 3.0 at index \(1,\); allowed: within 0.5",
    ),
    "bool": ([True, False], {}, r"false for 1 of 2, first at index \(1,\)"),
    "empty bool": (np.array([], dtype=bool), {}, r"there is no value to judge"),
}
FIELDS = {"at_least": " {low}", "at_most": " {high}", "within": " {within}"}


@pytest.mark.parametrize("case", FALSE)
def test_a_false_claim_raises_with_sentence_worst_value_bound_and_id(case, capsys):
    value, bounds, message = FALSE[case]
    fields = [FIELDS[name] for name in bounds if name in FIELDS]
    sentence = "It holds" + (" {bound}" if len(fields) == 1 and "within" not in bounds else "".join(fields))
    with pytest.raises(ClaimError, match=r"(?s)^✗ It holds.*  \[09-false\]\n  " + message):
        claim("09-false", sentence, value, **bounds)
    assert capsys.readouterr().out == ""


def test_a_false_claim_is_an_assertion_error_so_that_test_runners_count_it_as_failed():
    assert issubclass(ClaimError, AssertionError)


# Badly put ------------------------------------------------------------------------------------------------------------

REFUSED = {
    "typed number": (("09-a", "at least 97.7 %", True), {}, ValueError, "'97.7 %' typed"),
    "typed year": (("09-a", "better than in 2017", True), {}, ValueError, "'2017' typed"),
    "typed small": (("09-a", "all 3 seeds", True), {}, ValueError, "'3' typed"),
    "typed power": (("09-a", "up to 1.5e-3", True), {}, ValueError, "'1.5e-3' typed"),
    "typed beside a field": (("09-a", "{bound} of 10", 2), {"at_least": 1}, ValueError, "'10' typed"),
    "rounded bound": (("09-a", "{bound:.0%}", 0.99), {"at_least": 0.977}, ValueError, "show more digits"),
    "rounded setting": (("09-a", "{n:.0f} items", True), {"n": 2.5}, ValueError, "show more digits"),
    "missing field": (("09-a", "large", 2.0), {"at_least": 1}, ValueError, r"\['bound'\] without a field"),
    "half an interval": (
        ("09-a", "above {low}", 2.0),
        {"at_least": 1, "at_most": 3},
        ValueError,
        r"\['high'\] without",
    ),
    "missing within": (
        ("09-a", "equals {bound}", 2.0),
        {"equal_to": 2, "within": 1},
        ValueError,
        r"\['within'\] without",
    ),
    "unknown field": (("09-a", "more than {bond}", 2.0), {"at_least": 1}, ValueError, r"\['bond'\]"),
    "unused setting": (("09-a", "fine", True), {"n": 3}, ValueError, r"\['n'\] without a field"),
    "text setting": (("09-a", "of {year}", True), {"year": "2017"}, TypeError, "year must be a number"),
    "array in a sentence": (
        ("09-a", "{bound} {within}", [1, 2]),
        {"equal_to": [1, 2], "within": 1},
        ValueError,
        "shape",
    ),
    "number without bound": (("09-a", "fine", 0.5), {}, TypeError, "must be bool when no bound"),
    "bool with bound": (("09-a", "{bound}", True), {"at_least": 1}, TypeError, "must be numbers"),
    "text value": (("09-a", "{bound}", "0.5"), {"at_least": 1}, TypeError, "must be numbers"),
    "within alone": (("09-a", "{within}", 1.0), {"within": 1}, ValueError, "go together"),
    "equal_to alone": (("09-a", "{bound}", 1.0), {"equal_to": 1}, ValueError, "go together"),
    "empty sentence": (("09-a", " ", True), {}, ValueError, "sentence must be"),
    "two kinds of bound": (
        ("09-a", "x", 1.0),
        {"equal_to": 1, "within": 1, "at_least": 0},
        ValueError,
        "choose one kind",
    ),
    "crossed ends": (("09-a", "{low} {high}", 1.0), {"at_least": 2, "at_most": 1}, ValueError, "exchange them"),
    "nan bound": (("09-a", "{bound}", 1.0), {"at_least": np.nan}, ValueError, "at_least must lie in"),
    "infinite bound": (("09-a", "{bound}", 1.0), {"at_most": np.inf}, ValueError, "at_most must lie in"),
    "negative within": (("09-a", "{within}", 1.0), {"equal_to": 1, "within": -1}, ValueError, "within must lie in"),
    "shape": (("09-a", "{within}", [1.0, 2.0]), {"equal_to": [1, 2, 3], "within": 1}, ValueError, "element by element"),
    "nan target": (("09-a", "{within}", 1.0), {"equal_to": np.nan, "within": 1}, ValueError, "finite numbers"),
    "id without lesson": (("accuracy", "x", True), {}, ValueError, "two digits"),
    "id with capitals": (("09-Accuracy", "x", True), {}, ValueError, "two digits"),
    "id is a number": ((9, "x", True), {}, ValueError, "two digits"),
    "two lines": (("09-a", "x\ny", True), {}, ValueError, "one line"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_badly_put_claim_is_refused_with_the_remedy(case, capsys):
    positional, keywords, error, message = REFUSED[case]
    with pytest.raises(error, match=message) as caught:
        claim(*positional, **keywords)
    assert not isinstance(caught.value, ClaimError) and ": " in str(caught.value)
    assert capsys.readouterr().out == ""


def test_an_id_belongs_to_one_sentence():
    claim("09-a", "It holds", True)
    claim("09-a", "It holds", True)  # running a cell again is fine
    with pytest.raises(ValueError, match="09-a already belongs to the claim “It holds”"):
        claim("09-a", "Something else holds", True)
