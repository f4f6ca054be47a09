"""Fit a neuron model to current-clamp recordings of a cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.current_sweeps import CurrentSweeps
from ei_brian.core.engine import Engine, default_engine
from ei_brian.core.models.cell_types import CellType, cell_type
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.noise.seed import checked_seed
from ei_brian.core.plain_numbers import plain_number, takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.quantity import FIXED_KINDS, Parameter
from ei_brian.core.transform.drive_map import mapped_cells
from ei_brian.core.transform.replay import filtered
from ei_brian.core.units import dimension, unit_scale
from ei_brian.errors import DataError, SpecError, unknown_name
from ei_brian.measure.coincidence import coincidence

__all__ = ["CellFit", "SweepFit", "fit_cell"]

Floats = npt.NDArray[np.float64]
HOLD_MS = 1e6  # decay of the injected current between two steps: none
COUNT_WEIGHT = 1.0  # of the squared relative error of the number of spikes beside the distance of its spike times
POTENTIAL_RANGE_MV = 40.0  # about from rest to threshold and as far below: a share of 1 moves a potential by that
MOST_BY_CHANCE = 0.5  # of the spikes of a train may coincide by chance; more, and the precision is narrowed
GENERATIONS, CANDIDATES = 100, 12  # per parameter


@dataclass(frozen=True, slots=True)
class SweepFit:
    """One sweep: its number, whether it was fitted, spikes recorded and predicted, and their coincidence factor.

    ``coincidence_before`` is that of the cell that the search began from, within the same ``within_ms``: less than what was asked
    where one of the two predicts so many spikes that all would coincide by chance.
    """

    sweep: int
    fitted: bool
    recorded: int
    predicted: int
    coincidence: float
    coincidence_before: float
    within_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class CellFit:
    """What `fit_cell` found.

    Parameters
    ----------
    cell : CellType
        The fitted cell, which stands in `diversify` where a name does.
    sweeps : tuple of SweepFit
        Each sweep, fitted and held out, with the fitted cell and with the one that the search began from.
    at_bound : tuple of str
        Parameters that ended at an end of the range that they were sought in.
    """

    cell: CellType
    sweeps: tuple[SweepFit, ...]
    at_bound: tuple[str, ...]

    @property
    def held_out(self) -> float:
        """Mean coincidence factor of the sweeps that were not fitted."""
        return float(np.mean([each.coincidence for each in self.sweeps if not each.fitted]))

    @property
    def held_out_before(self) -> float:
        """The same of the cell that the search began from."""
        return float(np.mean([each.coincidence_before for each in self.sweeps if not each.fitted]))

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.cell.parameters.items())
        ends = f"; at the end of its range: {', '.join(self.at_bound)}" if self.at_bound else ""
        held = f"coincidence {self.held_out:.2f} on sweeps that were held out ({self.held_out_before:.2f} before)"
        return f"CellFit {self.cell.name!r}, {self.cell.model}: {held}{ends}\n  {values}"


@takes_numbers()
def fit_cell(
    sweeps: CurrentSweeps, start: str | CellType | NeuronModel, *, name: str = "fitted",
    ranges: Mapping[str, Any] | None = None, share: float = 0.5, held_out: Sequence[int] | None = None, dt_ms: float = 0.1,
    filter_ms: float = 10.0, within_ms: float = 4.0, generations: int = GENERATIONS, seed: int = 0, reference: str = "",
    progress: Callable[[str], None] | None = None, engine: Engine | None = None,
) -> CellFit:  # fmt: skip
    """Fit a neuron model to current-clamp sweeps of one cell, by the times of its spikes.

    Differential evolution (`scipy.optimize.differential_evolution`) over the parameters, all candidates of a generation at once.
    What is made small is the van Rossum distance of the spike trains as a share of the power of the recorded ones, and the
    squared relative error of the number of all spikes; sweeps without a recorded spike keep cells from firing there. Spike times
    alone do not tell all parameters of a model apart: a fit predicts spikes, it does not measure channels, and another ``seed``
    may end elsewhere. Narrow the ranges of what the recording shows directly, such as rest and the potential after a spike.
    Sweeps that were held out say how well spikes are predicted.

    Parameters
    ----------
    sweeps : CurrentSweeps
        At least two, in pA.
    start : str, CellType or NeuronModel
        Where the search begins: a cell type by name, one of your own, or a model with its defaults.
    name : str
        Of the fitted cell, for mixtures and tables.
    ranges : mapping of parameter to (low, high), optional
        What is fitted and where it is sought, in the unit of the parameter; every parameter but those that only start or bound a
        cell unless given.
    share : float
        Where these are sought, from 0 to 1: from 1 - share to 1 + share times the value; potentials 40 mV times it either way.
    held_out : sequence of int, optional
        Sweeps that are only predicted; every fourth unless given, the last of two or three.
    dt_ms : float
        Time step of the fit in ms.
    filter_ms : float
        Time constant of the distance of spike trains.
    within_ms : float
        Of the coincidence factor, see `coincidence`.
    generations : int
        Most generations, of 12 candidates for each parameter.
    seed : int
        Decides the search.
    reference : str
        Source of the recording; that of the sweeps unless given.
    progress : callable, optional
        Told of each generation, such as ``print``.
    engine : Engine, optional
        Who computes.

    Raises
    ------
    SpecError
        For models that take no current in amperes or never fire, and ranges that are none or of parameters that it has not.
    DataError
        For fewer than two sweeps, none of them with a spike, or sweeps to hold out that are not there.

    Examples
    --------
    >>> fit = ei.fit_cell(sweeps, "FS", name="m1_c3")  # doctest: +SKIP
    >>> spec | ei.diversify({fit.cell: 0.5, "LTS": 0.5})  # doctest: +SKIP
    """
    from scipy.optimize import differential_evolution

    kind = _kind(start)
    bounds = _bounds(kind, ranges, share)
    fitted = _fitted(sweeps, held_out)
    fine = sweeps.sampled(dt_ms)
    search = _Search(kind, tuple(bounds), fine.select(fitted), filter_ms, engine or default_engine())
    found = differential_evolution(
        search.costs, list(bounds.values()), vectorized=True, updating="deferred", popsize=CANDIDATES, maxiter=generations,
        polish=False, tol=1e-3, rng=np.random.default_rng(checked_seed(seed)), x0=[_value(kind, name) for name in bounds],
        callback=None if progress is None else _told(progress),
    )  # fmt: skip
    best = {**kind.parameters, **{name: float(value) for name, value in zip(bounds, found.x, strict=True)}}
    cell = replace(kind, name=name, parameters=best, reference=reference or sweeps.source or "fit_cell")
    at_bound = tuple(n for n, (low, high) in bounds.items() if min(best[n] - low, high - best[n]) < 0.01 * (high - low))
    models = [_predicted(each, fine, search.engine) for each in (cell, kind)]
    rows = tuple(_row(k, k in fitted, fine, [trains[k] for trains in models], within_ms) for k in range(len(fine)))
    return CellFit(cell, rows, at_bound)


def _kind(start: str | CellType | NeuronModel) -> CellType:
    if isinstance(start, str):
        kind = cell_type(start, "fit_cell.start")
    elif isinstance(start, NeuronModel):
        kind = CellType.of_model(start)
    else:
        kind = start
    model = kind.neuron()
    if not model.input_current or not model.spiking:
        raise SpecError(f"fit_cell.start: {model.name} takes no current, or never fires; give a model that does both.")
    if dimension(model.input_unit) != dimension("pA"):
        raise SpecError(
            f"fit_cell.start: {model.name} takes a current in {model.input_unit}, in which sweeps in pA mean nothing; take "
            "a model with a capacitance, such as RS2007 or AdEx tonic."
        )
    return kind


def _value(kind: CellType, name: str) -> float:
    default = next(p.default for p in kind.neuron().parameters if p.name == name)
    return float(kind.parameters.get(name, default))


def _bounds(kind: CellType, ranges: Mapping[str, Any] | None, share: float) -> dict[str, tuple[float, float]]:
    known = {p.name: p for p in kind.neuron().parameters if p.kind not in FIXED_KINDS}
    if not 0 < share < 1:
        raise SpecError(f"fit_cell.share: {share!r}; give a share between 0 and 1.")
    if ranges is None:
        wanted = {name: _around(_value(kind, name), p.kind == "potential", share) for name, p in known.items()}
    else:
        wanted = {name: _range(name, ends, known) for name, ends in ranges.items()}
    made = {}
    for name, (low, high) in wanted.items():
        low, high = max(low, known[name].low), min(high, known[name].high)
        if not low <= _value(kind, name) <= high:
            raise SpecError(
                f"fit_cell.ranges[{name!r}]: {low:g} to {high:g}; the start, {_value(kind, name):g}, must lie within it, and it "
                f"within what the model allows, {known[name].allowed()}."
            )
        if low < high:
            made[name] = (low, high)
    if not made:
        raise SpecError("fit_cell.ranges: no parameter is left to be fitted; give at least one a range.")
    return made


def _range(name: str, ends: Any, known: Mapping[str, Parameter]) -> tuple[float, float]:
    if name not in known:
        raise SpecError(unknown_name("fit_cell.ranges", name, known))
    where = f"fit_cell.ranges[{name!r}]"
    if not isinstance(ends, Sequence) or isinstance(ends, str) or len(ends) != 2:
        raise SpecError(f"{where}: {ends!r}; give (low, high) in {known[name].unit}.")
    low, high = (float(np.asarray(plain_number(end, known[name].unit, where))) for end in ends)
    return low, high


def _around(value: float, potential: bool, share: float) -> tuple[float, float]:
    width = POTENTIAL_RANGE_MV * share if potential else abs(value) * share
    return value - width, value + width


def _fitted(sweeps: CurrentSweeps, held_out: Sequence[int] | None) -> tuple[int, ...]:
    n = len(sweeps)
    if n < 2:
        raise DataError(f"fit_cell.sweeps: {n}; give at least two, of which one is held out.")
    held = tuple(held_out) if held_out is not None else tuple(range(3, n, 4)) or (n - 1,)
    if not held or not set(held) < set(range(n)):
        raise DataError(f"fit_cell.held_out: {list(held)}; give some of the sweeps 0 to {n - 1}, not all.")
    fitted = tuple(k for k in range(n) if k not in held)
    if not any(sweeps.trains[k].size for k in fitted):
        raise DataError("fit_cell.sweeps: no spike in the sweeps that are to be fitted; give stronger currents too.")
    return fitted


def _told(progress: Callable[[str], None]) -> Callable[..., None]:
    state = {"generation": 0}

    def callback(intermediate_result: Any) -> None:
        state["generation"] += 1
        progress(f"generation {state['generation']}: cost {intermediate_result.fun:.4f}")

    return callback


def _row(number: int, fitted: bool, sweeps: CurrentSweeps, models: list[Floats], within_ms: float) -> SweepFit:
    """Return a sweep with the coincidences of the fitted cell and of the start, both with one precision."""
    recorded, duration = sweeps.trains[number], sweeps.duration_ms
    within = min(within_ms, MOST_BY_CHANCE * duration / (2 * max(1, *(train.size for train in models))))
    after, before = (coincidence(recorded, train, duration, within) for train in models)
    return SweepFit(number, fitted, recorded.size, models[0].size, after, before, within)


def _injected(current: Floats, dt_ms: float) -> Floats:
    """Return the increments of a synaptic current that hardly decays by which it follows the injected one, (sweep, step, 1)."""
    kept = np.exp(-dt_ms / HOLD_MS)
    before = np.concatenate([np.zeros((current.shape[0], 1)), current[:, :-1]], axis=1)
    return np.asarray((current - kept * before)[:, :, None])


def _cells(kind: CellType, parameters: Mapping[str, npt.ArrayLike], size: int) -> Population:
    model = kind.neuron()
    drive = {"gain_g": unit_scale("pA") / unit_scale(model.input_unit), "offset_g": 0.0, "tau_g": HOLD_MS}
    return mapped_cells(model, size, "mixed", {**kind.parameters, **parameters, **drive})


def _predicted(kind: CellType, sweeps: CurrentSweeps, engine: Engine) -> list[Floats]:
    jumps = _injected(np.asarray(sweeps.current_pa), sweeps.dt_ms)
    spikes = engine.replay(_cells(kind, {}, 1), sweeps.dt_ms, {"g": jumps})[:, :, 0]
    return [(np.flatnonzero(row) + 1).astype(np.float64) * sweeps.dt_ms for row in spikes]


class _Search:
    """What a candidate costs: arrays of candidates in, costs out."""

    def __init__(self, kind: CellType, names: tuple[str, ...], sweeps: CurrentSweeps, filter_ms: float, engine: Engine) -> None:
        self.kind, self.names, self.sweeps, self.filter_ms, self.engine = kind, names, sweeps, filter_ms, engine
        current = np.asarray(sweeps.current_pa)
        self.jumps = _injected(current, sweeps.dt_ms)
        recorded = np.zeros((*current.shape, 1), dtype=bool)
        for row, train in enumerate(sweeps.trains):
            recorded[row, np.clip(np.rint(train / sweeps.dt_ms).astype(int) - 1, 0, current.shape[1] - 1), 0] = True
        self.wanted = filtered(recorded, filter_ms, sweeps.dt_ms)
        self.power = max(float(np.square(self.wanted).sum()), 1e-12)
        self.count = max(int(recorded.sum()), 1)

    def costs(self, columns: Floats) -> Floats:
        """Return the cost of each candidate, a column of parameter values."""
        given = {name: np.ascontiguousarray(columns[row]) for row, name in enumerate(self.names)}
        cells = _cells(self.kind, given, columns.shape[1])
        distance, count = self.engine.distances(cells, self.sweeps.dt_ms, {"g": self.jumps}, self.wanted, self.filter_ms)
        return np.asarray(distance / self.power + COUNT_WEIGHT * np.square((count - self.count) / self.count))
