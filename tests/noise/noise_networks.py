"""Small networks that fire, for the tests of noise."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

N_IN, N_EXC, N_INH, N_OUT = 30, 70, 20, 4


def _weights(rng: np.random.Generator, target: int, source: int, sign: float, scale: float) -> np.ndarray:
    return (sign * scale * rng.uniform(0, 1, size=(target, source))).astype(np.float32)


def lif_network(plastic: bool = False, delayed: bool = False, sized: float = 1.0) -> NetworkSpec:
    """LIF cells, recurrent, with more than 64 neurons so that counters span blocks."""
    rng = np.random.default_rng(1)
    delays = rng.integers(0, 5, size=(N_INH, N_EXC)).astype(np.int32) if delayed else 0
    populations = (
        Population("inp", N_IN, "input"),
        Population("E", N_EXC, "exc", "lif_exponential"),
        Population("I", N_INH, "inh", "lif_exponential", parameters={"tau_mem": 10.0}),
        Population("out", N_OUT, "readout", "leaky_readout"),
    )
    recurrent = sparse.csr_array(np.where(rng.random((N_EXC, N_EXC)) < 0.3, _weights(rng, N_EXC, N_EXC, 1, 0.1), 0))
    projections = (
        Projection("inp", "E", _weights(rng, N_EXC, N_IN, 1, 0.5 * sized)),
        Projection("inp", "I", _weights(rng, N_INH, N_IN, 1, 0.5 * sized)),
        Projection("E", "E", recurrent, plasticity=TsodyksMarkram(0.4, 100.0, 200.0) if plastic else None),
        Projection("E", "I", _weights(rng, N_INH, N_EXC, 1, 0.1), delay_steps=delays),
        Projection("I", "E", _weights(rng, N_EXC, N_INH, -1, 0.15)),
        Projection("E", "out", _weights(rng, N_OUT, N_EXC, 1, 0.2)),
    )
    return NetworkSpec(populations, projections, 1.0, Readout("out"))


def izhikevich_network() -> NetworkSpec:
    """Izhikevich 2003 cells with exponential currents."""
    rng = np.random.default_rng(2)
    drive = {"gain_g": 20.0, "offset_g": 2.0}
    fast = {"a": 0.1, "b": 0.2, "c": -65.0, "d": 2.0}
    populations = (
        Population("inp", N_IN, "input"),
        Population("E", N_EXC, "exc", "izhikevich_2003", (("g", "exponential_current"),), drive),
        Population("I", N_INH, "inh", "izhikevich_2003", (("g", "exponential_current"),), drive | fast),
        Population("out", N_OUT, "readout", "leaky_readout"),
    )
    projections = (
        Projection("inp", "E", _weights(rng, N_EXC, N_IN, 1, 0.5)),
        Projection("inp", "I", _weights(rng, N_INH, N_IN, 1, 0.5)),
        Projection("E", "I", _weights(rng, N_INH, N_EXC, 1, 0.1)),
        Projection("I", "E", _weights(rng, N_EXC, N_INH, -1, 0.3)),
        Projection("E", "out", _weights(rng, N_OUT, N_EXC, 1, 0.2)),
    )
    return NetworkSpec(populations, projections, 1.0, Readout("out"))


def stimulus(n_trials: int = 9, n_steps: int = 40, rate: float = 0.08) -> Stimulus:
    """Random input spikes with labels."""
    rng = np.random.default_rng(3)
    events = Spikes.from_dense(rng.random((n_trials, n_steps, N_IN)) < rate, 1.0)
    return Stimulus(events, np.arange(n_trials) % N_OUT, N_OUT, "random")
