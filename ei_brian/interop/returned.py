"""What a module returns, in terms of its layers of neurons: nothing but their spikes and states may decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ei_brian.errors import DataError
from ei_brian.interop.operations import MOVING, operands_of, operation_name, run_operation
from ei_brian.interop.recorder import Operation, Source, Value

__all__ = ["WeighedError", "returned_sources", "sources_of"]

MIXED = -1.0
REDUCING = ("sum", "mean", "max", "min", "amax", "amin", "prod", "any", "all", "cumsum", "median", "std", "var", "norm", "argmax")
DECIDING = ("argmax", "max")
HEAD = (
    "It is read as a population of readout cells where it is a module of its own (nn.Linear, AvgPool1d, VotingLayer) that every "
    "step runs. Write it so, and sum or average what it gives (on a sum over steps a bias counts once; the average is the "
    "same); or leave it out of the module and keep it for a decoder of the spikes."
)


class WeighedError(DataError):
    """Weights, or a sum over neurons, at ``value`` decide what a module returns."""

    def __init__(self, value: Value, text: str) -> None:
        super().__init__(text)
        self.value = value


def sources_of(value: Value, stop: frozenset[int] = frozenset()) -> list[Value]:
    """Return the values that a value is made of, itself first; what lies behind those of ``stop`` (by ``id``) is left out."""
    waiting, seen, found = [value], set(), []
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        found.append(item)
        waiting += list(item.parts)
        if item.operation is not None and id(item) not in stop:
            waiting += operands_of(item.operation)
    return found


def returned_sources(
    outputs: tuple[Value, ...], drives: frozenset[int], heads: tuple[Value, ...] = ()
) -> tuple[Source, ...]:
    """Return the outputs of layers of neurons that a module's output is made of.

    Parameters
    ----------
    outputs : sequence of Value
        What the module returned.
    drives : set of int
        ``id`` of the values that enter layers of neurons, or that heads give.
    heads : sequence of Value
        What layers that are read as populations give.

    Raises
    ------
    WeighedError
        If weights, or sums over neurons, stand between the last layer of neurons and the output: no population has them.
    """
    found: dict[tuple[str, str, int], Source] = {}
    labels = {id(value): _neurons(value) for value in heads}
    for output in outputs:
        if id(output) in drives:
            continue
        parts = sources_of(output, drives)
        for item in parts:
            if item.source is not None and item.source.kind != "input":
                found.setdefault((item.source.kind, item.source.layer, item.source.index), item.source)
        behind = any(item.source is not None and item.source.kind != "input" for item in parts)
        if behind or any(item is head for item in parts for head in heads):
            for item in parts:
                if item.operation is not None and id(item) not in drives:
                    _refuse_weights(item, item.operation)
            for item in (output, *output.parts):
                _refuse_mixture(item, labels, drives, only=len(outputs) == 1)
    return tuple(found.values())


def _refuse_weights(value: Value, operation: Operation) -> None:
    constants = [item for item in _constants((operation.arguments, operation.options)) if item.numel() > 1]
    changed = [item for item in constants if item.is_floating_point() and bool(torch.any(item != 0))]
    if changed and operation_name(operation) not in MOVING:
        raise WeighedError(
            value,
            f"layer {operation.where or 'network'} ({operation_name(operation)}): it stands behind the last layer of neurons and "
            f"decides what the module returns. {HEAD}",
        )


def _constants(item: Any) -> list[torch.Tensor]:
    if isinstance(item, torch.Tensor):
        return [item]
    if isinstance(item, Mapping):
        return [found for part in item.values() for found in _constants(part)]
    if isinstance(item, (tuple, list)):
        return [found for part in item for found in _constants(part)]
    return []


def _refuse_mixture(value: Value, labels: dict[int, torch.Tensor], drives: frozenset[int], only: bool) -> None:
    made = _labels(value, labels, drives)
    if bool(torch.any(made == MIXED)) and (only or made.numel() > 1):
        mixed = [item for item in sources_of(value, drives) if bool(torch.any(_labels(item, labels, drives) == MIXED))]
        step = mixed[-1]
        operation = step.operation
        where = f"layer {operation.where or 'network'} ({operation_name(operation)})" if operation is not None else "output"
        raise WeighedError(step, f"{where}: it combines neurons of the last layer and decides what the module returns. {HEAD}")


def _labels(value: Value, known: dict[int, torch.Tensor], drives: frozenset[int]) -> torch.Tensor:
    """Return for each element of a value which neuron it belongs to, ``MIXED`` for several."""
    if id(value) in known:
        return known[id(value)]
    if value.operation is None or value.spoilt or id(value) in drives:
        made = torch.zeros(value.shape, dtype=torch.float64) if value.source is None else _neurons(value)
    else:
        made = _operation_labels(value, value.operation, known, drives)
    known[id(value)] = made
    return made


def _neurons(value: Value) -> torch.Tensor:
    """Return numbers of neurons: where all steps stand in one tensor, the same ones in each."""
    lead = value.shape[0] if value.shape else 1
    size = max(int(torch.Size(value.shape).numel()), 1)
    if lead > 1:
        return torch.arange(size // lead, dtype=torch.float64).reshape(1, *value.shape[1:]).expand(value.shape).clone()
    return torch.arange(size, dtype=torch.float64).reshape(value.shape)


def _operation_labels(
    value: Value, operation: Operation, known: dict[int, torch.Tensor], drives: frozenset[int]
) -> torch.Tensor:
    name, operands = operation_name(operation), operands_of(operation)
    given = {id(item): _labels(item, known, drives) for item in operands}
    if name in MOVING:
        return run_operation(operation, given).double()
    if len(operands) == 1 and operands[0].shape == value.shape:
        return given[id(operands[0])]
    if len(operands) > 1:
        same = [label.expand(value.shape) for label in given.values() if _expands(label, value.shape)]
        if len(same) == len(operands):
            equal = torch.stack(same)
            return torch.where(torch.all(equal == equal[0], dim=0), equal[0], torch.tensor(MIXED).double())
    if name in REDUCING and len(operands) == 1:
        return _reduced(given[id(operands[0])], operation, value.shape, name)
    if len(operands) == 1 and _expands(given[id(operands[0])], value.shape):
        return given[id(operands[0])].expand(value.shape)
    return torch.full(value.shape, MIXED, dtype=torch.float64)


def _expands(label: torch.Tensor, shape: tuple[int, ...]) -> bool:
    try:
        label.expand(shape)
    except RuntimeError:
        return False
    return True


def _reduced(label: torch.Tensor, operation: Operation, shape: tuple[int, ...], name: str) -> torch.Tensor:
    given = operation.arguments[1] if len(operation.arguments) > 1 else operation.options.get("dim")
    axes = list(range(label.dim())) if given is None or given == [] else [given] if isinstance(given, int) else list(given)
    low, high = (torch.amin(label, axes), torch.amax(label, axes))
    if name in DECIDING and bool(torch.any(low != high)):
        return low.reshape(shape)  # the decision itself
    return torch.where(low == high, low, torch.tensor(MIXED).double()).reshape(shape)
