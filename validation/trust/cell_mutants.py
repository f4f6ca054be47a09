"""Hostile cell files, one for each number: texts with strange pieces, fields that are none, bytes that changed."""

from __future__ import annotations

from ei_brian.core.formula import Formula
from ei_brian.core.model_data import model_data
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, Parameter, State
from validation.trust.text_mutants import TextMutants

__all__ = ["CellMutants"]

CELL = NeuronModel(
    name="our_cell", title="adapting", method="forward Euler", threshold="v > v_t", reset="v = E\nw = w + b",
    equations="dv/dt = (E - v + R*(I - w) + slope*exp((v - v_t)/slope))/tau : volt\ndw/dt = (a*(v - E) - w)/tau_w : amp",
    update="part = exponential((v - v_t)/slope)\ndrive = E - v + R*(I - w) + slope*part\nkick = logarithm(1 + part*part)\n"
    "w = w + step_w*(a*(v - E) - w)*int(kick > 0)\nv = clip(v + step_v*drive, E, v_t)",
    parameters=(
        Parameter("E", "mV", -70.0, "rest"), Parameter("R", "mV/pA", 0.1, "resistance"), Parameter("tau", "ms", 20.0, "membrane"),
        Parameter("tau_w", "ms", 100.0, "adaptation"), Parameter("a", "nS", 2.0, "adaptation"), Parameter("b", "pA", 5.0, "jump"),
        Parameter("v_t", "mV", -50.0, "spike"), Parameter("slope", "mV", 2.0, "of the upstroke"),
    ),
    states=(State("v", "mV", "membrane", -70.0), State("w", "pA", "adaptation", 5.0)),
    coefficients=(
        Coefficient("step_v", "1", "dt/tau", Formula("dt/tau", (("tau", "ms"),))),
        Coefficient("step_w", "1", "dt/tau_w", Formula("1 - exp(-dt/tau_w)", (("tau_w", "ms"),))),
    ),
    ports=("v",), input_current="I", input_unit="pA", reference="nobody",
)  # fmt: skip
FIELDS = ("equations", "update", "threshold", "reset", "noise_where", "update_end", "name", "input_current", "voltage")


class CellMutants(TextMutants):
    """Mutants of a cell file."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__({"format": "ei_brian cell", "version": 1, "model": model_data(CELL)}, FIELDS, seed)
