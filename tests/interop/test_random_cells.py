"""Cells made of random operations come in with every spike and state equal, or are refused; never wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ei_brian as ei
from ei_brian.errors import DataError
from tests.interop.test_random_modules import _other_input

Pair = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
OPERATIONS: tuple[Pair, ...] = (
    lambda a, b: a + b, lambda a, b: a - 0.5 * b, lambda a, b: a * b.clamp(-1, 1), lambda a, b: torch.where(a > b, a, 0.5 * b),
    lambda a, b: a / (1 + b.abs()), lambda a, b: torch.relu(a) - b, lambda a, b: torch.maximum(a, b) * 0.7,
    lambda a, b: torch.add(a, b, alpha=0.3), lambda a, b: (1 - (a >= b).to(a)) * a, lambda a, b: a.clamp(min=-2) - b.clamp(max=1),
    lambda a, b: torch.minimum(a, b), lambda a, b: 0.3 * a**2 - b, lambda a, b: torch.sign(a) * 0.2 + b,
    lambda a, b: a.masked_fill(b > 1, 0.25), lambda a, b: torch.heaviside(a - 1, torch.ones_like(a)) * b,
    lambda a, b: ((a > 0) & ~(b > 1)).to(a) - b, lambda a, b: a.clone().mul_(0.8).add_(b),
)  # fmt: skip


class Drawn(nn.Module):
    """Some random operations on the input and on two states, a leak, a threshold and a reset; states kept or handed on."""

    def __init__(self, seed: int, n: int) -> None:
        super().__init__()
        generator = np.random.default_rng(seed)
        self.plan = [tuple(int(i) for i in generator.integers(0, 10**6, 3)) for _ in range(int(generator.integers(2, 7)))]
        self.leak = nn.Parameter(torch.from_numpy(generator.uniform(0.3, 0.9, n)).float())
        self.soft, self.keeps = bool(generator.random() < 0.5), bool(generator.random() < 0.5)
        self.reset()

    def reset(self) -> None:
        self.v: Any = None
        self.w: Any = None

    def forward(self, x: torch.Tensor, state: Any = None) -> Any:
        v, w = (self.v, self.w) if self.keeps else state if state is not None else (None, None)
        v, w = (torch.zeros_like(x), torch.zeros_like(x)) if v is None else (v, w)
        pool = [x, v, w]
        for operation, first, second in self.plan:
            pool.append(OPERATIONS[operation % len(OPERATIONS)](pool[first % len(pool)], pool[second % len(pool)]))
        v = self.leak * v + x + 0.1 * pool[-1].clamp(-3, 3)
        spikes = (v > 1).to(x)
        v, w = (v - spikes) if self.soft else v * (1 - spikes), 0.8 * w + 0.2 * pool[-2].clamp(-3, 3)
        if self.keeps:
            self.v, self.w = v, w
            return spikes
        return spikes, (v, w)


class Two(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.a, self.one, self.b, self.two = nn.Linear(8, 12), Drawn(seed, 12), nn.Linear(12, 6), Drawn(seed + 1000, 6)
        with torch.no_grad():
            self.a.weight.mul_(4)
            self.b.weight.mul_(4)

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        first, second, kept = None, None, []
        for x in xs:
            spikes, first = self.run(self.one, self.a(x), first)
            spikes, second = self.run(self.two, self.b(spikes), second)
            kept.append(spikes)
        return torch.stack(kept)

    def run(self, cell: Drawn, x: torch.Tensor, state: Any) -> Any:
        return (cell(x), None) if cell.keeps else cell(x, state)


def _comes_in(seed: int) -> int:
    model = Two(seed).eval()
    spec = ei.from_torch(model, torch.zeros(3, 1, 8), cells=[Drawn])
    assert spec.proof is not None
    assert (spec.proof.unequal, spec.proof.not_compared) == (0, ())
    report = ei.check_import(spec, model, _other_input(spec))
    assert report.exact, seed
    return sum(part.spikes for part in report.layers)


def test_random_steps_are_read_exactly() -> None:
    assert sum(_comes_in(seed) for seed in range(3)) > 100


@pytest.mark.slow
def test_many_random_steps_are_read_exactly() -> None:
    assert sum(_comes_in(seed) for seed in range(100, 120)) > 1000


class Faulty(Drawn):
    """What the traced step does not show: a reset in the twentieth step, or in every ninth."""

    def reset(self) -> None:
        super().reset()
        self.steps = 0

    def forward(self, x: torch.Tensor, state: Any = None) -> Any:
        self.steps += 1
        return super().forward(x * (4.0 if self.steps % 9 == 8 else 1.0), state)


@pytest.mark.parametrize("seed", range(3))
def test_a_step_that_changes_with_time_is_found(seed: int) -> None:
    model = Two(seed).eval()
    model.one = Faulty(seed, 12)
    with pytest.raises(DataError, match=r"layer one .*(step 7|the membrane)"):
        ei.from_torch(model, torch.zeros(3, 1, 8), cells=[Drawn])
