"""How long the sub-steps of a cell may be for a stated error: measured over drives, from the time step down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ei_brian.core.models import MODELS
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.step_error import CONVERGED_MS, DRIVES, FIRST_WITHIN_MS, RATE_WITHIN, compared, rheobase, spike_times
from ei_brian.errors import SpecError

__all__ = ["Convergence", "convergence"]

Floats = npt.NDArray[np.float64]
PARTS = (1, 2, 5, 10, 20, 50)  # of the largest time step
DEFAULTS: Mapping[str, npt.ArrayLike] = MappingProxyType({})


@takes_numbers()
@dataclass(frozen=True, slots=True, eq=False)
class Convergence:
    """Errors of a cell at sub-steps of several lengths, and the cell with the longest one that keeps the error asked for.

    Parameters
    ----------
    model : NeuronModel
        The cell, with that ``longest_step_ms``.
    error : float
        Largest error of a rate that was asked for, as a share.
    length_ms : array, shape (length,)
        Sub-steps that were tried, the longest first.
    rate, first_ms : array, shape (length,)
        Largest error over the drives at each length: of the rate, as a share, and of the first spike, in ms.
    drive, rate_hz : array, shape (drive,)
        The constant currents, in the unit of the model's current, and the rates at sub-steps of 0.01 ms.

    Notes
    -----
    Drives under which the cell fires faster than once per time step do not count: no network of that step can show them.
    """

    model: NeuronModel
    error: float
    length_ms: Floats
    rate: Floats
    first_ms: Floats
    drive: Floats
    rate_hz: Floats

    def __str__(self) -> str:
        lines = ["sub-step in ms  error of rates  of first spikes in ms"]
        for length, rate, first in zip(self.length_ms, self.rate, self.first_ms, strict=True):
            mark = "  <- taken" if length == self.length_ms[-1] else ""
            lines.append(f"{length:14g}  {100 * rate:12.2f} %  {first:21.3f}{mark}")
        return "\n".join(lines)

    @property
    def words(self) -> str:
        """In one sentence, which `ei_brian.cell` writes into the model's ``deviations``."""
        low, high = self.rate_hz.min(), self.rate_hz.max()
        return (
            f"sub-steps of {self.length_ms[-1]:g} ms: rates within {100 * self.rate[-1]:.2g} % and first spikes within "
            f"{self.first_ms[-1]:.2g} ms of those at {CONVERGED_MS:g} ms, under {self.drive.size} constant currents "
            f"({low:.0f} to {high:.0f} Hz)"
        )


@takes_numbers()
def convergence(
    model: NeuronModel, error: float = RATE_WITHIN, *, dt_ms: float | None = None, drives: Sequence[float] | None = None,
    parameters: Mapping[str, npt.ArrayLike] = DEFAULTS, duration_ms: float = 500.0,
) -> Convergence:  # fmt: skip
    """Return the longest sub-steps at which a cell keeps a stated error, and what was measured to find them.

    The cell starts at rest under constant currents. Its rates and first spikes at sub-steps of the whole time step, a half, a
    fifth, … of it are compared with those at 0.01 ms, until rates are within ``error`` and first spikes within 0.5 ms.

    Parameters
    ----------
    model : NeuronModel
        A cell of your own that takes a current, from `ei_brian.cell`.
    error : float
        Largest error of a rate, as a share: 0.02 is 2 %.
    dt_ms : float, optional
        Time step of networks; the largest of the model, at most 1 ms, unless given.
    drives : sequence of float, optional
        Currents in the unit of the model's current; five from its rheobase to ten times it unless given.
    parameters : mapping, optional
        Of the cell, one number each; defaults of the model where not given.
    duration_ms : float
        How long each current lasts. A cell that fires later than that under the weakest of them is measured by the others.

    Raises
    ------
    SpecError
        For a model of the catalogue; for a cell that takes no current, never fires, or fires without a current while no drives
        are given; and where no sub-step keeps the error.
    """
    where = f"convergence of {model.name}"
    if not 0 < error < 1:
        raise SpecError(f"{where}: error {error!r}; give a share between 0 and 1, as 0.02.")
    if model.name in MODELS:
        raise SpecError(f"{where}: is of the catalogue, whose errors are in the gallery of cell types; give a cell of your own.")
    step_ms = min(model.max_dt_ms, 1.0) if dt_ms is None else dt_ms
    if drives is None:
        least = rheobase(model, parameters)
        if not least:
            raise SpecError(f"{where}: fires without current, so it has no rheobase; give drives.")
        drives = tuple(factor * least for factor in DRIVES)
    current, run = np.asarray(drives, dtype=np.float64), partial(spike_times, duration_ms=duration_ms)
    fine = run(replace(model, longest_step_ms=CONVERGED_MS), parameters, current, CONVERGED_MS)
    rows: list[tuple[float, float, float]] = []
    for parts in PARTS:
        length = step_ms / parts
        if length <= 2 * CONVERGED_MS:
            break
        found = compared(current, run(replace(model, longest_step_ms=length), parameters, current, length), fine, step_ms)
        rows.append((length, found.worst_rate, found.worst_first_ms))
        if found.worst_rate <= error and found.worst_first_ms <= FIRST_WITHIN_MS:
            rate_hz = np.array([times.size for times in fine]) / (duration_ms * 1e-3)
            lengths, rates, firsts = (np.array(column) for column in zip(*rows, strict=True))
            return Convergence(replace(model, longest_step_ms=length), error, lengths, rates, firsts, current, rate_hz)
    worst = ", ".join(f"{100 * rate:.2g} % at {length:g} ms" for length, rate, _ in rows)
    raise SpecError(f"{where}: no sub-step keeps rates within {100 * error:g} % ({worst}); ask for less, or take another method.")
