"""Makes a program for a GPU: Brian2CUDA's kernels of the equations, and ours for spikes in order, noise and propagation.

Brian2CUDA generates the project; three templates of ours take the place of its own in the shared layout (`threshold.cu`,
`reset.cu`) or add a call from the host (`ei_call.cu`). Its makefile is not used: it asks for C++11, which CUDA 13 refuses, and
compiles each of dozens of files with all of Thrust. Here everything is compiled as one file.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brian2 import NeuronGroup, Quantity, device, ms, prefs, set_device
from brian2.groups.group import CodeRunner

from ei_brian.core import elementary
from ei_brian.core.exponential import CPP as EXPONENTIAL
from ei_brian.core.projection import Projection
from ei_brian.sim.cuda.flags import capability_of
from ei_brian.sim.cuda.toolkit import BRIAN2_OF, Toolkit, find_toolkit
from ei_brian.sim.preferences import preferences
from ei_brian.sim.slots import Slots
from ei_brian.sim.standalone.compilation import beside_others
from ei_brian.sim.standalone.dialect import CUDA
from ei_brian.sim.standalone.plan import Plan
from ei_brian.sim.standalone.project import (
    ENDLESS_STEPS,
    Request,
    calls,
    connectivity_of,
    network_of,
    plan_for,
    write_sources,
)

__all__ = ["PROGRAM", "build_for_gpu", "write_program", "write_project"]

WHOLE = ("main.cu", "objects.cu", "run.cu", "network.cu", "rand.cu", "synapses_classes.cu", "ei_plan.cu")
PROGRAM = "ei_program"
RELOCATABLE = "-rdc=true"  # Brian2CUDA declares its device pointers extern
READ = "bool initialize_semaphores = (!semaphore);\n"  # last of what each thread reads of a queue before the first one changes it


def build_for_gpu(folder: Path, request: Request) -> None:
    """Write and compile a program for a GPU; leaves ``main`` in the folder.

    Raises
    ------
    SystemExit
        With the compiler's words, if it fails.
    """
    toolkit = find_toolkit()
    write_program(folder, request, toolkit)
    _compile(folder, request.flags, toolkit)


def write_program(folder: Path, request: Request, toolkit: Toolkit) -> None:
    """Write all that is compiled: the project as one source, and the headers of cuRAND in ``curand``."""
    _write_as_one(folder, write_project(folder, request, toolkit))
    (folder / "curand").mkdir()
    for header in toolkit.curand_headers.glob("curand*.h"):  # alone: a folder of wheels may hold headers of another toolkit
        shutil.copyfile(header, folder / "curand" / header.name)


def write_project(folder: Path, request: Request, toolkit: Toolkit) -> tuple[str, ...]:
    """Write the sources of a program and return their names; global preferences are as before afterwards."""
    import brian2cuda  # noqa: F401  registers the device and its preferences
    from brian2cuda.codeobject import CUDAStandaloneCodeObject

    connectivity = connectivity_of(folder, request)
    plan = plan_for(request, connectivity)
    backend, templater = prefs.devices.cuda_standalone.cuda_backend, CUDAStandaloneCodeObject.templater
    wanted = {
        "cuda_path": str(toolkit.folder), "cuda_runtime_version": float(toolkit.version), "detect_gpus": False, "gpu_id": 0,
        "compute_capability": float(capability_of(request.flags)), "extra_compile_args_nvcc": ["-w"],
    }  # fmt: skip
    before = {name: backend[name] for name in wanted}
    with preferences("auto", request.dtype, ()):
        headers = prefs.codegen.cpp.headers
        try:
            for name, value in wanted.items():
                backend[name] = value
            prefs.codegen.cpp.headers = [*headers, '"ei_plan.h"']
            CUDAStandaloneCodeObject.templater = _templater(templater, request.layout)
            return _generate(folder, request, plan, connectivity)
        finally:
            CUDAStandaloneCodeObject.templater = templater
            prefs.codegen.cpp.headers = headers
            for name, value in before.items():
                backend[name] = value


def _templater(original: Any, layout: str) -> Any:
    """Return Brian2CUDA's templates with ours; with plain Synapses only the call from the host is ours."""
    ours = original.derive("ei_brian.sim.cuda")
    if layout == "synapses":
        for name in ("threshold", "reset"):
            setattr(ours, name, getattr(original, name))
    return ours


