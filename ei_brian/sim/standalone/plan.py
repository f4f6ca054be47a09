"""The C++ that ties a network's structure to the common runtime: what there is, and what happens in which slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ei_brian.core.competition import MARGIN, WINNER
from ei_brian.core.schedule import Phase
from ei_brian.sim.standalone.dialect import CPP, CUDA, Dialect
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
#include "{header}"
#include "ei_plan.h"

static {run}<{real}> run;

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
{end}  run.end();
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

    ``propagate`` maps the first projection of each run of consecutive propagations to the function of that run, ``competitions``
    each population of which one neuron may spike to the function that finds it.
    """

    header: str
    source: str
    start: str
    end: str
    propagate: Mapping[str, str]
    competitions: Mapping[str, str]


def plan_of(
    structure: Structure, dtype: str, batch: int, layout: str, synapse_counts: Mapping[str, int], score: tuple[str, str] | None,
    dialect: Dialect = CPP, in_order: bool = True,
) -> Plan:  # fmt: skip
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
        For plain Synapses: how many there are in one trial, of the projections that have any.
    score : (population, state) or None
        What is kept of each trial at its end.
    dialect : Dialect
        Of the program.
    in_order : bool
        On a GPU: whether the synapses of sparse tables are added in the order of the reference, or as they come.
    """
    shared = layout == "shared"
    runs = _consecutive(structure.schedule) if shared else ()
    propagate = {run[0]: f"ei_propagate_{k}" for k, run in enumerate(runs)}
    competitions = {group.name: f"ei_competition_{group.name}" for group in structure.groups if group.competes}
    spikes = _spike_functions(structure) if dialect is CUDA and shared else {}
    functions = [_propagate(structure, name, run) for name, run in zip(propagate.values(), runs, strict=True)]
    functions += [_competition(structure.group(name), function, dialect) for name, function in competitions.items()]
    source = SOURCE.format(
        header=dialect.header, run=dialect.run, real=_kind(structure, dtype, dialect), batch=batch,
        n_inputs=len(structure.inputs), setup=_setup(structure, shared, synapse_counts, score, dialect, in_order),
        start="  run.start();" if shared else _start_of_synapses(structure, batch, dialect, synapse_counts),
        propagate="\n".join([*functions, *spikes.values()]), end="" if shared else _end_of_synapses(structure, dialect),
    )  # fmt: skip
    called = ("ei_start", *propagate.values(), *competitions.values(), "ei_end")
    declared = [f"double {name}(double unused);" for name in called]
    included = [f'#include "{dialect.header if dialect is CUDA else "ei/spike_list.h"}"']
    header = "\n".join([HEADER, *included, *declared, *spikes]) + "\n"
    return Plan(header, source, "ei_start", "ei_end", propagate, competitions)


def _setup(
    structure: Structure, shared: bool, synapse_counts: Mapping[str, int], score: tuple[str, str] | None, dialect: Dialect,
    in_order: bool,
) -> str:  # fmt: skip
    """Return what the program tells the run once, before the first trial."""
    lines = [] if dialect is CPP else _setup_device(structure, shared, in_order)
    lines += [line for group in structure.groups for line in _setup_group(group, dialect)]
    lines += _setup_projections(structure, dialect) if shared else _setup_synapses(synapse_counts, dialect)
    lines += [_setup_learning(structure, index, shared, synapse_counts, dialect)
              for index, projection in enumerate(structure.projections) if projection.learns]  # fmt: skip
    if score is not None:
        lines.append(f"  run.set_score({dialect.array(*score)}, {structure.group(score[0]).size});")
    return "\n".join(lines)


def _setup_device(structure: Structure, can_start_over: bool, in_order: bool) -> list[str]:
    delayed = any(projection.delays == "each" for projection in structure.projections)
    lines = [f"  run.in_order = {'true' if in_order else 'false'};"]
    if delayed and not can_start_over:
        lines.append("  run.single_chunk = true;  // Brian2CUDA has no way to call back spikes on their way")
    return lines


def _spike_functions(structure: Structure) -> dict[str, str]:
    """Return declaration and definition of what the thresholds of Brian2CUDA's kernels write to."""
    names = [group.name for group in structure.groups]
    return {
        f"ei::SpikeOutput ei_spikes_{group.name}();":
        f"ei::SpikeOutput ei_spikes_{group.name}() {{ return run.spikes({names.index(group.name)}); }}"
        for group in structure.groups if group.threshold
    }  # fmt: skip


def _competition(group: GroupStructure, function: str, dialect: Dialect) -> str:
    margin, winner = (f"brian::{dialect.array(group.name, state)}" for state in (MARGIN, WINNER))
    return f"double {function}(double) {{ run.compete({margin}, {winner}, {group.size}); return 0; }}"


def _kind(structure: Structure, dtype: str, dialect: Dialect) -> str:
    """Return the template arguments of the run; what it does not need is left out: random numbers compile slowly."""
    drawn = any(group.draws for group in structure.groups)
    released = any(max(shape.release_stream, shape.quantal_stream) >= 0 for shape in structure.projections)
    learns, noisy = any(shape.learns for shape in structure.projections), drawn or released
    if dialect is not CPP or (noisy and not learns):
        return REAL[dtype]
    return f"{REAL[dtype]}, {'true' if noisy else 'false'}{', true' if learns else ''}"


