"""Conditions that run together are those that run alone: their own weights, parameters, noise, seed and input, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from ei_brian.core.noise import Noise
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.sim.backend import Backend
from ei_brian.sim.standalone import compiled_run
from tests.sim.networks import biological_network, currents_shown, plain_network, spikes_shown
from tests.sim.test_compile_once import scaled, with_population, with_projection
from tests.sim.test_compiled_equality import BATCH, TRACES, assert_same

DTYPES = ("float64", "float32")
Conditions = list[tuple[NetworkSpec, Stimulus, Noise | None, int | None]]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with each start of processes: how many shares it had."""
    seen: list[int] = []
    real = compiled_run.launch

    def launch(program: Any, data: Any, parts: Any, *rest: Any) -> float:
        seen.append(len(parts))
        return real(program, data, parts, *rest)

    monkeypatch.setattr(compiled_run, "launch", launch)
    return seen


def different() -> Conditions:
    """Return conditions that share a program and nothing else."""
    spec = biological_network()
    lower = {**spec["F"].parameters, "v_threshold": 0.6 * np.asarray(spec["F"].parameters["v_threshold"])}
    dense = spec.projections[3]
    spread = Noise(weight_spread=0.3)
    return [
        (spec, spikes_shown(17), None, None),
        (biological_network(8), spikes_shown(9, seed=1, rate=0.3), None, None),
        (with_projection(spec, 0, delay_steps=9), spikes_shown(3, 31, seed=2), None, None),
        (with_projection(spec, 3, weights=sparse.csr_array(dense.weights), delay_steps=4), currents_shown(8), None, None),
        (with_population(spec, "F", parameters=lower), spikes_shown(1), None, None),
        (spec, spikes_shown(12), spread, 5),
        (spec, spikes_shown(12), spread, 6),
        (scaled(spec, 1.3), spikes_shown(20, seed=4), None, None),
    ]


def assert_each(got: list[Recording], conditions: Conditions, dtype: str, traces: tuple[tuple[str, str], ...] = TRACES) -> None:
    assert len(got) == len(conditions)
    for recording, (spec, stimulus, noise, seed) in zip(got, conditions, strict=True):
        wanted = simulate(spec, stimulus, dtype, traces, None, noise, seed)
        assert_same(recording, wanted)
        assert (recording.seed, recording.noise) == (wanted.seed, wanted.noise)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_conditions_in_one_program_are_those_of_the_reference(dtype: str, threads: int, starts: list[int]) -> None:
    conditions = different()
    backend = Backend("cpp_standalone", dtype=dtype, batch=BATCH, threads=threads)
    got = backend.run_many(conditions, traces=TRACES)
    assert starts == [threads], "one start for all"
    assert_each(got, conditions, dtype)
    assert all(recording.backend["conditions_together"] == len(conditions) for recording in got)


def test_twenty_devices_are_twenty_runs(starts: list[int]) -> None:
    """Weights that were written with an error, 20 times: one start, and the recordings of 20 runs."""
    spec, shown = biological_network(), spikes_shown(10)
    devices: Conditions = [(spec, shown, Noise(weight_spread=0.2), seed) for seed in range(20)]
    backend = Backend("cpp_standalone", batch=BATCH)
    together = backend.run_many(devices)
    assert starts == [1]
    for recording, device in zip(together, devices, strict=True):
        assert_same(recording, backend.run(*device[:2], noise=device[2], seed=device[3]))
    assert len({recording.counts["F"].tobytes() for recording in together}) == 20


def test_noise_of_every_step_goes_by_the_trial_of_its_condition(starts: list[int]) -> None:
    """Each condition counts its trials from 0 and has its own key and level; kinds of noise need programs of their own."""
    spec, shown = plain_network(), spikes_shown(9)
    drawn = [(level, seed) for level in (0.1, 0.3) for seed in (1, 2)]
    conditions: Conditions = [(spec, shown, Noise(membrane_white_sd=level), seed) for level, seed in drawn]
    conditions.insert(1, (spec, shown, None, None))
    got = Backend("cpp_standalone", batch=BATCH, threads=2).run_many(conditions)
    assert starts == [2, 2], "with noise and without"
    assert_each(got, conditions, "float64", ())


def test_plain_synapses_take_the_weights_of_each_condition(starts: list[int]) -> None:
    spec = plain_network()
    factors = enumerate((1, 0.8, 1.2))
    conditions: Conditions = [(scaled(spec, factor), spikes_shown(5, seed=k), None, None) for k, factor in factors]
    got = Backend("cpp_standalone", layout="synapses", batch=BATCH).run_many(conditions)
    assert starts == [1]
    assert_each(got, conditions, "float64", ())


@pytest.mark.parametrize("name", ["reference", "numpy"])
def test_other_backends_run_one_after_the_other(name: str) -> None:
    conditions = different()[4:7]
    assert_each(Backend(name).run_many(conditions, traces=TRACES), conditions, "float64")


@pytest.mark.parametrize("name", ["reference", "numpy", "cpp_standalone"])
def test_no_condition_and_no_trial(name: str) -> None:
    backend = Backend(name, batch=BATCH)
    assert backend.run_many([]) == []
    spec = biological_network()
    conditions: Conditions = [(spec, spikes_shown(0), None, None), (spec, spikes_shown(2), None, None)]
    assert_each(backend.run_many(conditions), conditions, "float64", ())


def test_large_conditions_are_run_in_several_starts(starts: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ei_brian.sim.backend.TOGETHER_BYTES", 1)
    conditions = different()[:3]
    assert_each(Backend("cpp_standalone", batch=BATCH).run_many(conditions), conditions, "float64", ())
    assert starts == [1, 1, 1]


def test_a_table_of_another_condition_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: were the tables of the first condition used for all, the comparison above would fail."""
    real: Callable[..., Any] = compiled_run.numbers_of
    first: dict[str, Any] = {}

    def same_tables(*arguments: Any) -> dict[str, Any]:
        made = real(*arguments)
        tables = {name: array for name, array in made.items() if ".0." in name}
        return made | (first if first else first.update(tables) or {})

    monkeypatch.setattr(compiled_run, "numbers_of", same_tables)
    spec, shown = biological_network(), spikes_shown(10)
    devices: Conditions = [(spec, shown, Noise(weight_spread=0.2), seed) for seed in range(2)]
    got = Backend("cpp_standalone", batch=BATCH).run_many(devices)
    with pytest.raises(AssertionError):
        assert_each(got, devices, "float64", ())
