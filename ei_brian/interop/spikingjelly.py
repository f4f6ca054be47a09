"""Networks of SpikingJelly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.interop.cells_spikingjelly import SPIKINGJELLY_CELLS
from ei_brian.interop.graph import Node
from ei_brian.interop.modules import arrays_of, network_of, spikes_like

if TYPE_CHECKING:
    from ei_brian.interop.layout import Run

__all__ = ["from_spikingjelly"]

OPTIONS = ("v_threshold", "v_reset", "tau", "decay_input")


@takes_numbers()
def from_spikingjelly(
    model: nn.Module, sample_input: torch.Tensor, *, dt_ms: float = 1.0, name: str = "network", readout: str | None = None,
    run: Run | None = None, prove: bool = True,
) -> NetworkSpec:  # fmt: skip
    """Return a SpikingJelly network as a spec that gives the same spikes.

    Parameters
    ----------
    model : torch.nn.Module
        Layers of torch.nn or ``spikingjelly.activation_based.layer`` and nodes of SpikingJelly, joined by modules only; step
        mode ``"s"`` or ``"m"``.
    sample_input : tensor
        What ``model`` takes: one time step, shape (trial, …), in step mode ``"m"`` several, shape (step, trial, …).
    dt_ms, name, readout, run, prove
        As for `from_snntorch`; SpikingJelly counts in steps.

    Returns
    -------
    NetworkSpec
        Populations are named after the modules of their nodes.

    Raises
    ------
    DataError
        For nodes and options that cannot be reproduced.
    ConfigError
        If SpikingJelly is missing or of a version that was not tested.
    """
    kinds = (*SPIKINGJELLY_CELLS, "BaseNode", "SimpleBaseNode", "NonSpikingBaseNode")
    return network_of("spikingjelly", model, sample_input, kinds, _cell, _whole_sequence, name, dt_ms, readout, run, prove)


def _whole_sequence(module: nn.Module) -> bool:
    return getattr(module, "step_mode", "s") == "m"


def _cell(name: str, module: Any) -> Node:
    kind = type(module).__name__
    if kind in SPIKINGJELLY_CELLS:
        spikes_like(name, module.surrogate_function, at_zero=1)
    options = {key: getattr(module, key) for key in OPTIONS if hasattr(module, key)}
    return Node(kind, options, arrays_of(module))
