"""Where the cells of a network stand: holding current, rest, time constant and background, beside the bounds of their types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.receptor import BACKGROUND, CONDUCTANCE_UNIT
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.holding import hold_limits

__all__ = ["CellStand", "stand_table", "where_cells_stand"]

SMALLEST_TOLD = 1e-6  # in any of the units
Range = tuple[float, float, float]  # mean, least, largest
HEADS = (
    "population", "type", "cells", "constant current (bounds)", "rest, mV (bounds)", "time constant, ms (own)",
    "background (most)",
)  # fmt: skip
LEAST_SHARE_TOLD = 0.05
CLOSE = 1e-6  # of a bound, as a share of its span


@dataclass(frozen=True, slots=True)
class CellStand:
    """The cells of one type in one population.

    Parameters
    ----------
    population, cell_type : str
        Which.
    n_cells : int
        How many.
    unit : str
        Unit of their current.
    current, rest_mv, tau_ms, background : (mean, least, largest)
        Constant current; resting potential under it; membrane time constant there, the background conductance open; that
        conductance.
    current_bounds, rest_bounds_mv : (least, largest)
        Bounds of their type.
    own_rest_mv, own_tau_ms, most_background : float
        Rest and time constant of the type without current and background, and the largest background.
    at_bound : float
        Share of the cells at the largest current, or the largest background: what the trained drive asks is more than they can.
    outside : float
        Share of the cells whose current is out of bounds.
    source : str
        Who says where the type may rest.
    """

    population: str
    cell_type: str
    n_cells: int
    unit: str
    current: Range
    rest_mv: Range
    tau_ms: Range
    background: Range
    current_bounds: tuple[float, float]
    rest_bounds_mv: tuple[float, float]
    own_rest_mv: float
    own_tau_ms: float
    most_background: float
    at_bound: float
    outside: float
    source: str

    def as_data(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@takes_numbers()
def where_cells_stand(spec: NetworkSpec) -> tuple[CellStand, ...]:
    """Return, for each population of cells that take a current and each of their types, where these stand."""
    made: list[CellStand] = []
    for cells in spec.cells:
        if cells.role not in ("input", "readout") and cells.spiking and cells.neuron().input_current and cells.receptors:
            made += _stands(cells, spec.dt_ms)
    return tuple(made)


def _stands(cells: Population, dt_ms: float) -> Iterable[CellStand]:
    limits, point = hold_limits(cells), cells.operating_point(dt_ms)
    current = np.broadcast_to(cells.constant_current, (cells.size,))
    background = np.broadcast_to(np.asarray(cells.parameters.get(BACKGROUND[0], 0.0)), (cells.size,))
    rest, tau = (np.broadcast_to(values, (cells.size,)) for values in (point.rest, point.tau_ms))
    near = CLOSE * np.maximum(limits.high - limits.low, 1e-300)
    full = (background > 0) & (background >= limits.most * (1 - CLOSE)) | (limits.most <= 0) & (current <= limits.low + near)
    at_bound = full | (current >= limits.high - near)
    outside = (current < limits.low - near) | (current > limits.high + near)
    types = np.array(cells.cell_types or (cells.model,) * cells.size)
    for name in dict.fromkeys(types.tolist()):
        mine = types == name
        yield CellStand(
            cells.name, name, int(mine.sum()), cells.neuron().input_unit, _range(current[mine]), _range(rest[mine]),
            _range(tau[mine]), _range(background[mine]), _ends(limits.low[mine], limits.high[mine]),
            _ends(limits.rest_low[mine], limits.rest_high[mine]),
            float(limits.own_rest[mine].mean()), float(limits.own_tau_ms[mine].mean()), float(limits.most[mine].max()),
            float(at_bound[mine].mean()), float(outside[mine].mean()), limits.sources[int(np.flatnonzero(mine)[0])],
        )  # fmt: skip


def _range(values: npt.NDArray[np.float64]) -> Range:
    return float(values.mean()), float(values.min()), float(values.max())


def _ends(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(low.min()), float(high.max())


@takes_numbers()
def stand_table(stands: Iterable[CellStand]) -> str:
    """Return where cells stand as a table in Markdown, and a sentence for each type that does not fit."""
    lines = [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    told = []
    for each in stands:
        conductance = CONDUCTANCE_UNIT[each.unit]
        parts = (
            each.population, each.cell_type, str(each.n_cells),
            f"{_words(each.current)} {each.unit} ({_span(each.current_bounds)})",
            f"{_words(each.rest_mv)} ({_span(each.rest_bounds_mv)})", f"{_words(each.tau_ms)} ({each.own_tau_ms:.2g})",
            f"{_words(each.background)} {conductance} ({each.most_background:.3g})",
        )  # fmt: skip
        lines.append(f"| {' | '.join(parts)} |")
        if each.outside > 0:
            told.append(f"{each.population}, {each.cell_type}: {each.outside:.0%} of the cells are held outside of their bounds.")
        elif each.at_bound >= LEAST_SHARE_TOLD:
            told.append(
                f"{each.population}, {each.cell_type}: the trained drive asks more of {each.at_bound:.0%} of the cells than "
                "their bounds allow; their gains make up for it as far as they can."
            )
    return "\n".join([*lines, *([""] if told else []), *told])


def _words(values: Range) -> str:
    mean, least, largest = map(_figure, values)
    return f"{mean} [{least}, {largest}]"


def _span(values: tuple[float, float]) -> str:
    return " to ".join(map(_figure, values))


def _figure(value: float) -> str:
    """Return three digits; what is left of rounding around zero is zero."""
    return f"{0.0 if abs(value) < SMALLEST_TOLD else value:.3g}"
