"""How the layers of a torch module are joined: from the operations of a short run to a graph of affine maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn

from ei_brian.core.models.passing import RELAY_NAME, WEIGHTED_SUM
from ei_brian.errors import DataError
from ei_brian.interop.copying import evaluating, module_copy, same_random_numbers
from ei_brian.interop.graph import INPUT, Cell, Node
from ei_brian.interop.heads import find_heads, rule_of, runs_every_step
from ei_brian.interop.largest import Choice, Known, both_of, choice_of, selected
from ei_brian.interop.layout import Layout, Run, find_layout, outputs_of, present
from ei_brian.interop.linear import mapped
from ei_brian.interop.operations import MOVING, maps_of, operands_of, operation_name
from ei_brian.interop.recorder import Call, Operation, Recorder, Source, Value, tensors_of

__all__ = ["Trace", "cells_of", "first_tensor", "trace"]

STEPS = 3  # of a traced run: enough to see what a step takes from the one before


@dataclass(slots=True)
class Trace:
    """Layers of neurons in the order of their first call, everything between them as maps, and how the module takes its input.

    ``heads`` are the modules behind the last neurons that decide what is returned, by ``rule``.
    """

    layout: Layout
    order: list[str]
    maps: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    returned: tuple[Source, ...] = ()
    heads: tuple[str, ...] = ()
    rule: str = ""


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
    dt_ms: float, spikes: Callable[[str], bool], run: Run | None = None,
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

    Raises
    ------
    DataError
        If something between the layers is no set of synapses, or the model's own code does with a layer what no network does.
    """
    with same_random_numbers():
        copied = module_copy(model, torch.float64)
        cells = cells_of(copied, is_cell)
        given = sample.detach().to("cpu", torch.float64) if sample.is_floating_point() else sample.detach().cpu().double()
        layout, small = find_layout(copied, cells, given, is_sequence, run)
        recorder, n_steps, results = _record(copied, cells, layout, small, run)
    sequences = {name for name, module in cells.items() if is_sequence(module)}
    _check_calls(recorder, layout, sequences, n_steps)
    builder = _Builder(recorder, layout, sequences, n_steps, dt_ms, spikes)
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
    return Trace(layout, recorder.order, builder.maps, builder.edges, sources, heads, rule)


def _record(
    model: nn.Module, cells: Mapping[str, nn.Module], layout: Layout, sample: torch.Tensor, run: Run | None
) -> tuple[Recorder, int, list[Any]]:
    """Run one trial of few steps under a recorder; return it, the number of steps, and what the calls gave."""
    n_steps = layout.n_steps or STEPS
    if layout.kind == "all steps" and layout.n_steps is None and layout.step_axis is not None:
        n_steps = max(2, min(STEPS, sample.shape[layout.step_axis]))
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
            _check_states(name, call, number)


def _count_text(name: str, calls: int, steps: int) -> str:
    if calls % steps == 0:
        return (
            f"layer {name}: a step calls it {calls // steps} times; a layer of neurons is one population with one state. Give "
            "each place in the network a layer of its own (for a copy with the same numbers: copy.deepcopy of the layer)."
        )
    return (
        f"layer {name}: called {calls} times in {steps} steps; each layer of neurons is called once in every step. If forward "
        "shows one input for several steps, all layers must be called in each of them."
    )


def _check_states(name: str, call: Call, number: int) -> None:
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
    if call.constants or (not call.states and not call.keeps):
        raise DataError(f"layer {name}: {STATE_DROPPED}")
    if any(_through(value) is not wanted for value, wanted in zip(call.states, call.expected, strict=False)):
        raise DataError(f"layer {name}: {STATE_CHANGED}")


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


