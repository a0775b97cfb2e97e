"""The hyperbolic tangent for Numba's loops, several numbers at a time.

PyTensor hands tanh to the C library, one number after another, which is a good part of what a gradient costs NUTS
(``python benchmarks/gradients.py``). Additions, products and one division instead are what LLVM computes for several
numbers at once. Importing this module has PyTensor use it in all that it compiles with Numba in double precision.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.link.numba.dispatch.scalar import numba_funcify_ScalarOp
from pytensor.scalar.basic import Tanh

TAYLOR = tuple(1 / math.factorial(k) for k in range(13, 0, -1))  # of exp(r) − 1
LOG2_E = 1 / math.log(2)
LN2_HIGH = math.ldexp(math.floor(math.ldexp(math.log(2), 32)), -32)  # times a small whole number it is exact
LN2_LOW = 1.90821492927058770002e-10  # ln 2 − LN2_HIGH, to 21 digits (fdlibm, s_expm1.c)
SHIFT = 1.5 * 2**52  # the last bits of a number near it are a whole number
LARGEST = 40.0  # of 2x: from there on tanh is ±1


@intrinsic  # type: ignore[untyped-decorator]
def _bits_of(context: Any, x: Any) -> Any:
    return types.int64(types.float64), lambda _, builder, signature, given: builder.bitcast(given[0], ir.IntType(64))


@intrinsic  # type: ignore[untyped-decorator]
def _number_of(context: Any, bits: Any) -> Any:
    return types.float64(types.int64), lambda _, builder, signature, given: builder.bitcast(given[0], ir.DoubleType())


@njit(fastmath={"contract"}, error_model="numpy")  # type: ignore[untyped-decorator]
def tanh(x: Any) -> Any:
    """e/(e + 2) for x ≥ 0 with e = exp(2x) − 1, where 2x = n ln 2 + r and |r| ≤ ln 2/2: to 5·10⁻¹⁶ of its value."""
    y = min(2 * abs(x), LARGEST)
    shifted = y * LOG2_E + SHIFT
    n = shifted - SHIFT  # y log₂e, rounded
    r = (y - n * LN2_HIGH) - n * LN2_LOW
    series = 0.0
    for coefficient in TAYLOR:
        series = (series + coefficient) * r
    power = _number_of((_bits_of(shifted) + 1023) << 52)  # 2ⁿ, from the bits of n
    e = power * series + (power - 1)
    return math.copysign(e / (e + 2), x)


@register_funcify_and_cache_key(Tanh)  # type: ignore[untyped-decorator]
def for_pytensor(op: Any, node: Any, **given: Any) -> Any:
    """The function that PyTensor compiles tanh to, and a key under which to keep what is compiled with it."""
    if node.inputs[0].type.dtype != "float64":
        return numba_funcify_ScalarOp(op, node=node, **given)
    return tanh, hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
