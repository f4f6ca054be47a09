"""Deviations from the mean; none where nothing changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers

__all__ = ["deviations"]

Floats = npt.NDArray[np.float64]


@takes_numbers()
def deviations(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Return values less their mean along axes, by definition, in their shape, in the unit of the values; 0 where all are equal.

    The mean of equal numbers is not always that number (0.1 three times), and what rounding leaves must not pass for a change:
    correlations of it are -1, 0 or 1 by chance.
    """
    lowest, highest = values.min(axis, keepdims=True, initial=np.inf), values.max(axis, keepdims=True, initial=-np.inf)
    return np.where(lowest == highest, 0.0, values - values.mean(axis, keepdims=True))
