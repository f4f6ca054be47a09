"""What the default time step does to each cell type, as `validation/biology/time_step.py` measured it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["MeasuredError", "measured_errors", "step_error_words"]

TABLE = Path(__file__).with_suffix(".csv")


@dataclass(frozen=True, slots=True)
class MeasuredError:
    """Largest errors of a type over five drives from its rheobase to ten times it.

    Parameters
    ----------
    dt_ms : float
        Time step of the network.
    rate : float
        Error of the rate, as a share of the converged one.
    first_spike_ms : float
        Error of the first spike, as found within the time step.
    drives_cut : int
        Under how many of the drives the converged cell fires more than once per time step, which no such network can show.
    """

    dt_ms: float
    rate: float
    first_spike_ms: float
    drives_cut: int


@lru_cache(maxsize=1)
def measured_errors() -> dict[str, MeasuredError]:
    """Return the larger of the errors with currents and with conductances, by cell type."""
    found: dict[str, MeasuredError] = {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            now = (float(row["rate_error"]), float(row["first_spike_error_ms"]), int(row["drives_cut"]))
            old = found.get(row["cell_type"])
            if old is not None:
                now = (max(now[0], old.rate), max(now[1], old.first_spike_ms), max(now[2], old.drives_cut))
            found[row["cell_type"]] = MeasuredError(float(row["dt_ms"]), *now)
    return found


def step_error_words(cell_types: Iterable[str], dt_ms: float) -> str:
    """Return a sentence on the step error of cell types in a network; empty for types that were not measured."""
    known = measured_errors()
    named = [name for name in dict.fromkeys(cell_types) if name in known]
    if not named:
        return ""
    rate, first = (max(getattr(known[name], field) for name in named) for field in ("rate", "first_spike_ms"))
    measured = known[named[0]].dt_ms
    at = f"at {measured:g} ms" + ("" if dt_ms == measured else f" (here {dt_ms:g} ms)")
    cut = [name for name in named if known[name].drives_cut]
    more = f"; above {1e3 / dt_ms:g} Hz, which {', '.join(cut)} can reach, rates are cut" if cut else ""
    return f"step error {at}: rates within {100 * rate:.1f} %, first spikes within {first:.2f} ms of converged{more}"
