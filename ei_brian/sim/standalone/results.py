"""From what a compiled program left behind to recordings, one for each condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.finiteness import check_traces
from ei_brian.core.recording import Recording, spike_scores
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.units import unit_scale
from ei_brian.sim.standalone.condition import RunCondition, RunSettings
from ei_brian.sim.standalone.launch import TrialRange
from ei_brian.sim.standalone.numbers import synapses_in_order
from ei_brian.sim.standalone.outputs import (
    Span,
    check_events,
    read_counts,
    read_events,
    read_learned,
    read_scores,
    read_traces,
)

__all__ = ["kept_spikes", "read_weights", "recordings_of"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Results:
    """Of all trials of all conditions."""

    events: Mapping[str, tuple[Array, Array, Array]]
    counts: Mapping[str, npt.NDArray[np.int64]]
    traces: Mapping[tuple[str, str], list[Array]]
    scores: npt.NDArray[np.float64] | None


def kept_spikes(conditions: Sequence[RunCondition], record: str) -> dict[str, bool]:
    """Return for each spiking population whether each of its spikes is written, or only how many there were."""
    populations = [population for population in conditions[0].spec.cells if population.spiking]
    return {
        p.name: record == "spikes" or any(_decides_by_spike(condition.spec, p.name) for condition in conditions)
        for p in populations
    }


def recordings_of(
    conditions: Sequence[RunCondition], settings: RunSettings, parts: Sequence[TrialRange], keep: Mapping[str, bool]
) -> list[Recording]:
    """Return the recording of each condition, times not yet in it.

    Raises
    ------
    BackendError
        If a result is missing or has another size than it must have.
    """
    edges = [0, *accumulate(condition.stimulus.n_trials for condition in conditions)]
    spans = [Span(first, stop, condition.n_steps) for (first, stop), condition in zip(pairwise(edges), conditions, strict=True)]
    found = _read(conditions[0].spec, settings, parts, keep, spans)
    return [
        _recording(condition, settings, found, span, index)
        for index, (condition, span) in enumerate(zip(conditions, spans, strict=True))
    ]


def read_weights(
    condition: RunCondition, settings: RunSettings, parts: Sequence[TrialRange]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the weights of each projection that learns at the end of each trial, (trial, n_target, n_source), in its unit."""
    made = {}
    for name in condition.rules:
        projection = condition.spec.projection(name)
        source, target = synapses_in_order(condition.spec, name, settings)
        values = read_learned(parts, name, source.size, settings.dtype)
        made[name] = np.zeros((condition.stimulus.n_trials, *projection.weights.shape))
        made[name][:, target, source] = values / unit_scale(_unit(condition.spec, projection.target, projection.port))
    return made


def _read(
    spec: NetworkSpec, settings: RunSettings, parts: Sequence[TrialRange], keep: Mapping[str, bool], spans: Sequence[Span]
) -> _Results:
    events = {name: read_events(parts, name) for name, kept in keep.items() if kept}
    counts = {name: read_counts(parts, name, spec[name].size) for name in keep}
    check_events({name: trial.size for name, (trial, _, _) in events.items()}, counts)
    traces = {key: read_traces(parts, key, spec[key[0]].size, spans, settings.batch, settings.dtype) for key in settings.traces}
    readout = spec.readout
    by_state = readout is not None and not readout.needs_spikes
    scores = read_scores(parts, spec[readout.population].size, settings.dtype) if readout is not None and by_state else None
    return _Results(events, counts, traces, scores)


def _recording(condition: RunCondition, settings: RunSettings, found: _Results, span: Span, index: int) -> Recording:
    spec, stimulus = condition.spec, condition.stimulus
    spikes = {name: _spikes(events, span, spec, name) for name, events in found.events.items()}
    counts = {name: values[span.first : span.stop] for name, values in found.counts.items()}
    traces = {key: each[index] / settings.dtype.type(unit_scale(_unit(spec, *key))) for key, each in found.traces.items()}
    check_traces(traces, settings.dtype)
    scores = None if found.scores is None else found.scores[span.first : span.stop]
    return Recording(
        spikes=spikes if settings.record == "spikes" else {},
        counts=counts,
        traces=traces,
        scores=_scores(condition, spikes, counts, scores),
        labels=stimulus.labels,
        spec_sha256=spec.sha256,
        stimulus_name=stimulus.name,
        n_trials=stimulus.n_trials,
        n_steps=condition.n_steps,
        dt_ms=spec.dt_ms,
        noise=condition.noise,
        seed=condition.seed,
    )


def _spikes(events: tuple[Array, Array, Array], span: Span, spec: NetworkSpec, name: str) -> Spikes:
    trial, step, unit = events
    mine = slice(*np.searchsorted(trial, [span.first, span.stop]).tolist())
    numbers = trial[mine] - np.int32(span.first) if span.first else trial[mine]
    return Spikes(numbers, step[mine], unit[mine], span.stop - span.first, span.n_steps, spec[name].size, spec.dt_ms)


def _decides_by_spike(spec: NetworkSpec, population: str) -> bool:
    return spec.readout is not None and spec.readout.kind == "first spike" and spec.readout.population == population


def _unit(spec: NetworkSpec, population: str, state: str) -> str:
    return next((s.unit for s in spec[population].declared_states() if s.name == state), "1")


def _scores(condition: RunCondition, spikes: Mapping[str, Spikes], counts: Mapping[str, Any], last: Array | None) -> Any:
    readout = condition.spec.readout
    if readout is None:
        return None
    if readout.kind == "spike count":
        return counts[readout.population].astype(np.float64)
    if readout.needs_spikes or last is None:
        return spike_scores(readout, spikes[readout.population])
    population = condition.spec[readout.population]
    score = last / unit_scale(_unit(condition.spec, population.name, population.neuron().voltage))
    return score / condition.n_steps if readout.kind == "mean v" else score
