"""NIR files that the installed frameworks write now, read by their convention: the spikes of the module itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.interop.nir_graph import from_nir
from ei_brian.interop.norse import from_norse
from ei_brian.interop.snntorch import from_snntorch
from ei_brian.interop.spikingjelly import from_spikingjelly
from tests.interop.networks import events

nir = pytest.importorskip("nir")


def same_spikes(ours: NetworkSpec, theirs: NetworkSpec) -> None:
    stimulus = Stimulus(Spikes.from_dense(events(), dt_ms=1.0))
    first, second = simulate(ours, stimulus), simulate(theirs, stimulus)
    for mine, wanted in zip(ours.cells, theirs.cells, strict=True):
        assert second.spikes[wanted.name].n_events > 20
        assert first.spikes[mine.name].equals(second.spikes[wanted.name]), mine.name


@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky", "RSynaptic"])
def test_snntorch(kind: str, tmp_path: Path) -> None:
    snntorch = pytest.importorskip("snntorch")
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(1)
    own: dict[str, Any] = {"beta": torch.full((9,), 0.85), "threshold": torch.full((9,), 1.0), "init_hidden": True}
    own |= {"alpha": torch.full((9,), 0.6)} if "Synaptic" in kind else {}
    own |= {"linear_features": 9} if kind.startswith("R") else {}
    fc = nn.Linear(12, 9)
    with torch.no_grad():
        fc.weight.mul_(3)
    model = nn.Sequential(fc, getattr(snntorch, kind)(**own))
    nir.write(tmp_path / "net.nir", export_to_nir(model, torch.zeros(1, 12), ignore_dims=[0]))
    read = from_nir(tmp_path / "net.nir", writer="snntorch", dt_ms=1.0, reset="subtract")
    same_spikes(read, from_snntorch(model, torch.zeros(1, 12)))


@pytest.mark.parametrize("kind", ["LIFCell", "LIFBoxCell", "IAFCell"])
def test_norse(kind: str, tmp_path: Path) -> None:
    norse = pytest.importorskip("norse.torch")
    from importlib import import_module

    torch.manual_seed(1)
    home = {"LIFCell": "lif", "LIFBoxCell": "lif_box", "IAFCell": "iaf"}[kind]
    functional = import_module(f"norse.torch.functional.{home}")
    sizes = {"v_th": 0.3, "v_reset": 0.0} | ({} if kind == "IAFCell" else {"tau_mem_inv": 120.0, "v_leak": 0.0})
    sizes |= {"tau_syn_inv": 150.0} if kind == "LIFCell" else {}
    parameters = getattr(functional, kind.replace("Cell", "Parameters"))(**{key: torch.full((9,), v) for key, v in sizes.items()})
    fc = nn.Linear(12, 9)
    with torch.no_grad():
        fc.weight.mul_(3)
    cell = getattr(import_module(f"norse.torch.module.{home}"), kind)(parameters)
    nir.write(tmp_path / "net.nir", norse.to_nir(norse.SequentialState(fc, cell), torch.zeros(1, 12)))
    read = from_nir(tmp_path / "net.nir", writer="norse", dt_ms=1.0)
    same_spikes(read, from_norse(norse.SequentialState(fc, cell), torch.zeros(1, 12)))


@pytest.mark.parametrize("kind", ["LIFNode", "IFNode"])
def test_spikingjelly(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    torch.manual_seed(1)
    options: dict[str, Any] = {"tau": 3.0, "decay_input": False} if kind == "LIFNode" else {}
    model = nn.Sequential(nn.Linear(12, 9), getattr(neuron, kind)(v_threshold=0.3, **options))
    export_to_nir(model, torch.zeros(1, 12), save_path=tmp_path / "net.nir", dt=1e-3)
    same_spikes(from_nir(tmp_path / "net.nir", writer="spikingjelly", dt_ms=1.0), from_spikingjelly(model, torch.zeros(1, 12)))
