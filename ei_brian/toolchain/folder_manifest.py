"""The list of a folder's files with their SHA-256, by which a reader knows that all of it is there."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

__all__ = ["folder_bytes", "folder_is_whole", "seal_folder", "sync_folder"]

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 16 << 20


def seal_folder(folder: Path) -> None:
    """Write the manifest of a folder, and flush every file and folder of it to the disk.

    Raises
    ------
    OSError
        If a file cannot be read or flushed, or is neither a file nor a folder.
    """
    files = {}
    for path in _paths(folder):
        size, digest = _file_state(path, flush=True)
        files[path.relative_to(folder).as_posix()] = [size, digest]
    text = json.dumps(files, sort_keys=True).encode()
    descriptor = os.open(folder / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(text + hashlib.sha256(text).hexdigest().encode())
        file.flush()
        os.fsync(descriptor)
    for parent, _, _ in os.walk(folder):
        sync_folder(Path(parent))


def folder_is_whole(folder: Path) -> bool:
    """Tell whether a folder holds exactly the files of its manifest, each byte of them."""
    try:
        expected = _manifest(folder)
        found = {path.relative_to(folder).as_posix(): path for path in _paths(folder)}
        found.pop(MANIFEST, None)
        if expected is None or found.keys() != expected.keys():
            return False
        sizes = {name: os.lstat(path).st_size for name, path in found.items()}
        if any(sizes[name] != expected[name][0] for name in found):
            return False
        return all(list(_file_state(path)) == expected[name] for name, path in found.items())
    except OSError:
        return False


def folder_bytes(folder: Path) -> int:
    """Return the size of all files of a folder; what vanishes meanwhile counts as 0."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _paths(folder: Path) -> list[Path]:
    """Return all files below a folder; links, pipes and devices do not belong into one."""
    paths = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        for name in folders + names:
            path = Path(parent, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                paths.append(path)
            elif not stat.S_ISDIR(mode):
                raise OSError(f"{path} is neither a file nor a folder")
    return paths


def _raise(error: OSError) -> None:
    raise error


def _file_state(path: Path, flush: bool = False) -> tuple[int, str]:
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if flush:
            os.fsync(file.fileno())
        return file.tell(), digest


def _manifest(folder: Path) -> dict[str, list[object]] | None:
    """Return what the manifest says, or None where there is none that is whole."""
    path = folder / MANIFEST
    if os.lstat(path).st_size > LARGEST_MANIFEST:
        return None
    data = path.read_bytes()
    text, digest = data[:-64], data[-64:]
    if hashlib.sha256(text).hexdigest().encode() != digest:
        return None
    try:
        files = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return files if isinstance(files, dict) and all(_is_entry(entry) for entry in files.values()) else None


def _is_entry(entry: object) -> bool:
    return isinstance(entry, list) and [type(part) for part in entry] == [int, str]
