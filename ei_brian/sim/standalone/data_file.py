"""The file that a compiled program reads: named arrays with kinds, sizes and checksums."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.errors import BackendError

__all__ = ["HEADER", "SECTION", "checksum", "write_data"]

MARK, ALIGNMENT = b"EIDATA02", 64
HEADER = struct.Struct("<8sQQQ")  # mark, sections, bytes of the file, checksum of the table of sections
SECTION = struct.Struct("<208s8sQQQQ")
KINDS = ("<f4", "<f8", "<i4", "<i8")
Array = npt.NDArray[Any]


def checksum(array: Array) -> int:
    """Return the sum of the 8-byte words of an array, each weighted by the number of its block of 4,096 bytes, mod 2**64.

    It finds short, zeroed, shifted and stale content; the program computes it over what it has read.
    """
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    whole = flat.size // 4096 * 4096
    sums = flat[:whole].view("<u8").reshape(-1, 512).sum(axis=1, dtype=np.uint64)
    weights = np.arange(sums.size, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    total = int((sums * weights).sum(dtype=np.uint64))
    rest = flat[whole:]
    padded = np.zeros(-(-rest.size // 8) * 8, dtype=np.uint8)
    padded[: rest.size] = rest
    total += int(padded.view("<u8").sum(dtype=np.uint64)) * (2 * sums.size + 1)
    return total % 2**64


def write_data(path: Path, arrays: Mapping[str, Array]) -> dict[str, int]:
    """Write named arrays to a file and return their checksums.

    Parameters
    ----------
    path : Path
        In a folder that no one else writes to.
    arrays : mapping of str to array
        Of float32, float64, int32 or int64; all numbers finite.

    Raises
    ------
    BackendError
        For a value that is not finite, an array of another kind, a name that is too long, or a disk that is full.
    """
    sections, offset = [], HEADER.size + SECTION.size * len(arrays)
    checks = {}
    for name, array in arrays.items():
        _check(name, array)
        offset += -offset % ALIGNMENT
        checks[name] = checksum(array)
        sections.append(SECTION.pack(name.encode(), array.dtype.str.encode(), offset, array.nbytes, checks[name], 0))
        offset += array.nbytes
    listed = b"".join(sections)
    header = HEADER.pack(MARK, len(arrays), offset, checksum(np.frombuffer(listed, dtype=np.uint8)))
    try:
        with path.open("wb") as file:
            file.write(header + listed)
            for array in arrays.values():
                file.write(b"\0" * (-file.tell() % ALIGNMENT))
                file.write(np.ascontiguousarray(array).data)
    except OSError as error:
        raise BackendError(
            f"data of the run: {error} ({offset / 2**20:.0f} MiB for {path}). Free some space, or set TMPDIR."
        ) from error
    return checks


def _check(name: str, array: Array) -> None:
    if array.dtype.str not in KINDS or len(name.encode()) >= 200:
        raise BackendError(f"value {name[:200]}: {array.dtype.str}; programs read {', '.join(KINDS)}, names up to 199 bytes.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BackendError(
            f"value {name}: {int(np.sum(~np.isfinite(array)))} of {array.size} are not finite in {array.dtype.name}; "
            "give finite numbers, or dtype='float64'."
        )
