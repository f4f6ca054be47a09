"""Networks of SpyTorch's tutorials, which are bare matrices of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError

__all__ = ["from_spytorch"]

Table = npt.NDArray[np.floating]


@takes_numbers()
def from_spytorch(
    w1: Any, w2: Any, v1: Any = None, *, tau_mem_ms: float = 10.0, tau_syn_ms: float = 5.0, dt_ms: float = 1.0,
    n_exc: int | None = None, readout: str = "max v", name: str = "network",
) -> NetworkSpec:  # fmt: skip
    """Return the network of SpyTorch's tutorials as a spec that gives the same spikes and the same scores.

    Parameters
    ----------
    w1, w2 : tensor or array, shapes (input, hidden) and (hidden, class)
        The tutorials' weights, as they stand there: rows are sources. float32 or float64.
    v1 : tensor or array, shape (hidden, hidden), optional
        Recurrent weights of tutorial 4; a spike acts one step later than one of the input does.
    tau_mem_ms, tau_syn_ms : float
        ``tau_mem`` and ``tau_syn`` of the tutorial, in ms, of cells and readout.
    dt_ms : float
        ``time_step``, in ms.
    n_exc : int, optional
        The first so many hidden cells are excitatory, the others inhibitory (populations ``E`` and ``I``), and their weights
        are checked for it; one population ``hidden`` of cells of either sign unless given.
    readout : {"max v", "mean v", "last v"}
        Decision rule; the tutorials take the largest value over time, which is never below the 0 of the start. The mean of a
        simulation is that of its steps: SpyTorch's is taken over one value more, the 0 of the start.
    name : str
        Name of the network.

    Raises
    ------
    DataError
        For arrays that do not fit together.
    SpecError
        For weights that are not finite, or of a sign that ``n_exc`` forbids.

    Examples
    --------
    ``spec = from_spytorch(w1, w2, tau_mem_ms=10.0, tau_syn_ms=5.0)``
    """
    first, out = _table(w1, "w1"), _table(w2, "w2")
    loop = None if v1 is None else _table(v1, "v1")
    n_in, hidden = first.shape
    if out.shape[0] != hidden or (loop is not None and loop.shape != (hidden, hidden)):
        given = {"w1": first, "w2": out, "v1": loop}
        shapes = ", ".join(f"{key} {array.shape}" for key, array in given.items() if array is not None)
        raise DataError(f"from_spytorch: {shapes}; give w1 (input, hidden), w2 (hidden, class) and v1 (hidden, hidden).")
    taus = {"tau_mem": tau_mem_ms, "tau_syn": tau_syn_ms}
    parts = _parts(hidden, n_exc)
    cells = [Population(part, rows.stop - rows.start, role, "spytorch_lif", parameters=taus) for part, rows, role in parts]
    populations = [Population("input", n_in, "input"), *cells]
    populations.append(Population("out", out.shape[1], "readout", "spytorch_readout", parameters=taus))
    projections = [Projection("input", part, first[:, rows].T, "drive") for part, rows, _ in parts]
    if loop is not None:
        projections += [
            Projection(source, target, loop[of, to].T, "drive", delay_steps=1)
            for source, of, _ in parts
            for target, to, _ in parts
        ]
    projections += [Projection(part, "out", out[rows].T, "drive") for part, rows, _ in parts]
    schedule = _schedule([part for part, _, _ in parts], projections)
    made = NetworkSpec(tuple(populations), tuple(projections), dt_ms, Readout("out", readout), schedule, name=name)
    return made.with_provenance("import from SpyTorch", n_exc=n_exc, recurrent=loop is not None)


def _schedule(cells: Sequence[str], projections: Sequence[Projection]) -> tuple[Phase, ...]:
    """Return SpyTorch's order: what arrives in a step moves the current of the next; the readout takes the spikes of its step."""
    return (
        *(Phase("update", name) for name in cells),
        *(Phase("threshold", name) for name in cells),
        *(Phase("propagate", projection.name) for projection in projections),
        Phase("update", "out"),
        *(Phase("reset", name) for name in cells),
    )


def _parts(hidden: int, n_exc: int | None) -> list[tuple[str, slice, str]]:
    if n_exc is None:
        return [("hidden", slice(0, hidden), "mixed")]
    if not 0 <= n_exc <= hidden:
        raise DataError(f"from_spytorch.n_exc: {n_exc}; of {hidden} hidden cells 0 to {hidden} can be excitatory.")
    both = [("E", slice(0, n_exc), "exc"), ("I", slice(n_exc, hidden), "inh")]
    return [part for part in both if part[1].stop > part[1].start]


def _table(given: Any, name: str) -> Table:
    array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if array.ndim != 2 or array.dtype not in (np.float32, np.float64):
        raise DataError(f"from_spytorch.{name}: {array.dtype} of shape {array.shape}; give a matrix of float32 or float64.")
    return array + array.dtype.type(0)  # turns -0.0 into 0.0