def _generate(folder: Path, request: Request, plan: Plan, connectivity: Mapping[str, Projection]) -> tuple[str, ...]:
    set_device("cuda_standalone", directory=str(folder), build_on_run=False)
    network = network_of(request, plan, connectivity, _driver)
    device.insert_code("before_start", "ei::begin_program();")
    device.insert_code("before_network_run", "ei_setup(args);")
    device.insert_code("after_network_run", "ei_finish();")
    network.run(ENDLESS_STEPS * request.structure.dt_ms * ms, namespace={})
    write_sources(folder, plan, CUDA.suffix)
    texts = "".join((EXPONENTIAL, *elementary.CPP.values()))
    function = texts.replace("static inline", "static __host__ __device__ inline")
    (folder / "ei" / "exponential.h").write_text("#pragma once\n" + function, encoding="utf-8")
    with (folder / "ei_plan.h").open("a", encoding="utf-8") as header:
        header.write('#include "ei/exponential.h"\n')
    device.build(directory=str(folder), compile=False, run=False, additional_source_files=["ei_plan.cu"])
    _name_the_clock(folder)
    _set_up_queues_in_order(folder / "brianlib" / "spikequeue.h")
    names = (Path(name) for name in device.writer.source_files)
    return tuple(sorted(str(name.relative_to(folder) if name.is_absolute() else name) for name in names))


def _name_the_clock(folder: Path) -> None:
    """Give the clock of the network the name that Brian2CUDA's synapses ask for whatever the clock is called."""
    clocks = re.findall(r"^extern Clock (\w+);", (folder / "objects.h").read_text(encoding="utf-8"), flags=re.M)
    if "defaultclock" not in clocks:
        with (folder / "ei_plan.h").open("a", encoding="utf-8") as header:
            header.write(f'#include "objects.h"\nnamespace brian {{ static Clock& defaultclock = {clocks[0]}; }}\n')


def _set_up_queues_in_order(header: Path) -> None:
    """Put a barrier between what the threads read of a queue and what the first of them changes.

    Without it the threads of a second warp, where delays are longer than 31 steps, may see a queue that seems to be set up, and
    leave their part of it out.
    """
    text = header.read_text(encoding="utf-8")
    if text.count(READ) != 1:
        raise SystemExit(f"{header.name}: not that of Brian2CUDA {', '.join(BRIAN2_OF)}; install one of these versions.")
    header.write_text(text.replace(READ, f"{READ}        __syncthreads();\n"), encoding="utf-8")


def _driver(plan: Plan, slots: Slots, dt: Quantity) -> NeuronGroup:
    """Return a group of one neuron whose operations are calls of the plan on the host."""
    driver = NeuronGroup(1, "done : 1", name="ei_driver", dt=dt, namespace={})
    driver.state_updater.when = "start"  # it runs nothing, but its own slot may not exist
    for name, slot, order in calls(plan, slots):
        driver.contained_objects.append(
            CodeRunner(
                driver, "ei_call", code="", clock=driver.clock, when=slot, order=order, name=f"{name}_step",
                template_kwds={"function": name},
            )
        )  # fmt: skip
    return driver


def _write_as_one(folder: Path, sources: Sequence[str]) -> None:
    """Write one file that holds all sources."""
    whole = [f'#include "{name}"\n' for name in WHOLE if name in sources]
    parts = [_beside_others(folder / name) for name in sources if name not in WHOLE]
    (folder / f"{PROGRAM}.cu").write_text("".join([*whole, *parts]), encoding="utf-8")


def _beside_others(path: Path) -> str:
    """Return the text of a code object; what runs before the network has its helpers in no namespace at all."""
    text, support = beside_others(path), f"{path.stem}_support"
    helpers = re.compile(r"///// Support code /////\n(.*?)(?=^void _before_run_)", flags=re.S | re.M)
    return helpers.sub(lambda match: f"namespace {support} {{\n{match[1]}}}\n", text)


def _compile(folder: Path, flags: Sequence[str], toolkit: Toolkit) -> None:
    """Compile and link ``main``."""
    library = toolkit.curand_library
    link = ["-Xlinker", f"{library},-rpath={library.parent}"]  # nvcc itself does not take a library named libcurand.so.10
    _call(folder, [str(toolkit.nvcc), *flags, RELOCATABLE, "-I.", "-Icurand", "-c", f"{PROGRAM}.cu", "-o", f"{PROGRAM}.o"])
    architecture = [flag for flag in flags if flag.startswith("-arch")]
    _call(folder, [str(toolkit.nvcc), *architecture, RELOCATABLE, f"{PROGRAM}.o", *link, "-o", "main"])
    (folder / f"{PROGRAM}.o").unlink()


def _call(folder: Path, command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nfailed ({done.returncode}):\n{(done.stdout + done.stderr)[-4000:]}")
