"""Trials with plastic synapses on Brian2: in this process, or in a compiled program in which every trial has its own weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ei_brian.core.learning import Learned, joined, learned_weights, sparse_where_learned, split
from ei_brian.core.noise.static import apply_static
from ei_brian.core.stdp import PairSTDP
from ei_brian.errors import BackendError
from ei_brian.sim.runtime import run_part
from ei_brian.sim.standalone.compiled_run import run_and_learn
from ei_brian.sim.standalone.condition import RunCondition, RunSettings

__all__ = ["learned_by_program", "learned_in_process", "ready_to_learn", "refuse_learning_on_gpu"]


def refuse_learning_on_gpu(name: str, rules: Mapping[str, PairSTDP] | None) -> None:
    """Refuse rules where weights cannot change.

    Raises
    ------
    BackendError
        With the first projection that should learn.
    """
    if name == "cuda_standalone" and rules:
        raise BackendError(
            f"cuda_standalone: projection {next(iter(rules))} should learn, and one table of weights serves all trials on a "
            "GPU. Use cpp_standalone, numpy or the reference."
        )


def ready_to_learn(case: RunCondition) -> RunCondition:
    """Return a case with its static noise on it, and sparse tables where weights change."""
    spec, stimulus = apply_static(case.noise, case.seed, case.spec, case.stimulus)
    return replace(case, spec=sparse_where_learned(spec, case.rules), stimulus=stimulus)


def learned_in_process(case: RunCondition, target: str, layout: str, dtype: np.dtype[np.floating]) -> Learned:
    """Run a case that is ready on Brian2's numpy or cython target, see `ei_brian.core.learning.learn`."""
    spec, stimulus = case.spec, case.stimulus
    width = 1 if case.in_order else stimulus.n_trials
    learned = learned_weights(spec, case.rules, dtype, width)
    recordings, kept = [], dict[str, list[npt.NDArray[np.float64]]]({name: [] for name in learned})
    for first in range(0, stimulus.n_trials, width):
        part = stimulus.select(first, first + width)
        recordings.append(run_part(spec, part, target, layout, dtype, (), case.n_steps, case.noise, case.seed, first, learned))
        for name, one in learned.items():
            kept[name].append(one.read())
            one.rest()
    return tuple(recordings), {name: joined(each, spec.projection(name)) for name, each in kept.items()}


def learned_by_program(case: RunCondition, use: RunSettings) -> Learned:
    """Run a case that is ready in a compiled program; trials in order run one by one, in one process."""
    recording, weights = run_and_learn(case, replace(use, batch=1, threads=1) if case.in_order else use)
    return split(recording) if case.in_order else (recording,), weights
