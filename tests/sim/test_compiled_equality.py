"""Compiled programs give the numbers of the reference, to the last bit, in both precisions and both layouts.

Noise has its own tests. A program takes seconds to build, so each holds many features; what is only data (kind of input, number
of steps and trials, threads, traces) shares a program.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from ei_brian.core.models import MODELS
from ei_brian.core.readout import READOUT_KINDS, Readout
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from tests.sim.networks import (
    CURVED_CELLS,
    SILENT_MAPS,
    SPIKING_MAPS,
    biological_network,
    cell_network,
    currents_shown,
    framework_network,
    plain_network,
    spikes_shown,
)

BATCH = 7
TRACES = (("F", "v"), ("F", "g"), ("E", "u"), ("G", "v"), ("G", "nmda"), ("out", "v"))
TRACED = {
    "few maps": (("layer_1", "v"), ("out", "v")),
    "all maps": (("out", "v"), *((f"silent_{number}", "v") for number in range(1, len(SILENT_MAPS)))),
    "all cells": tuple((f"cell_{number}", "v") for number in range(len(CURVED_CELLS))),
}
FEW_MAPS = (
    "snntorch_rleaky_subtract", "snntorch_leaky_subtract_at_once_inhibition", "norse_lif_refractory", "spikingjelly_plif_hard",
)  # fmt: skip
DTYPES = ("float64", "float32")


@cache
def expected(
    network: str, dtype: str, shown: str, n_trials: int, n_steps: int | None, traced: bool
) -> tuple[NetworkSpec, Stimulus, Recording]:
    """Return network, stimulus, and what the reference says."""
    spec = NETWORKS[network]()
    stimulus = (spikes_shown if shown == "spikes" else currents_shown)(n_trials)
    return spec, stimulus, simulate(spec, stimulus, dtype, TRACED.get(network, TRACES) if traced else (), n_steps)


NETWORKS: dict[str, Any] = {
    "biological": biological_network,
    "plain": plain_network,
    "few maps": lambda: framework_network(FEW_MAPS, size=9),
    "all maps": lambda: framework_network(SPIKING_MAPS, silent=SILENT_MAPS),
    "all cells": cell_network,
}


def assert_same(got: Recording, wanted: Recording, spikes: bool = True) -> None:
    """Compare every spike, count, trace and score by its bits."""
    if spikes:
        assert set(got.spikes) == set(wanted.spikes)
        for name, train in wanted.spikes.items():
            assert got.spikes[name].equals(train), name
    else:
        assert not got.spikes
    assert set(got.counts) == set(wanted.counts)
    for name, counts in wanted.counts.items():
        assert np.array_equal(got.counts[name], counts), name
    assert set(got.traces) == set(wanted.traces)
    for key, trace in wanted.traces.items():
        assert got.traces[key].dtype == trace.dtype, key
        assert got.traces[key].shape == trace.shape, key
        assert got.traces[key].tobytes() == trace.tobytes(), key
    assert (got.scores is None) == (wanted.scores is None)
    if wanted.scores is not None:
        assert got.scores is not None
        assert got.scores.tobytes() == np.ascontiguousarray(wanted.scores).tobytes()
    assert (got.n_trials, got.n_steps, got.dt_ms) == (wanted.n_trials, wanted.n_steps, wanted.dt_ms)
    assert got.spec_sha256 == wanted.spec_sha256


def assert_lively(recording: Recording) -> None:
    for name, train in recording.spikes.items():
        assert train.n_events > 30, f"{name} is too quiet to show anything"


USES = {  # (kind of input, trials, steps, threads, traced)
    "spikes": ("spikes", 17, None, 1, True),
    "currents": ("currents", 17, None, 1, True),
    "two threads": ("spikes", 17, None, 2, True),
    "three threads": ("currents", 17, None, 3, False),
    "one trial": ("spikes", 1, None, 2, True),
    "a whole batch": ("spikes", BATCH, None, 1, False),
    "shorter": ("spikes", 17, 23, 1, True),
    "longer": ("currents", 9, 71, 1, True),
    "no trial": ("spikes", 0, None, 1, False),
}


def check_use(
    network: str, layout: str, dtype: str, use: str, batch: int = BATCH, name: str = "cpp_standalone"
) -> None:  # fmt: skip
    shown, n_trials, n_steps, threads, traced = USES[use]
    spec, stimulus, wanted = expected(network, dtype, shown, n_trials, n_steps, traced)
    if n_trials == 17 and n_steps is None:
        assert_lively(wanted)
    backend = Backend(name, dtype=dtype, layout=layout, threads=threads, batch=batch)
    got = backend.run(spec, stimulus, traces=TRACED.get(network, TRACES) if traced else (), n_steps=n_steps)
    assert_same(got, wanted)
    assert got.backend["layout"] == ("shared" if layout == "auto" else layout)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_biology_shared(dtype: str, use: str) -> None:
    """Every receptor and form of delay, plasticity, feedback, parameters per neuron, two inputs, dense and sparse."""
    check_use("biological", "auto", dtype, use)


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_discrete_maps_layer_by_layer(dtype: str) -> None:
    check_use("few maps", "shared", dtype, "spikes")


SPIKES_ONLY = [use for use, (shown, *_) in USES.items() if shown == "spikes" and use != "no trial"]


@pytest.mark.parametrize("use", SPIKES_ONLY)
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_plain_synapses(dtype: str, use: str) -> None:
    check_use("plain", "synapses", dtype, use)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network", ["plain", "few maps"])
def test_plain_synapses_take_currents(network: str, dtype: str) -> None:
    check_use(network, "synapses", dtype, "currents")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network", ["all maps", "all cells"])
@pytest.mark.parametrize("use", ["spikes", "currents", "two threads"])
def test_every_model_of_the_catalogue(network: str, dtype: str, use: str) -> None:
    check_use(network, "shared", dtype, use)


def test_no_model_is_forgotten() -> None:
    covered = {population.model for network in ("all maps", "all cells", "plain") for population in NETWORKS[network]().cells}
    assert covered == set(MODELS)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("use", ["spikes", "three threads", "one trial"])
def test_batch_does_not_matter(batch: int, use: str) -> None:
    check_use("biological", "shared", "float32", use, batch)


def test_counts_only_are_the_counts_of_the_spikes() -> None:
    spec, stimulus, wanted = expected("biological", "float32", "spikes", 17, None, False)
    got = Backend("cpp_standalone", dtype="float32", threads=2, record="counts", batch=BATCH).run(spec, stimulus)
    assert_same(got, wanted, spikes=False)


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        ("max v", "biological"), ("mean v", "plain"), ("last v", "few maps"),
        ("spike count", "few maps"), ("first spike", "few maps"),
    ],
)  # fmt: skip
def test_every_readout(kind: str, network: str) -> None:
    """Readouts by spikes decide on a population that also spikes; both share one program with no readout at all."""
    assert kind in READOUT_KINDS
    spec = NETWORKS[network]()
    population = "out" if "v" in kind.split() else next(p.name for p in reversed(spec.cells) if p.spiking)
    chosen = replace(spec, readout=Readout(population, kind))
    stimulus = replace(spikes_shown(), labels=None, n_classes=0)
    layout = "synapses" if network == "plain" else "shared"
    for record in ("spikes", "counts"):
        got = Backend("cpp_standalone", layout=layout, record=record, batch=BATCH).run(chosen, stimulus)
        assert_same(got, simulate(chosen, stimulus), spikes=record == "spikes")


@pytest.mark.parametrize("shown", ["spikes", "currents"])
def test_what_plain_synapses_cannot_say_is_refused_by_name(shown: str) -> None:
    spec, stimulus, _ = expected("biological", "float64", shown, 1, None, False)
    with pytest.raises(BackendError, match=r"projection \w+: graded or plastic spikes with a delay .* layout='shared'"):
        Backend("cpp_standalone", layout="synapses").run(spec, stimulus)


def test_a_planted_fault_is_seen() -> None:
    """One weight in the last bit: the comparison of this file is not blind."""
    spec, stimulus, wanted = expected("biological", "float64", "spikes", 17, None, True)
    first = spec.projections[0]
    weights = first.weights.copy()
    weights[0, 0] = np.nextafter(weights[0, 0], np.float32(9))
    changed = replace(spec, projections=(replace(first, weights=weights), *spec.projections[1:]))
    got = Backend("cpp_standalone", batch=BATCH).run(changed, stimulus, traces=TRACES)
    with pytest.raises(AssertionError):
        assert_same(replace(got, spec_sha256=wanted.spec_sha256), wanted)
