"""Spike times and short-term plasticity beside those of a second simulator, NEST, at a small time step.

    python -m venv build/nest && build/nest/bin/pip install nest-simulator
    python validation/biology/nest_oracle.py --nest build/nest/bin/python

NEST is in an environment of its own (its numpy is another one). Compared are cells whose equations are in both catalogues:
``izhikevich`` (2003, all types), ``aeif_cond_exp`` (the firing types of Naud et al. 2008, and one under excitatory and inhibitory
conductances), ``hh_cond_exp_traub`` (Traub & Miles), and the sizes of spikes of ``tsodyks2_synapse`` (pairs of the catalogue).
The methods differ on purpose: NEST takes forward Euler for ``izhikevich`` and an adaptive Runge-Kutta method for the other two.
Written to ``measured/nest_oracle.json`` and ``measured/nest_oracle.md``.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.models.adex import COLUMNS, NAUD_CURRENTS_PA
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.models.izhikevich_2003 import TYPES
from ei_brian.core.models.plasticity_pairs import pair_plasticity
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.forced import released

OUT = Path(__file__).parent / "measured"
DT_MS, COARSE_MS, DELAY_MS = 0.01, 0.1, 1.0
IZHIKEVICH_CURRENTS = (5.0, 10.0, 15.0)
ADEX_SHARES = (0.8, 1.0, 1.5)
TRAUB_CURRENTS_PA = (100.0, 300.0, 600.0, 1000.0)
ADEX_NAMES = {"C": "C_m", "g_L": "g_L", "E_L": "E_L", "v_T": "V_th", "slope": "Delta_T", "a": "a", "tau_w": "tau_w", "b": "b",
              "v_reset": "V_reset", "v_peak": "V_peak", "v_init": "V_m"}  # fmt: skip
PAIRS = (("Pyramidal", "Pyramidal"), ("Basket", "Pyramidal"), ("Ivy", "Pyramidal"), ("MFA ORDEN", "Pyramidal"),
         ("Basket", "Basket"))  # fmt: skip
RECEPTORS = {"g_exc": ("AMPA", 5.0, 0.0, 3.0), "g_inh": ("GABA_A", 10.0, -70.0, 4.0)}  # kind, tau, reversal, weight in nS


def jobs() -> dict[str, dict[str, Any]]:
    """Return the experiments, as NEST needs them; ``ours`` and ``names`` are for this side."""
    rng = np.random.default_rng(7)
    base = {"dt_ms": DT_MS, "delay_ms": DELAY_MS, "arrivals_ms": {}, "weights": {}}
    izhikevich = [(kind, current) for kind in TYPES for current in IZHIKEVICH_CURRENTS]
    adex = [(kind, share * current) for kind, current in NAUD_CURRENTS_PA.items() for share in ADEX_SHARES]
    arrivals = {port: np.unique(rng.integers(20, 1980, size=count)) / 10 for port, count in (("g_exc", 90), ("g_inh", 40))}
    gates = {"V_m": -63.0, "Act_m": 0.02, "Inact_h": 0.8, "Act_n": 0.1}
    synapses = [pair_plasticity(*pair) for pair in PAIRS]
    return {
        "izhikevich": {
            **base, "model": "izhikevich", "duration_ms": 200.0, "names": izhikevich,
            "cells": [{**TYPES[kind], "I_e": current} for kind, current in izhikevich],
        },
        "aeif_cond_exp": {
            **base, "model": "aeif_cond_exp", "duration_ms": 200.0, "names": adex,
            "cells": [{**_adex_in_nest(kind), "I_e": current} for kind, current in adex],
        },
        "aeif_cond_exp, conductances": {
            **base, "model": "aeif_cond_exp", "duration_ms": 200.0, "names": [("AdEx adapting", 200.0)],
            "arrivals_ms": {port: times.tolist() for port, times in arrivals.items()},
            "weights": {"g_exc": RECEPTORS["g_exc"][3], "g_inh": -RECEPTORS["g_inh"][3]},
            "cells": [{**_adex_in_nest("AdEx adapting"), "I_e": 200.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0, "E_ex": 0.0,
                       "E_in": -70.0}],
        },
        "hh_cond_exp_traub": {
            **base, "model": "hh_cond_exp_traub", "duration_ms": 100.0, "names": [("Traub-Miles", i) for i in TRAUB_CURRENTS_PA],
            "cells": [{**gates, "I_e": current} for current in TRAUB_CURRENTS_PA],
        },
        "tsodyks2_synapse": {
            "dt_ms": COARSE_MS, "delay_ms": DELAY_MS,
            "spikes_ms": np.cumsum(rng.integers(20, 1500, size=30) / 10).round(1).tolist(),
            "synapses": [
                {"U": p.utilization, "u": p.utilization, "x": 1.0, "tau_rec": p.tau_x_ms, "tau_fac": p.tau_u_ms,
                 "weight": 1 / p.utilization} for p in synapses if p is not None
            ],
        },
    }  # fmt: skip


def _adex_in_nest(kind: str) -> dict[str, float]:
    known = CELL_TYPES[kind].parameters
    return {ADEX_NAMES[name]: float(known[name]) for name in (*COLUMNS, "v_peak", "v_init")}


def our_times(job: dict[str, Any], dt_ms: float) -> list[list[float]]:
    """Return the spike times of each cell of an experiment in the reference stepper; a spike is at the end of its step."""
    kinds = [CELL_TYPES[kind] for kind, _ in job["names"]]
    receptors = [(port, RECEPTORS[port][0]) for port in job["arrivals_ms"]] + [("background", "constant_current")]
    keys = sorted({name for kind in kinds for name in kind.parameters})
    parameters: dict[str, Any] = {key: np.array([kind.parameters[key] for kind in kinds]) for key in keys}
    parameters["offset_background"] = np.array([current for _, current in job["names"]])
    for port in job["arrivals_ms"]:
        parameters |= {f"tau_{port}": RECEPTORS[port][1], f"E_{port}": RECEPTORS[port][2]}
    cells = Population("A", len(kinds), "mixed", kinds[0].model, tuple(receptors), parameters)
    n_steps = round(job["duration_ms"] / dt_ms)
    inputs = tuple(Population(f"to_{port}", 1, "input") for port in job["arrivals_ms"]) or (Population("nothing", 1, "input"),)
    projections = tuple(
        Projection(f"to_{port}", "A", np.full((len(kinds), 1), RECEPTORS[port][3]), port=port) for port in job["arrivals_ms"]
    )
    events = sorted((round(t / dt_ms) - 1, unit) for unit, times in enumerate(job["arrivals_ms"].values()) for t in times)
    step, unit = (np.array([event[i] for event in events], dtype=np.int32) for i in (0, 1))
    stimulus = Stimulus(Spikes(np.zeros(len(events), np.int32), step, unit, 1, n_steps, len(inputs), dt_ms))
    spikes = simulate(NetworkSpec((*inputs, cells), projections, dt_ms), stimulus).spikes["A"]
    return [((spikes.step[spikes.unit == i] + 1) * dt_ms).tolist() for i in range(len(kinds))]


def our_sizes(job: dict[str, Any]) -> list[list[float]]:
    """Return the sizes of the same spikes under our short-term plasticity."""
    steps = np.rint(np.array(job["spikes_ms"]) / job["dt_ms"]).astype(int)
    dense = np.zeros((1, int(steps.max()) + 2, 1), dtype=np.float64)
    dense[0, steps, 0] = 1
    plasticities = [pair_plasticity(*pair) for pair in PAIRS]
    return [released(dense, p, job["dt_ms"])[0, steps, 0].tolist() for p in plasticities if p is not None]


def compared(theirs: list[float], ours: list[float]) -> dict[str, float]:
    """Return spike counts, the shift of the first spike in ms, and the largest change of that shift over the common spikes."""
    n = min(len(theirs), len(ours))
    difference = np.array(ours[:n]) - np.array(theirs[:n])
    return {
        "spikes_nest": len(theirs), "spikes_ours": len(ours), "first_shift_ms": float(difference[0]) if n else 0.0,
        "largest_drift_ms": float(np.abs(difference - difference[0]).max()) if n else 0.0,
    }  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        f"NEST {result['nest']}, both at {DT_MS} ms; ours also at {COARSE_MS} ms (second figure).",
        "",
        "| NEST model | cell, current | spikes NEST | spikes ours | shift of the first spike, ms | largest drift after it, ms |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["cells"]:
        fine, coarse = row["fine"], row["coarse"]
        counts, shift, drift = (
            f"{fine['spikes_ours']} / {coarse['spikes_ours']}",
            *(f"{fine[key]:.2f} / {coarse[key]:.2f}" for key in ("first_shift_ms", "largest_drift_ms")),
        )
        told = (row["model"], f"{row['cell']}, {row['current']:g}", str(fine["spikes_nest"]), counts, shift, drift)
        lines.append(f"| {' | '.join(told)} |")
    lines += ["", "| tsodyks2_synapse | spikes | smallest size | largest difference |", "|---|---|---|---|"]
    for row in result["synapses"]:
        lines.append(f"| {row['pair']} | {row['spikes']} | {row['smallest']:.3f} | {row['largest_difference']:.1e} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run both sides, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nest", required=True, help="Python interpreter that has NEST")
    given = parser.parse_args()
    todo = jobs()
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder, "asked.json"), Path(folder, "told.json")
        asked.write_text(json.dumps(todo))
        subprocess.run([given.nest, str(Path(__file__).parent / "nest_side.py"), str(asked), str(told)], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        nest = json.loads(told.read_text())
    cells = []
    for model, job in todo.items():
        if "synapses" in job:
            continue
        fine, coarse = our_times(job, DT_MS), our_times(job, COARSE_MS)
        for i, (kind, current) in enumerate(job["names"]):
            cells.append({"model": model, "cell": kind, "current": current, "fine": compared(nest[model][i], fine[i]),
                          "coarse": compared(nest[model][i], coarse[i])})  # fmt: skip
        print(model, "done", flush=True)
    sizes = zip(PAIRS, nest["tsodyks2_synapse"], our_sizes(todo["tsodyks2_synapse"]), strict=True)
    synapses = [
        {"pair": " → ".join(pair), "spikes": len(ours), "smallest": min(ours),
         "largest_difference": float(np.abs(np.array(theirs) - np.array(ours)).max())} for pair, theirs, ours in sizes
    ]  # fmt: skip
    result = {
        "nest": nest["version"], "dt_ms": DT_MS, "cells": cells, "synapses": synapses, "date": date.today().isoformat(),
        "python": platform.python_version(), "numpy": np.__version__,
        "command": "python validation/biology/nest_oracle.py --nest PYTHON",
    }  # fmt: skip
    (OUT / "nest_oracle.json").write_text(json.dumps(result, indent=1) + "\n")
    (OUT / "nest_oracle.md").write_text(table(result))
    print(table(result))


if __name__ == "__main__":
    main()
