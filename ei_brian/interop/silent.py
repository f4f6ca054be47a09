"""Layers that no input can bring to their threshold in a reasonable time: a network read with the wrong constants is silent."""

from __future__ import annotations

from typing import Any

import numpy as np

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.schedule import layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

__all__ = ["STEPS", "unreachable"]

STEPS = 100
LONGEST = 10_000
GRADED = 10.0  # an input that is a current, not a spike, may be so large; a leaky cell is judged by it


def unreachable(spec: NetworkSpec) -> list[str]:
    """Return the populations of which no neuron fires within ``STEPS`` steps, or ten time constants, of the strongest input.

    The strongest input is a spike of every source with a positive weight, and of none with a negative one, in every step; a cell
    whose membrane grows with its input cannot do better.
    """
    return [cell.name for cell in spec.cells if cell.spiking and not _fires(spec, cell)]


def _fires(spec: NetworkSpec, cell: Population) -> bool:
    strongest: Any = np.zeros(cell.size)
    for projection in spec.projections:
        if projection.target == cell.name:
            weights: Any = projection.weights
            positive = weights.maximum(0) if projection.sparse else np.maximum(weights, 0)
            graded = spec[projection.source].role == "input" and "rate_mem" in cell.parameters
            strongest = strongest + (GRADED if graded else 1.0) * np.asarray(positive.sum(axis=1)).ravel()
    most = np.argsort(strongest)[-1:]
    alone = Population(cell.name, 1, "mixed", cell.model, cell.receptors, {
        name: value if np.ndim(value) == 0 else np.asarray(value)[most] for name, value in cell.parameters.items()
    }, own=cell.own, own_synapses=cell.own_synapses)  # fmt: skip
    source = Population("input", 1, "input")
    ports = [projection.port for projection in spec.projections if projection.target == cell.name] or list(cell.ports)[:1]
    drive = Projection("input", cell.name, np.array([[float(strongest[most[0]])]]), ports[0])
    trial = NetworkSpec((source, alone), (drive,), spec.dt_ms, schedule=layerwise_schedule((source, alone), (drive,)))
    rate = float(np.min(alone.parameters.get("rate_mem", 1.0)))
    steps = int(min(max(STEPS, 10 / rate), LONGEST))
    stimulus = Stimulus(Spikes.from_dense(np.ones((1, steps, 1)), spec.dt_ms))
    return simulate(trial, stimulus).spikes[cell.name].n_events > 0
