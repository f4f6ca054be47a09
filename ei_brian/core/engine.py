"""Who computes what cells and networks do while they are fitted: numpy, or the compiled loop that the package installs.

Fitting asks thousands of times what cells would have done with other gains. The answer is a matter of speed alone: every engine
gives the same bits. The core knows none but numpy; `install_engine` is called by the package, which knows the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ei_brian.core.population import Population
    from ei_brian.core.recording import Recording
    from ei_brian.core.spec import NetworkSpec
    from ei_brian.core.stimulus import Stimulus

__all__ = ["Engine", "default_engine", "install_engine"]


class Engine(Protocol):
    """What calibration asks of a simulator, all in single precision."""

    name: str

    def simulate(self, spec: NetworkSpec, stimulus: Stimulus, traces: Sequence[tuple[str, str]] = ()) -> Recording:
        """Return what a network does on a stimulus, without noise; as `ei_brian.core.reference.simulate` in float32."""

    def replay(
        self, cells: Population, dt_ms: float, jumps: Mapping[str, npt.NDArray[np.floating[Any]]]
    ) -> npt.NDArray[np.bool_]:
        """Return the spikes of unconnected cells, shape (trial, step, neuron); ``jumps`` per port has the same shape."""

    def distances(
        self, cells: Population, dt_ms: float, jumps: Mapping[str, npt.NDArray[np.floating[Any]]],
        wanted: npt.NDArray[np.floating[Any]], filter_ms: float,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:  # fmt: skip
        """Return, for each unconnected cell, the squared distance of its filtered spikes from ``wanted``, and its spikes.

        ``jumps`` and ``wanted`` have the shape (trial, step, n), and the number of cells is a multiple of n: cell i receives, and
        is compared with, column ``i % n``. So many candidates for a cell are tried on one copy of its drive.
        """

    def train_distances(
        self, spikes: npt.NDArray[np.bool_], wanted: npt.NDArray[np.floating[Any]], dt_ms: float, filter_ms: float
    ) -> npt.NDArray[np.float64]:
        """Return, for each neuron, the squared distance of its filtered spikes, shape (trial, step, neuron), from ``wanted``."""


_factories: list[Callable[[], Engine]] = []
_engines: list[Engine] = []


def install_engine(factory: Callable[[], Engine]) -> None:
    """Name the function that returns the engine of this process; called when one is first needed."""
    _factories[:] = [factory]
    _engines.clear()


def default_engine() -> Engine:
    """Return the engine of this process: the one that was installed, else numpy."""
    if not _engines:
        from ei_brian.core.numpy_engine import NumpyEngine

        _engines.append(_factories[-1]() if _factories else NumpyEngine())
    return _engines[-1]
