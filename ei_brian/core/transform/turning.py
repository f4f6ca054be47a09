"""Cells that each choose the best of their neighbours in gain and constant current, on a given drive."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ei_brian.core.engine import Engine
from ei_brian.core.population import Population
from ei_brian.core.transform.calibration_settings import SearchSettings
from ei_brian.core.transform.fit_parameters import FitParameters, copied, copies, with_scaled_gains, with_values
from ei_brian.core.transform.targets import Targets

__all__ = ["better_cells", "cell_errors"]

Array = npt.NDArray[np.floating]
PATTERN = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))  # gain, current
FEW_SPIKES = 5.0  # added to a count that an error is divided by, so that a cell with one spike does not decide for the rest


def better_cells(
    cells: Population, free: FitParameters, jumps: Mapping[str, Array], targets: Targets,
    trials: npt.NDArray[np.integer], shrink: float,
    search: SearchSettings, engine: Engine,
) -> Population:  # fmt: skip
    """Return the population in which each cell took the best of its neighbours in gain and constant current.

    Parameters
    ----------
    cells, free : Population, FitParameters
        The cells, and what is fitted of them.
    jumps : mapping of port to array, shape (trial, step, neuron)
        The drive, of the chosen trials.
    targets : Targets
        What the trained cells do.
    trials : array of int
        The chosen trials.
    shrink : float
        Size of the step, as a share of the first.
    search : SearchSettings
        Steps and weights.
    engine : Engine
        Who computes.
    """
    wanted, counts = targets.filtered[cells.name][trials], targets.spikes[cells.name][trials].sum(axis=(0, 1))
    moves = _moves(free, shrink, search)
    shape = (len(moves), cells.size)
    log_gains = {name: np.repeat([gains.get(name, 0.0) for gains, _ in moves], cells.size) for name in free.gains}
    many = copies(cells, np.arange(cells.size), len(moves))
    choices = with_scaled_gains(many, copied(free, many), log_gains, np.repeat([offset for _, offset in moves], cells.size))
    errors = cell_errors(choices, targets, jumps, wanted, counts, search, engine).reshape(shape)
    best = np.argmin(errors, axis=0)
    tables = {name: np.broadcast_to(np.asarray(choices.parameters[name]), (choices.size,)).reshape(shape) for name in free.names}
    return with_values(cells, {name: table[best, np.arange(cells.size)] for name, table in tables.items()})


def _moves(free: FitParameters, shrink: float, search: SearchSettings) -> list[tuple[dict[str, float], float]]:
    gain_step, offset_step = search.gain_step * shrink, search.offset_step * shrink
    moves = [(dict.fromkeys(free.gains, gain_step * gain), offset_step * offset) for gain, offset in PATTERN]
    if len(free.gains) > 1:
        moves += [({name: sign * gain_step}, 0.0) for name in free.gains for sign in (-1, 1)]
    return moves


def cell_errors(
    cells: Population, targets: Targets, jumps: Mapping[str, Array], wanted: Array, counts: npt.NDArray[np.integer],
    search: SearchSettings, engine: Engine,
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Return, for each cell, the error in spikes squared per spike, with the error of its count.

    ``wanted`` and ``counts`` may have fewer columns than there are cells: see `Engine.distances`.
    """
    distance, spikes = engine.distances(cells, targets.dt_ms, jumps, wanted, targets.filter_ms)
    one_spike = 1 / (2 * targets.filter_ms * targets.dt_ms)
    trained = np.tile(counts, cells.size // counts.size) + FEW_SPIKES
    count = (spikes - trained + FEW_SPIKES) / trained
    weighted: npt.NDArray[np.float64] = distance / one_spike / trained + search.count_weight * np.square(count)
    return weighted
