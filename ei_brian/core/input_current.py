"""Excitatory and inhibitory input currents, recomputed from recorded spikes and the weights of the network.

Ports are linear: what arrives adds up and decays. So the excitatory and the inhibitory part of every current can be had after
the run, exactly, without recording anything but spikes (and the membrane potential, where synapses are conductances).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.static import apply_static
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.port_current import PortRun
from ei_brian.core.program import compose
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.step_functions import program_functions
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.synapse_sign import of_sign
from ei_brian.core.units import unit_scale
from ei_brian.errors import DataError

__all__ = ["InputCurrents", "input_currents"]

Floats = npt.NDArray[np.float64]
UNSEEN = ("background_exc_hz", "background_inh_hz", "spike_failure", "release_failure", "quantal_cv")


@dataclass(frozen=True, slots=True, eq=False)
class InputCurrents:
    """Synaptic currents into the neurons of a population, arrays of shape (trial, step, unit).

    Of each step the current that its last state lets flow through the next one, on average over it: what the cell integrates, so
    that sums over steps are charges. (Of cells that hold their synapse themselves, as `lif_exponential` does, the state itself.)
    ``excitatory`` is the part from excitatory synapses (AMPA and NMDA; of currents, from sources with role ``exc`` and positive
    weights of sources of both signs),
    ``inhibitory`` that from the rest; both in ``unit``, with their sign. Constant currents are not in them.
    """

    excitatory: Floats
    inhibitory: Floats
    unit: str
    dt_ms: float


@takes_numbers()
def input_currents(spec: NetworkSpec, recording: Recording, stimulus: Stimulus, population: str) -> InputCurrents:
    """Return the currents of a recorded run; the stimulus is the clean one that was presented.

    Raises
    ------
    DataError
        For a recording without spikes, without the trace of ``v`` where synapses are conductances, under noise that its
        spikes do not show (background, failures, release), or for plastic synapses.
    """
    _check(recording, spec, population)
    spec, stimulus = apply_static(recording.noise, recording.seed, spec, stimulus)
    target = spec[population]
    used = list(dict.fromkeys(projection.port for projection in spec.projections if projection.target == population))
    own = {port for port, kind in target.receptors if kind in {one.name for one in target.own_synapses}}
    ports = {port: _port_states(spec, recording, stimulus, target, port) for port in used if port not in own}
    receptors = {receptor.port: receptor for receptor in target.receptor_models()}
    shape = (recording.n_trials, recording.n_steps, target.size)
    total = {"exc": np.zeros(shape), "inh": np.zeros(shape)}
    unit = target.neuron().input_unit if receptors else _port_unit(target, used[0] if used else target.ports[0])
    for port, states in ports.items():
        for sign, state in states.items():
            if state is not None:
                total[sign] += _current(spec, recording, target, receptors[port].current, port, state) if receptors else state
    for port in own.intersection(used):
        for sign, flow in _own_currents(spec, recording, stimulus, target, port).items():
            total[sign] += flow
    scale = unit_scale(unit)
    return InputCurrents(total["exc"] / scale, total["inh"] / scale, unit, spec.dt_ms)


def _check(recording: Recording, spec: NetworkSpec, population: str) -> None:
    noise: Noise | None = recording.noise
    hidden = [] if noise is None else [kind for kind in UNSEEN if getattr(noise, kind)]
    if hidden:
        raise DataError(f"input_currents: the recording was made under {hidden[0]}, which its spikes do not show; run without.")
    for projection in spec.projections:
        if projection.target != population:
            continue
        if projection.plasticity is not None:
            raise DataError(f"input_currents: projection {projection.name} is plastic; run without short-term plasticity.")
        if spec[projection.source].role != "input" and projection.source not in recording.spikes:
            raise DataError(f"recording.spikes: those of {projection.source} were not kept; run with record='spikes'.")


def _port_unit(target: Population, port: str) -> str:
    return next(state.unit for state in target.declared_states() if state.name == port)


def _current(
    spec: NetworkSpec, recording: Recording, target: Population, text: str, port: str, state: Floats
) -> Floats:
    """Return the current of a receptor by the text of the catalogue, without its constant part."""
    values: dict[str, Any] = {name: quantity.si for name, quantity in compose(spec, target).constants.items()}
    values |= {port: state * values.get(f"mean_{port}", 1.0), f"offset_{port}": 0.0}  # a step holds less than its first moment
    if re.search(r"\bv\b", text):
        key = (target.name, "v")
        if key not in recording.traces:
            raise DataError(f"recording.traces: {key} was not kept; currents of conductances need it: run with traces=[{key}].")
        values["v"] = recording.traces[key] * unit_scale(_port_unit(target, "v"))
    functions = program_functions(np.dtype(np.float64))
    return np.broadcast_to(eval(text, functions, values), state.shape)  # noqa: S307 - text of our own catalogue, never of a file


def _port_states(
    spec: NetworkSpec, recording: Recording, stimulus: Stimulus, target: Population, port: str
) -> dict[str, Floats | None]:
    """Return the excitatory and inhibitory part of a port at the end of each step, in SI units; None where nothing ends."""
    decay = _decay(spec, target, port)
    arrived = _port_arrivals(spec, recording, stimulus, target, port)
    return {sign: None if early is None and late is None else _filtered(early, late, decay)
            for sign, (early, late) in arrived.items()}  # fmt: skip


def _port_arrivals(
    spec: NetworkSpec, recording: Recording, stimulus: Stimulus, target: Population, port: str
) -> dict[str, tuple[Floats | None, Floats | None]]:
    """Return what arrives at a port from synapses of either sign before and after the update of each step, in SI units."""
    order = {phase: index for index, phase in enumerate(spec.schedule)}
    update = order[Phase("update", target.name)]
    scale = unit_scale(_port_unit(target, port))
    parts: dict[str, tuple[Floats | None, Floats | None]] = {}
    for sign in ("exc", "inh"):
        early = late = None
        for projection in spec.projections:
            if projection.target == target.name and projection.port == port:
                arrived = _arrivals(spec, recording, stimulus, projection, sign)
                if arrived is None:
                    continue
                if order[Phase("propagate", projection.name)] < update:
                    early = arrived * scale + (0.0 if early is None else early)
                else:
                    late = arrived * scale + (0.0 if late is None else late)
        parts[sign] = (early, late)
    return parts


def _own_currents(
    spec: NetworkSpec, recording: Recording, stimulus: Stimulus, target: Population, port: str
) -> dict[str, Floats]:  # fmt: skip
    """Return the currents of a synapse of one's own, by its own step; of both signs only where they add up."""
    arrived = {sign: pair for sign, pair in _port_arrivals(spec, recording, stimulus, target, port).items()
               if any(part is not None for part in pair)}  # fmt: skip
    key, v = (target.name, target.neuron().voltage), None
    if next(one for one in target.own_synapses if one.name == dict(target.receptors)[port]).sees_potential:
        if key not in recording.traces:
            raise DataError(f"recording.traces: {key} was not kept; this synapse depends on it: run with traces=[{key}].")
        v = recording.traces[key].astype(np.float64) * unit_scale(_port_unit(target, key[1]))
    made = {sign: _port_run(target, port, spec.dt_ms, early, late, v) for sign, (early, late) in arrived.items()}
    if len(made) == 2:
        early, late = (_sum([pair[place] for pair in arrived.values()]) for place in (0, 1))
        whole = _port_run(target, port, spec.dt_ms, early, late, v)
        if not np.allclose(made["exc"] + made["inh"], whole, rtol=1e-6, atol=1e-9 * np.abs(whole).max()):
            raise DataError(f"input_currents: port {port} of {target.name} is not linear; its two signs have no own currents.")
    return made


