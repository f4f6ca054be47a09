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
from collections.abc import Sequence
from pathlib import Path

import brian2

from ei_brian.errors import BackendError
from ei_brian.sim.standalone import toolchain
from ei_brian.toolchain.cache_root import cache_root
from ei_brian.toolchain.compiler import CYTHON_VARIABLES, check_cython_compiler
from ei_brian.toolchain.safe_folder import make_own_folder, takes_locks

__all__ = ["cython_cache"]

LOADED = {".so", ".pyx", ".pxd", ".cpp"}


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
    return str(folder)


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
