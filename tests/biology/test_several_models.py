"""Cells of several models in the place of one population: it becomes a population of each, and the rest stays what it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import ei_brian as ei
from ei_brian.core.parts import Part, divided, whole_spikes
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.calibration_settings import CalibrationSettings
from ei_brian.core.transform.trained import divided_like, trained_network
from ei_brian.errors import SpecError
from ei_brian.sim.backend import Backend
from tests.biology.networks import some_input, trained_like

MIX = {"FS": 0.5, "Basket": 0.25, "AdEx tonic": 0.25}


def fine() -> NetworkSpec:
    """A network at 0.25 ms, in whose weights every sum is exact, dense and sparse, with delays of every kind."""
    rng = np.random.default_rng(1)
    coarse = trained_like(0.4, 0.3, 0.3)
    projections = []
    for number, projection in enumerate(coarse.projections):
        weights = np.round(np.asarray(projection.weights, dtype=np.float64) * 256) / 256
        delays = rng.integers(0, 4, size=weights.shape, dtype=np.int32)
        table = sparse.csr_array(np.where(rng.random(weights.shape) < 0.6, weights, 0.0)) if number % 2 else weights
        steps = delays if number % 2 == 0 else rng.integers(0, 4, size=table.nnz, dtype=np.int32)
        projections.append(Projection(projection.source, projection.target, table, delay_steps=steps))
    return NetworkSpec(coarse.populations, tuple(projections), 0.25, coarse.readout)


@pytest.fixture(scope="module")
def mixed() -> NetworkSpec:
    return trained_like(0.4, 0.3, 0.3) | ei.diversify(MIX, "inh", jitter=0.1, seed=2)


def test_a_divided_population_fires_as_the_whole_one_does() -> None:
    spec, stimulus = fine(), some_input(9, 3).refined(4)
    order = np.random.default_rng(0).permutation(8)
    parts = {"I": (Part("I_a", "inh", np.sort(order[:3])), Part("I_b", "inh", np.sort(order[3:])))}
    whole, made = simulate(spec, stimulus), simulate(divided(spec, parts), stimulus)
    assert whole.spikes["I"].n_events > 50
    for name in ("E", "I_a", "I_b"):
        assert made.spikes[name].n_events > 0
    assert made.spikes["E"].equals(whole.spikes["E"])
    np.testing.assert_array_equal(made.scores, whole.scores)
    for part in parts["I"]:
        np.testing.assert_array_equal(made.counts[part.name], whole.counts["I"][:, part.neurons])


def test_each_model_is_a_population_of_its_own(mixed: NetworkSpec) -> None:
    kinds = {p.name: (p.model, set(p.cell_types), p.size) for p in mixed.populations if p.role == "inh"}
    assert kinds == {
        "I_izhikevich_2003": ("izhikevich_2003", {"FS"}, 4),
        "I_izhikevich_2007": ("izhikevich_2007", {"Basket"}, 2),
        "I_adex": ("adex", {"AdEx tonic"}, 2),
    }
    recording = simulate(mixed, some_input(4, 3))
    assert all(recording.spikes[name].n_events > 0 for name in kinds)
    assert whole_spikes(mixed, recording.spikes, "I").n_events == sum(recording.spikes[name].n_events for name in kinds)
    assert whole_spikes(mixed, recording.spikes, "I").n_units == 8


def test_the_trained_network_behind_it_fires_as_before(mixed: NetworkSpec) -> None:
    trained = trained_like(0.4, 0.3, 0.3)
    stimulus = some_input(4, 3)
    back = trained_network(mixed)
    spikes = simulate(back, stimulus).spikes
    assert spikes["E"].equals(simulate(trained, stimulus).spikes["E"])
    assert whole_spikes(mixed, spikes, "I").equals(simulate(trained, stimulus).spikes["I"])


def test_a_trained_network_that_is_given_is_divided_in_the_same_way(mixed: NetworkSpec) -> None:
    given, read = divided_like(trained_like(0.4, 0.3, 0.3), mixed), trained_network(mixed)
    stimulus = some_input(3, 7)
    first, second = simulate(given, stimulus), simulate(read, stimulus)
    assert first.spikes.keys() == second.spikes.keys() >= {"I_izhikevich_2003", "I_izhikevich_2007", "I_adex"}
    for name, train in first.spikes.items():
        assert train.equals(second.spikes[name])


def test_one_model_leaves_the_population_whole() -> None:
    made = trained_like(0.4, 0.3, 0.3) | ei.diversify({"FS": 0.5, "LTS": 0.5}, "inh", seed=2)
    assert [p.name for p in made.populations] == ["input", "E", "I", "out"]
    assert all(line["action"] != "divide" for line in made.provenance)


def test_what_cannot_be_divided_is_refused() -> None:
    spec = trained_like(0.4, 0.3, 0.3)
    other = Population("I_izhikevich_2003", 1, "inh", "lif_exponential")
    taken = replace(spec, populations=(*spec.populations, other), schedule=())
    with pytest.raises(SpecError, match="population I: a part of it would be named I_izhikevich_2003, as another is"):
        taken | ei.diversify(MIX, "I", seed=2)
    read = replace(spec, readout=Readout("I", "spike count"))
    with pytest.raises(SpecError, match="population I is read out, and cannot be divided"):
        read | ei.diversify(MIX, "I", seed=2)


def test_it_is_kept_in_a_file(mixed: NetworkSpec, tmp_path: Path) -> None:
    ei.save(mixed, tmp_path / "mixed.h5")
    back = ei.load(tmp_path / "mixed.h5")
    assert back.sha256 == mixed.sha256
    assert trained_network(back).sha256 == trained_network(mixed).sha256


@pytest.mark.slow
def test_it_is_calibrated_and_runs_the_same_as_compiled_code(mixed: NetworkSpec) -> None:
    calibration_set, loose = some_input(24, 4), CalibrationSettings(rate_tolerance=10.0)
    alone = ei.calibrate(mixed, calibration_set, settings=loose)
    assert len(alone.provenance[-1]["open_loop"]) == 3
    stimulus = some_input(6, 5)
    expected, found = simulate(alone, stimulus), Backend("cpp_standalone").run(alone, stimulus)
    assert sum(train.n_events for train in expected.spikes.values()) > 100
    for name, train in expected.spikes.items():
        assert found.spikes[name].equals(train)


def test_the_ladder_measures_the_whole_population() -> None:
    spec, stimulus = trained_like(0.4, 0.3, 0.3), some_input(6, 3)
    made = ei.ladder(spec, stimulus, rungs=[("several models", ei.diversify(MIX, "inh", seed=2))])
    trained, mixed = made.rungs
    assert trained.distance["I"] == 0.0
    assert mixed.distance.keys() == trained.distance.keys()
    assert mixed.distance["I"] > 0.05
