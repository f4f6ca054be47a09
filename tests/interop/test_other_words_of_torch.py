"""The same network in other words of torch: functions for layers, differences, factors within sums, states changed in place.

The import proves each against the module itself, so that a word that is read wrongly is a `ProofError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import ei_brian as ei
from ei_brian.core.spec import NetworkSpec
from tests.interop.test_proof import proven, wide

snn = pytest.importorskip("snntorch")

N = 12


class InPlace(nn.Module):
    """A membrane that every step changes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.mem: Any = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mem is None:
            self.mem = torch.zeros_like(x)
        self.mem.mul_(0.9).add_(x)
        spikes = (self.mem >= 1).to(x)
        self.mem.sub_(spikes)
        return spikes


class Factors(nn.Module):
    """Sums with factors of their own, and a step that is 1 or 0.5 at the threshold itself."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = torch.full((1,), at, dtype=torch.float64)
        self.register_buffer("low", torch.full((1,), -0.125))

    def forward(self, x: torch.Tensor, mem: Any = None) -> Any:
        mem = torch.zeros_like(x) if mem is None else torch.clamp(mem, min=self.low.to(x))
        mem = torch.add(0.8 * mem, x, alpha=0.5)
        distance = torch.sub(mem, torch.ones_like(x), alpha=0.75)
        spikes = (torch.heaviside(distance, self.at.to(x)) > 0.75).to(x)
        return spikes, mem - 0.5 * spikes


class Loop(nn.Module):
    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.cell = wide(nn.Linear(N, 8), 6), cell

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        state, kept = (), []
        for x in xs:
            made = self.cell(self.fc(x), *state)
            spikes, state = (made[0], made[1:]) if isinstance(made, tuple) else (made, ())
            kept.append(spikes)
        return torch.stack(kept)


@pytest.mark.parametrize("cell", [InPlace, lambda: Factors(1.0), lambda: Factors(0.0)], ids=["in place", "one", "zero"])
def test_steps_of_ones_own(cell: Callable[[], nn.Module]) -> None:
    spec = ei.from_torch(Loop(cell()), torch.zeros(3, 1, N), cells=[InPlace, Factors])
    proven(spec)


def test_a_step_at_the_threshold_itself_has_the_value_that_is_given() -> None:
    """Drives of 1.5 put the membrane on 0.75, the threshold of `Factors`, in the first step."""
    for at, fires in ((1.0, True), (0.0, False)):
        net = Loop(Factors(at))
        with torch.no_grad():
            net.fc.weight.copy_(torch.eye(8, N) * 1.5)
            net.fc.bias.zero_()
        spec = ei.from_torch(net, torch.zeros(3, 1, N), cells=[Factors])
        once = ei.network.Stimulus(ei.network.Spikes.from_dense(np.ones((1, 1, N)), spec.dt_ms))
        assert bool(ei.Backend("reference").run(spec, once).counts[spec.cells[0].name].all()) == fires


def both(spikes: torch.Tensor) -> torch.Tensor:
    return spikes[:, :1] * spikes[:, 1:]


class Between(nn.Module):
    """Layers joined by ``how``."""

    def __init__(self, how: Callable[[Any, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.how = how
        self.conv, self.fc = wide(nn.Conv2d(1, 2, 3, padding=1), 6), wide(nn.Linear(32, 5), 6)
        self.other = wide(nn.Conv2d(1, 2, 3, padding=1), 3)
        self.one, self.two = (snn.Leaky(beta=0.9, init_hidden=True) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.two(self.fc(self.how(self, x).flatten(1)))
        return result


JOINED: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "a pool as a function": lambda net, x: functional.avg_pool2d(net.one(net.conv(x)), 2),
    "a pool with a stride": lambda net, x: functional.avg_pool2d(net.one(net.conv(x)), 2, 2, 0),
    "a difference": lambda net, x: functional.avg_pool2d(net.one(net.conv(x) - net.other(x)), 2),
    "a difference the other way": lambda net, x: functional.avg_pool2d(net.one(torch.rsub(net.conv(x), net.other(x))), 2),
    "a difference from a number": lambda net, x: functional.avg_pool2d(1.0 - net.one(net.conv(x)), 2),
    "a sum with a factor": lambda net, x: functional.avg_pool2d(net.one(torch.add(net.conv(x), net.other(x), alpha=0.5)), 2),
    "a difference with a factor": lambda net, x: functional.avg_pool2d(net.one(torch.sub(net.conv(x), x, alpha=0.5)), 2),
    "a quotient": lambda net, x: functional.avg_pool2d(net.one(net.conv(x) / 0.5), 2),
    "both of two spikes": lambda net, x: functional.avg_pool2d(both(net.one(net.conv(x))), (1, 2)),
    "a mean": lambda net, x: net.one(net.conv(x)).reshape(-1, 32, 4).mean(-1),
    "a sum over one axis": lambda net, x: net.one(net.conv(x)).reshape(-1, 32, 4).sum(-1) * 0.5,
}


@pytest.mark.parametrize("how", JOINED)
def test_what_lies_between_layers(how: str) -> None:
    spec: NetworkSpec = ei.from_snntorch(Between(JOINED[how]), torch.zeros(1, 1, 8, 8))
    proven(spec)


@pytest.mark.parametrize("kept", [lambda made: {"last": made}, lambda made: [made], lambda made: ({"a": [made]},)])
def test_what_a_module_keeps_of_a_run_with_gradients_is_copied(kept: Callable[[torch.Tensor], Any]) -> None:
    """A tensor that has a history cannot be copied by torch; the module is read and left as it is."""
    net = nn.Sequential(wide(nn.Linear(N, 6), 6), snn.Leaky(beta=0.9, init_hidden=True))
    before = net(torch.ones(1, N))
    net.seen = kept(net[1].mem * 1.0)  # type: ignore[assignment]
    spec = ei.from_snntorch(net, torch.zeros(1, N))
    proven(spec)
    assert before.grad_fn is not None
    assert net[1].mem.grad_fn is not None


class Shown(nn.Module):
    """A picture, shown for as many steps inside forward."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.steps, self.conv, self.lif = steps, wide(nn.Conv2d(1, 2, 3), 6), snn.Leaky(beta=0.9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, kept = self.lif.init_leaky(), []
        for _ in range(self.steps):
            spikes, mem = self.lif(self.conv(x), mem)
            kept.append(spikes)
        return torch.stack(kept)


@pytest.mark.parametrize("trials", [1, 2, 3, 5])
def test_as_many_trials_as_steps_are_no_steps(trials: int) -> None:
    for steps in (2, 3):
        spec = ei.from_snntorch(Shown(steps), torch.zeros(trials, 1, 6, 6))
        assert spec.n_inputs == 36
        assert spec.provenance[-1]["takes"] == "static" or "static" in str(spec.provenance)


class Part(nn.Module):
    """A layer that reads the first inputs only."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.fc, self.lif = wide(nn.Linear(3, 5), 6), snn.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.lif(self.fc(x[:, :3]))
        return result


def test_inputs_that_nothing_reads_are_inputs() -> None:
    spec = ei.from_snntorch(Part(), torch.zeros(1, N))
    assert spec.n_inputs == N
    proven(spec, 5)
    assert not spec.projections[0].synapse_table()[0].max() >= 3
