"""Calibration inside the running network: each cell follows its trained original on the drive that it really gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.population import Population
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.forced import acts_in_its_step, late_jumps
from ei_brian.core.transform.knobs import Knobs, knobs_of, scaled_projections, turned, with_population
from ei_brian.core.transform.replay import filtered, jumps_of, replay

__all__ = ["Comparison", "Targets", "better_cells", "cell_errors", "compare", "driven_ports", "improved", "targets_of"]

Array = npt.NDArray[np.floating]
GAIN_STEP, OFFSET_STEP = 0.3, 0.4  # of the first iteration: log gain, current scales
PATTERN = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))
RATE_WEIGHT = 0.3
TRIALS_PER_STEP = 60


@dataclass(frozen=True, slots=True)
class Targets:
    """What the trained network does on the calibration set, on the time grid of the network that is calibrated."""

    spikes: Mapping[str, npt.NDArray[np.bool_]]
    filtered: Mapping[str, Array]
    scores: Array | None
    rates_hz: Mapping[str, float]
    filter_ms: float
    dt_ms: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How near a network is to the trained one on the calibration set.

    ``distance`` per population: squared distance of filtered spike trains as a share of the trained power. ``score_error``:
    squared difference of the scores as a share of their variance over classes. ``agreement``: share of equal decisions.
    """

    rates_hz: Mapping[str, float]
    rates_trained_hz: Mapping[str, float]
    distance: Mapping[str, float]
    score_error: float
    agreement: float
    recording: Recording | None = field(default=None, repr=False)

    @property
    def cost(self) -> float:
        """What calibration makes small: error of the scores, and of the rates of all populations."""
        rates = sum((self.rates_hz[p] / max(r, 0.5) - 1) ** 2 for p, r in self.rates_trained_hz.items())
        spread = sum(self.distance.values()) / max(len(self.distance), 1)
        scores = self.score_error / (1 + self.score_error) if np.isfinite(self.score_error) else spread
        return scores + 0.25 * spread + 2.0 * rates

    def as_data(self) -> dict[str, Any]:
        """Return plain numbers for the provenance."""
        return {
            "rates_hz": dict(self.rates_hz), "rates_trained_hz": dict(self.rates_trained_hz),
            "distance": dict(self.distance), "score_error": self.score_error, "agreement": self.agreement,
        }  # fmt: skip


def targets_of(trained: NetworkSpec, stimulus: Stimulus, factor: int, filter_ms: float) -> Targets:
    """Return the activity of the trained network; ``factor`` is how much finer the grid of the other network is."""
    recording = simulate(trained, stimulus)
    spikes = {}
    for name, train in recording.spikes.items():
        fine = np.zeros((train.n_trials, train.n_steps * factor, train.n_units), dtype=bool)
        fine[train.trial, train.step * factor, train.unit] = True
        spikes[name] = fine
    dt_ms = trained.dt_ms / factor
    return Targets(
        spikes, {name: filtered(dense, filter_ms, dt_ms) for name, dense in spikes.items()},
        None if recording.scores is None else np.asarray(recording.scores, dtype=np.float64),
        {name: recording.rate_hz(name) for name in recording.counts}, filter_ms, dt_ms,
    )  # fmt: skip


def compare(spec: NetworkSpec, stimulus: Stimulus, targets: Targets) -> Comparison:
    """Run a network on the calibration set and compare it with the trained one."""
    traces = [(p.name, port) for p in spec.cells if knobs_of(p) for port in driven_ports(p)]
    recording = simulate(spec, stimulus, np.float32, traces)
    distance = {}
    for name, wanted in targets.filtered.items():
        got = filtered(np.asarray(recording.spikes[name].dense(), dtype=bool), targets.filter_ms, targets.dt_ms)
        distance[name] = float(np.square(got - wanted).sum() / max(float(np.square(wanted).sum()), 1e-12))
    error, agreement = float("nan"), float("nan")
    if targets.scores is not None and recording.scores is not None:
        power = np.square(targets.scores - targets.scores.mean(axis=1, keepdims=True)).sum()
        error = float(np.square(recording.scores - targets.scores).sum() / max(float(power), 1e-12))
        agreement = float(np.mean(recording.decisions == np.argmax(targets.scores, axis=1)))
    rates = {name: recording.rate_hz(name) for name in targets.rates_hz}
    return Comparison(rates, targets.rates_hz, distance, error, agreement, recording)


def improved(spec: NetworkSpec, seen: Comparison, targets: Targets, iteration: int, shrink: float) -> NetworkSpec:
    """Return the network after one step of calibration.

    Each cell of each swapped population tries its neighbours in gain and constant current on the drive that it received in the
    running network, and takes the one that follows its trained original best. Where a population keeps its trained cells, the
    projections that reach it from swapped ones are scaled so that its rate returns.
    """
    recording = seen.recording
    if recording is None:
        return spec
    swapped = {p.name: knobs for p in spec.cells if (knobs := knobs_of(p)) is not None}
    start = iteration * TRIALS_PER_STEP
    part = (start + np.arange(min(recording.n_trials, TRIALS_PER_STEP))) % recording.n_trials
    made = spec
    for name, knobs in swapped.items():
        cells = spec[name]
        jumps = {port: _arrivals(spec, recording, cells, port, part) for port in driven_ports(cells)}
        better = better_cells(cells, knobs, jumps, targets, part, shrink)
        made = with_population(made, _pushed(better, knobs, seen.rates_hz[name], targets.rates_hz[name]))
    return scaled_projections(made, _projection_factors(spec, swapped, seen, targets))


