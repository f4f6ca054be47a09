"""Imported networks are proven: every kind of planted fault is found, and what is exact comes in with its proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ei_brian.errors import DataError, ProofError
from ei_brian.interop import check
from ei_brian.interop.norse import from_norse
from ei_brian.interop.snntorch import from_snntorch
from ei_brian.interop.spikingjelly import from_spikingjelly

snntorch = pytest.importorskip("snntorch")
N = 20


def lif(**options: Any) -> nn.Module:
    return snntorch.Leaky(beta=0.9, init_hidden=True, **options)  # type: ignore[no-any-return]


def wide(module: nn.Module, factor: float = 4.0) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(factor)
    return module


class Loop(nn.Module):
    """A loop over steps with places for what people write into it."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.fc, self.cell = wide(nn.Linear(N, 15)), snntorch.Leaky(beta=0.9)
        self.out, self.last = wide(nn.Linear(15, 4)), snntorch.Leaky(beta=0.8)

    def start(self, x: torch.Tensor) -> Any:
        return self.cell.reset_mem()

    def between(self, spikes: torch.Tensor, membrane: torch.Tensor, step: int) -> torch.Tensor:
        return membrane

    def current(self, x: torch.Tensor, step: int) -> torch.Tensor:
        return self.fc(x)  # type: ignore[no-any-return]

    def step(self, x: torch.Tensor, first: Any, second: Any, step: int) -> Any:
        spikes, first = self.cell(self.current(x, step), first)
        out, second = self.last(self.out(spikes), second)
        return out, self.between(spikes, first, step), second

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        first, second, kept = self.start(xs), self.last.reset_mem(), []
        for step, x in enumerate(xs):
            out, first, second = self.step(x, first, second, step)
            kept.append(out)
        return torch.stack(kept)


def proven(spec: Any, least: int = 20) -> None:
    assert spec.proof is not None
    assert spec.proof.sha256 == spec.sha256
    assert min(spec.proof.spikes) >= 1
    assert spec.proof.n_spikes >= least
    assert spec.proof.unequal == 0


# -- what is written in other ways and comes in ----------------------------------------------------------------------------------


class Static(Loop):
    """One picture, shown 25 times inside forward."""

    def forward(self, x: torch.Tensor) -> Any:
        first, second, kept, membranes = self.start(x), self.last.reset_mem(), [], []
        for step in range(25):
            out, first, second = self.step(x, first, second, step)
            kept.append(out)
            membranes.append(second)
        return torch.stack(kept), torch.stack(membranes)


class BatchFirst(Loop):
    """Axes (trial, step, unit)."""

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        return super().forward(xs.transpose(0, 1)).transpose(0, 1)


class StepsLast(Loop):
    """Axes (trial, unit, step)."""

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        return super().forward(xs.permute(2, 0, 1)).sum(0)


class Fixed(Loop):
    """A number of steps that the module knows."""

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.stack([xs[step] for step in range(7)]))


class Whole(Loop):
    """The first layer works on all steps before the loop."""

    def current(self, x: torch.Tensor, step: int) -> torch.Tensor:
        return x

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        return super().forward(self.fc(xs))


class Buffers(Loop):
    """Results written into a tensor step by step, and a count of spikes."""

    def forward(self, xs: torch.Tensor) -> Any:
        first, second = self.start(xs), self.last.reset_mem()
        kept, count = torch.zeros(len(xs), xs.shape[1], 4), torch.zeros(xs.shape[1], 4)
        for step, x in enumerate(xs):
            out, first, second = self.step(x, first, second, step)
            kept[step] = out
            count += out
        return count / len(xs), kept


