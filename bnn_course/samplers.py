"""Markov chains in NumPy: Metropolis–Hastings, Gibbs, HMC and NUTS, as lesson 02 and appendix D build them.

A target is a function `log_density(theta)` that takes an array (parameter,) and returns one number, known up to a
constant; the Hamiltonian samplers also take its `gradient`. Every sampler returns a `Chain`. An *evaluation* is the log
density, its gradient or both at one new point; a sweep of Gibbs, which visits every component once, counts as one. (The
gradient where a trajectory starts could be kept from the draw before, and is not counted.)

The functions that a caller passes get arrays that they can read but not change: ``theta += …`` in one of them would
move the chain itself. Where one of them fails in mid-chain, a `ChainError` brings the draws made so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bnn_course._checks import (
    Array,
    Unfinished,
    as_array,
    density_at_start,
    generator,
    guarded,
    positive,
    positive_integer,
)

Density = Callable[[Array], float]
Gradient = Callable[[Array], Array]

DIVERGENT = 1000.0  # nats of energy error; Δmax of Hoffman & Gelman (2014)
MAX_DEPTH = 10  # doublings of a tree


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


class ChainError(Unfinished):
    """The log density, its gradient or a conditional failed in mid-chain; `.made` is the `Chain` up to there."""


# Samplers -------------------------------------------------------------------------------------------------------------


def random_walk_metropolis(
    log_density: Density, start: ArrayLike, *, draws: int, step: float, rng: np.random.Generator
) -> Chain:
    """Metropolis with a Normal random walk (lesson 02).

    Accepts θ′ with probability min(1, p(θ′) / p(θ)) (Metropolis et al. 1953; MacKay 2003, section 29.4).

    Parameters
    ----------
    log_density : callable
        θ ↦ ln p(θ) + constant, in nats.
    start : array (parameter,)
    draws : int
    step : float
        Standard deviation of the walk, > 0. In d dimensions 2.38/√d times the target's scale is optimal
        (Roberts, Gelman & Gilks 1997).
    rng : numpy.random.Generator

    Returns
    -------
    Chain

    Raises
    ------
    ChainError
        If the log density raises in mid-chain.
    """
    log_density, start = _density_and_start(log_density, start)
    step = positive(step, "step")
    generator(rng)

    def transition(state: Any) -> tuple[Any, ...]:
        theta, log_p = state
        new = theta + step * rng.normal(size=theta.size)
        new_log_p = log_density(new)
        gain = new_log_p - log_p
        accepted = np.log(rng.uniform()) < gain
        return (new, new_log_p) if accepted else state, _probability(gain), 1, False

    return _run(transition, (start, log_density(start)), draws)


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
    conditionals = [guarded(draw, f"conditionals[{i}]") for i, draw in enumerate(conditionals)]
    start = as_array(start, "start", ndim=1, shape=(len(conditionals),)).astype(float)
    generator(rng)

    def sweep(state: Any) -> tuple[Any, ...]:
        theta = state[0].copy()
        for i, draw in enumerate(conditionals):
            theta[i] = draw(theta, rng)
        return (theta,), 1.0, 1, False

    return _run(sweep, (start,), draws)


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
    """
    gradient = guarded(gradient, "gradient")
    momentum = momentum + step / 2 * gradient(theta)
    for _ in range(n_steps - 1):
        theta = theta + step * momentum
        momentum = momentum + step * gradient(theta)
    theta = theta + step * momentum
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
    log_density, start = _density_and_start(log_density, start)
    _gradient_at_start(gradient, start)
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

    Returns
    -------
    Chain
    """
    log_density, start = _density_and_start(log_density, start)
    _gradient_at_start(gradient, start)
    step = positive(step, "step")
    generator(rng)

    def log_joint(state: State) -> float:
        return float(log_density(state.theta) - state.momentum @ state.momentum / 2)

    def transition(state: Any) -> tuple[Any, ...]:
        (theta,) = state
        first = last = State(theta, rng.normal(size=theta.size))
        beginning = log_joint(first)
        log_u = beginning - rng.exponential()
        heights: list[float] = []  # log joint density of each new point

        def leaf(end: State, direction: int) -> Tree:
            state = leapfrog(gradient, *end, step=direction * step)
            heights.append(height := log_joint(state))
            return Tree(state, state, state.theta, int(log_u <= height), height > log_u - DIVERGENT)

        count, depth, go = 1, 0, True
        while go and depth < MAX_DEPTH:
            direction = int(rng.choice([-1, 1]))
            new = build_tree(leaf, first if direction < 0 else last, direction, depth, rng)
            first, last = (new.first, last) if direction < 0 else (first, new.last)
            if new.go and rng.uniform() < new.count / count:
                theta = new.candidate
            count, depth, go = count + new.count, depth + 1, new.go and not turned_back(first, last)
        divergent = not (np.array(heights) > log_u - DIVERGENT).all()
        acceptance = np.mean([_probability(height - beginning) for height in heights])
        return (theta,), acceptance, len(heights), divergent

    return _run(transition, (start,), draws)


def build_tree(
    leaf: Callable[[State, int], Tree], end: State, direction: int, depth: int, rng: np.random.Generator
) -> Tree:
    """Walk 2**depth steps on from one end of a trajectory, as a binary tree (BuildTree of algorithm 3; appendix D).

    Parameters
    ----------
    leaf : callable
        ``leaf(end, direction)`` is the tree of one point: a step on from an end.
    end : State
    direction : {-1, 1}
        −1 walks back in time.
    depth : int
    rng : numpy.random.Generator

    Returns
    -------
    Tree
    """
    if depth == 0:
        return leaf(end, direction)
    old = build_tree(leaf, end, direction, depth - 1, rng)
    if not old.go:
        return old
    new = build_tree(leaf, old.first if direction < 0 else old.last, direction, depth - 1, rng)
    first, last = (new.first, old.last) if direction < 0 else (old.first, new.last)
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
            raise ChainError(f"draw {i + 1} of {draws}", error, made) from error
        chain.acceptance[i], chain.evaluations[i], chain.divergent[i] = record
    return chain


def _probability(log_ratio: float) -> float:
    """min(1, exp(log_ratio)), and 0 where it is not a number."""
    return float(np.exp(min(log_ratio, 0.0))) if log_ratio == log_ratio else 0.0


def _density_and_start(log_density: Density, start: ArrayLike) -> tuple[Density, Array]:
    """The log density, guarded, and the start as floats, if the one is a finite number at the other."""
    start = as_array(start, "start", ndim=1).astype(float)
    density_at_start(log_density, start, shape=())
    return guarded(log_density, "log_density"), start


def _gradient_at_start(gradient: Gradient, start: Array) -> None:
    slope = guarded(gradient, "gradient")(start)
    as_array(slope, "gradient at the start", ndim=1, shape=start.shape)
