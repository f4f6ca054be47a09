"""A state dict file and a description of the layers: read without the framework that trained them."""

from __future__ import annotations

import io
import tomllib
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from struct import error as StructError
from typing import Any

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import ConfigError, DataError, StorageError, unknown_name
from ei_brian.interop.assemble import assemble
from ei_brian.interop.cells_plain import described_cells, model_cell
from ei_brian.interop.frameworks import CELLS, cell_kinds, cell_of
from ei_brian.interop.graph import Array, Graph, Node, chain, check_finite
from ei_brian.interop.known_fields import check_arrays, check_options, oriented
from ei_brian.interop.linear import LINEAR_KINDS, REFUSED
from ei_brian.interop.pickle_opcodes import check_opcodes
from ei_brian.storage.atomic_file import read_bytes

__all__ = ["MAX_BYTES", "from_state_dict", "graph_of", "read_architecture", "read_state_dict"]

MAX_BYTES = 4 * 2**30
MAX_TOML_BYTES = 2**20
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, EOFError, RuntimeError, OverflowError, IndexError,
    MemoryError, StructError,
)  # fmt: skip  # what zipfile says of files that are not whole
UNFIT = (KeyError, IndexError, TypeError, ValueError, OverflowError)  # of a layer that lacks an array, or has another shape
NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel and its like, and of torch.compile
TOP = {"framework", "framework_version", "dt_ms", "input_shape", "name", "readout", "layers", "ignore", "cells"}


@takes_numbers()
def from_state_dict(
    path: str | Path, architecture: str | Path | Mapping[str, Any], *, dt_ms: float | None = None
) -> NetworkSpec:
    """Return the network of a state dict file.

    Parameters
    ----------
    path : path
        A file of ``torch.save(module.state_dict(), path)``, or an ``.npz`` of the same arrays. A checkpoint may hold more beside
        it (``{"epoch": 3, "state_dict": …}``); prefixes of DataParallel and ``torch.compile`` are taken off.
    architecture : path or mapping
        A TOML file, or what it holds: ``framework``, ``input_shape``, optional ``dt_ms``, ``name`` and ``readout``, and a list
        ``layers`` in the order of the forward pass; each has a ``name`` (the prefix of its arrays in the state dict), a ``type``
        (its class; for ``framework = "torch"``, a loop of your own, the model of the catalogue that the cell is) and those
        arguments of its constructor that the state dict does not hold, with the framework's defaults.
        ``inputs`` names the layers that feed it, the one before it unless given. ``ignore`` lists arrays of the file that play
        no part. For ``framework = "torch"`` a layer says ``axes = "in, out"`` where its weights lie so, and must say which of the
        two where they are square.
    dt_ms : float, optional
        Time step in ms; that of the architecture, or 1, unless given.

    Returns
    -------
    NetworkSpec
        The same network.

    Raises
    ------
    StorageError, ConfigError, DataError
        For files that cannot be read safely, and descriptions that do not fit them.
    """
    described = read_architecture(architecture) if isinstance(architecture, (str, Path)) else dict(architecture)
    arrays = _unwrapped(read_state_dict(path), described)
    try:
        return assemble(graph_of(described, arrays, dt_ms), str(described.get("name", "network")), described.get("readout"))
    except UNFIT as error:
        raise DataError(
            f"{path}: its arrays do not fit the layers that the description names ({type(error).__name__}: {error}). Compare "
            "their names and shapes with the classes of the framework."
        ) from error


