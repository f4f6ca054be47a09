"""Where a cell rests under a constant current, so that a trial does not start with a transient of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from ei_brian.core.quantity import FloatArray

__all__ = ["REST", "at_rest"]

Parameters = Mapping[str, FloatArray]


def _izhikevich_2003(p: Parameters, current: FloatArray) -> dict[str, FloatArray]:
    """Return the lower root of ``quadratic*v^2 + (linear - u_rate*b)*v + constant + I = 0``, its vertex where there is none."""
    linear = p["linear"] - p["u_rate"] * p["b"]
    under = np.maximum(linear**2 - 4 * p["quadratic"] * (p["constant"] + current), 0.0)
    v = (-linear - np.sqrt(under)) / (2 * p["quadratic"])
    return {"v_init": v, "u_init": p["b"] * v}


def _izhikevich_2007(p: Parameters, current: FloatArray) -> dict[str, FloatArray]:
    """Return the lower root of ``k*x^2 - (k*(v_t - v_r) + b)*x + I = 0`` with ``x = v - v_r``, its vertex where there is none."""
    slope = p["k"] * (p["v_t"] - p["v_r"]) + p["b"]
    x = (slope - np.sqrt(np.maximum(slope**2 - 4 * p["k"] * current, 0.0))) / (2 * p["k"])
    return {"v_init": p["v_r"] + x, "u_init": p["b"] * x}


REST: dict[str, Callable[[Parameters, FloatArray], dict[str, FloatArray]]] = {
    "izhikevich_2003": _izhikevich_2003,
    "izhikevich_2007": _izhikevich_2007,
}


def at_rest(model: str, parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike) -> dict[str, FloatArray]:
    """Return the initial values of a cell that has long received ``current``; empty for models without a closed form.

    Parameters
    ----------
    model : str
        Name of the neuron model.
    parameters : mapping
        All its parameters in their units.
    current : float or array
        In the unit of the model's input current.
    """
    if model not in REST:
        return {}
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in parameters.items()}
    return REST[model](arrays, np.asarray(current, dtype=np.float64))
