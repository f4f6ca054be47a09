"""The work of a sweep: simulate a network under noise and measure what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ei_brian.core.noise import Noise
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.measure.decision import accuracy
from ei_brian.measure.energy import spikes_per_decision, synaptic_events_per_decision
from ei_brian.measure.irregularity import cv
from ei_brian.measure.output import potential_readout
from ei_brian.measure.over_time import correlation, r_squared, rmse
from ei_brian.measure.rates import rate_summary
from ei_brian.study.condition import Condition
from ei_brian.study.outcome import Made
from ei_brian.study.plan import Plan, noise_fields

__all__ = ["Simulation", "output_measures", "standard_measures"]

Run = Callable[[NetworkSpec, Stimulus, Noise | None, int | None], Recording]
Measure = Callable[[NetworkSpec, Recording], Mapping[str, Any]]
Keep = Callable[[Condition, Recording], Mapping[str, bytes] | None]


def standard_measures(spec: NetworkSpec, recording: Recording) -> dict[str, float | int]:
    """Return what a row of the table holds of a run.

    Returns
    -------
    dict
        ``n_trials``; with labels and a readout ``accuracy``, ``accuracy_low`` and ``accuracy_high`` (Wilson, 95 %, over trials);
        for each population P of spiking cells ``rate_hz_P``, ``silent_P`` and ``saturated_P`` (shares of cells) and, where spikes
        were kept, ``cv_P`` (mean over cells); ``spikes_per_decision``; ``synaptic_events_per_decision`` (of the cells, without
        input). What is not defined, like the CV of silent cells, is nan.
    """
    made: dict[str, float | int] = {"n_trials": recording.n_trials}
    if recording.labels is not None and recording.scores is not None:
        right = accuracy(recording)
        made |= {"accuracy": right.value, "accuracy_low": right.low, "accuracy_high": right.high}
    cells = [name for name in recording.counts if not spec[name].relay]
    for name in cells:
        summary = rate_summary(recording, name)
        made |= {f"rate_hz_{name}": summary.mean_hz, f"silent_{name}": summary.silent, f"saturated_{name}": summary.saturated}
    for name, train in ((name, recording.spikes[name]) for name in cells if name in recording.spikes):
        known = cv(train)
        known = known[np.isfinite(known)]
        made[f"cv_{name}"] = float(known.mean()) if known.size else float("nan")
    made["spikes_per_decision"] = float(spikes_per_decision(recording).mean())
    made["synaptic_events_per_decision"] = float(synaptic_events_per_decision(spec, recording).mean())
    return made


def output_measures(spec: NetworkSpec, recording: Recording, targets: Targets) -> dict[str, float]:
    """Return how near the readout population's potentials come to targets over time.

    Returns
    -------
    dict
        ``r_squared``, ``correlation`` and ``rmse``, each with its 95 % interval over trials (``r_squared_low`` …).
    """
    output = potential_readout(spec, range(targets.values.shape[2])).output(spec, recording, targets.dt_ms)
    made: dict[str, float] = {}
    for name, measure in (("r_squared", r_squared), ("correlation", correlation), ("rmse", rmse)):
        found = measure(output, targets)
        made |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    return made


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
        Called with condition and recording; returns files of it, by their names in the results folder, or nothing.
    """

    plan: Plan
    run: Run
    measure: Measure = standard_measures
    keep: Keep | None = None

    def __call__(self, condition: Condition) -> Made:
        """Return the measures of one condition."""
        fields, seed = noise_fields(condition)
        spec = self.plan.spec_of(condition)
        noise = Noise(**fields) if fields else None
        recording = self.run(spec, self.plan.stimulus, noise, seed)
        files = {} if self.keep is None else self.keep(condition, recording)
        measures = dict(self.measure(spec, recording))
        targets = self.plan.stimulus.targets
        if targets is not None:
            measures |= output_measures(spec, recording, targets)
        return Made(measures, files or {})
