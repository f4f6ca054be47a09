"""What the paper measures on a trained network: as it does, and corrected where its analysis slipped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ei_brian.learn.engine.trials import Trials
from paper.engine import Loop
from paper.protocol import Setting

Floats = npt.NDArray[np.float32]
STANDARD = float(np.sqrt(-np.expm1(-2.0)))  # from the paper's normalisation to that of Houghton & Kreuz, where a spike is at 1 from silence
PUBLISHED_BATCHES, TRUE_BATCHES = {"Fashion-MNIST": 233, "SHD": 30}, {"Fashion-MNIST": 234, "SHD": 31}
AT_ONCE = 250


def distances(
    settings: Sequence[Setting], weights: tuple[Floats, Floats], data: Trials, n_images: int
) -> list[dict[str, float]]:
    """Return, for each setting (of the same weights, but for the ratio), the mean van Rossum distance of the pairs e-e, e-i and i-i of hidden cells, as the paper defines it.

    Each spike becomes ``exp(-k)``, k steps later: a time constant of one step. The distance of two cells in a trial is
    ``sqrt(sum over steps of (f_n - f_m)**2)``. It is averaged over images, then over the pairs of a kind, without pairs of a cell
    with itself. Times `STANDARD` it is that of Houghton & Kreuz 2012, but for what follows the last step.
    """
    p = settings[0].protocol
    loop = Loop(p, p.n_exc(settings[0].ratio), *weights)
    n = min(n_images, data.n_trials)
    total = np.zeros((p.hidden, p.hidden))
    for start in range(0, n, AT_ONCE):
        trials = np.arange(start, min(start + AT_ONCE, n))
        total += pair_distances(loop.raster(data, trials)).sum(axis=0)
    return [grouped(total / n, p.n_exc(setting.ratio)) for setting in settings]


def pair_distances(raster: npt.NDArray[np.uint8]) -> Floats:
    """Return the distance of each pair of cells in each trial, shape (trial, cell, cell), of spikes (trial, step, cell)."""
    f = raster.astype(np.float32)
    decay = np.float32(np.exp(-1.0))
    for step in range(1, f.shape[1]):
        f[:, step] += decay * f[:, step - 1]
    squared = np.ascontiguousarray(f.transpose(0, 2, 1)) @ f
    norm = np.diagonal(squared, axis1=1, axis2=2).copy()
    squared *= -2
    squared += norm[:, :, None]
    squared += norm[:, None, :]
    np.maximum(squared, 0, out=squared)  # below 0: equal trains, but for rounding
    return np.sqrt(squared, out=squared)


def grouped(matrix: npt.NDArray[np.float64], n_exc: int) -> dict[str, float]:
    """Return the mean over the pairs of each kind; nan where there are none."""
    n = len(matrix)
    upper = np.triu(np.ones((n, n), dtype=bool), 1)
    exc = np.arange(n) < n_exc
    kinds = {"ee": exc[:, None] & exc, "ei": exc[:, None] & ~exc, "ii": ~exc[:, None] & ~exc}
    return {kind: float(matrix[upper & pairs].mean()) if np.any(upper & pairs) else float("nan") for kind, pairs in kinds.items()}
