"""Perturbations of a network, as data: each is called with a network and returns the perturbed one.

``spec | silence("FS", 20, 40) | scale("GABA_A", 0.7)``. A perturbation that does nothing returns the network itself.
Perturbations stand behind all other changes of a network: what they inject is in the unit of the cells that are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ei_brian.core.intervention import Intervention, unit_of
from ei_brian.core.plain_numbers import plain_number, takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.projection import MAX_DELAY_STEPS, Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.perturbed import chosen_cells, chosen_synapses
from ei_brian.errors import SpecError

__all__ = ["PERTURBATIONS", "ChangeDelay", "Clamp", "Evoke", "Inject", "Lesion", "Perturbation", "Scale", "Silence"]


def _told(perturbation: Any) -> dict[str, Any]:
    """Return the fields for provenance; a quantity as it is written."""
    plain = (str, float, int, type(None))
    return {name: one if isinstance(one, plain) else str(one) for name, one in asdict(perturbation).items()}


@takes_numbers()
@dataclass(frozen=True, slots=True)
class _OnCells:
    """Cells, and when something is done to them.

    Parameters
    ----------
    target : str
        A population, a cell type (``"FS"``) or a role (``"inh"``).
    from_ms, to_ms : float
        Window in ms from the start of each trial; to its end unless given.
    share : float
        Share of the cells, drawn by ``seed``; 0 to 1.
    seed : int
        Decides which cells.
    """

    target: str
    from_ms: float = 0.0
    to_ms: float | None = None
    share: float = field(default=1.0, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    kind: ClassVar[str] = ""

    def __call__(self, spec: NetworkSpec) -> NetworkSpec:
        """Return the perturbed network; the network itself where nothing is done.

        Raises
        ------
        SpecError
            For an unknown target, a window that is none, or a value that does not fit the cells.
        """
        if not self.share or self._nothing:
            return spec
        end = float("inf") if self.to_ms is None else self.to_ms
        chosen = chosen_cells(spec, self.target, self.share, self.seed, self.kind)
        changed = {name: self._intervention(spec[name], mask, end) for name, mask in chosen.items() if mask.any()}
        if not changed:
            return spec
        populations = tuple(
            replace(p, interventions=(*p.interventions, changed[p.name])) if p.name in changed else p for p in spec.populations
        )
        return replace(spec, populations=populations).with_provenance(self.kind, **_told(self))

    @property
    def _nothing(self) -> bool:
        return False

    def _intervention(self, cells: Population, mask: npt.NDArray[np.bool_], end: float) -> Intervention:
        value, last, unit = self._values(cells)
        return Intervention(self.kind, mask, self.from_ms, end, value, last, unit)

    def _values(self, cells: Population) -> tuple[float, float, str]:
        return 0.0, 0.0, "1"


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Silence(_OnCells):
    """No spikes of some cells: ``silence("FS", 20, 40)``, as by an opsin that clamps them at rest.

    All states of such a cell but those that synapses add to are held where they started, so that it wakes at rest.

    Parameters
    ----------
    target, from_ms, to_ms, share, seed
        Which cells (a population, a cell type or a role; a share of them), and when, in ms.
    """

    kind: ClassVar[str] = "silence"


@takes_numbers(potential=None)
@dataclass(frozen=True, slots=True)
class Clamp(_OnCells):
    """The potential of some cells is held, and they do not spike: ``clamp("E", potential=-70, from_ms=10)``.

    Parameters
    ----------
    target, from_ms, to_ms, share, seed
        Which cells (a population, a cell type or a role; a share of them), and when, in ms.
    potential : float
        In the unit of the cells' potential: mV, or dimensionless where they are.
    """

    potential: float = field(default=0.0, kw_only=True)
    kind: ClassVar[str] = "clamp"

    def _values(self, cells: Population) -> tuple[float, float, str]:
        unit = unit_of("clamp", cells.neuron())
        value = plain_number(self.potential, unit, f"clamp {cells.name}.potential")
        return value, value, unit


@takes_numbers(pA=None, current=None, to=None)
@dataclass(frozen=True, slots=True)
class Inject(_OnCells):
    """A current into some cells: ``inject("E", pA=30, from_ms=10)``.

    Parameters
    ----------
    target, from_ms, to_ms, share, seed
        Which cells (a population, a cell type or a role; a share of them), and when, in ms.
    pA : float, optional
        In pA; for cells whose current is in pA, as those of `diversify` are.
    current : float, optional
        Instead of pA: in the unit of the cells' current, whatever it is. In cells that hold their own synapses, as trained ones
        do, this arrives at their first port in each step.
    to : float, optional
        For a ramp: the value at the end of the window, in the same unit; ``to_ms`` is then needed.
    """

    pA: float | None = field(default=None, kw_only=True)
    current: float | None = field(default=None, kw_only=True)
    to: float | None = field(default=None, kw_only=True)
    kind: ClassVar[str] = "inject"

    @property
    def _nothing(self) -> bool:
        if (self.pA is None) == (self.current is None):
            raise SpecError(f"inject {self.target}: give either pA or current (in the unit of the cells' current).")
        return not any(np.any(np.asarray(one) != 0) for one in (self.pA, self.current, self.to) if one is not None)

    def _values(self, cells: Population) -> tuple[float, float, str]:
        unit = unit_of("inject", cells.neuron())
        if self.pA is not None and unit != "pA":
            raise SpecError(
                f"inject {cells.name}: {self.pA!r} pA, but {cells.model} takes a current in {unit}. Give current=, in {unit}, or "
                "put cells there that take pA (diversify)."
            )
        given = self.pA if self.pA is not None else self.current
        value, last = (plain_number(one, unit, f"inject {cells.name}") for one in (given, given if self.to is None else self.to))
        return float(value), float(last), unit


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Evoke(_OnCells):
    """Spikes of some cells at fixed intervals, as light pulses evoke them: ``evoke("E", every_ms=10, from_ms=20)``.

    The first comes at ``from_ms``. A cell that steps in sub-steps sends the spike without being reset by it.

    Parameters
    ----------
    target, from_ms, to_ms, share, seed
        Which cells (a population, a cell type or a role; a share of them), and when, in ms.
    every_ms : float
        Interval in ms; 0 evokes none.
    """

    every_ms: float = field(default=0.0, kw_only=True)
    kind: ClassVar[str] = "evoke"

    @property
    def _nothing(self) -> bool:
        return not self.every_ms

    def _values(self, cells: Population) -> tuple[float, float, str]:
        return self.every_ms, self.every_ms, "ms"


@takes_numbers()
@dataclass(frozen=True, slots=True)
class _OnSynapses:
    """Synapses, and a share of them.

    Parameters
    ----------
    target : str
        A receptor (``"GABA_A"``), the name of a projection, two populations (``"E->I"``), or the cells that send: a population, a
        cell type or a role.
    share : float
        Share of the synapses, drawn by ``seed``; 0 to 1.
    seed : int
        Decides which synapses.
    """

    target: str
    share: float = field(default=1.0, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    kind: ClassVar[str] = ""

    def _changed(self, spec: NetworkSpec, change: Callable[[Projection, Any], Projection]) -> NetworkSpec:
        chosen = chosen_synapses(spec, self.target, self.share, self.seed, self.kind)
        made = tuple(change(p, chosen[p.name]) if p.name in chosen else p for p in spec.projections)
        return replace(spec, projections=made).with_provenance(self.kind, **_told(self))


def _weighted(projection: Projection, mask: Any, factor: float) -> Projection:
    table: Any = projection.weights
    values = projection.weight_values()
    scaled = np.where(mask, values.astype(np.float64) * factor, values).astype(values.dtype)
    if not projection.sparse:
        return replace(projection, weights=scaled)
    made = table.copy()
    made.data = scaled
    return replace(projection, weights=made)


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Scale(_OnSynapses):
    """Synapses made weaker or stronger: ``scale("GABA_A", 0.7)``, or ``scale("I", 0.7)`` where synapses are currents.

    Parameters
    ----------
    target : str
        A receptor (``"GABA_A"``), the name of a projection, two populations (``"E->I"``), or the cells that send: a population, a
        cell type or a role.
    factor : float
        0 or more; 1 changes nothing.
    share, seed
        A share of the synapses only, drawn by the seed.
    """

    factor: float = 1.0
    kind: ClassVar[str] = "scale"

    def __call__(self, spec: NetworkSpec) -> NetworkSpec:
        """Return the network with other weights; itself for a factor of 1."""
        if not (np.isfinite(self.factor) and self.factor >= 0):
            raise SpecError(f"scale {self.target}: factor {self.factor!r}; give 0 or more.")
        if self.factor == 1 or not self.share:
            return spec
        return self._changed(spec, lambda projection, mask: _weighted(projection, mask, self.factor))


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Lesion(_OnSynapses):
    """Synapses cut: ``lesion("E->I")``, or a share of them; they stay in the tables with weight 0.

    Parameters
    ----------
    target, share, seed
        As of `Scale`.
    """

    kind: ClassVar[str] = "lesion"

    def __call__(self, spec: NetworkSpec) -> NetworkSpec:
        """Return the network without these synapses; itself for a share of 0."""
        return self._changed(spec, lambda projection, mask: _weighted(projection, mask, 0.0)) if self.share else spec


@takes_numbers()
@dataclass(frozen=True, slots=True)
class ChangeDelay(_OnSynapses):
    """Synapses made slower or faster by so many ms: ``change_delay("E->I", by_ms=1.5)``; no delay falls below 0.

    Parameters
    ----------
    target, share, seed
        As of `Scale`.
    by_ms : float
        In ms; rounded to whole time steps.
    """

    by_ms: float = 0.0
    kind: ClassVar[str] = "change_delay"

    def __call__(self, spec: NetworkSpec) -> NetworkSpec:
        """Return the network with other delays; itself for a change of no step."""
        if not np.isfinite(self.by_ms) or abs(self.by_ms / spec.dt_ms) > MAX_DELAY_STEPS:
            raise SpecError(f"change_delay {self.target}: by {self.by_ms!r} ms; give a number of ms.")
        by = int(np.rint(self.by_ms / spec.dt_ms))
        return self._changed(spec, lambda projection, mask: _later(projection, mask, by)) if by and self.share else spec


def _later(projection: Projection, mask: Any, by: int) -> Projection:
    delays = np.broadcast_to(np.asarray(projection.delay_steps, dtype=np.int32), projection.weight_values().shape)
    changed = np.where(mask, np.clip(delays + by, 0, MAX_DELAY_STEPS), delays).astype(np.int32)
    alike = changed.size and changed.min() == changed.max()
    return replace(projection, delay_steps=int(changed.flat[0]) if alike else changed)


Perturbation = Silence | Clamp | Inject | Evoke | Scale | Lesion | ChangeDelay
PERTURBATIONS: dict[str, type[Any]] = {
    one.kind: one for one in (Silence, Clamp, Inject, Evoke, Scale, Lesion, ChangeDelay)
}
