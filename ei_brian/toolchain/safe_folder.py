"""Folders that code is loaded from: only this user may be able to change what is in them."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from pathlib import Path

from ei_brian.errors import BackendError

__all__ = ["check_parents", "make_own_folder", "refuses_programs", "takes_locks", "who_else_can_change"]


def who_else_can_change(folder: Path) -> str:
    """Return in words why others can put their own into a folder or one above it; empty where none can.

    A folder that all may write to will do where each may take away only what is his own (``/tmp``).
    """
    real = folder.resolve()
    return next(filter(None, map(_open_to_others, (real, *real.parents))), "")


def check_parents(folder: Path) -> None:
    """Refuse a folder below one that others can change: they could put another in its place.

    Raises
    ------
    BackendError
        With that folder.
    """
    words = who_else_can_change(folder.resolve().parent)
    if words:
        way = "Set" if "belongs to" in words else "Run chmod go-w on it, or set"
        raise BackendError(f"cache {folder}: {words}. {way} EI_BRIAN_CACHE to a folder elsewhere.")


def make_own_folder(folder: Path) -> None:
    """Make a folder for this user alone, or check one that is there.

    Raises
    ------
    BackendError
        If it belongs to someone else or others can write into it.
    OSError
        If it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = os.stat(folder)
    if status.st_uid != os.geteuid():
        raise BackendError(
            f"build cache {folder}: belongs to user {status.st_uid} (real place {folder.resolve()}), not to you. Programs from "
            "there would run as you: remove it, or set EI_BRIAN_CACHE to a folder of yours."
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise BackendError(f"build cache {folder}: others can write into it. Run chmod go-w on it, then try again.")


def refuses_programs(folder: Path) -> bool:
    """Tell whether the file system of a folder runs no programs (mount option ``noexec``)."""
    return bool(os.statvfs(folder).f_flag & os.ST_NOEXEC)


def takes_locks(folder: Path) -> bool:
    """Tell whether files of a folder can be locked, which some network file systems cannot."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _open_to_others(folder: Path) -> str:
    status = os.stat(folder)
    if status.st_uid not in (0, os.geteuid()):
        return f"{folder} belongs to user {status.st_uid}"
    sticky = status.st_mode & stat.S_ISVTX
    if status.st_mode & stat.S_IWOTH and not sticky:
        return f"everybody can write into {folder}"
    if status.st_mode & stat.S_IWGRP and not sticky and not _is_private_group(status.st_gid):
        return f"group {status.st_gid} can write into {folder}"
    return ""


def _is_private_group(group: int) -> bool:
    """Tell whether a group has no member but this user, as many systems make one for each."""
    import grp
    import pwd

    try:
        found, me = grp.getgrgid(group), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return me.pw_gid == group and found.gr_name == me.pw_name and set(found.gr_mem) <= {me.pw_name}
