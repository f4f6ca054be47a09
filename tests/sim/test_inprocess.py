"""The compiled loops that fitting uses give the bits of numpy: for every cell type, every receptor and every kind of network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ei_brian.core.engine import default_engine
from ei_brian.core.models import MODELS
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.numpy_engine import NumpyEngine
from ei_brian.core.population import Population
from ei_brian.core.program import Program
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.delays import with_delays
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.sim.inprocess import cells, network
from ei_brian.sim.inprocess.engine import CompiledEngine, fastest_engine
from tests.biology.networks import some_input, trained_like
from tests.conftest import random_spec, random_stimulus
from tests.sim.networks import (
    SILENT_MAPS,
    biological_network,
    cell_network,
    currents_shown,
    framework_network,
    plain_network,
    spikes_shown,
    tiled_network,
)

PLAIN = NumpyEngine()
RECEPTORS = {
    "current": (("g", "exponential_current"),),
    "conductances": (("g_exc", "AMPA"), ("g_inh", "GABA_A"), ("slow", "NMDA"), ("background", "constant_current")),
}
ONE_OF_EACH_MODEL = {kind.model: kind.name for kind in reversed(CELL_TYPES.values())}


def population(name: str, word: str, size: int, rng: np.random.Generator) -> tuple[Population, dict[str, np.ndarray]]:
    """Return cells of a type, and arrivals that make some of them fire."""
    kind = CELL_TYPES[name]
    strength = 8.0 if kind.model == "izhikevich_2003" else 300.0
    parameters = {**kind.parameters}
    if word == "current":
        parameters |= {"gain_g": strength * rng.uniform(0.5, 1.5, size), "tau_g": rng.uniform(4, 12, size)}
    made = Population("A", size, "mixed", kind.model, RECEPTORS[word], parameters)
    share = 1.0 if word == "current" else strength / 60
    arrivals = {port: (rng.random((3, 60, size)) < 0.2) * rng.normal(0.5, 0.3, (3, 60, size)) * share for port in made.ports[-1:]}
    return made, arrivals


@pytest.mark.parametrize("word", RECEPTORS)
@pytest.mark.parametrize("name", ONE_OF_EACH_MODEL.values())
def test_cells_of_every_model_have_the_bits_of_numpy(name: str, word: str) -> None:
    made, arrivals = population(name, word, 300, np.random.default_rng(1))
    dt_ms = min(1.0, made.neuron().max_dt_ms)
    expected = PLAIN.replay(made, dt_ms, arrivals)
    assert expected.any()
    assert np.array_equal(cells.replay(made, dt_ms, arrivals), expected)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(["RS", "LTS", "Pyramidal"]), n_columns=st.integers(1, 5), repeats=st.integers(1, 130),
    n_trials=st.integers(1, 4), filter_ms=st.floats(0.5, 50.0), seed=st.integers(0, 99),
)  # fmt: skip
def test_distances_of_many_candidates_have_the_bits_of_numpy(
    name: str, n_columns: int, repeats: int, n_trials: int, filter_ms: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    made, _ = population(name, "current", n_columns * repeats, rng)
    arrivals = (rng.random((n_trials, 30, n_columns)) < 0.2) * rng.normal(0.6, 0.3, (n_trials, 30, n_columns))
    wanted = rng.random(arrivals.shape)
    expected = PLAIN.distances(made, 1.0, {"g": arrivals}, wanted, filter_ms)
    assert all(map(np.array_equal, cells.distances(made, 1.0, {"g": arrivals}, wanted, filter_ms), expected))
    spikes = rng.random(arrivals.shape) < 0.1
    assert np.array_equal(
        cells.train_distances(spikes, wanted, 1.0, filter_ms), PLAIN.train_distances(spikes, wanted, 1.0, filter_ms)
    )


def transformed(name: str) -> NetworkSpec:
    """Return a trained network, and what the transforms make of it."""
    made = trained_like(0.5, 0.4, 0.4)
    steps = {
        "swapped": lambda spec: diversify(spec, "cortex FS/LTS", "all", seed=1),
        "conductances": lambda spec: to_conductances(spec, some_input(3, 5)),
        "delays": lambda spec: with_delays(spec, 1.0, 3.0, seed=2),
        "plastic": lambda spec: with_short_term_plasticity(spec, "inh"),
    }
    for step, transform in steps.items():
        if name == "trained":
            break
        made = transform(made)
        if step == name:
            break
    return made


CASES = {
    **{name: (lambda name=name: transformed(name), lambda: some_input(6, 4))
       for name in ("trained", "swapped", "conductances", "delays", "plastic")},
    "all of biology": (biological_network, spikes_shown),
    "plain": (plain_network, currents_shown),
    "all cells": (cell_network, spikes_shown),
    "all maps of frameworks": (lambda: framework_network(SPIKING_MAPS, silent=SILENT_MAPS), currents_shown),
    "sparse": (tiled_network, lambda: spikes_shown(n_trials=3)),
}  # fmt: skip
SPIKING_MAPS = tuple(name for name, model in MODELS.items() if model.spiking and not model.equations)


LARGE = ("all cells", "all maps of frameworks")  # half a minute of compiling each


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in CASES])
def test_networks_have_the_bits_of_the_reference(name: str) -> None:
    spec, stimulus = (make() for make in CASES[name])
    traces = [(p.name, p.ports[0]) for p in spec.cells]
    expected = simulate(spec, stimulus, np.float32, traces)
    assert sum(counts.sum() for counts in expected.counts.values()) > 100
    mine = network.simulate(spec, stimulus, traces)
    for population, train in expected.spikes.items():
        assert mine.spikes[population].equals(train), population
    for key in traces:
        assert np.array_equal(mine.traces[key], expected.traces[key]), key
    assert np.array_equal(np.asarray(mine.scores), np.asarray(expected.scores))
    assert mine.spec_sha256 == expected.spec_sha256


def test_a_planted_fault_is_noticed_and_numpy_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that contracts or reorders would show like this: told once, and the result stays that of numpy."""
    told: list[str] = []
    engine = CompiledEngine(told.append)
    made, arrivals = population("RS", "current", 40, np.random.default_rng(3))
    wrong = source_with_other_numbers(monkeypatch)
    assert np.array_equal(engine.replay(made, 1.0, arrivals), PLAIN.replay(made, 1.0, arrivals))
    assert np.array_equal(engine.replay(made, 1.0, arrivals), PLAIN.replay(made, 1.0, arrivals))
    assert wrong
    assert len(told) == 1
    assert "numpy runs instead, with the same result" in told[0]


