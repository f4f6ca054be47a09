"""How much of a trained network's accuracy remains when its cells become real ones.

    python validation/biology/retained.py --dataset digits --encoding latency --seeds 0 1 2 3 4 --nets build/nets

Trains inputs-200(160 E / 40 I, recurrent)-10 networks (or loads them from ``--nets``), calibrates on the calibration set, and
measures on the test set. One JSON file per network in ``measured/``, replaced after each rung; a second call goes on where the
first was stopped, from the networks that it keeps beside the trained ones. `summary.py` makes the table.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
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
TEACHER = FineTuning(  # small steps towards the scores of the trained network, on trials varied anew each time
    epochs=4, batch_size=128, learning_rate=0.0015, distillation=10.0, input_deletion=0.1, input_jitter_ms=2.0,
    recurrent_gradient=False,
)  # fmt: skip
LABELS = FineTuning(
    epochs=6, learning_rate=0.01, input_deletion=0.1, input_jitter_ms=2.0, recurrent_gradient=False,
)  # fmt: skip
ENCODED_ANEW = FineTuning(epochs=1, learning_rate=0.01, recurrent_gradient=False)  # each image ENCODINGS times
ENCODINGS = 10
TUNING = {  # chosen on the calibration sets
    ("digits", "latency"): LABELS, ("digits", "poisson"): ENCODED_ANEW,
    ("fashion", "latency"): LABELS, ("fashion", "poisson"): TEACHER,
}  # fmt: skip
SETTINGS = {"iterations": 4, "most_trials": 80}
SYNAPSES = {"biology": ("conductances", "conductance"), "mixed": ("conductances between cells", "current")}
MIXES = {"cortex": "cortex FS/LTS", "CA3": "hippocampus CA3"}
PARTS = (
    "inh cortex", "inh CA3", "all cortex", "all CA3", "refit cortex", "tune cortex", "mixed cortex", "fine mixed cortex",
    "tune mixed cortex", "biology cortex", "fine biology cortex", "tune biology cortex",
)  # fmt: skip

Transform = Callable[[NetworkSpec], NetworkSpec]


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
    """The rungs of one network: each is made once, kept as a file, measured on the test set and written down."""

    def __init__(self, trained: NetworkSpec, test_set: Stimulus, kept: Path, head: dict[str, Any]) -> None:
        self.trained, self.test_set, self.kept, self.head = trained, test_set, kept, head
        self.out = RESULTS / f"{head['dataset']}_{head['encoding']}_{head['seed']}.json"
        before = json.loads(self.out.read_text()) if self.out.exists() else {}
        same = before.get("trained_sha256") == trained.sha256
        self.rows: dict[str, dict[str, Any]] = {row["rung"]: row for row in before["rungs"]} if same else {}
        decided = self.kept / f"{self.out.stem}_decisions.npy"
        if "trained" not in self.rows or not decided.exists():
            self.base_decisions = simulate(trained, test_set, np.float32).decisions
            self.add("trained", trained, 0.0)
            self.kept.mkdir(parents=True, exist_ok=True)
            np.save(decided, self.base_decisions)
        self.base_decisions = np.load(decided)

    def file_of(self, name: str) -> Path:
        """Return where the network of a rung is kept."""
        return self.kept / f"{self.out.stem}_{re.sub('[^a-zA-Z0-9.]+', '_', name)}.h5"

    def make(self, name: str, transform: Transform, spec: NetworkSpec | None) -> NetworkSpec | None:
        """Return the network of a rung, made by a transform unless it is known; None where it does not converge."""
        if spec is None or "error" in self.rows.get(name, {}):
            return None
        if name in self.rows and self.file_of(name).exists():
            return load_spec(self.file_of(name))
        started = process_time()
        try:
            made = transform(spec)
        except CalibrationError as error:
            self.rows[name] = {"rung": name, "error": str(error)}
            print(self.out.stem, name, error, flush=True)
            self.write()
            return None
        seconds = process_time() - started
        self.kept.mkdir(parents=True, exist_ok=True)
        save_spec(made, self.file_of(name))
        self.add(name, made, seconds)
        return made

    def add(self, name: str, spec: NetworkSpec, seconds: float) -> None:
        """Measure a network on the test set and write the file."""
        factor = round(self.trained.dt_ms / spec.dt_ms)
        got = simulate(spec, self.test_set.refined(factor), np.float32)
        base = self.rows.get("trained", {"accuracy": got.accuracy, "rate_and_trained_hz": {}})
        rates = {p: [got.rate_hz(p), base["rate_and_trained_hz"].get(p, [got.rate_hz(p)])[0]] for p in got.counts}
        retained = got.accuracy / base["accuracy"]
        self.rows[name] = {
            "rung": name, "accuracy": got.accuracy, "retained": retained,
            "agreement": float(np.mean(got.decisions == self.base_decisions)), "rate_and_trained_hz": rates,
            "cpu_seconds_to_make": round(seconds, 1), "date": date.today().isoformat(),
        }  # fmt: skip
        told = {p: f"{a:.1f}/{b:.1f}" for p, (a, b) in rates.items()}
        print(self.out.stem, name, f"{got.accuracy:.3f} retained {retained:.3f}", told, flush=True)
        self.write()

    def write(self) -> None:
        """Replace the result file."""
        part = self.out.with_suffix(".part")
        part.write_text(json.dumps({**self.head, "rungs": list(self.rows.values())}, indent=1) + "\n")
        part.replace(self.out)


def measurement(name: str, path: str, encoding: str, seed: int, nets: Path) -> tuple[Measurement, Stimulus, Stimulus]:
    """Return the measurement of one network, with its training and calibration sets."""
    trained = trained_network(name, path, encoding, seed, nets)
    calibration, test_set = load_dataset(path, seed=seed, encoding=encoding, calibration=True)
    train_set, _ = load_dataset(path, seed=seed, encoding=encoding)
    given = "" if name == "digits" else " --file fashion_mnist_3000.npz"
    head = {
        "dataset": name, "encoding": encoding, "seed": seed, "test_trials": test_set.n_trials,
        "trained_sha256": trained.sha256, "python": platform.python_version(),
        "versions": {p: version(p) for p in ("numpy", "torch", "brian2")},
        "command": f"python validation/biology/retained.py --dataset {name}{given} --encoding {encoding} --seeds {seed}",
        "settings": SETTINGS,
    }  # fmt: skip
    return Measurement(trained, test_set, nets / "rungs", head), train_set, calibration


def measure(run: Measurement, train_set: Stimulus, calibration: Stimulus, parts: set[str]) -> None:
    """Measure all rungs of one network."""
    trained, seed = run.trained, run.head["seed"]
    fit = calibrate(calibration, trained=trained, test_set=run.test_set, **SETTINGS)
    for word, mix in MIXES.items():
        if f"inh {word}" in parts:
            swap = diversify(mix=mix, seed=seed + 1)
            if seed == 0:
                run.make(f"inhibitory {word}, first map", swap, trained)
            run.make(f"inhibitory {word}, calibrated", lambda s, swap=swap: fit(swap(s)), trained)
    for word, mix in MIXES.items():
        if not {f"{part} {word}" for part in ("all", "refit", "tune", *SYNAPSES)} & parts:
            continue
        swap = diversify(mix=mix, population="all", seed=seed + 1)
        swapped = run.make(f"all {word}, calibrated", lambda s, swap=swap: fit(swap(s)), trained)
        if f"refit {word}" in parts:
            run.make(f"all {word}, readout refitted", lambda s: refit_readout(s, train_set, test_set=run.test_set), swapped)
        if f"tune {word}" in parts:
            run.make(f"all {word}, fine-tuned", lambda s: tuned(run, s, train_set, config_of(run)), swapped)
        for part, (named, inputs) in SYNAPSES.items():
            if f"{part} {word}" in parts:
                extra = {kind for kind in ("fine", "tune") if f"{kind} {part} {word}" in parts}
                biology(run, swapped, (train_set, calibration), f"all {word}, {named}, delays, plasticity", inputs, extra)


def config_of(run: Measurement) -> FineTuning:
    """Return how the swapped cells of this network are fine-tuned."""
    return TUNING[run.head["dataset"], run.head["encoding"]]


def tuned(run: Measurement, spec: NetworkSpec, train_set: Stimulus, config: FineTuning = TEACHER) -> NetworkSpec:
    """Return the network with all weights trained through its own cells."""
    if config is ENCODED_ANEW:
        train_set = encoded_anew(run.head["dataset"], run.head["seed"])
    teacher = run.trained if config.distillation > 0 else None
    return fine_tune(spec, train_set, config, teacher=teacher, test_set=run.test_set)


def encoded_anew(name: str, seed: int) -> Stimulus:
    """Return the training images as Poisson spikes, each ``ENCODINGS`` times with other random numbers."""
    sets = [load_dataset(name, seed=seed + 1000 * n, encoding="poisson")[0] for n in range(ENCODINGS)]
    dense, labels = (np.concatenate(parts) for parts in ([s.dense(np.uint8) for s in sets], [s.labels for s in sets]))
    return Stimulus(Spikes.from_dense(dense, sets[0].dt_ms), labels, sets[0].n_classes, sets[0].name)


def biology(
    run: Measurement, swapped: NetworkSpec | None, sets: tuple[Stimulus, Stimulus], name: str, inputs: str, extra: set[str]
) -> None:
    """Measure conductances, delays, plasticity and the fine time step on top of a network whose cells are swapped."""
    train_set, calibration = sets
    fit = calibrate(calibration, trained=run.trained, **SETTINGS)
    fine = calibrate(calibration, trained=run.trained, iterations=2, most_trials=60)

    def all_three(spec: NetworkSpec) -> NetworkSpec:
        made = spec | to_conductances(calibration, inputs=inputs) | with_delays(1.0, 2.0, seed=1)
        return fit(with_short_term_plasticity(made, "inh"))

    plastic = run.make(name, all_three, swapped)
    if "fine" in extra:
        run.make(f"{name}, 0.1 ms", lambda s: fine(refine_dt(s, 0.1)), plastic)
    if "tune" in extra:
        better = run.make(f"{name}, fine-tuned", lambda s: tuned(run, s, train_set), plastic)
        if "fine" in extra:
            run.make(f"{name}, fine-tuned, 0.1 ms", lambda s: fine(refine_dt(s, 0.1)), better)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=("digits", "fashion"), default="digits")
    parser.add_argument("--file", default="", help="npz file of the fashion images")
    parser.add_argument("--encoding", choices=("latency", "poisson"), default="latency")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--nets", type=Path, default=Path("build/nets"))
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    path = "digits" if given.dataset == "digits" else given.file
    for seed in given.seeds:
        run, train_set, calibration = measurement(given.dataset, path, given.encoding, seed, given.nets)
        measure(run, train_set, calibration, set(given.parts))


if __name__ == "__main__":
    main()
