"""Probabilistic release and quantal variance: each synapse by itself, at each spike that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.exponential import exponential
from ei_brian.core.noise.draw import stream_of
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.philox import normals, uniforms
from ei_brian.core.projection import Projection

__all__ = ["ReleaseNoise", "release_factors", "release_noise"]

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class ReleaseNoise:
    """What multiplies the weights of a projection at each spike.

    The synapse from source ``i`` to target ``j`` is given, at the step in which the spike arrives, the numbers of unit ``j`` of
    stream ``base + i``. With uniform ``u`` and normal ``n`` a spike of size ``s`` adds ``s * (w * factor)``, where

    - ``factor = scale * exp(spread*n - spread**2/2)``, log-normal with mean ``scale``; ``scale`` without quantal variance;
    - ``factor = 0`` if ``u > probability``.

    ``scale`` is ``1/probability``, ``spread**2`` is ``log(1 + quantal_cv**2)``; all are rounded once to the run's precision.

    Parameters
    ----------
    probability : float
        Of release; 1 where that is off.
    quantal_cv : float
        Coefficient of variation of a release; 0 where that is off.
    stream_release, stream_quantal : int
        First streams; -1 where that kind is off.
    """

    probability: float
    quantal_cv: float
    stream_release: int
    stream_quantal: int

    @property
    def scale(self) -> float:
        """Size of a release relative to the weight."""
        return 1.0 / self.probability

    @property
    def spread(self) -> float:
        """Standard deviation of the logarithm of a release."""
        return float(np.sqrt(np.log1p(self.quantal_cv**2)))


def release_noise(projection: Projection, noise: Noise | None) -> ReleaseNoise | None:
    """Return the release noise of a projection, or None where it is off."""
    if noise is None or not (noise.release_failure or noise.quantal_cv):
        return None
    return ReleaseNoise(
        probability=1.0 - noise.release_failure,
        quantal_cv=noise.quantal_cv,
        stream_release=stream_of(projection.name, "release") if noise.release_failure else -1,
        stream_quantal=stream_of(projection.name, "quantal") if noise.quantal_cv else -1,
    )


def release_factors(
    release: ReleaseNoise, seed: int, trial: npt.NDArray[np.int64], source: npt.NDArray[np.int64], step: int, n_target: int,
    dtype: npt.DTypeLike,
) -> Array:  # fmt: skip
    """Return what multiplies the weights of each event, shape (event, n_target); see `ReleaseNoise`.

    Parameters
    ----------
    trial, source : array of int, shape (event,)
        Trial in the whole stimulus, and neuron of the source.
    step : int
        In which the events arrive.
    """
    kind: Any = np.dtype(dtype).type
    factor: Array = np.full((trial.size, n_target), kind(release.scale))
    if release.stream_quantal >= 0:
        normal = normals(seed, release.stream_quantal + source, trial, step, n_target).astype(dtype)
        factor = factor * exponential(kind(release.spread) * normal - kind(release.spread**2 / 2))
    if release.stream_release >= 0:
        uniform = uniforms(seed, release.stream_release + source, trial, step, n_target).astype(dtype)
        factor = np.where(uniform > kind(release.probability), kind(0), factor)
    return factor
