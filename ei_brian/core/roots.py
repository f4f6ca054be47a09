"""Roots of many functions at once, each within its bracket."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ei_brian.core.quantity import FloatArray

__all__ = ["rising_root"]

SHARE = 2.0**-46  # how near a root is found, as a share of its bracket
MOST = 100  # evaluations; bisection alone takes 46


def rising_root(
    function: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray, rounding: FloatArray | None = None
) -> FloatArray:  # fmt: skip
    """Return where functions go from below zero to above it, by the method of Chandrupatla (1997, Adv. Eng. Softw. 28:145).

    Inverse quadratic interpolation where the function is nearly that, else bisection: some ten evaluations.

    Parameters
    ----------
    function : callable
        Given points, one for each function, returns their values; infinite ones are only bisected.
    low, high : array
        The brackets, of one shape.
    rounding : array, optional
        Values of the function that are as good as zero; none but zero unless given.

    Returns
    -------
    array
        The roots; ``low`` where a function is not below zero there, ``high`` where it is below zero everywhere.
    """
    tolerance = np.abs(high - low) * SHARE
    small = np.zeros(np.shape(low)) if rounding is None else rounding
    a, b = np.array(low), np.array(high)
    fa, fb = function(a), function(b)
    found = np.where(fa >= 0, a, np.where(fb < 0, b, np.nan))
    c, fc, part = a, fa, np.full(a.shape, 0.5)
    for _ in range(MOST):
        x = a + part * (b - a)
        fx = function(x)
        same = (fx < 0) == (fa < 0)
        b, fb, c, fc = np.where(same, b, a), np.where(same, fb, fa), np.where(same, a, b), np.where(same, fa, fb)
        a, fa = x, fx
        width = np.abs(b - a)
        best, least = np.where(np.abs(fb) < np.abs(fa), b, a), np.minimum(np.abs(fa), np.abs(fb))
        found = np.where(np.isnan(found) & ((width <= 2 * tolerance) | (least <= small)), best, found)
        if not np.isnan(found).any():
            break
        part = _next(a, b, c, fa, fb, fc)
        with np.errstate(divide="ignore", invalid="ignore"):
            nearest = np.where(width > 0, np.minimum(0.5, tolerance / width), 0.5)
        part = np.clip(part, nearest, 1 - nearest)
    return np.where(np.isnan(found), best, found)


def _next(a: FloatArray, b: FloatArray, c: FloatArray, fa: FloatArray, fb: FloatArray, fc: FloatArray) -> FloatArray:
    """Return the next point as a share of the way from ``a`` to ``b``."""
    with np.errstate(all="ignore"):
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        smooth = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
        part = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    made: FloatArray = np.where(smooth & np.isfinite(part), part, 0.5)
    return made
