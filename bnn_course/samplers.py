"""Markov chains in NumPy: Metropolis–Hastings, Gibbs, HMC and NUTS, as lesson 02 and appendix D build them.

A target is a function `log_density(theta)` that takes an array (parameter,) and returns one number, known up to a
constant; the Hamiltonian samplers also take its `gradient`. Every sampler returns a `Chain`. An *evaluation* is the log
density, its gradient or both at one new point; a sweep of Gibbs, which visits every component once, counts as one. (The
gradient where a trajectory starts could be kept from the draw before, and is not counted.)

The functions that a caller passes get arrays that they can read but not change: ``theta += …`` in one of them would
move the chain itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bnn_course._checks import (
    Array,
    as_array,
    function_of,
    generator,
    positive,
    positive_definite,
    positive_integer,
    real_number,
)

Density = Callable[[Array], float]
Gradient = Callable[[Array], Array]

DIVERGENT = 1000.0  # nats of energy error; Δmax of Hoffman & Gelman (2014)


class Chain(NamedTuple):
    """What a sampler returns.

    Attributes
    ----------
    draws : array (draw, parameter)
        The start is not among them.
    acceptance : array (draw,)
        Probability with which the proposal was accepted, in [0, 1]; NUTS: its mean over the tree.
    evaluations : array of int (draw,)
        What the draw cost.
    divergent : array of bool (draw,)
        Whether the energy error left all bounds on the way (Hamiltonian samplers).
    """

    draws: Array
    acceptance: Array
    evaluations: Array
    divergent: Array


class State(NamedTuple):
    """A place on a trajectory: position and momentum, each an array (parameter,)."""

    theta: Array
    momentum: Array


class Tree(NamedTuple):
    """A part of a trajectory that NUTS has grown.

    Attributes
    ----------
    first, last : State
        Its ends, in order of time.
    candidate : array (parameter,)
        A uniform draw from its points inside the slice.
    count : int
        How many of its points lie inside the slice.
    go : bool
        False if it turned back or diverged.
    """

    first: State
    last: State
    candidate: Array
    count: int  # type: ignore[assignment]  # a named tuple has a method of this name, which nobody calls
    go: bool


class ChainError(RuntimeError):
    """The log density, its gradient or a proposal failed in mid-chain; the draws made so far are in `.chain`."""

    def __init__(self, message: str, chain: Chain) -> None:
        super().__init__(message)
        self.chain = chain


# Samplers -------------------------------------------------------------------------------------------------------------


def metropolis_hastings(
    log_density: Density,
    start: ArrayLike,
    *,
    draws: int,
    propose: Callable[[Array, np.random.Generator], ArrayLike],
    rng: np.random.Generator,
    log_proposal: Callable[[Array, Array], float] | None = None,
) -> Chain:
    r"""Metropolis–Hastings with any proposal (lesson 02).

    Accepts θ′ with probability min(1, p(θ′) q(θ∣θ′) / p(θ) q(θ′∣θ)) (Hastings 1970; MacKay 2003, section 29.4).

    Parameters
    ----------
    log_density : callable
        θ ↦ ln p(θ) + constant, in nats.
    start : array (parameter,)
    draws : int
    propose : callable
        ``propose(theta, rng)`` returns a new array (parameter,); theta is read-only.
    rng : numpy.random.Generator
    log_proposal : callable, optional
        ``log_proposal(to, origin)`` is ln q(to∣origin), in nats. Leave it out for symmetric proposals only.

    Returns
    -------
    Chain

    Raises
    ------
    ChainError
        If one of the functions raises in mid-chain, or a proposal has another shape than the start.
    """
    start = _start(log_density, start)
    function_of(propose, "propose")
    generator(rng)

    def transition(state: Any) -> tuple[Any, ...]:
        theta, log_p = state
        new = _proposal(propose(theta, rng), theta.shape)
        new_log_p = log_density(new)
        log_ratio = new_log_p - log_p
        if log_proposal is not None:
            log_ratio += log_proposal(theta, new) - log_proposal(new, theta)
        accepted = np.log(rng.uniform()) < log_ratio
        return (new, new_log_p) if accepted else state, _probability(log_ratio), 1, False

    return _run(transition, (start, log_density(start)), draws)


def random_walk_metropolis(
    log_density: Density, start: ArrayLike, *, draws: int, step: ArrayLike, rng: np.random.Generator
) -> Chain:
    """Metropolis with a Normal random walk, the symmetric special case of `metropolis_hastings` (lesson 02).

    Parameters
    ----------
    log_density : callable
    start : array (parameter,)
    draws : int
    step : float or array (parameter,)
        Standard deviation of the walk, > 0. In d dimensions 2.38/√d times the target's scale is optimal
        (Roberts, Gelman & Gilks 1997).
    rng : numpy.random.Generator

    Returns
    -------
    Chain
    """
    steps = _steps(step)
    return metropolis_hastings(
        log_density, start, draws=draws, propose=lambda theta, rng: theta + steps * rng.normal(size=theta.size), rng=rng
    )


def gibbs(
    conditionals: Sequence[Callable[[Array, np.random.Generator], float]],
    start: ArrayLike,
    *,
    draws: int,
    rng: np.random.Generator,
) -> Chain:
    """Gibbs sampler: each draw is a sweep through all components, in order (lesson 02).

    Parameters
    ----------
    conditionals : sequence of callables (parameter,)
        ``conditionals[i](theta, rng)`` draws θᵢ given all other components of theta, which is read-only.
    start : array (parameter,)
    draws : int
        Sweeps.
    rng : numpy.random.Generator

    Returns
    -------
    Chain
    """
    conditionals = [function_of(draw, f"conditionals[{i}]") for i, draw in enumerate(conditionals)]
    start = as_array(start, "start", ndim=1, shape=(len(conditionals),)).astype(float)
    generator(rng)

    def sweep(state: Any) -> tuple[Any, ...]:
        theta = state[0].copy()
        seen = _read_only(theta.view())
        for i, draw in enumerate(conditionals):
            theta[i] = draw(seen, rng)
        return (theta,), 1.0, 1, False

    return _run(sweep, (start,), draws)


def gaussian_conditionals(
    mean: ArrayLike, covariance: ArrayLike
) -> list[Callable[[Array, np.random.Generator], float]]:
    r"""Full conditionals of a multivariate Normal, for `gibbs` (lesson 02).

    With precision Λ: θᵢ ∣ rest ~ N(mᵢ − Σ_{j≠i} Λᵢⱼ(θⱼ − mⱼ)/Λᵢᵢ, 1/Λᵢᵢ) (Bishop 2006, section 2.3.1).

    Parameters
    ----------
    mean : array (parameter,)
    covariance : array (parameter, parameter)
        Symmetric and positive definite.

    Returns
    -------
    list of callables (parameter,)
    """
    mean = as_array(mean, "mean", ndim=1).astype(float)
    precision = np.linalg.inv(positive_definite(covariance, "covariance", size=len(mean))[0])

    def conditional(i: int) -> Callable[[Array, np.random.Generator], float]:
        weights = -precision[i] / precision[i, i]
        weights[i], sd = 0.0, precision[i, i] ** -0.5
        return lambda theta, rng: mean[i] + weights @ (theta - mean) + sd * rng.normal()

    return [conditional(i) for i in range(len(mean))]


def leapfrog(gradient: Gradient, theta: Array, momentum: Array, *, step: float, n_steps: int = 1) -> State:
    """Follow Hamiltonian dynamics with unit mass by `n_steps` leapfrog steps (lesson 02; Neal 2011).

    Parameters
    ----------
    gradient : callable
        θ ↦ ∇ ln p(θ), array (parameter,).
    theta, momentum : array (parameter,)
    step : float
        Step size Δt; negative steps go back in time.
    n_steps : int

    Returns
    -------
    State
        Its position is read-only, as it was for the gradient.
    """
    theta = _read_only(np.asarray(theta).view())
    momentum = momentum + step / 2 * gradient(theta)
    for _ in range(n_steps - 1):
        theta = _read_only(theta + step * momentum)
        momentum = momentum + step * gradient(theta)
    theta = _read_only(theta + step * momentum)
    return State(theta, momentum + step / 2 * gradient(theta))


def hmc(
    log_density: Density,
    gradient: Gradient,
    start: ArrayLike,
    *,
    draws: int,
    step: float,
    n_steps: int,
    rng: np.random.Generator,
) -> Chain:
    """Hamiltonian Monte Carlo whose trajectories have 1 to `n_steps` leapfrog steps, at random (lesson 02).

    A fixed length could be a period of the motion; a random one cannot (Neal 2011).

    Parameters
    ----------
    log_density, gradient : callable
    start : array (parameter,)
    draws : int
    step : float
        Step size Δt > 0.
    n_steps : int
    rng : numpy.random.Generator

    Returns
    -------
    Chain
    """
    start = _start(log_density, start)
    _slope(gradient, start)
    step = positive(step, "step")
    n_steps = positive_integer(n_steps, "n_steps")
    generator(rng)

    def transition(state: Any) -> tuple[Any, ...]:
        theta, log_p = state
        momentum = rng.normal(size=theta.size)
        n = int(rng.integers(1, n_steps + 1))
        new = leapfrog(gradient, theta, momentum, step=step, n_steps=n)
        new_log_p = log_density(new.theta)
        gain = new_log_p - new.momentum @ new.momentum / 2 - log_p + momentum @ momentum / 2
        accepted = np.log(rng.uniform()) < gain
        return (new.theta, new_log_p) if accepted else state, _probability(gain), n, not gain > -DIVERGENT

    return _run(transition, (start, log_density(start)), draws)


def nuts(
    log_density: Density,
    gradient: Gradient,
    start: ArrayLike,
    *,
    draws: int,
    step: float,
    rng: np.random.Generator,
    max_depth: int = 10,
) -> Chain:
    """No-U-Turn Sampler with a given step size (appendix D; Hoffman & Gelman 2014, algorithm 3).

    Parameters
    ----------
    log_density, gradient : callable
    start : array (parameter,)
    draws : int
    step : float
        Step size Δt > 0.
    rng : numpy.random.Generator
    max_depth : int
        A tree has at most 2**max_depth points.

    Returns
    -------
    Chain
    """
    start = _start(log_density, start)
    _slope(gradient, start)
    step = positive(step, "step")
    max_depth = positive_integer(max_depth, "max_depth")
    generator(rng)

    def transition(state: Any) -> tuple[Any, ...]:
        (theta,) = state
        momentum = rng.normal(size=theta.size)
        log_joint = log_density(theta) - momentum @ momentum / 2
        log_u = log_joint - rng.exponential()
        first = last = State(theta, momentum)
        visited: list[tuple[Array, float]] = []
        count, depth, go = 1, 0, True
        while go and depth < max_depth:
            direction = rng.choice([-1, 1])
            end = first if direction < 0 else last
            new = build_tree(log_density, gradient, end, log_u, direction * step, depth, visited, rng)
            first, last = (new.first, last) if direction < 0 else (first, new.last)
            if new.go and rng.uniform() < new.count / count:
                theta = new.candidate
            count, depth, go = count + new.count, depth + 1, new.go and not turned_back(first, last)
        gains = np.array([point_log_joint for _, point_log_joint in visited])
        divergent = not (gains > log_u - DIVERGENT).all()
        return (theta,), np.mean([_probability(gain) for gain in gains - log_joint]), len(visited), divergent

    return _run(transition, (start,), draws)


def build_tree(
    log_density: Density,
    gradient: Gradient,
    end: State,
    log_u: float,
    step: float,
    depth: int,
    visited: list[tuple[Array, float]],
    rng: np.random.Generator,
) -> Tree:
    """Walk 2**depth leapfrog steps on from one end of a trajectory, as a binary tree (BuildTree of algorithm 3).

    Parameters
    ----------
    log_density, gradient : callable
    end : State
    log_u : float
        Height of the slice, in nats.
    step : float
        Negative to walk back in time.
    depth : int
    visited : list
        Every new point is appended as (theta, log joint density).
    rng : numpy.random.Generator

    Returns
    -------
    Tree
    """
    if depth == 0:
        end = leapfrog(gradient, end.theta, end.momentum, step=step)
        log_joint = float(log_density(end.theta) - end.momentum @ end.momentum / 2)
        visited.append((end.theta, log_joint))
        return Tree(end, end, end.theta, int(log_u <= log_joint), log_joint > log_u - DIVERGENT)
    old = build_tree(log_density, gradient, end, log_u, step, depth - 1, visited, rng)
    if not old.go:
        return old
    end = old.first if step < 0 else old.last
    new = build_tree(log_density, gradient, end, log_u, step, depth - 1, visited, rng)
    first, last = (new.first, old.last) if step < 0 else (old.first, new.last)
    count = old.count + new.count
    candidate = new.candidate if rng.uniform() * count < new.count else old.candidate
    return Tree(first, last, candidate, count, new.go and not turned_back(first, last))


def turned_back(first: State, last: State) -> bool:
    """Whether the ends of a trajectory approach each other (Hoffman & Gelman 2014; lesson 02).

    Parameters
    ----------
    first, last : State
        In order of time.
    """
    span = last.theta - first.theta
    return bool(span @ first.momentum < 0 or span @ last.momentum < 0)


def tune_step(
    sample: Callable[[Array, float], Chain], start: ArrayLike, *, step: float, target: float, rounds: int
) -> tuple[float, Array]:
    """Find the step size of a sampler that gives a wanted acceptance, by Robbins–Monro (appendix D).

    After round t, ln Δt moves by (acceptance − target)/√t; returned is the mean over the second half.

    Parameters
    ----------
    sample : callable
        ``sample(start, step)`` returns a `Chain`, usually of one draw.
    start : array (parameter,)
    step : float
        First guess, > 0.
    target : float
        Wanted acceptance, in (0, 1).
    rounds : int

    Returns
    -------
    step : float
    theta : array (parameter,)
        Where the chain is now.
    """
    log_step = np.log(positive(step, "step"))
    target = real_number(target, "target", low=0, high=1, open_ends=True)
    theta, path = as_array(start, "start", ndim=1).astype(float), []
    for t in range(1, positive_integer(rounds, "rounds") + 1):
        chain = sample(theta, float(np.exp(log_step)))
        theta = chain.draws[-1]
        log_step += (chain.acceptance.mean() - target) / np.sqrt(t)
        path.append(log_step)
    return float(np.exp(np.mean(path[len(path) // 2 :]))), theta


# Shared ---------------------------------------------------------------------------------------------------------------


def _run(transition: Callable[[Any], tuple[Any, ...]], state: Any, draws: int) -> Chain:
    """Repeat `transition(state) -> (state, acceptance, evaluations, divergent)`; what fails keeps the draws made."""
    draws = positive_integer(draws, "draws")
    chain = Chain(np.empty((draws, state[0].size)), np.empty(draws), np.empty(draws, int), np.empty(draws, bool))
    for i in range(draws):
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # of a trajectory that diverges
                state, *record = transition(state)
            chain.draws[i] = state[0]
        except Exception as error:
            made = Chain(*(part[:i].copy() for part in chain))
            raise ChainError(
                f"draw {i + 1} of {draws} failed ({type(error).__name__}: {error}): {_remedy(error)}the {i} draws "
                "before it are in the attribute chain of this error; continue from chain.draws[-1] when the function "
                "is repaired",
                made,
            ) from error
        chain.acceptance[i], chain.evaluations[i], chain.divergent[i] = record
    return chain


def _probability(log_ratio: float) -> float:
    """min(1, exp(log_ratio)), and 0 where it is not a number."""
    return float(np.exp(min(log_ratio, 0.0))) if log_ratio == log_ratio else 0.0


def _read_only(array: Array) -> Array:
    """The same array, locked: a function that changed it would move the chain."""
    array.flags.writeable = False
    return array


def _remedy(error: Exception) -> str:
    """What to do about an error that our locking of arrays has caused; nothing for others."""
    if isinstance(error, ValueError) and "read-only" in str(error):
        return "functions must not change theta, write theta = theta + … in place of theta += …; "
    return ""


def _proposal(new: ArrayLike, shape: tuple[int, ...]) -> Array:
    """A proposal as a locked array of floats of its own, if it has one number for each parameter."""
    new = np.array(new, dtype=float)
    if new.shape != shape:
        raise ValueError(
            f"a proposal must have shape {shape}, got {new.shape}: propose one number for each parameter, e.g. "
            "theta + rng.normal(size=theta.size)"
        )
    return _read_only(new)


def _start(log_density: Density, start: ArrayLike) -> Array:
    """The start as floats, if the log density is one finite number there."""
    start = _read_only(as_array(start, "start", ndim=1).astype(float))
    value = np.asarray(_at_start(log_density, "log_density", start))
    if value.ndim or value.dtype.kind not in "iuf":
        raise TypeError(
            f"log_density must return one number, got shape {value.shape} and dtype {value.dtype} at the start: sum "
            "over data and components"
        )
    if not np.isfinite(value):
        raise ValueError(f"log_density must be finite at the start, got {value}: start where the density is positive")
    return start


def _slope(gradient: Gradient, start: Array) -> Array:
    """The gradient at the start, if it fits."""
    return as_array(_at_start(gradient, "gradient", start), "gradient at the start", ndim=1, shape=start.shape)


def _at_start(function: Callable[[Array], Any], name: str, start: Array) -> Any:
    """What a function returns at the start; one that writes into its argument is refused."""
    try:
        return function_of(function, name)(start)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError(
            f"{name} must not change theta, got a function that writes into it ({error}): write theta = theta + … in "
            "place of theta += …"
        ) from error


def _steps(step: ArrayLike) -> float | Array:
    """A positive step, or one for each parameter."""
    if np.ndim(step) == 0:
        return positive(step, "step")
    steps = as_array(step, "step", ndim=1).astype(float)
    if (steps <= 0).any():
        where = int(np.argmax(steps <= 0))
        raise ValueError(f"step must lie in (0, inf), got {steps[where]} at index {where}: choose positive steps")
    return steps
