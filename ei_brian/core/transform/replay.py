"""Cells without a network: the answer of a population to given jumps of its drive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.population import Population
from ei_brian.core.program import Program, compose
from ei_brian.core.reference import program_functions
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.units import unit_scale

__all__ = ["filtered", "jumps_of", "replay"]

Array = npt.NDArray[np.floating]
CACHE_NUMBERS = 60_000  # numbers per state that stay in a core's cache


def replay(population: Population, dt_ms: float, jumps: Mapping[str, Array]) -> npt.NDArray[np.bool_]:
    """Return the spikes of unconnected cells, shape (trial, step, neuron).

    Parameters
    ----------
    population : Population
        The cells.
    dt_ms : float
        Time step in ms.
    jumps : mapping of port to array, shape (trial, step, neuron)
        What arrives at the end of each step, in the unit of the port.

    Notes
    -----
    The step of the catalogue runs in Brian2's order: update, threshold, arrival, reset. In float32, which is enough to fit
    maps: a network that is then simulated runs the full precision.
    """
    alone = NetworkSpec((Population("input", 1, "input"), population), (), dt_ms)
    program = compose(alone, population)
    units = {state.name: unit_scale(state.unit) for state in population.declared_states()}
    n_trials, n_steps = next(iter(jumps.values())).shape[:2]
    spikes = np.zeros((n_trials, n_steps, population.size), dtype=bool)
    width = max(1, CACHE_NUMBERS // population.size)
    for start in range(0, n_trials, width):
        part = slice(start, min(start + width, n_trials))
        by_step = {port: np.float32(units[port]) * values[part].swapaxes(0, 1) for port, values in jumps.items()}
        _run(program, by_step, spikes[part])
    return spikes


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


def jumps_of(trace: Array, decay: npt.ArrayLike) -> Array:
    """Return what arrived at an exponential state in each step, from its values at the ends of the steps.

    Parameters
    ----------
    trace : array, shape (trial, step, neuron)
        Values at the end of each step, starting from 0.
    decay : float or array of shape (neuron,)
        Factor by which the state falls in one step.
    """
    jumps = np.array(trace)
    jumps[:, 1:] -= trace[:, :-1] * np.asarray(decay)
    return jumps


def filtered(spikes: npt.NDArray[Any], tau_ms: float, dt_ms: float) -> npt.NDArray[np.float32]:
    """Return spike trains convolved with a causal exponential of unit area per spike in ms, same shape.

    The distance between two filtered trains is that of van Rossum 2001, Neural Comput. 13:751.
    """
    decay, size = np.float32(np.exp(-dt_ms / tau_ms)), np.float32(1 / tau_ms)
    out = np.empty(spikes.shape, dtype=np.float32)
    level = np.zeros((spikes.shape[0], *spikes.shape[2:]), dtype=np.float32)
    for step in range(spikes.shape[1]):
        level = level * decay + spikes[:, step] * size
        out[:, step] = level
    return out
