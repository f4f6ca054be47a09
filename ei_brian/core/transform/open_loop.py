"""First stage of calibration: a map from trained drive to current for each cell type, on what the trained cells received."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ei_brian.core.engine import Engine
from ei_brian.core.population import Population
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibration_settings import CalibrationSettings
from ei_brian.core.transform.drive_map import RECEPTORS, DriveMap, fit_map
from ei_brian.core.transform.fit_parameters import with_population, with_values
from ei_brian.core.transform.holding import bounded, held, hold_limits, is_bounded, synaptic_receptors
from ei_brian.core.transform.own_types import type_in
from ei_brian.core.transform.replay import synaptic_increments

__all__ = ["fit_open_loop"]


def fit_open_loop(
    spec: NetworkSpec, trained: NetworkSpec, stimulus: Stimulus, settings: CalibrationSettings, engine: Engine,
    progress: bool = False,
) -> tuple[NetworkSpec, dict[str, dict[str, Any]]]:  # fmt: skip
    """Return the network with the map of each type that has none yet, and these maps by population and type.

    Parameters
    ----------
    spec, trained : NetworkSpec
        The network, and its trained original.
    stimulus : Stimulus
        Some trials of the calibration set, on the trained network's grid.
    settings : CalibrationSettings
        How.
    engine : Engine
        Who computes.
    progress : bool
        Show a bar.
    """
    swapped = _without_map(spec, trained)
    recording = engine.simulate(trained, stimulus, [(p.name, "g") for p in swapped]) if swapped else None
    made, maps = spec, dict[str, dict[str, Any]]()
    jobs = [(cells, name) for cells in swapped for name in sorted(set(cells.cell_types))]
    if recording is None:
        return made, maps
    for cells, name in tqdm(jobs, desc="calibrating types", unit="type", disable=not progress):
        old, search = trained[cells.name], settings.search
        mine = np.flatnonzero(np.array(cells.cell_types) == name)
        chosen = mine[np.linspace(0, mine.size - 1, min(mine.size, search.map_cells)).astype(int)]
        tau_syn = np.broadcast_to(np.asarray(old.parameters["tau_syn"]), (old.size,))
        jumps = synaptic_increments(recording.traces[(cells.name, "g")], np.exp(-spec.dt_ms / tau_syn))[:, :, chosen]
        target = np.asarray(recording.spikes[cells.name].dense(), dtype=bool)[:, :, chosen]
        tau = float(tau_syn[mine].mean())
        taus = tuple(tau * factor for factor in search.synaptic_decays) if settings.kinetics else (tau,)
        within = bounded if is_bounded(cells) else None
        fit = fit_map(type_in(spec, cells, name), taus, spec.dt_ms, jumps, target, settings.filter_ms, engine, within)
        made = with_population(made, _with_map(made[cells.name], mine, fit))
        maps.setdefault(cells.name, {})[name] = {key: float(getattr(fit, key)) for key in DriveMap.__dataclass_fields__}
    return made, maps


def _without_map(spec: NetworkSpec, trained: NetworkSpec) -> list[Population]:
    """Return the populations with a synaptic current that was not fitted before, on the trained network's own grid."""
    lines = [line.get("open_loop") for line in spec.provenance if line["action"] == "calibrate"]
    fitted = {name for maps in lines if isinstance(maps, Mapping) for name in maps}  # a file of others may say anything
    return [
        p for p in spec.cells
        if synaptic_receptors(p) == RECEPTORS and p.name not in fitted and p.cell_types
        and trained[p.name].model == "lif_exponential" and trained.dt_ms == spec.dt_ms
    ]  # fmt: skip


def _with_map(cells: Population, mine: npt.NDArray[np.integer[Any]], fit: DriveMap) -> Population:
    changes: dict[str, npt.ArrayLike] = {"gain_g": fit.gain, "offset_g": fit.offset, "tau_g": fit.tau_ms}
    if is_bounded(cells):
        changes |= held(fit.offset, "offset_g", hold_limits(cells))
    for name, value in changes.items():
        values = np.array(np.broadcast_to(np.asarray(cells.parameters[name]), (cells.size,)))
        values[mine] = np.broadcast_to(np.asarray(value), (cells.size,))[mine]
        changes[name] = values
    return with_values(cells, changes)
