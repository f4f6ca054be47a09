"""The engine that needs nothing but numpy, and says what every other one must give to the bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.population import Population
from ei_brian.core.program import Program, compose
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.step_functions import program_functions
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale

__all__ = ["NumpyEngine", "alone", "port_units"]

Array = npt.NDArray[np.floating[Any]]
CACHE_NUMBERS = 60_000  # numbers per state that stay in a core's cache


def alone(cells: Population, dt_ms: float) -> Program:
    """Return the program of cells that no network surrounds."""
    return compose(NetworkSpec((Population("input", 1, "input"), cells), (), dt_ms), cells)


def port_units(cells: Population) -> dict[str, np.float32]:
    """Return the size of the unit of each state in SI."""
    return {state.name: np.float32(unit_scale(state.unit)) for state in cells.declared_states()}


class NumpyEngine:
    """Plain numpy; see `ei_brian.core.engine.Engine`."""

    name = "numpy"

    def simulate(self, spec: NetworkSpec, stimulus: Stimulus, traces: Sequence[tuple[str, str]] = ()) -> Recording:
        """Return what a network does on a stimulus, without noise."""
        return simulate(spec, stimulus, np.float32, traces)

    def replay(self, cells: Population, dt_ms: float, jumps: Mapping[str, Array]) -> npt.NDArray[np.bool_]:
        """Return the spikes of unconnected cells, shape (trial, step, neuron)."""
        program, units = alone(cells, dt_ms), port_units(cells)
        n_trials, n_steps, width = next(iter(jumps.values())).shape
        repeats = cells.size // width
        spikes = np.zeros((n_trials, n_steps, cells.size), dtype=bool)
        chunk = max(1, CACHE_NUMBERS // cells.size)
        for start in range(0, n_trials, chunk):
            part = slice(start, min(start + chunk, n_trials))
            by_step = {port: _by_step(values[part], units[port], repeats) for port, values in jumps.items()}
            _run(program, by_step, spikes[part])
        return spikes

    def distances(
        self, cells: Population, dt_ms: float, jumps: Mapping[str, Array], wanted: Array, filter_ms: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return squared distance of the filtered spikes and number of spikes of each cell."""
        n_trials, repeats = wanted.shape[0], cells.size // wanted.shape[2]
        distance, count = np.zeros(cells.size), np.zeros(cells.size)
        chunk = max(1, 8 * CACHE_NUMBERS // (cells.size * wanted.shape[1]))
        for start in range(0, n_trials, chunk):
            part = slice(start, min(start + chunk, n_trials))
            spikes = self.replay(cells, dt_ms, {port: values[part] for port, values in jumps.items()})
            count += spikes.sum(axis=(0, 1))
            for one in _by_trial(spikes, np.tile(wanted[part], (1, 1, repeats)), dt_ms, filter_ms):
                distance += one
        return distance, count

    def train_distances(
        self, spikes: npt.NDArray[np.bool_], wanted: Array, dt_ms: float, filter_ms: float
    ) -> npt.NDArray[np.float64]:
        """Return the squared distance of filtered spikes of each neuron."""
        distance = np.zeros(spikes.shape[2])
        for one in _by_trial(spikes, wanted, dt_ms, filter_ms):
            distance += one
        return distance


def _by_step(values: Array, unit: np.float32, repeats: int) -> npt.NDArray[np.float32]:
    """Return jumps in SI, shape (step, trial, cell)."""
    return np.tile(unit * np.asarray(values, dtype=np.float32).swapaxes(0, 1), (1, 1, repeats))


def _by_trial(spikes: npt.NDArray[np.bool_], wanted: Array, dt_ms: float, filter_ms: float) -> npt.NDArray[np.float64]:
    """Return the squared distance of each trial and neuron, added up from step to step in double precision."""
    decay, size = np.float32(np.exp(-dt_ms / filter_ms)), np.float32(1 / filter_ms)
    given = np.asarray(wanted, dtype=np.float32)
    level: Array = np.zeros((spikes.shape[0], spikes.shape[2]), dtype=np.float32)
    distance = np.zeros(level.shape)
    for step in range(spikes.shape[1]):
        level = level * decay + spikes[:, step] * size
        distance += np.square(level - given[:, step])
    return distance


def _run(program: Program, jumps: Mapping[str, Array], spikes: npt.NDArray[np.bool_]) -> None:
    shape = (spikes.shape[0], program.size)
    values: dict[str, Any] = {name: q.si.astype(np.float32) for name, q in program.constants.items()}
    for name, quantity in program.states.items():
        values[name] = np.broadcast_to(quantity.si.astype(np.float32), shape).copy()
    functions = program_functions(np.dtype(np.float32))
    update, reset = compile(program.update, "update", "exec"), compile(program.reset, "reset", "exec")
    threshold = compile(program.threshold, "threshold", "eval")
    for step in range(spikes.shape[1]):
        exec(update, functions, values)  # noqa: S102 - text of our own catalogue, never of a file
        fired = eval(threshold, functions, values)  # noqa: S307
        for port, arriving in jumps.items():
            values[port] = values[port] + arriving[step]
        if fired.any():
            spikes[:, step] = fired
            before = {name: values[name] for name in program.states}
            exec(reset, functions, values)  # noqa: S102
            for name, old in before.items():
                if values[name] is not old:
                    values[name] = np.where(fired, values[name], old)
