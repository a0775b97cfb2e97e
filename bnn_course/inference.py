"""From a `pm.Model` to its posterior: mean-field ADVI and MAP with Adam, compiled once, stoppable, resumable; and NUTS.

Lesson 09 uses it on MNIST. The objective is PyMC's own: the log density is `model.logp()`, minibatches come
from `pm.Minibatch`, their weight from `total_size`. What differs from `pm.fit` is speed (one compiled
loop, float32 if the model is float32, counter-based noise) and that a fit can be watched, stopped, saved and continued.

Source: Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), "Automatic Differentiation Variational Inference", JMLR
18(14), section 2; optimiser: Kingma & Ba (2015), "Adam", algorithm 1.
"""

from __future__ import annotations

import gc
import io
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import nutpie
from IPython.display import display
from pymc.stats.convergence import log_warnings, run_convergence_checks

from bnn_course import _checks, _graph

CHUNK = 512  # optimisation steps per call of the compiled loop, at most
PROGRESS_TAG = {"bnn_course": "progress"}  # marks the progress line, so that stored notebooks do not keep it
NUTS_STATISTICS = {  # nutpie's names: PyMC's
    "diverging": "diverging",
    "mean_tree_accept": "acceptance_rate",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "step_size": "step_size",
    "energy": "energy",
    "logp": "lp",
}
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's constants, as published


@dataclass(frozen=True)
class Approximation:
    """What a fit found: a Normal distribution with independent components (or a point) over unconstrained values.

    Attributes
    ----------
    mean, sd : dict of str to numpy.ndarray
        By value-variable name (``w``, ``tau_log__``), on the unconstrained scale; all `sd` are 0 for a MAP estimate.
    loss : numpy.ndarray, shape (step,)
        Minimised quantity in nats for the full data: one-draw estimates of the negative ELBO, or −log density for MAP.
    step, steps : int
        Optimisation steps taken, and asked for; a fit that was interrupted has ``step < steps``.
    """

    mean: dict
    sd: dict
    loss: np.ndarray
    step: int
    steps: int
    _settings: dict
    _moments: tuple
    _model: object

    def sample(self, draws, *, random_seed):
        """Independent draws of the free variables, on their own scale, for ArviZ and `predict`.

        Parameters
        ----------
        draws : int
        random_seed : int

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            Group ``posterior`` with one chain, dims (chain, draw, …).
        """
        draws = _checks.positive_integer(draws, "draws")
        rng = np.random.default_rng(_seed(random_seed))
        values = [
            (m + s * rng.standard_normal((draws, *np.shape(m)), dtype=m.dtype)).astype(m.dtype)
            for m, s in zip(self.mean.values(), self.sd.values(), strict=True)
        ]
        with jax.enable_x64(True):
            constrain = _graph.once(self._model, "constrain", lambda: _graph.constrained_draws(self._model))
            constrained = constrain(*values)
        return _idata(self._model, posterior={name: np.asarray(value)[None] for name, value in constrained.items()})

    def save(self, path):
        """Write all that is needed to continue or predict to `path` (``.npz``): whole or not at all, without pickle."""
        arrays = {f"mean/{n}": a for n, a in self.mean.items()} | {f"sd/{n}": a for n, a in self.sd.items()}
        arrays |= {f"moment/{i}": a for i, a in enumerate(self._moments)}
        header = {"step": self.step, "steps": self.steps, "settings": self._settings}
        header["model"] = _fingerprint(self._model)
        _write_npz(Path(path), arrays | {"loss": self.loss, "header": np.array(json.dumps(header))})


