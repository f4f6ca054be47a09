"""From the input of every layer of neurons in one step back to where it comes from: a graph of affine maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from ei_brian.core.models.passing import RELAY_NAME, WEIGHTED_SUM
from ei_brian.errors import DataError
from ei_brian.interop.graph import INPUT, Cell, Node
from ei_brian.interop.largest import BOTH, EITHER, Choice, Known, both_of, choice_of, selected
from ei_brian.interop.layout import Layout
from ei_brian.interop.linear import mapped
from ei_brian.interop.of_spikes import maps_of_spikes
from ei_brian.interop.operations import Maps, maps_of, operands_of, operation_name
from ei_brian.interop.recorder import Operation, Recorder, Source, Value
from ei_brian.interop.returned import sources_of

__all__ = ["Builder", "OutOfSightError"]

WEIGHTS = ("mm", "addmm", "bmm", "baddbmm", "convolution", "dot", "mv", "addmv")


class OutOfSightError(DataError):
    """A layer takes something from before the first step of the run, or nothing that was seen."""


OF_THE_INPUT = (
    "It is done to the input alone: do it to the data before the network is given them, and leave it out of the module (an "
    "encoder makes a stimulus; it is no part of a network)."
)


class Builder:
    """Walks back from the input of every layer of neurons in one step to where it comes from."""

    def __init__(
        self, recorder: Recorder, layout: Layout, sequences: set[str], n_steps: int, dt_ms: float, spikes: Callable[[str], bool],
        earlier: bool = False,
    ) -> None:  # fmt: skip
        self.recorder, self.layout, self.sequences = recorder, layout, sequences
        self.step, self.n_steps, self.dt_ms = n_steps - 1, n_steps, dt_ms
        self.back = self.step if earlier and layout.kind == "all steps" else 0  # steps of whole tensors, this one aside
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
            raise OutOfSightError(
                f"layer {name}: nothing leads to it from the input. It is given constants, or numbers that left torch on the way "
                "(numpy(), tolist(), torch.tensor of a value); keep tensors from the input to the last layer."
            )
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

    def _step_of(self, shape: tuple[int, ...], where: str, step: int | None = None) -> Any:
        """Return the matrix that puts one step at its place in a tensor of all steps, shape (step, trial, …)."""
        if shape[0] != self.n_steps:
            raise DataError(f"layer {where}: its input has {shape[0]} steps of {self.n_steps}; steps come first there.")
        size = int(np.prod(shape[1:]))
        rows = np.arange(size) + (self.step if step is None else step) * size
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
            return self._whole(name, source.layer, value.shape, lambda at: self._step_of(value.shape, source.layer, at))
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
        return self._whole("input: all steps", INPUT, value.shape, lambda at: self._input_matrix(value.shape, at))

    def _whole(self, name: str, source: str, shape: tuple[int, ...], place: Callable[[int], Any]) -> str:
        """Return the node of a tensor of all steps: what its source gives in this step and in those before."""
        if name in self.maps:
            return name
        if not self.back:
            self.maps[name] = mapped(shape, place(self.step))
            self.edges.append((source, name))
            return name
        for ago in range(self.back + 1):
            part = f"{name}, {ago} steps ago"
            self.maps[part] = mapped(shape, place(self.step - ago))
            self.edges += [(self._earlier(source, ago), part), (part, name)]
        self.maps[name] = mapped(shape)
        return name

    def _input_matrix(self, shape: tuple[int, ...], step: int) -> Any:
        """Return the matrix that puts the input of one step at its place in the tensor that the module takes."""
        place = np.arange(int(np.prod(shape))).reshape(shape).take(step, axis=self.layout.step_axis or 0).reshape(-1)
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
        made = self._maps(value, operation)
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

    def _maps(self, value: Value, operation: Operation) -> Maps:
        """Return an operation as affine maps: as it is, or because all that it is given is 0 or 1."""
        try:
            return maps_of(operation, value.shape)
        except DataError as error:
            operands = operands_of(operation)
            made = None
            if len(operands) == 1 and self.known.binary(operands[0]):
                made = maps_of_spikes(operation, operands[0], value.shape)
            if made is not None:
                return made
            ends = [item.source for item in sources_of(value) if item.source is not None]
            names = {operation_name(item.operation) for item in sources_of(value) if item.operation is not None}
            if all(source.kind == "input" for source in ends) and not names & set(WEIGHTS):
                raise DataError(f"{error} {OF_THE_INPUT}") from error
            raise

    def _passed(self, value: Value, operation: Operation, name: str) -> str:
        """Return the node of a relay, or of the largest of several sums; empty for any other operation."""
        choice, operands = choice_of(operation, value.shape), operands_of(operation)
        spikes = all(self.known.binary(item) for item in operands)
        kind = operation_name(operation)
        if len(operands) == 2 and spikes and kind in BOTH:
            return self._relay(value, name, both_of(operands, value.shape), -1.0)
        if len(operands) == 2 and spikes and kind in EITHER:
            return self._relay(value, name, both_of(operands, value.shape))
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
