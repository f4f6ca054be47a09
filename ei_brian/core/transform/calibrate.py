"""Fit swapped cells to the trained ones, in the network, on a calibration set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
from tqdm import tqdm

from ei_brian.core.models.cell_types import cell_type
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibration_state import CalibrationState
from ei_brian.core.transform.charges import match_charges
from ei_brian.core.transform.closed_loop import Comparison, Targets, compare, improved, targets_of
from ei_brian.core.transform.drive_map import RECEPTORS, DriveMap, fit_map
from ei_brian.core.transform.forced_fit import fit_forced
from ei_brian.core.transform.knobs import with_population, with_values
from ei_brian.core.transform.pipe import pipeable
from ei_brian.core.transform.refine import steps_within
from ei_brian.core.transform.replay import jumps_of
from ei_brian.core.transform.trained import trained_network
from ei_brian.core.transform.trials import refuse_overlap, trial_hashes
from ei_brian.errors import CalibrationError, ConfigError, DataError, SpecError

__all__ = ["calibrate"]

SYNAPTIC_DECAYS = (0.6, 1.0, 1.6, 2.4, 4.0)  # to choose from, in units of the trained one
FIT_TRIALS, FIT_CELLS = 20, 12
SHRINK = 0.75


@pipeable
@takes_numbers()
def calibrate(
    spec: NetworkSpec, calibration_set: Stimulus, *, trained: NetworkSpec | None = None, test_set: Stimulus | None = None,
    iterations: int = 10, most_trials: int = 120, kinetics: bool = True, filter_ms: float = 10.0, rate_tolerance: float = 0.2,
    charges: bool = False, checkpoint: str | PathLike[str] | None = None, progress: bool = False,
) -> NetworkSpec:  # fmt: skip
    """Fit the cells that were swapped so that they do what the trained cells did: ``spec | calibrate(calibration_set)``.

    Three stages. Open loop: for each cell type, the map from trained drive to current (gain, offset and decay of the synaptic
    current) whose spikes are nearest to those of the trained cells on the drive that these received. Forced: each cell's own
    gains and current, while every cell is made to spike as its trained original, through the weights, delays, conductances and
    plasticity that the network now has. Closed loop: the network runs freely; each cell takes the gain and current that serve it
    best on the drive that it really got, and the rate of every population is held. The state of the loop that is nearest to
    the trained network is returned. No label is looked at.

    Parameters
    ----------
    spec : NetworkSpec
        A network with swapped cells; left out behind ``|``.
    calibration_set : Stimulus
        Input that is neither training nor test data, at the time step of the trained network.
    trained : NetworkSpec, optional
        The network before the swap; found in the provenance unless later transforms changed more than cells.
    test_set : Stimulus, optional
        Refused if it shares a trial with the calibration set.
    iterations : int
        Rounds of the closed loop; 0 leaves the open-loop map.
    most_trials : int
        Calibration trials that are used, evenly spaced.
    kinetics : bool
        Whether the decay of the synaptic current may change: a cell with a fast membrane follows a slow trained one by slower
        synapses, since both filter the same input.
    filter_ms : float
        Time constant of the distance between spike trains.
    rate_tolerance : float
        Relative deviation of a population's rate at which the calibration counts as converged.
    charges : bool
        Whether each projection is first scaled so that it brings its trained share of the charge into its target population, for
        the trained spikes: makes up for what acts on one projection alone, such as short-term depression.
    checkpoint : path, optional
        File of numbers that is replaced after each round; a second call goes on from it.
    progress : bool
        Show a bar.

    Raises
    ------
    CalibrationError
        If a population's rate stays further from the trained one than the tolerance (and than 1 Hz): no network is returned.
    DataError
        If calibration and test set share trials, or the former has none.
    SpecError
        If the network has no swapped cells, or its trained original is not known.
    ConfigError
        For settings out of range.
    """
    _check_settings(calibration_set, iterations, most_trials, filter_ms, rate_tolerance)
    hashes = trial_hashes(calibration_set)
    if test_set is not None:
        refuse_overlap(hashes, test_set)
    original = trained if trained is not None else trained_network(spec)
    part = _evenly(calibration_set, most_trials)
    factor = _factor(original, spec)
    targets = targets_of(original, part, factor, filter_ms)
    start, maps = _open_loop(spec, original, part, kinetics, filter_ms, progress)
    factors: dict[str, float] = {}
    if charges:
        start, factors = match_charges(start, original, (part.refined(factor), part), (targets.spikes, _coarse(targets, factor)))
    known = maps.keys() if _new_receptors(spec) else {p.name for p in spec.cells}
    start = fit_forced(start, part.refined(factor), targets, progress, types=lambda name: name not in known)
    state = CalibrationState(checkpoint, start, part, (iterations, filter_ms))
    best, seen, history = _closed_loop(start, part.refined(factor), targets, iterations, state, progress)
    _check_converged(seen, rate_tolerance)
    return best.with_provenance(
        "calibrate", calibration_set=calibration_set.name, calibration_sha256=calibration_set.sha256,
        calibration_trials=list(hashes), open_loop=maps, closed_loop=history,
        charge_factors=factors, result=seen.as_data(), iterations=iterations, kinetics=kinetics, filter_ms=filter_ms,
        trained_sha256=original.sha256,
    )  # fmt: skip


def _check_settings(
    calibration_set: Stimulus, iterations: int, most_trials: int, filter_ms: float, rate_tolerance: float
) -> None:
    if not calibration_set.n_trials:
        raise DataError(f"stimulus {calibration_set.name}: has no trials; calibration needs some.")
    for name, count, least in (("iterations", iterations, 0), ("most_trials", most_trials, 1)):
        if not isinstance(count, (int, np.integer)) or count < least:
            raise ConfigError(f"calibrate.{name}: {count!r}; allowed are whole numbers >= {least}.")
    for name, value in (("filter_ms", filter_ms), ("rate_tolerance", rate_tolerance)):
        if not (np.isfinite(value) and value > 0):
            raise ConfigError(f"calibrate.{name}: {value!r}; allowed are finite numbers > 0.")


def _coarse(targets: Targets, factor: int) -> Mapping[str, np.ndarray[Any, Any]]:
    return {name: fine[:, ::factor] for name, fine in targets.spikes.items()}


def _evenly(stimulus: Stimulus, most: int) -> Stimulus:
    if stimulus.n_trials <= most:
        return stimulus
    chosen = np.unique(np.linspace(0, stimulus.n_trials - 1, most).astype(int))
    return _take(stimulus, chosen)


def _take(stimulus: Stimulus, trials: np.ndarray[Any, Any]) -> Stimulus:
    """Return chosen trials, renumbered in the order given (ascending)."""
    events = stimulus.events
    new = np.full(stimulus.n_trials, -1, dtype=np.int32)
    new[trials] = np.arange(trials.size, dtype=np.int32)
    kept = new[events.trial] >= 0
    return Stimulus(
        replace(events, trial=new[events.trial[kept]], step=events.step[kept], unit=events.unit[kept], n_trials=int(trials.size)),
        None if stimulus.labels is None else stimulus.labels[trials], stimulus.n_classes, stimulus.name,
        None if stimulus.values is None else stimulus.values[kept],
    )  # fmt: skip


def _factor(trained: NetworkSpec, spec: NetworkSpec) -> int:
    factor = steps_within(trained.dt_ms, spec.dt_ms)
    if not factor:
        raise SpecError(
            f"calibrate: the network has dt {spec.dt_ms:g} ms, the trained one {trained.dt_ms:g} ms; the latter must be a whole "
            "multiple. Use refine_dt with a whole factor."
        )
    return factor


def _new_receptors(spec: NetworkSpec) -> bool:
    """Tell whether receptors changed since the last calibration, so that even the maps of whole types are not known."""
    actions = [line["action"] for line in spec.provenance]
    later = actions[len(actions) - actions[::-1].index("calibrate") :] if "calibrate" in actions else actions
    return "to_conductances" in later or "calibrate" not in actions


def _without_map(spec: NetworkSpec, trained: NetworkSpec) -> list[Population]:
    """Return the populations with a synaptic current that was not fitted before, on the trained network's own grid."""
    fitted = {name for line in spec.provenance if line["action"] == "calibrate" for name in line["open_loop"]}
    return [
        p for p in spec.cells
        if p.receptors == RECEPTORS and p.name not in fitted and p.cell_types
        and trained[p.name].model == "lif_exponential" and trained.dt_ms == spec.dt_ms
    ]  # fmt: skip


