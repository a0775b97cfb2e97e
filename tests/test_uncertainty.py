"""Numbers of `bnn_course.uncertainty`: against known answers, against laws, and what is refused."""

# ruff: noqa: E501 - in a table, a case is a line

import tracemalloc

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from _refusals import refuses
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score

from bnn_course import uncertainty as u

DRAWS, ITEMS, CLASSES = 20, 300, 5


@pytest.fixture(scope="module")
def probabilities():
    logits = np.random.default_rng(1).normal(size=(DRAWS, ITEMS, CLASSES), scale=2)
    weights = np.exp(logits)
    return weights / weights.sum(axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def probability(probabilities):
    return u.mean_probability(probabilities)


@pytest.fixture(scope="module")
def labels(probability):
    """Drawn from the probabilities themselves: calibrated by construction."""
    rng = np.random.default_rng(2)
    return np.array([rng.choice(CLASSES, p=row) for row in probability], dtype=np.uint8)


@pytest.fixture(scope="module")
def score_and_wrong():
    rng = np.random.default_rng(3)
    score = rng.uniform(size=1000)
    return score, rng.uniform(size=1000) < score / 4


# Oracle: known answers ------------------------------------------------------------------------------------------------


def test_draws_that_are_sure_of_different_classes_are_purely_epistemic():
    sure = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert np.allclose(u.decompose_entropy(sure), [[np.log(2)], [0], [np.log(2)]])
    assert np.allclose(u.decompose_variance(sure), [[0.5], [0], [0.5]])


def test_draws_that_agree_on_a_coin_are_purely_aleatoric():
    coin = np.full((3, 1, 2), 0.5)
    assert np.allclose(u.decompose_entropy(coin), [[np.log(2)], [np.log(2)], [0]])
    assert np.allclose(u.decompose_variance(coin), [[0.5], [0.5], [0]])


def test_total_entropy_is_scipys(probabilities, probability):
    assert np.allclose(u.decompose_entropy(probabilities).total, stats.entropy(probability, axis=1))


def test_epistemic_variance_is_numpys(probabilities):
    assert np.allclose(u.decompose_variance(probabilities).epistemic, probabilities.var(axis=0).sum(axis=-1))


def test_accuracy_and_nll_are_scikit_learns(probability, labels):
    assert u.accuracy(probability, labels) == accuracy_score(labels, probability.argmax(axis=1))
    assert u.nll(probability, labels) == pytest.approx(log_loss(labels, probability, labels=range(CLASSES)))


def test_brier_by_hand():
    assert u.brier(np.array([[0.7, 0.2, 0.1]]), [0]) == pytest.approx(0.09 + 0.04 + 0.01)
    assert u.brier(np.array([[1.0, 0.0], [1.0, 0.0]]), [0, 1]) == pytest.approx(1.0)


def test_brier_of_two_classes_is_twice_scikit_learns():
    """Theirs looks at one of the two classes, ours at both, as Brier did."""
    rng = np.random.default_rng(12)
    p = rng.uniform(size=300)
    y = (rng.uniform(size=300) < p**2).astype(int)
    assert u.brier(np.stack([1 - p, p], axis=1), y) == pytest.approx(2 * brier_score_loss(y, p))


def test_nll_is_infinite_when_a_label_was_called_impossible():
    assert u.nll(np.array([[1.0, 0.0]]), [1]) == np.inf


def test_reliability_is_scikit_learns(probability, labels):
    table = u.reliability(probability, labels, bins=10)
    right = probability.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(right, probability.max(axis=1), n_bins=10)
    filled = table.count > 0
    assert np.allclose(table.accuracy[filled], accuracy) and np.allclose(table.confidence[filled], confidence)
    assert np.isnan(table.accuracy[~filled]).all() and table.count.sum() == ITEMS and len(table.edges) == 11


def test_ece_by_hand():
    probability = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    # the sure pair is right once of twice (gap 0.4), the unsure pair always (gap 0.4 the other way)
    assert u.ece(probability, [0, 1, 0, 0], bins=10) == pytest.approx(0.4)
    assert u.ece(probability, [0, 0, 0, 1], bins=10) == pytest.approx((0.1 + 0.1) / 2)


def test_an_edge_belongs_to_the_bin_below():
    assert u.reliability(np.array([[0.5, 0.5]]), [0], bins=2).count.tolist() == [1, 0]


def test_certainty_falls_into_the_last_bin():
    assert u.reliability(np.array([[1.0, 0.0]]), [0], bins=4).count.tolist() == [0, 0, 0, 1]


def test_auroc_is_scikit_learns_with_ties():
    rng = np.random.default_rng(4)
    inside, outside = rng.integers(0, 8, 200), rng.integers(2, 10, 100)
    truth = np.repeat([0, 1], [200, 100])
    assert u.auroc(inside, outside) == pytest.approx(roc_auc_score(truth, np.concatenate([inside, outside])))


def test_auroc_is_the_mann_whitney_statistic_per_pair():
    rng = np.random.default_rng(5)
    inside, outside = rng.normal(size=80), rng.normal(1, size=60)
    assert u.auroc(inside, outside) == pytest.approx(stats.mannwhitneyu(outside, inside).statistic / (80 * 60))


def test_risk_coverage_by_hand():
    curve = u.risk_coverage([0.1, 0.9, 0.2, 0.2], [False, True, True, False])
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]  # the tie at 0.2 enters together
    assert np.allclose(curve.risk, [0, 1 / 3, 1 / 2])


