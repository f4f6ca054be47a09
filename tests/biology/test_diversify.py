"""Swapping cells: what is swapped, with what, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.diversify import diversify
from ei_brian.errors import ConfigError, SpecError


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    rng = np.random.default_rng(0)
    populations = (
        Population("input", 8, "input"),
        Population("E", 20, "exc", "lif_exponential"),
        Population("I", 10, "inh", "lif_exponential", parameters={"tau_mem": 10.0}),
        Population("out", 3, "readout", "leaky_readout"),
    )
    def weights(target: int, source: int, sign: int) -> np.ndarray:
        return (sign * rng.uniform(0, 0.3, size=(target, source))).astype(np.float32)

    projections = (
        Projection("input", "E", weights(20, 8, 1) * 3),
        Projection("input", "I", weights(10, 8, 1) * 3),
        Projection("E", "I", weights(10, 20, 1)),
        Projection("I", "E", weights(20, 10, -1)),
        Projection("E", "out", weights(3, 20, 1)),
    )
    return NetworkSpec(populations, projections, 1.0, Readout("out"))


@pytest.fixture(scope="module")
def stimulus() -> Stimulus:
    rng = np.random.default_rng(1)
    dense = rng.random((6, 80, 8)) < 0.08
    return Stimulus(Spikes.from_dense(dense.astype(int), 1.0), np.arange(6) % 3, 3)


def test_both_spellings_are_one(spec: NetworkSpec) -> None:
    first = diversify(spec, mix={"FS": 0.6, "LTS": 0.4}, seed=1)
    second = spec | diversify(mix={"FS": 0.6, "LTS": 0.4}, seed=1)
    assert first.sha256 == second.sha256
    assert diversify(spec, "cortex FS/LTS", seed=2).sha256 != first.sha256


def test_shares_are_exact_and_only_that_population_changes(spec: NetworkSpec) -> None:
    made = diversify(spec, mix={"FS": 0.6, "LTS": 0.4}, seed=3)
    assert sorted(made["I"].cell_types) == ["FS"] * 6 + ["LTS"] * 4
    assert made["E"].model == "lif_exponential"
    assert made["I"].role == "inh"
    for old, new in zip(spec.projections, made.projections, strict=True):
        assert np.array_equal(old.weights, new.weights)
    line = made.provenance[-1]
    assert line["action"] == "diversify"
    assert line["seed"] == 3
    assert set(line["first_map"]) == {"FS", "LTS"}


def test_jitter_spreads_around_the_type_and_none_is_the_type(spec: NetworkSpec) -> None:
    plain, spread = (diversify(spec, mix="FS", jitter=jitter, seed=1)["I"].parameters for jitter in (0.0, 0.1))
    assert np.all(plain["a"] == CELL_TYPES["FS"].parameters["a"])
    assert 0 < np.std(spread["a"]) < 0.1 * 0.1 * 2
    assert np.all(np.abs(spread["a"] - 0.1) <= 0.2 * 0.1 + 1e-12)  # cut at two standard deviations


@pytest.mark.parametrize("mix", ["cortex FS/LTS", "hippocampus CA3 perisomatic"])
def test_the_whole_network_still_answers(spec: NetworkSpec, stimulus: Stimulus, mix: str) -> None:
    before, after = simulate(spec, stimulus), simulate(spec | diversify(mix, "all", seed=1), stimulus)
    for name in ("E", "I"):
        assert before.rate_hz(name) / 4 < after.rate_hz(name) < before.rate_hz(name) * 4


@pytest.mark.parametrize(
    ("mix", "population", "message"),
    [
        ({"FSS": 1.0}, "inh", "'FSS' is not known. Did you mean 'FS'"),
        ({"FS": 0.5, "LTS": 0.4}, "inh", "sum to 0.9"),
        ({"FS": 1.5, "LTS": -0.5}, "inh", "positive"),
        ({}, "inh", "no types given"),
        ("cortex FS/LST", "inh", "Did you mean 'cortex FS/LTS'"),
        ("FS", "ihn", "Did you mean 'inh'"),
    ],
)
def test_bad_mixtures_are_refused(spec: NetworkSpec, mix: str, population: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        diversify(spec, mix, population)


def test_cells_without_a_trained_drive_are_refused(spec: NetworkSpec) -> None:
    with pytest.raises(SpecError, match="trained drive"):
        spec | diversify("FS") | diversify("LTS")


def test_a_seed_that_is_none_is_refused(spec: NetworkSpec) -> None:
    for seed in (-1, 1.5, True):
        with pytest.raises(ConfigError, match="whole number"):
            diversify(spec, "FS", seed=seed)  # type: ignore[arg-type]
