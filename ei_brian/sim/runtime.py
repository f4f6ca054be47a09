"""Runs in this process, on Brian2's numpy or cython target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import brian2
import numpy as np
import numpy.typing as npt

from ei_brian.core.finiteness import check_finite, check_traces
from ei_brian.core.noise.noise import Noise
from ei_brian.core.program import SCORE, compose
from ei_brian.core.recording import Recording, spike_scores
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stdp import LearnedWeights
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.errors import BackendError
from ei_brian.sim.builder import Built, build
from ei_brian.sim.driver import value_matrix
from ei_brian.sim.preferences import preferences

__all__ = ["run_part"]


def run_part(
    spec: NetworkSpec, stimulus: Stimulus, target: str, layout: str, dtype: npt.DTypeLike,
    traces: tuple[tuple[str, str], ...], n_steps: int,
    noise: Noise | None = None, seed: int | None = None, first_trial: int = 0,
    learned: Mapping[str, LearnedWeights] | None = None,
) -> Recording:  # fmt: skip
    """Run all trials of a stimulus side by side and return what happened.

    Parameters
    ----------
    spec, stimulus : NetworkSpec, Stimulus
        What to run.
    target : {"numpy", "cython"}
        Brian2's code generation target.
    layout : {"synapses", "shared"}
        How spikes reach their targets.
    dtype : float32 or float64
        Precision.
    traces : tuple of (population, state)
        States to keep.
    n_steps : int
        Number of time steps.
    noise, seed : Noise, int, optional
        Noise of every step, and its seed; kinds that are applied before a run are the caller's (`apply_static`).
    first_trial : int
        Number of the first trial of the stimulus in the whole data set.
    learned : mapping of str to LearnedWeights, optional
        Weights that the run changes, by projection.
    """
    with preferences(target, dtype):
        started = perf_counter()
        built = build(spec, stimulus, layout, traces, dtype, noise, seed, first_trial, learned)
        ready = perf_counter()
        try:
            built.network.run(n_steps * spec.dt_ms * brian2.ms, namespace={})
        finally:
            built.discard()
        finished = perf_counter()
        _check_whole(built, n_steps, spec.dt_ms)
        _check_states(spec, built, np.dtype(dtype), noise)
        recording = _recording(spec, stimulus, built, n_steps, ready - started, finished - ready)
        kept = {key: _trace(spec, key, monitor, built.n_trials, noise) for key, monitor in built.state_monitors.items()}
        check_traces(kept, np.dtype(dtype))
        return replace(recording, traces=kept, noise=noise, seed=seed)


def _check_whole(built: Built, n_steps: int, dt_ms: float) -> None:
    """Refuse a run that was stopped: Brian2 returns from it as from a whole one."""
    done = round(float(np.asarray(built.network.t_)) / (dt_ms * 1e-3))
    if done != n_steps:
        raise BackendError(f"run: stopped after {done} of {n_steps} steps; nothing of it was kept. Run it again.")


def _check_states(spec: NetworkSpec, built: Built, dtype: np.dtype[Any], noise: Noise | None) -> None:
    """Refuse a run whose states are not finite or not of the precision that was asked for."""
    for name, group in built.groups.items():
        for state in compose(spec, spec[name], noise).states:
            check_finite(f"{name}.{state}", value_matrix(group, state, built.n_trials), dtype)


def _recording(
    spec: NetworkSpec, stimulus: Stimulus, built: Built, n_steps: int, build_seconds: float, run_seconds: float
) -> Recording:
    spikes = {name: _spikes(spec, name, monitor, stimulus.n_trials, n_steps) for name, monitor in built.spike_monitors.items()}
    return Recording(
        spikes=spikes,
        counts={name: train.counts() for name, train in spikes.items()},
        traces={},
        scores=_scores(spec, built, spikes, n_steps),
        labels=stimulus.labels,
        spec_sha256=spec.sha256,
        stimulus_name=stimulus.name,
        n_trials=stimulus.n_trials,
        n_steps=n_steps,
        dt_ms=spec.dt_ms,
        build_seconds=build_seconds,
        run_seconds=run_seconds,
    )


def _spikes(spec: NetworkSpec, name: str, monitor: Any, n_trials: int, n_steps: int) -> Spikes:
    size = spec[name].size
    index = np.asarray(monitor.i[:], dtype=np.int64)
    step = np.rint(np.asarray(monitor.t_[:]) / (spec.dt_ms * 1e-3)).astype(np.int32)
    return Spikes(index // size, step, index % size, n_trials, n_steps, size, spec.dt_ms)


def _unit(spec: NetworkSpec, population: str, state: str) -> float:
    return unit_scale(next(s.unit for s in spec[population].declared_states() if s.name == state))


def _trace(
    spec: NetworkSpec, key: tuple[str, str], monitor: Any, n_trials: int, noise: Noise | None
) -> npt.NDArray[np.floating]:
    unit = compose(spec, spec[key[0]], noise).states[key[1]].unit
    values = monitor.variables[key[1]].get_value()  # (step, neuron of all trials)
    shaped = values.reshape(values.shape[0], n_trials, -1).transpose(1, 0, 2)
    return np.ascontiguousarray(shaped) / shaped.dtype.type(unit_scale(unit))


def _scores(
    spec: NetworkSpec, built: Built, spikes: dict[str, Spikes], n_steps: int
) -> npt.NDArray[np.floating] | None:
    readout = spec.readout
    if readout is None:
        return None
    if readout.needs_spikes:
        return spike_scores(readout, spikes[readout.population])
    voltage = spec[readout.population].neuron().voltage
    name = voltage if readout.kind == "last v" else SCORE
    matrix = value_matrix(built.groups[readout.population], name, built.n_trials).astype(np.float64)
    score = matrix / _unit(spec, readout.population, voltage)
    return score / n_steps if readout.kind == "mean v" else score