def advi(
    model,
    *,
    steps,
    learning_rate,
    random_seed,
    schedule="cosine",
    start=None,
    start_sd=0.02,
    callback=None,
    callback_every=1000,
    resume=None,
):
    """Fit a mean-field Normal to the posterior of `model` by maximising the ELBO (KL weight 1).

    Parameters
    ----------
    model : pm.Model
        Any model with continuous free variables; data through `pm.Minibatch` need ``total_size``.
    steps : int
        Optimisation steps in all (a resumed fit continues to this number).
    learning_rate : float
        Adam's step size, > 0; with ``schedule="cosine"`` the largest one.
    random_seed : int
        Seeds the batch order and the noise: the same seed gives the same fit.
    schedule : {"cosine", "constant"}
        "cosine" lets the step size fall to zero over `steps` (Loshchilov & Hutter 2017, eq. 5).
    start : dict of str to array_like, optional
        Start of the means, constrained values by variable name; default: PyMC's initial point.
    start_sd : float
        Start of all standard deviations on the unconstrained scale, > 0.
    callback : callable, optional
        ``callback(approximation)`` after every `callback_every` steps; a true return value stops the fit:
        `loss_stands_still` is such a rule.
    callback_every : int
    resume : Approximation, optional
        Continue this fit, made from the same model with the same settings; only the learning rate may be another.

    Returns
    -------
    Approximation

    Raises
    ------
    FloatingPointError
        If the loss is not finite; names step and variable, and carries the last good state as ``error.approximation``.
    """
    where = {"start": start, "start_sd": start_sd, "resume": resume}
    return _fit(model, "advi", steps, learning_rate, random_seed, schedule, callback, callback_every, **where)


def find_map(
    model,
    *,
    steps,
    learning_rate,
    random_seed,
    schedule="cosine",
    start=None,
    callback=None,
    callback_every=1000,
    resume=None,
):
    """Maximise the log posterior density of `model` over its variables on their own scale (no Jacobian).

    Parameters
    ----------
    model, steps, learning_rate, random_seed, schedule, start, callback, callback_every, resume
        As in `advi`.

    Returns
    -------
    Approximation
        All standard deviations are 0.
    """
    where = {"start": start, "start_sd": 0.0, "resume": resume}
    return _fit(model, "map", steps, learning_rate, random_seed, schedule, callback, callback_every, **where)


def nuts(
    model,
    *,
    draws,
    tune,
    chains,
    random_seed,
    target_accept=0.8,
    max_treedepth=10,
    compute_convergence_checks=True,
):
    """Draw from the posterior of `model` with the No-U-Turn sampler of nutpie, a chain on each core (lesson 02).

    The sampler of ``pm.sample(nuts_sampler="pymc")`` on the same log density, with as many effective draws among as
    many; a draw takes less time (``python benchmarks/nuts.py``). The model is compiled once, and again when its data
    have changed or another model was sampled meanwhile: to keep all would take tens of megabytes a model.

    Parameters
    ----------
    model : pm.Model
        Any model with continuous free variables that sees all its data: no `pm.Minibatch`.
    draws, tune, chains : int
        Draws kept of each chain, steps of tuning before them, and chains; at least 1.
    random_seed : int
        Seeds the starts (uniform within 1 of PyMC's initial point, unconstrained) and the chains.
    target_accept : float
        Acceptance rate that the step size is tuned to, in (0, 1).
    max_treedepth : int
        A trajectory doubles at most so many times.
    compute_convergence_checks : bool
        Log PyMC's warnings about divergences, R-hat and ESS of the free variables.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
        Groups ``posterior``, with the free variables and the deterministics, and ``sample_stats``, with ``diverging``,
        ``acceptance_rate``, ``n_steps``, ``tree_depth``, ``step_size``, ``energy`` and ``lp``; dims (chain, draw, …).

    Raises
    ------
    ValueError
        If the model cannot be sampled by gradients, or an argument is out of its range.
    RuntimeError
        If the log density is not finite near the initial point.
    """
    sizes = {"draws": draws, "tune": tune, "chains": chains}
    sizes = {name: _checks.positive_integer(value, name) for name, value in sizes.items()}
    accept = _checks.real_number(target_accept, "target_accept", low=0.0, high=1.0, open_ends=True)
    depth = _checks.positive_integer(max_treedepth, "max_treedepth")
    seed = _seed(random_seed)
    _graph.refuse_unfit(model)
    if _graph.has_minibatches(model):
        raise ValueError("model must see all its data, got pm.Minibatch: build it with the arrays themselves for NUTS")
    data = tuple((value.shape, value.tobytes()) for value in _graph.shared_values(model))
    compiled = _graph.once(model, ("nuts", data), lambda: _compiled_nuts(model))
    found = nutpie.sample(
        compiled, **sizes, seed=seed, target_accept=accept, maxdepth=depth, save_warmup=False, progress_bar=False
    )
    names = [variable.name for variable in (*model.free_RVs, *model.deterministics)]
    posterior = {name: found["posterior"][name].values for name in names}
    statistics = {name: found["sample_stats"][source].values for source, name in NUTS_STATISTICS.items()}
    idata = _idata(model, posterior=posterior, sample_stats=statistics)
    if compute_convergence_checks:
        log_warnings(run_convergence_checks(idata, model))
    return idata


