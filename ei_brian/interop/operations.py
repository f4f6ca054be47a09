"""Operations of torch as affine maps of flattened tensors: sparse wherever the operation is.

What moves values (views, slices, cat, permutations …) is run on numbers that count the inputs, so that its result says where each
came from. Products, convolutions, pooling and normalisation are written out from the tensors that the operation used. Any other
operation is measured with unit inputs, and taken if it is affine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from ei_brian.errors import DataError
from ei_brian.interop.graph import Node
from ei_brian.interop.linear import affine
from ei_brian.interop.recorder import Operation, Value

__all__ = ["MOVING", "Maps", "argument_of", "maps_of", "operands_of", "operation_name", "run_operation"]

Array = npt.NDArray[Any]
MAX_MEASURED = 4096  # unit inputs
MOVING = frozenset({
    "view", "_unsafe_view", "_reshape_alias", "reshape", "permute", "transpose", "t", "select", "slice", "unsqueeze", "squeeze",
    "expand", "clone", "contiguous", "cat", "stack", "unbind", "split", "split_with_sizes", "flip", "roll", "index_select",
    "index", "constant_pad_nd", "pixel_shuffle", "pixel_unshuffle", "repeat", "alias", "detach", "lift_fresh", "gather",
    "upsample_nearest1d", "upsample_nearest2d", "as_strided", "movedim", "tril", "triu", "diagonal", "unfold", "im2col", "copy",
    "_to_copy", "chunk",
    "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d", "channel_shuffle", "masked_select",
    "swapaxes",
})  # fmt: skip
REFUSED = {
    "native_layer_norm": "its statistics change with every input; only BatchNorm has fixed ones that can be folded into weights.",
    "native_group_norm": "its statistics change with every input; only BatchNorm has fixed ones that can be folded into weights.",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What an operation gives, flattened: the sum of ``matrix @ value`` over its operands (None for the identity) and a bias."""

    operands: tuple[tuple[Value, Any], ...]
    bias: Array | None = None


def operation_name(operation: Operation) -> str:
    """Return the name of the function without its overload, ``add`` for ``aten.add_.Tensor``."""
    return str(operation.function._schema.name).partition("::")[2].rstrip("_")


def operands_of(operation: Operation) -> list[Value]:
    """Return the values among the arguments, each once."""
    found: list[Value] = []

    def look(item: Any) -> None:
        if isinstance(item, Value) and not any(item is other for other in found):
            found.append(item)
        elif isinstance(item, Mapping):
            for part in item.values():
                look(part)
        elif isinstance(item, (tuple, list)):
            for part in item:
                look(part)

    look((operation.arguments, operation.options))
    return found


def run_operation(operation: Operation, given: Mapping[int, torch.Tensor], typed: bool = False) -> torch.Tensor:
    """Return what the operation gives for these tensors in place of its values (by ``id``), ``typed`` as it takes them."""
    changes = operation.function._schema.is_mutable

    def put(item: Any) -> Any:
        if isinstance(item, Value):
            return given[id(item)].to(item.dtype) if typed and item.dtype != torch.float64 else given[id(item)].clone()
        if changes and isinstance(item, torch.Tensor):
            return item.clone()
        if isinstance(item, Mapping):
            return {key: put(part) for key, part in item.items()}
        if type(item) in (tuple, list):
            return type(item)(put(part) for part in item)
        return item

    with torch.no_grad():
        made = operation.function(*put(operation.arguments), **put(operation.options))
    parts = [made] if isinstance(made, torch.Tensor) else [item for item in made if isinstance(item, torch.Tensor)]
    return parts[operation.output]


def maps_of(operation: Operation, shape: tuple[int, ...]) -> Maps:
    """Return an operation as affine maps.

    Parameters
    ----------
    operation : Operation
        What was run.
    shape : tuple of int
        Shape of what it gave.

    Raises
    ------
    DataError
        If it is not affine in what depends on the input and on spikes.
    """
    name = operation_name(operation)
    where = f"layer {operation.where or 'network'} ({name})"
    operands = operands_of(operation)
    if name in MOVING and _keeps_numbers(operation):
        return _moved(operation, operands)
    made = WRITTEN_OUT[name](where, operation, shape) if name in WRITTEN_OUT else None
    if made is not None:
        return made
    if name in REFUSED:
        raise DataError(f"{where}: {REFUSED[name]}")
    return _measured(where, operation, operands)


