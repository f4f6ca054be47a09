"""Competition within a population: of all neurons only the one furthest above its threshold may spike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["MARGIN", "WINNER", "winners"]

MARGIN = "margin"  # state by which neurons are compared
WINNER = "winner"  # state that is 1 in the neuron of largest margin, 0 in all others


def winners(margin: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return 1 for the neuron of largest margin in each trial (the first of equals), 0 for the others; shape (trial, neuron)."""
    found = np.zeros_like(margin)
    np.put_along_axis(found, margin.argmax(axis=1)[:, None], 1, axis=1)
    return found
