"""What a network should put out over time, trial by trial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import DataError

__all__ = ["Targets"]


@takes_numbers()
@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Values of one or several outputs over time.

    Parameters
    ----------
    values : array_like, shape (trial, step, output)
        What each output should be at the end of each step.
    dt_ms : float
        Length of a step in ms. A network with a finer step is looked at where these steps end.
    mask : array_like of bool, shape (trial, step), optional
        Where the output counts: during a response period, say. Everywhere unless given.

    Raises
    ------
    DataError
        For other shapes, values that are not finite, or a mask that leaves nothing.
    """

    values: npt.NDArray[np.float64]
    dt_ms: float
    mask: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 3 or not values.size:
            raise DataError(f"targets.values: shape {values.shape}; the axes are (trial, step, output), none of them empty.")
        if not np.isfinite(values).all():
            raise DataError(f"targets.values: {np.sum(~np.isfinite(values))} are not finite; leave them out by the mask, with 0.")
        if not (np.isfinite(self.dt_ms) and self.dt_ms > 0):
            raise DataError(f"targets.dt_ms: {self.dt_ms!r}; give a positive number of ms.")
        mask = np.ones(values.shape[:2], dtype=bool) if self.mask is None else np.array(self.mask) != 0
        if mask.shape != values.shape[:2]:
            raise DataError(f"targets.mask: shape {mask.shape}; give one value per trial and step, {values.shape[:2]}.")
        if not mask.any():
            raise DataError("targets.mask: leaves nothing; it is true where the output counts.")
        for array in (values, mask):
            array.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "dt_ms", float(self.dt_ms))

    def __repr__(self) -> str:
        trials, steps, outputs = self.values.shape
        share = "" if self.counted.all() else f", {self.counted.mean():.0%} of the steps count"
        return f"Targets: {outputs} over time, {trials:,} trials, {steps} steps of {self.dt_ms:g} ms{share}"

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return int(self.values.shape[0])

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """The mask, shape (trial, step)."""
        return np.asarray(self.mask)

    @takes_numbers()
    def select(self, start: int, stop: int) -> Targets:
        """Return the trials ``start <= trial < stop``."""
        return Targets(self.values[start:stop], self.dt_ms, self.counted[start:stop])
