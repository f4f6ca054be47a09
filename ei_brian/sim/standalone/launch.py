"""Runs a compiled program: one process per thread, each on its share of the trials, and believes only what is proven."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from types import FrameType

from ei_brian.errors import BackendError

__all__ = ["TrialRange", "launch", "shares"]

EXIT_WORDS = {
    3: "its data were not what it expects", 4: "its results could not be written", 5: "a state left the finite numbers",
    6: "the GPU refused",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrialRange:
    """Trials ``first`` to ``first + count - 1``, run by one process that writes into ``folder``."""

    first: int
    count: int
    folder: Path


def shares(trials: Sequence[int], batch: int, threads: int, folder: Path) -> tuple[TrialRange, ...]:
    """Return an even split of the trials of all conditions in whole batches; never more shares than batches.

    ``trials`` are the numbers of trials by condition. A batch holds trials of one condition only.
    """
    starts = [0, *accumulate(trials)]
    batches = [first for start, stop in pairwise(starts) for first in range(start, stop, batch)]
    parts = min(threads, len(batches))
    edges = [*(batches[len(batches) * k // parts] for k in range(parts)), starts[-1]]
    return tuple(TrialRange(start, stop - start, folder / f"part_{k}") for k, (start, stop) in enumerate(pairwise(edges)))


def launch(
    program: Path, data: Path, parts: Sequence[TrialRange], checks: Mapping[str, int], report: Callable[[int], None]
) -> float:
    """Run all shares at once and return the longest time of a simulation loop, in seconds.

    ``report`` is given the number of finished trials now and then.

    Raises
    ------
    BackendError
        If a process stops before the end, or does not echo every value that it was given.
    """
    running, failed = [], None
    try:
        with _known():
            for share in parts:
                share.folder.mkdir()
                running.append(_start(program, data, share))
        failed = _follow(running, report)
    except PermissionError as error:
        raise BackendError(
            f"program {program}: {error}. The system does not let programs of this folder run (a file system that is mounted "
            "noexec, or a security policy): set EI_BRIAN_CACHE to a folder that does."
        ) from error
    except OSError as error:
        raise BackendError(f"program {program}: {error}; run 'ei-brian cache clear' and try again.") from error
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    if failed is not None:
        _verify_completed(running[failed].returncode, parts[failed], checks)
    return max(_verify_completed(process.returncode, share, checks) for process, share in zip(running, parts, strict=True))


@contextmanager
def _known() -> Iterator[None]:
    """Hold back Ctrl-C until every process that is started here is known, so that none is forgotten."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    pressed: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if pressed:
        usual(*pressed[0])


def _start(program: Path, data: Path, share: TrialRange) -> subprocess.Popen[bytes]:
    command = [str(program), str(data), str(share.folder), str(share.first), str(share.count)]
    with (share.folder / "stderr").open("wb") as words:
        return subprocess.Popen(
            command,
            cwd=program.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
            start_new_session=True,
            restore_signals=False,  # a file over a limit of its size is an error of a write, as in Python, and not SIGXFSZ
        )


def _follow(running: Sequence[subprocess.Popen[bytes]], report: Callable[[int], None]) -> int | None:
    """Wait for all processes, or until one fails, and return the number of that one; each writes how many trials it has done."""
    done, begun = [0] * len(running), [b""] * len(running)
    with selectors.DefaultSelector() as pipes:
        for index, process in enumerate(running):
            if process.stdout is not None:
                pipes.register(process.stdout, selectors.EVENT_READ, index)
        while pipes.get_map():
            for pipe, _ in pipes.select():
                index, text = pipe.data, os.read(pipe.fd, 65536)
                if not text:
                    pipes.unregister(pipe.fileobj)
                    if running[index].wait() != 0:
                        return index
                    continue
                whole, _, begun[index] = (begun[index] + text).rpartition(b"\n")
                done[index] = int(whole.split()[-1]) if whole else done[index]
                report(sum(done))
    return None


def _verify_completed(code: int, share: TrialRange, checks: Mapping[str, int]) -> float:
    """Refuse a run that did not end as it should or ran on other numbers than it was given; return the seconds of its loop."""
    words = (share.folder / "stderr").read_text(encoding="utf-8", errors="replace").strip()[-1000:]
    if code != 0:
        why = EXIT_WORDS.get(code) or (f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}")
        raise BackendError(f"compiled program: {why}. {words} Nothing of this run was kept.")
    try:
        lines = (share.folder / "echo").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BackendError(f"compiled program: left no echo ({error}); nothing of this run was kept.") from error
    if len(lines) < 2 or lines[-1] != f"done {share.first} {share.count}":
        raise BackendError(f"compiled program: did not finish trials {share.first} to {share.first + share.count - 1}. {words}")
    echo = {name: int(value) for name, value in (line.rsplit(" ", 1) for line in lines[:-2])}
    wrong = sorted(set(echo.items()) ^ set(checks.items()))
    if wrong:
        raise BackendError(f"compiled program: ran on other values than it was given, for example of {wrong[0][0]!r}.")
    return float(lines[-2].removeprefix("seconds "))
