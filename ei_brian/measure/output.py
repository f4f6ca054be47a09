"""What a network puts out over time: filtered spikes or potentials of a population, weighted and added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.targets import Targets
from ei_brian.core.transform.replay import filtered
from ei_brian.errors import DataError, unknown_name
from ei_brian.measure.over_time import correlation, r_squared, rmse

__all__ = ["LinearReadout", "fit_readout", "potential_readout"]

Floats = npt.NDArray[np.float64]
SOURCES = ("spikes", "potential")


@takes_numbers()
@dataclass(frozen=True, slots=True, eq=False)
class LinearReadout:
    """A weighted sum over the cells of a population: a Linear head, as data.

    Parameters
    ----------
    population : str
        Whose cells are read.
    weights : array_like, shape (output, cell)
        Per filtered spike rate in 1/ms, or per unit of the potential.
    bias : array_like, shape (output,), optional
        Added.
    of : {"spikes", "potential"}
        What is read: spikes through a causal exponential of unit area, or the membrane potential at the end of each step.
    tau_ms : float
        Time constant of the exponential in ms.

    Raises
    ------
    DataError
        For shapes that do not fit, or unknown names.
    """

    population: str
    weights: Floats
    bias: Floats | None = None
    of: str = "spikes"
    tau_ms: float = 20.0

    def __post_init__(self) -> None:
        weights = np.array(self.weights, dtype=np.float64)
        bias = np.zeros(weights.shape[:1]) if self.bias is None else np.array(self.bias, dtype=np.float64)
        if weights.ndim != 2 or bias.shape != weights.shape[:1]:
            raise DataError(f"readout: weights {weights.shape}, bias {bias.shape}; give (output, cell) and (output,).")
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise DataError("readout: weights or bias that are not finite.")
        if self.of not in SOURCES:
            raise DataError(unknown_name("readout.of", self.of, SOURCES))
        if not (np.isfinite(self.tau_ms) and self.tau_ms > 0):
            raise DataError(f"readout.tau_ms: {self.tau_ms!r}; give a positive number of ms.")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "bias", bias)

    def traces(self, spec: NetworkSpec) -> list[tuple[str, str]]:
        """Return the traces that a run must keep for it, as ``Backend.run(traces=...)`` takes them."""
        return [(self.population, spec[self.population].neuron().voltage)] if self.of == "potential" else []

    @takes_numbers()
    def output(self, spec: NetworkSpec, recording: Recording, dt_ms: float | None = None) -> Floats:
        """Return the output at the end of each step, shape (trial, step, output).

        Parameters
        ----------
        spec, recording : NetworkSpec, Recording
            The network, and what it did.
        dt_ms : float, optional
            A coarser step at whose ends the output is taken; a whole multiple of the recording's.
        """
        seen = self._seen(spec, recording)
        if self.weights.shape[1] != seen.shape[2]:
            raise DataError(f"readout: weights for {self.weights.shape[1]} cells; {self.population} has {seen.shape[2]}.")
        every = every_step(recording.dt_ms, dt_ms)
        return np.asarray(seen[:, every - 1 :: every] @ self.weights.T + np.asarray(self.bias))

    @takes_numbers()
    def measured(self, spec: NetworkSpec, recording: Recording, targets: Targets) -> dict[str, float]:
        """Return ``r_squared``, ``correlation`` and ``rmse`` of the output, without intervals.

        Parameters
        ----------
        spec, recording : NetworkSpec, Recording
            The network, and what it did.
        targets : Targets
            What the output should be.
        """
        output = self.output(spec, recording, targets.dt_ms)
        return {one.__name__: one(output, targets).value for one in (r_squared, correlation, rmse)}

    def _seen(self, spec: NetworkSpec, recording: Recording) -> npt.NDArray[np.floating]:
        if self.of == "potential":
            key = self.traces(spec)[0]
            if key not in recording.traces:
                raise DataError(f"recording.traces: {key} was not kept; run with traces=[{key}].")
            return recording.traces[key]
        if self.population not in recording.spikes:
            raise DataError(f"recording.spikes: those of {self.population} were not kept; run with record='spikes'.")
        return filtered(recording.spikes[self.population].dense(np.float32), self.tau_ms, recording.dt_ms)


def every_step(fine_ms: float, coarse_ms: float | None) -> int:
    """Return how many fine steps make a coarse one.

    Raises
    ------
    DataError
        Unless it is a whole number.
    """
    factor = 1 if coarse_ms is None else round(coarse_ms / fine_ms)
    if factor < 1 or (coarse_ms is not None and abs(factor * fine_ms - coarse_ms) > 1e-9 * coarse_ms):
        raise DataError(f"steps of {coarse_ms:g} ms are no whole multiple of {fine_ms:g} ms.")
    return factor


@takes_numbers()
def potential_readout(spec: NetworkSpec, units: Sequence[int] | None = None) -> LinearReadout:
    """Return the potentials of the network's readout population as its outputs, in order, or those of some of its units.

    By definition; in the unit of the potential.

    Raises
    ------
    DataError
        For a network without a readout.
    """
    if spec.readout is None:
        raise DataError(f"network {spec.name}: has no readout; give its spec a Readout, or fit one (fit_readout).")
    size = spec[spec.readout.population].size
    chosen = np.eye(size) if units is None else np.eye(size)[list(units)]
    return LinearReadout(spec.readout.population, chosen, of="potential")


@takes_numbers()
def fit_readout(
    spec: NetworkSpec, recording: Recording, targets: Targets, population: str, *, tau_ms: float = 20.0, ridge: float = 1e-3
) -> LinearReadout:
    """Return the linear readout of filtered spikes that is nearest to the targets, by ridge regression on the steps that count.

    Fit it on training trials of the trained network, and read other trials, and other cells, with the same one.
    Ridge regression is that of Hoerl & Kennard 1970, doi 10.1080/00401706.1970.10488634.

    Parameters
    ----------
    spec, recording, targets : NetworkSpec, Recording, Targets
        Trials to fit on.
    population : str
        Whose spikes are read.
    tau_ms : float
        Time constant of the filter in ms.
    ridge : float
        Penalty on squared weights, as a share of the mean variance of the filtered spikes; 0 or more.

    Raises
    ------
    DataError
        For trials that do not belong together.
    """
    n = spec[population].size
    seen = LinearReadout(population, np.eye(n), tau_ms=tau_ms).output(spec, recording, targets.dt_ms)
    if seen.shape[:2] != targets.values.shape[:2]:
        raise DataError(f"fit_readout: {seen.shape[:2]} trials and steps recorded, {targets.values.shape[:2]} in the targets.")
    if ridge < 0:
        raise DataError(f"fit_readout.ridge: {ridge!r}; give 0 or more.")
    x, y = seen[targets.counted], targets.values[targets.counted]
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    gram = (x - mean_x).T @ (x - mean_x)
    penalty = ridge * max(float(np.trace(gram)) / n, 1e-30) * np.eye(n)
    weights = np.linalg.lstsq(gram + penalty, (x - mean_x).T @ (y - mean_y), rcond=None)[0].T
    return LinearReadout(population, weights, mean_y - weights @ mean_x, tau_ms=tau_ms)