class Recurrent(Loop):
    """A recurrent matrix of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.rec = wide(nn.Linear(15, 15), 1.5)

    def start(self, x: torch.Tensor) -> Any:
        self.before = torch.zeros(x.shape[1], 15)
        return super().start(x)

    def current(self, x: torch.Tensor, step: int) -> torch.Tensor:
        return self.fc(x) + self.rec(self.before)  # type: ignore[no-any-return]

    def between(self, spikes: torch.Tensor, membrane: torch.Tensor, step: int) -> torch.Tensor:
        self.before = spikes
        return membrane


class Feedback(Recurrent):
    """The last layer's spikes of the step before come back to the first."""

    def __init__(self) -> None:
        super().__init__()
        self.rec = wide(nn.Linear(4, 15), 2)

    def start(self, x: torch.Tensor) -> Any:
        self.before = torch.zeros(x.shape[1], 4)
        return self.cell.reset_mem()

    def between(self, spikes: torch.Tensor, membrane: torch.Tensor, step: int) -> torch.Tensor:
        return membrane

    def step(self, x: torch.Tensor, first: Any, second: Any, step: int) -> Any:
        out, first, second = super().step(x, first, second, step)
        self.before = out
        return out, first, second


LOOPS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "loop": (Loop, (3, 1, N)), "loop, many trials": (Loop, (5, 4, N)), "static": (Static, (1, N)),
    "batch first": (BatchFirst, (1, 5, N)),
    "steps last": (StepsLast, (2, N, 6)), "fixed steps": (Fixed, (7, 1, N)), "whole first layer": (Whole, (4, 1, N)),
    "buffers": (Buffers, (3, 1, N)), "recurrent": (Recurrent, (3, 1, N)), "feedback": (Feedback, (3, 1, N)),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_loops_of_every_kind_come_in_proven(name: str) -> None:
    make, shape = LOOPS[name]
    model = make()
    spec = from_snntorch(model, torch.zeros(shape))
    proven(spec)
    assert spec.proof is not None
    assert spec.proof.outputs > 0
    assert spec.proof.not_compared == ()
    assert spec.n_inputs == N


def test_check_import_runs_the_module_as_its_author_did() -> None:
    from ei_brian.core.spikes import Spikes
    from ei_brian.core.stimulus import Stimulus

    for name, (make, shape) in LOOPS.items():
        model = make()
        spec = from_snntorch(model, torch.zeros(shape), prove=False)
        steps = {"static": 25, "fixed steps": 7}.get(name, 12)
        trials = 12 if name == "batch first" else 4  # as many trials as steps must not be mistaken for steps
        if name == "static":
            images = np.random.default_rng(0).random((trials, 1, N))
            stimulus = Stimulus.from_currents(np.repeat(images, steps, axis=1), 1.0)
        else:
            stimulus = Stimulus(Spikes.from_dense(np.random.default_rng(0).random((trials, steps, N)) < 0.4, 1.0))
        report = check.check_import(spec, model, stimulus)
        assert report.exact, f"{name}\n{report}"


class Sign(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, torch.sign(self.weight), self.bias)


