"""Counter-based random numbers: the same bits in numpy, in C++ of any vector width, on any number of threads, and on CUDA.

A number is a pure function of (seed, stream, trial, step, unit); nothing is remembered between two of them. This file is
the definition of the stream layout, version `STREAM_LAYOUT`; the C++ and CUDA implementations follow it to the bit.

- Generator: Philox-4x32-10 with key ``(seed mod 2**32, seed div 2**32)`` and counter ``(c0, step, trial, stream)``.
- Unit ``j`` has ``c0 = (j // 64) * 16 + j % 16`` and word ``(j % 64) // 16`` of the four that come out: it does not depend on
  the size of the population, and sixteen neighbours come from sixteen neighbouring counters.
- ``uniform = (float32(word >> 8) + 0.5) * 2**-24``, in (0, 1]: it is never 0, and 1 only by rounding, once in 2**24.
- ``normal``: Box-Muller on pairs of words. Words (0, 1) give the numbers of words 0 (``r*cos``) and 1 (``r*sin``), words
  (2, 3) those of words 2 and 3. ``r = sqrt(-2 log(uniform))``, the angle is ``2 pi (word >> 8) * 2**-24``; logarithm, sine and
  cosine are polynomials in plain float32 arithmetic, each operation rounded, none fused.

References
----------
Salmon, Moraes, Dror & Shaw 2011, Parallel random numbers: as easy as 1, 2, 3, SC'11, doi 10.1145/2063384.2063405;
Box & Muller 1958, Ann. Math. Stat. 29:610, doi 10.1214/aoms/1177706645.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["STREAM_LAYOUT", "key_of", "normals", "normals_at", "philox4x32", "uniforms", "uniforms_at", "words"]

STREAM_LAYOUT = 1
F = np.float32
Float32 = npt.NDArray[np.float32]
UInt64 = npt.NDArray[np.uint64]
MASK, HALF_WORD = np.uint64(0xFFFFFFFF), np.uint64(32)
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
ROUNDS, BLOCK, LANES = 10, 64, 16
SCALE = F(1 / 16777216)


def key_of(seed: int) -> tuple[int, int]:
    """Return the two words of the key of a seed; ``0 <= seed < 2**64``. Different seeds have different keys."""
    return seed & 0xFFFFFFFF, seed >> 32


def philox4x32(
    counter: tuple[UInt64, UInt64, UInt64, UInt64], key: tuple[int, int]
) -> tuple[UInt64, UInt64, UInt64, UInt64]:  # fmt: skip
    """Return the four words of Philox-4x32-10 for each counter; words are 32-bit values in uint64, shapes broadcast."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        p0, p1 = MULTIPLIER_0 * c0, MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (
            (p1 >> HALF_WORD) ^ c1 ^ np.uint64(k0), p1 & MASK, (p0 >> HALF_WORD) ^ c3 ^ np.uint64(k1), p0 & MASK,
        )  # fmt: skip
        k0, k1 = (k0 + WEYL_0) & 0xFFFFFFFF, (k1 + WEYL_1) & 0xFFFFFFFF
    return c0, c1, c2, c3


