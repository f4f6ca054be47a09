"""One measurement of each contender, each in a process of its own, so that threads and devices do not mix."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ei_brian.sim.backend import Backend
from validation.benchmarks.network import STEPS, network, stimulus, weights

__all__ = ["Timing", "bandwidth", "blocks", "event_driven", "ours", "runtime", "torch_peer"]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of the simulation loop per trial, one of each repeat, of one contender."""

    name: str
    dtype: str
    threads: int
    n_trials: int
    seconds: tuple[float, ...]
    rate_hz: float
    note: str = ""

    @property
    def median_ms(self) -> float:
        """Median in ms per trial."""
        return float(np.median(self.seconds)) * 1e3


def _call(arguments: list[str], threads: int) -> list[float]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def _module(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"validation.benchmarks.{name}", *map(str, arguments)]


def runtime(target: str, n_trials: int, repeats: int) -> Timing:
    """Brian2 in this process, sample by sample."""
    found = [_call(_module("brian2_peers", "runtime", target, n_trials), 1) for _ in range(repeats)]
    return Timing(f"Brian2 runtime ({target}), one by one", "float64", 1, n_trials, tuple(f[0] for f in found), found[0][1])


def blocks(n_trials: int, repeats: int) -> Timing:
    """Block-diagonal Synapses, compiled; built anew for each repeat."""
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            found.append(_call(_module("brian2_peers", "blocks", n_trials, folder), 1))
    name = "Brian2 cpp_standalone, block-diagonal Synapses"
    return Timing(name, "float64", 1, n_trials, tuple(f[0] for f in found), found[0][1])


def torch_peer(name: str, n_trials: int, threads: int, dtype: str, repeats: int) -> Timing | None:
    """A torch framework; None where it is not installed."""
    package = {"dense": "torch"}.get(name, name)
    if importlib.util.find_spec(package) is None:
        return None
    *seconds, rate = _call(_module("torch_peers", name, n_trials, threads, dtype, repeats), threads)
    label = "dense torch loop" if name == "dense" else name
    return Timing(label, dtype, threads, n_trials, tuple(seconds), rate)


def event_driven(n_trials: int, threads: int, dtype: str, repeats: int) -> Timing:
    """The program written by hand, compiled with -O3 -march=native -ffast-math -fopenmp."""
    events = stimulus(n_trials).events
    place = np.searchsorted(events.trial.astype(np.int64) * STEPS + events.step, np.arange(n_trials * STEPS + 1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, table in zip(("w_in", "w_rec", "w_out"), weights(), strict=True):
            table.astype(dtype).tofile(folder / part)
        events.unit.tofile(folder / "unit")
        place.astype(np.int64).tofile(folder / "first")
        real = {"float32": "float", "float64": "double"}[dtype]
        flags = ["-O3", "-march=native", "-ffast-math", "-fopenmp", f"-DREAL={real}"]
        program = str(folder / "event_driven")
        subprocess.run(["g++", *flags, str(HERE / "event_driven.cpp"), "-o", program], check=True)
        words = _call([program, name, str(n_trials), "200", str(repeats + 1)], threads)
    seconds = tuple(value / n_trials for value in words[2::2])
    return Timing("C++ by hand, event-driven", dtype, threads, n_trials, seconds, words[1] / n_trials / 200 / (STEPS * 1e-3))


def ours(
    layout: str, n_trials: int, threads: int, dtype: str, repeats: int, n_hidden: int = 200, density: float = 1.0,
    threshold: float = 0.45, noise: object = None, record: str = "spikes",
) -> tuple[Timing, Timing, float]:  # fmt: skip
    """Our compiled program: its loop, the whole call of `Backend.run`, and the seconds of the build (about 0 when cached)."""
    spec, given = network(n_hidden, density, threshold), stimulus(n_trials)
    backend = Backend("cpp_standalone", dtype=dtype, layout=layout, threads=threads, record=record)
    first = backend.run(spec, given, noise=noise, seed=1)  # type: ignore[arg-type]
    loops, calls = [], []
    for _ in range(repeats):
        recording = backend.run(spec, given, noise=noise, seed=1)  # type: ignore[arg-type]
        loops.append(recording.backend["loop_seconds"] / n_trials)
        calls.append((recording.build_seconds + recording.run_seconds) / n_trials)
    rate, name = first.rate_hz("hidden"), f"ei_brian, layout {layout}"
    return (
        Timing(name, dtype, threads, n_trials, tuple(loops), rate),
        Timing(f"{name}, whole call", dtype, threads, n_trials, tuple(calls), rate),
        first.build_seconds,
    )


def bandwidth() -> list[tuple[float, float]]:
    """Return (bytes of the table, bytes per second) of adding random rows of 800 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/bandwidth"
        subprocess.run(["g++", "-O3", "-march=native", str(HERE / "bandwidth.cpp"), "-o", program], check=True)
        words = _call([program], 1)
    return list(zip(words[0::3], words[1::3], strict=True))
