"""The shapes of public networks, written anew: modules as their tutorials, examples and papers describe them, at small sizes.

Weights are random with a gain that lets cells fire. ``NETWORKS`` yields (framework, network, source, make, sample).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import snntorch as snn
import torch
from norse import torch as norse
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

__all__ = ["Entry", "networks"]

Entry = tuple[str, str, str, Callable[[], nn.Module], tuple[int, ...]]
TUTORIAL = "snnTorch tutorial {}"
JELLY = "SpikingJelly, example {}"
TASK = "Norse, task {}"


def wide(module: nn.Module, factor: float = 4.0) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(factor)
    return module


def hidden(**options: Any) -> nn.Module:
    return snn.Leaky(**{"beta": 0.9, "init_hidden": True, **options})  # type: ignore[no-any-return]


class TwoLayers(nn.Module):
    """Linear, Leaky, Linear, Leaky; what a loop does is told by flags, as the public ones differ."""

    def __init__(self, sizes: tuple[int, int, int] = (20, 30, 10), kind: str = "loop", steps: int = 25, **cell: Any) -> None:
        super().__init__()
        self.kind, self.steps = kind, steps
        self.fc1, self.lif1 = wide(nn.Linear(sizes[0], sizes[1])), snn.Leaky(beta=0.95, **cell)
        self.fc2, self.lif2 = wide(nn.Linear(sizes[1], sizes[2])), snn.Leaky(beta=0.95, **cell)

    def steps_of(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        if self.kind in ("static", "mem only", "sum", "changed", "clamp", "noise"):
            yield from [x] * self.steps
        else:
            yield from (x.transpose(0, 1) if self.kind == "batch first" else x)

    def forward(self, x: torch.Tensor) -> Any:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spikes, membranes = [], []
        for now in self.steps_of(x):
            current = self.fc1(now)
            spk1, mem1 = self.lif1(current + (torch.randn_like(current) if self.kind == "noise" else 0), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            mem1 = spk1 if self.kind == "changed" else mem1.clamp(min=-0.1) if self.kind == "clamp" else mem1
            spikes.append(spk2)
            membranes.append(mem2)
        if self.kind == "sum":
            return torch.stack(spikes).sum(0)
        axis = 1 if self.kind == "batch first" else 0
        return torch.stack(membranes) if self.kind == "mem only" else (torch.stack(spikes, axis), torch.stack(membranes, axis))


class Recurrent(nn.Module):
    """fc(x) + rec(spikes of the step before), or a feedback from the last layer, in a loop."""

    def __init__(self, back: bool = False) -> None:
        super().__init__()
        self.back = back
        self.fc, self.cell = wide(nn.Linear(20, 30)), snn.Leaky(beta=0.9)
        self.rec = nn.Linear(5 if back else 30, 30)
        self.out, self.last = wide(nn.Linear(30, 5)), snn.Leaky(beta=0.9)

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        mem, last, kept = self.cell.reset_mem(), self.last.reset_mem(), []
        before = torch.zeros(xs.shape[1], 5 if self.back else 30)
        for x in xs:
            spikes, mem = self.cell(self.fc(x) + self.rec(before), mem)
            out, last = self.last(self.out(spikes), last)
            before = out if self.back else spikes
            kept.append(out)
        return torch.stack(kept)


class Skip(nn.Module):
    """A skip connection: sum, difference or concatenation of the spikes of two layers."""

    def __init__(self, kind: str = "add") -> None:
        super().__init__()
        self.kind = kind
        self.a, self.one, self.b, self.two = wide(nn.Linear(20, 30)), hidden(), wide(nn.Linear(30, 30)), hidden()
        self.c, self.three = wide(nn.Linear(60 if kind == "cat" else 30, 5)), hidden()

    def forward(self, x: torch.Tensor) -> Any:
        s = self.one(self.a(x))
        t = self.two(self.b(s))
        joined = torch.cat([s, t], 1) if self.kind == "cat" else s - t if self.kind == "sub" else s * (1 - t) if (
            self.kind == "iand") else s + t
        return self.three(self.c(joined))


class Functions(nn.Module):
    """A convolutional network with functions between the layers."""

    def __init__(self, between: Callable[[torch.Tensor], torch.Tensor], features: int) -> None:
        super().__init__()
        self.conv, self.one, self.between = wide(nn.Conv2d(1, 4, 3)), hidden(), between
        self.fc, self.two = wide(nn.Linear(features, 10)), hidden()

    def forward(self, x: torch.Tensor) -> Any:
        return self.two(self.fc(self.between(self.one(self.conv(x)))))


class NorseLoop(nn.Module):
    """A sequential of Norse in a loop over steps, static or not."""

    def __init__(self, core: nn.Module, steps: int = 0, last: bool = False) -> None:
        super().__init__()
        self.core, self.steps, self.last = core, steps, last

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        state, kept = None, []
        for x in [xs] * self.steps if self.steps else xs:
            out, state = self.core(x, state)
            kept.append(out)
        return kept[-1] if self.last else torch.stack(kept)


class Sign(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, torch.sign(self.weight), self.bias)


class Law(nn.Linear):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out)
        self.register_buffer("sign", torch.where(torch.arange(n_in) < 0.8 * n_in, 1.0, -1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight.abs() * self.sign, self.bias)  # type: ignore[operator]


def chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


def multi(*layers: nn.Module) -> nn.Module:
    model = nn.Sequential(*layers)
    functional.set_step_mode(model, "m")
    return model


def node(**options: Any) -> nn.Module:
    return neuron.LIFNode(**{"tau": 2.0, "v_threshold": 0.3, **options})


def fc(a: int, b: int, factor: float = 4.0) -> nn.Module:
    return wide(nn.Linear(a, b), factor)


def conv(a: int, b: int, size: int = 3, **options: Any) -> nn.Module:
    return wide(nn.Conv2d(a, b, size, **options))


def networks() -> list[Entry]:
    """Return all networks."""
    return [*_snntorch(), *_own_layers(), *_norse(), *_spikingjelly()]


def _snntorch() -> list[Entry]:
    name = "snnTorch"
    cells = {
        "Synaptic": lambda: snn.Synaptic(alpha=0.8, beta=0.9, init_hidden=True), "Lapicque": lambda: snn.Lapicque(beta=0.9,
         init_hidden=True),
        "Alpha": lambda: snn.Alpha(alpha=0.9, beta=0.8, init_hidden=True, threshold=0.5),
        "RLeaky": lambda: snn.RLeaky(beta=0.9, linear_features=30, init_hidden=True),
        "RSynaptic": lambda: snn.RSynaptic(alpha=0.7, beta=0.9, linear_features=30, init_hidden=True),
        "RLeaky, one to one": lambda: snn.RLeaky(beta=0.9, all_to_all=False, V=0.3, init_hidden=True),
    }  # fmt: skip
    made: list[Entry] = [
        (name, "two layers, loop inside, static image", TUTORIAL.format(5),
         lambda: TwoLayers((784, 100, 10), "static"), (1, 784)),
        (name, "two layers over steps", TUTORIAL.format(3), lambda: TwoLayers(), (5, 1, 20)),
        (name, "population coding, 500 outputs", "snnTorch tutorial population coding",
         lambda: TwoLayers((64, 80, 500)), (5, 1, 64)),
        (name, "membrane returned, no reset", "snnTorch tutorial regression 1",
         lambda: TwoLayers(kind="mem only", reset_mechanism="none"),
         (1, 20)),
        (name, "counts of spikes", "snnTorch tutorial regression 2", lambda: TwoLayers(kind="sum"), (1, 20)),
        (name, "trials first", "plain torch habit", lambda: TwoLayers(kind="batch first"), (1, 5, 20)),
        (name, "spikes handed back as membrane", "SpikingCrazyflie", lambda: TwoLayers(kind="changed"), (1, 20)),
        (name, "clamped membrane", "stork", lambda: TwoLayers(kind="clamp"), (1, 20)),
        (name, "noise in the loop", "noisy controllers", lambda: TwoLayers(kind="noise"), (1, 20)),
        (name, "convolution, MaxPool before cells", TUTORIAL.format(6),
         lambda: chain(conv(1, 4, 5), nn.MaxPool2d(2), hidden(), nn.Flatten(), fc(4 * 36, 10), hidden()), (1, 1, 16, 16)),
        (name, "convolution, MaxPool of spikes", TUTORIAL.format(7),
         lambda: chain(conv(2, 4, 5), hidden(), nn.MaxPool2d(2), nn.Flatten(), fc(4 * 36, 10), hidden()), (1, 2, 16, 16)),
        (name, "convolution, AvgPool", "snnTorch snntorch_to_nir",
         lambda: chain(conv(1, 4, 5), hidden(), nn.AvgPool2d(2), nn.Flatten(), fc(4 * 36, 10), hidden()), (1, 1, 16, 16)),
        (name, "encoder of an autoencoder", "snnTorch tutorial SAE",
         lambda: chain(conv(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), hidden(), conv(4, 8, 3, stride=2, padding=1),
          hidden(),
                       nn.Flatten(), fc(8 * 16, 12), hidden()), (1, 1, 16, 16)),
        (name, "decoder, ConvTranspose and Unflatten", "snnTorch tutorial SAE",
         lambda: chain(fc(12, 128), hidden(), nn.Unflatten(1, (8, 4, 4)), wide(nn.ConvTranspose2d(8, 4, 3, 2, 1, 1)), hidden()),
          (1, 12)),
        (name, "Linear head behind the spikes", "actor-critic (Spiking_Control_Policies)",
         lambda: chain(fc(20, 30), hidden(), nn.Linear(30, 4)), (1, 20)),
        (name, "RSynaptic, Braille reader", "NIR paper, 03_rnn",
         lambda: chain(fc(12, 30), cells["RSynaptic"](), fc(30, 7), snn.Synaptic(alpha=0.5, beta=0.7, init_hidden=True)), (1,
          12)),
        (name, "feedback of the last layer", "task networks", lambda: Recurrent(back=True), (4, 1, 20)),
        (name, "recurrent matrix of one's own", "task networks", lambda: Recurrent(), (4, 1, 20)),
        (name, "inhibition", "snnTorch docs", lambda: chain(fc(20, 30), hidden(inhibition=True), fc(30, 5), hidden()), (1, 20)),
        (name, "reset in the step, to zero", "snnTorch docs",
         lambda: chain(fc(20, 30), hidden(reset_delay=False, reset_mechanism="zero"), fc(30, 5), hidden(reset_delay=False)), (1,
          20)),
        (name, "beta and threshold per neuron", "neural heterogeneity (Perez-Nieves)",
         lambda: chain(fc(20, 30), hidden(beta=torch.linspace(0.5, 0.95, 30), threshold=torch.linspace(0.5, 1.5, 30)), fc(30,
          5), hidden()),
         (1, 20)),
        (name, "SLSTM", "snnTorch docs", lambda: chain(nn.Linear(20, 8), snn.SLSTM(8, 10, init_hidden=True)), (1, 20)),
    ]  # fmt: skip
    for kind, cell in cells.items():
        made.append((name, f"{kind}, two layers", "snnTorch docs", lambda cell=cell: chain(fc(20, 30), cell(), fc(30, 5),
         hidden()), (1, 20)))  # type: ignore[misc]
    return made


def _own_layers() -> list[Entry]:
    name = "snnTorch"
    linear: dict[str, tuple[str, Callable[[int, int], nn.Module]]] = {
        "binary weights": ("snnTorch tutorial BSNN", Sign), "Dale's law by a buffer of signs": ("task networks", Law),
        "pruned weights": ("torch.nn.utils.prune", lambda a, b: prune.random_unstructured(nn.Linear(a, b),
         "weight", 0.5)),
        "weight norm": ("torch parametrizations", lambda a, b: torch.nn.utils.parametrizations.weight_norm(nn.Linear(a, b))),
    }  # fmt: skip
    made: list[Entry] = [
        (name, what, source,
         lambda kind=kind: chain(wide(kind(20, 30)), hidden(), wide(kind(30, 5)), hidden()), (1, 20))  # type: ignore[misc]
        for what, (source, kind) in linear.items()
    ]
    made += [(name, f"skip connection ({kind})", "SEW-ResNet", lambda kind=kind: Skip(kind), (1, 20)) for kind in ("add", "cat",
     "sub", "iand")]  # type: ignore[misc]
    flat = lambda x: x.flatten(1)  # noqa: E731
    made += [
        (name, "F.avg_pool2d, view", "snnTorch tutorial 6, other pooling",
         lambda: Functions(lambda x: flat(F.avg_pool2d(x, 2)), 36), (1, 1, 8, 8)),
        (name, "F.max_pool2d", "Norse mnist in other cells",
         lambda: Functions(lambda x: flat(F.max_pool2d(x, 2)), 36), (1, 1, 8, 8)),
        (name, "scaled currents, slices of E and I", "E/I decision network",
         lambda: Functions(lambda x: 10 * (x[:, :2] - x[:, 2:]).reshape(len(x), -1), 72), (1, 1, 8, 8)),
        (name, "F.relu of spikes", "Norse mnist", lambda: Functions(lambda x: flat(F.relu(x)), 144), (1, 1, 8, 8)),
        (name, "LayerNorm between cells", "transformers",
         lambda: chain(fc(20, 30), hidden(), nn.LayerNorm(30), fc(30, 5), hidden()), (1, 20)),
    ]  # fmt: skip
    return made


def _norse() -> list[Entry]:
    name = "Norse"
    sequence = norse.SequentialState

    def core(*layers: nn.Module) -> nn.Module:
        return sequence(*layers)  # type: ignore[no-any-return]

    return [
        (name, "ConvNet, static image", TASK.format("mnist"),
         lambda: NorseLoop(core(conv(1, 4), norse.LIFCell(), nn.AvgPool2d(2), nn.Flatten(), fc(144, 10, 20), norse.LICell()),
          12, True),
         (1, 1, 14, 14)),
        (name, "convolutions in a loop", TASK.format("cifar10"),
         lambda: NorseLoop(core(conv(3, 6), norse.LIFCell(), conv(6, 8, stride=2), norse.LIFCell()), 8), (1, 3, 12, 12)),
        (name, "LIF and LI", TASK.format("memory"),
         lambda: NorseLoop(core(fc(20, 30, 20), norse.LIFCell(), nn.Linear(30, 4), norse.LICell())),
         (5, 1, 20)),
        (name, "recurrent LIF and LI", TASK.format("speech"),
         lambda: core(wide(norse.LIFRecurrent(20, 30), 3), nn.Linear(30, 4), norse.LI()), (5, 1, 20)),
        (name, "policy, one step at a time", TASK.format("cartpole"),
         lambda: core(fc(4, 20, 40), norse.LIFCell(), nn.Linear(20, 2), norse.LICell()),
         (1, 4)),
        (name, "refractory", "Norse docs",
         lambda: core(fc(20, 30, 20), norse.LIFRefracCell(), fc(30, 5, 20), norse.LIFCell()), (1, 20)),
        (name, "AdEx", "Norse docs", lambda: core(fc(20, 30, 20), norse.LIFAdExCell(), fc(30, 5, 20), norse.LIFCell()), (1, 20)),
        (name, "LSNN", TASK.format("memory"), lambda: core(norse.LSNNRecurrentCell(20, 30), fc(30, 5), norse.LICell()), (1, 20)),
        (name, "cell that is never handed its state", "SNN_Project", lambda: _Stateless(), (1, 20)),
    ]  # fmt: skip


class _Stateless(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.cell = fc(20, 30, 20), norse.LIFCell()

    def forward(self, x: torch.Tensor) -> Any:
        return self.cell(self.fc(x))[0]


def _spikingjelly() -> list[Entry]:
    name = "SpikingJelly"
    return [
        (name, "Flatten, Linear, LIF", JELLY.format("lif_fc_mnist"),
         lambda: chain(layer.Flatten(), wide(layer.Linear(196, 10)), node()), (1, 1, 14, 14)),
        (name, "CSNN with MaxPool", JELLY.format("conv_fashion_mnist"),
         lambda: multi(wide(layer.Conv2d(1, 8, 3, padding=1)), layer.BatchNorm2d(8), neuron.IFNode(), layer.MaxPool2d(2),
          layer.Flatten(),
                       wide(layer.Linear(8 * 49, 10)), neuron.IFNode()), (4, 1, 1, 14, 14)),
        (name, "CSNN with AvgPool", JELLY.format("conv_fashion_mnist, other pooling"),
         lambda: multi(wide(layer.Conv2d(1, 8, 3, padding=1)), layer.BatchNorm2d(8), neuron.IFNode(), layer.AvgPool2d(2),
          layer.Flatten(),
                       wide(layer.Linear(8 * 49, 10)), neuron.IFNode()), (4, 1, 1, 14, 14)),
        (name, "PLIF, one step", JELLY.format("PLIF"),
         lambda: chain(fc(20, 30), neuron.ParametricLIFNode(), fc(30, 5), neuron.ParametricLIFNode()), (1, 20)),
        (name, "voting layer", "PLIF DVS-Gesture",
         lambda: chain(fc(20, 30), node(), fc(30, 40), node(), layer.VotingLayer(10)), (1, 20)),
        (name, "recurrent container", JELLY.format("rsnn_sequential_fmnist"),
         lambda: multi(wide(layer.Linear(28, 32)), layer.LinearRecurrentContainer(neuron.IFNode(), 32, 32, True),
          wide(layer.Linear(32, 10)),
                       neuron.IFNode()), (4, 1, 28)),
        (name, "synapse filter", JELLY.format("rsnn_sequential_fmnist"),
         lambda: chain(fc(20, 30), node(), layer.SynapseFilter(tau=2.0), fc(30, 5), node()), (1, 20)),
        (name, "weight standardisation", "OTTT VGG-WS",
         lambda: chain(layer.WSConv2d(2, 8, 3, padding=1), node(v_threshold=0.2), layer.Flatten(), layer.WSLinear(128, 10),
          node(v_threshold=0.1)),
         (1, 2, 4, 4)),
        (name, "tdBN", "tdBN, SEW-ResNet",
         lambda: multi(wide(layer.Conv2d(1, 4, 3)), layer.ThresholdDependentBatchNorm2d(1.0, 1.0, 4), node()), (4, 1, 1, 8, 8)),
        (name, "AdaptiveAvgPool", "spiking VGG",
         lambda: chain(conv(1, 8), node(), layer.AdaptiveAvgPool2d((2, 2)), layer.Flatten(), fc(32, 10), node()), (1, 1, 8, 8)),
        (name, "last Linear without a node", "spiking ResNet", lambda: chain(fc(20, 30), node(), layer.Linear(30, 10)), (1, 20)),
        (name, "non-spiking node", JELLY.format("DQN"),
         lambda: chain(fc(4, 20), neuron.IFNode(), fc(20, 2), neuron.NonSpikingLIFNode(tau=2.0)), (1, 4)),
        (name, "QIF", "SpikingJelly docs", lambda: chain(fc(20, 30), neuron.QIFNode()), (1, 20)),
        (name, "soft reset, whole input", "SpikingJelly docs",
         lambda: chain(fc(20, 30), node(v_reset=None, decay_input=False), fc(30, 5), node(v_reset=None)), (1, 20)),
        (name, "convolution over time", JELLY.format("speechcommands"), lambda: _OverTime(), (6, 1, 20)),
    ]  # fmt: skip


class _OverTime(nn.Module):
    """A convolution whose kernel spans three steps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.node = wide(nn.Conv1d(20, 20, 3, padding=1)), node(step_mode="m")

    def forward(self, xs: torch.Tensor) -> Any:
        return self.node(self.conv(xs.permute(1, 2, 0)).permute(2, 0, 1))
