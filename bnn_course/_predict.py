"""What follows from posterior draws: deterministic variables of a model, with new data in place of the old."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import pytensor
import xarray as xr
from pymc.data import MinibatchOp
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors

from bnn_course import _graph
from bnn_course._problem import PLAIN, Problem

Key = Any  # an output of pm.Minibatch, or the name of a pm.Data


class Forward(NamedTuple):
    """Outputs of a draw: ``call(draw, values)``, compiled by JAX; `values` are the given arrays and the constants."""

    call: Callable[[tuple[Any, ...], tuple[Any, ...]], Sequence[Any]]
    draw_names: tuple[str, ...]
    constants: Callable[[], tuple[np.ndarray, ...]]
    sizes: Sequence[int | None]  # rows of each given array that the graph takes at a time; None: any number
    checked: Callable[..., Any] | None  # the same in NumPy, if given arrays are indices: JAX clamps them

    def refuse_indices(self, draw: Sequence[np.ndarray], given: Sequence[np.ndarray]) -> None:
        """Evaluate the outputs of one draw in NumPy, batch by batch, which raises where an index does not exist."""
        rows, size = next(((len(a), s) for a, s in zip(given, self.sizes, strict=True) if s), (1, 1))
        if self.checked is None:
            return
        for first in range(0, rows, size):
            batch = np.arange(first, first + size) % rows
            try:
                self.checked(*draw, *(a if s is None else a[batch] for a, s in zip(given, self.sizes, strict=True)))
            except IndexError as error:
                reason = str(error).splitlines()[0]
                raise ValueError(f"given must hold indices that exist, got {reason}: number groups from 0") from error


def compiled_forward(
    problem: Problem, names: Sequence[str], given: Mapping[Key, Any]
) -> tuple[Forward, list[np.ndarray]]:
    """How deterministic variables follow from a draw and what is given, and the arrays to call it with."""
    outputs = [problem.model[name] for name in names]
    patterns = [_pattern(problem, key) for key in given]
    values = [_fitting(key, value, like) for (key, value), like in zip(given.items(), patterns, strict=True)]
    key = ("forward", tuple(names), tuple(patterns))
    return _graph.once(problem.model, key, lambda: _compile(problem, outputs, patterns)), values


def evaluate(problem: Problem, names: Sequence[str], given: Mapping[Key, Any], posterior: Any) -> list[np.ndarray]:
    """Deterministic variables `names` for every draw of the posterior."""
    forward, values = compiled_forward(problem, names, given)
    parts, n_draws = draws_of(posterior, forward.draw_names, problem.shapes)
    forward.refuse_indices([part[0] for part in parts], values)
    with jax.enable_x64(True):
        arrays = _graph.to_device([*values, *forward.constants()])
        return _stacked(forward.call, parts, n_draws, arrays)


def draws_of(
    posterior: Any, names: Sequence[str], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[list[np.ndarray], int]:
    """Draws (draw, …) of variables, and how many there are."""
    if hasattr(posterior, "sample") and hasattr(posterior, "state"):
        raise TypeError(
            "posterior must hold draws, got an Approximation: pass approximation.sample(draws, random_seed=…)"
        )
    if isinstance(posterior, xr.DataArray):
        posterior = posterior.to_dataset()
    group = posterior if isinstance(posterior, xr.Dataset) else az.convert_to_dataset(posterior, group="posterior")
    lead = ("sample",) if "sample" in group.dims else ("chain", "draw")
    missing = [name for name in names if name not in group]
    if missing or not set(lead) <= set(group.dims):
        raise ValueError(
            f"posterior must hold draws of {', '.join(names)} with dims chain and draw, or sample, missing "
            f"{missing or lead}: sample them first"
        )
    n_draws = int(np.prod([group.sizes[dim] for dim in lead]))
    parts = []
    for name in names:
        draws = group[name].transpose(*lead, ...).values
        if draws.shape[len(lead) :] != shapes[name]:
            raise ValueError(
                f"posterior must be that of the model, with {name} of shape {shapes[name]}, got "
                f"{draws.shape[len(lead) :]}: pass the draws of this model"
            )
        parts.append(draws.reshape(n_draws, *shapes[name]))
    return parts, n_draws


def _compile(problem: Problem, outputs: Sequence[Variable], patterns: Sequence[Variable]) -> Forward:
    """Compile the outputs. Their graph keeps its batch size: more rows are evaluated batch by batch."""
    model = problem.model
    inputs = [like.type() for like in patterns]
    replace = {v: new for like, new in zip(patterns, inputs, strict=True) for v in _same(outputs, like)}
    needed = set(ancestors(outputs))
    used = [rv for rv in model.free_RVs if rv in needed]
    draw_inputs = [rv.type() for rv in used]
    observed = {rv: model.rvs_to_values[rv] for rv in model.observed_RVs}  # what was observed stays what it was
    replace |= {rv: replace.get(value, value) for rv, value in observed.items()} | dict(
        zip(used, draw_inputs, strict=True)
    )
    graphs = clone_replace(outputs, replace)
    if _graph.minibatch_nodes(graphs):
        raise ValueError(
            f"given must replace every pm.Minibatch that {', '.join(v.name for v in outputs)} depends on, got "
            f"{len(patterns)} replacement(s): pass given={{minibatch_variable: array}}"
        )
    call, constants = _graph.jax_function([*draw_inputs, *inputs], graphs)
    sizes = [None if isinstance(like, SharedVariable) else like.type.shape[0] for like in patterns]
    checked = None
    if _are_indices(graphs, inputs):
        checked = pytensor.function([*draw_inputs, *inputs], graphs, mode=PLAIN, on_unused_input="ignore")
    return Forward(_graph.jit(_in_batches(call, sizes)), tuple(rv.name for rv in used), constants, sizes, checked)


def _in_batches(call: Callable[..., Any], sizes: Sequence[int | None]) -> Callable[..., Any]:
    """``forward(draw, values)``, evaluated in batches of the given arrays' `sizes`; None: such an array stays whole."""
    n_given = len(sizes)

    def forward(draw: tuple[Any, ...], values: tuple[Any, ...]) -> Any:
        given, constants = values[:n_given], values[n_given:]
        batched = {i: array for i, array in enumerate(given) if sizes[i] is not None}
        if not batched:
            return call(*draw, *values)

        def one_batch(batch: dict[int, Any]) -> Any:
            return call(*draw, *[batch.get(i, array) for i, array in enumerate(given)], *constants)

        rows = len(next(iter(batched.values())))
        stacks = {i: _stack(array, sizes[i]) for i, array in batched.items()}
        return [out.reshape(-1, *out.shape[2:])[:rows] for out in jax.lax.map(one_batch, stacks)]

    return forward


