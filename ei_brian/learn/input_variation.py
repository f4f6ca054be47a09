"""Input spikes that are left out or shifted at random while a network is trained."""

from __future__ import annotations

import torch

__all__ = ["vary_events"]


def vary_events(events: torch.Tensor, deletion: float, jitter_steps: float, generator: torch.Generator) -> torch.Tensor:
    """Return a batch whose spikes are left out with a chance, and the others shifted by whole steps.

    Parameters
    ----------
    events : tensor, shape (trial, step, unit)
        Spike counts.
    deletion : float
        Chance of a spike to be left out, 0 to 1.
    jitter_steps : float
        Standard deviation of the shift in steps (normal, rounded); what would leave the trial stays in its first or last step.
    generator : torch.Generator
        Of the draws; none are made where both are 0.
    """
    if deletion == 0 and jitter_steps == 0:
        return events
    trial, step, unit = events.nonzero(as_tuple=True)
    count = events[trial, step, unit]
    if deletion > 0:
        count = count * (torch.rand(count.shape, generator=generator) >= deletion)
    if jitter_steps > 0:
        shift = torch.randn(step.shape, generator=generator).mul(jitter_steps).round().long()
        step = (step + shift).clamp(0, events.shape[1] - 1)
    return torch.zeros_like(events).index_put((trial, step, unit), count, accumulate=True)
