"""What every simulator checks of its own results: numbers are finite, and of the precision that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.errors import BackendError, shown

__all__ = ["check_finite", "check_traces", "finite", "precision"]

Array = npt.NDArray[Any]
EXPONENTS = {4: (np.uint32, 0x7F800000), 8: (np.uint64, 0x7FF0000000000000)}


def precision(dtype: Any, where: str = "dtype") -> np.dtype[Any]:
    """Return float32 or float64 for a name, a numpy type, or a type of torch (``torch.float32``).

    Raises
    ------
    BackendError
        For anything else.
    """
    name = str(dtype).removeprefix("torch.") if type(dtype).__module__.partition(".")[0] == "torch" else dtype
    try:
        made = np.dtype(name)
    except (TypeError, ValueError):
        made = np.dtype(object)
    if dtype is None or made not in (np.dtype("float32"), np.dtype("float64")):
        raise BackendError(f"{where}: {shown(dtype)}; allowed are float32 and float64.")
    return made


def finite(values: Array) -> npt.NDArray[np.bool_]:
    """Return where numbers are neither infinite nor NaN, by their bits: no flag of a compiler can take the question away."""
    unsigned, exponent = EXPONENTS[values.dtype.itemsize]
    mask = unsigned(exponent)
    return np.asarray((np.ascontiguousarray(values).view(unsigned) & mask) != mask)


def check_finite(name: str, values: Array, dtype: np.dtype[Any]) -> None:
    """Refuse a state that is not finite at the end of a run, or was computed in another precision.

    Parameters
    ----------
    name : str
        ``population.state``.
    values : array, shape (trial, unit)
        Its last values.
    dtype : dtype
        What was asked for.

    Raises
    ------
    BackendError
        With the first trial in which it left the finite numbers.
    """
    _check_precision(name, values, dtype)
    bad = ~finite(values)
    if bad.any():
        trial = int(np.flatnonzero(bad.any(axis=1))[0])
        raise BackendError(
            f"run: {name}: not finite at the end of trial {trial}; nothing of this run was kept. Use a smaller dt "
            "(refine_dt), weaker weights, or dtype='float64'."
        )


def check_traces(traces: Mapping[tuple[str, str], Array], dtype: np.dtype[Any]) -> None:
    """Refuse traces that hold numbers that are not finite, or are of another precision; shape (trial, step, unit).

    Raises
    ------
    BackendError
        With the first trial and step.
    """
    for (population, state), values in traces.items():
        _check_precision(f"{population}.{state}", values, dtype)
        bad = ~finite(values)
        if bad.any():
            trial, step, unit = (int(index[0]) for index in np.nonzero(bad))
            raise BackendError(
                f"run: {population}.{state}: not finite in trial {trial}, step {step}, neuron {unit}; nothing of this run was "
                "kept. Use a smaller dt (refine_dt), weaker weights, or dtype='float64'."
            )


def _check_precision(name: str, values: Array, dtype: np.dtype[Any]) -> None:
    if values.dtype != dtype:
        raise BackendError(
            f"run: {name} was computed in {values.dtype}, not in {dtype} as asked; nothing of this run was kept. Does another "
            "thread set preferences of Brian2?"
        )
