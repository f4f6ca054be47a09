"""NIR neurons in terms of the catalogue, by the convention of the framework that wrote them.

A file holds time constants without a time step, and neither the kind of reset nor the order of a step. snnTorch writes every
constant as if a step were 0.1 ms; SpikingJelly as multiples of the step given to its export; Norse multiplies by the step twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ei_brian.errors import DataError, unknown_name
from ei_brian.interop.graph import Cell
from ei_brian.interop.nir_file import RawNode

__all__ = ["NIR_CELLS", "WRITERS", "Convention", "nir_cell"]

SNNTORCH_STEP = 1e-4
WRITERS = ("snntorch", "norse", "spikingjelly")
RESETS = ("zero", "subtract")
METHODS = ("euler", "exact")
NEEDED = {
    "LIF": ("tau", "r", "v_leak", "v_threshold"), "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"),
    "IF": ("r", "v_threshold"), "LI": ("tau", "r", "v_leak"), "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak"), "I": ("r",),
    "Threshold": ("threshold",),
}  # fmt: skip
NIR_CELLS = tuple(NEEDED)


@dataclass(frozen=True, slots=True)
class Convention:
    """What a file does not say: who wrote it, the time step, the kind of reset, and how equations are stepped."""

    writer: str | None
    dt_ms: float
    reset: str | None
    reset_delay: bool
    method: str

    @property
    def dt(self) -> float:
        """The time step in s."""
        return self.dt_ms * 1e-3


def nir_cell(name: str, node: RawNode, convention: Convention) -> Cell:
    """Return what a NIR neuron becomes.

    Raises
    ------
    DataError
        If a value is missing or not finite, the convention does not fit, or a choice that decides the spikes was not made.
    """
    where = f"node {name} ({node.kind})"
    p: dict[str, Any] = {}
    for key in NEEDED[node.kind]:
        if key not in node.values:
            raise DataError(f"{where}.{key}: missing; the file is not whole.")
    for key, value in node.values.items():
        if value.dtype.kind in "fiu":
            p[key] = value.astype(np.float64)
            if not np.isfinite(p[key]).all():
                raise DataError(f"{where}.{key}: values that are not finite; check what wrote the file.")
    if node.kind == "Threshold":
        return Cell("nir_threshold", {"v_threshold": p["threshold"]})
    for key in ("tau", "tau_mem", "tau_syn"):
        if key in p and np.any(p[key] <= 0):
            raise DataError(f"{where}.{key}: down to {p[key].min():g} s; time constants are above 0.")
    if "v_threshold" in p and convention.reset is None and convention.writer in (None, "snntorch"):
        raise DataError(f"{where}: NIR does not say how a spike resets the membrane; give reset='zero' or reset='subtract'.")
    if convention.writer == "snntorch":
        return _snntorch(where, node.kind, p, convention)
    if convention.writer == "norse":
        return _norse(where, node.kind, p, convention)
    if convention.writer == "spikingjelly":
        return _spikingjelly(where, node.kind, p, convention)
    return _physical(where, node.kind, p, convention)


def _physical(where: str, kind: str, p: Mapping[str, Any], convention: Convention) -> Cell:
    parameters: dict[str, Any] = {}
    if kind in ("IF", "I"):
        parameters["gain"] = p["r"] * convention.dt
    else:
        parameters["resistance"], parameters["v_leak"] = p["r"], p["v_leak"]
        parameters["rate_mem"] = _rate(where, p["tau" if "tau" in p else "tau_mem"], convention)
    if kind.startswith("Cuba"):
        parameters["rate_syn"] = _rate(where, p["tau_syn"], convention)
        parameters["jump"] = p.get("w_in", np.ones(())) * parameters["rate_syn"]
    base = {"LIF": "lif", "LI": "lif", "CubaLIF": "cuba_lif", "CubaLI": "cuba_lif", "IF": "if", "I": "if"}[kind]
    if "v_threshold" not in p:
        return Cell("nir_" + {"lif": "li", "cuba_lif": "cuba_li", "if": "i"}[base], parameters)
    parameters["v_threshold"] = p["v_threshold"]
    if convention.reset == "zero":
        parameters["v_reset"] = p.get("v_reset", np.zeros(()))
    elif np.any(p.get("v_reset", np.zeros(())) != 0):
        raise DataError(f"{where}.v_reset: not 0, which has no meaning when a reset subtracts the threshold; give reset='zero'.")
    return Cell(f"nir_{base}_{convention.reset}", parameters)


def _rate(where: str, tau: Any, convention: Convention) -> Any:
    share = convention.dt / tau
    if np.any(share >= 1) and convention.method == "euler":
        raise DataError(
            f"{where}: a time constant of {1e3 * tau.min():g} ms at a step of {convention.dt_ms:g} ms. snnTorch writes "
            "constants for "
            "steps of 0.1 ms and Norse squares the step: name the writer (writer='snntorch', 'norse', 'spikingjelly'), or "
            "give dt_ms."
        )
    return share if convention.method == "euler" else -np.expm1(-share)


def _single(value: Any) -> Any:
    """Return the float32 that a value was made from, where there is one within rounding."""
    single = value.astype(np.float32).astype(np.float64)
    near = np.abs(single - value) <= 2.0**-24 * np.maximum(np.abs(value), 2.0**-100)
    return np.where(near, single, value)


def _decay(where: str, tau: Any, gain: Any) -> Any:
    """Return beta from ``tau = 1e-4/(1 - beta)``: the float32 that gives this tau, which is unique."""
    if np.any(tau < SNNTORCH_STEP * (1 - 1e-6)) or np.any(np.abs(gain * SNNTORCH_STEP / tau - 1) > 1e-4):
        raise DataError(f"{where}: not as snnTorch writes it (tau at least 0.1 ms, r = tau/0.1 ms); it is another writer's file.")
    return _single(np.clip(1 - SNNTORCH_STEP / tau, 0.0, 1.0))


def _snntorch(where: str, kind: str, p: Mapping[str, Any], convention: Convention) -> Cell:
    if kind not in ("LIF", "CubaLIF"):
        raise DataError(f"{where}: snnTorch writes no such node; leave writer out.")
    tau = p["tau" if kind == "LIF" else "tau_mem"]
    parameters = {"decay": _decay(where, tau, p["r"]), "v_threshold": p["v_threshold"]}
    late = "" if convention.reset_delay else "_at_once"
    if kind == "LIF":
        return Cell(f"snntorch_leaky_{convention.reset}{late}", parameters)
    parameters["decay_syn"] = _decay(where, p["tau_syn"], p["w_in"])
    return Cell(f"snntorch_synaptic_{convention.reset}{late}", parameters)


def _norse(where: str, kind: str, p: Mapping[str, Any], convention: Convention) -> Cell:
    dt = convention.dt
    common = {"v_leak": p.get("v_leak", np.zeros(()))}
    if convention.reset == "subtract" and kind != "LIF":
        raise DataError(f"{where}: Norse resets {kind} to a value; reset='subtract' fits LIFBoxCell (LIF) alone.")
    if "v_threshold" in p:
        common["v_threshold"] = p["v_threshold"]
        if convention.reset != "subtract":
            common["v_reset"] = p.get("v_reset", np.zeros(()))
    if kind == "CubaLIF":
        rates = {f"rate_{key}": _single(dt * dt / p[f"tau_{key}"]) for key in ("mem", "syn")}
        return Cell("norse_lif", common | rates)
    if kind == "IF":
        return Cell("norse_iaf", {key: value for key, value in common.items() if key != "v_leak"})
    box = "norse_lif_box_subtract" if convention.reset == "subtract" else "norse_lif_box"
    name = {"LIF": box, "LI": "norse_li_box"}.get(kind)
    if name is None:
        raise DataError(f"{where}: Norse writes no such node; leave writer out.")
    return Cell(name, common | {"rate_mem": _single(dt * dt / p["tau"])})


def _spikingjelly(where: str, kind: str, p: Mapping[str, Any], convention: Convention) -> Cell:
    if convention.reset == "subtract":
        raise DataError(f"{where}: SpikingJelly writes hard resets only; leave reset out, or read the module.")
    parameters = {"v_threshold": p["v_threshold"], "v_reset": p["v_reset"]} if kind in ("LIF", "IF") else {}
    if kind == "IF" and np.allclose(p["r"] * convention.dt, 1, rtol=1e-6, atol=0):
        return Cell("spikingjelly_if_hard", parameters)
    if kind == "LIF" and np.array_equal(p["v_leak"], p["v_reset"]):
        tau = _multiple(p["tau"], convention.dt)
        if np.any(tau < 1):
            raise DataError(f"{where}: a time constant below one step; dt_ms is the step that the export was given (dt).")
        for resistance, suffix in ((np.ones(()), ""), (tau, "_whole_input")):
            if np.allclose(p["r"], resistance, rtol=1e-6, atol=0):
                return Cell(f"spikingjelly_lif_hard{suffix}", parameters | {"tau": tau})
    raise DataError(
        f"{where}: not as SpikingJelly writes it at dt_ms={convention.dt_ms:g}; dt_ms is the step that its export was given."
    )


def _multiple(tau: Any, dt: float) -> Any:
    """Return the shortest decimal number m with ``m*dt == tau`` to the bit, or ``tau/dt``."""
    ratio = tau / dt
    short = np.round(ratio, 9)
    return np.where(short * dt == tau, short, ratio)


def check_convention(convention: Convention) -> None:
    """Refuse names that are not known."""
    for value, allowed, name in (
        (convention.writer, WRITERS, "writer"), (convention.reset, RESETS, "reset"), (convention.method, METHODS, "method"),
    ):  # fmt: skip
        if value is not None and value not in allowed:
            raise DataError(unknown_name(f"from_nir.{name}", value, allowed))
    if not (np.isfinite(convention.dt_ms) and convention.dt_ms > 0):
        raise DataError(f"from_nir.dt_ms: {convention.dt_ms!r}; give a positive number of ms.")
