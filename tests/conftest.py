"""Small random networks and stimuli that several tests use."""

from __future__ import annotations

# isort: off
from tests import one_thread  # noqa: F401 - before numpy and torch
# isort: on

from collections.abc import Callable

import numpy as np
import pytest

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

N_IN, N_EXC, N_INH, N_OUT = 12, 16, 4, 3


def random_stimulus(seed: int = 0, n_trials: int = 6, n_steps: int = 40, n_units: int = N_IN, rate: float = 0.1) -> Stimulus:
    """Return independent input spikes with chance ``rate`` per step, and labels."""
    rng = np.random.default_rng(seed)
    events = Spikes.from_dense(rng.random((n_trials, n_steps, n_units)) < rate, dt_ms=1.0)
    return Stimulus(events, np.arange(n_trials) % N_OUT, N_OUT, "random")


def random_spec(seed: int = 0, recurrent: bool = True, n_inh: int = N_INH, **changes: object) -> NetworkSpec:
    """Return a network of E and I cells under Dale's law that spikes at a few tens of Hz for `random_stimulus`."""
    rng = np.random.default_rng(seed)
    cells = {"E": N_EXC, "I": n_inh} if n_inh else {"E": N_EXC}
    populations = [Population("input", N_IN, "input")]
    populations += [
        Population(name, size, "exc" if name == "E" else "inh", "lif_exponential") for name, size in cells.items()
    ]
    populations.append(Population("out", N_OUT, "readout", "leaky_readout"))

    def weights(n_target: int, n_source: int, source: str, scale: float) -> np.ndarray:
        drawn = rng.normal(size=(n_target, n_source)) * scale
        signed = {"E": np.abs(drawn), "I": -np.abs(drawn)}.get(source, drawn + scale)
        return signed.astype(np.float32)

    projections = [Projection("input", name, weights(size, N_IN, "input", 1.0)) for name, size in cells.items()]
    if recurrent:
        projections += [Projection(s, t, weights(cells[t], cells[s], s, 0.3)) for s in cells for t in cells]
    projections += [Projection(name, "out", weights(N_OUT, size, name, 1.0)) for name, size in cells.items()]
    arguments = {"readout": Readout("out", "max v"), **changes}
    return NetworkSpec(tuple(populations), tuple(projections), 1.0, **arguments)  # type: ignore[arg-type]


@pytest.fixture
def make_spec() -> Callable[..., NetworkSpec]:
    return random_spec


@pytest.fixture
def make_stimulus() -> Callable[..., Stimulus]:
    return random_stimulus


@pytest.fixture
def spec() -> NetworkSpec:
    return random_spec()


@pytest.fixture
def stimulus() -> Stimulus:
    return random_stimulus()
