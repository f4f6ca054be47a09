"""Delays of the paths between two layers of cells, in seconds until they are counted in steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.errors import DataError

__all__ = ["Delays"]

MOST = 100_000  # steps
WHOLE = 1e-4  # steps; NIR stores seconds as float32, so that 5 ms is 5.0000002 steps


@dataclass(frozen=True, slots=True, eq=False)
class Delays:
    """Delay of a synapse: ``every`` + that of its target + that of its source, in seconds."""

    every: float = 0.0
    target: npt.NDArray[np.float64] | None = None
    source: npt.NDArray[np.float64] | None = None
    synapse: npt.NDArray[np.int64] | None = None  # whole steps, shape of the weights (out, in)

    def same_as(self, other: Delays) -> bool:
        """Whether every synapse has the same delay in both."""
        return self.every == other.every and self.target is other.target and self.source is other.source and (
            self.synapse is other.synapse
        )

    def through(self, where: str, delay: Any, matrix: Any) -> Delays:
        """Return the delays with a layer of delays put before a path of weights ``matrix`` (None for one to one)."""
        seconds = np.asarray(delay, dtype=np.float64).ravel()
        if not np.isfinite(seconds).all() or np.any(seconds < 0):
            raise DataError(f"{where}.delay: {seconds.min()} to {seconds.max()} s; delays are finite and at least 0.")
        if np.all(seconds == seconds[0]):
            return replace(self, every=self.every + float(seconds[0]))
        if self.synapse is not None:
            raise DataError(f"{where}: unequal delays before weights that have delays of their own; add them there.")
        if matrix is None:
            return replace(self, target=seconds if self.target is None else self.target + seconds)
        return replace(self, source=seconds if self.source is None else self.source + seconds)

    def before(self, where: str, matrix: Any) -> Delays:
        """Return the delays with weights put before the path."""
        if self.synapse is not None and matrix is not None:
            raise DataError(
                f"{where}: weights before weights with delays of their own; a synapse would have several delays. Put a layer of "
                "neurons between them."
            )
        if self.source is not None and matrix is not None:
            raise DataError(
                f"{where}: weights before and after a layer of unequal delays; a synapse would have several delays. "
                "Put a layer of neurons between them, or one delay for all."
            )
        return self

    def of_synapses(self, where: str, steps: Any, weight: Any, matrix: Any) -> Delays:
        """Return the delays with one for each weight of a layer, in whole steps."""
        late = np.asarray(steps)
        if late.shape != np.shape(weight):
            raise DataError(f"{where}.delays: shape {late.shape}; one for each weight, {np.shape(weight)}.")
        if not np.isfinite(late).all() or np.any(late != np.rint(late)) or np.any(late < 0) or np.any(late > MOST):
            raise DataError(
                f"{where}.delays: {late.min()} to {late.max()}; whole steps from 0 to {MOST}. Round learnt delays as their "
                "authors do for the test: the position P (0 to K - 1) of a DCLS kernel of K steps is a delay of K - 1 - P."
            )
        if matrix is not None or self.target is not None or self.source is not None:
            raise DataError(
                f"{where}.delays: other weights or unequal delays stand between it and the cell. Delays of synapses are read "
                "where the weights lead straight to a layer of neurons."
            )
        return replace(self, synapse=late.astype(np.int64))

    def steps(self, where: str, weights: Any, dt_ms: float) -> Any:
        """Return whole steps: one number, or one per synapse in the order that `Projection` asks for."""
        if self.synapse is not None:
            late = self.synapse[weights.tocoo().coords] if sparse.issparse(weights) else self.synapse
            return (_whole(where, np.asarray(self.every), dt_ms) + late).astype(np.int32)
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
    if np.any(np.abs(steps - whole) > WHOLE) or np.any(whole > MOST):
        worst = steps.ravel()[np.argmax(np.abs(steps - whole))]
        raise DataError(f"{where}: a delay of {worst:g} steps of {dt_ms:g} ms; delays are whole steps, at most {MOST}.")
    return whole.astype(np.int32)
