"""The steady current-voltage relation of cells, and what follows from it: rheobase, rest and a scale of currents."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.quantity import FloatArray
from ei_brian.core.roots import rising_root
from ei_brian.core.steady_cells import SteadyCells

if TYPE_CHECKING:
    from ei_brian.core.neuron_model import NeuronModel

__all__ = ["BISECTIONS", "POINTS", "SteadyCurves", "first_true", "steady_curves"]

POINTS = 160  # of a curve, before its roots are bisected
BISECTIONS = 46
SECTIONS = 40  # golden, of a maximum: more are below the rounding of the curve
ROUNDING = 1e-9  # of a current that holds a cell, as a share of the largest: 1e-8 mV of a rest; the curve is no smoother
REACH = 3.0  # the curve begins this many times the span from start to spike below the spike
Array = FloatArray
Flags = npt.NDArray[np.bool_]


def steady_curves(model: NeuronModel, rows: dict[str, Array], dt_ms: float) -> SteadyCurves:
    """Return the curves of cells whose parameters are given as arrays of shape (cell, 1), each different cell measured once."""
    table = np.hstack(list(rows.values())) if rows else np.zeros((1, 0))
    different, which = np.unique(table, axis=0, return_inverse=True)
    found = _measured(model, tuple(rows), np.ascontiguousarray(different).tobytes(), different.shape, dt_ms)
    return found.of(which.reshape(-1), SteadyCells(model, rows, dt_ms))


@lru_cache(maxsize=128)
def _measured(model: NeuronModel, names: tuple[str, ...], numbers: bytes, shape: tuple[int, int], dt_ms: float) -> SteadyCurves:
    table = np.frombuffer(numbers).reshape(shape)
    return SteadyCurves(SteadyCells(model, {name: table[:, [i]] for i, name in enumerate(names)}, dt_ms))


class SteadyCurves:
    """The steady current-voltage relation of some cells, arrays of shape (cell, 1): nothing of it depends on their current."""

    def __init__(self, cells: SteadyCells) -> None:
        self.cells, self.start, self.all = cells, cells.start(), cells.others()
        self.top = self._spike_potential()
        if not cells.model.input_current:  # small, since some models reset within the step in which they cross
            cells.probe = 1e-6 * self.span()
        self.bottom = self.top - REACH * self.span()
        grid = self.bottom + (self.top - self.bottom) * np.linspace(0.0, 1.0, POINTS)
        held = self.held(grid)
        self.conductance = self._conductance()
        least = 1e-6 * self.conductance * (grid[:, 1:] - grid[:, :-1])  # less is rounding
        with np.errstate(invalid="ignore"):
            rises = (np.diff(held, axis=1) > least) & np.isfinite(held[:, :-1])
        self.held_anywhere = rises.any(axis=1)[:, None]
        self.knee = _largest(self.held, *self._around_first_maximum(grid, held))
        self.rheobase = self.held(self.knee)

    def of(self, which: npt.NDArray[np.int64], cells: SteadyCells) -> SteadyCurves:
        """Return the curves of ``cells``, of which each is one of those measured here."""
        made = copy(self)
        size = max(np.shape(self.top)[0], np.shape(self.rheobase)[0])
        made.cells, made.start = cells, cells.start()
        cells.probe = _rows(self.cells.probe, size, which)
        for name in ("top", "bottom", "conductance", "held_anywhere", "knee", "rheobase"):
            setattr(made, name, _rows(getattr(self, name), size, which))
        return made

    def held(self, v: Any) -> Array:
        """Return the constant current that holds the potential at ``v``."""
        return self.cells.holding_current(v, self.start, self.all)

    def _spike_potential(self) -> Array:
        """Return the potential at which the condition of a spike first holds, upwards from the start."""
        cells, v0 = self.cells, self.start[self.cells.v]
        settled = self.start
        size = 1e-3 * np.maximum(np.abs(v0), cells.units[cells.v])
        low = v0 + self._zero()
        low = np.where(cells.fires(low, settled), low - 1e3 * size, low)  # starts above its threshold
        high = low + size
        for _ in range(80):
            high = np.where(cells.fires(high, settled), high, low + 2 * (high - low))
        for _ in range(80):
            middle = 0.5 * (low + high)
            fired = np.asarray(cells.fires(middle, settled), dtype=bool)
            low, high = np.where(fired, low, middle), np.where(fired, middle, high)
        return high

    def _zero(self) -> Array:
        total: Array = np.zeros((1, 1))
        for value in self.cells.constants.values():
            total = total + 0.0 * np.nan_to_num(np.asarray(value, dtype=np.float64))
        return total

    def span(self) -> Array:
        """Return the distance from the start to the spike; at least a tenth of what the numbers are like."""
        v0 = self.start[self.cells.v]
        span: Array = np.maximum(self.top - v0, 0.1 * np.maximum(np.abs(self.top), np.abs(v0)))
        return np.where(span > 0, span, self.cells.units[self.cells.v])

    def _around_first_maximum(self, grid: Array, held: Array) -> tuple[Array, Array]:
        """Return the points of the grid around the first maximum of the curve, from below; the top where it only rises."""
        with np.errstate(invalid="ignore"):
            falls, rises = np.diff(held, axis=1) < 0, np.diff(held, axis=1) > 0
        rises_before = np.maximum.accumulate(rises, axis=1)
        turn = falls & rises_before
        last = grid.shape[1] - 1
        at = np.where(turn.any(axis=1), turn.argmax(axis=1), last)[:, None]
        before, after = (np.take_along_axis(grid, np.clip(at + offset, 0, last), axis=1) for offset in (-1, 1))
        return before, after

    def at_rest(self, current: Array) -> dict[str, Any]:
        """Return all states at rest, at the knee of the curve where there is none."""
        low, high = self.bottom + 0.0 * current, self.knee + 0.0 * current
        rounding = ROUNDING * np.maximum(np.abs(current), np.where(np.isfinite(self.rheobase), np.abs(self.rheobase), 0.0))
        found = rising_root(lambda v: self.held(v) - current, low, high, rounding=rounding)
        v = np.where(current < self.rheobase, found, self.knee)
        v = np.where(self.held_anywhere, v, self._stalled(current)) if not self.held_anywhere.all() else v
        return self.cells.settled(v, current, self.start, self.all)

    def _stalled(self, current: Array) -> Array:
        """Return where the potential comes to a halt with all else as at the start: of cells that no current holds for good."""
        low, high = self.bottom + 0.0 * current, self.top + 0.0 * current
        grid = low + (high - low) * np.linspace(0.0, 1.0, POINTS)
        down: Flags = np.asarray(self.cells.drift(grid, current, self.start, ()) < 0)
        index = np.maximum(first_true(down), 1)
        low, high = (np.take_along_axis(grid, index + offset, axis=1) for offset in (-1, 0))
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            falls = self.cells.drift(middle, current, self.start, ()) < 0
            low, high = np.where(falls, low, middle), np.where(falls, middle, high)
        return np.where(down.any(axis=1, keepdims=True), 0.5 * (low + high), self.start[self.cells.v])

    def scale(self) -> Array:
        """Return the current between the rheobase and the one that holds the potential 10 mV, or half its span, below."""
        unit = self.cells.units[self.cells.v]
        below = 10.0 * unit if unit != 1.0 else 0.5 * self.span()
        with np.errstate(invalid="ignore"):
            wanted = self.rheobase - self.held(self.knee - below)
        return np.where(self.held_anywhere & (wanted > 0) & np.isfinite(wanted), wanted, self.conductance * below)

    def _conductance(self) -> Array:
        """Return the current per potential that a small displacement from the start takes, all else as there."""
        cells, v = self.cells, self.start[self.cells.v]
        small, unit = 1e-3 * np.maximum(np.abs(v), cells.units[cells.v]), cells.probe
        low, high = (cells.drift(v + sign * small, 0.0, self.start, ()) for sign in (-1.0, 1.0))
        pushed = cells.drift(v, unit, self.start, ()) - cells.drift(v, 0.0, self.start, ())
        with np.errstate(all="ignore"):
            found = np.abs((low - high) / (2 * small) * unit / pushed)
        return np.where(np.isfinite(found), found, 0.0)


def _rows(values: Any, size: int, which: npt.NDArray[np.int64]) -> Any:
    if np.ndim(values) == 0:
        return values
    return np.broadcast_to(values, (size, *np.shape(values)[1:]))[which]


def first_true(found: Flags) -> npt.NDArray[np.int64]:
    """Return the index of the first that is true in each row, shape (cell, 1); 0 where none is."""
    return np.asarray(np.argmax(found, axis=1), dtype=np.int64)[:, None]


def _largest(curve: Any, low: Array, high: Array) -> Array:
    """Return where a curve with one maximum between two points has it, by golden section."""
    ratio = (np.sqrt(5.0) - 1) / 2
    first, second = high - ratio * (high - low), low + ratio * (high - low)
    at_first, at_second = curve(first), curve(second)
    for _ in range(SECTIONS):
        left = at_first > at_second
        low, high = np.where(left, low, first), np.where(left, second, high)
        new = np.where(left, high - ratio * (high - low), low + ratio * (high - low))
        at_new = curve(new)
        first, second = np.where(left, new, second), np.where(left, first, new)
        at_first, at_second = np.where(left, at_new, at_second), np.where(left, at_first, at_new)
    return 0.5 * (low + high)
