"""Readout cells that only collect get what they got from the trained network: one factor on each projection onto them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.forced import released

__all__ = ["arrived", "output_factors"]

Trains = Mapping[str, npt.NDArray[np.bool_]]


def arrived(spec: NetworkSpec, projection: Projection, spikes: Trains) -> npt.NDArray[np.float64]:
    """Return what a projection brings to its target cells in each trial, shape (trial, cell), for given spikes of its source."""
    sent: Any = spikes[projection.source]
    if projection.plasticity is not None:
        sent = released(sent.astype(np.float32), projection.plasticity, spec.dt_ms)
    made = projection.weights @ sent.sum(axis=1, dtype=np.float64).T
    return np.asarray(made, dtype=np.float64).T


def output_factors(
    spec: NetworkSpec, swapped: Set[str], spikes: Trains, wanted: Mapping[str, npt.NDArray[np.float64]],
    limits: tuple[float, float],
) -> dict[str, float]:  # fmt: skip
    """Return factors for the projections from swapped cells onto readouts that do not spike.

    Such a readout is linear in its weights, so the factors are least squares between what arrives in each trial and what arrived
    from the trained cells: where cells of a type adapt and fire less, their projection speaks louder. No label is looked at.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    swapped : set of str
        The populations that were swapped.
    spikes : mapping of population to array of bool, shape (trial, step, neuron)
        What all cells do.
    wanted : mapping of readout population to array, shape (trial, cell)
        What arrived from all spiking cells of the trained network.
    limits : (float, float)
        Least and largest factor.
    """
    factors: dict[str, float] = {}
    for name, goal in wanted.items():
        parts = {p.name: arrived(spec, p, spikes) for p in spec.projections if p.target == name and p.source in spikes}
        free = [p.name for p in spec.projections if p.name in parts and p.source in swapped]
        if not free or not all(parts[each].any() for each in free):
            continue
        left = goal - sum((part for each, part in parts.items() if each not in free), np.zeros_like(goal))
        found, _ = nnls(np.stack([parts[each].ravel() for each in free], axis=1), left.ravel())
        factors |= {each: float(np.clip(factor, *limits)) for each, factor in zip(free, found.tolist(), strict=True)}
    return factors
