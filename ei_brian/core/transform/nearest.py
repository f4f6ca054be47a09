"""What a calibration came to that did not reach its aim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.calibration_settings import CalibrationSettings
from ei_brian.core.transform.targets import Comparison

__all__ = ["Nearest", "shortfalls"]

LEAST_RATE_HZ = 1.0  # a rate this near is near enough: one spike in a second


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest that a refused calibration found.

    Parameters
    ----------
    before, after : Comparison
        How near the network was to the trained one, and came to it.
    reasons : tuple of str
        What is missing, a sentence each.
    """

    before: Comparison
    after: Comparison
    reasons: tuple[str, ...]
    _spec: NetworkSpec = field(repr=False)

    def network(self) -> NetworkSpec:
        """Return the network, whose provenance says that it did not reach the aim, and why."""
        return self._spec

    def words(self) -> str:
        """Return before and after, a line each."""
        return f"before: {self.before.words()}\nafter:  {self.after.words()}"


def shortfalls(seen: Comparison, settings: CalibrationSettings) -> tuple[str, ...]:
    """Return what a calibration lacks, a part of a sentence each; empty where it has succeeded."""
    far: Mapping[str, tuple[float, float]] = {
        name: (seen.rates_hz[name], rate)
        for name, rate in seen.rates_trained_hz.items()
        if not abs(seen.rates_hz[name] - rate) <= max(settings.rate_tolerance * rate, LEAST_RATE_HZ)
    }
    told = [
        f"{name} {got:.1f} Hz instead of {wanted:.1f} Hz (allowed: {settings.rate_tolerance:.0%})"
        for name, (got, wanted) in far.items()
    ]
    if np.isfinite(seen.agreement):
        if not seen.agreement >= settings.least_agreement:
            told.append(f"{seen.agreement:.0%} of the decisions are the trained ones (least: {settings.least_agreement:.0%})")
    elif np.isfinite(seen.r2) and not seen.r2 >= settings.least_r2:
        told.append(f"the output over time has R² = {seen.r2:.2f} (least: {settings.least_r2:g})")
    return tuple(told)
