"""The C++ that ties a network's structure to the common runtime: what there is, and what happens in which slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ei_brian.core.schedule import Phase
from ei_brian.sim.structure import GroupStructure, ProjectionStructure, Structure

__all__ = ["Plan", "plan_of"]

CHARACTERS = {"float32": "float", "float64": "double"}


@dataclass(frozen=True, slots=True)
class Plan:
    """Text of the header and source that are added to the project, and the functions to call, by the slot they belong to."""

    header: str
    source: str
    start: str
    end: str
    propagate: Mapping[str, str]  # first projection of a run of consecutive propagations → function


def plan_of(
    structure: Structure, dtype: str, batch: int, layout: str, synapse_counts: Mapping[str, int], score: tuple[str, str] | None
) -> Plan:
    """Return the plan of a program.

    Parameters
    ----------
    structure : Structure
        The network without its numbers.
    dtype : {"float32", "float64"}
        Precision.
    batch : int
        Trials side by side.
    layout : {"shared", "synapses"}
        Who propagates: rows of one table here, or Brian2's Synapses.
    synapse_counts : mapping of projection name to int
        For plain Synapses: how many there are in one trial.
    score : (population, state) or None
        What is kept of each trial at its end.
    """
    kind = CHARACTERS[dtype]
    shared = layout == "shared"
    runs = _consecutive(structure.schedule) if shared else ()
    propagate = {run[0]: f"ei_propagate_{k}" for k, run in enumerate(runs)}
    functions = ["ei_start", *propagate.values(), "ei_end"]
    header = "#pragma once\n#include <string>\n#include <vector>\nvoid ei_setup(std::vector<std::string>& args);\nvoid ei_finish();\n"
    header += "".join(f"double {name}(double unused);\n" for name in functions)
    lines = [
        '#include "objects.h"', '#include "network.h"', '#include "ei_runtime.h"', '#include "ei_plan.h"', "",
        f"static ei::Run<{kind}> run;", f"static const int BATCH = {batch};", "",
        "void ei_setup(std::vector<std::string>& args) {", "  using namespace brian;", "  run.open(args, BATCH);", "  args.clear();",
        f"  run.n_inputs = {len(structure.inputs)};",
    ]  # fmt: skip
    lines += [line for group in structure.groups for line in _setup_group(group)]
    names = [group.name for group in structure.groups]
    inputs = _input_starts(structure.inputs)
    for projection in structure.projections:
        if shared:
            lines.append(_setup_projection(projection, structure, names, inputs))
        else:
            vector = f"_dynamic_array_{projection.name}_w"
            lines.append(f'  run.set_synapses("{projection.name}", {vector}.data(), {vector}.size(), {synapse_counts[projection.name]});')
    if score is not None:
        lines.append(f"  run.set_score(_array_{score[0]}_{score[1]}, {structure.group(score[0]).size});")
    lines += ["  run.ready();", "}", "", "double ei_start(double) {"]
    if not shared:
        lines += [f"  if (run.step == 0) for (auto& slot : brian::{p.name}_pre.queue[0]->queue) slot.clear();" for p in structure.projections]
    lines.append("  run.start();")
    if not shared:
        lines += [f"  run.present(brian::_array_{name}_value, {inputs[name]}, {size});" for name, size in structure.inputs]
    lines += ["  return 0;", "}", ""]
    order = [projection.name for projection in structure.projections]
    targets = {projection.name: structure.group(projection.target).size for projection in structure.projections}
    for names_of_run in runs:
        calls = " ".join(f"run.propagate<{targets[name]}>({order.index(name)});" for name in names_of_run)
        lines.append(f"double {propagate[names_of_run[0]]}(double) {{ {calls} return 0; }}")
    lines += [
        "", "double ei_end(double) {", "  run.end();", "  if (run.finished) Network::_globally_stopped = true;", "  return 0;", "}", "",
        "void ei_finish() {", '  if (!run.finished) ei::fail(130, "stopped before the end");', "  std::fflush(nullptr);",
        "  std::_Exit(0);", "}", "",
    ]  # fmt: skip
    return Plan(header, "\n".join(lines), "ei_start", "ei_end", propagate)


def _consecutive(schedule: Sequence[Phase]) -> tuple[tuple[str, ...], ...]:
    """Return the projections in runs between which nothing else happens."""
    runs = groupby(schedule, key=lambda phase: phase.kind == "propagate")
    return tuple(tuple(phase.target for phase in run) for propagates, run in runs if propagates)


def _input_starts(inputs: Sequence[tuple[str, int]]) -> dict[str, int]:
    starts, start = {}, 0
    for name, size in inputs:
        starts[name] = start
        start += size
    return starts


def _setup_group(group: GroupStructure) -> list[str]:
    name = group.name
    spikes = f"_array_{name}__spikespace" if group.threshold else "nullptr"
    lines = [f'  run.add_group("{name}", {group.size}, {spikes});']
    for constant, (_, each) in group.constants.items():
        scalar = "false" if each else "true"
        lines.append(f'  run.add_constant("{name}.{constant}", _array_{name}_{constant}, {group.size}, {scalar});')
    lines += [f'  run.add_state("{name}.{state}", _array_{name}_{state}, {group.size});' for state in group.states]
    for draw in group.draws:
        normal, one = ("true" if flag else "false" for flag in (draw.distribution == "normal", draw.shared))
        lines.append(f"  run.add_draw(_array_{name}_{draw.state}, {group.size}, {normal}, {one}, {draw.stream}u);")
    return lines


def _setup_projection(
    projection: ProjectionStructure, structure: Structure, names: Sequence[str], inputs: Mapping[str, int]
) -> str:
    source = -1 if projection.source in inputs else names.index(projection.source)
    start = inputs.get(projection.source, 0)
    release = f"_array_{projection.source}_{projection.release}" if projection.release else "nullptr"
    port = f"_array_{projection.target}_{projection.port}"
    sizes = f"{structure.source_size(projection.source)}, {structure.group(projection.target).size}"
    return f'  run.add_projection("{projection.name}", {source}, {start}, {sizes}, {port}, {release});'
