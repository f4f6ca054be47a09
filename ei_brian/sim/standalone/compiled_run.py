"""A whole run on a compiled program: numbers out, processes, results in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from ei_brian.core.noise.noise import Noise
from ei_brian.core.recording import Recording, spike_scores
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.sim.standalone.data_file import write_data
from ei_brian.sim.standalone.launch import Share, launch, shares
from ei_brian.sim.standalone.numbers import numbers_of
from ei_brian.sim.standalone.outputs import check_events, read_counts, read_scores, read_spikes, read_trace
from ei_brian.sim.standalone.program import compiled, request_for
from ei_brian.sim.standalone.project import Request

__all__ = ["run_compiled"]


def run_compiled(
    spec: NetworkSpec, stimulus: Stimulus, *, dtype: np.dtype[Any], layout: str, batch: int, threads: int, record: str,
    traces: tuple[tuple[str, str], ...], n_steps: int, noise: Noise | None, seed: int | None, progress: bool,
    target: str = "cpp_standalone", in_order: bool = True,
) -> Recording:  # fmt: skip
    """Run every trial of a stimulus, which has at least one, and return what happened.

    Parameters
    ----------
    spec, stimulus : NetworkSpec, Stimulus
        What to run, static noise already applied.
    dtype, layout, batch, threads : numpy dtype, str, int, int
        Program and its use.
    record : {"spikes", "counts"}
        Whether every spike is kept, or numbers of spikes only.
    traces : tuple of (population, state)
        States to keep.
    n_steps : int
        Number of steps of a trial.
    noise, seed : Noise or None, int or None
        Noise of every step.
    progress : bool
        Show a bar over the trials.
    target, in_order : str, bool
        What the program runs on, and whether a GPU forms sums in the order of the reference.
    """
    started = perf_counter()
    keep = {p.name: record == "spikes" or _decides_by_spike(spec, p.name) for p in spec.cells if p.spiking}
    request = request_for(spec, stimulus, dtype, layout, batch, noise, target, in_order)
    with compiled(spec, request) as program, tempfile.TemporaryDirectory(prefix="ei_brian_run_") as name:
        built = perf_counter()
        folder = Path(name)
        arrays = numbers_of(spec, stimulus, dtype, layout, n_steps, noise, seed, traces, keep)
        checks = write_data(folder / "data", arrays)
        alone = target == "cuda_standalone" and _one_batch_each(request)
        parts = shares(stimulus.n_trials, batch, -(-stimulus.n_trials // batch) if alone else threads, folder)
        loop = perf_counter()
        with tqdm(total=stimulus.n_trials, desc=spec.name, unit="trial", disable=not progress) as bar:
            looped = 0.0
            for together in [(part,) for part in parts] if alone else [parts]:
                before = together[0].first
                looped += launch(program / "main", folder / "data", together, checks, _progress(bar, before))
        processes = perf_counter() - loop
        spikes = {p: read_spikes(parts, spec, p, stimulus.n_trials, n_steps) for p, kept in keep.items() if kept}
        counts = {p: read_counts(parts, p, spec[p].size) for p in keep}
        check_events(spikes, counts)
        kept_traces = {key: read_trace(parts, spec, key, _unit(spec, *key), batch, n_steps, dtype) for key in traces}
        scores = _scores(spec, parts, spikes, counts, n_steps, dtype)
    return Recording(
        spikes=spikes if record == "spikes" else {},
        counts=counts,
        traces=kept_traces,
        scores=scores,
        labels=stimulus.labels,
        spec_sha256=spec.sha256,
        stimulus_name=stimulus.name,
        n_trials=stimulus.n_trials,
        n_steps=n_steps,
        dt_ms=spec.dt_ms,
        noise=noise,
        seed=seed,
        backend={"loop_seconds": looped, "process_seconds": processes},
        build_seconds=built - started,
        run_seconds=perf_counter() - built,
    )


def _progress(bar: tqdm[Any], before: int) -> Callable[[int], None]:
    return lambda done: bar.update(before + done - bar.n)


def _one_batch_each(request: Request) -> bool:
    """Return whether a program cannot start over: Brian2CUDA does not empty its queues of synapses with delays of their own."""
    return request.layout == "synapses" and any(shape.delays == "each" for shape in request.structure.projections)


def _decides_by_spike(spec: NetworkSpec, population: str) -> bool:
    return spec.readout is not None and spec.readout.kind == "first spike" and spec.readout.population == population


def _unit(spec: NetworkSpec, population: str, state: str) -> str:
    return next((s.unit for s in spec[population].declared_states() if s.name == state), "1")


def _scores(
    spec: NetworkSpec, parts: tuple[Share, ...], spikes: Mapping[str, Spikes], counts: Mapping[str, Any], n_steps: int,
    dtype: np.dtype[Any],
) -> Any:  # fmt: skip
    readout = spec.readout
    if readout is None:
        return None
    if readout.kind == "spike count":
        return counts[readout.population].astype(np.float64)
    if readout.needs_spikes:
        return spike_scores(readout, spikes[readout.population])
    population = spec[readout.population]
    score = read_scores(parts, population.size, dtype) / unit_scale(_unit(spec, population.name, population.neuron().voltage))
    return score / n_steps if readout.kind == "mean v" else score
