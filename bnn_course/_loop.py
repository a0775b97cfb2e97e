"""The loop: a task and an optimiser turn one state into the next, many steps in one compiled call.

Source of the estimate of the ELBO: Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), "Automatic Differentiation
Variational Inference", JMLR 18(14), section 2; of the default optimiser: Kingma & Ba (2015), "Adam", algorithm 1, and
Loshchilov & Hutter (2017), "SGDR", eq. 5.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.polynomial import Chebyshev, Polynomial
from scipy import special

from bnn_course import _graph

CHUNK = 512  # steps of one call of the compiled loop, at most
Arrays = tuple[Any, ...]
Objective = Callable[[Arrays, Arrays, Arrays, Arrays, Any], Any]


class Task(NamedTuple):
    """What is minimised, and the data that it sees.

    Attributes
    ----------
    objective : callable
        ``objective(mean, log_sd, batch, constants, stream) -> nats``; `stream` is 32 random bits, new at every step.
    names : tuple of str
        What the parts of a state are called.
    data : tuple of arrays
        `batch` holds rows of them; empty without minibatches.
    batch_size : int or None
    constants : tuple of arrays
    mesh : jax.sharding.Mesh or None
        Devices that share each batch: every one has all parameters and data, and computes with its part of the rows.
    """

    objective: Objective
    names: tuple[str, ...]
    data: Arrays
    batch_size: int | None
    constants: Arrays
    mesh: Mesh | None = None

    @property
    def places(self) -> tuple[NamedSharding | None, NamedSharding | None]:
        """Where parameters and data are, and where the row numbers (step, row) of the batches; None is one device.

        XLA sees that devices have different rows, and adds what they find up where the model adds over the rows.
        """
        if self.mesh is None:
            return None, None
        mesh = Mesh(self.mesh.devices, self.mesh.axis_names)  # of JAX's "auto" type: models say nothing of devices
        return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(None, *mesh.axis_names))


class State(NamedTuple):
    """Where a fit is: all that the next step depends on.

    Attributes
    ----------
    mean, log_sd : tuple of arrays
        Of independent Normals on the unconstrained scale; `log_sd` is empty for a point.
    optimiser : pytree
        What optax keeps.
    step : int
        Steps taken.
    """

    mean: Arrays
    log_sd: Arrays
    optimiser: Any
    step: int


class Plan(NamedTuple):
    """How to optimise: steps in all, seed, and the optimiser; `learning_rate` is for the default one."""

    steps: int
    random_seed: int
    learning_rate: float | None
    optimizer: optax.GradientTransformation | None

    @property
    def transformation(self) -> optax.GradientTransformationExtraArgs:
        """The optimiser; extra arguments say how far the fit is."""
        return ADAM if self.optimizer is None else optax.with_extra_args_support(self.optimizer)


def folded(seed: int, bits: int) -> int:
    """A number of that many bits which depends on all bits of the seed, and is the seed where that fits."""
    words = np.random.SeedSequence(seed).generate_state(bits // 32)
    return seed if seed < 2**bits else int.from_bytes(words.tobytes(), "little")


# --- objectives -----------------------------------------------------------------------------------------------------


def negative_elbo(log_density: Callable[..., Any], like: Sequence[np.ndarray]) -> Objective:
    """One-draw estimate of the negative ELBO of independent Normals, for parts with the shapes of `like`.

    Where there is no `log_sd`, for a point: minus its log density.
    """
    offsets = np.cumsum([0, *(a.size for a in like)])

    def objective(mean: Arrays, log_sd: Arrays, batch: Arrays, constants: Arrays, stream: Any) -> Any:
        if not log_sd:
            return -log_density(*mean, *batch, *constants)[0]
        noise = [normals(o, a.shape, stream, a.dtype) for o, a in zip(offsets[:-1], like, strict=True)]
        values = [drawn(m, s, e) for m, s, e in zip(mean, log_sd, noise, strict=True)]
        entropy = sum(jnp.sum(s) for s in log_sd) + 0.5 * offsets[-1] * np.log(2 * np.pi * np.e)
        return -log_density(*values, *batch, *constants)[0] - entropy

    return objective


def _draw(mean: Any, log_sd: Any, noise: Any) -> Any:
    return mean + jnp.exp(log_sd) * noise


def _draw_and_keep(mean: Any, log_sd: Any, noise: Any) -> tuple[Any, tuple[Any, Any]]:
    value = _draw(mean, log_sd, noise)
    return value, (mean, value)


def _gradient_of_draw(kept: tuple[Any, Any], gradient: Any) -> tuple[Any, Any, None]:
    mean, value = kept
    return gradient, gradient * (value - mean), None  # None: nobody asks how a loss changes with the noise


# A draw w = m + exp(s) ε. Its derivative by s, exp(s) ε, is w − m: the noise is made once and need not be kept.
drawn = jax.custom_vjp(_draw)
drawn.defvjp(_draw_and_keep, _gradient_of_draw)


# --- optimisers -----------------------------------------------------------------------------------------------------


BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's constants, as published


def _adam_with_cosine(gradient: Any, moments: Any, parameters: Any = None, *, rate: Any, done: Any, **_: Any) -> Any:
    """Adam, its step size falling from `rate` to zero along half a cosine; `done` is the part of the fit behind us.

    `optax.adam` with its bias corrections in the step size, as at the end of section 2 of the paper: a step is faster.
    """
    count = moments.count + 1
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments.mu, gradient)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments.nu, gradient)
    bias = jnp.sqrt(1 - BETA2 ** count.astype(jnp.float64)) / (1 - BETA1 ** count.astype(jnp.float64))
    size = 0.5 * rate * (1 + jnp.cos(np.pi * done)) * bias
    changes = jax.tree.map(lambda m, v: -size.astype(m.dtype) * m / (jnp.sqrt(v) + EPSILON), first, second)
    return changes, optax.ScaleByAdamState(count, first, second)


ADAM = optax.GradientTransformationExtraArgs(optax.scale_by_adam().init, _adam_with_cosine)


# --- steps ----------------------------------------------------------------------------------------------------------


def begin(plan: Plan, mean: Sequence[np.ndarray], log_sd: Sequence[np.ndarray]) -> State:
    """The state before the first step."""
    with jax.enable_x64(True):
        return State(tuple(mean), tuple(log_sd), plan.transformation.init((tuple(mean), tuple(log_sd))), 0)


def refitted(state: State, plan: Plan) -> State:
    """`state`, with its optimiser's arrays, as read from a file, put in the places that the optimiser has for them."""
    like = jax.eval_shape(plan.transformation.init, (state.mean, state.log_sd))
    arrays = jax.tree.leaves(state.optimiser)
    was, now = ([np.shape(a) for a in part] for part in (arrays, jax.tree.leaves(like)))
    if was != now:
        raise ValueError(f"optimizer must be the one of the fit, with arrays of shape {was}, got {now}: pass that one")
    return state._replace(optimiser=jax.tree.unflatten(jax.tree.structure(like), arrays))


