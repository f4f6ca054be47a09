"""What the time step does to a cell: rates and first spikes at a step against converged ones, over the range of drives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.models import neuron_model
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import SpecError

__all__ = [
    "DRIVES", "FIRST_WITHIN_MS", "RATE_WITHIN", "StepError", "compared", "resting_cells", "rheobase", "spike_times", "step_error",
]  # fmt: skip

Floats = npt.NDArray[np.float64]
DRIVES = (1.01, 1.8, 3.2, 5.6, 10.0)  # in units of the rheobase
RATE_WITHIN, FIRST_WITHIN_MS = 0.02, 0.5
CONVERGED_MS, COARSE_MS, DURATION_MS = 0.01, 0.1, 1000.0
LARGEST_CURRENTS = {"mV/ms": 1e4, "pA": 1e5, "1": 1e4}
PORT = (("background", "constant_current"),)
Times = Callable[[str | NeuronModel, Mapping[str, npt.ArrayLike], npt.ArrayLike, float], list[Floats]]


@takes_numbers()
@dataclass(frozen=True, slots=True, eq=False)
class StepError:
    """Errors of a cell at a time step, by drive.

    Parameters
    ----------
    drive : array
        Constant currents from the start, in the unit of the model's current.
    rate_hz : array
        Converged rates.
    rate : array
        Error of the rate as a share: of the time that the same number of spikes takes; where one of the two lacks more than one
        spike, of their number.
    first_ms : array
        Error of the first spike in ms, where it is known within its time step; nan where there is none.
    cut : array of bool
        Where the converged cell fires faster than once per time step, which no network of that step can show.
    """

    drive: Floats
    rate_hz: Floats
    rate: Floats
    first_ms: Floats
    cut: npt.NDArray[np.bool_]

    @property
    def worst_rate(self) -> float:
        """Largest error of the rate, as a share."""
        return float(np.abs(self.rate[~self.cut]).max(initial=0.0))

    @property
    def worst_first_ms(self) -> float:
        """Largest error of the first spike."""
        known = np.abs(self.first_ms[~self.cut])
        return float(known[np.isfinite(known)].max(initial=0.0))

    @property
    def within(self) -> bool:
        """Whether rates are within 2 % and first spikes within 0.5 ms of converged."""
        return self.worst_rate <= RATE_WITHIN and self.worst_first_ms <= FIRST_WITHIN_MS


def _known(model: str | NeuronModel) -> NeuronModel:
    return model if isinstance(model, NeuronModel) else neuron_model(model)


def resting_cells(
    model: str | NeuronModel, parameters: Mapping[str, npt.ArrayLike], currents: npt.ArrayLike, dt_ms: float
) -> NetworkSpec:
    """Return unconnected cells, one for each constant current, that have rested without it."""
    current = np.asarray(currents, dtype=np.float64)
    own, name = (model, model.name) if isinstance(model, NeuronModel) else (None, model)
    cells = Population("cells", current.size, "mixed", name, PORT, {**parameters, "offset_background": current}, own=own)
    rest = cells.neuron().initial_at_rest(cells.parameters)
    cells = Population("cells", current.size, "mixed", name, PORT, {**cells.parameters, **rest}, own=own)
    return NetworkSpec((Population("input", 1, "input"), cells), (), dt_ms)


def spike_times(
    model: str | NeuronModel, parameters: Mapping[str, npt.ArrayLike], currents: npt.ArrayLike, dt_ms: float,
    duration_ms: float = DURATION_MS,
) -> list[Floats]:
    """Return the spike times in ms of a resting cell under each of the constant currents from time 0.

    A spike is counted at the end of its sub-step, where the cell is stepped in these: the run is made in time steps of that
    length, which gives the same trajectory.
    """
    step_ms = dt_ms / _known(model).substeps(dt_ms)
    spec = resting_cells(model, parameters, currents, step_ms)
    nothing = np.zeros(0, dtype=np.int32)
    n_steps = round(duration_ms / step_ms)
    spikes = simulate(spec, Stimulus(Spikes(nothing, nothing, nothing, 1, n_steps, 1, step_ms))).spikes["cells"]
    return [(spikes.step[spikes.unit == unit] + 1) * step_ms for unit in range(spec["cells"].size)]


@takes_numbers()
def rheobase(model: str | NeuronModel, parameters: Mapping[str, npt.ArrayLike], run: Times | None = None) -> float:
    """Return the smallest constant current, to a thousandth, by which a resting cell fires within a second; 0 if it fires alone.

    ``run`` is what gives the spikes; `spike_times` unless given.

    Raises
    ------
    SpecError
        For a cell that takes no current or never fires.
    """
    known = _known(model)
    if not known.input_current or not known.spiking:
        raise SpecError(f"rheobase: {known.name} takes no current, or never fires; there is no rheobase.")
    run = run or spike_times
    low, high = 0.0, LARGEST_CURRENTS[known.input_unit]
    currents = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 40) * high])
    while True:
        times = run(model, parameters, currents, COARSE_MS)
        first = next((index for index, found in enumerate(times) if found.size), None)
        if first is None:
            raise SpecError(f"rheobase: {known.name} does not fire under {high:g} {known.input_unit}.")
        if first == 0 and low == 0.0:
            return 0.0
        low, high = (currents[first - 1], currents[first]) if first else (low, currents[0])
        if high - low <= 1e-3 * high:
            return float(high)
        currents = np.linspace(low, high, 42)[1:]


@takes_numbers()
def step_error(
    model: str | NeuronModel, parameters: Mapping[str, npt.ArrayLike], dt_ms: float = 1.0, drives: Sequence[float] | None = None,
    run: Times | None = None,
) -> StepError:  # fmt: skip
    """Return what a time step does to a cell, of the catalogue or your own, under constant currents.

    Parameters
    ----------
    model : str or NeuronModel
        A neuron model that takes a current, by its name in the catalogue or your own.
    parameters : mapping
        Its values, one number each; what is not given has the model's default.
    dt_ms : float
        Time step of the network.
    drives : sequence of float, optional
        Currents in the model's unit; five from its rheobase to ten times it unless given.
    run : callable, optional
        What gives the spikes; `spike_times` unless given.

    Raises
    ------
    SpecError
        For a cell that takes no current or never fires, and, where no drives are given, for one that fires without current.
    """
    run = run or spike_times
    if drives is None:
        least = rheobase(model, parameters, run)
        if not least:
            raise SpecError(f"step_error: {_known(model).name} fires without current, so it has no rheobase; give drives.")
        drives = tuple(factor * least for factor in DRIVES)
    current = np.asarray(drives, dtype=np.float64)
    return compared(current, run(model, parameters, current, dt_ms), run(model, parameters, current, CONVERGED_MS), dt_ms)


def compared(current: Floats, made: Sequence[Floats], fine: Sequence[Floats], dt_ms: float) -> StepError:
    """Return the errors of spike trains against converged ones under the same currents."""
    cut = np.array([times.size > 1 and (times[-1] - times[0]) / (times.size - 1) < dt_ms for times in fine])
    rate = np.array([_rate_error(a, b) for a, b in zip(made, fine, strict=True)])
    first = np.array([a[0] - b[0] if a.size and b.size else np.nan for a, b in zip(made, fine, strict=True)])
    return StepError(current, np.array([times.size for times in fine]) / (DURATION_MS * 1e-3), rate, first, cut)


def _rate_error(made: Floats, fine: Floats) -> float:
    if abs(made.size - fine.size) > 1 or min(made.size, fine.size) < 2:
        return (made.size - fine.size) / max(fine.size, 1)
    last = min(made.size, fine.size) - 1
    return float((fine[last] - fine[0]) / (made[last] - made[0]) - 1)