@pytest.mark.parametrize(("accuracy", "share"), [(0.5, 0.0), (0.6, 0.25), (0.9, 0.75), (1.0, 0.75)])
def test_share_to_reject_by_hand(accuracy, share):
    assert u.share_to_reject([0.1, 0.9, 0.2, 0.2], [0, 1, 1, 0], accuracy=accuracy) == share


def test_everything_is_rejected_when_the_most_certain_item_is_wrong():
    assert u.share_to_reject([0.1, 0.9], [True, True], accuracy=0.5) == 1.0


def test_an_accuracy_that_is_met_exactly_rejects_nothing():
    wrong = np.arange(1000) == 999
    assert u.share_to_reject(np.arange(1000), wrong, accuracy=0.999) == 0.0


def test_vote_share_by_hand():
    votes = np.array([[[0.9, 0.1]], [[0.8, 0.2]], [[0.4, 0.6]], [[0.7, 0.3]]])
    assert u.vote_share(votes).tolist() == [0.75]


# Law: what must hold for any input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("decompose", [u.decompose_entropy, u.decompose_variance])
def test_total_is_aleatoric_plus_epistemic(probabilities, decompose, dtype):
    parts = decompose(probabilities.astype(dtype))
    assert np.abs(parts.total - parts.aleatoric - parts.epistemic).max() < 1e-10


@pytest.mark.parametrize("decompose", [u.decompose_entropy, u.decompose_variance])
def test_one_draw_has_no_epistemic_uncertainty(probabilities, decompose):
    assert np.all(decompose(probabilities[:1]).epistemic == 0)


def test_uncertainty_lies_between_that_of_certainty_and_that_of_guessing(probabilities):
    for decompose, most in ((u.decompose_entropy, np.log(CLASSES)), (u.decompose_variance, 1 - 1 / CLASSES)):
        for part in decompose(probabilities):
            assert part.min() >= 0 and part.max() <= most
        sure, even = np.eye(CLASSES)[None], np.full((3, 1, CLASSES), 1 / CLASSES)
        assert np.abs(decompose(sure).total).max() == 0
        assert decompose(even).total == pytest.approx(most)


def test_epistemic_uncertainty_is_never_negative(probabilities):
    same = np.repeat(probabilities[:1], 7, axis=0)  # without care, rounding gives −1e-16
    assert u.decompose_entropy(same).epistemic.min() >= 0


