"""What the trained network does on the calibration set, and how near another network comes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.engine import Engine, default_engine
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibration_settings import SearchSettings
from ei_brian.core.transform.fit_parameters import fit_parameters_of
from ei_brian.core.transform.output_scale import arrived
from ei_brian.core.transform.replay import filtered

__all__ = ["Comparison", "Targets", "compare", "dense_spikes", "driven_ports", "output_traces", "targets_of"]

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Targets:
    """What the trained network does on the calibration set, on the time grid of the network that is calibrated.

    Parameters
    ----------
    spikes, filtered : mapping of population to array, shape (trial, step, neuron)
        Spike trains, and these filtered.
    output : mapping of population to array, shape (trial, step, neuron)
        What readout cells do over time, on the trained network's grid: the membrane, or the filtered spikes of those that spike.
    scores : array, shape (trial, class), or None
        What decisions are made on.
    rates_hz : mapping of str to float
        Mean rate of each spiking population.
    filter_ms, dt_ms : float
        Of the filter; the time step.
    factor : int
        How many steps of the calibrated network make one of the trained.
    arrived : mapping of readout population to array, shape (trial, cell)
        What spiking cells brought in each trial to readout cells that only collect.
    """

    spikes: Mapping[str, npt.NDArray[np.bool_]]
    filtered: Mapping[str, Array]
    output: Mapping[str, Array]
    scores: Array | None
    rates_hz: Mapping[str, float]
    filter_ms: float
    dt_ms: float
    factor: int
    arrived: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How near a network is to the trained one on the calibration set.

    Parameters
    ----------
    rates_hz, rates_trained_hz : mapping of str to float
        Mean rates of the populations.
    distance : mapping of str to float
        Squared distance of filtered spike trains as a share of the trained power.
    r2 : float
        Share of the variance of the output over time that is that of the trained network; 1 is equal, negative is worse than a
        constant. NaN without readout cells.
    score_error : float
        Squared difference of the scores as a share of their variance over classes; NaN without scores.
    agreement : float
        Share of equal decisions; NaN without decisions.
    recording : Recording or None
        The run.
    """

    rates_hz: Mapping[str, float]
    rates_trained_hz: Mapping[str, float]
    distance: Mapping[str, float]
    r2: float
    score_error: float
    agreement: float
    recording: Recording | None = field(default=None, repr=False)

    def cost(self, search: SearchSettings) -> float:
        """Return what calibration makes small: error of the output, spike-train distance, and errors of rates."""
        rates = sum((self.rates_hz[p] / max(r, 0.5) - 1) ** 2 for p, r in self.rates_trained_hz.items())
        spread = sum(self.distance.values()) / max(len(self.distance), 1)
        errors = [error / (1 + error) for error in (self.score_error, 1 - self.r2) if np.isfinite(error)]
        output = sum(errors) / len(errors) if errors else spread
        return output + search.spread_weight * spread + search.rate_weight * rates

    def as_data(self) -> dict[str, Any]:
        """Return plain numbers for the provenance."""
        return {
            "rates_hz": dict(self.rates_hz), "rates_trained_hz": dict(self.rates_trained_hz),
            "distance": dict(self.distance), "r2": self.r2, "score_error": self.score_error, "agreement": self.agreement,
        }  # fmt: skip

    def words(self) -> str:
        """Return one line for a reader."""
        rates = ", ".join(f"{p} {got:.1f} Hz (trained {self.rates_trained_hz[p]:.1f})" for p, got in self.rates_hz.items())
        decided = f"decisions equal {self.agreement:.1%}, " if np.isfinite(self.agreement) else ""
        output = f"output R² {self.r2:.3f}, " if np.isfinite(self.r2) else ""
        return f"{decided}{output}{rates}"


def targets_of(
    trained: NetworkSpec, stimulus: Stimulus, factor: int, filter_ms: float, engine: Engine | None = None
) -> Targets:
    """Return the activity of the trained network; ``factor`` is how much finer the grid of the other network is."""
    recording = (engine or default_engine()).simulate(trained, stimulus, _silent_outputs(trained))
    spikes = {}
    for name, train in recording.spikes.items():
        fine = np.zeros((train.n_trials, train.n_steps * factor, train.n_units), dtype=bool)
        fine[train.trial, train.step * factor, train.unit] = True
        spikes[name] = fine
    dt_ms = trained.dt_ms / factor
    return Targets(
        spikes, {name: filtered(dense, filter_ms, dt_ms) for name, dense in spikes.items() if not trained[name].relay},
        output_traces(trained, recording, 1, filter_ms),
        None if recording.scores is None else np.asarray(recording.scores, dtype=np.float64),
        {name: recording.rate_hz(name) for name in recording.counts if not trained[name].relay},
        filter_ms, dt_ms, factor, _arrived(trained, recording),
    )  # fmt: skip


