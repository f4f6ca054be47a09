"""Layers behind the last neurons are readout populations: their value over time is that of the module, in every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import ei_brian as ei
from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.interop import modules
from ei_brian.interop.snntorch import from_snntorch

snntorch = pytest.importorskip("snntorch")


def lif() -> nn.Module:
    return snntorch.Leaky(beta=0.9, init_hidden=True)  # type: ignore[no-any-return]


class Loop(nn.Module):
    """A policy and a value behind one layer of neurons."""

    def __init__(self, end: Callable[[torch.Tensor, torch.Tensor], Any], twice: bool = False) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.fc, self.lif, self.end = nn.Linear(20, 30), lif(), end
        self.policy: nn.Module = nn.Linear(30, 4)
        self.value = nn.Linear(30, 1)
        if twice:
            self.policy = nn.Sequential(nn.Linear(30, 8), nn.Unflatten(1, (1, 8)), nn.AvgPool1d(2), nn.Flatten())
        with torch.no_grad():
            self.fc.weight.mul_(4)

    def forward(self, steps: torch.Tensor) -> Any:
        policy, value = [], []
        for x in steps:
            spikes = self.lif(self.fc(x))
            policy.append(self.policy(spikes))
            value.append(self.value(spikes))
        return self.end(torch.stack(policy), torch.stack(value))


ENDS: dict[str, tuple[Callable[[torch.Tensor, torch.Tensor], Any], str, tuple[str, ...]]] = {
    "sum": (lambda p, v: p.sum(0), "mean v", ("policy",)),
    "mean, then softmax": (lambda p, v: F.log_softmax(p.mean(0), -1), "mean v", ("policy",)),
    "max": (lambda p, v: p.max(0).values, "max v", ("policy",)),
    "last": (lambda p, v: p[-1], "last v", ("policy",)),
    "every step": (lambda p, v: p, "mean v", ("policy",)),
    "two heads": (lambda p, v: (p.sum(0), v[-1]), "mean v", ("policy", "value")),
    "the other first": (lambda p, v: (v.mean(0), p.mean(0)), "mean v", ("value", "policy")),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_head_is_a_readout(name: str) -> None:
    end, kind, heads = ENDS[name]
    model = Loop(end)
    spec = from_snntorch(model, torch.zeros(5, 1, 20))
    assert spec.proof is not None
    assert spec.proof.n_spikes > 50
    assert spec.readout is not None
    assert (spec.readout.population, spec.readout.kind) == (heads[0], kind)
    assert {cells.name for cells in spec.cells if cells.role == "readout"} == set(heads)
    assert set(heads) <= set(spec.proof.layers)
    policy = next((p for p in spec.cells if p.name == "policy"), None)
    if policy is not None:
        assert np.array_equal(np.asarray(policy.parameters["bias"]), model.policy.bias.detach().double().numpy())


def test_of_two_layers_the_last_is_the_readout() -> None:
    spec = from_snntorch(Loop(lambda p, v: p.sum(0), twice=True), torch.zeros(5, 1, 20))
    assert [(cells.name, cells.size) for cells in spec.cells] == [("lif", 30), ("policy_2", 4)]


def test_a_head_of_a_network_that_takes_one_step() -> None:
    net = nn.Sequential(nn.Linear(20, 30), lif(), nn.Linear(30, 4))
    with torch.no_grad():
        net[0].weight.mul_(4)
    spec = from_snntorch(net, torch.zeros(1, 20))
    assert spec.readout is not None
    assert spec.readout.kind == "mean v"
    events = np.random.default_rng(0).random((4, 25, 20)) < 0.3
    report = ei.check_import(spec, net, Stimulus(Spikes.from_dense(events, 1.0)))
    assert report.exact, str(report)
    assert {layer.population for layer in report.layers} == {"layer_1", "layer_2"}


@pytest.mark.parametrize("many", [False, True])
def test_votes_of_neurons(many: bool) -> None:
    layer, neuron = (pytest.importorskip("spikingjelly.activation_based." + part) for part in ("layer", "neuron"))
    torch.manual_seed(0)
    parts = [layer.Linear(8, 20), neuron.LIFNode(), *([layer.Linear(20, 20)] if many else []), layer.VotingLayer(10)]
    net = nn.Sequential(*parts)
    for module in net:
        module.step_mode = "m"
    with torch.no_grad():
        net[0].weight.mul_(4)
    spec = ei.from_spikingjelly(net, torch.zeros(4, 1, 8))
    assert spec.cells[-1].size == 2
    assert spec.cells[-1].model == "weighted_sum"


def test_what_is_no_readout_of_each_step_is_refused() -> None:
    class AfterSum(Loop):
        def forward(self, steps: torch.Tensor) -> Any:
            return self.policy(torch.stack([self.lif(self.fc(x)) for x in steps]).sum(0))

    class Loose(Loop):
        def forward(self, steps: torch.Tensor) -> Any:
            return torch.stack([F.linear(self.lif(self.fc(x)), self.policy.weight) for x in steps]).sum(0)

    class Curved(Loop):
        def forward(self, steps: torch.Tensor) -> Any:
            return torch.stack([self.policy(torch.softmax(self.lif(self.fc(x)), -1)) for x in steps]).sum(0)

    for kind, message in ((AfterSum, "that every step runs"), (Loose, "module of its own"), (Curved, "not a weighted sum")):
        with pytest.raises(DataError, match=message):
            from_snntorch(kind(lambda p, v: p), torch.zeros(5, 1, 20))


def test_a_wrong_head_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = modules.trace

    def wrong(*arguments: Any) -> Any:
        made = right(*arguments)
        entry = next(key for key in made.maps if "addmm" in key and key.startswith("policy"))
        made.maps[entry].options["matrix"][0, 0] += 1e-6
        return made

    monkeypatch.setattr(modules, "trace", wrong)
    with pytest.raises(DataError, match=r"layer policy .*not the membrane"):
        from_snntorch(Loop(lambda p, v: p.sum(0)), torch.zeros(5, 1, 20))


def values(recording: Any) -> Any:
    return recording.traces["policy", "v"]


def shown() -> tuple[Any, Stimulus, list[tuple[str, str]]]:
    spec = from_snntorch(Loop(lambda p, v: p.sum(0)), torch.zeros(5, 1, 20))
    return spec, Stimulus(Spikes.from_dense(np.random.default_rng(1).random((4, 20, 20)) < 0.4, 1.0)), [("policy", "v")]


@pytest.mark.parametrize("layout", ["synapses", "shared"])
def test_brian2_gives_the_same_values(layout: str) -> None:
    spec, stimulus, traces = shown()
    wanted = values(simulate(spec, stimulus, np.float64, traces))
    mine = values(ei.Backend("numpy", layout=layout).run(spec, stimulus, traces=traces))
    assert np.max(np.abs(wanted)) > 0.1
    assert np.max(np.abs(wanted - mine)) < 1e-14  # 30 weights below 0.2, added in another order


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["synapses", "shared"])
def test_compiled_brian2_gives_the_same_decisions(layout: str) -> None:
    spec, stimulus, _ = shown()
    wanted, mine = simulate(spec, stimulus, np.float64), ei.Backend("cpp_standalone", layout=layout).run(spec, stimulus)
    assert np.max(np.abs(wanted.scores - mine.scores)) < 1e-14
