"""Cells held still: what the step of a model does at a given potential, all other states settled or frozen.

Everything is measured on the very text that is simulated, with the numbers of each cell, so that it holds for any model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ei_brian.core.competition import MARGIN, WINNER
from ei_brian.core.quantity import FloatArray
from ei_brian.core.receptor import BACKGROUND, CONDUCTANCE_UNIT
from ei_brian.core.step_functions import program_functions
from ei_brian.core.units import unit_scale

if TYPE_CHECKING:
    from ei_brian.core.neuron_model import NeuronModel

__all__ = ["FINE_STEP_MS", "SteadyCells"]

FINE_STEP_MS = 1e-3  # of models that are differential equations: their fixed points do not depend on it
ROUNDS = 12
SETTLED = 1e-10  # the largest last change, as a share of the state
NEARER = 0.1  # a round that leaves more than this share of the change before is no longer near enough to where slopes were taken
Values = dict[str, Any]


class SteadyCells:
    """Cells of one model, each with its own parameters; arrays are of shape (cell, point), all numbers in SI units.

    Parameters
    ----------
    model : NeuronModel
        The model.
    parameters : mapping of str to array of shape (cell, 1)
        In the units of the model.
    dt_ms : float
        Time step of a model that is a recurrence, or that holds its own synapses.
    """

    def __init__(self, model: NeuronModel, parameters: Mapping[str, FloatArray], dt_ms: float) -> None:
        self.model = model
        self.step_ms = FINE_STEP_MS if model.input_current else dt_ms
        self.v = model.voltage
        self.functions = program_functions(np.dtype(np.float64))
        self.constants: Values = {p.name: parameters[p.name] * unit_scale(p.unit) for p in model.parameters}
        for coefficient in model.coefficients:
            value = np.asarray(coefficient.value(parameters, self.step_ms), dtype=np.float64)
            self.constants[coefficient.name] = value * unit_scale(coefficient.unit)
        self.units = {state.name: unit_scale(state.unit) for state in model.states}
        self.port = model.ports[0] if not model.input_current else ""
        self.current_unit = unit_scale(model.input_unit) if model.input_current else self.units[self.port]
        self.probe: Any = self.current_unit  # a current that is tried
        conductance, reversal = (parameters.get(name, np.zeros((1, 1))) for name in BACKGROUND)
        self.leak = conductance * (unit_scale(CONDUCTANCE_UNIT[model.input_unit]) if model.input_current else 0.0)
        self.leak_reversal = reversal * self.units[self.v]
        text = "\n".join(line for line in (model.update, model.update_end) if line)
        self.code = compile(text, f"{model.name}.update", "exec")

    def start(self) -> Values:
        """Return the states that a population starts from."""
        made = {}
        for state in self.model.states:
            value = self.constants[state.initial] if isinstance(state.initial, str) else state.initial * self.units[state.name]
            made[state.name] = np.asarray(value, dtype=np.float64)
        return made

    def step(self, states: Mapping[str, Any], current: Any) -> Values:
        """Return the states after one (sub-)step under a current, or under what arrives in each step."""
        values: Values = self.constants | dict(states)
        if self.model.input_current:
            values[self.model.input_current] = current + self.leak * (self.leak_reversal - states[self.v])
        else:
            values[self.port] = values[self.port] + current
        with np.errstate(all="ignore"):
            exec(self.code, self.functions, values)  # noqa: S102 - text of our own catalogue, never of a file
        return {name: values[name] for name in self.units}

    def settled(
        self, v: Any, current: Any, states: Mapping[str, Any], which: tuple[str, ...], slopes: Values | None = None
    ) -> Values:
        """Return the states with the potential held at ``v`` and the states named settled, each by Newton's method.

        ``slopes`` are those of an earlier call nearby, which are used as long as the states come nearer with them, and renewed.
        """
        now: Values = dict(states) | {self.v: v}
        slopes, last = ({} if slopes is None else slopes), np.inf
        for _ in range(ROUNDS if which else 0):
            after = self.step(now, current)
            if not slopes:
                slopes |= {name: self._slope(name, now, current, after[name]) for name in which}
            changes = {name: _change(after[name] - now[name], slopes[name]) for name in which}
            now |= {name: now[name] + changes[name] for name in which}
            worst = max(float(np.max(np.abs(changes[n]) / (np.abs(now[n]) + 1e-3 * self.units[n]))) for n in which)
            if worst < SETTLED:
                break
            if worst > NEARER * last:
                slopes.clear()
            last = worst
        return now

    def _slope(self, name: str, states: Values, current: Any, after: Any) -> Any:
        """Return what the gap that a step leaves of one state grows by with that state."""
        small = 1e-6 * np.maximum(np.abs(states[name]), self.units[name])
        moved = self.step(states | {name: states[name] + small}, current)[name]
        return 1.0 - (moved - after) / small

    def drift(
        self, v: Any, current: Any, states: Mapping[str, Any], which: tuple[str, ...], slopes: Values | None = None
    ) -> FloatArray:
        """Return how far a step moves the potential from ``v`` when the states named have settled there."""
        now = self.settled(v, current, states, which, slopes)
        moved: FloatArray = self.step(now, current)[self.v] - v
        return moved

    def holding_current(self, v: Any, states: Mapping[str, Any], which: tuple[str, ...]) -> FloatArray:
        """Return the constant current that holds the potential at ``v``: the steady current-voltage relation."""
        unit, slopes = self.probe, Values()
        now = self.settled(v, 0.0, states, which, slopes)
        none, one = self.drift(v, 0.0, now, which, slopes), self.drift(v, unit, now, which, slopes)
        with np.errstate(all="ignore"):
            held: FloatArray = -none * unit / (one - none)
        return np.where(np.isfinite(held), held, -np.inf)

    def fires(self, v: Any, states: Mapping[str, Any]) -> Any:
        """Tell whether the condition of a spike holds with the potential at ``v`` and all else as in ``states``."""
        values: Values = self.constants | dict(states) | {self.v: v, self.model.tested or self.v: v, WINNER: 1.0}
        if self.model.margin:
            exec(f"{MARGIN} = {self.model.margin}", self.functions, values)  # noqa: S102
        return np.asarray(eval(self.model.threshold, self.functions, values))  # noqa: S307

    def others(self) -> tuple[str, ...]:
        """Return the names of all states but the potential."""
        return tuple(name for name in self.units if name != self.v)

    def own_factor(self, name: str, states: Mapping[str, Any], current: Any) -> FloatArray:
        """Return what a step makes of a small change of one state, all others held."""
        small = 1e-6 * np.maximum(np.abs(states[name]), self.units[name])
        up, down = (self.step({**states, name: states[name] + sign * small}, current)[name] for sign in (1.0, -1.0))
        factor: FloatArray = np.asarray((up - down) / (2 * small), dtype=np.float64)
        return factor


def _change(gap: Any, slope: Any) -> Any:
    free = (gap != 0) & (np.abs(slope) > 1e-9)
    return np.where(free, gap / np.where(free, slope, 1.0), 0.0)