def test_a_probability_that_underflows_stays_finite():
    tiny = np.array([[[1.0, 5e-324]], [[1.0, 0.0]]])
    assert np.isfinite(u.decompose_entropy(tiny)).all()


def test_the_names_of_the_classes_do_not_matter(probabilities, probability, labels):
    order = np.array([3, 0, 4, 1, 2])
    renamed = np.argsort(order)[labels]
    for measure in (u.accuracy, u.nll, u.brier, u.ece):
        assert measure(probability[:, order], renamed) == pytest.approx(measure(probability, labels))
    for decompose in (u.decompose_entropy, u.decompose_variance):
        assert np.allclose(decompose(probabilities[..., order]), decompose(probabilities))
    assert np.array_equal(u.vote_share(probabilities[..., order]), u.vote_share(probabilities))


def test_the_order_of_draws_does_not_matter(probabilities):
    assert np.allclose(u.decompose_entropy(probabilities[::-1]), u.decompose_entropy(probabilities))


def test_predicting_with_the_mean_is_better_than_the_mean_of_predictions(probabilities, probability, labels):
    """Jensen's inequality: NLL and Brier are convex."""
    for measure in (u.nll, u.brier):
        assert measure(probability, labels) <= np.mean([measure(draw, labels) for draw in probabilities])


def test_exchanging_the_groups_gives_the_complement_of_auroc():
    rng = np.random.default_rng(6)
    inside, outside = rng.integers(0, 5, 50), rng.integers(1, 7, 70)
    assert u.auroc(inside, outside) + u.auroc(outside, inside) == pytest.approx(1)
    assert u.auroc(inside, inside) == pytest.approx(0.5)


def test_auroc_depends_on_ranks_alone():
    rng = np.random.default_rng(7)
    inside, outside = rng.normal(size=50), rng.normal(1, size=70)
    assert u.auroc(np.exp(inside), np.exp(outside)) == u.auroc(inside, outside)


def test_keeping_everything_has_the_risk_of_the_whole(score_and_wrong):
    score, wrong = score_and_wrong
    curve = u.risk_coverage(score, wrong)
    assert curve.coverage[-1] == 1 and curve.risk[-1] == pytest.approx(wrong.mean())
    assert np.all(np.diff(curve.coverage) > 0)


def test_the_share_rejected_reaches_the_accuracy_and_one_item_more_does_not(score_and_wrong):
    score, wrong = score_and_wrong
    kept = round((1 - u.share_to_reject(score, wrong, accuracy=0.95)) * len(score))
    sorted_wrong = wrong[np.argsort(score)]
    assert 0 < kept < len(score)
    assert 1 - sorted_wrong[:kept].mean() >= 0.95 > 1 - sorted_wrong[: kept + 1].mean()


def test_ties_do_not_depend_on_the_order_of_items():
    score, wrong = np.repeat([0.0, 1.0], 50), np.arange(100) % 3 == 0
    shuffled = np.random.default_rng(8).permutation(100)
    one, other = (u.risk_coverage(score, wrong), u.risk_coverage(score[shuffled], wrong[shuffled]))
    assert np.array_equal(one.risk, other.risk) and len(one.risk) == 2


def test_calibrated_labels_have_a_small_ece_and_overconfidence_a_large_one():
    rng = np.random.default_rng(9)
    p = rng.uniform(0.5, 1, 20_000)
    labels = (rng.uniform(size=20_000) > p).astype(int)
    sharper = np.sqrt(p)
    assert u.ece(np.stack([p, 1 - p], axis=1), labels) < 0.02
    assert u.ece(np.stack([sharper, 1 - sharper], axis=1), labels) > 0.08


def test_the_t_interval_is_scipys_and_covers_as_often_as_it_says():
    rng = np.random.default_rng(6)
    values = rng.normal(size=5)
    low, high = stats.t.interval(0.9, 4, values.mean(), stats.sem(values))
    interval = u.t_interval(values, prob=0.9)
    assert interval.mean - interval.half == pytest.approx(low) and interval.mean + interval.half == pytest.approx(high)
    assert interval.n == 5
    intervals = [u.t_interval(row) for row in rng.normal(size=(2_000, 5))]
    assert np.mean([abs(i.mean) <= i.half for i in intervals]) == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 2_000))


