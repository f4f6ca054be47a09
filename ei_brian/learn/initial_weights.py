"""Initial weights of a given standard deviation."""

from __future__ import annotations

import torch

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import ConfigError
from ei_brian.learn.network import EINetwork

__all__ = ["set_initial_weights"]


@takes_numbers()
@torch.no_grad()
def set_initial_weights(
    net: EINetwork, generator: torch.Generator, *, input_std: float | None = None, recurrent_std: float | None = None,
    readout_std: float | None = None, zeros: float = 0.0,
) -> None:  # fmt: skip
    """Draw the weights of a network anew: normal, and half-normal where they keep one sign.

    Parameters
    ----------
    net : EINetwork
        Changed in place.
    generator : torch.Generator
        Of the draws.
    input_std, recurrent_std, readout_std : float, optional
        Standard deviation of the normal whose magnitude is taken, for the weights into the first layer, within layers, and onto
        the readout; those left out stay as they are.
    zeros : float
        Chance of a weight that is drawn here to be 0.

    Raises
    ------
    ConfigError
        For numbers out of range.
    """
    if not 0 <= zeros < 1:
        raise ConfigError(f"set_initial_weights.zeros: {zeros!r}; a chance from 0 to below 1 is allowed.")
    drawn = [(net.forward_weights[0], input_std, net.excitatory_input), (net.readout_weights, readout_std, net.dale)]
    drawn += [(weights, recurrent_std, net.dale) for weights in net.recurrent_weights]
    for weights, std, positive in drawn:
        if std is None:
            continue
        if not 0 <= std < float("inf"):
            raise ConfigError(f"set_initial_weights: standard deviation {std!r}; finite numbers >= 0 are allowed.")
        values = torch.randn(weights.shape, generator=generator) * std
        if zeros > 0:
            values *= torch.rand(weights.shape, generator=generator) >= zeros
        weights.copy_(values.abs() if positive else values)
