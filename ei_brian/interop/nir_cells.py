"""NIR neurons in terms of the catalogue, by the convention of the framework that wrote them.

A file holds time constants without a time step, and neither the kind of reset nor the order of a step. snnTorch writes every
constant as if a step were 0.1 ms; SpikingJelly as multiples of the step given to its export; Norse 1.1 multiplies by the step
twice, and before it wrote seconds. sinabs counts in steps, and adds the input of a step as it is; rockpool writes seconds, and a
resistance that makes the input decay with the membrane once; lava's decays are those of forward Euler; nengo's neurons are solved
exactly; Spyx writes beta as the resistance (`ei_brian.interop.nir_spyx`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ei_brian.errors import DataError, unknown_name
from ei_brian.interop.graph import Cell
from ei_brian.interop.nir_file import RawNode
from ei_brian.interop.nir_spyx import SPYX_WRITERS, spyx_cell

__all__ = ["NIR_CELLS", "WRITERS", "Convention", "nir_cell"]

SNNTORCH_STEP = 1e-4
SLOWEST = 1e-4  # share of the way to rest per step: a membrane of 10,000 steps is no trained cell
WRITERS = ("snntorch", "norse", "norse-1.0", "spikingjelly", "sinabs", "rockpool", "lava", "nengo", *SPYX_WRITERS)
DEFAULT_RESET = {"sinabs": "subtract", "rockpool": "subtract", "lava": "zero", "nengo": "zero"}
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
    if convention.writer in SPYX_WRITERS:
        if convention.reset == "zero":
            raise DataError(f"{where}: a spike of Spyx takes the threshold off the membrane; leave reset out.")
        return spyx_cell(where, node.kind, p)
    if convention.reset is None and convention.writer in DEFAULT_RESET:
        convention = replace(convention, reset=DEFAULT_RESET[convention.writer])
    if "v_threshold" in p and convention.reset is None and convention.writer in (None, "snntorch"):
        raise DataError(f"{where}: NIR does not say how a spike resets the membrane; give reset='zero' or reset='subtract'.")
    if convention.writer == "snntorch":
        return _snntorch(where, node.kind, p, convention)
    if convention.writer in ("norse", "norse-1.0"):
        return _norse(where, node.kind, p, convention)
    if convention.writer == "spikingjelly":
        return _spikingjelly(where, node.kind, p, convention)
    if convention.writer == "sinabs":
        return _sinabs(where, node.kind, p, convention)
    if convention.writer == "rockpool":
        return _rockpool(where, node.kind, p, convention)
    if convention.writer == "nengo":
        convention = replace(convention, method="exact")
    return _physical(where, node.kind, p, convention)


SEVERAL = (
    "{writer} lets a cell fire several times in a step where its membrane is several thresholds high; here it fires once, and "
    "keeps "
    "what is left",
)


def _sinabs(where: str, kind: str, p: Mapping[str, Any], convention: Convention) -> Cell:
    """Return sinabs' IAF and LIF: time constants in steps, the input of a step added as it is, a spike at the threshold "
    "itself."""
    if kind not in ("IF", "LIF") or np.any(p["r"] != 1) or np.any(p.get("v_leak", np.zeros(())) != 0):
        raise DataError(f"{where}: not as sinabs writes it (IF or LIF with r = 1 and v_leak = 0); it is another writer's file.")
    soft = convention.reset == "subtract"
    parameters = {"v_threshold": p["v_threshold"]} | ({} if soft else {"v_reset": p.get("v_reset", np.zeros(()))})
    name, remarks = ("soft" if soft else "hard"), tuple(text.format(writer="sinabs") for text in SEVERAL) if soft else ()
    if kind == "IF":
        return Cell(f"spikingjelly_if_{name}", parameters, remarks=remarks)
    tau = np.maximum(-1 / np.expm1(-1 / p["tau"]), 1.0)  # 1 - 1/tau is exp(-1/tau of sinabs)
    return Cell(f"spikingjelly_lif_{name}_whole_input", parameters | {"tau": tau}, remarks=remarks)


