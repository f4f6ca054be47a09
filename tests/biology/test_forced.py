"""What cells would receive: sums over synapses by hand, in memory of the order of the synapses."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.forced import forced_jumps


def network(weights: Any, delays: Any) -> NetworkSpec:
    n_target, n_source = weights.shape
    populations = Population("in", n_source, "input"), Population("cells", n_target, "exc", "lif_exponential")
    return NetworkSpec(populations, (Projection("in", "cells", weights, "g", delay_steps=delays),), 1.0)


@pytest.mark.parametrize("stored", ["dense", "sparse"])
@pytest.mark.parametrize("late", [0, 2, "each"])
def test_arrivals_are_sums_over_synapses(stored: str, late: Any) -> None:
    rng = np.random.default_rng(0)
    table = np.float32(rng.integers(-8, 9, (30, 40)) / 8) * (rng.random((30, 40)) < 0.3)  # sums of these do not round
    each = rng.integers(0, 4, table.shape).astype(np.int32) if late == "each" else np.full(table.shape, late, np.int32)
    weights: Any = sparse.csr_array(table) if stored == "sparse" else table
    delays: Any = late if late != "each" else each if stored == "dense" else each[weights.tocoo().coords]
    sent = rng.random((3, 20, 40)) < 0.2
    (made,) = forced_jumps(network(weights, delays), Stimulus(Spikes.from_dense(sent, 1.0)), {}, "cells").values()
    wanted = np.zeros((3, 20, 30), np.float32)
    for target, source in np.argwhere(table):
        delay = each[target, source]
        wanted[:, delay:, target] += table[target, source] * sent[:, : 20 - delay, source]
    assert np.array_equal(made, wanted)


def test_memory_is_that_of_the_synapses() -> None:
    n = 20_000
    rng = np.random.default_rng(1)
    place = (np.arange(n), rng.permutation(n))
    weights = sparse.coo_array((np.full(n, 0.5, np.float32), place), shape=(n, n)).tocsr()
    spec = network(weights, 0)
    stimulus = Stimulus(Spikes.from_dense(rng.random((2, 5, n)) < 0.05, 1.0))
    tracemalloc.start()
    forced_jumps(spec, stimulus, {}, "cells")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # a dense table has 1.6 GB
