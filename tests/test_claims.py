"""`bnn_course.claims`: true claims print a fixed line, false ones raise, badly put ones are refused."""

import numpy as np
import pytest

from bnn_course import claims
from bnn_course.claims import ClaimError, claim
from bnn_course.uncertainty import MeanInterval


@pytest.fixture(autouse=True)
def no_claims_made_yet(monkeypatch):
    monkeypatch.setattr(claims, "_sentences", {})


# True -----------------------------------------------------------------------------------------------------------------

INTERVAL = MeanInterval(0.02, 0.005, 5)
TRUE = {
    "a number": (("{value:.0f} times the variance", 13.4), {"at_least": 8}, "13 times the variance", "at least 8"),
    "a share": (
        ("Accuracy is {value:.1%}", np.float32(0.981)),
        {"at_least": 0.977},
        "Accuracy is 98.1 %",
        "at least 0.977",
    ),
    "a range": (
        ("{low:.1%} to {high:.1%} in {n} fits", [0.981, 0.977]),
        {"at_least": 0.97},
        "97.7 % to 98.1 % in 2 fits",
        "at least 0.97",
    ),
    "a mean": (("{value:.2f} on average", [[1.0, 2.0]]), {"at_most": 2}, "1.50 on average", "at most 2"),
    "an interval": (
        ("Saves {value:.3f} ± {half:.3f} nats (n = {n})", INTERVAL),
        {"at_least": 0.01},
        "Saves 0.020 ± 0.005 nats (n = 5)",
        "at least 0.01",
    ),
    "two ends": (
        ("Covers {value:.0%}, so about {at_most:.0%}", 0.9),
        {"at_least": 0.88, "at_most": 0.92},
        "Covers 90 %, so about 92 %",
        "at least 0.88 and at most 0.92",
    ),
    "equality": (("{value:.1f} is {equal_to}", 2.0), {"equal_to": 2, "within": 1e-6}, "2.0 is 2", "within 1e-06"),
    "a computed target": (
        ("Both routes agree to {within}", [1.0, 2.0]),
        {"equal_to": [1.001, 2.0], "within": 0.01},
        "Both routes agree to 0.01",
        "within 0.01",
    ),
    "a rounded target": (
        ("{value:.2f} is {equal_to:.2f}", 0.333),
        {"equal_to": 1 / 3, "within": 0.01},
        "0.33 is 0.33",
        "within 0.01",
    ),
    "an order": (("The ensemble wins {n} times", np.array([True, True])), {}, "The ensemble wins 2 times", "true"),
    "a fact": (("ADVI beats MAP", True), {}, "ADVI beats MAP", "true"),
    "a setting": (("All {images:,} images are there", True), {"images": 60_000}, "All 60 000 images are there", "true"),
    "below zero": (("Falls to {value}", -3), {"at_most": -2.5}, "Falls to −3.0", "at most -2.5"),
    "a power": (("Error {value:.0e}", 2e-7), {"at_most": 1e-6}, "Error 2e-07", "at most 1e-06"),
    "words of either bound": (
        ("{n} values, at least {at_least}, at most {high}", 3.0),
        {"at_least": 2, "at_most": 4},
        "1 values, at least 2, at most 3.0",
        "at least 2 and at most 4",
    ),
    "a count that is no bound": (
        ("At most {n} fit, {value}", 3.0),
        {"at_least": 2},
        "At most 1 fit, 3.0",
        "at least 2",
    ),
    "letters": (("H2 of the R2D2 prior holds in 3D", True), {}, "H2 of the R2D2 prior holds in 3D", "true"),
}


@pytest.mark.parametrize("case", TRUE)
def test_a_true_claim_prints_what_was_measured_and_its_bound(case, capsys):
    positional, keywords, sentence, bound = TRUE[case]
    assert claim("09-some-thing", *positional, **keywords) is None
    assert capsys.readouterr().out == f"✓ {sentence}  [09-some-thing: {bound}]\n"


def test_the_printed_line_is_found_again(capsys):
    claim("09-a", "It holds for {value} seeds", 3, at_least=2)
    found = claims.LINE.search("before\n" + capsys.readouterr().out + "after\n")
    assert found.groupdict() == {"sentence": "It holds for 3.0 seeds", "id": "09-a", "bound": "at least 2"}


