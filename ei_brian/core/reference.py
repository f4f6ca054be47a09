"""The oracle: a small numpy stepper that runs the programs of a network, nothing more.

It is written to be read: no batching tricks, no compiled code. Every Brian2 backend must give the spikes that it gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from types import CodeType
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.arithmetic import check_arithmetic
from ei_brian.core.competition import MARGIN, WINNER, winners
from ei_brian.core.finiteness import check_finite, check_traces, precision
from ei_brian.core.noise.draw import numbers
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.philox import STREAM_LAYOUT
from ei_brian.core.noise.release import ReleaseNoise, release_factors, release_noise
from ei_brian.core.noise.seed import seed_for
from ei_brian.core.noise.static import apply_static
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.program import SCORE, Program, check_noise, compose, size_name
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording, spike_scores
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stdp import LearnedWeights
from ei_brian.core.step_functions import program_functions
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.core.weight_rows import Events, add_rows, delay_tables
from ei_brian.errors import DataError

__all__ = ["check_stimulus", "simulate"]

Array = npt.NDArray[np.floating]
NUMBERS_AT_ONCE = 16_384  # of noise: each depends on its step alone, so that it does not matter when it is drawn


def check_stimulus(spec: NetworkSpec, stimulus: Stimulus) -> None:
    """Refuse a stimulus of another width or time step than the network's.

    Raises
    ------
    DataError
        With both numbers.
    """
    if stimulus.n_units != spec.n_inputs:
        raise DataError(
            f"stimulus {stimulus.name}: {stimulus.n_units} units; network {spec.name} has {spec.n_inputs} inputs. "
            "Use the data set and encoder that it was trained with."
        )
    if stimulus.dt_ms != spec.dt_ms:
        raise DataError(
            f"stimulus {stimulus.name}: dt {stimulus.dt_ms:g} ms; network {spec.name} has {spec.dt_ms:g} ms. "
            "Use stimulus.refined(factor) or encode it at that step."
        )


@lru_cache(maxsize=1024)
def _code(text: str, mode: str) -> CodeType:
    """Return a text of the catalogue compiled, once for all steps."""
    return compile(text, "program", mode)


class _Cells:
    """The states of one population over all trials, and how its program changes them."""

    def __init__(self, program: Program, n_trials: int, dtype: npt.DTypeLike) -> None:
        self.program, self.dtype = program, np.dtype(dtype)
        shape = (n_trials, program.size)
        self.values: dict[str, Any] = {name: q.si.astype(dtype) for name, q in program.constants.items()}
        for name, quantity in program.states.items():
            self.values[name] = np.broadcast_to(quantity.si.astype(dtype), shape).copy()
        self.functions = program_functions(self.dtype)
        self.spiked = np.zeros(shape, dtype=bool)
        self.drawn: dict[str, Any] = {}  # numbers of noise of the next steps, by state, with the first of these steps

    def draw(self, seed: int, trials: npt.NDArray[np.int64], step: int) -> None:
        """Fill the states of the program's draws with the numbers of a step; those of several steps are drawn at once."""
        together = max(1, NUMBERS_AT_ONCE // (trials.size * self.program.size + 1))
        first = step // together * together
        for draw in self.program.draws:
            if self.drawn.get(draw.state, (-1,))[0] != first:
                steps = first + np.arange(together)[:, None]
                self.drawn[draw.state] = first, numbers(draw, seed, trials[None, :], steps, self.program.size)
            self.values[draw.state][:] = self.drawn[draw.state][1][step - first]

    def run(self, text: str) -> None:
        """Run assignments of the catalogue on all neurons."""
        exec(_code(text, "exec"), self.functions, self.values)  # noqa: S102 - text of our own catalogue, never of a file
        for name in self.program.states:  # a state set to a constant is still one number per trial and neuron
            if np.shape(self.values[name]) != self.spiked.shape:
                self.values[name] = np.broadcast_to(self.values[name], self.spiked.shape).copy()

    def run_at_spikes(self, text: str) -> None:
        """Run assignments on the neurons that spiked, leaving the others untouched."""
        before = {name: self.values[name] for name in self.program.states}
        self.run(text)
        for name, old in before.items():
            self.values[name] = np.where(self.spiked, self.values[name], old).astype(self.dtype)

    def find_spikes(self) -> None:
        """Set ``spiked`` from the threshold condition."""
        if self.program.competes:
            self.values[WINNER] = winners(self.values[MARGIN])
        condition = eval(_code(self.program.threshold, "eval"), self.functions, self.values)  # noqa: S307
        self.spiked = np.broadcast_to(condition, self.spiked.shape)


@dataclass(frozen=True, slots=True)
class _Pathway:
    """One projection: a table of weights per delay, longest first, each (n_source, n_target); and what scales its spikes."""

    projection: Projection
    tables: tuple[tuple[int, Any], ...]
    size: str
    release: ReleaseNoise | None


@takes_numbers()
def simulate(
    spec: NetworkSpec, stimulus: Stimulus, dtype: npt.DTypeLike = np.float64,
    traces: Sequence[tuple[str, str]] = (), n_steps: int | None = None,
    noise: Noise | None = None, seed: int | None = None, first_trial: int = 0,
) -> Recording:  # fmt: skip
    """Run a network over a stimulus, step by step, in numpy.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    stimulus : Stimulus
        Its input; units of all input populations in order.
    dtype : float64 or float32
        Precision of every state and constant.
    traces : sequence of (population, state)
        States to keep at the end of each step.
    n_steps : int, optional
        Number of steps; as many as the stimulus has unless given.
    noise : Noise, optional
        What is injected, kinds before the run and kinds within it.
    seed : int, optional
        Decides all of the noise; drawn and recorded where noise is on and none is given.
    first_trial : int
        Number of the first trial in the whole data set, where the stimulus is a part of it: noise depends on it.

    Returns
    -------
    Recording
        With the spikes of every spiking population.

    Raises
    ------
    DataError
        If the stimulus does not fit the network.
    ConfigError
        For a seed that is not a whole number from 0 to 2**64 - 1.
    BackendError
        If a state or a trace leaves the finite numbers.
    """
    check_stimulus(spec, stimulus)
    check_arithmetic()
    started = perf_counter()
    steps = stimulus.n_steps if n_steps is None else n_steps
    chosen = seed_for(noise, seed)
    noisy, presented = apply_static(noise, chosen, spec, stimulus, first_trial)
    run = Run(noisy, presented, precision(dtype), steps, traces, noise, chosen, first_trial)
    for step in range(steps):
        run.step(step)
    return run.recording(perf_counter() - started, spec.sha256)


class Run:
    """A network in the middle of a simulation."""

    def __init__(
        self, spec: NetworkSpec, stimulus: Stimulus, dtype: np.dtype[Any], n_steps: int, traces: Sequence[tuple[str, str]],
        noise: Noise | None, seed: int | None, first_trial: int,
    ) -> None:  # fmt: skip
        self.spec, self.stimulus, self.dtype, self.n_steps = spec, stimulus, dtype, n_steps
        self.noise, self.seed = noise, seed
        self.trials = first_trial + np.arange(stimulus.n_trials)
        check_noise(spec, noise)
        self.cells = {p.name: _Cells(compose(spec, p, noise), stimulus.n_trials, dtype) for p in spec.cells}
        self.pathways = {p.name: self._pathway(p) for p in spec.projections}
        self.learned: dict[str, LearnedWeights] = {}  # by projection, where a rule changes its weights
        self.history: dict[str, list[Events]] = {p.name: [] for p in spec.projections}
        self.spiking = [p.name for p in spec.cells if p.spiking]
        self.raster: dict[str, list[Any]] = {name: [] for name in self.spiking}
        self.traces: dict[tuple[str, str], list[Array]] = {key: [] for key in traces}
        self.present(stimulus, n_steps, 0)
        self.input_start, start = {}, 0
        for population in spec.inputs:
            self.input_start[population.name] = start
            start += population.size

    def _pathway(self, projection: Projection) -> _Pathway:
        states = {state.name: state.unit for state in self.spec[projection.target].declared_states()}
        tables = delay_tables(projection, self.dtype, unit_scale(states[projection.port]))
        size = size_name(self.spec, projection, self.noise)
        return _Pathway(projection, tables, size, release_noise(projection, self.noise))

    def present(self, stimulus: Stimulus, n_steps: int, first_step: int) -> None:
        """Take a stimulus that begins at a step, and record anew from there."""
        self.stimulus, self.n_steps = stimulus, n_steps
        self.input_events = {first_step + step: events for step, events in _events_by_step(stimulus).items()}
        for kept in (*self.raster.values(), *self.traces.values()):
            kept.clear()

    def step(self, step: int) -> None:
        """Advance by one time step, in the order of the schedule."""
        if self.seed is not None:
            for cells in self.cells.values():
                cells.draw(self.seed, self.trials, step)
        for phase in self.spec.schedule:
            if phase.kind == "propagate":
                self._propagate(self.pathways[phase.target], step)
                continue
            cells = self.cells[phase.target]
            if phase.kind == "update":
                cells.run(cells.program.update)
            elif phase.kind == "threshold":
                cells.find_spikes()
                self.raster[phase.target].append(cells.spiked.copy())
                if cells.program.at_spike:
                    cells.run_at_spikes(cells.program.at_spike)
            elif cells.program.reset:
                cells.run_at_spikes(cells.program.reset)
        for cells in self.cells.values():
            if cells.program.score_update:
                cells.run(cells.program.score_update)
        for name, learned in self.learned.items():
            learned.step(learned.sent(*self.history[name][-1][:2]), self.cells[learned.projection.target].spiked)
        for (population, state), kept in self.traces.items():
            kept.append(self.cells[population].values[state].copy())

    def _events_of(self, pathway: _Pathway, step: int) -> Events:
        projection = pathway.projection
        if projection.source in self.input_start:
            trial, unit, size = self.input_events.get(step, _no_events(self.dtype))
            start = self.input_start[projection.source]
            mine = (unit >= start) & (unit < start + self.spec[projection.source].size)
            return trial[mine], unit[mine] - start, size[mine].astype(self.dtype)
        cells = self.cells[projection.source]
        trial, unit = np.nonzero(cells.spiked)
        if pathway.size:
            return trial, unit, cells.values[pathway.size][trial, unit]
        return trial, unit, np.ones(trial.size, dtype=self.dtype)

    def _propagate(self, pathway: _Pathway, step: int) -> None:
        projection = pathway.projection
        history = self.history[projection.name]
        history.append(self._events_of(pathway, step))
        target = self.cells[projection.target].values[projection.port]
        for delay, table in pathway.tables:
            if delay < len(history):
                events = history[-1 - delay]
                factors = self._factors(pathway, events, step)
                if projection.name in self.learned:
                    table, factors = self.learned[projection.name].table(events, delay, factors)
                add_rows(target, events, table, factors)
        if len(history) > projection.max_delay + 1:
            history.pop(0)

    def _factors(self, pathway: _Pathway, events: Events, step: int) -> Array | None:
        if pathway.release is None or self.seed is None:
            return None
        n_target = self.spec[pathway.projection.target].size
        trials = self.trials[events[0]]
        return release_factors(pathway.release, self.seed, trials, events[1], step, n_target, self.dtype)

    def recording(self, seconds: float, sha256: str) -> Recording:
        """Return what was recorded, under the hash of the network that was given.

        Raises
        ------
        BackendError
            If a state or a trace is not finite.
        """
        for name, cells in self.cells.items():
            for state in cells.program.states:
                check_finite(f"{name}.{state}", cells.values[state], self.dtype)
        stimulus, spec = self.stimulus, self.spec
        traces = {key: self._trace(key) for key in self.traces}
        check_traces(traces, self.dtype)
        spikes = {}
        for name, raster in self.raster.items():
            step, trial, unit = np.nonzero(np.array(raster).reshape(self.n_steps, stimulus.n_trials, spec[name].size))
            spikes[name] = Spikes(trial, step, unit, stimulus.n_trials, self.n_steps, spec[name].size, spec.dt_ms)
        return Recording(
            spikes=spikes,
            counts={name: train.counts() for name, train in spikes.items()},
            traces=traces,
            scores=self._scores(spikes),
            labels=stimulus.labels,
            spec_sha256=sha256,
            stimulus_name=stimulus.name,
            n_trials=stimulus.n_trials,
            n_steps=self.n_steps,
            dt_ms=spec.dt_ms,
            noise=self.noise,
            seed=self.seed,
            backend={"name": "reference", "dtype": self.dtype.name, "numpy": np.__version__, "stream_layout": STREAM_LAYOUT},
            run_seconds=seconds,
        )

    def _trace(self, key: tuple[str, str]) -> Array:
        quantity = self.cells[key[0]].program.states[key[1]]
        return np.stack(self.traces[key], axis=1) / self.dtype.type(unit_scale(quantity.unit))

    def _scores(self, spikes: Mapping[str, Spikes]) -> Array | None:
        readout = self.spec.readout
        if readout is None:
            return None
        if readout.needs_spikes:
            return spike_scores(readout, spikes[readout.population])
        cells = self.cells[readout.population]
        name = (cells.program.score_update and SCORE) or self.spec[readout.population].neuron().voltage
        unit = cells.program.states[name].unit
        score = cells.values[name].astype(np.float64) / unit_scale(unit)
        return score / self.n_steps if readout.kind == "mean v" else score


def _no_events(dtype: npt.DTypeLike) -> Events:
    empty = np.zeros(0, dtype=np.int64)
    return empty, empty, np.zeros(0, dtype=dtype)


def _events_by_step(stimulus: Stimulus) -> dict[int, Events]:
    events = stimulus.events
    order = np.lexsort((events.unit, events.trial, events.step))
    step, trial, unit = events.step[order], events.trial[order].astype(np.int64), events.unit[order].astype(np.int64)
    size = np.ones(order.size, np.float32) if stimulus.values is None else stimulus.values[order]
    bounds = np.searchsorted(step, np.arange(stimulus.n_steps + 1))
    return {
        now: (trial[first:last], unit[first:last], size[first:last])
        for now, (first, last) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        if last > first
    }
