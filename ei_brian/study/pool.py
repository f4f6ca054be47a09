"""A pool of processes of this machine that survives the death of a worker, and whose workers do not survive its own."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from tqdm import tqdm

from ei_brian.errors import BackendError, ConfigError
from ei_brian.study.condition import Condition
from ei_brian.study.outcome import Outcome, Work, attempt

__all__ = ["Pool"]

TRIES = 2
GRACE_S = 1.0
EXIT_TERMINATED = 143


@dataclass(eq=False)
class _Worker:
    process: Any
    connection: Connection
    folder: str  # of its temporary files: a worker that is killed cannot remove them
    condition: Condition | None = None
    ready: bool = False


@dataclass(eq=False)
class Pool:
    """Computes conditions in fresh processes.

    A worker that dies in the middle of a condition (killed for its memory, say) is replaced, and the condition tried once more;
    if that kills a worker as well, it has failed. Workers form process groups of their own: Ctrl-C reaches this process only,
    which then ends them with all that they started; and they end by themselves when this process is killed.

    Parameters
    ----------
    prepare : callable
        Called once in each worker; returns the work. It must be picklable, so a top-level function or a `functools.partial`.
    n_workers : int
        Number of processes.
    threads : int
        Threads that numerical libraries may use in each worker.
    """

    prepare: Callable[[], Work]
    n_workers: int
    threads: int = 1
    _workers: list[_Worker] = field(default_factory=list)
    _again: deque[Condition] = field(default_factory=deque)
    _deaths: dict[str, int] = field(default_factory=dict)
    _folder: str = ""

    def __post_init__(self) -> None:
        if self.n_workers < 1:
            raise ConfigError(f"workers: {self.n_workers}; give at least 1.")

    def places(self) -> int:
        """Return the number of idle workers, those not yet started included."""
        busy = sum(worker.condition is not None for worker in self._workers)
        return self.n_workers - busy - len(self._again)

    def submit(self, condition: Condition) -> None:
        """Give a condition to an idle worker, starting one if need be."""
        idle = next((worker for worker in self._workers if worker.condition is None), None) or self._start()
        idle.condition = condition
        try:
            idle.connection.send(condition)
        except OSError:
            self._buried(idle)  # died while idle: try on another
            self._again.append(condition)

    def wait(self, seconds: float) -> list[Outcome]:
        """Return outcomes that have arrived, waiting no longer than given for the first.

        Raises
        ------
        BackendError
            If a worker dies before it is ready: then none of them can start.
        """
        while self._again:
            self.submit(self._again.popleft())
        by_connection = {worker.connection: worker for worker in self._workers if worker.condition is not None}
        outcomes = []
        for connection in wait(list(by_connection), timeout=seconds):
            outcome = self._receive(by_connection[connection])  # type: ignore[index]
            if outcome is not None:
                outcomes.append(outcome)
        return outcomes

    def close(self) -> None:
        """End every worker with what it started: asked first, so that compilers and simulations go too, then killed."""
        for worker in self._workers:
            worker.process.terminate()
        end = time.monotonic() + GRACE_S
        for worker in self._workers:
            worker.process.join(max(0.0, end - time.monotonic()))
            _kill_group(worker.process.pid)
            self._bury(worker)
        self._workers.clear()
        if self._folder:
            _remove(self._folder)
            self._folder = ""

    def _start(self) -> _Worker:
        context = get_context("spawn")
        mine, theirs = context.Pipe()
        # a worker in its first moments must not answer Ctrl-C, which is this process's to hear; the tracker, where it is
        # started in between, would let it through again
        resource_tracker.ensure_running()
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._folder = self._folder or tempfile.mkdtemp(prefix="ei_brian_workers_")
            folder = tempfile.mkdtemp(dir=self._folder)
            process = context.Process(target=_serve, args=(self.prepare, theirs, self.threads, folder), daemon=False)
            process.start()
            worker = _Worker(process, mine, folder)
            self._workers.append(worker)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        theirs.close()
        return worker

    def _receive(self, worker: _Worker) -> Outcome | None:
        try:
            outcome: Outcome | None = worker.connection.recv()
        except (EOFError, OSError):
            return self._died(worker)
        if outcome is None:
            worker.ready = True
        else:
            worker.condition = None
        return outcome

    def _died(self, worker: _Worker) -> Outcome | None:
        condition = worker.condition
        code = self._buried(worker)
        if not worker.ready:
            raise BackendError(f"a worker could not start (exit code {code}); what it said stands above. Nothing was recorded.")
        if condition is None:
            return None
        self._deaths[condition.key] = self._deaths.get(condition.key, 0) + 1
        if self._deaths[condition.key] < TRIES:
            self._again.append(condition)
            return None
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        text = f"WorkerDied: {how}, {TRIES} times; a kill by signal 9 is most often for memory: use fewer workers or trials."
        return Outcome(condition.key, error=text)

    def _buried(self, worker: _Worker) -> int:
        self._workers.remove(worker)
        self._bury(worker)
        return int(worker.process.exitcode)

    def _bury(self, worker: _Worker) -> None:
        worker.connection.close()
        worker.process.join()
        _remove(worker.folder)


def _remove(folder: str) -> None:
    """Remove a folder in which what a worker had started may make and delete files for another moment."""
    end = time.monotonic() + GRACE_S
    while os.path.exists(folder):
        shutil.rmtree(folder, ignore_errors=True)
        if time.monotonic() > end:
            break
        time.sleep(0.02)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _serve(prepare: Callable[[], Work], connection: Connection, threads: int, folder: str) -> None:
    """Run in a worker: compute conditions until the pool is gone; temporary files go to a folder that the pool removes."""
    os.setpgid(0, 0)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    tqdm.set_lock(threading.RLock())  # not one between processes, which a worker that is killed would leave behind
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_threads(threads)
    try:
        _work_on(prepare(), connection)
    except SystemExit:
        os._exit(EXIT_TERMINATED)  # at once: libraries take their time to go


def _work_on(work: Work, connection: Connection) -> None:
    connection.send(None)
    while True:
        try:
            condition = connection.recv()
        except EOFError:
            return
        connection.send(attempt(work, condition))


def _leave(number: int, frame: object) -> None:
    """Unwind what is under way, so that it ends the processes that it waits for."""
    raise SystemExit(EXIT_TERMINATED)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)


def _limit_threads(threads: int) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
