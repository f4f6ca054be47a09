"""The time steps of the hidden cells of many networks at once, with the gradient written out.

The steps and the gradient are those of `EINetwork`: exact propagator, threshold, propagation, reset; the reset is detached.
Writing the backward pass by hand avoids the tape of some ten operations a step that automatic differentiation keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ei_brian.core.models.lif_exponential import COEFFICIENTS
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, DataError
from ei_brian.learn.network import EINetwork
from ei_brian.learn.surrogate import Surrogate

__all__ = ["Batch", "Cells", "EnsembleActivity", "run_cells"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Input events of some trials, per step: which row (trial of the batch) and which unit."""

    rows: tuple[torch.Tensor, ...]
    units: tuple[torch.Tensor, ...]
    n_trials: int

    @property
    def n_steps(self) -> int:
        """Number of time steps."""
        return len(self.rows)

    @classmethod
    def of(cls, stimulus: Stimulus, trials: npt.NDArray[np.int64]) -> Batch:
        """Return the events of the given trials, in the order given.

        Raises
        ------
        DataError
            For graded input.
        """
        if stimulus.values is not None:
            raise DataError(f"stimulus {stimulus.name}: graded values; an ensemble takes spikes (latency or Poisson coding).")
        events = stimulus.events
        first = np.searchsorted(events.trial, np.arange(stimulus.n_trials + 1))
        length = first[trials + 1] - first[trials]
        row = np.repeat(np.arange(len(trials)), length)
        within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        pick = np.repeat(first[trials], length) + within
        step = events.step[pick]
        order = np.argsort(step, kind="stable")
        bounds = np.searchsorted(step[order], np.arange(stimulus.n_steps + 1))
        all_rows, all_units = torch.from_numpy(row[order]), torch.from_numpy(events.unit[pick][order].astype(np.int64))
        parts = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
        return cls(tuple(all_rows[p] for p in parts), tuple(all_units[p] for p in parts), len(trials))


@dataclass(slots=True, eq=False)
class Cells:
    """Weights and constants of several networks of equal total size.

    ``weights_in`` is (input, network, cell), ``loop`` (network, source, target), ``weights_out`` (network, cell, class): the last
    two as magnitudes that ``sign`` (network, cell) turns excitatory or inhibitory.
    """

    weights_in: torch.Tensor
    loop: torch.Tensor
    weights_out: torch.Tensor
    sign: torch.Tensor
    decay_mem: torch.Tensor
    decay_syn: torch.Tensor
    g_to_v: torch.Tensor
    surrogate: Surrogate
    readout: str
    readout_taus_ms: tuple[float, float]
    dt_ms: float

    network_axes = (1, 0, 0)

    @classmethod
    def of(cls, nets: Sequence[EINetwork]) -> Cells:
        """Return copies of the weights of some networks.

        Raises
        ------
        ConfigError
            Unless each has one recurrent layer under Dale's law and a linear readout, and all have the same sizes.
        """
        first = nets[0]
        for index, net in enumerate(nets):
            _check(index, net, first)
        decay_mem, decay_syn, g_to_v = (
            torch.stack([getattr(net, f"{c.name}_0").float() for net in nets]) for c in COEFFICIENTS
        )
        taus = (first.tau_mem_ms["out"], first.tau_syn_ms["out"])
        with torch.no_grad():
            made = cls(
                torch.stack([net.forward_weights[0].T for net in nets], dim=1).float().contiguous(),
                torch.stack([net.recurrent_weights[0].T for net in nets]).float().contiguous(),
                torch.stack([net.readout_weights.T for net in nets]).float().contiguous(),
                torch.stack([net.source_sign_0 for net in nets]),  # type: ignore[misc]
                decay_mem, decay_syn, g_to_v, first.surrogate, first.readout, taus, first.dt_ms,
            )  # fmt: skip
        for parameter in made.parameters():
            parameter.requires_grad_(True)
        return made

    def parameters(self) -> list[torch.Tensor]:
        """Return what is trained."""
        return [self.weights_in, self.loop, self.weights_out]

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return self.loop.shape[0]

    @property
    def size(self) -> int:
        """Hidden cells of each network."""
        return self.loop.shape[1]

    @torch.no_grad()
    def enforce_dale(self) -> None:
        """Set every magnitude that training pushed below zero to zero."""
        self.loop.clamp_(min=0)
        self.weights_out.clamp_(min=0)

    @torch.no_grad()
    def write_back(self, nets: Sequence[EINetwork]) -> None:
        """Copy the weights into the networks that they came from."""
        for index, net in enumerate(nets):
            net.forward_weights[0].copy_(self.weights_in[:, index].T)
            net.recurrent_weights[0].copy_(self.loop[index].T)
            net.readout_weights.copy_(self.weights_out[index].T)

    def readout_kernel(self, n_steps: int) -> npt.NDArray[np.float64]:
        """Return the score that a spike of weight 1 in each step adds, shape (step,): the readout is linear."""
        tau_mem, tau_syn = (np.array(tau) for tau in self.readout_taus_ms)
        parameters = {"tau_mem": tau_mem, "tau_syn": tau_syn}
        decay_mem, decay_syn, g_to_v = (float(np.asarray(c.value(parameters, self.dt_ms))) for c in COEFFICIENTS)
        v, g, response = 0.0, 1.0, [0.0]
        for _ in range(n_steps - 1):
            v, g = v * decay_mem + g * g_to_v, g * decay_syn
            response.append(v)
        if self.readout == "last v":
            return np.array(response[::-1])
        return np.cumsum(response)[::-1] / n_steps


