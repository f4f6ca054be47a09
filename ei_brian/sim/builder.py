"""From a network and a stimulus to live Brian2 objects. Builds, never runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from brian2 import Network, NeuronGroup, Quantity, SpikeMonitor, StateMonitor, ms

from ei_brian.core.program import compose
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.errors import BackendError
from ei_brian.sim.driver import GroupSource, InputSource, propagation
from ei_brian.sim.neuron_group import neuron_group, set_values
from ei_brian.sim.propagation.synapses import set_weights, synapses
from ei_brian.sim.slots import Slots, slots_for
from ei_brian.sim.stimulus_group import graded_input, spike_input
from ei_brian.sim.structure import ProjectionStructure, structure_of
from ei_brian.sim.tables import tables_of

__all__ = ["Built", "build"]


@dataclass(slots=True)
class Built:
    """A network of Brian2 objects, ``n_trials`` copies side by side, and what is needed to read it."""

    network: Network
    groups: dict[str, NeuronGroup]
    n_trials: int
    spike_monitors: dict[str, SpikeMonitor] = field(default_factory=dict)
    state_monitors: dict[tuple[str, str], StateMonitor] = field(default_factory=dict)


def build(
    spec: NetworkSpec, stimulus: Stimulus, layout: str, traces: tuple[tuple[str, str], ...] = (),
    dtype: npt.DTypeLike = np.float64,
) -> Built:  # fmt: skip
    """Return the live objects of a network that is given a stimulus, all trials side by side.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    stimulus : Stimulus
        Its input.
    layout : {"synapses", "shared"}
        Plain Brian2 Synapses, replicated for each trial, or one weight table for all.
    traces : tuple of (population, state)
        States to record at the end of each step.

    Raises
    ------
    BackendError
        Where the layout cannot express the network.
    """
    structure, slots, dt = structure_of(spec), slots_for(spec.schedule), spec.dt_ms * ms
    n_trials = max(stimulus.n_trials, 1)
    network = Network(name="network")
    network.schedule = list(slots.names)
    built = Built(network, {}, n_trials)
    for group in structure.groups:
        made = neuron_group(group, n_trials, slots, dt)
        program = compose(spec, spec[group.name])
        for name, quantity in (*program.constants.items(), *program.states.items()):
            set_values(made, name, quantity.si, n_trials)
        built.groups[group.name] = made
        network.add(made)
        if group.threshold:
            monitor = SpikeMonitor(made, name=f"{group.name}_spikes")
            monitor.when, monitor.order = f"after_{slots.of('threshold', group.name)[0]}", 1
            built.spike_monitors[group.name] = monitor
            network.add(monitor)
    for key in traces:
        built.state_monitors[key] = StateMonitor(
            built.groups[key[0]], key[1], record=True, when="end", order=1, dt=dt, name=f"{key[0]}_{key[1]}_trace"
        )
    network.add(*built.state_monitors.values())
    join = _shared if layout == "shared" else _synapses
    join(spec, stimulus, built, slots, dt, dtype)
    return built


def _starts(spec: NetworkSpec) -> dict[str, int]:
    sizes = [population.size for population in spec.inputs]
    return {population.name: sum(sizes[:index]) for index, population in enumerate(spec.inputs)}


def _shared(
    spec: NetworkSpec, stimulus: Stimulus, built: Built, slots: Slots, dt: Quantity, dtype: npt.DTypeLike
) -> None:
    starts = _starts(spec)
    for projection, shape in zip(spec.projections, structure_of(spec).projections, strict=True):
        source: Any
        if projection.source in starts:
            source = InputSource(stimulus, starts[projection.source], spec[projection.source].size, dtype)
        else:
            source = GroupSource(built.groups[projection.source], built.n_trials, shape.release)
        place = slots.of("propagate", projection.name)
        target = built.groups[projection.target]
        tables = tables_of(spec, projection, dtype)
        built.network.add(propagation(projection.name, source, tables, target, projection.port, built.n_trials, place, dt))


def _synapses(
    spec: NetworkSpec, stimulus: Stimulus, built: Built, slots: Slots, dt: Quantity, dtype: npt.DTypeLike
) -> None:
    first_slot = slots.names[1]
    sources: dict[str, Any] = dict(built.groups)
    for name, start in _starts(spec).items():
        slot = "thresholds" if first_slot == "groups" else "start"
        if stimulus.values is None:
            sources[name] = spike_input(name, spec[name].size, stimulus, start, dt, slot)
        else:
            sources[name], present = graded_input(name, spec[name].size, stimulus, start, dt, slot)
            built.network.add(present)
        built.network.add(sources[name])
    for projection, shape in zip(spec.projections, structure_of(spec).projections, strict=True):
        size = "value" if stimulus.values is not None and projection.source in _starts(spec) else shape.release
        _refuse_delayed_sizes(shape, size)
        unit = {state.name: state.unit for state in spec[projection.target].declared_states()}[projection.port]
        place = slots.of("propagate", projection.name)
        made = synapses(
            projection, sources[projection.source], built.groups[projection.target], unit, built.n_trials, size, place, dt
        )
        set_weights(made, projection, unit_scale(unit), built.n_trials, dtype)
        built.network.add(made)


def _refuse_delayed_sizes(shape: ProjectionStructure, size: str) -> None:
    if size and shape.delays != "none":
        raise BackendError(
            f"projection {shape.name}: graded or plastic spikes with a delay cannot be expressed by plain Synapses, which read "
            "the size of a spike when it arrives; use layout='shared'."
        )