def _stack(rows: Any, size: Any) -> Any:
    """Reshape (row, …) to (batch, size, …); the last batch is filled up with the first row."""
    filled = jnp.concatenate([rows, jnp.broadcast_to(rows[:1], (-len(rows) % size, *rows.shape[1:]))])
    return filled.reshape(-1, size, *rows.shape[1:])


def _stacked(
    call: Callable[..., Any], parts: list[np.ndarray], n_draws: int, values: tuple[Any, ...]
) -> list[np.ndarray]:
    """Outputs of each draw, stacked; one draw at a time is in memory beside them."""
    outputs: list[np.ndarray] = []
    for place in range(n_draws):
        found = call(tuple(part[place] for part in parts), values)
        outputs = outputs or [np.empty((n_draws, *out.shape), out.dtype) for out in found]
        for output, out in zip(outputs, found, strict=True):
            output[place] = out
    return outputs


# --- what is given --------------------------------------------------------------------------------------------------


def _pattern(problem: Problem, key: Key) -> Any:
    """The variable of the graph that `key` stands for."""
    if isinstance(key, str):
        variable = problem.model.named_vars.get(key)
        if not isinstance(variable, SharedVariable):
            raise ValueError(f"given must name a pm.Data of the model, got {key!r}: or pass the minibatch variable")
        return variable
    node = getattr(key, "owner", None)
    if node is None or not isinstance(node.op, MinibatchOp):
        raise TypeError(f"given must be keyed by pm.Minibatch variables or names of pm.Data, got {key!r}: pass one")
    return key


def _same(outputs: Sequence[Variable], like: Any) -> list[Variable]:
    """`like`, wherever it appears: one call of pm.Minibatch can be several nodes, which share its random generator."""
    if isinstance(like, SharedVariable):
        return [like]
    place, rng = like.owner.outputs.index(like), like.owner.inputs[-1]
    return [like, *(n.outputs[place] for n in _graph.minibatch_nodes(outputs) if n.inputs[-1] is rng)]


def _fitting(key: Key, value: Any, like: Any) -> np.ndarray:
    """`value` as an array that may stand in the place of `like`, or a refusal."""
    value = np.asarray(value)
    if value.ndim != like.ndim:
        raise ValueError(f"given[{key}] must have {like.ndim} axes, got shape {value.shape}: reshape it")
    if any(want not in (None, got) for want, got in zip(like.type.shape[1:], value.shape[1:], strict=True)):
        wanted = like.type.shape[1:]
        raise ValueError(f"given[{key}] must have rows of shape {wanted}, got {value.shape[1:]}: check the columns")
    if value.size == 0:
        raise ValueError(f"given[{key}] must not be empty, got shape {value.shape}: pass at least one row")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"given[{key}] must be finite, got NaN or infinity: remove or repair the rows")
    if not np.can_cast(value.dtype, like.dtype, casting="same_kind"):
        raise TypeError(f"given[{key}] must be castable to {like.dtype}, got {value.dtype}: convert it like the data")
    return np.asarray(value, dtype=like.dtype)


def _are_indices(graphs: Sequence[Variable], inputs: Sequence[Variable]) -> bool:
    nodes = [v.owner for v in ancestors(graphs) if v.owner is not None and "Subtensor" in type(v.owner.op).__name__]
    return any(v in inputs for node in nodes for v in ancestors(node.inputs[1:]))
