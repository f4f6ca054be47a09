"""Networks whose synapses learn while they run: each trial by itself, or one trial after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.arithmetic import check_arithmetic
from ei_brian.core.noise import Noise
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

__all__ = ["Learning", "run_plastic"]

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Learning:
    """What a network did while it learned, and what it learned.

    Parameters
    ----------
    recordings : tuple of Recording
        One of all trials, or one for each trial in order.
    weights : mapping of str to array, shape (trial, n_target, n_source)
        Weights of each projection at the end of each trial, in its unit.
    spec : NetworkSpec
        The network with the weights after the last trial of a run in order; where trials learned by themselves, with their mean.
    """

    recordings: tuple[Recording, ...]
    weights: Mapping[str, Weights]
    spec: NetworkSpec


@takes_numbers()
def run_plastic(
    spec: NetworkSpec, stimulus: Stimulus, rules: Mapping[str, PairSTDP], *, in_order: bool = True,
    noise: Noise | None = None, seed: int | None = None,
) -> Learning:  # fmt: skip
    """Run trials with plastic synapses: ``run_plastic(spec, stimulus, {"E_E": PairSTDP(a_plus=0.01)})``.

    Parameters
    ----------
    spec, stimulus : NetworkSpec, Stimulus
        The network, and the trials.
    rules : mapping of str to PairSTDP
        By name of projection; all others stay as they are.
    in_order : bool
        Whether a trial starts from the weights that the one before left (states start afresh); else all start from the network's.
    noise, seed : Noise, int, optional
        As of `simulate`.

    Returns
    -------
    Learning

    Raises
    ------
    SpecError
        For an unknown projection, bounds that the weights leave, or that contradict the sign of the source.

    Notes
    -----
    The reference stepper runs it, in numpy; compiled programs and plain Synapses hold weights fixed.
    `ei_brian.Backend.network` gives live Brian2 objects for any other rule.
    """
    for name, rule in rules.items():
        _check(spec, name, rule)
    chosen = seed_for(noise, seed)
    if not in_order:
        recording, weights = _run(spec, stimulus, rules, noise, chosen, 0)
        means = {name: each.mean(axis=0) for name, each in weights.items() if len(each)}
        return Learning((recording,), weights, _with(spec, means, rules))
    made, recordings, kept = spec, [], dict[str, list[Weights]]({name: [] for name in rules})
    for trial in range(stimulus.n_trials):
        recording, weights = _run(made, stimulus.select(trial, trial + 1), rules, noise, chosen, trial)
        recordings.append(recording)
        for name, each in weights.items():
            kept[name].append(each[0])
        made = _put(made, {name: each[0] for name, each in weights.items()})
    none = {name: np.zeros((0, *spec.projection(name).weights.shape)) for name in rules}
    stacked = {name: np.stack(each) if each else none[name] for name, each in kept.items()}
    last = {name: each[-1] for name, each in stacked.items() if len(each)}
    return Learning(tuple(recordings), stacked, _with(spec, last, rules))


def _check(spec: NetworkSpec, name: str, rule: PairSTDP) -> None:
    if not isinstance(rule, PairSTDP):
        raise SpecError(f"run_plastic, projection {name}: {rule!r:.60}; give a PairSTDP.")
    if name not in [projection.name for projection in spec.projections]:
        raise SpecError(unknown_name("run_plastic: projection", name, [projection.name for projection in spec.projections]))
    source = spec[spec.projection(name).source]
    if (source.role == "exc" and rule.low < 0) or (source.role == "inh" and rule.high > 0):
        raise SpecError(
            f"run_plastic, projection {name}: bounds {rule.low:g} to {rule.high:g}, but {source.name} is {source.role}; they "
            f"are {'>= 0' if source.role == 'exc' else '<= 0'}."
        )


def _run(
    spec: NetworkSpec, stimulus: Stimulus, rules: Mapping[str, PairSTDP], noise: Noise | None, seed: int | None, first_trial: int
) -> tuple[Recording, dict[str, Weights]]:
    check_stimulus(spec, stimulus)
    check_arithmetic()
    started = perf_counter()
    noisy, presented = apply_static(noise, seed, spec, stimulus, first_trial)
    run = Run(noisy, presented, np.dtype(np.float64), stimulus.n_steps, (), noise, seed, first_trial)
    for name, rule in rules.items():
        projection = noisy.projection(name)
        unit = next(one.unit for one in noisy[projection.target].declared_states() if one.name == projection.port)
        run.learned[name] = LearnedWeights(projection, rule, unit_scale(unit), np.float64, stimulus.n_trials, spec.dt_ms)
    for step in range(stimulus.n_steps):
        run.step(step)
    return run.recording(perf_counter() - started, spec.sha256), {name: one.read() for name, one in run.learned.items()}


def _with(spec: NetworkSpec, weights: Mapping[str, Weights], rules: Mapping[str, PairSTDP]) -> NetworkSpec:
    return _put(spec, weights).with_provenance("run_plastic", rules={name: repr(rule) for name, rule in rules.items()})


def _put(spec: NetworkSpec, weights: Mapping[str, Weights]) -> NetworkSpec:
    """Return the network with other weights; a synapse that fell to 0 stays one, so the tables are sparse."""
    made = tuple(_learned(p, weights[p.name]) if p.name in weights else p for p in spec.projections)
    return replace(spec, projections=made)


def _learned(projection: Projection, weights: Weights) -> Projection:
    table: Any = projection.weights if projection.sparse else sparse.csr_array(projection.weights)
    target, source = table.tocoo().coords
    delays: Any = projection.delay_steps
    delays = delays[target, source] if np.ndim(delays) == 2 else delays
    made = sparse.csr_array((weights[target, source], table.indices, table.indptr), shape=table.shape)
    return replace(projection, weights=made, delay_steps=delays)
