"""The largest of several values: which ones a pooling (or ReLU) chooses from, and what is known to be 0 or 1, or not below 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.errors import DataError
from ei_brian.interop.of_spikes import maps_of_spikes
from ei_brian.interop.operations import MOVING, argument_of, maps_of, operands_of, operation_name
from ei_brian.interop.recorder import Operation, Source, Value

__all__ = ["BOTH", "EITHER", "Choice", "Known", "both_of", "choice_of", "selected"]

Array = npt.NDArray[Any]
Index = npt.NDArray[np.int64]
POOLS = {
    "max_pool1d": 1, "max_pool1d_with_indices": 1, "max_pool2d": 2, "max_pool2d_with_indices": 2, "max_pool3d": 3,
    "max_pool3d_with_indices": 3,
}  # fmt: skip
BOTH, EITHER = ("mul", "logical_and", "bitwise_and"), ("logical_or", "bitwise_or")  # of spikes
ADAPTIVE = {"adaptive_max_pool1d": 1, "adaptive_max_pool2d": 2, "adaptive_max_pool3d": 3}


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Each element of a result is the largest of some elements of its operands, and of 0 where there is a floor.

    Parameters
    ----------
    members : sequence of (Value, array of shape (n_out, k))
        Which elements of each operand, flattened.
    floor : bool
        Whether 0 is one of them.
    """

    members: tuple[tuple[Value, Index], ...]
    floor: bool = False

    @property
    def count(self) -> int:
        """How many values each element is the largest of."""
        return sum(table.shape[1] for _, table in self.members) + int(self.floor)


def choice_of(operation: Operation, shape: tuple[int, ...]) -> Choice | None:
    """Return what an operation chooses the largest of; None for an operation that does not."""
    name, operands = operation_name(operation), operands_of(operation)
    if operation.output != 0 or not operands:
        return None
    if name in POOLS or name in ADAPTIVE:
        return Choice(((operands[0], _pooled(operation, name, operands[0].shape, shape)),))
    if name in ("amax", "max") and len(operands) == 1 and isinstance(operation.arguments[0], Value):
        return Choice(((operands[0], _over_axes(operation, operands[0].shape)),))
    if name == "maximum" and len(operands) == 2:
        return Choice(tuple((value, _spread(value.shape, shape)) for value in operands))
    if name == "relu":
        return Choice(((operands[0], _spread(operands[0].shape, shape)),), floor=True)
    return None


def both_of(operands: list[Value], shape: tuple[int, ...]) -> Choice:
    """Return the elements of two operands that stand at the same places."""
    return Choice(tuple((value, _spread(value.shape, shape)) for value in operands))


def selected(column: Index, n_in: int) -> Any:
    """Return the matrix that takes element ``column[row]`` for each row."""
    return sparse.csr_array((np.ones(column.size), (np.arange(column.size), column)), shape=(column.size, n_in))


def _numbered(shape: tuple[int, ...]) -> Index:
    return np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)


def _spread(shape: tuple[int, ...], wanted: tuple[int, ...]) -> Index:
    return np.broadcast_to(_numbered(shape), wanted).reshape(-1, 1)


def _over_axes(operation: Operation, shape: tuple[int, ...]) -> Index:
    given = argument_of(operation, 1, "dim")
    axes = tuple(range(len(shape))) if given is None or given == [] else tuple(np.atleast_1d(given).tolist())
    axes = tuple(axis % len(shape) for axis in axes)
    moved = np.moveaxis(_numbered(shape), axes, range(len(shape) - len(axes), len(shape)))
    return moved.reshape(-1, int(np.prod([shape[axis] for axis in axes])))


def _pooled(operation: Operation, name: str, shape: tuple[int, ...], made: tuple[int, ...]) -> Index:
    """Return the members of each window; a place in the padding is taken by another one of the same window."""
    n = POOLS.get(name) or ADAPTIVE[name]
    if name in ADAPTIVE:
        windows = [_adaptive(size, out) for size, out in zip(shape[-n:], made[-n:], strict=True)]
    else:
        kernel, stride, padding, dilation = (_each(operation, 1 + index, key, n) for index, key in enumerate(OPTIONS))
        windows = [
            _window(*axis) for axis in zip(shape[-n:], made[-n:], kernel, stride or kernel, padding or (0,) * n,
                                           dilation or (1,) * n, strict=True)
        ]  # fmt: skip
    place, valid = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
    for size, window in zip(shape[-n:], windows, strict=True):
        inside = window >= 0
        place = (place[:, None, :, None] * size + window[None, :, None, :]).reshape(-1, place.shape[1] * window.shape[1])
        valid = (valid[:, None, :, None] & inside[None, :, None, :]).reshape(place.shape)
    first = place[np.arange(place.shape[0]), np.argmax(valid, axis=1)]
    place = np.where(valid, place, first[:, None])
    lead, each = int(np.prod(shape[:-n], dtype=np.int64)), int(np.prod(shape[-n:], dtype=np.int64))
    return np.asarray((np.arange(lead)[:, None, None] * each + place).reshape(-1, place.shape[1]))


OPTIONS = ("kernel_size", "stride", "padding", "dilation")


