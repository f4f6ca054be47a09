"""Claim: a GPU gives every spike of the reference, in both layouts, deterministic and noisy.

`tests/cuda/test_whole_programs.py` runs the same cases without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.sim.backend import Backend
from tests.noise.noise_networks import izhikevich_network, lif_network
from tests.noise.noise_networks import stimulus as noisy_stimulus
from tests.noise.test_noise_backends import NOISES, SEED
from tests.sim.networks import (
    biological_network,
    currents_shown,
    framework_network,
    plain_network,
    spikes_shown,
    tiled_network,
)

__all__ = ["CASES", "Case", "Equality", "compare", "run_on_gpu"]

BATCH = 8
FEW_MAPS = (
    "snntorch_rleaky_subtract", "snntorch_leaky_zero_at_once_inhibition", "norse_lif_refractory", "spikingjelly_plif_hard",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison; ``must_be_equal`` where sums have one order, so that nothing may differ.

    ``run`` holds what else `Backend.run` is given, ``setting`` what else `Backend` is.
    """

    name: str
    make: Callable[[], NetworkSpec]
    show: Callable[[], Stimulus]
    dtype: str = "float64"
    layout: str = "shared"
    run: dict[str, Any] = field(default_factory=dict)
    setting: dict[str, Any] = field(default_factory=dict)

    @property
    def must_be_equal(self) -> bool:
        """Whether not one spike may differ."""
        return self.layout == "shared" and self.setting.get("summation") != "atomic"


@dataclass(frozen=True, slots=True)
class Equality:
    """What came out of a case."""

    case: Case
    n_spikes: int
    differing: int
    largest_score_difference: float
    largest_trace_difference: float

    @property
    def equal(self) -> bool:
        """Whether spikes, scores and potentials have the bits of the reference."""
        return not self.differing and self.largest_score_difference == 0 and self.largest_trace_difference == 0


NOISE: dict[str, Any] = {"noise": NOISES["all"], "seed": SEED}
CASES = (
    Case("every receptor, delay, plasticity", biological_network, spikes_shown),
    Case("the same, graded input", biological_network, currents_shown, "float32"),
    Case("without delayed sizes", plain_network, spikes_shown),
    Case("without delayed sizes", plain_network, spikes_shown, layout="synapses"),
    Case("maps of other frameworks", lambda: framework_network(FEW_MAPS, size=9), spikes_shown),
    Case("maps of other frameworks", lambda: framework_network(FEW_MAPS, size=9), spikes_shown, layout="synapses"),
    Case("all noise, LIF, plastic, delayed", lambda: lif_network(plastic=True, delayed=True), noisy_stimulus, run=NOISE),
    Case("1,100 cells, sparse, delays", tiled_network, lambda: spikes_shown(5)),
    Case("the same, sums as they come", tiled_network, lambda: spikes_shown(5), setting={"summation": "atomic"}),
    Case("all noise, Izhikevich", izhikevich_network, noisy_stimulus, "float32", run=NOISE),
)


def run_on_gpu(case: Case) -> tuple[NetworkSpec, Stimulus, Recording]:
    """Build the program if it is not there, and run it."""
    spec, stimulus = case.make(), case.show()
    backend = Backend("cuda_standalone", dtype=case.dtype, layout=case.layout, batch=BATCH, **case.setting)
    return spec, stimulus, backend.run(spec, stimulus, traces=traces_of(spec), **case.run)


def traces_of(spec: NetworkSpec) -> tuple[tuple[str, str], ...]:
    """Return the traces that are compared: the membrane potentials of the first cells."""
    return ((spec.cells[0].name, "v"),)


def compare(case: Case) -> Equality:
    """Run a case on GPU and reference and count what differs."""
    spec, stimulus, got = run_on_gpu(case)
    expected = simulate(spec, stimulus, case.dtype, traces_of(spec), stimulus.n_steps, **case.run)
    differing = 0
    for name, train in expected.spikes.items():
        sets = [set(zip(t.trial.tolist(), t.step.tolist(), t.unit.tolist(), strict=True)) for t in (train, got.spikes[name])]
        differing += len(sets[0] ^ sets[1]) + int(not np.array_equal(got.counts[name], expected.counts[name]))
    traces = max(_apart(got.traces[key], trace) for key, trace in expected.traces.items())
    n_spikes = sum(train.n_events for train in expected.spikes.values())
    return Equality(case, n_spikes, differing, _apart(got.scores, expected.scores), traces)


def _apart(got: Any, expected: Any) -> float:
    """Return the largest difference; infinite where one is missing or not a number."""
    if got is None or expected is None:
        return 0.0 if got is expected else np.inf
    difference = np.abs(np.asarray(expected, dtype=np.float64) - np.asarray(got, dtype=np.float64))
    return float(np.max(np.where(np.isnan(difference), np.inf, difference), initial=0.0))
