"""A population made ready to run: cell and receptors composed, all numbers in SI units.

The reference stepper and every Brian2 backend run the texts of this one type, so that they compute the same bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ei_brian.core.competition import MARGIN, WINNER
from ei_brian.core.intervene import HELD, intervened
from ei_brian.core.neuron_model import DUE, NeuronModel
from ei_brian.core.noise.draw import Draw, check_streams
from ei_brian.core.noise.dynamic import ALIVE, SENT, inject
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.release import release_noise
from ei_brian.core.noise.static import static_streams
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.quantity import FloatArray, Quantity
from ei_brian.core.readout import LOWEST_SCORE
from ei_brian.core.receptor import Receptor
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.units import base_unit, unit_scale
from ei_brian.errors import SpecError

__all__ = ["Program", "Quantity", "check_noise", "compose", "release_name", "size_name"]

SCORE = "readout_score"
SCORE_UPDATE = {
    "max v": f"{SCORE} = clip({{v}}, {SCORE}, {SCORE}_ceiling)",
    "mean v": f"{SCORE} = {SCORE} + {{v}}",
}


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
        Condition and assignments of a spike at the end of a step; empty without. Cells that are stepped in sub-steps are reset
        within ``update``.
    at_spike : str
        Assignments for the neurons that spiked, right after the threshold: presynaptic plasticity.
    score_update : str
        Assignment at the end of each step that keeps the readout's score; empty without.
    states, constants : mapping of str to Quantity
        Initial values, and numbers that never change.
    draws : tuple of Draw
        States that are filled with random numbers before anything else in each step.
    competes : bool
        Whether, before the threshold, the state ``winner`` is set to 1 in the neuron of largest ``margin`` and to 0 elsewhere.
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
    draws: tuple[Draw, ...] = ()
    competes: bool = False


def release_name(spec: NetworkSpec, projection_name: str) -> str:
    """Return the state of the source that scales the weights of a plastic projection."""
    index = [projection.name for projection in spec.projections].index(projection_name)
    return f"release_{index}"


def size_name(spec: NetworkSpec, projection: Projection, noise: Noise | None = None) -> str:
    """Return the state of the source that scales the spikes of a projection; empty where nothing does."""
    if projection.plasticity is not None:
        return release_name(spec, projection.name)
    source = spec[projection.source]
    return SENT if noise is not None and noise.spike_failure and source.role != "input" else ""


def check_noise(spec: NetworkSpec, noise: Noise | None) -> None:
    """Refuse noise of which two sources would share random numbers; see `check_streams`."""
    spans = {
        (f"{population.name}.{draw.state}" if not draw.shared else draw.state, draw.stream, 1)
        for population in spec.cells
        for draw in compose(spec, population, noise).draws
    }
    for projection in spec.projections:
        release = release_noise(projection, noise)
        if release is not None:
            size = spec[projection.source].size
            firsts = (("release", release.stream_release), ("quantal", release.stream_quantal))
            spans |= {(f"{projection.name}.{kind}", first, size) for kind, first in firsts if first >= 0}
    check_streams(spans | static_streams(spec, noise))


def compose(spec: NetworkSpec, population: Population, noise: Noise | None = None) -> Program:
    """Return the program of one population of a network.

    Parameters
    ----------
    spec, population : NetworkSpec, Population
        Which one.
    noise : Noise, optional
        What is injected in every step. Its levels are constants; kinds that are off leave nothing behind.

    Raises
    ------
    SpecError
        For an input population, which computes nothing.
    ConfigError
        For a background of more events per step than can be drawn.
    """
    if population.role == "input":
        raise SpecError(f"population {population.name}: an input computes nothing.")
    model = population.neuron()
    constants = _constants(spec, population)
    states = _states(population)
    equations, update = _dynamics(population, spec.dt_ms)
    if model.latches:
        states[DUE] = Quantity("1", np.asarray(0.0))
    added = inject(spec, population, noise, update, constants, states)
    _refuse_clash(population, added.states, states)
    update = [*added.before, *added.update, *added.after]
    at_spike: list[str] = []
    for projection in spec.projections:
        if projection.source == population.name and projection.plasticity is not None:
            number = release_name(spec, projection.name).removeprefix("release_")
            sent = f"*{SENT}" if SENT in added.states else ""
            _add_plasticity(projection.plasticity, number, sent, spec.dt_ms, update, at_spike, states, constants)
    threshold = model.step_threshold
    if population.interventions:
        lines = intervened(population, spec.dt_ms, update, threshold, states)
        update, threshold = lines.update, lines.threshold
        states, constants = states | lines.states, constants | lines.constants
        constants |= {f"{HELD}_last": Quantity("1", np.asarray(-LOWEST_SCORE))} if lines.holds and model.margin else {}
    if model.margin:
        update.append(f"{MARGIN} = {_margin(population)}")
        states |= {MARGIN: Quantity("1", np.asarray(0.0)), WINNER: Quantity("1", np.asarray(0.0))}
    if len(population.dead) and threshold:
        threshold = f"{ALIVE}*int({threshold}) > 0"
        constants[ALIVE] = Quantity("1", 1.0 - population.dead.astype(np.float64))
        constants[f"{ALIVE}_last"] = Quantity("1", np.asarray(-LOWEST_SCORE))
    score = _add_score(spec, population, states, constants)
    return Program(
        population.name, population.size, "\n".join(equations), "\n".join(update), threshold, model.step_reset,
        "\n".join(at_spike), score, states | added.states, constants | added.constants, tuple(added.draws),
        bool(model.margin),
    )  # fmt: skip


def _margin(population: Population) -> str:
    """Return by what the neurons of a population compete; a dead or held one never wins."""
    margin = population.neuron().margin
    if any(one.kind in ("silence", "clamp") for one in population.interventions):
        margin = f"(1 - {HELD})*({margin}) - {HELD}*{HELD}_last"
    return f"{ALIVE}*({margin}) - (1 - {ALIVE})*{ALIVE}_last" if len(population.dead) else margin


def _refuse_clash(population: Population, added: Mapping[str, Quantity], states: Mapping[str, Quantity]) -> None:
    for name in added:
        if name in states:
            raise SpecError(f"population {population.name}.receptors: the port {name!r} has the name of a noise; rename it.")


def _dynamics(population: Population, dt_ms: float) -> tuple[list[str], list[str]]:
    """Return the equations and the update lines of cell and receptors."""
    model, receptors = population.neuron(), population.receptor_models()
    update, equations = [], [model.equations]
    if model.input_current:
        current = " + ".join(receptor.current for receptor in receptors) or "0*" + model.states[0].name
        update += [receptor.before for receptor in receptors if receptor.before]
        update += _driven(model, receptors, dt_ms)
        equations.append(f"{model.input_current} = {current} : {base_unit(model.input_unit)}")
    else:
        update.append(model.update_at(dt_ms))
    for receptor in receptors:
        update += [receptor.update] if receptor.update else []
        equations += [receptor.equations] if receptor.equations else []
    return equations, update


def _driven(model: NeuronModel, receptors: Sequence[Receptor], dt_ms: float) -> list[str]:
    """Return the lines of a time step of a cell whose input are the currents, and the conductances, of receptors.

    They are averages over the time step and the same in all its sub-steps, but for what depends on the potential: the magnesium
    block, and all conductances of a model that has no text for them.
    """
    conductances = [receptor.conductance for receptor in receptors if receptor.conductance]
    implicit = bool(conductances and model.update_conductance)
    if implicit:
        inputs = {
            model.input_current: " + ".join(receptor.drive for receptor in receptors),
            model.input_conductance: " + ".join(conductances),
        }
    else:
        inputs = {model.input_current: " + ".join(_explicit(receptor, model) for receptor in receptors)}
    inputs = {name: text or "0*" + model.states[0].name for name, text in inputs.items()}
    parts = model.update_parts(dt_ms, implicit)
    for name in inputs:
        parts = [re.sub(rf"\b{name}\b", f"{name}_now", part) for part in parts]
    lines = [receptor.now for receptor in receptors if receptor.now]
    lines += [f"{name}_now = {text}" for name, text in inputs.items()]
    if any(re.search(rf"\b{model.voltage}\b", line) for line in lines):
        return [line for part in parts for line in (*lines, part)]
    return [*lines, *parts]


def _explicit(receptor: Receptor, model: NeuronModel) -> str:
    """Return the mean current of a receptor in a step, at the potential where the sub-step starts."""
    return f"({receptor.drive} - {receptor.conductance}*{model.voltage})" if receptor.conductance else receptor.drive


def _add_score(
    spec: NetworkSpec, population: Population, states: dict[str, Quantity], constants: dict[str, Quantity]
) -> str:
    """Add what keeps the score of the readout and return its text; empty without."""
    readout, model = spec.readout, population.neuron()
    if readout is None or readout.population != population.name or readout.kind not in SCORE_UPDATE:
        return ""
    unit = next(state.unit for state in model.states if state.name == model.voltage)
    start = LOWEST_SCORE if readout.kind == "max v" else 0.0
    states[SCORE] = Quantity(unit, np.asarray(start))
    if readout.kind == "max v":
        constants[f"{SCORE}_ceiling"] = Quantity(unit, np.asarray(-start))
    return SCORE_UPDATE[readout.kind].format(v=model.voltage)


def _constants(spec: NetworkSpec, population: Population) -> dict[str, Quantity]:
    parameters: Mapping[str, FloatArray] = population.parameters  # type: ignore[assignment]
    constants = {
        parameter.name: Quantity(parameter.unit, parameters[parameter.name] * unit_scale(parameter.unit))
        for parameter in population.declared_parameters()
    }
    model = population.neuron()
    coefficients = [(coefficient, spec.dt_ms / model.substeps(spec.dt_ms)) for coefficient in model.coefficients]
    for receptor in population.receptor_models():
        coefficients += [(coefficient, spec.dt_ms) for coefficient in receptor.coefficients]
    for coefficient, step_ms in coefficients:
        value = np.asarray(coefficient.value(parameters, step_ms), dtype=np.float64)
        constants[coefficient.name] = Quantity(coefficient.unit, value * unit_scale(coefficient.unit))
    return constants


def _states(population: Population) -> dict[str, Quantity]:
    states = {}
    for state in population.declared_states():
        start = population.parameters[state.initial] if isinstance(state.initial, str) else state.initial
        states[state.name] = Quantity(state.unit, np.asarray(start, dtype=np.float64) * unit_scale(state.unit))
    return states


def _add_plasticity(
    plasticity: TsodyksMarkram, number: str, sent: str, dt_ms: float, update: list[str], at_spike: list[str],
    states: dict[str, Quantity], constants: dict[str, Quantity],
) -> None:  # fmt: skip
    """Add the states of Tsodyks-Markram plasticity to its source population; ``sent`` multiplies all that a spike does."""
    u, x, release = f"u_{number}", f"x_{number}", f"release_{number}"
    update.append(f"{u} = {u}*decay_u_{number}\n{x} = 1 - (1 - {x})*decay_x_{number}")
    at_spike.append(
        f"{u} = {u} + utilization_{number}*(1 - {u}){sent}\n"
        f"{release} = {u}*{x}/utilization_{number}{sent}\n"
        f"{x} = {x} - {u}*{x}{sent}"
    )
    for name, start in ((u, 0.0), (x, 1.0), (release, 0.0)):
        states[name] = Quantity("1", np.asarray(start))
    constants[f"utilization_{number}"] = Quantity("1", np.asarray(plasticity.utilization))
    constants[f"decay_u_{number}"] = Quantity("1", np.exp(-dt_ms / np.asarray(plasticity.tau_u_ms)))
    constants[f"decay_x_{number}"] = Quantity("1", np.exp(-dt_ms / np.asarray(plasticity.tau_x_ms)))
