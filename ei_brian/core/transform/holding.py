"""Cells held within the bounds of their type: a current as far as the rest allows, and a background conductance beyond.

A trained cell may need more input to fire than a real cell of its type does. A current that holds the cell back would have to
hyperpolarise it to -80 mV and below, where no such cell rests. In the living brain cells are held back otherwise: by the
conductance of balanced background input, which raises the current that is needed and leaves the rest where it is. So a wish for a
current below the least that the rest allows becomes a conductance whose reversal is the rest, of the same effect at threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ei_brian.core.models.physiology import IN_VIVO_FACTOR, rest_range
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.operating_point import OperatingPoint, distinct
from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray
from ei_brian.core.receptor import BACKGROUND, CONDUCTANCE_UNIT
from ei_brian.core.steady_cells import SteadyCells
from ei_brian.core.units import unit_scale

__all__ = [
    "HoldLimits", "bounded", "held", "hold_limits", "is_bounded", "synaptic_receptors", "wanted_current",
]  # fmt: skip

TONIC = ("tonic", "background_conductance")
MOST_KNOWN = 100_000
BELOW_RHEOBASE = 0.1  # of the current of the last 10 mV: a cell held nearer than this fires by itself at the least noise


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """What may hold each cell of a population, arrays of shape (cell,), in the units of the model.

    Parameters
    ----------
    low, high : array
        Least and largest constant current.
    rest_low, rest_high : array
        Resting potentials under these.
    swing : array
        From ``rest_low`` to the threshold: a conductance of 1 with its reversal at rest takes as much current away at threshold.
    most : array
        Largest background conductance.
    own_rest, own_tau_ms : array
        Rest and membrane time constant without any current.
    sources : tuple of str
        Who says where each cell may rest.
    """

    low: FloatArray
    high: FloatArray
    rest_low: FloatArray
    rest_high: FloatArray
    swing: FloatArray
    most: FloatArray
    own_rest: FloatArray
    own_tau_ms: FloatArray
    sources: tuple[str, ...]


def is_bounded(cells: Population) -> bool:
    """Tell whether a population has a background conductance, and so is held within its type's bounds."""
    return any(kind == TONIC[1] for _, kind in cells.receptors)


def synaptic_receptors(cells: Population) -> tuple[tuple[str, str], ...]:
    """Return the receptors without the background."""
    return tuple(pair for pair in cells.receptors if pair[1] != TONIC[1])


def hold_limits(cells: Population) -> HoldLimits:
    """Return the bounds of each cell, from its type and its own equations."""
    own = tuple(p.name for p in cells.neuron().parameters if p.kind != "initial")
    columns = [np.broadcast_to(np.asarray(cells.parameters[name], dtype=np.float64), (cells.size,)) for name in own]
    model = cells.neuron()
    table, types = np.ascontiguousarray(np.stack(columns, axis=1)), cells.cell_types or ("",) * cells.size
    keys = [(model, row.tobytes(), name) for row, name in zip(table, types, strict=True)]
    new = {key: index for index, key in enumerate(keys) if key not in _known}
    if new:
        if len(_known) > MOST_KNOWN:
            _known.clear()
            new = {key: index for index, key in enumerate(keys)}
        few = list(new.values())
        made = _limits(model, dict(zip(own, table[few].T, strict=True)), [types[index] for index in few])
        _known.update(zip(new, made, strict=True))
    columns_made = np.array([_known[key][0] for key in keys]).T
    names = [name for name in HoldLimits.__dataclass_fields__ if name != "sources"]
    arrays: dict[str, FloatArray] = dict(zip(names, columns_made, strict=True))
    return HoldLimits(sources=tuple(_known[key][1] for key in keys), **arrays)


_known: dict[tuple[NeuronModel, bytes, str], tuple[tuple[float, ...], str]] = {}  # computed before, by cell


