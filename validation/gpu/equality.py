"""Claim: a GPU gives every spike of the reference, in both layouts, deterministic and noisy."""

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
from tests.sim.networks import biological_network, currents_shown, framework_network, plain_network, spikes_shown

__all__ = ["CASES", "Case", "Equality", "compare", "run_on_gpu"]

BATCH = 8
FEW_MAPS = ("snntorch_rleaky_subtract", "norse_lif_refractory", "spikingjelly_plif_hard")


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison; ``must_be_equal`` where sums have one order, so that nothing may differ."""

    name: str
    make: Callable[[], NetworkSpec]
    show: Callable[[], Stimulus]
    dtype: str = "float64"
    layout: str = "shared"
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def must_be_equal(self) -> bool:
        """Whether not one spike may differ."""
        return self.layout == "shared"


@dataclass(frozen=True, slots=True)
class Equality:
    """What came out of a case."""

    case: Case
    n_spikes: int
    differing: int
    largest_score_difference: float
    rate_hz: tuple[float, float]


NOISE: dict[str, Any] = {"noise": NOISES["all"], "seed": SEED}
CASES = (
    Case("every receptor, delay, plasticity", biological_network, spikes_shown),
    Case("the same, graded input", biological_network, currents_shown, "float32"),
    Case("without delayed sizes", plain_network, spikes_shown),
    Case("without delayed sizes", plain_network, spikes_shown, layout="synapses"),
    Case("maps of other frameworks", lambda: framework_network(FEW_MAPS, size=9), spikes_shown),
    Case("maps of other frameworks", lambda: framework_network(FEW_MAPS, size=9), spikes_shown, layout="synapses"),
    Case("all noise, LIF, plastic, delayed", lambda: lif_network(plastic=True, delayed=True), noisy_stimulus, arguments=NOISE),
    Case("all noise, Izhikevich", izhikevich_network, noisy_stimulus, "float32", arguments=NOISE),
)


def run_on_gpu(case: Case) -> tuple[NetworkSpec, Stimulus, Recording]:
    """Build the program if it is not there, and run it."""
    spec, stimulus = case.make(), case.show()
    backend = Backend("cuda_standalone", dtype=case.dtype, layout=case.layout, batch=BATCH)
    return spec, stimulus, backend.run(spec, stimulus, **case.arguments)


def compare(case: Case) -> Equality:
    """Run a case on GPU and reference and count what differs."""
    spec, stimulus, got = run_on_gpu(case)
    expected = simulate(spec, stimulus, case.dtype, (), stimulus.n_steps, **case.arguments)
    differing = 0
    for name, train in expected.spikes.items():
        sets = [set(zip(t.trial.tolist(), t.step.tolist(), t.unit.tolist(), strict=True)) for t in (train, got.spikes[name])]
        differing += len(sets[0] ^ sets[1])
    scores = 0.0
    if expected.scores is not None and got.scores is not None:
        scores = float(np.max(np.abs(np.asarray(expected.scores) - np.asarray(got.scores)), initial=0.0))
    n_spikes = sum(train.n_events for train in expected.spikes.values())
    names = list(expected.spikes)
    rates = tuple(float(np.mean([recording.rate_hz(name) for name in names])) for recording in (expected, got))
    return Equality(case, n_spikes, differing, scores, (rates[0], rates[1]))
