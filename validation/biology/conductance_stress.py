"""Strong conductances at the default step: 1,000 random cells against the same cells by a fine step.

    python validation/biology/conductance_stress.py

Each cell is a network of its own: a named type with AMPA, NMDA and GABA_A synapses of random strength from 20 trains of
random rates, its largest conductance of one kind drawn up to twice its capacitance per ms, and a third of the cells with
inhibition alone. The same spikes arrive at 1 ms and at 0.05 ms, there in the first part of their millisecond. Told are the cells
that fire at one step only, and the spikes of each type at both; cells that fire above 500 Hz, which a step of 1 ms cuts, are left
out and counted. Written to ``measured/conductance_stress.md``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

OUT = Path(__file__).parent / "measured" / "conductance_stress.md"
KINDS = ("RS", "FS", "LTS", "RS2007", "Pyramidal", "Basket", "MFA ORDEN", "AdEx tonic", "AdEx adapting", "Wang-Buzsaki")
CELLS, TRAINS, DURATION_MS, FINE = 100, 20, 200, 20
PORTS = (("g_exc", "AMPA"), ("g_slow", "NMDA"), ("g_inh", "GABA_A"))


def network(kind: str, rng: np.random.Generator, dt_ms: float) -> NetworkSpec:
    """Return unconnected cells of one type under random conductances, each of its own strength."""
    known = CELL_TYPES[kind]
    cells = Population("A", CELLS, "mixed", known.model, PORTS, known.parameters, (kind,) * CELLS)
    capacitance = float(np.asarray(cells.parameters["C"])) if "C" in cells.parameters else 1.0
    largest = capacitance * rng.uniform(0.02, 1.0, CELLS) / TRAINS * 4
    alone = np.arange(CELLS) % 3 == 0
    projections = []
    for port, share in (("g_exc", 2.0), ("g_slow", 0.05), ("g_inh", 0.5)):
        weights = rng.uniform(0, 2, (CELLS, TRAINS)) * (largest * share)[:, None]
        weights[alone] *= port == "g_inh"
        projections.append(Projection("input", "A", weights, port, name=f"to_{port}"))
    return NetworkSpec((Population("input", TRAINS, "input"), cells), tuple(projections), dt_ms)


def stimulus(seed: int, factor: int) -> Stimulus:
    """Return the trains, at 1 ms or finer: each spike in the first part of its millisecond."""
    rng = np.random.default_rng(seed)
    step, unit = np.nonzero(rng.random((DURATION_MS, TRAINS)) < rng.uniform(0.01, 0.1, TRAINS))
    made = Spikes(np.zeros(step.size, np.int32), step * factor, unit, 1, DURATION_MS * factor, TRAINS, 1.0 / factor)
    return Stimulus(made)


def row(kind: str, seed: int) -> dict[str, Any]:
    """Return what one type does at both steps."""
    counts = []
    for factor in (1, FINE):
        spec = network(kind, np.random.default_rng(seed), 1.0 / factor)
        counts.append(simulate(spec, stimulus(seed, factor)).counts["A"][0])
    coarse, fine = counts
    cut = fine > 0.5 * DURATION_MS  # faster than the coarse step can show, in part or all of the time
    coarse, fine = np.where(cut, 0, coarse), np.where(cut, 0, fine)
    one_only = int(np.sum((coarse > 0) != (fine > 0)))
    made = int(np.sum(coarse[::3]))
    found = {"kind": kind, "coarse": int(coarse.sum()), "fine": int(fine.sum()), "one_only": one_only}
    return {**found, "inhibited": made, "cut": int(cut.sum())}


def main() -> int:
    """Write the table; return 1 where a rate differs by more than 5 %, or inhibition alone makes a spike."""
    lines, bad = ["| type | spikes at 1 ms | at 0.05 ms | cells that fire at one only | of inhibited cells | left out |\n"], 0
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |\n")
    for seed, kind in enumerate(KINDS):
        r = row(kind, seed)
        print(r, flush=True)
        lines.append(f"| {kind} | {r['coarse']} | {r['fine']} | {r['one_only']} | {r['inhibited']} | {r['cut']} |\n")
        bad += abs(r["coarse"] - r["fine"]) > 0.05 * max(r["fine"], 20) or r["inhibited"] > 0
    OUT.write_text(f"{CELLS * len(KINDS)} cells, {DURATION_MS} ms each.\n\n" + "".join(lines), encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
