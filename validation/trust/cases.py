"""Networks and noise that the checks of the engine run on."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ei_brian.core.noise import Noise
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

__all__ = ["NOISE", "RELEASE", "izhikevich", "lif", "stimulus"]

NOISE = Noise(membrane_white_sd=0.15, membrane_ou_sd=0.15, correlation=0.3, background_exc_hz=20.0)
RELEASE = Noise(membrane_white_sd=0.15, release_failure=0.2, quantal_cv=0.3, spike_failure=0.05)


def stimulus(spec: NetworkSpec, n_trials: int = 100, n_steps: int = 50, rate: float = 0.15, seed: int = 0) -> Stimulus:
    """Return independent input spikes with labels."""
    rng = np.random.default_rng(seed)
    events = Spikes.from_dense(rng.random((n_trials, n_steps, spec.n_inputs)) < rate, spec.dt_ms)
    return Stimulus(events, np.arange(n_trials) % 3, 3, "random")


def lif(seed: int = 0) -> NetworkSpec:
    """Return LIF cells, recurrent, 20 E and 5 I, that spike at some tens of Hz."""
    rng = np.random.default_rng(seed)
    populations = (
        Population("input", 30, "input"),
        Population("E", 20, "exc", "lif_exponential", parameters={"tau_mem": rng.uniform(10, 30, 20)}),
        Population("I", 5, "inh", "lif_exponential", parameters={"tau_mem": 10.0}),
        Population("out", 3, "readout", "leaky_readout"),
    )

    def weights(n_target: int, n_source: int, scale: float, sign: int) -> np.ndarray:
        drawn = rng.normal(size=(n_target, n_source)) * scale
        return (np.abs(drawn) * sign if sign else drawn + scale / 2).astype(np.float32)

    projections = (
        Projection("input", "E", weights(20, 30, 0.8, 0)),
        Projection("input", "I", weights(5, 30, 0.8, 0), delay_steps=2),
        Projection("E", "E", weights(20, 20, 0.2, 1), delay_steps=rng.integers(0, 4, (20, 20)).astype(np.int32)),
        Projection("E", "I", weights(5, 20, 0.4, 1)),
        Projection("I", "E", weights(20, 5, 0.8, -1)),
        Projection("E", "out", weights(3, 20, 0.5, 1)),
    )
    return NetworkSpec(populations, projections, 1.0, Readout("out", "max v"), name="lif_cells")


def izhikevich(seed: int = 0, plastic: bool = True) -> NetworkSpec:
    """Return LIF cells that drive Izhikevich cells through currents, sparse, with delays and (unless not) with plasticity."""
    plasticity = TsodyksMarkram(0.4, 50.0, 100.0) if plastic else None
    rng = np.random.default_rng(seed)
    current = {"gain_drive": 12.0, "offset_drive": rng.uniform(3, 6, 8)}
    populations = (
        Population("input", 20, "input"),
        Population("E", 15, "exc", "lif_exponential"),
        Population("I", 8, "inh", "izhikevich_2003", (("drive", "exponential_current"),), current, ("FS", "LTS") * 4),
        Population("out", 3, "readout", "leaky_readout"),
    )
    table = sparse.random_array((8, 15), density=0.5, rng=rng, format="csr", dtype=np.float32)
    driven = (rng.normal(size=(15, 20)) * 0.8 + 0.4).astype(np.float32)
    delays = rng.integers(0, 3, table.nnz).astype(np.int32)
    projections = (
        Projection("input", "E", driven),
        Projection("E", "I", table, "drive", delays, plasticity),
        Projection("I", "E", -np.abs(rng.normal(size=(15, 8)) * 0.3).astype(np.float32)),
        Projection("E", "out", np.abs(rng.normal(size=(3, 15)) * 0.5).astype(np.float32)),
    )
    name = "izhikevich_cells" if plastic else "izhikevich_static"
    return NetworkSpec(populations, projections, 0.5, Readout("out", "mean v"), name=name)
