"""What became of a condition: its numbers, or why there are none."""

from __future__ import annotations

import errno
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType
from typing import Any

import numpy as np

from ei_brian.study.condition import Condition

__all__ = ["Made", "Outcome", "Work", "attempt"]

MACHINE_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
LONGEST_TRACE = 4000


class Made(dict[str, Any]):
    """Columns of the table that come with files (name in the results folder, content), which travel with the outcome."""

    def __init__(self, columns: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        super().__init__(columns)
        self.files = dict(files)


Work = Callable[[Condition], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one condition.

    Parameters
    ----------
    key : str
        Of the condition.
    result : mapping
        Columns of the table; empty when it failed.
    error : str
        One line; empty when it did not fail.
    trace : str
        Where it failed.
    seconds : float
        Time it took.
    machine : bool
        The machine failed (a full disk), not the condition: nothing is recorded and the study stops.
    files : mapping
        Files of the condition, written to the results folder by who keeps it.
    """

    key: str
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    trace: str = ""
    seconds: float = 0.0
    machine: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict)


class _Caught:
    """Keeps an exception that ends its block; interruption and exit go through."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> _Caught:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if isinstance(error, Exception):
            self.error = error
            return True
        return False


def attempt(work: Work, condition: Condition) -> Outcome:
    """Run one condition and return what became of it; a failure is an outcome, not an exception."""
    started = perf_counter()
    result: dict[str, Any] = {}
    files: Mapping[str, bytes] = {}
    with _Caught() as caught:
        made = work(condition)
        files = made.files if isinstance(made, Made) else {}
        result = {str(name): _plain(value) for name, value in made.items()}
    seconds = perf_counter() - started
    if caught.error is None:
        return Outcome(condition.key, result, seconds=seconds, files=files)
    trace = "".join(traceback.format_exception(caught.error))[-LONGEST_TRACE:]
    line = " ".join(f"{type(caught.error).__name__}: {caught.error}".split())
    return Outcome(condition.key, {}, line, trace, seconds, _machine_is_full(caught.error))


def _plain(value: Any) -> str | int | float | None:
    """Return a value that a table can hold: numpy's numbers as Python's, and nothing for nan and inf."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (str, bool, int)):
        return int(value) if isinstance(value, bool) else value
    number = float(value)
    return number if math.isfinite(number) else None


def _machine_is_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in MACHINE_IS_FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
