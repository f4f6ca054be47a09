"""Networks of snnTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError
from ei_brian.interop.cells_snntorch import SNNTORCH_CELLS, SNNTORCH_REFUSED
from ei_brian.interop.frameworks import SUPPORTED
from ei_brian.interop.graph import Node
from ei_brian.interop.modules import arrays_of, network_of, spikes_like

if TYPE_CHECKING:
    from ei_brian.interop.layout import Run

__all__ = ["from_snntorch"]

OPTIONS = ("reset_delay", "inhibition", "state_quant")


@takes_numbers()
def from_snntorch(
    model: nn.Module, sample_input: torch.Tensor, *, dt_ms: float = 1.0, name: str = "network", readout: str | None = None,
    run: Run | None = None, prove: bool = True,
) -> NetworkSpec:  # fmt: skip
    """Return a snnTorch network as a spec that gives the same spikes.

    Parameters
    ----------
    model : torch.nn.Module
        Layers of torch.nn and neurons of snnTorch, joined by modules only. Nothing of it is changed.
    sample_input : tensor
        What ``model`` takes: one time step, shape (trial, …), or, where the model runs the steps itself, several, shape
        (step, trial, …). Only its shape matters.
    dt_ms : float
        How long a step is, in ms; snnTorch has no time of its own. At most 1 where cells shall become biological later.
    name : str
        Name of the network.
    readout : str, optional
        Decision rule, see `Readout`; the spike count of the last layer unless given.
    run : callable, optional
        ``run(model, sample_input)`` where ``model(sample_input)`` is not how it is called.
    prove : bool
        Run a copy of the module beside the network that was read, and compare every spike of every layer and every value that
        the module returns, in float64; see `NetworkSpec.proof`. Without it the network is shown as "not proven".

    Returns
    -------
    NetworkSpec
        Populations are named after the modules of their neurons.

    Raises
    ------
    DataError
        For layers and options that cannot be reproduced exactly, by name.
    ProofError
        If the network that was read does not give the spikes and values of the module, with layer, trial, step and likely reason.
    ConfigError
        If snnTorch is missing or of a version that was not tested.

    Examples
    --------
    ``spec = from_snntorch(model, torch.zeros(1, 784), dt_ms=1.0)``
    """
    kinds = (*SNNTORCH_CELLS, *SNNTORCH_REFUSED)
    return network_of("snntorch", model, sample_input, kinds, _cell, lambda module: False, name, dt_ms, readout, run, prove)


def _cell(name: str, module: nn.Module) -> Node:
    options = {key: getattr(module, key) for key in OPTIONS if hasattr(module, key)}
    kind = type(module).__name__
    if kind == "RSynaptic" and not module.reset_delay:
        raise DataError(
            f"layer {name} (RSynaptic).reset_delay: False, with which snnTorch {SUPPORTED['snntorch']} itself stops in its first "
            "step, so that there is nothing to compare with. Its weights come in as a state dict with a description "
            "(from_state_dict, type = 'RSynaptic', reset_delay = false) or as a NIR file, with spikes of the version that ran it."
        )
    if kind in SNNTORCH_CELLS:
        spikes_like(name, module.spike_grad, at_zero=0)
        if getattr(module, "reset_mechanism_val", None) is None:
            options["reset_mechanism"] = module.reset_mechanism
    return Node(kind, options, arrays_of(module))
