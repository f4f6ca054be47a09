"""Noise on the input spikes: jitter, deletion, insertion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.draw import stream_of
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.philox import normals_at, uniforms, uniforms_at
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError

__all__ = ["INPUT_KINDS", "noisy_stimulus"]

INPUT_KINDS = ("input_deletion", "input_insertion_hz", "input_jitter_ms")
NUMBERS_AT_ONCE = 2_000_000
Index = npt.NDArray[np.int64]


def noisy_stimulus(stimulus: Stimulus, noise: Noise, seed: int, first_trial: int = 0) -> Stimulus:
    """Return the stimulus with its spikes deleted, moved and added to; labels stay.

    Whether a spike is deleted and how far it moves are numbers of its trial, step and unit in the clean stimulus; each place
    has its own number for an added spike.

    Raises
    ------
    ConfigError
        For graded input, which has no spikes.
    """
    on = [kind for kind in INPUT_KINDS if getattr(noise, kind)]
    if not on:
        return stimulus
    if stimulus.values is not None:
        raise ConfigError(f"noise.{on[0]}: stimulus {stimulus.name} has graded values; use an encoder that gives spikes.")
    events = stimulus.events
    trial, step, unit = (array.astype(np.int64) for array in (events.trial, events.step, events.unit))
    kept = np.ones(trial.size, dtype=bool)
    moved = step
    if noise.input_deletion:
        kept = uniforms_at(seed, stream_of("", "input_deletion"), first_trial + trial, step, unit) > noise.input_deletion
    if noise.input_jitter_ms:
        number = normals_at(seed, stream_of("", "input_jitter"), first_trial + trial, step, unit).astype(np.float64)
        shift = np.rint(number * noise.input_jitter_ms / events.dt_ms).astype(np.int64)
        moved = reflected(step + shift, events.n_steps)
    places = _place(trial, moved, unit, events)[kept]
    if noise.input_insertion_hz:
        places = np.concatenate([places, _inserted(events, noise.input_insertion_hz, seed, first_trial)])
    return replace(stimulus, events=_spikes(np.unique(places), events))


def reflected(step: Index, n_steps: int) -> Index:
    """Return steps folded back into 0 … n_steps - 1 at both ends."""
    period = 2 * n_steps
    folded = np.mod(step, period)
    return np.where(folded < n_steps, folded, period - 1 - folded)


def _place(trial: Index, step: Index, unit: Index, events: Spikes) -> Index:
    return (trial * events.n_steps + step) * events.n_units + unit


def _spikes(places: Index, events: Spikes) -> Spikes:
    rest, unit = np.divmod(places, events.n_units)
    trial, step = np.divmod(rest, events.n_steps)
    return Spikes(trial, step, unit, events.n_trials, events.n_steps, events.n_units, events.dt_ms)


def _inserted(events: Spikes, rate_hz: float, seed: int, first_trial: int) -> Index:
    probability = -np.expm1(-rate_hz * events.dt_ms * 1e-3)
    at_once = max(1, NUMBERS_AT_ONCE // (events.n_steps * events.n_units))
    steps = np.arange(events.n_steps)
    found = [np.zeros(0, dtype=np.int64)]
    for start in range(0, events.n_trials, at_once):
        trials = np.arange(start, min(start + at_once, events.n_trials))
        number = uniforms(seed, stream_of("", "input_insertion"), first_trial + trials[:, None], steps[None, :], events.n_units)
        found.append(start * events.n_steps * events.n_units + np.flatnonzero(number <= probability))
    return np.concatenate(found)
