"""A `pm.Model`, read: its log density for JAX, its data and batches, where a fit starts, and what is wrong with it.

PyMC itself says what a model's log density is, checks of its parameters and indices included. JAX drops those checks
and clamps indices, so they are evaluated here, once, before a fit: where it starts and near there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytensor
from pymc.initial_point import make_initial_point_expression
from pymc.logprob.utils import CheckParameterValue
from pymc.variational.minibatch_rv import MinibatchRandomVariable
from pytensor.compile.mode import get_mode
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors

from bnn_course import _graph
from bnn_course._graph import Array, JaxFunction

PLAIN = "FAST_COMPILE"  # PyTensor evaluates in NumPy, which compiles in a moment and checks every index
NARROW = 32  # columns: wider arrays hold features, not labels or numbers of groups


@dataclass(frozen=True)
class Problem:
    """What a fit, NUTS, predictions and checkpoints start from; what is costly is done when it is first asked for."""

    model: pm.Model

    def __post_init__(self) -> None:
        if not isinstance(self.model, pm.Model):
            kind = type(self.model).__name__
            raise TypeError(f"model must be a pymc.Model, got {kind}: write `with pm.Model() as model`")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of PyMC's value variables: ``w``, ``tau_log__``, …"""
        return tuple(v.name for v in self.model.value_vars)

    @property
    def shared_values(self) -> list[np.ndarray]:
        """Current values of the shared variables (`pm.Data`) that the model depends on."""
        model = self.model
        used = [*model.basic_RVs, *model.rvs_to_values.values(), *model.potentials, *model.deterministics]
        return [_graph.value_of(v) for v in _graph.shared(used)]

    @cached_property
    def batches(self) -> _graph.Batches:
        """Minibatches, and the rows they come from, as they are now."""
        model = self.model
        found = _graph.batches([*model.basic_RVs, *model.rvs_to_values.values(), *model.potentials])
        for place, array in enumerate(found.arrays):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                row = np.argwhere(~np.isfinite(array))[0][0]
                raise ValueError(
                    f"data of a minibatch must be finite, got NaN or infinity in array {place} of pm.Minibatch, row "
                    f"{row}: remove or repair the row"
                )
        return found

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

        function: JaxFunction = _graph.once(self.model, ("log density", jacobian), make)
        return function

    def factors(self, point: Mapping[str, Array], batch: Sequence[Array], *, checks: bool = True) -> dict[str, Array]:
        """Parts of PyMC's own log density, by variable or potential; without `checks` as JAX would have them."""

        def make() -> Any:
            inputs, graphs = self.batches.fed_into(self.model.logp(sum=False))
            rewrite = "local_check_parameter_to_ninf_switch" if checks else "local_remove_check_parameter"
            # PyMC 6's rewrite of constant indices fails with a page of text where they are out of range
            mode = get_mode(PLAIN).including(rewrite).excluding("local_adv_idx_to_slice")
            inputs = [*self.model.value_vars, *inputs]
            return pytensor.function(inputs, graphs, mode=mode, on_unused_input="ignore")

        evaluate = _graph.once(self.model, ("factors", checks), make)
        names = [v.name for v in (*self.model.basic_RVs, *self.model.potentials)]
        with np.errstate(all="ignore"):
            return dict(zip(names, evaluate(*(point[name] for name in self.names), *batch), strict=True))

    # --- where a fit starts -----------------------------------------------------------------------------------------

    def start(self, given: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Unconstrained starting values; `given` holds constrained values by variable name, the rest is PyMC's."""
        model = self.model
        given = dict(given or {})
        unknown = set(given) - {rv.name for rv in model.free_RVs}
        if unknown:
            known = ", ".join(rv.name for rv in model.free_RVs)
            raise ValueError(f"start must name free variables ({known}), got {sorted(unknown)}: fix the name")
        for name, value in given.items():
            if np.shape(value) != self.shapes[name]:
                raise ValueError(
                    f"start of {name} must have shape {self.shapes[name]}, got {np.shape(value)}: reshape it"
                )
        expressions = make_initial_point_expression(
            free_rvs=model.free_RVs,
            rvs_to_transforms=model.rvs_to_transforms,
            initval_strategies={
                **model.rvs_to_initial_values,
                **{model[name]: np.asarray(value, dtype=model[name].dtype) for name, value in given.items()},
            },
            return_transformed=True,
        )
        values = pytensor.function([], expressions, mode=PLAIN)()
        point = {v.name: np.asarray(a, dtype=v.dtype) for v, a in zip(model.value_vars, values, strict=True)}
        for name, value in point.items():
            if not np.isfinite(value).all():
                raise ValueError(
                    f"start of {name} must be finite on the unconstrained scale, got "
                    f"{value[~np.isfinite(value)][0]}: start inside the support of the prior"
                )
        return point

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the free variables, on their own scale."""
        static = {rv.name: rv.type.shape for rv in self.model.free_RVs}
        if not any(None in shape for shape in static.values()):
            return static
        return {name: shape for name, shape in self.model.eval_rv_shapes().items() if name in static}

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
        for rv in model.observed_RVs:
            if self._is_batched(rv) and not isinstance(rv.owner.op, MinibatchRandomVariable):
                raise ValueError(
                    f"total_size of {rv.name} must be given because it is observed through pm.Minibatch, got None: "
                    f"pass total_size={len(self.batches.arrays[0])}, else the prior counts too much"
                )

    def refuse_total_size(self, meant: int | None) -> None:
        """Refuse data that count for another number of rows than there are, unless that number is `meant`."""
        for rv in self.model.observed_RVs:
            if isinstance(rv.owner.op, MinibatchRandomVariable) and rv.owner.inputs[1].type.ndim == 0:
                said = int(_graph.value_of(rv.owner.inputs[1]))
                data = self.batches.arrays[0] if self._is_batched(rv) else _graph.value_of(self.model.rvs_to_values[rv])
                if said not in (len(data), meant):
                    raise ValueError(
                        f"total_size of {rv.name} must be {len(data)}, the rows of the data, got {said}: correct it; "
                        f"if the data are to count for another number, pass total_size={said} to the fit, too"
                    )

    def _is_batched(self, rv: Variable) -> bool:
        return bool(_graph.minibatch_nodes([rv, self.model.rvs_to_values[rv]]))

    def check(self, point: Mapping[str, np.ndarray], *, finite: bool = True) -> None:
        """Refuse indices out of range and parameters that their distribution does not have, at `point` and near it.

        With `finite`, refuse a point where the log density is not finite, too.
        """
        batch = self._telling_batch()
        for distance in (0.0, 0.3, -0.3, 1.0, -1.0):
            rng = np.random.default_rng(0)
            moved = {n: np.asarray(v + distance * rng.normal(size=v.shape), v.dtype) for n, v in point.items()}
            try:
                factors = self.factors(moved, batch)
            except IndexError as error:
                reason = str(error).splitlines()[0]
                raise ValueError(f"indices of the model must exist, got {reason}: number groups from 0") from error
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
        checks = {v.owner.op.msg for v in variables if isinstance(v.owner.op, CheckParameterValue)}
        where = ", ".join(f"{n} = {np.ravel(v)[0]:.3g}" + " …" * (v.size > 1) for n, v in point.items())
        return (
            f"parameters of {name} must be those of its distribution ({'; '.join(sorted(map(str, checks)))}), got "
            f"others at {where}: transform them, as softmax does with the p of a Categorical"
        )

    def _outside(self, name: str, factor: np.ndarray, batch: Sequence[np.ndarray]) -> str:
        factor = np.asarray(factor)
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(factor))[0])
        what = f"log density of {name} must be finite where the fit starts, got {factor[place]}"
        rv = self.model.named_vars[name]
        value = self.model.rvs_to_values.get(rv)
        if value is None or rv in self.model.free_RVs:
            return f"{what}: pass start= with values inside the support of the model"
        inputs, graphs = self.batches.fed_into([value])
        observed = pytensor.function(inputs, graphs, mode=PLAIN, on_unused_input="ignore")(*batch)[0]
        row = observed[place] if len(place) <= observed.ndim else observed
        return (
            f"{what} for the observed value {row}" + (f" at index {place}" if place else "") + ": correct the data "
            "(labels are counted from 0), or start where they are possible"
        )

    # --- what follows from draws ------------------------------------------------------------------------------------

    def constrain(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Draws of the unconstrained values as draws of the free variables on their own scale."""
        model = self.model

        def make() -> Callable[..., Any]:
            call, constants = _graph.jax_function(model.value_vars, model.replace_rvs_by_values(model.free_RVs))
            return lambda *draws: jax.vmap(lambda *v: call(*v, *constants()))(*draws)

        names = [rv.name for rv in model.free_RVs]
        if any(model.rvs_to_transforms.values()):
            values = _graph.once(model, ("constrain",), make)(*values)
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}
