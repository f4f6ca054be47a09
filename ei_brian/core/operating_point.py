"""Rest, threshold, rheobase and membrane time constant of cells, from their own equations and parameters.

Everything follows from two curves, measured on the text that is simulated (`SteadyCells`). The steady current-voltage relation is
the constant current that holds the potential at v once all else has settled; its first maximum is the rheobase, its rising part
below holds the rest at any current, its falling part the unstable fixed point. The instantaneous relation is the drift of the
potential with all slow states frozen at rest; its root above the rest is the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.quantity import FloatArray
from ei_brian.core.receptor import BACKGROUND
from ei_brian.core.steady_curves import BISECTIONS, POINTS, SteadyCurves, first_true, steady_curves
from ei_brian.core.units import unit_scale

if TYPE_CHECKING:
    from ei_brian.core.neuron_model import NeuronModel

__all__ = ["OperatingPoint", "distinct", "operating_point", "resting_states", "standing_point"]

LEAST_SHARE = 0.25  # a threshold nearer to the rest than this share of the way to the unstable fixed point is that of a resonator
FACTOR_MARGIN = 1e-9
NEAR = 1e-6  # of a reversal potential to the rest, in the unit of the potential: such a background moves nothing
Array = FloatArray
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Where cells stand under a constant current, arrays of shape (cell,).

    Parameters
    ----------
    states : mapping of str to array
        All states at rest, in the units of the model. Of a cell that does not rest: where the current that holds it is largest.
    rest, threshold : array
        The potential there, and that from which it goes on to a spike by itself with all slow states frozen; where there is no
        such potential (recovery faster than the upstroke) the unstable fixed point; where a spike is a condition on the potential
        itself, that one. In the unit of the potential.
    rheobase : array
        Largest constant current at which the potential can be held below threshold, in the unit of the input current; of models
        that hold their own synapses, of what arrives at the first port in each step.
    scale : array
        How far below the rheobase the current is that holds the potential 10 mV (without volts: half the way from start to spike)
        below that of the rheobase.
    tau_ms : array
        Membrane time constant: of a small displacement of the potential, all else frozen.
    rests : array of bool
        Whether the cell rests there: the fixed point exists and is stable.
    upstroke : array of bool
        Whether the threshold is in the dynamics, not the condition of the spike.
    current : array
        The constant current, in the unit of ``rheobase``.
    instantaneous, unstable : array
        The two potentials that ``threshold`` is one of: with all slow states frozen, and the unstable fixed point.
    """

    states: Mapping[str, FloatArray]
    rest: FloatArray
    threshold: FloatArray
    rheobase: FloatArray
    scale: FloatArray
    tau_ms: FloatArray
    rests: npt.NDArray[np.bool_]
    upstroke: npt.NDArray[np.bool_]
    current: FloatArray
    instantaneous: FloatArray
    unstable: FloatArray

    @property
    def distance(self) -> FloatArray:
        """From rest to threshold, in the unit of the potential."""
        return self.threshold - self.rest


def distinct(
    parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike
) -> tuple[dict[str, FloatArray], FloatArray, npt.NDArray[np.int64], tuple[int, ...]]:
    """Return each different cell once: parameters and current of shape (cell, 1), which one each is, and the shape of all."""
    names = list(parameters)
    arrays = [np.asarray(parameters[name], dtype=np.float64) for name in names]
    *arrays, current = np.broadcast_arrays(*arrays, np.asarray(current, dtype=np.float64))
    rows, which = np.unique(np.stack([a.ravel() for a in (*arrays, current)], axis=1), axis=0, return_inverse=True)
    return {name: rows[:, [i]] for i, name in enumerate(names)}, rows[:, [-1]], which.reshape(-1), current.shape


def operating_point(
    model: NeuronModel, parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike = 0.0, dt_ms: float = 1.0
) -> OperatingPoint:
    """Return where cells stand under a constant current; see `NeuronModel.operating_point`."""
    rows, held, which, shape = distinct(_own(model, parameters), current)
    columns = _solved(model, tuple(rows), np.hstack([*rows.values(), held]).tobytes(), held.shape[0], dt_ms)
    made = {name: column[which].reshape(shape) for name, column in columns.items()}
    states = {state.name: made[f"state {state.name}"] for state in model.states}
    return OperatingPoint(
        states, states[model.voltage], made["threshold"], made["rheobase"], made["scale"], made["tau_ms"],
        made["rests"] > 0, made["upstroke"] > 0, held[:, 0][which].reshape(shape),
        made["instantaneous"], made["unstable"],
    )  # fmt: skip