@pytest.mark.parametrize("what", ["spikes", "scores"])
def test_a_run_of_a_network_with_another_first_trial_is_noticed(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    spec, stimulus = random_spec(), random_stimulus(n_trials=2)
    original = network.simulate

    def wrong(spec: NetworkSpec, shown: Stimulus, traces: Sequence[tuple[str, str]] = ()) -> Recording:
        made = original(spec, shown, traces)
        if what == "scores":
            return replace(made, scores=np.where(np.arange(shown.n_trials)[:, None] == 0, 1.0, np.asarray(made.scores)))
        late = Spikes.from_dense(np.roll(made.spikes["E"].dense(), 1, axis=1), spec.dt_ms)
        return replace(made, spikes={**made.spikes, "E": late})

    CompiledEngine(told.append).simulate(spec, stimulus)
    assert told == []
    monkeypatch.setattr(network, "simulate", wrong)
    expected, found = PLAIN.simulate(spec, stimulus), CompiledEngine(told.append).simulate(spec, stimulus)
    assert len(told) == 1
    assert found.spikes["E"].equals(expected.spikes["E"])
    assert np.array_equal(np.asarray(found.scores), np.asarray(expected.scores))


def source_with_other_numbers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    written: list[str] = []
    original = cells.source

    def planted(program: Program, ports: tuple[str, ...]) -> str:
        written.append(original(program, ports).replace("= ei_clip(", "= 1.01f*ei_clip("))
        return written[-1]

    monkeypatch.setattr(cells, "source", planted)
    return written


def test_without_a_compiler_numpy_serves_and_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert isinstance(fastest_engine(), NumpyEngine)
    assert "fitted in numpy, with the same result" in capsys.readouterr().err


def test_the_package_installs_the_compiled_engine() -> None:
    assert default_engine().name == "compiled"
