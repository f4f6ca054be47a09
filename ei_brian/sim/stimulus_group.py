"""Input populations as Brian2 objects, for the layout of plain Synapses."""

from __future__ import annotations

import numpy as np
from brian2 import NetworkOperation, NeuronGroup, Quantity, SpikeGeneratorGroup

from ei_brian.core.stimulus import Stimulus
from ei_brian.sim.driver import InputSource

__all__ = ["graded_input", "spike_input"]


def spike_input(name: str, size: int, stimulus: Stimulus, start: int, dt: Quantity, place: str) -> SpikeGeneratorGroup:
    """Return the spikes of one input population of every trial as a SpikeGeneratorGroup, trials side by side."""
    events = stimulus.events
    mine = (events.unit >= start) & (events.unit < start + size)
    index = events.trial[mine].astype(np.int64) * size + events.unit[mine] - start
    return SpikeGeneratorGroup(
        size * max(stimulus.n_trials, 1), index, events.step[mine] * dt, dt=dt, name=name, when=place
    )


def graded_input(
    name: str, size: int, stimulus: Stimulus, start: int, dt: Quantity, place: str
) -> tuple[NeuronGroup, NetworkOperation]:
    """Return a group whose ``value`` is the graded input of the step, and the operation that sets it.

    A neuron with a value other than 0 counts as spiking in that step, and its synapses scale their weight with the value.
    """
    group = NeuronGroup(
        size * max(stimulus.n_trials, 1), "value : 1", threshold="value != 0", reset="", name=name, dt=dt, namespace={}
    )
    group.state_updater.when, group.resetter["spike"].when = "start", "end"  # they run nothing, but their slots may not exist
    group.thresholder["spike"].when, group.thresholder["spike"].order = place, 0
    source = InputSource(stimulus, start, size, np.float64)

    def present(t: Quantity) -> None:
        values = group.variables["value"].get_value()
        values[:] = 0
        trial, unit, size_of = source.events(round(float(np.asarray(t)) / float(dt)))
        values[trial * size + unit] = size_of

    return group, NetworkOperation(present, dt=dt, when="start", order=-1, name=f"{name}_values")  # before the threshold
