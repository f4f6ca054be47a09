"""Three cells from Brian2 equations in place of the interneurons of a trained network, calibrated, with their reports.

    python -m validation.cells.in_a_network [model ...]

Each of an adaptive exponential cell, an exponential integrate-and-fire cell and a leaky cell with adaptation becomes every
interneuron of the shipped network ``digits_ei80``, is calibrated on the calibration set, and decides the test set. The table
has a row of each; the reports are written to ``reports/``, without their HTML page and with figures of 256 colours. With names of
models, only their reports are made again.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import process_time

from PIL import Image

import ei_brian as ei
from ei_brian.config.shipped import shipped_file
from ei_brian.core.reference import simulate
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import CalibrationError
from ei_brian.report.settings import Settings
from ei_brian.storage import load_spec
from tests.sim.own_cells import PUBLISHED, Published
from tests.sim.test_own_cells import made

NAMES = ("adaptive_exponential", "exponential_if", "adapting_lif")
TABLE, REPORTS = Path(__file__).with_suffix(".csv"), Path(__file__).parent / "reports"
COLUMNS = ("model", "trained", "swapped", "calibrated", "seconds_of_calibration", "refused")


def compact(folder: Path) -> None:
    """Leave of a report what is read where the repository is read: text, numbers, and figures of few colours."""
    (folder / "report.html").unlink()
    (folder / "numbers" / "rate_course.csv").unlink()
    for path in sorted((folder / "figures").glob("*.png")):
        Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main(only: Sequence[str] = ()) -> None:
    """Write the table, and a report for each model; where some are named, their reports alone."""
    calibration_set, _ = ei.load_dataset("digits", seed=0, calibration=True)
    _, test = ei.load_dataset("digits", seed=0)
    spec = load_spec(shipped_file("digits_ei80.h5"))
    trained = simulate(spec, test).accuracy
    rows: list[dict[str, object]] = []
    for which in PUBLISHED:
        if which.name not in (only or NAMES):
            continue
        if not only:
            rows.append(row(which, spec, trained, calibration_set, test))
            write(rows)
        how = Settings(mix={made(which): 1.0}, levels=(0.0, 0.5), seeds=1, draws=1, controls=False)
        ei.report(spec, test, calibration=calibration_set, settings=how, output=REPORTS / which.name)
        compact(REPORTS / which.name)


def row(
    which: Published, spec: ei.NetworkSpec, trained: float, calibration_set: Stimulus, test: Stimulus
) -> dict[str, object]:  # fmt: skip
    """Return what a model makes of the network, swapped and calibrated."""
    swapped = spec | ei.diversify(made(which), population="I", seed=1)
    start, refused = process_time(), ""
    try:
        network = ei.calibrate(swapped, calibration_set)
    except CalibrationError as error:
        if error.best is None:
            raise
        network, refused = error.best.network(), str(error)
    seconds = process_time() - start
    found: dict[str, object] = {
        "model": which.name, "trained": trained, "swapped": simulate(swapped, test).accuracy,
        "calibrated": simulate(network, test).accuracy, "seconds_of_calibration": round(seconds, 1), "refused": refused,
    }  # fmt: skip
    print(found, flush=True)
    return found


def write(rows: Sequence[Mapping[str, object]]) -> None:
    """Write the table."""
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
