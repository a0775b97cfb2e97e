"""The answers to the exercises, and the wrong answers that people give, each with a hint.

This is data: `bnn_course.exercises.check` reads it. A right answer is computed from its definition wherever it has one.
A hint says what to think about, never the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats
from scipy.special import logsumexp

from bnn_course._answer import Answer, calls, curve
from bnn_course._checks import Array

ANY = np.nan  # in a wrong array: whatever stands there


# Lesson 00 ------------------------------------------------------------------------------------------------------------


def _crowd(rng: np.random.Generator) -> tuple[Array]:
    """The answers of a crowd of random size at seven places."""
    return (rng.beta(0.5, 0.5, size=(int(rng.integers(2, 30)), 7)),)


def _coin_entropy(p: Array) -> Array:
    return np.asarray(-p * np.log(p) - (1 - p) * np.log(1 - p))


def _doubts(answers: Array, axis: int = 0) -> list[Array]:
    """Aleatoric and epistemic doubt of a crowd."""
    total, aleatoric = _coin_entropy(answers.mean(axis=axis)), _coin_entropy(answers).mean(axis=axis)
    return [aleatoric, total - aleatoric]


def _what_is_there(measured: Array) -> str:
    """Say of a distance and a doubt whether the place is far, and whether the networks disagree."""
    away, disputed = measured
    if disputed > np.log(2):
        return "no doubt is so large"
    return f"{'far' if away > 1.5 else 'near'}, {'disputed' if disputed > 0.3 else 'agreed upon'}"


LESSON_00 = {
    "00-bound-to-keep": Answer(
        right=[True, True, False, True, True],
        why="A bound judges the value itself: not how it is printed, and not whether you expected it.",
        wrong=[
            ([True] * 5, "One of them is below the bound, by little. Do not round before you compare."),
            ([True, True, False, False, True], "“At least” includes the bound itself."),
            ([False, False, True, False, False], "Those are the failures. On which of them does the claim hold?"),
            (
                [True, False, False, False, False],
                "Another value than the lesson's is no failure: only the bound counts.",
            ),
            ([True, True, False, True, False], "Better than expected is no failure: is there an upper bound?"),
        ],
    ),
    "00-two-crowds": Answer(
        right=[[np.log(2), 0], [0, np.log(2)]],
        within=0.005,
        why="The same mean, and two kinds of doubt: only the second crowd can be silenced by looking.",
        wrong=[
            ([[0, np.log(2)], [np.log(2), 0]], "Exchanged: if nobody contradicts anybody, what is the disagreement?"),
            ([[np.log(2), 0]] * 2, "In the second crowd, how unsure is each network by itself?"),
            ([[1, 0], [0, 1]], "Those are bits. With the natural logarithm, a coin toss has fewer nats than that."),
            ([[0.5, 0], [0, 0.5]], "One half is the mean answer. How large is its entropy?"),
            ([[np.log(2)] * 2, [0, np.log(2)]], "The first crowd: aleatoric and epistemic add up to the total."),
        ],
    ),
    "00-another-place": Answer(
        right=[1.8, 0.42],
        feature=_what_is_there,
        why="Doubt does not grow with distance: it grows where the networks have a reason to differ.",
        wrong=[
            ([2.0, 0.02], "Far enough, but all networks agree there. Go to where the border runs on."),
            ([0.5, 0.35], "They disagree, but a point is near. Follow the same fan farther out."),
            ([0.1, 0.05], "That is too near, and they agree. Look at the map of epistemic doubt."),
            ([0.42, 1.8], "No doubt between two classes is larger than ln 2: the distance comes first."),
        ],
    ),
    "00-more-noise": Answer(
        right=[1.523, 0.947],
        within=0.02,
        why="Noise in the world goes into aleatoric doubt; what the networks do not know stays as it was.",
        wrong=[
            ([1 / 1.523, 1 / 0.947], "The wrong way round: after over before."),
            ([0.947, 1.523], "Exchanged: `doubt` returns the aleatoric part first."),
            ([0.198, 0.110], "Those are the doubts themselves. By which factor have they grown?"),
            ([1.523, 1.523], "Is the second ratio really made of the epistemic parts?"),
        ],
    ),
    "00-below-zero": Answer(
        right=_doubts,
        read=calls(_crowd),
        why="A crowd as a whole is never surer than its members are on average: so disagreement has a sign. Check it.",
        wrong=[
            (
                lambda answers: [_coin_entropy(answers.mean(axis=0)), -_doubts(answers)[1]],
                "This is the friend's. Which comes first in the total, the mean or the entropy?",
            ),
            (
                lambda answers: [_coin_entropy(answers.mean(axis=0)), _doubts(answers)[1]],
                "The sign is right now, but the first number is still the total.",
            ),
            (lambda answers: _doubts(answers)[::-1], "Exchanged: the aleatoric part comes first, as in the lesson."),
            (
                lambda answers: [_doubts(answers)[0], sum(_doubts(answers))],
                "The second number is the total. How much of it is left without the aleatoric part?",
            ),
            (
                lambda answers: _doubts(answers, axis=1),
                "You averaged over the places. Average over the networks: that is the first axis.",
            ),
        ],
    ),
    "00-more-points": Answer(
        right=[[0.0837, 0.0408, 0.0183], [0.128, 0.550, 0.603]],
        within=[[0.001], [0.005]],
        why="More points teach the crowd about the moons, and make it surer where nobody has looked.",
        wrong=[
            (
                [[0.0183, 0.0408, 0.0837], [0.603, 0.550, 0.128]],
                "Turned round: begin with the crowd that has the fewest points.",
            ),
            (
                [[0.128, 0.550, 0.603], [0.0837, 0.0408, 0.0183]],
                "Exchanged: the doubt beside the points comes first.",
            ),
            (
                [[ANY] * 3, [0.872, 0.450, 0.397]],
                "That is the share of far places where the crowd is in doubt. Where is it sure?",
            ),
            (
                [[ANY] * 3, [0.115, 0.550, 0.615]],
                "You took the far places of the lesson's points for all three. Each crowd has its own points.",
            ),
            ([[0.294, 0.191, 0.130], [ANY] * 3], "That is the aleatoric part: the second of the two is wanted."),
        ],
    ),
    "00-somebody-looks": Answer(
        right=[[0.010, 0.917], [0.550, 0.155]],
        within=0.005,
        why="Ten observations turned the answer round, and most of the certainty far away is gone.",
        wrong=[
            ([[0.010, 0.550], [0.917, 0.155]], "Another order is wanted: both answers, then both shares."),
            ([[0.917, 0.010], [0.155, 0.550]], "The wrong way round: before comes first."),
            ([[0.010, 0.010], [0.550, 0.550]], "The same crowd twice. Ask the crowd that has seen the new points."),
            ([[ANY, ANY], [0.550, 0.130]], "The new points make places near: measure the distance from all points."),
            ([[ANY, ANY], [0.450, 0.845]], "Those are the shares of places in doubt. Where is it sure?"),
        ],
    ),
    "00-prior-decides": Answer(
        right=[[0.500, 0.618, 0.550, 0.502, 0.481], [0.064, 0.139, 0.371, 0.433, 0.453]],
        within=0.005,
        why="What happens where there are no points is decided by what you assume: look at a prior before you use it.",
        wrong=[
            (
                [[0.064, 0.139, 0.371, 0.433, 0.453], [0.500, 0.618, 0.550, 0.502, 0.481]],
                "Exchanged: the shares come first.",
            ),
            (
                [[ANY] * 5, [0.451, 0.345, 0.285, 0.139, 0.086]],
                "That is the aleatoric doubt at B. Take the other part.",
            ),
            ([[0.550] * 5, [0.371] * 5], "The same crowd five times: is its name the one with the scale?"),
            (
                [[0.500, 0.382, 0.450, 0.498, 0.519], [ANY] * 5],
                "Those are the shares of far places in doubt. Where is the crowd sure?",
            ),
        ],
    ),
}


# Lesson 01 ------------------------------------------------------------------------------------------------------------


def _coin_on_a_grid(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """A grid of random fineness, and likelihood and prior of a random coin on it."""
    cells = int(rng.integers(100, 1_000))
    theta = (np.arange(cells) + 0.5) / cells
    heads, tails = rng.integers(0, 9, size=2)
    return theta, theta**heads * (1 - theta) ** tails, theta * (1 - theta) ** rng.uniform(0, 4)


def _density(theta: Array, likelihood: Array, prior: Array) -> Array:
    product = likelihood * prior
    return np.asarray(product / (np.sum(product) * (theta[1] - theta[0])))


COIN = (np.arange(10_000) + 0.5) / 10_000
OF_COIN = COIN**8 * (1 - COIN) ** 4  # the posterior of lesson 01, up to a constant


def _top_on_scale(place: Array) -> float:
    """The θ where the density on a scale is highest, given the place of each θ of `COIN`; −1 if the scale turns."""
    steps = np.diff(place)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        return -1.0
    return float(COIN[np.argmax(OF_COIN / np.abs(np.gradient(place, COIN)))])


LESSON_01 = {
    "01-second-test": Answer(
        right=18 * 0.9 / (18 * 0.9 + 49 * 49 / 980),
        within=0.002,
        why="Yesterday's posterior is today's prior: evidence can come in pieces, and the table never changes.",
        wrong=[
            (18 / 67, "That is what one test told you. It is the prior now, and there is a second result to use."),
            (18 / 67 * 0.9, "That is prior times likelihood. Divide it by the sum of both rows, ill and healthy."),
            (0.9, "That is how probable a positive test is if you are ill. The question goes the other way round."),
            ((18 / 67) ** 2, "Two positive tests have made you surer that you are well? Multiply by likelihoods."),
        ],
    ),
    "01-three-tails": Answer(
        right=[0, 1 / 5, 1 / 4],
        within=0.005,
        why="MAP declares impossible whatever it has not seen. The mean never does, and it is what you should bet on.",
        wrong=[
            ([ANY, 0, ANY], "The mean is the one you would bet on. The flat prior counts as one head and one tail."),
            ([ANY, 1 / 4, ANY], "In the mean, the flat prior counts as two flips, not as one: a head and a tail."),
            ([1 / 5, ANY, ANY], "MAP is the top, not the mean. Where between zero and one is (1 − θ)³ highest?"),
            ([ANY, ANY, 1], "That is the likelihood at its top. The evidence is its average over the whole prior."),
            ([ANY, ANY, 1 / 8], "A fair coin predicts that. Let θ vary: integrate (1 − θ)³ from zero to one."),
        ],
    ),
    "01-hundred-flips": Answer(
        right=60,
        why="Occam's razor has an edge: the free θ pays a price, and the data must be lopsided enough to refund it.",
        wrong=[
            (51, "Some θ fits 51 heads better than one half does, but the evidence averages over all θ. Compare that."),
            (80, "Ten flips take eight, but ten times the flips do not take ten times the heads: chance averages out."),
            (59, "Close, but the fair coin is still ahead there. Look at the sign of the difference once more."),
            (61, "That is the answer for a flat prior. The coin of the lesson has the prior with a₁ = a₀ = 2."),
        ],
    ),
    "01-lost-width": Answer(
        right=_density,
        read=calls(_coin_on_a_grid),
        why="A density is probability per length: it may exceed one, does not depend on the grid, and keeps its top.",
        wrong=[
            (
                lambda theta, likelihood, prior: likelihood * prior / np.sum(likelihood * prior),
                "These are the probabilities of the cells: they add up to one. Of a density, the area must be one.",
            ),
            (
                lambda theta, likelihood, prior: _density(theta, likelihood, prior) * (theta[1] - theta[0]) ** 2,
                "You multiplied by the width of a cell. Probability per length: which operation is “per”?",
            ),
            (
                lambda theta, likelihood, prior: likelihood * prior / np.max(likelihood * prior),
                "Now the top is one. It is the area under the curve that must be one.",
            ),
            (
                lambda theta, likelihood, prior: likelihood * prior / (theta[1] - theta[0]),
                "You divided by the width alone: divide by the sum, too, or the area depends on the data.",
            ),
        ],
    ),
    "01-one-half": Answer(
        right=lambda theta: (1 - theta) ** -3,
        within=0.002,
        read=calls(lambda rng: (COIN,), times=1),
        feature=_top_on_scale,
        why="Anybody can choose a scale with the top where they want it. That is why areas deserve trust, not heights.",
        wrong=[
            (
                lambda theta: theta - 1 / 6,
                "The top is still at two thirds: your scale shifts, or stretches all lengths alike. Bend it.",
            ),
            (
                lambda theta: np.log(theta / (1 - theta)),
                "That scale puts the top at 9/14: its Jacobian adds one to each exponent. You need another one.",
            ),
            (lambda theta: theta / (1 - theta), "The odds put the top at 4/7. You are on the right way: go on."),
            (
                lambda theta: (1 - theta) ** 5,
                "The top ran to the edge: dθ/dφ multiplies the density, and you took dφ/dθ for it.",
            ),
            (
                lambda theta: (theta - 1 / 2) ** 2,
                "Your scale turns round, and gives two coins the same place. It must rise, or fall, all the way.",
            ),
        ],
    ),
    "01-sampler-top": Answer(
        right=9 / 14,
        within=0.003,
        why="Samplers and ADVI work on the scale without bounds, so their density carries a Jacobian; MAP's does not.",
        wrong=[
            (2 / 3, "That is the top on θ's own scale: did you compile with jacobian=True, and use what you compiled?"),
            (np.log(9 / 5), "That is a log-odds. At which θ is it?"),
            (7 / 10, "That is the top of the likelihood. The model has a prior, too."),
        ],
    ),
    "01-lasso-prior": Answer(
        right=0.005,
        within=1e-4,
        why="A penalty that stays the same while data arrive is a prior that grows more confident all the time.",
        wrong=[
            (0.05, "That would be the same prior as before. But α = σ²/(N s), and N has grown while α has not."),
            (0.5, "The wrong way round: solve α = σ²/(N s) for s. What does a larger N do to it?"),
            (0.05 / np.sqrt(10), "No square root here: a Laplace prior's penalty is linear in 1/s."),
        ],
    ),
    "01-ml-plug-in": Answer(
        right=[0.395, 0.836],
        within=0.03,
        why="With as many weights as observations, maximum likelihood fits the noise; a prior helps even a plug-in.",
        wrong=[
            ([0.605, ANY], "With four observations that is MAP's coverage. Fit by least squares, without the prior."),
            ([0.9, ANY], "You allowed for doubt about the weights. A plug-in interval has the noise only."),
            ([0.45, ANY], "You compared with the curve itself. What is promised is new observations, with noise."),
            ([0.836, 0.395], "The right numbers in the wrong order: four observations come first."),
        ],
    ),
    "01-growing-noise": Answer(
        right=[0.029, 0.33],
        within=[0.01, 0.06],
        why="A check that failed has told you what to build next, and the new model passes it without being told to.",
        wrong=[
            ([0.33, 0.029], "The slope of ln σ comes first, then the fraction of the replicas."),
            ([ANY, 0.001], "The replicas still come from one σ for everybody: draw them from your new model."),
            ([ANY, 0.67], "You counted the replicas whose spread grows less than in the real data. Count the others."),
            ([ANY, 1.43], "That is the growth itself. What fraction of the replicas reaches it?"),
        ],
    ),
}


# Lesson 02 ------------------------------------------------------------------------------------------------------------


def _drawn(x: Array, y: Array) -> Any:
    """A drawing of one line."""
    ax = Figure().add_subplot()
    ax.plot(x, y)
    return ax


RHO = np.linspace(0, 0.99, 100)


def _walk(rng: np.random.Generator) -> tuple[Any, ...]:
    """What a Metropolis sampler needs for a target of two places, nine times as probable the one as the other."""

    def log_density(theta: Array) -> float:
        return float(np.log(0.1 if theta[0] > 0.5 else 0.9))

    return log_density, np.zeros(1), 2_000, lambda theta: 1 - theta, rng


def _metropolis(keep: str) -> Callable[..., Array]:
    """A Metropolis sampler that keeps every state, only the accepted ones, as many of these as wanted, or proposals."""

    def sample(log_density: Any, theta: Array, draws: int, propose: Any, rng: np.random.Generator) -> Array:
        kept: list[Array] = []
        for _ in range(10 * draws if keep == "enough accepted" else draws):
            new = propose(theta)
            accepted = np.log(rng.uniform()) < log_density(new) - log_density(theta)
            theta = new if accepted else theta
            if accepted or keep in ("states", "proposals"):
                kept.append(new if keep == "proposals" else theta)
        return np.array(kept[:draws])

    return sample


LINE = np.column_stack([np.ones(20), np.linspace(0, 2, 20)])
OF_LINE = LINE.T @ LINE + np.eye(2) / 4  # the precision of the line of lesson 02


def _where_paths_end(setting: Array) -> str:
    """What HMC with a fixed number of steps does on the line: leapfrog turns each eigenvector by a fixed angle."""
    dt, steps = setting
    eigenvalues = np.linalg.eigvalsh(OF_LINE)
    if not 0 < dt <= 2 / np.sqrt(eigenvalues[-1]):
        return "unstable"
    angles = steps * np.arccos(1 - eigenvalues * dt**2 / 2)
    if angles[0] < 1:
        return "short"
    return "round" if np.abs(np.cos(angles)).max() > 0.98 else "somewhere else"


def _spring(lightest: float, heaviest: float) -> float:
    """The correlation of the posterior of the line for twenty weights between these two."""
    X = np.column_stack([np.ones(20), np.linspace(lightest, heaviest, 20)])
    covariance = np.linalg.inv(X.T @ X + np.eye(2) / 4)
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


HEAVY, LIGHT = _spring(4, 6), _spring(0, 2)


def _normal(rng: np.random.Generator) -> tuple[Array, int, Array]:
    """A place, a component, and a precision of five components."""
    root = rng.normal(size=(5, 5))
    return rng.normal(size=5), int(rng.integers(5)), root @ root.T + np.eye(5)


def _conditional(theta: Array, i: int, precision: Array) -> list[Any]:
    return [theta[i] - precision[i] @ theta / precision[i, i], precision[i, i] ** -0.5]


LESSON_02 = {
    "02-how-many": Answer(
        right=[10_000, 30_000],
        within=1,
        why="Accuracy costs its square, and a chain pays for its memory on top: report MCSE, not the number of draws.",
        wrong=[
            ([100, ANY], "The error falls with the square root of the number of draws, not with the number itself."),
            ([10_000, 10_000], "The draws of a chain remember: ask how many independent ones they are worth."),
            (
                [10_000, 20_000],
                "ρ = ½ does not mean half: all the ρ_t = ρ^t count, on both sides. Use the formula for S_eff.",
            ),
            ([10_000, 10_000 / 3], "A chain is worth less than its draws, so it takes more of them, not fewer."),
        ],
    ),
    "02-accept": Answer(
        right=2 / 3,
        within=0.004,
        why="The two factors are balanced against each other: that is how a lopsided proposal keeps the right target.",
        wrong=[
            (1 / 3, "That is the ratio of the densities alone. The proposal is lopsided: use the Hastings ratio, too."),
            (1 / 6, "The second factor is upside down: the way back is on top."),
            (1, "The proposal favours the move, but not by as much as the density speaks against it."),
            (2, "That is the Hastings ratio alone; and a probability is at most one."),
        ],
    ),
    "02-three-steps": Answer(
        right=[[0.02, 0.5, 3], [0.5, 3, 0.02]],
        why="Acceptance is no measure of quality: the step that is accepted most makes the worst chain.",
        wrong=[
            (
                [[3, 0.5, 0.02], [ANY] * 3],
                "Highest acceptance first: is a short step accepted more often, or a long one?",
            ),
            ([[ANY] * 3, [0.02, 0.5, 3]], "Is the chain that accepts most the best one? Measure the ESS of each."),
            ([[ANY] * 3, [3, 0.5, 0.02]], "The longest steps are rejected nearly always. Measure once more."),
            (
                [[ANY] * 3, [0.5, 0.02, 3]],
                "The best one is right. Of the others: does standing still cost more than creeping?",
            ),
        ],
    ),
    "02-price-of-memory": Answer(
        right=_drawn(RHO, (1 - RHO) / (1 + RHO)),
        within=0.02,
        read=curve(RHO[::3]),
        why="Memory is expensive from the start: a correlation of one third already costs half of the draws.",
        wrong=[
            (
                _drawn(RHO, 1 - RHO),
                "A straight line would count the memory on one side only: look at the sum in S_eff again.",
            ),
            (
                _drawn(RHO, 1 / (1 + RHO)),
                "Even at ρ near one, this chain would be worth half. The sum over all t is ρ/(1 − ρ).",
            ),
            (_drawn(RHO, (1 + RHO) / (1 - RHO)), "That is how many draws make one. Turn it over."),
            (_drawn(RHO, 80_000 * (1 - RHO) / (1 + RHO)), "That is the ESS itself. Divide it by the number of draws."),
        ],
    ),
    "02-lost-rejections": Answer(
        right=_metropolis("states"),
        within=[0.5, 0.05],
        read=calls(_walk, times=1),
        feature=lambda draws: [len(draws), np.mean(draws)],
        why="To stay is a move. Only known moments find this fault: R-hat and the mean are in perfect health.",
        wrong=[
            (_metropolis("accepted"), "You get fewer draws back than you asked for: what became of the rejections?"),
            (_metropolis("enough accepted"), "Now there are enough draws, but they still leave out every “stay”."),
            (_metropolis("proposals"), "You keep what was proposed, even if it was rejected. Keep where the chain is."),
        ],
    ),
    "02-unfold-funnel": Answer(
        right=lambda v, w: (3 * v, np.exp(3 * v / 2) * w),
        read=calls(lambda rng: tuple(rng.normal(size=2))),
        why="The same model, another landscape: where a posterior is a funnel, let the sampler walk on a round hill.",
        wrong=[
            (lambda v, w: (3 * v, np.exp(3 * v) * w), "e^v is the variance of w. Multiply by its sd."),
            (lambda v, w: (v, np.exp(v / 2) * w), "v has sd three: stretch it first, and use the stretched one for w."),
            (lambda v, w: (3 * v, np.exp(v / 2) * w), "v is right. For w, use this v, not the standard Normal."),
            (lambda v, w: (9 * v, np.exp(9 * v / 2) * w), "Nine is the variance of v. Multiply by its sd."),
        ],
    ),
    "02-full-circle": Answer(
        right=[0.1, 33],
        feature=_where_paths_end,
        why="A long path is not a far one. Random lengths, or a stop at the U-turn, keep HMC from going in circles.",
        wrong=[
            ([0.1, 3], "These paths are short: a random walk. Make them long, and find out where they come back."),
            (
                [0.1, 21],
                "That samples well. The path must end near where it began: compute the period of one direction.",
            ),
            (
                [0.5, 7],
                "With this step leapfrog explodes, and everything is rejected. Take a smaller step, and more of them.",
            ),
        ],
    ),
    "02-wrong-sign": Answer(
        right=[True, False, False],
        why="Each law has its reason: shears keep volume, symmetry makes paths reversible, two halves make the order.",
        wrong=[
            (
                [False, ANY, ANY],
                "Each line is still a shear: one changes by an amount that the other sets. Does that change areas?",
            ),
            ([ANY, True, ANY], "Try it: one step, flip the momentum, one step, flip again. Are you back?"),
            ([ANY, ANY, True], "Let a ball roll downhill. Does it get any faster? Then what about its energy?"),
        ],
    ),
    "02-heavier-weights": Answer(
        right=(1 - HEAVY**2) / (1 + HEAVY**2),
        within=4e-4,
        why="The correlation decides what a sweep is worth: centre your inputs, and it is gone.",
        wrong=[
            ((1 + HEAVY) / (1 - HEAVY), "Neighbouring sweeps have autocorrelation ρ², not ρ."),
            ((1 - LIGHT**2) / (1 + LIGHT**2), "That is for the weights of the lesson. Put the heavier ones into X."),
            ((1 + HEAVY**2) / (1 - HEAVY**2), "That is how many sweeps make one draw. Turn it over."),
            (1 - HEAVY**2, "Nearly: the memory counts on both sides, so divide by one plus the autocorrelation."),
        ],
    ),
    "02-rotated": Answer(
        right=_conditional,
        read=calls(_normal),
        why="With this function Gibbs samples any Normal, and you can see that it alone cares where the axes point.",
        wrong=[
            (
                lambda theta, i, precision: [-precision[i] @ theta / precision[i, i], precision[i, i] ** -0.5],
                "The sum must leave out the component itself: given the others, its old value does not matter.",
            ),
            (
                lambda theta, i, precision: [
                    _conditional(theta, i, precision)[0],
                    np.linalg.inv(precision)[i, i] ** 0.5,
                ],
                "That sd is the one without knowing the others. Given them, the curvature of the parabola decides.",
            ),
            (
                lambda theta, i, precision: [_conditional(theta, i, precision)[0], 1 / precision[i, i]],
                "One over the curvature is the variance. Hand over the sd.",
            ),
            (
                lambda theta, i, precision: [-_conditional(theta, i, precision)[0], precision[i, i] ** -0.5],
                "The sign of the mean: where is the derivative of ½ θᵀΛθ with respect to θᵢ zero?",
            ),
        ],
    ),
}


# Lesson 03 ------------------------------------------------------------------------------------------------------------

READINGS = np.random.default_rng(2017).normal(1.5, 1, 8)  # those of the cold room


def _log_normal(x: Any, mean: Any, sd: Any) -> Array:
    return np.asarray(-(((x - mean) / sd) ** 2) / 2 - np.log(sd) - np.log(2 * np.pi) / 2)


def _draws_of_q(rng: np.random.Generator) -> tuple[Array, float, float]:
    """A hundred draws from a random Normal, its mean and its sd."""
    mu, sigma = rng.normal(1, 1), rng.uniform(0.1, 2)
    return rng.normal(mu, sigma, 100), mu, sigma


def _log_likelihood(theta: Array) -> Array:
    return np.asarray(_log_normal(READINGS[:, None], theta, 1).sum(axis=0))


def _bound_of_room(likelihood: float, prior: float, log_q: float) -> Callable[..., float]:
    """The average of the three parts of an ELBO, each with a factor."""

    def average(draws: Array, mu: float, sigma: float) -> float:
        parts = likelihood * _log_likelihood(draws) + prior * _log_normal(draws, 0, 2)
        return float(np.mean(parts + log_q * _log_normal(draws, mu, sigma)))

    return average


def _bound_with_entropy(draws: Array, mu: float, sigma: float) -> float:
    entropy = np.log(sigma) + np.log(2 * np.pi * np.e) / 2
    return float(np.mean(_log_likelihood(draws) + _log_normal(draws, 0, 2)) + entropy)


def _edge(prior_sd: Array) -> Array:
    """The mean of the readings at which the simple and the flexible model have the same evidence."""
    simple = 1 / 8
    flexible = simple + prior_sd**2
    return np.asarray(np.sqrt(np.log(flexible / simple) / (1 / simple - 1 / flexible)))


EDGES = _edge(np.array([2, 10, 100]))


def _covariance_of_five(rng: np.random.Generator) -> tuple[Array]:
    root = rng.normal(size=(5, 5)) * rng.uniform(0.5, 2, size=(5, 1))
    return (root @ root.T + np.eye(5),)


def _share_kept(covariance: Array) -> Array:
    return np.asarray(1 / (np.diag(np.linalg.inv(covariance)) * np.diag(covariance)))


def _best_single(covariance: Array) -> Array:
    """The largest squared correlation with one other unknown."""
    sd = np.sqrt(np.diag(covariance))
    return np.asarray(((covariance / np.outer(sd, sd) - np.eye(len(sd))) ** 2).max(axis=1))


def _ratios(rng: np.random.Generator) -> tuple[Array]:
    """Logarithms of ratios, far below zero."""
    return (rng.normal(-1_000, 2, size=(4, int(rng.integers(2, 30)))),)


def _log_mean(log_ratios: Array, axis: int = 1) -> Array:
    return np.asarray(logsumexp(log_ratios, axis=axis) - np.log(log_ratios.shape[axis]))


def _underflow(log_ratios: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.mean(np.exp(log_ratios), axis=1)))


def _two_weights() -> Array:
    """The precision of the posterior of the regression with two nearly equal inputs."""
    x = np.linspace(-1, 1, 20)
    inputs = np.stack([x, x + 0.3 * np.sin(9 * x)], axis=1)
    return np.asarray(inputs.T @ inputs / 0.5**2 + np.eye(2))


WEIGHTS = _two_weights()


def _network_end(forgetful: bool) -> list[float]:
    """Mean and variance of each weight of the smallest network at the end of coordinate ascent."""
    x = np.linspace(-1.5, 1.5, 12)
    outputs = x + np.random.default_rng(2017).normal(0, 0.5, 12)
    xx, xy = 4 * np.sum(x**2), 4 * np.sum(x * outputs)
    return [float(np.sqrt((xy - 1) / xx - (0 if forgetful else 1 / xy))), float(1 / xy)]


RATIO_OF_MEANS = _network_end(forgetful=True)[0] / _network_end(forgetful=False)[0]

LESSON_03 = {
    "03-one-is-wrong": Answer(
        right=[1.0, 0.4],
        within=0.01,
        why="The gap to the evidence is the KL, and it is never negative: an ELBO above the evidence proves a bug.",
        wrong=[
            ([0.4, 1.0], "The right numbers in another order: keep that of the table."),
            ([-1.0, -0.4], "A KL is never negative. Which of the two is larger, evidence or ELBO?"),
            ([1.0, -1.0], "A KL of −1? Then it is not this program that may be right. Choose the other two."),
            ([2.0, 1.4], "You measured from the highest ELBO. Measure from the evidence: can anything lie above it?"),
            ([1.0, -1.0, 0.4], "Two programs are wanted. One of the three KLs cannot be right: leave that one out."),
        ],
    ),
    "03-twice-as-wide": Answer(
        right=[np.log(2) - 3 / 8, 3 / 2 - np.log(2)],
        within=0.005,
        why="Too wide costs more than too narrow: that is why a q that cannot be right comes out too narrow.",
        wrong=[
            ([3 / 2 - np.log(2), np.log(2) - 3 / 8], "Exchanged: the first two arguments are the q that averages."),
            ([np.log(2) - 3 / 8] * 2, "The KL is not symmetric: the second one has all four arguments exchanged."),
            ([np.log(4) - 15 / 32, ANY], "Twice the width, not four times: the function takes standard deviations."),
            ([ANY, 15 / 2 - np.log(4)], "Twice the width, not four times: hand over the sd, not the variance."),
        ],
    ),
    "03-no-entropy": Answer(
        right=[READINGS.sum() / 8.25, 1.982],
        within=[0.005, 0.03],
        why="Without entropy, q becomes a spike at the MAP estimate; and it slows down as if it had converged.",
        wrong=[
            ([ANY, 1], "σ has settled. Is the 1 of the entropy still in your gradient?"),
            ([ANY, 3.928], "That is how the variance shrank. The question is about σ."),
            ([ANY, 0.5045], "The wrong way round: σ after 150 steps over σ after 600."),
            ([READINGS.mean(), ANY], "That is the mean of the readings. The prior pulls, too."),
            ([0, ANY], "It is σ that goes to zero. What pulls at μ has not changed."),
        ],
    ),
    "03-above-evidence": Answer(
        right=_bound_of_room(1, 1, -1),
        read=calls(_draws_of_q),
        why="A lower bound above what it bounds is a bug, not luck. A case with a known evidence finds it at once.",
        wrong=[
            (_bound_of_room(1, 0, -1), "This is the friend's. Which factor of the joint density does not appear?"),
            (_bound_of_room(1, -1, -1), "The prior takes part now, with the wrong sign."),
            (_bound_of_room(1, 1, 0), "The joint density is complete, but ln q has got lost."),
            (_bound_of_room(1, 1, 1), "The joint density is complete. ln q is to be subtracted, not added."),
            (
                _bound_with_entropy,
                "Right on average, but you replaced the sampled ln q by the entropy. Only add what is missing.",
            ),
        ],
    ),
    "03-vague": Answer(
        right=EDGES,
        within=0.01,
        why="In a comparison, a vague prior is a strong statement: it hands the victory to the simpler model.",
        wrong=[
            ([EDGES[0]] * 3, "Each prior has its own flexible model: its variance is 1/(Nβ) + s₀²."),
            (2 * EDGES, "That is how wide the strip is. Where is its edge?"),
            (EDGES**2, "Nearly: that is the square of the edge."),
            (EDGES * np.sqrt(8), "Those are standard errors. Go back to degrees."),
            (EDGES[::-1], "The right numbers, turned round: begin with the prior of two degrees."),
        ],
    ),
    "03-heavy-tail": Answer(
        right=[2.572, 2.722],
        within=0.01,
        why="KL(p‖q) hears every tail: where p has no variance, the answer is that of your grid, not of the problem.",
        wrong=[
            ([2.264, 2.264], "That is the target of the lesson. Take log_heavy."),
            ([2.572, 2.572], "The same grid twice. Use wide_grid for the second one, and its own cells."),
            ([6.614, 7.407], "Those are the variances."),
            ([0.633, 0.633], "That is the other direction, which seeks a mode. KL(p‖q) covers all of p."),
        ],
    ),
    "03-others-know": Answer(
        right=lambda covariance: 1 - _share_kept(covariance),
        read=calls(_covariance_of_five),
        why="Mean field throws away what the others know about an unknown, even if no single correlation is large.",
        wrong=[
            (_share_kept, "That is the fraction that is kept. How much is lost?"),
            (
                lambda covariance: 1 - np.sqrt(_share_kept(covariance)),
                "Those are standard deviations. The question is about variances.",
            ),
            (
                _best_single,
                "That is what the best single other one knows. Together they know more: use the precision matrix.",
            ),
            (
                lambda covariance: 1 / np.diag(np.linalg.inv(covariance)),
                "That is the variance of mean field. Compare it with the true one.",
            ),
            (
                lambda covariance: np.diag(covariance) - 1 / np.diag(np.linalg.inv(covariance)),
                "That is how much variance is lost. As a fraction of what?",
            ),
        ],
    ),
    "03-better-bound": Answer(
        right=_log_mean,
        read=calls(_ratios),
        why="Still a lower bound, and more draws lift it towards the evidence: accuracy that you can buy.",
        wrong=[
            (
                lambda log_ratios: log_ratios.mean(axis=1),
                "That is the ELBO, the mean of the logarithms. Take the logarithm of the mean of the ratios.",
            ),
            (
                lambda log_ratios: logsumexp(log_ratios, axis=1),
                "That is the logarithm of the sum. The mean divides by S.",
            ),
            (_underflow, "The ratios are zero for a computer, so the logarithm is minus infinity. Use logsumexp."),
            (
                lambda log_ratios: log_ratios.max(axis=1),
                "The largest ratio alone. Near, if it outweighs the others; but add them all up.",
            ),
            (
                lambda log_ratios: _log_mean(log_ratios, axis=0),
                "You averaged over the repetitions. One number for each row is wanted.",
            ),
        ],
    ),
    "03-seeker-jumps": Answer(
        right=2.8,
        within=0.11,
        why="“Mode seeking” is a tendency, not a law: nearer than that, one wide Normal is the better compromise.",
        wrong=[
            (1, "From there on, the density has two humps. That does not yet make one of them the better choice."),
            (
                2.45,
                "From about there on, a search that starts at a mode stays near it. Compare the losses: is it lower?",
            ),
            (5.6, "That is how far the modes are apart. They stand at −m and m."),
            (np.log(2), "That is about the price at the border, in nats. At which m is the border?"),
        ],
    ),
    "03-two-weights": Answer(
        right=np.diag(WEIGHTS) ** -0.5,
        within=0.015,
        why="The widths are a matter of the family and of the direction of the KL: no optimiser makes them right.",
        wrong=[
            (
                np.sqrt(np.diag(np.linalg.inv(WEIGHTS))),
                "Those are the exact sds. Hand over what the fit found, even if you wish it had found these.",
            ),
            (1 / np.diag(WEIGHTS), "Those are variances. The sd is wanted."),
            ([1, 1], "That is the prior: does the model have its observed=targets?"),
        ],
    ),
    "03-own-bugs": Answer(
        right=[RATIO_OF_MEANS, 1],
        within=[0.002, 0.0005],
        why="A bug in the rule for the variance moves the mean, and leaves the variance perfect: symptoms mislead.",
        wrong=[
            ([1, 1], "They differ a little. Is it really the forgetful rule that made the first one, till the end?"),
            ([1 / RATIO_OF_MEANS, ANY], "The wrong way round: forgetful over right."),
            ([1.646, ANY], "The lesson's number of half-steps is not enough: they still move. Run them much longer."),
            ([ANY, 1.644], "After so few half-steps both are on their way. Run them much longer."),
            ([RATIO_OF_MEANS**2, ANY], "That is the ratio of the products. Of the mean of one weight it is less."),
        ],
    ),
}


# Lesson 04 ------------------------------------------------------------------------------------------------------------


def _estimate(rng: np.random.Generator) -> tuple[float, float, Array]:
    """Mean and log sd of a q, and the noise of fifty draws."""
    return rng.normal(0, 0.5), rng.normal(-0.5, 0.3), rng.normal(size=50)


def _bracket(mean: float, log_sd: float, noise: Array) -> Array:
    """ln p(D, ζ) − ln q(ζ) of the shooting stars at draws of q."""
    zeta = mean + np.exp(log_sd) * noise
    log_q = -(noise**2) / 2 - log_sd - np.log(2 * np.pi) / 2
    return np.asarray(-np.log(2) + 5 * zeta - 6 * np.exp(zeta) - log_q)


def _times_score(bracket: Array, log_sd: float, noise: Array) -> Array:
    return np.asarray(bracket * np.array([noise / np.exp(log_sd), noise**2 - 1]))


def _calm(mean: float, log_sd: float, noise: Array) -> Array:
    bracket = _bracket(mean, log_sd, noise)
    return _times_score(bracket - bracket.mean(), log_sd, noise)


def _noisy(mean: float, log_sd: float, noise: Array) -> Array:
    return _times_score(_bracket(mean, log_sd, noise), log_sd, noise)


def _silenced(mean: float, log_sd: float, noise: Array) -> Array:
    product = _noisy(mean, log_sd, noise)
    return np.asarray(product - product.mean(axis=1, keepdims=True))


def _two_widths(rng: np.random.Generator) -> tuple[float, float]:
    wide = rng.uniform(1, 3)
    return wide * rng.uniform(0.1, 0.9), wide


LESSON_04 = {
    "04-fifty-nights": Answer(
        right=[32, 51],
        why="Data add up, the prior counts once; and the more they are, the better a Normal fits on the new scale.",
        wrong=[
            (
                [50, 60],
                "You multiplied the prior, too. It counts once: only stars and hours are ten times as many.",
            ),
            ([30, 50], "Those are the data alone. Add what the prior counts: shape two, rate one."),
            ([51, 32], "The right numbers, exchanged: the shape counts stars, the rate counts hours."),
        ],
    ),
    "04-above": Answer(
        right=np.log(6 / 4),
        within=0.0048,
        why="An ELBO above a known evidence proves a bug, here a forgotten Jacobian. Test on what you know.",
        wrong=[
            (6 / 4, "That is the area of the dashed curve. The question is about nats."),
            (-np.log(6 / 4), "The sign: is the dashed curve too large or too small?"),
            (0, "For a right density, yes. But the friend maximises the ELBO of a curve with another area."),
            (0.4, "That is what the friend got. The bound is a little higher: use R/(A − 1)."),
        ],
    ),
    "04-no-wiser": Answer(
        right=10,
        within=0.05,
        why="The fault raises no error in PyMC and looks like caution: check a width that you can predict.",
        wrong=[
            (100, "That is how many times too few readings it counts. A width goes with the square root."),
            (1 / 10, "The wrong way round: is somebody who has seen fewer readings surer, or less sure?"),
            (1, "Does the model know how long the list of readings is? What says so in PyMC?"),
        ],
    ),
    "04-calm-score": Answer(
        right=_calm,
        read=calls(_estimate),
        why="A constant times the score averages to zero: what says nothing about the slope need not be multiplied.",
        wrong=[
            (_noisy, "This is the estimator of the lesson. Subtract the mean of the bracket before you multiply."),
            (_silenced, "You subtracted the mean of the product: that is the gradient itself, and it is gone now."),
            (
                lambda mean, log_sd, noise: _calm(mean, log_sd, noise) / _bracket(mean, log_sd, noise).std(),
                "The mean is gone from the bracket, good. Do not divide by its sd: that changes the gradient.",
            ),
        ],
    ),
    "04-speed-limit": Answer(
        right=8 / (0.001 / np.sqrt(10)),
        within=150,
        why="How far an optimiser can go is known beforehand: bring all unknowns to unit scale, or choose another one.",
        wrong=[
            (8 / 0.001, "Ten equal squares add up before the root is taken: the divisor is larger than one gradient."),
            (8 / 0.001 / np.sqrt(10), "The root of ten makes steps shorter: does that take fewer of them, or more?"),
            (8 / 0.001 * 10, "Ten squares are summed, but then comes the root."),
        ],
    ),
    "04-heavy-tail": Answer(
        right=lambda sd_q, sd_p: 1 - sd_q**2 / sd_p**2,
        read=calls(_two_widths),
        why="k̂ reads off how much of the width is missing along the worst direction, without knowing the posterior.",
        wrong=[
            (lambda sd_q, sd_p: 1 - sd_q / sd_p, "Variances, not widths: θ² is what exceeds a border."),
            (
                lambda sd_q, sd_p: sd_q**2 / sd_p**2,
                "If q is right, this says one, the heaviest of tails. It should be zero.",
            ),
            (
                lambda sd_q, sd_p: 1 - sd_p**2 / sd_q**2,
                "That is negative for a narrow q. Which variance is the smaller one?",
            ),
            (
                lambda sd_q, sd_p: 1 / (1 - sd_q**2 / sd_p**2),
                "That is the power with which the share of the weights falls. The shape is one over it.",
            ),
        ],
    ),
    "04-trees-fitted": Answer(
        right=[1.98, 1.12],
        within=[0.08, 0.2],
        why="The exponents are those of a cylinder, and centring the columns is what made them easy to find.",
        wrong=[
            ([1.12, 1.98], "The right numbers, exchanged: the diameter counts twice in a volume."),
            (
                [2.2, ANY],
                "Nearly. Does the height take part? Thick trees are tall, and the diameter took over its share.",
            ),
            ([4.7, 0.34], "These are slopes without logarithms: cubic feet per inch and per foot."),
            ([0.5, ANY], "Turn the regression round: the volume is what you want to know."),
        ],
    ),
}


# Lesson 05 ------------------------------------------------------------------------------------------------------------


def _tosses(rng: np.random.Generator) -> tuple[Array]:
    """Labels (network, toss, place): forty tosses of each of six networks, at five places."""
    return ((rng.random((6, 40, 5)) < rng.random((6, 1, 5))).astype(int),)


def _three_doubts(p: Array) -> Array:
    """Total, aleatoric and epistemic doubt of a crowd (network, place) that may be sure of itself."""
    total, aleatoric = _coin_entropy_with_ends(p.mean(axis=0)), _coin_entropy_with_ends(p).mean(axis=0)
    return np.array([total, aleatoric, total - aleatoric])


def _coin_entropy_with_ends(p: Array) -> Array:
    return _entropy(np.stack([p, 1 - p], axis=-1))


def _units(rng: np.random.Generator) -> tuple[int, int]:
    """How many hidden units there are, and how many of them work."""
    units = int(rng.integers(3, 9))
    return units, int(rng.integers(2, units))


LESSON_05 = {
    "05-three-units": Answer(
        right=[math.factorial(3) * 2**3, math.perm(3, 2) * 2**2],
        why="Each function lives in many places, and the more units work, the more places there are.",
        wrong=[
            ([6, ANY], "Those are the orders. Each unit has a sign, too, and tanh is odd."),
            ([8, ANY], "Those are the signs. In how many orders can the units stand?"),
            ([48, 48], "The first number is right. But what happens if you flip the sign of a unit that is zero?"),
            ([48, 8], "Two units by themselves have so many. In how many places can the resting unit stand?"),
            ([48, 12], "Are the two working units interchangeable, or does it matter which of them stands first?"),
            ([48, 6], "Right so far as the order goes. What about the signs of the two that work?"),
        ],
    ),
    "05-nobodys-network": Answer(
        right=[0.701, 0.190],
        within=0.006,
        why="Average answers, never weights: the middle of all copies is nobody's network.",
        wrong=[
            ([0.190, 0.701], "Exchanged: the friend's network comes first."),
            ([0.701, 0.210], "That is the mean of the networks' NLLs. Average their answers first, then judge once."),
            ([0.701, 0.701], "The second must not average weights: `answers` has one row for each network."),
            ([0.490, 0.934], "Those are accuracies. An NLL is wanted."),
        ],
    ),
    "05-among-points": Answer(
        right=lambda labels: _three_doubts(labels.mean(axis=1)),
        read=calls(_tosses),
        why="Disagreement is between networks: average the tosses of each network before you compare networks.",
        wrong=[
            (
                lambda labels: _three_doubts(labels.reshape(-1, labels.shape[-1])),
                "This is the friend's: each toss counts as a network that is sure of itself.",
            ),
            (
                lambda labels: _three_doubts(labels.mean(axis=0)),
                "You averaged over the networks, and compared tosses. The networks are the first axis.",
            ),
            (
                lambda labels: _three_doubts(labels.mean(axis=1))[[0, 2, 1]],
                "The last two are exchanged: the aleatoric part comes before the epistemic one.",
            ),
            (
                lambda labels: _three_doubts(labels.mean(axis=1)) / np.log(2),
                "Those are bits. Use the natural logarithm.",
            ),
        ],
    ),
    "05-all-alike": Answer(
        right=[1, 4.41],
        within=[0, 0.06],
        why="What starts alike stays alike: a random start is there to break the symmetry.",
        wrong=[
            ([5, ANY], "Look at the columns of the inner weights: how many of the five differ?"),
            ([1, -4.41], "Nats above the best: the larger loss first."),
            ([1, 30.77], "That is its loss. How far above the best one is it?"),
            ([1, 26.36], "That is the loss of the best. How far above it is the start with equal units?"),
            ([1, 0.0], "Were the random starts really random? Each needs new random numbers."),
        ],
    ),
    "05-saddle": Answer(
        right=20,
        within=1,
        why="Distance from a saddle grows like compound interest: a smaller start costs some steps, zero all of them.",
        wrong=[
            (
                0,
                "It does matter a little. Count the steps from a start of 1e-2 and from one of 1e-4.",
            ),
            (10, "That is for a factor of ten."),
            (40, "That is for a factor of ten thousand. Compare with a start a hundred times smaller."),
            (37, "That is the number of steps from the smaller start. How many more than from the larger one?"),
            (-20, "The smaller start needs more steps: subtract the other way round."),
            (461, "Nearly: that is ln 100 over the step size. Divide by the eigenvalue, too."),
        ],
    ),
    "05-ensemble": Answer(
        right=[0.1829, 0.1560, 0.4337],
        within=0.004,
        why="An ensemble is as good as its members: averaging over optima pays where all of them are good.",
        wrong=[
            ([0.188, 0.163, 0.573], "You averaged the four NLLs. Average the answers, then judge once."),
            ([0.165, 0.153, 0.302], "That is the best of the four by itself."),
            ([0.190, 0.191, 0.400], "That is NUTS. Average the answers of the four optima."),
            (
                [0.641, 0.511, 1.160],
                "You averaged the weights, and the four optima may be in different copies. Average answers.",
            ),
            ([0.4337, 0.1560, 0.1829], "In another order: seen, between, outside."),
        ],
    ),
    "05-variance": Answer(
        right=lambda mean: 1 / (2 * mean * (1 - mean)),
        read=calls(lambda rng: (rng.uniform(0.02, 0.98, size=5),)),
        why="Both agree along the border; where networks are nearly sure, only the entropy still sees them differ.",
        wrong=[
            (
                lambda mean: 1 / (mean * (1 - mean)),
                "That is the second derivative. What does Taylor's formula do to it?",
            ),
            (lambda mean: np.full(np.shape(mean), 2.0), "True at a mean of one half. What about a mean near zero?"),
            (lambda mean: 2 * mean * (1 - mean), "Turned round: a variance times your factor must give nats."),
            (lambda mean: 1 / (2 * mean), "Only half of the coin: a probability has a counterpart, one minus itself."),
            (
                lambda mean: 1 / (2 * np.log(2) * mean * (1 - mean)),
                "Those are bits. Use the natural logarithm.",
            ),
        ],
    ),
    "05-paid": Answer(
        right=lambda units, working: math.log(math.perm(units, working) * 2**working),
        read=calls(_units),
        why="Mean field is not paid for copies, and a bent border has more of them than a straight one.",
        wrong=[
            (
                lambda units, working: math.log(math.factorial(units) * 2**units),
                "That is the most there can be. Units at rest have copies that coincide.",
            ),
            (
                lambda units, working: math.log(math.factorial(working) * 2**working),
                "Those are the copies within the places of the working units. Where can the resting ones stand?",
            ),
            (
                lambda units, working: math.log(math.comb(units, working) * 2**working),
                "You chose places, but not which unit goes where: the working units differ from each other.",
            ),
            (lambda units, working: math.log(math.perm(units, working)), "And the signs?"),
            (
                lambda units, working: math.perm(units, working) * 2**working,
                "That is the number of copies. In nats, it is worth its logarithm.",
            ),
            (
                lambda units, working: math.log2(math.perm(units, working) * 2**working),
                "Those are bits. Use the natural logarithm.",
            ),
        ],
    ),
    "05-how-wide": Answer(
        right=[0.01, 0.38],
        within=[0.03, 0.09],
        why="The posterior is an insurance: it pays little where the width was chosen well, a lot where it was not.",
        wrong=[
            ([ANY, -0.38], "The other way round: NLL of MAP minus that of the posterior."),
            ([0.41, 0.80], "Those are the NLLs of MAP. Subtract those of the posterior."),
            ([0.38, 0.01], "Exchanged: first each at its own width, then both at width eight."),
            (
                [0.38, 0.38],
                "The first number is for width eight, too. Let each choose its width on the validation points.",
            ),
        ],
    ),
}


# Lesson 06 ------------------------------------------------------------------------------------------------------------


def _normal_logpdf(value: Any, mean: Any = 0.0, sd: Any = 1.0) -> Array:
    return np.asarray(-0.5 * ((value - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi))


def _hierarchy(rng: np.random.Generator) -> tuple[float, Array, Array, float]:
    """The logarithm of a variance, nine raw weights, nine measurements, and their noise."""
    return float(rng.normal()), rng.normal(size=9), rng.normal(size=9), float(rng.uniform(0.5, 2))


def _free(v: float, raw: Array, y: Array, sigma: float, *, scale: Any = None, raw_seen: bool = False) -> float:
    """Log density of the non-centred form; with another scale, or with measurements of the raw weights, if asked."""
    weights = raw if raw_seen else (np.exp(v / 2) if scale is None else scale) * raw
    return float(_normal_logpdf(v) + _normal_logpdf(raw).sum() + _normal_logpdf(y, weights, sigma).sum())


def _centred_prior(v: float, raw: Array, y: Array, sigma: float) -> float:
    """As `_free`, but the computed weights, not the raw ones, are in the prior."""
    weights = np.exp(v / 2) * raw
    return float(_free(v, raw, y, sigma) - _normal_logpdf(raw).sum() + _normal_logpdf(weights, 0, np.exp(v / 2)).sum())


LINE = np.linspace(-3, 3, 601)


def _waves(height: float, number: float, *, cliffs: bool = False) -> Array:
    """Two hundred waves on the axis of the lesson, each with a step of its own if asked."""
    middles = np.linspace(-2, 2, 200)[:, None]
    waves = height * np.sin(number * (LINE - middles))
    return waves + 2 * height * (middles < LINE) if cliffs else waves


def _what_functions(functions: Array) -> str:
    """Say which of three things functions drawn from a prior are not, if any: small, folded, without cliffs."""
    if functions.ndim != 2 or functions.shape[1] != len(LINE) or len(functions) < 200:
        raise ValueError("it must have 200 rows or more, one for each function, and 601 columns")
    ranges = np.ptp(functions, axis=1)
    turns = (np.diff(np.sign(np.diff(functions, axis=1)), axis=1) != 0).sum(axis=1)
    cliffs = np.abs(functions[:, 6:] - functions[:, :-6]).max(axis=1) > ranges / 3
    if not 1 <= np.median(ranges) <= 2:
        return "too small" if np.median(ranges) < 1 else "too large"
    if np.median(turns) < 6:
        return "too calm"
    return "too sudden" if cliffs.mean() > 0.05 else "as asked for"


LESSON_06 = {
    "06-ten-times": Answer(
        right=0.1,
        within=0.05,
        why="Heavy tails make cliffs only at a scale at which they reach far enough: family and scale go together.",
        wrong=[
            (0.0, "Hardly any: that is what you get at scale three. Say scale=10."),
            (0.25, "That is as many as Cauchy weights make inside, at scale three."),
            (40, "That is how many of them. What fraction is it?"),
            (0.9, "Those are the functions without a cliff."),
        ],
    ),
    "06-small-circles": Answer(
        right=[3.598, 10.251, 8.741],
        within=0.06,
        why="The tail of a hyperprior decides how far the data can move a scale.",
        wrong=[
            ([2.116, 1.496, 1.390], "Those are the inner scales: take scale2."),
            ([10.251, 3.598, 8.741], "Those are in alphabetical order. Index by the list `hyperpriors`."),
            ([3.109, 8.091, 6.050], "Those are means over all four priors. Take the rows of Normal weights only."),
            ([3.268, 10.395, 7.205], "Those are means over all three tasks. Take the circles only."),
        ],
    ),
    "06-wrong-square": Answer(
        right=[1 - np.exp(-0.7 / 10), 1 - np.exp(-0.7 / 100)],
        within=5e-4,
        why="One forgotten root gives the scale another hyperprior, with a much heavier tail, and nothing stops.",
        wrong=[
            ([1 - np.exp(-0.07)] * 2, "In the lesson the Inverse-Gamma is the prior of another quantity. Which?"),
            ([1 - np.exp(-0.007), 1 - np.exp(-0.07)], "Exchanged: the friend's comes first."),
            ([np.exp(-0.07), np.exp(-0.007)], "That is how probable a scale *below* ten is."),
            (
                [1 - np.exp(-0.07), 1 - np.exp(-0.7 / np.sqrt(10))],
                "If the scale exceeds ten, is its square larger or smaller than that?",
            ),
        ],
    ),
    "06-half-square": Answer(
        right=[(3**2 + 1) / 2, np.sqrt(2 / 50)],
        within=1e-3,
        why="A rectified unit passes on half of the mean square: outer weights make up for it, layer by layer.",
        wrong=[
            ([10, ANY], "That is the mean of a². Where a is negative, h is zero."),
            ([4.5, ANY], "The bias adds its variance, too."),
            ([np.sqrt(5), ANY], "That is a root mean square. The mean square itself is wanted."),
            ([2.5, ANY], "Each half counts once: the mean square of a unit is half, not a quarter."),
            ([5, 1 / np.sqrt(50)], "That keeps E[h²]. But the variance of a is twice as large."),
            ([5, 2 / 50], "That is the variance of an outer weight. Its scale is the root."),
        ],
    ),
    "06-same-density": Answer(
        right=_free,
        read=calls(_hierarchy),
        why="One model in two sets of coordinates: only the sampler notices, and it notices a lot.",
        wrong=[
            (
                lambda v, raw, y, sigma: _free(v, raw, y, sigma, scale=np.exp(v)),
                "The variance of a weight is exp(v). What is its scale?",
            ),
            (
                lambda v, raw, y, sigma: _free(v, raw, y, sigma, raw_seen=True),
                "The measurements see the weights, not the raw ones.",
            ),
            (
                _centred_prior,
                "Which variables are free now? Their prior has scale one.",
            ),
            (
                lambda v, raw, y, sigma: _free(v, raw, y, sigma) + 9 * v / 2,
                "No Jacobian here: the raw weights are the unknowns, and their prior is given for them.",
            ),
            (
                lambda v, raw, y, sigma: _free(v, raw, y, sigma) - float(_normal_logpdf(v)),
                "The prior of v is missing.",
            ),
        ],
    ),
    "06-opinion": Answer(
        right=[100 * np.log(2), np.sqrt(100 * np.log(2) / np.log(100))],
        within=0.06,
        why="A long tail on the right is no vagueness: on the left this hyperprior forbids nearly everything.",
        wrong=[
            ([10 * np.log(2), ANY], "With that, the *squared* scale has median ten."),
            ([100 / np.log(2), ANY], "Solve again: minus beta over the value is the logarithm of one half."),
            ([100, ANY], "With that, ten is exceeded with another probability than one half."),
            ([100 * np.log(2), 100 * np.log(2) / np.log(100)], "The second is a squared scale. Take the root."),
            (
                [100 * np.log(2), np.sqrt(100 * np.log(2) / -np.log(0.99))],
                "That is where one per cent lies *above*.",
            ),
        ],
    ),
    "06-tails": Answer(
        right=[3 / 2, 3 / 2],
        why="A heavy tail is a hierarchy in disguise: a Normal weight with a scale of its own.",
        wrong=[
            ([0.5, 0.5], "That is the Cauchy, with one degree of freedom."),
            ([3, 3], "Nearly: the shape of a chi-squared variable is half of its degrees of freedom."),
            ([1.5, 0.5], "The shape is right. What does the factor `dof` do to beta?"),
            ([1.5, 2 / 3], "The shape is right. Is beta of the Inverse-Gamma a scale of the variance, or one over it?"),
        ],
    ),
    "06-equal-data": Answer(
        right=[0.003725, 0.02284],
        within=[0.0003, 0.0012],
        why="Easy and hard data sets are so for everybody: a paired difference does not see them.",
        wrong=[
            ([0.02284, 0.003725], "Exchanged: the paired one comes first."),
            ([2 * 0.003725, 2 * 0.02284], "Those are whole widths. Hand over half."),
            ([0.0030, 0.02284], "The first is a standard deviation. How sure is the *mean* of five differences?"),
            ([0.003725, 0.003725], "The second must not know which numbers belong together."),
            ([0.37, 2.28], "Those are per cent. Leave the accuracies as they are."),
        ],
    ),
    "06-own-prior": Answer(
        right=_waves(0.7, 5),
        feature=_what_functions,
        why="A prior can be chosen by what you know about functions: draw, look, change.",
        wrong=[
            (_waves(5, 5), "Too large a range: which of the two scales sets it?"),
            (_waves(0.2, 5), "Too small a range: which of the two scales sets it?"),
            (_waves(0.7, 1.5), "Too few turning points: which weights fold the axis?"),
            (_waves(0.3, 5, cliffs=True), "Too many cliffs: lighter tails inside, or a smaller scale there."),
        ],
    ),
}


# Lesson 07 ------------------------------------------------------------------------------------------------------------


def _family_draws(rng: np.random.Generator) -> tuple[Array, Array]:
    """Draws of group means and group spreads (chain, draw, weight), in which the chains lie apart."""
    middle = rng.normal(0, 2, size=(4, 1, 3))
    return middle + rng.normal(size=(4, 6, 3)), np.abs(rng.normal(size=(4, 6, 3)))


def _priors(mean: Array, spread: Array, axis: int | tuple[int, int] = 1) -> Array:
    variance = mean.var(axis=axis) + (spread**2).mean(axis=axis)
    return np.array([mean.mean(axis=axis), np.sqrt(variance)])


LESSON_07 = {
    "07-two-spreads": Answer(
        right=[1 / 1.01, 0.1],
        within=0.001,
        why="One number says what a hierarchical prior assumes about two tasks: know it before you run the model.",
        wrong=[
            ([1 / 1.1, 1 / 4], "The correlation is a ratio of variances. Does the scale enter squared?"),
            ([1 / (1 + 0.02 / np.pi), 1 / (1 + 18 / np.pi)], "You squared the mean of s. The mean of s² is wanted."),
            ([0.01 / 1.01, 0.9], "That is the part that each task has for itself. Which part do they share?"),
            ([0.1, 1 / 1.01], "Exchanged: the narrow spreads come first. Which of the two makes tasks more alike?"),
            ([1 / np.sqrt(1.01), np.sqrt(0.1)], "No root: the shared variance over the whole variance."),
            (
                [1 / (1.01 - 0.02 / np.pi), 1 / (10 - 18 / np.pi)],
                "That is the variance of s. What a task adds to its own weight has the variance E[s²].",
            ),
        ],
    ),
    "07-off-by-a-turn": Answer(
        right=[0.0837, 0.6836, 0.3164],
        within=0.003,
        why="Half a turn is a change of sign: what was right is wrong, and two quarter turns contradict each other.",
        wrong=[
            ([0.0837, 0.3164, 0.6836], "Is the sign of the quarter turns as in turns?"),
            (
                [0.9163, ANY, ANY],
                "That is what the true angles get right. Add the turn to the angles before you ask the rule.",
            ),
            (
                [0.0837, 0.5, 0.5],
                "A good guess. Run it: a moon that is turned one way meets another part of its rival.",
            ),
            ([ANY, 0.6836, 0.6836], "Twice the same turn? The third goes the other way."),
        ],
    ),
    "07-four-priors": Answer(
        right=_priors,
        read=calls(_family_draws),
        why="Each chain numbers the units in its own order: average answers over chains, never weights.",
        wrong=[
            (
                lambda mean, spread: _priors(mean, spread, (0, 1)),
                "This is the friend's, over all chains. Which axis is the chain?",
            ),
            (
                lambda mean, spread: _priors(mean, spread, 0),
                "You averaged over the chains and kept the draws: the other way round.",
            ),
            (
                lambda mean, spread: np.array([mean.mean(axis=1), np.sqrt((spread**2).mean(axis=1))]),
                "How tasks differ is there. That the group mean is not known exactly is missing: add its variance.",
            ),
            (
                lambda mean, spread: np.array(
                    [mean.mean(axis=1), np.sqrt(mean.var(axis=1) + spread.mean(axis=1) ** 2)]
                ),
                "The mean of s², not the square of the mean of s.",
            ),
            (
                lambda mean, spread: np.array([mean.mean(axis=1), mean.var(axis=1) + (spread**2).mean(axis=1)]),
                "Those are variances: the friend's second part holds sds.",
            ),
            (
                lambda mean, spread: _priors(mean, spread)[::-1],
                "Exchanged: the means come first.",
            ),
        ],
    ),
    "07-circles": Answer(
        right=[0.667, 0.736],
        within=0.012,
        why="A learned prior is strong. It is worth as much as the claim that the new task is of the same kind.",
        wrong=[
            ([0.736, 0.667], "Exchanged: the cold start comes first."),
            ([0.491, 0.434], "Those are the moons. How do circles look?"),
            (
                [0.667, 0.764],
                "You averaged the NLLs of four priors. Average their answers: hand over the list of all four.",
            ),
            ([0.667, 0.667], "Twice the same networks: the second list is group_priors."),
        ],
    ),
    "07-weights-or-answers": Answer(
        right=[[0.4139, 0.0611], [0.3878, 0]],
        within=0.004,
        why="Weights may disagree because units are numbered differently; answers disagree only if the functions do.",
        wrong=[
            ([[0.0611, 0.4139], [0, 0.3878]], "Exchanged: the weights come first in each row."),
            ([[0.4139, 0.3878], [0.0611, 0]], "Turned: a row for each choice of chains, weights and answers in it."),
            ([[0.5904, 0.5878], [ANY, ANY]], "That is the bound of lesson 02. Here it is one tenth above one."),
            ([[0.3724, ANY], [0.3546, ANY]], "You averaged the shares of six arrays. Each weight counts once."),
            ([[0.1122, ANY], [0.0730, ANY]], "Those are the offsets. The weights of a task are m + s ε."),
            ([[0.4118, ANY], [ANY, ANY]], "Those are the group means. The weights of all tasks are wanted."),
            ([[ANY, ANY], [0.3126, 0.1122]], "Chains one and two. The third has the number 2 in Python."),
            ([[ANY, ANY], [0.2190, 0.0067]], "Chains two and four: Python counts from zero."),
        ],
    ),
    "07-one-rule": Answer(
        right=[0.625, 0.905],
        within=0.0015,
        why="Pooling is neither good nor bad: it depends on how much the tasks differ.",
        wrong=[
            ([0.375, 0.095], "Worse than a coin: say class one where the density of class one is the larger."),
            (
                [0.6163, 0.9065],
                "Nearly: that rule believes in the middle turn alone. Average the densities over all turns.",
            ),
            (
                [0.618, 0.906],
                "Nearly: you averaged the probabilities. A turn that explains the point well should count more.",
            ),
            ([0.6163, 0.9038], "All turns count alike there. Weigh them by prior_of_place."),
            ([0.905, 0.625], "Exchanged: the wide turns come first."),
            ([0.625, 0.8163], "That is an sd of forty-five degrees. π/16 is smaller."),
            ([0.90975, ANY], "That rule knows the angle of each task. Ours may only average over all turns."),
            ([0.5165, 0.4998], "Those sds are degrees. The turns are in radians."),
        ],
    ),
    "07-paths-explode": Answer(
        right=[(400 - 4) ** -0.5, (399 / 4) ** 0.5],
        within=[0.0015, 0.15],
        why="A step must fit between the walls: steep at small spreads in one form, at large ones in the other.",
        wrong=[
            ([(399 / 4) ** 0.5, (400 - 4) ** -0.5], "Exchanged: the centred form comes first."),
            ([0.1, ANY], "Does leapfrog really need a step smaller than the width itself? Try spreads below that."),
            ([(400 - 4) ** -0.5, 0.1], "For which spreads is the curvature of ε large? Try large ones."),
            ([1 / 396, 399 / 4], "Those are squares: variances. The spread is an sd."),
            ([96**-0.5, (99 / 4) ** 0.5], "The path stays as long as the step is below twice the width."),
        ],
    ),
    "07-best-spread": Answer(
        right=[[0.35, 0.0817, 0], [0.2, 0.0276, 4]],
        within=[0.001, 0.0005, 0.001],
        why="A family pays on average, not for everybody: and the better the rival's prior, the fewer gain.",
        wrong=[
            ([[0.35, ANY, ANY], [0.1, ANY, ANY]], "That is the share. The spread is the share times the prior sd."),
            ([[4, ANY, ANY], [2, ANY, ANY]], "That is the place in the list. Which spread stands there?"),
            ([[ANY, ANY, 18], [ANY, ANY, 14]], "Those gain. How many lose?"),
            ([[ANY, -0.0817, ANY], [ANY, -0.0276, ANY]], "Turned round: a saving is positive if the family is better."),
            (
                [[ANY, 0.3746, ANY], [ANY, 0.3848, ANY]],
                "That is against the pooled end. Compare with separate networks.",
            ),
        ],
    ),
    "07-exact-way": Answer(
        right=[0.491, 0.434, 0.372],
        within=[0.004, 0.004, 0.009],
        why="What counts is that the weights of one draw fit together: one Normal for each weight forgets that.",
        wrong=[
            ([0.372, 0.434, 0.491], "Turned round: the cold start comes first."),
            (
                [0.491, 0.434, 0.4175],
                "Each array has draws of its own there. Take all six from the same draw of the chain.",
            ),
            ([0.491, 0.434, 0.543], "Those are the group means alone. A new task has weights of its own around them."),
            ([0.491, 0.434, 0.434], "Twice the Normals: is the third list yours?"),
            ([0.667, 0.736, ANY], "Those are the circles. Take the moons."),
            ([0.491, 0.434, 0.3920], "You averaged the NLLs of four mixtures. Hand over the list of all four."),
        ],
    ),
}


# Lesson 08 ------------------------------------------------------------------------------------------------------------


def _gap_at_threshold(alpha: Array) -> Array:
    """Posterior mean of a weight at the threshold of a Laplace prior, in units of α: there the soft threshold is 0."""
    right, left = -(alpha**2) + stats.norm.logcdf(0), alpha**2 + stats.norm.logcdf(-2 * alpha)
    return np.asarray(1 - np.tanh((right - left) / 2))


ALPHAS = np.array([0.2, 1, 5])


def _layer(rng: np.random.Generator) -> tuple[Array, Array, float]:
    """Means and sds of a layer, and the share to remove."""
    return rng.normal(size=(6, 7)), rng.uniform(0.1, 3, size=(6, 7)), float(rng.uniform(0.2, 0.8))


def _pruned(mean: Array, sd: Array, rank: Array, removed: float) -> Array:
    keep = rank >= np.quantile(rank, removed)
    return np.array([mean * keep, sd * keep])


LESSON_08 = {
    "08-one-scale": Answer(
        right=_gap_at_threshold(ALPHAS),
        within=0.003,
        why="The soft threshold is what remains of the posterior mean where the noise is small.",
        wrong=[
            (_gap_at_threshold(ALPHAS) * ALPHAS, "Those are gaps in units of the noise. Divide by α."),
            (_gap_at_threshold(ALPHAS)[::-1], "The right numbers, turned round: begin with the smallest α."),
            ([ANY, 0.5032, 0.0523], "The observations are t times α: you used t itself."),
            ([0.4175, 0.9742, 1.0], "That is the distance from the diagonal. How far is it from the soft threshold?"),
            ([0.6185, 0.2120, 0.0249], "That is the average gap. The largest is wanted."),
        ],
    ),
    "08-millimetres": Answer(
        right=[0.001, 0.001, 1],
        within=[5e-5, 5e-5, 0.03],
        why="A ratio has no unit: rank by it. The prior has one, so standardise inputs first.",
        wrong=[
            ([1000, 1000, ANY], "Turned round: the input got larger. What must the weight do to predict the same?"),
            ([0.001, 0.001, 0.001], "Mean and sd are right. What happens to a ratio if both parts shrink alike?"),
            ([0.001, 1, 0.001], "The sd is measured in the same unit as the mean."),
            ([0.001, 1e-6, ANY], "That is how the variance changes. The sd is its root."),
            ([1, 1, 1], "The prediction stays as it is. For that, the weight must change: how?"),
            ([0.0302, 5.497, 0.0055], "That is kilometres: a metre has a thousand millimetres, so multiply."),
        ],
    ),
    "08-tau-decides": Answer(
        right=[3.995, 3.2836, 1.8396],
        within=0.02,
        why="τ decides about the middle, and only slowly: large signals do not notice it.",
        wrong=[
            ([1.8396, 3.2836, 3.995], "The right numbers, turned round: begin with the smallest τ."),
            ([3.368, 2.4724, 1.2337], "There the estimate is one half. It should be half of the observation."),
            ([3.2844, 2.6456, 2.1256], "That is where most is taken. Where is it exactly half?"),
            ([1.9975, 1.6418, 0.9198], "That is the estimate. Which observation does it belong to?"),
            ([0.01, 0.1, 1], "τ is the size of a typical weight, not a threshold. Look for the crossing."),
        ],
    ),
    "08-told-the-horseshoe": Answer(
        right=[[2.851, 7.350], [0.253, 16.57]],
        within=[[0.1, 0.1], [0.1, 0.5]],
        why="A prior over τ turns “five” into “some, five perhaps”: the guess is friendlier than it looks.",
        wrong=[
            ([[0.253, 16.57], [2.851, 7.350]], "Exchanged: the fixed τ comes first."),
            (
                [[2.851, 7.350], [3.558, 8.949]],
                "Each input has its own τ there. One for all inputs of a draw is wanted.",
            ),
            ([[ANY, ANY], [7.165, 19.955]], "The size of the learned τ is missing: multiply by tau_scale."),
            ([[0.126, 2.166], [ANY, ANY]], "Where is N? Fifty observations say more than one."),
            ([[11.185, 14.779], [ANY, ANY]], "τ and the local scale are squared: shares compare variances."),
            ([[2.490, 7.805], [ANY, ANY]], "That is the central ninety-five per cent: five are cut off at each end."),
        ],
    ),
    "08-luck": Answer(
        right=[0.25, 0.2567, 1],
        within=[1e-6, 0.0005, 1e-6],
        why="An interval planned before you looked means something. One that you fished out of ten does not.",
        wrong=[
            ([-0.25, 0.2567, ANY], "Turned round: horseshoe minus Normal."),
            ([0.25, 0.3648, ANY], "That is not paired. Subtract in each data set first, then call t_interval."),
            ([0.25, 0.5062, ANY], "Half widths do not add up. Subtract in each data set first, then call t_interval."),
            ([0.25, 0.2567, 0], "That is true at half a mistake. The ten pairs are compared at a quarter."),
            ([0.25, 0.2567, 2], "Is each pair counted once, and no method compared with itself?"),
            ([0.25, 0.2567, 9], "Those contain zero. How many exclude it?"),
            ([0.125, 0.1894, ANY], "That is the difference at a quarter of a mistake. The first is asked at one half."),
        ],
    ),
    "08-still-there": Answer(
        right=lambda mean, sd, removed: _pruned(mean, sd, np.abs(mean) / sd, removed),
        read=calls(_layer),
        why="A weight is removed if it is zero in every draw: without its signal it is nothing but noise.",
        wrong=[
            (
                lambda mean, sd, removed: np.array([_pruned(mean, sd, np.abs(mean) / sd, removed)[0], sd]),
                "This is the friend's. Draw from it: are the removed weights zero?",
            ),
            (
                lambda mean, sd, removed: np.array([mean, _pruned(mean, sd, np.abs(mean) / sd, removed)[1]]),
                "Now the noise is gone and the signal stays: those weights are fixed, not removed.",
            ),
            (
                lambda mean, sd, removed: _pruned(mean, sd, np.abs(mean), removed),
                "Both moments go, good. But you rank by size: go back to the ratio.",
            ),
            (
                lambda mean, sd, removed: _pruned(mean, sd, mean / sd, removed),
                "A strongly negative weight is a signal, too: the ratio takes the size of the mean.",
            ),
            (
                lambda mean, sd, removed: _pruned(mean, sd, -np.abs(mean) / sd, 1 - removed),
                "Turned round: you keep the weights with the lowest ratios.",
            ),
        ],
    ),
    "08-layer-by-layer": Answer(
        right=[0.961, 0.8544, 0.9744, 0.970, 0.9262],
        within=0.007,
        why="A ratio can be compared across layers; the same share everywhere starves the small last layer.",
        wrong=[
            ([0.8544, 0.961, ANY, ANY, ANY], "Exchanged: the common border comes first."),
            ([0.654, ANY, ANY, ANY, ANY], "The means are gone, the noise is still there: set the sds to zero, too."),
            ([0.7576, ANY, ANY, ANY, ANY], "That ranks by size. Take the ratio of mean and sd."),
            ([0.1204, ANY, ANY, ANY, ANY], "You kept the tenth with the lowest ratios. Which ones should go?"),
            ([ANY, ANY, 0.9262, 0.970, 0.9744], "The last three are turned round: w1 comes first."),
            ([0.961, 0.961, ANY, ANY, ANY], "Twice the common border: by layer, each array has its own quantile."),
        ],
    ),
    "08-back-to-work": Answer(
        right=[0.8366, 0.9626],
        within=[0.007, 0.006],
        why="A pruning curve without retraining shows what this fit can spare, not what the task needs.",
        wrong=[
            ([0.8366, 0.9736], "Too good: have removed weights come back? Multiply each step by the mask."),
            ([0.8366, 0.8366], "Nothing has moved. Are the stepped means those that you judge afterwards?"),
            ([0.4178, ANY], "The removed weights still have their noise: mask the sds, too."),
            ([0.9626, 0.8366], "Exchanged: before comes first."),
            ([0.961, ANY], "That is with nine tenths removed. Remove nineteen of twenty."),
            ([ANY, 0.0902], "That network has lost its head: steps go against the gradient."),
        ],
    ),
}


# Lesson 09 ------------------------------------------------------------------------------------------------------------


def _answers_and_labels(rng: np.random.Generator) -> tuple[Array, Array]:
    """Class probabilities (network, image, class) of a crowd, and a label for each image."""
    return rng.dirichlet(np.ones(4), size=(7, 5)), rng.integers(4, size=5)


def _of_label(draws: Array, labels: Array) -> Array:
    return np.asarray(draws[:, np.arange(len(labels)), labels])


def _entropy(probability: Array) -> Array:
    terms = np.where(probability > 0, -probability * np.log(np.where(probability > 0, probability, 1)), 0)
    return np.asarray(terms.sum(axis=-1))


def _vote_shares(draws: Array) -> Array:
    return np.asarray(np.eye(draws.shape[-1])[draws.argmax(axis=-1)].mean(axis=0))


MISTAKES = 169  # of thirty networks, on the test images

LESSON_09 = {
    "09-forgotten-word": Answer(
        right=55_000 / 128,
        within=1,
        why="A fit that seems far too modest has perhaps forgotten how much data there is: look for total_size.",
        wrong=[
            (128 / 55_000, "Turned round: too much means more than once."),
            (128, "That is the size of a minibatch. How many minibatches would make up all images?"),
            (55_000, "The minibatch still counts: it stands for itself."),
            (np.sqrt(55_000 / 128), "No root here: a log likelihood grows in proportion to the number of images."),
        ],
    ),
    "09-declined": Answer(
        right=(MISTAKES - 100) / 0.99 / 10_000,
        within=4e-5,
        why="The floor depends on the accuracy alone, and says how much better any doubt could still get.",
        wrong=[
            (MISTAKES / 10_000, "That declines every mistake. One answer in a hundred may be wrong."),
            ((MISTAKES - 100) / 10_000, "Nearly: whoever declines also answers fewer, so fewer may be wrong."),
            ((MISTAKES - 100) / 0.99, "That is how many images. What share of all is it?"),
            (0.01, "That is the share of mistakes that is allowed among the answers. How many must go to get there?"),
            (0.0184, "That is what real doubt needs. What would perfect doubt need?"),
        ],
    ),
    "09-two-halves": Answer(
        right=[0.9768, 0.9032, 0.950],
        within=0.006,
        why="The guarantee asks for images like those put aside, and two halves of one file may not be alike.",
        wrong=[
            ([0.95, 0.95, ANY], "That is what was promised, or what the half that set the threshold holds. Measure."),
            ([0.9032, 0.9768, ANY], "Exchanged: the half that sets the threshold must not be the one that is checked."),
            ([1 - 0.9768, 1 - 0.9032, ANY], "Those are the misses. How many of the sets hold the label?"),
            ([ANY, ANY, 0.94], "The mean of the first two is something else: shuffle before you cut."),
        ],
    ),
    "09-twice-as-bad": Answer(
        right=lambda draws, labels: -np.log(_of_label(draws, labels).mean(axis=0)).mean(),
        read=calls(_answers_and_labels),
        why="The crowd averages answers, then is judged. A single draw is a much worse predictor than all together.",
        wrong=[
            (
                lambda draws, labels: -np.log(_of_label(draws, labels)).mean(),
                "This is the friend's: the mean NLL of single networks. Average the probabilities first.",
            ),
            (
                lambda draws, labels: np.log(_of_label(draws, labels).mean(axis=0)).mean(),
                "The average is in the right place. A negative log likelihood begins with a minus.",
            ),
            (
                lambda draws, labels: -np.log(_of_label(draws, labels).mean()),
                "You averaged over the images, too, before the logarithm. Only the networks are averaged there.",
            ),
            (
                lambda draws, labels: -np.log(_of_label(draws, labels).mean(axis=0)).sum(),
                "That is the sum over the images. An NLL of the lesson is their mean.",
            ),
            (
                lambda draws, labels: -np.log(_of_label(draws, labels).mean(axis=1)).mean(),
                "You averaged over the images. The networks are the first axis.",
            ),
        ],
    ),
    "09-temperature-for-advi": Answer(
        right=[0.759, 0.0552],
        within=[0.04, 0.0013],
        why="A temperature mends how sure all answers are, not which images are doubted: the ensemble stays ahead.",
        wrong=[
            ([1 / 0.759, ANY], "Turned round: is ADVI too modest, or too bold? And what does a power above one do?"),
            ([1, ANY], "A temperature of one changes nothing. Which one has the lowest NLL on the choosing images?"),
            ([0.759, 0.0599], "The temperature is right. Now apply it to the test answers, too."),
            ([0.809, ANY], "You tempered each network before averaging. Temper the mean answer."),
        ],
    ),
    "09-average-weights": Answer(
        right=[0.0581, 0.0049],
        within=[0.0012, 0.001],
        why="The middle of a mean-field posterior is one plain network. What it lacks is disagreement.",
        wrong=[
            ([0.0599, 0.0132], "That is the crowd: you averaged answers. Average the weights, then ask once."),
            ([0.106, ANY], "That is a network drawn from the posterior. Average before you ask."),
            ([0.0049, 0.0581], "Exchanged: the NLL comes first."),
            ([2.3, ANY], "That network knows nothing: were the biases averaged, too, and each layer by itself?"),
        ],
    ),
    "09-votes": Answer(
        right=lambda draws: _entropy(_vote_shares(draws)),
        read=calls(lambda rng: _answers_and_labels(rng)[:1]),
        why="A vote throws away how sure the voter was, so doubt that all networks share looks like disagreement.",
        wrong=[
            (
                lambda draws: _entropy(draws.mean(axis=0)) - _entropy(draws).mean(axis=0),
                "That is the mutual information of the probabilities. Make each answer one-hot first.",
            ),
            (
                lambda draws: _entropy(draws.mean(axis=0)),
                "That is the total entropy. Make each answer one-hot before you average.",
            ),
            (
                lambda draws: 1 - _vote_shares(draws).max(axis=-1),
                "That is the share of votes against the winner: a measure, too, but no entropy.",
            ),
            (
                lambda draws: _entropy(_vote_shares(draws)) / np.log(2),
                "Those are bits. Use the natural logarithm.",
            ),
            (
                lambda draws: _entropy(np.eye(draws.shape[-1])[draws.argmax(axis=-1)]).mean(axis=0),
                "The entropy of each single vote is zero. Average the votes first, then take the entropy.",
            ),
        ],
    ),
    "09-dark-pixels-silenced": Answer(
        right=[[0.898, 0.993], [0.947, 0.931]],
        within=[0.008, 0.006],
        why="One mechanism, two faces: what makes ADVI notice strangers is what noise on rare pixels sets off.",
        wrong=[
            ([[0.993, 0.898], [0.931, 0.947]], "Exchanged: the accuracy comes first."),
            ([[0.947, 0.931], [0.898, 0.993]], "The wrong way round: before, then after."),
            ([[ANY, ANY], [0.909, 0.996]], "You silenced the pixels that are often lit. Silence the others: ~common."),
            (
                [[ANY, ANY], [ANY, 0.5]],
                "All networks are alike now: silence only the rows of w1 that belong to dark pixels.",
            ),
            ([[ANY, ANY], [0.898, 0.993]], "Nothing has changed: were the networks drawn again, with the new sds?"),
        ],
    ),
    "09-own-stranger": Answer(
        right=[0.852, 0.911],
        within=[0.008, 0.003],
        why="A trivial detector beats thirty networks here: without it, you would have been proud of the first number.",
        wrong=[
            ([0.911, 0.852], "Exchanged: the mutual information comes first."),
            ([0.148, 0.089], "The arguments of auroc are exchanged: usual images first, strangers second."),
            ([0.852, 0.089], "In the second, the arguments of auroc are exchanged."),
            ([0.839, 0.911], "That is the entropy of one network, the means. Ask all thirty how much they disagree."),
        ],
    ),
}


# Lesson 10 ------------------------------------------------------------------------------------------------------------


def _unit(rng: np.random.Generator) -> tuple[Array, Array, float, float]:
    """Weights into and out of a unit, and the sds of their priors."""
    return rng.normal(size=6), rng.normal(size=3), float(rng.uniform(0.1, 2)), float(rng.uniform(0.1, 2))


def _lengths(into: Array, out: Array, sd_into: float, sd_out: float) -> tuple[float, float]:
    """Lengths of the weights into and out of a unit, in units of their prior sds."""
    return float(np.linalg.norm(into)) / sd_into, float(np.linalg.norm(out)) / sd_out


def _likeliest_scale(into: Array, out: Array, sd_into: float, sd_out: float) -> float:
    length_into, length_out = _lengths(into, out, sd_into, sd_out)
    return math.sqrt(length_out / length_into)


WAY = np.linspace(0, 1, 11)
HILL = np.array([0.0091, 0.0088, 0.0121, 0.0195, 0.0409, 0.0724, 0.0617, 0.0284, 0.0132, 0.0097, 0.0084])
LEVEL = np.array([0.0091, 0.0099, 0.0095, 0.0113, 0.0107, 0.0109, 0.0107, 0.0099, 0.0093, 0.0088, 0.0084])
LOG_ORDERS = math.lgamma(33)  # of thirty-two units

LESSON_10 = {
    "10-log-copies": Answer(
        right=LOG_ORDERS + 32 * math.log(2),
        within=0.05,
        why="Two chains never meet in one copy: what is computed per weight across chains compares unrelated things.",
        wrong=[
            (LOG_ORDERS, "Those are the orders. Each unit also has a sign."),
            (32 * math.log(2), "Those are the signs. The units can also be exchanged."),
            (math.lgamma(32) + 32 * math.log(2), "The gamma function of n is the factorial of one less."),
            (
                (LOG_ORDERS + 32 * math.log(2)) / math.log(10),
                "That is to base ten. Take the natural logarithm.",
            ),
            (LOG_ORDERS * 32 * math.log(2), "Numbers of choices multiply. What do their logarithms do?"),
        ],
    ),
    "10-mirror": Answer(
        right=[0.0091, 0.7791],
        within=[0.001, 0.01],
        why="Two copies of one network can have the worst average of all: an average needs agreement about the copy.",
        wrong=[
            ([0.0091, 0.0091], "Both compute the same, but their weights are opposite. What is the mean of 2 and −2?"),
            ([0.7791, 0.0091], "Exchanged: the mirror image comes first."),
            ([1, ANY], "Was every weight out of a unit flipped, too? A mirror image computes the same."),
            ([0.0109, ANY], "The biases belong to the units: flip them, too."),
            ([ANY, 0.8], "Nearly. Do the biases of the hidden units average to zero, too, as they should?"),
        ],
    ),
    "10-three-clouds": Answer(
        right=stats.norm.cdf([-4, -0.5, -1]),
        within=[1e-5, 0.002, 0.002],
        why="What counts is how far a cloud reaches, in its own sds: a large one may be sure, a small one in doubt.",
        wrong=[
            (stats.norm.cdf([4, 0.5, 1]), "Those are the draws that stay on their side."),
            (2 * stats.norm.cdf([-4, -0.5, -1]), "That counts draws on both sides. There is a border on one only."),
            ([0.25, 2, 1], "That is movement over distance. How many draws of a Normal lie beyond such a border?"),
            (stats.norm.cdf([-4, -0.1, -1]), "In the small cloud, measure the distance in units of its own sd."),
            (stats.norm.cdf([-0.25, -2, -1]), "Turned round: how many sds away is the border?"),
        ],
    ),
    "10-best-partner": Answer(
        right=[12, 0.1029],
        within=[0, 0.003],
        why="A copy uses each unit once. Test that a rearranged network still errs as often as before.",
        wrong=[
            ([20, ANY], "Those are the units that are chosen. How many are left?"),
            ([9, ANY], "Is that how many are chosen more than once? Count those that are never chosen."),
            ([11, ANY], "That is the second network. The fourth has the index three."),
            ([0, ANY], "With an assignment none would be left out. This is the friend's order: look for repetitions."),
            ([ANY, 0.0212], "That is an average of five networks. Judge the rearranged fourth one by itself."),
        ],
    ),
    "10-by-weights": Answer(
        right=0.0115,
        within=0.0008,
        why="Each alignment is best at what it asks for, and averaging asks for weights that lie near each other.",
        wrong=[
            (0.0134, "That is the lesson's, by activations. Hand weights to nearest_copy."),
            (0.0586, "That is the average of unaligned networks. Apply the orders and the signs that you found."),
            (0.0202, "The orders are right. What became of the signs?"),
            (0.0185, "You aligned by the weights out of the units. Take those into them."),
        ],
    ),
    "10-line-of-networks": Answer(
        right=_drawn(WAY, HILL),
        within=0.001,
        read=curve(WAY),
        why="A hill between two networks may be nothing but numbering: align before you speak of a barrier.",
        wrong=[
            (_drawn(WAY, LEVEL), "That is the way to the nearest copy. Draw the way to the network as it is first."),
            (_drawn(WAY, HILL[::-1]), "Turned round: the first network stands where t is zero."),
            (_drawn(WAY, 100 * HILL), "Those are per cent. Leave the errors as shares."),
            (_drawn(WAY, np.linspace(HILL[0], HILL[-1], 11)), "These are averages of two errors. Average the weights."),
            (_drawn(WAY, 1 - HILL), "That is how often they are right."),
        ],
    ),
    "10-likeliest-scale": Answer(
        right=_likeliest_scale,
        read=calls(_unit),
        why="The prior balances each rectified unit: a MAP estimate has no free scale left, but all of its orders.",
        wrong=[
            (lambda *unit: 1 / _likeliest_scale(*unit), "Turned round: heavy weights into a unit want a small factor."),
            (lambda *unit: _likeliest_scale(*unit) ** 2, "That is the squared factor: take the root."),
            (
                lambda into, out, sd_into, sd_out: _likeliest_scale(into, out, 1, 1),
                "This leaves the prior out: measure each length in units of its prior sd.",
            ),
            (
                lambda into, out, sd_into, sd_out: _likeliest_scale(into, out, 1 / sd_into, 1 / sd_out),
                "A wide prior makes a weight less remarkable: divide by the sd.",
            ),
            (lambda *unit: 1.0, "The function is the same for all factors. Is the prior?"),
        ],
    ),
    "10-anything": Answer(
        right=[0.500, 0.314, 0.374],
        within=0.01,
        why="A search finds partners anywhere: measure a correlation after alignment from a third, not from zero.",
        wrong=[
            ([0.0075, 0.0494, 0.0465], "Those units are not aligned yet: apply order and sign first."),
            ([0.0302, -0.1316, -0.1149], "The order is right. What became of the signs?"),
            ([0.590, 0.621, 0.497], "Each unit has its best partner here, used as often as wanted. Use each one once."),
            ([0.0227, 0.0164, 0.0068], "That is the mean of the whole matrix. The pairs stand on its diagonal."),
            ([0.245, 0.175, 0.170], "Those are sizes of unaligned correlations: align first."),
            (
                [0.514, 0.368, 0.390],
                "You subtracted means before the search. The lesson takes activations as they are.",
            ),
        ],
    ),
}


# Lesson 11 ------------------------------------------------------------------------------------------------------------


def _two_tasks(rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Inputs and targets of two regressions with three inputs."""
    return rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=(4, 3)), rng.normal(size=4)


