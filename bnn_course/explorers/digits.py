"""Digits to hand over, to turn and to draw, and what a Bayesian neural network says of them (lesson 09).

The network is lesson 09's: its fit ships with the course (`data.load_digit_posterior`), and a few lines of NumPy
predict with it, fast enough to follow a hand that draws.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from ipywidgets import Dropdown, FloatSlider, IntSlider
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike
from scipy.ndimage import affine_transform, rotate
from scipy.special import softmax

from bnn_course import data, plots, uncertainty
from bnn_course._checks import Array, one_of, real_number
from bnn_course.explorers import Explorer, Pad

SEED = 2017
DRAWS = 30  # networks drawn from the posterior
ANGLES = range(0, 361, 5)
DIGITS = {"3": 30, "1": 2, "4": 4, "6": 11, "7": 0, "8": 61}  # test pictures to turn; the three is that of lesson 09
SCORES = ("total entropy", "mutual information", "variance between draws", "1 − confidence")
EXAMPLE = "K"  # shown while nothing is drawn


# Prediction -----------------------------------------------------------------------------------------------------------


def draw_networks(posterior: data.DigitPosterior, draws: int, rng: np.random.Generator) -> list[dict[str, Array]]:
    """Draw the weights and biases of whole networks from independent Normals, as `Approximation.sample` does.

    Parameters
    ----------
    posterior : bnn_course.data.DigitPosterior
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    list of dict of str to array of float32
        One dictionary ``w1, b1, w2, b2, w3, b3`` for each draw.
    """
    values = {
        name: mean + posterior.sd[name] * rng.standard_normal((draws, *mean.shape), dtype=np.float32)
        for name, mean in posterior.mean.items()
    }
    return [{name: value[draw] for name, value in values.items()} for draw in range(draws)]


def probabilities(networks: list[dict[str, Array]], pictures: Array) -> Array:
    """Class probabilities that every network gives to every picture: lesson 09's model in NumPy.

    Parameters
    ----------
    networks : list of dict
        From `draw_networks`.
    pictures : array (picture, 28, 28), 0 … 255

    Returns
    -------
    array (draw, picture, class), float32 unless the networks are float64
    """
    x = pictures.reshape(len(pictures), -1).astype(np.float32) / np.float32(255)
    return np.stack([softmax(_logits(network, x), axis=-1) for network in networks])


def _logits(network, x):
    h1 = np.maximum(x @ network["w1"] + network["b1"], 0)
    h2 = np.maximum(h1 @ network["w2"] + network["b2"], 0)
    return h2 @ network["w3"] + network["b3"]


@lru_cache(maxsize=1)
def _networks():
    return draw_networks(data.load_digit_posterior(), DRAWS, np.random.default_rng(SEED))


@lru_cache(maxsize=1)
def _test_digits():
    """Pictures and labels of the test set; the training pictures are let go."""
    mnist = data.load_mnist()
    return mnist.test_images, mnist.test_labels


def exact_probabilities(pictures: Array) -> Array:
    """Class probabilities in double precision: digits with nearly the same score are in one order on every machine.

    Parameters
    ----------
    pictures : array (picture, 28, 28), 0 … 255

    Returns
    -------
    array (draw, picture, class), float64
        For the 30 networks of the explorers.
    """
    networks = [{name: value.astype(float) for name, value in network.items()} for network in _networks()]
    blocks = np.array_split(pictures, -(-len(pictures) // 1000))  # all at once would take much memory
    return np.concatenate([probabilities(networks, block) for block in blocks], axis=1)


@lru_cache(maxsize=1)
def test_draws() -> Array:
    """Class probabilities of the test digits.

    Returns
    -------
    array (draw, item, class), float64
        From `exact_probabilities`.
    """
    return exact_probabilities(_test_digits()[0])


def _says(draws):
    """The answer of the mean over the draws (draw, class), in words."""
    mean = draws.mean(axis=0)
    share = "over 99 %" if mean.max() >= 0.995 else f"{100 * mean.max():.0f} %"
    return f"the network says {mean.argmax()} with {share}"


# Rejecting ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _judged():
    """Scores of uncertainty of all test digits by name, each (item,), and the network's answers (item,)."""
    draws = test_draws()
    mean = uncertainty.mean_probability(draws)
    entropy, variance = uncertainty.decompose_entropy(draws), uncertainty.decompose_variance(draws)
    scores = (entropy.total, entropy.epistemic, variance.epistemic, 1 - mean.max(axis=1))
    return dict(zip(SCORES, scores, strict=True)), mean.argmax(axis=1)


