"""Where Brian2's Cython target keeps its modules: as safe as the cache of compiled programs, and never another processor's."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import brian2

from ei_brian.errors import BackendError
from ei_brian.sim.standalone import toolchain
from ei_brian.toolchain.cache_root import cache_root
from ei_brian.toolchain.compiler import CYTHON_VARIABLES, check_cython_compiler
from ei_brian.toolchain.safe_folder import make_own_folder, takes_locks

__all__ = ["cython_cache", "note_modules"]

LOADED = {".so", ".pyx", ".pxd", ".cpp", ".sha256"}
_known: dict[str, tuple[tuple[int, ...], str]] = {}  # digests by path, of files as they were


def cython_cache(flags: Sequence[str]) -> str:
    """Return the folder of modules that this compiler makes with these flags for this processor.

    Raises
    ------
    BackendError
        If there is no compiler, its flags change arithmetic, or others can change what is in the folder.
    """
    compiler = check_cython_compiler()
    facts = [*flags, compiler, toolchain.processor(), brian2.__version__, sys.version]
    facts += [f"{name}={os.environ.get(name, '')}" for name in CYTHON_VARIABLES]
    digest = hashlib.sha256("\0".join(facts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    root = cache_root()
    try:
        for folder in (root, root / "cython", root / "cython" / digest):
            make_own_folder(folder)
        if not takes_locks(folder):  # Brian2 would wait for ever
            return _private(digest)
    except OSError:
        return _private(digest)
    _check_files(folder)
    _drop_changed(folder)
    return str(folder)


def note_modules(folder: str, modules: Iterable[Any]) -> None:
    """Write the digest of each module that was made in a folder and has run, beside it."""
    for module in modules:
        path = Path(str(getattr(module, "__file__", "")))
        if path.suffix != ".so" or str(path.parent) != folder:
            continue
        note = path.with_name(f"{path.name}.sha256")
        if not note.exists():
            with suppress(OSError):
                aside = note.with_name(f"{note.name}.{os.getpid()}.part")
                aside.write_text(_digest(path), encoding="ascii")
                aside.replace(note)


def _drop_changed(folder: Path) -> None:
    """Take away modules that are no longer what has run (a damaged disk, a copy that was cut): Brian2 makes them again."""
    for note in folder.glob("*.so.sha256"):
        module = note.with_suffix("")
        with suppress(FileNotFoundError):  # another process does the same
            if not module.exists():
                note.unlink()
            elif note.read_text(encoding="ascii", errors="replace") != _digest(module):
                note.unlink()  # first, so that a module made anew is not taken for the old one
                module.unlink()


def _digest(path: Path) -> str:
    status = path.stat()
    state = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if _known.get(str(path), ((), ""))[0] != state:
        _known[str(path)] = (state, hashlib.sha256(path.read_bytes()).hexdigest())
    return _known[str(path)][1]


def _check_files(folder: Path) -> None:
    """Refuse modules that someone else wrote while the folder was open to him."""
    for entry in os.scandir(folder):
        if Path(entry.name).suffix not in LOADED:
            continue
        status = entry.stat(follow_symlinks=False)
        open_to_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if status.st_uid != os.geteuid() or open_to_others or not stat.S_ISREG(status.st_mode):
            raise BackendError(f"Cython cache: {entry.path} is not yours alone; remove the folder {folder}, then try again.")


@functools.cache
def _private(digest: str) -> str:
    """Return a folder of this process alone, taken away at its end."""
    folder = tempfile.mkdtemp(prefix="ei_brian_cython_")
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    print(f"ei_brian: the Cython cache cannot be used; modules of this process go to {folder}.", file=sys.stderr)
    return folder