def _sum(parts: Sequence[Floats | None]) -> Floats | None:
    present = [part for part in parts if part is not None]
    return sum(present[1:], start=present[0]) if present else None


def _port_run(target: Population, port: str, dt_ms: float, early: Floats | None, late: Floats | None, v: Floats | None) -> Floats:
    """Return the current of a port, shape (trial, step, unit), from what arrives before and after each update."""
    shape = next(part.shape for part in (early, late) if part is not None)
    run, out = PortRun(target, port, dt_ms, (shape[0], shape[2])), np.empty(shape)
    for step in range(shape[1]):
        before, after = (0.0 if part is None else part[:, step] for part in (early, late))
        out[:, step] = run.step(before, after, 0.0 if v is None else v[:, step])
    return out


def _decay(spec: NetworkSpec, target: Population, port: str) -> Floats:
    """Return what multiplies a port in each step."""
    if port == target.neuron().voltage:
        raise DataError(f"input_currents: port {port} of {target.model} is the membrane itself, not a current.")
    texts = [target.neuron().update_at(spec.dt_ms), *(receptor.update for receptor in target.receptor_models())]
    found = [match for text in texts for match in re.findall(rf"^{port} = {port}\*(\w+)$", text, flags=re.M)]
    if len(found) != 1:
        raise DataError(f"input_currents: port {port} of {target.model} does not decay by one factor; it has no linear form.")
    return compose(spec, target).constants[found[0]].si


