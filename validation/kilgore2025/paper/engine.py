"""The package's trainer, seen as the paper's weights: (input, hidden) and (hidden, class), the latter signed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ei_brian.learn.engine.engine import Engine
from ei_brian.learn.engine.trials import Trials
from ei_brian.learn.goal import Goal
from ei_brian.learn.network import EINetwork
from ei_brian.learn.surrogate import FastSigmoid
from paper.protocol import Protocol

Floats = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores (trial, class) and spike counts (trial, cell)."""

    scores: npt.NDArray[np.floating]
    counts: npt.NDArray[np.int32]


def network_of(protocol: Protocol, n_exc: int, w1: Floats, w2: Floats) -> EINetwork:
    """Return the network of these weights: input weights >= 0, signs on the readout alone, no recurrence."""
    p = protocol
    net = EINetwork(
        p.n_in, n_exc, p.hidden - n_exc, p.classes, p.dt_ms, cell="spytorch", recurrent=False, excitatory_input=True,
        tau_mem_exc_ms=p.tau_mem_ms, tau_mem_inh_ms=p.tau_mem_ms, tau_mem_out_ms=p.tau_mem_ms,
        tau_syn_exc_ms=p.tau_syn_ms, tau_syn_inh_ms=p.tau_syn_ms, tau_syn_out_ms=p.tau_syn_ms,
        readout=p.readout, surrogate=FastSigmoid(p.surrogate_slope),
    )  # fmt: skip
    with torch.no_grad():
        net.forward_weights[0].copy_(torch.from_numpy(np.array(w1.T)))
        net.readout_weights.copy_(torch.from_numpy(np.abs(w2.T)))
    return net


class Loop:
    """A network in training: gradients of a batch, updates with absolute noise and bounds of sign, evaluation."""

    def __init__(self, protocol: Protocol, n_exc: int, w1: Floats, w2: Floats) -> None:
        self.protocol, self.n_exc = protocol, n_exc
        self.net = network_of(protocol, n_exc, w1, w2)
        self.engine = Engine(self.net, torch.float32, 1)

    @property
    def weights(self) -> tuple[Floats, Floats]:
        """Copies of the weights as they are now."""
        net = self.net
        w1, w2 = net.forward_weights[0].detach(), net.effective(net.readout_weights, 0).detach()
        return w1.T.numpy().copy(), w2.T.numpy().copy()

    @torch.no_grad()
    def step(self, trials: Trials, index: Index, noise_std: float, noise: np.random.Generator) -> npt.NDArray[np.float64]:
        """Make one step of SGD: gradient, then noise, then the bounds of sign.

        Returns loss, right answers, spikes and scores of 0, each summed over the trials.
        """
        net = self.net
        self.engine.load()
        loss, outcome = self.engine.gradients(trials, index, Goal(1.0))
        scores = outcome.scores.numpy()
        for weights in (net.forward_weights[0], net.readout_weights):
            weights -= self.protocol.learning_rate * weights.grad
            if noise_std:  # of either sign alike: magnitudes take it as signed weights would
                drawn = noise.standard_normal(weights.shape[::-1], dtype=np.float32)
                weights += noise_std * torch.from_numpy(drawn).T
        net.enforce_dale()
        right = float(np.sum(scores.argmax(axis=1) == trials.labels[index]))
        return np.array([loss * len(index), right, float(outcome.counts.sum()), float(np.sum(scores == 0))])

    def evaluate(self, trials: Trials, index: Index) -> Evaluation:
        """Return scores and spike counts."""
        self.engine.load()
        outcome = self.engine.forward(trials, index)
        return Evaluation(outcome.scores.numpy(), outcome.counts)

    def raster(self, trials: Trials, index: Index) -> npt.NDArray[np.uint8]:
        """Return the spikes, shape (trial, step, cell)."""
        self.engine.load()
        self.engine.forward(trials, index, keep=True)
        return self.engine.spikes(0)
