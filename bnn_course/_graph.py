"""PyTensor graphs as JAX functions.

The log density stays the graph that `model.logp()` returns. Five things are changed in it, and nothing else: the
outputs of `pm.Minibatch` become inputs (so that a compiled loop can feed a new batch at each step), shared variables
and large constants become inputs too (JAX would bake them in), parameter assertions are dropped (`_problem` evaluates
them), row counters get 64 bits, and numbers become floating-point ones as wide as the results that PyTensor computes
from them.
"""

from __future__ import annotations

import os
import re
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor
from pymc.data import MinibatchOp
from pytensor.compile.mode import get_mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.link.jax.dispatch import jax_funcify
from pytensor.scalar.basic import Clip
from pytensor.scalar.math import Erfcx
from pytensor.tensor import as_tensor, cast
from pytensor.tensor.basic import ARange
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.random.type import RandomType

from bnn_course import _checks

Array = Any  # of NumPy or JAX
ROUNDING = 1e-12  # of squared distances of order one
LARGE = 1_000  # constants with more elements than this become inputs of the compiled function

# --- JAX, set up ----------------------------------------------------------------------------------------------------

if jax.config.jax_compilation_cache_dir is None:  # what JAX compiles outlives the process, as with PyTensor
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jax.config.update("jax_compilation_cache_dir", str(cache / "bnn_course"))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def _erfcx(op: Any, **_: Any) -> Callable[[Any], Any]:
    """JAX has none; PyMC's truncated and censored Normals need it."""
    return lambda x: jnp.exp(x**2 + np.log(2) + jax.scipy.special.log_ndtr(-np.sqrt(2) * x))


jax_funcify.register(Erfcx)(_erfcx)


def _clip(op: Any, **_: Any) -> Callable[..., Any]:
    """Clip, with slope 0 within rounding of the lower bound.

    The squared distances of a Gaussian process are rounding noise around 0 on the diagonal. XLA computes such a value
    anew, and rounds it anew, for each part of the gradient: some would count as clipped and others not, and what should
    cancel would not.
    """

    def clip(x: Any, low: Any, high: Any) -> Any:
        clipped = jnp.clip(x, low, high)
        return jnp.where(jnp.abs(x - low) < ROUNDING, jax.lax.stop_gradient(clipped), clipped)

    return clip


jax_funcify.register(Clip)(_clip)