def _own(model: NeuronModel, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, npt.ArrayLike]:
    """Return the parameters of the model; where a cell started is no property of it."""
    own = {p.name: p.default if p.kind == "initial" else parameters[p.name] for p in model.parameters}
    return own | {name: parameters[name] for name in BACKGROUND if name in parameters}


@lru_cache(maxsize=128)
def _solved(model: NeuronModel, names: tuple[str, ...], numbers: bytes, size: int, dt_ms: float) -> dict[str, FloatArray]:
    """Return the columns of the operating point of different cells, in the units of the model."""
    table = np.frombuffer(numbers).reshape(size, len(names) + 1)
    curves = steady_curves(model, {name: table[:, [i]] for i, name in enumerate(names)}, dt_ms)
    amp = curves.cells.current_unit
    made = _Point(curves).point(table[:, [-1]] * amp)
    units = {state.name: unit_scale(state.unit) for state in model.states}
    columns = {f"state {name}": made["states"][name] / units[name] for name in units}
    columns |= {
        **{name: made[name] / units[model.voltage] for name in ("threshold", "instantaneous", "unstable")},
        "rheobase": curves.rheobase / amp, "scale": curves.scale() / amp,
        "tau_ms": made["tau"] * curves.cells.step_ms, "rests": made["rests"], "upstroke": made["upstroke"],
    }  # fmt: skip
    return {name: np.array(np.broadcast_to(value, (size, 1))[:, 0], dtype=np.float64) for name, value in columns.items()}


def standing_point(
    model: NeuronModel, parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike = 0.0, dt_ms: float = 1.0
) -> OperatingPoint:
    """Return the operating point of cells under their own current; of those that fire by themselves, where they would rest.

    A cell that does not rest under its own current is taken at the one that holds it 10 mV (without volts: half the way from
    start to spike) below the potential of its rheobase.
    """
    own = operating_point(model, parameters, current, dt_ms)
    held = np.where(own.rests | ~np.isfinite(own.rheobase), own.current, own.rheobase - own.scale)
    if own.rests.all() or np.array_equal(held, own.current):
        return own
    made = operating_point(model, parameters, held, dt_ms)
    return replace(made, rests=own.rests)


def resting_states(
    model: NeuronModel, parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike, dt_ms: float = 1.0
) -> dict[str, FloatArray]:
    """Return all states at rest under a constant current, in the units of the model, by the model's own formula or by roots."""
    given = {p.name: np.asarray(parameters[p.name], dtype=np.float64) for p in model.parameters}
    leak, reversal = (np.asarray(parameters.get(name, 0.0), dtype=np.float64) for name in BACKGROUND)
    if model.rest_formula is not None:
        made = dict(model.rest_formula(given, np.asarray(current, dtype=np.float64)))
        if not np.any((leak != 0) & (np.abs(made[model.voltage] - reversal) > NEAR)):  # no current flows through a background
            return made
    background = dict(zip(BACKGROUND, (leak, reversal), strict=True)) if np.any(leak != 0) else {}
    rows, held, which, shape = distinct(_own(model, {**given, **background}), current)
    curves = steady_curves(model, rows, dt_ms)
    states = curves.at_rest(held * curves.cells.current_unit)
    return {
        state.name: (np.broadcast_to(states[state.name], held.shape)[:, 0] / unit_scale(state.unit))[which].reshape(shape)
        for state in model.states
    }


