"""From a `pm.Model` to its posterior: mean-field ADVI and MAP, compiled once, stoppable, resumable; and NUTS.

Lesson 09 uses it on MNIST. The objective is PyMC's own: the log density is `model.logp()`, minibatches come
from `pm.Minibatch`, their weight from `total_size`. What differs from `pm.fit` is speed (one compiled
loop, float32 if the model is float32, counter-based noise) and that a fit can be stopped, saved and continued.

A model is read into a `Problem` (`_problem`); the loop (`_loop`) turns a problem and an optimiser into a `State`; an
`Approximation` samples, saves and loads it (`_checkpoint`).
"""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import arviz as az
import jax
import numpy as np
import nutpie
import optax
import pandas as pd
import pymc as pm
from IPython.display import display
from jax.sharding import Mesh
from pymc.stats.convergence import log_warnings, run_convergence_checks

from bnn_course import _checkpoint, _checks, _graph, _loop, _predict, models
from bnn_course import _tanh as _tanh  # PyTensor uses it from now on
from bnn_course._loop import Plan, State
from bnn_course._problem import Problem, forget

CHECKPOINT_EVERY = 30.0  # seconds between two writings of a checkpoint
FAR = 3.0  # standard deviations that a mean still moves in the second half of the steps of a fit that has not arrived
PROGRESS_TAG = {"bnn_course": "progress"}  # marks the progress line, so that stored notebooks do not keep it
NUTS_STATISTICS = {  # nutpie's names: PyMC's
    "diverging": "diverging",
    "mean_tree_accept": "acceptance_rate",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "step_size": "step_size",
    "logp": "lp",
}


