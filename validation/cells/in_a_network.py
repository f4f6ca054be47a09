"""Three cells from Brian2 equations in place of the interneurons of a trained network, calibrated, with their reports.

    python -m validation.cells.in_a_network [folder]

Each of an adaptive exponential cell, an exponential integrate-and-fire cell and a leaky cell with adaptation becomes every
interneuron of the shipped network ``digits_ei80``, is calibrated on the calibration set, and decides the test set. The reports
are written to the folder.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from time import process_time

import ei_brian as ei
from ei_brian.config.shipped import shipped_file
from ei_brian.core.reference import simulate
from ei_brian.errors import CalibrationError
from ei_brian.report.settings import Settings
from ei_brian.storage import load_spec
from tests.sim.own_cells import PUBLISHED
from tests.sim.test_own_cells import made

NAMES = ("adaptive_exponential", "exponential_if", "adapting_lif")
TABLE = Path(__file__).with_suffix(".csv")
COLUMNS = ("model", "trained", "swapped", "calibrated", "seconds_of_calibration", "refused")


def main(folder: Path) -> None:
    """Write the table, and a report for each model."""
    calibration_set, _ = ei.load_dataset("digits", seed=0, calibration=True)
    _, test = ei.load_dataset("digits", seed=0)
    spec = load_spec(shipped_file("digits_ei80.h5"))
    trained = simulate(spec, test).accuracy
    rows: list[dict[str, object]] = []
    for which in PUBLISHED:
        if which.name not in NAMES:
            continue
        swapped = spec | ei.diversify(made(which), population="I", seed=1)
        start, refused = process_time(), ""
        try:
            network = ei.calibrate(swapped, calibration_set)
        except CalibrationError as error:
            if error.best is None:
                raise
            network, refused = error.best.network(), str(error)
        seconds = process_time() - start
        rows.append({
            "model": which.name, "trained": trained, "swapped": simulate(swapped, test).accuracy,
            "calibrated": simulate(network, test).accuracy, "seconds_of_calibration": round(seconds, 1), "refused": refused,
        })  # fmt: skip
        print(rows[-1], flush=True)
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        how = Settings(mix={made(which): 1.0}, levels=(0.0, 0.5), seeds=1, draws=1, controls=False)
        ei.report(spec, test, calibration=calibration_set, settings=how, output=folder / which.name)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/own_cells"))