@pytest.mark.parametrize("end", [0.0151, 0.016])
def test_the_whole_interval_must_keep_the_bound(end):
    claim("09-a", "{value:.3f} ± {half:.3f}", INTERVAL, at_least=0.015)
    with pytest.raises(ClaimError, match=r"worst value 0\.015"):
        claim("09-b", "{value:.3f} ± {half:.3f}", INTERVAL, at_least=end)


def test_an_appendix_has_claims_of_its_letter(capsys):
    claim("b-spread", "It holds", True)
    assert capsys.readouterr().out == "✓ It holds  [b-spread: true]\n"


# False ----------------------------------------------------------------------------------------------------------------

FALSE = {
    "one of three": (
        [0.98, 0.91, 0.95],
        {"at_least": 0.96},
        r"worst value 0.91 at index \(1,\); allowed: at least 0.96; 2 of 3",
    ),
    "too large": (3, {"at_most": 2}, r"worst value 3; allowed: at most 2; 1 of 1"),
    "an interval": (
        MeanInterval(1.0, 0.5, 3),
        {"at_least": 0.8},
        r"worst value 0.5 at index \(0,\); allowed: at least 0.8",
    ),
    "nan": ([1.0, np.nan], {"at_least": 0}, r"worst value nan at index \(1,\)"),
    "inf": (np.inf, {"at_least": 0}, r"worst value inf"),
    "empty": ([], {"at_least": 0}, r"there is no value to judge"),
    "below an interval": ([[0.5, 5.0]], {"at_least": 1, "at_most": 2}, r"worst value 5.0 at index \(0, 1\).*2 of 2"),
    "unequal": (
        [1.0, 3.0],
        {"equal_to": [1.0, 2.0], "within": 0.5},
        r"worst value 3.0 at index \(1,\); allowed: within 0.5",
    ),
    "bool": ([True, False], {}, r"worst value False at index \(1,\); allowed: true; 1 of 2 fail"),
    "empty bool": (np.array([], dtype=bool), {}, r"there is no value to judge"),
}


@pytest.mark.parametrize("case", FALSE)
def test_a_false_claim_raises_with_sentence_worst_value_bound_and_id(case, capsys):
    value, bounds, message = FALSE[case]
    with pytest.raises(ClaimError, match=r"(?s)^✗ It holds  \[09-false: .+\]\n  " + message):
        claim("09-false", "It holds", value, **bounds)
    assert capsys.readouterr().out == ""


def test_a_false_claim_shows_what_was_measured():
    with pytest.raises(ClaimError, match=r"✗ Only 91 % are right  \[09-false: at least 0.97\]"):
        claim("09-false", "Only {value:.0%} are right", 0.91, at_least=0.97)


def test_a_false_claim_is_an_assertion_error_so_that_test_runners_count_it_as_failed():
    assert issubclass(ClaimError, AssertionError)


# Badly put ------------------------------------------------------------------------------------------------------------