class _Point:
    """Where the cells of some curves stand under a current, arrays of shape (cell, 1)."""

    def __init__(self, curves: SteadyCurves) -> None:
        self.curves, self.cells = curves, curves.cells

    def point(self, current: Array) -> dict[str, Any]:
        """Return states, threshold, time constant and whether the cells rest."""
        states = self.curves.at_rest(current)
        v = states[self.cells.v]
        saddle = self._unstable(current)
        frozen, upstroke = self._threshold(v, current, states)
        threshold = np.where(upstroke & (frozen - v < LEAST_SHARE * (saddle - v)), saddle, frozen)
        factor = self.cells.own_factor(self.cells.v, states, current)
        with np.errstate(divide="ignore", invalid="ignore"):
            tau = np.where(factor >= 1.0, np.inf, np.where(factor > 0, -1.0 / np.log(np.clip(factor, 1e-300, 1.0)), 0.0))
        still = np.abs(self.cells.step(states, current)[self.cells.v] - v) <= 1e-9 * self.curves.span()
        stands = np.where(self.curves.held_anywhere, current < self.curves.rheobase, still & (v < threshold))
        rests = stands & (self._spectral_radius(states, current) <= 1.0 + FACTOR_MARGIN)
        found = {"threshold": threshold, "instantaneous": frozen, "unstable": saddle, "upstroke": upstroke}
        return found | {"states": states, "tau": tau, "rests": rests}

    def _unstable(self, current: Array) -> Array:
        """Return the fixed point on the falling part of the curve; the potential of the spike where there is none."""
        low, high = self.curves.knee + 0.0 * current, self.curves.top + 0.0 * current
        grid = low + (high - low) * np.linspace(0.0, 1.0, POINTS)
        under: Flags = np.asarray(self.curves.held(grid) < current)
        index = np.where(under.any(axis=1), under.argmax(axis=1), POINTS - 1)[:, None]
        low, high = (np.take_along_axis(grid, np.maximum(index + offset, 0), axis=1) for offset in (-1, 0))
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            under = self.curves.held(middle) < current
            low, high = np.where(under, low, middle), np.where(under, middle, high)
        return 0.5 * (low + high)

    def _threshold(self, rest: Array, current: Array, states: dict[str, Any]) -> tuple[Array, Array]:
        """Return the root of the instantaneous relation above the rest, with as few states following as it takes."""
        cells = self.cells
        pace = {name: float(np.median(np.abs(cells.own_factor(name, states, current)))) for name in self.curves.all}
        order = sorted(self.curves.all, key=lambda name: pace[name])
        found, threshold = np.zeros(rest.shape, dtype=bool), self.curves.top + 0.0 * rest
        grid = rest + (self.curves.top - rest) * np.linspace(0.0, 1.0, POINTS)[None, 1:-1]
        for count in range(len(order) + 1):
            if count == len(order) and order:
                break  # all but the last: with every state following it is the steady relation
            which = tuple(order[:count])
            drift = cells.drift(grid, current, states, which)
            up: Flags = np.asarray(drift > 0)
            index = first_true(up)
            high = np.take_along_axis(grid, index, axis=1)
            low = np.where(index > 0, np.take_along_axis(grid, np.maximum(index - 1, 0), axis=1), rest)
            for _ in range(BISECTIONS):
                middle = 0.5 * (low + high)
                rises = cells.drift(middle, current, states, which) > 0
                low, high = np.where(rises, low, middle), np.where(rises, middle, high)
            new = up.any(axis=1, keepdims=True) & ~found
            threshold, found = np.where(new, high, threshold), found | new
            if found.all():
                break
        return threshold, found

    def _spectral_radius(self, states: dict[str, Any], current: Array) -> Array:
        """Return the largest factor by which a step multiplies a small displacement of what the potential depends on."""
        cells = self.cells
        names = self._coupled(states, current)
        shape = np.broadcast_shapes(states[cells.v].shape, current.shape)
        matrix = np.zeros((shape[0], len(names), len(names)))
        for column, name in enumerate(names):
            small = 1e-6 * np.maximum(np.abs(states[name]), cells.units[name])
            up, down = (cells.step({**states, name: states[name] + sign * small}, current) for sign in (1.0, -1.0))
            for row, other in enumerate(names):
                matrix[:, row, column] = np.broadcast_to((up[other] - down[other]) / (2 * small), shape)[:, 0]
        scale = np.array([cells.units[name] for name in names])
        matrix *= scale[None, None, :] / scale[None, :, None]
        return np.abs(np.linalg.eigvals(matrix)).max(axis=1)[:, None]

    def _coupled(self, states: dict[str, Any], current: Array) -> list[str]:
        """Return the potential and what follows it, near rest."""
        cells, names = self.cells, [self.cells.v]
        base = cells.step(states, current)
        for name in names:
            small = 1e-6 * np.maximum(np.abs(states[name]), cells.units[name])
            moved = cells.step({**states, name: states[name] + small}, current)
            names += [n for n in cells.units if n not in names and np.any(moved[n] != base[n])]
        return names