@pytest.mark.parametrize("draws", [100, 101])
def test_split_rhat_of_many_functions_is_arvizs(draws):
    chains = np.random.default_rng(7).normal(size=(3, draws, 2, 4)) + np.arange(3)[:, None, None, None] / 5
    theirs = az.rhat(az.convert_to_dataset({"f": chains}), method="split")["f"].values
    assert u.split_rhat(chains) == pytest.approx(theirs, rel=1e-12) and theirs.min() > 1
    assert u.split_rhat(chains[..., 0, 0]) == pytest.approx(theirs[0, 0])


def test_split_rhat_of_what_never_varies_is_not_a_number():
    assert np.isnan(u.split_rhat(np.ones((2, 10, 3)))).all()


def test_rounding_of_a_softmax_in_single_precision_is_allowed_and_moved_into_the_interval():
    probability = np.array([[1.0000001, -1e-7], [0.4, 0.6]])
    assert u.nll(probability, [0, 1]) == pytest.approx(-np.log(0.6) / 2)
    assert u.mean_probability(probability[None]).max() == 1 and probability[0, 0] > 1
    for decompose in (u.decompose_entropy, u.decompose_variance):
        assert decompose(probability[None]).total[0] == 0


def test_masked_and_missing_entries_are_refused():
    refuses(lambda: u.nll(np.ma.masked_equal(ROWS, 0.5), [0, 0, 0]), ValueError, "probability", "6 masked of 6")
    refuses(lambda: u.nll(ROWS, np.ma.masked_equal([0, 1, 0], 1)), ValueError, "labels", "1 masked of 3")
    refuses(lambda: u.accuracy(ROWS, pd.Series([0, None, 1], dtype="Int64")), ValueError, "labels", "nan at index (1,)")
    refuses(lambda: u.auroc([0.1, None], [1.0]), ValueError, "score_in", "1 missing of 2")


def test_frames_series_and_data_arrays_are_arrays(probability, labels):
    as_frame, as_series = pd.DataFrame(probability), pd.Series(labels, index=np.arange(ITEMS)[::-1])
    as_data_array = xr.DataArray(probability, dims=("item", "class"))
    for measure in (u.accuracy, u.nll, u.brier, u.ece):
        assert measure(as_frame, as_series) == measure(as_data_array, as_series) == measure(probability, labels)


def test_boolean_labels_index_like_numbers():
    probability = np.array([[0.8, 0.2], [0.3, 0.7]])
    assert u.nll(probability, [False, True]) == u.nll(probability, [0, 1])


def test_the_cube_of_draws_is_never_copied_in_double_precision():
    cube = np.full((100, 1000, 10), 0.1, dtype=np.float32)
    for function in (u.mean_probability, u.decompose_entropy, u.decompose_variance, u.vote_share):
        tracemalloc.start()
        function(cube)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * cube.nbytes  # a float64 copy of the cube alone is 2 × its float32 bytes


# Refusal: each says the quantity, the range, the value and the remedy -------------------------------------------------

CUBE = np.full((4, 3, 2), 0.5)
ROWS = np.full((3, 2), 0.5)


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


