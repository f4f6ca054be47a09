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
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

from ei_brian.core.engine import default_engine
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
from ei_brian.storage import load_spec, save_spec
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

    def sets(self, seed: int) -> tuple[Stimulus, Stimulus]:
        """Return calibration and test set."""
        calibration, test_set = load_dataset(
            self.data, seed=seed, encoding=self.encoding, calibration=True, n_images=self.n_images
        )
        return calibration, test_set.select(0, min(self.n_test, test_set.n_trials))


TASKS = {
    f"{name}_{word}": Task(data, n_images, 359, epochs, encoding)
    for name, data, n_images, epochs in (("digits", "digits", None, 16), ("fashion", "fashion-mnist", 3000, 8))
    for word, encoding in (("latency", "latency"), ("rate", "poisson"))
}


def trained(name: str, task: Task, seed: int, nets: Path) -> NetworkSpec:
    """Return the network that was trained with a seed, from its file where it was before."""
    file = nets / f"robustness_{name}_{seed}.h5"
    if not file.exists():
        train_set, _ = load_dataset(task.data, seed=seed, encoding=task.encoding, n_images=task.n_images)
        net = EINetwork(n_in=train_set.n_units, n_exc=160, n_inh=40, n_out=10, dt_ms=1.0, seed=seed)
        train(net, train_set, epochs=task.epochs, progress=False)
        nets.mkdir(parents=True, exist_ok=True)
        save_spec(export(net, f"net_{seed}"), file)
    return load_spec(file)


def fitted(spec: NetworkSpec, population: str, calibration: Stimulus, test_set: Stimulus, seed: int) -> tuple[NetworkSpec, str]:
    """Return a draw of cell types, calibrated, and what of the calibration's aims was not reached."""
    made = diversify(spec, "cortex FS/LTS", population, seed=seed)
    try:
        return calibrate(made, calibration, trained=spec, test_set=test_set, **CALIBRATED), ""
    except CalibrationError as error:
        if error.best is None:
            raise
        return error.best.network(), "; ".join(error.best.reasons)


def measure(name: str, seed: int, side: str, nets: Path, backend: Backend) -> dict[str, Any]:
    """Return accuracies (draw, level) of one side of one network, and what was not reached."""
    started, task = process_time(), TASKS[name]
    spec = trained(name, task, seed, nets)
    calibration, test_set = task.sets(seed)
    made = [(spec, "")] * DRAWS
    if side != TRAINED:
        made = [fitted(spec, SIDES[side], calibration, test_set, 1000 * seed + draw) for draw in range(DRAWS)]
    found = np.empty((DRAWS, len(LEVELS)))
    for column, level in enumerate(LEVELS):
        if level:
            noise = Noise.of(KIND, level)
            runs = backend.run_many([(one, test_set, noise, 1000 * seed + draw) for draw, (one, _) in enumerate(made)])
        else:  # the loop that calibration has compiled already; the same bits
            runs = [default_engine().simulate(one, test_set) for one, _ in made]
        found[:, column] = [recording.accuracy for recording in runs]
    print(name, seed, side, found.mean(axis=0).round(3).tolist(), flush=True)
    return {
        "levels": list(LEVELS), "kind": KIND, "n_test": test_set.n_trials, "accuracy": found.round(6).tolist(),
        "not_reached": {f"draw {draw}": why for draw, (_, why) in enumerate(made) if why},
        "cpu_seconds": round(process_time() - started, 1), "date": date.today().isoformat(),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not measured; write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--sides", nargs="+", choices=(TRAINED, *SIDES), default=[TRAINED, *SIDES])
    parser.add_argument("--nets", type=Path, default=Path("build/nets"), help="Where trained networks are kept.")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    backend = Backend("cpp_standalone", dtype="float32")
    for side in () if given.table else given.sides:
        for seed in given.seeds:
            for name in given.only:
                file = MEASURED / f"robustness_{name}_{seed}.json"
                kept = json.loads(file.read_text()) if file.exists() else {}
                if side not in kept:
                    kept[side] = measure(name, seed, side, given.nets, backend)
                    MEASURED.mkdir(exist_ok=True)
                    file.write_text(json.dumps(kept, indent=1) + "\n")
    write_table(HERE / "robustness.md")
    write_figure(HERE / "robustness.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
