"""Who works on a condition: claims in a shared folder, safe between processes and between machines.

A claim is a file made with ``O_EXCL``, which NFS does atomically. It names its holder, who touches it while it works. A claim is
stale when its holder is a process of this machine that is gone, or when nobody touched it for two minutes by the clock of the
file server. A claim that names nobody (empty after a crash or on a full disk, or no text of ours) is stale after half a minute
without a touch, which a holder who lives gives it. Taking over makes the next generation of the claim, again with ``O_EXCL``: of
several who judge a claim stale, one wins.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Claim", "Claims"]

STALE_SECONDS = 120.0
TOUCH_SECONDS = 15.0
NAMELESS_SECONDS = 2 * TOUCH_SECONDS
LARGEST_CLAIM = 10_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that this process holds."""

    key: str
    generation: int


class Claims:
    """The claims of one results folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    stale_seconds : float
        Age of the last touch from which the claim of another machine is stale.
    """

    def __init__(self, folder: Path, stale_seconds: float = STALE_SECONDS) -> None:
        self.folder, self.stale_seconds = folder, stale_seconds
        self.held: dict[str, Claim] = {}
        self.me = _this_process()
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, key: str) -> bool:
        """Claim a condition, and say whether it worked; a stale claim is taken over."""
        generation = self._newest(key)
        if generation is not None and not self._stale(self._path(Claim(key, generation))):
            return False
        mine = Claim(key, 0 if generation is None else generation + 1)
        if not self._create(self._path(mine)):
            return False
        self.held[key] = mine
        return True

    def release(self, key: str) -> None:
        """Give a claim up, with every older generation of it."""
        mine = self.held.pop(key)
        for generation in range(mine.generation + 1):
            with suppress(OSError):
                self._path(Claim(key, generation)).unlink()

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Touch all held claims every quarter of a minute, and release them at the end."""
        finished = threading.Event()
        thread = threading.Thread(target=self._keep_touching, args=(finished,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()
            thread.join()
            for key in list(self.held):
                self.release(key)

    def _keep_touching(self, finished: threading.Event) -> None:
        while not finished.wait(min(TOUCH_SECONDS, self.stale_seconds / 4)):
            for claim in list(self.held.values()):
                with suppress(OSError):
                    os.utime(self._path(claim))

    def _path(self, claim: Claim) -> Path:
        return self.folder / f"{claim.key}.{claim.generation}"

    def _newest(self, key: str) -> int | None:
        found = [int(path.suffix[1:]) for path in self.folder.glob(f"{key}.*") if path.suffix[1:].isdigit()]
        return max(found, default=None)

    def _create(self, path: Path) -> bool:
        """Make the claim with its text at once, so that no reader sees it half written."""
        aside = self.folder / f".{secrets.token_hex(8)}"
        aside.write_text(json.dumps(self.me))
        try:
            os.link(aside, path)
            return True
        except FileExistsError:
            return aside.stat().st_nlink == 2  # NFS may repeat a link that worked, and then say that the name exists
        except OSError:  # a file system without hard links
            return _create_exclusively(path, json.dumps(self.me))
        finally:
            aside.unlink()

    def _stale(self, path: Path) -> bool:
        try:
            age = self._server_now() - path.lstat().st_mtime
        except OSError:
            return False  # just released: the next round sees it
        holder = _holder(path)
        if holder is None:
            return age > min(NAMELESS_SECONDS, self.stale_seconds)
        if holder.get("machine") == self.me["machine"]:
            started = _start_of(holder.get("pid"))
            return started is None or started != holder.get("started")
        return age > self.stale_seconds

    def _server_now(self) -> float:
        """Return the time on the machine that keeps the files."""
        probe = self.folder / f".{secrets.token_hex(8)}"
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        return now


def _holder(path: Path) -> dict[str, Any] | None:
    """Return whom a claim names; None where it names nobody."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_CLAIM:
            return None
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return holder if isinstance(holder, dict) and isinstance(holder.get("machine"), str) else None


def _create_exclusively(path: Path, text: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    with open(descriptor, "w") as file:
        file.write(text)
    return True


def _this_process() -> dict[str, str | int | None]:
    return {"machine": _this_machine(), "pid": os.getpid(), "started": _start_of(os.getpid())}


def _this_machine() -> str:
    """Return a name of this machine since its start, and of the set of process numbers that this process sees."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _start_of(pid: object) -> str | None:
    """Return the start time of a process of this machine, so that a reused number is not mistaken for it; None when gone."""
    if not isinstance(pid, int):
        return None
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if after_name[0] == "Z" else after_name[19]
    except (OSError, IndexError):
        return _alive_elsewhere(pid)


def _alive_elsewhere(pid: int) -> str | None:
    """Tell on a system without /proc whether a process exists."""
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return "alive"
    return "alive"
