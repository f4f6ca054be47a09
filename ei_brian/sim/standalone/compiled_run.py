"""A whole run on a compiled program: numbers out, processes, results in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ei_brian.core.recording import Recording
from ei_brian.sim.standalone.condition import RunCondition, RunSettings
from ei_brian.sim.standalone.data_file import write_data
from ei_brian.sim.standalone.launch import TrialRange, launch, shares
from ei_brian.sim.standalone.numbers import joined_numbers, learning_numbers, numbers_of
from ei_brian.sim.standalone.program import compiled, request_for
from ei_brian.sim.standalone.project import Request
from ei_brian.sim.standalone.results import kept_spikes, read_weights, recordings_of

__all__ = ["request_of", "run_and_learn", "run_compiled"]


def run_compiled(conditions: Sequence[RunCondition], settings: RunSettings) -> list[Recording]:
    """Run conditions of equal structure one after the other in one program, and return what happened in each.

    Parameters
    ----------
    conditions : sequence of RunCondition
        At least one; all must ask for the same program. On a GPU, one.
    settings : RunSettings
        The program and its use.
    """
    with _finished(conditions, settings) as (parts, keep, times):
        recordings = recordings_of(conditions, settings, parts, keep)
    return _timed(recordings, times)


def run_and_learn(condition: RunCondition, settings: RunSettings) -> tuple[Recording, dict[str, npt.NDArray[np.float64]]]:
    """Run a condition whose weights change, and return what happened, and the weights of `read_weights`."""
    with _finished([condition], settings) as (parts, keep, times):
        recordings, weights = recordings_of([condition], settings, parts, keep), read_weights(condition, settings, parts)
    return _timed(recordings, times)[0], weights


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds of the loops, the processes and the build, and when that was ready."""

    looped: float
    processes: float
    build: float
    built: float


@contextmanager
def _finished(
    conditions: Sequence[RunCondition], settings: RunSettings
) -> Iterator[tuple[tuple[TrialRange, ...], dict[str, bool], _Times]]:
    """Run conditions, and give what their processes left behind while it is there."""
    started = perf_counter()
    spec, keep = conditions[0].spec, kept_spikes(conditions, settings.record)
    request = request_of(conditions[0], settings)
    with compiled(spec, request) as program, tempfile.TemporaryDirectory(prefix="ei_brian_run_") as name:
        built, folder = perf_counter(), Path(name)
        numbers = [
            numbers_of(
                condition.spec,
                condition.stimulus,
                settings.dtype,
                settings.layout,
                condition.n_steps,
                condition.noise,
                condition.seed,
                settings.traces,
                keep,
            )
            | learning_numbers(condition, settings)
            for condition in conditions
        ]
        checks = write_data(folder / "data", joined_numbers(numbers))
        begun = perf_counter()
        parts, looped = _loop(program, folder, request, conditions, settings, checks)
        yield parts, keep, _Times(looped, perf_counter() - begun, built - started, built)


def request_of(condition: RunCondition, settings: RunSettings) -> Request:
    """Return what a program for a condition must be able to do."""
    return request_for(
        condition.spec,
        condition.stimulus,
        settings.dtype,
        settings.layout,
        settings.batch,
        condition.noise,
        settings.target,
        settings.in_order,
        condition.rules,
    )


def _loop(
    program: Path,
    folder: Path,
    request: Request,
    conditions: Sequence[RunCondition],
    settings: RunSettings,
    checks: dict[str, int],
) -> tuple[tuple[TrialRange, ...], float]:
    """Run the processes; return their shares, and the seconds of their loops."""
    trials = [condition.stimulus.n_trials for condition in conditions]
    alone = settings.target == "cuda_standalone" and _one_batch_each(request)
    parts = shares(trials, settings.batch, sum(trials) if alone else settings.threads, folder)
    looped = 0.0
    with tqdm(total=sum(trials), desc=conditions[0].spec.name, unit="trial", disable=not settings.progress) as bar:
        for together in [(part,) for part in parts] if alone else [parts]:
            looped += launch(program / "main", folder / "data", together, checks, _progress(bar, together[0].first))
    return parts, looped


def _timed(recordings: Sequence[Recording], times: _Times) -> list[Recording]:
    """Return the recordings with their times: of each condition its share by trials, the build with the first."""
    run_seconds = perf_counter() - times.built
    total, made = sum(recording.n_trials for recording in recordings), []
    for index, recording in enumerate(recordings):
        share = recording.n_trials / total
        facts: dict[str, Any] = {"loop_seconds": times.looped * share, "process_seconds": times.processes * share}
        if len(recordings) > 1:
            facts["conditions_together"] = len(recordings)
        build = 0.0 if index else times.build
        made.append(replace(recording, backend=facts, build_seconds=build, run_seconds=run_seconds * share))
    return made


def _progress(bar: tqdm[Any], before: int) -> Callable[[int], None]:
    return lambda done: bar.update(before + done - bar.n)


def _one_batch_each(request: Request) -> bool:
    """Return whether a program cannot start over: Brian2CUDA does not empty its queues of synapses with delays of their own."""
    return request.layout == "synapses" and any(shape.delays == "each" for shape in request.structure.projections)
