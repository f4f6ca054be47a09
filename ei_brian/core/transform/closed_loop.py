"""Third stage of calibration, inside the running network: each cell follows its trained original on the drive it really gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ei_brian.core.engine import Engine
from ei_brian.core.population import Population
from ei_brian.core.port_current import port_decay
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibration_settings import CalibrationSettings, SearchSettings
from ei_brian.core.transform.calibration_state import CalibrationState
from ei_brian.core.transform.fit_parameters import (
    FitParameters,
    fit_parameters_of,
    scaled_projections,
    with_population,
    with_scaled_gains,
)
from ei_brian.core.transform.forced import acts_in_its_step, late_jumps
from ei_brian.core.transform.output_scale import output_factors
from ei_brian.core.transform.replay import synaptic_increments
from ei_brian.core.transform.targets import Comparison, Targets, compare, dense_spikes, driven_ports
from ei_brian.core.transform.turning import better_cells

__all__ = ["LoopResult", "arrivals", "close_loop", "improved"]

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class LoopResult:
    """The nearest network of all rounds, how near it is, how near the first was, and the numbers of every round."""

    spec: NetworkSpec
    seen: Comparison
    history: list[dict[str, Any]]


def close_loop(
    spec: NetworkSpec, stimulus: Stimulus, targets: Targets, settings: CalibrationSettings, state: CalibrationState,
    engine: Engine, progress: bool = False,
) -> LoopResult:  # fmt: skip
    """Run the network, let every cell and population improve, and again; return the round that is nearest to the trained network.

    Parameters
    ----------
    spec : NetworkSpec
        The network after the stages before.
    stimulus : Stimulus
        The calibration set on its time grid.
    targets : Targets
        What the trained network does.
    settings : CalibrationSettings
        How.
    state : CalibrationState
        Where a round is kept, so that it can be gone on from.
    engine : Engine
        Who computes.
    progress : bool
        Show a bar.
    """
    first, now, best, history = state.resume(spec)
    best_seen: Comparison | None = None
    iterations, search = settings.iterations, settings.search
    with tqdm(total=iterations, initial=first, desc="calibrating the loop", unit="round", disable=not progress) as bar:
        for iteration in range(first, iterations + 1):
            seen = compare(now, stimulus, targets, engine)
            history.append({"iteration": iteration, "cost": seen.cost(search), **seen.as_data()})
            if history[-1]["cost"] <= min(line["cost"] for line in history):
                best, best_seen = now, replace(seen, recording=None)
            bar.set_postfix(cost=f"{history[-1]['cost']:.3f}", agreement=f"{seen.agreement:.3f}", r2=f"{seen.r2:.3f}")
            if iteration == iterations:
                break
            now = improved(now, seen, targets, iteration, search, engine)
            state.save(iteration + 1, now, best, history)
            bar.update()
    if best_seen is None:
        best_seen = replace(compare(best, stimulus, targets, engine), recording=None)
    return LoopResult(best, best_seen, json.loads(json.dumps(history)))


def improved(
    spec: NetworkSpec, seen: Comparison, targets: Targets, iteration: int, search: SearchSettings, engine: Engine
) -> NetworkSpec:
    """Return the network after one round.

    Each cell of each swapped population tries its neighbours in gain and constant current on the drive that it received in the
    running network, and takes the one that follows its trained original best. Weights from swapped cells onto cells that stay as
    trained are scaled: by rates where these spike, and where they only collect (a readout) so that what arrives is what arrived.
    """
    recording = seen.recording
    if recording is None:
        return spec
    swapped = {p.name: free for p in spec.cells if (free := fit_parameters_of(p)) is not None}
    start = iteration * search.round_trials
    part = (start + np.arange(min(recording.n_trials, search.round_trials))) % recording.n_trials
    made = spec
    for name, free in swapped.items():
        cells = spec[name]
        jumps = {port: arrivals(spec, recording, cells, port, part) for port in driven_ports(cells)}
        better = better_cells(cells, free, jumps, targets, part, search.shrink**iteration, search, engine)
        made = with_population(made, _pushed(better, free, seen.rates_hz[name], targets.rates_hz[name], search))
    factors = _rate_factors(spec, swapped, seen, targets, search)
    spikes = {name: dense_spikes(recording, name) for name in recording.spikes}
    factors |= output_factors(spec, set(swapped), spikes, targets.arrived, search.projection_range)
    return scaled_projections(made, factors)


def arrivals(
    spec: NetworkSpec, recording: Recording, cells: Population, port: str, trials: npt.NDArray[np.integer]
) -> Array:
    """Return what arrived at a port as `Engine.replay` takes it: at the end of a step, also where it came before the update."""
    if dict(cells.receptors)[port] in {one.name for one in cells.own_synapses}:
        decay = port_decay(cells, port, spec.dt_ms)
    else:
        decay = np.exp(-spec.dt_ms / np.asarray(cells.parameters[f"tau_{port}"]))
    jumps = synaptic_increments(recording.traces[(cells.name, port)][trials], decay)
    mine = [p for p in spec.projections if p.target == cells.name and p.port == port]
    if not any(acts_in_its_step(spec, projection) for projection in mine):
        return jumps
    late: Any = 0.0
    if not all(acts_in_its_step(spec, projection) for projection in mine):
        sources = {p.source for p in mine if p.source in recording.spikes}
        late = late_jumps(spec, {name: dense_spikes(recording, name)[trials] for name in sources}, cells.name, port)
    early = (jumps - late) / decay  # the current had decayed once when it was looked at
    made = np.zeros_like(jumps)
    made[:, :-1] = early[:, 1:]
    return made + late  # type: ignore[no-any-return]


def _pushed(cells: Population, free: FitParameters, rate_hz: float, goal_hz: float, search: SearchSettings) -> Population:
    """Return the cells with their current, and the gain of excitation over inhibition, moved towards the wanted rate."""
    wrong = np.log(max(goal_hz, 0.5) / max(rate_hz, 0.1))
    push = float(np.clip(search.rate_push * wrong, -search.most_push, search.most_push))
    if len(free.gains) == 1:
        return with_scaled_gains(cells, free, {free.gains[0]: 0.5 * push}, push)
    return with_scaled_gains(cells, free, {free.gains[0]: 0.5 * push, free.gains[1]: -0.5 * push}, push)


def _rate_factors(
    spec: NetworkSpec, swapped: Mapping[str, FitParameters], seen: Comparison, targets: Targets, search: SearchSettings
) -> dict[str, float]:
    factors = {}
    for projection in spec.projections:
        source, target = spec[projection.source], spec[projection.target]
        if source.name in swapped and target.name in seen.rates_hz and target.name not in swapped:
            ratio = max(seen.rates_hz[target.name], 0.1) / max(targets.rates_hz[target.name], 0.5)
            power = search.projection_power if source.role == "inh" else -search.projection_power
            factors[projection.name] = float(np.clip(ratio**power, *search.projection_range))
    return factors
