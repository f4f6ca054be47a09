"""Delays of the paths between two layers of cells, in seconds until they are counted in steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.errors import DataError

__all__ = ["Delays"]

WHOLE = 1e-4  # steps; NIR stores seconds as float32, so that 5 ms is 5.0000002 steps


@dataclass(frozen=True, slots=True, eq=False)
class Delays:
    """Delay of a synapse: ``every`` + that of its target + that of its source, in seconds."""

    every: float = 0.0
    target: npt.NDArray[np.float64] | None = None
    source: npt.NDArray[np.float64] | None = None

    def same_as(self, other: Delays) -> bool:
        """Whether every synapse has the same delay in both."""
        return self.every == other.every and self.target is other.target and self.source is other.source

    def through(self, where: str, delay: Any, matrix: Any) -> Delays:
        """Return the delays with a layer of delays put before a path of weights ``matrix`` (None for one to one)."""
        seconds = np.asarray(delay, dtype=np.float64).ravel()
        if not np.isfinite(seconds).all() or np.any(seconds < 0):
            raise DataError(f"{where}.delay: {seconds.min()} to {seconds.max()} s; delays are finite and at least 0.")
        if np.all(seconds == seconds[0]):
            return replace(self, every=self.every + float(seconds[0]))
        if matrix is None:
            return replace(self, target=seconds if self.target is None else self.target + seconds)
        return replace(self, source=seconds if self.source is None else self.source + seconds)

    def before(self, where: str, matrix: Any) -> Delays:
        """Return the delays with weights put before the path."""
        if self.source is not None and matrix is not None:
            raise DataError(
                f"{where}: weights before and after a layer of unequal delays; a synapse would have several delays. "
                "Put a layer of neurons between them, or one delay for all."
            )
        return self

    def steps(self, where: str, weights: Any, dt_ms: float) -> Any:
        """Return whole steps: one number, or one per synapse in the order that `Projection` asks for."""
        if self.target is None and self.source is None:
            return _whole(where, np.asarray(self.every), dt_ms).item()
        target = np.zeros(weights.shape[0]) if self.target is None else self.target
        source = np.zeros(weights.shape[1]) if self.source is None else self.source
        if sparse.issparse(weights):
            row, column = weights.tocoo().coords
            return _whole(where, self.every + target[row] + source[column], dt_ms)
        return _whole(where, self.every + target[:, None] + source, dt_ms)


def _whole(where: str, seconds: npt.NDArray[np.float64], dt_ms: float) -> npt.NDArray[np.int32]:
    steps = seconds * 1e3 / dt_ms
    whole = np.rint(steps)
    if np.any(np.abs(steps - whole) > WHOLE) or np.any(whole > 100_000):
        worst = steps.ravel()[np.argmax(np.abs(steps - whole))]
        raise DataError(f"{where}: a delay of {worst:g} steps of {dt_ms:g} ms; delays are whole steps, at most 100000.")
    return whole.astype(np.int32)
