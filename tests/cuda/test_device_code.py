"""The code for a GPU, compiled as plain C++ and run thread by thread, gives the bits of the reference.

What is not in it: Brian2CUDA's own kernels, the memory of a GPU, and threads that truly run at once. Those need `validation/gpu`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.sim.standalone import program
from ei_brian.sim.standalone.case import Case, Use
from ei_brian.sim.standalone.compiled_run import run_compiled
from tests.conftest import random_stimulus
from tests.noise.noise_networks import lif_network
from tests.noise.noise_networks import stimulus as noisy_stimulus
from tests.noise.test_noise_backends import NOISES, SEED
from tests.sim.networks import biological_network, currents_shown, framework_network, plain_network, spikes_shown

FEW_MAPS = (
    "snntorch_rleaky_subtract", "snntorch_leaky_zero_at_once_inhibition", "norse_lif_refractory", "spikingjelly_plif_hard",
)  # fmt: skip
N_LARGE = 1100  # more than two tiles of targets, and more than one block of dense columns


def emulated(spec: NetworkSpec, stimulus: Stimulus, dtype: str = "float64", **changes: Any) -> Recording:
    """Run the device code of a network on the CPU, four trials at a time."""
    noise, seed = changes.pop("noise", None), changes.pop("seed", None)
    layout = changes.pop("layout", "shared")
    use = Use(np.dtype(dtype), layout, batch=4, target="emulated", **changes)
    return run_compiled([Case(spec, stimulus, stimulus.n_steps, noise, seed)], use)[0]


def assert_equal(got: Recording, expected: Recording) -> None:
    assert sum(train.n_events for train in expected.spikes.values()) > 300, "too quiet to show anything"
    for population, train in expected.spikes.items():
        assert got.spikes[population].equals(train), population
        assert np.array_equal(got.counts[population], expected.counts[population])
    for key, trace in expected.traces.items():
        assert np.array_equal(got.traces[key], trace), key
    assert np.array_equal(got.scores, expected.scores)


def large_network() -> NetworkSpec:
    """Return a sparse recurrent network of more neurons than a tile has, each synapse with a delay of its own."""
    rng = np.random.default_rng(4)
    table = sparse.random_array((N_LARGE, N_LARGE), density=0.02, rng=rng, format="csr", dtype=np.float32)
    table.data[:] = (table.data - 0.45) * 0.3
    delays = rng.integers(0, 4, table.nnz).astype(np.int32)
    first = rng.random((N_LARGE, 12), dtype=np.float32) * np.float32(0.9)
    out = rng.normal(0, 0.1, (3, N_LARGE)).astype(np.float32)
    populations = (
        Population("input", 12, "input"),
        Population("cells", N_LARGE, "mixed", "lif_exponential"),
        Population("out", 3, "readout", "leaky_readout"),
    )
    projections = (
        Projection("input", "cells", first),
        Projection("cells", "cells", table, delay_steps=delays),
        Projection("cells", "out", out),
    )
    return NetworkSpec(populations, projections, 1.0, Readout("out", "max v"))


CASES: dict[str, tuple[Callable[[], NetworkSpec], Callable[[], Stimulus], str]] = {
    "every receptor, delay and plasticity": (biological_network, spikes_shown, "float64"),
    "the same in float32, graded input": (biological_network, currents_shown, "float32"),
    "maps of other frameworks in their own order": (lambda: framework_network(FEW_MAPS, size=9), spikes_shown, "float64"),
    "tiles": (large_network, lambda: random_stimulus(n_trials=5, rate=0.2), "float64"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_spike_trace_and_score_is_that_of_the_reference(case: str) -> None:
    make, show, dtype = CASES[case]
    spec, stimulus = make(), show()
    traces = ((spec.cells[0].name, "v"),)
    expected = simulate(spec, stimulus, dtype, traces, stimulus.n_steps)
    assert_equal(emulated(spec, stimulus, dtype, traces=traces), expected)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["every receptor, delay and plasticity", "tiles"])
def test_the_order_of_blocks_and_threads_does_not_matter(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last to the first: what one thread writes and another reads has a barrier between, or the sums would differ."""
    make, show, dtype = CASES[case]
    spec, stimulus = make(), show()
    monkeypatch.setattr(program, "COMPILER_FLAGS", (*program.COMPILER_FLAGS, "-DEI_REVERSED"))
    assert_equal(emulated(spec, stimulus, dtype), simulate(spec, stimulus, dtype, (), stimulus.n_steps))


@pytest.mark.slow
def test_all_noise_is_that_of_the_reference() -> None:
    spec, stimulus = lif_network(plastic=True, delayed=True), noisy_stimulus()
    expected = simulate(spec, stimulus, "float64", noise=NOISES["all"], seed=SEED)
    assert_equal(emulated(spec, stimulus, noise=NOISES["all"], seed=SEED), expected)


@pytest.mark.slow
def test_atomic_sums_give_the_same_spikes_where_sums_do_not_round() -> None:
    """Weights of float32 add up without rounding in float64, so that order does not matter."""
    spec, stimulus = large_network(), random_stimulus(n_trials=5, rate=0.2)
    assert_equal(emulated(spec, stimulus, in_order=False), simulate(spec, stimulus, "float64", (), stimulus.n_steps))


@pytest.mark.slow
def test_plain_synapses_are_recorded_and_started_again_as_the_reference() -> None:
    spec, stimulus = plain_network(), spikes_shown()
    assert_equal(emulated(spec, stimulus, layout="synapses"), simulate(spec, stimulus, "float64", (), stimulus.n_steps))


