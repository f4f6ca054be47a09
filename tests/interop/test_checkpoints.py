"""Checkpoints as people save them: beside an epoch and an optimizer, from a wrapped module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ei_brian.errors import DataError, StorageError
from ei_brian.interop.state_dict import NESTED, from_state_dict

torch = pytest.importorskip("torch")
ARCHITECTURE = {
    "framework": "snntorch", "input_shape": [3],
    "layers": [{"name": "fc", "type": "Linear"}, {"name": "lif", "type": "Leaky", "beta": 0.9}],
}  # fmt: skip


def weights() -> dict[str, Any]:
    torch.manual_seed(0)
    return {"fc.weight": torch.rand(2, 3), "fc.bias": torch.rand(2)}


def saved(path: Path, content: Any, architecture: Any = ARCHITECTURE) -> str:
    torch.save(content, path)
    return from_state_dict(path, architecture).sha256


@pytest.mark.parametrize("name", NESTED)
def test_a_state_dict_beside_an_epoch_and_an_optimizer(tmp_path: Path, name: str) -> None:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(3)).sum().backward()
    optimizer.step()
    checkpoint = {"epoch": 3, "loss": 0.25, name: weights(), "optimizer_state_dict": optimizer.state_dict()}
    assert saved(tmp_path / "a.pt", checkpoint) == saved(tmp_path / "b.pt", weights())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."])
def test_prefixes_of_wrappers(tmp_path: Path, prefix: str) -> None:
    wrapped = {prefix + name: tensor for name, tensor in weights().items()}
    plain = saved(tmp_path / "b.pt", weights())
    assert saved(tmp_path / "a.pt", wrapped) == plain
    assert saved(tmp_path / "c.pt", {"state_dict": wrapped}) == plain


@pytest.mark.parametrize("prefix", ["net.", "model.", "encoder.net.", "module.net.", "net._orig_mod."])
def test_the_place_of_the_network_in_a_larger_module_is_no_part_of_its_names(tmp_path: Path, prefix: str) -> None:
    wrapped = {prefix + name: tensor for name, tensor in weights().items()}
    plain = saved(tmp_path / "b.pt", weights())
    assert saved(tmp_path / "a.pt", {"state_dict": wrapped, "pytorch-lightning_version": "2.0"}) == plain
    with pytest.raises(DataError):  # of two networks nobody says which is meant
        saved(tmp_path / "c.pt", {**wrapped, **{f"other.{name}": tensor for name, tensor in weights().items()}})


def test_a_layer_that_is_called_module_keeps_its_name(tmp_path: Path) -> None:
    layers = [{**layer, "name": f"module.{layer['name']}"} for layer in ARCHITECTURE["layers"]]
    named = {f"module.{name}": tensor for name, tensor in weights().items()}
    assert saved(tmp_path / "a.pt", named, {**ARCHITECTURE, "layers": layers})
    with pytest.raises(DataError):
        saved(tmp_path / "b.pt", {**named, "other.weight": torch.ones(1)})


def test_two_state_dicts_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="state_dict and model"):
        saved(tmp_path / "a.pt", {"state_dict": weights(), "model": weights()})


def test_parameters_that_require_a_gradient(tmp_path: Path) -> None:
    parameters = {name: torch.nn.Parameter(tensor) for name, tensor in weights().items()}
    assert saved(tmp_path / "a.pt", parameters) == saved(tmp_path / "b.pt", weights())