def _consecutive(schedule: Sequence[Phase]) -> tuple[tuple[str, ...], ...]:
    """Return the projections in runs between which nothing else happens."""
    runs = groupby(schedule, key=lambda phase: phase.kind == "propagate")
    return tuple(tuple(phase.target for phase in run) for propagates, run in runs if propagates)


def _input_starts(inputs: Sequence[tuple[str, int]]) -> dict[str, int]:
    sizes = [size for _, size in inputs]
    return {name: sum(sizes[:index]) for index, (name, _) in enumerate(inputs)}


def _setup_group(group: GroupStructure, dialect: Dialect) -> list[str]:
    name = group.name
    spikes = dialect.spikes(name) if group.threshold else "nullptr"
    lines = [f'  run.add_group("{name}", {group.size}, {spikes});']
    for constant, (_, each) in group.constants.items():
        scalar = "false" if each else "true"
        lines.append(f'  run.add_constant("{name}.{constant}", {dialect.array(name, constant)}, {group.size}, {scalar});')
    lines += [f'  run.add_state("{name}.{state}", {dialect.array(name, state)}, {group.size});' for state in group.states]
    for draw in group.draws:
        normal, one = ("true" if flag else "false" for flag in (draw.distribution == "normal", draw.shared))
        lines.append(f"  run.add_draw({dialect.array(name, draw.state)}, {group.size}, {normal}, {one}, {draw.stream}u);")
    return lines


def _setup_projections(structure: Structure, dialect: Dialect) -> list[str]:
    names, inputs = [group.name for group in structure.groups], _input_starts(structure.inputs)
    return [_setup_projection(projection, structure, names, inputs, dialect) for projection in structure.projections]


def _setup_projection(
    projection: ProjectionStructure, structure: Structure, names: Sequence[str], inputs: Mapping[str, int], dialect: Dialect
) -> str:
    source = -1 if projection.source in inputs else names.index(projection.source)
    start = inputs.get(projection.source, 0)
    release = dialect.array(projection.source, projection.release) if projection.release else "nullptr"
    port = dialect.array(projection.target, projection.port)
    sizes = f"{structure.source_size(projection.source)}, {structure.group(projection.target).size}"
    return f'  run.add_projection("{projection.name}", {source}, {start}, {sizes}, {port}, {release});'


def _setup_learning(
    structure: Structure, index: int, shared: bool, counts: Mapping[str, int], dialect: Dialect
) -> str:
    projection, names, inputs = structure.projections[index], [g.name for g in structure.groups], _input_starts(structure.inputs)
    source = -1 if projection.source in inputs else names.index(projection.source)
    sizes = f"{structure.source_size(projection.source)}, {structure.group(projection.target).size}"
    held = dialect.weights(projection.name) if not shared and projection.name in counts else "nullptr, 0"
    return (
        f'  run.add_learning("{projection.name}", {index if shared else -1}, {source}, {inputs.get(projection.source, 0)}, '
        f"{names.index(projection.target)}, {sizes}, {held});"
    )


def _setup_synapses(counts: Mapping[str, int], dialect: Dialect) -> list[str]:
    return [f'  run.set_synapses("{name}", {dialect.weights(name)}, {count});' for name, count in counts.items()]


def _start_of_synapses(structure: Structure, batch: int, dialect: Dialect, counts: Mapping[str, int]) -> str:
    """Return what a step starts with where Brian2's Synapses propagate: no spike of the last trial, and the new input."""
    lines = ["  using namespace brian;"]
    if dialect is CUDA:
        spiking = [(group.name, group.size) for group in structure.groups if group.threshold] + list(structure.inputs)
        lists = {dialect.array(name, "_spikespace"): size * batch for name, size in spiking}
        lines += [f"  if (run.step == 0) for (int32_t* list : {at}) run.forget_spikes(list, {n});" for at, n in lists.items()]
    else:
        queues = [f"{name}_pre.queue[0]->queue" for name in counts]
        lines += [f"  if (run.step == 0) for (auto& slot : {queue}) slot.clear();" for queue in queues]
    lines.append("  run.start();")
    starts = _input_starts(structure.inputs)
    lines += [f"  run.present({dialect.array(name, 'value')}, {starts[name]}, {size});" for name, size in structure.inputs]
    return "\n".join(lines)


def _end_of_synapses(structure: Structure, dialect: Dialect) -> str:
    """Return how spikes are recorded that Brian2CUDA lists in no order."""
    if dialect is not CUDA:
        return ""
    lists = {
        index: dialect.array(group.name, "_spikespace") + f"[brian::current_idx_array_{group.name}__spikespace]"
        for index, group in enumerate(structure.groups) if group.threshold
    }  # fmt: skip
    return "".join(f"  run.record({index}, brian::{name});\n" for index, name in lists.items())


def _propagate(structure: Structure, function: str, run: Sequence[str]) -> str:
    order = [projection.name for projection in structure.projections]
    sizes = {projection.name: structure.group(projection.target).size for projection in structure.projections}
    calls = " ".join(f"run.propagate<{sizes[name]}>({order.index(name)});" for name in run)
    return f"double {function}(double) {{ {calls} return 0; }}"
