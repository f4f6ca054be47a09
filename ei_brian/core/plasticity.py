"""Presynaptic short-term plasticity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import SpecError

__all__ = ["TsodyksMarkram"]


@takes_numbers()
@dataclass(frozen=True, slots=True)
class TsodyksMarkram:
    """Short-term plasticity of Tsodyks and Markram, one state per presynaptic neuron.

    Between spikes ``du/dt = -u/tau_u`` and ``dx/dt = (1 - x)/tau_x``; at a spike ``u += U*(1 - u)``, the weight is scaled by
    ``u*x/U``, then ``x -= u*x``. Rest is ``u = 0, x = 1``, so that the first spike has the full weight.

    Parameters
    ----------
    utilization : float
        U, share of the resources that a first spike uses; 0 < U <= 1.
    tau_u_ms, tau_x_ms : float
        Time constants of facilitation and of recovery in ms; > 0.

    Raises
    ------
    SpecError
        If a value is out of range.

    References
    ----------
    Tsodyks, Pawelzik & Markram 1998, Neural Comput. 10:821, doi 10.1162/089976698300017502: u falls to 0 between spikes. (In
    Mongillo, Barak & Tsodyks 2008, Science 319:1543, u relaxes to U instead.)
    """

    utilization: float
    tau_u_ms: float
    tau_x_ms: float

    def __post_init__(self) -> None:
        for name in ("utilization", "tau_u_ms", "tau_x_ms"):
            value = getattr(self, name)
            upper = 1.0 if name == "utilization" else np.finfo(np.float64).max
            if not (np.isfinite(value) and 0 < value <= upper):
                raise SpecError(f"TsodyksMarkram.{name}: {value!r}; allowed is > 0 and <= {upper:g}.")
            object.__setattr__(self, name, float(value))
