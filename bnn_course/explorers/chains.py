"""Explorer of lesson 02: step through four samplers on three targets, draw by draw.

The samplers are those of `bnn_course.samplers`; one that takes a draw after the other from one generator makes the
same chain as one long run. A chain is made once for each setting, and only as far as somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from ipywidgets import Dropdown, IntSlider, SelectionSlider
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bnn_course import samplers
from bnn_course._checks import Array, as_array, one_of, positive_integer
from bnn_course.explorers import Explorer, scale
from bnn_course.plots import BLACK, BLUE, CYCLE, DARK, GREY, MARKERS, ORANGE, PALE, SKY, SMALL, VERMILLION

SEED = 2017
DRAWS = 200  # the longest chain that is shown
STEPS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0)
SAMPLERS = ("Metropolis", "Gibbs", "HMC", "NUTS")
IDLE = {
    "Metropolis": " Path length does not apply.",
    "Gibbs": " Step size and path length do not apply.",
    "HMC": "",
    "NUTS": " Path length does not apply: NUTS finds its own.",
}
GRID = ("banana", "Gibbs")
WAY = {"Metropolis": "proposal", "Gibbs": "sweep", "HMC": "leapfrog path", "NUTS": "tree, a colour for each doubling"}
COST = {"Metropolis": "density evaluations", "Gibbs": "sweeps", "HMC": "gradients", "NUTS": "gradients"}


# Targets --------------------------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """A density over (θ₁, θ₂) with a known answer.

    Attributes
    ----------
    log_density, gradient : callable
        θ ↦ ln p(θ) + constant, in nats, and its derivative (parameter,).
    conditionals : list of callables
        For `bnn_course.samplers.gibbs`.
    start : array (parameter,)
    mean : array (parameter,)
        Exact.
    sd : float
        Exact, of θ₁.
    box : array (parameter, [low, high])
        What is drawn.
    """

    log_density: Callable[[Array], float]
    gradient: Callable[[Array], Array]
    conditionals: list[Callable[[Array, np.random.Generator], float]]
    start: np.ndarray
    mean: np.ndarray
    sd: float
    box: np.ndarray


def banana() -> Target:
    """The bent target of lesson 02; θ₁ given θ₂ has no name and is drawn from a fine grid, as in the lesson.

    Returns
    -------
    Target
    """
    fine = np.linspace(-5, 5, 1_001)

    def log_density(theta):
        return -(theta[0] ** 2) / 2 - 2 * (theta[1] - (theta[0] ** 2 - 1) / 2) ** 2

    def gradient(theta):
        miss = theta[1] - (theta[0] ** 2 - 1) / 2
        return np.array([-theta[0] + 4 * miss * theta[0], -4 * miss])

    def first(theta, rng):
        log_p = log_density([fine, theta[1]])
        cumulative = np.cumsum(np.exp(log_p - log_p.max()))
        return np.interp(rng.uniform() * cumulative[-1], cumulative, fine)

    def second(theta, rng):
        return (theta[0] ** 2 - 1) / 2 + 0.5 * rng.normal()

    start, box = np.array([2.3, 2.5]), np.array([[-3.3, 3.3], [-2.3, 3.6]])
    return Target(log_density, gradient, [first, second], start, np.zeros(2), 1.0, box)


def correlated() -> Target:
    """The posterior of intercept and slope of lesson 02, moved to the mean (½, 1): a Normal, correlation −0.85.

    Returns
    -------
    Target
    """
    first, both, second = 20 + 1 / 4, 20.0, 520 / 19 + 1 / 4  # precision: sums over x of 1, x and x², plus the prior
    mean, covariance = np.array([0.5, 1.0]), np.linalg.inv([[first, both], [both, second]])

    def gradient(theta):  # written out: a matrix product may differ in the last digit between machines
        a, b = mean - theta
        return np.array([first * a + both * b, both * a + second * b])

    def log_density(theta):
        a, b = mean - theta
        return -(first * a**2 + 2 * both * a * b + second * b**2) / 2

    def first_given(theta, rng):
        return mean[0] - both / first * (theta[1] - mean[1]) + first**-0.5 * rng.normal()

    def second_given(theta, rng):
        return mean[1] - both / second * (theta[0] - mean[0]) + second**-0.5 * rng.normal()

    sd = np.sqrt(np.diag(covariance))
    start = np.round(mean + np.linalg.cholesky(covariance) @ [2, 0], 3)
    box = mean[:, None] + 3.3 * sd[:, None] * [-1, 1]
    return Target(log_density, gradient, [first_given, second_given], start, mean, sd[0], box)


def two_modes() -> Target:
    """Half of the probability round (−1.8, −1.8), half round (1.8, 1.8), with standard deviation 1.

    Given θ₂, θ₁ is one of two Normals, the right one with probability 1/(1 + exp(−3.6 θ₂)): Gibbs is exact.

    Returns
    -------
    Target
    """
    modes = np.array([1.8, 1.8])

    def log_density(theta):
        along = 1.8 * (theta[0] + theta[1])
        return -(theta[0] ** 2 + theta[1] ** 2) / 2 + np.logaddexp(along, -along)

    def gradient(theta):
        return modes * np.tanh(1.8 * (theta[0] + theta[1])) - theta

    def conditional(i):
        def draw(theta, rng):
            right = rng.uniform() < 1 / (1 + np.exp(-2 * modes[i] * theta[1 - i]))
            return (1.8 if right else -1.8) + rng.normal()

        return draw

    box = np.array([[-5.0, 5.0], [-5.0, 5.0]])
    return Target(
        log_density, gradient, [conditional(0), conditional(1)], -modes, np.zeros(2), np.sqrt(1 + 1.8**2), box
    )


TARGETS = {"banana": banana(), "correlated": correlated(), "two modes": two_modes()}
CHOICES = [("banana", "banana"), ("correlated Gaussian", "correlated"), ("two modes", "two modes")]


# Chains ---------------------------------------------------------------------------------------------------------------


class Move(NamedTuple):
    """One draw and how it came about.

    Attributes
    ----------
    theta : array (parameter,)
        The draw.
    way : array (point, parameter)
        Metropolis: the proposal; Gibbs: the corner of the sweep and its end; HMC: the trajectory after its start; NUTS:
        the points of the tree, in the order in which they were visited.
    acceptance, evaluations, divergent
        As in `bnn_course.samplers.Chain`.
    """

    theta: np.ndarray
    way: np.ndarray
    acceptance: float
    evaluations: int
    divergent: bool


def _one_draw(target, sampler, theta, step, n_steps, rng):
    """One move; the places where density or gradient are asked for are its way (the first two are the start)."""
    if sampler == "Gibbs":
        chain = samplers.gibbs(target.conditionals, theta, draws=1, rng=rng)
        (new,) = chain.draws
        return chain, np.array([[new[0], theta[1]], new])
    way, settings = [], {"draws": 1, "step": step, "rng": rng}

    def spy(function):
        def spied(place):
            way.append(place)
            return function(place)

        return spied

    if sampler == "Metropolis":
        chain = samplers.random_walk_metropolis(spy(target.log_density), theta, **settings)
    elif sampler == "HMC":
        chain = samplers.hmc(target.log_density, spy(target.gradient), theta, n_steps=n_steps, **settings)
    else:
        chain = samplers.nuts(spy(target.log_density), target.gradient, theta, **settings)
    return chain, np.array(way[2:])


def _moves(target, sampler, step, n_steps):
    target, rng = TARGETS[target], np.random.default_rng(SEED)
    theta = target.start
    while True:
        chain, way = _one_draw(target, sampler, theta, step, n_steps, rng)
        theta = chain.draws[0]
        yield Move(theta, way, chain.acceptance[0], int(chain.evaluations[0]), bool(chain.divergent[0]))


@lru_cache(maxsize=128)
def _begun(target, sampler, step, n_steps):
    return _moves(target, sampler, step, n_steps), []


def moves(target: str, sampler: str, step: float, n_steps: int, draws: int) -> list[Move]:
    """Return the first moves of a chain from the tail of a target (lesson 02, "All samplers, both landscapes").

    Parameters
    ----------
    target : {"banana", "correlated", "two modes"}
    sampler : {"Metropolis", "Gibbs", "HMC", "NUTS"}
    step : float
        Standard deviation of the random walk, or leapfrog step Δt; > 0. Gibbs has none.
    n_steps : int
        Largest number of leapfrog steps of HMC. The others have none.
    draws : int

    Returns
    -------
    list of Move
    """
    one_of(target, "target", tuple(TARGETS))
    one_of(sampler, "sampler", SAMPLERS)
    source, made = _begun(target, sampler, 0 if sampler == "Gibbs" else step, n_steps if sampler == "HMC" else 0)
    made.extend(islice(source, max(0, positive_integer(draws, "draws") - len(made))))
    return made[:draws]


def effective_size(values: Array) -> float:
    r"""Effective number of draws of one chain, :math:`S / (1 + 2 \sum_t \rho_t)` (lesson 02).

    The sum ends where the autocorrelations of two neighbouring lags together fall below zero (Geyer 1992). Unlike
    ArviZ's bulk ESS, this one neither splits the chain nor replaces draws by ranks.

    Parameters
    ----------
    values : array (draw,)

    Returns
    -------
    float
        At least 1; 1 if all values are equal.
    """
    values = as_array(values, "values", ndim=1)
    n = len(values)
    if np.ptp(values) == 0:
        return 1.0
    spectrum = np.abs(np.fft.rfft(values - values.mean(), 2 * n)) ** 2
    rho = np.fft.irfft(spectrum)[: n // 2 * 2]
    pairs = (rho / rho[0]).reshape(-1, 2).sum(axis=1)
    pairs = pairs[: np.argmax(np.append(pairs, -1) < 0)]
    span = 2 * np.minimum.accumulate(pairs).sum() - 1
    return float(np.clip(n / max(span, 1 / n), 1, max(1, n * np.log10(n))))  # the upper end as in ArviZ


# Drawing --------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=len(TARGETS))
def _heights(name):
    """Axes of a grid and −ln p on it, in nats above the lowest point."""
    target = TARGETS[name]
    xs, ys = (np.linspace(*side, 60) for side in target.box)
    height = -np.array([[target.log_density(np.array([x, y])) for x in xs] for y in ys])
    return xs, ys, height - height.min()


def _landscape(ax, name):
    ax.contourf(*_heights(name), [0, 0.5, 1, 2, 4, 8], cmap="Greys", alpha=0.4, vmax=12, extend="max")
    ax.set(xlim=TARGETS[name].box[0], ylim=TARGETS[name].box[1], xlabel="θ₁", ylabel="θ₂")


def _verdict(sampler, stays, move, box):
    """What became of the last move, in words."""
    if sampler == "Gibbs":
        return "a sweep is always accepted"
    if sampler == "NUTS":
        points = f"{move.evaluations} point" + "s" * (move.evaluations > 1)
        end = "diverged" if move.divergent else "turned back"
        return f"{points}, then it {end}; " + ("the draw is the start again" if stays else "the draw is the star")
    steps = f"{move.evaluations} step" + "s" * (move.evaluations > 1)
    proposal = "proposal" if sampler == "Metropolis" else f"path of {steps}"
    word = "diverged, rejected" if move.divergent else "rejected" if stays else "accepted"
    far = "" if np.all((move.way[-1] > box[:, 0]) & (move.way[-1] < box[:, 1])) else ", off the map,"
    return f"{proposal}{far} {word} (probability {move.acceptance:.2f})"


def _draw_way(ax, sampler, old, stays, move):
    """The last proposal, path or tree, clipped to what a picture can hold."""
    way = np.clip(np.nan_to_num(move.way, nan=1e3), -1e3, 1e3)
    if sampler == "NUTS":
        for n in range(len(way).bit_length()):
            colour, marker = CYCLE[n % len(CYCLE)], MARKERS[n % len(MARKERS)]
            part = way[2**n - 1 : 2 ** (n + 1) - 1]
            edge = {"markeredgecolor": "white", "markeredgewidth": 0.4}
            ax.plot(*part.T, marker, color=colour, markersize=5, **edge, gid="way")
    else:
        path = np.vstack([old, way])
        ax.plot(*path.T, ".-", color=ORANGE, markersize=4, linewidth=1.2, gid="way")
        if stays:
            ax.plot(*way[-1], "X", color=VERMILLION, markersize=8, gid="rejected")
    ax.plot(*old, "x", color=BLACK, markersize=8, markeredgewidth=1.6, gid="old")
    ax.plot(*move.theta, "*", color=BLACK, markersize=8, gid="new")


def _legend(figure, sampler):
    tree = {"marker": "^", "color": VERMILLION}
    entries = {
        "chain so far": {"marker": "o", "color": SKY, "markerfacecolor": BLUE, "markersize": 3, "linestyle": "-"},
        WAY[sampler]: tree if sampler == "NUTS" else {"marker": ".", "color": ORANGE, "linestyle": "-"},
        "start of the move": {"marker": "x", "color": BLACK},
        "draw": {"marker": "*", "color": BLACK, "markersize": 8},
    }
    if sampler in ("Metropolis", "HMC"):
        entries["rejected"] = {"marker": "X", "color": VERMILLION}
    handles = [Line2D([], [], label=label, **({"linestyle": ""} | style)) for label, style in entries.items()]
    figure.legend(handles=handles, loc="lower center", ncols=5, columnspacing=1.2)


def _draw_trace(ax, target, first):
    middle, half = target.mean[0], 2 * target.sd
    ax.axhspan(middle - half, middle + half, color=PALE, alpha=0.6, linewidth=0)
    ax.axhline(middle, color=GREY, linestyle="--", linewidth=1)
    ax.plot(first, color=BLUE, linewidth=0.9, gid="trace")
    ax.plot(len(first) - 1, first[-1], "*", color=BLACK, markersize=8, clip_on=False)
    ax.set(xlim=(-3, DRAWS + 3), ylim=target.box[0], xlabel="draw", ylabel="θ₁")
    ax.set_xticks([0, 100, 200])
    ax.text(1, 1.02, "band: exact mean ± 2 sd", transform=ax.transAxes, ha="right", fontsize=SMALL, color=DARK)


def draw_chain(figure: Figure, target: str, sampler: str, step: float, n_steps: int, draws: int) -> str:
    """Draw a chain on the density of its target, with the last move, and the trace of θ₁ (lesson 02).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty; 6 × 3.8 inches suit it.
    target : {"banana", "correlated", "two modes"}
    sampler : {"Metropolis", "Gibbs", "HMC", "NUTS"}
    step : float
        Standard deviation of the random walk, or leapfrog step Δt, in [0.05, 4]; Gibbs has none.
    n_steps : int
        Largest number of leapfrog steps of HMC, in [1, 40]; the others have none.
    draws : int
        How many draws are shown, in [1, 200].

    Returns
    -------
    str
        What became of the last move, acceptance, cost, the mean of θ₁, and ESS, the smallest of components and of their
        squares.
    """
    made, exact = moves(target, sampler, step, n_steps, draws), TARGETS[target]
    chain = np.array([exact.start, *(move.theta for move in made)])
    plane, trace = figure.subplots(1, 2, width_ratios=[3, 2])
    figure.subplots_adjust(left=0.08, right=0.98, bottom=0.24, top=0.92, wspace=0.27)
    _landscape(plane, target)
    corners = np.column_stack([np.repeat(chain[:, 0], 2)[1:], np.repeat(chain[:, 1], 2)[:-1]])
    plane.plot(*(corners if sampler == "Gibbs" else chain).T, color=SKY, linewidth=0.8, alpha=0.7)
    plane.plot(*chain.T, "o", color=BLUE, markersize=2.5, alpha=0.6, gid="chain")
    stays = np.array_equal(chain[-2], chain[-1])
    _draw_way(plane, sampler, chain[-2], stays, made[-1])
    verdict = _verdict(sampler, stays, made[-1], exact.box)
    plane.text(0, 1.02, verdict, transform=plane.transAxes, fontsize=SMALL, color=VERMILLION if stays else BLUE)
    _draw_trace(trace, exact, chain[:, 0])
    _legend(figure, sampler)
    grid = " θ₁ given θ₂ has no closed form: it is drawn from a fine grid." if (target, sampler) == GRID else ""
    return (_line(sampler, exact, verdict, chain[1:], made) + grid).replace(" -", " −")


def _line(sampler, exact, verdict, chain, made):
    n, acceptance = len(made), np.mean([move.acceptance for move in made])
    parts = np.column_stack([chain, (chain - exact.mean) ** 2])  # squares, too, as in the lesson
    ess = f"{min(effective_size(part) for part in parts.T):.0f} of {n}" if n >= 10 else "not known before draw 10"
    return (
        f"Draw {n}: {verdict}. So far: acceptance {acceptance:.2f}, {COST[sampler]} "
        f"{sum(move.evaluations for move in made)}, ESS {ess}, mean of θ₁ {round(chain[:, 0].mean(), 2) + 0.0:.2f} "
        f"(exact {exact.mean[0]:.2f}).{IDLE[sampler]}"
    )


def chain() -> Explorer:
    """Explorer of lesson 02: walk a chain draw by draw, with target, sampler, step size and path length to choose.

    Returns
    -------
    Explorer
    """
    return Explorer(
        draw_chain,
        "Left, the density of two parameters in grey, the chain so far as blue dots joined by lines and the last move "
        "from a cross to a star: a proposal, a path or a tree of points. Right, the trace of the first parameter.",
        size=(6, 3.8),
        play="draws",
        main="step",
        target=Dropdown(options=CHOICES, description="target"),
        sampler=Dropdown(options=SAMPLERS, value="HMC", description="sampler"),
        step=SelectionSlider(options=scale(*STEPS), value=0.3, description="step size"),
        n_steps=IntSlider(20, 1, 40, description="longest path"),
        draws=IntSlider(24, 1, DRAWS, description="draws"),
    )
