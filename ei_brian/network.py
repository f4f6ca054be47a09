"""What a network and its runs are made of: populations, projections, stimuli, recordings, and the reference stepper."""

from __future__ import annotations

from ei_brian.core.continued import Continued
from ei_brian.core.intervention import Intervention
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.proof import Proof
from ei_brian.core.readout import Readout
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.schedule import Phase, layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets

__all__ = [
    "Continued", "Intervention", "NetworkSpec", "Phase", "Population", "Projection", "Proof", "Readout", "Recording",
    "Spikes", "Stimulus", "Targets", "layerwise_schedule", "simulate",
]  # fmt: skip