def _compiled_nuts(model):
    _graph.forget("nuts")
    gc.collect()  # PyTensor's graphs refer to themselves
    return nutpie.compile_pymc_model(model)


def loss_stands_still(approximation, *, window=1000):
    """Say whether more steps no longer lower the loss by more than its noise: a rule to stop a fit by.

    The mean loss of the last `window` steps is compared with that of the `window` steps before. The fit goes on while
    the fall between them is larger than twice its standard error; at the optimum it stops at about 98 checks in 100.
    Pass it as ``callback``, with a constant schedule: a step size that falls to zero makes every loss stand still. A
    smaller step size may lower the loss further.

    The rule knows only what can be seen in the noise. It stops a fit too early if the loss falls by less than
    ``2 * sqrt(2 / window)`` times its standard deviation in `window` steps, if the fit sits on a plateau (a network
    that starts at zero, lesson 05), or if single huge losses set the standard error (a large `start_sd`). It stops a
    fit whose loss rises, too: look at `loss`. A longer window sees more, ``partial(loss_stands_still, window=5000)``
    with ``callback_every=5000``; checks more frequent than the window are more chances to stop early.

    Parameters
    ----------
    approximation : Approximation
    window : int
        Steps, at least 2; a callback is called with 1000.

    Returns
    -------
    bool
        False while fewer than ``2 * window`` steps have been taken.
    """
    if not isinstance(approximation, Approximation):
        kind = type(approximation).__name__
        raise TypeError(f"approximation must be an Approximation, got {kind}: pass what advi or find_map returned")
    window = _checks.positive_integer(window, "window")
    if window < 2:
        raise ValueError(f"window must be ≥ 2 steps, got {window}: one loss has no spread")
    before, last = approximation.loss[-2 * window : -window], approximation.loss[-window:]
    if len(before) < window:
        return False
    standard_error = np.sqrt((before.var(ddof=1) + last.var(ddof=1)) / window)
    return bool(before.mean() - last.mean() <= 2 * standard_error)


