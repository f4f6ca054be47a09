"""What cells would receive if every cell of the network spiked as its trained original does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.projection import Projection
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus

__all__ = ["acts_in_its_step", "forced_jumps", "jumps_by_projection", "late_jumps", "released"]

Array = npt.NDArray[np.floating]


def forced_jumps(
    spec: NetworkSpec, stimulus: Stimulus, spikes: Mapping[str, npt.NDArray[np.bool_]], target: str
) -> dict[str, npt.NDArray[np.float32]]:
    """Return what arrives at each port of a population in each step, shape (trial, step, neuron), in the unit of the port.

    Parameters
    ----------
    spec : NetworkSpec
        The network whose weights, delays and plasticity act.
    stimulus : Stimulus
        Its input, on its own time grid.
    spikes : mapping of population to array of bool, shape (trial, step, neuron)
        The spikes that all cells are made to emit.
    target : str
        The population that receives.

    Notes
    -----
    What arrives before the target's update of a step stands in the step before: `replay` adds arrivals at the end of a step.
    """
    arriving: dict[str, npt.NDArray[np.float32]] = {}
    ports = {projection.name: projection.port for projection in spec.projections}
    for name, made in jumps_by_projection(spec, stimulus, spikes, target):
        port = ports[name]
        arriving[port] = arriving[port] + made if port in arriving else made
    return arriving


def jumps_by_projection(
    spec: NetworkSpec, stimulus: Stimulus, spikes: Mapping[str, npt.NDArray[np.bool_]], target: str
) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Yield, for each projection to a population, its name and what it makes arrive; parameters as for `forced_jumps`."""
    first: dict[str, slice] = {}
    start = 0
    for population in spec.inputs:
        first[population.name] = slice(start, start + population.size)
        start += population.size
    given = stimulus.dense(np.float32) if any(p.target == target and p.source in first for p in spec.projections) else None
    for projection in spec.projections:
        if projection.target != target:
            continue
        sent: Any = given[:, :, first[projection.source]] if projection.source in first and given is not None else None
        if sent is None:
            sent = spikes[projection.source].astype(np.float32)
            if projection.plasticity is not None:
                sent = released(sent, projection.plasticity, spec.dt_ms)
        made = _propagated(projection, sent)
        if acts_in_its_step(spec, projection):
            made[:, :-1] = made[:, 1:]
            made[:, -1] = 0
        yield projection.name, made


def acts_in_its_step(spec: NetworkSpec, projection: Projection) -> bool:
    """Tell whether spikes reach the target before its update of the same step, as in torch's loops over layers."""
    return spec.schedule.index(Phase("propagate", projection.name)) < spec.schedule.index(Phase("update", projection.target))


def late_jumps(
    spec: NetworkSpec, spikes: Mapping[str, npt.NDArray[np.bool_]], target: str, port: str
) -> npt.NDArray[np.float32] | float:
    """Return what reaches a port of a population from other cells after its update, shape (trial, step, neuron)."""
    late: Any = 0.0
    for projection in spec.projections:
        mine = projection.target == target and projection.port == port and projection.source in spikes
        if mine and not acts_in_its_step(spec, projection):
            sent = spikes[projection.source].astype(np.float32)
            if projection.plasticity is not None:
                sent = released(sent, projection.plasticity, spec.dt_ms)
            late = late + _propagated(projection, sent)
    return late  # type: ignore[no-any-return]


def released(spikes: npt.NDArray[np.float32], plasticity: TsodyksMarkram, dt_ms: float) -> npt.NDArray[np.float32]:
    """Return the size of each spike under short-term plasticity, same shape (trial, step, neuron); 0 where there is none."""
    decay_u, decay_x = np.exp(-dt_ms / plasticity.tau_u_ms), np.exp(-dt_ms / plasticity.tau_x_ms)
    u, x = np.zeros_like(spikes[:, 0]), np.ones_like(spikes[:, 0])
    out = np.zeros_like(spikes)
    for step in range(spikes.shape[1]):
        u, x = u * decay_u, 1 - (1 - x) * decay_x
        now = spikes[:, step] > 0
        u = np.where(now, u + plasticity.utilization * (1 - u), u)
        out[:, step] = np.where(now, u * x / plasticity.utilization, 0.0)
        x = np.where(now, x - u * x, x)
    return out


def _propagated(projection: Projection, sent: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return what arrives in each step; sparse weights stay sparse, as a dense table of large layers has gigabytes."""
    n_trials, n_steps, n_source = sent.shape
    flat = sparse.csr_array(sent.reshape(n_trials * n_steps, n_source))
    out = np.zeros((n_trials, n_steps, projection.weights.shape[0]), dtype=np.float32)
    for delay in np.unique(projection.delay_steps).tolist():
        if delay < n_steps:
            made: Any = flat @ _delayed(projection, delay).T.astype(np.float32)
            made = made.toarray() if sparse.issparse(made) else np.asarray(made)
            out[:, delay:] += made.reshape(n_trials, n_steps, -1)[:, : n_steps - delay]
    return out


def _delayed(projection: Projection, delay: int) -> Any:
    """Return the weights of the synapses that have a delay, with 0 for the others."""
    weights: Any = projection.weights
    if np.ndim(projection.delay_steps) == 0:
        return weights
    chosen = np.asarray(projection.delay_steps) == delay
    if not projection.sparse:
        return np.where(chosen, weights, 0)
    return sparse.csr_array((np.where(chosen, weights.data, 0), weights.indices, weights.indptr), shape=weights.shape)
