"""The trainable network: recurrent current-based LIF cells, excitatory and inhibitory, stepped as Brian2 steps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ei_brian.core.models.lif_exponential import COEFFICIENTS
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import ConfigError
from ei_brian.learn.surrogate import FastSigmoid, Surrogate

__all__ = ["Activity", "EINetwork", "Layer"]

RECURRENT_SCALE = 0.2
READOUTS = ("max v", "mean v", "last v")
CELLS = ("lif_exponential", "spytorch")


@dataclass(frozen=True, slots=True)
class Layer:
    """Sizes of one hidden layer."""

    n_exc: int
    n_inh: int

    @property
    def size(self) -> int:
        """Number of neurons, excitatory first."""
        return self.n_exc + self.n_inh


@dataclass(frozen=True, slots=True)
class Activity:
    """What a forward pass gives: spikes of each layer (trial, step, neuron) and the readout's v (trial, step, class)."""

    spikes: tuple[torch.Tensor, ...]
    readout_v: torch.Tensor
    first_peak: bool = False

    def scores(self, kind: str) -> torch.Tensor:
        """Return the score of each class, shape (trial, class).

        Where several steps share a maximum its gradient is divided among them, or goes to the first one if ``first_peak``.
        """
        if kind == "max v":
            return self.readout_v.max(dim=1).values if self.first_peak else self.readout_v.amax(dim=1)
        return self.readout_v.mean(dim=1) if kind == "mean v" else self.readout_v[:, -1]