def load(path, model):
    """Read an `Approximation` that `Approximation.save` wrote, for the model it was fitted to.

    Parameters
    ----------
    path : str or pathlib.Path
    model : pm.Model

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or damaged, or belongs to another model (the difference is named).
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"checkpoint must be an existing file, got {path}: check the path, or fit and save again"
        )
    try:
        arrays = dict(np.load(io.BytesIO(path.read_bytes()), allow_pickle=False))
        header = json.loads(str(arrays["header"]))
    except Exception as error:
        message = f"checkpoint must be a file written by save(), got an unreadable {path}: fit and save again"
        raise ValueError(message) from error
    _refuse_other_model(header["model"], _fingerprint(model))

    def part(prefix):
        return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}

    moments = tuple(part("moment/").values())
    return Approximation(
        part("mean/"), part("sd/"), arrays["loss"], header["step"], header["steps"], header["settings"], moments, model
    )


def log_density(model, *, jacobian=True):
    """The model's log density as a function of unconstrained values (and of a batch), for checks in lessons.

    Parameters
    ----------
    model : pm.Model
    jacobian : bool
        Include the log-Jacobians of the transforms, as ADVI and NUTS do.

    Returns
    -------
    callable
        ``f(point, *batch) -> float`` in nats; `point` maps value-variable names to arrays, `batch` holds one array for
        each argument of `pm.Minibatch`, and the likelihood is scaled to ``total_size``.
    """
    density = _graph.log_density(model, jacobian=jacobian)

    def evaluate(point, *batch):
        if set(point) != set(density.names):
            raise ValueError(f"point must have the keys {list(density.names)}, got {list(point)}: name each of them")
        if len(batch) != len(density.data):
            raise ValueError(f"batch must hold {len(density.data)} array(s), got {len(batch)}: one per minibatch")
        values = tuple(np.asarray(point[name], dtype=density.dtype) for name in density.names)
        batch = tuple(np.asarray(b, dtype=full.dtype) for b, full in zip(batch, density.data, strict=True))
        with jax.enable_x64(True):
            return float(jax.jit(density.function)(values, batch, density.constants()))

    return evaluate


def predict(model, posterior, names, *, given):
    """Evaluate deterministic variables of `model` for every posterior draw, with new data in place of the old.

    Parameters
    ----------
    model : pm.Model
    posterior : InferenceData or DataTree with a group ``posterior``
        For example from `Approximation.sample` or `pm.sample`.
    names : str or sequence of str
        Names of `pm.Deterministic` variables.
    given : dict
        ``{minibatch_variable: array}`` or ``{"name of pm.Data": array}``.

    Returns
    -------
    numpy.ndarray or dict of str to numpy.ndarray
        One array (draw, …) for a single name, else one per name; chains are laid end to end.
    """
    single = isinstance(names, str)
    names = [names] if single else list(names)
    known = [variable.name for variable in model.deterministics]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"names must be pm.Deterministic variables of the model ({', '.join(known)}), got {unknown}: name one of "
            "them, or use pm.sample_posterior_predictive for random ones"
        )
    forward, draw_names, values = _graph.forward_function(model, names, given)
    group = az.convert_to_dataset(posterior, group="posterior")
    missing = [name for name in draw_names if name not in group]
    if missing:
        raise ValueError(f"posterior must hold draws of {', '.join(draw_names)}, missing {missing}: sample them first")
    draws = tuple(group[name].transpose("chain", "draw", ...).values for name in draw_names)
    draws = tuple(d.reshape(-1, *d.shape[2:]) for d in draws)
    with jax.enable_x64(True):
        outputs = _stacked(forward, draws, _graph.to_device(values))
    return outputs[0] if single else dict(zip(names, outputs, strict=True))


def _stacked(function, draws, values):
    """Outputs of a function for each draw, stacked; one draw at a time is in memory beside them."""
    outputs = None
    for place, draw in enumerate(zip(*draws, strict=True)):
        found = function(draw, values)
        if outputs is None:
            outputs = [np.empty((len(draws[0]), *out.shape), out.dtype) for out in found]
        for output, out in zip(outputs, found, strict=True):
            output[place] = out
    return outputs


# --- the loop -------------------------------------------------------------------------------------------------------


def _fit(
    model, kind, steps, learning_rate, random_seed, schedule, callback, callback_every, *, start, start_sd, resume
):
    settings = {
        "kind": kind,
        "learning_rate": _checks.real_number(learning_rate, "learning_rate", low=0.0, high=np.inf, open_ends=True),
        "random_seed": _seed(random_seed),
        "schedule": _checks.one_of(schedule, "schedule", ("cosine", "constant")),
    }
    if kind == "advi":
        start_sd = _checks.real_number(start_sd, "start_sd", low=0.0, high=np.inf, open_ends=True)
    steps = _checks.positive_integer(steps, "steps")
    callback_every = _checks.positive_integer(callback_every, "callback_every")
    density = _graph.once(model, ("density", kind), lambda: _graph.log_density(model, jacobian=kind == "advi"))
    found = resume or _starting_state(model, kind, density, settings, steps, start, start_sd)
    found = _refuse_resume(found, model, settings, steps)
    progress = _Progress(steps)
    with jax.enable_x64(True):
        run = _graph.once(model, ("loop", kind), lambda: _compiled_loop(density, kind))
        schedule = np.array([settings["learning_rate"], steps if settings["schedule"] == "cosine" else np.inf])
        key = np.uint32(settings["random_seed"] & 0xFFFFFFFF)

        def advance(state, batches, n):
            return run(state, data, constants, batches, schedule, key, done, n)

        data, constants = _graph.to_device(density.data), _graph.to_device(density.constants())
        losses, state = [found.loss], _state_of(found)
        done = found.step

        def so_far():
            return _approximation(found, state, np.concatenate(losses)[:done], done, steps)

        chunk = 16
        try:
            while done < steps:
                wall = time.perf_counter()
                n = min(chunk, steps - done, callback_every - done % callback_every)
                batches = _batch_rows(density, settings["random_seed"], done, n)
                new_state, loss = advance(state, batches, n)
                loss = np.asarray(loss)[:n]
                if not np.isfinite(loss).all():
                    error, good = _not_finite_error(partial(advance, state, batches), density.names, loss, done)
                    kept, loss = advance(state, batches, good)
                    losses.append(np.asarray(loss)[:good])
                    error.approximation = _approximation(found, kept, np.concatenate(losses), done + good, steps)
                    raise error
                losses.append(loss)
                state, done = new_state, done + n
                progress.show(done, loss[-1])
                if time.perf_counter() - wall < 0.3:
                    chunk = min(2 * chunk, CHUNK)
                if callback is not None and done % callback_every == 0 and callback(so_far()):
                    break
        except KeyboardInterrupt:
            progress.note(f"interrupted at step {done:,} of {steps:,}: continue with resume=")
        return so_far()


def _compiled_loop(density, kind):
    """``run(state, data, constants, batches, schedule, key, first, n)``: n optimisation steps in one call.

    Compiled once per model: everything that differs between two fits of a model is an argument.
    """
    variational = kind == "advi"
    offsets = np.cumsum([0, *(int(np.prod(shape)) for shape in density.shapes)])

    def noise(step, key):
        stream = _hash(_hash(jnp.uint32(step) + jnp.uint32(0x9E3779B9)) ^ key)
        return tuple(
            _normals(offset, shape, stream, density.dtype)
            for offset, shape in zip(offsets[:-1], density.shapes, strict=True)
        )

    def objective(parameters, batch, constants, step, key):
        mean, log_sd = parameters
        if not variational:
            return -density.function(mean, batch, constants)
        values = tuple(m + jnp.exp(s) * e for m, s, e in zip(mean, log_sd, noise(step, key), strict=True))
        entropy = sum(jnp.sum(s) for s in log_sd) + 0.5 * offsets[-1] * np.log(2 * np.pi * np.e)
        return -density.function(values, batch, constants) - entropy

    def rate(step, schedule):
        largest, steps = schedule  # a constant schedule is a cosine of infinite length
        bias = jnp.sqrt(1 - BETA2 ** (step + 1.0)) / (1 - BETA1 ** (step + 1.0))
        return (0.5 * largest * (1 + jnp.cos(np.pi * step / steps)) * bias).astype(density.dtype)

    def one_step(i, carry, data, constants, batches, schedule, key, first):
        parameters, m, v, losses = carry
        batch = tuple(array[batches[i]] for array in data)
        step = first + i
        loss, gradient = jax.value_and_grad(objective)(parameters, batch, constants, step, key)
        m = jax.tree.map(lambda a, g: BETA1 * a + (1 - BETA1) * g, m, gradient)
        v = jax.tree.map(lambda a, g: BETA2 * a + (1 - BETA2) * g * g, v, gradient)
        alpha = rate(step.astype(jnp.float64), schedule)
        parameters = jax.tree.map(lambda p, a, b: p - alpha * a / (jnp.sqrt(b) + EPSILON), parameters, m, v)
        return parameters, m, v, losses.at[i].set(loss)

    @jax.jit
    def run(state, data, constants, batches, schedule, key, first, n):
        def body(i, carry):
            return one_step(i, carry, data, constants, batches, schedule, key, first)

        *state, losses = jax.lax.fori_loop(0, n, body, (*state, jnp.zeros(CHUNK, jnp.float64)))
        return tuple(state), losses

    return run


def _hash(x):
    """Mix 32 bits so that neighbouring counters give unrelated values (C. Wellons, "lowbias32", 2018)."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _normals(offset, shape, stream, dtype):
    """Standard Normal noise from counters offset, offset + 1, …: inverse distribution function of 24 hashed bits.

    The hash needs a few operations and no state, and any (step, component) can be
    computed on its own, so that a resumed fit draws what an uninterrupted one would have drawn. Values lie in ±5.4.
    """
    counters = jnp.arange(int(np.prod(shape)), dtype=jnp.uint32) + jnp.uint32(offset)
    bits = _hash(_hash(counters + stream) ^ _hash(stream ^ jnp.uint32(0x85EBCA6B))) >> 8
    uniform = bits.astype(dtype) * np.asarray(2.0**-23, dtype) + np.asarray(2.0**-24 - 1.0, dtype)
    return (np.asarray(np.sqrt(2.0), dtype) * jax.lax.erf_inv(uniform)).reshape(shape)