def _limits(
    model: NeuronModel, given: Mapping[str, FloatArray], types: Sequence[str]
) -> list[tuple[tuple[float, ...], str]]:
    """Return the fields of `HoldLimits` of some cells, a row each, with their source."""
    free = model.standing_point(given)
    loose, own_rest, still = _loose(model, given, free)
    ranges = [rest_range(name, rest) for name, rest in zip(types, own_rest.tolist(), strict=True)]
    low, per_conductance = _held_at(model, given, np.array([each.low_mv for each in ranges]))
    high, _ = _held_at(model, given, np.array([each.high_mv for each in ranges]))
    most_high = free.rheobase - BELOW_RHEOBASE * free.scale
    high = np.minimum(np.where(np.isfinite(high), high, most_high), most_high)
    low = np.minimum(np.where(np.isfinite(low), low, high), high)
    if loose.any():
        low, high = (np.where(loose, still, each) for each in (low, high))
    at_low = model.operating_point(given, low)
    rest_low, rest_high = at_low.rest, model.at_rest(given, high)[model.voltage]
    rest_low, rest_high = (np.where(loose, own_rest, each) for each in (rest_low, rest_high))
    room, swing = IN_VIVO_FACTOR / free.tau_ms - 1 / at_low.tau_ms, at_low.distance
    usable = np.isfinite(per_conductance) & (per_conductance > 0) & np.isfinite(swing) & (swing > 0)
    most = np.where(usable, np.maximum(room, 0.0) / np.where(usable, per_conductance, 1.0), 0.0)
    columns = (low, high, rest_low, rest_high, np.where(usable, swing, 1.0), most, own_rest, free.tau_ms)
    rows = np.stack([np.broadcast_to(column, low.shape) for column in columns], axis=1)
    return [(tuple(row), each.source) for row, each in zip(rows.tolist(), ranges, strict=True)]


def _loose(
    model: NeuronModel, given: Mapping[str, FloatArray], free: OperatingPoint
) -> tuple[npt.NDArray[np.bool_], FloatArray, FloatArray]:
    """Return which cells no current holds, such as those whose recovery takes their whole leak away; the rest of each cell
    without a current, and the current that keeps it there.

    Any other current would move such a cell without end, and a weak background would bring it to rest far away: it gets the one
    that does not move it, and is held by its background alone.
    """
    loose = ~free.rests
    if loose.any():
        loose = ~model.operating_point(given, free.current).rests
    if not loose.any():
        return loose, free.rest, np.zeros(free.rest.shape)
    own_rest = np.where(loose, model.at_rest(given, np.zeros(free.rest.shape))[model.voltage], free.rest)
    return loose, own_rest, np.where(loose, _held_at(model, given, own_rest)[0], 0.0)


def _held_at(
    model: NeuronModel, parameters: Mapping[str, npt.ArrayLike], potential: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the constant current that holds each cell at a potential, and by how much a conductance of 1 quickens it, per ms."""
    full = {p.name: p.default if p.kind == "initial" else parameters[p.name] for p in model.parameters}
    rows, v, which, shape = distinct(full, potential)
    cells = SteadyCells(model, rows, 1.0)
    start, others, volts = cells.start(), cells.others(), v * cells.units[cells.v]
    held = cells.holding_current(volts, start, others) / unit_scale(model.input_unit)
    moved = cells.drift(volts, cells.probe, start, others) - cells.drift(volts, 0.0, start, others)
    quicker = moved / (cells.probe * cells.step_ms) * unit_scale(CONDUCTANCE_UNIT[model.input_unit])
    held, quicker = (np.broadcast_to(each, v.shape)[:, 0][which].reshape(shape) for each in (held, quicker))
    return held, quicker


def wanted_current(cells: Population, offset: str, limits: HoldLimits) -> FloatArray:
    """Return the constant current that would hold each cell back as much as its current and background do together."""
    return np.asarray(cells.parameters[offset]) - np.asarray(cells.parameters[BACKGROUND[0]]) * limits.swing


def held(wanted: npt.ArrayLike, offset: str, limits: HoldLimits) -> dict[str, npt.ArrayLike]:
    """Return constant current, background conductance and its reversal in place of a wanted current, within the bounds."""
    current = np.clip(np.asarray(wanted, dtype=np.float64), limits.low, limits.high)
    conductance = np.clip((limits.low - np.asarray(wanted)) / limits.swing, 0.0, limits.most)
    return {offset: current, BACKGROUND[0]: conductance, BACKGROUND[1]: limits.rest_low}


def bounded(cells: Population) -> Population:
    """Return a population with a background conductance, held within the bounds of its types; itself if it is already."""
    offset = next((p.name for p in cells.declared_parameters() if p.kind == "constant current"), "")
    if is_bounded(cells) or not offset or not cells.neuron().input_current:
        return cells
    limits = hold_limits(cells)
    changes = held(cells.parameters[offset], offset, limits)
    return replace(cells, receptors=(*cells.receptors, TONIC), parameters={**cells.parameters, **changes}).at_its_rest()
