"""Public networks whose layers of neurons are classes of their authors, written anew at small sizes."""

from __future__ import annotations

from typing import Any

import snntorch as snn
import torch
from spikingjelly.activation_based import layer, neuron
from torch import nn

from validation.interop.public_shapes import Entry, fc, multi

__all__ = ["OWN_CELLS", "own_networks"]


class Step(torch.autograd.Function):
    """1 above 0, else 0."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return (x > 0).float()


def fire(x: torch.Tensor) -> torch.Tensor:
    return Step.apply(x)  # type: ignore[no-any-return, no-untyped-call]


class Own(nn.Module):
    """A cell whose states are handed out and back as a tuple; ``count`` of them."""

    count = 2

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.first, self.second = nn.Parameter(torch.rand(n)), nn.Parameter(torch.rand(n))

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        raise NotImplementedError

    def forward(self, x: torch.Tensor, state: Any = None) -> Any:
        states = [torch.zeros_like(x)] * self.count if state is None else state
        spikes, *rest = self.step(x, *states)
        return spikes, tuple(rest)


class Adaptive(Own):
    """Adaptive threshold (Yin, Corradi & Bohte 2021): membrane, spike and adaptation."""

    count = 3

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mem, spikes, b = states
        alpha, rho = torch.exp(-1 / (10 + 10 * self.first)), torch.exp(-1 / (50 + 50 * self.second))
        b = rho * b + (1 - rho) * spikes
        threshold = 0.01 + 1.8 * b
        mem = mem * alpha + (1 - alpha) * x - threshold * spikes
        spikes = fire(mem - threshold)
        return spikes, mem, spikes, b


class Alif(Own):
    """Bellec's ALIF: threshold 1 + beta*a, refractory by subtraction (Bellec et al. 2018)."""

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        v, a = states
        v = 0.95 * v + x
        spikes = fire((v - (1 + 0.5 * a)) / (1 + 0.5 * a))
        return spikes, v - spikes * (1 + 0.5 * a), 0.98 * a + spikes


class AdaptiveLinear(Own):
    """adLIF of SpArch (Bittar & Garner 2022)."""

    count = 3

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        u, w, s = states
        alpha, beta = torch.clamp(self.first, 0.82, 0.96), torch.clamp(self.second, 0.967, 0.992)
        w = beta * w + self.first * u + self.second * s
        u = alpha * (u - s) + (1 - alpha) * (x - w)
        s = fire(u - 1.0)
        return s, u, w, s


class RecurrentAdaptive(AdaptiveLinear):
    """RadLIF of SpArch: the same with recurrent weights inside the layer."""

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.loop = nn.Linear(n, n, bias=False)
        nn.init.orthogonal_(self.loop.weight)

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return super().step(x + self.loop(states[2]), *states)


class TwoPorts(Own):
    """Two synaptic time constants, one after the other (rise and decay)."""

    count = 3

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rise, decay, v = states
        rise, decay = 0.6 * rise + x, 0.8 * decay + x
        v = 0.9 * v + (decay - rise)
        spikes = (v >= 0.5).to(x)
        return spikes, rise, decay, v * (1 - spikes)


class Clamped(Own):
    """A membrane that is kept above a bound between steps (stork)."""

    count = 1

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        v = 0.9 * states[0].clamp(min=-0.5) + x
        spikes = fire(v - 1)
        return spikes, v - spikes


class Refractory(Own):
    """Refractory for some steps after a spike, by a counter."""

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        v, wait = states
        v = torch.where(wait > 0, torch.zeros_like(v), 0.9 * v + x)
        spikes = (v > 1).to(x)
        return spikes, torch.where(spikes > 0, torch.zeros_like(v), v), torch.clamp(wait - 1, min=0) + 3 * spikes


class Integrator(Own):
    """sinabs' IAF with one spike a step: threshold subtracted, membrane bounded from below."""

    count = 1

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        v = states[0] + x
        spikes = (v >= 1).to(x)
        return spikes, torch.clamp(v - spikes, min=-1)


class Exponential(Own):
    """rockpool's LIFTorch: input decays with synapse and membrane, threshold subtracted."""

    def step(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        i, v = states
        i = (i + x) * 0.8
        v = v * 0.9 + i
        spikes = fire(v - 1)
        return spikes, i, v - spikes


OWN_CELLS = (Own,)


class Loop(nn.Module):
    """Two layers of one's own in a loop, spikes summed by a Linear head."""

    def __init__(self, kind: type[Own]) -> None:
        super().__init__()
        self.one, self.a, self.two, self.b = fc(20, 30, 6), kind(30), fc(30, 16, 6), kind(16)
        self.out = nn.Linear(16, 4)

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        first, second, kept = None, None, []
        for x in xs:
            spikes, first = self.a(self.one(x), first)
            spikes, second = self.b(self.two(spikes), second)
            kept.append(self.out(spikes))
        return torch.stack(kept).sum(0)


class Readout(neuron.SimpleLIFNode):
    """The readout of SpikingJelly's DQN example: charges, never spikes."""

    def single_step_forward(self, x: torch.Tensor) -> torch.Tensor:
        self.neuronal_charge(x)
        return self.v  # type: ignore[no-any-return]


class Homeostatic(snn.Leaky):
    """A class derived from a framework's neuron: the input is scaled."""

    def forward(self, x: torch.Tensor, mem: Any = None) -> Any:
        return super().forward(1.5 * x, mem)


PUBLIC = {
    Adaptive: "adaptive-threshold SHD network (Yin, Corradi & Bohte 2021)", Alif: "LSNN (Bellec et al. 2018)",
    AdaptiveLinear: "SpArch adLIF (Bittar & Garner 2022)", RecurrentAdaptive: "SpArch RadLIF (Bittar & Garner 2022)",
    TwoPorts: "networks with two synaptic time constants", Clamped: "stork", Refractory: "E/I decision networks",
    Integrator: "sinabs", Exponential: "rockpool LIFTorch",
}  # fmt: skip
NODES = ("QIFNode", "EIFNode", "IzhikevichNode", "KLIFNode", "CUBALIFNode", "ComplementaryLIFNode")


def own_networks() -> list[Entry]:
    """Return networks of cells that have no reader of their own."""
    made: list[Entry] = [
        ("torch", f"{kind.__name__}, two layers and a head", source, lambda kind=kind: Loop(kind), (3, 1, 20))  # type: ignore[misc]
        for kind, source in PUBLIC.items()
    ]
    made += [
        ("SpikingJelly", f"{kind}, all steps", "SpikingJelly docs",
         lambda kind=kind: multi(fc(20, 30, 12), getattr(neuron, kind)(), fc(30, 5), neuron.IFNode()), (5, 1, 20))  # type: ignore[misc]
        for kind in NODES
    ]  # fmt: skip
    made += [
        ("SpikingJelly", "readout that charges and never spikes", "SpikingJelly, example DQN",
         lambda: nn.Sequential(layer.Linear(4, 20), neuron.IFNode(v_threshold=0.2), layer.Linear(20, 2),
                               Readout(tau=2.0, decay_input=True)), (1, 4)),
        ("snnTorch", "class derived from Leaky", "task networks",
         lambda: nn.Sequential(fc(20, 30), Homeostatic(beta=0.9, init_hidden=True)), (1, 20)),
    ]  # fmt: skip
    return made