def _batch_rows(density, seed, first, n):
    """Row numbers of the batches of steps first … first + n − 1: each pass visits every row once, in a new order."""
    if density.batch_size is None:
        return np.zeros((CHUNK, 0), np.int32)
    rows = len(density.data[0])
    per_pass = rows // density.batch_size
    batches = np.zeros((CHUNK, density.batch_size), np.int32)
    orders = {}
    for i in range(n):
        epoch, place = divmod(first + i, per_pass)
        if epoch not in orders:
            orders[epoch] = np.random.default_rng([seed, epoch]).permutation(rows)
        batches[i] = orders[epoch][place * density.batch_size : (place + 1) * density.batch_size]
    return batches


# --- states ---------------------------------------------------------------------------------------------------------


def _starting_state(model, kind, density, settings, steps, start, start_sd):
    mean = _graph.starting_point(model, start)
    sd = {name: np.full_like(value, start_sd) for name, value in mean.items()}
    n_moments = (4 if kind == "advi" else 2) * len(mean)
    likes = list(mean.values()) * (n_moments // len(mean))
    moments = tuple(np.zeros_like(a) for a in likes)
    return Approximation(mean, sd, np.zeros(0), 0, steps, settings, moments, model)


def _state_of(found):
    """The loop's carry: ((means, log sds), first moments, second moments)."""
    n = len(found.mean)
    groups = [tuple(jnp.asarray(a) for a in found._moments[i : i + n]) for i in range(0, len(found._moments), n)]
    mean = tuple(jnp.asarray(a) for a in found.mean.values())
    if found._settings["kind"] == "map":
        return (mean, ()), (groups[0], ()), (groups[1], ())
    log_sd = tuple(jnp.log(jnp.asarray(a)) for a in found.sd.values())
    return (mean, log_sd), (groups[0], groups[1]), (groups[2], groups[3])


def _approximation(found, state, loss, step, steps):
    (mean, log_sd), first, second = state
    names = list(found.mean)
    means = dict(zip(names, map(np.asarray, mean), strict=True))
    sds = [np.exp(np.asarray(s)) for s in log_sd] or [np.zeros_like(m) for m in means.values()]
    moments = tuple(np.asarray(a) for part in (*first, *second) for a in part)
    return replace(
        found, mean=means, sd=dict(zip(names, sds, strict=True)), loss=loss, step=step, steps=steps, _moments=moments
    )


def _not_finite_error(repeat, names, loss, done):
    """Go back to the last step with finite loss and parameters, find what broke, and say so.

    ``repeat(n)`` repeats the first n steps of the chunk in which the loss broke.
    """
    bad = int(np.argmin(np.isfinite(loss)))
    good = bad if _first_not_finite(repeat(bad)[0], names) is None else bad - 1
    culprit = _first_not_finite(repeat(good + 1)[0], names) or "none, the log density itself is not finite"
    error = FloatingPointError(
        f"loss must be finite, got {loss[bad]} at step {done + bad} (first bad variable: {culprit}): lower "
        "learning_rate, scale the data, or start inside the support; the last good state is error.approximation"
    )
    return error, good


def _first_not_finite(state, names):
    parameters = state[0]
    for part in parameters:
        for name, array in zip(names, part, strict=False):
            if not np.isfinite(np.asarray(array)).all():
                return name
    return None


def _refuse_resume(found, model, settings, steps):
    if not isinstance(found, Approximation):
        raise TypeError(f"resume must be an Approximation, got {type(found).__name__}: pass what advi or load returned")
    if found._model is not model:
        _refuse_other_model(_fingerprint(found._model), _fingerprint(model))
    fixed = {name: value for name, value in settings.items() if name != "learning_rate"}
    different = {k: (found._settings[k], v) for k, v in fixed.items() if found._settings[k] != v}
    if settings["schedule"] == "cosine" and found.steps != steps:
        different["steps"] = (found.steps, steps)
    if different:
        raise ValueError(f"resume must keep the settings of the fit, got (was, is) {different}: pass the same values")
    if found.step > steps:
        raise ValueError(f"steps must be ≥ {found.step} (steps already taken), got {steps}: ask for more steps")
    return replace(found, _model=model, _settings=settings)


def _refuse_other_model(was, now):
    if was != now:
        gone = {k: v for k, v in was.items() if now.get(k) != v}
        new = {k: v for k, v in now.items() if was.get(k) != v}
        raise ValueError(f"model must be the fitted one, got differences: fitted {gone}, now {new}: rebuild that model")


def _fingerprint(model):
    """What identifies a model in a checkpoint: of its variables distribution, parameters, shape and transform."""
    fingerprint = {}
    for rv, value in zip(model.free_RVs, model.value_vars, strict=True):
        transform = model.rvs_to_transforms[rv]
        shape = tuple(int(s) for s in rv.shape.eval()) if None in rv.type.shape else rv.type.shape
        scale = type(transform).__name__ if transform else "untransformed"
        parameters = _graph.parameters_as_text(model, rv)
        fingerprint[value.name] = f"{rv.owner.op.name}({parameters}) {shape} {scale} {value.dtype}"
    for rv in model.observed_RVs:
        parameters = _graph.parameters_as_text(model, rv)
        fingerprint[rv.name] = f"observed {type(rv.owner.op).__name__}({parameters}) {rv.type.shape}"
    return fingerprint


def _seed(value):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"random_seed must be a whole number ≥ 0, got {value!r}: pass an int")
    if value < 0:
        raise ValueError(f"random_seed must be ≥ 0, got {value}: choose a number from 0 on")
    return int(value)