def _open_loop(
    spec: NetworkSpec, trained: NetworkSpec, stimulus: Stimulus, kinetics: bool, filter_ms: float, progress: bool
) -> tuple[NetworkSpec, dict[str, dict[str, Any]]]:
    swapped = _without_map(spec, trained)
    fit_set = _evenly(stimulus, FIT_TRIALS)
    recording = simulate(trained, fit_set, traces=[(p.name, "g") for p in swapped])
    made, maps = spec, dict[str, dict[str, Any]]()
    jobs = [(cells, name) for cells in swapped for name in sorted(set(cells.cell_types))]
    for cells, name in tqdm(jobs, desc="calibrating types", unit="type", disable=not progress):
        old = trained[cells.name]
        mine = np.flatnonzero(np.array(cells.cell_types) == name)
        chosen = mine[np.linspace(0, mine.size - 1, min(mine.size, FIT_CELLS)).astype(int)]
        tau_syn = np.broadcast_to(np.asarray(old.parameters["tau_syn"]), (old.size,))
        jumps = jumps_of(recording.traces[(cells.name, "g")], np.exp(-spec.dt_ms / tau_syn))[:, :, chosen]
        target = np.asarray(recording.spikes[cells.name].dense(), dtype=bool)[:, :, chosen]
        tau = float(tau_syn[mine].mean())
        fit = fit_map(
            cell_type(name), tuple(tau * f for f in SYNAPTIC_DECAYS) if kinetics else (tau,), spec.dt_ms, jumps, target, filter_ms
        )
        made = with_population(made, _with_map(made[cells.name], mine, fit))
        maps.setdefault(cells.name, {})[name] = {key: float(getattr(fit, key)) for key in DriveMap.__dataclass_fields__}
    return made, maps


