"""Conditions computed by a Dask cluster: a running one by its address, or one started through dask-jobqueue. An extra.

The results folder is written by this process alone, so the workers need no shared disk.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ei_brian.errors import BackendError, ConfigError
from ei_brian.study.condition import Condition
from ei_brian.study.outcome import Outcome, Work, attempt

__all__ = ["DaskScheduler", "connect"]

AHEAD = 2  # conditions per thread of the cluster that are sent before one is done


def connect(address: str, prepare: Callable[[], Work]) -> DaskScheduler:
    """Return a scheduler on a Dask cluster.

    Parameters
    ----------
    address : str
        ``tcp://host:port`` of a running scheduler.
    prepare : callable
        Called once in each worker; see `Pool`.

    Raises
    ------
    ConfigError
        If Dask is not installed.
    BackendError
        If nothing answers there.
    """
    try:
        distributed = import_module("distributed")
    except ModuleNotFoundError as error:
        raise ConfigError("scheduler: Dask is not installed; pip install 'ei_brian[study]', or leave --scheduler out.") from error
    try:
        client = distributed.Client(address, timeout="20s")
    except (OSError, TimeoutError, ValueError) as error:
        raise BackendError(
            f"scheduler {address}: {error}. Start one with `dask scheduler`, and give the address it prints."
        ) from error
    return DaskScheduler(client, prepare)


class DaskScheduler:
    """Computes conditions on the workers of a Dask client.

    Parameters
    ----------
    client : distributed.Client
        Closed with the scheduler.
    prepare : callable
        Called once in each worker process and kept there.
    """

    def __init__(self, client: Any, prepare: Callable[[], Work]) -> None:
        self.client, self.prepare = client, prepare
        self.token = f"ei_brian-{id(self)}"
        self.running: dict[Any, Condition] = {}

    def places(self) -> int:
        """Return how many more conditions keep every thread of the cluster busy."""
        threads = sum(self.client.nthreads().values())
        return max(1, AHEAD * threads) - len(self.running)

    def submit(self, condition: Condition) -> None:
        """Send a condition."""
        future = self.client.submit(_compute, self.token, self.prepare, condition, pure=False, retries=1)
        self.running[future] = condition

    def wait(self, seconds: float) -> list[Outcome]:
        """Return what has finished, waiting no longer than given for the first."""
        distributed = import_module("distributed")
        try:
            done = distributed.wait(list(self.running), timeout=seconds, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return []
        return [self._outcome(future) for future in done]

    def close(self) -> None:
        """Cancel what runs and let go of the cluster."""
        self.client.cancel(list(self.running))
        self.client.close()

    def _outcome(self, future: Any) -> Outcome:
        condition = self.running.pop(future)
        error = future.exception() if future.status == "error" else None
        if error is not None or future.status == "cancelled":
            return Outcome(condition.key, error=" ".join(f"WorkerDied: {error or 'the cluster gave it up'}".split()))
        outcome: Outcome = future.result()
        return outcome


_WORK: dict[str, Work] = {}


def _compute(token: str, prepare: Callable[[], Work], condition: Condition) -> Outcome:
    """Run on a worker of the cluster."""
    if token not in _WORK:
        _WORK[token] = prepare()
    return attempt(_WORK[token], condition)
