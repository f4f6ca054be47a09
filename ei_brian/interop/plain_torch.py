"""Networks of plain torch, with layers of neurons of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError
from ei_brian.interop.graph import Node
from ei_brian.interop.modules import network_of

if TYPE_CHECKING:
    from ei_brian.interop.layout import Run

__all__ = ["from_torch"]


@takes_numbers()
def from_torch(
    model: nn.Module, sample_input: torch.Tensor, *, cells: Sequence[type[nn.Module]], dt_ms: float = 1.0,
    name: str = "network", readout: str | None = None, run: Run | None = None, prove: bool = True,
) -> NetworkSpec:  # fmt: skip
    """Return a network with layers of neurons of one's own as a spec that gives the same spikes.

    What the code of such a layer computes in a step is taken from the operations that torch runs, and becomes a model of its own
    in the language of steps (see `NeuronModel`), which travels in the model file as data.

    Parameters
    ----------
    model : torch.nn.Module
        The network; nothing of it is changed.
    sample_input : tensor
        What ``model`` takes, as for `from_snntorch`.
    cells : sequence of classes
        Classes of the layers of neurons. A layer takes the input of a step and returns its spikes first; it keeps its states, or
        returns them behind the spikes and takes them back. It works on each neuron alone: weights, also recurrent ones, are
        layers of their own outside of it.
    dt_ms, name, readout, run, prove
        As for `from_snntorch`.

    Raises
    ------
    DataError
        If a step holds what the language of steps does not, with the operation.
    ProofError
        If the network that was read does not give the spikes and values of the module.

    Examples
    --------
    ``spec = from_torch(model, torch.zeros(1, 784), cells=[MyNeurons])``
    """
    kinds = tuple(cells)
    if not kinds or not all(isinstance(kind, type) and issubclass(kind, nn.Module) for kind in kinds):
        raise DataError(f"from_torch.cells: {kinds!r}; give the classes of your layers of neurons, such as [MyNeurons].")

    def read(item: str, module: nn.Module) -> Node:
        raise DataError(f"layer {item}: {type(module).__name__} has no reader.")

    return network_of("torch", model, sample_input, kinds, read, lambda module: False, name, dt_ms, readout, run, prove)
