"""Projects for a GPU: every model of the catalogue in both layouts is generated, and compiled by nvcc, two of them to a program.

None is run here; `test_whole_programs` runs them on the processor.

Brian2CUDA needs Python 3.12 and a Brian2 of its own: the Python that has it is this one, or ``$EI_BRIAN_CUDA_PYTHON``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ei_brian.core.models import MODELS
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError
from ei_brian.sim.cuda import project
from ei_brian.sim.cuda.toolkit import find_toolkit
from ei_brian.sim.propagation.expressible import check_expressible
from ei_brian.sim.standalone.dialect import CUDA
from ei_brian.sim.standalone.plan import _start_of_synapses
from ei_brian.sim.standalone.program import request_for
from ei_brian.sim.standalone.project import Request, network_of, plan_for
from ei_brian.sim.structure import structure_of
from tests.cuda.processor import ROOT, cuda_python
from tests.noise.noise_networks import lif_network
from tests.sim.networks import biological_network

GENERATED = [
    ("every model", "shared"), ("every model", "synapses"), ("biological", "shared"), ("plain", "synapses"), ("noisy", "shared"),
]  # fmt: skip


def _make(folder: Path, network: str, layout: str, *more: str, **settings: str) -> None:
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "EI_BRIAN_CUDA_CAPABILITY": "9.0", "EI_BRIAN_CUDA_OPTIMISATION": "-O1",
        **settings,
    }  # fmt: skip
    command = [cuda_python(), str(ROOT / "tests" / "cuda" / "generate.py"), network, layout, str(folder), *more]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500, check=False)
    if done.returncode != 0 and "CUDA toolkit: no folder" in done.stderr:
        pytest.skip("no CUDA toolkit on this machine")
    assert done.returncode == 0, (done.stdout[-1500:], done.stderr[-3000:])


def _kernel(folder: Path, name: str) -> str:
    text = (folder / "code_objects" / f"{name}.cu").read_text(encoding="utf-8")
    return text[text.index("__global__") :]


def _check_kernels(folder: Path, population: str, model: NeuronModel, ordered: bool) -> None:
    step = "stateupdater" if (folder / "code_objects" / f"{population}_stateupdater_codeobject.cu").is_file() else "step"
    update = _kernel(folder, f"{population}_{step}_codeobject")
    written = {match[1] for match in re.finditer(r"^\s*(\w+) = ", model.update, flags=re.M)}
    for state in model.states:
        if state.name in written:
            assert re.search(rf"_ptr_array_{population}_{state.name}\[_idx\] = {state.name};", update), (population, state.name)
    if model.spiking:
        threshold = _kernel(folder, f"{population}_spike_thresholder_codeobject")
        assert ("ei::find_spikes(" in threshold) == ordered
        assert ("atomicAdd(&_ptr" in threshold) == (not ordered)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "layout"), GENERATED)
def test_every_model_is_generated(network: str, layout: str, tmp_path: Path) -> None:
    _make(tmp_path, network, layout)
    plan = (tmp_path / "ei_plan.cu").read_text(encoding="utf-8")
    main = (tmp_path / "main.cu").read_text(encoding="utf-8")
    assert "ei::DeviceRun<double> run;" in plan
    assert main.index("ei_setup(args);") < main.index("network.run(") < main.index("ei_finish();")
    assert main.index("_run_ei_start_step") < main.index("_run_ei_end_step")
    if network == "every model":
        for name, model in MODELS.items():
            _check_kernels(tmp_path, f"of_{name}", model, layout == "shared")
    for path in (tmp_path / "code_objects").glob("*.cu"):
        drawn = re.search(r"curand_(uniform|normal|poisson)|_ptr_array_\w+_randn?\b", path.read_text(encoding="utf-8"))
        assert not drawn, "random numbers come from counters, not from cuRAND"


@pytest.mark.slow
@pytest.mark.parametrize(("network", "layout"), GENERATED)
def test_programs_are_made_of_exactly_rounded_arithmetic_only(network: str, layout: str, tmp_path: Path) -> None:
    """Brian2CUDA's kernels as well: no fused multiply-add, nothing approximate, in what nvcc makes of a whole program."""
    _make(tmp_path, network, layout, "instructions", EI_BRIAN_CUDA_OPTIMISATION="-O3")
    text = (tmp_path / "program.ptx").read_text(encoding="utf-8")
    assert len(re.findall(r"\.entry", text)) > 15
    assert not re.search(r"\bfma\b|\.approx|\.ftz", text)
    used = set(re.findall(r"\b(?:div|sqrt|rcp|ex2|lg2|sin|cos)\.\w+\.f(?:32|64)", text))
    assert used <= {"div.rn.f32", "sqrt.rn.f32", "div.rn.f64", "sqrt.rn.f64"}


