"""Neurons of Spyx in NIR files: a spike follows the membrane of the step before, from which it is taken in its own step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ei_brian.core.models.discrete import BIAS, DRIVE, V_THRESHOLD, V
from ei_brian.core.models.snntorch_leaky import DECAY
from ei_brian.core.models.snntorch_synaptic import DECAY_SYN
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter, State
from ei_brian.errors import DataError
from ei_brian.interop.graph import Cell

__all__ = ["SPYX_WRITERS", "spyx_cell"]

SPYX_WRITERS = ("spyx", "spyx-haiku")  # the older one, on Haiku, writes weights as (in, out)
REFERENCE = "Spyx, spyx/nn.py and spyx/nir.py; Heckel & Nowotny 2024, arXiv:2402.18994"
SAME_STEP = 1e-3  # relative; time constants are written in single precision
BEFORE = State("v_before", "1", "membrane potential of the step before")
CURRENT = State("current", "1", "synaptic current")
FIRES = "v_before = v\nfired = int(v_before > v_threshold)"


def _model(name: str, title: str, update: str, parameters: tuple[Parameter, ...], states: tuple[State, ...]) -> NeuronModel:
    return NeuronModel(
        name=name, title=title, equations="", update=f"{FIRES}\n{update}\ndrive = bias", method="recurrence",
        threshold="v_before > v_threshold", reset="", parameters=(*parameters, V_THRESHOLD, BIAS), states=states, coefficients=(),
        ports=("drive",), reference=REFERENCE, threshold_parameter="v_threshold", tested="v_before",
    )  # fmt: skip


LEAKY_READOUT = NeuronModel(
    name="spyx_li", title="Spyx LI", equations="", update="v = decay*v + drive\ndrive = bias", method="recurrence", threshold="",
    reset="", parameters=(DECAY, BIAS), states=(V, DRIVE), coefficients=(), ports=("drive",), reference=REFERENCE,
)  # fmt: skip


MODELS = {
    "IF": _model("spyx_if", "Spyx IF", "v = v + drive - fired*v_threshold", (), (V, BEFORE, DRIVE)),
    "LIF": _model("spyx_lif", "Spyx LIF", "v = decay*v + drive - fired*v_threshold", (DECAY,), (V, BEFORE, DRIVE)),
    "CubaLIF": _model(
        "spyx_cuba_lif", "Spyx CuBaLIF", "v = v - fired*v_threshold\ncurrent = decay_syn*current + drive\nv = decay*v + current",
        (DECAY, DECAY_SYN), (V, BEFORE, CURRENT, DRIVE),
    ),
}  # fmt: skip


def spyx_cell(where: str, kind: str, p: Mapping[str, Any]) -> Cell:
    """Return what a neuron of Spyx becomes: beta stands in the file as ``r``, alpha as ``1 - dt/tau_syn``.

    Raises
    ------
    DataError
        For nodes that Spyx does not write, or constants that are not its own.
    """
    if kind == "LI":
        return Cell(LEAKY_READOUT, {"decay": _beta(where, p["r"])})
    if kind not in MODELS:
        raise DataError(f"{where}: Spyx writes no such node; leave writer out.")
    parameters = {"v_threshold": p["v_threshold"]}
    if kind == "IF":
        if np.any(p["r"] != 1):
            raise DataError(f"{where}.r: not 1, which Spyx always writes; it is another writer's file.")
        return Cell(MODELS[kind], parameters)
    beta = _beta(where, p["r"])
    steps = p["tau" if kind == "LIF" else "tau_mem"] * (1 - beta)
    step = float(np.median(steps))
    step = 1.0 if abs(step - 1) < SAME_STEP else step  # the default of its export
    if np.any(np.abs(steps / step - 1) > SAME_STEP) or np.any(p["v_leak"] != 0):
        raise DataError(f"{where}: not as Spyx writes it (tau = dt/(1 - r), v_leak = 0); it is another writer's file.")
    if kind == "CubaLIF":
        parameters["decay_syn"] = np.clip(_alpha(p["tau_syn"], step), 0.0, 1.0)
    return Cell(MODELS[kind], parameters | {"decay": beta})


def _beta(where: str, r: Any) -> Any:
    if np.any((r < 0) | (r >= 1)):
        raise DataError(f"{where}.r: {np.min(r):g} to {np.max(r):g}; Spyx writes beta there, from 0 to less than 1.")
    return r


def _alpha(tau: Any, step: float) -> Any:
    """Return the single-precision alpha of which ``step/(1 - alpha)`` is what stands in the file, else the nearest."""
    found = np.asarray(1 - step / tau, dtype=np.float32)
    best, gap = found, np.full(np.shape(found), np.inf)
    for far in range(-3, 4):
        one = (found + np.float32(far) * np.spacing(found)).astype(np.float32)
        with np.errstate(divide="ignore"):
            left = np.abs(np.float32(step) / (np.float32(1) - one) - np.asarray(tau, dtype=np.float32))
        best, gap = np.where(left < gap, one, best), np.minimum(left, gap)
    return best.astype(np.float64)
