"""The answers to the exercises, and the wrong answers that people give, each with a hint.

This is data: `bnn_course.exercises.check` reads it. A right answer is computed from its definition wherever it has one.
A hint says what to think about, never the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bnn_course._answer import Answer, calls, curve
from bnn_course._checks import Array

ANY = np.nan  # in a wrong array: whatever stands there


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

ANSWERS: dict[str, Answer] = {**LESSON_01, **LESSON_02, **LESSON_04}
