"""Modules of snnTorch, Norse and SpikingJelly: every spike of every layer as the framework gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.interop.assemble import _shapes
from ei_brian.interop.check import check_import
from ei_brian.interop.graph import Graph, Node
from ei_brian.interop.modules import spikes_like
from ei_brian.interop.norse import from_norse
from ei_brian.interop.recorder import tensors_of
from ei_brian.interop.snntorch import from_snntorch
from ei_brian.interop.spikingjelly import from_spikingjelly
from ei_brian.interop.state_dict import from_state_dict
from tests.interop.networks import CASES, N_IN, Chain, architecture, events

READ: dict[str, Any] = {"snntorch": from_snntorch, "norse": from_norse, "spikingjelly": from_spikingjelly}


def stimulus() -> Stimulus:
    return Stimulus(Spikes.from_dense(events(), dt_ms=1.0))


def read(name: str) -> tuple[NetworkSpec, Chain]:
    pytest.importorskip(CASES[name].framework)
    model = Chain(CASES[name])
    return READ[CASES[name].framework](model, torch.zeros(1, N_IN), dt_ms=1.0), model


@pytest.mark.parametrize("name", CASES)
def test_module_gives_the_same_spikes(name: str) -> None:
    spec, model = read(name)
    report = check_import(spec, model, stimulus())
    assert [layer.population for layer in report.layers] == ["cell1", "cell2"]
    assert all(layer.spikes > 20 for layer in report.layers), "a silent network proves nothing"
    assert report.exact, str(report)


@pytest.mark.parametrize("name", CASES)
def test_state_dict_file_gives_the_same_network(name: str, tmp_path: Any) -> None:
    spec, model = read(name)
    torch.save(model.state_dict(), tmp_path / "net.pt")
    from_file = from_state_dict(tmp_path / "net.pt", architecture(CASES[name]))
    ours, theirs = simulate(from_file, stimulus()), simulate(spec, stimulus())
    assert all(ours.spikes[cell.name].equals(theirs.spikes[cell.name]) for cell in spec.cells)


@pytest.mark.parametrize("at_zero", [0, 1])
def test_a_spike_function_is_a_step_at_zero_and_nowhere_else(at_zero: int) -> None:
    def step(x: torch.Tensor, at: float = 0.0) -> torch.Tensor:
        return (x >= at if at_zero else x > at).float()

    spikes_like("cell", step, at_zero)
    for other in (lambda x: step(x, 5e-6), lambda x: step(x, -5e-6), torch.sigmoid, lambda x: 2 * step(x)):
        with pytest.raises(DataError, match="layer cell"):
            spikes_like("cell", other, at_zero)
    with pytest.raises(DataError, match="layer cell"):
        spikes_like("cell", step, 1 - at_zero)


def test_a_layer_to_which_nothing_leads_is_named() -> None:
    graph = Graph({"alone": Node("Linear", arrays={"weight": np.ones((2, 3))})}, (), (3,), 1.0, "test")
    with pytest.raises(DataError, match="layer alone: nothing leads to it from the input"):
        _shapes(graph, ["alone"])


def test_tensors_are_found_in_what_a_module_returns() -> None:
    @dataclass
    class Returned:
        spikes: torch.Tensor
        more: dict[str, list[torch.Tensor]]

    one, two = torch.zeros(1), torch.ones(2)
    assert [id(t) for t in tensors_of((Returned(one, {"a": [two]}), "text", 3))] == [id(one), id(two)]
    assert list(tensors_of(Returned)) == []
