"""A small network of E and I cells as it comes from training, and input for it."""

from __future__ import annotations

import numpy as np

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus


def trained_like(to_e: float, to_i: float, to_out: float, e_to_i: float | None = 0.1, mixed: bool = False) -> NetworkSpec:
    """Return 12 inputs, 16 E and 8 I cells and a readout of 3; I to E is always there, E to I where it is given.

    The numbers are mean weights; those from the input to E have both signs if ``mixed``, their deviation two thirds of the mean.
    """
    rng = np.random.default_rng(0)

    def weights(target: int, source: int, size: float) -> np.ndarray:
        return (rng.uniform(0, 2 * abs(size), size=(target, source)) * np.sign(size)).astype(np.float32)

    populations = (
        Population("input", 12, "input"),
        Population("E", 16, "exc", "lif_exponential"),
        Population("I", 8, "inh", "lif_exponential", parameters={"tau_mem": 10.0}),
        Population("out", 3, "readout", "leaky_readout"),
    )
    drive = rng.normal(to_e, 2 * to_e / 3, size=(16, 12)).astype(np.float32) if mixed else weights(16, 12, to_e)
    projections = [Projection("input", "E", drive), Projection("input", "I", weights(8, 12, to_i))]
    if e_to_i is not None:
        projections.append(Projection("E", "I", weights(8, 16, e_to_i)))
    projections += [Projection("I", "E", weights(16, 8, -0.2)), Projection("E", "out", weights(3, 16, to_out))]
    return NetworkSpec(populations, tuple(projections), 1.0, Readout("out"))


def some_input(n_trials: int, seed: int) -> Stimulus:
    """Return spikes that know nothing of the labels."""
    rng = np.random.default_rng(seed)
    dense = (rng.random((n_trials, 60, 12)) < 0.05).astype(int)
    return Stimulus(Spikes.from_dense(dense, 1.0), np.arange(n_trials) % 3, 3, f"input{seed}")
