"""Random modules written in the ways that people write them: what computes the same comes in, what does not is named."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from ei_brian.errors import DataError
from ei_brian.interop.check import check_import
from ei_brian.interop.plain_torch import from_torch
from ei_brian.interop.snntorch import from_snntorch

pytest.importorskip("snntorch")
from tests.interop.random_modules import Steps, random_steps
from tests.interop.test_random_modules import FEW, MANY, _comes_in, _other_input

Change = Callable[[Steps, int], nn.Module]
PLAIN = {"between": "plain", "arrangement": "steps first", "feedback": False, "head": ""}


# -- the same network in other words -------------------------------------------------------------------------------------------


@dataclass
class Made:
    """What some modules return."""

    spikes: torch.Tensor
    count: torch.Tensor


class Returning(nn.Module):
    """Wraps a module and returns what it gave in another form."""

    def __init__(self, inner: Steps, form: int) -> None:
        super().__init__()
        self.inner, self.form = inner, form
        self.sample = inner.sample

    def forward(self, x: torch.Tensor) -> Any:
        spikes = self.inner(x)
        forms = ({"spikes": spikes, "count": spikes.sum(0)}, Made(spikes, spikes.sum(0)), [spikes, (spikes.mean(0),)])
        return forms[self.form % 3]


class Kept(Steps):
    """States are cloned and taken off the graph between steps, as in truncated backpropagation."""

    def between(self, states: list[Any], spikes: list[torch.Tensor], step: int) -> list[Any]:
        return [[item.detach().clone() for item in state] for state in states]


class Dropping(Steps):
    """Dropout by a function that knows the mode."""

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        return super().current(layer, F.dropout(x, 0.5, self.training), step)


class OfSpikes(Steps):
    """A function of each spike by itself, which is a weight and a bias."""

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        functions: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
            lambda z: z * z, lambda z: z.clamp(0, 0.5), torch.tanh, lambda z: torch.where(z > 0, 0.7, -0.1),
            lambda z: z.int() * 2.0, lambda z: 1 - torch.exp(-z), lambda z: (z > 0).to(z), lambda z: z.bool().logical_not().to(z),
        )  # fmt: skip
        return super().current(layer, functions[(self.shown + layer) % len(functions)](x) if layer else x, step)


class Late(Steps):
    """Spikes reach the next layer some steps later, by a queue of the model's own."""

    def run(self, steps: Any) -> list[torch.Tensor]:
        trials = steps[0].shape[0]
        late = 1 + self.shown % 4 * 3
        self.queues = [deque([torch.zeros(trials, size)] * late) for size in self.sizes[1:-1]]
        return super().run(steps)

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        if layer == 0:
            return super().current(layer, x, step)
        self.queues[layer - 1].append(x)
        return super().current(layer, self.queues[layer - 1].popleft(), step)


def with_linear(change: Callable[[nn.Linear], Any]) -> Change:
    def changed(model: Steps, seed: int) -> nn.Module:
        for index, layer in enumerate(model.weights):
            assert isinstance(layer, nn.Linear)
            made = change(layer)
            if isinstance(made, nn.Module):
                model.weights[index] = made
        return model

    return changed


def turned(layer: nn.Linear) -> None:
    layer.weight = nn.Parameter(layer.weight.detach().t().contiguous().t())


def patched(layer: nn.Linear) -> None:
    layer.forward = lambda x: F.linear(x, 1.5 * layer.weight, layer.bias)  # type: ignore[method-assign, assignment]


def louder(layer: nn.Linear) -> None:
    layer.register_forward_pre_hook(lambda module, given: (1.5 * given[0],))


def drive_hook(model: Steps, seed: int) -> nn.Module:
    model.cells[0].register_forward_pre_hook(lambda module, given: (1.2 * given[0], *given[1:]))
    return model


class Sliced(nn.Module):
    """Weights and bias in one flat tensor with others."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        bias = layer.bias if layer.bias is not None else torch.zeros(layer.out_features)
        self.flat = nn.Parameter(torch.cat([torch.randn(5), layer.weight.reshape(-1), bias, torch.randn(3)]).detach())
        self.shape = layer.weight.shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rest = self.flat[5:-3]
        return x @ rest[: self.shape.numel()].view(self.shape).t() + rest[self.shape.numel() :]


def orthogonal(layer: nn.Linear) -> nn.Module:
    with torch.no_grad():
        return nn.Sequential(parametrizations.orthogonal(layer), Louder(2.5))


class Louder(nn.Module):
    """Scales the current."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