@pytest.mark.slow
@pytest.mark.parametrize(("network", "layout"), [("noisy", "shared"), ("smallest", "synapses")])
def test_nvcc_compiles(network: str, layout: str, tmp_path: Path) -> None:
    if os.environ.get("EI_BRIAN_CUDA_COMPILE", "1") == "0":
        pytest.skip("EI_BRIAN_CUDA_COMPILE=0")
    _make(tmp_path, network, layout, "compile")
    program = tmp_path / "main"
    assert program.read_bytes()[:4] == b"\x7fELF"
    done = subprocess.run([program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0, "started without data and, here, without a GPU"
    assert done.stdout == "", "stdout belongs to the progress"


def test_what_synapses_cannot_express_is_refused_before_anything_is_built() -> None:
    with pytest.raises(BackendError, match="layout='shared'"):
        check_expressible(structure_of(biological_network(), None), graded=False)


def test_a_machine_without_brian2cuda_or_toolkit_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ei_brian.sim.cuda.toolkit.util.find_spec", lambda name: None)
    find_toolkit.cache_clear()
    with pytest.raises(BackendError, match=r"pip install brian2cuda==1\.0b1"):
        find_toolkit()
    find_toolkit.cache_clear()


# -- what needs neither Brian2CUDA nor a GPU ----------------------------------------------------------------------------------


def _request() -> Request:
    spec = lif_network()
    silence = Stimulus(Spikes([], [], [], 1, 2, spec.n_inputs, spec.dt_ms))
    return request_for(spec, silence, np.dtype("float64"), "shared", 2, None, "cpp_standalone")


def test_the_host_calls_the_plan_in_its_slots() -> None:
    request = _request()
    driver = network_of(request, plan_for(request, {}), {}, project._driver)["ei_driver"]
    found = [(one.name, one.when) for one in driver.contained_objects if one.name.startswith("ei_") and "_step" in one.name]
    assert found == [("ei_start_step", "start"), ("ei_propagate_0_step", "synapses"), ("ei_end_step", "end")]


class ReachedError(Exception):
    pass


def test_the_plan_is_made_of_the_request_and_its_connectivity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    request, kept = _request(), {"E_I": object()}
    names = ("brian2cuda", "brian2cuda.codeobject")
    for name in names:
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(CUDAStandaloneCodeObject=None))
    monkeypatch.setattr(project, "connectivity_of", lambda folder, given: kept)

    def plan(given: object, connectivity: object) -> None:
        assert given is request
        assert connectivity is kept
        raise ReachedError

    monkeypatch.setattr(project, "plan_for", plan)
    with pytest.raises(ReachedError):
        project.write_project(tmp_path, request, SimpleNamespace())  # type: ignore[arg-type]


def test_only_headers_of_curand_go_with_a_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    for name in ("curand.h", "curand_kernel.h", "cuda_runtime.h"):
        (tmp_path / "wheels" / name).write_text(name, encoding="utf-8")
    monkeypatch.setattr(project, "write_project", lambda *arguments: ())
    monkeypatch.setattr(project, "_write_as_one", lambda *arguments: None)
    project.write_program(tmp_path, _request(), SimpleNamespace(curand_headers=tmp_path / "wheels"))  # type: ignore[arg-type]
    assert sorted(path.name for path in (tmp_path / "curand").iterdir()) == ["curand.h", "curand_kernel.h"]


def test_sources_become_one_file_in_which_their_helpers_do_not_meet(tmp_path: Path) -> None:
    code = "namespace {\n}\n///// Support code /////\nint helper();\nvoid _before_run_thing() {}\n"
    (tmp_path / "thing.cu").write_text(code)
    project._write_as_one(tmp_path, ["main.cu", "thing.cu"])
    written = (tmp_path / f"{project.PROGRAM}.cu").read_text()
    assert written.startswith('#include "main.cu"\n')
    assert "namespace thing_support {\nint helper();\n}\n" in written


def test_a_step_on_a_gpu_begins_by_forgetting_the_spikes_of_the_last_trial() -> None:
    spec = lif_network()
    structure = structure_of(spec)
    lines = _start_of_synapses(structure, 4, CUDA, {})
    spiking = {group.name: group.size for group in structure.groups if group.threshold} | dict(structure.inputs)
    assert len(spiking) > 1
    for name, size in spiking.items():
        assert f"for (int32_t* list : {CUDA.array(name, '_spikespace')}) run.forget_spikes(list, {4 * size});" in lines