def _each(operation: Operation, index: int, key: str, n: int) -> tuple[int, ...]:
    items = np.atleast_1d(np.asarray(argument_of(operation, index, key, []), dtype=np.int64)).tolist()
    return tuple(items * n if len(items) == 1 else items)


def _window(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> Index:
    place = np.arange(out)[:, None] * stride + np.arange(kernel) * dilation - padding
    return np.where((place >= 0) & (place < size), place, -1)


def _adaptive(size: int, out: int) -> Index:
    starts, ends = np.arange(out) * size // out, -(-(np.arange(1, out + 1) * size) // out)
    place = starts[:, None] + np.arange(int(np.max(ends - starts)))
    return np.where(place < ends[:, None], place, -1)


class Known:
    """What is known of values between layers: whether they are spikes, 0 or 1, and the lowest that they can be."""

    def __init__(self, spiking: Callable[[Source], bool]) -> None:
        self.spiking = spiking
        self._binary: dict[int, bool] = {}
        self._bounds: dict[int, tuple[Array, Array] | None] = {}

    def binary(self, value: Value) -> bool:
        """Whether every element is 0 or 1: spikes, moved, chosen, or taken from 1."""
        if id(value) not in self._binary:
            self._binary[id(value)] = not value.spoilt and self._is_binary(value)
        return self._binary[id(value)]

    def _is_binary(self, value: Value) -> bool:
        if value.source is not None:
            return self.spiking(value.source)
        operation = value.operation
        if operation is None:
            return False
        operands = operands_of(operation)
        if not all(self.binary(item) for item in operands):
            return False
        choice, name = choice_of(operation, value.shape), operation_name(operation)
        if choice is not None or (name in (*BOTH, *EITHER) and len(operands) == 2):
            return True
        alone = maps_of_spikes(operation, operands[0], value.shape) if len(operands) == 1 else None
        if alone is not None:
            low = np.zeros(1) if alone.bias is None else alone.bias
            return bool(np.isin(low, (0, 1)).all() and np.isin(low + alone.operands[0][1].diagonal(), (0, 1)).all())
        if name not in MOVING and name not in ("add", "sub", "rsub", "mul", "neg", "div"):
            return False
        return _stays_binary(operation, value)

    def lowest(self, value: Value) -> Array | None:
        """Return the lowest that each element can be; None where nothing is known."""
        bounds = self._of(value)
        return None if bounds is None else bounds[0]

    def _of(self, value: Value) -> tuple[Array, Array] | None:
        if id(value) not in self._bounds:
            self._bounds[id(value)] = self._computed(value)
        return self._bounds[id(value)]

    def _computed(self, value: Value) -> tuple[Array, Array] | None:
        size = int(np.prod(value.shape, dtype=np.int64))
        if self.binary(value):
            return np.zeros(size), np.ones(size)
        operation = value.operation
        if operation is None or value.spoilt:
            return None
        parts = [self._of(item) for item in operands_of(operation)]
        known = [part for part in parts if part is not None]
        if len(known) != len(parts):
            return None
        choice = choice_of(operation, value.shape)
        if choice is not None:
            return self._chosen(choice)
        try:
            made = maps_of(operation, value.shape)
        except DataError:
            return None
        low = np.zeros(size) if made.bias is None else made.bias.astype(np.float64)
        high = low.copy()
        for item, matrix in made.operands:
            below, above = self._of(item) or (np.zeros(0), np.zeros(0))
            up, down = _signed(matrix)
            low = low + (below if matrix is None else up @ below + down @ above)
            high = high + (above if matrix is None else up @ above + down @ below)
        return low, high

    def _chosen(self, choice: Choice) -> tuple[Array, Array]:
        ends = []
        for index in (0, 1):
            parts = []
            for item, table in choice.members:
                bounds = self._of(item)
                if bounds is not None:
                    parts.append(bounds[index][table].max(axis=1))
            end = np.max(parts, axis=0)
            ends.append(np.maximum(end, 0.0) if choice.floor else end)
        return ends[0], ends[1]


def _signed(matrix: Any) -> tuple[Any, Any]:
    if matrix is None:
        return None, None
    if sparse.issparse(matrix):
        return matrix.maximum(0), matrix.minimum(0)
    return np.maximum(matrix, 0), np.minimum(matrix, 0)


def _stays_binary(operation: Operation, value: Value) -> bool:
    """Whether an affine map of values that are 0 or 1 is 0 or 1: each row takes one of them, or takes one from 1."""
    try:
        made = maps_of(operation, value.shape)
    except DataError:
        return False
    size = int(np.prod(value.shape, dtype=np.int64))
    total, taken = np.zeros(size), np.zeros(size)
    for _, matrix in made.operands:
        if matrix is None:
            total, taken = total + 1, taken + 1
            continue
        table = sparse.csr_array(matrix)
        total = total + np.asarray(table.sum(axis=1)).reshape(-1)
        taken = taken + np.diff(sparse.csr_array(table != 0).indptr)
    bias = np.zeros(size) if made.bias is None else made.bias
    ends = (bias, bias + total)
    return bool(np.all(taken <= 1) and all(np.isin(end, (0.0, 1.0)).all() for end in ends))
