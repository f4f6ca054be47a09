"""How far a random push moves the free membrane potential of each cell: linear response of the very text that is simulated.

A step of a population's program is a map of its states and of the push of the step. Its derivatives at the cell's own operating
point, taken as differences of the program itself, give the standard deviation of the potential at the ends of steps that a push
of standard deviation 1 causes: exactly for the time step and sub-steps that run, with as many states as follow the potential.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ei_brian.core.operating_point import OperatingPoint
from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray, Quantity
from ei_brian.core.step_functions import program_functions
from ei_brian.core.units import unit_scale
from ei_brian.errors import ConfigError

__all__ = ["HORIZON_MS", "PUSH", "free_deviation", "own_point", "pushed_lines"]

HORIZON_MS = 1000.0  # where nothing holds the potential (no leak), its deviation grows, and this is when it is taken
PUSH = "noise_push"
SMALL = 1e-4  # of the distance to threshold: how far states are displaced to take derivatives
_KNOWN: dict[str, FloatArray] = {}
MOST_KNOWN = 256


def pushed_lines(population: Population, lines: Sequence[str]) -> list[str]:
    """Return the lines of the update with the push of the step in them: a current where the cell takes one, else a step of v."""
    model, text = population.neuron(), "\n".join(lines).splitlines()
    if model.input_current:
        start = f"{model.input_current}_now = "
        return [f"{line} + {PUSH}" if line.startswith(start) else line for line in text]
    push = f"{model.voltage} = {model.voltage} + " + (f"({model.noise_where})*{PUSH}" if model.noise_where else PUSH)
    at = text.index(model.noise_before) if model.noise_before else len(text)
    return [*text[:at], push, *text[at:]]


def own_point(population: Population, dt_ms: float) -> OperatingPoint:
    """Return where the cells of a population stand: at rest under their own constant current, without spikes."""
    return population.neuron().standing_point(population.parameters, population.constant_current, dt_ms)


def free_deviation(
    population: Population, lines: Sequence[str], constants: Mapping[str, Quantity], states: Mapping[str, Quantity], dt_ms: float,
    tau_ms: float | None,
) -> FloatArray:  # fmt: skip
    """Return the standard deviation of each cell's free potential for a push of deviation 1, shape (cell,), in SI units.

    Parameters
    ----------
    population, lines : Population, sequence of str
        The cells, and their update as `pushed_lines` returns it.
    constants, states : mapping of str to Quantity
        Numbers of the program.
    dt_ms : float
        Time step.
    tau_ms : float, optional
        Time constant of the push (Ornstein-Uhlenbeck); None for a push that is independent from step to step.

    Raises
    ------
    ConfigError
        Where a push does not move the potential at all.
    """
    text = "\n".join(lines)
    digest = hashlib.sha256(repr((population.model, population.size, text, dt_ms, tau_ms)).encode())
    for name, quantity in sorted(constants.items()):
        digest.update(name.encode() + quantity.si.tobytes())
    key = digest.hexdigest()
    if key not in _KNOWN:
        while len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.pop(next(iter(_KNOWN)))
        step = _Step(population, text, constants, states, dt_ms)
        matrix, push = step.derivatives()
        _KNOWN[key] = _deviation(matrix, push, max(1, round(HORIZON_MS / dt_ms)), dt_ms, tau_ms) * step.unit
    return _KNOWN[key]


class _Step:
    """One step of a program at the operating point of each cell, arrays of shape (cell,)."""

    def __init__(
        self, population: Population, text: str, constants: Mapping[str, Quantity], states: Mapping[str, Quantity], dt_ms: float
    ) -> None:
        model, point = population.neuron(), own_point(population, dt_ms)
        self.where = f"population {population.name} ({population.model})"
        self.v, self.code = model.voltage, _compiled(text)
        self.functions = program_functions(np.dtype(np.float64))
        self.constants = {name: quantity.si for name, quantity in constants.items()}
        shape = (population.size,)
        units = {state.name: unit_scale(state.unit) for state in model.states}
        self.states: dict[str, FloatArray] = {
            name: np.array(np.broadcast_to(point.states[name] * units[name] if name in units else quantity.si, shape))
            for name, quantity in states.items()
            if name in units or quantity.si.size in (1, population.size)
        }
        unit = unit_scale(model.input_unit) if model.input_current else units[model.ports[0]]
        extra = (point.current - (population.constant_current if model.input_current else 0.0)) * unit
        self.extra = np.broadcast_to(extra, shape)
        self.port = "" if model.input_current else model.ports[0]
        self.unit = np.array(np.broadcast_to(np.abs(point.distance) * units[self.v], shape))  # of the potential
        self.first_push = unit

    def __call__(self, states: Mapping[str, FloatArray], push: Any) -> dict[str, FloatArray]:
        values: dict[str, Any] = self.constants | dict(states)
        if self.port:
            values[self.port] = values[self.port] + self.extra
            values[PUSH] = push
        else:
            values[PUSH] = push + self.extra
        with np.errstate(all="ignore"):
            exec(self.code, self.functions, values)  # noqa: S102 - text of our own catalogue, never of a file
        return {name: np.broadcast_to(values[name], self.unit.shape) for name in self.states}

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        """Return how the states that follow the potential act on each other (cell, to, from), and what a push does (cell, to).

        In units of a displacement of the potential over the distance to threshold, and of what that makes of the others.
        """
        size = self._push()
        up, down = (self(self.states, sign * size) for sign in (1.0, -1.0))
        names = [self.v]
        steps = {self.v: SMALL * self.unit}
        columns: dict[str, dict[str, FloatArray]] = {}
        responses: dict[str, FloatArray] = {name: (up[name] - down[name]) / 2 for name in self.states}
        self._note(responses, names, steps)
        for name in names:
            up, down = (self({**self.states, name: self.states[name] + sign * steps[name]}, 0.0) for sign in (1.0, -1.0))
            columns[name] = {other: (up[other] - down[other]) / 2 for other in self.states}
            self._note(columns[name], names, steps)
        matrix = np.array([[columns[source][target] / steps[target] for source in names] for target in names])
        push = np.array([responses[target] / size / steps[target] for target in names])
        return np.moveaxis(matrix, -1, 0), push.T * SMALL

    def _push(self) -> FloatArray:
        """Return the push that moves the potential by the small displacement."""
        moved = np.zeros(self.unit.shape)
        size = np.full(self.unit.shape, 1e-3 * self.first_push)
        for _ in range(3):
            moved = np.abs(self(self.states, size)[self.v] - self(self.states, -size)[self.v]) / 2
            if not (moved > 0).all():
                raise ConfigError(f"noise: a push does not move the potential of {self.where}; use background or input noise.")
            size = size * SMALL * self.unit / moved
        return size

    @staticmethod
    def _note(found: Mapping[str, FloatArray], names: list[str], steps: dict[str, FloatArray]) -> None:
        """Add the states that moved, with as large a displacement as they were moved by."""
        for name, change in found.items():
            if name not in steps and np.any(change != 0):
                names.append(name)
                steps[name] = np.where(change != 0, np.abs(change), np.abs(change).max())


@lru_cache(maxsize=64)
def _compiled(text: str) -> Any:
    return compile(text, "update", "exec")


def _deviation(matrix: FloatArray, push: FloatArray, n_steps: int, dt_ms: float, tau_ms: float | None) -> FloatArray:
    """Return the deviation of the first state after so many steps, for a push of deviation 1."""
    if tau_ms is not None:
        decay = float(np.exp(-dt_ms / tau_ms))
        n, size = push.shape
        wide = np.zeros((n, size + 1, size + 1))
        wide[:, 0, 0], wide[:, 1:, 0], wide[:, 1:, 1:] = decay, decay * push, matrix
        start = np.concatenate([np.ones((n, 1)), push], axis=1)
        power, total = _summed(wide, _outer(start) * (1.0 - decay**2), n_steps - 1)
        total = power @ _outer(start) @ np.swapaxes(power, 1, 2) + total
        return np.asarray(np.sqrt(total[:, 1, 1]))
    return np.asarray(np.sqrt(_summed(matrix, _outer(push), n_steps)[1][:, 0, 0]))


def _outer(vector: FloatArray) -> FloatArray:
    return np.asarray(vector[:, :, None] * vector[:, None, :])


def _summed(matrix: FloatArray, noise: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Return ``matrix**count`` and the sum of ``matrix**k noise matrix**k'`` over k < count, by doubling."""
    power, total = np.broadcast_to(np.eye(matrix.shape[1]), matrix.shape).copy(), np.zeros_like(noise)
    with np.errstate(over="ignore", invalid="ignore"):
        for bit in bin(count)[2:]:
            total = total + power @ total @ np.swapaxes(power, 1, 2)
            power = power @ power
            if bit == "1":
                total = noise + matrix @ total @ np.swapaxes(matrix, 1, 2)
                power = matrix @ power
    return power, total
