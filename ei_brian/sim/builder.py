"""From a network and a stimulus to live Brian2 objects. Builds, never runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from brian2 import Network, NeuronGroup, Quantity, SpikeMonitor, StateMonitor, ms

from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.release import release_noise
from ei_brian.core.program import compose
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stdp import LearnedWeights
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.sim.driver import GroupSource, InputSource, ReleaseDraw, competition, drawing, learning, propagation
from ei_brian.sim.neuron_group import neuron_group, set_values
from ei_brian.sim.propagation.delayed_plasticity import delayed_plastic_synapses
from ei_brian.sim.propagation.expressible import check_expressible, keeps_own_plasticity
from ei_brian.sim.propagation.synapses import connect, set_weights, synapses, writer
from ei_brian.sim.slots import Slots, slots_for
from ei_brian.sim.stimulus_group import graded_input, spike_input
from ei_brian.sim.structure import Structure, structure_of
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

    def discard(self) -> None:
        """Let the objects go without Brian2's warning that they were never run."""
        for each in self.network.objects:
            if each._network is None:
                each._network = "discarded"


def build(
    spec: NetworkSpec, stimulus: Stimulus, layout: str, traces: tuple[tuple[str, str], ...] = (),
    dtype: npt.DTypeLike = np.float64, noise: Noise | None = None, seed: int | None = None, first_trial: int = 0,
    learned: Mapping[str, LearnedWeights] | None = None,
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
    dtype : float64 or float32
        Precision.
    noise, seed : Noise, int, optional
        What is injected in each step, and what decides it. Noise that is applied before a run is not looked at here.
    first_trial : int
        Number of the first trial of the stimulus in the whole data set.
    learned : mapping of str to LearnedWeights, optional
        By projection, of as many trials: weights that change; those projections are sparse.

    Raises
    ------
    BackendError
        Where the layout cannot express the network.
    """
    if layout == "synapses":
        check_expressible(structure_of(spec, noise), stimulus.values is not None, in_process=True)
    built = Built(Network(name="network"), {}, max(stimulus.n_trials, 1))
    try:
        _fill(built, spec, stimulus, layout, traces, dtype, noise, seed, first_trial, learned or {})
    except BaseException:
        built.discard()
        raise
    return built


def _fill(
    built: Built, spec: NetworkSpec, stimulus: Stimulus, layout: str, traces: tuple[tuple[str, str], ...],
    dtype: npt.DTypeLike, noise: Noise | None, seed: int | None, first_trial: int, learned: Mapping[str, LearnedWeights],
) -> None:  # fmt: skip
    structure, slots, dt = structure_of(spec, noise), slots_for(spec.schedule), spec.dt_ms * ms
    built.network.schedule = list(slots.names)
    for group in structure.groups:
        made = neuron_group(group, built.n_trials, slots, dt)
        program = compose(spec, spec[group.name], noise)
        for name, quantity in (*program.constants.items(), *program.states.items()):
            set_values(made, name, quantity.si, built.n_trials)
        built.groups[group.name] = made
        built.network.add(made)
        if group.draws and seed is not None:
            built.network.add(drawing(made, group.draws, seed, first_trial, built.n_trials, dt))
        if group.competes:
            built.network.add(competition(made, built.n_trials, slots.of("threshold", group.name)[0], dt))
    _monitors(built, structure, traces, slots, dt)
    if layout == "shared":
        releases = _releases(spec, noise, seed, first_trial)
        _shared(spec, stimulus, built, structure, slots, dt, dtype, releases, learned)
    else:
        _synapses(spec, stimulus, built, structure, slots, dt, dtype, learned)


def _monitors(built: Built, structure: Structure, traces: tuple[tuple[str, str], ...], slots: Slots, dt: Quantity) -> None:
    for group in structure.groups:
        if group.threshold:
            monitor = SpikeMonitor(built.groups[group.name], name=f"{group.name}_spikes")
            monitor.when, monitor.order = f"after_{slots.of('threshold', group.name)[0]}", 1
            built.spike_monitors[group.name] = monitor
    for key in traces:
        built.state_monitors[key] = StateMonitor(
            built.groups[key[0]], key[1], record=True, when="end", order=1, dt=dt, name=f"{key[0]}_{key[1]}_trace"
        )
    built.network.add(*built.spike_monitors.values(), *built.state_monitors.values())


def _releases(
    spec: NetworkSpec, noise: Noise | None, seed: int | None, first_trial: int
) -> dict[str, ReleaseDraw | None]:
    found = {projection.name: release_noise(projection, noise) for projection in spec.projections}
    return {
        name: None if release is None or seed is None else ReleaseDraw(release, seed, first_trial)
        for name, release in found.items()
    }


def _starts(spec: NetworkSpec) -> dict[str, int]:
    sizes = [population.size for population in spec.inputs]
    return {population.name: sum(sizes[:index]) for index, population in enumerate(spec.inputs)}


def _source(
    spec: NetworkSpec, stimulus: Stimulus, built: Built, name: str, release: str, dtype: npt.DTypeLike
) -> GroupSource | InputSource:
    starts = _starts(spec)
    if name in starts:
        return InputSource(stimulus, starts[name], spec[name].size, dtype)
    return GroupSource(built.groups[name], built.n_trials, release)


def _shared(
    spec: NetworkSpec, stimulus: Stimulus, built: Built, structure: Structure, slots: Slots, dt: Quantity,
    dtype: npt.DTypeLike, releases: dict[str, ReleaseDraw | None], learned: Mapping[str, LearnedWeights],
) -> None:  # fmt: skip
    for projection, shape in zip(spec.projections, structure.projections, strict=True):
        name = projection.name
        source = _source(spec, stimulus, built, projection.source, shape.release, dtype)
        place, target = slots.of("propagate", name), built.groups[projection.target]
        tables, own = tables_of(spec, projection, dtype), learned.get(name)
        built.network.add(
            propagation(name, source, tables, target, projection.port, built.n_trials, place, dt, releases[name], own)
        )
        if own is not None:
            built.network.add(learning(name, source, target, own, None, dt))


def _synapses(
    spec: NetworkSpec, stimulus: Stimulus, built: Built, structure: Structure, slots: Slots, dt: Quantity,
    dtype: npt.DTypeLike, learned: Mapping[str, LearnedWeights],
) -> None:  # fmt: skip
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
    for projection, shape in zip(spec.projections, structure.projections, strict=True):
        if not projection.n_synapses:
            continue
        size = "value" if stimulus.values is not None and projection.source in _starts(spec) else shape.release
        unit = {state.name: state.unit for state in spec[projection.target].declared_states()}[projection.port]
        place = slots.of("propagate", projection.name)
        ends = sources[projection.source], built.groups[projection.target]
        if keeps_own_plasticity(structure, shape):
            made = delayed_plastic_synapses(projection, *ends, structure.group(projection.source), shape.release, unit, place, dt)
            connect(made, projection, built.n_trials, dt)
            made.x_own = 1
        else:
            made = synapses(projection, *ends, unit, built.n_trials, size, place, dt)
        set_weights(made, projection, unit_scale(unit), built.n_trials, dtype)
        built.network.add(made)
        if projection.name in learned:
            own, source = learned[projection.name], _source(spec, stimulus, built, projection.source, "", dtype)
            write = writer(made, projection, own)
            write()
            built.network.add(learning(projection.name, source, ends[1], own, write, dt))
