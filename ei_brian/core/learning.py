"""Trials with plastic synapses in the reference stepper: each by itself, or one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.arithmetic import check_arithmetic
from ei_brian.core.finiteness import precision
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.seed import seed_for
from ei_brian.core.noise.static import apply_static
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.reference import Run, check_stimulus
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stdp import LearnedWeights, PairSTDP
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.errors import SpecError, unknown_name

__all__ = [
    "Learned", "check_rules", "joined", "learn", "learned_weights", "sparse_where_learned", "split", "with_weights",
]  # fmt: skip

Weights = npt.NDArray[np.float64]
Learned = tuple[tuple[Recording, ...], dict[str, Weights]]


def check_rules(spec: NetworkSpec, rules: Mapping[str, PairSTDP]) -> None:
    """Refuse rules that do not fit a network.

    Raises
    ------
    SpecError
        For an unknown projection, something that is no rule, or bounds that contradict the sign of the source.
    """
    names = [projection.name for projection in spec.projections]
    for name, rule in rules.items():
        if not isinstance(rule, PairSTDP):
            raise SpecError(f"run_plastic, projection {name}: {rule!r:.60}; give a PairSTDP.")
        if name not in names:
            raise SpecError(unknown_name("run_plastic: projection", name, names))
        source = spec[spec.projection(name).source]
        if (source.role == "exc" and rule.low < 0) or (source.role == "inh" and rule.high > 0):
            raise SpecError(
                f"run_plastic, projection {name}: bounds {rule.low:g} to {rule.high:g}, but {source.name} is {source.role}; they "
                f"are {'>= 0' if source.role == 'exc' else '<= 0'}."
            )


def learned_weights(
    spec: NetworkSpec, rules: Mapping[str, PairSTDP], dtype: npt.DTypeLike, n_trials: int
) -> dict[str, LearnedWeights]:
    """Return the weights that each rule changes, in each of the trials those of the network.

    Raises
    ------
    SpecError
        For weights beyond the bounds of their rule.
    """
    made = {}
    for name, rule in rules.items():
        projection = spec.projection(name)
        unit = next(one.unit for one in spec[projection.target].declared_states() if one.name == projection.port)
        made[name] = LearnedWeights(projection, rule, unit_scale(unit), dtype, n_trials, spec.dt_ms)
    return made


@takes_numbers()
def learn(
    spec: NetworkSpec, stimulus: Stimulus, rules: Mapping[str, PairSTDP], dtype: npt.DTypeLike = np.float64, *,
    in_order: bool = True, noise: Noise | None = None, seed: int | None = None,
) -> Learned:  # fmt: skip
    """Run trials with plastic synapses, step by step, in numpy.

    Parameters
    ----------
    spec, stimulus : NetworkSpec, Stimulus
        The network, and the trials.
    rules : mapping of str to PairSTDP
        By name of projection.
    dtype : float64 or float32
        Precision of states, weights and traces.
    in_order : bool
        Whether a trial starts from the weights that the one before left.
    noise, seed : Noise, int, optional
        As of `simulate`; noise of weights and cells is drawn once, before the first trial.

    Returns
    -------
    tuple of Recording
        One of all trials, or one for each trial in order.
    dict of str to array, shape (trial, n_target, n_source)
        Weights of each projection at the end of each trial, in its unit.

    Raises
    ------
    SpecError
        See `check_rules` and `learned_weights`.
    """
    check_stimulus(spec, stimulus)
    check_rules(spec, rules)
    check_arithmetic()
    kind, chosen = precision(dtype), seed_for(noise, seed)
    noisy, presented = apply_static(noise, chosen, spec, stimulus)
    width = 1 if in_order else stimulus.n_trials
    learned = learned_weights(noisy, rules, kind, width)
    recordings, kept = [], dict[str, list[Weights]]({name: [] for name in rules})
    for first in range(stimulus.n_trials) if in_order else (0,):
        started = perf_counter()
        run = Run(noisy, presented.select(first, first + width), kind, stimulus.n_steps, (), noise, chosen, first)
        run.learned = learned
        for step in range(stimulus.n_steps):
            run.step(step)
        recordings.append(run.recording(perf_counter() - started, spec.sha256))
        for name, one in learned.items():
            kept[name].append(one.read())
            one.rest()
    return tuple(recordings), {name: joined(each, spec.projection(name)) for name, each in kept.items()}


def joined(weights: list[Weights], projection: Projection) -> Weights:
    """Return the weights of several runs, one after the other, shape (trial, n_target, n_source)."""
    return np.concatenate([np.zeros((0, *projection.weights.shape)), *weights])


def split(recording: Recording) -> tuple[Recording, ...]:
    """Return a recording of many trials as one for each."""
    return tuple(_trial(recording, trial) for trial in range(recording.n_trials))


def _trial(recording: Recording, trial: int) -> Recording:
    now = slice(trial, trial + 1)
    return replace(
        recording, n_trials=1, spikes={name: train.select(trial, trial + 1) for name, train in recording.spikes.items()},
        counts={name: counts[now] for name, counts in recording.counts.items()},
        traces={key: values[now] for key, values in recording.traces.items()},
        scores=None if recording.scores is None else recording.scores[now],
        labels=None if recording.labels is None else recording.labels[now],
        run_seconds=recording.run_seconds / recording.n_trials,
        backend={key: each / recording.n_trials if key.endswith("_seconds") else each for key, each in recording.backend.items()},
    )  # fmt: skip


def sparse_where_learned(spec: NetworkSpec, names: Mapping[str, object]) -> NetworkSpec:
    """Return the network with sparse tables where weights change: a synapse that falls to 0 stays one."""
    return replace(spec, projections=tuple(_sparse(p) if p.name in names else p for p in spec.projections))


def with_weights(spec: NetworkSpec, weights: Mapping[str, Weights]) -> NetworkSpec:
    """Return the network with other weights, shape (n_target, n_source), at the synapses that it has."""
    made = sparse_where_learned(spec, weights)
    return replace(made, projections=tuple(_put(p, weights[p.name]) if p.name in weights else p for p in made.projections))


def _sparse(projection: Projection) -> Projection:
    if projection.sparse:
        return projection
    table, delays = sparse.csr_array(projection.weights), projection.delay_steps
    target, source = table.tocoo().coords
    return replace(projection, weights=table, delay_steps=delays if np.ndim(delays) == 0 else np.asarray(delays)[target, source])


def _put(projection: Projection, weights: Weights) -> Projection:
    table: Any = projection.weights
    target, source = table.tocoo().coords
    made = sparse.csr_array((weights[target, source], table.indices, table.indptr), shape=table.shape)
    return replace(projection, weights=made)
