"""Norse's neurons in terms of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ei_brian.errors import DataError, unknown_name
from ei_brian.interop.graph import Cell, Node

__all__ = ["NORSE_CELLS", "norse_cell"]

LIF_DEFAULTS = {"tau_syn_inv": 200.0, "tau_mem_inv": 100.0, "v_leak": 0.0, "v_th": 1.0, "v_reset": 0.0}


def norse_cell(name: str, node: Node) -> Cell:
    """Return what a Norse neuron becomes.

    Parameters
    ----------
    name : str
        Name of the layer, for messages.
    node : Node
        Its parameters ``p`` and ``dt`` in ``options``, its weights in ``arrays``.

    Raises
    ------
    DataError
        For kinds and options that are not reproduced.
    """
    where = f"layer {name} ({node.kind})"
    if node.kind not in NORSE_CELLS:
        use = "Multi-compartment, correlation and conductance cells have no model."
        raise DataError(unknown_name(where, node.kind, NORSE_CELLS, use))
    return NORSE_CELLS[node.kind](where, node)


def _values(node: Node, defaults: Mapping[str, float]) -> dict[str, Any]:
    return {key: np.asarray(node.options.get(key, default)) for key, default in defaults.items()}


def _rate(node: Node, inverse: Any) -> Any:
    """Return ``dt*inverse`` with the rounding of torch: a tensor that is not float64 gives a float32 product."""
    dt = float(node.options.get("dt", 0.001))
    value = np.asarray(inverse)
    if value.dtype == np.float64:
        return dt * value
    return (np.float32(dt) * value.astype(np.float32)).astype(np.float64)


def _lif(where: str, node: Node) -> Cell:
    p = _values(node, LIF_DEFAULTS)
    parameters = {
        "rate_mem": _rate(node, p["tau_mem_inv"]), "rate_syn": _rate(node, p["tau_syn_inv"]), "v_leak": p["v_leak"],
        "v_threshold": p["v_th"], "v_reset": p["v_reset"],
    }  # fmt: skip
    name, loops = "norse_lif", {}
    if "Refrac" in node.kind:
        name = "norse_lif_refractory"
        parameters["rho_reset"] = np.asarray(node.options.get("rho_reset", 5.0))
    if "Recurrent" in node.kind:
        name, loops = f"{name}_recurrent", _loops(where, node)
    return Cell(name, parameters, **loops)


def _loops(where: str, node: Node) -> dict[str, Any]:
    missing = [key for key in ("input_weights", "recurrent_weights") if key not in node.arrays]
    if missing:
        raise DataError(f"{where}: {missing[0]} is not in the state dict.")
    return {"input_weights": node.arrays["input_weights"], "recurrent_weights": node.arrays["recurrent_weights"]}


def _box(where: str, node: Node) -> Cell:
    p = _values(node, LIF_DEFAULTS)
    parameters = {"rate_mem": _rate(node, p["tau_mem_inv"]), "v_leak": p["v_leak"], "v_threshold": p["v_th"]}
    reset = str(node.options.get("reset_method", "reset_value"))
    if reset not in ("reset_value", "reset_subtract"):
        raise DataError(unknown_name(f"{where}.reset_method", reset, ("reset_value", "reset_subtract")))
    if reset == "reset_subtract":
        return Cell("norse_lif_box_subtract", parameters)
    return Cell("norse_lif_box", parameters | {"v_reset": p["v_reset"]})


def _li(where: str, node: Node) -> Cell:
    p = _values(node, LIF_DEFAULTS)
    parameters = {"rate_mem": _rate(node, p["tau_mem_inv"]), "v_leak": p["v_leak"]}
    if "Box" in node.kind:
        return Cell("norse_li_box", parameters)
    weights = node.arrays["input_weights"] if node.kind == "LILinearCell" else None
    return Cell("norse_li", parameters | {"rate_syn": _rate(node, p["tau_syn_inv"])}, weights)


def _iaf(where: str, node: Node) -> Cell:
    p = _values(node, LIF_DEFAULTS)
    return Cell("norse_iaf", {"v_threshold": p["v_th"], "v_reset": p["v_reset"]})


def _adex(where: str, node: Node) -> Cell:
    p = _values(node, LIF_DEFAULTS)
    own = _values(node, {"adaptation_current": 4.0, "adaptation_spike": 0.02, "delta_T": 0.5, "tau_ada_inv": 2.0})
    parameters = {
        "rate_mem": _rate(node, p["tau_mem_inv"]), "rate_syn": _rate(node, p["tau_syn_inv"]), "v_leak": p["v_leak"],
        "v_threshold": p["v_th"], "v_reset": p["v_reset"], "delta_t": own["delta_T"],
        "rate_adapt": _rate(node, own["tau_ada_inv"]), "adaptation": own["adaptation_current"],
        "adaptation_jump": own["adaptation_spike"],
    }  # fmt: skip
    remarks = ("exact with one exponential function for both; torch's own differs in its last digit",)
    if "Recurrent" in node.kind:
        return Cell("norse_lif_adex_recurrent", parameters, **_loops(where, node), remarks=remarks)
    return Cell("norse_lif_adex", parameters, remarks=remarks)


def _lsnn(where: str, node: Node) -> Cell:
    p = _values(node, LIF_DEFAULTS)
    own = _values(node, {"tau_adapt_inv": 1.0 / 800, "beta": 1.8})
    parameters = {
        "rate_mem": _rate(node, p["tau_mem_inv"]), "rate_syn": _rate(node, p["tau_syn_inv"]), "v_leak": p["v_leak"],
        "v_threshold": p["v_th"], "v_reset": p["v_reset"], "rate_adapt": _rate(node, own["tau_adapt_inv"]),
        "adaptation_jump": own["beta"],
    }  # fmt: skip
    if "Recurrent" in node.kind:
        return Cell("norse_lsnn_recurrent", parameters, **_loops(where, node))
    return Cell("norse_lsnn", parameters)


def _izhikevich(where: str, node: Node) -> Cell:
    missing = [key for key in ("a", "b", "c", "d", "v", "u") if key not in node.options]
    if missing:
        raise DataError(f"{where}: {', '.join(missing)} not given; an Izhikevich cell needs a, b, c, d and the start v, u.")
    p = _values(node, {"sq": 0.04, "mn": 5.0, "bias": 140.0, "v_th": 30.0, "tau_inv": 250.0})
    a, b, c, d, v, u = (np.asarray(node.options[key], dtype=np.float64) for key in ("a", "b", "c", "d", "v", "u"))
    rate = p["tau_inv"].astype(np.float64) * float(node.options.get("dt", 0.001))
    parameters = {
        "rate": rate, "rate_u": rate * a, "b": b, "c": c, "d": d, "quadratic": p["sq"], "linear": p["mn"],
        "constant": p["bias"], "v_threshold": p["v_th"], "v_init": v, "u_init": u,
    }  # fmt: skip
    recurrent = "Recurrent" in node.kind
    if recurrent:
        return Cell("norse_izhikevich_recurrent", parameters, **_loops(where, node))
    return Cell("norse_izhikevich", parameters)


NORSE_CELLS: dict[str, Callable[[str, Node], Cell]] = {
    "LIFCell": _lif, "LIF": _lif, "LIFRecurrentCell": _lif, "LIFRecurrent": _lif, "LIFBoxCell": _box, "LICell": _li, "LI": _li,
    "LILinearCell": _li, "LIBoxCell": _li, "IAFCell": _iaf, "IAF": _iaf, "LIFRefracCell": _lif, "LIFRefracRecurrentCell": _lif,
    "LIFRefracRecurrent": _lif, "IzhikevichCell": _izhikevich, "Izhikevich": _izhikevich, "IzhikevichRecurrentCell": _izhikevich,
    "IzhikevichRecurrent": _izhikevich, "LIFAdExCell": _adex, "LIFAdEx": _adex, "LIFAdExRecurrentCell": _adex,
    "LIFAdExRecurrent": _adex, "LSNNCell": _lsnn, "LSNN": _lsnn, "LSNNRecurrentCell": _lsnn, "LSNNRecurrent": _lsnn,
}  # fmt: skip
