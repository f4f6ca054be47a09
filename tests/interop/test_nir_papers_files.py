"""Files of Pedersen et al. 2024 (Nat. Commun. 15:8122) against the published steps of the platforms that wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.interop.nir_graph import from_nir
from ei_brian.interop.state_dict import from_state_dict

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "public_networks" / "nir"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the published files are not part of this repository")


def spikes(units: int, steps: int = 200, dt_ms: float = 1.0, p: float = 0.3) -> tuple[Any, Stimulus]:
    given = np.random.default_rng(0).random((4, steps, units)) < p
    return given.astype(float), Stimulus(Spikes.from_dense(given, dt_ms=dt_ms))


def ours(spec: Any, stimulus: Stimulus) -> list[Any]:
    recording = simulate(spec, stimulus)
    return [recording.spikes[cell.name].dense(bool) for cell in spec.cells]


def test_norse_lif() -> None:
    x, stimulus = spikes(1, dt_ms=0.1)
    (given,) = ours(from_nir(FOLDER / "lif_norse.nir", dt_ms=0.1, writer="norse-1.0"), stimulus)
    v, rate, threshold = np.zeros((4, 1)), float(np.float32(0.1e-3 / np.float32(0.0025))), float(np.float32(0.1))
    for now in range(x.shape[1]):
        v = v + rate * ((0 - v) + x[:, now])
        z = v > threshold
        assert np.array_equal(given[:, now], z)
        v = np.where(z, 0, v)
    assert given.sum() > 20


def test_rockpool_lif() -> None:
    """Rockpool's LIFTorch adds the input before its decay and subtracts the threshold (LIFTorch.forward)."""
    x, stimulus = spikes(1, dt_ms=0.1)
    (given,) = ours(from_nir(FOLDER / "lif_rockpool.nir", dt_ms=0.1, writer="rockpool"), stimulus)
    v, decay = np.zeros((4, 1)), np.exp(-0.1 / 2.5)
    weight = float(np.float32(0.04))
    for now in range(x.shape[1]):
        v = (v + weight * x[:, now]) * decay
        z = v > float(np.float32(0.1))
        v = v - float(np.float32(0.1)) * z
        assert np.array_equal(given[:, now], z)
    assert given.sum() > 20


BRAILLE = {
    "zero": ("braille_noDelay_bias_zero.nir", "model_noDelay_bias_ref_zero.pt"),
    "subtract": ("braille_noDelay_noBias_subtract.nir", "model_noDelay_noBias_ref_subtract.pt"),
}


def braille(reset: str, x: Any) -> list[Any]:
    """Run snnTorch's RSynaptic and Synaptic with a reset in the step of the spike, from the weights that were trained.

    snnTorch 1.0, ``reset_delay=False``: a membrane that is still above threshold after its reset is reset in the next step as
    well, and what was subtracted then is not subtracted twice.
    """
    state = torch.load(FOLDER / BRAILLE[reset][1], weights_only=True, map_location="cpu")
    w = {key: value.double().numpy() for key, value in state.items()}
    hidden, out = len(w["fc1.weight"]), len(w["fc2.weight"])
    g1, v1, z1 = (np.zeros((len(x), hidden)) for _ in range(3))
    g2, v2 = (np.zeros((len(x), out)) for _ in range(2))
    kept: list[list[Any]] = [[], []]

    def after(v: Any, z: Any, r: Any) -> Any:
        return v * (1 - z) if reset == "zero" else v - (z - r)

    for now in range(x.shape[1]):
        g1 = w["lif1.alpha"] * g1 + x[:, now] @ w["fc1.weight"].T + w.get("fc1.bias", 0)
        g1 = g1 + z1 @ w["lif1.recurrent.weight"].T + w.get("lif1.recurrent.bias", 0)
        r1, r2 = (v1 > 1).astype(float), (v2 > 1).astype(float)
        v1 = w["lif1.beta"] * v1 + g1 - (r1 if reset == "subtract" else 0)
        z1 = (v1 > 1).astype(float)
        v1 = after(v1, z1, r1)
        g2 = w["lif2.alpha"] * g2 + z1 @ w["fc2.weight"].T + w.get("fc2.bias", 0)
        v2 = w["lif2.beta"] * v2 + g2 - (r2 if reset == "subtract" else 0)
        z2 = (v2 > 1).astype(float)
        v2 = after(v2, z2, r2)
        kept[0].append(z1 > 0)
        kept[1].append(z2 > 0)
    return [np.stack(part, axis=1) for part in kept]


