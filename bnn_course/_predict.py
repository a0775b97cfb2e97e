"""What follows from posterior draws: deterministic variables of a model, with new data in place of the old."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import arviz as az
import jax
import numpy as np
from pymc.data import MinibatchOp
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors

from bnn_course import _checks, _graph
from bnn_course._graph import Array
from bnn_course._problem import Problem

Arrays = tuple[Array, ...]


class Forward(NamedTuple):
    """How outputs follow from a draw and data: ``call(draw, batches, rest)``, compiled by JAX."""

    call: Callable[[Arrays, Arrays, Arrays], Sequence[Array]]
    checked: Callable[..., Any] | None  # of a draw, a batch and data, in NumPy, where data are indices: JAX clamps them
    draw_names: tuple[str, ...]
    batch: tuple[Variable, ...]  # what pm.Minibatch returned
    data: tuple[Variable, ...]  # shared variables
    constants: Callable[[], Arrays]


def evaluate(problem: Problem, names: Sequence[str], given: Mapping[Any, Any], posterior: Any) -> list[np.ndarray]:
    """Deterministic variables `names` for every draw of the posterior; one draw at a time is in memory beside them."""
    forward, batches, data = prepared(problem, names, given)
    draws, n_draws = _draws_of(posterior, forward.draw_names, problem.shapes)
    if forward.checked is not None:
        for batch in list(zip(*batches, strict=True)) or [()]:
            forward.checked(*(draw[0] for draw in draws), *batch, *data)
    outputs: list[np.ndarray] = []
    with jax.enable_x64(True):
        batches, rest = _graph.to_device(batches), _graph.to_device([*data, *forward.constants()])
        for place in range(n_draws):
            found = forward.call(tuple(draw[place] for draw in draws), batches, rest)
            outputs = outputs or [np.empty((n_draws, *out.shape), out.dtype) for out in found]
            for output, out in zip(outputs, found, strict=True):
                output[place] = out
    rows = [len(array) for key, array in given.items() if not isinstance(key, str)]
    return [output[:, : rows[0]] for output in outputs] if forward.batch else outputs


def prepared(problem: Problem, names: Sequence[str], given: Mapping[Any, Any]) -> tuple[Forward, Arrays, Arrays]:
    """How variables follow from draws, the given rows as arrays (batch, row, …), and the data, given or as they are."""
    found = dict(_given(problem, key, value) for key, value in given.items())
    forward: Forward = problem.once(("forward", *names), lambda: _compiled(problem, names))
    if not set(forward.batch) <= set(found):
        raise ValueError(
            f"given must replace every pm.Minibatch that {', '.join(names)} depends on, got {len(given)} "
            "replacement(s): pass given={minibatch_variable: array}"
        )
    batches = tuple(_stacked(found[v], problem.batches.size) for v in forward.batch)
    return forward, batches, tuple(found[v] if v in found else _graph.value_of(v) for v in forward.data)


def _stacked(rows: np.ndarray, size: Any) -> np.ndarray:
    """Reshape (row, …) to (batch, size, …); the last batch is filled up with the first rows."""
    return np.resize(rows, (-(-len(rows) // size), size, *rows.shape[1:]))


def _given(problem: Problem, key: Any, value: Any) -> tuple[Variable, np.ndarray]:
    """The variable of the model that `key` stands for, and `value` as an array that may take its place."""
    like, rows = problem.model.named_vars.get(key) if isinstance(key, str) else None, problem.batches.like
    node = getattr(key, "owner", None)
    if node is not None and isinstance(node.op, MinibatchOp) and rows and node.inputs[-1] is rows[0].owner.inputs[-1]:
        like = rows[node.outputs.index(key)]
    elif not isinstance(like, SharedVariable):
        raise ValueError(
            f"given must be keyed by names of pm.Data or by minibatch variables of the model, got {key!r}: pass one"
        )
    shape = (None, *like.type.shape[1:])[: like.ndim]
    array = _checks.as_array(value, f"given[{key}]", ndim=like.ndim, shape=shape)
    if not np.can_cast(array.dtype, like.dtype, casting="same_kind"):
        raise TypeError(f"given[{key}] must be castable to {like.dtype}, got {array.dtype}: convert it like the data")
    return like, array.astype(like.dtype)


def _draws_of(
    posterior: Any, names: Sequence[str], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[list[np.ndarray], int]:
    """Draws (draw, …) of variables, and how many there are."""
    group = az.convert_to_dataset(posterior, group="posterior")
    lead = ("sample",) if "sample" in group.dims else ("chain", "draw")
    missing = [name for name in names if name not in group]
    if missing or not set(lead) <= set(group.dims):
        raise ValueError(
            f"posterior must hold draws of {', '.join(names)} with dims chain and draw, or sample, missing "
            f"{missing or lead}: sample them first"
        )
    draws = [group[name].transpose(*lead, ...).values for name in names]
    for name, array in zip(names, draws, strict=True):
        if (shape := array.shape[len(lead) :]) != shapes[name]:
            raise ValueError(
                f"posterior must be that of the model, with {name} of shape {shapes[name]}, got {shape}: pass the "
                "draws of this model"
            )
    n_draws = int(np.prod([group.sizes[dim] for dim in lead]))
    return [array.reshape(n_draws, *shapes[name]) for name, array in zip(names, draws, strict=True)], n_draws


def _compiled(problem: Problem, names: Sequence[str]) -> Forward:
    """Compile the outputs. Their graph keeps its batch size: more rows are evaluated batch by batch."""
    model = problem.model
    outputs = [model[name] for name in names]
    needed = set(ancestors(outputs))
    draws = {rv: rv.type() for rv in model.free_RVs if rv in needed}
    observed = {rv: model.rvs_to_values[rv] for rv in model.observed_RVs}  # what was observed stays what it was
    inputs, graphs = problem.batches.fed_into(clone_replace(outputs, observed | draws))
    data = {v: v.type() for v in _graph.shared(graphs)}
    graphs = clone_replace(graphs, data)
    needed = set(ancestors(graphs))
    batch = {like: new for like, new in zip(problem.batches.like, inputs, strict=True) if new in needed}
    inputs = [*draws.values(), *batch.values(), *data.values()]
    function = _graph.jax_function(inputs, graphs)
    checked = _graph.in_numpy(inputs, graphs) if _are_indices(graphs, inputs) else None
    call = _graph.jit(_over_batches(function.call, names))
    return Forward(call, checked, tuple(rv.name for rv in draws), tuple(batch), tuple(data), function.constants)


def _over_batches(call: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """``forward(draw, batches, rest)``: the outputs of all batches, laid end to end."""

    def forward(draw: Arrays, batches: Arrays, rest: Arrays) -> Any:
        if not batches:
            return call(*draw, *rest)
        outputs = jax.lax.map(lambda batch: call(*draw, *batch, *rest), batches)
        for name, out in zip(names, outputs, strict=True):
            if out.shape[1:2] != batches[0].shape[1:2]:
                raise ValueError(
                    f"names must be variables with a row for each row that is given, got {name} of shape "
                    f"{out.shape[1:]}: predict it by itself"
                )
        return [out.reshape(-1, *out.shape[2:]) for out in outputs]

    return forward


def _are_indices(graphs: Sequence[Variable], inputs: Sequence[Variable]) -> bool:
    nodes = [v.owner for v in ancestors(graphs) if v.owner is not None and "Subtensor" in type(v.owner.op).__name__]
    return any(v in inputs for node in nodes for v in ancestors(node.inputs[1:]))
