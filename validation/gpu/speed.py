"""How fast: the prototype network beside two CPU cores and a dense torch loop, and a network of 100,000 neurons."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import util
from pathlib import Path

import numpy as np

from ei_brian.core.recording import Recording
from ei_brian.sim.backend import Backend
from ei_brian.sim.cuda.flags import capability_of, gpu_flags
from ei_brian.sim.cuda.toolkit import find_toolkit
from validation.benchmarks.network import network
from validation.gpu.large import large_network, large_stimulus, many_trials

__all__ = ["FULL", "QUICK", "LargeSpeed", "Sizes", "Speed", "bandwidth", "large_speed", "prototype_speed", "warm_up"]

ROOT = Path(__file__).resolve().parents[2]
REPEATS, ROW_BYTES = 3, {"input": 800, "hidden": 840}  # a spike of the hidden layer reads 200 + 10 floats
EVENT_BYTES = 8  # step and unit
STATE_BYTES = 4 * (2 * 2 * 210 + 200)  # of a trial and step: v and g of 210 cells read and written, a list of spikes


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: trials side by side and in all, neurons of the large network, blocks that add rows, floats copied."""

    trials: int
    many_trials: int
    neurons: int
    row_blocks: int
    copied_floats: int


FULL = Sizes(10_000, 100_000, 100_000, 20_000, 1 << 29)
QUICK = Sizes(20, 60, 1_000, 2, 1 << 12)


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds of the loop for all trials; None where it was not measured."""

    n_trials: int
    rate_hz: float
    gpu: float
    gpu_call: float
    cpu: float | None
    torch: tuple[float, float] | None
    row_bytes: float
    state_bytes: float
    input_bytes: float


@dataclass(frozen=True, slots=True)
class LargeSpeed:
    """Milliseconds of a step of the large network."""

    summation: str
    n_trials: int
    rate_hz: float
    ms_per_step: float
    synaptic_events_per_second: float
    n_spikes: int


def gpu_backend(sizes: Sizes) -> Backend:
    """Return the backend of the prototype."""
    return Backend("cuda_standalone", dtype="float32", record="counts", batch=sizes.trials)


def warm_up(sizes: Sizes) -> None:
    """Build the programs of the prototype."""
    gpu_backend(sizes).run(network(), many_trials(10))
    Backend("cpp_standalone", dtype="float32", threads=2, record="counts").run(network(), many_trials(10))


def _torch(n_trials: int, threshold: float) -> tuple[float, float] | None:
    if util.find_spec("torch") is None:
        return None
    command = [sys.executable, "-m", "validation.gpu.torch_dense", str(n_trials), str(threshold)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    plain, tf32, _ = map(float, done.stdout.split())
    return plain, tf32


def prototype_speed(sizes: Sizes, n_trials: int, threshold: float, with_cpu: bool = True) -> Speed:
    """Measure the prototype network, the median of three runs."""
    spec, stimulus = network(threshold=threshold), many_trials(n_trials)
    runs = [gpu_backend(sizes).run(spec, stimulus) for _ in range(REPEATS)]
    loops = [recording.backend["loop_seconds"] for recording in runs]
    calls = [recording.run_seconds for recording in runs]
    cpu = None
    if with_cpu:
        backend = Backend("cpp_standalone", dtype="float32", threads=2, record="counts")
        cpu = float(np.median([backend.run(spec, stimulus).backend["loop_seconds"] for _ in range(REPEATS)]))
    hidden = float(runs[0].counts["hidden"].sum())
    rows = ROW_BYTES["input"] * stimulus.events.n_events + ROW_BYTES["hidden"] * hidden
    torch = _torch(n_trials, threshold)
    states = float(STATE_BYTES) * n_trials * stimulus.n_steps
    shown = EVENT_BYTES * float(stimulus.events.n_events)
    medians = float(np.median(loops)), float(np.median(calls))
    return Speed(n_trials, runs[0].rate_hz("hidden"), *medians, cpu, torch, rows, states, shown)


def large_speed(sizes: Sizes) -> list[LargeSpeed]:
    """Measure the network of many neurons, with sums in order and as they come."""
    spec = large_network(sizes.neurons)
    found = []
    for n_trials in (1, 8):
        stimulus = large_stimulus(n_trials)
        for summation in ("ordered", "atomic"):
            backend = Backend("cuda_standalone", dtype="float32", record="counts", batch=8, summation=summation)
            found.append(_large(summation, backend.run(spec, stimulus), spec.projections[1].n_synapses / sizes.neurons))
    return found


def _large(summation: str, recording: Recording, fan_out: float) -> LargeSpeed:
    seconds, n_spikes = recording.backend["loop_seconds"], int(recording.counts["hidden"].sum())
    ms, events = seconds / recording.n_steps * 1e3, n_spikes * fan_out / seconds
    return LargeSpeed(summation, recording.n_trials, recording.rate_hz("hidden"), ms, events, n_spikes)


def bandwidth(sizes: Sizes) -> tuple[float, float, float]:
    """Return bytes per second of adding random rows from the GPU's cache, copying its memory, and the way from the host to it."""
    source = Path(__file__).with_name("bandwidth.cu")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "bandwidth"
        architecture = f"-arch=sm_{capability_of(gpu_flags()).replace('.', '')}"
        command = [str(find_toolkit().nvcc), "-O3", "-std=c++17", architecture, str(source), "-o", str(program)]
        subprocess.run(command, check=True, capture_output=True)
        amounts = [str(sizes.row_blocks), str(sizes.copied_floats)]
        words = subprocess.run([program, *amounts], check=True, capture_output=True, text=True).stdout.split()
    return float(words[0]), float(words[1]), float(words[2])
