"""How well a model predicts the spikes of a recorded cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import DataError

__all__ = ["coincidence"]


@takes_numbers()
def coincidence(
    recorded_ms: npt.ArrayLike, predicted_ms: npt.ArrayLike, duration_ms: float, within_ms: float = 4.0
) -> float:
    """Return the coincidence factor of two spike trains: 1 is every spike in time, 0 what a Poisson train of that rate has.

    Parameters
    ----------
    recorded_ms, predicted_ms : array, shape (spike,)
        Spike times in ms.
    duration_ms : float
        Length of the recording in ms.
    within_ms : float
        How far apart two spikes may be to coincide, in ms. Each spike coincides at most once.

    Returns
    -------
    float
        Dimensionless (Kistler, Gerstner & van Hemmen 1997, Neural Comput. 9:1015, doi 10.1162/neco.1997.9.5.1015); 1 where both
        are silent, 0 where only one is.

    Raises
    ------
    DataError
        For a duration or precision that is not positive, or trains so dense that every spike would coincide by chance.
    """
    if not (duration_ms > 0 and within_ms > 0):
        raise DataError(f"coincidence: {duration_ms:g} ms, within {within_ms:g} ms; give positive numbers.")
    recorded, predicted = (np.sort(np.asarray(times, dtype=np.float64).ravel()) for times in (recorded_ms, predicted_ms))
    if not recorded.size or not predicted.size:
        return 1.0 if recorded.size == predicted.size else 0.0
    chance = 2 * within_ms * predicted.size / duration_ms
    if chance >= 1:
        raise DataError(
            f"coincidence: {predicted.size} spikes in {duration_ms:g} ms are as dense as {2 * within_ms:g} ms; give a smaller "
            "within_ms."
        )
    found = _matched(recorded, predicted, within_ms)
    return float((found - chance * recorded.size) / (0.5 * (recorded.size + predicted.size)) / (1 - chance))


def _matched(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], within: float) -> int:
    """Return how many spikes have a partner, each at most one, in order of time."""
    found = i = j = 0
    while i < first.size and j < second.size:
        if abs(first[i] - second[j]) <= within:
            found, i, j = found + 1, i + 1, j + 1
        elif first[i] < second[j]:
            i += 1
        else:
            j += 1
    return found
