"""Networks that their frameworks ran beforehand: every spike of every trial, on every backend and from every kind of file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.interop.nir_graph import from_nir
from ei_brian.interop.norse import from_norse
from ei_brian.interop.snntorch import from_snntorch
from ei_brian.interop.spikingjelly import from_spikingjelly
from ei_brian.interop.state_dict import from_state_dict
from ei_brian.sim.backend import Backend
from tests.interop.reference_cases import FOLDER, NAMES, WITH_NIR, architecture, expected, framework, nir_choices, stimulus
from tests.interop.reference_modules import Pair

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="reference data not on this machine")
READ: dict[str, Any] = {"snntorch": from_snntorch, "norse": from_norse, "spikingjelly": from_spikingjelly}
V_TOLERANCE = 1e-12  # asked for; the sums are exact and every operation is the framework's, so that 0 is seen
SOURCES = [*((name, source) for name in NAMES for source in ("state dict", "module")), *((name, "nir") for name in WITH_NIR)]


def from_file(name: str) -> NetworkSpec:
    return from_state_dict(FOLDER / f"{name}.pt", architecture(name))


def from_module(name: str) -> NetworkSpec:
    pytest.importorskip(framework(name))
    return READ[framework(name)](Pair(name), torch.zeros(1, *architecture(name)["input_shape"]), dt_ms=1.0)  # type: ignore[no-any-return]


def read(name: str, source: str) -> NetworkSpec:
    if source == "nir":
        return from_nir(FOLDER / f"{name}.nir", **nir_choices(name))
    return from_file(name) if source == "state dict" else from_module(name)


def check_equal(name: str, spec: NetworkSpec, recording: Recording) -> None:
    for cell, layer in zip(spec.cells, ("hidden", "out"), strict=True):
        wanted = expected(name, f"spikes_{layer}_f64")
        assert wanted.sum() > 100, "a silent network proves nothing"
        assert np.array_equal(recording.spikes[cell.name].dense(), wanted), layer
    membrane = expected(name, "mem_out_f64")
    key = (spec.cells[-1].name, "v")
    if membrane is not None and key in recording.traces:
        assert np.max(np.abs(recording.traces[key] - membrane)) <= V_TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_in_the_reference(name: str) -> None:
    spec = from_file(name)
    check_equal(name, spec, simulate(spec, stimulus(name), traces=[(spec.cells[-1].name, "v")]))


@pytest.mark.parametrize("name", NAMES)
def test_module_is_the_network_of_its_state_dict(name: str) -> None:
    spec = from_module(name)
    check_equal(name, spec, simulate(spec, stimulus(name)))


@pytest.mark.parametrize("name", WITH_NIR)
def test_nir_file_with_its_writers_convention(name: str) -> None:
    spec = read(name, "nir")
    check_equal(name, spec, simulate(spec, stimulus(name), traces=[(spec.cells[-1].name, "v")]))


@pytest.mark.parametrize("name", NAMES)
def test_float32_share_of_equal_trials(name: str, record_property: Any) -> None:
    spec = from_file(name)
    recording = simulate(spec, stimulus(name), dtype=np.float32)
    equal = np.ones(recording.n_trials, dtype=bool)
    for cell, layer in zip(spec.cells, ("hidden", "out"), strict=True):
        equal &= (recording.spikes[cell.name].dense() == expected(name, f"spikes_{layer}_f32")).all(axis=(1, 2))
    record_property("equal_trials_float32", float(equal.mean()))
    assert equal.mean() >= 0.9  # float32 sums of a matrix product and of single rows round differently; seen: 1.0 in all cases


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["synapses", "shared"])
@pytest.mark.parametrize(("name", "source"), SOURCES)
def test_brian2_numpy(name: str, source: str, layout: str) -> None:
    spec = read(name, source)
    check_equal(name, spec, Backend("numpy", layout=layout).run(spec, stimulus(name), traces=[(spec.cells[-1].name, "v")]))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["synapses", "shared"])
@pytest.mark.parametrize("name", NAMES)
def test_compiled_brian2(name: str, layout: str) -> None:  # of modules and NIR files: validation/interop/reference_cases.py
    spec = from_file(name)
    check_equal(name, spec, Backend("cpp_standalone", layout=layout).run(spec, stimulus(name)))
