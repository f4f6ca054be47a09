"""What is data needs no compiler: the key of a program holds structure and tools, never a number that a run can change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ei_brian.core.noise import Noise
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.schedule import layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.sim.backend import Backend
from ei_brian.sim.standalone import program, toolchain
from ei_brian.sim.standalone.project import spec_connectivity
from ei_brian.sim.structure import Structure, structure_of
from tests.sim.networks import SIZES, biological_network, currents_shown, framework_network, plain_network, spikes_shown
from tests.sim.test_compiled_equality import BATCH, FEW_MAPS, TRACES, assert_same

FLOAT64 = np.dtype("float64")


def key(
    spec: NetworkSpec, dtype: str = "float64", layout: str = "shared", batch: int = BATCH, noise: Noise | None = None,
    graded: bool = False,
) -> str:  # fmt: skip
    """Return the key of the program that a run would ask for."""
    stimulus = currents_shown(2) if graded else spikes_shown(2)
    request = program.request_for(spec, stimulus, np.dtype(dtype), layout, batch, noise)
    return program.program_key(request, spec_connectivity(spec) if layout == "synapses" else {})


def with_projection(spec: NetworkSpec, index: int, **changes: Any) -> NetworkSpec:
    projections = list(spec.projections)
    projections[index] = replace(projections[index], **changes)
    return replace(spec, projections=tuple(projections))


def with_population(spec: NetworkSpec, name: str, **changes: Any) -> NetworkSpec:
    return replace(spec, populations=tuple(replace(p, **changes) if p.name == name else p for p in spec.populations))


def scaled(spec: NetworkSpec, factor: float) -> NetworkSpec:
    """Multiply every weight, and every parameter that allows it."""
    projections = []
    for projection in spec.projections:
        weights = projection.weights * np.float32(factor)
        projections.append(replace(projection, weights=weights))
    populations = [
        replace(p, parameters={**p.parameters, "tau_mem": np.asarray(p.parameters["tau_mem"]) * factor})
        if "tau_mem" in p.parameters
        else p
        for p in spec.populations
    ]
    return replace(spec, populations=tuple(populations), projections=tuple(projections))


@settings(max_examples=8, deadline=None)
@given(factor=st.floats(0.01, 100), delay=st.integers(1, 9), level=st.floats(0.001, 10), seed=st.integers(0, 2**32))
def test_numbers_do_not_change_the_key(factor: float, delay: int, level: float, seed: int) -> None:
    spec = biological_network()
    for layout in ("shared", "synapses"):
        network = spec if layout == "shared" else plain_network()
        assert key(network, layout=layout) == key(scaled(network, factor), layout=layout)
    assert key(spec) == key(with_projection(spec, 0, delay_steps=delay))
    delays = np.random.default_rng(seed).integers(0, 12, spec.projections[1].weights.nnz).astype(np.int32)
    assert key(spec) == key(with_projection(spec, 1, delay_steps=delays))
    assert key(spec, noise=Noise(membrane_white_sd=0.5)) == key(spec, noise=Noise(membrane_white_sd=level))
    assert key(spec, noise=Noise(weight_spread=min(level, 1.0))) == key(spec)


def test_dense_or_sparse_and_delays_or_none_do_not_change_the_key() -> None:
    """For shared weights; in plain Synapses the delays are part of the program."""
    spec = plain_network()
    dense = next(index for index, projection in enumerate(spec.projections) if not projection.sparse)
    weights = np.asarray(spec.projections[dense].weights)
    delays = np.random.default_rng(0).integers(0, 5, weights.shape).astype(np.int32)
    changed = [{"weights": sparse.csr_array(weights)}, {"delay_steps": 0}, {"delay_steps": 3}, {"delay_steps": delays}]
    assert {key(with_projection(spec, dense, **change)) for change in changed} == {key(spec)}
    assert key(with_projection(spec, dense, delay_steps=7), layout="synapses") != key(spec, layout="synapses")


def test_another_table_of_the_same_size_does_not_change_the_key() -> None:
    """Which synapses there are is data for shared weights, and part of the program for plain Synapses."""
    first, second = plain_network(1), plain_network(2)
    assert key(first) == key(second)
    assert key(first, layout="synapses") != key(second, layout="synapses")


CHANGES: dict[str, Callable[[NetworkSpec], NetworkSpec]] = {
    "size": lambda s: replace(
        with_population(replace(s, projections=s.projections[:-2], schedule=()), "out", size=6), readout=Readout("out", "max v")
    ),
    "time step": lambda s: replace(s, dt_ms=0.5),
    "name": lambda s: replace(
        s,
        populations=tuple(replace(p, name="other") if p.name == "out" else p for p in s.populations),
        projections=tuple(replace(p, target="other") if p.target == "out" else p for p in s.projections),
        schedule=(), readout=None,
    ),
    "model": lambda s: replace(
        s, schedule=(), projections=s.projections[:-2],
        populations=tuple(replace(p, model="norse_li", parameters={}) if p.name == "out" else p for p in s.populations),
    ),
    "receptor": lambda s: with_population(s, "E", receptors=(("g", "exponential_current"), ("more", "AMPA"))),
    "one number becomes one per neuron": lambda s: with_population(s, "out", parameters={"tau_mem": np.full(SIZES["out"], 20.0)}),
    "plasticity": lambda s: with_projection(s, 6, plasticity=None),
    "order of events": lambda s: replace(s, schedule=layerwise_schedule(s.populations, s.projections)),
    "order of projections": lambda s: replace(s, projections=s.projections[::-1], schedule=()),
    "readout": lambda s: replace(s, readout=Readout("out", "mean v")),
    "no readout": lambda s: replace(s, readout=None),
}  # fmt: skip


def test_a_structure_has_one_key_in_whatever_order_it_was_written() -> None:
    structure = structure_of(biological_network(), Noise(membrane_white_sd=0.1))
    turned = tuple(replace(group, constants=dict(reversed(group.constants.items()))) for group in structure.groups)
    assert replace(structure, groups=turned).key == structure.key
    assert Structure.from_json(structure.to_json()) == structure


@pytest.mark.parametrize("what", CHANGES)
def test_structure_changes_the_key(what: str) -> None:
    spec = biological_network()
    assert key(spec) != key(CHANGES[what](spec))


def test_readouts_by_spikes_share_the_program_of_no_readout() -> None:
    spec = framework_network(FEW_MAPS)
    last = next(p.name for p in reversed(spec.cells) if p.spiking)
    keys = {key(replace(spec, readout=Readout(last, kind))) for kind in ("spike count", "first spike")}
    assert keys == {key(replace(spec, readout=None))}


def test_settings_and_kinds_of_noise_change_the_key() -> None:
    spec = plain_network()
    kinds = [None, Noise(membrane_white_sd=0.1), Noise(membrane_ou_sd=0.1), Noise(spike_failure=0.1), Noise(release_failure=0.1)]
    keys = [key(spec, noise=noise) for noise in kinds]
    keys += [key(spec, "float32"), key(spec, batch=8), key(spec, layout="synapses"), key(spec, layout="synapses", graded=True)]
    assert len(set(keys)) == len(keys)
    assert key(spec, graded=True) == key(spec), "currents or spikes are data for shared weights"


def test_tools_change_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = plain_network()
    keys = {key(spec)}
    monkeypatch.setattr(program, "COMPILER_FLAGS", (*program.COMPILER_FLAGS, "-DNOTHING"))
    keys.add(key(spec))
    for name, value in {"check_compiler": "another g++ 99", "processor": "another processor"}.items():
        with monkeypatch.context() as patch:
            patch.setattr(toolchain, name, lambda value=value: value)
            toolchain.toolchain_key.cache_clear()
            keys.add(key(spec))
    toolchain.toolchain_key.cache_clear()
    assert len(keys) == 4


def test_every_source_that_the_builder_runs_is_in_the_key() -> None:
    """A program of yesterday's source must not be found today; what only the run needs may change freely."""
    here = Path(toolchain.__file__).parent
    hashed = {(here / name).resolve() for name in toolchain.SOURCES}
    assert all(path.is_file() for path in hashed)
    needed = {path for folder in (here, here / "templates") for path in folder.iterdir() if path.suffix in (".h", ".cpp")}
    package = here.parent.parent
    needed |= {here / name for name in ("plan.py", "project.py", "child.py", "compilation.py")}
    needed |= {package / "sim" / name for name in ("neuron_group.py", "slots.py", "functions.py", "preferences.py")}
    needed |= {package / "core" / name for name in ("texts.py", "exponential.py")} | {package / "sim/propagation/synapses.py"}
    assert {path.resolve() for path in needed} <= hashed


