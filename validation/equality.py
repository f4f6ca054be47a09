"""Claim: torch (float64), the reference and every Brian2 backend give the same spikes, every one, on the whole digits test set.

Networks of 200 cells at 50:50, 80:20 and 100:0, recurrent and feed-forward, with initial weights that make them fire at about
20 Hz, and the trained network of ``models/``. Tolerance: none. The number of trials equal in float32 is written, not claimed.

    python validation/equality.py
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import torch

from ei_brian.config.shipped import shipped_file
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.data.datasets import load_dataset
from ei_brian.learn.export import export, simulate_torch
from ei_brian.learn.from_spec import network_from_spec
from ei_brian.learn.initial_rate import set_initial_rate
from ei_brian.learn.network import EINetwork
from ei_brian.report.comparison import compare
from ei_brian.sim.backend import Backend
from ei_brian.storage import load_spec

RESULTS = Path(__file__).resolve().parent / "equality.csv"
COLUMNS = ("network", "compared", "trials", "spikes", "differing_spikes", "equal_trials_float32", "date")
RATIOS = {"50:50": (100, 100), "80:20": (160, 40), "100:0": (200, 0)}
BACKENDS = ("numpy", "cython", "cpp_standalone")


def networks(events: torch.Tensor) -> Iterator[tuple[str, NetworkSpec]]:
    """Yield name and network of every case."""
    yield "trained 80:20", load_spec(shipped_file("digits_ei80.h5"))
    for ratio, (n_exc, n_inh) in RATIOS.items():
        for recurrent in (True, False):
            net = EINetwork(64, n_exc, n_inh, 10, seed=3, recurrent=recurrent)
            set_initial_rate(net, events, 20.0)
            yield f"{ratio} {'recurrent' if recurrent else 'feed-forward'}", export(net)


def main() -> int:
    """Compare, write the table, and return 0 if not one spike differs."""
    _, test_set = load_dataset("digits", dt_ms=1.0, seed=0)
    rows, differing = [], 0
    for name, spec in networks(torch.from_numpy(np.asarray(test_set.select(0, 100).dense(np.float32)))):
        expected, _ = simulate_torch(network_from_spec(spec), test_set)
        found = {"reference": simulate(spec, test_set).spikes}
        found |= {backend: Backend(backend).run(spec, test_set).spikes for backend in BACKENDS}
        single = compare("float64", expected, "float32", Backend("cpp_standalone", dtype="float32").run(spec, test_set).spikes)
        for other, spikes in found.items():
            result = compare("torch", expected, other, spikes)
            differing += result.differing_spikes
            counts = (result.n_trials, result.n_spikes, result.differing_spikes, single.equal_trials)
            rows.append((name, f"torch and {other}", *counts, date.today().isoformat()))
            print(*rows[-1], flush=True)
    with RESULTS.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return 0 if differing == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