@dataclass(frozen=True, slots=True, eq=False)
class EnsembleActivity:
    """Scores (network, trial, class), spike counts (trial, network, cell) and the number of steps they were counted over."""

    scores: torch.Tensor
    count: torch.Tensor
    n_steps: int

    def rate_hz(self, dt_ms: float) -> npt.NDArray[np.float64]:
        """Return the mean rate of each network's cells."""
        rate: npt.NDArray[np.float64] = self.count.detach().double().mean(dim=(0, 2)).numpy() / (self.n_steps * dt_ms * 1e-3)
        return rate


def run_cells(cells: Cells, batch: Batch) -> EnsembleActivity:
    """Return the activity of all networks for a batch of trials."""
    loop = cells.loop * cells.sign[:, :, None]
    weights_out = cells.weights_out * cells.sign[:, :, None]
    filtered, count = _Steps.apply(cells.weights_in, loop, cells, batch)  # type: ignore[no-untyped-call]
    return EnsembleActivity(torch.bmm(filtered.transpose(0, 1), weights_out), count, batch.n_steps)


class _Steps(torch.autograd.Function):
    """From weights to spikes summed with the readout's kernel, and spike counts; both (trial, network, cell)."""

    @staticmethod
    def forward(
        context: Any, weights_in: torch.Tensor, loop: torch.Tensor, cells: Cells, batch: Batch
    ) -> tuple[torch.Tensor, torch.Tensor]:
        n_steps, (n_networks, size) = batch.n_steps, cells.sign.shape
        kernel = cells.readout_kernel(n_steps)
        shape = (batch.n_trials, n_networks, size)
        v, g, filtered, count = (torch.zeros(shape) for _ in range(4))
        distance, spikes = torch.empty((n_steps, *shape)), torch.empty((n_steps, *shape))
        rows = weights_in.view(weights_in.shape[0], -1)
        for step in range(n_steps):
            z = spikes[step]
            v.mul_(cells.decay_mem).addcmul_(g, cells.g_to_v)
            torch.sub(v, 1.0, out=distance[step])
            torch.gt(distance[step], 0.0, out=z)
            g.mul_(cells.decay_syn)
            if len(batch.rows[step]):
                g.view(batch.n_trials, -1).index_add_(0, batch.rows[step], rows[batch.units[step]])
            g.transpose(0, 1).baddbmm_(z.transpose(0, 1), loop)
            v.addcmul_(v, z, value=-1.0)
            filtered.add_(z, alpha=float(kernel[step]))
            count.add_(z)
        context.save_for_backward(distance, spikes, loop)
        context.cells, context.batch, context.kernel = cells, batch, kernel
        context.set_materialize_grads(False)
        return filtered, count

    @staticmethod
    def backward(
        context: Any, of_filtered: torch.Tensor | None, of_count: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        distance, spikes, loop = context.saved_tensors
        cells, batch, kernel = context.cells, context.batch, context.kernel
        to_v, to_g = torch.zeros(spikes.shape[1:]), torch.zeros(spikes.shape[1:])
        to_in = torch.zeros(cells.weights_in.shape)
        in_rows = to_in.view(to_in.shape[0], -1)
        to_z, arrived = torch.empty(spikes.shape[1:]), torch.empty_like(spikes)
        back = loop.transpose(1, 2)
        for step in reversed(range(batch.n_steps)):
            z = spikes[step]
            arrived[step].copy_(to_g)
            if len(batch.rows[step]):
                in_rows.index_add_(0, batch.units[step], to_g.view(batch.n_trials, -1)[batch.rows[step]])
            torch.bmm(to_g.transpose(0, 1), back, out=to_z.transpose(0, 1))
            if of_filtered is not None:
                to_z.add_(of_filtered, alpha=float(kernel[step]))
            if of_count is not None:
                to_z.add_(of_count)
            to_v.addcmul_(to_v, z, value=-1.0)
            to_v.addcmul_(to_z, cells.surrogate.derivative(distance[step]))
            to_g.mul_(cells.decay_syn).addcmul_(to_v, cells.g_to_v)
            to_v.mul_(cells.decay_mem)
        return to_in, _outer(spikes, arrived), None, None


def _outer(spikes: torch.Tensor, arrived: torch.Tensor) -> torch.Tensor:
    """Return the sum over steps and trials of source spike times target gradient, shape (network, source, target)."""
    n_networks, size = spikes.shape[2:]
    flat = (array.view(-1, n_networks, size).permute(1, 0, 2) for array in (spikes, arrived))
    source, target = flat
    return torch.bmm(source.transpose(1, 2), target)


def _check(index: int, net: EINetwork, first: EINetwork) -> None:
    fits = len(net.layers) == 1 and net.recurrent and net.dale and not net.excitatory_input
    if not fits or net.readout not in ("mean v", "last v"):
        raise ConfigError(
            f"network {index} of the ensemble: {len(net.layers)} layers, recurrent={net.recurrent}, dale={net.dale}, "
            f"excitatory_input={net.excitatory_input}, readout={net.readout!r}; an ensemble takes one recurrent layer under "
            "Dale's law, inputs of any sign, and the readout 'mean v' or 'last v'. Train others with train()."
        )
    mine, others = (
        (n.n_in, n.layers[0].size, n.n_out, n.dt_ms, n.readout, n.surrogate, n.tau_mem_ms["out"], n.tau_syn_ms["out"])
        for n in (net, first)
    )
    if mine != others:
        raise ConfigError(f"network {index} of the ensemble: {mine} where the first has {others}; all must agree.")
