"""Layers without neurons become weights: as torch computes them, sparse, and refused by name where that cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn

from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, DataError
from ei_brian.interop import linear
from ei_brian.interop.assemble import assemble
from ei_brian.interop.check import check_import
from ei_brian.interop.graph import Cell, Graph, Node, chain
from ei_brian.interop.linear import affine
from ei_brian.interop.modules import arrays_of
from ei_brian.interop.state_dict import from_state_dict, graph_of

ATTRIBUTES = (
    "stride", "padding", "dilation", "groups", "padding_mode", "kernel_size", "ceil_mode", "count_include_pad",
    "divisor_override", "start_dim", "end_dim", "eps",
)  # fmt: skip


def described(module: nn.Module) -> Node:
    """Return a layer as a description of it has it: its class, its arguments and its arrays."""
    options = {key: getattr(module, key) for key in ATTRIBUTES if hasattr(module, key)}
    return Node(type(module).__name__, options, arrays_of(module))


LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(7, 5), (7,)),
    "linear over the last axis": (nn.Linear(7, 5), (3, 7)),
    "conv2d": (nn.Conv2d(3, 6, 3, stride=2, padding=1), (3, 9, 8)),
    "conv2d grouped and dilated": (nn.Conv2d(4, 6, (3, 2), dilation=2, groups=2, bias=False), (4, 9, 8)),
    "conv2d same": (nn.Conv2d(2, 3, (2, 5), padding="same"), (2, 6, 7)),
    "conv2d valid": (nn.Conv2d(2, 3, 3, padding="valid"), (2, 6, 7)),
    "conv1d": (nn.Conv1d(2, 5, 4, stride=3, padding=2, dilation=2), (2, 20)),
    "avgpool2d": (nn.AvgPool2d((2, 3), stride=(2, 1), padding=1), (3, 6, 7)),
    "avgpool1d": (nn.AvgPool1d(3), (2, 10)),
    "flatten": (nn.Flatten(), (3, 4, 5)),
    "flatten part": (nn.Flatten(2, 3), (3, 4, 5)),
    "batchnorm1d": (nn.BatchNorm1d(6), (6,)),
    "batchnorm2d": (nn.BatchNorm2d(3), (3, 4, 5)),
    "batchnorm without weights": (nn.BatchNorm2d(3, affine=False), (3, 4, 5)),
    "dropout": (nn.Dropout(0.5), (4, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_affine_map_is_what_torch_computes(name: str) -> None:
    module, shape = LAYERS[name]
    torch.manual_seed(0)
    module = module.double().eval()
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.running_mean.uniform_(-1, 1)
        module.running_var.uniform_(0.5, 2)
    x = torch.randn(4, *shape, dtype=torch.float64)
    matrix, bias, made = affine(name, described(module), shape)
    with torch.no_grad():
        wanted = module(x).numpy()
    assert wanted.shape[1:] == made
    flat = x.numpy().reshape(4, -1)
    result = flat if matrix is None else (matrix @ flat.T).T
    result = result if bias is None else result + bias
    assert np.max(np.abs(result - wanted.reshape(4, -1))) < 1e-12  # sums of < 100 terms of size 1 in another order
    if "conv" in name or "pool" in name:
        assert sparse.issparse(matrix)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.MaxPool2d(2), "largest of several spikes"), (nn.ReLU(), "activation"), (nn.LayerNorm(4), "statistics change"),
        (nn.Tanh(), "not known"), (nn.BatchNorm1d(4, track_running_stats=False), "running statistics"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), "circular"), (nn.AvgPool2d(2, ceil_mode=True), "ceil_mode"),
        (nn.Conv2d(2, 1, 3), "channels differ"), (nn.Linear(3, 3), "width"), (nn.AvgPool2d(9), "fit no input"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)  # fmt: skip
def test_what_is_no_set_of_synapses_is_refused_by_name(module: nn.Module, message: str) -> None:
    shape = (4,) if isinstance(module, nn.modules.batchnorm.BatchNorm1d | nn.LayerNorm | nn.Linear) else (1, 4, 4)
    with pytest.raises(DataError, match=message):
        affine("layer", described(module), shape)


def test_unrolling_stops_at_the_stated_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "MAX_SYNAPSES", 1000)
    with pytest.raises(DataError, match="at most 1000"):
        affine("conv", described(nn.Conv2d(3, 8, 3)), (3, 32, 32))


def test_large_convolutions_stay_sparse() -> None:
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    cell = Cell("nir_if_zero", {"v_threshold": 1.0})
    nodes = {"conv": Node("Conv2d", {"padding": 1}, {"weight": weight}), "cell": Node("IF", cell=cell)}
    spec = assemble(Graph(nodes, chain(list(nodes)), (3, 48, 48), 1.0, "test"))
    table: Any = spec.projections[0].weights
    assert sparse.issparse(table)
    assert table.dtype == np.float32
    assert table.nnz <= 4 * 48 * 48 * 27


class Deep(nn.Module):
    """Convolution, batch normalisation, pooling, dropout and a skip to the end, stepped one by one."""

    def __init__(self) -> None:
        import snntorch

        super().__init__()
        torch.manual_seed(1)
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.lif1 = snntorch.Leaky(beta=0.8, init_hidden=True)
        self.pool, self.drop, self.flat, self.fc = nn.AvgPool2d(3), nn.Dropout(0.3), nn.Flatten(), nn.Linear(16, 5)
        self.lif2 = snntorch.Synaptic(alpha=0.5, beta=0.8, init_hidden=True)
        with torch.no_grad():
            self.norm.running_var.uniform_(0.2, 0.5)
            self.norm.running_mean.uniform_(-0.1, 0.1)
            self.fc.weight.mul_(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.lif1(self.norm(self.conv(x)))
        return self.lif2(self.fc(self.flat(self.drop(self.pool(z)))))  # type: ignore[no-any-return]


def test_folded_layers_give_the_spikes_of_evaluation() -> None:
    pytest.importorskip("snntorch")
    from ei_brian.interop.snntorch import from_snntorch

    model = Deep()
    assert model.training
    spec = from_snntorch(model, torch.zeros(1, 1, 7, 7), dt_ms=1.0)
    assert model.training, "the mode is put back"
    events = (np.random.default_rng(2).random((6, 50, 49)) < 0.4).astype(np.uint8)
    report = check_import(spec, model, Stimulus(Spikes.from_dense(events, 1.0)))
    assert report.exact, str(report)  # folding a normalisation rounds once more; no spike of these depends on the last bit
    assert min(layer.spikes for layer in report.layers) > 50


def test_description_and_arrays_must_fit_each_other(tmp_path: Any) -> None:
    weight = {"fc.weight": np.eye(3, dtype=np.float32)}
    layers = [{"name": "fc", "type": "Linear"}, {"name": "lif", "type": "IFNode"}]
    described = {"framework": "spikingjelly", "input_shape": [3], "layers": layers}
    assert assemble(graph_of(described, weight)).n_inputs == 3
    for changes, error, message in (
        ({"framework": "nest"}, ConfigError, "'nest' is not known"), ({"input_shape": [0]}, ConfigError, "whole numbers"),
        ({"layerz": []}, ConfigError, "Did you mean 'layers'"), ({"layers": layers[:1]}, DataError, "no layer of neurons"),
        ({"layers": layers[1:]}, DataError, "belong to no layer"), ({"layers": [layers[0]] * 2}, ConfigError, "name of its own"),
        ({"layers": [*layers, {"name": "x", "type": "Blur"}]}, DataError, "'Blur' is not known"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            assemble(graph_of({**described, **changes}, weight))
    np.savez(tmp_path / "net.npz", **weight)
    (tmp_path / "net.toml").write_text(
        'framework = "spikingjelly"\ninput_shape = [3]\n[[layers]]\nname = "fc"\ntype = "Linear"\n'
        '[[layers]]\nname = "lif"\ntype = "IFNode"\nv_reset = "none"\n', encoding="utf-8",
    )  # fmt: skip
    spec = from_state_dict(tmp_path / "net.npz", tmp_path / "net.toml")
    assert spec["lif"].model == "spikingjelly_if_soft"
    assert simulate(spec, Stimulus(Spikes.from_dense(np.ones((1, 4, 3)), 1.0))).spikes["lif"].n_events == 12


def test_branches_add_up_and_loops_are_refused() -> None:
    arrays = {name: np.full((2, 2), value, np.float32) for name, value in (("a.weight", 0.25), ("b.weight", 0.5))}
    layers = [
        {"name": "a", "type": "Linear"}, {"name": "b", "type": "Linear", "inputs": ["input"]},
        {"name": "lif", "type": "IFNode", "inputs": ["a", "b"]},
    ]  # fmt: skip
    described: dict[str, Any] = {"framework": "spikingjelly", "input_shape": [2], "layers": layers}
    spec = assemble(graph_of(described, arrays))
    assert np.array_equal(spec.projections[0].weights, np.full((2, 2), 0.75))
    layers[0]["inputs"] = ["lif"]
    with pytest.raises(DataError, match="loop"):
        assemble(graph_of(described, arrays))


@pytest.mark.parametrize("operation", [
    lambda x: 2 * x, lambda x: x.mul_(2), lambda x: x.view(-1, 2, 3).transpose(1, 2), lambda x: torch.cat([x[:, 3:], x], 1) - 0.1,
], ids=["scaled", "in place", "transposed", "joined"])  # fmt: skip
def test_functions_between_layers_are_weights(operation: Any) -> None:
    pytest.importorskip("snntorch")
    import snntorch

    from ei_brian.interop.snntorch import from_snntorch

    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lif = nn.Linear(6, 6), snntorch.Leaky(beta=0.9, init_hidden=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.lif(operation(self.fc(x)))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    spec = from_snntorch(Hidden(), torch.zeros(2, 6))
    assert spec.proof is not None
    assert spec.proof.n_spikes > 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"graded_spikes_factor": 0.5}, "graded_spikes_factor"),
        ({"state_quant": lambda x: x}, "state_quant"), ({"threshold": -0.1}, "threshold"),
    ],
    ids=["graded", "quantised", "negative threshold"],
)  # fmt: skip
def test_options_of_snntorch_that_change_the_arithmetic_are_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    pytest.importorskip("snntorch")
    import snntorch

    from ei_brian.interop.snntorch import from_snntorch

    model = nn.Sequential(nn.Linear(4, 3), snntorch.Leaky(beta=0.9, init_hidden=True, **arguments))
    with pytest.raises(DataError, match=message):
        from_snntorch(model, torch.zeros(2, 4))


def test_inhibition_is_read_in_flat_layers_only() -> None:
    arrays = {"conv.weight": np.ones((2, 1, 2, 2), np.float32), "lif.beta": np.float32(0.9), "lif.threshold": np.float32(1.0)}
    layers = [{"name": "conv", "type": "Conv2d"}, {"name": "lif", "type": "Leaky", "inhibition": True}]
    described: dict[str, Any] = {"framework": "snntorch", "input_shape": [1, 3, 3], "layers": layers}
    with pytest.raises(DataError, match=r"inhibition: a layer of shape \(2, 2, 2\)"):
        assemble(graph_of(described, arrays))
    layers.insert(1, {"name": "flat", "type": "Flatten"})
    assert assemble(graph_of(described, arrays))["lif"].model == "snntorch_leaky_subtract_inhibition"
