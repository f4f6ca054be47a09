"""HDF5 files of strangers: everything about a file is checked before any of its data is read.

HDF5 can name other files, declare more than it stores, refer to itself, and run filters. A file is opened from the bytes that
were read once; all of its objects are then visited, each once, without following a link that is not hard and without
reading data. What is not known to be harmless is refused.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any

import h5py
from h5py import h5a, h5d, h5g, h5l, h5o

from ei_brian.errors import StorageError
from ei_brian.storage.atomic_file import read_bytes
from ei_brian.storage.hdf5_extent import attribute_bytes, dataset_bytes
from ei_brian.storage.hdf5_heap import Heaps
from ei_brian.storage.hdf5_limits import Limits, RefusedError

__all__ = ["GuardedFile", "Limits", "guarded_bytes", "open_guarded"]

# What h5py raises for a damaged file, depending on where HDF5 stumbles.
HDF5_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class GuardedFile:
    """A checked HDF5 file in memory: the open file, its datasets by path, the SHA-256 of its bytes, and their number."""

    file: Any
    datasets: Mapping[str, Any]
    sha256: str
    size: int


@contextmanager
def open_guarded(path: str | PathLike[str], limits: Limits | None = None) -> Iterator[GuardedFile]:
    """Read a file once, check all of it, and give it open for reading.

    Parameters
    ----------
    path : path-like
        An HDF5 file.
    limits : Limits, optional
        What it may hold.

    Yields
    ------
    GuardedFile
        ``.file`` is an `h5py.File` in memory; it is closed afterwards.

    Raises
    ------
    StorageError
        If it cannot be read, is not HDF5, is damaged, or holds what the limits do not allow. What h5py raises while the caller
        reads data becomes a `StorageError` too.

    Examples
    --------
    A NIR file, parsed by the nir package from the checked bytes::

        with open_guarded("net.nir", Limits(variable_length=True)) as guarded:
            graph = nir.serialization.read_node(guarded.file["node"])
    """
    limits = limits or Limits()
    with guarded_bytes(read_bytes(path, limits.file_bytes), path, limits) as guarded:
        yield guarded


@contextmanager
def guarded_bytes(data: bytes, path: str | PathLike[str], limits: Limits) -> Iterator[GuardedFile]:
    """Do the same for the bytes of a file; ``path`` is for the messages."""
    try:
        file = h5py.File(io.BytesIO(data), "r")  # open_file_image would also open a file of the current folder
        try:
            walk = _Walk(Heaps(data, file.userblock_size), limits)
            walk.visit(h5o.open(file.id, b"/"))
            yield GuardedFile(file, walk.datasets, hashlib.sha256(data).hexdigest(), len(data))
        finally:
            file.close()
    except RefusedError as error:
        raise StorageError(f"{path}: refused, because it holds {error}. None of its data was read; do not trust it.") from error
    except HDF5_ERRORS as error:
        reason = " ".join(str(error).split())[:200]
        raise StorageError(f"{path}: not an HDF5 file, or damaged ({reason}). Get or make the file again.") from error


class _Walk:
    """One visit of all objects, which adds up what they declare."""

    def __init__(self, heaps: Heaps, limits: Limits) -> None:
        self.heaps, self.limits = heaps, limits
        self.seen: set[int] = set()
        self.declared = self.stored = 0
        self.datasets: dict[str, Any] = {}
        self.name = re.compile(limits.names)

    def visit(self, root: Any) -> None:
        """Visit everything that the group reaches; refuse what is not allowed."""
        pending = [(root, "", 0)]
        self._enter(root, "/")
        while pending:
            group, path, depth = pending.pop()
            for name in self._links(group, path or "/"):
                child, where = h5o.open(group, name.encode()), f"{path}/{name}"
                self._enter(child, where)
                if isinstance(child, h5d.DatasetID):
                    self._add(*dataset_bytes(child, where, self.heaps, self.limits))
                    self.datasets[where.removeprefix("/")] = h5py.Dataset(child)
                elif not isinstance(child, h5g.GroupID):
                    raise RefusedError(f"a named type ({where})")
                elif depth >= self.limits.depth:
                    raise RefusedError(f"more than {self.limits.depth} levels of groups ({where})")
                else:
                    pending.append((child, where, depth + 1))

    def _enter(self, item: Any, where: str) -> None:
        """Count an object and its attributes."""
        information = h5o.get_info(item)
        if information.addr in self.seen:
            raise RefusedError(f"an object under two names ({where})")
        self.seen.add(information.addr)
        if information.num_attrs > self.limits.objects:
            raise RefusedError(f"{information.num_attrs} attributes ({where})")
        for index in range(information.num_attrs):
            size = attribute_bytes(h5a.open(item, index=index), where, self.limits)
            self._add(size, size)

    def _add(self, declared: int, stored: int) -> None:
        self.declared += declared
        self.stored += stored
        if self.declared > self.limits.declared_bytes:
            raise RefusedError(f"more than {self.limits.declared_bytes} bytes in all, as declared")
        if self.stored > len(self.heaps.data):
            raise RefusedError("objects that share their storage")

    def _links(self, group: Any, path: str) -> list[str]:
        """Return the names in a group after a look at each link that follows none."""
        names: list[str] = []

        def look(name: str | bytes, link: Any) -> str | None:
            text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
            if not self.name.fullmatch(text):
                return f"an object named {text[:80]!r}"
            if link.type != h5l.TYPE_HARD:
                return f"a link to another place or file ({path} {text})"
            names.append(text)
            return "too many objects" if len(names) + len(self.seen) > self.limits.objects else None

        refused = group.links.iterate(look, info=True)
        reason = refused[0] if isinstance(refused, tuple) else refused
        if reason:
            raise RefusedError(str(reason))
        return names
