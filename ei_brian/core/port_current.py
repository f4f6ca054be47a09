"""The current of one receptor of some cells, run by itself: what arrives, and the potential, are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray
from ei_brian.core.step_functions import program_functions
from ei_brian.core.units import unit_scale
from ei_brian.errors import SpecError

__all__ = ["PortRun", "charge_of_one", "port_decay"]

LONGEST_MS = 60_000.0
LEFT = 1e-9  # of the largest current: what is not waited for


class PortRun:
    """The states of a receptor, all numbers in SI units.

    Parameters
    ----------
    cells : Population
        Whose receptor.
    port : str
        Which one.
    dt_ms : float
        Time step.
    shape : tuple of int
        Of the states; the last axis is that of the cells.
    """

    def __init__(self, cells: Population, port: str, dt_ms: float, shape: tuple[int, ...]) -> None:
        receptor = next(one for one in cells.receptor_models() if one.port == port)
        given: dict[str, Any] = dict(cells.parameters)
        self.port, self.voltage = port, cells.neuron().voltage
        self.constants: dict[str, Any] = {p.name: given[p.name] * unit_scale(p.unit) for p in receptor.parameters}
        for one in receptor.coefficients:
            self.constants[one.name] = np.asarray(one.value(given, dt_ms)) * unit_scale(one.unit)
        self.states: dict[str, Any] = {s.name: np.zeros(shape) for s in receptor.states}
        flow = f"({receptor.drive}) - ({receptor.conductance})*{self.voltage}" if receptor.conductance else receptor.drive
        self._flow = compile("\n".join(filter(None, (receptor.before, receptor.now, f"flow_now = {flow}"))), port, "exec")
        self._update = compile(receptor.update, port, "exec")
        self._functions = program_functions(np.dtype(np.float64))

    def step(self, early: Any, late: Any, v: Any) -> FloatArray:
        """Take a step: add what comes early, update, add what comes late; return the mean current through the next step."""
        self.states[self.port] = self.states[self.port] + early
        self.states = self._run(self._update, v)
        self.states[self.port] = self.states[self.port] + late
        return np.broadcast_to(np.asarray(self._run(self._flow, v, "flow_now")["flow_now"]), self.states[self.port].shape)

    def _run(self, code: Any, v: Any, *wanted: str) -> dict[str, Any]:
        values = {**self.constants, **self.states, self.voltage: v}
        with np.errstate(all="ignore"):
            exec(code, self._functions, values)  # noqa: S102 - a text of the language of steps, checked when it was made
        return {name: values[name] for name in wanted or self.states}


def charge_of_one(cells: Population, port: str, dt_ms: float, v_mv: npt.ArrayLike) -> FloatArray:
    """Return the charge that a weight of 1 brings each cell through a port, shape (cell,), at a potential that is held.

    In ms times the unit of the input current of the cells.

    Raises
    ------
    SpecError
        Where the current does not come to an end.
    """
    run = PortRun(cells, port, dt_ms, (cells.size,))
    weight = next(unit_scale(state.unit) for state in cells.declared_states() if state.name == port)
    v = np.broadcast_to(np.asarray(v_mv, dtype=np.float64) * 1e-3, (cells.size,))
    total, largest = np.zeros(cells.size), np.zeros(cells.size)
    for step in range(round(LONGEST_MS / dt_ms)):
        flow = run.step(0.0, weight if step == 0 else 0.0, v)
        total, largest = total + flow, np.maximum(largest, np.abs(flow))
        if step and np.all(np.abs(flow) <= LEFT * largest) and np.all(largest > 0):
            return total * dt_ms / unit_scale(cells.neuron().input_unit)
    raise SpecError(f"population {cells.name}.receptors: the current of port {port} has no end, or none flows at its potential.")


def port_decay(cells: Population, port: str, dt_ms: float) -> FloatArray:
    """Return what multiplies the state that spikes add to in each step, shape (cell,).

    Raises
    ------
    SpecError
        Where it is no such factor: the state depends on itself in another way, on other states or on the potential.
    """
    run = PortRun(cells, port, dt_ms, (cells.size,))
    unit = next(unit_scale(state.unit) for state in cells.declared_states() if state.name == port)
    found = []
    for size, others, v in ((1.0, 0.0, -0.07), (2.0, 0.5, -0.04)):
        run.states = {name: np.full(cells.size, (size if name == port else others) * unit) for name in run.states}
        run.step(0.0, 0.0, v)
        found.append(run.states[port] / (size * unit))
    if not np.allclose(found[0], found[1], rtol=1e-9, atol=0.0):
        raise SpecError(
            f"population {cells.name}.receptors: what spikes add to port {port} does not decay by a factor of its own in each "
            "step, so that what arrived cannot be told from its trace; let spikes add to a state that decays by itself."
        )
    return np.asarray(found[0], dtype=np.float64)
