"""What calibration did, as numbers to draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.engine import default_engine
from ei_brian.core.models.cell_types import CellType
from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.drive_map import RECEPTORS, mapped_cells
from ei_brian.core.transform.holding import synaptic_receptors
from ei_brian.core.transform.own_types import type_in
from ei_brian.core.transform.trained import model_before
from ei_brian.core.transform.trained_drive import bias_current, trained_drive
from ei_brian.errors import SpecError

__all__ = ["CalibrationCurve", "calibration_curves"]

Array = npt.NDArray[np.floating]
DURATION_MS, PER_MS = 400.0, 0.5
DRIVES = np.linspace(0.0, 3.0, 16)


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """Firing rate over mean trained drive of one cell type, under a fluctuating drive.

    Parameters
    ----------
    population, cell_type : str
        Whose.
    drive : array, shape (point,)
        Mean trained drive; 1 is the threshold of the trained cell.
    trained_hz, before_hz, after_hz : array, shape (point,)
        Rates of the trained cell, of the type under its first map, and under its present (calibrated) map.
    unit : str
        Unit of the cell's current.
    gain, offset, tau_ms : tuple of float
        The first and the present map, averaged over the cells of the type.
    """

    population: str
    cell_type: str
    drive: FloatArray
    trained_hz: FloatArray
    before_hz: FloatArray
    after_hz: FloatArray
    unit: str
    gain: tuple[float, float]
    offset: tuple[float, float]
    tau_ms: tuple[float, float]


def calibration_curves(spec: NetworkSpec) -> tuple[CalibrationCurve, ...]:
    """Return, for each swapped population and cell type, the rate over drive before and after calibration.

    Parameters
    ----------
    spec : NetworkSpec
        A network after `diversify`, best also after `calibrate`, whose synapses are still currents (before `to_conductances`).

    Raises
    ------
    SpecError
        If no population was diversified or none has a synaptic current.
    """
    lines = {line["population"]: line for line in spec.provenance if line["action"] == "diversify"}
    made: list[CalibrationCurve] = []
    for cells in spec.cells:
        if cells.name in lines and synaptic_receptors(cells) == RECEPTORS:
            line = lines[cells.name]
            made += [_curve(cells, type_in(spec, cells, name), line, spec.dt_ms) for name in dict.fromkeys(cells.cell_types)]
    if not made:
        raise SpecError("calibration_curves: no swapped cells with synaptic currents; diversify the network first.")
    return tuple(made)


def _curve(cells: Population, kind: CellType, line: Mapping[str, Any], dt_ms: float) -> CalibrationCurve:
    name = kind.name
    mine = np.array(cells.cell_types) == name
    first = line["first_map"][name]
    present = {
        key: float(np.broadcast_to(np.asarray(cells.parameters[parameter]), (cells.size,))[mine].mean())
        for key, parameter in (("gain", "gain_g"), ("offset", "offset_g"), ("tau_ms", "tau_g"))
    }
    trained = {key: float(np.mean(np.asarray(values))) for key, values in line["trained"].items()}
    model = model_before(line)
    lif = Population("cells", DRIVES.size, "mixed", model.name, parameters=trained, own=model)
    first = {**first, "offset": first["offset"] + float(bias_current(lif, first["gain"], first["tau_ms"], dt_ms))}
    drive = trained_drive(lif, dt_ms, "calibration_curves")
    jumps = _jumps(drive.tau_ms, dt_ms) * drive.arrival
    return CalibrationCurve(
        cells.name, name, DRIVES, _rates(lif, jumps, dt_ms), _rates(_mapped(kind, first), jumps, dt_ms),
        _rates(_mapped(kind, present), jumps, dt_ms), cells.neuron().input_unit, (first["gain"], present["gain"]),
        (first["offset"], present["offset"]), (first["tau_ms"], present["tau_ms"]),
    )  # fmt: skip


def _mapped(kind: CellType, values: Mapping[str, float]) -> Population:
    parameters = {**kind.parameters, "gain_g": values["gain"], "offset_g": values["offset"], "tau_g": values["tau_ms"]}
    return mapped_cells(kind.neuron(), DRIVES.size, "mixed", parameters, cell_types=(kind.name,) * DRIVES.size)


def _jumps(tau_syn_ms: float, dt_ms: float) -> Array:
    """Return Poisson arrivals whose mean drive is that of each point, shape (trial, step, point)."""
    rng = np.random.default_rng(20070301)
    shape = (4, round(DURATION_MS / dt_ms), DRIVES.size)
    made: Array = rng.poisson(PER_MS * dt_ms, size=shape) * (DRIVES / (PER_MS * tau_syn_ms))
    return made


def _rates(cells: Population, jumps: Array, dt_ms: float) -> FloatArray:
    port = RECEPTORS[0][0] if cells.receptors else cells.ports[0]
    spikes = default_engine().replay(cells, dt_ms, {port: jumps})
    rates: FloatArray = spikes.mean(axis=(0, 1)) / (dt_ms * 1e-3)
    return rates
