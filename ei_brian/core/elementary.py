"""Square root, logarithm, sine and cosine in plain arithmetic: one definition each, the same bits in numpy, C++ and Cython.

As `exponential`: a C library's ``log`` and ``sin`` differ in the last bit between libraries and vector widths, these do not.

- ``square_root``: IEEE 754 rounds it in one way, so the processor's own serves.
- ``logarithm``: ``x = m*2**n`` with ``sqrt(1/2) <= m < sqrt(2)``; ``log m`` by the series of the inverse hyperbolic tangent in
  ``(m - 1)/(m + 1)`` to the 21st power (next term below 1e-18), ``n*ln 2`` in two parts. Minus infinity below the smallest normal
  number, not a number below zero.
- ``sine``, ``cosine``: ``x = n*pi/2 + r`` with ``|r| <= pi/4``, pi/2 in three parts (Cody & Waite 1980, ch. 8); Taylor
  polynomials to the 17th and 16th power. Exact
  to about one unit in the last place of 1 for ``|x| < 1e6``; beyond, digits are lost alike
  everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.exponential import LN2_HIGH, LN2_LOW, ROUNDER

__all__ = ["CPP", "CYTHON", "cosine", "logarithm", "sine", "square_root"]

Floats = npt.NDArray[np.floating]
SMALLEST = 2.2250738585072014e-308
LARGEST = 1.7976931348623157e308
ROOT_HALF = 0.7071067811865476
TWO_OVER_PI = 0.6366197723675814
HALF_PI = (float.fromhex("0x1.921fb54400000p+0"), float.fromhex("0x1.0b4611a600000p-34"), float.fromhex("0x1.3198a2e037073p-69"))
# 2/21, 2/19, … 2/3
ATANH = tuple(2 / n for n in range(21, 1, -2))
# of sine in r*r, from r**17 on: 1/17!, -1/15!, … -1/3!; of cosine: 1/16!, -1/14!, … -1/2!, 1
SINE = (
    2.8114572543455206e-15, -7.647163731819816e-13, 1.6059043836821613e-10, -2.505210838544172e-08, 2.7557319223985893e-06,
    -0.0001984126984126984, 0.008333333333333333, -0.16666666666666666,
)  # fmt: skip
COSINE = (
    4.779477332387385e-14, -1.1470745597729725e-11, 2.08767569878681e-09, -2.755731922398589e-07, 2.48015873015873e-05,
    -0.001388888888888889, 0.041666666666666664, -0.5, 1.0,
)  # fmt: skip


def _narrow(result: npt.NDArray[np.float64], given: npt.NDArray[np.generic]) -> Floats:
    with np.errstate(over="ignore"):
        return result.astype(np.float32) if given.dtype == np.float32 else result


def square_root(x: npt.ArrayLike) -> Floats:
    """Return the square root elementwise; not a number below zero."""
    given = np.asarray(x)
    with np.errstate(all="ignore"):
        return _narrow(np.sqrt(given.astype(np.float64)), given)


def logarithm(x: npt.ArrayLike) -> Floats:
    """Return the natural logarithm elementwise, in double precision; float32 in gives float32 out."""
    given = np.asarray(x)
    wide = given.astype(np.float64)
    fits = (wide >= SMALLEST) & (wide <= LARGEST)
    part, power = np.frexp(np.where(fits, wide, 1.0))
    low = part < ROOT_HALF
    f = np.where(low, part + part, part) - 1.0
    n = power.astype(np.float64) - low
    s = f / (2.0 + f)
    z = s * s
    series = np.full_like(z, ATANH[0])
    for coefficient in ATANH[1:]:
        series = series * z + coefficient
    half = 0.5 * f * f
    result = n * LN2_HIGH - ((half - (s * (half + z * series) + n * LN2_LOW)) - f)
    other = np.where(wide > LARGEST, np.inf, np.where(wide >= 0.0, -np.inf, np.nan))
    return _narrow(np.where(fits, result, other), given)


def _turned(x: npt.NDArray[np.float64], quarter: float) -> npt.NDArray[np.float64]:
    """Return the sine of x, advanced by quarter turns."""
    n = (x * TWO_OVER_PI + ROUNDER) - ROUNDER
    r = ((x - n * HALF_PI[0]) - n * HALF_PI[1]) - n * HALF_PI[2]
    n = n + quarter
    turn = n - 4.0 * ((n * 0.25 + ROUNDER) - ROUNDER)  # -2, -1, 0, 1 or 2
    z = r * r
    odd, even = np.full_like(z, SINE[0]), np.full_like(z, COSINE[0])
    for coefficient in SINE[1:]:
        odd = odd * z + coefficient
    for coefficient in COSINE[1:]:
        even = even * z + coefficient
    odd = r + r * z * odd
    size = np.where((turn == 0.0) | (turn * turn == 4.0), odd, even)
    return np.where((turn == -1.0) | (turn * turn == 4.0), -size, size)


def sine(x: npt.ArrayLike) -> Floats:
    """Return the sine elementwise, in double precision; float32 in gives float32 out."""
    given = np.asarray(x)
    with np.errstate(all="ignore"):
        return _narrow(_turned(given.astype(np.float64), 0.0), given)


def cosine(x: npt.ArrayLike) -> Floats:
    """Return the cosine elementwise, in double precision; float32 in gives float32 out."""
    given = np.asarray(x)
    with np.errstate(all="ignore"):
        return _narrow(_turned(given.astype(np.float64), 1.0), given)


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a line of arithmetic is written."""

    declare: str
    end: str

    def line(self, name: str, value: str, new: bool = True) -> str:
        return f"    {self.declare if new else ''}{name} = {value}{self.end}"

    def horner(self, name: str, z: str, coefficients: tuple[float, ...]) -> list[str]:
        more = [self.line(name, f"{name}*{z} + {each!r}".replace("+ -", "- "), new=False) for each in coefficients[1:]]
        return [self.line(name, repr(coefficients[0])), *more]

    def logarithm(self) -> str:
        """Return the lines from ``part`` and ``power`` on."""
        return "\n".join([
            self.line("s", "f/(2.0 + f)"), self.line("z", "s*s"), *self.horner("series", "z", ATANH),
            self.line("half", "0.5*f*f"),
            f"    return n*{LN2_HIGH!r} - ((half - (s*(half + z*series) + n*{LN2_LOW!r})) - f){self.end}",
        ])  # fmt: skip

    def turned(self) -> str:
        """Return the lines of the sine of ``x`` advanced by ``quarter`` up to ``turn``, ``odd`` and ``even``."""
        a, b, c = HALF_PI
        return "\n".join([
            self.line("whole", f"(x*{TWO_OVER_PI!r} + {ROUNDER!r}) - {ROUNDER!r}"),
            self.line("r", f"((x - whole*{a!r}) - whole*{b!r}) - whole*{c!r}"),
            self.line("n", "whole + quarter"), self.line("turn", f"n - 4.0*((n*0.25 + {ROUNDER!r}) - {ROUNDER!r})"),
            self.line("z", "r*r"), *self.horner("part", "z", SINE), *self.horner("even", "z", COSINE),
            self.line("odd", "r + r*z*part"),
        ])  # fmt: skip