REFUSED = {
    "a cube without draws": (lambda: u.mean_probability(ROWS), ValueError, "probabilities", "shape (3, 2)"),
    "an empty cube": (lambda: u.vote_share(np.ones((0, 3, 2))), ValueError, "probabilities", "shape (0, 3, 2)"),
    "NaN": (lambda: u.decompose_entropy(changed(CUBE, (1, 2, 0), np.nan)), ValueError, "probabilities", "nan at index (1, 2, 0)"),
    "infinity": (lambda: u.decompose_variance(changed(CUBE, (0, 0, 0), np.inf)), ValueError, "probabilities", "inf at index (0, 0, 0)"),
    "a negative probability": (lambda: u.mean_probability(changed(CUBE, 0, [-0.5, 1.5])), ValueError, "probabilities", "-0.5 at index (0, 0, 0)"),
    "a probability above 1": (lambda: u.nll(changed(ROWS, 2, [1.5, 0]), [0, 0, 0]), ValueError, "probability", "1.5 at index (2, 0)"),
    "rows that do not sum to 1": (lambda: u.brier(ROWS * 0.9, [0, 0, 0]), ValueError, "probability", "0.9 at index (0,)"),
    "classes on the wrong axis": (lambda: u.accuracy(np.array([[0.9, 0.8], [0.1, 0.2]]), [0, 1]), ValueError, "probability", "1.7 at index (0,)"),
    "draws with their classes on the wrong axis": (lambda: u.mean_probability(np.full((4, 2, 3), 0.5)), ValueError, "probabilities", "1.5 at index (0, 0)"),
    "0/1 draws": (lambda: u.decompose_entropy(np.eye(2, dtype=int)[None]), TypeError, "probabilities", "dtype int64"),
    "text": (lambda: u.mean_probability([[["a", "b"]]]), TypeError, "probabilities", "dtype <U1"),
    "a single class": (lambda: u.ece(np.ones((3, 1)), [0, 0, 0]), ValueError, "probability", "shape (3, 1)"),
    "labels as a column": (lambda: u.nll(ROWS, [[0], [1], [0]]), ValueError, "labels", "shape (3, 1)"),
    "a label too large": (lambda: u.accuracy(ROWS, [0, 1, 2]), ValueError, "labels", "label 2 at index (2,)"),
    "a negative label": (lambda: u.brier(ROWS, [0, -1, 0]), ValueError, "labels", "label -1 at index (1,)"),
    "labels as floats": (lambda: u.ece(ROWS, [0.0, 1.0, 0.0]), TypeError, "labels", "dtype float64"),
    "too few labels": (lambda: u.reliability(ROWS, [0, 1]), ValueError, "labels", "(2,)"),
    "no bins": (lambda: u.ece(ROWS, [0, 0, 0], bins=0), ValueError, "bins", "0"),
    "half a bin": (lambda: u.reliability(ROWS, [0, 0, 0], bins=1.5), TypeError, "bins", "1.5"),
    "scores of several axes": (lambda: u.risk_coverage(ROWS, [0, 1, 0]), ValueError, "score", "shape (3, 2)"),
    "too few flags": (lambda: u.risk_coverage([0.1, 0.2], [True]), ValueError, "wrong", "(1,)"),
    "labels for flags": (lambda: u.risk_coverage([0.1, 0.2], [3, 1]), ValueError, "wrong", "3 at index (0,)"),
    "flags as floats": (lambda: u.share_to_reject([0.1], [0.5], accuracy=0.9), TypeError, "wrong", "dtype float64"),
    "an accuracy in percent": (lambda: u.share_to_reject([0.1], [0], accuracy=99), ValueError, "accuracy", "99"),
    "no scores": (lambda: u.auroc([], [1.0]), ValueError, "score_in", "shape (0,)"),
    "a NaN score": (lambda: u.auroc([1.0], [np.nan]), ValueError, "score_out", "nan at index (0,)"),
    "draws of one axis": (lambda: u.split_rhat(np.ones(5)), ValueError, "draws", "shape (5,)"),
    "chains of three draws": (lambda: u.split_rhat(np.ones((2, 3))), ValueError, "draws", "shape (2, 3)"),
    "a probability above 1 by more than rounding": (lambda: u.nll([[1.002, -0.002]], [0]), ValueError, "probability", "1.002 at index (0, 0)"),
    "one value": (lambda: u.t_interval([1.0]), ValueError, "values", "1"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "quantity", "received"), REFUSED.values(), ids=REFUSED)
def test_refuses(call, error, quantity, received):
    refuses(call, error, quantity, received)
