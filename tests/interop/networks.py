"""Small networks of every supported cell, as modules of their framework and as descriptions of their layers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

N_IN, N_HIDDEN, N_OUT = 12, 9, 4


@dataclass(frozen=True)
class Case:
    """A network: how to make its hidden cell and output cell, and the same for a description of layers."""

    framework: str
    kind: str
    make: Callable[[], nn.Module]
    options: dict[str, Any]
    scale: float = 1.0
    takes_input_weights: bool = False


class Chain(nn.Module):
    """Linear - cell - Linear - cell, stepped by the caller; states are kept between calls."""

    def __init__(self, case: Case, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.framework = case.framework
        if not case.takes_input_weights:
            self.fc1 = nn.Linear(N_IN, N_HIDDEN)
        self.cell1 = case.make()
        self.fc2 = nn.Linear(N_HIDDEN, N_OUT)
        self.cell2 = second_cell(case.framework)
        with torch.no_grad():
            for parameter in (*self.fc2.parameters(), *(self.fc1.parameters() if hasattr(self, "fc1") else ())):
                parameter.mul_(2.5 * case.scale)
            if case.takes_input_weights:
                self.cell1.input_weights.mul_(case.scale)  # type: ignore[union-attr]
        self.states: list[Any] = [None, None]

    def reset(self) -> None:
        self.states = [None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        current = self.fc1(x) if hasattr(self, "fc1") else x
        if self.framework == "norse":
            z, self.states[0] = self.cell1(current, self.states[0])
            z, self.states[1] = self.cell2(self.fc2(z), self.states[1])
            return z
        first = self.cell1(current)
        second = self.cell2(self.fc2(first[0] if isinstance(first, tuple) else first))
        return second[0] if isinstance(second, tuple) else second


def second_cell(framework: str) -> nn.Module:
    if framework == "snntorch":
        import snntorch

        return snntorch.Leaky(beta=0.8, init_hidden=True)
    if framework == "norse":
        from norse.torch.module.lif import LIFCell

        return LIFCell()
    from spikingjelly.activation_based.neuron import LIFNode

    return LIFNode(v_threshold=0.4)


SECOND = {"snntorch": "Leaky", "norse": "LIFCell", "spikingjelly": "LIFNode"}


def _snn(kind: str, scale: float = 1.0, **arguments: Any) -> Case:
    def make() -> nn.Module:
        import snntorch

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Inhibition is an unstable feature")  # of layers that are not flat; these are
            return getattr(snntorch, kind)(init_hidden=True, **arguments)  # type: ignore[no-any-return]

    kept = {key: value for key, value in arguments.items() if key in ("reset_delay", "inhibition")}
    return Case("snntorch", kind, make, kept, scale)


def _norse(module: str, kind: str, options: dict[str, Any], *, scale: float = 1.0, recurrent: bool = False) -> Case:
    def make() -> nn.Module:
        from importlib import import_module

        home = import_module(f"norse.torch.module.{module}")
        functional = import_module(f"norse.torch.functional.{module}")
        if kind.startswith("Izhikevich"):
            spiking = functional.tonic_spiking
            return getattr(home, kind)(N_IN, N_HIDDEN, spiking) if recurrent else getattr(home, kind)(spiking)
        parameters = _norse_parameters(functional, kind, options)
        return getattr(home, kind)(N_IN, N_HIDDEN, p=parameters) if recurrent else getattr(home, kind)(parameters)

    return Case("norse", kind, make, options, scale, recurrent)


def _norse_parameters(functional: Any, kind: str, options: dict[str, Any]) -> Any:
    as_tensor = {key: torch.as_tensor(value) for key, value in options.items() if key not in ("rho_reset", "reset_method")}
    if "Refrac" in kind:
        from norse.torch.functional.lif import LIFParameters

        return functional.LIFRefracParameters(LIFParameters(**as_tensor), torch.as_tensor(options["rho_reset"]))
    if "Box" in kind and "reset_method" in options:
        from norse.torch.functional import reset

        as_tensor["reset_method"] = getattr(reset, options["reset_method"])
    name = {"LIFBoxCell": "LIFBoxParameters", "IAFCell": "IAFParameters"}.get(kind)
    name = name or ("LIFAdExParameters" if "AdEx" in kind else "LSNNParameters" if "LSNN" in kind else "LIFParameters")
    return getattr(functional, name)(**as_tensor)


def _jelly(kind: str, **arguments: Any) -> Case:
    def make() -> nn.Module:
        from spikingjelly.activation_based import neuron

        return getattr(neuron, kind)(**arguments)  # type: ignore[no-any-return]

    options = {key: ("none" if value is None else value) for key, value in arguments.items() if key != "init_tau"}
    return Case("spikingjelly", kind, make, options)


VECTOR = torch.linspace(0.5, 0.95, N_HIDDEN)
IZHIKEVICH = {"a": 0.02, "b": 0.2, "c": -65.0, "d": 6.0, "v": -70.0, "u": float(torch.tensor(-70) * 0.2)}
LIF = {"v_th": 0.4, "v_reset": -0.1, "tau_mem_inv": 120.0, "tau_syn_inv": 150.0}
ADEX = {"v_th": 0.6, "delta_T": 0.3, "adaptation_current": 1.5, "adaptation_spike": 0.1, "tau_ada_inv": 8.0}
LSNN = {"v_th": 0.4, "v_reset": -0.1, "tau_mem_inv": 120.0, "tau_syn_inv": 150.0, "tau_adapt_inv": 20.0, "beta": 0.3}
INHIBITED: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("Leaky", 1.0, {"beta": 0.9}),
    ("Synaptic", 0.6, {"alpha": 0.7, "beta": 0.8}),
    ("Alpha", 2.0, {"alpha": 0.9, "beta": 0.8, "threshold": 0.3}),
    ("Lapicque", 4.0, {"beta": 0.8}),
    ("RLeaky", 1.0, {"beta": 0.9, "linear_features": N_HIDDEN}),
    ("RSynaptic", 0.6, {"alpha": 0.6, "beta": 0.8, "linear_features": N_HIDDEN}),
)

CASES: dict[str, Case] = {
    **{f"snntorch-Leaky-{reset}": _snn("Leaky", beta=0.9, reset_mechanism=reset) for reset in ("subtract", "zero", "none")},
    **{
        f"snntorch-Leaky-{reset}-at-once": _snn("Leaky", beta=0.9, reset_mechanism=reset, reset_delay=False)
        for reset in ("subtract", "zero")
    },
    "snntorch-Leaky-vector": _snn("Leaky", beta=VECTOR, threshold=VECTOR + 0.2, learn_beta=True, learn_threshold=True),
    **{
        f"snntorch-Synaptic-{reset}": _snn("Synaptic", 0.6, alpha=0.7, beta=0.8, reset_mechanism=reset)
        for reset in ("subtract", "zero", "none")
    },
    **{
        f"snntorch-Synaptic-{reset}-at-once": _snn("Synaptic", 0.6, alpha=0.7, beta=0.8, reset_mechanism=reset, reset_delay=False)
        for reset in ("subtract", "zero")
    },
    **{
        f"snntorch-Alpha-{reset}": _snn("Alpha", 2.0, alpha=0.9, beta=0.8, threshold=0.3, reset_mechanism=reset)
        for reset in ("subtract", "zero", "none")
    },
    **{
        f"snntorch-Lapicque-{reset}": _snn("Lapicque", 4.0, beta=0.8, reset_mechanism=reset)
        for reset in ("subtract", "zero", "none")
    },
    "snntorch-Lapicque-RC": _snn("Lapicque", 4.0, R=2.0, C=3.0, time_step=0.5),
    **{
        f"snntorch-RLeaky-{reset}": _snn("RLeaky", beta=0.9, linear_features=N_HIDDEN, reset_mechanism=reset)
        for reset in ("subtract", "zero", "none")
    },
    "snntorch-RLeaky-at-once": _snn("RLeaky", beta=0.9, linear_features=N_HIDDEN, reset_delay=False),
    "snntorch-RLeaky-one-to-one": _snn("RLeaky", beta=0.9, all_to_all=False, V=VECTOR - 0.7),
    **{
        f"snntorch-RSynaptic-{reset}": _snn(
            "RSynaptic", 0.6, alpha=0.6, beta=0.8, linear_features=N_HIDDEN, reset_mechanism=reset
        )
        for reset in ("subtract", "zero", "none")
    },
    **{
        f"snntorch-{kind}-{reset}-inhibition": _snn(kind, scale, **arguments, reset_mechanism=reset, inhibition=True)
        for kind, scale, arguments in INHIBITED for reset in ("subtract", "zero", "none")
    },
    **{
        f"snntorch-{kind}-{reset}-at-once-inhibition": _snn(
            kind, scale, **arguments, reset_mechanism=reset, reset_delay=False, inhibition=True
        )
        for kind, scale, arguments in INHIBITED if kind in ("Leaky", "Synaptic", "RLeaky") for reset in ("subtract", "zero")
    },
    "norse-LIFCell": _norse("lif", "LIFCell", LIF),
    "norse-LIFRecurrentCell": _norse("lif", "LIFRecurrentCell", LIF, recurrent=True),
    "norse-LIFBoxCell": _norse("lif_box", "LIFBoxCell", {"v_th": 0.3, "v_leak": 0.05}),
    "norse-LIFBoxCell-subtract": _norse("lif_box", "LIFBoxCell", {"v_th": 0.3, "reset_method": "reset_subtract"}),
    "norse-IAFCell": _norse("iaf", "IAFCell", {"v_th": 1.2}),
    "norse-LIFRefracCell": _norse("lif_refrac", "LIFRefracCell", {**LIF, "rho_reset": 3.0}),
    "norse-LIFRefracRecurrentCell": _norse("lif_refrac", "LIFRefracRecurrentCell", {**LIF, "rho_reset": 2.0}, recurrent=True),
    "norse-LIFAdExCell": _norse("lif_adex", "LIFAdExCell", ADEX),
    "norse-LIFAdExRecurrentCell": _norse("lif_adex", "LIFAdExRecurrentCell", ADEX, recurrent=True),
    "norse-LSNNCell": _norse("lsnn", "LSNNCell", LSNN),
    "norse-LSNNRecurrentCell": _norse("lsnn", "LSNNRecurrentCell", LSNN, recurrent=True),
    "norse-IzhikevichCell": _norse("izhikevich", "IzhikevichCell", IZHIKEVICH, scale=12.0),
    "norse-IzhikevichRecurrentCell": _norse("izhikevich", "IzhikevichRecurrentCell", IZHIKEVICH, scale=25.0, recurrent=True),
    "spikingjelly-IFNode-soft": _jelly("IFNode", v_reset=None),
    "spikingjelly-IFNode-hard": _jelly("IFNode", v_reset=-0.2),
    "spikingjelly-LIFNode-hard": _jelly("LIFNode", tau=3.0, v_reset=0.1, v_threshold=0.6),
    "spikingjelly-LIFNode-soft": _jelly("LIFNode", tau=3.0, v_reset=None, v_threshold=0.3),
    "spikingjelly-LIFNode-hard-whole-input": _jelly("LIFNode", tau=3.0, decay_input=False),
    "spikingjelly-LIFNode-soft-whole-input": _jelly("LIFNode", tau=3.0, v_reset=None, decay_input=False),
    "spikingjelly-ParametricLIFNode-hard": _jelly("ParametricLIFNode", init_tau=4.0, v_reset=-0.1, v_threshold=0.4),
    "spikingjelly-ParametricLIFNode-soft": _jelly("ParametricLIFNode", init_tau=4.0, v_reset=None, v_threshold=0.4),
    "spikingjelly-ParametricLIFNode-whole-input": _jelly("ParametricLIFNode", init_tau=4.0, decay_input=False),
}


def architecture(case: Case) -> dict[str, Any]:
    """Return the description of the layers of a chain."""
    layers: list[dict[str, Any]] = [] if case.takes_input_weights else [{"name": "fc1", "type": "Linear"}]
    layers += [
        {"name": "cell1", "type": case.kind, **case.options},
        {"name": "fc2", "type": "Linear"},
        {"name": "cell2", "type": SECOND[case.framework], **({"v_threshold": 0.4} if case.framework == "spikingjelly" else {})},
    ]
    return {"framework": case.framework, "dt_ms": 1.0, "input_shape": [N_IN], "layers": layers}


def events(seed: int = 1, n_trials: int = 5, n_steps: int = 60, rate: float = 0.35, n_units: int = N_IN) -> np.ndarray[Any, Any]:
    """Return input spikes, shape (trial, step, unit)."""
    return (np.random.default_rng(seed).random((n_trials, n_steps, n_units)) < rate).astype(np.uint8)
