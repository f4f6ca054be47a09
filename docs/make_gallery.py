"""Makes the gallery of cell types: potentials, f-I curves, and a table of where each cell stands.

    python docs/make_gallery.py

Every number and line is simulated here (`ei_brian.core.reference`, sub-steps of 0.05 ms at most); the rheobase is that of
`ei_brian/core/models/step_errors.csv`, which `validation/biology/time_step.py` measures.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ei_brian.core.models import step_errors
from ei_brian.core.models.cell_types import CELL_TYPES, CellType
from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.step_error import resting_cells
from ei_brian.core.stimulus import Stimulus
from ei_brian.report.style import INKS, Draw, Ink, png
from ei_brian.storage.atomic_file import write_bytes

HERE = Path(__file__).resolve().parent
PAGE = HERE / "concepts" / "cell_types.md"
DT_MS, TRACE_MS, RATE_MS = 0.05, 400.0, 1000.0
DRIVES = np.concatenate([[0.9], np.linspace(1.01, 5.0, 11)])  # in units of the rheobase
SHOWN = 5  # of the drives: whose potential is drawn
FAMILIES = {
    "izhikevich_2003": "Izhikevich 2003", "izhikevich_2007": "Izhikevich 2007: cortex, and the hippocampal area CA3",
    "adex": "Adaptive exponential integrate-and-fire", "hodgkin_huxley": "Hodgkin–Huxley",
}  # fmt: skip
COLUMNS = "| type | role | rheobase | rest | threshold | membrane time constant | source |"
ALIGNED = "| --- | --- | ---: | ---: | ---: | ---: | --- |"


@dataclass(frozen=True, slots=True)
class Shown:
    """A cell type as the gallery shows it."""

    kind: CellType
    rheobase: float
    drives: npt.NDArray[np.float64]
    rates_hz: npt.NDArray[np.float64]
    potential: npt.NDArray[np.float64]

    @property
    def row(self) -> str:
        """The line of the table."""
        point = self.kind.neuron().standing_point(self.kind.parameters)
        rest, threshold, tau = (float(np.asarray(value).item()) for value in (point.rest, point.threshold, point.tau_ms))
        unit = self.kind.neuron().input_unit
        rheobase = f"{self.rheobase:.3g} {unit}" if self.rheobase else "0 (fires alone)"
        numbers = f"{rheobase} | {rest:.1f} mV | {threshold:.1f} mV | {tau:.2g} ms"
        return f"| {self.kind.name} | {self.kind.role} | {numbers} | {self.kind.reference} |"


def main() -> None:
    """Write the figures and the page."""
    with Path(step_errors.__file__).with_suffix(".csv").open(encoding="utf-8") as file:
        least = {row["cell_type"]: float(row["rheobase"]) for row in csv.DictReader(file) if row["regime"] == "currents"}
    families: dict[str, list[Shown]] = {}
    for kind in CELL_TYPES.values():
        family = next((name for name in FAMILIES if kind.model.startswith(name)), "hodgkin_huxley")
        families.setdefault(family, []).append(shown(kind, least.get(kind.name, 0.0)))
        print(kind.name, flush=True)
    for name, cells in families.items():
        for ink in INKS:
            write_bytes(HERE / "images" / f"cells_{name}_{ink.name}.png", png(drawn(cells), 1.15 * len(cells) + 0.5, ink))
    write_bytes(PAGE, ("\n".join(page(families)) + "\n").encode())


def shown(kind: CellType, rheobase: float) -> Shown:
    """Simulate a type under its drives, all cells at once, each from its rest without current."""
    scale = rheobase or float(np.asarray(kind.neuron().standing_point(kind.parameters).scale).item())
    drives = (DRIVES if rheobase else DRIVES - DRIVES[0]) * scale
    spec = resting_cells(kind.model, kind.parameters, drives, DT_MS)
    nothing = np.zeros(0, dtype=np.int32)
    stimulus = Stimulus(Spikes(nothing, nothing, nothing, 1, round(RATE_MS / DT_MS), 1, DT_MS))
    voltage = kind.neuron().voltage
    recording = simulate(spec, stimulus, traces=[("cells", voltage)])
    potential = np.asarray(recording.traces["cells", voltage])[0, : round(TRACE_MS / DT_MS), SHOWN]
    return Shown(kind, rheobase, drives, recording.counts["cells"][0] / (RATE_MS * 1e-3), potential)


def drawn(cells: list[Shown]) -> Draw:
    """Return how to draw a row for each type: its potential, and its rates over current."""

    def draw(figure: Figure, ink: Ink) -> None:
        axes = figure.subplots(len(cells), 2, width_ratios=(2.2, 1), squeeze=False)
        for (left, right), cell in zip(axes, cells, strict=True):
            colour = ink.exc if cell.kind.role == "exc" else ink.inh
            left.plot(np.arange(cell.potential.size) * DT_MS, cell.potential, color=colour, linewidth=0.9)
            left.set_title(f"{cell.kind.name}, {cell.drives[SHOWN]:.3g} {cell.kind.neuron().input_unit}")
            right.plot(cell.drives, cell.rates_hz, color=colour, marker="o", markersize=2.5)
            right.set_ylim(bottom=0)
            left.set_ylabel("mV")
            right.set_ylabel("Hz")
        axes[-1, 0].set_xlabel("time (ms)")
        axes[-1, 1].set_xlabel(f"current ({cells[0].kind.neuron().input_unit})")

    return draw


def page(families: dict[str, list[Shown]]) -> Iterator[str]:
    """Yield the lines of the page."""
    yield "# Cell types"
    yield ""
    yield "Every cell type of the catalogue under constant currents, simulated by `python docs/make_gallery.py`: on the left the"
    yield f"potential at {DRIVES[SHOWN]:.3g} times the rheobase from rest, on the right the number of spikes in the first second."
    yield "Blue types are excitatory, orange ones inhibitory. Rest, threshold and membrane time constant are those of the cell"
    yield "without current (`NeuronModel.standing_point`); of one that fires alone where it would rest. `ei-brian info` tells the"
    yield "error of the time step for each type."
    for name, cells in families.items():
        title = FAMILIES[name]
        yield from ("", f"## {title}", "", COLUMNS, ALIGNED, *(cell.row for cell in cells), "")
        for theme in ("light", "dark"):
            yield from (f"```{{image}} ../images/cells_{name}_{theme}.png", f":alt: potentials and f-I curves: {title}",
                        f":class: only-{theme}", "```", "")  # fmt: skip


if __name__ == "__main__":
    main()
