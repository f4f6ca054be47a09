"""Weights by source, and how the spikes of many trials add their rows: the order of the sum is part of what is promised."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.projection import Projection

__all__ = ["Events", "add_rows", "delay_tables"]

Array = npt.NDArray[np.floating]
Events = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array]
AT_ONCE = 2**21  # synapses whose indices are held in memory at a time


def delay_tables(projection: Projection, dtype: npt.DTypeLike, scale: float) -> tuple[tuple[int, Any], ...]:
    """Return a table (n_source, n_target) of weights for each delay, the longest first.

    Parameters
    ----------
    projection : Projection
        The synapses.
    dtype : float64 or float32
        Precision of the weights.
    scale : float
        Size of the unit of the port in SI.

    Returns
    -------
    tuple of (int, array or csr_array)
        A csr_array without zeros, targets in ascending order, where the projection is sparse.
    """
    if projection.sparse:
        return _sparse_tables(projection, dtype, scale)
    weights = np.multiply(projection.weights.T, scale, dtype=np.float64, order="C").astype(dtype, copy=False)
    delays: Any = projection.delay_steps
    if np.ndim(delays) == 0:
        return ((int(delays), weights),)
    late = delays.T
    return tuple((step, np.where(late == step, weights, 0).astype(dtype)) for step in _longest_first(late[weights != 0]))


def _sparse_tables(projection: Projection, dtype: npt.DTypeLike, scale: float) -> tuple[tuple[int, Any], ...]:
    table: Any = projection.weights
    delays: Any = projection.delay_steps
    values = np.multiply(table.data, scale, dtype=np.float64).astype(dtype, copy=False)
    if np.ndim(delays) == 0:
        return ((int(delays), _by_source(values, table, slice(None))),)
    return tuple((step, _by_source(values, table, delays == step)) for step in _longest_first(delays[values != 0]))


def _longest_first(steps: Any) -> list[int]:
    return sorted(set(np.unique(steps).tolist()), reverse=True)


def _by_source(values: Any, table: Any, chosen: Any) -> Any:
    if isinstance(chosen, slice):
        part = sparse.csc_array((values, table.indices, table.indptr), shape=table.shape[::-1])
    else:
        first = np.concatenate(([0], np.cumsum(chosen)))[table.indptr]
        part = sparse.csc_array((values[chosen], table.indices[chosen], first), shape=table.shape[::-1])
    rows = sparse.csr_array(part.tocsr())
    rows.eliminate_zeros()
    rows.sort_indices()
    return rows


def add_rows(target: Array, events: Events, table: Any, factors: Array | None = None) -> None:
    """Add to each trial the weight rows of its events, one after the other in ascending order of the source.

    ``target`` is (trial, n_target), changed in place; ``table`` is (n_source, n_target), dense or csr_array; ``factors``
    (event, n_target) scales the synapses of each event. The sum of a neuron is taken in the order of its events, as every backend
    does, so that even float32 agrees to the bit.
    """
    trial, unit, size = events
    if not trial.size:
        return
    if sparse.issparse(table):
        _add_sparse(target, events, table, factors)
        return
    first = np.searchsorted(trial, np.arange(target.shape[0] + 1))
    rank = np.arange(trial.size) - first[trial]
    for turn in range(int(rank.max()) + 1):
        now = rank == turn
        rows = table[unit[now]] if factors is None else table[unit[now]] * factors[now]
        target[trial[now]] += size[now, None] * rows


def _add_sparse(target: Array, events: Events, table: Any, factors: Array | None) -> None:
    """Add synapse by synapse: ``numpy.add.at`` adds in the order of its indices, and those of a trial ascend with the source."""
    trial, unit, size = events
    if not target.flags.c_contiguous:
        raise ValueError("target: not contiguous: its flat form would be a copy and the sums be lost; give one that is.")
    flat = target.reshape(-1)
    first = table.indptr[unit].astype(np.int64)
    count = table.indptr[unit + 1] - first
    ends = np.cumsum(count)
    begin = 0
    while begin < unit.size:
        end = max(begin + 1, int(np.searchsorted(ends, ends[begin] - count[begin] + AT_ONCE, side="right")))
        many = count[begin:end]
        event = np.repeat(np.arange(begin, end), many)
        before = np.repeat(np.cumsum(many) - many, many)
        place = first[event] + (np.arange(event.size) - before)
        column, values = table.indices[place], table.data[place]
        if factors is not None:
            values = values * factors[event, column]
        np.add.at(flat, trial[event] * target.shape[1] + column, size[event] * values)
        begin = end