def _arrived(spec: NetworkSpec, recording: Recording) -> dict[str, npt.NDArray[np.float64]]:
    spikes = {name: dense_spikes(recording, name) for name in recording.spikes}
    made: dict[str, npt.NDArray[np.float64]] = {}
    for name, _ in _silent_outputs(spec):
        parts = [arrived(spec, p, spikes) for p in spec.projections if p.target == name and p.source in spikes]
        if parts:
            made[name] = sum(parts[1:], parts[0])
    return made


def compare(spec: NetworkSpec, stimulus: Stimulus, targets: Targets, engine: Engine | None = None) -> Comparison:
    """Run a network on the calibration set and compare it with the trained one."""
    engine = engine or default_engine()
    traces = [(p.name, port) for p in spec.cells if fit_parameters_of(p) for port in driven_ports(p)]
    recording = engine.simulate(spec, stimulus, [*traces, *_silent_outputs(spec)])
    distance = {}
    for name, wanted in targets.filtered.items():
        got = engine.train_distances(dense_spikes(recording, name), wanted, targets.dt_ms, targets.filter_ms)
        distance[name] = float(got.sum() / max(float(np.square(wanted).sum(dtype=np.float64)), 1e-12))
    error, agreement = float("nan"), float("nan")
    if targets.scores is not None and recording.scores is not None:
        power = np.square(targets.scores - targets.scores.mean(axis=1, keepdims=True)).sum()
        error = float(np.square(recording.scores - targets.scores).sum() / max(float(power), 1e-12))
        agreement = float(np.mean(recording.decisions == np.argmax(targets.scores, axis=1)))
    rates = {name: recording.rate_hz(name) for name in targets.rates_hz}
    r2 = _explained(output_traces(spec, recording, targets.factor, targets.filter_ms), targets.output)
    return Comparison(rates, targets.rates_hz, distance, r2, error, agreement, recording)


def dense_spikes(recording: Recording, name: str) -> npt.NDArray[np.bool_]:
    """Return the spikes of a population as an array, shape (trial, step, neuron)."""
    train = recording.spikes[name]
    made = np.zeros((train.n_trials, train.n_steps, train.n_units), dtype=bool)
    made[train.trial, train.step, train.unit] = True
    return made


def driven_ports(population: Any) -> tuple[str, ...]:
    """Return the ports of the receptors that synapses drive."""
    states = {state.name for state in population.declared_states()}
    return tuple(port for port, _ in population.receptors if port in states)


def _outputs(spec: NetworkSpec) -> list[Any]:
    """Return the populations that are read: those of role readout, and the one that the decision looks at."""
    read = spec.readout.population if spec.readout else ""
    return [p for p in spec.cells if p.role == "readout" or p.name == read]


def _silent_outputs(spec: NetworkSpec) -> list[tuple[str, str]]:
    return [(p.name, p.neuron().voltage) for p in _outputs(spec) if not p.spiking]


def output_traces(spec: NetworkSpec, recording: Recording, factor: int, filter_ms: float) -> dict[str, Array]:
    """Return what readout cells do over time, at the end of every ``factor``-th step."""
    made: dict[str, Array] = {}
    for cells in _outputs(spec):
        if cells.spiking:
            trace = filtered(dense_spikes(recording, cells.name), filter_ms, recording.dt_ms)
        else:
            trace = np.asarray(recording.traces[(cells.name, cells.neuron().voltage)], dtype=np.float32)
        made[cells.name] = trace[:, factor - 1 :: factor]
    return made


def _explained(got: Mapping[str, Array], wanted: Mapping[str, Array]) -> float:
    """Return R² over all readout cells: variance around each cell's own mean over trials and time."""
    left, power = 0.0, 0.0
    for name, trace in wanted.items():
        centred = trace - trace.mean(axis=(0, 1), dtype=np.float64)
        power += float(np.square(centred).sum(dtype=np.float64))
        left += float(np.square(got[name] - trace).sum(dtype=np.float64)) if name in got else float("nan")
    return 1 - left / power if power > 0 else float("nan")
