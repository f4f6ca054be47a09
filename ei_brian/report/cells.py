"""Single cells for the figures: which to look at, their potentials, and the currents into one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.report.figures.raster import kinds_of
from ei_brian.report.figures.traces import Trace

__all__ = ["cells_only", "currents_into", "example_traces", "example_trial", "input_currents"]


def cells_only(spec: NetworkSpec, recording: Recording) -> Recording:
    """Return a recording without the relays, which are no cells."""
    names = {population.name for population in spec.cells if population.relay}
    if not names:
        return recording
    spikes = {name: train for name, train in recording.spikes.items() if name not in names}
    counts = {name: count for name, count in recording.counts.items() if name not in names}
    return replace(recording, spikes=spikes, counts=counts)


def example_trial(stimulus: Stimulus, right: npt.NDArray[np.bool_]) -> int:
    """Return the first trial that every network decided right, else 0."""
    return int(np.argmax(right)) if right.any() else 0


def example_traces(spec: NetworkSpec, stimulus: Stimulus, trial: int) -> list[Trace]:
    """Return the potential of the most active cell of each cell type, excitatory first, in one trial."""
    names = [population.name for population in spec.cells if population.spiking and not population.relay]
    one = stimulus.select(trial, trial + 1)
    keys = [(name, spec[name].neuron().voltage) for name in names]
    recording = simulate(spec, one, traces=keys)
    found = []
    for name, state in keys:
        population, kinds = spec[name], kinds_of(spec, name)
        unit = next(s.unit for s in population.declared_states() if s.name == state)
        for kind in dict.fromkeys(sorted(kinds)):
            mine = np.array([k for k, other in enumerate(kinds) if other == kind])
            cell = int(mine[np.argmax(recording.counts[name][0, mine])])
            spikes = recording.spikes[name]
            steps = spikes.step[spikes.unit == cell]
            words = f"{kind} cell {cell} of {name}" if population.cell_types else f"cell {cell} of {name} (integrate-and-fire)"
            v = recording.traces[name, state][0, :, cell]
            found.append(Trace(words, unit, v, steps, spec.dt_ms, kind))
    return found


def currents_into(
    spec: NetworkSpec, stimulus: Stimulus, trial: int, target: str, cell: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the synaptic current g that each source drives in one trained cell, shape (step,), by linearity of its decay."""
    one = stimulus.select(trial, trial + 1)
    spikes = {name: train.dense(np.float64)[0] for name, train in simulate(spec, one).spikes.items()}
    values, start = np.asarray(one.dense(np.float64))[0], 0
    for population in spec.inputs:
        spikes[population.name] = values[:, start : start + population.size]
        start += population.size
    population = spec[target]
    tau = np.broadcast_to(np.asarray(population.parameters["tau_syn"]), population.size)[cell]
    decay = float(np.exp(-spec.dt_ms / tau))
    parts: dict[str, npt.NDArray[np.float64]] = {}
    for projection in spec.projections:
        if projection.target != target or projection.max_delay or projection.plasticity is not None:
            continue
        weights = projection.weights.toarray() if projection.sparse else projection.weights
        jumps = spikes[projection.source] @ weights[cell].astype(np.float64)
        parts[projection.source] = parts.get(projection.source, 0) + _decaying(jumps, decay)
    return parts


def _decaying(jumps: npt.NDArray[np.float64], decay: float) -> npt.NDArray[np.float64]:
    current = np.empty_like(jumps)
    level = 0.0
    for step, jump in enumerate(jumps.tolist()):
        level = level * decay + jump
        current[step] = level
    return current


def input_currents(spec: NetworkSpec) -> tuple[str, ...]:
    """Return the populations whose cells hold a plain trained current, which `currents_into` can take apart."""
    return tuple(p.name for p in spec.cells if p.model == "lif_exponential" and p.role in ("exc", "mixed"))
