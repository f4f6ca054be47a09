"""Spike encoders: from grey values between 0 and 1 to events of input units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, unknown_name

__all__ = ["ENCODINGS", "ChargingLatency", "Current", "Latency", "Poisson", "encode"]

Array = npt.NDArray[np.floating]


def _check(where: str, value: float, low: float, high: float) -> None:
    if not (np.isfinite(value) and low <= value <= high):
        raise ConfigError(f"{where}: {value!r}; allowed are finite numbers from {low:g} to {high:g}.")


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent spikes at a rate proportional to the grey value.

    Parameters
    ----------
    max_rate_hz : float
        Rate of a pixel of value 1, in Hz; the chance of a spike in a step is ``value * max_rate_hz * dt`` and at most 1.
    """

    max_rate_hz: float = 200.0

    def __post_init__(self) -> None:
        _check("poisson.max_rate_hz", self.max_rate_hz, 0.0, np.inf)

    def __call__(self, images: Array, n_steps: int, dt_ms: float, seed: int) -> Stimulus:
        """Return the stimulus; trial k draws from child k of the seed, whatever the number of trials."""
        children = np.random.SeedSequence(seed).spawn(len(images))
        chance = np.minimum(images * (self.max_rate_hz * dt_ms * 1e-3), 1.0)
        parts = []
        for trial, (child, row) in enumerate(zip(children, chance, strict=True)):
            step, unit = np.nonzero(np.random.default_rng(child).random((n_steps, row.size)) < row)
            parts.append(np.stack([np.full(step.size, trial), step, unit]))
        trial_, step_, unit_ = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), dtype=np.int64)
        return Stimulus(Spikes(trial_, step_, unit_, len(images), n_steps, images.shape[1], dt_ms))


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Latency:
    """One spike per pixel, the brighter the earlier.

    A pixel of value ``x > threshold`` spikes at ``window_ms * (1 - x)``; darker pixels are silent. Deterministic.

    Parameters
    ----------
    window_ms : float
        Time of the darkest spike, in ms.
    threshold : float
        Grey value at and below which a pixel is silent.
    """

    each_alone: ClassVar[bool] = True  # what becomes of an image depends on nothing else

    window_ms: float = 40.0
    threshold: float = 0.2

    def __post_init__(self) -> None:
        _check("latency.window_ms", self.window_ms, np.finfo(float).tiny, np.inf)
        _check("latency.threshold", self.threshold, 0.0, 1.0)

    def __call__(self, images: Array, n_steps: int, dt_ms: float, seed: int) -> Stimulus:
        """Return the stimulus; the seed has no effect."""
        trial, unit = np.nonzero(images > self.threshold)
        step = np.floor(self.window_ms / dt_ms * (1 - images[trial, unit])).astype(np.int64)
        inside = step < n_steps
        return Stimulus(
            Spikes(trial[inside], step[inside], unit[inside], len(images), n_steps, images.shape[1], dt_ms)
        )


@takes_numbers()
@dataclass(frozen=True, slots=True)
class ChargingLatency:
    """One spike per pixel: when a leaky cell that the grey value charges reaches its threshold, as SpyTorch encodes images.

    A pixel of value ``x > threshold`` spikes in step ``floor(tau/dt * ln(x/(x - threshold)))``; darker pixels are silent, and so
    are those that would spike after the last step. Deterministic.

    Parameters
    ----------
    tau_ms : float
        Time constant of the charging, in ms.
    threshold : float
        Grey value that never reaches the threshold.

    References
    ----------
    SpyTorch, tutorial 2 (github.com/fzenke/spytorch).
    """

    each_alone: ClassVar[bool] = True

    tau_ms: float = 20.0
    threshold: float = 0.2

    def __post_init__(self) -> None:
        _check("charging.tau_ms", self.tau_ms, np.finfo(float).tiny, np.inf)
        _check("charging.threshold", self.threshold, 0.0, 1.0)

    def __call__(self, images: Array, n_steps: int, dt_ms: float, seed: int) -> Stimulus:
        """Return the stimulus; the seed has no effect."""
        trial, unit = np.nonzero(images > self.threshold)
        value = images[trial, unit]
        when = np.floor(self.tau_ms / dt_ms * np.log(value / (value - self.threshold)))
        inside = when < n_steps
        trial, unit, step = trial[inside], unit[inside], when[inside].astype(np.int64)
        return Stimulus(Spikes(trial, step, unit, len(images), n_steps, images.shape[1], dt_ms))


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Current:
    """A constant current in every step.

    Parameters
    ----------
    gain : float
        Value per step of a pixel of value 1 (dimensionless; it is multiplied with the weights).
    """

    gain: float = 0.1

    def __post_init__(self) -> None:
        _check("current.gain", self.gain, -np.inf, np.inf)

    def __call__(self, images: Array, n_steps: int, dt_ms: float, seed: int) -> Stimulus:
        """Return the stimulus; the seed has no effect."""
        currents = np.broadcast_to((self.gain * images).astype(np.float32)[:, None], (len(images), n_steps, images.shape[1]))
        return Stimulus.from_currents(currents, dt_ms)


ENCODINGS: dict[str, type[Poisson] | type[Latency] | type[ChargingLatency] | type[Current]] = {
    "poisson": Poisson,
    "latency": Latency,
    "charging": ChargingLatency,
    "current": Current,
}
Encoding = Poisson | Latency | ChargingLatency | Current


@takes_numbers()
def encode(
    images: npt.ArrayLike, labels: npt.ArrayLike | None, encoding: Encoding | str, dt_ms: float, n_steps: int, seed: int,
    name: str,
) -> Stimulus:  # fmt: skip
    """Return the stimulus of images whose grey values lie between 0 and 1.

    Parameters
    ----------
    images : array of float, shape (trial, unit)
        Grey values.
    labels : array of int, shape (trial,), optional
        Classes.
    encoding : Poisson, Latency, ChargingLatency, Current, or one of their names
        How values become events; a name takes the defaults.
    dt_ms : float
        Time step in ms.
    n_steps : int
        Number of steps of a trial.
    seed : int
        For encoders that draw.
    name : str
        Name of the stimulus.

    Raises
    ------
    ConfigError
        For values outside 0 to 1, or an unknown encoding.
    """
    values = np.asarray(images, dtype=np.float64)
    if values.ndim != 2 or (values.size and not (values.min() >= 0 and values.max() <= 1)):
        raise ConfigError(f"images of {name}: shape {values.shape}; give grey values from 0 to 1, shape (trial, unit).")
    if isinstance(encoding, str):
        if encoding not in ENCODINGS:
            raise ConfigError(unknown_name("encoding", encoding, ENCODINGS))
        encoding = ENCODINGS[encoding]()
    made = encoding(values, n_steps, dt_ms, seed)
    classes = None if labels is None else np.asarray(labels)
    n_classes = int(classes.max()) + 1 if classes is not None and classes.size else 0
    return Stimulus(made.events, classes, n_classes, name, made.values)
