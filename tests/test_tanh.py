"""`bnn_course._tanh`: as accurate as the C library's, used by PyTensor, and computed several at a time."""

import re

import bnn_course  # isort: skip  # noqa: F401  (sets PyTensor up before it is imported)
import numba
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from bnn_course import _tanh

SIZES = np.concatenate([np.geomspace(1e-300, 1e-3, 20_001), np.linspace(1e-3, 30, 200_001)])


@numba.njit
def in_a_loop(x, out):
    for i in range(len(x)):
        out[i] = _tanh.tanh(x[i])


def ours(x):
    out = np.empty_like(x)
    in_a_loop(x, out)
    return out


@pytest.mark.parametrize("sign", [1, -1])
def test_it_differs_from_the_exact_tanh_by_rounding(sign):
    exact = np.tanh(np.longdouble(sign) * SIZES)
    if np.finfo(np.longdouble).nmant < 60:
        pytest.skip("no number on this machine is longer than a double")
    assert np.abs(ours(sign * SIZES) / exact - 1).max() < 5e-16


def test_it_is_odd_and_stays_in_its_bounds():
    assert np.array_equal(ours(-SIZES), -ours(SIZES))
    assert np.abs(ours(SIZES)).max() == 1


def test_infinities_nan_and_the_sign_of_zero_are_those_of_numpy():
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e300, 5e-324])
    np.testing.assert_array_equal(ours(x), np.tanh(x))
    np.testing.assert_array_equal(np.signbit(ours(x)), np.signbit(np.tanh(x)))


def test_numba_computes_several_at_a_time():
    ours(SIZES)
    (code,) = in_a_loop.inspect_asm().values()
    assert re.search(r"divpd|fdiv\s+v\d+\.2d", code), "no division of several numbers in the compiled loop"


def compiled(dtype):
    x = pt.vector("x", dtype=dtype)
    return pytensor.function([x], [pt.tanh(x), pt.tanh(2 * x) - 1], mode="NUMBA")


def test_pytensor_uses_it_for_double_precision():
    values = np.linspace(-20, 20, 1_000)
    alone, fused = compiled("float64")(values)
    np.testing.assert_array_equal(alone, ours(values))
    np.testing.assert_array_equal(fused, ours(2 * values) - 1)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_other_types_are_left_to_pytensor(dtype):
    values = np.arange(-20, 20).astype(dtype)
    alone, fused = compiled(dtype)(values)
    assert alone.dtype == pt.tanh(pt.vector(dtype=dtype)).dtype
    np.testing.assert_allclose(alone, np.tanh(values.astype("float64")), rtol=1e-6)
    np.testing.assert_allclose(fused, np.tanh(2.0 * values) - 1, atol=1e-6)


def test_a_gradient_of_a_network_is_that_of_the_c_library():
    rng = np.random.default_rng(2017)
    with pm.Model() as model:
        inner = pm.Normal("inner", shape=(2, 8))
        pm.Normal("y", pm.math.tanh(rng.normal(size=(100, 2)) @ inner).sum(axis=1), 0.1, observed=rng.normal(size=100))
    at = {"inner": rng.normal(size=(2, 8))}
    numba_s = model.compile_dlogp(mode="NUMBA")(at)
    np.testing.assert_allclose(numba_s, model.compile_dlogp(mode="FAST_COMPILE")(at), rtol=1e-10)
