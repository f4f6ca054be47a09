"""A lock between processes that ends with its holder, and that a stopped holder cannot turn into a deadlock."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from time import monotonic, sleep

from ei_brian.toolchain.process_identity import ProcessIdentity

__all__ = ["KeyLock"]

POLL_S = 0.02
STOPPED_S = 1.0


class KeyLock:
    """A file that many may hold shared, or one exclusively; the kernel frees it when the holder dies.

    The exclusive holder writes its process number and start time into the file, so that those who wait can see whether it is
    stopped. Waiting always ends.

    Parameters
    ----------
    path : Path
        The file, made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file, self._process = -1, 0

    def shared(self, patience_s: float) -> bool:
        """Hold it together with others; return False when that took too long or its holder is stopped."""
        return self._acquire(fcntl.LOCK_SH, patience_s)

    def exclusive(self, patience_s: float) -> bool:
        """Hold it alone; return False when that took too long or its holder is stopped. What was held shared is given up."""
        if not self._acquire(fcntl.LOCK_EX, patience_s):
            return False
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(ProcessIdentity.own()).encode(), 0)
        return True

    def holder(self) -> ProcessIdentity | None:
        """Return who held it exclusively last."""
        try:
            return ProcessIdentity.parse(os.pread(self._file, 200, 0).decode("ascii", "replace"))
        except OSError:
            return None

    def is_held(self) -> bool:
        """Tell whether another holds it now."""
        file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def touch(self) -> None:
        """Note that it is used now."""
        os.utime(self._file)

    def remove(self) -> None:
        """Take the file away; only for the exclusive holder."""
        self.path.unlink(missing_ok=True)

    def release(self) -> None:
        """Give it up; harmless when it is not held. In a forked child it stays with the process that took it."""
        if self._file >= 0:
            if self._process == os.getpid():
                fcntl.flock(self._file, fcntl.LOCK_UN)  # children that were forked meanwhile have the file open still
            os.close(self._file)
            self._file = -1

    def _acquire(self, kind: int, patience_s: float) -> bool:
        end, stopped_since = monotonic() + patience_s, 0.0
        while True:
            if self._file < 0:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                self._process = os.getpid()
            try:
                fcntl.flock(self._file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                holder, now = self.holder(), monotonic()
                stopped_since = (stopped_since or now) if holder is not None and holder.is_stopped else 0.0
                if now >= end or (stopped_since and now - stopped_since >= STOPPED_S):
                    self.release()
                    return False
                sleep(POLL_S)
            else:
                if self._is_current():
                    return True
                self.release()  # it was removed while we waited: begin with the new file

    def _is_current(self) -> bool:
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file)
        return (there.st_ino, there.st_dev) == (mine.st_ino, mine.st_dev)
