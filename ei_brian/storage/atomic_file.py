"""Files as a whole: read once into memory, or written aside, flushed to the disk and renamed."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from os import PathLike
from pathlib import Path

from ei_brian.errors import StorageError

__all__ = ["read_bytes", "write_bytes"]


def read_bytes(path: str | PathLike[str], largest: int) -> bytes:
    """Return all bytes of a regular file.

    What is parsed afterwards are these very bytes, so that a file swapped between a check and its use changes nothing.

    Parameters
    ----------
    path : path-like
        The file; a link to a file is followed.
    largest : int
        Number of bytes above which nothing is read.

    Raises
    ------
    StorageError
        If it is missing, unreadable, not a regular file, too large, or changed its size while it was read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise StorageError(f"{path}: not a regular file. Give the path of a file.")
            if status.st_size > largest:
                raise StorageError(f"{path}: {status.st_size} bytes; at most {largest} are read. This is not a file of ours.")
            data = _read_all(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be read ({_reason(error)}). Check the path, its permissions and the disk.") from error
    if len(data) != status.st_size:
        raise StorageError(f"{path}: its size changed while it was read. Wait until it is written, then try again.")
    return data


def _read_all(descriptor: int, size: int) -> bytes:
    parts, left = [], size
    while left:
        part = os.read(descriptor, min(left, 1 << 30))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write_bytes(path: str | PathLike[str], data: bytes) -> None:
    """Write a file so that its name holds all of it or what it held before, whatever happens in between.

    Raises
    ------
    StorageError
        If the folder is missing or cannot be written, or the disk is full; the old file is then untouched.
    """
    place = Path(path)
    aside = place.with_name(f".{place.name[:100]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    if place.is_dir():
        raise StorageError(f"{path}: is a folder. Give the name of a file in it.")
    try:
        _write_new(aside, data)
        os.replace(aside, place)
        sync_folder(place.parent)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path}: cannot be written ({_reason(error)}); nothing was changed. Give a folder that exists, can be written "
            "and has room."
        ) from error
    finally:
        with suppress(OSError, ValueError):
            os.unlink(aside)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    with open(descriptor, "wb", buffering=0) as file:
        view, done = memoryview(data), 0
        while done < len(data):
            done += file.write(view[done : done + (1 << 30)])
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk; does nothing where the system cannot."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(error: BaseException) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
