"""The largest of several: relays for spikes, cells with several sums for currents; exact in every backend and layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn
from torch.nn import functional as F

import ei_brian as ei
from ei_brian.core.noise.cell_noise import dead_cells
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError, SpecError
from ei_brian.interop.dale import split_by_sign
from ei_brian.interop.largest import _signed
from ei_brian.interop.operations import MAX_MEASURED
from ei_brian.interop.snntorch import from_snntorch
from ei_brian.report.cells import cells_only
from ei_brian.study.simulation import standard_measures

snntorch = pytest.importorskip("snntorch")


def lif(beta: float = 0.9) -> nn.Module:
    return snntorch.Leaky(beta=beta, init_hidden=True)  # type: ignore[no-any-return]


class Made(nn.Module):
    """Convolution, a function, a cell, another function, weights, a cell."""

    def __init__(self, before: Callable[[torch.Tensor], Any], after: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.one, self.two = nn.Conv2d(1, 3, 3), lif(0.8), lif()
        self.before, self.after = before, after
        self.fc = nn.LazyLinear(5)
        with torch.no_grad():
            self.conv.weight.mul_(3)
            self.fc(torch.flatten(after(torch.relu(before(self.conv(torch.zeros(1, 1, 9, 9))))), 1))
            self.fc.weight.mul_(6)

    def forward(self, x: torch.Tensor) -> Any:
        return self.two(self.fc(torch.flatten(self.after(self.one(self.before(self.conv(x)))), 1)))


def same(x: torch.Tensor) -> torch.Tensor:
    return x


CASES: dict[str, tuple[Callable[[torch.Tensor], Any], Callable[[torch.Tensor], Any]]] = {
    "spikes": (same, lambda x: F.max_pool2d(x, 2)),
    "spikes, windows that overlap, padded": (same, lambda x: F.max_pool2d(x, 3, 2, padding=1)),
    "spikes, dilated": (same, lambda x: F.max_pool2d(x, 2, 1, dilation=2)),
    "spikes, ceil": (same, lambda x: F.max_pool2d(x, 2, ceil_mode=True)),
    "spikes, adaptive": (same, lambda x: F.adaptive_max_pool2d(x, 3)),
    "spikes, over all places": (same, lambda x: x.amax((2, 3))),
    "spikes, in one dimension": (same, lambda x: F.max_pool1d(x.flatten(2), 3)),
    "spikes, twice": (same, lambda x: F.max_pool2d(F.max_pool2d(x, 2), 2)),
    "spikes, relu changes nothing": (same, lambda x: F.relu(F.relu(2 * x))),
    "both of two": (same, lambda x: x * x.flip(3)),
    "one and not the other": (same, lambda x: x * (1 - x.flip(3))),
    "one or the other": (same, lambda x: torch.maximum(x, x.flip(2))),
    "currents": (lambda x: F.max_pool2d(x, 2), same),
    "currents, padded, both signs": (lambda x: F.max_pool2d(x, 3, 2, 1) * torch.tensor([1.0, -2.0, 0.5])[:, None, None], same),
    "currents, then a constant": (lambda x: F.max_pool2d(x, 2) - 0.2, lambda x: F.max_pool2d(x, 2)),
    "currents, above 0": (torch.relu, same),
    "currents, and others": (lambda x: torch.maximum(x, x.flip(2)) + 0.3 * x, same),
}


@pytest.mark.parametrize("name", CASES)
def test_the_largest_is_exact(name: str) -> None:
    spec = from_snntorch(Made(*CASES[name]), torch.zeros(1, 1, 9, 9))
    assert spec.proof is not None
    assert min(spec.proof.spikes) > 3
    relays = [cells for cells in spec.cells if cells.relay]
    wanted = 0 if "nothing" in name or CASES[name][1] is same else 2 if "twice" in name else 1
    assert len(relays) == wanted
    assert not {cells.name for cells in relays} & set(spec.proof.layers)


def test_spikes_of_all_steps_at_once() -> None:
    layer, neuron = (pytest.importorskip("spikingjelly.activation_based." + part) for part in ("layer", "neuron"))
    torch.manual_seed(1)
    net = nn.Sequential(
        layer.Conv2d(1, 3, 3), neuron.LIFNode(), layer.MaxPool2d(2), layer.Conv2d(3, 2, 2), layer.MaxPool2d(2), neuron.IFNode(),
        layer.Flatten(),
    )  # fmt: skip
    for module in net:
        module.step_mode = "m"
    spec = ei.from_spikingjelly(net, torch.zeros(4, 1, 1, 8, 8))
    assert [cells.size for cells in spec.cells if cells.relay] == [27]
    assert min(spec.proof.spikes) > 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (same, lambda x: F.max_pool2d(3 * x + x.flip(3), 2)),
        (lambda x: F.max_pool2d(x, 2) + F.max_pool2d(-x, 2), same),
        (lambda x: F.avg_pool2d(F.max_pool2d(x, 2), 2), same),
        (lambda x: F.max_pool2d(x, 9, 1, padding=4), same),
        (same, lambda x: F.relu(x - x.flip(3))),
    ],
    ids=["then weighed", "added up", "then averaged", "too many", "a difference of spikes, above 0"],
)  # fmt: skip
def test_what_no_cell_computes_is_refused_with_a_way_round(before: Any, after: Any) -> None:
    with pytest.raises(DataError, match=r"largest of .*(put a layer of neurons before the pooling|Pool in two layers)"):
        from_snntorch(Made(before, after), torch.zeros(1, 1, 9, 9))


def pooled() -> NetworkSpec:
    return from_snntorch(Made(lambda x: F.max_pool2d(x, 3, 2, 1), lambda x: F.max_pool2d(x, 2)), torch.zeros(1, 1, 9, 9))


def stimulus() -> Stimulus:
    events = np.random.default_rng(5).random((6, 20, 81)) < 0.4
    return Stimulus(Spikes.from_dense(events, 1.0), np.arange(6) % 5, 5)


def check(spec: NetworkSpec, backend: Any) -> None:
    wanted, mine = simulate(spec, stimulus(), np.float64), backend.run(spec, stimulus())
    for name, train in wanted.spikes.items():
        assert train.n_events > 5
        assert np.array_equal(train.dense(bool), mine.spikes[name].dense(bool)), name


@pytest.mark.parametrize("layout", ["synapses", "shared"])
def test_brian2_gives_the_same_spikes(layout: str) -> None:
    check(pooled(), ei.Backend("numpy", layout=layout))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["synapses", "shared"])
def test_compiled_brian2_gives_the_same_spikes(layout: str) -> None:
    check(pooled(), ei.Backend("cpp_standalone", layout=layout))


def test_relays_are_no_cells() -> None:
    spec = from_snntorch(Made(same, lambda x: F.max_pool2d(x, 2)), torch.zeros(1, 1, 9, 9), dt_ms=0.5)
    relay = next(cells.name for cells in spec.cells if cells.relay)
    split = split_by_sign(spec)
    swapped = ei.diversify(split, {"RS": 1.0}, "exc", seed=0)
    assert {cells.model for cells in swapped.cells if cells.relay} == {"spike_relay"}
    assert {cells.name for cells in swapped.cells if cells.cell_types} == {"one_exc"}
    with pytest.raises(SpecError, match=relay):
        ei.diversify(spec, "cortex FS/LTS", relay)
    noise = ei.Noise(membrane_white_sd=0.3, threshold_spread=0.2, background_exc_hz=50.0)
    assert not dead_cells(spec[relay], ei.Noise(cell_death=1.0), 1).any()
    noisy = simulate(spec, stimulus_of(spec), np.float64, noise=noise, seed=1)
    source = noisy.spikes["one"].dense(bool).reshape(6, 20, 3, 7, 7)[..., :6, :6].reshape(6, 20, 3, 3, 2, 3, 2).any(axis=(4, 6))
    assert np.array_equal(noisy.spikes[relay].dense(bool).reshape(source.shape), source)
    measures = standard_measures(spec, noisy)
    assert "rate_hz_one" in measures
    assert not [key for key in measures if relay in key]
    assert relay not in cells_only(spec, noisy).spikes


def stimulus_of(spec: NetworkSpec) -> Stimulus:
    return Stimulus(Spikes.from_dense(stimulus().dense(bool), spec.dt_ms), np.arange(6) % 5, 5)


def test_cells_that_take_the_largest_sum_are_not_swapped_without_a_word() -> None:
    spec = from_snntorch(Made(lambda x: F.max_pool2d(x, 2), same), torch.zeros(1, 1, 9, 9), dt_ms=0.5)
    with pytest.raises(SpecError, match="largest of several sums"):
        ei.diversify(spec, "cortex FS/LTS", "one")


def test_networks_with_relays_are_stored(tmp_path: Any) -> None:
    spec = pooled()
    spec.save(tmp_path / "pooled.h5")
    assert ei.load(tmp_path / "pooled.h5").sha256 == spec.sha256


def test_parts_of_a_matrix_are_none_where_there_is_none() -> None:
    assert _signed(None) == (None, None)
    for table in (np.array([[1.0, -2.0, 0.0]]), sparse.csr_array([[1.0, -2.0, 0.0]])):
        above, below = (np.asarray(part.todense() if sparse.issparse(part) else part) for part in _signed(table))
        assert (above.tolist(), below.tolist()) == ([[1.0, 0.0, 0.0]], [[0.0, -2.0, 0.0]])


def test_a_product_with_a_large_matrix_is_read_and_not_measured() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.weight, self.cell = nn.Parameter(torch.randn(2, MAX_MEASURED + 8)), lif()

        def forward(self, x: torch.Tensor) -> Any:
            return self.cell(x @ self.weight.T)

    spec = from_snntorch(Wide(), torch.zeros(1, MAX_MEASURED + 8))
    assert spec.projections[0].weights.shape == (2, MAX_MEASURED + 8)