class EINetwork(nn.Module):
    """Spiking network of excitatory and inhibitory current-based LIF cells with a leaky readout.

    Every step runs in Brian2's order: all membranes and currents by the exact propagator of ``dv/dt = (-v + g)/tau_mem``,
    ``dg/dt = -g/tau_syn``; then thresholds at 1; then the spikes of this step, and the input events of this step, add their
    weights to ``g``; then ``v = 0`` where a cell spiked. The gradient does not pass through the reset (it is detached, as in
    Zenke & Vogels 2021, doi 10.1162/neco_a_01367); it passes through ``v``, ``g`` and the spikes.

    Parameters
    ----------
    n_in, n_out : int
        Number of input units, and of classes or of outputs over time.
    n_exc, n_inh : int or sequence of int
        Cells of the hidden layer, or of each hidden layer; ``n_inh`` may be 0. Excitatory cells alone project to the next
        layer; both kinds of the last one project to the readout.
    dt_ms : float
        Time step in ms.
    seed : int
        Decides the initial weights to the bit.
    recurrent : bool
        Whether cells of a layer project to each other (E and I both).
    dale : bool
        Keep the weights of excitatory cells >= 0 and those of inhibitory cells <= 0, at every step of training. Input units
        stand for axons of both kinds: their weights have any sign unless ``excitatory_input``.
    excitatory_input : bool
        Keep input weights >= 0 as well.
    tau_mem_exc_ms, tau_mem_inh_ms, tau_mem_out_ms : float
        Membrane time constants in ms.
    tau_syn_exc_ms, tau_syn_inh_ms, tau_syn_out_ms : float
        Time constants of the synaptic current *into* those cells in ms.
    readout : {"max v", "mean v", "last v"}
        What the decision is read from.
    surrogate : Surrogate
        Gradient of the spike.
    cell : {"lif_exponential", "spytorch"}
        ``"spytorch"`` is the cell of SpyTorch (Zenke, tutorials 1 to 4) and of Kilgore et al. 2025: the threshold is looked at
        first, then ``v = (v*decay_mem + g)*(1 - spike)`` and ``g = g*decay_syn + input``; no factor on the current, and the step
        after a spike ends at 0 whatever arrives. Its readout integrates the same way, and the gradient of a maximum over time
        goes to its first step, so that an output that never rises above its start at 0 has none.

    Raises
    ------
    ConfigError
        For sizes or time constants that are not positive, and layers that do not match.
    """

    @takes_numbers()
    def __init__(
        self, n_in: int, n_exc: int | Sequence[int], n_inh: int | Sequence[int], n_out: int, dt_ms: float = 1.0, seed: int = 0,
        *, recurrent: bool = True, dale: bool = True, excitatory_input: bool = False,
        tau_mem_exc_ms: float = 20.0, tau_mem_inh_ms: float = 10.0, tau_mem_out_ms: float = 20.0,
        tau_syn_exc_ms: float = 5.0, tau_syn_inh_ms: float = 5.0, tau_syn_out_ms: float = 5.0,
        readout: str = "max v", surrogate: Surrogate | None = None, cell: str = "lif_exponential",
    ) -> None:  # fmt: skip
        super().__init__()
        sizes_exc, sizes_inh = _as_tuple(n_exc), _as_tuple(n_inh)
        self.layers = tuple(Layer(exc, inh) for exc, inh in zip(sizes_exc, sizes_inh, strict=False))
        self.n_in, self.n_out, self.dt_ms, self.seed = n_in, n_out, dt_ms, seed
        self.recurrent, self.dale, self.excitatory_input, self.readout = recurrent, dale, excitatory_input, readout
        self.tau_mem_ms = {"exc": tau_mem_exc_ms, "inh": tau_mem_inh_ms, "out": tau_mem_out_ms}
        self.tau_syn_ms = {"exc": tau_syn_exc_ms, "inh": tau_syn_inh_ms, "out": tau_syn_out_ms}
        self.surrogate, self.cell = surrogate or FastSigmoid(10.0), cell
        self._check(sizes_exc, sizes_inh)
        generator = torch.Generator().manual_seed(seed)
        sources = [n_in, *(layer.n_exc for layer in self.layers[:-1])]
        self.forward_weights = nn.ParameterList(
            _initial(layer.size, source, self._positive_source(index), generator)
            for index, (layer, source) in enumerate(zip(self.layers, sources, strict=True))
        )
        self.recurrent_weights = nn.ParameterList(
            _initial(layer.size, layer.size, dale, generator, RECURRENT_SCALE) for layer in self.layers if recurrent
        )
        self.readout_weights = _initial(n_out, self.layers[-1].size, dale, generator)
        for index, layer in enumerate(self.layers):
            self.register_buffer(f"source_sign_{index}", _signs(layer, dale), persistent=False)
            for name, values in self._coefficients(layer).items():
                self.register_buffer(f"{name}_{index}", values, persistent=False)

    def _check(self, sizes_exc: Sequence[int], sizes_inh: Sequence[int]) -> None:
        if len(sizes_exc) != len(sizes_inh) or not sizes_exc:
            raise ConfigError(f"EINetwork: n_exc has {len(sizes_exc)} layers, n_inh {len(sizes_inh)}; give one each per layer.")
        if min(sizes_exc) < 1 or min(sizes_inh) < 0 or self.n_in < 1 or self.n_out < 1:
            raise ConfigError(
                f"EINetwork: n_in={self.n_in}, n_exc={list(sizes_exc)}, n_inh={list(sizes_inh)}, n_out={self.n_out}; "
                "n_in, n_exc and n_out are at least 1, n_inh at least 0."
            )
        for name, value in (*self.tau_mem_ms.items(), *self.tau_syn_ms.items(), ("dt", self.dt_ms)):
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f"EINetwork: time constant of {name!r} is {value!r}; give a positive number of ms.")
        if self.cell not in CELLS:
            raise ConfigError(f"EINetwork.cell: {self.cell!r}; allowed: {', '.join(CELLS)}.")
        if self.readout not in READOUTS:
            raise ConfigError(f"EINetwork.readout: {self.readout!r}; allowed: {', '.join(READOUTS)}.")

    def _positive_source(self, index: int) -> bool:
        return self.excitatory_input if index == 0 else self.dale

    def _coefficients(self, layer: Layer | None) -> dict[str, torch.Tensor]:
        kinds = ["out"] if layer is None else ["exc"] * layer.n_exc + ["inh"] * layer.n_inh
        parameters = {
            "tau_mem": np.array([self.tau_mem_ms[kind] for kind in kinds]),
            "tau_syn": np.array([self.tau_syn_ms[kind] for kind in kinds]),
        }
        values = {c.name: torch.tensor(np.asarray(c.value(parameters, self.dt_ms))) for c in COEFFICIENTS}
        return values if self.cell == "lif_exponential" else values | {"g_to_v": torch.ones_like(values["g_to_v"])}

    @takes_numbers()
    def effective(self, magnitudes: torch.Tensor, index: int) -> torch.Tensor:
        """Return the weights from a hidden layer: its stored magnitudes times the sign of each source cell."""
        sign: torch.Tensor = getattr(self, f"source_sign_{index}")
        return magnitudes * sign.to(magnitudes.dtype)

    @torch.no_grad()
    def enforce_dale(self) -> None:
        """Set every stored magnitude that training pushed below zero to zero."""
        if self.dale:
            for weights in (*self.recurrent_weights, self.readout_weights, *list(self.forward_weights)[1:]):
                weights.clamp_(min=0)
        if self.excitatory_input:
            self.forward_weights[0].clamp_(min=0)

    def forward(self, events: torch.Tensor) -> Activity:
        """Return the activity for input of shape (trial, step, unit), in the dtype of the input."""
        dtype, n_steps = events.dtype, events.shape[1]
        weights = [w.to(dtype) for w in self.forward_weights]
        loops = [self.effective(w.to(dtype), index) for index, w in enumerate(self.recurrent_weights)]
        drive = events @ weights[0].T
        states = [_LayerState(self, index, events) for index in range(len(self.layers))]
        spikes: list[list[torch.Tensor]] = [[] for _ in self.layers]
        for step in range(n_steps):
            fired = [state.advance() for state in states]
            for index, (state, z) in enumerate(zip(states, fired, strict=True)):
                total = drive[:, step] if index == 0 else fired[index - 1][:, : self.layers[index - 1].n_exc] @ weights[index].T
                state.receive(total + z @ loops[index].T if self.recurrent else total)
                state.reset(z)
                spikes[index].append(z)
        stacked = tuple(torch.stack(kept, dim=1) for kept in spikes)
        return Activity(stacked, self._integrate(stacked[-1]), first_peak=self.cell == "spytorch")

    def _integrate(self, spikes: torch.Tensor) -> torch.Tensor:
        """Return the readout's membrane potential; it never spikes, so that it can be stepped after the cells."""
        dtype = spikes.dtype
        drive = spikes @ self.effective(self.readout_weights.to(dtype), len(self.layers) - 1).T
        decay_mem, decay_syn, g_to_v = (c.to(dtype) for c in self._coefficients(None).values())
        v = g = torch.zeros_like(drive[:, 0])
        kept = []
        for step in range(drive.shape[1]):
            v = v * decay_mem + g * g_to_v
            g = g * decay_syn + drive[:, step]
            kept.append(v)
        return torch.stack(kept, dim=1)


