"""NIR files as plain data: HDF5 of strangers, checked before anything of it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ei_brian.errors import StorageError
from ei_brian.interop.graph import Array
from ei_brian.storage.hdf5_guard import Limits, open_guarded

__all__ = ["RawGraph", "RawNode", "read_nir"]

LIMITS = Limits(file_bytes=2 << 30, declared_bytes=4 << 30, objects=5_000, variable_length=True)
MAX_NODES = 500


@dataclass(frozen=True, slots=True)
class RawNode:
    """A node as it is stored: its type, its values and its metadata."""

    kind: str
    values: Mapping[str, Array]
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawGraph:
    """All nodes of a file, those of graphs within graphs under ``outer.inner``, with edges and metadata of the outermost."""

    nodes: dict[str, RawNode]
    edges: list[tuple[str, str]]
    metadata: Mapping[str, Any]


def read_nir(path: str | Path) -> RawGraph:
    """Return the nodes and edges of a NIR file.

    Raises
    ------
    StorageError
        If it is damaged, holds what a NIR file does not hold, or is no NIR graph.
    """
    with open_guarded(path, LIMITS) as guarded:
        root = guarded.file.get("node")
        if not isinstance(root, h5py.Group) or _text(root, "type", path) != "NIRGraph":
            raise StorageError(f"{path}: holds no NIR graph (a group 'node' of type NIRGraph). Write it with nir.write.")
        graph = RawGraph({}, [], _metadata(root))
        _graph(root, "", graph, path)
        return graph


def _graph(group: h5py.Group, prefix: str, into: RawGraph, path: Any) -> None:
    nodes = group.get("nodes")
    if not isinstance(nodes, h5py.Group):
        raise StorageError(f"{path}: a graph without nodes ({prefix or 'the outermost'}). Write it with nir.write.")
    inner = set()
    for name, item in nodes.items():
        if not isinstance(item, h5py.Group):
            raise StorageError(f"{path}: node {prefix}{name} is not a group. Write it with nir.write.")
        kind = _text(item, "type", path)
        if len(into.nodes) >= MAX_NODES:
            raise StorageError(f"{path}: more than {MAX_NODES} nodes. Use a file of a smaller network.")
        if kind == "NIRGraph":
            inner.add(name)
            _graph(item, f"{prefix}{name}.", into, path)
        else:
            values = {key: _values(value) for key, value in item.items() if isinstance(value, h5py.Dataset) and key != "type"}
            into.nodes[prefix + name] = RawNode(kind, values, _metadata(item))
    into.edges.extend(_edges(group, prefix, inner, into, path))


def _edges(group: h5py.Group, prefix: str, inner: set[str], into: RawGraph, path: Any) -> list[tuple[str, str]]:
    stored = group.get("edges")
    if not isinstance(stored, h5py.Dataset) or (stored.size and (stored.ndim != 2 or stored.shape[1] != 2)):
        raise StorageError(f"{path}: a graph without a list of edges ({prefix or 'the outermost'}). Write it with nir.write.")
    pairs = [(_decoded(a), _decoded(b)) for a, b in stored[()]] if stored.size else []
    made = []
    for source, target in pairs:
        ends = [_end(prefix, name, inner, into, path, want) for name, want in ((source, "Output"), (target, "Input"))]
        made.append((ends[0], ends[1]))
    return made


def _end(prefix: str, name: str, inner: set[str], into: RawGraph, path: Any, want: str) -> str:
    """Return the node that an edge really joins: of a graph within the graph its Input or Output."""
    if name not in inner:
        return prefix + name
    start = f"{prefix}{name}."
    own = [key for key in into.nodes if key.startswith(start) and "." not in key[len(start) :]]
    found = [key for key in own if into.nodes[key].kind == want]
    if len(found) != 1:
        raise StorageError(f"{path}: graph {prefix}{name} has {len(found)} {want} nodes; one is needed. Write it with nir.write.")
    return found[0]


def _decoded(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _text(group: h5py.Group, key: str, path: Any) -> str:
    item = group.get(key)
    if not isinstance(item, h5py.Dataset) or item.shape != ():
        raise StorageError(f"{path}: {group.name} names no {key}. The file is not whole: write it again with nir.write.")
    return _decoded(item[()])


def _values(item: h5py.Dataset) -> Array:
    value = item[()]
    return np.asarray(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)


def _metadata(group: h5py.Group) -> dict[str, Any]:
    stored = group.get("metadata")
    if not isinstance(stored, h5py.Group):
        return {}
    found = {key: _values(value) for key, value in stored.items() if isinstance(value, h5py.Dataset)}
    return {key: str(value) if value.dtype.kind in "USO" else value for key, value in found.items()}
