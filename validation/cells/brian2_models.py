"""Published models, given by their equations, against plain Brian2 with its own integrator at the same time step.

Every model is read by `ei.cell` without a step written by hand and run by the reference; Brian2 runs the same equations by the
same method. Twelve constant currents a model, no noise. Run from the root of the repository:

    python -m validation.cells.brian2_models [name ...]       # rows of validation/cells/brian2_models.csv

Columns: spikes of both, spikes that only one of them has, step of the first of these, seconds to read the equations.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

from ei_brian.core.reference import simulate
from tests.sim.own_cells import PUBLISHED, TWO_COMPARTMENTS, Published
from tests.sim.test_own_cells import driven, in_plain_brian2, made, silence
from validation.cells.models import MORE

ALL = (*PUBLISHED, TWO_COMPARTMENTS, *MORE)
TABLE = Path(__file__).with_suffix(".csv")
COLUMNS = ("model", "method", "dt_ms", "spikes", "of_brian2", "in_one_only", "first_difference_step", "read_s", "reference")
Row = dict[str, object]


def compared(which: Published) -> Row:
    """Return the row of one model."""
    start = time.process_time()
    model = made(which)
    read_s = time.process_time() - start
    found = simulate(driven(model, which), silence(which)).spikes["cells"]
    steps, cells = in_plain_brian2(which, model.input_unit)
    ours = set(zip(found.step.tolist(), found.unit.tolist(), strict=True))
    theirs = set(zip(steps.tolist(), cells.tolist(), strict=True))
    first = min((step for step, _ in ours ^ theirs), default="")
    return {
        "model": which.name, "method": which.method, "dt_ms": which.dt_ms, "spikes": len(ours), "of_brian2": len(theirs),
        "in_one_only": len(ours ^ theirs), "first_difference_step": first, "read_s": f"{read_s:.1f}",
        "reference": which.reference,
    }  # fmt: skip


def main(names: list[str]) -> None:
    """Compare all models, or those named, and put their rows into the table, which is written after each."""
    known: dict[str, Row] = {}
    if names and TABLE.is_file():
        with TABLE.open(encoding="utf-8", newline="") as file:
            known = {row["model"]: dict(row) for row in csv.DictReader(file)}
    for which in ALL:
        if names and which.name not in names:
            continue
        known[which.name] = compared(which)
        print(", ".join(f"{key} {value}" for key, value in known[which.name].items() if key != "reference"), flush=True)
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(known[each.name] for each in ALL if each.name in known)


if __name__ == "__main__":
    main(sys.argv[1:])