def _idata(model, **groups):
    """InferenceData (ArviZ 0.23) or DataTree (ArviZ 1) with these groups of arrays (chain, draw, …) by name."""
    names = {name for group in groups.values() for name in group}
    dims = {n: list(d) for n, d in model.named_vars_to_dims.items() if n in names}
    coords = {n: np.asarray(c) for n, c in model.coords.items() if c is not None}
    old = az.__version__.startswith("0.")
    return az.from_dict(**groups, dims=dims, coords=coords) if old else az.from_dict(groups, dims=dims, coords=coords)


def _write_npz(path, arrays):
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class _Progress:
    """One line that says how far a fit is: rewritten in place in a notebook, or on stderr in a terminal."""

    def __init__(self, steps):
        self.steps, self.began, self.shown, self.handle = steps, time.perf_counter(), 0.0, None
        self.first = None

    def show(self, done, loss):
        now = time.perf_counter()
        if self.first is None:
            self.first = (now, done)
        if now - self.shown < 0.3 and done < self.steps:
            return
        self.shown = now
        if done < self.steps:
            speed = (now - self.first[0]) / max(1, done - self.first[1])
            left = speed * (self.steps - done)
            self._write(f"step {done:,} of {self.steps:,}   loss {loss:,.0f} nats   {left:.0f} s left")
        else:
            self._write(f"{done:,} steps in {now - self.began:.0f} s   loss {loss:,.0f} nats", end="\n")

    def note(self, text):
        self._write(text, end="\n")

    def _write(self, text, end=""):
        if "ipykernel" in sys.modules:
            data = {"text/plain": text}
            if self.handle is None:
                self.handle = display(data, raw=True, metadata=PROGRESS_TAG, display_id=True)
            else:
                self.handle.update(data, raw=True, metadata=PROGRESS_TAG)
        elif sys.stderr.isatty():
            print(f"\r\033[K{text}", end=end, file=sys.stderr, flush=True)
