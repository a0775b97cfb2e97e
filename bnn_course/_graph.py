"""A `pm.Model` as JAX functions: its log density on minibatches, and what follows from posterior draws.

The model stays PyMC's: the log density is the graph that `model.logp()` returns. Four things are changed in it, and
nothing else: the outputs of `pm.Minibatch` become inputs (so that a compiled loop can feed a new batch at each step),
shared variables and large constants become inputs too (JAX would bake them in), parameter assertions are dropped, and
row counters get 64 bits.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor
from pymc.data import MinibatchOp
from pymc.initial_point import make_initial_point_expression
from pymc.variational.minibatch_rv import MinibatchRandomVariable
from pytensor.compile.mode import get_mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.link.jax.dispatch import jax_funcify
from pytensor.tensor import as_tensor
from pytensor.tensor.basic import ARange
from pytensor.tensor.random.type import RandomType

if jax.config.jax_compilation_cache_dir is None:  # what JAX compiles outlives the process, as with PyTensor
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jax.config.update("jax_compilation_cache_dir", str(cache / "bnn_course"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)

LARGE = 1_000  # constants with more elements than this become inputs of the compiled function


class LogDensity(NamedTuple):
    """The log density of a model over its unconstrained values, ready for JAX.

    Attributes
    ----------
    function : callable
        ``function(values, batch, constants) -> scalar``; tuples of arrays in the order of the fields below.
    names, shapes : tuple
        Names and shapes of PyMC's value variables (``w``, ``tau_log__``, …).
    dtype : str
        Floating-point type of the values.
    data : tuple of numpy.ndarray
        The full arrays behind `pm.Minibatch`; empty without minibatches.
    batch_size : int or None
    constants : callable
        ``constants() -> tuple``: current values of shared variables (`pm.Data`) and large constants.
    """

    function: Any
    names: tuple
    shapes: tuple
    dtype: str
    data: tuple
    batch_size: int | None
    constants: Any


def log_density(model, *, jacobian=True):
    """Compile-ready log density of `model`; refuses models that cannot be fitted by gradients."""
    refuse_unfit(model)
    graph = model.logp(jacobian=jacobian)
    batch_nodes = _minibatch_nodes([graph])
    data, batch_inputs, replacements, batch_size = _batch_inputs(batch_nodes)
    if replacements:
        (graph,) = clone_replace([graph], replacements)
    function, constants = _jaxify([*model.value_vars, *batch_inputs], [graph])
    n_values = len(model.value_vars)

    def density(values, batch, constants):
        assert len(values) == n_values
        return function(*values, *batch, *constants)[0]

    start = starting_point(model)
    return LogDensity(
        density,
        tuple(v.name for v in model.value_vars),
        tuple(start[v.name].shape for v in model.value_vars),
        model.value_vars[0].dtype,
        data,
        batch_size,
        constants,
    )


_COMPILED = weakref.WeakKeyDictionary()  # model -> what was compiled for it


def once(model, key, make):
    """Return ``make()``, made once per model and `key`, and again only if variables were added to the model."""
    _refuse_no_model(model)
    variables = tuple(v.name for v in (*model.basic_RVs, *model.deterministics, *model.potentials))
    compiled = _COMPILED.setdefault(model, {})
    if (key, variables) not in compiled:
        compiled[key, variables] = make()
    return compiled[key, variables]


def forget(kind):
    """Let go of what `once` keeps, for any model, under a key that begins with `kind`."""
    for compiled in _COMPILED.values():
        for made in [made for made in compiled if made[0][0] == kind]:
            del compiled[made]


def has_minibatches(model):
    """Whether some of the data come through `pm.Minibatch`."""
    return bool(_minibatch_nodes([*model.basic_RVs, *model.rvs_to_values.values(), *model.potentials]))


def shared_values(model):
    """Current values of the shared variables (`pm.Data`) that the model depends on."""
    variables = ancestors([*model.basic_RVs, *model.rvs_to_values.values(), *model.potentials, *model.deterministics])
    shared = [v for v in dict.fromkeys(variables) if isinstance(v, SharedVariable)]
    return [v.get_value(borrow=True) for v in shared if not isinstance(v.type, RandomType)]


def parameters_as_text(model, rv):
    """The parameters of a variable's distribution, for people to compare: numbers, or a name for what computes them.

    Data are left out: of arrays with more than `LARGE` elements and of shared variables only shape and type count.
    """
    node = rv.owner
    parameters = node.op.dist_params(node) if hasattr(node.op, "dist_params") else node.inputs
    others = {other for other in model.basic_RVs if other is not rv}
    return ", ".join(_as_text(parameter, others) for parameter in parameters)


def _as_text(variable, others):
    (value,) = pm.pytensorf.constant_fold([variable], raise_not_constant=False)
    if not isinstance(value, Variable) and np.size(value) <= 8:
        return str(np.squeeze(value).tolist())
    parts = []
    for part in ancestors([variable], blockers=others):
        if part in others or part.owner is not None:
            parts.append(part.name if part in others else str(part.owner.op))
        elif isinstance(part, Constant) and np.size(part.data) <= LARGE:
            parts.append(str(np.asarray(part.data).tolist()))
        elif not isinstance(part.type, RandomType):
            parts.append(f"{part.type}")
    return "graph " + hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:8]


def starting_point(model, start=None):
    """Unconstrained starting values by value-variable name; `start` holds constrained values by variable name."""
    start = dict(start or {})
    unknown = set(start) - {rv.name for rv in model.free_RVs}
    if unknown:
        known = ", ".join(rv.name for rv in model.free_RVs)
        raise ValueError(f"start must name free variables of the model ({known}), got {sorted(unknown)}: fix the name")
    expressions = make_initial_point_expression(
        free_rvs=model.free_RVs,
        rvs_to_transforms=model.rvs_to_transforms,
        initval_strategies={
            **model.rvs_to_initial_values,
            **{model[name]: np.asarray(value, dtype=model[name].dtype) for name, value in start.items()},
        },
        return_transformed=True,
    )
    if any(isinstance(v.type, RandomType) for v in ancestors(expressions)):  # a mixture starts from its components
        values = pytensor.function([], expressions, mode="FAST_COMPILE")()
    else:
        with jax.enable_x64(True):
            function, constants = _jaxify([], expressions)
            values = function(*constants())
    point = {}
    for variable, value in zip(model.value_vars, values, strict=True):
        value = np.asarray(value, dtype=variable.dtype)
        if not np.isfinite(value).all():
            raise ValueError(
                f"start of {variable.name} must be finite on the unconstrained scale, "
                f"got {value[~np.isfinite(value)][0]}: start inside the support of the prior"
            )
        point[variable.name] = value
    return point


def constrained_draws(model):
    """Function from draws of the unconstrained values to a dict of draws of the free variables on their own scale."""
    names = [rv.name for rv in model.free_RVs]
    if not any(model.rvs_to_transforms.values()):
        return lambda *values: dict(zip(names, values, strict=True))
    function, constants = _jaxify(model.value_vars, model.replace_rvs_by_values(model.free_RVs))
    return lambda *values: dict(zip(names, jax.vmap(lambda *v: function(*v, *constants()))(*values), strict=True))


def forward_function(model, names, given):
    """Function ``(draw, given_values) -> outputs`` for variables that follow from the free variables and the data.

    Parameters
    ----------
    model : pm.Model
    names : sequence of str
        Deterministics of the model.
    given : dict
        Keys: outputs of `pm.Minibatch`, or names of `pm.Data`; values: the arrays to use in their place.

    Returns
    -------
    function, draw_names, given_values
    """
    outputs = [model[name] for name in names]
    targets = [_given_targets(model, outputs, key) for key in given]
    values = []
    for (key, value), (_, like) in zip(given.items(), targets, strict=True):
        value = np.asarray(value)
        _refuse_given(key, value, like)
        values.append(value.astype(like.dtype, copy=False))
    key = ("forward", tuple(names), tuple(like for _, like in targets))
    function, draw_names, constants = once(model, key, lambda: _compile_forward(model, outputs, targets))
    return function, draw_names, (*values, *constants())


def _compile_forward(model, outputs, targets):
    """Compile ``forward(draw, values)``. The graph keeps its batch size: more rows are evaluated batch by batch."""
    sizes = {like.type.shape[0] for _, like in targets if not isinstance(like, SharedVariable)}
    given_inputs = [like.type.clone(shape=like.type.shape)() for _, like in targets]
    batched = [not isinstance(like, SharedVariable) for _, like in targets]
    replacements = {v: new for (olds, _), new in zip(targets, given_inputs, strict=True) for v in olds}
    used = [rv for rv in model.free_RVs if rv in set(ancestors(outputs))]
    draw_inputs = [rv.type() for rv in used]
    replacements |= dict(zip(used, draw_inputs, strict=True))
    outputs = clone_replace(outputs, replacements)
    if _minibatch_nodes(outputs):
        raise ValueError(
            f"given must replace every pm.Minibatch that the outputs depend on, got {len(targets)} replacement(s): "
            "pass given={minibatch_variable: array}"
        )
    function, constants = _jaxify([*draw_inputs, *given_inputs], outputs)

    def forward(draw, values):
        if not sizes:
            return function(*draw, *values)
        (size,) = sizes
        given, rest = values[: len(targets)], values[len(targets) :]
        rows = next(len(g) for g, is_batched in zip(given, batched, strict=True) if is_batched)
        stacks = tuple(_in_batches(g, size) for g, is_batched in zip(given, batched, strict=True) if is_batched)

        def one_batch(batch):
            batch = iter(batch)
            now = [next(batch) if is_batched else g for g, is_batched in zip(given, batched, strict=True)]
            return function(*draw, *now, *rest)

        return [out.reshape(-1, *out.shape[2:])[:rows] for out in jax.lax.map(one_batch, stacks)]

    return jax.jit(forward), tuple(rv.name for rv in used), constants


def _in_batches(rows, size):
    """Reshape (row, …) to (batch, size, …); the last batch is filled up with the first row."""
    missing = -len(rows) % size
    filled = jnp.concatenate([rows, jnp.broadcast_to(rows[:1], (missing, *rows.shape[1:]))])
    return filled.reshape(-1, size, *rows.shape[1:])


def _jaxify(inputs, outputs):
    """JAX function of `inputs` followed by the lifted constants, and a function that returns their current values."""
    outputs = list(outputs)
    lifted = [
        v
        for v in dict.fromkeys(ancestors(outputs))
        if (isinstance(v, SharedVariable) or (isinstance(v, Constant) and np.size(v.data) > LARGE))
        and not isinstance(v.type, RandomType)
    ]
    stand_ins = [v.type() for v in lifted]
    if lifted:
        outputs = clone_replace(outputs, dict(zip(lifted, stand_ins, strict=True)))
    graph = FunctionGraph([*inputs, *stand_ins], outputs, clone=True)
    mode = get_mode("JAX").including("local_remove_check_parameter").excluding("fusion")  # XLA fuses by itself
    mode.optimizer.rewrite(graph)
    _widen_ranges(graph)

    def constants():
        return tuple(np.asarray(_current_value(v), dtype=v.dtype) for v in lifted)

    return jax_funcify(graph), constants


def _widen_ranges(graph):
    """Make the constants of ``arange(0, rows, 1)`` 64 bits wide: from the 8 bits they have, JAX counts to 127 only."""
    for node in graph.toposort():
        if isinstance(node.op, ARange):
            for place, bound in enumerate(node.inputs):
                if isinstance(bound, Constant):
                    graph.change_node_input(node, place, as_tensor(np.int64(bound.data)), check=False)


def _current_value(variable):
    return variable.get_value(borrow=True) if isinstance(variable, SharedVariable) else variable.data


def _minibatch_nodes(outputs):
    nodes = dict.fromkeys(v.owner for v in ancestors(outputs) if v.owner is not None)
    return [node for node in nodes if isinstance(node.op, MinibatchOp)]


def _batch_inputs(nodes):
    """Return the arrays behind the minibatches, inputs for the batches, replacements, and the batch size."""
    slots = {}  # one pm.Minibatch call can appear as several nodes: they share its random generator
    replacements = {}
    for node in nodes:
        *arrays, rng = node.inputs
        for place, array in enumerate(arrays):
            batch = node.outputs[place]
            if (rng, place) not in slots:
                slots[rng, place] = (array, batch.type())
            replacements[batch] = slots[rng, place][1]
    if not slots:
        return (), (), {}, None
    data = tuple(_array_behind(array) for array, _ in slots.values())
    inputs = tuple(variable for _, variable in slots.values())
    sizes = {(variable.type.shape[0], len(full)) for full, variable in zip(data, inputs, strict=True)}
    if len(sizes) > 1:
        raise ValueError(
            f"minibatches must share one batch size and one number of rows, got {sorted(sizes)}: "
            "pass all arrays to one call of pm.Minibatch"
        )
    ((batch_size, rows),) = sizes
    if batch_size > rows:
        raise ValueError(
            f"batch_size must lie in [1, {rows}] (rows of the data), got {batch_size}: choose a smaller one"
        )
    return data, inputs, replacements, batch_size


def _array_behind(variable):
    if isinstance(variable, SharedVariable):
        return variable.get_value(borrow=True)
    (value,) = pm.pytensorf.constant_fold([variable], raise_not_constant=True)
    return np.asarray(value)


def _refuse_no_model(model):
    if not isinstance(model, pm.Model):
        raise TypeError(f"model must be a pymc.Model, got {type(model).__name__}: write `with pm.Model() as model`")


def refuse_unfit(model):
    _refuse_no_model(model)
    if not model.observed_RVs and not model.potentials:
        raise ValueError("model must have observed data, got none: pass observed= to the likelihood")
    if not model.value_vars:
        raise ValueError("model must have free variables, got none: give at least one parameter a prior")
    if model.discrete_value_vars:
        names = [v.name for v in model.discrete_value_vars]
        raise ValueError(f"free variables must be continuous, got discrete {names}: marginalise them, or use pm.sample")
    for rv in model.observed_RVs:
        batched = _minibatch_nodes([rv, model.rvs_to_values[rv]])
        if batched and not isinstance(rv.owner.op, MinibatchRandomVariable):
            raise ValueError(
                f"total_size of {rv.name} must be given because it is observed through pm.Minibatch, got None: "
                "pass total_size=<rows of the full data>, else the prior counts too much"
            )


def _given_targets(model, outputs, key):
    """Variables of the graph that `key` stands for, and one of them as a pattern for dtype and rank."""
    if isinstance(key, str):
        if key not in model.named_vars or not isinstance(model[key], SharedVariable):
            raise ValueError(f"given must name a pm.Data of the model, got {key!r}: or pass the minibatch variable")
        return [model[key]], model[key]
    node = getattr(key, "owner", None)
    if node is None or not isinstance(node.op, MinibatchOp):
        raise TypeError(f"given must be keyed by pm.Minibatch variables or names of pm.Data, got {key!r}: pass one")
    place, rng = node.outputs.index(key), node.inputs[-1]
    return [n.outputs[place] for n in _minibatch_nodes(outputs) if n.inputs[-1] is rng] or [key], key


def _refuse_given(key, value, like):
    if value.ndim != like.ndim:
        raise ValueError(f"given[{key}] must have {like.ndim} axes, got shape {value.shape}: reshape it")
    if any(want is not None and want != got for want, got in zip(like.type.shape[1:], value.shape[1:], strict=True)):
        wanted = like.type.shape[1:]
        raise ValueError(f"given[{key}] must have rows of shape {wanted}, got {value.shape[1:]}: check the columns")
    if value.size == 0:
        raise ValueError(f"given[{key}] must not be empty, got shape {value.shape}: pass at least one row")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"given[{key}] must be finite, got NaN or infinity: remove or repair the rows")
    if not np.can_cast(value.dtype, like.dtype, casting="same_kind"):
        raise TypeError(f"given[{key}] must be castable to {like.dtype}, got {value.dtype}: convert it like the data")


def to_device(arrays):
    """Arrays as JAX arrays of the same dtype; on the CPU, JAX reads those at multiples of 64 bytes where they are."""
    return tuple(jax.device_put(np.asarray(a)) for a in arrays)
