"""How much of a trained network's accuracy remains when its cells become real ones.

    python validation/biology/retained.py --dataset digits --encoding latency --seeds 0 1 2 --nets build/nets

Trains 64-200(160 E / 40 I, recurrent)-10 networks (or loads them from ``--nets``), calibrates on the calibration set, and
measures on the test set. One JSON file per network in ``measured/``; ``python validation/biology/summary.py`` makes the table.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.delays import with_delays
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.core.transform.refine import refine_dt
from ei_brian.data.datasets import load_dataset
from ei_brian.errors import CalibrationError
from ei_brian.learn.export import export
from ei_brian.learn.fine_tune import FineTuning, fine_tune, refit_readout
from ei_brian.learn.network import EINetwork
from ei_brian.learn.train import train
from ei_brian.storage import load_spec, save_spec

RESULTS = Path(__file__).parent / "measured"
EPOCHS = {"digits": 16, "fashion": 8}
TUNING = FineTuning(epochs=1, learning_rate=0.004)
SETTINGS = {"iterations": 4, "most_trials": 80}


def trained_network(name: str, path: str, encoding: str, seed: int, nets: Path) -> NetworkSpec:
    """Return the trained network, from its file or by training."""
    file = nets / f"{name}_{encoding}_{seed}.h5"
    if file.exists():
        return load_spec(file)
    train_set, _ = load_dataset(path, seed=seed, encoding=encoding)
    net = EINetwork(n_in=train_set.n_units, n_exc=160, n_inh=40, n_out=10, dt_ms=1.0, seed=seed)
    train(net, train_set, epochs=EPOCHS[name])
    nets.mkdir(parents=True, exist_ok=True)
    spec = export(net, f"{name}_{encoding}_{seed}")
    save_spec(spec, file)
    return spec


class Measurement:
    """The rungs of one network, written after each."""

    def __init__(self, trained: NetworkSpec, test_set: Stimulus, out: Path, head: dict[str, Any]) -> None:
        self.trained, self.test_set, self.out = trained, test_set, out
        self.base = simulate(trained, test_set)
        self.rows: list[dict[str, Any]] = []
        self.head = head
        self.add("trained", trained, 0.0)

    def add(self, name: str, spec: NetworkSpec, seconds: float) -> None:
        """Measure a network on the test set and write the file."""
        factor = round(self.trained.dt_ms / spec.dt_ms)
        got = simulate(spec, self.test_set.refined(factor), np.float32)
        rates = {p: [got.rate_hz(p), self.base.rate_hz(p)] for p in got.counts}
        self.rows.append({
            "rung": name, "accuracy": got.accuracy, "retained": got.accuracy / self.base.accuracy,
            "agreement": float(np.mean(got.decisions == self.base.decisions)), "rate_and_trained_hz": rates,
            "seconds_to_make": round(seconds, 1),
        })  # fmt: skip
        print(self.out.stem, name, f"{got.accuracy:.3f} retained {got.accuracy / self.base.accuracy:.3f}", rates, flush=True)
        self.write()

    def make(self, name: str, transform: Callable[[NetworkSpec], NetworkSpec], spec: NetworkSpec | None) -> NetworkSpec | None:
        """Apply a transform, measure what comes out, and return it; None where it does not converge."""
        if spec is None:
            return None
        started = perf_counter()
        try:
            made = transform(spec)
        except CalibrationError as error:
            self.rows.append({"rung": name, "error": str(error)})
            self.write()
            return None
        self.add(name, made, perf_counter() - started)
        return made

    def write(self) -> None:
        """Replace the result file."""
        self.out.write_text(json.dumps({**self.head, "rungs": self.rows}, indent=1) + "\n")


def measure(name: str, path: str, encoding: str, seed: int, nets: Path, parts: set[str]) -> None:
    """Measure all rungs of one network."""
    trained = trained_network(name, path, encoding, seed, nets)
    calibration, test_set = load_dataset(path, seed=seed, encoding=encoding, calibration=True)
    train_set, _ = load_dataset(path, seed=seed, encoding=encoding)
    quoted = " ".join(f"\"{part}\"" for part in sorted(parts))
    head = {
        "dataset": name, "encoding": encoding, "seed": seed, "test_trials": test_set.n_trials, "date": date.today().isoformat(),
        "python": platform.python_version(), "versions": {p: version(p) for p in ("numpy", "torch", "brian2")},
        "command": f"python validation/biology/retained.py --dataset {name} --encoding {encoding} --seeds {seed} "
        f"--parts {quoted}",
        "settings": SETTINGS,
    }  # fmt: skip
    run = Measurement(trained, test_set, RESULTS / f"{name}_{encoding}_{seed}.json", head)
    fit = calibrate(calibration, trained=trained, test_set=test_set, **SETTINGS)
    swaps = {"cortex": "cortex FS/LTS", "CA3": "hippocampus CA3"}
    for word, mix in swaps.items():
        if f"inh {word}" in parts:
            swap = diversify(mix=mix, seed=seed + 1)
            run.make(f"inhibitory {word}, first map", swap, trained)
            run.make(f"inhibitory {word}, calibrated", lambda s, swap=swap: fit(swap(s)), trained)
    for word, mix in swaps.items():
        if f"all {word}" not in parts:
            continue
        swap = diversify(mix=mix, population="all", seed=seed + 1)
        swapped = run.make(f"all {word}, calibrated", lambda s, swap=swap: fit(swap(s)), trained)
        if f"biology {word}" in parts:
            biology(run, swapped, calibration, trained, word)
        if f"tune {word}" in parts:
            run.make(f"all {word}, readout refitted", lambda s: refit_readout(s, train_set, test_set=test_set), swapped)
            run.make(f"all {word}, fine-tuned", lambda s: fine_tune(s, train_set, TUNING, test_set=test_set), swapped)


def biology(run: Measurement, swapped: NetworkSpec | None, calibration: Stimulus, trained: NetworkSpec, word: str) -> None:
    """Measure conductances, delays, plasticity and the fine time step on top of a network whose cells are swapped."""
    fit = calibrate(calibration, trained=trained, **SETTINGS)
    fine = calibrate(calibration, trained=trained, iterations=2, most_trials=60)

    def all_three(spec: NetworkSpec) -> NetworkSpec:
        return fit(spec | to_conductances(calibration) | with_delays(1.0, 2.0, seed=1) | with_short_term_plasticity("inh"))

    plastic = run.make(f"all {word}, conductances, delays, plasticity", all_three, swapped)
    run.make(f"all {word}, conductances, delays, plasticity, 0.1 ms", lambda s: fine(refine_dt(s, 0.1)), plastic)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=("digits", "fashion"), default="digits")
    parser.add_argument("--file", default="", help="npz file of the fashion images")
    parser.add_argument("--encoding", choices=("latency", "poisson"), default="latency")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--nets", type=Path, default=Path("build/nets"))
    words = ["inh cortex", "inh CA3", "all cortex", "biology cortex", "all CA3", "tune cortex"]
    parser.add_argument("--parts", nargs="+", default=words)
    given = parser.parse_args()
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    path = "digits" if given.dataset == "digits" else given.file
    for seed in given.seeds:
        measure(given.dataset, path, given.encoding, seed, given.nets, set(given.parts))


if __name__ == "__main__":
    main()
