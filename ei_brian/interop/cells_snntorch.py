"""snnTorch's neurons in terms of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ei_brian.errors import DataError, unknown_name
from ei_brian.interop.graph import Cell, Node

__all__ = ["SNNTORCH_CELLS", "SNNTORCH_REFUSED", "snntorch_cell"]

RESETS = ("subtract", "zero", "none")
DEFAULT_RESET = {"Alpha": "zero"}
SNNTORCH_REFUSED = {
    "SLSTM": "a gated cell has no spiking neuron model in Brian2 terms.",
    "SConv2dLSTM": "a gated cell has no spiking neuron model in Brian2 terms.",
    "LeakyParallel": "it runs all steps at once without reset; use Leaky with reset_mechanism='none'.",
    "StateLeaky": "it runs all steps at once without reset; use Leaky with reset_mechanism='none'.",
    "LinearLeaky": "it runs all steps at once without reset; use Linear and Leaky.",
    "DeltaLeaky": "its input is a difference of steps, which is no synapse.",
    "LeakyKernel": "it is a compiled form of Leaky; use Leaky.",
    "AssociativeLeaky": "an associative memory is not a neuron model of Brian2's kind.",
}


def snntorch_cell(name: str, node: Node) -> Cell:
    """Return what a snnTorch neuron becomes.

    Parameters
    ----------
    name : str
        Name of the layer, for messages.
    node : Node
        Its constructor arguments in ``options`` and its state dict in ``arrays``.

    Raises
    ------
    DataError
        For kinds and options that change the arithmetic and are not reproduced.
    """
    where = f"layer {name} ({node.kind})"
    if node.kind in SNNTORCH_REFUSED:
        raise DataError(f"{where}: {SNNTORCH_REFUSED[node.kind]}")
    if node.kind not in SNNTORCH_CELLS:
        raise DataError(unknown_name(where, node.kind, SNNTORCH_CELLS))
    _refuse(where, node)
    cell = SNNTORCH_CELLS[node.kind](where, node)
    return replace(cell, model=f"{cell.model}_inhibition") if node.options.get("inhibition") else cell


def _refuse(where: str, node: Node) -> None:
    if node.options.get("state_quant"):
        raise DataError(f"{where}.state_quant: a quantised membrane is not reproduced; set it to False.")
    factor = node.arrays.get("graded_spikes_factor", np.asarray(node.options.get("graded_spikes_factor", 1.0)))
    if np.any(factor != 1):
        raise DataError(
            f"{where}.graded_spikes_factor: {np.ravel(factor)[:3]}; graded spikes are not spikes. Fold it into the weights."
        )


def _number(where: str, node: Node, key: str, default: Any = None) -> Any:
    if key in node.arrays:
        return np.asarray(node.arrays[key], dtype=np.float64)
    value = node.options.get(key, default)
    if value is None or value is False:
        raise DataError(f"{where}.{key}: neither in the state dict nor given; it is needed.")
    return np.asarray(value, dtype=np.float32).astype(np.float64)  # the cell keeps it as float32


def _decay(where: str, node: Node, key: str) -> Any:
    return np.clip(_number(where, node, key), 0.0, 1.0)


def _reset(where: str, node: Node) -> str:
    given = node.options.get("reset_mechanism")
    if "reset_mechanism_val" in node.arrays:
        index = int(node.arrays["reset_mechanism_val"])
        stored = RESETS[index] if 0 <= index < len(RESETS) else str(index)
        if given is not None and given != stored:
            raise DataError(f"{where}.reset_mechanism: {given!r} is given, the file holds {stored!r}; leave it out.")
        given = stored
    given = given or DEFAULT_RESET.get(node.kind, "subtract")
    if given not in RESETS:
        raise DataError(unknown_name(f"{where}.reset_mechanism", given, RESETS))
    return str(given)


def _late(where: str, node: Node, reset: str) -> str:
    if bool(node.options.get("reset_delay", True)) or reset == "none":
        return ""
    return "_at_once"


def _leaky(where: str, node: Node) -> Cell:
    reset = _reset(where, node)
    parameters = {"decay": _decay(where, node, "beta"), "v_threshold": _threshold(where, node)}
    if node.kind in ("Synaptic", "RSynaptic"):
        parameters["decay_syn"] = _decay(where, node, "alpha")
    model = f"snntorch_{node.kind.lower()}_{reset}{_late(where, node, reset)}"
    return Cell(model, parameters, **(_loop(where, node) if node.kind.startswith("R") else {}))


def _threshold(where: str, node: Node) -> Any:
    threshold = _number(where, node, "threshold", 1.0)
    if np.any(threshold < 0):
        raise DataError(
            f"{where}.threshold: down to {threshold.min():g}; a threshold below the start of the membrane is not supported."
        )
    return threshold


def _loop(where: str, node: Node) -> Mapping[str, Any]:
    arrays = node.arrays
    if "recurrent.V" in arrays or "V" in arrays:
        return {"recurrent_diagonal": arrays.get("recurrent.V", arrays.get("V"))}
    if "recurrent.weight" not in arrays:
        raise DataError(f"{where}.recurrent: no recurrent weights in the state dict; expected recurrent.weight or recurrent.V.")
    weight, bias = arrays["recurrent.weight"], arrays.get("recurrent.bias")
    if weight.ndim == 2:
        return {"recurrent_weights": weight, "recurrent_bias": bias}
    padding = [size // 2 for size in weight.shape[2:]]
    kernel = Node("Conv2d", {"padding": padding}, {"weight": weight} | ({} if bias is None else {"bias": bias}))
    return {"recurrent_kernel": kernel}


def _alpha(where: str, node: Node) -> Cell:
    slow, fast = _decay(where, node, "alpha"), _decay(where, node, "beta")
    if np.any(slow <= fast) or np.any(fast <= 0) or np.any(slow >= 1):
        raise DataError(f"{where}: alpha must be above beta, and both above 0 and below 1; they are {slow} and {fast}.")
    parameters = {"decay_syn": slow, "decay": fast, "gain": _gain(slow, fast), "v_threshold": _threshold(where, node)}
    return Cell(f"snntorch_alpha_{_reset(where, node)}", parameters)


def _gain(slow: Any, fast: Any) -> Any:
    """Return snnTorch's ``tau_alpha`` by torch's own logarithm, so that its last bit is torch's."""
    import torch

    a, b = torch.from_numpy(np.array(slow)), torch.from_numpy(np.array(fast))
    return (torch.log(a) / (torch.log(b) - torch.log(a)) + 1).numpy()


def _lapicque(where: str, node: Node) -> Cell:
    missing = [key for key in ("R", "C", "time_step") if key not in node.arrays]
    if missing and math.isnan(float(node.options.get("beta", math.nan))):
        raise DataError(f"{where}: {', '.join(missing)} missing; save the state dict of the cell, or give beta.")
    step = _number(where, node, "time_step", 1.0)
    r = _number(where, node, "R", 1.0)
    c = _number(where, node, "C") if "C" in node.arrays else step / (r * np.log(1 / _number(where, node, "beta")))
    parameters = {
        "decay": 1 - (step / (r * c)), "resistance": r, "inverse_rc": 1 / (r * c), "time_step": step,
        "v_threshold": _threshold(where, node),
    }  # fmt: skip
    return Cell(f"snntorch_lapicque_{_reset(where, node)}", parameters)


SNNTORCH_CELLS: dict[str, Callable[[str, Node], Cell]] = {
    "Leaky": _leaky, "RLeaky": _leaky, "Synaptic": _leaky, "RSynaptic": _leaky, "Alpha": _alpha, "Lapicque": _lapicque,
}  # fmt: skip
