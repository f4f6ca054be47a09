"""Makes one compiled program, in a process of its own (`child`), since Brian2's standalone device is one per process.

It reads ``FOLDER/request.json`` (and ``FOLDER/connectivity.npz`` for plain Synapses), writes the Brian2 project into the folder
and compiles it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import Function, Network, NeuronGroup, Quantity, device, ms, prefs, set_device
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from scipy import sparse

from ei_brian.core.exponential import CPP as EXPONENTIAL
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.sim.functions import in_vectors
from ei_brian.sim.neuron_group import neuron_group
from ei_brian.sim.preferences import preferences
from ei_brian.sim.propagation.synapses import synapses
from ei_brian.sim.slots import Slots, slots_for
from ei_brian.sim.standalone.compilation import compile_program
from ei_brian.sim.standalone.dialect import CPP, DIALECTS
from ei_brian.sim.standalone.plan import Plan, plan_of
from ei_brian.sim.structure import Structure

__all__ = [
    "ENDLESS_STEPS", "Request", "build_project", "calls", "connectivity_of", "network_of", "plan_for", "spec_connectivity",
    "write_headers", "write_sources",
]  # fmt: skip

ENDLESS_STEPS = 2**40  # the program stops itself when all trials are done


@dataclass(frozen=True, slots=True)
class Request:
    """What a program is made for.

    Parameters
    ----------
    structure : Structure
        The network without its numbers.
    dtype : {"float32", "float64"}
        Precision.
    batch : int
        Trials side by side.
    layout : {"shared", "synapses"}
        How spikes reach their targets.
    graded : bool
        For plain Synapses: whether input events have sizes.
    score : (population, state) or None
        What is kept of each trial at its end.
    flags : tuple of str
        Of the compiler.
    target : {"cpp_standalone", "cuda_standalone"}
        What it runs on.
    in_order : bool
        On a GPU: whether sums are formed in the order of the reference.
    """

    structure: Structure
    dtype: str
    batch: int
    layout: str
    graded: bool
    score: tuple[str, str] | None
    flags: tuple[str, ...]
    target: str = "cpp_standalone"
    in_order: bool = True

    def to_json(self) -> str:
        """Return the request as JSON text."""
        names = ("dtype", "batch", "layout", "graded", "score", "flags", "target", "in_order")
        values = {name: getattr(self, name) for name in names}
        return json.dumps({"structure": self.structure.to_json(), **values}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Return the request that `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        score = None if data["score"] is None else (data["score"][0], data["score"][1])
        return cls(
            Structure.from_json(data["structure"]), data["dtype"], data["batch"], data["layout"], data["graded"], score,
            tuple(data["flags"]), data["target"], data["in_order"],
        )  # fmt: skip


def build_project(folder: Path) -> None:
    """Write and compile the program that ``request.json`` in a folder asks for; leaves ``main`` there.

    Raises
    ------
    SystemExit
        With the compiler's words, if it fails.
    """
    request = Request.from_json((folder / "request.json").read_text(encoding="utf-8"))
    if request.target == "cuda_standalone":
        from ei_brian.sim.cuda.project import build_for_gpu  # Brian2CUDA is not everywhere

        return build_for_gpu(folder, request)
    connectivity = connectivity_of(folder, request)
    plan = plan_for(request, connectivity)
    with preferences("auto", request.dtype, ()):  # it would try the compiler on each flag that it is given, to compile nothing
        prefs.core.stop_on_keyboard_interrupt = True
        prefs.codegen.cpp.headers = [*prefs.codegen.cpp.headers, '"ei_plan.h"']
        set_device("cpp_standalone", directory=str(folder), build_on_run=False)
        CPPStandaloneCodeObject.templater = CPPStandaloneCodeObject.templater.derive("ei_brian.sim.standalone")
        network = network_of(request, plan, connectivity, _driver)
        device.insert_code("before_network_run", "ei_setup(args);")
        device.insert_code("after_network_run", "ei_finish();")
        network.run(ENDLESS_STEPS * request.structure.dt_ms * ms, namespace={})
        write_sources(folder, plan, CPP.suffix)
        device.build(directory=str(folder), compile=False, run=False, additional_source_files=["ei_plan.cpp"])
        sources = device.writer.source_files
    names = sorted({os.path.relpath(name, folder) if os.path.isabs(name) else name for name in sources})
    compile_program(folder, names, request.flags)


def plan_for(request: Request, connectivity: Mapping[str, Projection]) -> Plan:
    """Return the plan of a request."""
    counts = {name: projection.n_synapses for name, projection in connectivity.items() if projection.n_synapses}
    return plan_of(
        request.structure, request.dtype, request.batch, request.layout, counts, request.score, DIALECTS[request.target],
        request.in_order,
    )  # fmt: skip


def write_sources(folder: Path, plan: Plan, suffix: str) -> None:
    """Write the plan, and the headers that it includes, into a project."""
    (folder / "ei_plan.h").write_text(plan.header, encoding="utf-8")
    (folder / f"ei_plan.{suffix}").write_text(plan.source, encoding="utf-8")
    write_headers(folder / "ei")


def write_headers(folder: Path) -> None:
    """Make a folder of the headers that a plan includes: those of the package, and the exponential function of the catalogue."""
    folder.mkdir()
    for part in (Path(__file__).parent, Path(__file__).parents[1] / "cuda"):
        for header in part.glob("*.h"):
            shutil.copyfile(header, folder / header.name)
    lines = EXPONENTIAL.replace("static inline", "EI_DEVICE inline").splitlines()
    includes, function = ("\n".join(one for one in lines if one.startswith("#") == start) for start in (True, False))
    (folder / "exponential_number.h").write_text(
        f"// the exponential function of the catalogue, for the noise of synapses\n#pragma once\n{includes}\n"
        f'#include "counter.h"\nnamespace ei {{ namespace number {{\n{function}\n}} }}\n', encoding="utf-8",
    )  # fmt: skip


def network_of(
    request: Request, plan: Plan, connectivity: Mapping[str, Projection],
    driver_of: Callable[[Plan, Slots, Quantity], NeuronGroup],
) -> Network:  # fmt: skip
    """Return the Brian2 network of a program; ``driver_of`` makes what calls the functions of the plan in their slots."""
    structure, dt = request.structure, request.structure.dt_ms * ms
    slots = slots_for(structure.schedule)
    network = Network(name="network")
    network.schedule = list(slots.names)
    groups: dict[str, Any] = {}
    for group in structure.groups:
        if request.target == "cpp_standalone":
            group = replace(group, update=in_vectors(group.update))
        groups[group.name] = neuron_group(group, request.batch, slots, dt)
    network.add(*groups.values(), driver_of(plan, slots, dt))
    if request.layout == "synapses":
        for name, size in structure.inputs:
            groups[name] = _input_group(name, size * request.batch, dt, slots)
            network.add(groups[name])
        for shape in structure.projections:
            if not connectivity[shape.name].n_synapses:
                continue
            unit = structure.group(shape.target).states[shape.port]
            size_of = "value" if request.graded and shape.source in dict(structure.inputs) else shape.release
            place = slots.of("propagate", shape.name)
            joined = connectivity[shape.name]
            network.add(
                synapses(joined, groups[shape.source], groups[shape.target], unit, request.batch, size_of, place, dt)
            )
    return network


def calls(plan: Plan, slots: Slots) -> Iterator[tuple[str, str, int]]:
    """Yield each function of a plan with the slot and the order in which it is called."""
    yield plan.start, "start", 0
    for population, function in plan.competitions.items():
        yield function, f"before_{slots.of('threshold', population)[0]}", 0
    for projection, function in plan.propagate.items():
        yield function, *slots.of("propagate", projection)
    yield plan.end, "end", 10


def _driver(plan: Plan, slots: Slots, dt: Quantity) -> NeuronGroup:
    """Return the group of one neuron whose operations call the functions of the plan in their slots."""
    planned = list(calls(plan, slots))
    functions = {name: _function(name) for name, _, _ in planned}
    driver = NeuronGroup(1, "done : 1", name="ei_driver", dt=dt, namespace=functions)
    driver.state_updater.when = "start"  # it runs nothing, but its own slot may not exist
    for name, slot, order in planned:
        driver.run_regularly(f"done = {name}(done)", when=slot, order=order, dt=dt, name=f"{name}_step")
    return driver


def _function(name: str) -> Function:
    function = Function(lambda unused: unused, arg_units=[1], return_unit=1, stateless=False)
    function.implementations.add_implementation("cpp", "", name=name)
    return function


def _input_group(name: str, size: int, dt: Quantity, slots: Slots) -> NeuronGroup:
    """Return input neurons that spike in every step in which their ``value``, set by the program, is not 0."""
    group = NeuronGroup(size, "value : 1", threshold="value != 0", reset="", name=name, dt=dt, namespace={})
    group.state_updater.when, group.resetter["spike"].when = "start", "end"  # they run nothing, but their slots may not exist
    group.thresholder["spike"].when, group.thresholder["spike"].order = "start", 1
    return group


def connectivity_of(folder: Path, request: Request) -> dict[str, Projection]:
    """Return the projections for plain Synapses: which neurons are joined, and the delays; weights are data of the run."""
    if request.layout != "synapses" or not request.structure.projections:
        return {}
    made = {}
    with np.load(folder / "connectivity.npz", allow_pickle=False) as arrays:
        for shape in request.structure.projections:
            indices, first, delay = (arrays[f"{shape.name}.{part}"] for part in ("indices", "first", "delay"))
            size = (request.structure.group(shape.target).size, request.structure.source_size(shape.source))
            table = sparse.csr_array((np.ones(indices.size), indices, first), shape=size)
            steps: Any = int(delay) if delay.ndim == 0 else delay
            made[shape.name] = Projection(shape.source, shape.target, table, shape.port, steps, name=shape.name)
    return made


def spec_connectivity(spec: NetworkSpec) -> dict[str, Any]:
    """Return the arrays of ``connectivity.npz``."""
    arrays: dict[str, Any] = {}
    for projection in spec.projections:
        weights: Any = projection.weights
        delays: Any = projection.delay_steps
        if projection.sparse:
            indices, first = weights.indices, weights.indptr
        else:
            table = sparse.csr_array(weights != 0)
            indices, first = table.indices, table.indptr
            delays = delays if np.ndim(delays) == 0 else delays[np.nonzero(weights)]
        for part, values in (("indices", indices), ("first", first), ("delay", np.asarray(delays, dtype=np.int32))):
            arrays[f"{projection.name}.{part}"] = values
    return arrays