def _rockpool(where: str, kind: str, p: Mapping[str, Any], convention: Convention) -> Cell:
    """Return rockpool's LIF: what a step brings decays in that step with the rest, by exp(-dt/tau)."""
    if kind not in ("LIF", "CubaLIF"):
        raise DataError(f"{where}: rockpool writes no such node; leave writer out.")
    tau = p["tau" if kind == "LIF" else "tau_mem"]
    decay = np.exp(-convention.dt / tau)
    if np.any(np.abs(p["r"] * convention.dt / (tau * decay) - 1) > 1e-3):
        step = float(np.ravel(tau / (1 + p["r"]))[0]) * 1e3
        raise DataError(
            f"{where}: r is not tau/dt exp(-dt/tau) for dt_ms = {convention.dt_ms:g}; rockpool's r fits a step of about "
            f"{step:.3g} ms."
        )
    parameters = {"rate_mem": 1 - decay, "v_leak": p["v_leak"], "v_threshold": p["v_threshold"]}
    if convention.reset == "zero":
        parameters["v_reset"] = p.get("v_reset", np.zeros(()))
    remarks = tuple(text.format(writer="rockpool") for text in SEVERAL) if convention.reset == "subtract" else ()
    if kind == "LIF":
        return Cell(f"nir_lif_{convention.reset}", parameters | {"resistance": decay / (1 - decay)}, remarks=remarks)
    decay_syn = np.exp(-convention.dt / p["tau_syn"])  # g = decay*(g + drive) there; decay*drive here, and g decays afterwards
    own = {"rate_syn": 1 - decay_syn, "jump": decay_syn, "resistance": 1 / (1 - decay)}
    return Cell(f"nir_cuba_lif_{convention.reset}", parameters | own, remarks=remarks)


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


def _norse_rate(where: str, tau: Any, convention: Convention) -> Any:
    """Return the share per step: of Norse 1.1, which writes dt/tau_mem_inv, or of older ones, which wrote 1/tau_mem_inv."""
    dt = convention.dt
    if convention.writer == "norse-1.0":
        return _single(dt / tau)
    rate = _single(dt * dt / tau)
    if np.any(rate < SLOWEST):
        raise DataError(
            f"{where}: read as Norse 1.1 writes it, a step of {convention.dt_ms:g} ms would take the membrane "
            f"{float(rate.min()):.1g} of the way to rest; in seconds, as older versions wrote it, "
            f"{float((dt / tau).min()):.2g}. Give writer='norse-1.0' (--from norse-1.0), or the dt_ms of the export."
        )
    return rate


def _norse(where: str, kind: str, p: Mapping[str, Any], convention: Convention) -> Cell:
    common = {"v_leak": p.get("v_leak", np.zeros(()))}
    if convention.reset == "subtract" and kind != "LIF":
        raise DataError(f"{where}: Norse resets {kind} to a value; reset='subtract' fits LIFBoxCell (LIF) alone.")
    if "v_threshold" in p:
        common["v_threshold"] = p["v_threshold"]
        if convention.reset != "subtract":
            common["v_reset"] = p.get("v_reset", np.zeros(()))
    if kind == "CubaLIF":
        rates = {f"rate_{key}": _norse_rate(where, p[f"tau_{key}"], convention) for key in ("mem", "syn")}
        return Cell("norse_lif", common | rates)
    if kind == "IF":
        return Cell("norse_iaf", {key: value for key, value in common.items() if key != "v_leak"})
    box = "norse_lif_box_subtract" if convention.reset == "subtract" else "norse_lif_box"
    name = {"LIF": box, "LI": "norse_li_box"}.get(kind)
    if name is None:
        raise DataError(f"{where}: Norse writes no such node; leave writer out.")
    return Cell(name, common | {"rate_mem": _norse_rate(where, p["tau"], convention)})


def _spikingjelly(where: str, kind: str, p: Mapping[str, Any], convention: Convention) -> Cell:
    if convention.reset == "subtract":
        raise DataError(f"{where}: SpikingJelly writes hard resets only; leave reset out, or read the module.")
    if "v_reset" not in p:
        raise DataError(f"{where}.v_reset: missing, and SpikingJelly always writes it; it is another writer's file (sinabs?).")
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