def refuse(folder: Path) -> None:
    raise AssertionError(f"a compiler was started in {folder}")


def test_other_numbers_run_on_the_same_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, parameters, thresholds, sparsity, delays, input, steps, trials, threads: no compiler, and the reference's bits."""
    spec = biological_network()
    backend = Backend("cpp_standalone", batch=BATCH)
    backend.run(spec, spikes_shown(1))
    monkeypatch.setattr(program, "_build", refuse)
    f_i = spec.projections[4]
    rng = np.random.default_rng(3)
    lower = {**spec["F"].parameters, "v_threshold": 0.6 * np.asarray(spec["F"].parameters["v_threshold"])}
    runs = [
        (biological_network(8), spikes_shown(9, seed=1, rate=0.3), None),
        (scaled(spec, 1.2), spikes_shown(20, 31, seed=2), 44),
        (with_population(spec, "F", parameters=lower), spikes_shown(3), None),
        (with_projection(spec, 4, delay_steps=rng.integers(0, 12, f_i.weights.nnz).astype(np.int32)), currents_shown(8), 60),
        (with_projection(spec, 0, delay_steps=9), spikes_shown(15, rate=0.0), 20),
        (spec, spikes_shown(1, n_steps=1), 1),
    ]
    for network, stimulus, n_steps in runs:
        got = backend.run(network, stimulus, traces=TRACES, n_steps=n_steps)
        assert_same(got, simulate(network, stimulus, np.float64, TRACES, n_steps))
        assert got.build_seconds < 5, "a cached program is only checked"
