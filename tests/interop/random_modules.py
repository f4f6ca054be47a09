"""Random modules as people write them, from a seed: cells, options, sizes, what stands between layers, how the steps are run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import snntorch
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

__all__ = ["ARRANGEMENTS", "BETWEEN", "Steps", "cell", "linear", "random_steps"]


def linear(generator: np.random.Generator, n_in: int, n_out: int) -> nn.Module:
    """Return a linear layer that lets cells fire."""
    made = nn.Linear(n_in, n_out, bias=bool(generator.random() < 0.7))
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(generator.normal(0.1, 1.2 / np.sqrt(n_in), (n_out, n_in))))
        if made.bias is not None:
            made.bias.copy_(torch.from_numpy(generator.normal(0.2, 0.1, n_out)))
    return made


def cell(generator: np.random.Generator, size: int) -> nn.Module:
    """Return a layer of snnTorch's neurons with states that the loop hands on, and random options."""
    beta: Any = float(generator.uniform(0.5, 0.98))
    beta = torch.from_numpy(generator.uniform(0.5, 0.98, size)).float() if generator.random() < 0.3 else beta
    options = {"threshold": float(generator.uniform(0.4, 1.2)), "reset_mechanism": str(generator.choice(["subtract", "zero"]))}
    kind = generator.choice(["Leaky", "Synaptic", "Alpha"]) if generator.random() < 0.4 else "Leaky"
    if kind == "Synaptic":
        return snntorch.Synaptic(alpha=float(generator.uniform(0.3, 0.9)), beta=beta, **options)  # type: ignore[no-any-return]
    if kind == "Alpha":
        return snntorch.Alpha(alpha=0.9, beta=float(generator.uniform(0.4, 0.8)), **options)  # type: ignore[no-any-return]
    return snntorch.Leaky(beta=beta, reset_delay=bool(generator.random() < 0.8), **options)  # type: ignore[no-any-return]


class _Hooked(nn.Module):
    """A layer whose output a hook scales."""

    def __init__(self, inner: nn.Module, factor: float) -> None:
        super().__init__()
        self.inner = inner
        inner.register_forward_hook(lambda module, args, out: out * factor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)  # type: ignore[no-any-return]


class _Derived(nn.Linear):
    """A layer of one's own: weights through a function, and a buffer of signs."""

    def __init__(self, n_in: int, n_out: int, function: Callable[[torch.Tensor], torch.Tensor], signs: Any) -> None:
        super().__init__(n_in, n_out)
        self.function = function
        self.register_buffer("signs", torch.from_numpy(signs).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.function(self.weight) * self.signs, self.bias)  # type: ignore[operator]


class _Part(nn.Module):
    """A slice of the input, every second unit of it, or in another order, before the weights."""

    def __init__(self, inner: nn.Module, chosen: Any) -> None:
        super().__init__()
        self.inner, self.chosen = inner, chosen

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x[:, self.chosen])  # type: ignore[no-any-return]


def _derived(generator: np.random.Generator, n_in: int, n_out: int) -> nn.Module:
    functions = (torch.sign, torch.abs, torch.tanh, lambda weight: weight - weight.mean(1, keepdim=True))
    made = _Derived(n_in, n_out, functions[generator.integers(len(functions))], generator.choice([-1.0, 1.0, 1.0], n_in))
    with torch.no_grad():
        made.weight.mul_(3)
    return made


def _pruned(generator: np.random.Generator, n_in: int, n_out: int) -> nn.Module:
    return prune.random_unstructured(linear(generator, n_in, n_out), "weight", float(generator.uniform(0.2, 0.7)))  # type: ignore


def _normed(generator: np.random.Generator, n_in: int, n_out: int) -> nn.Module:
    normed: nn.Module = parametrizations.weight_norm(linear(generator, n_in, n_out))
    return normed


