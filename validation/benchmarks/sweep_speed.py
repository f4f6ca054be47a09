"""A sweep of 200 conditions × 300 trials against one process with a fresh build for each condition.

``python validation/benchmarks/sweep_speed.py [--fresh 200] [--sweeps 2]`` writes ``sweep_speed.md``. Both ways use one process at
a time and the same network, stimulus and noise; the accuracies are compared, so that both did the same work. With ``--fresh``
below 200 the conditions of the slow way are a sample, evenly spaced; its time for 200 is the mean times 200, with Student's 95 %
interval. Whole sweeps, each with an empty cache, stand between the fresh builds, so that a load that changes meets both.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt
from network import network, stimulus
from scipy import stats

from ei_brian.config.sweep_run import BackendSettings, simulation_work
from ei_brian.study.outcome import attempt
from ei_brian.study.plan import NoiseLevels, Plan, Variant
from ei_brian.study.pool import Pool
from ei_brian.study.sweep import sweep
from ei_brian.study.table import Row, read_table
from ei_brian.toolchain.cache_root import VARIABLE

Times = npt.NDArray[np.float64]
N_TRIALS, FASTER = 300, 10.0
BACKEND = BackendSettings("cpp_standalone")


def plan() -> Plan:
    """Return 2 variants × 2 kinds of noise × 5 levels × 10 seeds."""
    variants = tuple(Variant(f"threshold {threshold:g}", (network(threshold=threshold),)) for threshold in (0.45, 0.6))
    noises = (
        NoiseLevels("membrane_white_sd", (0.02, 0.05, 0.1, 0.2, 0.4)),
        NoiseLevels("spike_failure", (0.05, 0.1, 0.2, 0.3, 0.5)),
    )
    return Plan(variants, noises, tuple(range(10)), stimulus(N_TRIALS), BACKEND.versions())


def one(index: int) -> None:
    """Compute one condition in this process and print its accuracy."""
    made = plan()
    print(json.dumps(attempt(simulation_work(made, BACKEND), made.conditions()[index]).result["accuracy"]))


def fresh(index: int) -> tuple[float, float, float]:
    """Return wall time, processor time and accuracy of a condition in a process of its own with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        started, before = perf_counter(), _children()
        command = [sys.executable, __file__, "--one", str(index)]
        answer = subprocess.run(command, env={**os.environ, VARIABLE: cache}, check=True, capture_output=True, text=True)
        return perf_counter() - started, _children() - before, json.loads(answer.stdout.splitlines()[-1])


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure both ways and write the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", type=int, default=200, help="conditions of the slow way that are measured")
    parser.add_argument("--sweeps", type=int, default=2, help="how often the whole sweep is measured")
    parser.add_argument("--one", type=int, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--output", "-o", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    if options.one is not None:
        one(options.one)
        return
    made = plan()
    conditions = made.conditions()
    chosen = [round(k * (len(conditions) - 1) / max(options.fresh - 1, 1)) for k in range(options.fresh)]
    found, sweeps, rows = [], [], []
    for part in np.array_split(chosen, options.sweeps):
        rows, *times = whole(made)
        sweeps.append(times)
        found += [fresh(int(index)) for index in part]
        print(f"sweep {times[0]:.0f} s; {len(found)} fresh builds", file=sys.stderr)
    different = [index for index, (_, _, accuracy) in zip(chosen, found, strict=True) if rows[index]["accuracy"] != accuracy]
    options.output.write_text(_text(np.array(sweeps), np.array(found)[:, :2], len(different), len(conditions)))
    print(options.output.read_text())


def whole(made: Plan) -> tuple[list[Row], float, float]:
    """Return the table of the whole sweep with an empty cache, and its wall and processor time."""
    with tempfile.TemporaryDirectory() as place:
        os.environ[VARIABLE] = str(Path(place, "cache"))
        started, before = perf_counter(), _children()
        sweep(made.conditions(), Path(place, "results"), Pool(partial(simulation_work, made, BACKEND), 1))
        wall, cpu = perf_counter() - started, _children() - before
        return read_table(Path(place, "results")), wall, cpu


def _text(sweeps: Times, found: Times, n_different: int, n_conditions: int) -> str:
    n = len(found)
    part = f"{n} measured, evenly spaced; the time for {n_conditions} is their mean times {n_conditions}, with its 95 % interval"
    how = "all measured" if n == n_conditions else part
    fast, slow = sweeps.mean(axis=0), n_conditions * found.mean(axis=0)
    half = n_conditions * stats.t.isf(0.025, n - 1) * found.std(axis=0, ddof=1) / np.sqrt(n)
    spans = [f"{m:.0f} ({m - h:.0f} to {m + h:.0f})" for m, h in zip(slow, half, strict=True)]
    ratios = [f"**{m / f:.0f}** ({(m - h) / f:.0f} to {(m + h) / f:.0f})" for m, h, f in zip(slow, half, fast, strict=True)]
    each = ["; ".join(f"{value:.0f}" for value in column) for column in sweeps.T]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return "\n".join([
        f"# A sweep of {n_conditions} conditions × {N_TRIALS} trials",
        "",
        "784–200–10 network, 100 steps, two thresholds × two kinds of noise × five levels × ten seeds, C++ programs, one process "
        "at a time.",
        "",
        "| way | wall (s) | processor time (s) |",
        "| --- | ---: | ---: |",
        f"| `ei_brian.study.sweep`, one worker, empty cache at the start, {len(sweeps)} times | {each[0]} | {each[1]} |",
        f"| one process and one fresh build a condition ({how}) | {spans[0]} | {spans[1]} |",
        f"| **ratio**, to the mean of the sweeps | {ratios[0]} | {ratios[1]} |",
        "",
        f"One fresh build and run takes {found[:, 0].min():.1f} to {found[:, 0].max():.1f} s of wall and "
        f"{found[:, 1].min():.1f} to {found[:, 1].max():.1f} s of processor time. Accuracies "
        f"that differ between the two ways: {n_different} of {n}. The ratio is above the promised {FASTER:g} as long "
        f"as a fresh build and run takes more than {FASTER * fast[0] / n_conditions:.1f} s of wall and "
        f"{FASTER * fast[1] / n_conditions:.1f} s of processor time.",
        "",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, brian2 {version('brian2')}, numpy {version('numpy')}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores, load average {load}. Processor time is the fair figure where "
        f"other work runs beside it. Command: `python validation/benchmarks/sweep_speed.py --fresh {n} --sweeps {len(sweeps)}`",
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
