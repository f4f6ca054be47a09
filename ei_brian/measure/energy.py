"""What a decision costs, in events: a proxy for energy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus

__all__ = ["fan_out", "spikes_per_decision", "synaptic_events_per_decision"]


@takes_numbers()
def spikes_per_decision(recording: Recording) -> npt.NDArray[np.int64]:
    """Return the number of spikes of all simulated neurons in each trial, shape (trial,), a count; by definition."""
    total = np.zeros(recording.n_trials, dtype=np.int64)
    for counts in recording.counts.values():
        total += counts.sum(axis=1)
    return total


@takes_numbers()
def fan_out(projection: Projection) -> npt.NDArray[np.int64]:
    """Return how many synapses of weight not 0 each neuron of the source has, shape (n_source,), a count; by definition."""
    table = projection.weights != 0
    return np.asarray(table.sum(axis=0), dtype=np.int64).ravel()


@takes_numbers()
def synaptic_events_per_decision(
    spec: NetworkSpec, recording: Recording, stimulus: Stimulus | None = None
) -> npt.NDArray[np.int64]:
    """Return how many synapses a spike passed in each trial, shape (trial,): every spike times its synapses of weight not 0.

    Parameters
    ----------
    spec, recording : NetworkSpec, Recording
        What ran.
    stimulus : Stimulus, optional
        What was presented: then the synapses of the input count as well.

    References
    ----------
    The measure of neuromorphic hardware, where energy is counted per synaptic operation: Merolla et al. 2014, Science 345:668,
    doi 10.1126/science.1254642.
    """
    inputs = {population.name for population in spec.inputs}
    total = np.zeros(recording.n_trials, dtype=np.int64)
    shown = None if stimulus is None else stimulus.events.counts()
    for projection in spec.projections:
        if projection.source not in inputs:
            total += recording.counts[projection.source] @ fan_out(projection)
        elif shown is not None:
            start = sum(p.size for p in spec.inputs[: [p.name for p in spec.inputs].index(projection.source)])
            total += shown[:, start : start + spec[projection.source].size] @ fan_out(projection)
    return total
