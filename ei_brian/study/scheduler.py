"""Where conditions are computed: what every scheduler offers, and the simplest one."""

from __future__ import annotations

from typing import Protocol

from ei_brian.study.condition import Condition
from ei_brian.study.outcome import Outcome, Work, attempt

__all__ = ["InThisProcess", "Scheduler"]


class Scheduler(Protocol):
    """Takes conditions while it has a free place, and gives outcomes in any order."""

    def places(self) -> int:
        """Return how many more conditions it would take now."""

    def submit(self, condition: Condition) -> None:
        """Start a condition; there is a free place."""

    def wait(self, seconds: float) -> list[Outcome]:
        """Return what has finished, waiting for at least one no longer than given."""

    def close(self) -> None:
        """End all work, at once."""


class InThisProcess:
    """Computes one condition at a time, here."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.next: Condition | None = None

    def places(self) -> int:
        """Return 1 while nothing waits."""
        return int(self.next is None)

    def submit(self, condition: Condition) -> None:
        """Keep a condition for `wait`."""
        self.next = condition

    def wait(self, seconds: float) -> list[Outcome]:
        """Compute the condition that waits, if any, and return its outcome."""
        condition, self.next = self.next, None
        return [] if condition is None else [attempt(self.work, condition)]

    def close(self) -> None:
        """Do nothing."""