def compiled(objective: Objective, optimizer: optax.GradientTransformationExtraArgs) -> Callable[..., Any]:
    """``run(state, data, constants, batches, settings, n)``: n steps in one call; returns the state and the losses.

    Compiled once: all that differs between two fits of a model with the same optimiser is an argument.
    """
    loss_and_gradient = jax.value_and_grad(objective, argnums=(0, 1))

    @_graph.jit
    def run(state: State, data: Arrays, constants: Arrays, batches: Any, settings: Any, n: Any) -> tuple[State, Any]:
        rate, steps, key = settings

        def one_step(i: Any, carry: Any) -> Any:
            parameters, optimiser, losses = carry
            step = state.step + i
            batch = tuple(array[batches[i]] for array in data)
            loss, gradient = loss_and_gradient(*parameters, batch, constants, stream_of(step, key))
            done = step.astype(jnp.float64) / steps
            changes, new = optimizer.update(gradient, optimiser, parameters, rate=rate, done=done, value=loss)
            new = jax.tree.map(lambda a, like: jnp.asarray(a, like.dtype), new, optimiser)
            return optax.apply_updates(parameters, changes), new, losses.at[i].set(loss)

        start = ((state.mean, state.log_sd), state.optimiser, jnp.zeros(CHUNK, jnp.float64))
        (mean, log_sd), optimiser, losses = jax.lax.fori_loop(0, n, one_step, start)
        return State(mean, log_sd, optimiser, state.step + n), losses

    return run


def states(task: Task, state: State, plan: Plan, run: Callable[..., Any] | None = None) -> Iterator[tuple[State, Any]]:
    """Take the steps that are left, and yield the state and the losses of the last steps from time to time.

    Raises
    ------
    FloatingPointError
        If a loss is not finite, after the last good state has been yielded.
    """
    run = run or compiled(task.objective, plan.transformation)
    everywhere, split = task.places
    with jax.enable_x64(True):
        begun, data, constants = _graph.to_device((state[:3], task.data, task.constants), everywhere)
    mean, log_sd, optimiser = begun
    state = State(mean, log_sd, optimiser, state.step)
    settings = (np.float64(plan.learning_rate or 0.0), np.float64(plan.steps), np.uint32(folded(plan.random_seed, 32)))

    def advance(state: State, n: int) -> tuple[State, np.ndarray]:
        rows = batch_rows(task, plan.random_seed, state.step, n)
        with jax.enable_x64(True):
            batches = _graph.to_device(rows, split)
            new, losses = run(state, data, constants, batches, settings, n)
            return new._replace(step=state.step + n), np.asarray(losses)[:n]

    chunk = 16
    while state.step < plan.steps:
        began = time.perf_counter()
        stop = plan.steps // 2 if state.step < plan.steps // 2 else plan.steps  # half way is always yielded
        new, losses = advance(state, min(chunk, stop - state.step))
        if not np.isfinite(losses).all():
            bad = int(np.argmin(np.isfinite(losses)))
            if bad > 1:
                yield advance(state, bad - 1)
            broken = [name for n in (max(bad, 1), bad + 1) for name in _not_finite(advance(state, n)[0], task.names)]
            raise FloatingPointError(
                f"loss must be finite, got {losses[bad]} at step {state.step + bad} (first bad variable: "
                f"{broken[0] if broken else 'none, the log density itself is not finite'}): lower learning_rate, "
                "scale the data, or start elsewhere; the last good state is error.approximation"
            )
        state = new
        yield state, losses
        if time.perf_counter() - began < 0.3 or jax.process_count() > 1:  # processes wait for each other at each step
            chunk = min(2 * chunk, CHUNK)


