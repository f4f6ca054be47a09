"""Initial weights for a wanted initial firing rate, found on real input."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import ConfigError
from ei_brian.learn.network import EINetwork

__all__ = ["hidden_rate_hz", "scale_to_rate", "set_initial_rate"]


@torch.no_grad()
def hidden_rate_hz(net: EINetwork, events: torch.Tensor) -> float:
    """Return the mean firing rate of all hidden cells in Hz for input of shape (trial, step, unit)."""
    spikes = net(events).spikes
    total = sum(float(z.sum()) for z in spikes)
    cells = sum(layer.size for layer in net.layers)
    return total / (events.shape[0] * events.shape[1] * cells * net.dt_ms * 1e-3)


@torch.no_grad()
@takes_numbers()
def set_initial_rate(net: EINetwork, events: torch.Tensor, rate_hz: float, tolerance: float = 0.1, most: int = 40) -> float:
    """Scale the feed-forward weights by one factor for a wanted rate, and return the rate that was reached in Hz.

    As `scale_to_rate`, with the rate of the network's own forward pass for input of shape (trial, step, unit).
    """
    return scale_to_rate(net, lambda: hidden_rate_hz(net, events), rate_hz, tolerance, most)


@torch.no_grad()
def scale_to_rate(
    net: EINetwork, rate_now_hz: Callable[[], float], rate_hz: float, tolerance: float = 0.1, most: int = 40,
    least_hz: float = 0.0,
) -> float:  # fmt: skip
    """Scale the feed-forward weights by one factor, found by bisection, and return the rate that was reached in Hz.

    Recurrent weights stay as they were drawn, small: scaling them too makes the rate jump where the loop ignites.

    Parameters
    ----------
    net : EINetwork
        Changed in place.
    rate_now_hz : callable
        Returns the mean rate of the hidden cells for real input, such as some training images, with the present weights.
    rate_hz : float
        Wanted mean rate of the hidden cells, above 0 and below one spike per step.
    tolerance : float
        Relative deviation at which the search stops.
    most : int
        Largest number of forward passes.
    least_hz : float
        Absolute deviation that is always near enough: such as that of one spike in all of the input.

    Raises
    ------
    ConfigError
        If the rate cannot be reached by scaling the weights; these are then as they were.
    """
    low, high = 1e-3, 1e3
    start = [w.clone() for w in net.forward_weights]
    reached = 0.0
    for _ in range(most):
        factor = (low * high) ** 0.5
        for weights, origin in zip(net.forward_weights, start, strict=True):
            weights.copy_(origin * factor)
        reached = rate_now_hz()
        if abs(reached - rate_hz) <= max(tolerance * rate_hz, least_hz):
            return reached
        low, high = (factor, high) if reached < rate_hz else (low, factor)
    for weights, origin in zip(net.forward_weights, start, strict=True):
        weights.copy_(origin)
    raise ConfigError(
        f"initial_rate_hz: {rate_hz:g} Hz was not reached by scaling the initial weights (nearest {reached:g} Hz); give another "
        "rate, or more cells or input."
    )
