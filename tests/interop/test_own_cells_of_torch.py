"""Layers of neurons that no reader knows: their step is taken from torch's operations, proven, kept in files and compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ei_brian as ei
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError, SpecError
from tests.interop.own_nodes import JELLY, OWN_NORSE
from tests.interop.test_proof import proven, wide

N = 20


class Spike(torch.autograd.Function):
    """A step with a gradient of its own, as everybody writes it."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return (x > 0).float()


class Adaptive(nn.Module):
    """Adaptive threshold, states handed out and back (Yin, Corradi & Bohte 2021, Nat. Mach. Intell. 3:905)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.tau_m, self.tau_adp = nn.Parameter(torch.rand(n) * 10 + 10), nn.Parameter(torch.rand(n) * 50 + 50)

    def forward(self, x: torch.Tensor, state: Any = None) -> Any:
        mem, spikes, b = state if state is not None else [torch.zeros_like(x)] * 3
        alpha, rho = torch.exp(-1 / self.tau_m), torch.exp(-1 / self.tau_adp)
        b = rho * b + (1 - rho) * spikes
        threshold = 0.01 + 1.8 * b
        mem = mem * alpha + (1 - alpha) * x - threshold * spikes
        spikes = Spike.apply(mem - threshold)  # type: ignore[no-untyped-call]
        return spikes, (mem, spikes, b)


class Kept(nn.Module):
    """States kept as attributes, changed in place; a clamp and a choice."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.mem: Any = None
        self.register_buffer("threshold", torch.rand(n) + 0.5)

    def reset(self) -> None:
        self.mem = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mem is None:
            self.mem = torch.zeros_like(x)
        self.mem = self.mem * 0.9 + x.clamp(min=-1)
        spikes = (self.mem >= self.threshold).to(x)
        self.mem = torch.where(spikes > 0, torch.zeros_like(x), self.mem)
        return spikes


class Rectified(nn.Module):
    """adLIF of SpArch (Bittar & Garner 2022, Front. Neurosci. 16:865897), one step; states one after the other."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.alpha, self.beta = nn.Parameter(torch.rand(n) * 0.14 + 0.82), nn.Parameter(torch.rand(n) * 0.02 + 0.967)
        self.a, self.b = nn.Parameter(torch.rand(n) * 2 - 1), nn.Parameter(torch.rand(n) * 2)

    def forward(self, x: torch.Tensor, u: Any = 0.0, w: Any = 0.0, s: Any = 0.0) -> Any:
        if not torch.is_tensor(u):
            u, w, s = torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)
        alpha, beta = torch.clamp(self.alpha, 0.82, 0.96), torch.clamp(self.beta, 0.967, 0.992)
        w = beta * w + self.a * u + self.b * s
        u = alpha * (u - s) + (1 - alpha) * (x - w)
        s = Spike.apply(u - 1.0)  # type: ignore[no-untyped-call]
        return s, u, w, s


CLASSES: dict[str, Callable[[int], nn.Module]] = {"handed": Adaptive, "kept": Kept, "sparch": Rectified}


class Net(nn.Module):
    """A loop with a recurrent matrix and a head, which runs any of them."""

    def __init__(self, kind: str, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.fc, self.cell, self.rec, self.out = wide(nn.Linear(N, 15), 8), CLASSES[kind](15), nn.Linear(15, 15), nn.Linear(15, 4)

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        states: list[Any] = []
        spikes, kept = torch.zeros(xs.shape[1], 15), []
        for x in xs:
            made = self.cell(self.fc(x) + self.rec(spikes), *states)
            spikes, states = (made[0], list(made[1:])) if isinstance(made, tuple) else (made, [])
            kept.append(self.out(spikes))
        return torch.stack(kept).mean(0)


def read(kind: str, seed: int = 0) -> Any:
    return ei.from_torch(Net(kind, seed), torch.zeros(3, 1, N), cells=[Adaptive, Kept, Rectified])


@pytest.mark.parametrize("kind", CLASSES)
def test_steps_of_ones_own_come_in_proven(kind: str) -> None:
    for seed in range(3):
        spec = read(kind, seed)
        assert spec.proof is not None
        assert (spec.proof.unequal, spec.proof.not_compared, spec.proof.outputs) == (0, (), 16)
        assert spec.proof.n_spikes > 50
        assert spec["cell"].model.startswith("own_")
        assert "own code" in spec["cell"].neuron().title


def _input(spec: Any, trials: int = 3) -> Stimulus:
    given = np.random.default_rng(2).normal(0.4, 1.5, (trials, 20, spec.n_inputs))
    return Stimulus.from_currents(given, spec.dt_ms)


@pytest.mark.parametrize("kind", CLASSES)
def test_they_travel_in_files_and_run_in_brian2(kind: str, tmp_path: Path) -> None:
    spec = read(kind)
    spec.save(tmp_path / "own.h5")
    back = ei.load(tmp_path / "own.h5")
    assert back.sha256 == spec.sha256
    ours, theirs = ei.Backend("reference").run(back, _input(back)), ei.Backend("numpy").run(back, _input(back))
    assert ours.spikes["cell"].n_events > 50
    assert np.array_equal(ours.spikes["cell"].dense(), theirs.spikes["cell"].dense())


def test_biology_of_them_is_refused_by_name() -> None:
    from ei_brian.interop.dale import split_by_sign

    spec = read("handed")
    lawful = split_by_sign(spec)
    first, second = (ei.Backend("reference").run(network, _input(spec)) for network in (spec, lawful))
    assert np.allclose(first.scores, second.scores, atol=1e-12)
    with pytest.raises(SpecError, match=r"class of your own \(own_adaptive_"):
        ei.diversify(lawful, mix={"FS": 1.0}, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["synapses", "shared"])
def test_compiled_brian2_gives_the_same_spikes(layout: str) -> None:
    spec = read("handed")
    ours = ei.Backend("reference", dtype="float32").run(spec, _input(spec))
    theirs = ei.Backend("cpp_standalone", dtype="float32", layout=layout).run(spec, _input(spec))
    assert ours.spikes["cell"].n_events > 50
    assert np.array_equal(ours.spikes["cell"].dense(), theirs.spikes["cell"].dense())


class Mixes(Kept):
    """Divides by the sum over the layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x / x.abs().sum(1, keepdim=True))


