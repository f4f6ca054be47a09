"""Claim: 10,000 trials of 784-200-10 need less than 2 GiB in all, and 4,000 hidden units at 10 % connectivity no dense table.

Each case is a process of its own, so that the largest memory that it ever held is known: that of Python with all spikes, and that
of the largest process that it started (at most: Linux counts what a process was before it became the program). The second case
fails if any table of the run is as large as half a dense one. The input is made before, and counted. Results stand in
``validation/memory.csv``.

    python validation/memory.py
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_suffix(".csv")
COLUMNS = ("case", "trials", "spikes", "python_mib", "program_mib", "largest_table_mib", "limit_mib", "seconds", "date")
CASES = {  # hidden units, density, trials, limit in MiB
    "10,000 trials": (200, 1.0, 10_000, 2048),
    "4,000 hidden, sparse": (4000, 0.1, 500, 1024),
}


def measure(case: str) -> dict[str, object]:
    """Run one case in this process and return what it took."""
    sys.path.insert(0, str(ROOT))
    from ei_brian.sim.backend import Backend
    from ei_brian.sim.standalone.numbers import numbers_of
    from validation.benchmarks.network import STEPS, network, stimulus

    n_hidden, density, n_trials, limit = CASES[case]
    spec, shown = network(n_hidden, density), stimulus(n_trials)
    backend = Backend("cpp_standalone", dtype="float32")
    backend.run(spec, shown.select(0, 1))  # the compiler is not what is measured
    recording = backend.run(spec, shown)
    program = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    python = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    few = shown.select(0, 1)
    arrays = numbers_of(spec, few, np.dtype("float32"), "shared", STEPS, None, None, (), {"hidden": True, "out": False})
    largest = max(array.nbytes for name, array in arrays.items() if ".rows" in name or ".target" in name)
    return {
        "case": case, "trials": n_trials, "spikes": recording.spikes["hidden"].n_events, "python_mib": python // 1024,
        "program_mib": program // 1024,
        "largest_table_mib": round(largest / 2**20, 1), "limit_mib": limit, "seconds": round(recording.run_seconds, 2),
        "date": date.today().isoformat(), "total_kib": python + program, "largest": largest,
    }  # fmt: skip


def main() -> int:
    """Run every case and return 0 if each claim holds."""
    rows, good = [], True
    for case, (n_hidden, density, _, limit) in CASES.items():
        command = [sys.executable, __file__, case]
        for _ in range(2):  # the first may have to build, and then the compiler is the largest process
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        dense = 4 * n_hidden * n_hidden
        holds = row.pop("total_kib") < limit * 1024 and (density == 1 or row.pop("largest") < dense / 2)
        row.pop("largest", None)
        good &= holds
        rows.append(row)
        print(f"{'holds' if holds else 'FAILS'}: {row}", flush=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return 0 if good else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        sys.exit(main())
