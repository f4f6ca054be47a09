"""What a dendrite changes: the same current into the soma and into the dendrite of a two-compartment pyramidal cell.

    python -m validation.cells.two_compartments [figure.png]

Pinsky & Rinzel 1994, as in `tests.sim.own_cells`. Currents are constant; the dendritic one is a projection of a regular input to
the port of the dendrite, whose synaptic current has a time constant of 5 ms, so that its mean is that of the somatic current.
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np

import ei_brian as ei
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.step_check import step_order
from ei_brian.core.stimulus import Stimulus
from tests.sim.own_cells import TWO_COMPARTMENTS

CURRENTS_PA = np.linspace(20.0, 200.0, 10)
DT_MS, N_STEPS, EVERY, TAU_MS = 0.05, 12_000, 20, 5.0
SHOWN = 4


def cell() -> NeuronModel:
    """Return the cell, with its dendrite as a port."""
    which = TWO_COMPARTMENTS
    return ei.cell(
        which.equations, threshold=which.threshold, refractory=which.refractory, method=which.method, ports=("i_d",),
        parameters=which.parameters, input_current="I", initial=which.initial, name=which.name, reference=which.reference,
    )  # fmt: skip


def run(model: NeuronModel, dendrite: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return rates in Hz and potentials in mV (step, cell) under the currents."""
    size = CURRENTS_PA.size
    somatic = np.zeros(size) if dendrite else CURRENTS_PA
    cells = Population("cells", size, "exc", model, (("background", "constant_current"),), {"offset_background": somatic})
    jump = CURRENTS_PA * EVERY * DT_MS / TAU_MS * dendrite
    to_dendrite = Projection("input", "cells", jump[:, None], port="i_d")
    spec = NetworkSpec((Population("input", 1, "input"), cells), (to_dendrite,), DT_MS)
    dense = np.zeros((1, N_STEPS, 1), dtype=bool)
    dense[0, ::EVERY] = True
    found = simulate(spec, Stimulus(Spikes.from_dense(dense, dt_ms=DT_MS)), traces=(("cells", "v"),))
    rates = np.bincount(found.spikes["cells"].unit, minlength=size) / (N_STEPS * DT_MS * 1e-3)
    return rates, np.asarray(next(iter(found.traces.values())))[0]


def main(path: str) -> None:
    """Draw the figure and print the numbers."""
    model = cell()
    print(f"order of convergence of its step: {step_order(model):.2f} ({model.method})")
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
    time = np.arange(N_STEPS) * DT_MS
    for axis, dendrite in zip(axes[:2], (False, True), strict=True):
        rates, potentials = run(model, dendrite)
        name = "dendrite" if dendrite else "soma"
        axis.plot(time, potentials[:, SHOWN], linewidth=0.7, color="black")
        axis.set(title=f"{CURRENTS_PA[SHOWN]:.0f} pA into the {name}", xlabel="time (ms)", ylabel="potential of the soma (mV)")
        axes[2].plot(CURRENTS_PA, rates, "o-", markersize=4, label=name)
        pairs = zip(CURRENTS_PA, rates, strict=True)
        print(f"{name}: " + ", ".join(f"{current:.0f} pA {rate:.1f} Hz" for current, rate in pairs))
    axes[2].set(title="rate", xlabel="mean current (pA)", ylabel="spikes per second")
    axes[2].legend(frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "two_compartments.png")
