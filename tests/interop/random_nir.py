"""Random NIR files per platform that writes them, and the platform's own step, both from the numbers that the platform has.

The steps are those of the sources: snnTorch 1.0 ``Leaky``, ``Synaptic``; Norse 1.1 ``LIFBoxCell``, ``LIFCell``, ``IAFCell``;
SpikingJelly 2.0 ``LIFNode``, ``IFNode``; sinabs ``IAF``, ``LIF``; rockpool ``LIFTorch``; lava's CUBA LIF; and without a platform
the equations of NIR by forward Euler or exactly. What a platform writes into a file is in `wrote` of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PLATFORMS", "Platform", "Step"]

Array = Any
Step = Callable[[Array, dict[str, Array]], Array]


@dataclass(frozen=True)
class Platform:
    """A kind of neuron of a platform: what it draws, what it writes as NIR, and its step ``(input, state) -> spikes``."""

    kind: str
    reading: dict[str, Any]
    draw: Callable[[np.random.Generator, int], dict[str, Array]]
    wrote: Callable[[dict[str, Array]], dict[str, Array]]
    step: Callable[[dict[str, Array], Array, dict[str, Array]], Array]


def single(values: Array) -> Array:
    """Return numbers as a platform of single precision keeps them."""
    return np.asarray(values, np.float32).astype(np.float64)


def fired(state: dict[str, Array], spikes: Array, reset: Array | float, threshold: Array | None = None) -> Array:
    """Reset in the step of the spike, to a value or by subtraction."""
    state["v"] = np.where(spikes, reset, state["v"]) if threshold is None else state["v"] - spikes * threshold
    return spikes


# -- snnTorch: every constant as if a step were 0.1 ms; r = tau/0.1 ms ----------------------------------------------------------


def leaky(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    reset = s["v"] > p["threshold"]
    s["v"] = p["beta"] * s["v"] + x - reset * p["threshold"]
    return s["v"] > p["threshold"]


def leaky_zero(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    """Reset before the input of the step; with a loop (``RLeaky``) after it, so that the input of that step is lost."""
    reset = s["v"] > p["threshold"]
    if s["looped"]:
        s["v"] = (1 - reset) * (p["beta"] * s["v"] + x)
    else:
        s["v"] = p["beta"] * (1 - reset) * s["v"] + x
    return s["v"] > p["threshold"]


def synaptic(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    reset = s["v"] > p["threshold"]
    s["g"] = p["alpha"] * s["g"] + x
    s["v"] = p["beta"] * s["v"] + s["g"] - reset * p["threshold"]
    return s["v"] > p["threshold"]


def synaptic_zero(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    reset = s["v"] > p["threshold"]
    s["g"] = p["alpha"] * s["g"] + x
    s["v"] = (1 - reset) * (p["beta"] * s["v"] + s["g"])
    return s["v"] > p["threshold"]


def at_once(step: Callable[..., Array], zero: bool) -> Callable[..., Array]:
    """Return snnTorch's ``reset_delay=False``: a spike resets in its own step what the step before did not reset already."""

    def run(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
        before = s["v"] > p["threshold"]
        spikes = step(p, x, s)
        again = spikes.astype(float) - before
        s["v"] = s["v"] - again * (s["v"] if zero else p["threshold"])
        return spikes

    return run


def draw_snntorch(g: np.random.Generator, n: int) -> dict[str, Array]:
    return {"beta": single(g.uniform(0.5, 0.97, n)), "alpha": single(g.uniform(0.2, 0.8, n)),
            "threshold": single(g.uniform(0.5, 1.5, n))}  # fmt: skip


def wrote_leaky(p: dict[str, Array]) -> dict[str, Array]:
    tau = 1e-4 / (1 - p["beta"])
    return {"tau": tau, "r": tau / 1e-4, "v_leak": 0 * tau, "v_threshold": p["threshold"], "v_reset": 0 * tau}


def wrote_synaptic(p: dict[str, Array]) -> dict[str, Array]:
    tau, fast = 1e-4 / (1 - p["beta"]), 1e-4 / (1 - p["alpha"])
    return {"tau_mem": tau, "tau_syn": fast, "r": tau / 1e-4, "w_in": fast / 1e-4, "v_leak": 0 * tau,
            "v_threshold": p["threshold"], "v_reset": 0 * tau}  # fmt: skip


# -- Norse: dt/tau_inv in version 1.1 (the step squared), 1/tau_inv before -----------------------------------------------------

DT = 2e-3  # s


def draw_norse(g: np.random.Generator, n: int) -> dict[str, Array]:
    return {"mem": single(g.uniform(30, 200, n)), "syn": single(g.uniform(100, 300, n)), "leak": single(g.uniform(-0.1, 0.2, n)),
            "threshold": single(g.uniform(0.3, 0.8, n)), "reset": single(g.uniform(-0.3, 0.1, n))}  # fmt: skip


def share(inverse: Array) -> Array:
    return (np.float32(DT) * inverse.astype(np.float32)).astype(np.float64)


def lif_box(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    v = np.where(np.isnan(s["v"]), p["leak"], s["v"])
    s["v"] = v + share(p["mem"]) * ((x + p["leak"]) - v)
    return fired(s, s["v"] > p["threshold"], p["reset"])


def lif_cell(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    v, g = np.where(np.isnan(s["v"]), p["leak"], s["v"]), s["g"] + x
    s["v"] = v + share(p["mem"]) * ((p["leak"] - v) + g)
    s["g"] = g - share(p["syn"]) * g
    return fired(s, s["v"] > p["threshold"], p["reset"])


def wrote_box(p: dict[str, Array], step: float = DT) -> dict[str, Array]:
    tau = step / p["mem"]
    return {"tau": tau, "r": np.ones_like(tau), "v_leak": p["leak"], "v_threshold": p["threshold"], "v_reset": p["reset"]}


def wrote_cell(p: dict[str, Array], step: float = DT) -> dict[str, Array]:
    tau = step / p["mem"]
    return {"tau_mem": tau, "tau_syn": step / p["syn"], "r": np.ones_like(tau), "v_leak": p["leak"],
            "v_threshold": p["threshold"], "v_reset": p["reset"], "w_in": np.ones_like(tau)}  # fmt: skip


# -- SpikingJelly: tau in steps times the dt of the export; r is 1, or tau where the input is not divided by it ------------------


def draw_jelly(g: np.random.Generator, n: int) -> dict[str, Array]:
    return {"tau": np.full(n, np.round(g.uniform(1.5, 9), 2)), "threshold": np.full(n, g.uniform(0.4, 1.2)),
            "reset": np.full(n, g.uniform(-0.3, 0.2))}  # fmt: skip


def start(v: Array, value: Array) -> Array:
    return np.where(np.isnan(v), value, v)


def lif_node(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    v = start(s["v"], p["reset"])
    s["v"] = v + (x - (v - p["reset"])) / p["tau"]
    return fired(s, s["v"] >= p["threshold"], p["reset"])


def lif_whole(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    v = start(s["v"], p["reset"])
    s["v"] = v - (v - p["reset"]) / p["tau"] + x
    return fired(s, s["v"] >= p["threshold"], p["reset"])


def if_node(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    s["v"] = start(s["v"], p["reset"]) + x
    return fired(s, s["v"] >= p["threshold"], p["reset"])


def wrote_node(p: dict[str, Array], whole: bool = False) -> dict[str, Array]:
    r = p["tau"] if whole else np.ones_like(p["tau"])
    return {"tau": p["tau"] * DT, "r": r, "v_leak": p["reset"], "v_threshold": p["threshold"], "v_reset": p["reset"]}


# -- sinabs: constants in steps, the input added whole; subtraction ------------------------------------------------------------


def draw_plain(g: np.random.Generator, n: int) -> dict[str, Array]:
    return {"tau": g.uniform(2, 20, n), "fast": g.uniform(1, 6, n), "threshold": g.uniform(1.0, 2.0, n),
            "leak": g.uniform(-0.2, 0.2, n), "r": g.uniform(0.5, 2.0, n), "w": g.uniform(0.5, 2.0, n),
            "reset": g.uniform(-0.3, 0.2, n)}  # fmt: skip


def iaf(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    s["v"] = s["v"] + x
    return fired(s, s["v"] >= p["threshold"], 0, p["threshold"])


def sinabs_lif(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    s["v"] = np.exp(-1 / p["tau"]) * s["v"] + x
    return fired(s, s["v"] >= p["threshold"], 0, p["threshold"])


# -- rockpool, lava, and equations ----------------------------------------------------------------------------------------------


def rockpool_lif(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    s["v"] = (s["v"] + x) * np.exp(-1 / p["tau"])
    return fired(s, s["v"] > p["threshold"], 0, p["threshold"])


def rockpool_synapse(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    s["g"] = (s["g"] + x) * np.exp(-1 / p["fast"])
    s["v"] = s["v"] * np.exp(-1 / p["tau"]) + s["g"]
    return fired(s, s["v"] > p["threshold"], 0, p["threshold"])


def lava(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    s["g"] = (1 - 1 / (1 + p["fast"])) * s["g"] + x
    s["v"] = (1 - 1 / p["tau"]) * s["v"] + s["g"]
    return fired(s, s["v"] > p["threshold"], 0.0)


def euler(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    s["v"] = s["v"] + (p["leak"] - s["v"] + p["r"] * x) / p["tau"]
    return fired(s, s["v"] > p["threshold"], p["reset"])


def exact(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    end = p["leak"] + p["r"] * x  # of the membrane under an input that stays
    s["v"] = end + (s["v"] - end) * np.exp(-1 / p["tau"])
    return fired(s, s["v"] > p["threshold"], 0, p["threshold"])


def integrator(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    s["v"] = s["v"] + p["r"] * x * DT
    return fired(s, s["v"] > p["threshold"], p["reset"])


def cuba(p: dict[str, Array], x: Array, s: dict[str, Array]) -> Array:
    g = s["g"] + p["w"] * x / (1 + p["fast"])
    s["v"] = s["v"] + (p["leak"] - s["v"] + p["r"] * g) / p["tau"]
    s["g"] = g - g / (1 + p["fast"])
    return fired(s, s["v"] > p["threshold"], 0, p["threshold"])


def in_seconds(p: dict[str, Array]) -> dict[str, Array]:
    return {"tau": p["tau"] * DT, "r": p["r"], "v_leak": p["leak"], "v_threshold": p["threshold"], "v_reset": p["reset"]}


def wrote_cuba(p: dict[str, Array], **other: Array) -> dict[str, Array]:
    made = {"tau_mem": p["tau"] * DT, "tau_syn": (1 + p["fast"]) * DT, "r": p["r"], "w_in": p["w"], "v_leak": p["leak"],
            "v_threshold": p["threshold"], "v_reset": 0 * p["tau"]}  # fmt: skip
    return made | other


def of_rockpool(p: dict[str, Array]) -> dict[str, Array]:
    return {"r": p["tau"] * np.exp(-1 / p["tau"]), "v_leak": 0 * p["tau"], "v_threshold": p["threshold"], "v_reset": 0 * p["tau"]}


def of_lava(p: dict[str, Array]) -> dict[str, Array]:
    return wrote_cuba(p, r=p["tau"], w_in=1 + p["fast"], v_leak=0 * p["tau"])


STEP = {"dt_ms": DT * 1e3}
ONES = np.ones_like
PLATFORMS = {
    "snntorch Leaky": Platform("LIF", STEP | {"writer": "snntorch", "reset": "subtract"}, draw_snntorch, wrote_leaky, leaky),
    "snntorch Leaky zero": Platform(
        "LIF", STEP | {"writer": "snntorch", "reset": "zero"}, draw_snntorch, wrote_leaky, leaky_zero),
    "snntorch Synaptic": Platform(
        "CubaLIF", STEP | {"writer": "snntorch", "reset": "subtract"}, draw_snntorch, wrote_synaptic, synaptic),
    "snntorch Synaptic zero": Platform(
        "CubaLIF", STEP | {"writer": "snntorch", "reset": "zero"}, draw_snntorch, wrote_synaptic, synaptic_zero),
    **{
        f"{name} at once": Platform(
            kind, STEP | {"writer": "snntorch", "reset": reset, "reset_delay": False}, draw_snntorch, wrote,
            at_once(step, reset == "zero"))
        for name, kind, reset, wrote, step in (
            ("snntorch Leaky", "LIF", "subtract", wrote_leaky, leaky),
            ("snntorch Leaky zero", "LIF", "zero", wrote_leaky, leaky_zero),
            ("snntorch Synaptic", "CubaLIF", "subtract", wrote_synaptic, synaptic),
            ("snntorch Synaptic zero", "CubaLIF", "zero", wrote_synaptic, synaptic_zero),
        )
    },
    "norse LIFBoxCell": Platform("LIF", STEP | {"writer": "norse"}, draw_norse, wrote_box, lif_box),
    "norse LIFCell": Platform("CubaLIF", STEP | {"writer": "norse"}, draw_norse, wrote_cell, lif_cell),
    "older norse LIFBoxCell": Platform(
        "LIF", STEP | {"writer": "norse-1.0"}, draw_norse, lambda p: wrote_box(p, 1.0), lif_box),
    "older norse LIFCell": Platform(
        "CubaLIF", STEP | {"writer": "norse-1.0"}, draw_norse, lambda p: wrote_cell(p, 1.0), lif_cell),
    "spikingjelly LIFNode": Platform("LIF", STEP | {"writer": "spikingjelly"}, draw_jelly, wrote_node, lif_node),
    "spikingjelly LIFNode, whole input": Platform(
        "LIF", STEP | {"writer": "spikingjelly"}, draw_jelly, lambda p: wrote_node(p, True), lif_whole),
    "spikingjelly IFNode": Platform(
        "IF", STEP | {"writer": "spikingjelly"}, draw_jelly,
        lambda p: {"r": ONES(p["tau"]) / DT, "v_threshold": p["threshold"], "v_reset": p["reset"]}, if_node),
    "sinabs IAF": Platform(
        "IF", STEP | {"writer": "sinabs"}, draw_plain, lambda p: {"r": ONES(p["tau"]), "v_threshold": p["threshold"]}, iaf),
    "sinabs LIF": Platform(
        "LIF", STEP | {"writer": "sinabs"}, draw_plain,
        lambda p: {"tau": p["tau"], "r": ONES(p["tau"]), "v_leak": 0 * p["tau"], "v_threshold": p["threshold"]}, sinabs_lif),
    "rockpool LIFTorch without synapse": Platform(
        "LIF", STEP | {"writer": "rockpool"}, draw_plain, lambda p: of_rockpool(p) | {"tau": p["tau"] * DT}, rockpool_lif),
    "rockpool LIFTorch": Platform(
        "CubaLIF", STEP | {"writer": "rockpool"}, draw_plain,
        lambda p: of_rockpool(p) | {"tau_mem": p["tau"] * DT, "tau_syn": p["fast"] * DT, "w_in": ONES(p["tau"])},
        rockpool_synapse),
    "lava CUBA": Platform("CubaLIF", STEP | {"writer": "lava"}, draw_plain, of_lava, lava),
    "nengo, exact, subtract": Platform(
        "LIF", STEP | {"writer": "nengo", "reset": "subtract"}, draw_plain, lambda p: in_seconds(p) | {"v_reset": 0 * p["tau"]},
        exact),
    "equations, Euler": Platform("LIF", STEP | {"reset": "zero"}, draw_plain, in_seconds, euler),
    "equations, IF": Platform(
        "IF", STEP | {"reset": "zero"}, draw_plain,
        lambda p: {"r": p["r"], "v_threshold": p["threshold"] * DT, "v_reset": p["reset"] * DT},
        lambda p, x, s: integrator(p | {"threshold": p["threshold"] * DT, "reset": p["reset"] * DT}, x, s)),
    "equations, CubaLIF": Platform("CubaLIF", STEP | {"reset": "subtract"}, draw_plain, wrote_cuba, cuba),
}  # fmt: skip
