"""What makes the work, on every worker of a Dask cluster. Imported where a cluster is used: Dask is an extra."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

from distributed import WorkerPlugin

from ei_brian.study.outcome import Work

__all__ = ["Preparation", "prepared"]

_PREPARE: dict[str, Callable[[], Work]] = {}
_WORK: dict[str, Work] = {}


class Preparation(WorkerPlugin):  # type: ignore[misc]
    """Leaves ``prepare`` on a worker under a token.

    The scheduler keeps it and gives it to every worker that joins, those that replace dead ones included: scattered data would be
    lost when all workers die at once.

    Parameters
    ----------
    token : str
        Name of the study.
    prepare : callable
        See `Pool`.
    """

    def __init__(self, token: str, prepare: Callable[[], Work]) -> None:
        self.token, self.prepare = token, prepare

    def setup(self, worker: Any) -> None:
        """Keep it in this process, and import Brian2 while its main thread is here.

        Brian2 handles signals, so that a first import by the thread that computes would fail.
        """
        if threading.current_thread() is threading.main_thread():
            importlib.import_module("brian2")
        _PREPARE[self.token] = self.prepare

    def teardown(self, worker: Any) -> None:
        """Let go of it."""
        _PREPARE.pop(self.token, None)
        _WORK.pop(self.token, None)


def prepared(token: str) -> Work:
    """Return the work of a study, made in this worker when it is first asked for."""
    if token not in _WORK:
        _WORK[token] = _PREPARE[token]()
    return _WORK[token]