def _keeps_numbers(operation: Operation) -> bool:
    return operation.options.get("dtype") in (None, torch.float32, torch.float64)


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _zeros(operands: list[Value]) -> dict[int, torch.Tensor]:
    return {id(value): torch.zeros(value.shape, dtype=torch.float64) for value in operands}


def _flat(tensor: torch.Tensor) -> Array:
    return tensor.detach().double().reshape(-1).numpy()


def _moved(operation: Operation, operands: list[Value]) -> Maps:
    bias = _flat(run_operation(operation, _zeros(operands)))
    made = []
    for value in operands:
        counted = _zeros(operands)
        counted[id(value)] = torch.arange(1, _count(value.shape) + 1, dtype=torch.float64).reshape(value.shape)
        place = np.rint(_flat(run_operation(operation, counted)) - bias).astype(np.int64) - 1
        made.append((value, _selection(place, _count(value.shape))))
    return Maps(tuple(made), bias if np.any(bias) else None)


def _selection(place: Array, n_in: int) -> Any:
    """Return the matrix that takes input ``place[row]`` for each row (none for -1); None where it is the identity."""
    if place.size == n_in and np.array_equal(place, np.arange(n_in)):
        return None
    rows = np.flatnonzero(place >= 0)
    values = np.ones(rows.size)
    return sparse.coo_array((values, (rows, place[rows])), shape=(place.size, n_in)).tocsr()


def _array(item: Any) -> Array:
    return item.detach().double().numpy() if isinstance(item, torch.Tensor) else np.asarray(item, dtype=np.float64)


def argument_of(operation: Operation, index: int, name: str, default: Any = None) -> Any:
    if len(operation.arguments) > index:
        return operation.arguments[index]
    return operation.options.get(name, default)


def _broadcast(value: Value, shape: tuple[int, ...]) -> Array:
    """Return for each element of the result which of the operand it is made of."""
    return np.broadcast_to(np.arange(_count(value.shape)).reshape(value.shape), shape).reshape(-1)


def _scaled(value: Value, factor: Any, shape: tuple[int, ...]) -> Any:
    factors = np.broadcast_to(factor, shape).reshape(-1)
    place = _broadcast(value, shape)
    if np.all(factors == 1) and place.size == _count(value.shape):
        return None
    return sparse.csr_array((factors.copy(), (np.arange(place.size), place)), shape=(place.size, _count(value.shape)))


def _sum(where: str, operation: Operation, shape: tuple[int, ...]) -> Maps | None:
    first, second = operation.arguments[:2]
    alpha = float(operation.options.get("alpha", 1) if len(operation.arguments) < 3 else operation.arguments[2])
    sign = -1.0 if operation_name(operation) in ("sub", "rsub") else 1.0
    if operation_name(operation) == "rsub":
        first, second = second, first
    made, bias = [], np.zeros(shape)
    for item, factor in ((first, 1.0), (second, sign * alpha)):
        if isinstance(item, Value):
            made.append((item, _scaled(item, factor, shape)))
        else:
            bias = bias + factor * _array(item)
    return Maps(tuple(made), bias.reshape(-1) if np.any(bias) else None)


def _times(where: str, operation: Operation, shape: tuple[int, ...]) -> Maps | None:
    first, second = operation.arguments[:2]
    values = [item for item in (first, second) if isinstance(item, Value)]
    if len(values) != 1 or len(operation.arguments) > 2 or operation.options:
        return None
    name = operation_name(operation)
    if name == "div" and isinstance(second, Value):
        return None
    other = _array(second if isinstance(first, Value) else first)
    return Maps(((values[0], _scaled(values[0], 1.0 / other if name == "div" else other, shape)),))


def _negative(where: str, operation: Operation, shape: tuple[int, ...]) -> Maps | None:
    value = operation.arguments[0]
    return Maps(((value, _scaled(value, -1.0, shape)),))


