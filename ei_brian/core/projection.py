"""The synapses from one population to a port of another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.display import projection_text
from ei_brian.core.plain_numbers import in_unit, measured, plain_number, takes_numbers
from ei_brian.core.plain_text import one_line
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import check_name
from ei_brian.core.units import dimension, readable_unit, unit_scale
from ei_brian.errors import SpecError

__all__ = ["MAX_DELAY_STEPS", "Projection", "Weights"]

MAX_DELAY_STEPS = 100_000
Weights: TypeAlias = Any  # NDArray of float, or scipy.sparse.csr_array, which has no types


@takes_numbers(weights=None)
@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Weights from ``source`` to ``port`` of ``target``.

    Parameters
    ----------
    source, target : str
        Names of populations.
    weights : array or scipy CSR, shape (n_target, n_source)
        What one spike of a source neuron adds to the port of a target neuron, in the unit of the port, or a quantity
        (``w * nS``), which a network converts to the unit of the port; float32 or float64.
        A stored zero in CSR is a synapse of weight 0; a zero in a dense array is none.
    port : str
        State of the target that is added to.
    delay_steps : int, or array of int32
        Delay in time steps, 0 = within the same step: one, or one per synapse: shape (n_target, n_source) for dense weights,
        (nnz,) in the order of the CSR data for sparse ones.
    plasticity : TsodyksMarkram, optional
        Presynaptic short-term plasticity that scales every spike's weights.
    name : str
        Name of the projection; ``source_target`` unless given, needed where two projections join the same pair.
    unit : str
        Unit of the weights; empty for that of the port, as it is within a network.

    Raises
    ------
    SpecError
        For weights or delays of a wrong kind or shape, not finite, or negative delays.
    """

    source: str
    target: str
    weights: Weights
    port: str = "g"
    delay_steps: npt.NDArray[np.int32] | int = 0
    plasticity: TsodyksMarkram | None = None
    name: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"{self.source}_{self.target}")
        where = f"projection {one_line(self.source, 80)}→{one_line(self.target, 80)}"
        check_name(self.name, where)
        if self.plasticity is not None and not isinstance(self.plasticity, TsodyksMarkram):
            raise SpecError(f"{where}.plasticity: {self.plasticity!r}; give TsodyksMarkram(utilization, tau_u_ms, tau_x_ms).")
        weights, unit = _unit_of_weights(self.weights, self.unit, f"{where}.weights")
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "weights", _checked_weights(weights, where))
        object.__setattr__(self, "delay_steps", _checked_delays(self.delay_steps, self.weights, where))

    def __repr__(self) -> str:
        return f"Projection {projection_text(self)}"

    def in_unit_of(self, port_unit: str) -> Projection:
        """Return the same projection with its weights in the unit of its port, as a network holds it."""
        if not self.unit:
            return self
        where = f"projection {one_line(self.source, 80)}→{one_line(self.target, 80)}.weights"
        values = np.asarray(in_unit(self.weight_values() * unit_scale(self.unit), dimension(self.unit), port_unit, where))
        weights: Any = values
        if self.sparse:
            weights = sparse.csr_array((values, self.weights.indices, self.weights.indptr), shape=self.weights.shape)
        return replace(self, weights=weights, unit="")

    @property
    def sparse(self) -> bool:
        """Whether the weights are a CSR table."""
        return sparse.issparse(self.weights)

    @property
    def n_synapses(self) -> int:
        """Number of synapses: stored entries of a sparse table, nonzero ones of a dense array."""
        return int(self.weights.nnz) if self.sparse else int(np.count_nonzero(self.weights))

    @property
    def max_delay(self) -> int:
        """Largest delay in steps."""
        return int(np.max(self.delay_steps, initial=0))

    def weight_values(self) -> npt.NDArray[np.floating]:
        """Return the weights as they are stored: the dense array, or the data of the sparse table."""
        return self.weights.data if self.sparse else self.weights  # type: ignore[return-value]

    def by_source(self) -> Any:
        """Return the table (n_source, n_target) as csr_array, targets in ascending order: one row of weights per spike."""
        table = self.weights if self.sparse else sparse.csr_array(self.weights)
        rows = sparse.csr_array(table.T.tocsr())
        rows.sort_indices()
        return rows

    def synapse_table(self) -> tuple[Any, Any, Any, Any]:
        """Return source, target, weight and delay in steps of every synapse, each an array, by source, then target."""
        weights: Any = self.weights
        if self.sparse:
            target, source = weights.tocoo().coords
            weight = weights.data
        else:
            target, source = np.nonzero(weights)
            weight = weights[target, source]
        delays: Any = self.delay_steps
        if np.ndim(delays) == 0:
            delay = np.full(weight.shape, delays, dtype=np.int32)
        else:
            delay = delays if self.sparse else delays[target, source]
        order = np.lexsort((target, source))
        return source[order], target[order], weight[order], delay[order]


def _unit_of_weights(given: Weights, unit: str, where: str) -> tuple[Weights, str]:
    """Return weights as plain numbers and their unit; a quantity's is a readable one of its dimension."""
    if sparse.issparse(given):
        return given, unit
    if not isinstance(given, np.ma.MaskedArray):
        found = measured(given, where)
        if found is not None:
            own = unit or readable_unit(found[1])
            return np.asarray(in_unit(*found, own, where)), "" if own == "1" else own
        parts = [measured(part, where) for part in np.ravel(np.asarray(given, dtype=object))] if _holds_objects(given) else []
        if any(part is not None for part in parts):
            own = unit or readable_unit(next(part for part in parts if part is not None)[1])
            return np.asarray(plain_number(given, own, where), dtype=np.float64), own
    return plain_number(given, unit or "1", where), unit


def _holds_objects(given: Weights) -> bool:
    return isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.dtype.kind == "O")


def _checked_weights(given: Weights, where: str) -> Weights:
    if sparse.issparse(given):
        table = sparse.csr_array(given, copy=True)
        table.sum_duplicates()
        table.sort_indices()
        values = table.data
    else:
        table = values = np.array(given, order="C")
    if table.ndim != 2 or values.dtype not in (np.float32, np.float64):
        raise SpecError(
            f"{where}.weights: {values.dtype} of shape {table.shape}; give float32 or float64 of shape (n_target, n_source)."
        )
    bad = int(np.sum(~np.isfinite(values)))
    if bad:
        raise SpecError(f"{where}.weights: {bad} of {values.size} are not finite; check the training that they come from.")
    for array in (table.data, table.indices, table.indptr) if sparse.issparse(table) else (table,):
        array.flags.writeable = False
    return table


def _checked_delays(given: npt.ArrayLike, weights: Weights, where: str) -> npt.NDArray[np.int32] | int:
    array = np.array(given)
    shape = (weights.nnz,) if sparse.issparse(weights) else weights.shape
    if array.dtype.kind not in "iu" or array.shape not in ((), shape):
        raise SpecError(
            f"{where}.delay_steps: {array.dtype} of shape {array.shape}; give one whole number of steps or shape {shape}."
        )
    if array.size and (array.min() < 0 or array.max() > MAX_DELAY_STEPS):
        raise SpecError(f"{where}.delay_steps: {array.min()} to {array.max()}; allowed are 0 to {MAX_DELAY_STEPS} steps.")
    if array.ndim == 0:
        return int(array)
    array = array.astype(np.int32)
    array.flags.writeable = False
    return array