@lru_cache(maxsize=len(SCORES))
def _ranked(score):
    """The test digits from certain to uncertain, and the risk–coverage curve."""
    scores, answers = _judged()
    order = np.argsort(scores[score], kind="stable")
    return order, uncertainty.risk_coverage(scores[score], answers != _test_digits()[1])


def draw_rejecting(figure: Figure, percent: float, score: str) -> str:
    """Draw risk against coverage on the test digits, and the ten digits that were the last to be rejected (lesson 09).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    percent : float
        Share of the test digits to reject, the most uncertain, in [0.1, 30] %.
    score : {"total entropy", "mutual information", "variance between draws", "1 − confidence"}

    Returns
    -------
    str
        Threshold of the score, and who is right among the kept and the rejected.
    """
    real_number(percent, "percent", low=0.1, high=30)
    order, _curve = _ranked(one_of(score, "score", SCORES))
    (images, labels), (scores, answers) = _test_digits(), _judged()
    kept = len(order) - round(len(order) * percent / 100)
    wrong = (answers != labels)[order]
    just = order[kept : kept + 10]
    _draw_risks(figure.add_axes([0.145, 0.42, 0.8, 0.55]), score, kept / len(order), wrong[:kept].mean())
    figure.text(0.03, 0.27, "the last ten to be rejected:", fontsize=plots.SMALL)
    _draw_row(figure.add_axes([0.02, 0.08, 0.96, 0.18]), images[just], labels[just], answers[just])
    unit = " nats" if score in SCORES[:2] else ""
    return (
        f"Rejected: {percent:.1f} % of {len(order):,} digits, {score} at least {scores[score][just[0]]:.2g}{unit}; "
        f"{100 * wrong[kept:].mean():.0f} % of them would be wrong. "
        f"Kept: {100 - 100 * wrong[:kept].mean():.2f} % right, {wrong[:kept].sum()} errors left of {wrong.sum()}."
    )


def _draw_risks(ax, score, coverage, risk):
    for other in SCORES:
        curve = _ranked(other)[1]
        chosen = {"color": plots.BLUE, "linewidth": 1.8, "zorder": 3}
        style = chosen if other == score else {"color": plots.GREY, "linewidth": 0.8}
        ax.plot(curve.coverage[6899::10], curve.risk[6899::10], **style)
    ax.plot(coverage, risk, "o", color=plots.VERMILLION, markersize=8, zorder=4, clip_on=False)
    ax.axvspan(coverage, 1, color=plots.PALE, alpha=0.6, linewidth=0)
    ax.text(0.695, 0.0192, f"blue: {score}\ngrey: the other scores", fontsize=9, va="top")
    ax.set(xlim=(0.69, 1), xlabel="coverage: share kept (grey band: rejected)")
    ax.set(ylim=(0, 0.02), yticks=[0, 0.005, 0.01, 0.015, 0.02], ylabel="risk")
    ax.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=" %"))
    ax.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %"))


def _draw_row(ax, images, labels, answers):
    """Pictures side by side in one image, with the network's answer under each."""
    row = np.concatenate([np.pad(image, 2) for image in images], axis=1)
    plots.picture(ax, row).set_interpolation("none")  # cells stay cells in an SVG, too
    ax.set_axis_off()
    for place, (answer, label) in enumerate(zip(answers, labels, strict=True)):
        style = {"color": plots.BLUE} if answer == label else {"color": plots.VERMILLION, "fontweight": "bold"}
        ax.text(32 * place + 16, 32, f"says {answer}\nis {label}", ha="center", va="top", fontsize=plots.SMALL, **style)


