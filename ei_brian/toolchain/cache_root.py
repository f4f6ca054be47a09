"""Where compiled programs are kept."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from ei_brian.errors import BackendError
from ei_brian.toolchain.safe_folder import refuses_programs, who_else_can_change

__all__ = ["cache_root"]

VARIABLE = "EI_BRIAN_CACHE"


def cache_root() -> Path:
    """Return the folder of compiled programs, made if it is not there.

    ``$EI_BRIAN_CACHE`` if set, else ``$XDG_CACHE_HOME/ei_brian``, else ``~/.cache/ei_brian``. Where that cannot be written (a
    read-only or missing home), runs no programs (mounted ``noexec``) or lies below a folder that others can change, a folder of
    this user under the system's temporary folder serves, and stderr says so.

    Raises
    ------
    BackendError
        If there is no place at all that runs programs and that only this user can change.
    """
    why = "no writable cache folder"
    for candidate in _candidates():
        try:
            candidate.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not os.access(candidate, os.W_OK | os.X_OK):
                continue
            real = candidate.resolve()
            why = _unfit(real)
            if not why:
                return real
        except OSError:
            continue
    return _fallback(why)


def _unfit(folder: Path) -> str:
    """Return in words why programs cannot be kept in a folder; what is wrong with the folder itself is told where it is used."""
    if refuses_programs(folder):
        return f"{folder} is on a file system that runs no programs (noexec)"
    return who_else_can_change(folder.parent)


def _fallback(why: str) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else "user"
    try:
        private = Path(tempfile.gettempdir()).resolve() / f"ei_brian_cache_{user}"
        with suppress(FileExistsError):
            private.mkdir(mode=0o700)
        if private.is_symlink() or not private.is_dir() or who_else_can_change(private):
            private = Path(tempfile.mkdtemp(prefix="ei_brian_cache_")).resolve()
        trouble = _unfit(private)
    except OSError as error:
        private, trouble = Path(tempfile.gettempdir()), str(error)
    if trouble:
        raise BackendError(f"cache: {why}, and {trouble}. Set {VARIABLE} to a folder of yours that runs programs.")
    print(f"ei_brian: {why}; compiled programs go to {private}. Set {VARIABLE} to choose.", file=sys.stderr)
    return private


def _candidates() -> list[Path]:
    named = os.environ.get(VARIABLE)
    if named:
        return [Path(named)]
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        home = Path.home()
    except RuntimeError:
        return [Path(base) / "ei_brian"] if base else []
    return [Path(base) / "ei_brian" if base else home / ".cache" / "ei_brian"]
