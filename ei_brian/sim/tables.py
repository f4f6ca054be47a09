"""The weights of a projection in the form that propagation reads: one row of targets per source neuron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.units import unit_scale

__all__ = ["Table", "tables_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Weights of the synapses of one delay.

    Parameters
    ----------
    delay : int
        In steps.
    rows : array or scipy CSR, shape (n_source, n_target)
        In SI units of the port and the dtype of the run; CSR with targets in ascending order.
    """

    delay: int
    rows: Any

    @property
    def sparse(self) -> bool:
        """Whether the rows are CSR."""
        return sparse.issparse(self.rows)


def tables_of(spec: NetworkSpec, projection: Projection, dtype: npt.DTypeLike) -> tuple[Table, ...]:
    """Return one table per delay, longest delay first: the order in which delayed spikes of several steps arrive.

    A dense projection with one delay stays dense, a sparse one sparse; several delays make sparse tables.
    """
    states = {state.name: state.unit for state in spec[projection.target].declared_states()}
    scale = unit_scale(states[projection.port])
    delays: Any = projection.delay_steps
    if np.ndim(delays) == 0:
        weights: Any = projection.weights
        if not projection.sparse:
            return (Table(int(delays), np.ascontiguousarray((weights.T.astype(np.float64) * scale).astype(dtype))),)
        return (Table(int(delays), _scaled(projection.by_source(), scale, dtype)),)
    target, source, weight, delay = _synapses(projection)
    shape = projection.weights.shape[::-1]
    tables = []
    for step in sorted(np.unique(delay).tolist(), reverse=True):
        mine = delay == step
        rows = sparse.coo_array((weight[mine], (source[mine], target[mine])), shape=shape).tocsr()
        tables.append(Table(int(step), _scaled(rows, scale, dtype)))
    return tuple(tables)


def _synapses(projection: Projection) -> tuple[Any, Any, Any, Any]:
    if projection.sparse:
        table: Any = projection.weights
        target, source = table.tocoo().coords
        return target, source, table.data, projection.delay_steps
    weights: Any = projection.weights
    target, source = np.nonzero(weights)
    delays: Any = projection.delay_steps
    return target, source, weights[target, source], delays[target, source]


def _scaled(rows: Any, scale: float, dtype: npt.DTypeLike) -> Any:
    table = sparse.csr_array(rows, copy=True)
    table.sort_indices()
    table.data = (table.data.astype(np.float64) * scale).astype(dtype)
    return table
