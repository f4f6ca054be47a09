"""The C++ that ties a network's structure to the common runtime: what there is, and what happens in which slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ei_brian.core.schedule import Phase
from ei_brian.sim.structure import GroupStructure, ProjectionStructure, Structure

__all__ = ["Plan", "plan_of"]

REAL = {"float32": "float", "float64": "double"}

HEADER = """#pragma once
#include <string>
#include <vector>
void ei_setup(std::vector<std::string>& args);
void ei_finish();
"""

SOURCE = """#include "objects.h"
#include "network.h"
#include "ei/runtime.h"
#include "ei_plan.h"

static ei::Run<{real}> run;

void ei_setup(std::vector<std::string>& args) {{
  using namespace brian;
  run.open(args, {batch}, {n_inputs});
  args.clear();
{setup}
  run.ready();
}}

double ei_start(double) {{
{start}
  return 0;
}}

{propagate}

double ei_end(double) {{
  run.end();
  if (run.finished) Network::_globally_stopped = true;
  return 0;
}}

void ei_finish() {{
  if (!run.finished) ei::fail(130, "stopped before the end");
  std::fflush(nullptr);
  std::_Exit(0);
}}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """Text of the header and source that are added to the project, and the functions that Brian2 calls.

    ``propagate`` maps the first projection of each run of consecutive propagations to the function of that run.
    """

    header: str
    source: str
    start: str
    end: str
    propagate: Mapping[str, str]


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
    shared = layout == "shared"
    runs = _consecutive(structure.schedule) if shared else ()
    propagate = {run[0]: f"ei_propagate_{k}" for k, run in enumerate(runs)}
    setup = [line for group in structure.groups for line in _setup_group(group)]
    setup += _setup_projections(structure) if shared else [_setup_synapses(name, n) for name, n in synapse_counts.items()]
    if score is not None:
        setup.append(f"  run.set_score(_array_{score[0]}_{score[1]}, {structure.group(score[0]).size});")
    source = SOURCE.format(
        real=REAL[dtype], batch=batch, n_inputs=len(structure.inputs), setup="\n".join(setup),
        start="  run.start();" if shared else _start_of_synapses(structure),
        propagate="\n".join(_propagate(structure, name, run) for name, run in zip(propagate.values(), runs, strict=True)),
    )  # fmt: skip
    functions = ("ei_start", *propagate.values(), "ei_end")
    header = HEADER + "".join(f"double {name}(double unused);\n" for name in functions)
    return Plan(header, source, "ei_start", "ei_end", propagate)


def _consecutive(schedule: Sequence[Phase]) -> tuple[tuple[str, ...], ...]:
    """Return the projections in runs between which nothing else happens."""
    runs = groupby(schedule, key=lambda phase: phase.kind == "propagate")
    return tuple(tuple(phase.target for phase in run) for propagates, run in runs if propagates)


def _input_starts(inputs: Sequence[tuple[str, int]]) -> dict[str, int]:
    sizes = [size for _, size in inputs]
    return {name: sum(sizes[:index]) for index, (name, _) in enumerate(inputs)}


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


def _setup_projections(structure: Structure) -> list[str]:
    names, inputs = [group.name for group in structure.groups], _input_starts(structure.inputs)
    return [_setup_projection(projection, structure, names, inputs) for projection in structure.projections]


def _setup_projection(
    projection: ProjectionStructure, structure: Structure, names: Sequence[str], inputs: Mapping[str, int]
) -> str:
    source = -1 if projection.source in inputs else names.index(projection.source)
    start = inputs.get(projection.source, 0)
    release = f"_array_{projection.source}_{projection.release}" if projection.release else "nullptr"
    port = f"_array_{projection.target}_{projection.port}"
    sizes = f"{structure.source_size(projection.source)}, {structure.group(projection.target).size}"
    return f'  run.add_projection("{projection.name}", {source}, {start}, {sizes}, {port}, {release});'


def _setup_synapses(name: str, count: int) -> str:
    weights = f"_dynamic_array_{name}_w"
    return f'  run.set_synapses("{name}", {weights}.data(), {weights}.size(), {count});'


def _start_of_synapses(structure: Structure) -> str:
    """Return what a step starts with where Brian2's Synapses propagate: no spike of the last trial, and the new input."""
    queues = [f"{projection.name}_pre.queue[0]->queue" for projection in structure.projections]
    lines = ["  using namespace brian;"]
    lines += [f"  if (run.step == 0) for (auto& slot : {queue}) slot.clear();" for queue in queues]
    lines.append("  run.start();")
    starts = _input_starts(structure.inputs)
    lines += [f"  run.present(_array_{name}_value, {starts[name]}, {size});" for name, size in structure.inputs]
    return "\n".join(lines)


def _propagate(structure: Structure, function: str, run: Sequence[str]) -> str:
    order = [projection.name for projection in structure.projections]
    sizes = {projection.name: structure.group(projection.target).size for projection in structure.projections}
    calls = " ".join(f"run.propagate<{sizes[name]}>({order.index(name)});" for name in run)
    return f"double {function}(double) {{ {calls} return 0; }}"