def _arrivals(
    spec: NetworkSpec, recording: Recording, cells: Population, port: str, trials: npt.NDArray[np.integer]
) -> Array:
    """Return what arrived at a port as `replay` takes it: at the end of a step, also where it came before the update."""
    decay = np.exp(-spec.dt_ms / np.asarray(cells.parameters[f"tau_{port}"]))
    jumps = jumps_of(recording.traces[(cells.name, port)][trials], decay)
    mine = [p for p in spec.projections if p.target == cells.name and p.port == port]
    if not any(acts_in_its_step(spec, projection) for projection in mine):
        return jumps
    late: Any = 0.0
    if not all(acts_in_its_step(spec, projection) for projection in mine):
        sources = {p.source for p in mine if p.source in recording.spikes}
        fired = {name: np.asarray(recording.spikes[name].dense(), dtype=bool)[trials] for name in sources}
        late = late_jumps(spec, fired, cells.name, port)
    early = (jumps - late) / decay  # the current had decayed once when it was looked at
    made = np.zeros_like(jumps)
    made[:, :-1] = early[:, 1:]
    return made + late  # type: ignore[no-any-return]


def driven_ports(population: Population) -> tuple[str, ...]:
    """Return the ports of the receptors that synapses drive."""
    states = {state.name for state in population.declared_states()}
    return tuple(port for port, _ in population.receptors if port in states)


def better_cells(
    cells: Population, knobs: Knobs, jumps: Mapping[str, Array], targets: Targets, trials: npt.NDArray[np.integer], shrink: float
) -> Population:
    """Return the population in which each cell took the best of its neighbours in gain and constant current.

    Parameters
    ----------
    cells, knobs : Population, Knobs
        The cells and what can be turned.
    jumps : mapping of port to array, shape (trial, step, neuron)
        The drive, of the chosen trials.
    targets : Targets
        What the trained cells do.
    trials : array of int
        The chosen trials.
    shrink : float
        Size of the step, as a share of the first.
    """
    wanted, spikes = targets.filtered[cells.name][trials], targets.spikes[cells.name][trials]
    choices = [turned(cells, knobs, log_gains, offset) for log_gains, offset in _moves(knobs, shrink)]
    errors = np.array([cell_errors(choice, targets, jumps, wanted, spikes) for choice in choices])
    best = np.argmin(errors, axis=0)
    changes = {}
    for name in (*knobs.gains, *([knobs.offset] if knobs.offset else [])):
        table = np.array([np.broadcast_to(np.asarray(choice.parameters[name]), (cells.size,)) for choice in choices])
        changes[name] = table[best, np.arange(cells.size)]
    return replace(cells, parameters={**cells.parameters, **changes})


def _pushed(cells: Population, knobs: Knobs, rate_hz: float, goal_hz: float) -> Population:
    """Return the cells with their current, and the gain of excitation over inhibition, moved towards the wanted rate."""
    push = float(np.clip(0.15 * np.log(max(goal_hz, 0.5) / max(rate_hz, 0.1)), -0.2, 0.2))
    if len(knobs.gains) == 1:
        return turned(cells, knobs, {knobs.gains[0]: 0.5 * push}, push)
    return turned(cells, knobs, {knobs.gains[0]: 0.5 * push, knobs.gains[1]: -0.5 * push}, push)


def _moves(knobs: Knobs, shrink: float) -> list[tuple[dict[str, float], float]]:
    moves = [
        (dict.fromkeys(knobs.gains, GAIN_STEP * shrink * gain), OFFSET_STEP * shrink * offset) for gain, offset in PATTERN
    ]
    if len(knobs.gains) > 1:
        moves += [({name: sign * GAIN_STEP * shrink}, 0.0) for name in knobs.gains for sign in (-1, 1)]
    return moves


def cell_errors(
    cells: Population, targets: Targets, jumps: Mapping[str, Array], wanted: Array, target: npt.NDArray[np.bool_]
) -> Array:
    """Return, for each cell, the error in spikes squared per spike, with the error of its count."""
    spikes = replay(cells, targets.dt_ms, jumps)
    one_spike = 1 / (2 * targets.filter_ms * targets.dt_ms)
    error = np.square(filtered(spikes, targets.filter_ms, targets.dt_ms) - wanted).sum(axis=(0, 1)) / one_spike
    trained = target.sum(axis=(0, 1))
    count = (spikes.sum(axis=(0, 1)) - trained) / (trained + 5.0)
    weighted: Array = error / (trained + 5.0) + RATE_WEIGHT * np.square(count)
    return weighted


def _projection_factors(
    spec: NetworkSpec, swapped: Mapping[str, Knobs], seen: Comparison, targets: Targets
) -> dict[str, float]:
    factors = {}
    for projection in spec.projections:
        source, target = spec[projection.source], spec[projection.target]
        if source.name in swapped and target.name in seen.rates_hz and target.name not in swapped:
            ratio = max(seen.rates_hz[target.name], 0.1) / max(targets.rates_hz[target.name], 0.5)
            power = 0.5 if source.role == "inh" else -0.5
            factors[projection.name] = float(np.clip(ratio**power, 0.7, 1.4))
    return factors
