"""Calls back into Python at a slot of Brian2's step, with the numbers of the trials: the runtime form of shared weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from brian2 import NetworkOperation, NeuronGroup, Quantity

from ei_brian.core.competition import MARGIN, WINNER, winners
from ei_brian.core.noise.draw import Draw, numbers
from ei_brian.core.noise.release import ReleaseNoise, release_factors
from ei_brian.core.stdp import LearnedWeights
from ei_brian.core.stimulus import Stimulus
from ei_brian.sim.propagation.rows import add_rows
from ei_brian.sim.tables import Table

__all__ = [
    "GroupSource", "InputSource", "ReleaseDraw", "competition", "drawing", "learning", "propagation", "value_matrix",
]  # fmt: skip

Array = npt.NDArray[np.floating]
Events = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array | None]


def value_matrix(group: NeuronGroup, name: str, n_trials: int) -> Array:
    """Return the numbers of a variable in SI units, a view of shape (trial, neuron) that can be written to."""
    values: Array = group.variables[name].get_value()
    return values.reshape(n_trials, -1)


class GroupSource:
    """The spikes of a NeuronGroup in the step that is being run."""

    def __init__(self, group: NeuronGroup, n_trials: int, release: str) -> None:
        self.group, self.release = group, release
        self.n_trials, self.size = n_trials, len(group) // n_trials

    def events(self, step: int) -> Events:
        """Return trial, neuron and size of the spikes."""
        spikes = np.asarray(self.group.spikes, dtype=np.int64)
        size = value_matrix(self.group, self.release, self.n_trials).ravel()[spikes] if self.release else None
        return spikes // self.size, spikes % self.size, size


class InputSource:
    """The events of one input population, found by step."""

    def __init__(self, stimulus: Stimulus, start: int, size: int, dtype: npt.DTypeLike) -> None:
        events = stimulus.events
        mine = np.flatnonzero((events.unit >= start) & (events.unit < start + size))
        order = mine[np.lexsort((events.unit[mine], events.trial[mine], events.step[mine]))]
        self.trial, self.unit = events.trial[order].astype(np.int64), events.unit[order].astype(np.int64) - start
        self.values = None if stimulus.values is None else stimulus.values[order].astype(dtype)
        self.bounds = np.searchsorted(events.step[order], np.arange(stimulus.n_steps + 1))

    def events(self, step: int) -> Events:
        """Return trial, unit and size of the events of a step; none after the end of the stimulus."""
        if step + 1 >= self.bounds.size:
            return self.trial[:0], self.unit[:0], None
        part = slice(int(self.bounds[step]), int(self.bounds[step + 1]))
        return self.trial[part], self.unit[part], None if self.values is None else self.values[part]


@dataclass(frozen=True, slots=True)
class ReleaseDraw:
    """Release noise of a projection with the seed of the run and the number of its first trial in the whole data set."""

    release: ReleaseNoise
    seed: int
    first_trial: int

    def factors(self, events: Events, step: int, n_target: int, dtype: npt.DTypeLike) -> Array:
        """Return what multiplies the weights of each event that arrives in a step, shape (event, n_target)."""
        trial, unit, _ = events
        return release_factors(self.release, self.seed, self.first_trial + trial, unit, step, n_target, dtype)


def drawing(
    group: NeuronGroup, draws: Sequence[Draw], seed: int, first_trial: int, n_trials: int, dt: Quantity
) -> NetworkOperation:
    """Return the object that fills the states of all draws of a group at the start of each step."""
    trials = first_trial + np.arange(n_trials)

    def fill(t: Quantity) -> None:
        step = round(float(np.asarray(t)) / float(dt))
        for draw in draws:
            matrix = value_matrix(group, draw.state, n_trials)
            matrix[:] = numbers(draw, seed, trials, step, matrix.shape[1])

    return NetworkOperation(fill, dt=dt, when="start", order=-1, name=f"{group.name}_noise")


def competition(group: NeuronGroup, n_trials: int, slot: str, dt: Quantity) -> NetworkOperation:
    """Return the object that, before a slot, finds the neuron of each trial which may spike."""

    def compete() -> None:
        value_matrix(group, WINNER, n_trials)[:] = winners(value_matrix(group, MARGIN, n_trials))

    return NetworkOperation(compete, dt=dt, when=f"before_{slot}", name=f"{group.name}_competition")


def propagation(
    name: str, source: GroupSource | InputSource, tables: Sequence[Table], target: NeuronGroup, port: str, n_trials: int,
    place: tuple[str, int], dt: Quantity, release: ReleaseDraw | None = None, learned: LearnedWeights | None = None,
) -> NetworkOperation:  # fmt: skip
    """Return the object that, once a step, adds the rows of all arriving spikes to the port of the target."""
    history: list[Events] = []
    longest = max((table.delay for table in tables), default=0)

    def add(t: Quantity) -> None:
        step = round(float(np.asarray(t)) / float(dt))
        history.append(source.events(step))
        values = value_matrix(target, port, n_trials)
        for table in tables:
            if table.delay < len(history):
                events = history[-1 - table.delay]
                factors = None if release is None else release.factors(events, step, values.shape[1], values.dtype)
                rows = table
                if learned is not None:
                    ones, factors = learned.table((events[0], events[1], values), table.delay, factors)
                    rows = Table(table.delay, ones)
                add_rows(values, *events, rows, factors)
        if len(history) > longest:
            history.pop(0)

    return NetworkOperation(add, dt=dt, when=place[0], order=place[1], name=f"{name}_propagation")


def learning(
    name: str, source: GroupSource | InputSource, target: NeuronGroup, learned: LearnedWeights,
    changed: Callable[[], None] | None, dt: Quantity,
) -> NetworkOperation:  # fmt: skip
    """Return the object that, at the end of each step, changes weights by its spikes; then it calls ``changed``."""
    n_trials, n_target = learned.y.shape

    def change(t: Quantity) -> None:
        step = round(float(np.asarray(t)) / float(dt))
        after = np.zeros(n_trials * n_target, dtype=bool)
        if "_spikespace" in target.variables:
            after[np.asarray(target.spikes, dtype=np.int64)] = True
        learned.step(learned.sent(*source.events(step)[:2]), after.reshape(n_trials, n_target))
        if changed is not None:
            changed()

    return NetworkOperation(change, dt=dt, when="end", order=2, name=f"{name}_learning")
