"""The network and the input that every benchmark runs: 784-200(160 E, 40 I, recurrent)-10, 100 steps of 1 ms."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

__all__ = ["N_INPUT", "N_OUTPUT", "STEPS", "THRESHOLD", "network", "stimulus", "weights"]

N_INPUT, N_OUTPUT, STEPS, THRESHOLD = 784, 10, 100, 0.45
TAU_MEM_MS, TAU_SYN_MS = 20.0, 5.0
DISTINCT = 1000
Array = npt.NDArray[np.float32]


def weights(n_hidden: int = 200, density: float = 1.0, seed: int = 0) -> tuple[Array, Array, Array]:
    """Return input (784, n), recurrent (n, n) and output (n, 10) weights, rows by source; four in five cells are excitatory.

    The weights are scaled with the square root of the number of synapses per cell, so that rates stay in the same range.
    """
    rng = np.random.default_rng(seed)
    n_exc = n_hidden * 4 // 5
    w_in = rng.random((N_INPUT, n_hidden), dtype=np.float32) * np.float32(0.02)
    w_rec = rng.random((n_hidden, n_hidden), dtype=np.float32) * np.float32(0.02 * 200 / n_hidden)
    w_out = rng.random((n_hidden, N_OUTPUT), dtype=np.float32) * np.float32(0.05 * 200 / n_hidden)
    w_rec[n_exc:] *= -4
    w_out[n_exc:] *= -4
    if density < 1:
        for table in (w_in, w_rec):
            table *= (rng.random(table.shape) < density) / np.float32(density)
    return w_in, w_rec, w_out


def network(n_hidden: int = 200, density: float = 1.0, threshold: float = THRESHOLD) -> NetworkSpec:
    """Return the network as a spec; below a density of 1 with sparse tables."""
    tables: list[Any] = [np.ascontiguousarray(table.T) for table in weights(n_hidden, density)]
    if density < 1:
        tables[:2] = [sparse.csr_array(table) for table in tables[:2]]
    cells = {"tau_mem": TAU_MEM_MS, "tau_syn": TAU_SYN_MS}
    populations = (
        Population("image", N_INPUT, "input"),
        Population("hidden", n_hidden, "mixed", "lif_exponential", parameters={**cells, "v_threshold": threshold}),
        Population("out", N_OUTPUT, "readout", "leaky_readout", parameters=cells),
    )
    projections = (
        Projection("image", "hidden", tables[0]),
        Projection("hidden", "hidden", tables[1]),
        Projection("hidden", "out", tables[2]),
    )
    return NetworkSpec(populations, projections, 1.0, Readout("out", "max v"), name="prototype")


@functools.cache
def stimulus(n_trials: int, seed: int = 1) -> Stimulus:
    """Return Poisson-like spikes of 784 units, about 1,360 a trial; beyond 1,000 trials the same ones come again."""
    rng = np.random.default_rng(seed)
    parts = []
    for trial in range(min(n_trials, DISTINCT)):
        rate = np.clip(rng.gamma(0.5, 0.5, N_INPUT), 0, 1) * (rng.random(N_INPUT) < 0.5) * 0.15
        step, unit = np.nonzero(rng.random((STEPS, N_INPUT), dtype=np.float32) < rate)
        parts.append(np.stack([np.full(step.size, trial), step, unit]).astype(np.int32))
    once = np.concatenate(parts, axis=1)
    turns = -(-n_trials // DISTINCT)
    events = np.tile(once, turns)
    events[0] += np.repeat(np.arange(turns, dtype=np.int32) * DISTINCT, once.shape[1])
    events = events[:, events[0] < n_trials]
    labels = rng.integers(0, N_OUTPUT, n_trials)
    return Stimulus(Spikes(*events, n_trials, STEPS, N_INPUT, 1.0), labels, N_OUTPUT, "prototype")
