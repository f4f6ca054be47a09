"""Second stage of calibration, on the drive of the trained network: all spikes as trained, the cells' own map to fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ei_brian.core.engine import Engine
from ei_brian.core.population import Population
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibration_settings import SearchSettings
from ei_brian.core.transform.fit_parameters import copied, copies, fit_parameters_of, with_population, with_scaled_gains
from ei_brian.core.transform.forced import forced_jumps
from ei_brian.core.transform.targets import Targets
from ei_brian.core.transform.turning import better_cells, cell_errors

__all__ = ["fit_forced"]

Array = npt.NDArray[np.floating]
Axis = tuple[dict[str, float], float]


def fit_forced(
    spec: NetworkSpec, stimulus: Stimulus, targets: Targets, search: SearchSettings, engine: Engine, progress: bool = False, *,
    types: Callable[[str], bool],
) -> NetworkSpec:  # fmt: skip
    """Return the network whose swapped cells follow the trained ones best while all spikes are those of the trained network.

    First, if ``types(population)``, gains and current common to all cells of a type, on three grids; then each cell by itself.

    Parameters
    ----------
    spec : NetworkSpec
        The network, with conductances, delays or plasticity.
    stimulus : Stimulus
        The calibration set on its time grid.
    targets : Targets
        What the trained network does.
    search : SearchSettings
        How far to look.
    engine : Engine
        Who computes.
    progress : bool
        Show a bar.
    types : callable
        Whether the types of a population have no map of their own yet.
    """
    made = spec
    swapped = [p for p in spec.cells if fit_parameters_of(p) is not None]
    n_trials = min(stimulus.n_trials, search.forced_trials)
    part, spikes = stimulus.select(0, n_trials), {name: train[:n_trials] for name, train in targets.spikes.items()}
    for cells in tqdm(swapped, desc="calibrating cells", unit="population", disable=not progress):
        jumps = forced_jumps(made, part, spikes, cells.name)
        fitted = _common(cells, jumps, targets, search, engine) if types(cells.name) else cells
        for turn in range(search.forced_rounds):
            free = fit_parameters_of(fitted)
            if free is not None:
                shrink = search.forced_shrink**turn
                fitted = better_cells(fitted, free, jumps, targets, np.arange(n_trials), shrink, search, engine)
        made = with_population(made, fitted)
    return made


def _common(
    cells: Population, jumps: Mapping[str, Array], targets: Targets, search: SearchSettings, engine: Engine
) -> Population:
    """Return the cells with gains and current changed alike for all of a type."""
    types = np.array(cells.cell_types or ("",) * cells.size)
    fitted = cells
    for width in search.grid_widths:
        for name in np.unique(types).tolist():
            mine = np.flatnonzero(types == name)
            chosen = mine[np.linspace(0, mine.size - 1, min(mine.size, search.type_cells)).astype(int)]
            free = fit_parameters_of(fitted)
            if free is not None:
                log_gains, offset = _best_common(fitted, chosen, jumps, targets, (search, engine), width)
                inside = types == name
                moves = {gain: np.where(inside, change, 0.0) for gain, change in log_gains.items()}
                fitted = with_scaled_gains(fitted, free, moves, np.where(inside, offset, 0.0))
    return fitted


def _best_common(
    cells: Population, chosen: npt.NDArray[np.integer], jumps: Mapping[str, Array], targets: Targets,
    how: tuple[SearchSettings, Engine], width: float,
) -> Axis:  # fmt: skip
    search, engine = how
    some = copies(cells, chosen, 1)
    free = fit_parameters_of(some)
    if free is None:
        return {}, 0.0
    axis = (-1.0, -0.5, 0.0, 0.5, 1.0)
    moves = list(product(*([axis] * (len(free.gains) + bool(free.offset)))))
    table, n_trials = np.array(moves) * width, min(search.type_trials, next(iter(jumps.values())).shape[0])
    many = copies(cells, chosen, len(moves))
    gains = {gain: np.repeat(table[:, index], chosen.size) for index, gain in enumerate(free.gains)}
    tried = with_scaled_gains(many, copied(free, many), gains, np.repeat(table[:, -1], chosen.size) if free.offset else 0.0)
    part = {port: values[:n_trials][:, :, chosen] for port, values in jumps.items()}
    wanted = targets.filtered[cells.name][:n_trials][:, :, chosen]
    counts = targets.spikes[cells.name][:n_trials][:, :, chosen].sum(axis=(0, 1))
    errors = cell_errors(tried, targets, part, wanted, counts, search, engine)
    best = table[int(np.argmin(errors.reshape(len(moves), chosen.size).sum(axis=1)))]
    return dict(zip(free.gains, best.tolist(), strict=False)), float(best[-1]) if free.offset else 0.0
