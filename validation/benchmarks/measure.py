"""One measurement of each contender, each in a process of its own, so that threads, memory and devices do not mix."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from validation.benchmarks.network import STEPS, stimulus, weights

__all__ = ["ROOT", "HandWritten", "Timing", "blocks", "call", "merged", "ours", "runtime", "torch_peer"]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@dataclass(frozen=True, slots=True)
class Timing:
    """What one contender took.

    Parameters
    ----------
    name, dtype, threads, n_trials : str, str, int, int
        Who, and on what.
    seconds : tuple of float
        Of the simulation loop per trial, one of each repeat.
    rate_hz : float
        Of the hidden cells.
    build_s : float
        Compiling, or making the objects, before the first trial can run.
    peak_mib, kib_per_trial : float
        Most memory that its largest process held, and by how much that grows with each trial; nan where it was not measured.
    """

    name: str
    dtype: str
    threads: int
    n_trials: int
    seconds: tuple[float, ...]
    rate_hz: float
    build_s: float = float("nan")
    peak_mib: float = float("nan")
    kib_per_trial: float = float("nan")

    @property
    def median_ms(self) -> float:
        """Median in ms per trial."""
        return float(np.median(self.seconds)) * 1e3


def call(arguments: Sequence[object], threads: int = 1) -> tuple[str, float]:
    """Run a program; return what it prints, and the most memory in MiB that it or a process of it held."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile("w+") as words, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen([str(a) for a in arguments], env=environment, cwd=ROOT, stdout=words, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        words.seek(0)
        errors.seek(0)
        if child.returncode:
            raise RuntimeError(f"{arguments}: exit code {child.returncode}\n{errors.read()[-2000:]}")
        return words.read(), usage.ru_maxrss / 1024


def _module(name: str, *arguments: object, threads: int = 1) -> tuple[dict[str, Any], float]:
    text, peak = call([sys.executable, "-m", f"validation.benchmarks.{name}", *arguments], threads)
    return json.loads(text.splitlines()[-1]), peak


def merged(timings: Sequence[Timing]) -> Timing:
    """Return one timing of several repeats of the same contender."""
    return replace(timings[0], seconds=tuple(value for timing in timings for value in timing.seconds))


def _timing(
    name: str, dtype: str, threads: int, n_trials: int, found: dict[str, Any], peak: float, few: float, n_few: int = 1
) -> Timing:
    grown = (peak - few) * 1024 / (n_trials - n_few) if n_trials > n_few else float("nan")
    grown = 0.0 if grown < 0 else grown  # nan stays
    return Timing(name, dtype, threads, n_trials, tuple(found["seconds"]), found["rate_hz"], found["build_s"], peak, grown)


def runtime(target: str, n_trials: int, repeats: int) -> Timing:
    """Brian2 in this process, sample by sample."""
    found, peak = _module("brian2_peers", "runtime", target, n_trials, repeats)
    return _timing(f"Brian2 runtime ({target}), one by one", "float64", 1, n_trials, found, peak, peak)


def blocks(n_trials: int, repeats: int) -> Timing:
    """Block-diagonal Synapses, compiled once and run several times."""
    with tempfile.TemporaryDirectory() as folder:
        found, peak = _module("brian2_peers", "blocks", n_trials, repeats, folder)
    few_trials = max(1, n_trials // 10)
    with tempfile.TemporaryDirectory() as folder:
        _, few = _module("brian2_peers", "blocks", few_trials, 1, folder)
    return _timing("Brian2 cpp_standalone, block-diagonal Synapses", "float64", 1, n_trials, found, peak, few, few_trials)


def torch_peer(name: str, n_trials: int, threads: int, dtype: str, repeats: int) -> Timing | None:
    """A torch framework; None where it is not installed."""
    if importlib.util.find_spec({"dense": "torch"}.get(name, name)) is None:
        return None
    found, peak = _module("torch_peers", name, n_trials, threads, dtype, repeats, threads=threads)
    _, few = _module("torch_peers", name, 1, threads, dtype, 1, threads=threads)
    return _timing("dense torch loop" if name == "dense" else name, dtype, threads, n_trials, found, peak, few)


class HandWritten:
    """The program written by hand, compiled with -O3 -march=native -ffast-math -fopenmp, on data in a folder."""

    def __init__(self, folder: Path, n_trials: int, dtype: str) -> None:
        self.folder, self.n_trials, self.dtype = folder, n_trials, dtype
        events = stimulus(n_trials).events
        place = np.searchsorted(events.trial.astype(np.int64) * STEPS + events.step, np.arange(n_trials * STEPS + 1))
        for part, table in zip(("w_in", "w_rec", "w_out"), weights(), strict=True):
            table.astype(dtype).tofile(folder / part)
        events.unit.tofile(folder / "unit")
        place.astype(np.int64).tofile(folder / "first")
        real = {"float32": "float", "float64": "double"}[dtype]
        flags = ["-O3", "-march=native", "-ffast-math", "-fopenmp", f"-DREAL={real}"]
        started = perf_counter()
        call(["g++", *flags, HERE / "event_driven.cpp", "-o", folder / "event_driven"])
        self.build_s = perf_counter() - started

    def run(self, threads: int) -> Timing:
        """Return one timing, the first of two passes left out."""
        found_by = [
            call([self.folder / "event_driven", self.folder, n, 200, 2], threads)[0].split() for n in (self.n_trials, 1)
        ]
        peak, few = (float(words[-1]) / 1024 for words in found_by)
        seconds, spikes = (float(word) for word in found_by[0][2:4])
        rate = spikes / self.n_trials / 200 / (STEPS * 1e-3)
        found = {"seconds": [seconds / self.n_trials], "rate_hz": rate, "build_s": self.build_s}
        return _timing("C++ by hand, event-driven", self.dtype, threads, self.n_trials, found, peak, few)


def ours(
    layout: str, n_trials: int, threads: int, dtype: str, repeats: int, fresh: bool = True, **changes: float
) -> list[Timing]:
    """Our compiled program: its loop, and the whole call of `Backend.run`; built in an empty cache if ``fresh``."""
    extra = [f"{name}={value}" for name, value in changes.items()]
    found, _ = _module("ours", layout, n_trials, threads, dtype, repeats, int(fresh), *extra)
    name, made = f"ei_brian, layout {layout}", []
    if not fresh:
        found["build_s"] = float("nan")  # it was in the cache
    _, few = _module("ours", layout, 1, threads, dtype, 0, 0, *extra) if fresh else ({}, float("nan"))
    peak = float("nan")
    if fresh:  # once more with the program in the cache, so that no compiler is counted
        _, peak = _module("ours", layout, n_trials, threads, dtype, 0, 0, *extra)
    for suffix, key in (("", "seconds"), (", whole call", "calls")):
        made.append(_timing(f"{name}{suffix}", dtype, threads, n_trials, {**found, "seconds": found[key]}, peak, few))
    return made
