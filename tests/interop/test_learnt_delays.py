"""A delay for each weight, in whole steps, as networks with learnt delays have them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
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
from ei_brian.interop.state_dict import from_state_dict
from ei_brian.storage import load_spec, save_spec

SIZES, LATEST = (12, 15, 6), 7


def described(**linear: Any) -> dict[str, Any]:
    layers: list[dict[str, Any]] = [
        {"name": "a", "type": "Linear", **linear}, {"name": "l", "type": "spikingjelly_lif_hard", "tau": 2.0},
        {"name": "b", "type": "Linear", **linear}, {"name": "m", "type": "spikingjelly_lif_hard", "tau": 2.0},
    ]  # fmt: skip
    return {"framework": "torch", "input_shape": [SIZES[0]], "layers": layers}


def arrays(seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    made = {}
    for name, (n_in, n_out) in zip("ab", pairwise(SIZES), strict=True):
        weight = np.float32(generator.normal(0.5, 1.2, (n_out, n_in)))
        made |= {f"{name}.weight": weight, f"{name}.delays": generator.integers(0, LATEST + 1, weight.shape)}
        made[f"{name}.bias"] = np.float32(generator.normal(0.1, 0.1, n_out))
    return made


def loop(given: dict[str, Any], x: Any) -> list[Any]:
    """Sum what each synapse delivers in each step, as written: w[i, j]*s[t - d[i, j], j]."""
    kept = []
    for name in "ab":
        weight, late = given[f"{name}.weight"].astype(float), given[f"{name}.delays"]
        steps, v, spikes = x.shape[1], np.zeros((len(x), len(weight))), []
        for now in range(steps):
            then = now - late
            sent = np.where(then >= 0, x[:, np.maximum(then, 0), np.arange(weight.shape[1])], 0)
            drive = np.sum(weight * sent, axis=2) + given[f"{name}.bias"]
            v = v + (drive - v) / 2
            fired = v >= 1
            v = np.where(fired, 0, v)
            spikes.append(fired)
        x = np.stack(spikes, axis=1)
        kept.append(x)
    return kept


@pytest.mark.parametrize("axes", ["out, in", "in, out"])
def test_every_synapse_has_its_own_delay(axes: str, tmp_path: Path) -> None:
    for seed in range(4):
        given = arrays(seed)
        turned = {key: value.T if axes == "in, out" and value.ndim == 2 else value for key, value in given.items()}
        np.savez(tmp_path / "net.npz", **turned)
        spec = from_state_dict(tmp_path / "net.npz", described(axes=axes))
        for projection, name in zip(spec.projections, "ab", strict=True):
            assert np.array_equal(projection.delay_steps, given[f"{name}.delays"])
        save_spec(spec, tmp_path / "net.h5")
        x = np.random.default_rng(seed + 50).random((3, 40, SIZES[0])) < 0.3
        ours = simulate(load_spec(tmp_path / "net.h5"), Stimulus(Spikes.from_dense(x, 1.0)))
        for cells, wanted in zip("lm", loop(given, x), strict=True):
            assert wanted.sum() > 50
            assert np.array_equal(ours.spikes[cells].dense(bool), wanted)


@pytest.mark.parametrize(
    ("delays", "message"),
    [
        (np.zeros((3, 3)), r"a\.delays: shape \(3, 3\)"), (np.full((15, 12), 0.5), "whole steps.*Round learnt delays"),
        (np.full((15, 12), -1), "whole steps"),
    ],
)  # fmt: skip
def test_what_is_no_delay_is_refused(delays: Any, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **{**arrays(0), "a.delays": delays})
    with pytest.raises(DataError, match=message):
        from_state_dict(tmp_path / "net.npz", described())


def test_weights_before_weights_with_delays_are_refused(tmp_path: Path) -> None:
    given = arrays(0)
    layers = [layer for layer in described()["layers"] if layer["name"] != "l"]
    np.savez(tmp_path / "net.npz", **given)
    with pytest.raises(DataError, match=r"delays of their own|stand between"):
        from_state_dict(tmp_path / "net.npz", {"framework": "torch", "input_shape": [SIZES[0]], "layers": layers})


class Delayed(nn.Module):
    """Weights with delays as DCLS has them: the places of a narrow kernel over time, here rounded or between two steps."""

    def __init__(self, n_in: int, n_out: int, latest: int, rounded: bool) -> None:
        super().__init__()
        self.latest, self.rounded = latest, rounded
        self.weight, self.place = nn.Parameter(torch.randn(n_out, n_in) + 0.3), nn.Parameter(latest * torch.rand(n_out, n_in))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        place = torch.round(self.place) if self.rounded else self.place
        shares = (1 - (torch.arange(self.latest + 1) - place[..., None]).abs()).clamp(min=0)
        kernel = (self.weight[..., None] * shares).flip(-1)
        return F.conv1d(F.pad(x.permute(1, 2, 0), (self.latest, 0)), kernel).permute(2, 0, 1)


@pytest.mark.parametrize(("latest", "rounded"), [(1, True), (5, True), (5, False), (20, True)])
def test_modules_with_learnt_delays_come_in(latest: int, rounded: bool) -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    torch.manual_seed(latest)
    layers = [Delayed(10, 12, latest, rounded), Delayed(12, 4, latest, rounded)]
    model = nn.Sequential(layers[0], neuron.LIFNode(step_mode="m"), layers[1], neuron.LIFNode(step_mode="m"))
    spec = ei.from_spikingjelly(model, torch.zeros(3, 1, 10))
    assert spec.proof is not None
    assert min(spec.proof.spikes) > 20
    for source, layer in zip(("input", "layer_1"), layers, strict=True):
        parts = [part for part in spec.projections if part.source == source]
        total = sum(np.asarray(part.weights.toarray() if part.sparse else part.weights, dtype=float) for part in parts)
        assert np.allclose(total, layer.weight.detach().numpy(), atol=1e-6)
        mean = sum(
            int(part.delay_steps) * np.asarray(part.weights.toarray() if part.sparse else part.weights, dtype=float)
            for part in parts
        )  # fmt: skip
        place = layer.place.detach().numpy()
        wanted = np.rint(place) if rounded else place
        assert np.allclose(mean / total, wanted, atol=1e-4)
    x = (np.random.default_rng(3).random((4, 60, 10)) < 0.3).astype(np.uint8)
    assert ei.check_import(spec, model, Stimulus(Spikes.from_dense(x, 1.0))).exact
