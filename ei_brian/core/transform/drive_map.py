"""The map from a trained drive to the current of a cell, ``I = gain*g + offset``, fitted under fluctuating input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ei_brian.core.engine import Engine, default_engine
from ei_brian.core.models.cell_types import CellType
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray
from ei_brian.core.receptor import BACKGROUND
from ei_brian.core.transform.replay import filtered
from ei_brian.core.transform.trained_drive import TrainedDrive, trained_drive

__all__ = ["RECEPTORS", "DriveMap", "current_scale", "first_map", "fit_map", "mapped_cells", "synthetic_jumps"]

Array = npt.NDArray[np.floating]
RECEPTORS = (("g", "exponential_current"),)
COARSE_GAINS = np.geomspace(0.1, 100.0, 18)
COARSE_OFFSETS = np.linspace(-6.5, 1.5, 12)
REFINEMENT = (0.4, 0.16, 0.06)  # half widths, in log gain and half the offset scale, of the three finer grids
FIRST_TAUS = (1.0, 2.0, 4.0)  # decays of the synaptic current to choose from, in units of the trained one


@dataclass(frozen=True, slots=True)
class DriveMap:
    """A fitted map of one cell type.

    Parameters
    ----------
    gain, offset : float
        Current for a drive of 1, and at a drive of 0, in the unit of the cell's current.
    tau_ms : float
        Decay of the synaptic current in ms.
    distance : float
        Squared distance of the filtered spike trains from those of the trained cells, as a share of the power of the latter:
        0 is equal, 1 is what a silent cell has.
    rate_trained_hz, rate_mapped_hz : float
        Mean rates of the trained cells and of these on the same drive.
    """

    gain: float
    offset: float
    tau_ms: float
    distance: float
    rate_trained_hz: float
    rate_mapped_hz: float


def current_scale(cells: Population) -> FloatArray:
    """Return, for each cell without a background, the current that lifts it over the last 10 mV to its rheobase.

    It is the unit of the search of maps.
    """
    own = {name: values for name, values in cells.parameters.items() if name not in BACKGROUND}
    scale = cells.neuron().operating_point(own).scale
    return np.array(np.broadcast_to(scale, (cells.size,)))


def mapped_cells(
    model: str | NeuronModel, size: int, role: str, parameters: Mapping[str, npt.ArrayLike], name: str = "cells",
    cell_types: tuple[str, ...] = (),
) -> Population:  # fmt: skip
    """Return cells with a trained drive, at rest under their constant current.

    ``parameters`` are those of the model together with ``gain_g``, ``offset_g`` and ``tau_g``.
    """
    own = model if isinstance(model, NeuronModel) else None
    known = model if isinstance(model, str) else model.name
    return Population(name, size, role, known, RECEPTORS, parameters, cell_types, own=own).at_its_rest()


def fit_map(
    kind: CellType, taus_ms: Sequence[float], dt_ms: float, jumps: Array, target: npt.NDArray[np.bool_],
    filter_ms: float = 10.0, engine: Engine | None = None, within: Callable[[Population], Population] | None = None,
) -> DriveMap:  # fmt: skip
    """Return the gain, offset and synaptic decay whose cells follow the trained ones best on the same drive.

    A grid over gain and offset for each decay, then three finer grids around the best: deterministic, without derivatives,
    all candidates at once.

    Parameters
    ----------
    kind : CellType
        The cell type.
    taus_ms : sequence of float
        Decays of the synaptic current to choose from.
    dt_ms : float
        Time step.
    jumps : array, shape (trial, step, cell)
        What the trained cells received.
    target : array of bool, shape (trial, step, cell)
        When they spiked.
    filter_ms : float
        Time constant of the distance between spike trains.
    engine : Engine, optional
        Who computes.
    within : callable, optional
        Puts cells into the bounds of their type; ``offset`` is what is asked of it.
    """
    scale = float(current_scale(mapped_cells(kind.neuron(), 1, "mixed", kind.parameters))[0])
    fit = _Fit(kind, dt_ms, jumps, filtered(target, filter_ms, dt_ms), filter_ms, engine or default_engine(), within)
    power = max(float(np.square(fit.wanted).sum()), 1e-12)
    best = (np.inf, 0.0, 0.0, 0.0, taus_ms[0])
    log_gain, offset = (axis.ravel() for axis in np.meshgrid(np.log(COARSE_GAINS), COARSE_OFFSETS))
    for tau_ms, width in (*((tau, 0.0) for tau in taus_ms), *((0.0, width) for width in REFINEMENT)):
        if width:
            across = np.linspace(-1.0, 1.0, 7) * width
            log_gain, offset = (axis.ravel() for axis in np.meshgrid(best[1] + across, best[2] + 2 * across))
        tau = tau_ms or best[4]
        distance, rate = fit.errors(np.exp(log_gain) * scale, offset * scale, tau)
        index = int(np.argmin(distance))
        if distance[index] < best[0]:
            best = (float(distance[index]), float(log_gain[index]), float(offset[index]), float(rate[index]), tau)
    trained = float(target.mean()) / (dt_ms * 1e-3)
    return DriveMap(float(np.exp(best[1]) * scale), best[2] * scale, best[4], best[0] / power, trained, best[3])


@dataclass(frozen=True, slots=True)
class _Fit:
    """Cells of a type, the drive they receive, and the filtered spikes that they shall have."""

    kind: CellType
    dt_ms: float
    jumps: Array
    wanted: Array
    filter_ms: float
    engine: Engine
    within: Callable[[Population], Population] | None

    def errors(self, gain: Array, offset: Array, tau_ms: float) -> tuple[Array, Array]:
        """Return squared distance and mean rate in Hz of each candidate."""
        n_trials, n_steps, n_cells = self.jumps.shape
        drive: dict[str, npt.ArrayLike] = {"gain_g": np.repeat(gain, n_cells), "offset_g": np.repeat(offset, n_cells)}
        parameters = {**self.kind.parameters, **drive, "tau_g": tau_ms}
        types = (self.kind.name,) * (gain.size * n_cells)  # which decide the sub-steps
        cells = mapped_cells(self.kind.neuron(), gain.size * n_cells, "mixed", parameters, cell_types=types)
        cells = cells if self.within is None else self.within(cells)
        distance, count = self.engine.distances(cells, self.dt_ms, {"g": self.jumps}, self.wanted, self.filter_ms)
        shape = (gain.size, n_cells)
        rate: Array = count.reshape(shape).sum(axis=1) / (n_trials * n_steps * n_cells * self.dt_ms * 1e-3)
        return distance.reshape(shape).sum(axis=1), rate


def synthetic_jumps(tau_syn_ms: float, dt_ms: float, duration_ms: float = 120.0, n_cells: int = 16, n_trials: int = 3) -> Array:
    """Return a drive that covers what trained cells receive: Poisson arrivals of mean drive 0 to 2.5, noise on top."""
    rng = np.random.default_rng(20030715)
    n_steps = round(duration_ms / dt_ms)
    mean = rng.uniform(0.0, 2.5, size=(n_trials, 1, n_cells))
    per_ms = rng.uniform(0.1, 0.8, size=(n_trials, 1, n_cells))
    spread = rng.uniform(0.0, 2.0, size=(n_trials, 1, n_cells))
    arrivals = rng.poisson(np.broadcast_to(per_ms * dt_ms, (n_trials, n_steps, n_cells)))
    noise = rng.normal(size=arrivals.shape) * spread * np.sqrt(2 * dt_ms / tau_syn_ms)
    jumps: Array = arrivals * (mean / (per_ms * tau_syn_ms)) + noise
    return jumps


def first_map(kind: CellType, trained: Population, dt_ms: float) -> DriveMap:
    """Return a map that needs no data: fitted to the mean trained cell of a population, under a synthetic drive."""
    ports = tuple(trained.ports)
    drive = trained_drive(trained, dt_ms, "first map")
    means = {name: float(np.mean(np.asarray(value))) for name, value in trained.parameters.items()}
    kinds = {parameter.name: parameter.kind for parameter in trained.declared_parameters()}
    parameters = tuple((name, value) for name, value in means.items() if kinds[name] != "constant current")
    own = tuple(sorted(kind.parameters.items()))
    return _first_map(kind.name, kind.neuron(), own, trained.neuron(), parameters, ports[0], drive, dt_ms)


@lru_cache(maxsize=256)
def _first_map(
    kind_name: str, kind_model: NeuronModel, kind_parameters: tuple[tuple[str, float], ...],
    model: NeuronModel, parameters: tuple[tuple[str, float], ...], port: str, drive: TrainedDrive, dt_ms: float,
) -> DriveMap:  # fmt: skip
    kind = CellType(kind_name, "inh", kind_model.name, dict(kind_parameters), "", kind_model)
    unit = drive.arrival
    jumps = synthetic_jumps(drive.tau_ms, dt_ms) * unit
    trained = Population("cells", jumps.shape[2], "mixed", model.name, parameters=dict(parameters), own=model)
    taus, target = tuple(drive.tau_ms * factor for factor in FIRST_TAUS), default_engine().replay(trained, dt_ms, {port: jumps})
    made = fit_map(kind, taus, dt_ms, jumps / unit, target)
    return DriveMap(made.gain / unit, made.offset, made.tau_ms, made.distance, made.rate_trained_hz, made.rate_mapped_hz)
