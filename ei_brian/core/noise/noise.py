"""What noise is injected into a network."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, fields, replace

import numpy as np

from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.core.plain_numbers import declared_unit, plain_number
from ei_brian.errors import ConfigError, shown, unknown_name

__all__ = ["FORMER", "Noise"]

FORMER = {"membrane_white": "per sqrt(ms)", "membrane_ou": "per ms"}  # kinds of version 0.1, whose level was a rate of pushes


@dataclass(frozen=True, slots=True)
class Noise:
    """Levels of all kinds of noise; 0 is off, and off gives the same bits as no noise at all.

    Units, formulas and sources of the fields are in `ei_brian.core.noise.kinds.NOISE_KINDS`. All numbers are drawn from
    counters (seed, source, trial, step, unit): the same seed gives the same noise in every variant of a network, on every
    backend, and on any number of threads.

    Raises
    ------
    ConfigError
        For a level that is not a finite number in its range.

    Examples
    --------
    >>> Noise(membrane_white_sd=0.1, spike_failure=0.05).kinds
    ('membrane_white_sd', 'spike_failure')
    """

    membrane_white_sd: float = 0.0
    membrane_ou_sd: float = 0.0
    membrane_ou_tau_ms: float = 5.0
    correlation: float = 0.0
    background_exc_hz: float = 0.0
    background_inh_hz: float = 0.0
    background_exc_weight: float = 1.0
    background_inh_weight: float = 1.0
    spike_failure: float = 0.0
    release_failure: float = 0.0
    quantal_cv: float = 0.0
    input_deletion: float = 0.0
    input_insertion_hz: float = 0.0
    input_jitter_ms: float = 0.0
    weight_spread: float = 0.0
    weight_stuck: float = 0.0
    weight_bits: float = 0.0
    weight_drift: float = 0.0
    weight_drift_exponent: float = 0.05
    threshold_spread: float = 0.0
    tau_spread: float = 0.0
    cell_death: float = 0.0
    exc_death: float = 0.0
    inh_death: float = 0.0
    delay_jitter_ms: float = 0.0
    membrane_white: InitVar[float] = 0.0
    membrane_ou: InitVar[float] = 0.0

    def __post_init__(self, membrane_white: float, membrane_ou: float) -> None:
        for name, level in (("membrane_white", membrane_white), ("membrane_ou", membrane_ou)):
            if plain_number(level, "1", f"noise.{name}"):
                raise ConfigError(_former(name))
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))
        if self.weight_bits and (self.weight_bits < 2 or self.weight_bits % 1):
            raise ConfigError(f"noise.weight_bits: {self.weight_bits:g}; give a whole number from 2 to 24, or 0 for off.")

    @classmethod
    def of(cls, kind: str, level: float) -> Noise:
        """Return noise of one kind; an unknown name raises `ConfigError` with the nearest."""
        if kind in FORMER:
            raise ConfigError(_former(kind))
        if kind not in NOISE_KINDS:
            raise ConfigError(unknown_name("noise", kind, NOISE_KINDS))
        return cls(**{kind: level})

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds that are on."""
        return tuple(name for name, kind in NOISE_KINDS.items() if not kind.setting_of and getattr(self, name) > 0)

    @property
    def dynamic(self) -> Noise:
        """The part that acts during the simulation, with every other kind off."""
        off = {name: 0.0 for name, kind in NOISE_KINDS.items() if not kind.dynamic and not kind.setting_of}
        return replace(self, **off)


def _former(name: str) -> str:
    return (
        f"noise.{name}: its level was a push {FORMER[name]}, not the same in all cells, and is not taken any more. {name}_sd is "
        "the standard deviation of the free membrane potential, as a share of each cell's own distance from rest to threshold. A "
        "leaky cell with tau_mem in ms at rest had "
        + ("level*sqrt(tau_mem/2) of that." if name == "membrane_white" else "level*tau_mem/sqrt(1 + tau_mem/tau) of that.")
    )


def _checked(name: str, value: object) -> float:
    kind = NOISE_KINDS[name]
    allowed = f"a number from {kind.low:g} to {kind.high:g} ({kind.unit})"
    value = value if isinstance(value, str) else plain_number(value, declared_unit(name), f"noise.{name}")
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ConfigError(f"noise.{name}: {shown(value)}; give {allowed}.")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not (np.isfinite(number) and kind.low <= number <= kind.high):
        raise ConfigError(f"noise.{name}: {number!r}; give {allowed}.")
    return number