SAME: dict[str, tuple[type[Steps], Change]] = {
    "half": (Steps, lambda m, s: m.half()), "bfloat16": (Steps, lambda m, s: m.bfloat16()),
    "double": (Steps, lambda m, s: m.double()), "frozen": (Steps, lambda m, s: m.requires_grad_(False)),
    "train mode, dropout": (Dropping, lambda m, s: m.train()), "weights turned": (Steps, with_linear(turned)),
    "a forward put in place": (Steps, with_linear(patched)), "hook before weights": (Steps, with_linear(louder)),
    "hook before cells": (Steps, drive_hook), "orthogonal": (Steps, with_linear(orthogonal)),
    "spectral norm": (Steps, with_linear(lambda layer: nn.Sequential(parametrizations.spectral_norm(layer), Louder(4.0)))),
    "parallel": (Steps, lambda m, s: Wrapped(nn.DataParallel(m), m)), "returns": (Steps, lambda m, s: Returning(m, s)),
    "states kept off the graph": (Kept, lambda m, s: m), "functions of spikes": (OfSpikes, lambda m, s: m),
    "queues": (Late, lambda m, s: m), "slices": (Steps, with_linear(Sliced)),
}  # fmt: skip


class Wrapped(nn.Module):
    """A module of someone else around the network."""

    def __init__(self, inner: nn.Module, model: Steps) -> None:
        super().__init__()
        self.inner, self.sample = inner, model.sample

    def forward(self, x: torch.Tensor) -> Any:
        return self.inner(x)


@pytest.mark.parametrize("way", SAME)
def test_the_same_network_comes_in(way: str) -> None:
    for seed in FEW:
        kind, change = SAME[way]
        _comes_in(change(random_steps(seed, kind, **PLAIN), seed))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("way", SAME)
def test_many_that_are_the_same_come_in(way: str) -> None:
    for seed in MANY:
        kind, change = SAME[way]
        _comes_in(change(random_steps(seed, kind, **PLAIN), seed))  # type: ignore[arg-type]


# -- what is no network, and the word for it -----------------------------------------------------------------------------------


class Plastic(Steps):
    """Weights that change while it runs."""

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        made = super().current(layer, x, step)
        with torch.no_grad():
            self.weights[layer].weight.mul_(0.9)
        return made


class ByValue(Steps):
    """Another factor where many cells fire."""

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        return super().current(layer, x, step) * (1.0 if layer == 0 or x.sum() < 2 + self.shown % 3 else 2.0)


class OverTime(Steps):
    """Sums, differences or averages over the steps of the input."""

    def run(self, steps: Any) -> list[torch.Tensor]:
        given = torch.stack(list(steps))
        forms = (given.cumsum(0), torch.diff(given, dim=0, prepend=given[:1]), given - given.mean(0, keepdim=True), given.flip(0))
        return super().run(forms[self.shown % 4])


class Filtered(Steps):
    """A trace of the spikes, kept by the loop, goes to the next layer."""

    def run(self, steps: Any) -> list[torch.Tensor]:
        self.traces: list[Any] = [0.0] * len(self.cells)
        return super().run(steps)

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        if layer:
            self.traces[layer] = 0.8 * self.traces[layer] + x
        return super().current(layer, self.traces[layer] if layer else x, step)


class OutOfTorch(Steps):
    """Numbers leave torch on the way."""

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        return super().current(layer, torch.from_numpy(x.numpy()) if layer else x, step)


class OfTheInput(Steps):
    """What an encoder does stands inside of the module."""

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        forms: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
            lambda x: (x > 0.5).to(x), torch.sigmoid, lambda x: x / x.abs().max(), torch.abs,
        )  # fmt: skip
        return super().current(layer, forms[self.shown % 4](x) if layer == 0 else x, step)


def quantised(model: Steps, seed: int) -> nn.Module:
    from torch.ao.nn.quantized.dynamic import Linear

    model.weights[seed % len(model.weights)] = Linear(3, 2)  # type: ignore[no-untyped-call]
    return model


def scripted(model: Steps, seed: int) -> nn.Module:
    at = seed % len(model.weights)
    model.weights[at] = torch.jit.script(model.weights[at])  # type: ignore[no-untyped-call]
    return model


def unsteady(model: Steps, seed: int) -> nn.Module:
    at = seed % len(model.weights)
    model.weights[at] = nn.Sequential(model.weights[at], nn.BatchNorm1d(model.sizes[at + 1], track_running_stats=False))
    return model


def recurrent(model: Steps, seed: int) -> nn.Module:
    model.decoder = (nn.GRU, nn.LSTM, nn.RNN)[seed % 3](4, 4)
    return model


def cell_patched(model: Steps, seed: int) -> nn.Module:
    cell = model.cells[seed % len(model.cells)]
    own = cell.forward
    cell.forward = lambda x, *states: own(1.5 * x, *states)  # type: ignore[method-assign, assignment]
    return model