@dataclass(frozen=True)
class Approximation:
    """What a fit found: a Normal distribution with independent components (or a point) over unconstrained values.

    Attributes
    ----------
    mean, sd : dict of str to numpy.ndarray
        By value-variable name (``w``, ``tau_log__``), on the unconstrained scale; all `sd` are 0 for a MAP estimate.
    loss : numpy.ndarray, shape (step,)
        Minimised quantity in nats for the full data: one-draw estimates of the negative ELBO, or −log density for MAP.
    step : int
        Optimisation steps taken; a fit that was interrupted has ``step < plan.steps``.
    problem, plan, state, about
        The model, how it is optimised, all that the next step depends on, and what a checkpoint says of the fit.
    """

    problem: Problem
    plan: Plan
    state: State
    loss: np.ndarray
    about: _checkpoint.Identity

    @property
    def mean(self) -> dict[str, np.ndarray]:
        """Means by value-variable name."""
        return dict(zip(self.problem.names, map(np.asarray, self.state.mean), strict=True))

    @property
    def sd(self) -> dict[str, np.ndarray]:
        """Standard deviations by value-variable name."""
        sds = [np.exp(np.asarray(a)) for a in self.state.log_sd] or [np.zeros_like(a) for a in self.mean.values()]
        return dict(zip(self.problem.names, sds, strict=True))

    @property
    def step(self) -> int:
        """Steps taken."""
        return self.state.step

    def sample(self, draws: int, *, random_seed: int) -> Any:
        """Independent draws of the free variables, on their own scale, for ArviZ and `predict`.

        `pm.compute_log_likelihood` on a model with minibatches scales the likelihood of a batch up to the full data:
        for LOO, build the model with all of the data.

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
            constrained = self.problem.constrain(values)
        return _idata(self.problem.model, posterior={name: value[None] for name, value in constrained.items()})

    def with_moments(self, mean: Mapping[str, Any], sd: Mapping[str, Any]) -> Approximation:
        """The same fit with other means and standard deviations, for example with weights set to zero (lesson 08).

        Parameters
        ----------
        mean, sd : dict of str to array_like
            As the attributes of these names; ``sd`` ≥ 0.
        """
        wanted = {name: a.shape for name, a in self.mean.items()}
        for what, values in {"mean": mean, "sd": sd}.items():
            shapes = {name: np.shape(value) for name, value in values.items()}
            if shapes != wanted:
                raise ValueError(f"{what} must have the shapes {wanted}, got {shapes}: change a copy of fit.{what}")
        means = tuple(np.asarray(mean[name], a.dtype) for name, a in self.mean.items())
        with np.errstate(divide="ignore"):  # a weight that is fixed has the logarithm −∞
            log_sd = tuple(np.log(np.asarray(sd[name], a.dtype)) for name, a in self.mean.items())
        return replace(self, state=self.state._replace(mean=means, log_sd=log_sd))

    def save(self, path: str | Path) -> None:
        """Write all that is needed to continue or predict to `path` (``.npz``): whole or not at all, without pickle."""
        _checkpoint.write(_path(path), self.problem.names, self.plan, self.state, self.loss, self.about)


def advi(
    model: pm.Model,
    *,
    steps: int,
    random_seed: int,
    learning_rate: float | None = None,
    optimizer: optax.GradientTransformation | None = None,
    start: Mapping[str, Any] | None = None,
    start_sd: float = 0.02,
    total_size: int | None = None,
    checkpoint: str | Path | None = None,
    resume: Approximation | None = None,
    mesh: Mesh | None = None,
) -> Approximation:
    """Fit a mean-field Normal to the posterior of `model` by maximising the ELBO (KL weight 1).

    Parameters
    ----------
    model : pm.Model
        Any model with continuous free variables; data through `pm.Minibatch` need ``total_size``.
    steps : int
        Optimisation steps in all (a resumed fit continues to this number).
    random_seed : int
        Seeds the batch order and the noise: the same seed gives the same fit.
    learning_rate : float, optional
        Largest step size of Adam, > 0; it falls to zero over `steps` along half a cosine.
    optimizer : optax.GradientTransformation, optional
        Takes the place of Adam and `learning_rate`: exactly one of the two is given.
    start : dict of str to array_like, optional
        Start of the means, constrained values by variable name; default: PyMC's initial point.
    start_sd : float
        Start of all standard deviations on the unconstrained scale, > 0.
    total_size : int, optional
        Says that the model's ``total_size`` is meant where it differs from the rows of the data (appendix B).
    checkpoint : str or pathlib.Path, optional
        File (``.npz``) that the fit is written to every half minute and at its end, whatever ends it. Where the file
        exists, the fit goes on from it: a fit that was killed, called again, ends as if nothing had been.
    resume : Approximation, optional
        Continue this fit, made from the same model with the same settings; only the learning rate may be another.
    mesh : jax.sharding.Mesh, optional
        Devices that share the rows of each batch, ``jax.make_mesh((4,), ("batch",))``: the same fit as on one device
        but for the rounding of sums. A fit may be continued on more devices, or fewer (lesson 14).

    Returns
    -------
    Approximation

    Raises
    ------
    FloatingPointError
        If the loss is not finite; names step and variable, and carries the last good state as ``error.approximation``,
        as does any other error during the fit.
    """
    plan = _plan(steps, random_seed, learning_rate, optimizer)
    origin = Origin("advi", start, _checks.positive(start_sd, "start_sd"), total_size)
    return _fit(Problem(model), plan, origin, checkpoint, resume, mesh)


def find_map(
    model: pm.Model,
    *,
    steps: int,
    random_seed: int,
    learning_rate: float | None = None,
    optimizer: optax.GradientTransformation | None = None,
    start: Mapping[str, Any] | None = None,
    total_size: int | None = None,
    checkpoint: str | Path | None = None,
    resume: Approximation | None = None,
) -> Approximation:
    """Maximise the log posterior density of `model` over its variables on their own scale (no Jacobian).

    Parameters
    ----------
    model, steps, random_seed, learning_rate, optimizer, start, total_size, checkpoint, resume
        As in `advi`.

    Returns
    -------
    Approximation
        All standard deviations are 0.
    """
    plan = _plan(steps, random_seed, learning_rate, optimizer)
    return _fit(Problem(model), plan, Origin("map", start, None, total_size), checkpoint, resume)


def nuts(
    model: pm.Model,
    *,
    draws: int,
    tune: int,
    chains: int,
    random_seed: int,
    target_accept: float = 0.8,
    max_treedepth: int = 10,
    compute_convergence_checks: bool = True,
) -> Any:
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
        ``acceptance_rate``, ``n_steps``, ``tree_depth``, ``step_size`` and ``lp``; dims (chain, draw, …). Interrupted,
        it returns with a warning the draws that all chains have.

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
    problem = Problem(model)
    problem.refuse_unfit()
    if problem.batches.size is not None:
        raise ValueError("model must see all its data, got pm.Minibatch: build it with the arrays themselves for NUTS")
    start = problem.start()
    problem.check(start, finite=False)
    data = [value.tobytes() for value in problem.shared_values]
    compiled = problem.once(("nuts",), lambda: _compiled_nuts(model), of=data)
    options = {"target_accept": accept, "maxdepth": depth, "save_warmup": False, "progress_bar": False}
    try:
        trace = nutpie.sample(compiled, **sizes, seed=_loop.folded(seed, 64), **options)
    except RuntimeError:
        problem.check(start)  # names the variable, if the log density is not finite at the start
        raise
    complete = _complete_draws(trace["sample_stats"]["logp"].values, draws)
    names = [variable.name for variable in (*model.free_RVs, *model.deterministics)]
    posterior = {name: trace["posterior"][name].values[:, :complete] for name in names}
    statistics = {name: trace["sample_stats"][of].values[:, :complete] for of, name in NUTS_STATISTICS.items()}
    idata = _idata(model, posterior=posterior, sample_stats=statistics)
    if compute_convergence_checks:
        log_warnings(run_convergence_checks(idata, model))
    return idata


def _compiled_nuts(model: pm.Model) -> Any:
    forget("nuts")
    gc.collect()  # PyTensor's graphs refer to themselves
    compiled = nutpie.compile_pymc_model(model)
    labels = {name: pd.Index(values) for name, values in _coordinates(model).items()}  # each of one type, for nutpie
    return replace(compiled, _coords=compiled.coords | labels)


def _complete_draws(log_density: np.ndarray, draws: int) -> int:
    """The number of draws that all chains have: where nutpie was interrupted, it fills the others up with NaN."""
    complete = int((~np.isnan(log_density)).all(axis=0).sum())
    if complete == 0:
        raise KeyboardInterrupt("nuts was interrupted before all chains had drawn: nothing can be kept")
    if complete < draws:
        said = f"nuts was interrupted: {complete} of {draws} draws of each chain are kept, those that all chains have"
        warnings.warn(said, RuntimeWarning, stacklevel=3)
    return complete


def load(path: str | Path, model: pm.Model) -> Approximation:
    """Read an `Approximation` that `Approximation.save` wrote, for the model and the data it was fitted to.

    Parameters
    ----------
    path : str or pathlib.Path
    model : pm.Model

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or damaged, or belongs to another model (the difference is named).
    """
    problem = Problem(model)
    plan, state, loss, about = _checkpoint.read(_path(path))
    _checkpoint.refuse_other(about, _checkpoint.identity(problem, "", problem.start(), None))
    return Approximation(problem, plan, state, loss, about)


def log_density(model: pm.Model, *, jacobian: bool = True) -> Any:
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
    problem = Problem(model)
    problem.refuse_unfit()
    function = problem.log_density(jacobian=jacobian)
    jitted = _graph.jit(function.call)

    def evaluate(point: Mapping[str, Any], *batch: Any) -> float:
        if set(point) != set(problem.names):
            raise ValueError(f"point must have the keys {list(problem.names)}, got {list(point)}: name each of them")
        arrays = problem.batches.arrays
        if len(batch) != len(arrays):
            raise ValueError(f"batch must hold {len(arrays)} array(s), got {len(batch)}: one per minibatch")
        values = [np.asarray(point[v.name], dtype=v.dtype) for v in model.value_vars]
        rows = [np.asarray(b, dtype=full.dtype) for b, full in zip(batch, arrays, strict=True)]
        with jax.enable_x64(True):
            return float(jitted(*values, *rows, *function.constants())[0])

    return evaluate


class Loo(NamedTuple):
    """Leave-one-out scores: the log score of each row (row,), in nats, and how far to trust it, Pareto k̂ (row,)."""

    elpd: np.ndarray
    khat: np.ndarray


def loo(model: pm.Model, posterior: Any) -> Loo:
    """Estimate by PSIS how well each row is predicted from all the others (ArviZ's `az.loo`; lesson 12).

    Parameters
    ----------
    model : pm.Model
        With one observed variable that sees all its data: no `pm.Minibatch`, whose log likelihood PyMC multiplies.
    posterior : InferenceData or DataTree
        Draws from `nuts` or `pm.sample`; not changed.

    Returns
    -------
    Loo
        Scores whose k̂ is above 0.7 are not to be trusted. ArviZ's warning about them is left out: k̂ says which. It
        is infinite where it cannot be computed.

    Raises
    ------
    ValueError
        If the model has a minibatch, or not one observed variable.
    """
    if Problem(model).batches.size is not None:
        raise ValueError("model must see all its data, got pm.Minibatch: build it with the arrays themselves for LOO")
    if len(model.observed_RVs) != 1:
        names = [variable.name for variable in model.observed_RVs]
        raise ValueError(f"model must have one observed variable, got {names}: rows of several have no common meaning")
    draws = posterior.copy()
    if "log_likelihood" in draws:
        del draws["log_likelihood"]
    pm.compute_log_likelihood(draws, model=model, progressbar=False)
    # where one draw has all the weight, ArviZ's fit of the tail overflows, and k̂ is huge or not a number
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        warnings.filterwarnings("ignore", "Estimated shape parameter", UserWarning)
        found = az.loo(draws, pointwise=True)
    rows = found.elpd_i if hasattr(found, "elpd_i") else found.loo_i  # ArviZ 1 or 0.23
    khat = np.asarray(found.pareto_k, float).ravel()
    return Loo(np.asarray(rows, float).ravel(), np.where(np.isnan(khat), np.inf, khat))


def predict(model: pm.Model, posterior: Any, names: str | Sequence[str], *, given: Mapping[Any, Any]) -> Any:
    """Evaluate deterministic variables of `model` for every posterior draw, with new data in place of the old.

    Parameters
    ----------
    model : pm.Model
    posterior : InferenceData, DataTree or Dataset
        Draws, for example from `Approximation.sample`, `pm.sample` or `az.extract`.
    names : str or sequence of str
        Names of `pm.Deterministic` variables.
    given : dict
        ``{minibatch_variable: array}`` or ``{"name of pm.Data": array}``.

    Returns
    -------
    numpy.ndarray or dict of str to numpy.ndarray
        One array (draw, …) for a single name, else one per name; chains are laid end to end.
    """
    problem = Problem(model)
    wanted = [names] if isinstance(names, str) else list(names)
    known = [variable.name for variable in model.deterministics]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(
            f"names must be pm.Deterministic variables of the model ({', '.join(known)}), got {unknown}: name one of "
            "them, or use pm.sample_posterior_predictive for random ones"
        )
    if isinstance(posterior, Approximation):
        raise TypeError(
            "posterior must hold draws, got an Approximation: pass approximation.sample(draws, random_seed=…)"
        )
    outputs = _predict.evaluate(problem, wanted, given, posterior)
    return outputs[0] if isinstance(names, str) else dict(zip(wanted, outputs, strict=True))


# --- a fit ----------------------------------------------------------------------------------------------------------


def _plan(steps: int, random_seed: int, learning_rate: float | None, optimizer: Any) -> Plan:
    if (learning_rate is None) == (optimizer is None):
        raise TypeError(
            f"exactly one of learning_rate and optimizer must be given, got {learning_rate!r} and {optimizer!r}: a "
            "learning_rate is for Adam, another optimiser has its own"
        )
    if learning_rate is not None:
        learning_rate = _checks.positive(learning_rate, "learning_rate")
    elif not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(f"optimizer must be an optax.GradientTransformation, got {optimizer!r}: e.g. optax.adam(1e-3)")
    return Plan(_checks.positive_integer(steps, "steps"), _seed(random_seed), learning_rate, optimizer)


class Origin(NamedTuple):
    """Where a fit starts, and by which method."""

    method: str
    start: Mapping[str, Any] | None
    start_sd: float | None  # None for a point
    total_size: int | None


def _fit(
    problem: Problem,
    plan: Plan,
    origin: Origin,
    checkpoint: str | Path | None,
    resume: Approximation | None,
    mesh: Mesh | None = None,
) -> Approximation:
    """Read the model, take or make the state it is in, and take the steps that are left."""
    problem.refuse_unfit()
    problem.refuse_total_size(origin.total_size)
    if mesh is not None:
        problem.refuse_mesh(mesh)
    found = _begun(problem, plan, origin) if resume is None else _resumed(resume, problem, plan, origin.method)
    path = None if checkpoint is None else _path(checkpoint)
    if path is not None and path.exists():
        stored = Approximation(problem, *_checkpoint.read(path))
        found = _continued(stored, found, f"checkpoint must be of this fit, got {path}, of another one", free=set())
    return _run(found, path, mesh)


def _begun(problem: Problem, plan: Plan, origin: Origin) -> Approximation:
    """The approximation before the first step."""
    point = problem.start(origin.start)
    problem.check(point)
    about = _checkpoint.identity(problem, origin.method, point, origin.start_sd)
    log_sd = [] if origin.start_sd is None else [np.log(np.full_like(a, origin.start_sd)) for a in point.values()]
    return Approximation(problem, plan, _loop.begin(plan, list(point.values()), log_sd), np.zeros(0), about)


def _resumed(found: Approximation, problem: Problem, plan: Plan, method: str) -> Approximation:
    """`found`, to be continued by `plan`, wherever it started; a constant step size may be given more steps."""
    if not isinstance(found, Approximation):
        raise TypeError(f"resume must be an Approximation, got {type(found).__name__}: pass what advi or load returned")
    about = found.about
    if found.problem.model is not problem.model:
        about = _checkpoint.identity(problem, method, problem.start(), None)
    about = about | {"method": found.about["method"] | {"is": method}}
    free = {"learning_rate"} if plan.optimizer is None else {"steps"}
    now = replace(found, problem=problem, plan=plan, about=about)
    return _continued(found, now, "resume must keep the settings of the fit, got others", free)


def _continued(found: Approximation, now: Approximation, words: str, free: set[str]) -> Approximation:
    """`now`, in the state that `found` is in; refuse another model, and settings that differ and are not `free` to."""
    _checkpoint.refuse_other(found.about, now.about)
    was, new = (
        a.plan._asdict() | {"optimizer": "optax.adam" if a.plan.optimizer is None else "given"} | a.about["method"]
        for a in (found, now)
    )
    different = {name: (was[name], new[name]) for name in new if was[name] != new[name] and name not in free}
    if different:
        raise ValueError(f"{words}, with (was, is) {different}: pass the same values, or begin a new fit")
    if found.step > now.plan.steps:
        raise ValueError(f"steps must be ≥ {found.step} (already taken), got {now.plan.steps}: ask for more steps")
    return replace(now, state=_loop.refitted(found.state, now.plan), loss=found.loss)


def _run(found: Approximation, path: Path | None, mesh: Mesh | None) -> Approximation:
    """Take the steps that are left; whatever ends them, what was found is kept."""
    if found.step == found.plan.steps:
        return found
    task, plan, progress = _task(found, mesh), found.plan, _Progress(found.plan.steps)
    run = found.problem.once(
        ("loop", found.about["method"]["is"]),
        lambda: _loop.compiled(task.objective, plan.transformation),
        of=plan.optimizer,
    )
    if path is not None:
        found.save(path)  # where nothing can be written, it is said before the first step
    written, half = time.monotonic(), found.state
    try:
        for state, losses in _loop.states(task, found.state, plan, run):
            half = state if 2 * state.step <= plan.steps else half
            found = replace(found, state=state, loss=np.concatenate([found.loss, losses]))
            progress.show(found.step, losses[-1])
            if path is not None and time.monotonic() - written > CHECKPOINT_EVERY:
                _keep(found, path)
                written = time.monotonic()
    except KeyboardInterrupt:
        progress.write(f"interrupted at step {found.step:,} of {plan.steps:,}: continue with resume=", end="\n")
    except Exception as error:
        error.approximation = found  # type: ignore[attr-defined]
        raise
    finally:
        if path is not None:
            _keep(found, path)
    _warn_if_on_its_way(found, half)
    return found


def _warn_if_on_its_way(found: Approximation, half: State) -> None:
    """Warn if means still moved in the second half of the steps and data lie far from 0, which makes the way long."""
    parts = zip(found.problem.names, found.state.mean, half.mean, found.state.log_sd, strict=False)
    moved = {name: float(np.max(np.abs(np.subtract(m, before)) / np.exp(log_sd))) for name, m, before, log_sd in parts}
    name = max(moved, key=lambda name: moved[name], default="")
    if moved and moved[name] > FAR and (columns := found.problem.far_from_zero()):
        warnings.warn(
            f"the fit has not arrived: {name} moved by {moved[name]:.2g} of its standard deviations in the second half "
            f"of the steps, and data lie far from 0 ({', '.join(columns[:5])}): standardise them, "
            "(x - x.mean()) / x.std(), or take more steps",
            models.DataWarning,
            stacklevel=5,
        )


def _keep(found: Approximation, path: Path) -> None:
    """Write the fit to its checkpoint; a disk that is full does not end the fit."""
    try:
        found.save(path)
    except OSError as error:
        warnings.warn(f"the fit goes on, but is not kept: {error}", RuntimeWarning, stacklevel=3)


def _task(found: Approximation, mesh: Mesh | None = None) -> _loop.Task:
    problem = found.problem
    density = problem.log_density(jacobian=found.about["method"]["is"] == "advi")
    objective = _loop.negative_elbo(density.call, [np.asarray(a) for a in found.state.mean])
    return _loop.Task(objective, problem.names, problem.batches.arrays, problem.batches.size, density.constants(), mesh)


# --- small things ---------------------------------------------------------------------------------------------------


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"random_seed must be a whole number ≥ 0, got {value!r}: pass an int")
    if value < 0:
        raise ValueError(f"random_seed must be ≥ 0, got {value}: choose a number from 0 on")
    return int(value)


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path):
        raise TypeError(f"checkpoint must be a path, got {value!r}: pass the name of a file, 'fit.npz'")
    return Path(value)


def _idata(model: pm.Model, **groups: dict[str, np.ndarray]) -> Any:
    """InferenceData (ArviZ 0.23) or DataTree (ArviZ 1) with these groups of arrays (chain, draw, …) by name."""
    names = {name for group in groups.values() for name in group}
    dims = {n: list(d) for n, d in model.named_vars_to_dims.items() if n in names}
    coords = _coordinates(model)
    old = az.__version__.startswith("0.")
    return az.from_dict(**groups, dims=dims, coords=coords) if old else az.from_dict(groups, dims=dims, coords=coords)


def _coordinates(model: pm.Model) -> dict[str, np.ndarray]:
    """The model's coordinates; labels that no array of one type can hold (tuples, periods, mixtures) as text."""
    return {name: _labels(values) for name, values in model.coords.items() if values is not None}


def _labels(values: Sequence[Any]) -> np.ndarray:
    index = pd.Index(values, tupleize_cols=False)
    if index.dtype.kind in "biufM" or all(isinstance(value, str) for value in values):
        return np.asarray(index)
    return np.array([value.decode() if isinstance(value, bytes) else str(value) for value in values])


class _Progress:
    """One line that says how far a fit is: rewritten in place in a notebook, or on stderr in a terminal."""

    def __init__(self, steps: int) -> None:
        self.steps, self.began, self.shown = steps, time.perf_counter(), 0.0
        self.first: tuple[float, int] | None = None  # when the first steps, those that compile, were done
        self.handle: Any = None

    def show(self, done: int, loss: float) -> None:
        now = time.perf_counter()
        self.first = self.first or (now, done)
        if done == self.steps:
            self.write(f"{done:,} steps in {now - self.began:.0f} s   loss {loss:,.0f} nats", end="\n")
        elif now - self.shown > 0.3:
            self.shown = now
            left = (now - self.first[0]) / max(1, done - self.first[1]) * (self.steps - done)
            self.write(f"step {done:,} of {self.steps:,}   loss {loss:,.0f} nats   {left:.0f} s left")

    def write(self, text: str, end: str = "") -> None:
        if "ipykernel" in sys.modules:
            show = display if self.handle is None else self.handle.update
            options = {"display_id": True} if self.handle is None else {}
            shown = show({"text/plain": text}, raw=True, metadata=PROGRESS_TAG, **options)
            self.handle = self.handle or shown
        elif sys.stderr.isatty():
            print(f"\r\033[K{text}", end=end, file=sys.stderr, flush=True)