def rejecting() -> Explorer:
    """Hand over the most uncertain test digits: what is left is right more often (lesson 09).

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_rejecting,
        "Above, error rate of the kept test digits against the share kept, for four scores of uncertainty. Below, ten "
        "digits that were the last to be rejected, with the network's answers and the labels.",
        size=(6, 3.8),
        main="percent",
        percent=FloatSlider(value=3.0, min=0.5, max=30, step=0.5, description="rejected (%)", readout_format=".1f"),
        score=Dropdown(options=SCORES, description="score"),
    )


# Turning --------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=len(DIGITS))
def _turned(digit):
    """A test digit at all angles: pictures (angle, 28, 28), probabilities (draw, angle, class), their entropies."""
    image = _test_digits()[0][DIGITS[digit]]
    pictures = np.array([rotate(image, angle, reshape=False, order=1) for angle in ANGLES])
    draws = probabilities(_networks(), pictures)
    return pictures, draws, uncertainty.decompose_entropy(draws)


def draw_turning(figure: Figure, digit: str, angle: int) -> str:
    """Draw a turned digit, the answers of the network, and its uncertainty at all angles (lesson 09).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    digit : {"1", "3", "4", "6", "7", "8"}
    angle : int
        Degrees, 0, 5, … 360.

    Returns
    -------
    str
        The answer and its uncertainty.
    """
    pictures, draws, entropy = _turned(one_of(digit, "digit", tuple(DIGITS)))
    place = ANGLES.index(one_of(angle, "angle", ANGLES))
    _draw_picture(figure.add_axes([0.06, 0.57, 0.26, 0.41]), pictures[place])
    _draw_answer(figure.add_axes([0.42, 0.58, 0.56, 0.39]), draws[:, place], true=int(digit))
    below = figure.add_axes([0.1, 0.13, 0.88, 0.34])
    below.plot(ANGLES, entropy.total, "-", color=plots.BLUE, label="total")
    below.plot(ANGLES, entropy.epistemic, "--", color=plots.VERMILLION, label="mutual information")
    below.axvline(angle, ymax=0.8, color=plots.DARK, linewidth=1.2)
    below.plot([angle, angle], [entropy.total[place], entropy.epistemic[place]], "o", color=plots.DARK, zorder=3)
    below.set(xlim=(-6, 366), xticks=range(0, 361, 90), xlabel="angle (degrees)")
    below.set(ylim=(0, 2.9), yticks=[0, 1, 2], ylabel="entropy (nats)")  # above ln 10 there is room for the legend
    below.legend(loc="upper right", frameon=False, ncols=2, fontsize=8)
    return f"A {digit} turned by {angle}°: {_says(draws[:, place])}. {_entropies(entropy, place)}."


def _draw_picture(ax, picture):
    plots.picture(ax, picture)
    ax.spines[:].set_visible(True)


def _draw_answer(ax, draws, true=None):
    """Mean class probabilities of draws (draw, class); whiskers hold nine tenths of the draws."""
    plots.class_bars(ax, draws.mean(axis=0), true=true, draws=draws)
    ax.set(ylabel="probability")


def _entropies(entropy, place):
    return f"Total entropy {entropy.total[place]:.2f} nats, of which mutual information {entropy.epistemic[place]:.2f}"


def turning() -> Explorer:
    """Turn a test digit and watch the network doubt (lesson 09).

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_turning,
        "A turned digit; the network's class probabilities, whose whiskers hold nine tenths of the draws; below, total "
        "entropy and mutual information against the angle.",
        size=(6, 3.8),
        play="angle",
        digit=Dropdown(options=list(DIGITS), description="digit"),
        angle=IntSlider(value=60, min=0, max=360, step=5, description="angle (degrees)"),
    )


# Drawing --------------------------------------------------------------------------------------------------------------


