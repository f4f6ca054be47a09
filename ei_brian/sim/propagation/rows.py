"""Shared weights in numpy: spikes of many trials add rows of one table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.sim.tables import Table

__all__ = ["add_rows"]

Array = npt.NDArray[np.floating]
Index = npt.NDArray[np.integer]


def add_rows(
    target: Array, trial: Index, unit: Index, size: Array | None, table: Table, factors: Array | None = None
) -> None:
    """Add to each trial the rows of its events, in ascending order of the unit.

    Parameters
    ----------
    target : array, shape (trial, n_target)
        Changed in place.
    trial, unit : array of int, shape (n_events,)
        Sorted by trial, then unit.
    size : array, shape (n_events,), or None
        What each event multiplies its row with; None for 1.
    table : Table
        The rows.
    factors : array, shape (n_events, n_target), optional
        What scales the synapses of each event: release noise.
    """
    if not trial.size:
        return
    first = np.searchsorted(trial, np.arange(target.shape[0] + 1))
    rank = np.arange(trial.size) - first[trial]
    order = np.argsort(rank, kind="stable")
    bounds = np.searchsorted(rank[order], np.arange(int(rank.max()) + 2))
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        now = order[begin:end]
        rows = _rows(table, unit[now])
        rows = rows if factors is None else rows * factors[now]
        target[trial[now]] += rows if size is None else size[now, None] * rows


def _rows(table: Table, units: Index) -> Any:
    return table.rows[units].toarray() if table.sparse else table.rows[units]
