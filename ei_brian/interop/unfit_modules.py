"""Modules that cannot be watched or run step by step as they are, each with the way round."""

from __future__ import annotations

import torch
from torch import nn

from ei_brian.errors import DataError

__all__ = ["check_modules"]

SCRIPTED = "it is compiled (torch.jit), and what it computes cannot be watched. Give the module as it was before torch.jit."
QUANTISED = (
    "it rounds what it is given as well as its weights, so that it is no weighted sum. Give the module as it was before "
    "quantisation, or put nn.Linear or nn.Conv2d with the rounded weights, layer.weight().dequantize(), in its place."
)
RECURRENT = (
    "a recurrent layer without spikes (nn.RNN, nn.LSTM, nn.GRU) keeps a state of its own, and is no set of synapses. Leave it "
    "out of the module: what it makes of the input belongs to the data, what it makes of the spikes is a decoder."
)
STATISTICS = (
    "it has no running statistics (track_running_stats=False), and normalises by those of each batch, so that trials depend on "
    "one another. Train with running statistics, which evaluation then uses."
)


def check_modules(model: nn.Module) -> None:
    """Refuse modules whose kind alone shows that they are no layers of a network.

    Raises
    ------
    DataError
        With the name of the module, why, and what to do.
    """
    for name, module in model.named_modules():
        reason = _reason(module)
        if reason:
            raise DataError(f"layer {name or 'network'} ({type(module).__name__}): {reason}")


def _reason(module: nn.Module) -> str:
    if isinstance(module, torch.jit.ScriptModule):
        return SCRIPTED
    if type(module).__module__.startswith("torch.ao.nn.quantized"):
        return QUANTISED
    if isinstance(module, nn.RNNBase):
        return RECURRENT
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
        return STATISTICS
    return ""