REFUSED = {
    "typed number": (("09-a", "at least 97.7 %", True), {}, ValueError, "'97.7 %' typed"),
    "typed year": (("09-a", "better than in 2017", True), {}, ValueError, "'2017' typed"),
    "typed small": (("09-a", "all 3 seeds", True), {}, ValueError, "'3' typed"),
    "typed power": (("09-a", "up to 1.5e-3", True), {}, ValueError, "'1.5e-3' typed"),
    "typed factor": (("09-a", "10x as many", True), {}, ValueError, "'10' typed"),
    "typed unit": (("09-a", "within 3σ after 5ms", True), {}, ValueError, "'3' typed"),
    "crossed words": (("09-a", "{value} is at most {at_least}", 3), {"at_least": 2}, ValueError, "'at most {at_least'"),
    "crossed words of both": (("09-a", "At least {at_most}", 3), {"at_least": 2, "at_most": 4}, ValueError, "exchange"),
    "a setting crossed": (
        ("09-a", "At most {bound}", 0.9),
        {"at_least": 0.5, "bound": 0.5},
        ValueError,
        "'At most {bound'",
    ),
    "a value crossed": (("09-a", "no more than {high}", 0.9), {"at_least": 0.5}, ValueError, "with at_least"),
    "a value crossed below": (("09-a", "no less than {value}", 0.9), {"at_most": 1}, ValueError, "with at_most"),
    "a unit glued": (("09-a", "after 5ms", True), {}, ValueError, "'5' typed"),
    "a size glued": (("09-a", "in 2GB", True), {}, ValueError, "'2' typed"),
    "masked": (
        ("09-a", "{value}", np.ma.masked_array([1.0, -5.0], mask=[False, True])),
        {"at_least": 0},
        ValueError,
        "1 masked of 2",
    ),
    "missing": (("09-a", "{value}", [1.0, None]), {"at_least": 0}, ValueError, "1 missing of 2"),
    "masked rows": (("09-a", "{value}", [np.ma.masked_equal([1, 2], 2)]), {"at_least": 0}, ValueError, "1 masked of 2"),
    "typed beside a field": (("09-a", "{value} of 10", 2), {"at_least": 1}, ValueError, "'10' typed"),
    "rounded bound": (("09-a", "{at_least:.0%}", 0.99), {"at_least": 0.977}, ValueError, "show more digits"),
    "rounded setting": (("09-a", "{n:.0f} items", True), {"n": 2.5}, ValueError, "show more digits"),
    "half of a number": (("09-a", "{value} ± {half}", 2.0), {"at_least": 1}, ValueError, r"\['half'\]"),
    "value of an order": (("09-a", "{value} times", True), {}, ValueError, r"\['value'\]"),
    "a measured setting": (("09-a", "{value}", 2.0), {"at_least": 1, "low": 3}, ValueError, "filled in from the value"),
    "unknown field": (("09-a", "more than {bond}", 2.0), {"at_least": 1}, ValueError, r"\['bond'\]"),
    "unused setting": (("09-a", "fine", True), {"n": 3}, ValueError, r"\['n'\] without one"),
    "text setting": (("09-a", "of {year}", True), {"year": "2017"}, TypeError, "year must be a number"),
    "array in a sentence": (
        ("09-a", "{equal_to} {within}", [1, 2]),
        {"equal_to": [1, 2], "within": 1},
        ValueError,
        "shape",
    ),
    "number without bound": (("09-a", "fine", 0.5), {}, TypeError, "must be bool when no bound"),
    "bool with bound": (("09-a", "{value}", True), {"at_least": 1}, TypeError, "must be numbers"),
    "text value": (("09-a", "{value}", "0.5"), {"at_least": 1}, TypeError, "must be numbers"),
    "within alone": (("09-a", "{within}", 1.0), {"within": 1}, ValueError, "go together"),
    "equal_to alone": (("09-a", "{value}", 1.0), {"equal_to": 1}, ValueError, "go together"),
    "empty sentence": (("09-a", " ", True), {}, ValueError, "sentence must be"),
    "two kinds of bound": (
        ("09-a", "x", 1.0),
        {"equal_to": 1, "within": 1, "at_least": 0},
        ValueError,
        "choose one kind",
    ),
    "crossed ends": (("09-a", "{low} {high}", 1.0), {"at_least": 2, "at_most": 1}, ValueError, "exchange them"),
    "nan bound": (("09-a", "{value}", 1.0), {"at_least": np.nan}, ValueError, "at_least must lie in"),
    "infinite bound": (("09-a", "{value}", 1.0), {"at_most": np.inf}, ValueError, "at_most must lie in"),
    "negative within": (("09-a", "{within}", 1.0), {"equal_to": 1, "within": -1}, ValueError, "within must lie in"),
    "shape": (("09-a", "{within}", [1.0, 2.0]), {"equal_to": [1, 2, 3], "within": 1}, ValueError, "element by element"),
    "nan target": (("09-a", "{within}", 1.0), {"equal_to": np.nan, "within": 1}, ValueError, "finite numbers"),
    "id without lesson": (("accuracy", "x", True), {}, ValueError, "two digits"),
    "id with capitals": (("09-Accuracy", "x", True), {}, ValueError, "two digits"),
    "id is a number": ((9, "x", True), {}, ValueError, "two digits"),
    "two lines": (("09-a", "x\ny", True), {}, ValueError, "one line"),
    "a carriage return": (("09-a", "x\ry", True), {}, ValueError, "one line"),
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
