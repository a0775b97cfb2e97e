"""A `pm.Model`, read: its log density for JAX, its data and batches, where a fit starts, and what is wrong with it.

PyMC itself says what a model's log density is, checks of its parameters and indices included. JAX drops those checks
and clamps indices, so they are evaluated here, once, before a fit: where it starts and near there.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
import pymc as pm
from pymc.initial_point import make_initial_point_expression
from pymc.logprob.utils import CheckParameterValue
from pymc.variational.minibatch_rv import MinibatchRandomVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors

from bnn_course import _checks, _graph
from bnn_course._graph import Array, JaxFunction

NARROW = 32  # columns: wider arrays hold features, not labels or numbers of groups
_MADE: weakref.WeakKeyDictionary[pm.Model, dict[Hashable, Any]] = weakref.WeakKeyDictionary()


def forget(kind: str) -> None:
    """Let go of what `Problem.once` keeps under this kind, for any model."""
    for made in _MADE.values():
        made.pop((kind,), None)


@dataclass(frozen=True)
class Problem:
    """What a fit, NUTS, predictions and checkpoints start from; what is costly is done when it is first asked for."""

    model: pm.Model

    def __post_init__(self) -> None:
        if not isinstance(self.model, pm.Model):
            kind = type(self.model).__name__
            raise TypeError(f"model must be a pymc.Model, got {kind}: write `with pm.Model() as model`")

    def once(self, kind: tuple[Hashable, ...], make: Callable[[], Any], *, of: Any = None) -> Any:
        """What `make` makes of the model: once, and anew for another `of`, other variables, or other shapes of data."""
        _graph.refuse_where_jax_cannot_run()
        key = ([v.name for v in self.variables], [a.shape for a in self.shared_values], of)
        made = _MADE.setdefault(self.model, {})
        if kind not in made or made[kind][0] != key:
            made[kind] = (key, make())
        return made[kind][1]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of PyMC's value variables: ``w``, ``tau_log__``, …"""
        return tuple(v.name for v in self.model.value_vars)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the free variables, on their own scale."""
        static = {rv.name: rv.type.shape for rv in self.model.free_RVs}
        if not any(None in shape for shape in static.values()):
            return static
        shapes = self.model.eval_rv_shapes()
        return {name: shapes[name] for name in static}

    @cached_property
    def variables(self) -> list[Variable]:
        """Random variables, deterministics and potentials."""
        return [*self.model.basic_RVs, *self.model.deterministics, *self.model.potentials]

    @property
    def shared_values(self) -> list[np.ndarray]:
        """Current values of the shared variables (`pm.Data`) that the model depends on."""
        return [_graph.value_of(v) for v in _graph.shared([*self.variables, *self.model.rvs_to_values.values()])]

    @cached_property
    def batches(self) -> _graph.Batches:
        """Minibatches, and the rows they come from, as they are now."""
        return _graph.batches([*self.variables, *self.model.rvs_to_values.values()])

    # --- the log density --------------------------------------------------------------------------------------------

    def log_density(self, *, jacobian: bool) -> JaxFunction:
        """``call(*values, *batch, *constants) -> [scalar]``, of unconstrained values."""

        def make() -> JaxFunction:
            inputs, graphs = self.batches.fed_into([self.model.logp(jacobian=jacobian)])
            function = _graph.jax_function([*self.model.value_vars, *inputs], graphs)
            like = [*self.start().values(), *(a[: self.batches.size] for a in self.batches.arrays)]
            try:
                with jax.enable_x64(True):
                    jax.eval_shape(function.call, *like, *function.constants())
            except Exception as error:
                raise _graph.cannot_run(error) from error
            return function

        function: JaxFunction = self.once(("log density", jacobian), make)
        return function

    def factors(self, point: Mapping[str, Array], batch: Sequence[Array], *, checks: bool = True) -> dict[str, Array]:
        """Parts of PyMC's own log density, by variable or potential; without `checks` as JAX would have them."""

        def make() -> Any:
            inputs, graphs = self.batches.fed_into(self.model.logp(sum=False))
            rewrite = "local_check_parameter_to_ninf_switch" if checks else "local_remove_check_parameter"
            return _graph.in_numpy([*self.model.value_vars, *inputs], graphs, rewrite)

        evaluate = self.once(("factors", checks), make)
        names = [v.name for v in (*self.model.basic_RVs, *self.model.potentials)]
        return dict(zip(names, evaluate(*(point[name] for name in self.names), *batch), strict=True))

    # --- where a fit starts -----------------------------------------------------------------------------------------

    def start(self, given: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Unconstrained starting values; `given` holds constrained values by variable name, the rest is PyMC's."""
        model, shapes = self.model, self.shapes
        values = dict(model.rvs_to_initial_values)
        for name, value in (given or {}).items():
            if name not in shapes:
                raise ValueError(f"start must name free variables ({', '.join(shapes)}), got {name}: fix the name")
            array = _checks.as_array(value, f"start of {name}", ndim=len(shapes[name]), shape=shapes[name])
            values[model[name]] = array.astype(model[name].dtype)
        expressions = make_initial_point_expression(
            free_rvs=model.free_RVs,
            rvs_to_transforms=model.rvs_to_transforms,
            initval_strategies=values,
            return_transformed=True,
        )
        start = _graph.in_numpy([], expressions)()
        return {v.name: np.asarray(a, dtype=v.dtype) for v, a in zip(model.value_vars, start, strict=True)}

    # --- refusals ---------------------------------------------------------------------------------------------------

    def refuse_unfit(self) -> None:
        """Refuse what no gradient can fit."""
        model = self.model
        if not model.observed_RVs and not model.potentials:
            raise ValueError("model must have observed data, got none: pass observed= to the likelihood")
        if not model.value_vars:
            raise ValueError("model must have free variables, got none: give at least one parameter a prior")
        if model.discrete_value_vars:
            names = [v.name for v in model.discrete_value_vars]
            raise ValueError(f"free variables must be continuous, got {names}: marginalise them, or use pm.sample")
        for name, rows, size in self._counted():
            if size is None:
                raise ValueError(
                    f"total_size of {name} must be given because it is observed through pm.Minibatch, got None: pass "
                    f"total_size={rows}, else the prior counts too much"
                )

    def refuse_total_size(self, meant: int | None) -> None:
        """Refuse data that count for another number of rows than there are, unless that number is `meant`."""
        for name, rows, size in self._counted():
            if size not in (rows, meant):
                raise ValueError(
                    f"total_size of {name} must be {rows}, the rows of the data, got {size}: correct it there; if the "
                    f"data are to count for another number, pass total_size={size} to the fit, too"
                )

    def refuse_mesh(self, mesh: Any) -> None:
        """Refuse devices over which the rows of a batch cannot be split evenly."""
        if not isinstance(mesh, jax.sharding.Mesh):
            kind = type(mesh).__name__
            raise TypeError(f'mesh must be a jax.sharding.Mesh, got {kind}: pass jax.make_mesh((4,), ("batch",))')
        if mesh.axis_names != ("batch",):
            raise ValueError(
                f"axes of mesh must be ('batch',), got {mesh.axis_names}: only rows are split over devices, "
                f'jax.make_mesh(({mesh.size},), ("batch",))'
            )
        rows, devices = self.batches.size, mesh.size
        if rows is None or rows % devices:
            more = ((rows or 0) // devices + 1) * devices
            raise ValueError(
                f"batch_size of pm.Minibatch must be a multiple of {devices}, the devices of mesh, got {rows}: write "
                f"X, y = pm.Minibatch(X, y, batch_size={more}), or pass another mesh"
            )

    def _counted(self) -> Iterator[tuple[str, int, int | None]]:
        """Name, rows of the data and total_size, if given, of what has a minibatch or a total_size."""
        for rv in self.model.observed_RVs:
            observed = self.model.rvs_to_values[rv]
            batched = bool(_graph.minibatch_nodes([rv, observed]))
            scaled = isinstance(rv.owner.op, MinibatchRandomVariable)
            if scaled and rv.owner.inputs[1].type.ndim:  # a size for each axis
                continue
            if batched or scaled:
                rows = len(self.batches.arrays[0] if batched else _graph.value_of(observed))
                yield rv.name, rows, int(_graph.value_of(rv.owner.inputs[1])) if scaled else None

    def check(self, point: Mapping[str, np.ndarray], *, finite: bool = True) -> None:
        """Refuse indices out of range and parameters that their distribution does not have, at `point` and near it.

        With `finite`, refuse a point where the log density is not finite, too.
        """
        batch = self._telling_batch()
        for distance in (0.0, 0.3, -0.3, 1.0, -1.0):
            rng = np.random.default_rng(0)
            moved = {n: np.asarray(v + distance * rng.normal(size=v.shape), v.dtype) for n, v in point.items()}
            factors = self.factors(moved, batch)
            broken = [name for name, factor in factors.items() if not np.isfinite(factor).all()]
            if broken and np.isfinite(self.factors(moved, batch, checks=False)[broken[0]]).all():
                raise ValueError(self._wrong_parameters(broken[0], moved))
            if broken and finite and distance == 0:
                raise ValueError(self._outside(broken[0], factors[broken[0]], batch))

    def _telling_batch(self) -> tuple[np.ndarray, ...]:
        """A batch with the rows where labels, numbers of groups and other narrow data are smallest and largest."""
        arrays, size = self.batches.arrays, self.batches.size or 0
        narrow = [a.reshape(len(a), -1) for a in arrays if a[0].size <= NARROW]
        extreme = [rows for a in narrow for rows in (a.argmin(axis=0), a.argmax(axis=0))]
        rows = list(dict.fromkeys(np.concatenate([*extreme, np.arange(size)])))[:size]
        return tuple(a[rows] for a in arrays)

    def _wrong_parameters(self, name: str, point: Mapping[str, np.ndarray]) -> str:
        variables = [v for v in ancestors(self.model.logp(sum=False)) if v.owner is not None]
        checks = {str(v.owner.op.msg) for v in variables if isinstance(v.owner.op, CheckParameterValue)}
        where = ", ".join(f"{n} = {np.ravel(v)[0]:.3g}" + " …" * (v.size > 1) for n, v in point.items())
        return (
            f"parameters of {name} must be those of its distribution ({'; '.join(sorted(checks))}), got others at "
            f"{where}: transform them, as softmax does with the p of a Categorical"
        )

    def _outside(self, name: str, factor: np.ndarray, batch: Sequence[np.ndarray]) -> str:
        place = _checks.first(~np.isfinite(factor))
        what = f"log density of {name} must be finite where the fit starts, got {np.asarray(factor)[place]}"
        if name not in [rv.name for rv in self.model.observed_RVs]:
            return f"{what}: pass start= with values inside the support of the model"
        inputs, graphs = self.batches.fed_into([self.model.rvs_to_values[self.model[name]]])
        (observed,) = _graph.in_numpy(inputs, graphs)(*batch)
        return (
            f"{what} for the observed value {observed[place[: observed.ndim]]} at index {place}: correct the data "
            "(labels are counted from 0), or start where they are possible"
        )

    def far_from_zero(self) -> list[str]:
        """Where data lie that have a column whose mean is more than three of its standard deviations from 0.

        Data have as many rows as what is observed: means and widths of a prior may lie where they like.
        """
        values = self.model.rvs_to_values
        rows = {len(a) for a in _arrays([values[rv] for rv in self.model.observed_RVs]) if a.ndim}
        found = []
        for array in _arrays([*self.variables, *values.values()]):
            if array.dtype.kind == "f" and array.ndim in (1, 2) and array.size and len(array) in rows:
                columns = array.reshape(len(array), -1)[:1_000].astype(float)
                mean, sd = columns.mean(axis=0), columns.std(axis=0)
                far = (np.ptp(columns, axis=0) > 0) & (np.abs(mean) > 3 * sd)
                found += [f"{m:.3g} ± {s:.2g}" for m, s in zip(mean[far], sd[far], strict=True)]
        return found

    # --- what follows from draws ------------------------------------------------------------------------------------

    def constrain(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Draws of the unconstrained values as draws of the free variables on their own scale."""
        model = self.model

        def make() -> Callable[..., Any]:
            function = _graph.jax_function(model.value_vars, model.replace_rvs_by_values(model.free_RVs))
            return lambda *draws: jax.vmap(lambda *v: function.call(*v, *function.constants()))(*draws)

        if any(model.rvs_to_transforms.values()):
            values = self.once(("constrain",), make)(*values)
        return {name: np.asarray(value) for name, value in zip(self.shapes, values, strict=True)}


def _arrays(graphs: Sequence[Variable]) -> list[np.ndarray]:
    """Values of the shared variables and the constants that the graphs are made of."""
    constants = [v for v in dict.fromkeys(ancestors(graphs)) if isinstance(v, Constant)]
    return [_graph.value_of(v) for v in (*_graph.shared(graphs), *constants)]
