"""What a compiled program is given: networks with their input and noise, and how it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ei_brian.core.noise.noise import Noise
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stdp import PairSTDP
from ei_brian.core.stimulus import Stimulus

__all__ = ["RunCondition", "RunSettings"]


@dataclass(frozen=True, slots=True, eq=False)
class RunCondition:
    """One condition: a network, static noise already applied, a stimulus of at least one trial, and the noise of every step.

    ``rules`` change the weights of projections, which are sparse then; ``in_order`` lets a trial begin with those of the last.
    """

    spec: NetworkSpec
    stimulus: Stimulus
    n_steps: int
    noise: Noise | None = None
    seed: int | None = None
    rules: Mapping[str, PairSTDP] = field(default_factory=dict)
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class RunSettings:
    """A program and its use.

    Parameters
    ----------
    dtype, layout, batch, threads : numpy dtype, str, int, int
        Precision, how spikes reach their targets, trials side by side, processes.
    record : {"spikes", "counts"}
        Whether every spike is kept, or numbers of spikes only.
    traces : tuple of (population, state)
        States to keep.
    progress : bool
        Show a bar over the trials.
    target, in_order : str, bool
        What the program runs on, and whether a GPU forms sums in the order of the reference.
    """

    dtype: np.dtype[Any]
    layout: str
    batch: int
    threads: int = 1
    record: str = "spikes"
    traces: tuple[tuple[str, str], ...] = ()
    progress: bool = False
    target: str = "cpp_standalone"
    in_order: bool = True