def as_mnist(ink: ArrayLike) -> Array:
    """Scale and centre a drawing as the makers of MNIST did: longer side 20 of 28 pixels, centre of mass in the middle.

    Parameters
    ----------
    ink : array (28, 28), 0 … 255
        With some ink on it.

    Returns
    -------
    array of uint8 (28, 28)
        The darkest pixel is 255.

    Raises
    ------
    ValueError
        If the paper is blank.

    References
    ----------
    LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document recognition, section III.A.
    """
    ink = np.asarray(ink, float)
    if ink.max() <= 0:
        raise ValueError("ink must be above 0 somewhere, got a blank picture: draw something")
    dark = np.argwhere(ink > 0.25 * ink.max())
    scale = (np.max(np.ptp(dark, axis=0)) + 1) / data.BOX
    middle = [np.average(indices, weights=ink) for indices in np.indices(ink.shape)]
    offset = [where - scale * data.SIDE / 2 for where in middle]
    scaled = affine_transform(ink, [scale, scale], offset, order=1)
    return np.round(255 * scaled / scaled.max()).astype(np.uint8)


@lru_cache(maxsize=1)
def usual_information() -> Array:
    """Mutual information of the first thousand test digits, in nats: what a drawing is compared with.

    Returns
    -------
    array (item,)
    """
    return uncertainty.decompose_entropy(probabilities(_networks(), _test_digits()[0][:1000])).epistemic


def draw_drawing(figure: Figure, ink: bytes) -> str:
    """Draw what the network sees of a drawing, its answers, and its uncertainty (lesson 09).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    ink : bytes, 784
        Grey values of the drawing, row by row, 0 (paper) … 255; while all are 0, a letter is shown.

    Returns
    -------
    str
        The answer, its uncertainty, and how it compares with that for test digits.
    """
    if len(ink) != data.SIDE**2:
        raise ValueError(f"ink must hold {data.SIDE**2} bytes, got {len(ink)}: pass the value of a Pad")
    blank = not any(ink)
    drawing = example() if blank else np.frombuffer(ink, np.uint8).reshape(data.SIDE, data.SIDE)
    picture = as_mnist(drawing)
    draws = probabilities(_networks(), picture[None])
    entropy = uncertainty.decompose_entropy(draws)
    left = figure.add_axes([0.04, 0.41, 0.3, 0.5])
    _draw_picture(left, picture)
    left.text(13.5, -1.5, "what the network sees", ha="center", fontsize=9)
    _draw_answer(figure.add_axes([0.42, 0.41, 0.56, 0.53]), draws[:, 0])
    _draw_parts(figure.add_axes([0.04, 0.15, 0.94, 0.07]), entropy.aleatoric[0], entropy.epistemic[0])
    what = f"The pad is blank; for example the letter {EXAMPLE}:" if blank else "Your drawing:"
    share = np.mean(usual_information() < entropy.epistemic[0])
    return f"{what} {_says(draws[:, 0])}. {_entropies(entropy, 0)}, more than for {_in_words(share)} test digits."


def _in_words(share):
    return "all" if share == 1 else f"{int(100 * share)} % of the"


@lru_cache(maxsize=1)
def example() -> Array:
    """The letter that is shown while nothing is drawn.

    Returns
    -------
    array of uint8 (28, 28)
    """
    return data.render_letters(EXAMPLE, style="sans")[0]


def _draw_parts(ax, aleatoric, epistemic):
    """Total entropy as a bar of its two parts, on the scale from certainty to pure guessing."""
    ax.barh(0, aleatoric, color=plots.SKY, label="aleatoric")
    style = {"color": plots.VERMILLION, "hatch": "////", "edgecolor": "white", "linewidth": 0}
    ax.barh(0, epistemic, left=aleatoric, label="mutual information", **style)
    ax.spines[:].set_visible(True)
    ax.set(xlim=(0, np.log(10)), yticks=[], xlabel="total entropy (nats); the right end is pure guessing")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 0.9), frameon=False, ncols=2, fontsize=8, borderaxespad=0.2)


def drawing() -> Explorer:
    """Draw a digit, or something that is none, and read the network's answer (lesson 09).

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_drawing,
        "The drawing as the network sees it, a letter while there is none; the network's class probabilities, whose "
        "whiskers hold nine tenths of the draws; and a bar of total entropy in its two parts.",
        size=(6, 3),
        ink=Pad(description="draw here"),
    )
