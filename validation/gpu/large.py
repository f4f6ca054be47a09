"""A network of 100,000 neurons, each with about 1,000 synapses, and the stimuli of the speed measurements."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from validation.benchmarks.network import N_INPUT, N_OUTPUT, STEPS
from validation.benchmarks.network import stimulus as few_trials

__all__ = ["large_network", "large_stimulus", "many_trials"]

N_DRIVE, DRIVE_RATE = 100, 0.03
DISTINCT = 1000  # trials of the prototype's stimulus, repeated beyond


def many_trials(n_trials: int) -> Stimulus:
    """Return the stimulus of the benchmarks, its first 1,000 trials repeated."""
    once = few_trials(min(n_trials, DISTINCT)).events
    copies = -(-n_trials // DISTINCT)
    trial = (np.arange(copies, dtype=np.int32)[:, None] * DISTINCT + once.trial[None, :]).ravel()
    keep = trial < n_trials
    step, unit = (np.tile(values, copies)[keep] for values in (once.step, once.unit))
    events = Spikes(trial[keep], step, unit, n_trials, STEPS, N_INPUT, 1.0)
    return Stimulus(events, np.zeros(n_trials, dtype=np.int64), N_OUTPUT, "prototype, repeated")


def _table(n: int, density: float, rng: np.random.Generator) -> sparse.csr_array:
    """Return random weights; gaps between synapses are uniform, so that each row has about ``density * n``."""
    per_row, widest = int(n * density * 1.2), int(2 / density)
    rows, counts = [], []
    for first in range(0, n, 10_000):
        gaps = rng.integers(1, widest, (min(10_000, n - first), per_row), dtype=np.int32)
        source = np.cumsum(gaps, axis=1, dtype=np.int32) - 1
        inside = source < n
        rows.append(source[inside])
        counts.append(inside.sum(axis=1))
    source = np.concatenate(rows)
    first_of = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    weight = rng.random(source.size, dtype=np.float32) * np.float32(4.0 / (n * density))
    weight[source >= n * 4 // 5] *= -4
    return sparse.csr_array((weight, source, first_of), shape=(n, n))


def large_network(n: int = 100_000, density: float = 0.01, seed: int = 0) -> NetworkSpec:
    """Return the network; four in five cells are excitatory."""
    rng = np.random.default_rng(seed)
    drive = rng.random((n, N_DRIVE), dtype=np.float32) * np.float32(0.16)
    populations = (Population("drive", N_DRIVE, "input"), Population("hidden", n, "mixed", "lif_exponential"))
    projections = (Projection("drive", "hidden", drive), Projection("hidden", "hidden", _table(n, density, rng)))
    return NetworkSpec(populations, projections, 1.0, name="large")


def large_stimulus(n_trials: int, n_steps: int = 200, seed: int = 1) -> Stimulus:
    """Return Poisson-like spikes of the drive."""
    rng = np.random.default_rng(seed)
    events = Spikes.from_dense(rng.random((n_trials, n_steps, N_DRIVE)) < DRIVE_RATE, 1.0)
    return Stimulus(events, np.zeros(n_trials, dtype=np.int64), 1, "drive")
