"""What runs on every worker of a Dask cluster: whether it is fit for a study, and its work.

Functions are sent by name, so a worker answers with its own sources: one of another version computes nothing, whatever it holds.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping

from ei_brian.study.condition import Condition
from ei_brian.study.outcome import Outcome, Work, attempt
from ei_brian.study.software import this_software

__all__ = ["NotFit", "compute", "forget", "receive"]

_WORK: dict[str, Work] = {}


class NotFit(Exception):
    """This worker is not the one that was asked, or not any more: the condition belongs to another."""


def receive(token: str, expected: Mapping[str, str], prepare: Callable[[], Work]) -> str:
    """Make the work of a study here; return why this worker cannot, or nothing where it can.

    Parameters
    ----------
    token : str
        Name of the study.
    expected : mapping
        `this_software` of who asks.
    prepare : callable
        See `Pool`.
    """
    differs = _differences(expected)
    if differs:
        return differs
    if token not in _WORK:
        if threading.current_thread() is threading.main_thread():
            importlib.import_module("brian2")  # it handles signals: a first import by the thread that computes would fail
        _WORK[token] = prepare()
    return ""


def compute(token: str, expected: Mapping[str, str], condition: Condition) -> Outcome:
    """Run one condition.

    Raises
    ------
    NotFit
        If this process is not one that `receive` found fit, a new one at an old address for instance.
    """
    if token not in _WORK or _differences(expected):
        raise NotFit(_differences(expected) or "new at its address")
    return attempt(_WORK[token], condition)


def forget(token: str) -> None:
    """Let go of a study."""
    _WORK.pop(token, None)


def _differences(expected: Mapping[str, str]) -> str:
    here = this_software()
    other = [f"{name} {here.get(name, 'none')} instead of {value}" for name, value in expected.items() if here.get(name) != value]
    return ", ".join(other)
