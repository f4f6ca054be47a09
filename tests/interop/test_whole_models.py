"""Models as people write them: loops inside the model, Sequential, multi-step modules, readouts that never spike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, DataError
from ei_brian.interop import frameworks
from ei_brian.interop.check import check_import
from ei_brian.interop.norse import from_norse
from ei_brian.interop.snntorch import from_snntorch
from ei_brian.interop.spikingjelly import from_spikingjelly
from tests.interop.networks import events

N = 12
V_TOLERANCE = 1e-9  # a sum per step in another order, rounded once each, over 60 steps of size 1


def stimulus(n_units: int = N) -> Stimulus:
    return Stimulus(Spikes.from_dense(events(n_units=n_units), dt_ms=1.0))


def scaled(module: nn.Module, factor: float) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(factor)
    return module


def test_snntorch_loop_inside_the_model() -> None:
    snntorch = pytest.importorskip("snntorch")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.fc1, self.lif1 = scaled(nn.Linear(N, 20), 5.0), snntorch.Leaky(beta=0.9)
            self.fc2, self.lif2 = scaled(nn.Linear(20, 6), 9.0), snntorch.Leaky(beta=0.8, reset_mechanism="zero")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
            out = []
            for step in range(x.size(0)):
                spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
                spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
                out.append(spk2)
            return torch.stack(out)

    model = Net()
    spec = from_snntorch(model, torch.zeros(3, 2, N), name="net")
    assert spec.provenance[-1]["whole_sequence"]
    report = check_import(spec, model, stimulus())
    assert report.exact, str(report)
    assert report.layers[1].spikes > 20


def test_snntorch_sequential_with_convolutional_loop() -> None:
    snntorch = pytest.importorskip("snntorch")
    torch.manual_seed(3)
    model = nn.Sequential(
        scaled(nn.Conv2d(1, 2, 3, padding=1), 3.0),
        snntorch.RLeaky(beta=0.8, all_to_all=True, conv2d_channels=2, kernel_size=3, init_hidden=True),
        nn.Flatten(), scaled(nn.Linear(2 * 12, 4), 3.0), snntorch.Leaky(beta=0.9, init_hidden=True, output=True),
    )  # fmt: skip
    spec = from_snntorch(model, torch.zeros(1, 1, 3, 4))
    report = check_import(spec, model, stimulus())
    assert report.exact, str(report)
    assert [layer.population for layer in report.layers] == ["layer_1", "layer_4"]
    assert min(layer.spikes for layer in report.layers) > 20


@pytest.mark.parametrize("readout", ["LI", "LICell", "LIBoxCell", "LILinearCell"])
def test_norse_readouts_that_never_spike(readout: str) -> None:
    norse = pytest.importorskip("norse.torch")
    from norse.torch.module.leaky_integrator import LILinearCell
    from norse.torch.module.leaky_integrator_box import LIBoxCell

    torch.manual_seed(0)
    sequence = readout == "LI"
    if sequence:
        layers: list[nn.Module] = [scaled(nn.Linear(N, 10), 2), norse.LIF(), nn.Linear(10, 4), norse.LI()]
    else:
        last = {"LICell": norse.LICell, "LIBoxCell": LIBoxCell}.get(readout)
        end = [LILinearCell(10, 4)] if last is None else [nn.Linear(10, 4), last()]
        layers = [scaled(nn.Linear(N, 10), 2), norse.LIFCell(), *end]
    model = norse.SequentialState(*layers)
    spec = from_norse(model, torch.zeros(3, 1, N) if sequence else torch.zeros(1, N))
    assert spec.readout is not None
    assert spec.readout.kind == "max v"
    assert spec.dt_ms == 1.0
    report = check_import(spec, model, stimulus())
    assert report.exact, str(report)
    assert report.layers[0].spikes > 20
    assert report.layers[1].largest_v < V_TOLERANCE


def test_norse_recurrent_sequence() -> None:
    norse = pytest.importorskip("norse.torch")
    torch.manual_seed(0)
    model = norse.SequentialState(scaled(norse.LIFRecurrent(N, 10), 2.0), scaled(nn.Linear(10, 4), 9.0), norse.LIF())
    report = check_import(from_norse(model, torch.zeros(3, 1, N)), model, stimulus())
    assert report.exact, str(report)
    assert min(layer.spikes for layer in report.layers) > 20


def test_spikingjelly_multi_step() -> None:
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import functional, layer, neuron

    torch.manual_seed(0)
    model = nn.Sequential(
        layer.Conv2d(1, 3, 3, padding=1), neuron.LIFNode(tau=2.0, v_threshold=0.2), layer.AvgPool2d(2), layer.Flatten(),
        layer.Linear(3 * 2, 4), neuron.ParametricLIFNode(v_threshold=0.1),
    )  # fmt: skip
    functional.set_step_mode(model, "m")
    spec = from_spikingjelly(model, torch.zeros(3, 2, 1, 3, 4))
    report = check_import(spec, model, stimulus())
    assert report.exact, str(report)
    assert min(entry.spikes for entry in report.layers) > 20


def test_a_model_in_the_middle_of_training() -> None:
    snntorch = pytest.importorskip("snntorch")
    torch.manual_seed(0)
    model = nn.Sequential(
        scaled(nn.Linear(N, 8), 3.0), snntorch.RLeaky(beta=0.9, linear_features=8, init_hidden=True, learn_beta=True),
        nn.BatchNorm1d(8), scaled(nn.Linear(8, 3), 3.0), snntorch.Leaky(beta=0.8, init_hidden=True, learn_threshold=True),
    )  # fmt: skip
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(2):
        for module in model:
            if hasattr(module, "reset_mem"):
                module.reset_mem()
        loss = sum(model(torch.rand(4, N)).sum() for _ in range(5))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    spec = from_snntorch(model, torch.zeros(2, N))
    model.eval()(torch.rand(4, N))  # leaves states that hang on a graph; statistics stay
    model.train()
    report = check_import(spec, model, stimulus())
    assert report.exact, str(report)
    assert model.training
    after = model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_report_names_the_first_divergence() -> None:
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import neuron

    torch.manual_seed(0)
    model = nn.Sequential(scaled(nn.Linear(N, 8), 3.0), neuron.LIFNode())
    spec = from_spikingjelly(model, torch.zeros(1, N))
    with torch.no_grad():
        model[0].bias[5] += 0.05  # the planted fault: another bias of neuron 5 than the spec has
    report = check_import(spec, model, stimulus())
    assert not report.exact
    entry = report.layers[0]
    assert entry.first is not None
    assert entry.first[2] == 5
    assert entry.spikes_equal <= entry.spikes
    assert entry.trials_equal < entry.trials
    assert "neuron 5" in str(report)


def test_cells_of_spikingjelly_without_a_model_are_refused_by_name() -> None:
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import neuron

    with pytest.raises(DataError, match=r"ILIFNode.*its step runs round"):
        from_spikingjelly(nn.Sequential(nn.Linear(4, 3), neuron.ILIFNode()), torch.zeros(1, 4))


def test_missing_and_other_versions_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("snntorch")
    monkeypatch.setitem(frameworks.SUPPORTED, "snntorch", "0.1")
    with pytest.raises(ConfigError, match=r"0\.1\.x is what"):
        frameworks.framework("snntorch")
    monkeypatch.setitem(frameworks.SUPPORTED, "no_such_package", "1.0")
    with pytest.raises(ConfigError, match="not installed"):
        frameworks.framework("no_such_package")


@pytest.mark.parametrize("name", ["snntorch", "norse", "spikingjelly", "nir"])
def test_installed_versions_are_the_supported_ones(name: str) -> None:
    pytest.importorskip(name)
    assert frameworks.framework(name).__name__ == name


def test_check_import_needs_a_module(tmp_path: Any) -> None:
    from tests.conftest import random_spec

    with pytest.raises(DataError, match="not imported from a module"):
        check_import(random_spec(), nn.Linear(2, 2), Stimulus(Spikes.from_dense(np.zeros((1, 2, 12)), 1.0)))
