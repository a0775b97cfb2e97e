"""What holds on four devices; `test_inference_devices.py` runs this in a process of its own, which has four."""

import functools
import re

import jax
import numpy as np
import optax
import pymc as pm
import pytensor
import pytest
from _refusals import refuses

from bnn_course import _graph, inference

RNG = np.random.default_rng(20)
X = RNG.normal(size=(200, 3))
Y = X @ [1.0, -2.0, 0.5] + RNG.normal(0, 0.7, 200)
FIT = {"optimizer": optax.adam(0.02), "random_seed": 1}
ROUNDING = {"float32": 1e-5, "float64": 1e-12}  # what it makes of sums in another order, in 400 steps


@functools.cache
def regression(dtype="float32", batch_size=20):
    with pytensor.config.change_flags(floatX=dtype), pm.Model() as model:
        x, y = X.astype(dtype), Y.astype(dtype)
        if batch_size:
            x, y = pm.Minibatch(x, y, batch_size=batch_size)
        w = pm.Normal("w", 0, 1, shape=3)
        pm.Normal("y", x @ w, pm.HalfNormal("sigma", 1), observed=y, total_size=200)
    return model


def mesh(devices=4, axis="batch"):
    return jax.make_mesh((devices,), (axis,), devices=jax.devices()[:devices])


@functools.cache
def fitted(dtype, devices=1, seed=1):
    where = None if devices == 1 else mesh(devices)
    return inference.advi(regression(dtype), steps=400, mesh=where, **FIT | {"random_seed": seed})


def differences(first, second):
    """The largest relative differences of the losses, the means and the standard deviations."""
    pairs = [(first.loss, second.loss), *((first.mean[n], second.mean[n]) for n in first.mean)]
    pairs += [(first.sd[n], second.sd[n]) for n in first.sd]
    return max(np.max(np.abs(a - b) / (1 + np.abs(b))) for a, b in pairs)


def test_there_are_four_devices():
    assert len(jax.devices()) == 4


@pytest.mark.parametrize(("dtype", "devices"), [("float32", 4), ("float64", 4), ("float64", 2)])
def test_a_fit_is_the_same_on_one_device_and_on_more(dtype, devices):
    """Step by step: with other rows or other noise, the first losses would differ by tenths."""
    one, more = fitted(dtype), fitted(dtype, devices)
    assert one.mean["w"].dtype == more.mean["w"].dtype == dtype
    assert differences(more, one) < ROUNDING[dtype]
    assert differences(more, fitted(dtype, seed=2)) > 0.1


def test_adam_of_the_package_is_the_same_too():
    plan = {"steps": 400, "learning_rate": 0.02, "random_seed": 1}
    one, four = (inference.advi(regression("float64"), mesh=where, **plan) for where in (None, mesh()))
    assert differences(four, one) < ROUNDING["float64"]


@pytest.mark.parametrize("sizes", [(1, 4), (4, 1), (4, 2)])
def test_a_fit_goes_on_on_other_devices(sizes, tmp_path):
    model = regression("float64")
    first, then = (None if devices == 1 else mesh(devices) for devices in sizes)
    half = inference.advi(model, steps=200, mesh=first, **FIT)
    half.save(tmp_path / "half.npz")
    for begun in (half, inference.load(tmp_path / "half.npz", model)):
        whole = inference.advi(model, steps=400, mesh=then, resume=begun, **FIT)
        assert differences(whole, fitted("float64")) < ROUNDING["float64"]


def test_a_checkpoint_says_nothing_of_devices(tmp_path):
    model = regression("float64")
    inference.advi(model, steps=400, mesh=mesh(), checkpoint=tmp_path / "fit.npz", **FIT)
    read = inference.advi(model, steps=400, checkpoint=tmp_path / "fit.npz", **FIT)  # complete: no step is taken
    assert read.step == 400 and differences(read, fitted("float64")) < ROUNDING["float64"]


def test_each_device_has_a_quarter_of_the_rows_and_gradients_are_summed(monkeypatch):
    programs = []

    def recorded(function):
        compiled = jax.jit(function)

        def call(*arguments):
            programs.append(compiled.lower(*arguments).compile().as_text())
            return compiled(*arguments)

        return call

    monkeypatch.setattr(_graph, "jit", recorded)
    model = regression.__wrapped__()  # anew, so that it is compiled
    inference.advi(model, steps=10, mesh=mesh(), **FIT)
    inference.advi(model, steps=10, **FIT)
    split, whole = programs[0], programs[-1]
    rows = [set(re.findall(r"s32\[512,(\d+)\]", program)) for program in (split, whole)]
    assert rows == [{"5"}, {"20"}]  # the row numbers of 512 steps
    assert "all-reduce" in split and "all-gather" not in split and "all-to-all" not in split
    assert "all-reduce" not in whole


@pytest.mark.parametrize(
    ("batch_size", "mesh_of", "error", "quantity", "received"),
    [
        (50, lambda: mesh(), ValueError, "batch_size of pm.Minibatch", "50"),
        (None, lambda: mesh(), ValueError, "batch_size of pm.Minibatch", "None"),
        (20, lambda: mesh(axis="rows"), ValueError, "axes of mesh", "('rows',)"),
        (20, lambda: jax.make_mesh((2, 2), ("batch", "model")), ValueError, "axes of mesh", "('batch', 'model')"),
        (20, lambda: 4, TypeError, "mesh", "int"),
        (20, lambda: jax.devices(), TypeError, "mesh", "list"),
    ],
)
def test_what_cannot_be_split_is_refused(batch_size, mesh_of, error, quantity, received):
    model = regression(batch_size=batch_size)
    refuses(lambda: inference.advi(model, steps=5, mesh=mesh_of(), **FIT), error, quantity, received)
