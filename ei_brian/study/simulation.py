"""The work of a sweep: simulate a network under noise and measure what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ei_brian.core.noise import Noise
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.study.condition import Condition
from ei_brian.study.plan import Plan, noise_fields

__all__ = ["Simulation", "basic_measures"]

Run = Callable[[NetworkSpec, Stimulus, Noise | None, int | None], Recording]
Measure = Callable[[NetworkSpec, Recording], Mapping[str, Any]]
Keep = Callable[[Condition, Recording], None]


def basic_measures(spec: NetworkSpec, recording: Recording) -> dict[str, float | int]:
    """Return accuracy, rates, silent cells and what a decision costs.

    Returns
    -------
    dict
        ``accuracy`` and ``n_trials`` (when the stimulus has labels); ``rate_hz_P`` and ``silent_P`` (share of cells that never
        spike) per spiking population P; ``spikes_per_trial`` of all cells; ``synaptic_events_per_trial``: each spike of a cell
        times its outgoing synapses.
    """
    made: dict[str, float | int] = {"n_trials": recording.n_trials}
    if recording.labels is not None and recording.scores is not None:
        made["accuracy"] = recording.accuracy
    spikes = events = 0.0
    for name, counts in recording.counts.items():
        made[f"rate_hz_{name}"] = recording.rate_hz(name)
        made[f"silent_{name}"] = float((counts.sum(axis=0) == 0).mean())
        spikes += float(counts.sum())
        events += float(counts.sum(axis=0) @ _fan_out(spec, name))
    made["spikes_per_trial"] = spikes / max(recording.n_trials, 1)
    made["synaptic_events_per_trial"] = events / max(recording.n_trials, 1)
    return made


def _fan_out(spec: NetworkSpec, source: str) -> Any:
    """Return the number of synapses that leave each cell of a population."""
    total = 0
    for projection in spec.projections:
        if projection.source == source:
            total = total + (projection.weights != 0).sum(axis=0)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Computes a condition of a plan.

    Parameters
    ----------
    plan : Plan
        What the conditions belong to.
    run : callable
        ``run(spec, stimulus, noise, seed) -> Recording``; noise and seed are None where nothing is random.
    measure : callable
        ``measure(spec, recording)`` gives the columns of the table.
    keep : callable, optional
        Called with condition and recording, to keep it.
    """

    plan: Plan
    run: Run
    measure: Measure = basic_measures
    keep: Keep | None = None

    def __call__(self, condition: Condition) -> Mapping[str, Any]:
        """Return the measures of one condition."""
        fields, seed = noise_fields(condition)
        spec = self.plan.spec_of(condition)
        noise = Noise(**fields) if fields else None
        recording = self.run(spec, self.plan.stimulus, noise, seed)
        if self.keep is not None:
            self.keep(condition, recording)
        return self.measure(spec, recording)
