"""Six public shapes at small sizes, trained here on 8 x 8 digits by the loop that people write for the framework in question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import snntorch as snn
import torch
from norse import torch as norse
from sklearn.datasets import load_digits
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn
from torch.nn import functional as F

import ei_brian as ei
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.interop.state_dict import from_state_dict

__all__ = ["SHAPES", "Trained"]

STEPS, TRAIN, CALIBRATION = 16, 1000, 300
Scores = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Trained:
    """A trained network, what its own framework decides on the test set, and the inputs.

    Parameters
    ----------
    framework, network, source : str
        Words for the table.
    spec : NetworkSpec
        As it was read.
    model : torch.nn.Module or None
        The module, where there is one.
    theirs : array of int
        Decisions of the framework on the test set.
    test, calibration : Stimulus
        Input with labels.
    """

    framework: str
    network: str
    source: str
    spec: NetworkSpec
    model: nn.Module | None
    theirs: Any
    test: Stimulus
    calibration: Stimulus


def _digits() -> tuple[Any, Any]:
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    return np.float32(images[order] / 16), labels[order]


def _latency(images: Any) -> Any:
    """Return spikes (trial, step, unit): one for each pixel, the earlier the brighter; none for black ones."""
    step = np.rint((1 - images) * (STEPS - 4)).astype(int)
    return np.float32((step[:, None] == np.arange(STEPS)[:, None]) & (images[:, None] > 0))


def _given(latency: bool) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = _digits()
    x = _latency(images) if latency else np.repeat(images[:, None], STEPS, axis=1)
    return torch.from_numpy(np.ascontiguousarray(x.transpose(1, 0, 2))), torch.from_numpy(labels)


def _stimulus(x: torch.Tensor, labels: torch.Tensor, part: slice, dt_ms: float, latency: bool, name: str) -> Stimulus:
    array = x[:, part].permute(1, 0, 2).numpy()
    chosen = labels[part].numpy()
    if latency:
        return Stimulus(Spikes.from_dense(array > 0, dt_ms), chosen, 10, name)
    return Stimulus.from_currents(array, dt_ms, chosen, 10, name)


def _train(parameters: Any, scores: Scores, x: torch.Tensor, labels: torch.Tensor, epochs: int, rate: float) -> None:
    optimiser = torch.optim.Adam(parameters, rate)
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for batch in torch.randperm(TRAIN, generator=generator).split(100):
            optimiser.zero_grad()
            F.cross_entropy(scores(x[:, batch]), labels[batch]).backward()
            optimiser.step()


def _made(
    words: tuple[str, str, str], spec: NetworkSpec, model: nn.Module | None, scores: Scores, x: torch.Tensor,
    labels: torch.Tensor, latency: bool = False,
) -> Trained:  # fmt: skip
    end = TRAIN + CALIBRATION
    with torch.no_grad():
        theirs = torch.cat([scores(part).argmax(1) for part in x[:, end:].split(100, dim=1)]).numpy()
    test = _stimulus(x, labels, slice(end, None), spec.dt_ms, latency, "test")
    return Trained(*words, spec, model, theirs, test, _stimulus(x, labels, slice(TRAIN, end), spec.dt_ms, latency, "calibration"))


# -- snnTorch --------------------------------------------------------------------------------------------------------------------


class Leaky(nn.Module):
    """Linear, Leaky, Linear, Leaky over steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 80), snn.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(80, 10), snn.Leaky(beta=0.9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, kept = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for now in x:
            spk1, mem1 = self.lif1(self.fc1(now), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            kept.append(spk2)
        return torch.stack(kept)


def leaky() -> Trained:
    """Return snnTorch's two layers; the class that fires most decides."""
    x, labels = _given(latency=False)
    model = Leaky()

    def scores(given: torch.Tensor) -> torch.Tensor:
        return model(given).sum(0)  # type: ignore[no-any-return]

    _train(model.parameters(), scores, x, labels, 20, 3e-3)
    words = ("snnTorch", "two layers of Leaky", "snnTorch tutorial 5")
    return _made(words, ei.from_snntorch(model, torch.zeros(2, 1, 64)), model, scores, x, labels)


# -- Norse --------------------------------------------------------------------------------------------------------------------


class Memory(nn.Module):
    """Recurrent cells with thresholds that adapt, and a leaky readout."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = norse.LSNNRecurrentCell(64, 60, norse.LSNNParameters(tau_adapt_inv=torch.tensor(1 / 0.1)), dt=0.002)
        self.out, self.readout = nn.Linear(60, 10), norse.LICell(dt=0.002)
        with torch.no_grad():
            self.cell.input_weights.mul_(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = readout = None
        kept = []
        for now in x:
            spikes, state = self.cell(now, state)
            v, readout = self.readout(self.out(spikes), readout)
            kept.append(v)
        return torch.stack(kept)


def lsnn() -> Trained:
    """Return Norse's LSNN with the mean of its readout as the decision."""
    x, labels = _given(latency=False)
    model = Memory()

    def scores(given: torch.Tensor) -> torch.Tensor:
        return 10 * model(given).mean(0)  # type: ignore[no-any-return]

    _train(model.parameters(), scores, x, labels, 25, 3e-3)
    spec = ei.from_norse(model, torch.zeros(2, 1, 64), readout="mean v")
    return _made(("Norse", "LSNN", "LSNN (Bellec et al. 2018)"), spec, model, scores, x, labels)


# -- SpikingJelly ----------------------------------------------------------------------------------------------------------------


def _conv(n_in: int, n_out: int) -> list[nn.Module]:
    return [layer.Conv2d(n_in, n_out, 3, padding=1, bias=False), layer.BatchNorm2d(n_out), _node()]


def _node() -> nn.Module:
    options = {"tau": 2.0, "v_threshold": 0.5, "detach_reset": True}
    return neuron.LIFNode(surrogate_function=surrogate.ATan(), **options)  # type: ignore[no-any-return]


class Picture(nn.Module):
    """Makes a picture of the 64 numbers, step by step."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(*x.shape[:-1], 1, 8, 8)


class Residual(nn.Module):
    """A block whose spikes are added to those that it took (SEW, ADD)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.way = nn.Sequential(*_conv(channels, channels), *_conv(channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.way(x) + x  # type: ignore[no-any-return]


def _jelly(parts: list[nn.Module], words: tuple[str, str, str]) -> Trained:
    x, labels = _given(latency=False)
    model = nn.Sequential(Picture(), *parts)
    functional.set_step_mode(model, "m")

    def scores(given: torch.Tensor) -> torch.Tensor:
        functional.reset_net(model)
        return 5 * model(given).mean(0)  # type: ignore[no-any-return]

    _train(model.parameters(), scores, x, labels, 10, 1e-2)
    model.eval()
    functional.reset_net(model)
    return _made(words, ei.from_spikingjelly(model, torch.zeros(2, 1, 64)), model, scores, x, labels)


def csnn() -> Trained:
    """Return a convolutional network with pooling of spikes."""
    parts = [
        *_conv(1, 8), layer.MaxPool2d(2), *_conv(8, 16), layer.MaxPool2d(2), layer.Flatten(), layer.Linear(64, 10), _node(),
    ]  # fmt: skip
    return _jelly(parts, ("SpikingJelly", "CSNN with MaxPool", "SpikingJelly, example conv_fashion_mnist"))


def sew() -> Trained:
    """Return a residual network whose spikes are added."""
    parts = [
        *_conv(1, 8), Residual(8), layer.AvgPool2d(2), layer.Flatten(), layer.Linear(128, 10), _node(),
    ]  # fmt: skip
    return _jelly(parts, ("SpikingJelly", "SEW-ResNet", "SEW-ResNet (Fang et al. 2021)"))


# -- loops of one's own ------------------------------------------------------------------------------------------------------


class Fast(torch.autograd.Function):
    """A step, with the derivative of SpyTorch's SuperSpike."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return (x > 0).to(x)

    @staticmethod
    def backward(ctx: Any, given: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return given / (10 * x.abs() + 1) ** 2


ALPHA, BETA = float(np.exp(-1 / 5.0)), float(np.exp(-1 / 10.0))


def _spytorch(w1: torch.Tensor, w2: torch.Tensor, v1: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """SpyTorch's tutorial 4: the current of a step moves the membrane of the next, a spike resets in the step after."""
    syn = mem = out = torch.zeros(x.shape[1], len(v1))
    flt = value = torch.zeros(x.shape[1], w2.shape[1])
    kept = [value]
    for now in x:
        h1 = now @ w1 + out @ v1
        out = Fast.apply(mem - 1.0)  # type: ignore[no-untyped-call]
        mem, syn = (BETA * mem + syn) * (1 - out.detach()), ALPHA * syn + h1
        value, flt = BETA * value + flt, ALPHA * flt + out @ w2
        kept.append(value)
    return torch.stack(kept)


def spytorch() -> Trained:
    """Return SpyTorch's recurrent network on one spike per pixel; the largest value over time decides."""
    x, labels = _given(latency=True)
    generator = torch.Generator().manual_seed(0)
    w1, w2, v1 = (
        nn.Parameter(scale * torch.randn(*shape, generator=generator))
        for scale, shape in ((0.25, (64, 80)), (0.15, (80, 10)), (0.05, (80, 80)))
    )

    def scores(given: torch.Tensor) -> torch.Tensor:
        return _spytorch(w1, w2, v1, given).max(0).values

    _train([w1, w2, v1], scores, x, labels, 25, 3e-3)
    spec = ei.from_spytorch(w1, w2, v1, tau_mem_ms=10.0, tau_syn_ms=5.0)
    words = ("torch", "SpyTorch, recurrent", "SpyTorch tutorial 4, SHD (Cramer et al. 2022)")
    return _made(words, spec, None, scores, x, labels, latency=True)


LATEST = 6


class Delayed(nn.Module):
    """Weights each with a delay, learnt as the place of a narrow kernel over time and rounded for the test."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) / n_in**0.5 * 4)
        self.place = nn.Parameter(LATEST * torch.rand(n_out, n_in))

    def forward(self, x: torch.Tensor, rounded: bool) -> torch.Tensor:
        place = torch.round(self.place.clamp(0, LATEST)) if rounded else self.place.clamp(0, LATEST)
        shares = (1 - (torch.arange(LATEST + 1) - place[..., None]).abs()).clamp(min=0)
        kernel = (self.weight[..., None] * shares).flip(-1)
        return F.conv1d(F.pad(x.permute(1, 2, 0), (LATEST, 0)), kernel).permute(2, 0, 1)


def delays() -> Trained:
    """Return two layers with learnt delays (DCLS) behind one spike per pixel; written out as a state dict with whole steps."""
    x, labels = _given(latency=True)
    first, second = Delayed(64, 60), Delayed(60, 10)
    parameters = [*first.parameters(), *second.parameters()]

    def cells(drive: torch.Tensor, fires: bool) -> torch.Tensor:
        v, kept = torch.zeros(drive.shape[1:]), []
        for now in drive:
            v = 0.9 * v + now
            spikes = Fast.apply(v - 1.0) if fires else v  # type: ignore[no-untyped-call]
            v = v - v * spikes.detach() if fires else v
            kept.append(spikes)
        return torch.stack(kept)

    def run(given: torch.Tensor, rounded: bool) -> torch.Tensor:
        return cells(second(cells(first(given, rounded), True), rounded), True).sum(0)

    _train(parameters, lambda given: run(given, False), x, labels, 30, 1e-2)
    arrays = {}
    for name, part in (("a", first), ("b", second)):
        arrays |= {f"{name}.weight": part.weight, f"{name}.delays": torch.round(part.place.clamp(0, LATEST))}
    layers = [
        {"name": "a", "type": "Linear"}, {"name": "hidden", "type": "own"}, {"name": "b", "type": "Linear"},
        {"name": "out", "type": "own"},
    ]  # fmt: skip
    numbers = {"decay": 0.9, "limit": 1.0}
    cell = {"own": {"states": {"v": 0.0}, "parameters": numbers, "update": "v = decay*v + drive", "threshold": "v > limit",
                    "reset": "v = 0", "reference": "the loop of `delays`"}}  # fmt: skip
    with TemporaryDirectory() as folder:
        file = Path(folder) / "delays.npz"
        np.savez(file, **{key: value.detach().numpy() for key, value in arrays.items()})
        description = {"framework": "torch", "input_shape": [64], "layers": layers, "cells": cell}
        spec = from_state_dict(file, description)
    words = ("torch", "learnt delays, one for each synapse", "DCLS on SHD (Hammouamri et al. 2024)")
    return _made(words, spec, None, lambda given: run(given, True), x, labels, latency=True)


SHAPES: tuple[Callable[[], Trained], ...] = (leaky, lsnn, csnn, sew, spytorch, delays)
