"""Our own files: a line with the checksum, then HDF5 with a header of JSON and plain arrays.

The first 512 bytes, which HDF5 lets a user have, name the format, the number of bytes that follow and their SHA-256. A file
that was cut or changed anywhere is so found before HDF5 looks at it. The rest opens with any HDF5 tool.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ei_brian.errors import StorageError
from ei_brian.storage.atomic_file import read_bytes, write_bytes
from ei_brian.storage.hdf5_guard import guarded_bytes
from ei_brian.storage.hdf5_limits import Limits
from ei_brian.storage.json_text import checked_json, json_text

__all__ = ["Content", "read_content", "write_content"]

LIMITS = Limits(ratio=1.0, filters=frozenset(), depth=4, names=r"[A-Za-z][A-Za-z0-9_]{0,63}")
PREFIX = 512
MAGIC = b"ei_brian file, HDF5 from byte 512 on\n"
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: a header of JSON types, and arrays by their path ``group/name``."""

    header: Mapping[str, Any]
    arrays: Arrays


def write_content(path: str | PathLike[str], kind: str, version: int, content: Content) -> None:
    """Write a file whole or not at all; equal content gives equal bytes.

    Raises
    ------
    StorageError
        If the header is not plain JSON, or the file cannot be written.
    """
    try:
        header = json_text({**content.header, "kind": kind, "schema": version})
    except ValueError as error:
        raise StorageError(f"{path}: cannot be written: {error}. Keep plain JSON values in provenance and backend.") from error
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("header", data=np.bytes_(header))
        for name in sorted(content.arrays):
            array = np.asarray(content.arrays[name])
            file.create_dataset(name, data=array.astype(array.dtype.newbyteorder("<"), copy=False))
    body = buffer.getvalue()
    write_bytes(path, _prefix(body) + body)


def _prefix(body: bytes) -> bytes:
    text = MAGIC + f"bytes {len(body)}\nsha256 {hashlib.sha256(body).hexdigest()}\n".encode()
    return text.ljust(PREFIX, b"\0")


def read_content(path: str | PathLike[str], kind: str, version: int) -> Content:
    """Return the content of a file of that kind and schema version.

    Raises
    ------
    StorageError
        If it is missing, not ours, cut, changed, of another kind or version, or holds anything but a header and arrays.
    """
    data = read_bytes(path, LIMITS.file_bytes)
    _check_prefix(data, path)
    with guarded_bytes(data, path, LIMITS) as guarded:
        header = _header(guarded.datasets.get("header"), path)
        _check_kind(header, kind, version, path)
        arrays = {name: _numbers(name, item) for name, item in guarded.datasets.items() if name != "header"}
    return Content(header, arrays)


def _numbers(name: str, item: Any) -> npt.NDArray[Any]:
    if item.dtype.kind not in "iuf":
        raise ValueError(f"{name} is {item.dtype}, not numbers")
    return np.asarray(item[()])


def _check_prefix(data: bytes, path: str | PathLike[str]) -> None:
    if not data.startswith(MAGIC[:len(data)]) or not data:
        raise StorageError(f"{path}: not a file of ei_brian. Make one with spec.save, or import a .nir file instead.")
    if len(data) <= PREFIX:
        raise StorageError(f"{path}: cut off after {len(data)} bytes. Copy or make it again.")
    if data[:PREFIX] != _prefix(data[PREFIX:]):
        lines = data[:PREFIX].split(b"\n")
        told = lines[1].removeprefix(b"bytes ").decode("ascii", "replace")[:20] if len(lines) > 1 else "?"
        found = str(len(data) - PREFIX)
        what = "was changed (its checksum differs)" if told == found else f"holds {found} bytes of {told}"
        raise StorageError(f"{path}: damaged: it {what}. Copy or make it again.")


def _header(item: Any, path: str | PathLike[str]) -> Mapping[str, Any]:
    if item is None or item.shape != () or item.dtype.kind != "S":
        raise StorageError(f"{path}: has no header. Make the file again.")
    try:
        header = checked_json(bytes(item[()]))
    except ValueError as error:
        raise StorageError(f"{path}: its header is not understood ({error}). Make the file again.") from error
    if not isinstance(header, dict):
        raise StorageError(f"{path}: its header is {type(header).__name__}, not a mapping. Make the file again.")
    return header


def _check_kind(header: Mapping[str, Any], kind: str, version: int, path: str | PathLike[str]) -> None:
    if header.get("kind") != kind:
        raise StorageError(f"{path}: holds {header.get('kind')!r:.60}, not {kind!r}. Load it with the function for that.")
    if header.get("schema") != version:
        raise StorageError(
            f"{path}: schema {header.get('schema')!r:.20}; this version of ei_brian reads {version}. "
            "Use the version that wrote it, or export the network again."
        )
