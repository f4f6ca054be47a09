"""Runs a study: takes every condition that has no result yet, wherever it was left off, until none is left."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from tqdm import tqdm

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import StorageError
from ei_brian.study.claim import STALE_SECONDS, Claims
from ei_brian.study.condition import Condition
from ei_brian.study.outcome import Outcome
from ei_brian.study.scheduler import Scheduler
from ei_brian.study.store import Store
from ei_brian.study.table import rows_of, write_table

__all__ = ["Summary", "sweep"]

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Summary:
    """What a sweep did.

    Parameters
    ----------
    n_rows : int
        Rows of the table.
    n_conditions : int
        Different conditions among them.
    n_computed : int
        Computed in this run, the failed ones included.
    failed : tuple of (condition, error)
        Conditions that have failed, in the order of the table.
    table : Path
        The CSV table.
    """

    n_rows: int
    n_conditions: int
    n_computed: int
    failed: tuple[tuple[Condition, str], ...]
    table: Path


@takes_numbers()
def sweep(
    conditions: Sequence[Condition], folder: Path, scheduler: Scheduler, *, retry_failed: bool = False, progress: bool = True,
    stale_seconds: float = STALE_SECONDS, on_outcome: Callable[[Condition, Outcome], None] | None = None,
) -> Summary:  # fmt: skip
    """Compute every condition that has no result yet and write the table.

    Several processes, on several machines, may do this on one folder at the same time: each takes what nobody works on, and all
    end with the whole table. Interrupted or killed at any moment, it goes on from there when called again.

    Parameters
    ----------
    conditions : sequence of Condition
        What belongs to the table, in its order.
    folder : Path
        The results folder.
    scheduler : Scheduler
        Where it is computed; closed at the end.
    retry_failed : bool
        Compute failed conditions anew.
    progress : bool
        Show a bar with rate and time left on stderr.
    stale_seconds : float
        See `Claims`.
    on_outcome : callable, optional
        Called after an outcome was kept.

    Returns
    -------
    Summary
        With the failed conditions.

    Raises
    ------
    StorageError
        If the disk of the results, or of a worker, is full.
    """
    try:
        run = _Run(conditions, folder, scheduler, retry_failed, stale_seconds, on_outcome)
        with run.claims.kept_alive(), run.bar(progress) as bar:
            run.go(bar)
    finally:
        scheduler.close()
    rows = rows_of(conditions, run.store)
    table, _ = write_table(folder, rows)
    errors = {row["condition"]: str(row["error"]) for row in rows if row["status"] == "failed"}
    failed = tuple((c, errors[c.key[:16]]) for c in run.unique.values() if c.key[:16] in errors)
    return Summary(len(rows), len(run.unique), run.n_computed, failed, table)


class _Run:
    """A sweep in progress."""

    def __init__(
        self, conditions: Iterable[Condition], folder: Path, scheduler: Scheduler, retry_failed: bool, stale_seconds: float,
        on_outcome: Callable[[Condition, Outcome], None] | None,
    ) -> None:  # fmt: skip
        self.store, self.scheduler, self.retry_failed = Store(folder), scheduler, retry_failed
        self.claims = Claims(folder / "claims", stale_seconds)
        self.on_outcome = on_outcome
        self.unique = {condition.key: condition for condition in conditions}
        self.tried: set[str] = set()
        self.pending = deque(key for key in self.unique if not self.finished(key))
        self.running: set[str] = set()
        self.n_computed = self.n_failed = 0

    def finished(self, key: str) -> bool:
        """Tell whether a condition has an outcome that counts."""
        record = self.store.read(key)
        if record is None:
            return False
        return not (record.error and self.retry_failed and key not in self.tried)

    def bar(self, shown: bool) -> tqdm[None]:
        """Return the progress bar, at what was there already."""
        before = len(self.unique) - len(self.pending)
        n = len(self.unique)
        every = 0.5 if sys.stderr.isatty() else 10.0  # seconds; a log file wants fewer lines
        return tqdm(
            total=n, initial=before, desc="sweep", unit="condition", disable=not shown, file=sys.stderr, smoothing=0.1,
            mininterval=every,
        )  # fmt: skip

    def go(self, bar: tqdm[None]) -> None:
        """Work until every condition has an outcome."""
        while self.pending or self.running:
            self._fill(bar)
            for outcome in self.scheduler.wait(POLL_SECONDS):
                self._keep(outcome)
                bar.set_postfix(failed=self.n_failed, refresh=False)
                bar.update()

    def _fill(self, bar: tqdm[None]) -> None:
        """Give the scheduler what it has places for, passing over what others work on."""
        for _ in range(len(self.pending)):
            if self.scheduler.places() < 1:
                return
            key = self.pending.popleft()
            if self.finished(key):  # by another process
                bar.update()
            elif not self.claims.take(key):
                self.pending.append(key)
            elif self.finished(key):  # by another process, between the two looks
                self.claims.release(key)
                bar.update()
            else:
                self.running.add(key)
                self.scheduler.submit(self.unique[key])
        if self.pending and not self.running:
            sleep(POLL_SECONDS)  # others work

    def _keep(self, outcome: Outcome) -> None:
        condition = self.unique[outcome.key]
        if outcome.machine:
            raise StorageError(
                f"condition {condition.variant}, {condition.noise} {condition.level:g}, seed {condition.seed}: {outcome.error}. "
                "Make room on the disk and start again: everything finished is kept."
            )
        self.store.write_files(outcome)
        self.store.write(condition, outcome)
        self.claims.release(outcome.key)
        self.running.discard(outcome.key)
        self.tried.add(outcome.key)
        self.n_computed += 1
        self.n_failed += bool(outcome.error)
        if self.on_outcome is not None:
            self.on_outcome(condition, outcome)