_C, _PYX = _Dialect("double ", ";"), _Dialect("cdef double ", "")


def _floats(name: str) -> str:
    return f"static inline float {name}(const float given)\n{{\n    return (float){name}((double)given);\n}}\n"


_TURNED_CPP = f"""static inline double ei_turned(const double x, const double quarter)
{{
{_C.turned()}
    const double size = (turn == 0.0 || turn*turn == 4.0) ? odd : even;
    return (turn == -1.0 || turn*turn == 4.0) ? -size : size;
}}
"""
_ONCE = "#ifndef EI_TURNED\n#define EI_TURNED\n{}#endif\n"

CPP = {
    "square_root": f"""
#include <cmath>
static inline double square_root(const double given)
{{
    return sqrt(given);
}}
{_floats("square_root")}""",
    "logarithm": f"""
#include <cmath>
#include <cstdint>
#include <cstring>
static inline double logarithm(const double given)
{{
    if (!(given >= {SMALLEST!r} && given <= {LARGEST!r}))
        return given > {LARGEST!r} ? given : (given >= 0.0 ? -INFINITY : NAN);
    int64_t bits;
    std::memcpy(&bits, &given, 8);
    int64_t power = (bits >> 52) - 1022;
    bits = (bits & 0x000fffffffffffffLL) | 0x3fe0000000000000LL;
    double m;
    std::memcpy(&m, &bits, 8);
    if (m < {ROOT_HALF!r}) {{ m = m + m; power = power - 1; }}
    const double f = m - 1.0;
    const double n = (double)power;
{_C.logarithm()}
}}
{_floats("logarithm")}""",
    "sine": f"""
{_ONCE.format(_TURNED_CPP)}static inline double sine(const double given)
{{
    return ei_turned(given, 0.0);
}}
{_floats("sine")}""",
    "cosine": f"""
{_ONCE.format(_TURNED_CPP)}static inline double cosine(const double given)
{{
    return ei_turned(given, 1.0);
}}
{_floats("cosine")}""",
}


def _turned_cython(name: str, quarter: float) -> str:
    return f"""
cdef double {name}(double x) noexcept:
    cdef double quarter = {quarter!r}
{_PYX.turned()}
    cdef double size = odd if (turn == 0.0 or turn*turn == 4.0) else even
    return -size if (turn == -1.0 or turn*turn == 4.0) else size
"""


CYTHON = {
    "square_root": """
from libc.math cimport sqrt as c_square_root

cdef double square_root(double given) noexcept:
    return c_square_root(given)
""",
    "logarithm": f"""
from libc.math cimport frexp as c_frexp, INFINITY as c_infinity, NAN as c_nan

cdef double logarithm(double given) noexcept:
    if not (given >= {SMALLEST!r} and given <= {LARGEST!r}):
        return given if given > {LARGEST!r} else (-c_infinity if given >= 0.0 else c_nan)
    cdef int power = 0
    cdef double m = c_frexp(given, &power)
    if m < {ROOT_HALF!r}:
        m = m + m
        power = power - 1
    cdef double f = m - 1.0
    cdef double n = power
{_PYX.logarithm()}
""",
    "sine": _turned_cython("sine", 0.0),
    "cosine": _turned_cython("cosine", 1.0),
}
