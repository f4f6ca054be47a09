"""The networks of other frameworks that were run beforehand, with their own output spikes; not part of this repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "reference_cases"
NAMES = (
    "norse_lif", "norse_lif_recurrent", "norse_lifbox", "snntorch_conv", "snntorch_leaky_nodelay", "snntorch_leaky_subtract",
    "snntorch_leaky_vecbeta", "snntorch_leaky_zero", "snntorch_rleaky", "snntorch_synaptic", "spikingjelly_if",
    "spikingjelly_lif_hard", "spikingjelly_lif_soft_nodecay", "spikingjelly_plif",
)  # fmt: skip
WITH_NIR = (
    "snntorch_leaky_nodelay", "snntorch_leaky_subtract", "snntorch_leaky_vecbeta", "snntorch_leaky_zero", "snntorch_rleaky",
    "snntorch_synaptic", "spikingjelly_lif_hard", "spikingjelly_plif",
)  # fmt: skip
NORSE = {"tau_mem_inv": 100.0, "tau_syn_inv": 200.0, "v_th": 0.5}
CELLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "norse_lif": ({"type": "LIFCell", **NORSE},) * 2,
    "norse_lif_recurrent": ({"type": "LIFRecurrentCell", **NORSE}, {"type": "LIFCell", **NORSE}),
    "norse_lifbox": ({"type": "LIFBoxCell", "tau_mem_inv": 100.0, "v_th": 0.3},) * 2,
    "snntorch_conv": ({"type": "Leaky"},) * 2,
    "snntorch_leaky_nodelay": ({"type": "Leaky", "reset_delay": False},) * 2,
    "snntorch_leaky_subtract": ({"type": "Leaky"},) * 2,
    "snntorch_leaky_vecbeta": ({"type": "Leaky"},) * 2,
    "snntorch_leaky_zero": ({"type": "Leaky"},) * 2,
    "snntorch_rleaky": ({"type": "RLeaky"}, {"type": "Leaky"}),
    "snntorch_synaptic": ({"type": "Synaptic"},) * 2,
    "spikingjelly_if": ({"type": "IFNode", "v_reset": "none"},) * 2,
    "spikingjelly_lif_hard": ({"type": "LIFNode", "tau": 5.0},) * 2,
    "spikingjelly_lif_soft_nodecay": ({"type": "LIFNode", "tau": 8.0, "v_reset": "none", "decay_input": False},) * 2,
    "spikingjelly_plif": ({"type": "ParametricLIFNode", "v_reset": -0.1},) * 2,
}
CELL_NAMES = {"snntorch": ("lif1", "lif2"), "norse": ("c1", "c2"), "spikingjelly": ("n1", "n2")}


def framework(name: str) -> str:
    return name.split("_")[0]


def architecture(name: str) -> dict[str, Any]:
    """Return the description of the layers of a case."""
    first, second = ({"name": cell, **values} for cell, values in zip(CELL_NAMES[framework(name)], CELLS[name], strict=True))
    linear = [{"name": layer, "type": "Linear"} for layer in ("fc1", "fc2")]
    layers = [linear[0], first, linear[1], second]
    if name == "snntorch_conv":
        layers = [
            {"name": "conv", "type": "Conv2d", "padding": 1}, first, {"name": "pool", "type": "AvgPool2d", "kernel_size": 2},
            {"name": "flat", "type": "Flatten"}, {"name": "fc", "type": "Linear"}, second,
        ]  # fmt: skip
    elif name == "norse_lif_recurrent":
        layers = [first, linear[1], second]
    shape = [1, 8, 8] if name == "snntorch_conv" else [60]
    return {"framework": framework(name), "dt_ms": 1.0, "input_shape": shape, "layers": layers}


def nir_choices(name: str) -> dict[str, Any]:
    """Return what the NIR file of a case does not hold."""
    choices: dict[str, Any] = {"writer": framework(name), "dt_ms": 1.0}
    if framework(name) == "snntorch":
        choices |= {"reset": "zero" if "zero" in name else "subtract", "reset_delay": "nodelay" not in name}
    return choices


def stimulus(name: str) -> Stimulus:
    with np.load(FOLDER / f"{name}.npz") as stored:
        events = stored["input"]
    return Stimulus(Spikes.from_dense(events.reshape(*events.shape[:2], -1).transpose(1, 0, 2), dt_ms=1.0), name=name)


def expected(name: str, what: str) -> Any:
    """Return an array of the case as (trial, step, unit); None where it has none."""
    with np.load(FOLDER / f"{name}.npz") as stored:
        if what not in stored:
            return None
        values = stored[what]
    return values.reshape(*values.shape[:2], -1).transpose(1, 0, 2)
