"""Splitting by sign: every neuron obeys Dale's law, and every original spike is where it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.schedule import layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.interop.dale import dale_report, original_spikes, split_by_sign
from tests.conftest import random_spec, random_stimulus
from tests.interop.small_cases import small_spec, small_stimulus

NAMES = ["snntorch-RLeaky-subtract", "norse-LIFRecurrentCell", "spikingjelly-LIFNode-soft", "snntorch-Leaky-vector"]


def mixed_network(seed: int, sparse_weights: bool, delays: bool, layerwise: bool) -> NetworkSpec:
    """Return a random network with a mixed population, a loop and a readout; weights are multiples of 1/16, so sums are exact."""
    rng = np.random.default_rng(seed)

    def weights(n_target: int, n_source: int) -> np.ndarray:
        drawn = rng.integers(-12, 13, (n_target, n_source)) / 16 * (rng.random((n_target, n_source)) < 0.6)
        drawn[:, rng.random(n_source) < 0.2] = np.abs(drawn[:, :1])
        return drawn.astype(np.float32)

    populations = [Population("input", 12, "input"), Population("cells", 9, "mixed", "nir_if_subtract"),
                   Population("out", 3, "readout", "nir_if_subtract")]  # fmt: skip
    pairs = {("input", "cells"): (9, 12), ("cells", "cells"): (9, 9), ("cells", "out"): (3, 9), ("out", "out"): (3, 3)}
    projections = []
    for (source, target), shape in pairs.items():
        table = sparse.csr_array(weights(*shape)) if sparse_weights else weights(*shape)
        size = table.nnz if sparse_weights else table.shape
        steps = rng.integers(0, 3, size).astype(np.int32) if delays else 0
        projections.append(Projection(source, target, table, "drive", steps))
    order = layerwise_schedule(populations, projections) if layerwise else ()
    return NetworkSpec(tuple(populations), tuple(projections), 1.0, Readout("out", "spike count"), order)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.booleans())
def test_split_networks_fire_the_same_spikes(seed: int, sparse_weights: bool, delays: bool, layerwise: bool) -> None:
    spec = mixed_network(seed, sparse_weights, delays, layerwise)
    split = split_by_sign(spec)
    assert dale_report(split).kept
    assert {population.role for population in split.populations} <= {"input", "exc", "inh", "readout"}
    stimulus = random_stimulus(seed, rate=0.3)
    before, after = simulate(spec, stimulus), simulate(split, stimulus)
    merged = original_spikes(split, after)
    assert all(merged[name].dense().sum() == train.n_events for name, train in before.spikes.items())
    for name, train in before.spikes.items():
        found = merged[name]
        assert np.array_equal(found.trial, train.trial)
        assert np.array_equal(found.step, train.step)
        assert np.array_equal(found.unit, train.unit)
    assert np.array_equal(before.scores, after.scores)


def pooled_network(seed: int, sparse_weights: bool, layerwise: bool) -> NetworkSpec:
    """Return cells whose spikes are pooled twice, by relays of relays, and then weighed with both signs."""
    rng = np.random.default_rng(seed)

    def table(shape: tuple[int, int], values: list[int]) -> object:
        drawn = (rng.choice(values, shape) * (rng.random(shape) < 0.5)).astype(np.float32)
        return sparse.csr_array(drawn) if sparse_weights else drawn

    sizes = {"input": 12, "cells": 10, "pooled": 6, "again": 4, "more": 5, "out": 3}
    models = {"input": "", "pooled": "spike_relay", "again": "spike_relay"}
    roles = {"input": "input", "out": "readout"}
    populations = [Population(n, size, roles.get(n, "mixed"), models.get(n, "nir_if_subtract")) for n, size in sizes.items()]
    both, pools = [-2, -1, 1, 2], [1]
    pairs = {("input", "cells"): both, ("cells", "pooled"): pools, ("input", "pooled"): pools, ("pooled", "again"): pools,
             ("again", "more"): both, ("pooled", "more"): both, ("cells", "more"): both, ("more", "out"): both}  # fmt: skip
    made = [Projection(s, t, table((sizes[t], sizes[s]), values), "drive") for (s, t), values in pairs.items()]  # type: ignore[arg-type]
    order = layerwise_schedule(populations, made) if layerwise else ()
    return NetworkSpec(tuple(populations), tuple(made), 1.0, Readout("out", "spike count"), order)


@settings(max_examples=12, deadline=None)
@example(371, False, True)  # a relay without outgoing weights is excitatory, and so is what feeds it
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_signs_go_through_relays(seed: int, sparse_weights: bool, layerwise: bool) -> None:
    spec = pooled_network(seed, sparse_weights, layerwise)
    split = split_by_sign(spec)
    assert dale_report(split).kept
    for population in split.populations:
        heard = {p.target for p in split.projections if p.source == population.name}
        assert population.role not in ("exc", "inh") or {split[n].role for n in heard if split[n].relay} <= {population.role}
    stimulus = random_stimulus(seed, rate=0.3)
    before, after = simulate(spec, stimulus), simulate(split, stimulus)
    merged = original_spikes(split, after)
    assert all(merged[name].equals(train) for name, train in before.spikes.items())
    assert before.spikes["pooled"].n_events
    assert np.array_equal(before.scores, after.scores)


def test_cells_that_inhibit_only_through_a_relay_are_inhibitory() -> None:
    weights = {"in": [[1.0, 0.0], [0.0, 1.0]], "pool": [[1.0, 0.0], [0.0, 1.0]], "out": [[2.0, -3.0]]}
    populations = (
        Population("input", 2, "input"), Population("cells", 2, "mixed", "nir_if_subtract"),
        Population("pooled", 2, "mixed", "spike_relay"), Population("out", 1, "readout", "nir_if_subtract"),
    )  # fmt: skip
    ends = {"in": ("input", "cells"), "pool": ("cells", "pooled"), "out": ("pooled", "out")}
    projections = tuple(Projection(*ends[name], np.array(table, np.float32), "drive") for name, table in weights.items())
    spec = NetworkSpec(populations, projections, 1.0, Readout("out", "spike count"))
    entry = dale_report(spec).populations[1]
    assert (entry.population, entry.excitatory, entry.inhibitory) == ("cells", 1, 1)
    split = split_by_sign(spec)
    neurons = split.provenance[-1]["neurons"]
    assert {name: neurons[name]["neurons"] for name in ("cells_exc", "cells_inh", "pooled_exc", "pooled_inh")} == {
        "cells_exc": [0], "cells_inh": [1], "pooled_exc": [0], "pooled_inh": [1],
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_networks_of_other_frameworks(name: str) -> None:
    spec = small_spec(name)
    report = dale_report(spec)
    assert not report.kept
    assert report.populations[1].both > 0
    split = split_by_sign(spec)
    assert dale_report(split).kept
    before, after = simulate(spec, small_stimulus()), simulate(split, small_stimulus())
    merged = original_spikes(split, after)
    assert all(merged[key].equals(train) for key, train in before.spikes.items())


def test_the_same_neuron_fires_alike_in_both_copies() -> None:
    spec = small_spec(NAMES[0])
    split = split_by_sign(spec)
    recording = simulate(split, small_stimulus())
    neurons = split.provenance[-1]["neurons"]
    rasters = {part: recording.spikes[part].dense() for part in ("cell1_exc", "cell1_inh")}
    both = set(neurons["cell1_exc"]["neurons"]) & set(neurons["cell1_inh"]["neurons"])
    assert both
    for neuron in both:
        first, second = (rasters[part][:, :, neurons[part]["neurons"].index(neuron)] for part in rasters)
        assert np.array_equal(first, second)


def test_a_network_that_keeps_the_law_stays_as_it_is() -> None:
    spec = random_spec()
    assert split_by_sign(spec).sha256 == spec.sha256
    report = dale_report(spec)
    assert report.kept
    assert report.populations[1].against == 0.0


def test_report_counts_by_hand() -> None:
    spec = mixed_network(0, False, False, False)
    weights = np.zeros((3, 9), dtype=np.float32)
    weights[:, 0], weights[:, 1], weights[:, 2] = 1.0, -2.0, (1.0, 1.0, -4.0)
    weights_of = {"cells_out": weights, "cells_cells": np.zeros((9, 9), np.float32)}
    projections = tuple(replace(p, weights=weights_of.get(p.name, p.weights)) for p in spec.projections)
    entry = dale_report(replace(spec, projections=projections, schedule=())).populations[1]
    assert (entry.excitatory, entry.inhibitory, entry.both, entry.silent) == (1, 1, 1, 6)
    assert entry.against == pytest.approx(1 / 9)
    assert entry.against_weight == pytest.approx(2 / (3 + 6 + 6))