def state_hook(model: Steps, seed: int) -> nn.Module:
    cell = model.cells[seed % len(model.cells)]
    cell.register_forward_hook(lambda module, given, made: (made[0], *(0.5 * state for state in made[1:])))
    return model


OTHER: dict[str, tuple[type[Steps], Change, str]] = {
    "plastic": (Plastic, lambda m, s: m, "changes its parameters|parameters"),
    "decided by values": (ByValue, lambda m, s: m, "takes numbers out of tensors|differ"),
    "over time": (OverTime, lambda m, s: m, "depends on later steps|something of every step before|spikes differ"),
    "filter": (Filtered, lambda m, s: m, "something of every step before"),
    "out of torch": (OutOfTorch, lambda m, s: m, "left torch"),
    "encoder": (OfTheInput, lambda m, s: m, "do it to the data"),
    "quantised": (Steps, quantised, "rounds what it is given"), "scripted": (Steps, scripted, "before torch.jit"),
    "no statistics": (Steps, unsteady, "no running statistics"), "recurrent": (Steps, recurrent, "state of its own"),
    "cell with another forward": (Steps, cell_patched, "put in the place"), "hook on states": (Steps, state_hook, "a hook on"),
}  # fmt: skip


def named(way: str, seed: int) -> None:
    kind, change, words = OTHER[way]
    model = change(random_steps(seed, kind, **PLAIN), seed)
    with pytest.raises(DataError, match=words):
        from_snntorch(model, model.sample())  # type: ignore[operator]


@pytest.mark.parametrize("way", OTHER)
def test_what_is_no_network_is_named(way: str) -> None:
    for seed in FEW:
        named(way, seed)


@pytest.mark.slow
@pytest.mark.parametrize("way", OTHER)
def test_many_that_are_no_network_are_named(way: str) -> None:
    for seed in MANY:
        named(way, seed)


# -- cells of one's own --------------------------------------------------------------------------------------------------------


class Own(nn.Module):
    """Leaks, fires, and resets, in the words of ``way``; keeps its state."""

    def __init__(self, n: int, way: str) -> None:
        super().__init__()
        self.way, self.v = way, None
        self.leak, self.limit = nn.Parameter(0.7 + 0.25 * torch.rand(n)), nn.Parameter(0.3 + 0.5 * torch.rand(1, n))

    def reset(self) -> None:
        self.v: Any = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = torch.zeros_like(x) if self.v is None else self.v
        v = self.leak * before + x
        v = torch.tanh(v) if self.way == "tanh" else v
        hard, soft = (v > self.limit).to(x), torch.sigmoid(10 * (v - self.limit))
        if self.way == "straight through":
            hard = hard + soft - soft.detach()
        if self.way == "straight through, other order":
            hard = (hard - soft).detach() + soft
        if self.way == "places":
            v = v.clone()
            v[hard > 0] = 0.0
            self.v = v
            return hard
        self.v = v * (1 - hard)
        return hard


class Pair(nn.Module):
    def __init__(self, way: str) -> None:
        super().__init__()
        self.a, self.one, self.b, self.two = nn.Linear(10, 12), Own(12, way), nn.Linear(12, 5), Own(5, way)
        with torch.no_grad():
            self.a.weight.mul_(4)
            self.b.weight.mul_(4)

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.two(self.b(self.one(self.a(x)))) for x in xs])


@pytest.mark.parametrize("way", ["", "tanh", "straight through", "straight through, other order", "places"])
def test_cells_of_ones_own_in_many_words(way: str) -> None:
    for seed in FEW:
        torch.manual_seed(seed)
        model = Pair(way)
        spec = from_torch(model, torch.zeros(3, 1, 10), cells=[Own])
        assert spec.proof is not None
        assert (spec.proof.unequal, spec.proof.not_compared) == (0, ())
        assert spec.proof.n_spikes > 50
        report = check_import(spec, model, _other_input(spec))
        assert report.exact


class AllSteps(nn.Module):
    """A layer that runs all steps itself."""

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        v, kept = torch.zeros_like(xs[0]), []
        for x in xs:
            v = 0.9 * v + x
            kept.append((v > 1).to(x))
        return torch.stack(kept)


def test_what_is_no_cell_is_told_what_is_one() -> None:
    for kind in (AllSteps, nn.ReLU):
        with pytest.raises(DataError, match=r"neither keeps a state nor is handed one.*as one step"):
            from_torch(nn.Sequential(nn.Linear(5, 4), kind()), torch.zeros(3, 1, 5), cells=[kind])
    with pytest.raises(DataError, match=r"holds no layer of neurons that from_snntorch knows.*cells=\["):
        from_snntorch(Pair(""), torch.zeros(3, 1, 10))
