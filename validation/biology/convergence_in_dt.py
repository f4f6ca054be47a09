"""Order of convergence in the time step, for every cell model that is integrated.

    python validation/biology/convergence_in_dt.py

Below threshold, the potential after 20 ms of a step of current is compared with that at a step 8 times finer than the finest:
the methods of all these models are of order 2 (half the step, a quarter of the error), the exact propagator has no error. The
time of the first spike under a strong current shows what spikes on a grid add. Written to ``measured/convergence_in_dt.json``.
"""

from __future__ import annotations

import json
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ei_brian.core.models import neuron_model
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

OUT = Path(__file__).parent / "measured" / "convergence_in_dt.json"
STEPS_MS = (0.1, 0.05, 0.025, 0.0125)
FINEST_MS = 0.0125 / 8
DURATION_MS = 20.0
CURRENTS = {
    "RS": (1.0, 10.0), "RS2007": (15.0, 300.0), "Pyramidal": (15.0, 6000.0), "AdEx tonic": (40.0, 900.0),
    "Wang-Buzsaki": (5.0, 300.0), "Traub-Miles": (5.0, 900.0),
}  # fmt: skip
FINER = {"Traub-Miles": 8}  # its steps are smaller by this: at those of the others, higher terms of its error are no smaller
ORDER = 2  # as each model says of its method
TOLERANCE = 0.25  # of the order: higher terms of the error at these steps


def potential_and_spike(kind: str, current: float, dt_ms: float) -> tuple[float, float]:
    """Return v after the duration in mV, and the time of the first spike in ms (nan without one)."""
    known = CELL_TYPES[kind]
    parameters = {**known.parameters, "offset_background": current}
    silent = {**parameters, "offset_background": 0.0}
    quiet = Population("A", 1, "mixed", known.model, (("background", "constant_current"),), silent)
    rest = {p.name: quiet.parameters[p.name] for p in quiet.declared_parameters() if p.kind == "initial"}
    cells = Population("A", 1, "mixed", known.model, (("background", "constant_current"),), {**parameters, **rest})
    spec = NetworkSpec((Population("input", 1, "input"), cells), (), dt_ms)
    nothing = np.zeros(0, dtype=np.int32)
    stimulus = Stimulus(Spikes(nothing, nothing, nothing, 1, round(DURATION_MS / dt_ms), 1, dt_ms))
    recording = simulate(spec, stimulus, traces=[("A", "v")])
    steps = recording.spikes["A"].step
    return float(recording.traces[("A", "v")][0, -1, 0]), float((steps[0] + 1) * dt_ms) if steps.size else float("nan")


def exact_error(dt_ms: float) -> float:
    """Return the error of the exact propagator's potential 19 ms after one input, against the closed form."""
    cells = Population("A", 1, "exc", "lif_exponential")
    spec = NetworkSpec((Population("input", 1, "input"), cells), (Projection("input", "A", np.array([[1.0]])),), dt_ms)
    one = np.zeros(1, dtype=np.int32)
    stimulus = Stimulus(Spikes(one, one, one, 1, round(DURATION_MS / dt_ms), 1, dt_ms))
    v = simulate(spec, stimulus, traces=[("A", "v")]).traces[("A", "v")][0, -1, 0]
    t = DURATION_MS - dt_ms
    return float(abs(v - 5.0 / 15.0 * (np.exp(-t / 20.0) - np.exp(-t / 5.0))))


def main() -> None:
    """Measure, write, and say whether every order is as expected."""
    models = {}
    for kind, (weak, strong) in CURRENTS.items():
        finer = FINER.get(kind, 1)
        steps = [dt / finer for dt in STEPS_MS]
        limit = potential_and_spike(kind, weak, FINEST_MS / finer)[0]
        errors = [abs(potential_and_spike(kind, weak, dt)[0] - limit) for dt in steps]
        model = neuron_model(CELL_TYPES[kind].model)
        inner = [dt / model.substeps(dt) for dt in steps]  # equal inner steps have equal errors: only one of them counts
        kept = [index for index, h in enumerate(inner) if inner.index(h) == index]
        order = float(np.polyfit(np.log([inner[k] for k in kept]), np.log([errors[k] for k in kept]), 1)[0])
        spikes = [potential_and_spike(kind, strong, dt)[1] for dt in STEPS_MS]
        models[kind] = {
            "steps_ms": steps, "error_mv": errors, "order": order, "first_spike_ms": spikes,
            "as_expected": abs(order - ORDER) < TOLERANCE,
        }  # fmt: skip
        print(kind, f"order {order:.2f}", [f"{e:.2e}" for e in errors], spikes)
    result = {
        "steps_ms": STEPS_MS, "expected_order": ORDER, "tolerance": TOLERANCE, "models": models,
        "exact_propagator_error": [exact_error(dt) for dt in STEPS_MS], "date": date.today().isoformat(),
        "python": platform.python_version(), "numpy": version("numpy"),
        "command": "python validation/biology/convergence_in_dt.py",
    }  # fmt: skip
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    wrong = [kind for kind, values in models.items() if not values["as_expected"]]
    raise SystemExit(f"not of order {ORDER}: {wrong}" if wrong else 0)


if __name__ == "__main__":
    main()