def read_architecture(path: str | Path) -> dict[str, Any]:
    """Return what a TOML file says about the layers."""
    file = Path(path)
    try:
        return tomllib.loads(read_bytes(file, MAX_TOML_BYTES).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{file.name}: {error}; it is not TOML.") from error


def read_state_dict(path: str | Path) -> dict[str, Array]:
    """Return the arrays of a state dict file; nothing in it is run, and it cannot claim more memory than it is long.

    Raises
    ------
    StorageError
        For anything but a plain mapping of names to tensors in a file of torch >= 1.6, or an ``.npz``.
    """
    file = Path(path)
    data = read_bytes(file, MAX_BYTES)
    _check_archive(file, data)
    if file.suffix == ".npz":
        return _read_npz(file, data)
    return _read_torch(file, data)


def _check_archive(file: Path, data: bytes) -> None:
    """Refuse archives whose parts are packed or overlap: they unfold to more than the file holds."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
                raise NotImplementedError("packed in a way that neither of the two writes")
            limit = 100 * len(data) if file.suffix == ".npz" else len(data)
            total = sum(part.file_size for part in parts)
            broken = archive.testzip() if total <= min(limit, MAX_BYTES) else None
    except UNREADABLE as error:
        raise StorageError(
            f"{file.name}: not a whole archive of torch.save or numpy.savez ({error}); save model.state_dict() again with "
            "torch >= 1.6."
        ) from error
    if total > min(limit, MAX_BYTES):
        raise StorageError(
            f"{file.name}: its parts claim {total} bytes in a file of {len(data)}; it is packed or broken. Save it again."
        )
    if broken is not None:
        raise StorageError(f"{file.name}: the checksum of its part {broken[:60]!r} differs; copy or save the file again.")


def _read_npz(file: Path, data: bytes) -> dict[str, Array]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = {str(name): np.asarray(stored[name]) for name in stored.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        raise StorageError(f"{file.name}: {error}; an .npz of plain arrays is needed.") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise StorageError(f"{file.name}: {name[:60]!r} is {array.dtype}; real numbers are needed.")
    return arrays


def _read_torch(file: Path, data: bytes) -> dict[str, Array]:
    import torch

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for part in archive.namelist():
            if part.endswith("data.pkl"):
                check_opcodes(file.name, archive.read(part))
    unpickling: type[Exception] = torch.serialization.pickle.UnpicklingError  # type: ignore[attr-defined]
    try:
        stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (
        unpickling, RuntimeError, ValueError, TypeError, KeyError, AttributeError, EOFError, OSError, IndexError, AssertionError,
        OverflowError, MemoryError, RecursionError,
    ) as error:  # fmt: skip
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise StorageError(
            f"{file.name}: {reason} It must hold a state dict and nothing else: torch.save(model.state_dict(), …)."
        ) from error
    if not isinstance(stored, Mapping):
        raise StorageError(f"{file.name}: holds a {type(stored).__name__}; save model.state_dict().")
    arrays = {}
    for name, tensor in _weights_of(file, stored).items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
            raise StorageError(
                f"{file.name}: {str(name)[:60]!r} is a {type(tensor).__name__}, not a plain tensor; save model.state_dict() (in "
                "a checkpoint it is looked for under 'state_dict', 'model_state_dict' or 'model')."
            )
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise StorageError(
                f"{file.name}: {name[:60]!r} claims {tuple(tensor.shape)} values, more than it stores; the file is not "
                "sound."
            )
        if tensor.is_complex() or tensor.is_quantized:
            raise StorageError(f"{file.name}: {name[:60]!r} is {tensor.dtype}; real numbers are needed.")
        wide = tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
        arrays[name] = np.array(wide.detach().numpy())
    return arrays


def _weights_of(file: Path, stored: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return the state dict of a checkpoint that holds more (epoch, optimizer): the one mapping under a usual name."""
    found = [name for name in NESTED if isinstance(stored.get(name), Mapping)]
    if len(found) > 1:
        raise StorageError(f"{file.name}: holds {' and '.join(found)}; save the one that is meant: model.state_dict().")
    return stored[found[0]] if found else stored


def _unwrapped(arrays: dict[str, Array], described: Mapping[str, Any]) -> dict[str, Array]:
    """Return arrays without what a wrapper put before every name, unless the description has it as well.

    Wrappers of torch are known by name; others (``net.`` of a Lightning module) by that all arrays then are of described layers.
    """
    layers = described.get("layers", [])
    names = [str(layer.get("name", "")) for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []
    ignored = described.get("ignore", [])
    names += map(str, ignored if isinstance(ignored, list) else [])
    known = found = arrays
    while True:
        prefix = _common_prefix(found)
        if not prefix or any(f"{name}.".startswith(prefix) for name in names):
            return found if found and all(_is_of(one, names) for one in found) else known
        found = {name.removeprefix(prefix): array for name, array in found.items()}
        known = found if prefix in WRAPPERS else known


def _common_prefix(names: Iterable[str]) -> str:
    """Return the first part of names with its dot, where all have the same and more behind it."""
    first = {name.partition(".")[0] if "." in name else "" for name in names}
    return f"{first.pop()}." if len(first) == 1 and first != {""} else ""


def _is_of(name: str, layers: Iterable[str]) -> bool:
    return any(name == layer or name.startswith(f"{layer}.") for layer in layers)


def graph_of(described: Mapping[str, Any], arrays: Mapping[str, Array], dt_ms: float | None = None) -> Graph:
    """Return the layers of a description with their arrays.

    Raises
    ------
    ConfigError
        For a description with unknown or missing entries.
    DataError
        For arrays that no layer claims, or that a layer lacks.
    """
    for key in described:
        if key not in TOP:
            raise ConfigError(unknown_name("architecture", key, TOP))
    name = str(described.get("framework", ""))
    if name not in CELLS:
        raise ConfigError(unknown_name("architecture.framework", name, CELLS))
    shape = tuple(described.get("input_shape", ()))
    if not shape or not all(isinstance(item, int) and item > 0 for item in shape):
        raise ConfigError(f"architecture.input_shape: {list(shape)}; give whole numbers, for example [1, 28, 28].")
    arrays = _without_ignored(described, arrays)
    check_finite("state dict", arrays)
    nodes, edges, used = _layers(name, described, arrays)
    left = sorted(set(arrays) - used)
    if left:
        raise DataError(
            f"state dict: {', '.join(left[:6])} belong to no layer of the description. An array NAME.weight or NAME.bias (or "
            "NAME alone, a bare matrix) belongs to the layer NAME: describe that layer, rename the array, or name it in ignore "
            "= [...] if it plays no part."
        )
    version = described.get("framework_version", "")
    step = dt_ms if dt_ms is not None else float(described.get("dt_ms", _dt_ms(nodes)))
    return Graph(nodes, edges, shape, step, f"{name} {version}".strip() + " state dict")


def _without_ignored(described: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Array]:
    ignored = described.get("ignore", [])
    if not isinstance(ignored, list) or not all(isinstance(item, str) for item in ignored):
        raise ConfigError("architecture.ignore: give a list of names of arrays.")
    for item in ignored:
        if item not in arrays:
            raise ConfigError(unknown_name("architecture.ignore", item, arrays))
    return {name: array for name, array in arrays.items() if name not in ignored}


def _dt_ms(nodes: Mapping[str, Node]) -> float:
    steps = {float(node.options["dt"]) * 1e3 for node in nodes.values() if "dt" in node.options}
    return steps.pop() if len(steps) == 1 else 1.0


def _layers(
    name: str, described: Mapping[str, Any], arrays: Mapping[str, Array]
) -> tuple[dict[str, Node], list[tuple[str, str]], set[str]]:
    layers = described.get("layers", [])
    if not isinstance(layers, list) or not layers or not all(isinstance(layer, dict) for layer in layers):
        raise ConfigError("architecture.layers: give a list of tables, [[layers]], each with a name and a type.")
    nodes: dict[str, Node] = {}
    used: set[str] = set()
    written = described_cells(described.get("cells", {}))
    names = [str(layer.get("name", "")) for layer in layers]
    edges = chain(names)
    for layer, item in zip(layers, names, strict=True):
        if not item or names.count(item) > 1 or "type" not in layer:
            raise ConfigError(f"architecture.layers: {layer}; each layer needs a type and a name of its own.")
        options = {key: value for key, value in layer.items() if key not in ("name", "type", "inputs")}
        own = {key.removeprefix(item + "."): value for key, value in arrays.items() if key.startswith(item + ".")}
        used |= {f"{item}.{key}" for key in own}
        if item in arrays and "weight" not in own:  # a bare matrix under the name of the layer
            own, used = {"weight": arrays[item], **own}, used | {item}
        kind = str(layer["type"])
        is_cell = kind in cell_kinds(name) or kind in written
        options, own = oriented(name, item, kind, options, own)
        if not is_cell and kind not in LINEAR_KINDS and kind not in REFUSED and kind != "Delay":
            cells = (*written, *cell_kinds(name))
            use = "A cell that is missing can be written into the description, in a table [cells.NAME]."
            raise DataError(unknown_name(f"layer {item} ({kind})", kind, (*cells, *LINEAR_KINDS, "Delay"), use))
        check_options("torch" if kind in written else name, item, kind, options, is_cell)
        check_arrays("torch" if kind in written else name, item, kind, own, is_cell)
        node = Node(kind, options, own)
        if is_cell:
            cell = model_cell(item, node, written[kind]) if kind in written else cell_of(name, item, node)
            node = Node(node.kind, options, own, cell)
        nodes[item] = node
        if "inputs" in layer:
            edges = [edge for edge in edges if edge[1] != item] + [(str(source), item) for source in layer["inputs"]]
    return nodes, edges, used