def _mean(where: str, operation: Operation, shape: tuple[int, ...]) -> Maps | None:
    value = operation.arguments[0]
    given = argument_of(operation, 1, "dim")
    axes = tuple(range(len(value.shape))) if given is None or given == [] else tuple(np.atleast_1d(given).tolist())
    axes = tuple(axis % max(len(value.shape), 1) for axis in axes)
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(value.shape))
    rows = np.broadcast_to(np.arange(_count(kept)).reshape(kept), value.shape).reshape(-1)
    size = 1.0 if operation_name(operation) == "sum" else 1.0 / (_count(value.shape) / max(_count(kept), 1))
    table = (np.full(rows.size, size), (rows, np.arange(rows.size)))
    return Maps(((value, sparse.coo_array(table, shape=(_count(kept), rows.size)).tocsr()),))


def _matrix_product(where: str, operation: Operation, shape: tuple[int, ...]) -> Maps | None:
    if operation_name(operation) == "addmm":
        added, left, right = operation.arguments[:3]
        if operation.options or isinstance(added, Value):
            return None
        bias = np.broadcast_to(_array(added), shape).reshape(-1)
    else:
        left, right, bias = *operation.arguments[:2], None
    if isinstance(left, Value) and not isinstance(right, Value):
        table = _array(right).T
        matrix = table if left.shape[0] == 1 else sparse.kron(sparse.eye_array(left.shape[0]), sparse.csr_array(table), "csr")
        return Maps(((left, matrix),), None if bias is None or not np.any(bias) else bias)
    if isinstance(right, Value) and not isinstance(left, Value):
        table = _array(left)
        matrix = table if right.shape[1] == 1 else sparse.kron(sparse.csr_array(table), sparse.eye_array(right.shape[1]), "csr")
        return Maps(((right, matrix),), None if bias is None or not np.any(bias) else bias)
    return None


def _batched_product(where: str, operation: Operation, shape: tuple[int, ...]) -> Maps | None:
    left, right = operation.arguments[:2]
    if isinstance(left, Value) and not isinstance(right, Value):
        if left.shape[:2] == (1, 1):
            return Maps(((left, _array(right)[0].T),))
        blocks = [sparse.kron(sparse.eye_array(left.shape[1]), sparse.csr_array(part.T)) for part in _array(right)]
        return Maps(((left, sparse.block_diag(blocks, "csr")),))
    if isinstance(right, Value) and not isinstance(left, Value):
        blocks = [sparse.kron(sparse.csr_array(part), sparse.eye_array(right.shape[2])) for part in _array(left)]
        return Maps(((right, sparse.block_diag(blocks, "csr")),))
    return None


def _convolution(where: str, operation: Operation, shape: tuple[int, ...]) -> Maps | None:
    value, weight, bias, stride, padding, dilation, transposed, _, groups = operation.arguments
    if not isinstance(value, Value) or isinstance(weight, Value) or isinstance(bias, Value) or transposed:
        return None
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    node = Node(f"Conv{len(stride)}d", options, {"weight": _array(weight)})
    return _per_trial(value, affine(operation.where or "network", node, value.shape[1:])[0], bias, shape)


def _per_trial(value: Value, matrix: Any, bias: Any, shape: tuple[int, ...]) -> Maps:
    if value.shape[0] > 1:
        matrix = sparse.kron(sparse.eye_array(value.shape[0]), matrix, "csr")
    if bias is None:
        return Maps(((value, matrix),))
    spread = np.broadcast_to(_array(bias).reshape(-1, *[1] * (len(shape) - 2)), shape).reshape(-1)
    return Maps(((value, matrix),), spread)


POOLING: tuple[tuple[str, Any], ...] = (
    ("stride", []), ("padding", 0), ("ceil_mode", False), ("count_include_pad", True), ("divisor_override", None),
)


def _average(where: str, operation: Operation, shape: tuple[int, ...]) -> Maps | None:
    value, kernel = operation.arguments[:2]
    stride, padding, ceil_mode, include, divisor = (
        argument_of(operation, 2 + index, name, default) for index, (name, default) in enumerate(POOLING)
    )
    if len(value.shape) != 4 or ceil_mode or divisor is not None or (np.any(padding) and not include):
        return None
    options = {"kernel_size": kernel, "stride": stride or None, "padding": padding}
    node = Node("AvgPool2d", options)
    return _per_trial(value, affine(operation.where or "network", node, value.shape[1:])[0], None, shape)


