"""Layers without neurons as affine maps of flattened tensors: sparse wherever the layer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.errors import DataError, unknown_name
from ei_brian.interop.graph import Node

__all__ = ["LINEAR_KINDS", "MAX_SYNAPSES", "Affine", "affine", "mapped"]

MAX_SYNAPSES = 50_000_000
Shape = tuple[int, ...]
Affine = tuple[Any, npt.NDArray[np.float64] | None, Shape]


def affine(name: str, node: Node, shape: Shape) -> Affine:
    """Return matrix (dense array or CSR; None for the identity), bias (None for none) and output shape of a layer.

    Parameters
    ----------
    name : str
        Name of the layer, for messages.
    node : Node
        The layer.
    shape : tuple of int
        Shape of its input without batch and time.

    Raises
    ------
    DataError
        If the layer is unknown, does not fit its input, or would have more than ``MAX_SYNAPSES`` synapses.
    """
    where = f"layer {name} ({node.kind})"
    if node.kind == "Map":
        return _map(where, node, shape)
    if node.kind in REFUSED:
        raise DataError(f"{where}: {REFUSED[node.kind]}")
    if node.kind not in LINEAR_KINDS:
        raise DataError(unknown_name(where, node.kind, LINEAR_KINDS))
    return LINEAR_KINDS[node.kind](where, node, shape)


def _numel(shape: Shape) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _check_synapses(where: str, count: int) -> None:
    if count > MAX_SYNAPSES:
        raise DataError(f"{where}: {count} synapses; at most {MAX_SYNAPSES} are unrolled. Use a smaller input or fewer channels.")


def _linear(where: str, node: Node, shape: Shape) -> Affine:
    weight = node.arrays["weight"]
    if weight.ndim == 2 and shape[-1] == weight.shape[0] != weight.shape[1]:
        raise DataError(
            f"{where}: weight of shape {weight.shape} for an input of {shape[-1]}; it lies (in, out). Transpose it, or for "
            "framework 'torch' say axes = 'in, out' in the description of the layer."
        )
    if weight.ndim != 2 or shape[-1] != weight.shape[1]:
        raise DataError(
            f"{where}: weight of shape {weight.shape} for an input of shape {shape}; the last axis must have its width."
        )
    bias = node.arrays.get("bias")
    lead = shape[:-1]
    if lead and _numel(lead) > 1:
        _check_synapses(where, _numel(lead) * weight.size)
        matrix: Any = sparse.kron(sparse.eye_array(_numel(lead)), sparse.csr_array(weight), format="csr")
        bias = None if bias is None else np.tile(bias, _numel(lead))
    else:
        matrix = weight
    return matrix, bias, (*lead, weight.shape[0])


def _pair(value: Any, n: int) -> tuple[int, ...]:
    items = np.atleast_1d(np.asarray(value)).tolist()
    return tuple(int(item) for item in (items * n if len(items) == 1 else items))


def _padding(where: str, node: Node, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[tuple[int, int]]:
    value = node.options.get("padding", 0)
    if node.options.get("padding_mode", "zeros") != "zeros":
        raise DataError(f"{where}.padding_mode: {node.options['padding_mode']!r}; only 'zeros' is a fixed set of synapses here.")
    if isinstance(value, str):
        if value not in ("valid", "same"):
            raise DataError(unknown_name(f"{where}.padding", value, ("valid", "same")))
        total = [d * (k - 1) if value == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
        return [(t // 2, t - t // 2) for t in total]
    return [(p, p) for p in _pair(value, len(kernel))]


def _convolution(where: str, node: Node, shape: Shape) -> Affine:
    weight = node.arrays["weight"]
    n = weight.ndim - 2
    if len(shape) == n:  # a single channel without its axis
        shape = (1, *shape)
    kernel = weight.shape[2:]
    stride, dilation = _pair(node.options.get("stride", 1), n), _pair(node.options.get("dilation", 1), n)
    groups = int(np.asarray(node.options.get("groups", 1)))
    padding = _padding(where, node, kernel, dilation)
    if len(shape) != n + 1 or groups < 1 or shape[0] != weight.shape[1] * groups or weight.shape[0] % groups:
        raise DataError(
            f"{where}: weight of shape {weight.shape} in {groups} groups for an input of shape {shape}; channels differ. The "
            "input of one step and trial has the axes (channel, …): see input_shape, and what the layers before give."
        )
    windows = [_windows(where, *axis) for axis in zip(shape[1:], kernel, stride, dilation, padding, strict=True)]
    space = tuple(axis.shape[0] for axis in windows)
    _check_synapses(where, weight.size * _numel(space))
    matrix = _unrolled(weight, windows, shape, groups)
    bias = node.arrays.get("bias")
    return matrix, None if bias is None else np.repeat(bias, _numel(space)), (weight.shape[0], *space)


def _windows(
    where: str, size: int, kernel: int, stride: int, dilation: int, padding: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """Return the input position of each (output position, kernel position) along one axis; -1 where it lies in the padding."""
    n_out = (size + sum(padding) - dilation * (kernel - 1) - 1) // stride + 1 if stride > 0 else 0
    if n_out < 1 or dilation < 1 or min(padding) < 0:
        raise DataError(
            f"{where}: kernel {kernel}, stride {stride}, dilation {dilation}, padding {padding} fit no input of {size}."
        )
    place = np.arange(n_out)[:, None] * stride + np.arange(kernel) * dilation - padding[0]
    return np.where((place >= 0) & (place < size), place, -1)


def _unrolled(weight: Any, windows: list[npt.NDArray[np.int64]], shape: Shape, groups: int) -> Any:
    """Return the CSR matrix of a convolution: rows (channel, space) of the output, columns (channel, space) of the input."""
    space = tuple(axis.shape[0] for axis in windows)
    n_space, n_in = _numel(space), _numel(shape[1:])
    column = np.zeros((n_space, _numel(weight.shape[2:])), dtype=np.int64)
    valid = np.ones(column.shape, dtype=bool)
    for axis, window in enumerate(windows):
        view = [1] * (2 * len(windows))
        view[axis], view[len(windows) + axis] = window.shape
        full = np.broadcast_to(window.reshape(view), (*space, *weight.shape[2:])).reshape(column.shape)
        column = column * shape[1 + axis] + full
        valid &= full >= 0
    out_position, kernel_position = np.nonzero(valid)
    column = column[out_position, kernel_position]
    flat = weight.reshape(weight.shape[0], weight.shape[1], -1)
    per_group = weight.shape[0] // groups
    rows, columns, values = [], [], []
    for out in range(weight.shape[0]):
        for channel in range(weight.shape[1]):
            rows.append(out * n_space + out_position)
            columns.append((out // per_group * weight.shape[1] + channel) * n_in + column)
            values.append(flat[out, channel, kernel_position])
    place = (np.concatenate(rows), np.concatenate(columns))
    table = sparse.coo_array((np.concatenate(values), place), shape=(weight.shape[0] * n_space, _numel(shape))).tocsr()
    table.eliminate_zeros()
    return table


def _pooling(where: str, node: Node, shape: Shape) -> Affine:
    n = 1 if node.kind.endswith("1d") else 2
    kernel = _pair(node.options["kernel_size"], n)
    stride = node.options.get("stride")
    for option, allowed in (("ceil_mode", False), ("divisor_override", None)):
        if node.options.get(option, allowed) != allowed:
            raise DataError(f"{where}.{option}: {node.options[option]!r} is not supported; it must be {allowed}.")
    padding = _pair(node.options.get("padding", 0), n)
    if any(padding) and not node.options.get("count_include_pad", True):
        raise DataError(f"{where}.count_include_pad: False with padding is not supported.")
    value = 1.0 if node.kind.startswith("Sum") else 1.0 / _numel(kernel)
    weight = np.full((shape[0], 1, *kernel), value)
    options = {"stride": kernel if stride is None else stride, "padding": padding, "groups": shape[0]}
    return _convolution(where, Node(node.kind, options, {"weight": weight}), shape)


def _flatten(where: str, node: Node, shape: Shape) -> Affine:
    """Flatten counts axes from the batch on, as torch does: 1 is the first of ``shape``."""
    n = len(shape)
    start, end = (int(np.asarray(node.options.get(key, default))) for key, default in (("start_dim", 1), ("end_dim", -1)))
    start, end = start - 1 if start > 0 else max(start + n, 0) if start < 0 else 0, end - 1 if end >= 0 else end + n
    if not 0 <= start <= end < n:
        raise DataError(f"{where}: start_dim and end_dim do not fit an input of shape {shape}.")
    return None, None, (*shape[:start], _numel(shape[start : end + 1]), *shape[end + 1 :])


def _batch_norm(where: str, node: Node, shape: Shape) -> Affine:
    arrays: Mapping[str, Any] = node.arrays
    if "running_mean" not in arrays or "running_var" not in arrays:
        raise DataError(f"{where}: no running statistics; train with track_running_stats=True, which evaluation uses.")
    mean, variance = arrays["running_mean"].astype(np.float64), arrays["running_var"].astype(np.float64)
    if mean.shape != (shape[0],):
        raise DataError(f"{where}: statistics of {mean.shape} channels for an input of shape {shape}.")
    scale = 1.0 / np.sqrt(variance + float(node.options.get("eps", 1e-5)))
    scale = scale * arrays["weight"] if "weight" in arrays else scale
    shift = arrays.get("bias", np.zeros(1)) - mean * scale
    each = _numel(shape[1:])
    return sparse.diags_array(np.repeat(scale, each), format="csr"), np.repeat(shift, each), shape


def _same(where: str, node: Node, shape: Shape) -> Affine:
    return None, None, shape


def _scale(where: str, node: Node, shape: Shape) -> Affine:
    scale = np.broadcast_to(node.arrays["scale"], shape).ravel()
    return sparse.diags_array(scale, format="csr"), None, shape


def mapped(shape: Shape, matrix: Any = None, bias: Any = None) -> Node:
    """Return a layer that gives a tensor of ``shape``: ``matrix @ input + bias``, all flattened."""
    return Node("Map", {"shape": shape, "matrix": matrix}, {} if bias is None else {"bias": bias})


def _map(where: str, node: Node, shape: Shape) -> Affine:
    return node.options["matrix"], node.arrays.get("bias"), node.options["shape"]


LINEAR_KINDS: dict[str, Callable[[str, Node, Shape], Affine]] = {
    "Linear": _linear, "Affine": _linear, "Conv1d": _convolution, "Conv2d": _convolution, "AvgPool1d": _pooling,
    "AvgPool2d": _pooling, "SumPool2d": _pooling, "Flatten": _flatten, "BatchNorm1d": _batch_norm, "BatchNorm2d": _batch_norm,
    "Dropout": _same, "Dropout1d": _same, "Dropout2d": _same, "Identity": _same, "Scale": _scale, "Output": _same,
}  # fmt: skip
RELAY = (
    "the largest of several spikes is not a sum of synapses; from a module it is read as a relay. In a "
    "description (framework = 'torch') write SumPool2d and then type = 'spike_relay'; or use AvgPool2d, or a stride."
)
REFUSED = {
    "MaxPool2d": RELAY,
    "MaxPool1d": RELAY,
    "ReLU": "an activation is no synapse; from a module it is read where it stands before a cell or changes nothing.",
    "LayerNorm": "its statistics change with every input; only BatchNorm has fixed ones that can be folded into weights.",
}
