"""A sweep of 200 conditions × 300 trials against one process with a fresh build for each condition.

``python validation/benchmarks/sweep_speed.py [--fresh 200]`` writes ``sweep_speed.md``. Both ways use one process at a time and
the same network, stimulus and noise; the accuracies are compared, so that both did the same work. With ``--fresh`` below 200
the conditions of the slow way are a sample, evenly spaced, and its time for 200 is the mean times 200.
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

from network import network, stimulus

from ei_brian.config.sweep_run import BackendSettings, simulation_work
from ei_brian.sim.cache_root import VARIABLE
from ei_brian.study.plan import NoiseLevels, Plan, Variant
from ei_brian.study.pool import Pool
from ei_brian.study.sweep import sweep
from ei_brian.study.table import read_table

N_TRIALS = 300
BACKEND = BackendSettings("cpp_standalone")


def plan() -> Plan:
    """Return 2 variants × 2 kinds of noise × 5 levels × 10 seeds."""
    variants = tuple(Variant(f"threshold {threshold:g}", (network(threshold=threshold),)) for threshold in (0.45, 0.6))
    noises = (
        NoiseLevels("membrane_white", (0.02, 0.05, 0.1, 0.2, 0.4)),
        NoiseLevels("spike_failure", (0.05, 0.1, 0.2, 0.3, 0.5)),
    )
    return Plan(variants, noises, tuple(range(10)), stimulus(N_TRIALS), BACKEND.versions())


def one(index: int) -> None:
    """Compute one condition in this process and print its accuracy."""
    made = plan()
    print(json.dumps(simulation_work(made, BACKEND)(made.conditions()[index])["accuracy"]))


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
    parser.add_argument("--one", type=int, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--output", "-o", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    if options.one is not None:
        one(options.one)
        return
    with tempfile.TemporaryDirectory() as place:
        os.environ[VARIABLE] = str(Path(place, "cache"))
        started, before = perf_counter(), _children()
        made = plan()
        conditions = made.conditions()
        sweep(conditions, Path(place, "results"), Pool(partial(simulation_work, made, BACKEND), 1))
        wall, cpu = perf_counter() - started, _children() - before
        rows = read_table(Path(place, "results"))
    chosen = [round(k * (len(conditions) - 1) / max(options.fresh - 1, 1)) for k in range(options.fresh)]
    found = [fresh(index) for index in chosen]
    different = [index for index, (_, _, accuracy) in zip(chosen, found, strict=True) if rows[index]["accuracy"] != accuracy]
    slow_wall, slow_cpu = (200 * sum(column) / len(found) for column in list(zip(*found, strict=True))[:2])
    options.output.write_text(_text(wall, cpu, slow_wall, slow_cpu, len(found), len(different), len(conditions)))
    print(options.output.read_text())


def _text(wall: float, cpu: float, slow_wall: float, slow_cpu: float, n: int, n_different: int, n_conditions: int) -> str:
    part = f"{n} measured, evenly spaced; the time for {n_conditions} is their mean times {n_conditions}"
    how = "all measured" if n == n_conditions else part
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return "\n".join([
        f"# A sweep of {n_conditions} conditions × {N_TRIALS} trials",
        "",
        "784–200–10 network, 100 steps, two thresholds × two kinds of noise × five levels × ten seeds, C++ programs, one process "
        "at a time.",
        "",
        "| way | wall (s) | processor time (s) |",
        "| --- | ---: | ---: |",
        f"| `ei_brian.study.sweep`, one worker, empty cache at the start | {wall:.0f} | {cpu:.0f} |",
        f"| one process and one fresh build a condition ({how}) | {slow_wall:.0f} | {slow_cpu:.0f} |",
        f"| **ratio** | **{slow_wall / wall:.1f}** | **{slow_cpu / cpu:.1f}** |",
        "",
        f"Accuracies that differ between the two ways: {n_different} of {n}.",
        "",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, brian2 {version('brian2')}, numpy {version('numpy')}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores, load average {load} (other work ran beside it). Command: "
        f"`python validation/benchmarks/sweep_speed.py --fresh {n}`",
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
