"""Runs a network in C++ inside this process: the recording that the reference stepper gives in float32, to the bit."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.program import SCORE, Program, check_noise, compose, size_name
from ei_brian.core.recording import Recording, spike_scores
from ei_brian.core.reference import check_stimulus
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.core.weight_rows import delay_tables
from ei_brian.sim.inprocess.library import loaded, pointers
from ei_brian.sim.inprocess.network_text import network_source

__all__ = ["simulate", "source_of"]

MOST_SOURCES = 64
DENSE = 0.3  # share of entries above which a row is added whole: vector instructions against one address per synapse


class _Table(ctypes.Structure):
    _fields_ = [
        ("delay", ctypes.c_long), ("dense", ctypes.c_long), ("first", ctypes.c_void_p), ("target", ctypes.c_void_p),
        ("weight", ctypes.c_void_p),
    ]  # fmt: skip


class _Given(ctypes.Structure):
    _fields_ = [("first", ctypes.c_void_p), ("unit", ctypes.c_void_p), ("size", ctypes.c_void_p)]


_sources: dict[Any, str] = {}


def source_of(spec: NetworkSpec, programs: Mapping[str, Program], traces: tuple[tuple[str, str], ...]) -> str:
    """Return the C++ text of a network, written once for all networks of one structure."""
    structure = (
        tuple(spec.schedule), spec.readout, traces, tuple((p.name, p.role) for p in spec.populations),
        tuple((p.name, p.source, p.target, p.port, p.plasticity is not None) for p in spec.projections),
        tuple((name, p.size, p.update, p.threshold, p.reset, p.at_spike, p.score_update, p.competes, *sorted(p.constants),
               *sorted(p.states)) for name, p in programs.items()),
    )  # fmt: skip
    if structure not in _sources:
        if len(_sources) > MOST_SOURCES:
            _sources.clear()
        _sources[structure] = network_source(spec, programs, traces)
    return _sources[structure]


class _Memory:
    """Arrays that must outlive a call into C."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []

    def keep(self, values: Any, dtype: npt.DTypeLike) -> int:
        """Return the address of an array that is kept."""
        self.arrays.append(np.ascontiguousarray(values, dtype=dtype))
        return int(self.arrays[-1].ctypes.data)


def simulate(spec: NetworkSpec, stimulus: Stimulus, traces: Sequence[tuple[str, str]] = ()) -> Recording:
    """Return what a network does on a stimulus, without noise, in float32."""
    check_stimulus(spec, stimulus)
    check_noise(spec, None)
    started = perf_counter()
    programs = {p.name: compose(spec, p) for p in spec.cells}
    chosen = tuple(traces)
    shape = (stimulus.n_trials, stimulus.n_steps)
    raster = [np.zeros((*shape, p.size if p.spiking else 0), np.uint8) for p in spec.cells]
    kept = [np.empty((*shape, spec[name].size), np.float32) for name, _ in chosen]
    final = _call(spec, stimulus, programs, chosen, raster, kept)
    spikes = {}
    for population, fired in zip(spec.cells, raster, strict=True):
        if population.spiking:
            trial, step, unit = (found.astype(np.int32) for found in np.nonzero(fired.view(np.bool_)))
            spikes[population.name] = Spikes(trial, step, unit, *shape, population.size, spec.dt_ms)
    return Recording(
        spikes=spikes, counts={name: train.counts() for name, train in spikes.items()},
        traces={key: values / _scale(programs[key[0]], key[1]) for key, values in zip(chosen, kept, strict=True)},
        scores=_scores(spec, programs, spikes, final, stimulus.n_steps), labels=stimulus.labels, spec_sha256=spec.sha256,
        stimulus_name=stimulus.name, n_trials=stimulus.n_trials, n_steps=stimulus.n_steps, dt_ms=spec.dt_ms,
        backend={"name": "in-process C++", "dtype": "float32", "numpy": np.__version__}, run_seconds=perf_counter() - started,
    )  # fmt: skip


