"""Which backend and layout has which feature: ``python -m validation.features`` prints the table of docs/concepts/backends.md.

Each feature is a small network, its input and its noise; whether a backend takes it is asked of the backend (`Backend.check`).
`tests/sim/test_features.py` runs all of them in the reference and in numpy, both layouts, and holds the page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from brian2 import Mohm, ms, mV
from scipy import sparse

from ei_brian.errors import BackendError
from ei_brian.models import PairSTDP, TsodyksMarkram
from ei_brian.network import NetworkSpec, Population, Projection, Readout, Recording, Spikes, Stimulus, layerwise_schedule
from ei_brian.noise import Noise
from ei_brian.sim import Backend, cell
from ei_brian.transforms import ChangeDelay, Clamp, Evoke, Inject, Lesion, Scale, Silence, diversify, to_conductances

BACKENDS = (
    ("reference", "auto"), ("numpy", "shared"), ("numpy", "synapses"), ("cython", "shared"), ("cython", "synapses"),
    ("cpp_standalone", "shared"), ("cpp_standalone", "synapses"), ("cuda_standalone", "shared"), ("cuda_standalone", "synapses"),
)  # fmt: skip
Case = tuple[NetworkSpec, Stimulus, Noise | None]
WORDS = {"cpp_standalone": "C++", "cuda_standalone": "CUDA", "auto": ""}


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that a network or a run can have.

    Parameters
    ----------
    name : str
        In the table.
    make : callable
        Returns network, input and noise.
    rules : mapping of str to PairSTDP
        Where synapses learn: asked of `Backend.check`, run by `Backend.learn`.
    """

    name: str
    make: Callable[[], Case]
    rules: Mapping[str, PairSTDP] = field(default_factory=dict)

    def recordings(self, backend: Backend, seed: int) -> tuple[Recording, ...]:
        """Run the feature."""
        spec, stimulus, noise = self.make()
        if self.rules:
            return backend.learn(spec, stimulus, self.rules, noise=noise, seed=seed)[0]
        return (backend.run(spec, stimulus, noise=noise, seed=seed),)


def shown(n_units: int = 8, graded: bool = False) -> Stimulus:
    """Return three trials of 40 steps."""
    rng = np.random.default_rng(3)
    if graded:
        return Stimulus.from_currents(rng.normal(0.4, 0.3, (3, 40, n_units)).clip(0), 1.0)
    return Stimulus(Spikes.from_dense(rng.random((3, 40, n_units)) < 0.3, 1.0))


def network(**of_recurrent: object) -> NetworkSpec:
    """Return 12 excitatory and 4 inhibitory LIF cells and a readout; arguments are those of the recurrent projection."""
    rng = np.random.default_rng(1)
    populations = (
        Population("inp", 8, "input"),
        Population("E", 12, "exc", "lif_exponential"),
        Population("I", 4, "inh", "lif_exponential"),
        Population("out", 3, "readout", "leaky_readout"),
    )
    weights = of_recurrent.pop("weights", rng.uniform(0, 0.3, (12, 12)))
    projections = (
        Projection("inp", "E", rng.uniform(0, 0.6, (12, 8))), Projection("inp", "I", rng.uniform(0, 0.6, (4, 8))),
        Projection("E", "E", weights, **of_recurrent), Projection("I", "E", -rng.uniform(0, 0.4, (12, 4))),  # type: ignore[arg-type]
        Projection("E", "out", rng.uniform(0, 0.3, (3, 12))),
    )  # fmt: skip
    return NetworkSpec(populations, projections, 1.0, Readout("out"))


def own_model() -> NetworkSpec:
    """Return the network with its inhibitory cells of Brian2 equations."""
    leaky = cell(
        "dv/dt = (E_l - v + R*I)/tau : volt", threshold="v > v_t", reset="v = E_l", method="exact",
        parameters={"E_l": -70 * mV, "R": 100 * Mohm, "tau": 20 * ms, "v_t": -50 * mV}, input_current="I", name="leaky",
    )  # fmt: skip
    return diversify(network(), {leaky: 1.0}, "I", seed=0)


def passed_on(model: str, ports: tuple[str, ...]) -> NetworkSpec:
    """Return a network with a population of the model behind its excitatory cells."""
    rng = np.random.default_rng(2)
    spec = network()
    populations = (*spec.populations, Population("P", 5, "mixed" if model != "weighted_sum" else "readout", model))
    more = tuple(Projection("E", "P", rng.uniform(0, 0.6, (5, 12)), port, name=f"to_{port}") for port in ports)
    projections = (*spec.projections, *more)
    return replace(spec, populations=populations, projections=projections, schedule=layerwise_schedule(populations, projections))


def layer_by_layer() -> NetworkSpec:
    """Return the network with the order of events of torch frameworks."""
    spec = network()
    return replace(spec, schedule=layerwise_schedule(spec.populations, spec.projections))


def passing() -> NetworkSpec:
    """Return relays, cells that take the largest of two drives, weighted sums, and own cells with functions, in one network."""
    curved = cell(
        "dv/dt = (E_l - v + R*I + k*log(1 + exp((v - v_T)/k)))/tau : volt", threshold="v > v_t", reset="v = E_l", method="euler",
        parameters={"E_l": -70 * mV, "R": 100 * Mohm, "k": 4 * mV, "v_T": -55 * mV, "tau": 20 * ms, "v_t": -50 * mV},
        input_current="I", name="curved",
    )  # fmt: skip
    rng = np.random.default_rng(2)
    spec = diversify(network(), {curved: 1.0}, "I", seed=0)
    kinds = {"relays": ("spike_relay", ("drive",)), "sums": ("weighted_sum", ("drive",)),
             "largest": ("snntorch_leaky_subtract_of_largest_2", ("drive_0", "drive_1"))}  # fmt: skip
    roles = {"sums": "readout"}
    populations = spec.populations + tuple(Population(n, 5, roles.get(n, "mixed"), model) for n, (model, _) in kinds.items())
    projections = spec.projections + tuple(
        Projection("E", name, rng.uniform(0, 0.6, (5, 12)), port, name=f"{name}_{port}")
        for name, (_, ports) in kinds.items()
        for port in ports
    )
    return replace(spec, populations=populations, projections=projections, schedule=layerwise_schedule(populations, projections))


