"""SpikingJelly's neurons in terms of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ei_brian.errors import DataError, unknown_name
from ei_brian.interop.graph import Cell, Node

__all__ = ["SPIKINGJELLY_CELLS", "SPIKINGJELLY_REFUSED", "spikingjelly_cell"]

NEVER_SPIKES = (
    "it starts anew in every call, and gives a list over the steps. The same membrane is read from a class "
    "Readout(neuron.{base}) with one method, def single_step_forward(self, x): self.neuronal_charge(x); return self.v; make it "
    "Readout({options})."
)
SPIKINGJELLY_REFUSED = {
    "NonSpikingIFNode": NEVER_SPIKES.format(base="SimpleIFNode", options=""),
    "NonSpikingLIFNode": NEVER_SPIKES.format(base="SimpleLIFNode", options="tau=…, decay_input=True"),
}


def spikingjelly_cell(name: str, node: Node) -> Cell:
    """Return what a SpikingJelly node becomes.

    Parameters
    ----------
    name : str
        Name of the layer, for messages.
    node : Node
        Its constructor arguments in ``options`` and its state dict in ``arrays``.

    Raises
    ------
    DataError
        For kinds and options that are not reproduced.
    """
    where = f"layer {name} ({node.kind})"
    if node.kind in SPIKINGJELLY_REFUSED:
        raise DataError(f"{where}: {SPIKINGJELLY_REFUSED[node.kind]}")
    if node.kind not in SPIKINGJELLY_CELLS:
        raise DataError(unknown_name(where, node.kind, SPIKINGJELLY_CELLS))
    return SPIKINGJELLY_CELLS[node.kind](where, node)


def _node(kind: str) -> Callable[[str, Node], Cell]:
    def make(where: str, node: Node) -> Cell:
        parameters: dict[str, Any] = {"v_threshold": float(node.options.get("v_threshold", 1.0))}
        v_reset = node.options.get("v_reset", 0.0)
        soft = v_reset is None or (isinstance(v_reset, str) and v_reset == "none")
        if not soft:
            parameters["v_reset"] = float(v_reset)
        if kind == "lif":
            parameters["tau"] = float(node.options.get("tau", 2.0))
        elif kind == "plif":
            parameters["rate"] = _rate(where, node)
        whole = "" if kind == "if" or bool(node.options.get("decay_input", True)) else "_whole_input"
        return Cell(f"spikingjelly_{kind}_{'soft' if soft else 'hard'}{whole}", parameters)

    return make


def _rate(where: str, node: Node) -> float:
    """Return ``sigmoid(w)`` as torch computes it in float64."""
    import torch

    if "w" in node.arrays:
        w = np.asarray(node.arrays["w"], dtype=np.float64)
    elif "init_tau" in node.options:
        w = np.asarray(np.float32(-math.log(float(node.options["init_tau"]) - 1.0)), dtype=np.float64)
    else:
        raise DataError(f"{where}.w: neither in the state dict nor as init_tau; it is needed.")
    return float(torch.sigmoid(torch.from_numpy(w.reshape(()))))


SPIKINGJELLY_CELLS: dict[str, Callable[[str, Node], Cell]] = {
    "LIFNode": _node("lif"), "ParametricLIFNode": _node("plif"), "IFNode": _node("if"),
}  # fmt: skip