@pytest.mark.parametrize("reset", BRAILLE)
def test_braille_readers(reset: str) -> None:
    x, stimulus = spikes(12)
    spec = from_nir(FOLDER / BRAILLE[reset][0], dt_ms=1.0, writer="snntorch", reset=reset, reset_delay=False)
    for given, wanted in zip(ours(spec, stimulus), braille(reset, x), strict=True):
        assert wanted.sum() > 50
        differ = int(np.sum(given != wanted))
        assert differ <= 0.002 * wanted.sum()  # a NIR file holds r = tau/dt in float32, not the beta of training


@pytest.mark.parametrize("reset", BRAILLE)
def test_state_dicts_of_the_braille_readers(reset: str) -> None:
    x, stimulus = spikes(12)
    layers = [
        {"name": "fc1", "type": "Linear"}, {"name": "lif1", "type": "RSynaptic", "reset_delay": False},
        {"name": "fc2", "type": "Linear"}, {"name": "lif2", "type": "Synaptic", "reset_delay": False},
    ]  # fmt: skip
    spec = from_state_dict(FOLDER / BRAILLE[reset][1], {"framework": "snntorch", "input_shape": [12], "layers": layers})
    for given, wanted in zip(ours(spec, stimulus), braille(reset, x), strict=True):
        assert wanted.sum() > 50
        assert np.array_equal(given, wanted)


def test_a_file_whose_edges_name_no_node_says_which_there_are() -> None:
    with pytest.raises(DataError, match=r"lif1\.lif.*it has .*lif1\.lif1"):
        from_nir(FOLDER / "braille_noDelay_noBias_subtract_subgraph.nir", dt_ms=1.0, writer="snntorch", reset="subtract")


def test_a_layer_may_be_silent_if_that_is_meant() -> None:
    path = FOLDER / "two_lif_neurons.nir"
    with pytest.raises(DataError, match=r"lif2 could not reach threshold.*allow_silent=True"):
        from_nir(path, dt_ms=0.1, reset="zero")
    spec = from_nir(path, dt_ms=0.1, reset="zero", allow_silent=True)
    x, stimulus = spikes(1, dt_ms=0.1)
    first, second = ours(spec, stimulus)
    v = np.zeros((4, 1))
    for now in range(x.shape[1]):
        v = v + 0.01 * ((1.2 - v) + x[:, now])
        z = v > 1
        assert np.array_equal(first[:, now], z)
        v = np.where(z, 0, v)
    assert first.sum() >= 4
    assert not second.any()


def test_the_network_for_n_mnist_comes_in() -> None:
    """Every spike of v = v + W s, threshold 1, subtracted; one spike a step (sinabs itself may send several)."""
    spec = from_nir(FOLDER / "cnn_sinabs.nir", dt_ms=1.0, writer="sinabs")
    x, stimulus = spikes(2 * 34 * 34, steps=12, p=0.1)
    weight = torch.from_numpy(np.asarray(spec.projections[0].weights.toarray(), dtype=float))
    given, v = ours(spec, stimulus)[0], torch.zeros(4, 4096, dtype=torch.float64)
    for now in range(12):
        v = v + torch.from_numpy(x[:, now]) @ weight.T
        z = v >= 1
        v = v - z.double()
        assert np.array_equal(given[:, now], z.numpy())
    assert given.sum() > 1000