def spikes(spec: NetworkSpec, noise: Noise | None = None) -> Case:
    """Return a case with spikes as input."""
    return spec, shown(), noise


def currents(spec: NetworkSpec) -> Case:
    """Return a case with graded input."""
    return spec, shown(graded=True), None


RNG = np.random.default_rng(4)
PLASTIC = TsodyksMarkram(0.4, 100.0, 200.0)
DELAYS = RNG.integers(0, 4, (12, 12))
SPARSE = sparse.csr_array(RNG.uniform(0, 0.3, (12, 12)) * (RNG.random((12, 12)) < 0.3))
FEATURES = (
    Feature("dense weights", lambda: spikes(network())),
    Feature("sparse weights", lambda: spikes(network(weights=SPARSE))),
    Feature("one delay for all synapses of a projection", lambda: spikes(network(delay_steps=2))),
    Feature("a delay for each synapse", lambda: spikes(network(delay_steps=DELAYS))),
    Feature("order of events as in torch frameworks, layer by layer", lambda: spikes(layer_by_layer())),
    Feature("graded input (currents)", lambda: currents(network())),
    Feature("graded input, layer by layer", lambda: currents(layer_by_layer())),
    Feature("relays (max-pooling of spikes)", lambda: spikes(passed_on("spike_relay", ("drive",)))),
    Feature(
        "cells that take the largest of several drives (max-pooling of currents)",
        lambda: spikes(passed_on("snntorch_leaky_subtract_of_largest_2", ("drive_0", "drive_1"))),
    ),
    Feature("readouts over time (weighted sums, linear heads)", lambda: spikes(passed_on("weighted_sum", ("drive",)))),
    Feature(
        "Izhikevich cells, several types in a population", lambda: spikes(diversify(network(), {"FS": 0.5, "LTS": 0.5}, "I"))
    ),
    Feature("cells of one's own, from Brian2 equations", lambda: spikes(own_model())),
    Feature("conductances", lambda: spikes(to_conductances(diversify(network(), {"FS": 1.0}, "I")))),
    Feature("short-term plasticity", lambda: spikes(network(plasticity=PLASTIC))),
    Feature("short-term plasticity with delays", lambda: spikes(network(plasticity=PLASTIC, delay_steps=DELAYS))),
    Feature("synapses that learn (pairs of spikes)", lambda: spikes(network(delay_steps=2)), {"E_E": PairSTDP(0.02, 0.02)}),
    Feature("noise of the membrane (white, Ornstein-Uhlenbeck)", lambda: spikes(network(), Noise(membrane_ou_sd=0.5))),
    Feature("noise of the network (weights, thresholds, dead cells)", lambda: spikes(network(), Noise(weight_spread=0.1))),
    Feature("noise of the input", lambda: spikes(network(), Noise(input_deletion=0.1))),
    Feature("noise of release (failures, quanta)", lambda: spikes(network(), Noise(release_failure=0.2))),
    Feature("perturbed cells: silence, clamp, inject, evoke", lambda: spikes(perturbed(network()))),
    Feature("perturbed synapses: scale, lesion, change delays", lambda: spikes(weakened(network()))),
)


def perturbed(spec: NetworkSpec) -> NetworkSpec:
    """Return the network with each perturbation of cells."""
    for one in (
        Silence("E", 5, 10),
        Clamp("I", 10, 20, potential=0.5),
        Inject("E", 0, 30, current=0.1),
        Evoke("I", 0, 9, every_ms=3.0),
    ):
        spec = one(spec)
    return spec


def weakened(spec: NetworkSpec) -> NetworkSpec:
    """Return the network with each perturbation of synapses."""
    for one in (Scale("I", factor=0.7), Lesion("E_E", share=0.5, seed=1), ChangeDelay("I_E", by_ms=2.0)):
        spec = one(spec)
    return spec


def refusal(feature: Feature, name: str, layout: str) -> str:
    """Return why a backend does not take a feature, or an empty text."""
    try:
        Backend(name, layout=layout).check(*feature.make(), feature.rules)
    except BackendError as error:
        return str(error)
    return ""


def table() -> str:
    """Return the table as Markdown, with what the refusals say below it."""
    heads = [f"{WORDS.get(name, name)} {WORDS.get(layout, layout)}".strip() for name, layout in BACKENDS]
    lines = ["| feature | " + " | ".join(heads) + " |", "| --- |" + " --- |" * len(heads)]
    said: dict[str, int] = {}
    for feature in FEATURES:
        found = []
        for name, layout in BACKENDS:
            why = refusal(feature, name, layout).partition(": ")[2]
            found.append(f"refused ({said.setdefault(why, len(said) + 1)})" if why else "yes")
        lines.append(f"| {feature.name} | " + " | ".join(found) + " |")
    notes = [f"{number}. {why}" for why, number in said.items()]
    return "\n".join([*lines, "", "What a refusal says:", "", *notes]) + "\n"


def main() -> int:
    """Print the table."""
    print(table(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