def _part(generator: np.random.Generator, n_in: int, n_out: int) -> nn.Module:
    width = int(generator.integers(n_in // 2, n_in))
    start = int(generator.integers(0, n_in - width + 1))
    every = slice(None, None, 2)
    choices: tuple[Any, ...] = (slice(start, start + width), every, torch.from_numpy(generator.permutation(n_in)[:width]))
    chosen = choices[generator.integers(3)]
    return _Part(linear(generator, len(range(n_in)[chosen]) if isinstance(chosen, slice) else width, n_out), chosen)


BETWEEN: dict[str, Callable[[np.random.Generator, int, int], nn.Module]] = {
    "plain": linear, "derived": _derived, "pruned": _pruned, "weight norm": _normed, "part": _part,
    "hook": lambda g, n_in, n_out: _Hooked(linear(g, n_in, n_out), float(g.uniform(0.8, 2))),
}  # fmt: skip


class Steps(nn.Module):
    """Layers of neurons in a loop, with a way to hand states on, an arrangement of axes, feedback and a head.

    Parameters
    ----------
    generator : numpy.random.Generator
        Decides sizes and options.
    between : str
        What stands between the layers, a key of `BETWEEN`.
    arrangement : str
        How the steps are given, a member of `ARRANGEMENTS`.
    feedback : bool
        Whether spikes of the last layer come back to the first one a step later.
    head : str
        What stands behind the last neurons: ``""``, ``"sum"``, ``"mean"``, ``"last"``, ``"two"``.
    """

    def __init__(
        self, generator: np.random.Generator, between: str = "plain", arrangement: str = "steps first", feedback: bool = False,
        head: str = "",
    ) -> None:  # fmt: skip
        super().__init__()
        self.sizes = [int(n) for n in generator.integers(6, 18, int(generator.integers(2, 4)) + 1)]
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        self.weights = nn.ModuleList([BETWEEN[between](generator, *pair) for pair in pairs])
        self.cells = nn.ModuleList([cell(generator, size) for size in self.sizes[1:]])
        self.arrangement, self.shown = arrangement, int(generator.integers(5, 12))
        self.back = linear(generator, self.sizes[-1], self.sizes[1]) if feedback else None
        count = {"": 0, "two": 2}.get(head, 1)
        self.head, self.heads = head, nn.ModuleList([linear(generator, self.sizes[-1], 3) for _ in range(count)])

    def sample(self) -> torch.Tensor:
        n = self.sizes[0]
        shapes = {"steps first": (3, 1, n), "trials first": (1, 5, n), "steps last": (2, n, 6), "static": (1, n)}
        return torch.zeros(shapes[self.arrangement])

    def between(self, states: list[Any], spikes: list[torch.Tensor], step: int) -> list[Any]:
        """Return the states for the next step: what a fault changes."""
        return states

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        return self.weights[layer](x)  # type: ignore[no-any-return]

    def step(self, x: torch.Tensor, states: list[Any], step: int) -> tuple[list[torch.Tensor], list[Any]]:
        spikes, new = [], []
        for layer, neurons in enumerate(self.cells):
            drive = self.current(layer, x, step)
            if layer == 0 and self.back is not None:
                drive = drive + self.back(self.last)
            x, *state = neurons(drive, *states[layer])
            spikes.append(x)
            new.append(state)
        return spikes, self.between(new, spikes, step)

    def run(self, steps: Any) -> list[torch.Tensor]:
        states: list[Any] = [_start(neurons) for neurons in self.cells]
        self.last = torch.zeros(1, self.sizes[-1])
        kept = []
        for number, x in enumerate(steps):
            spikes, states = self.step(x, states, number)
            self.last = spikes[-1]
            kept.append(spikes[-1])
        return kept

    def forward(self, x: torch.Tensor) -> Any:
        if self.arrangement == "static":
            kept = self.run([x] * self.shown)
        else:
            kept = self.run({"steps first": x, "trials first": x.transpose(0, 1)}.get(self.arrangement, x.permute(2, 0, 1)))
        if not self.head:
            return torch.stack(kept, 1 if self.arrangement == "trials first" else 0)
        values = [torch.stack([head(spikes) for spikes in kept]) for head in self.heads]
        rule = {"sum": lambda v: v.sum(0), "mean": lambda v: v.mean(0)}.get(self.head, lambda v: v[-1])
        made = [rule(value) for value in values]
        return tuple(made) if len(made) > 1 else made[0]


ARRANGEMENTS = ("steps first", "trials first", "steps last", "static")


def _start(neurons: Any) -> list[Any]:
    made = neurons.reset_mem()
    return list(made) if isinstance(made, tuple) else [made]


def random_steps(seed: int, kind: type[Steps] = Steps, **options: Any) -> Steps:
    """Return a module from a seed; every option that is not given is drawn."""
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    drawn: dict[str, Any] = {
        "between": str(generator.choice(list(BETWEEN))), "arrangement": str(generator.choice(ARRANGEMENTS)),
        "feedback": bool(generator.random() < 0.4), "head": str(generator.choice(["", "", "sum", "mean", "last", "two"])),
    }  # fmt: skip
    return kind(generator, **{**drawn, **options}).eval()
