"""Robustness: what is left of the accuracy as noise grows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import DataError

__all__ = ["area_under_curve", "level_at_half"]

Floats = npt.NDArray[np.float64]


def _curve(levels: npt.ArrayLike, accuracies: npt.ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(levels, dtype=np.float64), np.asarray(accuracies, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or x.size < 2 or not np.all(np.diff(x) > 0):
        raise DataError(f"levels {x.shape}, accuracies {y.shape}; give at least two rising levels and a value for each.")
    return x, y


@takes_numbers()
def area_under_curve(levels: npt.ArrayLike, accuracies: npt.ArrayLike) -> float:
    """Return the mean accuracy over the range of levels, by trapezoids; the unit of the accuracy.

    1 for a network that noise does not touch, if it was always right.

    References
    ----------
    Averages over severities as Hendrycks & Dietterich 2019, ICLR, arXiv:1903.12261, do; trapezoids, because levels may be
    unevenly spaced, are ours.
    """
    x, y = _curve(levels, accuracies)
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


@takes_numbers()
def level_at_half(levels: npt.ArrayLike, accuracies: npt.ArrayLike, chance: float) -> float:
    """Return the level at which half of the accuracy above chance is left, in the unit of the levels.

    The first crossing of ``(accuracy at the first level + chance) / 2``, between two levels by a straight line; inf where the
    curve stays above it, nan where the network was never better than chance. The definition is ours.
    """
    x, y = _curve(levels, accuracies)
    if y[0] <= chance:
        return float("nan")
    half = (y[0] + chance) / 2
    below = np.flatnonzero(y <= half)
    if not below.size:
        return float("inf")
    index = int(below[0])
    return float(x[index - 1] + (y[index - 1] - half) / (y[index - 1] - y[index]) * (x[index] - x[index - 1]))
