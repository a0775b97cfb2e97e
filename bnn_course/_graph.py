"""PyTensor graphs as JAX functions, and what was compiled for a model.

The log density stays the graph that `model.logp()` returns. Five things are changed in it, and nothing else: the
outputs of `pm.Minibatch` become inputs (so that a compiled loop can feed a new batch at each step), shared variables
and large constants become inputs too (JAX would bake them in), parameter assertions are dropped (`_problem` evaluates
them), row counters get 64 bits, and whole numbers become floating-point ones as wide as PyTensor would have them.
"""

from __future__ import annotations

import os
import re
import traceback
import warnings
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
from pymc.data import MinibatchOp
from pytensor import config
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

Array = Any  # of NumPy or JAX
ROUNDING = 1e-12  # of squared distances of order one
LARGE = 1_000  # constants with more elements than this become inputs of the compiled function


DAMAGED = "Error reading persistent compilation cache entry for '(.+?)'"

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


class JaxFunction(NamedTuple):
    """A graph for JAX: ``call(*inputs, *constants())``; `constants` reads the shared variables' current values."""

    call: Callable[..., Sequence[Array]]
    constants: Callable[[], tuple[np.ndarray, ...]]


def jax_function(inputs: Iterable[Variable], outputs: Iterable[Variable]) -> JaxFunction:
    """Return the function of `inputs` that computes `outputs`."""
    outputs = list(outputs)
    lifted = [v for v in shared(outputs, large_constants=True)]
    stand_ins = [v.type() for v in lifted]
    if lifted:
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
            elif isinstance(node.op, Elemwise) and _rounds(node, value):
                wide = np.promote_types(node.outputs[0].dtype, config.floatX)
                graph.change_node_input(node, place, cast(value, str(wide)), check=False)


def _rounds(node: Apply, value: Variable) -> bool:
    whole = getattr(value, "dtype", "").startswith(("int", "uint"))
    return bool(whole and node.outputs[0].dtype.startswith("float"))


def shared(outputs: Iterable[Variable], *, large_constants: bool = False) -> list[Any]:
    """Shared variables (`pm.Data`) that the outputs depend on, and if wanted the large constants, too."""
    return [
        v
        for v in dict.fromkeys(ancestors(outputs))
        if not isinstance(v.type, RandomType)
        and (isinstance(v, SharedVariable) or (large_constants and isinstance(v, Constant) and np.size(v.data) > LARGE))
    ]


def value_of(variable: Any) -> np.ndarray:
    """Current value of a shared variable, a constant, or what follows from constants."""
    if isinstance(variable, SharedVariable):
        return np.asarray(variable.get_value(borrow=True))
    if isinstance(variable, Constant):
        return np.asarray(variable.data)
    (value,) = pm.pytensorf.constant_fold([variable], raise_not_constant=True)
    return np.asarray(value)


class Batches(NamedTuple):
    """The minibatches of a model: the arrays that their rows come from, as they are now, and the rows of a batch."""

    arrays: tuple[np.ndarray, ...]
    size: int | None
    like: tuple[Variable, ...]  # one for each argument of pm.Minibatch

    def fed_into(self, graphs: Iterable[Variable]) -> tuple[list[Variable], list[Variable]]:
        """Inputs to feed a batch to, and the graphs with these inputs in place of the minibatches."""
        inputs = [like.type() for like in self.like]
        nodes = minibatch_nodes(graphs)  # a call of pm.Minibatch can appear as several nodes
        replace = {node.outputs[place]: new for node in nodes for place, new in enumerate(inputs)}
        return inputs, clone_replace(graphs, replace) if replace else list(graphs)


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
    arrays = tuple(value_of(array) for array in nodes[0].inputs[:-1])
    like = tuple(nodes[0].outputs[: len(arrays)])
    rows, size = len(arrays[0]), like[0].type.shape[0]
    if any(len(array) != rows for array in arrays):
        raise ValueError(f"arrays of pm.Minibatch must have equally many rows, got {[len(a) for a in arrays]}: mend it")
    if size > rows:
        raise ValueError(f"batch_size must lie in [1, {rows}] (rows of the data), got {size}: choose a smaller one")
    return Batches(arrays, size, like)


_COMPILED: weakref.WeakKeyDictionary[pm.Model, dict[Hashable, Any]] = weakref.WeakKeyDictionary()


def once(model: pm.Model, key: tuple[Hashable, ...], make: Callable[[], Any], *, of: Any = None) -> Any:
    """Return ``make()``, made once per model and `key`, and again for another `of`, variables, or shapes of data."""
    _refuse_fork()
    variables = [*model.basic_RVs, *model.deterministics, *model.potentials]
    shapes = tuple(value_of(v).shape for v in shared([*variables, *model.rvs_to_values.values()]))
    full_key = (key, tuple(v.name for v in variables), shapes)
    compiled = _COMPILED.setdefault(model, {})
    if full_key not in compiled or compiled[full_key][0] is not of:
        compiled[full_key] = (of, make())
    return compiled[full_key][1]


_FIRST: int | None = None  # the process that computed first


def _refuse_fork() -> None:
    """A process that is forked later would wait for ever for JAX's threads, which do not come along."""
    global _FIRST
    _FIRST = _FIRST or os.getpid()
    if os.getpid() != _FIRST:
        raise RuntimeError(
            f"fits must run in the process of the first fit ({_FIRST}) or in one that was spawned, got {os.getpid()}, "
            "forked after it: use multiprocessing.get_context('spawn'), or joblib"
        )


def forget(kind: str) -> None:
    """Let go of what `once` keeps, for any model, under a key that begins with `kind`."""
    for compiled in _COMPILED.values():
        for made in [made for made in compiled if made[0][0] == kind]:  # type: ignore[index]
            del compiled[made]


def to_device(arrays: Iterable[Array]) -> tuple[jax.Array, ...]:
    """Arrays as JAX arrays of the same dtype; on the CPU, JAX reads those at multiples of 64 bytes where they are."""
    return tuple(jax.device_put(np.asarray(a)) for a in arrays)
