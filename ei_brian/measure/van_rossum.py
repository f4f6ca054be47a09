"""Van Rossum distances, exact on the grid of time steps and vectorised over trials and neurons.

Each spike becomes a causal exponential ``exp(-t/tau)``. With the normalisation of Houghton & Kreuz (and of elephant) a single
spike is at distance 1 from silence; van Rossum's own is smaller by sqrt(2). All distances are dimensionless.

On a grid the inner product ``<i, j> = sum over spikes a of i, b of j of exp(-|a - b|/tau)`` is a product of filtered traces:
with ``d = exp(-dt/tau)`` and ``e[t] = d*e[t-1] + x[t]`` it is ``(1 - d*d) * sum_t e_i[t]*e_j[t] + d*d * e_i[T]*e_j[T]``, where T
is the last step: one matrix product instead of a loop over pairs and spikes.

References
----------
van Rossum 2001, Neural Comput. 13:751, doi 10.1162/089976601300014321; Houghton & Sen 2008, Neural Comput. 20:1495,
doi 10.1162/neco.2007.10-06-350; Houghton & Kreuz 2012, Network 23:48, doi 10.3109/0954898X.2012.673048.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spikes import Spikes
from ei_brian.errors import DataError

__all__ = [
    "mean_van_rossum", "multi_neuron_van_rossum", "van_rossum_between", "van_rossum_matrix",
]  # fmt: skip

Floats = npt.NDArray[np.float64]
NOTHING = 1e-11  # a squared distance below this share of the squared norms is rounding: the trains are equal


def _filtered(spikes: Spikes, tau_ms: float) -> Floats:
    """Return the traces (trial, step + 1, unit), scaled so that their dot product is the inner product of the trains."""
    if not (np.isfinite(tau_ms) and tau_ms > 0):
        raise DataError(f"tau_ms: {tau_ms!r}; give a positive number of ms.")
    decay = float(np.exp(-spikes.dt_ms / tau_ms))
    out = np.zeros((spikes.n_trials, spikes.n_steps + 1, spikes.n_units))
    out[spikes.trial, spikes.step, spikes.unit] = 1.0
    for step in range(1, spikes.n_steps):
        out[:, step] += decay * out[:, step - 1]
    out[:, -1] = decay * out[:, -2]
    out[:, :-1] *= np.sqrt(-np.expm1(-2 * spikes.dt_ms / tau_ms))
    return out


def _root(squared: Floats, norm: Floats) -> Floats:
    return np.sqrt(np.where(squared > NOTHING * norm, squared, 0.0))


def _distances(gram: Floats) -> Floats:
    """Return the distances of a matrix of inner products, shape (..., n, n)."""
    norm = np.diagonal(gram, axis1=-2, axis2=-1)
    sums = norm[..., :, None] + norm[..., None, :]
    return _root(sums - 2 * gram, sums)


@takes_numbers()
def van_rossum_matrix(spikes: Spikes, tau_ms: float) -> Floats:
    """Return the distance of each pair of neurons in each trial, shape (trial, unit, unit), dimensionless.

    References
    ----------
    van Rossum 2001, Neural Comput. 13:751, doi 10.1162/089976601300014321.
    """
    out = np.empty((spikes.n_trials, spikes.n_units, spikes.n_units))
    at_once = max(1, 4_000_000 // ((spikes.n_steps + 1) * spikes.n_units))
    for start in range(0, spikes.n_trials, at_once):
        stop = min(start + at_once, spikes.n_trials)
        traces = _filtered(spikes.select(start, stop), tau_ms)
        out[start:stop] = _distances(traces.transpose(0, 2, 1) @ traces)
    return out


@takes_numbers()
def mean_van_rossum(spikes: Spikes, tau_ms: float) -> float:
    """Return the mean distance, dimensionless, over all pairs of different neurons and all trials; nan for a single neuron.

    How differently the neurons of a population fire: the measure that Kilgore et al. 2025 (doi 10.1038/s41598-025-03408-7)
    relate to networks that train well.
    """
    n = spikes.n_units
    if n < 2 or not spikes.n_trials:
        return float("nan")
    total = 0.0
    for start in range(0, spikes.n_trials, 50):
        stop = min(start + 50, spikes.n_trials)
        total += float(van_rossum_matrix(spikes.select(start, stop), tau_ms).sum())
    return total / (spikes.n_trials * n * (n - 1))


@takes_numbers()
def van_rossum_between(first: Spikes, second: Spikes, tau_ms: float) -> Floats:
    """Return the distance of each neuron's train in one recording from that in another, shape (trial, unit), dimensionless.

    By van Rossum 2001, doi 10.1162/089976601300014321.

    Raises
    ------
    DataError
        If the sizes or time steps differ.
    """
    sizes = [(s.n_trials, s.n_steps, s.n_units, s.dt_ms) for s in (first, second)]
    if sizes[0] != sizes[1]:
        raise DataError(f"van_rossum_between: (trials, steps, units, dt) are {sizes[0]} and {sizes[1]}; they must be equal.")
    one, other = _filtered(first, tau_ms), _filtered(second, tau_ms)
    norm = np.sum(one**2, axis=1) + np.sum(other**2, axis=1)
    return _root(np.sum((one - other) ** 2, axis=1), norm)


@takes_numbers()
def multi_neuron_van_rossum(spikes: Spikes, tau_ms: float, mixing: float = 0.0) -> Floats:
    """Return the distance of each pair of trials, all neurons together, shape (trial, trial), dimensionless.

    By Houghton & Sen 2008, doi 10.1162/neco.2007.10-06-350, computed on the grid in the sense of Houghton & Kreuz 2012.

    With ``delta_p`` the difference of neuron p's filtered trains,
    ``D**2 = (1 - c) * sum_p |delta_p|**2 + c * |sum_p delta_p|**2``.

    Parameters
    ----------
    spikes : Spikes
        All trials.
    tau_ms : float
        Time constant in ms.
    mixing : float
        c = cos(theta), 0 to 1: 0 when it matters which neuron spiked (labelled lines), 1 when only the sum counts.
    """
    if not 0 <= mixing <= 1:
        raise DataError(f"mixing: {mixing!r}; give a number from 0 (labelled lines) to 1 (summed population).")
    traces = _filtered(spikes, tau_ms)
    lines, summed = traces.reshape(spikes.n_trials, -1), traces.sum(axis=2)
    return _distances((1 - mixing) * (lines @ lines.T) + mixing * (summed @ summed.T))
