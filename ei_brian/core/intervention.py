"""What an experimenter does to single cells during a trial: silence them, clamp them, inject a current, evoke spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import SpecError, unknown_name

if TYPE_CHECKING:
    from ei_brian.core.population import Population

__all__ = ["INTERVENTIONS", "Intervention", "check_intervention", "unit_of"]

INTERVENTIONS = ("silence", "clamp", "inject", "evoke")


@takes_numbers(value=None, last_value=None)
@dataclass(frozen=True, slots=True, eq=False)
class Intervention:
    """One intervention on cells of a population, from ``from_ms`` to before ``to_ms`` of each trial.

    Parameters
    ----------
    kind : {"silence", "clamp", "inject", "evoke"}
        ``silence``: no spikes, and all states of the cell but those that synapses add to are held at their start. ``clamp``: the
        potential is held at ``value``, and the cell does not spike. ``inject``: a current, from ``value`` rising or falling to
        ``last_value``; into a cell that holds its own synapses it is what arrives at its first port in each step. ``evoke``: a
        spike every ``value`` ms, the first at ``from_ms``.
    cells : array of bool, shape (size,)
        Which cells.
    from_ms, to_ms : float
        Window in ms from the start of a trial; rounded to whole steps.
    value, last_value : float
        In ``unit``.
    unit : str
        Of the values: that of the cells' potential, or of their current.

    Raises
    ------
    SpecError
        For an unknown kind, a window that is none, or values that are not finite.
    """

    kind: str
    cells: npt.NDArray[np.bool_]
    from_ms: float = 0.0
    to_ms: float = float("inf")
    value: float = 0.0
    last_value: float = 0.0
    unit: str = "1"

    def __post_init__(self) -> None:
        if self.kind not in INTERVENTIONS:
            raise SpecError(unknown_name("intervention", self.kind, INTERVENTIONS))
        cells = np.array(self.cells, dtype=bool)
        if cells.ndim != 1:
            raise SpecError(f"intervention {self.kind}.cells: shape {cells.shape}; give one value per cell.")
        cells.flags.writeable = False
        object.__setattr__(self, "cells", cells)
        if not 0 <= self.from_ms < self.to_ms or not np.isfinite(self.from_ms):
            raise SpecError(f"intervention {self.kind}: from {self.from_ms!r} to {self.to_ms!r} ms; give 0 <= from_ms < to_ms.")
        if not np.isfinite([self.value, self.last_value]).all():
            raise SpecError(f"intervention {self.kind}: {self.value!r} to {self.last_value!r} {self.unit}; give finite numbers.")
        if self.value != self.last_value and not np.isfinite(self.to_ms):
            raise SpecError(f"intervention {self.kind}: a ramp needs an end; give to_ms.")
        if self.kind == "evoke" and not self.value > 0:
            raise SpecError(f"intervention evoke: a spike every {self.value!r} ms; give a positive interval.")
        for name in ("from_ms", "to_ms", "value", "last_value"):
            object.__setattr__(self, name, float(getattr(self, name)))

    def steps(self, dt_ms: float) -> tuple[float, float]:
        """Return the first step and the step after the last one."""
        return float(np.rint(self.from_ms / dt_ms)), float(np.rint(min(self.to_ms / dt_ms, 2.0**30)))

    def as_data(self) -> dict[str, Any]:
        """Return all but the cells, as plain values; an open end is None."""
        return {
            "kind": self.kind, "from_ms": self.from_ms, "to_ms": self.to_ms if np.isfinite(self.to_ms) else None,
            "value": self.value, "last_value": self.last_value, "unit": self.unit,
        }  # fmt: skip


def unit_of(kind: str, model: NeuronModel) -> str:
    """Return the unit of an intervention's values in cells of a model."""
    if kind == "clamp":
        return next(state.unit for state in model.states if state.name == model.voltage)
    if kind == "inject":
        return model.input_unit if model.input_current else next(s.unit for s in model.states if s.name == model.ports[0])
    return "ms" if kind == "evoke" else "1"


def check_intervention(population: Population, intervention: Intervention) -> None:
    """Refuse an intervention that does not fit the cells of a population.

    Raises
    ------
    SpecError
        For inputs, another number of cells, cells that never spike, or values in another unit than theirs.
    """
    where = f"population {population.name}, intervention {intervention.kind}"
    if population.role == "input":
        raise SpecError(f"{where}: an input is no cell; change the stimulus.")
    if intervention.cells.shape != (population.size,):
        raise SpecError(f"{where}.cells: shape {intervention.cells.shape}; give one value for each of {population.size} cells.")
    if intervention.kind in ("silence", "evoke") and not population.spiking:
        raise SpecError(f"{where}: {population.model} never spikes.")
    unit = unit_of(intervention.kind, population.neuron())
    if intervention.unit != unit:
        raise SpecError(
            f"{where}: in {intervention.unit}, but {population.model} has {unit}. Put perturbations behind all other changes of "
            "a network."
        )

