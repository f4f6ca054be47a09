"""Conditions computed by a Dask cluster: a running one by its address, or one started through dask-jobqueue. An extra.

The results folder is written by this process alone, so the workers need no shared disk.
"""

from __future__ import annotations

import secrets
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ei_brian.errors import BackendError, ConfigError
from ei_brian.study.condition import Condition
from ei_brian.study.outcome import Outcome, Work, attempt

__all__ = ["DaskScheduler", "connect", "start_jobs"]

MOST_FORGOTTEN = 5  # times that a condition may be lost without blame, when all workers die at once
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


def start_jobs(path: Path, prepare: Callable[[], Work]) -> DaskScheduler:
    """Return a scheduler on workers that a batch system starts, through dask-jobqueue.

    Parameters
    ----------
    path : Path
        A YAML file with ``system`` (``SLURMCluster``, or another class of dask-jobqueue), ``jobs`` (how many), and ``settings``
        (its arguments: ``queue``, ``cores``, ``memory``, ``walltime`` …).
    prepare : callable
        See `connect`.

    Raises
    ------
    ConfigError
        If Dask or dask-jobqueue are not installed, or the file is not understood.
    """
    if not path.is_file():
        raise ConfigError(f"scheduler {path}: is neither tcp://host:port nor a YAML file that is there; give one of them.")
    try:
        jobqueue, distributed, yaml = (import_module(name) for name in ("dask_jobqueue", "distributed", "yaml"))
    except ModuleNotFoundError as error:
        raise ConfigError(f"scheduler {path}: {error.name} is not installed; pip install 'ei_brian[study]'.") from error
    system, jobs, settings = _jobs_of(path, yaml)
    if not hasattr(jobqueue, system):
        raise ConfigError(f"scheduler {path}: system {system!r}; give a class of dask-jobqueue, for example SLURMCluster.")
    try:
        cluster = getattr(jobqueue, system)(**settings)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"scheduler {path}: settings of {system}: {error}.") from error
    cluster.scale(jobs=jobs)
    return DaskScheduler(distributed.Client(cluster), prepare)


def _jobs_of(path: Path, yaml: Any) -> tuple[str, int, dict[str, Any]]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"scheduler {path}: cannot be read ({error}). Give tcp://host:port or a YAML file.") from error
    if not isinstance(data, dict) or set(data) - {"system", "jobs", "settings"} or "system" not in data:
        raise ConfigError(f"scheduler {path}: give the keys system, jobs and settings.")
    system, jobs, settings = data["system"], data.get("jobs", 1), data.get("settings", {})
    if not isinstance(system, str) or not isinstance(jobs, int) or jobs < 1 or not isinstance(settings, dict):
        raise ConfigError(f"scheduler {path}: system is a name, jobs a whole number of at least 1, settings a table.")
    return system, jobs, settings


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
        self.client = client
        self.token = secrets.token_hex(16)
        client.register_plugin(import_module("ei_brian.study.dask_plugin").Preparation(self.token, prepare), name=self.token)
        self.running: dict[Any, Condition] = {}
        self.suspects: deque[Condition] = deque()  # went down with a worker; each runs alone, to see whose fault it was
        self.alone = ""
        self.forgotten: Counter[str] = Counter()

    def places(self) -> int:
        """Return how many more conditions keep every thread of the cluster busy."""
        if self.suspects or self.alone:
            return 0
        threads = sum(self.client.nthreads().values())
        return max(1, AHEAD * threads) - len(self.running)

    def submit(self, condition: Condition) -> None:
        """Send a condition."""
        future = self.client.submit(_compute, self.token, condition, pure=False, retries=1)
        self.running[future] = condition

    def wait(self, seconds: float) -> list[Outcome]:
        """Return what has finished, waiting no longer than given for the first."""
        distributed = import_module("distributed")
        if not self.running and self.suspects:
            suspect = self.suspects.popleft()
            self.alone = suspect.key
            self.submit(suspect)
        try:
            done = distributed.wait(list(self.running), timeout=seconds, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return []
        except CancelledError:  # all workers were gone at once, and the cluster forgot what they had
            done = {future for future in self.running if future.status == "cancelled"}
        found = [self._outcome(future) for future in done]
        return [outcome for outcome in found if outcome is not None]

    def close(self) -> None:
        """Cancel what runs and let go of the cluster."""
        self.client.cancel(list(self.running))
        with suppress(OSError, TimeoutError):  # the cluster may be gone already
            self.client.unregister_worker_plugin(self.token)
        self.client.close()

    def _outcome(self, future: Any) -> Outcome | None:
        """Return what a finished future holds; None where it went down with its worker and is sent again."""
        condition = self.running.pop(future)
        error: object = None
        try:
            if future.status == "finished":
                outcome: Outcome = future.result()
                self.alone = "" if self.alone == condition.key else self.alone
                return outcome
            error = future.exception() if future.status == "error" else None
        except CancelledError:  # the worker that kept the result has died meanwhile
            pass
        if error is None and self.forgotten[condition.key] < MOST_FORGOTTEN:
            self.forgotten[condition.key] += 1
            self.submit(condition)
            return None
        if error is not None and self.alone != condition.key:
            self.suspects.append(condition)
            return None
        self.alone = "" if self.alone == condition.key else self.alone
        return Outcome(condition.key, error=" ".join(f"WorkerDied: {error or 'the cluster forgot it each time'}".split()))


def _compute(token: str, condition: Condition) -> Outcome:
    """Run on a worker of the cluster."""
    work: Work = import_module("ei_brian.study.dask_plugin").prepared(token)
    return attempt(work, condition)