class _LayerState:
    """Membrane potentials and currents of one layer during a forward pass."""

    def __init__(self, net: EINetwork, index: int, events: torch.Tensor) -> None:
        shape = (events.shape[0], net.layers[index].size)
        self.v = self.g = torch.zeros(shape, dtype=events.dtype, device=events.device)
        self.decay_mem, self.decay_syn, self.g_to_v = (
            getattr(net, f"{c.name}_{index}").to(events.dtype) for c in COEFFICIENTS
        )
        self.spike, self.threshold_first = net.surrogate, net.cell == "spytorch"

    def advance(self) -> torch.Tensor:
        """Step membrane and current, and return the spikes."""
        before = self.v
        self.v = before * self.decay_mem + self.g * self.g_to_v
        self.g = self.g * self.decay_syn
        return self.spike((before if self.threshold_first else self.v) - 1.0)

    def receive(self, weights: torch.Tensor) -> None:
        """Add what arrived."""
        self.g = self.g + weights

    def reset(self, z: torch.Tensor) -> None:
        """Set the membrane of the cells that spiked to 0."""
        self.v = self.v * (1 - z.detach())


def _as_tuple(sizes: int | Sequence[int]) -> tuple[int, ...]:
    return (sizes,) if isinstance(sizes, int) else tuple(sizes)


def _signs(layer: Layer, dale: bool) -> torch.Tensor:
    signs = torch.ones(layer.size)
    if dale:
        signs[layer.n_exc :] = -1
    return signs


def _initial(n_target: int, n_source: int, positive: bool, generator: torch.Generator, scale: float = 1.0) -> nn.Parameter:
    """Return weights of size scale/sqrt(n_source): half-normal where they are magnitudes, normal elsewhere."""
    weights = torch.randn(n_target, n_source, generator=generator) * (scale / n_source**0.5)
    return nn.Parameter(weights.abs() if positive else weights)