def _with_map(cells: Population, mine: np.ndarray[Any, Any], fit: DriveMap) -> Population:
    changes = {}
    for name, value in (("gain_g", fit.gain), ("offset_g", fit.offset), ("tau_g", fit.tau_ms)):
        values = np.array(np.broadcast_to(np.asarray(cells.parameters[name]), (cells.size,)))
        values[mine] = value
        changes[name] = values
    return with_values(cells, changes)


def _closed_loop(
    spec: NetworkSpec, stimulus: Stimulus, targets: Targets, iterations: int, state: CalibrationState, progress: bool
) -> tuple[NetworkSpec, Comparison, list[dict[str, Any]]]:
    first, now, best, history = state.resume(spec)
    best_seen: Comparison | None = None
    with tqdm(total=iterations, initial=first, desc="calibrating the loop", unit="round", disable=not progress) as bar:
        for iteration in range(first, iterations + 1):
            seen = compare(now, stimulus, targets)
            history.append({"iteration": iteration, "cost": seen.cost, **seen.as_data()})
            if seen.cost <= min(line["cost"] for line in history):
                best, best_seen = now, replace(seen, recording=None)
            bar.set_postfix(cost=f"{seen.cost:.3f}", agreement=f"{seen.agreement:.3f}")
            if iteration == iterations:
                break
            now = improved(now, seen, targets, iteration, SHRINK**iteration)
            state.save(iteration + 1, now, best, history)
            bar.update()
    if best_seen is None:
        best_seen = replace(compare(best, stimulus, targets), recording=None)
    return best, best_seen, json.loads(json.dumps(history))


def _check_converged(seen: Comparison, tolerance: float) -> None:
    far: Mapping[str, tuple[float, float]] = {
        name: (seen.rates_hz[name], rate)
        for name, rate in seen.rates_trained_hz.items()
        if abs(seen.rates_hz[name] - rate) > max(tolerance * rate, 1.0)
    }
    if far:
        told = ", ".join(f"{name} {got:.1f} Hz instead of {wanted:.1f} Hz" for name, (got, wanted) in far.items())
        raise CalibrationError(
            f"calibrate: did not converge: {told} (allowed: {tolerance:.0%}); no network is returned. Give more iterations or "
            "calibration trials, allow kinetics=True, or take cell types whose time constants are nearer to the trained ones."
        )
