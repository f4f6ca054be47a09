"""A population made ready to run: cell and receptors composed, all numbers in SI units.

The reference stepper and every Brian2 backend run the texts of this one type, so that they compute the same bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray
from ei_brian.core.readout import LOWEST_SCORE
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.units import base_unit, unit_scale
from ei_brian.errors import SpecError

__all__ = ["Program", "Quantity", "compose", "release_name"]

SCORE = "readout_score"
SCORE_UPDATE = {
    "max v": f"{SCORE} = clip({{v}}, {SCORE}, {SCORE}_ceiling)",
    "mean v": f"{SCORE} = {SCORE} + {{v}}",
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a program: its unit as declared, and its values in SI units, shape () or (n_neurons,)."""

    unit: str
    si: FloatArray


@dataclass(frozen=True, slots=True)
class Program:
    """What a population computes in each step, as text on SI numbers.

    Parameters
    ----------
    population : str
        Its name.
    size : int
        Number of neurons.
    equations : str
        Brian2 equations of all states, and of the input current of the cell; constants are not declared in it.
    update : str
        Assignments of the update phase. The current of the receptors is computed first, from their states at the start of
        the step; the cell is stepped; then the receptors.
    threshold, reset : str
        Condition and assignments of a spike; empty without.
    at_spike : str
        Assignments for the neurons that spiked, right after the threshold: presynaptic plasticity.
    score_update : str
        Assignment at the end of each step that keeps the readout's score; empty without.
    states, constants : mapping of str to Quantity
        Initial values, and numbers that never change.
    """

    population: str
    size: int
    equations: str
    update: str
    threshold: str
    reset: str
    at_spike: str
    score_update: str
    states: Mapping[str, Quantity]
    constants: Mapping[str, Quantity]


def release_name(spec: NetworkSpec, projection_name: str) -> str:
    """Return the state of the source that scales the weights of a plastic projection."""
    index = [projection.name for projection in spec.projections].index(projection_name)
    return f"release_{index}"


def compose(spec: NetworkSpec, population: Population) -> Program:
    """Return the program of one population of a network.

    Raises
    ------
    SpecError
        For an input population, which computes nothing.
    """
    if population.role == "input":
        raise SpecError(f"population {population.name}: an input computes nothing.")
    model, receptors = population.neuron(), population.receptor_models()
    constants = _constants(spec, population)
    states = _states(population)
    update, equations = [], [model.equations]
    if model.input_current:
        current = " + ".join(receptor.current for receptor in receptors) or "0*" + model.states[0].name
        now = f"{model.input_current}_now"  # the current at the start of the step, held through all sub-steps
        update.append(f"{now} = {current}")
        update.append(re.sub(rf"\b{model.input_current}\b", now, model.update_at(spec.dt_ms)))
        equations.append(f"{model.input_current} = {current} : {base_unit(model.input_unit)}")
    else:
        update.append(model.update_at(spec.dt_ms))
    for receptor in receptors:
        update.append(receptor.update)
        equations.append(receptor.equations)
    at_spike: list[str] = []
    for projection in spec.projections:
        if projection.source == population.name and projection.plasticity is not None:
            number = release_name(spec, projection.name).removeprefix("release_")
            _add_plasticity(projection.plasticity, number, spec.dt_ms, update, at_spike, states, constants)
    score = ""
    if spec.readout is not None and spec.readout.population == population.name and spec.readout.kind in SCORE_UPDATE:
        score = SCORE_UPDATE[spec.readout.kind].format(v=model.voltage)
        unit = next(state.unit for state in model.states if state.name == model.voltage)
        start = LOWEST_SCORE if spec.readout.kind == "max v" else 0.0
        states[SCORE] = Quantity(unit, np.asarray(start))
        if spec.readout.kind == "max v":
            constants[f"{SCORE}_ceiling"] = Quantity(unit, np.asarray(-start))
    return Program(
        population.name, population.size, "\n".join(equations), "\n".join(update), model.threshold, model.reset,
        "\n".join(at_spike), score, states, constants,
    )  # fmt: skip


def _constants(spec: NetworkSpec, population: Population) -> dict[str, Quantity]:
    parameters: Mapping[str, FloatArray] = population.parameters  # type: ignore[assignment]
    constants = {
        parameter.name: Quantity(parameter.unit, parameters[parameter.name] * unit_scale(parameter.unit))
        for parameter in population.declared_parameters()
    }
    coefficients = population.neuron().coefficients
    for receptor in population.receptor_models():
        coefficients += receptor.coefficients
    for coefficient in coefficients:
        value = np.asarray(coefficient.value(parameters, spec.dt_ms), dtype=np.float64)
        constants[coefficient.name] = Quantity(coefficient.unit, value * unit_scale(coefficient.unit))
    return constants


def _states(population: Population) -> dict[str, Quantity]:
    states = {}
    for state in population.declared_states():
        start = population.parameters[state.initial] if isinstance(state.initial, str) else state.initial
        states[state.name] = Quantity(state.unit, np.asarray(start, dtype=np.float64) * unit_scale(state.unit))
    return states


def _add_plasticity(
    plasticity: TsodyksMarkram, number: str, dt_ms: float, update: list[str], at_spike: list[str],
    states: dict[str, Quantity], constants: dict[str, Quantity],
) -> None:  # fmt: skip
    """Add the states of Tsodyks-Markram plasticity to its source population."""
    u, x, release = f"u_{number}", f"x_{number}", f"release_{number}"
    update.append(f"{u} = {u}*decay_u_{number}\n{x} = 1 - (1 - {x})*decay_x_{number}")
    at_spike.append(
        f"{u} = {u} + utilization_{number}*(1 - {u})\n{release} = {u}*{x}/utilization_{number}\n{x} = {x} - {u}*{x}"
    )
    for name, start in ((u, 0.0), (x, 1.0), (release, 0.0)):
        states[name] = Quantity("1", np.asarray(start))
    constants[f"utilization_{number}"] = Quantity("1", np.asarray(plasticity.utilization))
    constants[f"decay_u_{number}"] = Quantity("1", np.exp(-dt_ms / np.asarray(plasticity.tau_u_ms)))
    constants[f"decay_x_{number}"] = Quantity("1", np.exp(-dt_ms / np.asarray(plasticity.tau_x_ms)))
