"""Networks of Norse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError
from ei_brian.interop.cells_norse import NORSE_CELLS
from ei_brian.interop.graph import Node
from ei_brian.interop.modules import arrays_of, network_of

if TYPE_CHECKING:
    from ei_brian.interop.layout import Run

__all__ = ["from_norse"]

STEP_METHODS = ("super", "heaviside", "tanh", "triangle", "circ", "heavi_erfc", "adjoint")
OTHER_CELLS = (
    "LIFAdExRefracCell", "LIFAdExRefracRecurrentCell", "LIFExCell", "LIFEx",
    "LIFExRecurrentCell", "LIFExRecurrent", "CobaLIFCell",
    "LIFMCRecurrentCell", "LIFMCRefracRecurrentCell", "LIFCorrelation", "ExpFilter",
)  # fmt: skip
WHOLE_SEQUENCE = ("SNN", "SNNRecurrent")


@takes_numbers()
def from_norse(
    model: nn.Module, sample_input: torch.Tensor, *, dt_ms: float | None = None, name: str = "network",
    readout: str | None = None, run: Run | None = None, prove: bool = True,
) -> NetworkSpec:  # fmt: skip
    """Return a Norse network as a spec that gives the same spikes.

    Parameters
    ----------
    model : torch.nn.Module
        Layers of torch.nn and cells of Norse, joined by modules only (`SequentialState`, or a module of your own).
    sample_input : tensor
        What ``model`` takes: one time step, shape (trial, …), or several, shape (step, trial, …).
    dt_ms : float, optional
        How long a step is, in ms; that of the cells (``dt``, in s) unless given.
    name, readout, run, prove
        As for `from_snntorch`.

    Returns
    -------
    NetworkSpec
        Populations are named after the modules of their cells.

    Raises
    ------
    DataError
        For cells and options that cannot be reproduced.
    ConfigError
        If Norse is missing or of a version that was not tested.
    """
    kinds = (*NORSE_CELLS, *OTHER_CELLS)
    return network_of("norse", model, sample_input, kinds, _cell, _whole_sequence, name, dt_ms, readout, run, prove)


def _whole_sequence(module: nn.Module) -> bool:
    return any(base.__name__ in WHOLE_SEQUENCE for base in type(module).__mro__)


def _plain(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value


def _cell(name: str, module: Any) -> Node:
    options: dict[str, Any] = {"dt": float(module.dt)}
    parameters = module.p
    if hasattr(parameters, "lif"):
        options["rho_reset"] = _plain(parameters.rho_reset)
        parameters = parameters.lif
    for key in parameters._fields:
        value = getattr(parameters, key)
        if key == "method" and value not in STEP_METHODS:
            raise DataError(
                f"layer {name}.p.method: {value!r} is not a step function, so that its spikes are no spikes; use 'super'."
            )
        if key == "reset_method":
            options[key] = value.__name__
        elif key not in ("method", "alpha"):
            options[key] = _plain(value)
    if hasattr(module, "spiking_method"):
        start = module.spiking_method.s
        options |= {key: np.asarray(_plain(getattr(start, key))) for key in ("v", "u")}
    arrays = arrays_of(module)
    for key in ("input_weights", "recurrent_weights"):
        if hasattr(module, key):
            arrays[key] = _plain(getattr(module, key))
    return Node(type(module).__name__, options, arrays)
