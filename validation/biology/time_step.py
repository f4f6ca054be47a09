"""What the default time step does to every cell type: rates and first spikes against converged ones.

    python validation/biology/time_step.py    # a minute, most of it compiling

Five constant currents from the rheobase (1.01 times it) to ten times it, one second from rest; converged is the same cell
by 0.01 ms. In the regime "currents" there is nothing else, in "conductances" a GABA_A conductance of a quarter of the cell's
capacitance per ms, in which the membrane follows its input within 4 ms, several times its own leak. A type passes where rates are
within 2 % and first spikes, found within the time step, within 0.5 ms.

A network of a longer time step has the same sub-steps, but shows spikes on its own grid, one a step at the most. The longest time
step allowed (``max_dt_ms`` of the model, which a test compares with this table) is the longest at which what is shown has the
converged number of spikes within 2 % (or one, at the end of the run), and the middle of the step that holds the first spike is
within 0.5 ms and a sub-step, under every drive by which the converged cell fires up to 500 times a second.

Written to ``measured/time_step.md`` and, for ``ei-brian info`` and reports, to ``ei_brian/core/models/step_errors.csv``. Ends
with 1 where a type does not pass.
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
from ei_brian.core.step_error import DRIVES, DURATION_MS, FIRST_WITHIN_MS, RATE_WITHIN, StepError, compared, rheobase

OUT = Path(__file__).parent / "measured" / "time_step.md"
TABLE = Path(step_errors.__file__).with_suffix(".csv")
DT_MS = 1.0
TIME_STEPS_MS = (0.25, 0.5, 1.0, 2.0, 4.0)
SUB_STEPS_MS = (0.5, 1 / 3, 0.25, 0.2, 1 / 6, 0.125, 0.1, 0.05)
REGIMES = {"currents": 0.0, "conductances": 0.25}  # conductance over capacitance, per ms
LEAST_INTERVAL_MS = 2.0  # drives under which cells fire faster, a second long, are beyond any neuron's
WITHOUT_RHEOBASE = (0.0, 100.0, 300.0, 600.0, 1000.0)  # pA: Traub-Miles fires without current


def errors(kind: CellType, opening_per_ms: float, used_ms: float) -> tuple[float, dict[float, StepError], float]:
    """Return the rheobase of a type (0 without one), its errors for each length of the sub-step, and its longest time step."""
    run = partial(compiled_cells.spike_times, opening_per_ms=opening_per_ms)
    least = rheobase(kind.model, kind.parameters, run)
    drives = np.array(DRIVES) * least if least else np.array(WITHOUT_RHEOBASE)
    model = MODELS[kind.model]
    fine = run(kind.model, kind.parameters, drives, 0.01)
    made, longest_dt = {}, 0.0
    for longest in SUB_STEPS_MS:
        of_model = longest / WITH_CONDUCTANCES if opening_per_ms else longest
        MODELS[kind.model] = replace(model, longest_step_ms=of_model)
        times = run(kind.model, kind.parameters, drives, DT_MS)
        made[longest] = compared(drives, times, fine, DT_MS)
        if longest == used_ms:
            allowed = [dt for dt in TIME_STEPS_MS if _as_shown(drives, times, fine, dt, longest)]
            longest_dt = max(allowed, default=0.0)
    MODELS[kind.model] = model
    return least, made, longest_dt


def _as_shown(drives: Any, times: list[Any], fine: list[Any], dt_ms: float, sub_step_ms: float) -> bool:
    """Return whether a network of that time step shows the rates and first spikes of the converged cells."""
    on_grid = []
    for train in times:
        step = np.floor((train - 1e-6) / dt_ms)  # the step that holds the sub-step with the spike
        for k in range(1, step.size):
            step[k] = max(step[k], step[k - 1] + 1)  # one spike a step, the next one in the next
        on_grid.append((step[(step + 1) * dt_ms <= DURATION_MS] + 0.5) * dt_ms)
    counts, wanted = (np.array([train.size for train in trains]) for trains in (on_grid, fine))
    error = compared(drives, on_grid, fine, LEAST_INTERVAL_MS)
    right = np.abs(counts - wanted) <= np.maximum(RATE_WITHIN * wanted, 1)
    return bool(np.all(right | error.cut)) and error.worst_first_ms <= FIRST_WITHIN_MS + sub_step_ms


def rows() -> Iterator[dict[str, Any]]:
    """Yield a line of the table for each type and regime."""
    for kind in CELL_TYPES.values():
        model = MODELS[kind.model]
        for regime, opening in REGIMES.items():
            used = stepped_for(model, (kind.name,), opening > 0).longest_step_ms
            least, made, longest_dt = errors(kind, opening, used)
            now = made[used]
            yield {
                "cell_type": kind.name, "model": kind.model, "regime": regime, "dt_ms": DT_MS, "sub_step_ms": used,
                "longest_sub_step_ms": round(_longest(made), 3), "longest_dt_ms": longest_dt,
                "rheobase": round(least, 3), "unit": model.input_unit,
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
        "| type | regime | sub-step, longest allowed (ms) | longest time step (ms) | rheobase | rates (Hz) "
        "| rate error | first spike (ms) | cut |\n"
        "| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |\n"
    ]
    lines += [
        f"| {r['cell_type']} | {r['regime']} | {r['sub_step_ms']:g}, {r['longest_sub_step_ms']:g} "
        f"| {r['longest_dt_ms']:g} | {r['rheobase']:g} {r['unit']} | {r['rates_hz']} | {100 * r['rate_error']:.1f} % "
        f"| {r['first_spike_error_ms']:.2f} | {r['drives_cut']} |\n"
        for r in found
    ]
    OUT.write_text("".join(lines), encoding="utf-8")
    late = [r for r in found if r["rate_error"] > RATE_WITHIN or r["first_spike_error_ms"] > FIRST_WITHIN_MS]
    print(f"{len(found) - len(late)} of {len(found)} within 2 % and 0.5 ms")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
