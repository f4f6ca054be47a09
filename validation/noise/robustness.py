"""Who withstands noise better, the trained network or the same network with real cells: curves under equal noise.

    python -m validation.noise.robustness                      # everything that is not measured yet, then table and figure
    python -m validation.noise.robustness --only digits_latency --seeds 0
    python -m validation.noise.robustness --table              # only table and figure of what was measured

Equal noise is an Ornstein-Uhlenbeck current (5 ms) whose level is the standard deviation of the free potential that it causes, as
a share of each cell's own distance to threshold. Two data sets, two codings; of each, five networks (inputs-160 E/40 I-10,
trained with that seed); of each network, five draws of cell types, calibrated, and for each draw one noise seed, the same on all
sides. A network is one unit: its draws are averaged, intervals are Student's t over the five networks, differences are taken
within a network. One JSON file per network, ``measured/robustness_<data>_<coding>_<seed>.json``; a second call goes on from
there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from time import process_time
from typing import Any

import numpy as np
import torch

from ei_brian.core.noise.noise import Noise
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.diversify import diversify
from ei_brian.data.datasets import load_dataset
from ei_brian.errors import CalibrationError
from ei_brian.learn.export import export
from ei_brian.learn.network import EINetwork
from ei_brian.learn.train import train
from ei_brian.sim.backend import Backend
from validation.noise.robustness_table import HERE, MEASURED, write_figure, write_table

KIND, LEVELS = "membrane_ou_sd", (0.0, 0.2, 0.5, 1.0, 1.5)
DRAWS, SEEDS = 5, (0, 1, 2, 3, 4)
TRAINED, CALIBRATED = "as trained", {"iterations": 4, "most_trials": 80}
SIDES: Mapping[str, str] = {"interneurons FS/LTS": "inh", "all cells RS, FS/LTS": "all"}


@dataclass(frozen=True, slots=True)
class Task:
    """A data set in a coding.

    Parameters
    ----------
    data : str
        Of `load_dataset`.
    n_images : int, optional
        How many images are divided.
    n_test : int
        Test trials that are run.
    epochs : int
        Of training.
    encoding : str
        Latency, or a rate code.
    """

    data: str
    n_images: int | None
    n_test: int
    epochs: int
    encoding: str

    def sets(self, seed: int) -> tuple[Stimulus, Stimulus, Stimulus]:
        """Return training, calibration and test set."""
        both = [
            load_dataset(self.data, seed=seed, encoding=self.encoding, calibration=calibration, n_images=self.n_images)
            for calibration in (False, True)
        ]
        test_set = both[0][1]
        return both[0][0], both[1][0], test_set.select(0, min(self.n_test, test_set.n_trials))


TASKS = {
    f"{name}_{word}": Task(data, n_images, 359, epochs, encoding)
    for name, data, n_images, epochs in (("digits", "digits", None, 16), ("fashion", "fashion-mnist", 3000, 8))
    for word, encoding in (("latency", "latency"), ("rate", "poisson"))
}


def trained(task: Task, train_set: Stimulus, seed: int) -> NetworkSpec:
    """Return the network that was trained with a seed."""
    net = EINetwork(n_in=train_set.n_units, n_exc=160, n_inh=40, n_out=10, dt_ms=1.0, seed=seed)
    train(net, train_set, epochs=task.epochs, progress=False)
    return export(net, f"net_{seed}")


def fitted(spec: NetworkSpec, population: str, calibration: Stimulus, test_set: Stimulus, seed: int) -> tuple[NetworkSpec, str]:
    """Return a draw of cell types, calibrated, and what of the calibration's aims was not reached."""
    made = diversify(spec, "cortex FS/LTS", population, seed=seed)
    try:
        return calibrate(made, calibration, trained=spec, test_set=test_set, **CALIBRATED), ""
    except CalibrationError as error:
        if error.best is None:
            raise
        return error.best.network(), "; ".join(error.best.reasons)


def measure(task: Task, seed: int, backend: Backend) -> dict[str, Any]:
    """Return accuracies (draw, level) of every side of one network, and what was not reached."""
    started = process_time()
    train_set, calibration, test_set = task.sets(seed)
    spec = trained(task, train_set, seed)
    sides: dict[str, list[NetworkSpec]] = {TRAINED: [spec] * DRAWS}
    refused = {}
    for name, population in SIDES.items():
        made = [fitted(spec, population, calibration, test_set, 1000 * seed + draw) for draw in range(DRAWS)]
        sides[name] = [each for each, _ in made]
        refused |= {f"{name}, draw {draw}": why for draw, (_, why) in enumerate(made) if why}
    found: dict[str, list[list[float]]] = {}
    for name, specs in sides.items():
        found[name] = [[0.0] * len(LEVELS) for _ in specs]
        for column, level in enumerate(LEVELS):
            noise = Noise.of(KIND, level) if level else None
            runs = backend.run_many([(one, test_set, noise, 1000 * seed + draw) for draw, one in enumerate(specs)])
            for draw, recording in enumerate(runs):
                found[name][draw][column] = recording.accuracy
        print(f"  {name}: {np.mean(found[name], axis=0).round(3).tolist()}", flush=True)
    return {
        "levels": list(LEVELS), "kind": KIND, "n_test": test_set.n_trials, "accuracy": found, "not_reached": refused,
        "cpu_seconds": round(process_time() - started, 1), "date": date.today().isoformat(),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not measured; write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    backend = Backend("cpp_standalone", dtype="float32")
    for name in () if given.table else given.only:
        for seed in given.seeds:
            file = MEASURED / f"robustness_{name}_{seed}.json"
            if not file.exists():
                print(name, seed, flush=True)
                found = measure(TASKS[name], seed, backend)
                MEASURED.mkdir(exist_ok=True)
                file.write_text(json.dumps(found, indent=1) + "\n")
    write_table(HERE / "robustness.md")
    write_figure(HERE / "robustness.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