def _filtered(early: Floats | None, late: Floats | None, decay: Floats) -> Floats:
    """Return the state at the end of each step: what arrived before the update of its step has decayed once already."""
    shape = next(part.shape for part in (early, late) if part is not None)
    state, out = np.zeros((shape[0], shape[2])), np.empty(shape)
    for step in range(shape[1]):
        state = (state if early is None else state + early[:, step]) * decay
        state = state if late is None else state + late[:, step]
        out[:, step] = state
    return out


def _arrivals(
    spec: NetworkSpec, recording: Recording, stimulus: Stimulus, projection: Projection, sign: str
) -> Floats | None:
    """Return what arrives from the synapses of one sign in each step, (trial, step, n_target), in the unit of the port."""
    table: Any = projection.weights
    weights = (table.toarray() if projection.sparse else np.asarray(table)).astype(np.float64)
    weights = np.where(of_sign(spec, projection, weights, sign), weights, 0.0)
    if not weights.any():
        return None
    raster = _raster(spec, recording, stimulus, projection.source)
    delays = _delay_matrix(projection)
    arrived = np.zeros((*raster.shape[:2], weights.shape[0]))
    for delay in np.unique(delays[weights != 0]).tolist():
        if delay < raster.shape[1]:
            arrived[:, delay:] += raster[:, : raster.shape[1] - delay] @ np.where(delays == delay, weights, 0.0).T
    return arrived


def _delay_matrix(projection: Projection) -> npt.NDArray[np.int32]:
    delays: Any = projection.delay_steps
    if np.ndim(delays) != 1:
        return np.broadcast_to(np.asarray(delays, dtype=np.int32), projection.weights.shape)
    matrix = np.zeros(projection.weights.shape, dtype=np.int32)
    table: Any = projection.weights
    matrix[table.tocoo().coords] = delays
    return matrix


def _raster(spec: NetworkSpec, recording: Recording, stimulus: Stimulus, source: str) -> Floats:
    """Return the spikes (or graded values) of a source, shape (trial, step, n_source)."""
    if spec[source].role != "input":
        return recording.spikes[source].dense(np.float64)  # type: ignore[return-value]
    names = [population.name for population in spec.inputs]
    start = sum(population.size for population in spec.inputs[: names.index(source)])
    shown = stimulus.dense(np.float64)[:, : recording.n_steps, start : start + spec[source].size]
    if shown.shape[1] == recording.n_steps:
        return shown  # type: ignore[return-value]
    longer = np.zeros((recording.n_trials, recording.n_steps, spec[source].size))
    longer[:, : shown.shape[1]] = shown
    return longer
