"""From draws of predictive probabilities to numbers: uncertainty, scores, calibration, rejection, detection.

Words for shapes: `probabilities` (draw, item, class) holds one class distribution per posterior draw and item;
`probability` (item, class) is one distribution per item, such as the mean over draws or the answer of a point estimate;
`labels` (item,) are whole numbers 0 … n_classes − 1. Entropies are in nats. Lesson 09 shows every formula in full.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import entr, rel_entr

from bnn_course._checks import Array, as_array, as_labels, first, in_range, positive_integer, real_number

TOLERANCE = 1e-3  # of an entry and of the sum of a row: room for a softmax in single and half precision


class Decomposition(NamedTuple):
    """Uncertainty of each item, shape (item,): total = aleatoric + epistemic."""

    total: Array
    aleatoric: Array
    epistemic: Array


class Reliability(NamedTuple):
    """Confidence against accuracy: edges (bin + 1,); confidence, accuracy, count (bin,), NaN where a bin is empty."""

    edges: Array
    confidence: Array
    accuracy: Array
    count: Array  # type: ignore[assignment]  # a named tuple has a method of this name, which nobody calls


class RiskCoverage(NamedTuple):
    """Error rate `risk` among the kept items when the share `coverage` is kept, one entry per threshold."""

    coverage: Array
    risk: Array


class MeanInterval(NamedTuple):
    """A mean and its interval, mean ± half, from `n` values."""

    mean: float
    half: float
    n: int


# Entry: what is refused -----------------------------------------------------------------------------------------------


def as_probability(value: ArrayLike, name: str, *, ndim: int) -> Array:
    """Return float class probabilities in [0, 1] whose last axis is the class, or say what is wrong with them.

    Parameters
    ----------
    value : array_like, shape (..., class)
        Entries and sums of rows may miss [0, 1] and 1 by 0.001; entries are moved into [0, 1].
    name : str
        What the quantity is called in the message.
    ndim : int
        Wanted number of axes.

    Raises
    ------
    TypeError
        If the dtype is not floating: labels and one-hot draws are not probabilities.
    ValueError
        If the rank is wrong, an entry is missing, NaN or outside [0, 1], there are fewer than two classes, or a row
        does not sum to 1.
    """
    array = as_array(value, name, ndim=ndim)
    if array.dtype.kind != "f":
        raise TypeError(
            f"{name} must be floats in [0, 1], got dtype {array.dtype}: pass class probabilities, not 0/1 draws"
        )
    if array.shape[-1] < 2:
        raise ValueError(
            f"{name} must have at least 2 classes on its last axis, got shape {array.shape}: "
            "for a binary model stack 1 - p and p"
        )
    if array.min() < 0 or array.max() > 1:
        in_range(array, name, -TOLERANCE, 1 + TOLERANCE)
        array = array.clip(0, 1)
    sums = array.sum(axis=-1, dtype=float)
    if np.any(off := np.abs(sums - 1) > TOLERANCE):
        where = first(off)
        raise ValueError(
            f"{name} must sum to 1 ± {TOLERANCE} over the classes, got {sums[where]:.4g} at index {where}: "
            "apply a softmax, and keep the class on the last axis"
        )
    return array


def _scored(probability: ArrayLike, labels: ArrayLike) -> tuple[Array, Array]:
    probability = as_probability(probability, "probability", ndim=2)
    return probability, as_labels(labels, "labels", n_items=probability.shape[0], n_classes=probability.shape[1])


# Uncertainty from draws -----------------------------------------------------------------------------------------------


def mean_probability(probabilities: ArrayLike) -> Array:
    r"""Posterior predictive probability :math:`\bar p_c = \frac1S \sum_s p_{sc}`.

    Parameters
    ----------
    probabilities : array (draw, item, class)

    Returns
    -------
    array (item, class), float64
    """
    return _draws_and_mean(probabilities)[1]


def _draws_and_mean(probabilities: ArrayLike) -> tuple[Array, Array]:
    draws = as_probability(probabilities, "probabilities", ndim=3)
    return draws, draws.mean(axis=0, dtype=float)


def _mean_over_draws(function: Callable[[Array], Array], draws: Array) -> Array:
    """Mean of function(p) over draws, one draw in float64 at a time: the cube is never copied."""
    return np.asarray(sum(function(p.astype(float)) for p in draws) / len(draws))


def decompose_entropy(probabilities: ArrayLike) -> Decomposition:
    r"""Predictive entropy and its two parts, in nats.

    .. math:: H(\bar p) = \frac1S \sum_s H(p_s) + \frac1S \sum_s \mathrm{KL}(p_s \,\|\, \bar p)

    The last term is the mutual information of label and weights. It is computed from the divergences, not as a
    difference, so that the identity is a check.

    Parameters
    ----------
    probabilities : array (draw, item, class)
        For a point estimate pass ``probability[None]``: nothing is epistemic then.

    Returns
    -------
    Decomposition
        Each (item,), total in [0, ln n_classes].

    References
    ----------
    Depeweg et al. (2018), Decomposition of Uncertainty in Bayesian Deep Learning.
    """
    draws, mean = _draws_and_mean(probabilities)
    floor = np.maximum(mean, np.finfo(float).tiny)  # a mean that underflows must not turn 0 · log(0/0) into infinity
    aleatoric = _mean_over_draws(lambda p: entr(p).sum(axis=-1), draws)
    epistemic = _mean_over_draws(lambda p: rel_entr(p, floor).sum(axis=-1), draws)
    return Decomposition(entr(mean).sum(axis=-1), aleatoric, np.maximum(epistemic, 0.0))  # rounding: −1e-17 → 0


def decompose_variance(probabilities: ArrayLike) -> Decomposition:
    r"""Variance of the one-hot label and its two parts, summed over classes (law of total variance).

    .. math:: \sum_c \bar p_c (1 - \bar p_c) = \frac1S \sum_{s,c} p_{sc} (1 - p_{sc})
              + \sum_c \mathrm{Var}_s\, p_{sc}

    Parameters
    ----------
    probabilities : array (draw, item, class)

    Returns
    -------
    Decomposition
        Each (item,), total in [0, 1 − 1/n_classes].
    """
    draws, mean = _draws_and_mean(probabilities)
    aleatoric = _mean_over_draws(lambda p: (p * (1 - p)).sum(axis=-1), draws)
    epistemic = _mean_over_draws(lambda p: ((p - mean) ** 2).sum(axis=-1), draws)
    return Decomposition((mean * (1 - mean)).sum(axis=-1), aleatoric, epistemic)


def vote_share(probabilities: ArrayLike) -> Array:
    """Share of draws whose most probable class is that of the mean, in [0, 1].

    Parameters
    ----------
    probabilities : array (draw, item, class)

    Returns
    -------
    array (item,)
        1 where every draw says the same.
    """
    draws, mean = _draws_and_mean(probabilities)
    return np.asarray((draws.argmax(axis=-1) == mean.argmax(axis=-1)).mean(axis=0))


# Scores ---------------------------------------------------------------------------------------------------------------


def accuracy(probability: ArrayLike, labels: ArrayLike) -> float:
    """Share of items whose most probable class is the label.

    Judge it beside the share of the most frequent label, which needs no model: where one class is rare, that is high.

    Parameters
    ----------
    probability : array (item, class)
    labels : array of int (item,)
    """
    probability, labels = _scored(probability, labels)
    return float((probability.argmax(axis=-1) == labels).mean())


def nll(probability: ArrayLike, labels: ArrayLike) -> float:
    """Negative log-likelihood per item in nats: the mean of −ln p(label).

    Infinite when a label was given probability 0: an honest answer, not clipped.

    Parameters
    ----------
    probability : array (item, class)
    labels : array of int (item,)
    """
    probability, labels = _scored(probability, labels)
    with np.errstate(divide="ignore"):
        return float(-np.log(probability[np.arange(len(labels)), labels], dtype=float).mean())


def brier(probability: ArrayLike, labels: ArrayLike) -> float:
    """Squared distance to the one-hot label, summed over classes and averaged over items: 0 is perfect, 2 the worst.

    Parameters
    ----------
    probability : array (item, class)
    labels : array of int (item,)

    References
    ----------
    Brier (1950), Verification of forecasts expressed in terms of probability.
    """
    probability, labels = _scored(probability, labels)
    return float(((probability - np.eye(probability.shape[1])[labels]) ** 2).sum(axis=-1).mean())


# Calibration ----------------------------------------------------------------------------------------------------------


def reliability(probability: ArrayLike, labels: ArrayLike, *, bins: int = 15) -> Reliability:
    """Mean confidence and accuracy within equal-width bins of confidence (the largest class probability).

    Parameters
    ----------
    probability : array (item, class)
    labels : array of int (item,)
    bins : int
        Bin b holds confidences in (b/bins, (b + 1)/bins].

    Returns
    -------
    Reliability
        edges (bins + 1,); confidence, accuracy and count (bins,), NaN where nothing falls into a bin.
    """
    probability, labels = _scored(probability, labels)
    bins = positive_integer(bins, "bins")
    edges = np.linspace(0, 1, bins + 1)
    confidence = probability.max(axis=-1).astype(float)
    right = probability.argmax(axis=-1) == labels
    place = np.digitize(confidence, edges[1:-1], right=True)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence, mean_right = (np.bincount(place, value, bins) / count for value in (confidence, right))
    return Reliability(edges, mean_confidence, mean_right, count)


def ece(probability: ArrayLike, labels: ArrayLike, *, bins: int = 15) -> float:
    """Expected calibration error: the mean of |accuracy − confidence| over bins, weighted by their counts.

    Parameters
    ----------
    probability : array (item, class)
    labels : array of int (item,)
    bins : int

    References
    ----------
    Guo et al. (2017), On Calibration of Modern Neural Networks, equation 3.
    """
    table = reliability(probability, labels, bins=bins)
    gap = np.abs(table.accuracy - table.confidence)
    return float(np.nansum(gap * table.count) / table.count.sum())


# Rejection: answer only when certain ----------------------------------------------------------------------------------


def _kept_and_errors(score: ArrayLike, wrong: ArrayLike) -> tuple[Array, Array]:
    """Counts of kept items and of errors among them, at each threshold (items of equal score stay together)."""
    score = as_array(score, "score", ndim=1)
    wrong = in_range(as_array(wrong, "wrong", ndim=1, shape=score.shape, kind="integer"), "wrong", 0, 1)
    order = np.argsort(score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    return np.flatnonzero(last) + 1, np.cumsum(wrong[order])[last]


def risk_coverage(score: ArrayLike, wrong: ArrayLike) -> RiskCoverage:
    """Error rate of the kept items against the share kept, most certain first.

    Parameters
    ----------
    score : array (item,)
        Uncertainty: large means unsure. For a confidence pass 1 − confidence.
    wrong : array of bool (item,)

    Returns
    -------
    RiskCoverage
        One entry per distinct score: items of equal score are kept or rejected together.

    References
    ----------
    El-Yaniv and Wiener (2010), On the Foundations of Noise-free Selective Classification.
    """
    kept, errors = _kept_and_errors(score, wrong)
    return RiskCoverage(kept / kept[-1], errors / kept)


def share_to_reject(score: ArrayLike, wrong: ArrayLike, *, accuracy: float) -> float:
    """Smallest share of the items to reject, least certain first, so that the kept reach an accuracy.

    Parameters
    ----------
    score : array (item,)
        Uncertainty: large means unsure.
    wrong : array of bool (item,)
    accuracy : float
        Wanted accuracy of the kept items, in [0, 1].

    Returns
    -------
    float
        1.0 when not even the most certain items reach it: everything must be rejected.
    """
    accuracy = real_number(accuracy, "accuracy", low=0, high=1)
    kept, errors = _kept_and_errors(score, wrong)
    enough = kept[(kept - errors) / kept >= accuracy]
    return float(1 - enough.max(initial=0) / int(kept[-1]))


# Detection ------------------------------------------------------------------------------------------------------------


def auroc(score_in: ArrayLike, score_out: ArrayLike) -> float:
    """Probability that a random score of the second group exceeds one of the first, ties counting one half.

    The area under the ROC curve of "large score ⇒ out"; ½ is guessing. Also the effect size that belongs to the
    Mann–Whitney rank test of two groups.

    Parameters
    ----------
    score_in : array (item,)
        Scores of the items that should score low.
    score_out : array (other item,)
        Scores of the items that should score high.
    """
    score_in = np.sort(as_array(score_in, "score_in", ndim=1))
    score_out = as_array(score_out, "score_out", ndim=1)
    below_or_tied = [np.searchsorted(score_in, score_out, side=side).mean() for side in ("left", "right")]
    return float(np.mean(below_or_tied) / len(score_in))


# Intervals and convergence --------------------------------------------------------------------------------------------


def t_interval(values: ArrayLike, *, prob: float = 0.95) -> MeanInterval:
    """Student's t-interval of a mean, as for one value per seed.

    The interval is mean ± t s / √n with the standard deviation s of the n values and the quantile t of Student's
    distribution with n − 1 degrees of freedom.

    Parameters
    ----------
    values : array (value,)
        At least two, such as the differences between two methods, paired by seed.
    prob : float
        Probability content in (0, 1).

    Returns
    -------
    MeanInterval

    Raises
    ------
    ValueError
        If there are fewer than two values, or one is not finite.

    Examples
    --------
    >>> t_interval([1.0, 2.0, 3.0])
    MeanInterval(mean=2.0, half=2.484137711719546, n=3)
    """
    values = as_array(values, "values", ndim=1)
    if len(values) < 2:
        raise ValueError(f"values must hold at least two numbers, got {len(values)}: one value has no interval")
    tail = (1 - real_number(prob, "prob", low=0, high=1, open_ends=True)) / 2
    half = stats.t.isf(tail, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return MeanInterval(float(values.mean()), float(half), len(values))


def split_rhat(draws: ArrayLike) -> Array:
    """Split R-hat of many quantities at once, such as predicted probabilities (lesson 02).

    Each chain is cut into halves: the square root of the variance of all halves together over that within them. Judge
    functions of a network by it, not weights, which are not identified (lesson 05).

    Parameters
    ----------
    draws : array (chain, draw, …)
        At least 4 draws in each chain; with an odd number the middle one is left out.

    Returns
    -------
    array (…)
        About 1 when the chains agree; NaN where nothing varies.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 11.4.
    """
    draws = as_array(draws, "draws", ndim=max(np.ndim(draws), 2)).astype(float)
    if (n := draws.shape[1] // 2) < 2:
        raise ValueError(f"draws must hold at least 4 draws in each chain, got shape {draws.shape}: (chain, draw, …)")
    halves = np.concatenate([draws[:, :n], draws[:, -n:]])
    within, between = halves.var(axis=1, ddof=1).mean(axis=0), halves.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt((n - 1) / n + between / within))
