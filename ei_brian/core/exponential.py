"""The exponential function in plain arithmetic: one definition, the same bits in numpy, C++ and Cython.

``exp`` of a C library differs in the last bit between libraries and vector widths. This one uses only ``+ - *``, which IEEE
754 rounds in one way, so that a simulation with exponentials can be proven equal on every backend.

``x = n*ln 2 + r`` with ``|r| <= ln(2)/2`` (Cody & Waite 1980, ch. 6, with ln 2 in two parts), ``exp(r)`` by its Taylor
polynomial of degree 13 (next term below 5e-18) in Horner's form, ``2**n`` by the exponent bits. ``x`` is held within
[-708, 709], where the result is a normal number. The largest error is about one unit in the last place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["CPP", "CYTHON", "HIGHEST", "LOWEST", "exponential"]

LOWEST, HIGHEST = -708.0, 709.0
LOG2_E = 1.4426950408889634
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
ROUNDER = 6755399441055744.0  # 1.5 * 2**52: adding and taking it away rounds to a whole number
# 1/13!, 1/12!, … 1/2!, 1, 1
TAYLOR = (
    1.6059043836821613e-10, 2.08767569878681e-09, 2.505210838544172e-08, 2.755731922398589e-07, 2.7557319223985893e-06,
    2.48015873015873e-05, 0.0001984126984126984, 0.001388888888888889, 0.008333333333333333, 0.041666666666666664,
    0.16666666666666666, 0.5, 1.0, 1.0,
)  # fmt: skip


def exponential(x: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Return exp(x) elementwise, in double precision; float32 in gives float32 out."""
    given = np.asarray(x)
    wide = np.clip(given.astype(np.float64), LOWEST, HIGHEST)
    n = (wide * LOG2_E + ROUNDER) - ROUNDER
    r = (wide - n * LN2_HIGH) - n * LN2_LOW
    value = np.full_like(r, TAYLOR[0])
    for coefficient in TAYLOR[1:]:
        value = value * r + coefficient
    result = np.ldexp(value, n.astype(np.int32))
    return result.astype(given.dtype) if given.dtype == np.float32 else result


def _polynomial() -> str:
    return "\n".join(f"    value = value*r + {coefficient!r};" for coefficient in TAYLOR[1:])


CPP = f"""
#include <cstdint>
#include <cstring>
static inline double exponential(const double given)
{{
    const double upper = {HIGHEST!r} < given ? {HIGHEST!r} : given;  // what is not a number stays so, as in numpy
    const double x = {LOWEST!r} > upper ? {LOWEST!r} : upper;
    const double shifted = x*{LOG2_E!r} + {ROUNDER!r};
    const double n = shifted - {ROUNDER!r};
    const double r = (x - n*{LN2_HIGH!r}) - n*{LN2_LOW!r};
    double value = {TAYLOR[0]!r};
{_polynomial()}
    int64_t bits;
    std::memcpy(&bits, &shifted, 8);
    bits = (int64_t)((((uint64_t)bits) + 1023u) << 52);
    double power;
    std::memcpy(&power, &bits, 8);
    return value*power;
}}
static inline float exponential(const float given)
{{
    return (float)exponential((double)given);
}}
"""

CYTHON = f"""
from libc.math cimport ldexp

cdef double exponential(double given) noexcept:
    if given != given:
        return given
    cdef double x = min(max(given, {LOWEST!r}), {HIGHEST!r})
    cdef double n = (x*{LOG2_E!r} + {ROUNDER!r}) - {ROUNDER!r}
    cdef double r = (x - n*{LN2_HIGH!r}) - n*{LN2_LOW!r}
    cdef double value = {TAYLOR[0]!r}
{_polynomial().replace(";", "")}
    return ldexp(value, <int>n)
"""
