"""What the default time step does to every cell type: rates and first spikes against converged ones.

    python validation/biology/time_step.py    # a minute, most of it compiling

Five constant currents from the rheobase (1.01 times it) to ten times it, one second from rest; converged is the same cell
by 0.01 ms. In the regime "currents" there is nothing else, in "conductances" a GABA_A conductance of a quarter of the cell's
capacitance per ms, in which the membrane follows its input within 4 ms, several times its own leak. A type passes where rates are
within 2 % and first spikes, found within the time step, within 0.5 ms. Written to ``measured/time_step.md`` and, for ``ei-brian
info`` and reports, to ``ei_brian/core/models/step_errors.csv``. Ends with 1 where a type does not pass.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import compiled_cells
import numpy as np

from ei_brian.core.models import MODELS, step_errors
from ei_brian.core.models.cell_types import CELL_TYPES, CellType
from ei_brian.core.models.sub_steps import WITH_CONDUCTANCES, stepped_for
from ei_brian.core.step_error import DRIVES, FIRST_WITHIN_MS, RATE_WITHIN, StepError, compared, rheobase

OUT = Path(__file__).parent / "measured" / "time_step.md"
TABLE = Path(step_errors.__file__).with_suffix(".csv")
DT_MS = 1.0
SUB_STEPS_MS = (0.5, 1 / 3, 0.25, 0.2, 1 / 6, 0.125, 0.1, 0.05)
REGIMES = {"currents": 0.0, "conductances": 0.25}  # conductance over capacitance, per ms
WITHOUT_RHEOBASE = (0.0, 100.0, 300.0, 600.0, 1000.0)  # pA: Traub-Miles fires without current


def errors(kind: CellType, opening_per_ms: float) -> tuple[float, dict[float, StepError]]:
    """Return the rheobase of a type (0 without one) and its errors for each length of the sub-step."""
    run = partial(compiled_cells.spike_times, opening_per_ms=opening_per_ms)
    least = rheobase(kind.model, kind.parameters, run)
    drives = np.array(DRIVES) * least if least else np.array(WITHOUT_RHEOBASE)
    model = MODELS[kind.model]
    fine = run(kind.model, kind.parameters, drives, 0.01)
    made = {}
    for longest in SUB_STEPS_MS:
        of_model = longest / WITH_CONDUCTANCES if opening_per_ms else longest
        MODELS[kind.model] = replace(model, longest_step_ms=of_model)
        made[longest] = compared(drives, run(kind.model, kind.parameters, drives, DT_MS), fine, DT_MS)
    MODELS[kind.model] = model
    return least, made


def rows() -> Iterator[dict[str, Any]]:
    """Yield a line of the table for each type and regime."""
    for kind in CELL_TYPES.values():
        model = MODELS[kind.model]
        for regime, opening in REGIMES.items():
            least, made = errors(kind, opening)
            used = stepped_for(model, (kind.name,), opening > 0).longest_step_ms
            now = made[used]
            yield {
                "cell_type": kind.name, "model": kind.model, "regime": regime, "dt_ms": DT_MS, "sub_step_ms": used,
                "longest_sub_step_ms": round(_longest(made), 3), "rheobase": round(least, 3), "unit": model.input_unit,
                "rates_hz": " ".join(f"{rate:g}" for rate in now.rate_hz), "rate_error": round(now.worst_rate, 5),
                "first_spike_error_ms": round(now.worst_first_ms, 3), "drives_cut": int(now.cut.sum()),
            }  # fmt: skip


def _longest(made: dict[float, StepError]) -> float:
    """Return the longest sub-step that passes, as all shorter ones do; 0 where not even the shortest does."""
    longest = 0.0
    for length in sorted(made):
        if not made[length].within:
            break
        longest = length
    return longest


def main() -> int:
    """Write both tables and return the exit code."""
    found = []
    for row in rows():
        found.append(row)
        print(row["cell_type"], row["regime"], f"{100 * row['rate_error']:.1f} %", row["first_spike_error_ms"], flush=True)
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    lines = [
        f"At a time step of {DT_MS:g} ms; made by `python validation/biology/time_step.py`. \"Cut\" counts drives under which\n"
        "the converged cell fires more than once per time step: a network of that step sends one spike per step at the most.\n\n"
        "| type | regime | sub-step, longest allowed (ms) | rheobase | rates (Hz) | rate error | first spike (ms) | cut |\n"
        "| --- | --- | ---: | ---: | --- | ---: | ---: | ---: |\n"
    ]
    lines += [
        f"| {r['cell_type']} | {r['regime']} | {r['sub_step_ms']:g}, {r['longest_sub_step_ms']:g} "
        f"| {r['rheobase']:g} {r['unit']} | {r['rates_hz']} | {100 * r['rate_error']:.1f} % "
        f"| {r['first_spike_error_ms']:.2f} | {r['drives_cut']} |\n"
        for r in found
    ]
    OUT.write_text("".join(lines), encoding="utf-8")
    late = [r for r in found if r["rate_error"] > RATE_WITHIN or r["first_spike_error_ms"] > FIRST_WITHIN_MS]
    print(f"{len(found) - len(late)} of {len(found)} within 2 % and 0.5 ms")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