class Inner(Kept):
    """Weights inside the cell: of its input, and of its own spikes or of its membrane."""

    def __init__(self, n: int, of: str = "spikes") -> None:
        super().__init__(n)
        self.fc, self.rec, self.of = wide(nn.Linear(15, n)), nn.Linear(n, n), of
        self.last: Any = None

    def reset(self) -> None:
        self.mem = self.last = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        current = self.fc(x)
        current = current + self.rec(torch.zeros_like(current) if self.last is None else self.last)
        spikes = super().forward(current)
        self.last = spikes if self.of == "spikes" else self.mem
        return spikes


@pytest.mark.parametrize("seed", range(3))
def test_a_cell_may_hold_weights_of_its_input_and_of_its_own_spikes(seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(wide(nn.Linear(N, 15), 8), Kept(15), Inner(12), wide(nn.Linear(12, 5)), Kept(5))
    spec = ei.from_torch(model, torch.zeros(1, N), cells=[Kept])
    proven(spec)
    assert {(p.source, p.target) for p in spec.projections} >= {("layer_1", "layer_2"), ("layer_2", "layer_2")}
    assert np.allclose(spec.projections[1].weights, model[2].fc.weight.detach().numpy())


def membrane(n: int) -> nn.Module:
    return Inner(n, of="membrane")


class Counts(Kept):
    """A step that changes with time."""

    steps = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        return super().forward(x * (2.0 if self.steps % 7 == 6 else 1.0))


class Sines(Kept):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.sin(x))


class Graded(Kept):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * x


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Mixes, "its step runs sum, which gives another number of values"), (membrane, "recurrent weights take"),
        (Counts, "module gives|the membrane"), (Sines, "its step runs sin"), (Graded, "no spike"),
    ],
)  # fmt: skip
def test_what_is_no_cell_is_refused(kind: Callable[[int], nn.Module], message: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(wide(nn.Linear(N, 15), 8), kind(15), nn.Linear(15, 5), Kept(5))
    with pytest.raises(DataError, match=f"(?s)layer 1.*({message})"):
        ei.from_torch(model, torch.zeros(1, N), cells=[Kept])


@pytest.mark.parametrize("kind", [*JELLY, "SLTTLIFNode"])
def test_other_nodes_of_spikingjelly(kind: str) -> None:
    jelly = pytest.importorskip("spikingjelly.activation_based")
    from spikingjelly.activation_based import functional, layer, neuron

    assert jelly
    for mode, shape in (("s", (1, N)), ("m", (4, 1, N))):
        torch.manual_seed(1)
        node = getattr(neuron, kind)()
        model = nn.Sequential(wide(layer.Linear(N, 15), 12), node, wide(layer.Linear(15, 5)), neuron.IFNode())
        functional.set_step_mode(model, mode)
        proven(ei.from_spikingjelly(model, torch.zeros(shape)))


@pytest.mark.parametrize("kind", OWN_NORSE)
def test_other_cells_of_norse(kind: str) -> None:
    norse = pytest.importorskip("norse.torch")
    torch.manual_seed(1)
    cell = getattr(norse, kind)(*((15, 15) if "Recurrent" in kind else ()))
    model = norse.SequentialState(wide(nn.Linear(N, 15), 12), cell)
    proven(ei.from_norse(model, torch.zeros((1, N) if kind.endswith("Cell") else (4, 1, N))))


def test_nodes_that_never_spike_say_the_class_that_is_read() -> None:
    pytest.importorskip("spikingjelly.activation_based")
    from spikingjelly.activation_based import layer, neuron

    class Readout(neuron.SimpleLIFNode):  # type: ignore[misc]
        def single_step_forward(self, x: torch.Tensor) -> torch.Tensor:
            self.neuronal_charge(x)
            return self.v  # type: ignore[no-any-return]

    def model(last: nn.Module) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(wide(layer.Linear(N, 15)), neuron.IFNode(), layer.Linear(15, 4), last)

    with pytest.raises(DataError, match=r"layer 3 \(NonSpikingLIFNode\).*class Readout\(neuron\.SimpleLIFNode\)"):
        ei.from_spikingjelly(model(neuron.NonSpikingLIFNode(tau=2.0)), torch.zeros(1, N))
    spec = ei.from_spikingjelly(model(Readout(tau=2.0, decay_input=True)), torch.zeros(1, N))
    assert spec.proof is not None
    assert (spec.proof.unequal, spec.proof.spikes[1]) == (0, 0)
    assert not spec["layer_3"].spiking


def test_classes_derived_from_a_frameworks_are_read_by_what_they_do() -> None:
    snntorch = pytest.importorskip("snntorch")

    class Scaled(snntorch.Leaky):  # type: ignore[misc, name-defined]
        def forward(self, x: torch.Tensor, mem: Any = None) -> Any:
            return super().forward(3 * x, mem)

    torch.manual_seed(0)
    model = nn.Sequential(wide(nn.Linear(N, 15)), Scaled(beta=0.9, init_hidden=True))
    spec = ei.from_snntorch(model, torch.zeros(1, N))
    proven(spec)
    assert spec["layer_1"].model.startswith("own_scaled_")