def _normalised(where: str, operation: Operation, shape: tuple[int, ...]) -> Maps | None:
    if operation_name(operation) == "native_batch_norm":
        value, weight, bias, mean, variance, training, _, eps = operation.arguments
    else:
        value, weight, bias, mean, variance, _, eps = operation.arguments
        training = False
    if training or mean is None or variance is None:
        raise DataError(f"{where}: no running statistics; train with track_running_stats=True, which evaluation uses.")
    if any(isinstance(item, Value) for item in (weight, bias, mean, variance)):
        return None
    scale = 1.0 / np.sqrt(_array(variance) + float(eps))
    scale = scale if weight is None else scale * _array(weight)
    shift = (0.0 if bias is None else _array(bias)) - _array(mean) * scale
    along = (1, -1, *[1] * (len(shape) - 2))
    spread = np.broadcast_to(np.reshape(shift, along), shape).reshape(-1)
    return Maps(((value, _scaled(value, scale.reshape(along), shape)),), spread)


NO_SUM = (
    "so that it is no set of synapses. Between neurons stand linear layers, pooling by averages, views, sums and slices; put "
    "a layer of neurons in its place, or leave it out where it changes nothing. What keeps a state (a synaptic filter) is part "
    "of a cell: put it into the cell's class, behind the weights."
)


def _measured(where: str, operation: Operation, operands: list[Value]) -> Maps:
    """Return the map of any other operation from what it gives for unit inputs, if it is affine."""
    if any(not value.dtype.is_floating_point for value in operands):
        raise DataError(f"{where}: it works on whole, complex or truth values made of its inputs, {NO_SUM}")
    try:
        _check_affine(where, operation, operands)
    except (RuntimeError, TypeError, IndexError) as error:
        raise DataError(
            f"{where}: places (indices) or conditions are taken from its input ({str(error)[:120]}), so that it is no fixed "
            "linear map, and no set of synapses."
        ) from error
    zero = _flat(run_operation(operation, _zeros(operands)))
    made = []
    for value in operands:
        size = _count(value.shape)
        if size > MAX_MEASURED:
            raise DataError(
                f"{where}: {size} inputs, and nothing but measuring each says what it computes; at most {MAX_MEASURED} are. Use "
                "nn.Linear, a convolution or a pooling layer for it."
            )
        columns = [_column(operation, operands, value, unit, zero) for unit in range(size)]
        made.append((value, sparse.hstack(columns, format="csr")))
    return Maps(tuple(made), zero if np.any(zero) else None)


def _column(operation: Operation, operands: list[Value], value: Value, unit: int, zero: Array) -> Any:
    one = _zeros(operands)
    one[id(value)].view(-1)[unit] = 1.0
    given = _flat(run_operation(operation, one))
    difference = given - zero
    single = difference.astype(np.float32).astype(np.float64)  # the weight before a bias was added, to the last bit
    near = np.abs(single - difference) <= 2.0**-50 * np.maximum(np.abs(given), np.abs(zero))
    return sparse.csr_array(np.where(near, single, difference)[:, None])


def _check_affine(where: str, operation: Operation, operands: list[Value]) -> None:
    generator = np.random.default_rng(len(operands))
    pairs = [
        {id(value): torch.from_numpy(generator.normal(size=value.shape)).double() for value in operands} for _ in range(2)
    ]
    both = {key: pairs[0][key] + 2 * pairs[1][key] for key in pairs[0]}
    results = [_flat(run_operation(operation, given)) for given in (_zeros(operands), *pairs, both)]
    wanted = results[1] + 2 * (results[2] - results[0])
    scale = max(float(np.max(np.abs(part), initial=1.0)) for part in results)
    if not np.allclose(results[3], wanted, rtol=0, atol=1e-9 * scale):
        raise DataError(
            f"{where}: what it gives is not a weighted sum of its inputs, {NO_SUM}"
        )


Handler = Callable[[str, Operation, tuple[int, ...]], "Maps | None"]
WRITTEN_OUT: dict[str, Handler] = {
    "add": _sum, "sub": _sum, "rsub": _sum, "mul": _times, "div": _times, "neg": _negative, "sum": _mean, "mean": _mean,
    "mm": _matrix_product, "addmm": _matrix_product, "bmm": _batched_product, "convolution": _convolution,
    "avg_pool2d": _average, "native_batch_norm": _normalised, "_native_batch_norm_legit_no_training": _normalised,
    "cudnn_batch_norm": _normalised,
}  # fmt: skip
