"""How the layers of a torch module are joined: from the operations of a short run to a graph of affine maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ei_brian.errors import DataError
from ei_brian.interop.copying import evaluating, module_copy, same_random_numbers
from ei_brian.interop.graph import INPUT, Node
from ei_brian.interop.graph_builder import Builder
from ei_brian.interop.heads import find_heads, rule_of, runs_every_step
from ei_brian.interop.layout import Layout, Run, find_layout, outputs_of, present
from ei_brian.interop.operations import MOVING, operands_of, operation_name
from ei_brian.interop.other_steps import takes_earlier_steps
from ei_brian.interop.recorder import Call, Recorder, Source, Value, tensors_of

__all__ = ["DEPTHS", "Trace", "cells_of", "first_tensor", "trace"]

DEPTHS = (3, 12, 48)  # steps of a traced run: enough to see what a step takes from the one before; more where it takes older ones


@dataclass(slots=True)
class Trace:
    """Layers of neurons in the order of their first call, everything between them as maps, and how the module takes its input.

    ``heads`` are the modules behind the last neurons that decide what is returned, by ``rule``; ``looked_at`` those whose code
    takes numbers out of tensors, and may do something else for others. ``n_steps`` were run.
    """

    layout: Layout
    order: list[str]
    maps: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    returned: tuple[Source, ...] = ()
    heads: tuple[str, ...] = ()
    rule: str = ""
    looked_at: tuple[str, ...] = ()
    n_steps: int = 0


def cells_of(model: nn.Module, is_cell: Callable[[nn.Module], bool]) -> dict[str, nn.Module]:
    """Return the layers of neurons by name, as wholes."""
    found: dict[str, nn.Module] = {}

    def collect(module: nn.Module, name: str) -> None:
        if is_cell(module):
            found[name or type(module).__name__.lower()] = module
            return
        for part, child in module.named_children():
            collect(child, f"{name}.{part}" if name else part)

    collect(model, "")
    return found


def first_tensor(value: Any) -> torch.Tensor | None:
    """Return the tensor, or the first one of a tuple: what a neuron passes on."""
    return next(tensors_of(value), None)


def trace(
    model: nn.Module, sample: torch.Tensor, is_cell: Callable[[nn.Module], bool], is_sequence: Callable[[nn.Module], bool],
    dt_ms: float, spikes: Callable[[str], bool], run: Run | None = None, depth: int = DEPTHS[0],
) -> Trace:  # fmt: skip
    """Run a copy of a model for few steps and return how its layers are joined.

    Parameters
    ----------
    model : torch.nn.Module
        The network; nothing of it is changed.
    sample : tensor
        One step or several, as the model takes it; only its shape matters.
    is_cell, is_sequence : callable
        Whether a module is a layer of neurons; whether it runs all steps in one call.
    dt_ms : float
        Time step, for what a layer takes from an earlier step.
    spikes : callable
        Whether the layer of that name can spike.
    run : callable, optional
        How to run the model on the sample; ``model(sample)`` unless given.
    depth : int
        Steps of the run.

    Raises
    ------
    DataError
        If something between the layers is no set of synapses, or the model's own code does with a layer what no network does.
    """
    sequences = {name for name, module in cells_of(model, is_cell).items() if is_sequence(module)}
    with same_random_numbers():
        copied = module_copy(model, torch.float64)
        cells = cells_of(copied, is_cell)
        given = sample.detach().to("cpu", torch.float64) if sample.is_floating_point() else sample.detach().cpu().double()
        layout, small = find_layout(copied, cells, given, is_sequence, run)
        recorder, n_steps, results = _record(copied, cells, layout, small, run, depth)
        _check_calls(recorder, layout, sequences, n_steps)
        earlier = takes_earlier_steps(copied, cells, layout, sequences, run)
    builder = Builder(recorder, layout, sequences, n_steps, dt_ms, spikes, earlier or depth > DEPTHS[0])
    for name in recorder.order:
        builder.cell(name)
    last = outputs_of(copied, layout, results)[-1]
    outputs = tuple(value for value in map(recorder.value, tensors_of(last)) if value is not None)
    drives = frozenset(id(call.drive) for calls in recorder.calls.values() for call in calls)
    whole = layout.kind != "one step"
    made = {path: values for path, values in recorder.made.items() if runs_every_step(values, n_steps, whole)}
    heads, sources = find_heads(outputs, drives, made)
    for path in heads:
        builder.head(path, made[path])
    rule = ""
    if heads:
        rule = "mean v" if layout.kind == "one step" else rule_of(outputs, made[heads[0]])
    seen = tuple(dict.fromkeys(recorder.looked_at))
    return Trace(layout, recorder.order, builder.maps, builder.edges, sources, heads, rule, seen, n_steps)


def _record(
    model: nn.Module, cells: Mapping[str, nn.Module], layout: Layout, sample: torch.Tensor, run: Run | None, depth: int
) -> tuple[Recorder, int, list[Any]]:
    """Run one trial of few steps under a recorder; return it, the number of steps, and what the calls gave."""
    n_steps = layout.n_steps or depth
    if depth == DEPTHS[0] and layout.kind == "all steps" and layout.n_steps is None and layout.step_axis is not None:
        n_steps = max(2, min(depth, sample.shape[layout.step_axis]))
    generator = torch.Generator().manual_seed(0)
    given = torch.randn((1, n_steps, *layout.input_shape), generator=generator, dtype=torch.float64)
    recorder = Recorder()
    with evaluating(model), recorder.watching(model, cells), recorder:
        results = present(layout, model, given, run, lambda x, call: recorder.source(x, "input", INPUT, call))
    return recorder, n_steps, results


def _through(value: Value | None) -> Value | None:
    """Return the source that a value is a plain copy or view of, or the value itself."""
    while value is not None and value.operation is not None and not value.spoilt:
        operands = operands_of(value.operation)
        if operation_name(value.operation) not in MOVING or len(operands) != 1 or operands[0].shape != value.shape:
            return value
        value = operands[0]
    return value


def _check_calls(recorder: Recorder, layout: Layout, sequences: set[str], n_steps: int) -> None:
    """Refuse layers that a step calls several times, and states that the model's own code changes between calls."""
    for name, calls in recorder.calls.items():
        wanted = 1 if name in sequences and layout.kind != "one step" else n_steps
        if len(calls) != wanted and name not in sequences:
            raise DataError(_count_text(name, len(calls), wanted))
        for number, call in enumerate(calls):
            _check_states(name, call, number, returns=len(recorder.returned.get(name, ())) > 1)


