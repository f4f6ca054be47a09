"""Fit swapped cells to the trained ones, in the network, on a calibration set."""

from __future__ import annotations

from dataclasses import asdict, replace
from os import PathLike
from typing import Any

import numpy as np

from ei_brian.core.engine import Engine, default_engine
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibration_settings import CalibrationSettings
from ei_brian.core.transform.calibration_state import CalibrationState
from ei_brian.core.transform.cell_stand import stand_table, where_cells_stand
from ei_brian.core.transform.charges import match_charges
from ei_brian.core.transform.closed_loop import close_loop
from ei_brian.core.transform.fit_parameters import fit_parameters_of
from ei_brian.core.transform.forced_fit import fit_forced
from ei_brian.core.transform.holding import bounded
from ei_brian.core.transform.nearest import Nearest, shortfalls
from ei_brian.core.transform.open_loop import fit_open_loop
from ei_brian.core.transform.perturbed import refuse_perturbed
from ei_brian.core.transform.pipe import pipeable
from ei_brian.core.transform.refine import steps_within
from ei_brian.core.transform.targets import Comparison, Targets, compare, targets_of
from ei_brian.core.transform.trained import divided_like, trained_network
from ei_brian.core.transform.trials import refuse_overlap, trial_hashes
from ei_brian.errors import CalibrationError, DataError, SpecError

__all__ = ["CalibrationSettings", "calibrate"]


@pipeable
@takes_numbers()
def calibrate(
    spec: NetworkSpec, /, calibration_set: Stimulus, settings: CalibrationSettings | None = None, *,
    trained: NetworkSpec | None = None, test_set: Stimulus | None = None, checkpoint: str | PathLike[str] | None = None,
    progress: bool = False, engine: Engine | None = None, **changes: Any,
) -> NetworkSpec:  # fmt: skip
    """Fit the cells that were swapped so that they do what the trained cells did: ``spec | calibrate(calibration_set)``.

    Three stages. Open loop: for each cell type, the map from trained drive to current (gain, offset and decay of the synaptic
    current) whose spikes are nearest to those of the trained cells on the drive that these received. Forced: each cell's own
    gains and current, while every cell is made to spike as its trained original, through the weights, delays, conductances and
    plasticity that the network now has. Closed loop: the network runs freely; each cell takes the gain and current that serve it
    best on the drive that it really got, the rate of every population is held, and what a readout collects is scaled to what it
    collected. The round whose output, over time and in its decisions, and whose rates are nearest to the trained network's is
    returned. No label is looked at.

    Parameters
    ----------
    spec : NetworkSpec
        A network with swapped cells; left out behind ``|``.
    calibration_set : Stimulus
        Input that is neither training nor test data, at the time step of the trained network.
    settings : CalibrationSettings, optional
        How, and what counts as success.
    trained : NetworkSpec, optional
        The network before the swap; found in the provenance unless later transforms changed more than cells.
    test_set : Stimulus, optional
        Refused if it shares a trial with the calibration set.
    checkpoint : path, optional
        File of numbers that is replaced after each round; a second call goes on from it.
    progress : bool
        Show a bar, and the output and rates before and after.
    engine : Engine, optional
        Who computes; compiled where there is a compiler. The result does not depend on it.
    **changes
        Fields of `CalibrationSettings` to replace: ``calibrate(calibration_set, iterations=4)``.

    Raises
    ------
    CalibrationError
        If a population's rate, or the output, stays further from the trained one than the settings allow. Its ``best`` says how
        near it came and why that is not enough, and hands out the network when asked: ``error.best.network()``.
    DataError
        If calibration and test set share trials, or the former has none.
    SpecError
        If the network has no swapped cells, or its trained original is not known.
    ConfigError
        For settings out of range.
    """
    how = (settings or CalibrationSettings()).changed(changes)
    if not calibration_set.n_trials:
        raise DataError(f"stimulus {calibration_set.name}: has no trials; calibration needs some.")
    refuse_perturbed(spec, "calibrate")
    hashes = trial_hashes(calibration_set)
    if test_set is not None:
        refuse_overlap(hashes, test_set)
    original = divided_like(trained, spec) if trained is not None else trained_network(spec)
    computes = engine or default_engine()
    part, factor = _evenly(calibration_set, how.most_trials), _factor(original, spec)
    fine, targets = part.refined(factor), targets_of(original, part, factor, how.filter_ms, computes)
    spec = _within_physiology(spec) if how.physiology else spec
    before = replace(compare(spec, fine, targets, computes), recording=None)
    if progress:
        print(f"before: {before.words()}")
    start, maps = fit_open_loop(spec, original, _evenly(part, how.search.map_trials), how, computes, progress)
    start, charges = _charged(start, original, (fine, part), targets) if how.charges else (start, {})
    known = maps.keys() if _new_receptors(spec) else {p.name for p in spec.cells}
    start = fit_forced(start, fine, targets, how.search, computes, progress, types=lambda name: name not in known)
    state = CalibrationState(checkpoint, start, part, (repr(how),))
    found = close_loop(start, fine, targets, how, state, computes, progress)
    if progress:
        print(f"after:  {found.seen.words()}\n{stand_table(where_cells_stand(found.spec))}")
    stands = where_cells_stand(found.spec)
    made = found.spec.with_provenance(
        "calibrate", calibration_set=calibration_set.name, calibration_sha256=calibration_set.sha256,
        calibration_trials=list(hashes), open_loop=maps, closed_loop=found.history, charge_factors=charges,
        before=before.as_data(), result=found.seen.as_data(), settings=asdict(how), trained_sha256=original.sha256,
        shortfalls=list(shortfalls(found.seen, how)), cells=[each.as_data() for each in stands],
    )  # fmt: skip
    _check_reached(made, before, found.seen, how)
    return made


def _within_physiology(spec: NetworkSpec) -> NetworkSpec:
    return replace(spec, populations=tuple(bounded(p) if fit_parameters_of(p) is not None else p for p in spec.populations))


def _charged(
    spec: NetworkSpec, trained: NetworkSpec, stimuli: tuple[Stimulus, Stimulus], targets: Targets
) -> tuple[NetworkSpec, dict[str, float]]:
    coarse = {name: fine[:, :: targets.factor] for name, fine in targets.spikes.items()}
    return match_charges(spec, trained, stimuli, (targets.spikes, coarse))


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


def _check_reached(made: NetworkSpec, before: Comparison, seen: Comparison, how: CalibrationSettings) -> None:
    reasons = shortfalls(seen, how)
    if reasons:
        raise CalibrationError(
            f"calibrate: did not converge: {'; '.join(reasons)}; no network is returned. Give more iterations or "
            "calibration trials, allow kinetics=True, or take cell types whose time constants are nearer to the trained ones. "
            "What came nearest is in the error: error.best.words(), and error.best.network().",
            Nearest(before, seen, reasons, made),
        )
