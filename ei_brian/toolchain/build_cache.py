"""Compiled programs on disk, by content, shared safely by processes that may be killed or stopped at any moment.

An entry is a folder. It is built beside its place, sealed by a manifest of SHA-256, flushed to the disk and renamed as a whole,
so that there is never half an entry; whoever uses one checks the manifest first. One lock per key is held alone while building
and together while using, and ends with its holder. Where waiting makes no sense any more, a process builds for itself.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time

from ei_brian.errors import BackendError
from ei_brian.toolchain.cache_root import cache_root
from ei_brian.toolchain.folder_manifest import folder_bytes, folder_is_whole, seal_folder, sync_folder
from ei_brian.toolchain.key_lock import KeyLock
from ei_brian.toolchain.process_identity import ProcessIdentity
from ei_brian.toolchain.safe_folder import check_parents, make_own_folder

__all__ = ["BuildCache", "CacheEntry", "CacheInfo"]

LIMIT_BYTES = 2 << 30
PATIENCE_S = 300.0
BROKEN_PATIENCE_S = 2.0  # for those who still run a broken entry; they hold it for as long as they run
LEFTOVER_S = 86_400.0  # after which the unfinished folder of another machine is taken away
_KEY = re.compile(r"[A-Za-z0-9_\-]{1,128}")


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One compiled program: key, size, time of its last use in seconds since 1970, and whether a process uses it now."""

    key: str
    n_bytes: int
    last_used: float
    in_use: bool


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What a cache holds; entries are in the order of their last use, oldest first."""

    root: Path
    limit_bytes: int
    entries: tuple[CacheEntry, ...]

    @property
    def n_bytes(self) -> int:
        """Size of all entries."""
        return sum(entry.n_bytes for entry in self.entries)


class BuildCache:
    """Folders by key, each built once.

    Parameters
    ----------
    root : Path, optional
        Where it lives; ``builds`` in the folder of `cache_root` unless given.
    limit_bytes : int
        Size above which the least recently used entries go; never one in use.
    patience_s : float
        How long to wait for another process that builds the same key.

    Raises
    ------
    BackendError
        If the folder belongs to someone else or others can write into it.
    """

    def __init__(self, root: Path | None = None, limit_bytes: int = LIMIT_BYTES, patience_s: float = PATIENCE_S) -> None:
        self.root = cache_root() / "builds" if root is None else Path(root)
        self.limit_bytes = limit_bytes
        self.patience_s = patience_s
        self._usable = _make_folders(self.root)

    @contextmanager
    def entry(self, key: str, make: Callable[[Path], None]) -> Iterator[Path]:
        """Give the folder of a key, built if it is not there or broken.

        Parameters
        ----------
        key : str
            Letters, digits, ``-`` and ``_``: a hash of everything that decides the content (texts, flags, compiler, processor,
            versions).
        make : callable
            ``make(folder)`` fills an empty folder. The folder is moved afterwards, so that nothing in it may hold its path. What
            it raises passes on, and nothing is kept.

        Yields
        ------
        Path
            The folder, for reading only, and only within the ``with``: whoever writes into it breaks it.

        Raises
        ------
        BackendError
            If the key is not of that form, or the program cannot be written anywhere.
        """
        if not _KEY.fullmatch(key):
            raise BackendError(f"build cache: key {key[:80]!r}; give at most 128 letters, digits, - and _.")
        lock = KeyLock(self.root / "locks" / key)
        private = None
        try:
            place = self._hold(key, lock, make) if self._usable else None
            if place is None:
                lock.release()
                place = private = _private(make)
            yield place
        finally:
            lock.release()
            if private is not None:
                shutil.rmtree(private, ignore_errors=True)

    def info(self) -> CacheInfo:
        """Return what the cache holds now."""
        entries = []
        for place in self._places():
            lock = KeyLock(self.root / "locks" / place.name)
            with suppress(OSError):
                entries.append(CacheEntry(place.name, folder_bytes(place), lock.path.stat().st_mtime, lock.is_held()))
        return CacheInfo(self.root, self.limit_bytes, tuple(sorted(entries, key=lambda entry: entry.last_used)))

    def clear(self) -> int:
        """Take away all entries that no process uses, and unfinished ones whose builder is gone; return how many entries went."""
        self._sweep()
        return sum(self._evict(place.name) for place in self._places())

    def _places(self) -> list[Path]:
        try:
            return sorted(path for path in (self.root / "entries").iterdir() if _KEY.fullmatch(path.name))
        except OSError:
            return []

    def _hold(self, key: str, lock: KeyLock, make: Callable[[Path], None]) -> Path | None:
        """Return the entry with its lock held shared, or None where this process should build for itself."""
        place, end = self.root / "entries" / key, monotonic() + self.patience_s
        try:
            for _ in range(3):
                if not lock.shared(max(0.0, end - monotonic())):
                    _alone(lock, key)
                    return None
                if folder_is_whole(place) and _is_own(place):
                    lock.touch()
                    return place
                patience = BROKEN_PATIENCE_S if os.path.lexists(place) else self.patience_s
                if not lock.exclusive(min(patience, max(0.0, end - monotonic()))):
                    _alone(lock, key)
                    return None
                if not (folder_is_whole(place) and _is_own(place)) and not self._build(place, make):
                    return None
                self._shrink(key)
        except OSError as error:
            print(f"ei_brian: the build cache {self.root} cannot be used ({error}); building without it.", file=sys.stderr)
        return None

    def _build(self, place: Path, make: Callable[[Path], None]) -> bool:
        """Build an entry beside its place and move it there; return False if the disk does not take it."""
        self._sweep()
        aside = self._aside(place.name)
        aside.mkdir(mode=0o700)
        try:
            make(aside)
            try:
                seal_folder(aside)
                self._discard(place)
                os.rename(aside, place)
                sync_folder(place.parent)
            except OSError as error:
                print(f"ei_brian: the build cache cannot keep a program ({error}).", file=sys.stderr)
                return False
            return True
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _aside(self, key: str) -> Path:
        """Return a new name for an unfinished folder, which says whose it is."""
        owner = str(ProcessIdentity.own()).replace(" ", "+")
        return self.root / "aside" / f"{owner}+{secrets.token_hex(4)}+{key}"

    def _discard(self, place: Path) -> None:
        """Take a folder out of its place at once, then delete it."""
        if os.path.lexists(place):
            aside = self._aside(place.name)
            os.rename(place, aside)
            if aside.is_symlink() or not aside.is_dir():
                aside.unlink()
            else:
                shutil.rmtree(aside, ignore_errors=True)

    def _sweep(self) -> None:
        """Delete what builders that are gone left behind."""
        with suppress(OSError):
            for path in (self.root / "aside").iterdir():
                owner = ProcessIdentity.parse(" ".join(path.name.split("+")[:3]))
                old = time() - path.lstat().st_mtime > LEFTOVER_S
                if owner is None or owner.is_gone or (old and not owner.is_local):
                    shutil.rmtree(path, ignore_errors=True)

    def _evict(self, key: str) -> bool:
        """Take an entry away unless a process uses it."""
        lock = KeyLock(self.root / "locks" / key)
        try:
            if not lock.exclusive(0.0):
                return False
            self._discard(self.root / "entries" / key)
            lock.remove()
            return True
        except OSError:
            return False
        finally:
            lock.release()

    def _shrink(self, kept: str) -> None:
        """Evict the least recently used entries until the limit holds."""
        entries = []
        for place in self._places():
            with suppress(OSError):
                entries.append(((self.root / "locks" / place.name).stat().st_mtime, folder_bytes(place), place.name))
        total = sum(size for _, size, _ in entries)
        for _, size, key in sorted(entries):
            if total <= self.limit_bytes:
                return
            if key != kept and self._evict(key):
                total -= size


def _is_own(place: Path) -> bool:
    """Tell whether nobody else can change an entry; such a one is built anew."""
    return all(
        os.lstat(path).st_uid == os.geteuid() and not os.lstat(path).st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        for path in (place, *(Path(parent, name) for parent, folders, files in os.walk(place) for name in folders + files))
    )


def _alone(lock: KeyLock, key: str) -> None:
    print(f"ei_brian: another process holds build {key[:12]} and does not go on; building without the cache.", file=sys.stderr)
    lock.release()


def _private(make: Callable[[Path], None]) -> Path:
    """Build in a folder of this process alone."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="ei_brian_build_"))
        check_parents(folder)
    except OSError as error:
        raise BackendError(f"build: no folder for it ({error}). Free some space, or set TMPDIR.") from error
    try:
        make(folder)
        return folder
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BackendError(f"build: {error}. Free some space, or set TMPDIR or EI_BRIAN_CACHE.") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _make_folders(root: Path) -> bool:
    """Make the folders of a cache; return False where that cannot be, and refuse one that others can change."""
    try:
        for folder in (root, root / "entries", root / "locks", root / "aside"):
            make_own_folder(folder)
        check_parents(root)
    except OSError as error:
        print(f"ei_brian: no build cache in {root} ({error}); building without it.", file=sys.stderr)
        return False
    return os.access(root, os.W_OK | os.X_OK)