DAMAGED = "Error reading persistent compilation cache entry for '(.+?)'"


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit` that removes a damaged entry of the cache on disk, which JAX would keep, and compiles anew."""
    compiled = jax.jit(function)

    def call(*arguments: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message=DAMAGED)
                return compiled(*arguments)
        except UserWarning as warning:
            damaged = re.match(DAMAGED, str(warning))
            if damaged is None:
                raise
            for entry in Path(jax.config.jax_compilation_cache_dir).glob(f"{damaged[1]}-*"):
                entry.unlink(missing_ok=True)
            return compiled(*arguments)

    return call


_FIRST: int | None = None  # the process that computed first


def refuse_where_jax_cannot_run() -> None:
    """Refuse a device that there is not; and a fork, which would wait for ever for threads that do not come along."""
    global _FIRST
    if _FIRST is None:
        try:
            jax.devices()
        except (AssertionError, RuntimeError) as error:  # JAX asserts where it lacks the plugin
            raise RuntimeError(
                f"JAX_PLATFORMS must name a device that JAX can use here, got {jax.config.jax_platforms!r}: unset it, "
                "or set it to cpu"
            ) from error
        _FIRST = os.getpid()
    if os.getpid() != _FIRST:
        raise RuntimeError(
            f"fits must run in the process of the first fit ({_FIRST}) or in one that was spawned, got {os.getpid()}, "
            "forked after it: use multiprocessing.get_context('spawn'), or joblib"
        )


def to_device(arrays: Any, place: jax.sharding.Sharding | None = None) -> Any:
    """Arrays, in any nest, as JAX arrays of the same dtype: on the default device, or where a sharding says.

    On the CPU, JAX reads those at multiples of 64 bytes where they are.
    """
    return jax.device_put(arrays, place or jnp.zeros(()).sharding)


# --- graphs for JAX -------------------------------------------------------------------------------------------------


class JaxFunction(NamedTuple):
    """A graph for JAX: ``call(*inputs, *constants())``; `constants` reads the shared variables' current values."""

    call: Callable[..., Sequence[Array]]
    constants: Callable[[], tuple[np.ndarray, ...]]


def jax_function(inputs: Iterable[Variable], outputs: Sequence[Variable]) -> JaxFunction:
    """Return the function of `inputs` that computes `outputs`."""
    large = [v for v in ancestors(outputs) if isinstance(v, Constant) and np.size(v.data) > LARGE]
    lifted = [*shared(outputs), *dict.fromkeys(large)]
    stand_ins = [v.type() for v in lifted]
    outputs = clone_replace(outputs, dict(zip(lifted, stand_ins, strict=True)))
    graph = FunctionGraph([*inputs, *stand_ins], outputs, clone=True)
    mode = get_mode("JAX").including("local_remove_check_parameter").excluding("fusion")  # XLA fuses by itself
    _widen(graph)  # before, because constants are folded; after, because new nodes appear
    mode.optimizer.rewrite(graph)
    _widen(graph)
    try:
        call = jax_funcify(graph)
    except NotImplementedError as error:
        raise cannot_run(error) from error
    return JaxFunction(call, lambda: tuple(np.asarray(value_of(v), dtype=v.dtype) for v in lifted))


def cannot_run(error: Exception) -> ValueError:
    """What to say of a graph that JAX cannot run."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [frame.name for frame in frames if "/link/jax/dispatch/" in Path(frame.filename).as_posix()]
    reason = str(error).strip().splitlines()[0].rstrip(".:")
    return ValueError(
        f"model must be made of operations that JAX can run, got {where[-1] if where else 'one'} that it cannot "
        f"({reason}): sample it with inference.nuts, or fit it with pm.fit"
    )


def _widen(graph: FunctionGraph) -> None:
    """Give JAX the types that PyTensor computes in: from narrower ones it would count to 127, or round to 24 bits."""
    for node in graph.toposort():
        for place, value in enumerate(node.inputs):
            if isinstance(node.op, ARange) and isinstance(value, Constant):
                graph.change_node_input(node, place, as_tensor(np.int64(value.data)), check=False)
            elif isinstance(node.op, Elemwise) and _is_narrow(value.type.dtype, node.outputs[0].dtype):
                graph.change_node_input(node, place, cast(value, node.outputs[0].dtype), check=False)


def _is_narrow(dtype: str, result: str) -> bool:
    return result.startswith("float") and dtype != result and dtype.startswith(("int", "uint", "float"))


def in_numpy(inputs: Sequence[Variable], outputs: Sequence[Variable], *rewrites: str) -> Callable[..., list[Any]]:
    """The function of `inputs` in NumPy, which compiles in a moment, and refuses indices that do not exist."""
    # PyMC 6's rewrite of constant indices fails with a page of text where they are out of range
    mode = get_mode("FAST_COMPILE").including(*rewrites).excluding("local_adv_idx_to_slice")
    function = pytensor.function(inputs, outputs, mode=mode, on_unused_input="ignore")

    def call(*arguments: Array) -> list[Any]:
        try:
            with np.errstate(all="ignore"):
                return list(function(*arguments))
        except IndexError as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"indices must exist, got {reason}: number groups from 0") from error

    return call


def shared(outputs: Iterable[Variable]) -> list[Any]:
    """Shared variables (`pm.Data`) that the outputs depend on."""
    found = [v for v in dict.fromkeys(ancestors(outputs)) if isinstance(v, SharedVariable)]
    return [v for v in found if not isinstance(v.type, RandomType)]


def value_of(variable: Any) -> np.ndarray:
    """Current value of a shared variable, a constant, or what follows from constants."""
    if isinstance(variable, SharedVariable):
        return np.asarray(variable.get_value(borrow=True))
    if isinstance(variable, Constant):
        return np.asarray(variable.data)
    (value,) = pm.pytensorf.constant_fold([variable], raise_not_constant=True)
    return np.asarray(value)


# --- minibatches ----------------------------------------------------------------------------------------------------


class Batches(NamedTuple):
    """The minibatches of a model: the arrays that their rows come from, as they are now, and the rows of a batch."""

    arrays: tuple[np.ndarray, ...]
    size: int | None
    like: tuple[Variable, ...]  # one for each argument of pm.Minibatch

    def fed_into(self, graphs: Sequence[Variable]) -> tuple[list[Variable], list[Variable]]:
        """Inputs to feed a batch to, and the graphs with these inputs in place of the minibatches."""
        inputs = [like.type() for like in self.like]
        nodes = minibatch_nodes(graphs)  # a call of pm.Minibatch can appear as several nodes
        replace = {node.outputs[place]: new for node in nodes for place, new in enumerate(inputs)}
        return inputs, clone_replace(graphs, replace)


def minibatch_nodes(outputs: Iterable[Variable]) -> list[Apply]:
    """The nodes of `pm.Minibatch` that the outputs depend on."""
    nodes = dict.fromkeys(v.owner for v in ancestors(outputs) if v.owner is not None)
    return [node for node in nodes if isinstance(node.op, MinibatchOp)]


def batches(outputs: Iterable[Variable]) -> Batches:
    """Find the minibatches; refuse several calls of `pm.Minibatch`, whose rows PyMC would draw independently."""
    nodes = minibatch_nodes(outputs)
    calls = {node.inputs[-1] for node in nodes}  # their random generators
    if len(calls) > 1:
        raise ValueError(
            f"pm.Minibatch must be called once, got {len(calls)} calls, whose rows PyMC draws independently of each "
            "other: pass all arrays to one call, X, y = pm.Minibatch(X, y, batch_size=…)"
        )
    if not nodes:
        return Batches((), None, ())
    values = [value_of(array) for array in nodes[0].inputs[:-1]]
    arrays = tuple(_checks.as_array(a, f"array {i} of pm.Minibatch", ndim=a.ndim) for i, a in enumerate(values))
    like = tuple(nodes[0].outputs[: len(arrays)])
    rows, size = len(arrays[0]), like[0].type.shape[0]
    if any(len(array) != rows for array in arrays):
        raise ValueError(f"arrays of pm.Minibatch must have equally many rows, got {[len(a) for a in arrays]}: mend it")
    if size > rows:
        raise ValueError(f"batch_size must lie in [1, {rows}] (rows of the data), got {size}: choose a smaller one")
    return Batches(arrays, size, like)
