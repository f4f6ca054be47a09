"""Which process wrote a name, also after its number was given to another."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProcessIdentity"]


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Host, number and start time of a process; the start time is 0 where the system does not tell."""

    host: str
    pid: int
    started: int

    @classmethod
    def own(cls) -> ProcessIdentity:
        """Return the identity of this process."""
        pid = os.getpid()
        return cls(socket.gethostname().replace(" ", "_")[:64], pid, _state(pid)[1])

    @classmethod
    def parse(cls, text: str) -> ProcessIdentity | None:
        """Return what `str` wrote, or None."""
        host, _, numbers = text.strip().partition(" ")
        pid, _, started = numbers.partition(" ")
        return cls(host, int(pid), int(started)) if pid.isdecimal() and started.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.started}"

    @property
    def is_local(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host == ProcessIdentity.own().host

    @property
    def is_gone(self) -> bool:
        """Whether it certainly does not run any more; never so for another machine."""
        if not self.is_local:
            return False
        state, started = _state(self.pid)
        return state in ("", "Z", "X") or started != self.started

    @property
    def is_stopped(self) -> bool:
        """Whether it is halted by a signal or a debugger and may never go on."""
        state, started = _state(self.pid) if self.is_local else ("", 0)
        return state in ("T", "t") and started == self.started


def _state(pid: int) -> tuple[str, int]:
    """Return state letter and start time of a process of this machine; ``("", 0)`` if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "", 0
    except (PermissionError, OverflowError):
        pass
    return "?", 0