class Law(nn.Linear):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out)
        self.register_buffer("sign", torch.where(torch.arange(n_in) < 0.8 * n_in, 1.0, -1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight.abs() * self.sign, self.bias)  # type: ignore[operator]


def pruned(n_in: int, n_out: int) -> nn.Module:
    from torch.nn.utils import prune

    return prune.random_unstructured(nn.Linear(n_in, n_out), "weight", amount=0.5)  # type: ignore[no-any-return,no-untyped-call]


def normalised(n_in: int, n_out: int) -> nn.Module:
    return torch.nn.utils.parametrizations.weight_norm(nn.Linear(n_in, n_out))


def old_normalised(n_in: int, n_out: int) -> nn.Module:
    return torch.nn.utils.weight_norm(nn.Linear(n_in, n_out))  # type: ignore[no-any-return]


def hooked(n_in: int, n_out: int) -> nn.Module:
    layer = nn.Linear(n_in, n_out)
    layer.register_forward_hook(lambda module, args, out: 2 * out)
    layer.register_forward_pre_hook(lambda module, args: (args[0][..., :],))
    return layer


class Half(nn.Module):
    """Half of a tensor of weights, seen through a view."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.both = nn.Parameter(torch.randn(2 * n_in, n_out) * 0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.both[: x.shape[-1]]


class Rounded(nn.Linear):
    """Weights of four bits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = self.weight.abs().max() / 7
        return F.linear(x, torch.round(self.weight / scale) * scale, self.bias)


LINEAR: dict[str, Callable[[int, int], nn.Module]] = {
    "sign": Sign, "law": Law, "pruned": pruned, "weight norm": normalised, "old weight norm": old_normalised, "hooked": hooked,
    "half": Half, "rounded": Rounded,
    "spectral norm": lambda a, b: torch.nn.utils.parametrizations.spectral_norm(nn.Linear(a, b)),
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_a_layer_computes_is_read_and_not_its_class(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(LINEAR[name](N, 15), lif(threshold=0.3), LINEAR[name](15, 6), lif(threshold=0.2))
    proven(from_snntorch(model, torch.zeros(1, N)))


class Functions(nn.Module):
    """Functions in the place of modules, a skip connection, a concatenation and slices."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.one = wide(nn.Conv2d(1, 4, 3, padding=1)), lif()
        self.two, self.middle = wide(nn.Linear(16, 16)), lif()
        self.three, self.out_cell = wide(nn.Linear(24, 5)), lif()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = F.avg_pool2d(self.one(10 * self.conv(x) / 4), 2).reshape(x.shape[0], -1)
        other = self.middle(self.two(spikes) + spikes)
        both = torch.cat([spikes[:, :8] - spikes[:, 8:], other], dim=1)
        return self.out_cell(self.three(both))  # type: ignore[no-any-return]


def test_functions_between_layers_are_seen() -> None:
    spec = from_snntorch(Functions(), torch.zeros(1, 1, 4, 4))
    proven(spec)
    ends = {(projection.source, projection.target) for projection in spec.projections}
    assert ends == {("input", "one"), ("one", "middle"), ("one", "out_cell"), ("middle", "out_cell")}


@pytest.mark.parametrize("layer", [
    nn.ConvTranspose2d(2, 3, 3, stride=2), nn.AdaptiveAvgPool2d(2), nn.Upsample(scale_factor=2), nn.AvgPool2d(2, ceil_mode=True),
    nn.ZeroPad2d(1), nn.Unflatten(1, (1, 2)), nn.BatchNorm2d(2).eval(), nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"),
    nn.Upsample(scale_factor=2, mode="bilinear"),
], ids=lambda layer: type(layer).__name__)  # fmt: skip
def test_any_layer_that_is_a_fixed_linear_map_becomes_weights(layer: nn.Module) -> None:
    torch.manual_seed(0)
    width = nn.Flatten()(layer(torch.zeros(1, 2, 5, 5))).shape[1]
    model = nn.Sequential(wide(nn.Conv2d(1, 2, 2)), lif(), layer, nn.Flatten(), wide(nn.Linear(width, 6), 6), lif())
    proven(from_snntorch(model, torch.zeros(1, 1, 6, 6)))


# -- what is refused, by what the model's own code does --------------------------------------------------------------------------


class SpikesBack(Loop):
    def between(self, spikes: torch.Tensor, membrane: torch.Tensor, step: int) -> torch.Tensor:
        return spikes


class Clamped(Loop):
    def between(self, spikes: torch.Tensor, membrane: torch.Tensor, step: int) -> torch.Tensor:
        return membrane.clamp(min=-0.1)


class Anew(Loop):
    def between(self, spikes: torch.Tensor, membrane: torch.Tensor, step: int) -> torch.Tensor:
        return torch.zeros_like(membrane)


class InPlace(Loop):
    def between(self, spikes: torch.Tensor, membrane: torch.Tensor, step: int) -> torch.Tensor:
        return membrane.mul_(0.9)


class Started(Loop):
    def start(self, x: torch.Tensor) -> Any:
        return torch.full((x.shape[1], 15), 0.8)


class Late(Loop):
    """Changes its state in the tenth step only: not seen in a short run, found by the proof."""

    def between(self, spikes: torch.Tensor, membrane: torch.Tensor, step: int) -> torch.Tensor:
        return membrane * 0 if step == 9 else membrane


class Skipped(Loop):
    """Shows nothing in every fifth step."""

    def current(self, x: torch.Tensor, step: int) -> torch.Tensor:
        return self.fc(x) * (1 if step % 5 != 4 else 3)  # type: ignore[no-any-return]


class Twice(Loop):
    def step(self, x: torch.Tensor, first: Any, second: Any, step: int) -> Any:
        out, first, second = super().step(x, first, second, step)
        self.cell(self.fc(x), first)
        return out, first, second


class Noisy(Loop):
    def current(self, x: torch.Tensor, step: int) -> torch.Tensor:
        return F.dropout(self.fc(x), 0.5, training=True)


class MixedTrials(Loop):
    def current(self, x: torch.Tensor, step: int) -> torch.Tensor:
        return self.fc(x) - self.fc(x).mean(0, keepdim=True) / 2  # type: ignore[no-any-return]


class Ahead(Loop):
    """Sees the step after."""

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        return super().forward(xs + torch.roll(xs, -1, 0))


class Head(Loop):
    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        return super().forward(xs).sum(0) @ torch.ones(4, 2)


class Voting(Loop):
    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        return F.avg_pool1d(super().forward(xs).sum(0)[:, None], 2)


class Attribute(nn.Module):
    """Scales the membrane that a layer keeps between its calls."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.cell = wide(nn.Linear(N, 15)), lif()

    def forward(self, x: torch.Tensor) -> Any:
        made = self.cell(self.fc(x))
        self.cell.mem = self.cell.mem * 0.5
        return made


class HookOnCell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.cell = wide(nn.Linear(N, 15)), lif()
        self.cell.register_forward_hook(lambda module, args, out: 1 - out)

    def forward(self, x: torch.Tensor) -> Any:
        return self.cell(self.fc(x))


FAULTS: dict[str, tuple[type[nn.Module], tuple[int, ...], str]] = {
    "spikes back": (SpikesBack, (3, 1, N), "layer cell: its state is changed between steps"),
    "clamped": (Clamped, (3, 1, N), "layer cell: its state is changed between steps"),
    "anew": (Anew, (3, 1, N), "layer cell: .*(lost between|changed between)"),
    "in place": (InPlace, (3, 1, N), "layer cell: .*changed between"),
    "start": (Started, (3, 1, N), "layer cell: its state starts at 0.8"),
    "late": (Late, (3, 1, N), "layer cell: its state is changed between steps"),
    "skipped": (Skipped, (3, 1, N), "layer cell .*step 4.*changes from step to step"),
    "twice": (Twice, (3, 1, N), "layer cell: a step calls it 2 times"),
    "noise": (Noisy, (3, 1, N), "random numbers"),
    "trials": (MixedTrials, (3, 1, N), "trials influence each other"),
    "ahead": (Ahead, (3, 1, N), "later steps"),
    "head": (Head, (3, 1, N), r"\(mm\): it stands behind the last layer of neurons"),
    "voting": (Voting, (3, 1, N), "combines neurons of the last layer"),
    "attribute": (Attribute, (1, N), "layer cell: the state that it keeps is changed"),
    "hook on a cell": (HookOnCell, (1, N), "hook on cell changes"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_named(name: str) -> None:
    kind, shape, message = FAULTS[name]
    with pytest.raises(DataError, match=f"(?s){message}"):
        from_snntorch(kind(), torch.zeros(shape))


def test_without_proof_it_is_shown_as_not_proven() -> None:
    spec = from_snntorch(Late(), torch.zeros(3, 1, N), prove=False)
    assert spec.proof is None
    assert spec.proven.startswith("not proven")


def test_norse_without_state_and_with_state() -> None:
    norse = pytest.importorskip("norse.torch")

    class Stateless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.fc, self.cell = wide(nn.Linear(N, 15), 20), norse.LIFCell()

        def forward(self, x: torch.Tensor) -> Any:
            return self.cell(self.fc(x))[0]

    class Stateful(Stateless):
        def forward(self, x: torch.Tensor, state: Any = None) -> Any:  # type: ignore[override]
            return self.cell(self.fc(x), state)

    with pytest.raises(DataError, match="Hand the returned state back"):
        from_norse(Stateless(), torch.zeros(1, N))
    proven(from_norse(Stateful(), torch.zeros(1, N)))


def test_spikingjelly_containers_and_normalised_layers() -> None:
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import functional, layer, neuron

    torch.manual_seed(0)
    container = layer.LinearRecurrentContainer(neuron.IFNode(), in_features=15, out_features=15, bias=True)
    model = nn.Sequential(wide(layer.Linear(N, 15)), container, wide(layer.Linear(15, 4)), neuron.IFNode())
    functional.set_step_mode(model, "m")
    proven(from_spikingjelly(model, torch.zeros(4, 1, N)))
    convolved = nn.Sequential(
        layer.WSConv2d(2, 8, 3, padding=1), neuron.LIFNode(v_threshold=0.2), layer.Flatten(), layer.WSLinear(128, 10),
        neuron.LIFNode(v_threshold=0.1),
    )  # fmt: skip
    proven(from_spikingjelly(convolved, torch.zeros(1, 2, 4, 4)))


def test_layers_that_stay_silent_are_named() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(wide(nn.Linear(N, 15)), lif(), nn.Linear(15, 4), lif(threshold=1e6))
    spec = from_snntorch(model, torch.zeros(1, N))
    assert spec.proof is not None
    assert spec.proof.silent == ("layer_3",)
    assert "never spiked" in spec.proven


def test_nothing_of_the_users_module_changes() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(N), wide(nn.Linear(N, 15)), lif(), pruned(15, 4), lif())
    model.train()
    model(torch.rand(5, N)).sum().backward()
    states = {key: value.clone() for key, value in model.state_dict().items()}
    kept = [module.mem for module in model if hasattr(module, "mem")]
    before = [(item, item._version, item.clone()) for item in kept]
    gradients = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    random, numbers, flags = torch.get_rng_state(), np.random.get_state()[1].copy(), [m.training for m in model.modules()]  # noqa: NPY002
    from_snntorch(model, torch.zeros(2, N))
    assert all(torch.equal(states[key], value) for key, value in model.state_dict().items())
    assert all(module.mem is item and item._version == version and torch.equal(item, value) for module, (item, version, value) in
               zip((m for m in model if hasattr(m, "mem")), before, strict=True))  # fmt: skip
    assert all(torch.equal(gradients[name], value.grad) for name, value in model.named_parameters() if value.grad is not None)
    assert hooks == [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    assert torch.equal(random, torch.get_rng_state())
    assert np.array_equal(numbers, np.random.get_state()[1])  # noqa: NPY002
    assert flags == [module.training for module in model.modules()]
    assert torch.get_default_dtype() == torch.float32


def test_the_proof_is_kept_in_the_file_and_says_when_the_network_changed(tmp_path: Any) -> None:
    from dataclasses import replace

    from ei_brian.storage import load_spec

    spec = from_snntorch(Loop(), torch.zeros(3, 1, N))
    spec.save(tmp_path / "net.h5")
    loaded = load_spec(tmp_path / "net.h5")
    assert loaded.proof == spec.proof
    assert loaded.sha256 == spec.sha256
    assert str(spec.proof) == loaded.proven
    changed = replace(loaded, dt_ms=0.5)
    assert changed.proven.startswith("before it was changed")


def test_a_fault_in_what_was_read_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from ei_brian.interop import modules

    whole = modules.assemble

    def faulty(graph: Any, name: str, readout: str | None) -> Any:
        from dataclasses import replace

        made = whole(graph, name, readout)
        first = made.projections[0]
        weights = np.array(first.weights)
        weights[3, 7] *= 1.01  # one synapse of 300
        return replace(made, projections=(replace(first, weights=weights), *made.projections[1:]))

    monkeypatch.setattr(modules, "assemble", faulty)
    with pytest.raises(ProofError, match=r"(?s)layer cell .*neuron 3: all spikes are equal"):
        from_snntorch(Loop(), torch.zeros(3, 1, N))


@pytest.mark.parametrize("size", [0.03, 3.0, 300.0])
def test_the_input_of_a_proof_makes_weak_and_strong_networks_fire(size: float) -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Linear(6, 8, bias=False), snntorch.Leaky(beta=0.9, init_hidden=True))
    with torch.no_grad():
        net[0].weight.mul_(size)
    proof = from_snntorch(net, torch.zeros(1, 6)).proof
    assert proof is not None
    assert min(proof.spikes) > 5
