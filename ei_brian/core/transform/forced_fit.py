"""Calibration on the drive of the trained network: all spikes as trained, the cells' own map to fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ei_brian.core.population import Population
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.closed_loop import Targets, better_cells, cell_errors
from ei_brian.core.transform.forced import forced_jumps
from ei_brian.core.transform.knobs import Knobs, knobs_of, turned, with_population

__all__ = ["fit_forced"]

Array = npt.NDArray[np.floating]
WIDTHS = (1.4, 0.7, 0.35)  # half widths of the common grids: log gain; the current in half of them
ROUNDS = 4
FIT_CELLS, FIT_TRIALS, ROUND_TRIALS = 10, 16, 40


def fit_forced(
    spec: NetworkSpec, stimulus: Stimulus, targets: Targets, progress: bool, *, types: Callable[[str], bool]
) -> NetworkSpec:
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
    progress : bool
        Show a bar.
    types : callable
        Whether the types of a population have no map of their own yet.
    """
    made = spec
    swapped = [p for p in spec.cells if knobs_of(p) is not None]
    for cells in tqdm(swapped, desc="calibrating cells", unit="population", disable=not progress):
        n_trials = min(stimulus.n_trials, ROUND_TRIALS)
        part = stimulus.select(0, n_trials)
        jumps = forced_jumps(made, part, {name: spikes[:n_trials] for name, spikes in targets.spikes.items()}, cells.name)
        fitted = _common(cells, jumps, targets) if types(cells.name) else cells
        for turn in range(ROUNDS):
            knobs = knobs_of(fitted)
            if knobs is not None:
                fitted = better_cells(fitted, knobs, jumps, targets, np.arange(n_trials), 0.8**turn)
        made = with_population(made, fitted)
    return made


def _common(cells: Population, jumps: Mapping[str, Array], targets: Targets) -> Population:
    """Return the cells with gains and current turned alike for all of a type."""
    types = np.array(cells.cell_types or ("",) * cells.size)
    fitted = cells
    for width in WIDTHS:
        for name in np.unique(types).tolist():
            mine = np.flatnonzero(types == name)
            chosen = mine[np.linspace(0, mine.size - 1, min(mine.size, FIT_CELLS)).astype(int)]
            knobs = knobs_of(fitted)
            if knobs is not None:
                log_gains, offset = _best_common(fitted, knobs, chosen, jumps, targets, width)
                inside = types == name
                moves = {gain: np.where(inside, change, 0.0) for gain, change in log_gains.items()}
                fitted = turned(fitted, knobs, moves, np.where(inside, offset, 0.0))
    return fitted


def _best_common(
    cells: Population, knobs: Knobs, chosen: npt.NDArray[np.integer], jumps: Mapping[str, Array], targets: Targets, width: float
) -> tuple[dict[str, float], float]:
    axis = (-1.0, -0.5, 0.0, 0.5, 1.0)
    moves = list(product(*([axis] * (len(knobs.gains) + bool(knobs.offset)))))
    table = np.array(moves) * width
    n_moves, n_cells = len(moves), chosen.size
    many = _copies(cells, chosen, n_moves)
    gains = {gain: np.repeat(table[:, index], n_cells) for index, gain in enumerate(knobs.gains)}
    offset = np.repeat(table[:, -1], n_cells) if knobs.offset else 0.0
    tried = turned(many, Knobs(knobs.gains, knobs.offset, np.tile(knobs.scale[chosen], n_moves)), gains, offset)
    errors = np.zeros(n_moves)
    for trial in range(min(FIT_TRIALS, next(iter(jumps.values())).shape[0])):
        part = {port: np.tile(values[trial : trial + 1][:, :, chosen], (1, 1, n_moves)) for port, values in jumps.items()}
        wanted = np.tile(targets.filtered[cells.name][trial : trial + 1][:, :, chosen], (1, 1, n_moves))
        spikes = np.tile(targets.spikes[cells.name][trial : trial + 1][:, :, chosen], (1, 1, n_moves))
        errors += cell_errors(tried, targets, part, wanted, spikes).reshape(n_moves, n_cells).sum(axis=1)
    best = table[int(np.argmin(errors))]
    return dict(zip(knobs.gains, best.tolist(), strict=False)), float(best[-1]) if knobs.offset else 0.0


def _copies(cells: Population, chosen: npt.NDArray[np.integer], times: int) -> Population:
    parameters = {
        name: np.tile(np.broadcast_to(np.asarray(values), (cells.size,))[chosen], times)
        for name, values in cells.parameters.items()
    }
    return replace(cells, size=chosen.size * times, parameters=parameters, cell_types=())
