"""Firing rates of neurons, populations and cell types; silent and saturated neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.living import living
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError, unknown_name

__all__ = ["RateSummary", "rate_summary", "rate_summary_by_type", "rates_hz", "saturated_fraction", "silent_fraction"]


@dataclass(frozen=True, slots=True)
class RateSummary:
    """Distribution of the mean rates of neurons, in Hz; ``silent`` and ``saturated`` are shares of them."""

    n_neurons: int
    mean_hz: float
    deviation_hz: float
    median_hz: float
    low_hz: float
    high_hz: float
    silent: float
    saturated: float


@takes_numbers()
def rates_hz(recording: Recording, population: str) -> npt.NDArray[np.float64]:
    """Return the rate of each neuron over all trials, shape (neuron,), in Hz: spikes per second, by definition."""
    if population not in recording.counts:
        raise DataError(unknown_name("recording.counts", population, recording.counts))
    if not recording.n_trials:
        raise DataError("recording: holds no trials; a rate needs at least one.")
    return recording.counts[population].mean(axis=0) / (recording.n_steps * recording.dt_ms * 1e-3)


@takes_numbers()
def silent_fraction(recording: Recording, population: str) -> float:
    """Return the share of neurons that never spiked in any trial, dimensionless; by definition."""
    return float(np.mean(rates_hz(recording, population) == 0))


@takes_numbers()
def saturated_fraction(recording: Recording, population: str, share: float = 0.5) -> float:
    """Return the share of neurons, dimensionless, that fire no less than ``share`` of one spike per step; the bound is ours."""
    return float(np.mean(rates_hz(recording, population) >= share * 1e3 / recording.dt_ms))


def _summary(rates: npt.NDArray[np.float64], ceiling_hz: float) -> RateSummary:
    low, median, high = np.percentile(rates, [5, 50, 95])
    return RateSummary(
        rates.size, float(rates.mean()), float(rates.std()), float(median), float(low), float(high),
        float(np.mean(rates == 0)), float(np.mean(rates >= ceiling_hz)),
    )  # fmt: skip


@takes_numbers()
def rate_summary(recording: Recording, population: str, saturated_share: float = 0.5) -> RateSummary:
    """Return mean, standard deviation, median, 5th and 95th percentile of the rates in Hz, and silent and saturated shares.

    By definition; what counts as saturated is ours.
    """
    return _summary(rates_hz(recording, population), saturated_share * 1e3 / recording.dt_ms)


@takes_numbers()
def rate_summary_by_type(
    spec: NetworkSpec, recording: Recording, population: str, saturated_share: float = 0.5
) -> dict[str, RateSummary]:
    """Return `rate_summary` (Hz) of each cell type of a population; under the name of its model where it has no types.

    By definition; what counts as saturated is ours. Cells that are dead, or were killed by the noise of the run, do not count; a
    type of which none lives is left out.
    """
    rates, members = rates_hz(recording, population), spec[population]
    alive = living(members, recording.noise, recording.seed)
    types = np.array(members.cell_types or [members.model] * members.size)[alive]
    ceiling = saturated_share * 1e3 / recording.dt_ms
    return {str(name): _summary(rates[alive][types == name], ceiling) for name in np.unique(types)}