def _updated(mean: Array, precision: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Mean and precision matrix of a regression's posterior; the noise has sd one."""
    new = precision + x.T @ x
    return np.linalg.solve(new, precision @ mean + x.T @ y), new


def _handed_on(keep: Callable[[Array], Array], *, mean_too: bool = True) -> Callable[..., Array]:
    """Return the function that learns twice and hands on, in between, what `keep` leaves of the precision matrix."""

    def final_mean(x1: Array, y1: Array, x2: Array, y2: Array) -> Array:
        inputs = x1.shape[1]
        mean, precision = _updated(np.zeros(inputs), np.eye(inputs), x1, y1)
        return _updated(mean if mean_too else np.zeros(inputs), keep(precision), x2, y2)[0]

    return final_mean


def _diagonal(matrix: Array) -> Array:
    return np.diag(np.diag(matrix))


def _width(trust: Array, sd: float) -> Array:
    """The width of the power prior, with a plain prior of width 0.3."""
    return np.asarray(1 / np.sqrt(trust / sd**2 + (1 - trust) / 0.3**2))


TRUSTS = np.array([0.1, 1, 10])
SOURCE_IMAGES = 26_596

LESSON_11 = {
    "11-outvoted": Answer(
        right=50 / SOURCE_IMAGES,
        within=2e-5,
        why="A tenth sounds cautious, and gives the source fifty votes for each of the target's.",
        wrong=[
            (SOURCE_IMAGES / 50, "Turned round: should the source count more than it does, or less?"),
            (1 / SOURCE_IMAGES, "Then the whole source counts as one image. The target has more."),
            (10 / SOURCE_IMAGES, "The target has that many images per class. How many in all?"),
            (0.5, "Half of a vote for each image is still a large majority for the source."),
        ],
    ),
    "11-border-weight": Answer(
        right=[_width(TRUSTS, 0.3), _width(TRUSTS, 0.05)],
        within=0.002,
        why="Trust turns the weights that the source has learned about, and leaves the others alone.",
        wrong=[
            ([_width(TRUSTS, 0.05), _width(TRUSTS, 0.3)], "Exchanged: the weight at the border comes first."),
            (
                [0.3 / np.sqrt(TRUSTS), [ANY] * 3],
                "At the border the source said nothing. Both sds are the same: what do the shares add up to?",
            ),
            (
                [[ANY] * 3, 0.05 / np.sqrt(TRUSTS)],
                "The plain prior has a share, too, one minus the trust. It matters most where the trust is small.",
            ),
            (
                [[ANY] * 3, TRUSTS * 0.05 + (1 - TRUSTS) * 0.3],
                "You averaged the sds. It is the precisions that add up.",
            ),
            ([[ANY] * 3, 1 / _width(TRUSTS, 0.05) ** 2], "Those are precisions. A width is an sd."),
        ],
    ),
    "11-ask-the-elbo": Answer(
        right=[[269, 557], [1.117, 0.689]],
        within=[[30.0, 60.0], [0.15, 0.12]],
        why="The ELBO bounds how well a prior predicts. It is no guide to how well its posterior does.",
        wrong=[
            ([[557, 269], [ANY, ANY]], "Exchanged: the output width of one comes first."),
            ([[-269, -557], [ANY, ANY]], "The loss is the negative ELBO: leave it as it is."),
            ([[1.117, 0.689], [269, 557]], "The rows are exchanged: losses first, then NLLs."),
            ([[194, 347], [ANY, ANY]], "That is transfer. The cold start has a plain prior in both layers."),
            ([[269, 557], [0.689, 1.117]], "The losses are in order. Do the NLLs belong to the same widths?"),
        ],
    ),
    "11-strange-power": Answer(
        right=lambda trust, sd, plain: trust / sd**2 + (1 - trust) / plain**2,
        read=calls(lambda rng: (float(rng.uniform(0, 1)), float(rng.uniform(0.01, 0.3)), float(rng.uniform(0.3, 2)))),
        why="Test a power prior at both ends: full trust must return the posterior, and zero the prior.",
        wrong=[
            (
                lambda trust, sd, plain: trust / sd**2 + 1 - trust,
                "That is the friend's line. Which sd does it have at a trust of zero?",
            ),
            (
                lambda trust, sd, plain: trust / sd**2 + (1 - trust) / plain,
                "Nearly: a precision is one over a variance, not over an sd.",
            ),
            (
                lambda trust, sd, plain: trust / sd**2 + (1 - trust) * plain**2,
                "A wide prior has a small precision: divide.",
            ),
            (
                lambda trust, sd, plain: (trust / sd**2 + (1 - trust) / plain**2) ** -0.5,
                "That is the width. The function returns the precision.",
            ),
            (
                lambda trust, sd, plain: 1 / (trust * sd**2 + (1 - trust) * plain**2),
                "You averaged variances. The powers of two densities multiply, and then precisions add up.",
            ),
        ],
    ),
    "11-one-after-other": Answer(
        right=_handed_on(_diagonal),
        read=calls(_two_tasks),
        why="Handed on by sds, a posterior loses which combinations of weights are still open.",
        wrong=[
            (_handed_on(lambda precision: precision), "That hands on everything: the same as all at once."),
            (
                _handed_on(lambda precision: np.diag(1 / np.diag(np.linalg.inv(precision)))),
                "Those are the sds that each weight really has. Mean field keeps the diagonal of the precision matrix.",
            ),
            (
                _handed_on(_diagonal, mean_too=False),
                "The precision is right. Hand on the mean of the first posterior, too.",
            ),
            (_handed_on(lambda precision: np.eye(len(precision))), "That forgets how sure the first task made you."),
        ],
    ),
    "11-forgotten": Answer(
        right=[[0.353, 0.984], [0.813, 0.796]],
        within=[[0.04, 0.01], [0.04, 0.05]],
        why="A prior holds one place in weight space. If two tasks want different ones, you must ask for both.",
        wrong=[
            ([[0.984, 0.353], [ANY, ANY]], "Exchanged: turned digits come first, then upright ones."),
            ([[0.813, 0.796], [0.353, 0.984]], "Exchanged: full trust comes first."),
            ([[ANY, ANY], [0.845, 0.307]], "That is a trust of a hundredth. Take a tenth."),
            ([[0.647, 0.016], [ANY, ANY]], "Those are errors. How often is the network right?"),
        ],
    ),
    "11-without-spare": Answer(
        right=[0.414, 0.344, 0.633, 2.177],
        within=[0.03, 0.03, 0.04, 0.1],
        why="Where the right trust matters much, fifty labels that take turns are enough to find it.",
        wrong=[
            (
                [0.131, 0.049, 0.059, 1.193],
                "Those images have been learned from: fit without them, then judge them.",
            ),
            ([0.442, 0.353, 0.513, 2.314], "Those are the test images. The fifty must do without them."),
            ([2.177, 0.633, 0.344, 0.414], "Turned round: the smallest trust comes first."),
        ],
    ),
}


# Lesson 12 ------------------------------------------------------------------------------------------------------------

CHOSEN, FOLDS = 5, 5


def _columns_and_target(rng: np.random.Generator) -> tuple[Array, Array]:
    """A table (row, column) of noise, and a target that has nothing to do with it."""
    return rng.normal(size=(40, 60)), rng.normal(size=40)


def _strongest(X: Array, y: Array) -> Array:
    """The places of the five columns that correlate most with y."""
    centred, deviation = X - X.mean(axis=0), y - y.mean()
    return np.argsort(np.abs(deviation @ centred) / np.sqrt((centred**2).sum(axis=0)))[-CHOSEN:]


def _cross_validated(X: Array, y: Array, chosen_by: str = "training rows", fitted_to: str = "training rows") -> float:
    """Cross-validated R² of least squares on five columns, chosen by and fitted to these rows."""
    everything, predicted = np.arange(len(y)), np.empty(len(y))
    for test in np.array_split(everything, FOLDS):
        rows = {"training rows": np.setdiff1d(everything, test), "all rows": everything, "test rows": test}
        by, to = rows[chosen_by], rows[fitted_to]
        table = np.column_stack([X[:, _strongest(X[by], y[by])], np.ones(len(y))])
        predicted[test] = table[test] @ np.linalg.lstsq(table[to], y[to], rcond=None)[0]
    return float(1 - np.mean((y - predicted) ** 2) / np.var(y))


def _zoo_and_island(rng: np.random.Generator) -> tuple[Array, Array]:
    """Probabilities (penguin, species) of a balanced zoo, and the shares of the species on an island."""
    return rng.dirichlet(np.ones(4), size=6), rng.dirichlet(np.full(4, 3.0))


def _normalised(product: Array, axis: int = 1) -> Array:
    return np.asarray(product / product.sum(axis=axis, keepdims=True))


LESSON_12 = {
    "12-other-units": Answer(
        right=[1_000, np.log(1_000), 0],
        within=[1, 0.01, 0.001],
        why="An NLL means nothing without its unit; differences between methods on the same rows are free of it.",
        wrong=[
            ([ANY, 0, ANY], "A density is probability per unit. Is it the same per ppb and per part per trillion?"),
            ([ANY, -np.log(1_000), ANY], "Of two readings, you took the one in ppb last: after minus before."),
            ([ANY, 3, ANY], "Nats have the natural logarithm."),
            ([1 / 1_000, ANY, ANY], "Turned round: after over before."),
            ([ANY, ANY, 0.9], "By how much does the share change, from one unit to the other?"),
        ],
    ),
    "12-few-rows": Answer(
        right=stats.binom.cdf([32, 128], [40, 160], 0.9),
        within=[0.001, 0.00002],
        why="The same share is bad luck in forty rows and a verdict in a hundred and sixty: put an interval beside it.",
        wrong=[
            (
                stats.binom.pmf([32, 128], [40, 160], 0.9),
                "That is the probability of exactly so many: at most so many.",
            ),
            (stats.binom.cdf([31, 127], [40, 160], 0.9), "Those are fewer: the number itself belongs to “at most”."),
            (
                1 - stats.binom.cdf([32, 128], [40, 160], 0.9),
                "That is the probability of more. How probable are so few?",
            ),
            (stats.binom.cdf([8, 32], [40, 160], 0.1), "Those outside are too many, not too few: count those inside."),
        ],
    ),
    "12-every-day-twice": Answer(
        right=[18.3, 10.6, 17.7],
        within=[1.7, 1.8, 1.7],
        why="A score is honest if test rows share with the training rows what new rows will share with them, no more.",
        wrong=[
            ([18.3, 18.3, ANY], "Did the twins reach the second score? There, rows are split, not days."),
            ([ANY, ANY, 10.6], "Copies are still torn apart: split with groups, and the group is the day."),
            ([10.6, 18.3, ANY], "Exchanged: each day once comes first."),
            ([18.3**2, ANY, ANY], "Those are mean squares. `mistake` takes the root."),
        ],
    ),
    "12-noise-columns": Answer(
        right=_cross_validated,
        read=calls(_columns_and_target),
        within=1e-7,
        why="Whatever looks at the target is part of the fit, and belongs inside the loop: choices, too.",
        wrong=[
            (
                lambda X, y: _cross_validated(X, y, chosen_by="all rows"),
                "The columns are still chosen with the test rows in sight.",
            ),
            (
                lambda X, y: _cross_validated(X, y, chosen_by="test rows"),
                "Now they are chosen by the test rows alone: that is worse. Which rows may a choice see?",
            ),
            (
                lambda X, y: _cross_validated(X, y, fitted_to="all rows"),
                "The choice is inside now, but the fit has seen the test rows.",
            ),
            (
                lambda X, y: _cross_validated(X, y, chosen_by="all rows", fitted_to="all rows"),
                "Both the choice and the fit see all rows. Which of them may they see?",
            ),
        ],
    ),
    "12-logarithms": Answer(
        right=[4.540, 4.266],
        within=0.015,
        why="A scale that fits the question can be worth more than a flexible model; compare both on one scale.",
        wrong=[
            ([ANY, 0.848], "That is the NLL of ln(ozone): other units. Which term brings it back to ppb?"),
            ([ANY, -2.570], "The derivative of the logarithm is below one here: which way does it move the NLL?"),
            ([ANY, 76.9], "Exponentials of a mean and of an sd are no mean and no sd. Transform the density."),
            ([4.266, 4.540], "Exchanged: the model of ozone comes first."),
        ],
    ),
    "12-price": Answer(
        right=[[0.441, 0.054], [0.890, 0.283], [0.978, 0.444]],
        within=0.012,
        why="The fit stays as it is and the decision moves: who pays for mistakes can choose a row of this table.",
        wrong=[
            ([[0.441, 0.054], [0.022, 0.005], [0, 0]], "The price is on the wrong side: rows of `cost` are truths."),
            ([[0.054, 0.441], [0.283, 0.890], [0.444, 0.978]], "Exchanged: the share of the Chinstraps comes first."),
            ([[ANY, 0.131], [ANY, 0.403], [ANY, 0.549]], "Those are shares of all penguins. Leave the Chinstraps out."),
            ([[0.441, 0.054]] * 3, "The price does not reach the decision: change a row of `cost`."),
        ],
    ),
    "12-zoo": Answer(
        right=lambda of_zoo, shares: _normalised(of_zoo * shares),
        read=calls(_zoo_and_island),
        why="A model that moves takes its likelihood along and leaves its prior behind: put in the prior of the place.",
        wrong=[
            (lambda of_zoo, shares: of_zoo * shares, "Nearly: the probabilities of a penguin must add up to one."),
            (
                lambda of_zoo, shares: _normalised(of_zoo / shares),
                "That way leads from the island to the zoo. What is common must become more probable.",
            ),
            (
                lambda of_zoo, shares: _normalised(of_zoo * shares, axis=0),
                "Each column adds up to one now. Which sum must be one, that of a penguin or of a species?",
            ),
            (lambda of_zoo, shares: of_zoo, "That is the zoo's answer. Where do the shares come in?"),
            (
                lambda of_zoo, shares: (of_zoo + shares) / 2,
                "An average forgets how sure the size makes you. Bayes' rule multiplies.",
            ),
        ],
    ),
    "12-holes": Answer(
        right=0.925,
        within=0.03,
        why="An unknown of the model brings its doubt along; a median pretends to know.",
        wrong=[
            (1, "That is the prior. The ozone of the day says a little: let it."),
            (0, "That is what a median pretends. The holes are random variables now."),
            (91.15 * 0.925, "In units of the column's standard deviation, please: you are in langleys."),
            (0.55, "That is the spread of the five means. How wide is each posterior?"),
        ],
    ),
    "12-own-table": Answer(
        right=[0.0592, 0.0450, 0.0842],
        within=[0.012, 0.012, 0.02],
        why="Ten splits are one table seen ten times: the usual interval promises what only new tables can show.",
        wrong=[
            ([-0.0592, ANY, ANY], "Exchanged: the forest's NLL minus that of the linear model."),
            ([ANY, 0.0450, 0.0450], "Not widened yet: what does the lesson multiply by?"),
            ([ANY, ANY, 0.0450 * 3.5], "Without the root: variances add, half widths do not."),
            ([ANY, 0.0842, 0.0450], "Exchanged: the usual half width comes second."),
        ],
    ),
}


# Lesson 13 ------------------------------------------------------------------------------------------------------------


def _langevin(rng: np.random.Generator) -> tuple[Any, ...]:
    """Place, slope, rate of the step and standard Normal noise of three unknowns."""
    return rng.normal(size=3), rng.normal(size=3), rng.uniform(0.01, 0.5), rng.normal(size=3)


def _ladder(rng: np.random.Generator) -> tuple[Any, ...]:
    """Distances and seconds of six methods, and a goal that is out of reach in one case of three."""
    distance = rng.uniform(0.01, 0.1, 6)
    return distance, rng.uniform(0.01, 3, 6), rng.choice([0.005, 0.04, 0.08])


def _cheapest(distance: Array, seconds: Array, goal: float) -> Any:
    if distance.min() > goal:
        return np.argmin(distance)
    return np.argmin(np.where(distance <= goal, seconds, np.inf))


LESSON_13 = {
    "13-turned-down": Answer(
        right=["MAP", "MAP", "maximum likelihood", "posterior"],
        why="The rungs are neighbours: only one of the four dials, that of SGLD, ends at the posterior.",
        wrong=[
            (["MAP", "MAP", "MAP", "posterior"], "MAP has a prior. What does best_summit climb without it?"),
            (["MAP", "MAP", "MAP", "MAP"], "Two of four. Which one loses its prior, and which one keeps its noise?"),
            (
                ["MAP", "MAP", "maximum likelihood", "MAP"],
                "A rate of nearly zero is not zero: which shrinks faster, the slope's term or the noise?",
            ),
            (["posterior", "MAP", "maximum likelihood", "posterior"], "No spread: how many networks does it draw?"),
            (["MAP", "maximum likelihood", "maximum likelihood", "posterior"], "What does dropout's loss contain?"),
        ],
    ),
    "13-too-long": Answer(
        right=[1 / (1 - 0.5 / 4), 4],
        within=1e-3,
        why="Nobody refuses a step, so SGLD is always too wide, and the narrowest direction limits its steps.",
        wrong=[
            ([1, ANY], "That is the posterior's own variance. Nothing refuses a step here: put one step into it."),
            ([1 / (1 - 0.5 / 2), ANY], "Did you take the whole rate for the slope? Its factor is a half of it."),
            ([0.5, ANY], "That is the variance of one kick. They pile up, and the slope pulls back."),
            ([1 / (1 - 0.5 / 4), 2], "There a step lands right on the summit. Beyond it, it overshoots, and returns."),
        ],
    ),
    "13-eight-needles": Answer(
        right=lambda zeta, slope, rate, noise: zeta + rate / 2 * slope + np.sqrt(rate) * noise,
        read=calls(_langevin),
        why="Variances of kicks add, so the noise must shrink like the root of the step.",
        wrong=[
            (
                lambda zeta, slope, rate, noise: zeta + rate / 2 * slope + rate * noise,
                "This is the friend's. What is the variance of the sum of many kicks?",
            ),
            (
                lambda zeta, slope, rate, noise: zeta + rate * slope + np.sqrt(rate) * noise,
                "The noise is right. Now the slope is twice what it was, and the samples are too narrow.",
            ),
            (
                lambda zeta, slope, rate, noise: zeta + rate / 2 * slope + np.sqrt(rate / 2) * noise,
                "The root is right. What stands under it in the lesson?",
            ),
            (
                lambda zeta, slope, rate, noise: zeta + rate / 2 * slope + noise,
                "With noise that does not shrink, a short step is a leap.",
            ),
        ],
    ),
    "13-cheapest": Answer(
        right=_cheapest,
        read=calls(_ladder, times=40),
        why="“Best” needs a goal: with one, the choice is a single line.",
        wrong=[
            (lambda distance, seconds, goal: np.argmin(distance), "That is the nearest. Is it also the cheapest?"),
            (lambda distance, seconds, goal: np.argmin(seconds), "That is the cheapest of all. Is it near enough?"),
            (
                lambda distance, seconds, goal: np.argmin(np.where(distance <= goal, seconds, np.inf)),
                "Right while somebody is near enough. What if nobody is?",
            ),
            (
                lambda distance, seconds, goal: np.argmin(np.where(distance <= goal, distance, np.inf)),
                "Among those that are near enough, you took the nearest.",
            ),
        ],
    ),
    "13-no-labels": Answer(
        right=[0.1046, 0],
        within=0.002,
        why="A dial that nobody can set without labels from the gap is a weakness of the method, not of the user.",
        wrong=[
            ([0, 0.1046], "Exchanged: SWAG comes first."),
            ([-0.1046, ANY], "The other way round: the setting of the seen bands minus that of all parts."),
            ([0.0068, 0], "That is the gap. Look outside."),
            ([0, 0], "Did you choose twice by the same column?"),
        ],
    ),
    "13-mixture": Answer(
        right=[0.0570, 0.0413, 0.0499],
        within=[0.008, 0.003, 0.008],
        why="One key would have told you whatever you like: look at the spread before you say which is nearer.",
        wrong=[
            ([0.0336, 0.0432, 0.0296], "That is what a single key says. Take the means over twelve."),
            ([ANY, 0.0716, ANY], "You asked the network itself, off its ridge. Ask the linear one."),
            ([ANY, 0.0543, ANY], "Did you leave out the spread?"),
            ([ANY, 0.0499, 0.0413], "The last two are exchanged."),
        ],
    ),
}

# Lesson 14 ------------------------------------------------------------------------------------------------------------


def _split_batch(rng: np.random.Generator) -> tuple[Array, Array, int]:
    """A prior's gradient, those of the images of each device, and the number of all images."""
    devices, images, weights = (int(rng.integers(2, 7)) for _ in range(3))
    return rng.normal(size=weights), rng.normal(size=(devices, images, weights)), int(rng.integers(50, 5_000))


def _whole_batch(prior: Array, shares: Array, total: int) -> Array:
    return np.asarray(prior + total * shares.mean(axis=(0, 1)))


def _clocks(rng: np.random.Generator) -> tuple[float, float, int, int]:
    """Seconds on few workers, on many of them, and how many these are."""
    one, share = rng.uniform(10, 1_000), rng.uniform(0.02, 0.9)
    few, many = int(rng.integers(2, 9)), int(rng.integers(10, 65))
    return one * (share + (1 - share) / few), one * (share + (1 - share) / many), few, many


def _clocks_read(first: float, second: float, few: int, many: int) -> tuple[float, float]:
    """Seconds that nobody can share, and those that one worker would need for the rest."""
    shared = (first - second) / (1 / few - 1 / many)
    return first - shared / few, shared


def _serial_share(first: float, second: float, few: int, many: int) -> float:
    """The share of one worker's time that nobody can share."""
    alone, shared = _clocks_read(first, second, few, many)
    return alone / (alone + shared)


_CHAINS = np.array([1, 2, 4, 8, 16])

LESSON_14 = {
    "14-same-bits": Answer(
        right=["digits", "bits", "digits", "other", "bits"],
        why="Splitting a sum moves its rounding, moving a whole fit changes nothing; another batch is another method.",
        wrong=[
            (["bits", "bits", "bits", "other", "bits"], "Four partial sums: are they rounded where one long sum is?"),
            (["digits", "digits", "digits", "other", "digits"], "Which sum is split when a whole fit moves?"),
            (["digits", "bits", "digits", "digits", "bits"], "Longer batches: do the steps see the same images?"),
            (["digits", "bits", "digits", "other", "other"], "What does a call need to be made again?"),
            (["other", "bits", "other", "other", "bits"], "Four devices see, together, the images that one would see."),
        ],
    ),
    "14-one-twentieth": Answer(
        right=[1 / (1 / 20 + 19 / 20 / 16), 20],
        within=0.02,
        why="What cannot be shared sets a limit that no number of workers moves.",
        wrong=[
            ([16, ANY], "That is the answer if everything can be shared."),
            ([16 * 19 / 20, ANY], "You shared nineteen twentieths sixteen times. What does the last one take?"),
            ([1 / (1 / 20 + 1 / 16), ANY], "Nearly: is all of it divided by sixteen?"),
            ([1 / (1 / 20 + 19 / 20 / 16), np.inf], "However many workers: how long does the part take that has one?"),
            ([1 / (1 / 20 + 19 / 20 / 16), 19], "Nearly: if the shared part took no time, how much would be left?"),
        ],
    ),
    "14-four-opinions": Answer(
        right=_whole_batch,
        read=calls(_split_batch),
        why="What belongs to the whole fit is counted once, and each image by the size of the whole batch.",
        wrong=[
            (
                lambda prior, shares, total: len(shares) * _whole_batch(prior, shares, total),
                "This is the friend's: how often is the prior in it?",
            ),
            (
                lambda prior, shares, total: prior + total * shares.mean(axis=1).sum(axis=0),
                "The prior counts once now. By how many images do you divide?",
            ),
            (
                lambda prior, shares, total: len(shares) * prior + total * shares.mean(axis=(0, 1)),
                "The images are right. How many opinions has the prior?",
            ),
            (
                lambda prior, shares, total: prior + shares.sum(axis=(0, 1)),
                "A minibatch stands for all images. What scales it up?",
            ),
            (
                lambda prior, shares, total: prior / len(shares) + total * shares.mean(axis=(0, 1)),
                "A quarter of the prior is right on each device, not in the sum.",
            ),
        ],
    ),
    "14-two-clocks": Answer(
        right=_serial_share,
        read=calls(_clocks),
        why="Two clocks tell what a third computer would be worth, before you buy it.",
        wrong=[
            (
                lambda first, second, few, many: (many / few * second / first - 1) / (many / few - 1),
                "That is its share of the time of the few workers. How long would one worker take?",
            ),
            (
                lambda first, second, few, many: 1 - _serial_share(first, second, few, many),
                "With everything shared it should be zero. Which of the two parts is yours?",
            ),
            (
                lambda first, second, few, many: _clocks_read(first, second, few, many)[0],
                "Those are the seconds. What share of the time of one worker are they?",
            ),
            (
                lambda first, second, few, many: second / first,
                "That would be zero only with infinitely many workers, though everything is shared.",
            ),
            (
                lambda first, second, few, many: first / (first + (first - second) / (1 / few - 1 / many)),
                "The first clock shows both parts: one whole, and its share of the other.",
            ),
        ],
    ),
    "14-not-free": Answer(
        right=[500 + 4_000 / _CHAINS, 500 * _CHAINS + 4_000],
        why="Draws are shared, tuning is not: every chain pays for it again.",
        wrong=[
            ([4_500 / _CHAINS, [4_500] * 5], "Here the chains share their tuning. Can they?"),
            (
                [500 + 4_000 / _CHAINS, [4_500] * 5],
                "You wait for the right number. Does each core rest while it tunes?",
            ),
            ([4_000 / _CHAINS, [4_000] * 5], "And the tuning?"),
            ([[4_500] * 5, 4_500 * _CHAINS], "You want four thousand draws in all, not of each chain."),
            ([500 * _CHAINS + 4_000, 500 + 4_000 / _CHAINS], "Swapped: what you wait for comes first."),
        ],
    ),
    "14-will-it-fit": Answer(
        right=[24, 32_000, 3],
        within=0.01,
        why="A Normal is two numbers for each weight; a posterior by draws is as many as you have patience for.",
        wrong=[
            ([8, ANY, ANY], "Mean and log sd are there. What does Adam keep?"),
            ([16, ANY, ANY], "Adam keeps two numbers for each parameter. How many parameters does a weight have here?"),
            ([24, 8_000, ANY], "That is one chain."),
            ([24, 16_000, ANY], "Double precision: how many bytes does a number take?"),
            ([24, 32_000, 6], "Six in single precision. How many in double precision take the same room?"),
            ([24, 32, ANY], "Megabytes, please: yours is in gigabytes."),
        ],
    ),
    "14-survives": Answer(
        right=[3, 3, 1],
        why="What is written when it arrives is safe, and the rest can be made again from its arguments.",
        wrong=[
            ([0, 6, 1], "Nothing was on the disk: when do you write?"),
            ([3, 6, 1], "Three lines were safe, and yet all six were computed again: who looks into the file?"),
            ([3, 3, 0], "Everything is there. In which order, and with how many digits?"),
            ([0, 3, 0], "Is the file written anew by the second run, with its own rows alone?"),
        ],
    ),
}

ANSWERS: dict[str, Answer] = {
    **LESSON_00,
    **LESSON_01,
    **LESSON_02,
    **LESSON_03,
    **LESSON_04,
    **LESSON_05,
    **LESSON_06,
    **LESSON_07,
    **LESSON_08,
    **LESSON_09,
    **LESSON_10,
    **LESSON_11,
    **LESSON_12,
    **LESSON_13,
    **LESSON_14,
}