def words(
    seed: int, stream: npt.ArrayLike, trial: npt.ArrayLike, step: npt.ArrayLike, n_units: int
) -> npt.NDArray[np.uint32]:
    """Return the raw words of units 0 to ``n_units - 1``.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.
    stream, trial, step : array_like of int
        Broadcast against each other; 0 to 2**32 - 1.
    n_units : int
        At least 1.

    Returns
    -------
    array of uint32, shape (..., n_units)
        With the broadcast shape in front.
    """
    lead = [np.asarray(value, dtype=np.uint64)[..., None] for value in (step, trial, stream)]
    blocks = -(-n_units // BLOCK)
    c0 = np.arange(blocks * LANES, dtype=np.uint64)
    out = philox4x32((c0, *lead), key_of(seed))  # type: ignore[arg-type]
    shape = np.broadcast_shapes(*(value.shape for value in out))
    stacked = np.stack([np.broadcast_to(word, shape).astype(np.uint32) for word in out], axis=-2)
    split = stacked.reshape(*shape[:-1], 4, blocks, LANES)
    return np.moveaxis(split, -3, -2).reshape(*shape[:-1], blocks * BLOCK)[..., :n_units]


def uniforms(
    seed: int, stream: npt.ArrayLike, trial: npt.ArrayLike, step: npt.ArrayLike, n_units: int
) -> Float32:
    """Return uniform numbers in (0, 1], shape (..., n_units); see `words`."""
    return _unit_interval(words(seed, stream, trial, step, n_units))


def normals(
    seed: int, stream: npt.ArrayLike, trial: npt.ArrayLike, step: npt.ArrayLike, n_units: int
) -> Float32:
    """Return numbers of the standard normal law, shape (..., n_units); see `words`.

    They lie within +-5.89, because a uniform number is at least 2**-25; the law beyond has probability 4e-9.
    """
    padded = -(-n_units // BLOCK) * BLOCK
    raw = words(seed, stream, trial, step, padded)
    quads = raw.reshape(*raw.shape[:-1], padded // BLOCK, 4, LANES)
    out = np.empty(quads.shape, dtype=F)
    for first in (0, 2):
        radius = np.sqrt(F(-2) * _log(_unit_interval(quads[..., first, :])))
        sine, cosine = _sine_and_cosine(_as_float(quads[..., first + 1, :]) * SCALE)
        out[..., first, :], out[..., first + 1, :] = radius * cosine, radius * sine
    return out.reshape(raw.shape)[..., :n_units]


def uniforms_at(
    seed: int, stream: npt.ArrayLike, trial: npt.ArrayLike, step: npt.ArrayLike, unit: npt.ArrayLike
) -> Float32:
    """Return uniform numbers in (0, 1] of single units, elementwise: the same as `uniforms` has for them."""
    raw, place = _words_at(seed, stream, trial, step, unit)
    return _unit_interval(np.take_along_axis(raw, place, axis=-1)[..., 0])


def normals_at(
    seed: int, stream: npt.ArrayLike, trial: npt.ArrayLike, step: npt.ArrayLike, unit: npt.ArrayLike
) -> Float32:
    """Return numbers of the standard normal law of single units, elementwise: the same as `normals` has for them."""
    raw, place = _words_at(seed, stream, trial, step, unit)
    first = place & ~1
    radius = np.sqrt(F(-2) * _log(_unit_interval(np.take_along_axis(raw, first, axis=-1))))
    sine, cosine = _sine_and_cosine(_as_float(np.take_along_axis(raw, first + 1, axis=-1)) * SCALE)
    return np.where(place & 1, radius * sine, radius * cosine)[..., 0]


def _words_at(
    seed: int, stream: npt.ArrayLike, trial: npt.ArrayLike, step: npt.ArrayLike, unit: npt.ArrayLike
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return the four words of each unit's counter, shape (..., 4), and which of them is its own, shape (..., 1)."""
    units = np.asarray(unit, dtype=np.int64)
    c0 = (units // BLOCK) * LANES + units % LANES
    counter = np.broadcast_arrays(*(np.asarray(part, dtype=np.uint64) for part in (c0, step, trial, stream)))
    out = philox4x32(tuple(counter), key_of(seed))  # type: ignore[arg-type]
    place = np.broadcast_to((units % BLOCK) // LANES, counter[0].shape)
    return np.stack([word.astype(np.uint32) for word in out], axis=-1), place[..., None]


def _as_float(word: npt.NDArray[np.uint32]) -> Float32:
    return (word >> np.uint32(8)).astype(np.int32).astype(F)


def _unit_interval(word: npt.NDArray[np.uint32]) -> Float32:
    return (_as_float(word) + F(0.5)) * SCALE


def _log(x: Float32) -> Float32:
    """Return the logarithm of normal float32 numbers > 0: exponent by bits, mantissa by the atanh series."""
    bits = x.view(np.uint32)
    exponent = (bits >> np.uint32(23)).astype(np.int32) - 127
    mantissa = ((bits & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)).view(F)
    big = mantissa > F(1.41421356)
    mantissa, exponent = np.where(big, mantissa * F(0.5), mantissa), exponent + big
    f = mantissa - F(1)
    s = f / (F(2) + f)
    z = s * s
    p = z * (F(0.66666667) + z * (F(0.4) + z * (F(0.28571429) + z * F(0.22222222))))
    return exponent.astype(F) * F(0.69314718) + s * (F(2) + p)


def _sine_and_cosine(turn: Float32) -> tuple[Float32, Float32]:
    """Return sine and cosine of ``turn`` whole turns, 0 <= turn < 1: reduced to an eighth of a turn, then Taylor series."""
    quarter = np.floor(turn * F(4) + F(0.5))
    r = (turn - quarter * F(0.25)) * F(6.2831853)
    z, q = r * r, quarter.astype(np.int32) & 3
    s = r * (F(1) + z * (F(-0.16666667) + z * (F(8.3333333e-3) + z * F(-1.9841270e-4))))
    c = F(1) + z * (F(-0.5) + z * (F(0.041666667) + z * (F(-1.3888889e-3) + z * F(2.4801587e-5))))
    a, b = np.where(q & 1, c, s), np.where(q & 1, s, c)
    return np.where(q & 2, -a, a), np.where((q + 1) & 2, -b, b)