def _count_text(name: str, calls: int, steps: int) -> str:
    if calls % steps == 0:
        return (
            f"layer {name}: a step calls it {calls // steps} times; a layer of neurons is one population with one state. Give "
            "each place in the network a layer of its own (for a copy with the same numbers: copy.deepcopy of the layer). Where "
            "forward shows each step of its input several times, show them in the data instead."
        )
    return (
        f"layer {name}: called {calls} times in {steps} steps; each layer of neurons is called once in every step. If forward "
        "shows one input for several steps, all layers must be called in each of them."
    )


def _check_states(name: str, call: Call, number: int, returns: bool) -> None:
    if call.changed:
        raise DataError(
            f"layer {name}: the state that it keeps is changed between its calls (by the model's own code, or by a reset within "
            "the steps). A population keeps its own state from step to step; reset before the first step only."
        )
    if number == 0:
        start = next((constant for constant in call.constants if bool(torch.any(constant != 0))), None)
        if start is not None:
            raise DataError(
                f"layer {name}: its state starts at {float(start.double().reshape(-1)[0]):.3g}, not at 0 as the layer's own "
                "start is. Let the layer make its own state (no state in the first call)."
            )
        return
    nothing = not call.constants and not call.states and not call.keeps
    if nothing and not returns:
        raise DataError(f"layer {name}: {NO_STATE}")
    if call.constants or nothing:
        raise DataError(f"layer {name}: {STATE_DROPPED}")
    if any(_through(value) is not wanted for value, wanted in zip(call.states, call.expected, strict=False)):
        raise DataError(f"layer {name}: {STATE_CHANGED}")


NO_STATE = (
    "it neither keeps a state nor is handed one, so that its memory is lost between steps. A layer of neurons is given the input "
    "of one step, and keeps its states, or returns them and takes them back; a class that runs all steps itself must be written "
    "as one step, and a function without memory is no layer of neurons."
)
STATE_DROPPED = (
    "the state that it is given in a step is a new one, not the one that it returned in the step before; its memory is lost "
    "between steps. Hand the returned state back."
)
STATE_CHANGED = (
    "its state is changed between steps: what it is given is not the state that it returned in the step before (a clamp, a "
    "factor, the spikes in its place?). The layer's own class says how its state moves; such a step is another cell. Put the "
    "layer and the change into one class, class Mine(nn.Module), whose forward(x, state) returns (spikes, state), and give it by "
    "from_torch(model, sample, cells=[Mine])."
)
