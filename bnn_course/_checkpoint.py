"""Fits as files: NumPy arrays, and what the fit is of, in words and numbers that mean the same in all versions of PyMC.

Of each variable the file says what it is, its shape, and what its part of the log density is at three points. Other
data, another prior or another formula change those numbers.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bnn_course import _files
from bnn_course._loop import Plan, State
from bnn_course._problem import Problem

Identity = dict[str, dict[str, Any]]  # by what is described: the method, or a variable of the model


def identity(problem: Problem, method: str, point: Mapping[str, np.ndarray], start_sd: float | None) -> Identity:
    """What a fit is of; `point` is where it starts."""
    model = problem.model
    batch = tuple(a[: problem.batches.size] for a in problem.batches.arrays)
    factors = [problem.factors(_nowhere_special(point, k), batch) for k in range(3)]
    where = {name: round(float(np.sum(np.cos(np.arange(a.size)) * a.ravel())), 4) for name, a in point.items()}
    found: Identity = {"method": {"is": method, "start": where, "start_sd": start_sd}}
    for rv in (*model.basic_RVs, *model.potentials):
        value = model.rvs_to_values.get(rv, rv)
        op = getattr(rv.owner, "op", rv)
        found[value.name if value.name in point else rv.name] = {
            "is": getattr(op, "name", None) or type(op).__name__,
            "shape": list(np.shape(point.get(value.name, factors[0][rv.name]))),
            "type": str(rv.dtype),
            "log density": [float(np.sum(parts[rv.name], dtype=float)) for parts in factors],
        }
    return found


def _nowhere_special(point: Mapping[str, np.ndarray], k: int) -> dict[str, np.ndarray]:
    """The k-th of the points at which models are compared, its numbers all different; no version of NumPy matters."""
    ends = np.cumsum([a.size for a in point.values()])
    numbers = 0.3 * np.sin(1 + k + np.arange(ends[-1]))
    parts = zip(point.items(), np.split(numbers, ends[:-1]), strict=True)
    return {name: part.reshape(a.shape).astype(a.dtype) for (name, a), part in parts}


def refuse_other(was: Identity, now: Identity) -> None:
    """Refuse a model that is not the fitted one; name what differs."""
    different = {}
    for name in dict.fromkeys([*was, *now]):
        a, b = was.get(name, {}), now.get(name, {})
        parts = [part for part in dict.fromkeys([*a, *b]) if part != "is" and not _alike(part, a, b)]
        if parts and name != "method":
            different[name] = ", ".join(f"{part} was {a.get(part)}, is {b.get(part)}" for part in parts)
    if different:
        said = "; ".join(f"{name}: {what}" for name, what in different.items())
        raise ValueError(
            f"model must be the fitted one, with the data it was fitted to, got differences ({said}): rebuild that "
            "model; new data go into the argument given of predict"
        )


def _alike(part: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a part of two descriptions is the same; log densities may differ by a constant, as PyMC 5 and 6 do."""
    if part == "log density" and part in was and part in now:
        size = float(np.max(np.abs(np.nan_to_num(was[part], posinf=0, neginf=0))))
        tolerance = (1e-4 if was["type"] == "float32" else 1e-7) * max(1.0, size)
        a, b = (np.subtract(values[part], values[part][0]) for values in (was, now))
        return bool(np.allclose(a, b, rtol=0, atol=tolerance, equal_nan=True))
    return bool(was.get(part) == now.get(part))


def write(path: Path, names: Sequence[str], plan: Plan, state: State, loss: np.ndarray, about: Identity) -> None:
    """Write a fit to `path`: whole or not at all."""
    arrays = {f"mean/{name}": a for name, a in zip(names, state.mean, strict=True)}
    arrays |= {f"log_sd/{name}": a for name, a in zip(names, state.log_sd, strict=False)}
    arrays |= {f"optimiser/{i}": a for i, a in enumerate(jax.tree.leaves(state.optimiser))}
    settings = plan._asdict() | {"optimizer": None if plan.optimizer is None else "given"}
    header = {"step": state.step, "plan": settings, "about": about}
    file = io.BytesIO()
    np.savez(file, **arrays, loss=loss, header=np.array(json.dumps(header)))
    try:
        _files.write_whole(path, file.getvalue())
    except OSError as error:
        raise OSError(
            error.errno,
            f"checkpoint must be a file in a folder with room that can be written to, got {path} ({error.strerror}): "
            "free some space or choose another folder",
        ) from error


def read(path: Path) -> tuple[Plan, State, np.ndarray, Identity]:
    """Read what `write` wrote; the optimiser's state is a list of its arrays."""
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint must be an existing file, got {path}: check the path, or fit and save")
    try:
        arrays = dict(np.load(io.BytesIO(path.read_bytes()), allow_pickle=False))
        header = json.loads(str(arrays["header"]))

        def parts(prefix: str) -> dict[str, np.ndarray]:
            return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}

        mean, log_sd, optimiser = parts("mean/"), parts("log_sd/"), list(parts("optimiser/").values())
        state = State(tuple(mean.values()), tuple(log_sd.values()), optimiser, header["step"])
        return Plan(**header["plan"]), state, arrays["loss"], header["about"]
    except Exception as error:
        raise ValueError(f"checkpoint must be a file written by save(), got an unreadable {path}: fit again") from error
