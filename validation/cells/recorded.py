"""Two hundred interneurons of a laboratory's table of forty types in place of trained ones, calibrated within a minute.

    python -m validation.cells.recorded [--cells 200] [--types 40]

The table is made here, as fitted cells of a laboratory would look: rows of the form of Izhikevich 2007 around its published
interneurons (each of C, k, a, d within 20 % of a published value). It is written as CSV, read by `ei.cells_from_csv`, and put in
place of the inhibitory cells of a random network of 800 excitatory and 200 inhibitory cells that decides by a readout fitted to
its spikes. The first run builds compiled loops, which are kept; times are those of the whole call, of the wall clock and of the
processor.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

import ei_brian as ei
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import CalibrationError

COLUMNS = ("C", "k", "v_r", "v_t", "a", "b", "c", "d", "v_peak")
CLASSES = 10


def table(path: Path, n_types: int) -> None:
    """Write the table of fitted cells."""
    rng = np.random.default_rng(40)
    known = [kind for kind in CELL_TYPES.values() if kind.model == "izhikevich_2007" and kind.role == "inh"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["cell", "type", "depth_um", *COLUMNS])
        for number in range(n_types):
            kind = known[number % len(known)]
            spread = {name: rng.uniform(0.8, 1.2) if name in "Ckad" else 1.0 for name in COLUMNS}
            values = [kind.parameters[name] * spread[name] for name in COLUMNS]
            writer.writerow([f"m{number:02d}", kind.name, round(rng.uniform(100, 900)), *(f"{value:.6g}" for value in values)])


def stimulus(n_trials: int, seed: int) -> Stimulus:
    """Return noisy copies of one pattern of rates for each class."""
    patterns = np.random.default_rng(7).random((CLASSES, 100)) * 0.06
    rng = np.random.default_rng(seed)
    labels = np.arange(n_trials) % CLASSES
    dense = rng.random((n_trials, 100, 100)) < patterns[labels][:, None, :]
    return Stimulus(Spikes.from_dense(dense, 1.0), labels, CLASSES, "random")


def network(n_inhibitory: int) -> NetworkSpec:
    """Return a random network whose readout was fitted to the spikes of its excitatory cells."""
    rng = np.random.default_rng(1)
    n_e = 4 * n_inhibitory
    parts = (
        Population("input", 100, "input"), Population("E", n_e, "exc", "lif_exponential"),
        Population("I", n_inhibitory, "inh", "lif_exponential"), Population("out", CLASSES, "readout", "leaky_readout"),
    )  # fmt: skip
    links = [
        Projection("input", "E", rng.normal(0.12, 0.1, (n_e, 100)).astype(np.float32)),
        Projection("input", "I", rng.normal(0.12, 0.1, (n_inhibitory, 100)).astype(np.float32)),
        Projection("I", "E", (-0.03 * rng.random((n_e, n_inhibitory))).astype(np.float32)),
        Projection("E", "out", np.zeros((CLASSES, n_e), dtype=np.float32)),
    ]
    spec = NetworkSpec(parts, tuple(links), 1.0, Readout("out"))
    taught = stimulus(300, 2)
    spikes = simulate(spec, taught).spikes["E"]
    counts = np.zeros((300, n_e))
    np.add.at(counts, (spikes.trial, spikes.unit), 1.0)
    wanted = np.eye(CLASSES)[np.asarray(taught.labels)] - 1 / CLASSES
    centred = counts - counts.mean(axis=0)
    weights = np.linalg.solve(centred.T @ centred + 50 * np.eye(n_e), centred.T @ wanted).T
    weights -= weights.min(axis=0)  # Dale: the same for each class, which decides nothing
    links[-1] = Projection("E", "out", weights.astype(np.float32))
    return NetworkSpec(parts, tuple(links), 1.0, Readout("out"))


def main() -> None:
    """Print the times, and accuracy before and after on trials that nothing was chosen on."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cells", type=int, default=200)
    arguments.add_argument("--types", type=int, default=40)
    given = arguments.parse_args()
    spec, test = network(given.cells), stimulus(200, 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fitted_cells.csv"
        table(path, given.types)
        wall, cpu = perf_counter(), process_time()
        mine = ei.cells_from_csv(path, model="izhikevich_2007")
        swapped = spec | ei.diversify(mine, population="I", seed=1)
        refused = ""
        try:
            made = ei.calibrate(swapped, stimulus(100, 3))
        except CalibrationError as error:
            if error.best is None:
                raise
            made, refused = error.best.network(), f"; refused: {error}"
        wall, cpu = perf_counter() - wall, process_time() - cpu
    before, without, after = (simulate(each, test).accuracy for each in (spec, swapped, made))
    cost = f"{wall:.1f} s ({cpu:.1f} s of it computing)"
    print(f"{given.cells} cells of {len(mine)} types swapped and calibrated in {cost}{refused}")
    print(f"accuracy on 200 fresh trials: {before:.3f} trained, {without:.3f} swapped, {after:.3f} calibrated")


if __name__ == "__main__":
    main()
