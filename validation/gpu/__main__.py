"""Checks `Backend("cuda_standalone")` on the GPU of this machine and writes a Markdown table; see README.md beside this file.

    python -m validation.gpu [--quick] [FILE]

``--quick`` runs all parts at small sizes: whether they work is seen, how fast they are is not.
Exit code 0: all that must be equal is equal; 1: something differs; 2: no GPU, toolkit or Brian2CUDA here.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from time import perf_counter

import brian2
import numpy as np

from ei_brian.errors import BackendError
from ei_brian.sim.cuda.toolkit import GPU, Toolkit, check_gpu, find_toolkit
from validation.gpu.equality import CASES, Equality, compare, run_on_gpu
from validation.gpu.speed import FULL, QUICK, LargeSpeed, Speed, bandwidth, large_speed, prototype_speed, warm_up

__all__: list[str] = []

BUDGET_S = 8 * 60.0
THRESHOLDS = (0.45, 0.53, 0.6)  # of the prototype: about 40 Hz, and below 20 Hz


def _equality(rows: list[Equality]) -> str:
    lines = [
        "## Spikes", "", "`differing`: spikes; then the largest difference of a score and of a membrane potential.", "",
        "| network | layout | precision | spikes | differing | score | potential | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        verdict = "equal" if row.equal else "DIFFERS" if row.case.must_be_equal else _loosely(row)
        lines.append(
            f"| {row.case.name} | {row.case.layout} | {row.case.dtype} | {row.n_spikes} | {row.differing} | "
            f"{row.largest_score_difference:.2g} | {row.largest_trace_difference:.2g} | {verdict} |"
        )
    return "\n".join(lines)


def _loosely(row: Equality) -> str:
    """Return the verdict on sums that are formed in any order."""
    return "spikes differ (sums in any order)" if row.differing else "spikes equal (sums in any order)"


def _speeds(rows: list[Speed], peaks: tuple[float, float, float]) -> str:
    lines = [
        "## Speed", "",
        "784-200-10 LIF, 100 steps, float32, spikes counted. `loop` is the simulation with the input's way to the GPU; `call` "
        "all of `run` but the build. torch: dense loop, float32 and TF32, input already on the GPU.", "",
        "| trials | hidden rate (Hz) | GPU loop (ms) | GPU call (ms) | two CPU cores (ms) | times faster | torch (ms) | "
        "torch TF32 (ms) | rows read (GB/s) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        cpu = ("–", "–") if row.cpu is None else (f"{row.cpu * 1e3:.1f}", f"{row.cpu / row.gpu:.1f}")
        torch = ("–", "–") if row.torch is None else tuple(f"{seconds * 1e3:.1f}" for seconds in row.torch)
        lines.append(
            f"| {row.n_trials} | {row.rate_hz:.1f} | {row.gpu * 1e3:.1f} | {row.gpu_call * 1e3:.0f} | {cpu[0]} | {cpu[1]} | "
            f"{torch[0]} | {torch[1]} | {row.row_bytes / row.gpu / 1e9:.0f} |"
        )
    cache, memory, way = peaks
    least = [
        (row.n_trials, row.rate_hz, row.row_bytes / cache + row.state_bytes / memory, row.input_bytes / way) for row in rows
    ]  # fmt: skip
    lines += [
        "", f"Roofline: rows come out of the L2 cache at up to {cache / 1e9:.0f} GB/s (measured by adding random rows of 800 "
        f"bytes), states out of memory at {memory / 1e9:.0f} GB/s (copying), the input from the host at {way / 1e9:.1f} GB/s. "
        "The least possible loop is therefore, for rows and states and for the input, "
        + "; ".join(f"{loop * 1e3:.1f} + {shown * 1e3:.1f} ms for {n} trials at {rate:.0f} Hz" for n, rate, loop, shown in least)
        + ".",
    ]  # fmt: skip
    return "\n".join(lines)


def _large(rows: list[LargeSpeed], n: int) -> str:
    lines = [
        f"## {n:,} neurons, 1 % connectivity", "", f"Float32, 200 steps of 1 ms, about {n * n // 100:,} synapses.", "",
        "| sums | trials | rate (Hz) | ms per step | synaptic events per second | spikes |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        events = f"{row.synaptic_events_per_second:.3g}"
        lines.append(
            f"| {row.summation} | {row.n_trials} | {row.rate_hz:.1f} | {row.ms_per_step:.3f} | {events} | {row.n_spikes} |"
        )
    return "\n".join(lines)


def _head(gpu: GPU, toolkit: Toolkit) -> str:
    versions = f"CUDA {toolkit.version}, driver {gpu.driver}, brian2cuda {toolkit.brian2cuda}, brian2 {brian2.__version__}"
    python = f"Python {sys.version.split()[0]}, numpy {np.__version__}"
    title = f"# {gpu.name} (compute capability {gpu.capability})"
    return f"{title}\n\n{date.today()}; {versions}; {python}; {os.cpu_count()} CPU cores."


def main(path: Path, quick: bool = False) -> int:
    """Measure, write the table, and return the exit code."""
    sizes = QUICK if quick else FULL
    try:
        gpu, toolkit = check_gpu(), find_toolkit()
    except BackendError as error:
        print(error, file=sys.stderr)
        return 2
    started, parts = perf_counter(), [_head(gpu, toolkit)]

    def write(part: str) -> None:
        parts.append(part)
        path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        print(f"[{perf_counter() - started:.0f} s]\n{part}\n", flush=True)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 9)) as pool:  # the compilers, side by side
        warm = pool.submit(warm_up, sizes)
        list(pool.map(run_on_gpu, CASES))
        warm.result()
    rows = [compare(case) for case in CASES]
    write(_equality(rows))
    peaks = bandwidth(sizes)
    speeds = [prototype_speed(sizes, sizes.trials, threshold) for threshold in THRESHOLDS]
    write(_speeds(speeds, peaks))
    if perf_counter() - started < BUDGET_S * 0.6:
        parts.pop()
        write(_speeds([*speeds, prototype_speed(sizes, sizes.many_trials, THRESHOLDS[0], with_cpu=False)], peaks))
    if perf_counter() - started < BUDGET_S * 0.75:
        write(_large(large_speed(sizes), sizes.neurons))
    failed = [row for row in rows if row.case.must_be_equal and not row.equal]
    write(f"Took {perf_counter() - started:.0f} s. " + ("All equal." if not failed else f"{len(failed)} networks DIFFER."))
    return 1 if failed else 0


if __name__ == "__main__":
    reader = argparse.ArgumentParser(prog="python -m validation.gpu")
    reader.add_argument("file", nargs="?", type=Path, default=Path(__file__).with_name("results.md"))
    reader.add_argument("--quick", action="store_true")
    asked = reader.parse_args()
    sys.exit(main(asked.file, asked.quick))