def _call(
    spec: NetworkSpec, stimulus: Stimulus, programs: Mapping[str, Program], traces: tuple[tuple[str, str], ...],
    raster: list[Any], kept: list[Any],
) -> dict[tuple[str, str], Any]:  # fmt: skip
    memory = _Memory()
    constants, starts, states, final = [], [], [], {}
    for name, program in programs.items():
        constants += [_full(program.constants[key].si, program.size) for key in sorted(program.constants)]
        for key in sorted(program.states):
            starts.append(_full(program.states[key].si, program.size))
            states.append(np.empty(program.size, np.float32))
            final[name, key] = np.empty((stimulus.n_trials, program.size), np.float32)
    listed = [np.empty(stimulus.n_steps * fired.shape[2] + 1, np.int32) for fired in raster]
    bounds = [np.zeros(stimulus.n_steps + 1, np.int64) for _ in raster]
    index = {p.name: number for number, p in enumerate(spec.cells)}
    sizes = [
        np.empty(listed[index[p.source]].size if size_name(spec, p) else 1, np.float32) for p in spec.projections
    ]  # fmt: skip
    tables = [_tables(spec, p, memory) for p in spec.projections]
    given = (_Given * max(len(spec.projections), 1))(*_given(spec, stimulus, memory))
    places = (ctypes.c_void_p * max(len(tables), 1))(*(ctypes.addressof(table) for table in tables))
    loaded(source_of(spec, programs, traces))(
        ctypes.c_long(stimulus.n_trials), ctypes.c_long(stimulus.n_steps), pointers(constants), pointers(starts),
        pointers(states), given, places, pointers(listed), pointers(bounds), pointers(sizes), pointers(raster), pointers(kept),
        pointers(list(final.values())),
    )  # fmt: skip
    return final


def _tables(spec: NetworkSpec, projection: Any, memory: _Memory) -> Any:
    """Return one table for each delay, the longest first, and an end mark."""
    scale = unit_scale(next(s.unit for s in spec[projection.target].declared_states() if s.name == projection.port))
    made = []
    for delay, weights in delay_tables(projection, np.float32, scale):  # (source, target)
        filled = weights.nnz if sparse.issparse(weights) else np.count_nonzero(weights)
        if filled >= DENSE * weights.shape[0] * weights.shape[1]:
            dense = weights.toarray() if sparse.issparse(weights) else weights
            made.append(_Table(delay, 1, None, None, memory.keep(dense, np.float32)))
            continue
        rows = sparse.csr_array(weights)
        addresses = memory.keep(rows.indptr, np.int64), memory.keep(rows.indices, np.int32), memory.keep(rows.data, np.float32)
        made.append(_Table(delay, 0, *addresses))
    return (_Table * (len(made) + 1))(*made, _Table(-1, 0, None, None, None))


def _given(spec: NetworkSpec, stimulus: Stimulus, memory: _Memory) -> list[Any]:
    """Return, for each projection, the input events that it carries, by trial and step."""
    first, spans = 0, {}
    for population in spec.inputs:
        spans[population.name] = (first, first + population.size)
        first += population.size
    events = stimulus.events
    size = np.ones(events.n_events, np.float32) if stimulus.values is None else stimulus.values
    at = events.trial.astype(np.int64) * stimulus.n_steps + events.step
    edges = np.arange(stimulus.n_trials * stimulus.n_steps + 1)
    made: dict[str, Any] = {}
    for name, (low, high) in spans.items():
        mine = np.ones(events.n_events, bool) if len(spans) == 1 else (events.unit >= low) & (events.unit < high)
        bounds = memory.keep(np.searchsorted(at[mine], edges), np.int64)
        made[name] = _Given(bounds, memory.keep(events.unit[mine] - low, np.int32), memory.keep(size[mine], np.float32))
    return [made.get(projection.source, _Given(None, None, None)) for projection in spec.projections]


def _full(values: npt.ArrayLike, size: int) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values).astype(np.float32), (size,)))


def _scale(program: Program, state: str) -> np.float32:
    return np.float32(unit_scale(program.states[state].unit))


def _scores(
    spec: NetworkSpec, programs: Mapping[str, Program], spikes: Mapping[str, Spikes], final: Mapping[tuple[str, str], Any],
    n_steps: int,
) -> npt.NDArray[np.floating[Any]] | None:  # fmt: skip
    readout = spec.readout
    if readout is None:
        return None
    if readout.needs_spikes:
        return spike_scores(readout, spikes[readout.population])
    program = programs[readout.population]
    name = (program.score_update and SCORE) or spec[readout.population].neuron().voltage
    score = final[readout.population, name].astype(np.float64) / unit_scale(program.states[name].unit)
    return score / n_steps if readout.kind == "mean v" else score
