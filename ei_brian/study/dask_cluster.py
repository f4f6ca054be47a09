"""Conditions computed by a Dask cluster: a running one by its address, or one started through dask-jobqueue. An extra.

The results folder is written by this process alone, so the workers need no shared disk.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ei_brian.errors import BackendError, ConfigError, install_command
from ei_brian.study.condition import Condition
from ei_brian.study.dask_worker import compute, forget, receive
from ei_brian.study.outcome import Outcome, Work
from ei_brian.study.software import this_software

__all__ = ["DaskScheduler", "connect", "start_jobs"]

MOST_LOST = 5  # times that a condition may be lost without blame, when all workers die at once
PATIENCE_S = 60.0
GATHER_S = 10.0
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
        raise ConfigError(f"scheduler: Dask is not installed; {install_command('study')}, or leave --scheduler out.") from error
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
        raise ConfigError(f"scheduler {path}: {error.name} is not installed; {install_command('study')}") from error
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
    """Computes conditions on those workers of a Dask client that run these very sources and can do the work.

    Every worker is asked before it gets work, those that join later included. One that differs (version, sources, libraries), or
    that cannot do the work (no compiler), is left out, which is said once on stderr.

    Parameters
    ----------
    client : distributed.Client
        Closed with the scheduler.
    prepare : callable
        Called once in each worker process; its result is kept there.
    patience_s : float
        Seconds after which a cluster that holds only unfit workers is an error.
    """

    def __init__(self, client: Any, prepare: Callable[[], Work], patience_s: float = PATIENCE_S) -> None:
        self.client, self.prepare, self.patience_s = client, prepare, patience_s
        self.token = secrets.token_hex(16)
        self.software = this_software()
        self.fit: set[str] = set()
        self.unfit: dict[str, str] = {}
        self.running: dict[Any, Condition] = {}
        self.sent_to: dict[Any, frozenset[str]] = {}
        self.suspects: deque[Condition] = deque()  # went down with a worker; each runs alone, to see whose fault it was
        self.waiting: deque[Condition] = deque()  # for a worker that is fit
        self.alone = ""
        self.lost: Counter[str] = Counter()
        self.useless_since: float | None = None

    def places(self) -> int:
        """Return how many more conditions keep every thread of the fit workers busy."""
        if self.suspects or self.alone:
            return 0
        threads = self._threads()
        return AHEAD * sum(threads[address] for address in self.fit) - len(self.running) - len(self.waiting)

    def submit(self, condition: Condition) -> None:
        """Send a condition to the fit workers."""
        fit = frozenset(self.fit)
        arguments = (self.token, self.software, condition)
        future = self.client.submit(compute, *arguments, pure=False, retries=1, workers=sorted(fit), allow_other_workers=False)
        self.running[future], self.sent_to[future] = condition, fit

    def wait(self, seconds: float) -> list[Outcome]:
        """Return what has finished, waiting no longer than given for the first.

        Raises
        ------
        BackendError
            If no worker has been fit for a while although there are some.
        """
        distributed = import_module("distributed")
        self._threads()
        stranded = [self._stranded(future) for future, to in list(self.sent_to.items()) if not to & self.fit]
        while self.waiting and self.fit:
            self.submit(self.waiting.popleft())
        if not self.running and not self.waiting and self.suspects and self.fit:
            suspect = self.suspects.popleft()
            self.alone = suspect.key
            self.submit(suspect)
        if not self.running:
            time.sleep(seconds)
            return [outcome for outcome in stranded if outcome is not None]
        try:
            done = distributed.wait(list(self.running), timeout=seconds, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            done = set()
        except CancelledError:  # all workers were gone at once, and the cluster forgot what they had
            done = {future for future in self.running if future.status == "cancelled"}
        found = stranded + [self._outcome(future) for future in done]
        return [outcome for outcome in found if outcome is not None]

    def close(self) -> None:
        """Cancel what runs and let go of the cluster."""
        with suppress(OSError, TimeoutError, CancelledError):  # the cluster may be gone already
            self.client.cancel(list(self.running))
            self.client.run(forget, self.token, workers=sorted(self.fit & set(self.client.nthreads())), on_error="ignore")
        self.client.close()

    def _threads(self) -> dict[str, int]:
        """Return the threads of every worker, after those that are new were asked."""
        threads: dict[str, int] = dict(self.client.nthreads())
        self.fit &= set(threads)
        self.unfit = {address: why for address, why in self.unfit.items() if address in threads}
        new = sorted(set(threads) - self.fit - set(self.unfit))
        if new:
            self._ask(new)
        self._check_patience(bool(threads))
        return threads

    def _ask(self, new: list[str]) -> None:
        answers = self.client.run(receive, self.token, self.software, self.prepare, workers=new, on_error="return")
        for address, answer in answers.items():
            if answer == "":
                self.fit.add(address)
                continue
            self.unfit[address] = " ".join((answer if isinstance(answer, str) else f"{type(answer).__name__}: {answer}").split())
            print(f"sweep: worker {address} is left out: {self.unfit[address][:300]}", file=sys.stderr, flush=True)

    def _check_patience(self, there_are_some: bool) -> None:
        now = time.monotonic()
        if self.fit or not there_are_some:
            self.useless_since = None
        elif self.useless_since is None:
            self.useless_since = now
        elif now - self.useless_since > self.patience_s:
            address, why = next(iter(self.unfit.items()), ("", "none answers"))
            raise BackendError(
                f"scheduler: none of the {len(self.unfit)} workers is fit. {address}: {why[:300]}. Install the same sources and "
                "libraries everywhere, and a compiler; everything finished is kept."
            )

    def _outcome(self, future: Any) -> Outcome | None:
        """Return what a finished future holds; None where it went down with its worker and is sent again."""
        to = self.sent_to[future]
        condition = self._taken(future)
        error: object = None
        try:
            if future.status == "finished":
                outcome: Outcome = future.result(timeout=GATHER_S)
                self.alone = "" if self.alone == condition.key else self.alone
                return outcome
            error = future.exception() if future.status == "error" else None
        except CancelledError:  # the worker that kept the result has died meanwhile
            pass
        except TimeoutError:  # the same, and the cluster waits for one of those it was sent to
            self.running[future], self.sent_to[future] = condition, to
            return None
        if type(error).__name__ in ("NotFit", "ModuleNotFoundError", "AttributeError", "ImportError"):
            self.fit.clear()  # another process at an old address: all are asked again
            error = None
        return self._lost(condition, error)

    def _stranded(self, future: Any) -> Outcome | None:
        """Take back a condition whose workers are all gone."""
        if future.done():
            return None
        condition = self._taken(future)
        future.cancel()
        return self._lost(condition, None)

    def _taken(self, future: Any) -> Condition:
        self.sent_to.pop(future)
        return self.running.pop(future)

    def _lost(self, condition: Condition, error: object) -> Outcome | None:
        """Send a condition again that went down with its worker: with others, then alone, then it has failed."""
        if error is None and self.lost[condition.key] < MOST_LOST:
            self.lost[condition.key] += 1
            self._again(condition)
            return None
        if self.alone != condition.key:
            self.suspects.append(condition)
            return None
        self.alone = ""
        return Outcome(condition.key, error=" ".join(f"WorkerDied: {error or 'the cluster forgot it each time'}".split()))

    def _again(self, condition: Condition) -> None:
        if self.fit:
            self.submit(condition)
        else:
            self.waiting.append(condition)