class _Builder:
    """Walks back from the input of every layer of neurons in one step to where it comes from."""

    def __init__(
        self, recorder: Recorder, layout: Layout, sequences: set[str], n_steps: int, dt_ms: float, spikes: Callable[[str], bool]
    ) -> None:
        self.recorder, self.layout, self.sequences = recorder, layout, sequences
        self.step, self.n_steps, self.dt_ms = n_steps - 1, n_steps, dt_ms
        self.maps: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []
        self.names: dict[int, str] = {}
        self.kept: list[Value] = []
        self.count = 0
        self.known = Known(lambda source: source.kind == "spikes" and spikes(source.layer))

    def cell(self, name: str) -> None:
        """Add the way to a layer of neurons."""
        whole = name in self.sequences and self.layout.kind != "one step"
        call = self.recorder.calls[name][0 if whole else self.step]
        if call.drive is None:
            raise DataError(f"layer {name}: nothing leads to it from the input.")
        source = self.visit(call.drive)
        shape = call.shape[2:] if name in self.sequences else call.shape[1:]
        shape = shape or (1,)
        entry = f"{name}: input"
        self.maps[entry] = mapped(shape, self._step_of(call.shape, name).T.tocsr() if whole else None)
        self.edges += [(source, entry), (entry, name)]

    def head(self, name: str, values: list[Value]) -> None:
        """Add the way to a layer without neurons that is read, as a population that never spikes."""
        whole = len(values) != self.n_steps
        value = values[0 if whole else self.step]
        source = self.visit(value)
        entry = f"{name}: what it gives"
        self.maps[entry] = mapped(value.shape[1:] or (1,), self._step_of(value.shape, name).T.tocsr() if whole else None)
        self.maps[name] = Node("Head", cell=Cell(WEIGHTED_SUM.name))
        self.edges += [(source, entry), (entry, name)]

    def _step_of(self, shape: tuple[int, ...], where: str) -> Any:
        """Return the matrix that puts one step at its place in a tensor of all steps, shape (step, trial, …)."""
        if shape[0] != self.n_steps:
            raise DataError(f"layer {where}: its input has {shape[0]} steps of {self.n_steps}; steps come first there.")
        size = int(np.prod(shape[1:]))
        rows = np.arange(size) + self.step * size
        return sparse.csr_array((np.ones(size), (rows, np.arange(size))), shape=(self.n_steps * size, size))

    def visit(self, value: Value) -> str:
        """Return the node that gives a value, added to the graph with all before it."""
        if id(value) in self.names:
            return self.names[id(value)]
        if value.spoilt:
            raise DataError(
                "network: a layer's input is taken from a tensor of which parts were changed in place, so that what it holds "
                "cannot be seen. Collect steps in a list and torch.stack them; use x = x + y for x += y."
            )
        name = self._enter(value, value.source) if value.source is not None else self._operation(value)
        self.names[id(value)] = name
        self.kept.append(value)
        return name

    def _enter(self, value: Value, source: Source) -> str:
        if source.kind == "input":
            return self._input(value, source)
        if source.kind == "state":
            raise DataError(
                f"layer {source.layer}: its state (membrane or current) is passed on as a signal to another layer; only spikes "
                "are passed between populations. Pass on its first output."
            )
        if source.layer in self.sequences and self.layout.kind != "one step":
            name = f"{source.layer}: all steps"
            self.maps[name] = mapped(value.shape, self._step_of(value.shape, source.layer))
            self.edges.append((source.layer, name))
            return name
        return self._earlier(source.layer, self.step - source.call)

    def _earlier(self, name: str, steps: int) -> str:
        if steps == 0:
            return name
        late = f"{name}: {steps} steps before"
        if late not in self.maps:
            self.maps[late] = Node("Delay", {}, {"delay": np.array([steps * self.dt_ms * 1e-3])})
            self.edges.append((name, late))
        return late

    def _input(self, value: Value, source: Source) -> str:
        if self.layout.kind == "one step":
            return self._earlier(INPUT, self.step - source.call)
        if self.layout.kind == "static":
            return INPUT
        name = "input: all steps"
        if name not in self.maps:
            self.maps[name] = mapped(value.shape, self._input_matrix(value.shape))
            self.edges.append((INPUT, name))
        return name

    def _input_matrix(self, shape: tuple[int, ...]) -> Any:
        """Return the matrix that puts the input of one step at its place in the tensor that the module takes."""
        place = np.arange(int(np.prod(shape))).reshape(shape).take(self.step, axis=self.layout.step_axis or 0).reshape(-1)
        return sparse.csr_array((np.ones(place.size), (place, np.arange(place.size))), shape=(int(np.prod(shape)), place.size))

    def _operation(self, value: Value) -> str:
        operation = value.operation
        if operation is None:
            raise DataError("network: a value without an origin.")
        self.count += 1
        name = f"{operation.where or 'network'}: {operation_name(operation)} {self.count}"
        passed = self._passed(value, operation, name)
        if passed:
            return passed
        made = maps_of(operation, value.shape)
        if len(made.operands) == 1:
            operand, matrix = made.operands[0]
            before = self.visit(operand)
            self.maps[name] = mapped(value.shape, matrix, made.bias)
            self.edges.append((before, name))
            return name
        for number, (operand, matrix) in enumerate(made.operands):
            before = self.visit(operand)
            part = f"{name}, operand {number + 1}"
            self.maps[part] = mapped(value.shape, matrix, made.bias if number == 0 else None)
            self.edges += [(before, part), (part, name)]
        self.maps[name] = mapped(value.shape)
        return name

    def _passed(self, value: Value, operation: Operation, name: str) -> str:
        """Return the node of a relay, or of the largest of several sums; empty for any other operation."""
        choice, operands = choice_of(operation, value.shape), operands_of(operation)
        spikes = all(self.known.binary(item) for item in operands)
        if operation_name(operation) == "mul" and len(operands) == 2 and spikes:
            return self._relay(value, name, both_of(operands, value.shape), -1.0)
        if choice is None:
            return ""
        lowest = self.known.lowest(operands[0]) if choice.floor else None
        if lowest is not None and bool(np.all(lowest >= 0)):
            return self.visit(operands[0])
        return self._relay(value, name, choice) if spikes else self._largest(value, name, choice)

    def _rows(self, value: Value) -> slice:
        """Return which elements of a value belong to the step: all, or those of a tensor of all steps."""
        size = int(np.prod(value.shape, dtype=np.int64))
        if not self._has_steps(value):
            return slice(0, size)
        each = size // self.n_steps
        return slice(self.step * each, (self.step + 1) * each)

    def _has_steps(self, value: Value) -> bool:
        return self.layout.kind != "one step" and len(value.shape) > 1 and value.shape[0] == self.n_steps

    def _placed(self, value: Value, name: str) -> str:
        """Return the node that holds what a node gives in the step, in the shape of a value."""
        end = f"{name}, in place"
        self.maps[end] = mapped(value.shape, self._step_of(value.shape, name) if self._has_steps(value) else None)
        self.edges.append((name, end))
        return end

    def _relay(self, value: Value, name: str, choice: Choice, bias: float = 0.0) -> str:
        rows = self._rows(value)
        relay = f"{name.partition(':')[0]} relay"
        relay = relay if relay not in self.maps else f"{relay} {self.count}"
        self.maps[relay] = Node("Relay", cell=Cell(RELAY_NAME))
        for number, (operand, table) in enumerate(choice.members):
            before = self.visit(operand)
            mine = table[rows]
            size = int(np.prod(operand.shape, dtype=np.int64))
            place = (np.repeat(np.arange(mine.shape[0]), mine.shape[1]), mine.reshape(-1))
            matrix = sparse.coo_array((np.ones(mine.size), place), shape=(mine.shape[0], size)).tocsr()
            matrix.data[:] = 1.0
            part = f"{name}, operand {number + 1}"
            added = np.full(mine.shape[0], bias) if bias and number == 0 else None
            self.maps[part] = mapped((mine.shape[0],), matrix, added)
            self.edges += [(before, part), (part, relay)]
        return self._placed(value, relay)

    def _largest(self, value: Value, name: str, choice: Choice) -> str:
        rows, branches = self._rows(value), list[str]()
        for operand, table in choice.members:
            before = self.visit(operand)
            for column in table[rows].T:
                branches.append(f"{name}, drive {len(branches)}")
                size = int(np.prod(operand.shape, dtype=np.int64))
                self.maps[branches[-1]] = mapped((column.size,), selected(column, size))
                self.edges += [(before, branches[-1]), (branches[-1], name)]
        options = {"shape": (rows.stop - rows.start,), "branches": tuple(branches), "floor": choice.floor}
        self.maps[name] = Node("Largest", options)
        return self._placed(value, name)
