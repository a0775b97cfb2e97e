"""Markov chains in NumPy: Metropolis–Hastings, Gibbs, Hamiltonian Monte Carlo and NUTS, as lesson 02 builds them.

A target is a function `log_density(theta)` that takes an array (parameter,) and returns one number, known up to a
constant; the Hamiltonian samplers also take its `gradient`. Every sampler returns a `Chain`. An *evaluation* is the log
density, its gradient or both at one new point; a sweep of Gibbs, which visits every component once, counts as one. (The
gradient where a trajectory starts could be kept from the draw before, and is not counted.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bnn_course._checks import as_array, generator, positive_integer, real_number

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

    draws: np.ndarray
    acceptance: np.ndarray
    evaluations: np.ndarray
    divergent: np.ndarray


class ChainError(RuntimeError):
    """The log density, its gradient or a proposal failed in mid-chain; the draws made so far are in `.chain`."""

    def __init__(self, message, chain):
        super().__init__(message)
        self.chain = chain


# Samplers -------------------------------------------------------------------------------------------------------------


def metropolis_hastings(log_density, start, *, draws, propose, rng, log_proposal=None):
    r"""Metropolis–Hastings with any proposal (lesson 02).

    Accepts θ′ with probability min(1, p(θ′) q(θ∣θ′) / p(θ) q(θ′∣θ)) (Hastings 1970; MacKay 2003, section 29.4).

    Parameters
    ----------
    log_density : callable
        θ ↦ ln p(θ) + constant, in nats.
    start : array (parameter,)
    draws : int
    propose : callable
        ``propose(theta, rng)`` returns a new array (parameter,).
    rng : numpy.random.Generator
    log_proposal : callable, optional
        ``log_proposal(to, origin)`` is ln q(to∣origin), in nats. Leave it out for symmetric proposals only.

    Returns
    -------
    Chain

    Raises
    ------
    ChainError
        If one of the functions raises in mid-chain.
    """
    start = _start(log_density, start)
    _callable(propose, "propose")
    generator(rng)

    def transition(state):
        theta, log_p = state
        new = propose(theta, rng)
        new_log_p = log_density(new)
        log_ratio = new_log_p - log_p
        if log_proposal is not None:
            log_ratio += log_proposal(theta, new) - log_proposal(new, theta)
        accepted = np.log(rng.uniform()) < log_ratio
        return (new, new_log_p) if accepted else state, _probability(log_ratio), 1, False

    return _run(transition, (start, log_density(start)), draws)


def random_walk_metropolis(log_density, start, *, draws, step, rng):
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
    step = _steps(step)
    return metropolis_hastings(
        log_density, start, draws=draws, propose=lambda theta, rng: theta + step * rng.normal(size=theta.size), rng=rng
    )


def gibbs(conditionals, start, *, draws, rng):
    """Gibbs sampler: each draw is a sweep through all components, in order (lesson 02).

    Parameters
    ----------
    conditionals : sequence of callables (parameter,)
        ``conditionals[i](theta, rng)`` draws θᵢ given all other components of theta.
    start : array (parameter,)
    draws : int
        Sweeps.
    rng : numpy.random.Generator

    Returns
    -------
    Chain
    """
    conditionals = [_callable(draw, f"conditionals[{i}]") for i, draw in enumerate(conditionals)]
    start = as_array(start, "start", ndim=1, shape=(len(conditionals),)).astype(float)
    generator(rng)

    def sweep(state):
        theta = state[0].copy()
        for i, draw in enumerate(conditionals):
            theta[i] = draw(theta, rng)
        return (theta,), 1.0, 1, False

    return _run(sweep, (start,), draws)


def gaussian_conditionals(mean, covariance):
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
    precision = np.linalg.inv(_positive_definite(covariance, len(mean)))

    def conditional(i):
        weights = -precision[i] / precision[i, i]
        weights[i], sd = 0.0, precision[i, i] ** -0.5
        return lambda theta, rng: mean[i] + weights @ (theta - mean) + sd * rng.normal()

    return [conditional(i) for i in range(len(mean))]


def leapfrog(gradient, theta, momentum, *, step, n_steps=1):
    """Follow Hamiltonian dynamics with unit mass by `n_steps` leapfrog steps (lesson 02; Neal 2011).

    Parameters
    ----------
    gradient : callable
        θ ↦ ∇ ln p(θ), array (parameter,).
    theta, momentum : array (parameter,)
    step : float
        Step size h; negative steps go back in time.
    n_steps : int

    Returns
    -------
    theta, momentum : array (parameter,)
    """
    momentum = momentum + step / 2 * gradient(theta)
    for _ in range(n_steps - 1):
        theta = theta + step * momentum
        momentum = momentum + step * gradient(theta)
    theta = theta + step * momentum
    return theta, momentum + step / 2 * gradient(theta)


def hmc(log_density, gradient, start, *, draws, step, n_steps, rng):
    """Hamiltonian Monte Carlo whose trajectories have 1 to `n_steps` leapfrog steps, at random (lesson 02).

    A fixed length could be a period of the motion; a random one cannot (Neal 2011).

    Parameters
    ----------
    log_density, gradient : callable
    start : array (parameter,)
    draws : int
    step : float
        Step size h > 0.
    n_steps : int
    rng : numpy.random.Generator

    Returns
    -------
    Chain
    """
    start = _start(log_density, start)
    _slope(gradient, start)
    step = real_number(step, "step", low=0, high=np.inf, open_ends=True)
    n_steps = positive_integer(n_steps, "n_steps")
    generator(rng)

    def transition(state):
        theta, log_p = state
        momentum = rng.normal(size=theta.size)
        n = rng.integers(1, n_steps + 1)
        new, new_momentum = leapfrog(gradient, theta, momentum, step=step, n_steps=n)
        new_log_p = log_density(new)
        gain = new_log_p - new_momentum @ new_momentum / 2 - log_p + momentum @ momentum / 2
        accepted = np.log(rng.uniform()) < gain
        return (new, new_log_p) if accepted else state, _probability(gain), n, not gain > -DIVERGENT

    return _run(transition, (start, log_density(start)), draws)


def nuts(log_density, gradient, start, *, draws, step, rng, max_depth=10):
    """No-U-Turn Sampler with a given step size (lesson 02; Hoffman & Gelman 2014, algorithm 3).

    Parameters
    ----------
    log_density, gradient : callable
    start : array (parameter,)
    draws : int
    step : float
        Step size h > 0.
    rng : numpy.random.Generator
    max_depth : int
        A tree has at most 2**max_depth points.

    Returns
    -------
    Chain
    """
    start = _start(log_density, start)
    _slope(gradient, start)
    step = real_number(step, "step", low=0, high=np.inf, open_ends=True)
    max_depth = positive_integer(max_depth, "max_depth")
    generator(rng)

    def transition(state):
        (theta,) = state
        momentum = rng.normal(size=theta.size)
        log_joint = log_density(theta) - momentum @ momentum / 2
        log_u = log_joint - rng.exponential()
        left = right = theta, momentum
        visited, count, depth, go = [], 1, 0, True
        while go and depth < max_depth:
            direction = rng.choice([-1, 1])
            end = left if direction < 0 else right
            grown = build_tree(log_density, gradient, end, log_u, direction * step, depth, visited, rng)
            new_left, new_right, candidate, new_count, go = grown
            left, right = (new_left, right) if direction < 0 else (left, new_right)
            if go and rng.uniform() < new_count / count:
                theta = candidate
            count, depth, go = count + new_count, depth + 1, go and not turned_back(left, right)
        gains = np.array([point_log_joint for _, point_log_joint in visited])
        divergent = not (gains > log_u - DIVERGENT).all()
        return (theta,), np.mean([_probability(gain) for gain in gains - log_joint]), len(visited), divergent

    return _run(transition, (start,), draws)


def build_tree(log_density, gradient, end, log_u, step, depth, visited, rng):
    """Walk 2**depth leapfrog steps on from one end of a trajectory, as a binary tree (BuildTree of algorithm 3).

    Parameters
    ----------
    log_density, gradient : callable
    end : tuple of arrays (parameter,)
        Position and momentum.
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
    left, right : tuple of arrays (parameter,)
        The ends of the new part, in order of time.
    candidate : array (parameter,)
        A uniform draw from its points inside the slice.
    count : int
        How many of its points lie inside the slice.
    go : bool
        False if the trajectory turned back or diverged.
    """
    if depth == 0:
        theta, momentum = leapfrog(gradient, *end, step=step)
        log_joint = log_density(theta) - momentum @ momentum / 2
        visited.append((theta, log_joint))
        return (theta, momentum), (theta, momentum), theta, int(log_u <= log_joint), log_joint > log_u - DIVERGENT
    left, right, candidate, count, go = build_tree(log_density, gradient, end, log_u, step, depth - 1, visited, rng)
    if go:
        end = left if step < 0 else right
        grown = build_tree(log_density, gradient, end, log_u, step, depth - 1, visited, rng)
        new_left, new_right, new_candidate, new_count, go = grown
        left, right = (new_left, right) if step < 0 else (left, new_right)
        count += new_count
        if rng.uniform() * count < new_count:
            candidate = new_candidate
        go = go and not turned_back(left, right)
    return left, right, candidate, count, go


def turned_back(left, right):
    """Whether the ends of a trajectory approach each other (Hoffman & Gelman 2014; lesson 02).

    Parameters
    ----------
    left, right : tuple of arrays (parameter,)
        Position and momentum, `left` the earlier.
    """
    span = right[0] - left[0]
    return bool(span @ left[1] < 0 or span @ right[1] < 0)


def tune_step(sample, start, *, step, target, rounds):
    """Find the step size of a sampler that gives a wanted acceptance, by Robbins–Monro (lesson 02).

    After round t, ln h moves by (acceptance − target)/√t; returned is the mean over the second half.

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
    log_step = np.log(real_number(step, "step", low=0, high=np.inf, open_ends=True))
    target = real_number(target, "target", low=0, high=1, open_ends=True)
    theta, path = as_array(start, "start", ndim=1).astype(float), []
    for t in range(1, positive_integer(rounds, "rounds") + 1):
        chain = sample(theta, float(np.exp(log_step)))
        theta = chain.draws[-1]
        log_step += (chain.acceptance.mean() - target) / np.sqrt(t)
        path.append(log_step)
    return float(np.exp(np.mean(path[len(path) // 2 :]))), theta


# Shared ---------------------------------------------------------------------------------------------------------------


def _run(transition, state, draws):
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
                f"draw {i + 1} of {draws} failed ({type(error).__name__}: {error}): the {i} draws before it are in "
                "the attribute chain of this error; continue from chain.draws[-1] when the function is repaired",
                made,
            ) from error
        chain.acceptance[i], chain.evaluations[i], chain.divergent[i] = record
    return chain


def _probability(log_ratio):
    """min(1, exp(log_ratio)), and 0 where it is not a number."""
    return np.exp(min(log_ratio, 0.0)) if log_ratio == log_ratio else 0.0


def _callable(value, name):
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {value!r}: pass a callable")
    return value


def _start(log_density, start):
    """The start as floats, if the log density is one finite number there."""
    start = as_array(start, "start", ndim=1).astype(float)
    value = np.asarray(_callable(log_density, "log_density")(start))
    if value.ndim or value.dtype.kind not in "iuf":
        raise TypeError(
            f"log_density must return one number, got shape {value.shape} and dtype {value.dtype} at the start: sum "
            "over data and components"
        )
    if not np.isfinite(value):
        raise ValueError(f"log_density must be finite at the start, got {value}: start where the density is positive")
    return start


def _slope(gradient, start):
    """The gradient at the start, if it fits."""
    return as_array(_callable(gradient, "gradient")(start), "gradient at the start", ndim=1, shape=start.shape)


def _steps(step):
    """A positive step, or one for each parameter."""
    if np.ndim(step) == 0:
        return real_number(step, "step", low=0, high=np.inf, open_ends=True)
    steps = as_array(step, "step", ndim=1).astype(float)
    if (steps <= 0).any():
        where = int(np.argmax(steps <= 0))
        raise ValueError(f"step must lie in (0, inf), got {steps[where]} at index {where}: choose positive steps")
    return steps


def _positive_definite(covariance, size):
    covariance = as_array(covariance, "covariance", ndim=2, shape=(size, size)).astype(float)
    if np.abs(covariance - covariance.T).max() > 1e-8 * np.abs(covariance).max():
        raise ValueError("covariance must be symmetric, got entries that differ from their mirror image: correct them")
    smallest = np.linalg.eigvalsh(covariance)[0]
    if smallest <= 0:
        raise ValueError(
            f"covariance must be positive definite, got smallest eigenvalue {smallest:.3g}: check variances > 0 and "
            "|correlations| < 1"
        )
    return covariance