def _not_finite(state: State, names: Sequence[str]) -> list[str]:
    parts = zip(2 * tuple(names), (*state.mean, *state.log_sd), strict=False)
    return [name for name, array in parts if not np.isfinite(np.asarray(array)).all()]


def batch_rows(task: Task, seed: int, first: int, n: int) -> np.ndarray:
    """Row numbers of the batches of steps first … first + n − 1: each pass visits every row once, in a new order."""
    if task.batch_size is None:
        return np.zeros((CHUNK, 0), np.int32)
    rows = len(task.data[0])
    per_pass = rows // task.batch_size
    passes = range(first // per_pass, (first + n - 1) // per_pass + 1)
    orders = [np.random.default_rng([seed, k]).permutation(rows)[: per_pass * task.batch_size] for k in passes]
    batches = np.concatenate(orders).astype(np.int32).reshape(-1, task.batch_size)
    return np.resize(batches[first - per_pass * passes[0] :], (CHUNK, task.batch_size))


# --- noise ----------------------------------------------------------------------------------------------------------


def stream_of(step: Any, key: Any) -> Any:
    """32 random bits for a step: a hash of its number and the seed, so that a resumed fit draws what it would have."""
    return _hash(_hash(jnp.uint32(step) + jnp.uint32(0x9E3779B9)) ^ key)


def _hash(x: Any) -> Any:
    """Mix 32 bits so that neighbouring counters give unrelated values (C. Wellons, "lowbias32", 2018)."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def normals(offset: Any, shape: tuple[int, ...], stream: Any, dtype: Any) -> Any:
    """Standard Normal noise from counters offset, offset + 1, …: inverse distribution function of 24 hashed bits.

    The hash needs a few operations and no state, and any (step, component) can be computed on its own. Values lie in
    ±5.4.
    """
    counters = jnp.arange(int(np.prod(shape)), dtype=jnp.uint32) + jnp.uint32(offset)
    bits = _hash(_hash(counters + stream) ^ _hash(stream ^ jnp.uint32(0x85EBCA6B))) >> 8
    u = bits.astype(jnp.float32) * 2.0**-23 + (2.0**-24 - 1)
    return normal_quantile(u).astype(dtype).reshape(shape)


def normal_quantile(u: Any) -> Any:
    """√2 erf⁻¹(u), the Normal quantile of (1 + u)/2, to 10⁻⁵ for float32 and |u| ≤ 1 − 2⁻²⁴.

    Faster than `jax.lax.erf_inv` (benchmarks/profile_step.py): divided by u, the quantile is nearly a straight line in
    √(3 − log(1 − u²)), for which one polynomial does. (M. Giles, "Approximating the erfinv function", GPU Computing
    Gems 2, 2011, has two, in log(1 − u²) and in its root.)
    """
    return u * _value(QUANTILE_OVER_U, jnp.sqrt(3 - _log((1 - u) * (1 + u))))


def _log(x: Any) -> Any:
    """Log of positive float32: its bits are an exponent and a number from one to two, for which a polynomial does."""
    bits = jax.lax.bitcast_convert_type(x, jnp.int32)
    number = jax.lax.bitcast_convert_type((bits & 0x7FFFFF) | 0x3F800000, jnp.float32)
    exponent = (bits >> 23) - 127
    return exponent.astype(jnp.float32) * math.log(2) + _value(LOG, number)


def _value(polynomial: Polynomial, x: Any) -> Any:
    offset, scale = map(float, polynomial.mapparms())
    x, value = offset + scale * x, 0.0
    for coefficient in polynomial.coef[::-1].tolist():
        value = value * x + coefficient
    return value


def _interpolated(function: Callable[[np.ndarray], np.ndarray], degree: int, domain: Sequence[float]) -> Polynomial:
    return Chebyshev.interpolate(function, degree, domain).convert(domain, Polynomial)


def _quantile_over_u(root: np.ndarray) -> np.ndarray:
    u = np.sqrt(-np.expm1(3 - root**2))
    return np.asarray(np.sqrt(2) * special.erfinv(u) / u)


LOG = _interpolated(np.log, 8, (1, 2))
LARGEST = 1 - 2.0**-24
QUANTILE_OVER_U = _interpolated(_quantile_over_u, 10, (math.sqrt(3), math.sqrt(3 - math.log1p(-(LARGEST**2)))))
