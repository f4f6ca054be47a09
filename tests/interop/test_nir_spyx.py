"""NIR files of Spyx against its step, written out here: a spike follows the membrane of the step before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.interop.nir_graph import from_nir
from ei_brian.interop.nir_spyx import _alpha
from ei_brian.sim.backend import Backend

SIZES = (20, 12, 6)
THRESHOLD = (2.0, 1.5)


def constants(rng: np.random.Generator, n: int) -> dict[str, Any]:
    return {"alpha": rng.uniform(0.2, 0.9, n).astype(np.float32), "beta": rng.uniform(0.5, 0.95, n).astype(np.float32)}


def node(nir: Any, kind: str, p: dict[str, Any], threshold: float, dt: float) -> Any:
    """As Spyx's ``to_nir`` writes it: r is beta."""
    v = np.full(p["beta"].shape, threshold)
    if kind == "IF":
        return nir.IF(r=np.ones_like(v), v_threshold=v)
    common = {"v_threshold": v, "v_leak": np.zeros_like(v), "r": p["beta"]}
    tau = dt / (1 - p["beta"])
    return nir.LIF(tau=tau, **common) if kind == "LIF" else nir.CubaLIF(tau_mem=tau, tau_syn=dt / (1 - p["alpha"]), **common)


def stepped(kind: str, p: dict[str, Any], threshold: float, drives: np.ndarray) -> np.ndarray:
    """Spikes, (trial, step, neuron), as ``spyx/nn.py`` computes them."""
    v, current, kept = np.zeros(drives[:, 0].shape), np.zeros(drives[:, 0].shape), []
    alpha, beta = (p[name].astype(np.float64) for name in ("alpha", "beta"))
    for step in range(drives.shape[1]):
        spikes = (v > threshold).astype(float)
        if kind == "IF":
            v = v + drives[:, step] - spikes * threshold
        elif kind == "LIF":
            v = beta * v + drives[:, step] - spikes * threshold
        else:
            v = v - spikes * threshold
            current = alpha * current + drives[:, step]
            v = beta * v + current
        kept.append(spikes)
    return np.stack(kept, axis=1)


@pytest.mark.parametrize("writer", ["spyx", "spyx-haiku"])
@pytest.mark.parametrize(("first", "second"), [("LIF", "LIF"), ("IF", "CubaLIF"), ("CubaLIF", "IF")])
def test_spikes_are_those_of_its_own_loop(tmp_path: Path, first: str, second: str, writer: str) -> None:
    nir = pytest.importorskip("nir")
    rng = np.random.default_rng(len(first) + 7)
    nodes, edges, before = {"input": nir.Input(np.array([SIZES[0]]))}, [], "input"
    x = (rng.random((3, 60, SIZES[0])) < 0.3).astype(float)
    wanted = []
    signal = x
    for layer, kind in enumerate((first, second)):
        n_in, n_out = SIZES[layer : layer + 2]
        weight = np.round(rng.normal(0.15, 0.4, (n_out, n_in)) * 64) / 64
        p = constants(rng, n_out)
        nodes[f"w{layer}"] = nir.Linear(weight if writer == "spyx" else weight.T)
        nodes[f"c{layer}"] = node(nir, kind, p, THRESHOLD[layer], 1.0)
        edges += [(before, f"w{layer}"), (f"w{layer}", f"c{layer}")]
        before = f"c{layer}"
        signal = stepped(kind, p, THRESHOLD[layer], signal @ weight.T)
        wanted.append(signal)
    nodes["output"] = nir.Output(np.array([SIZES[2]]))
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes=nodes, edges=[*edges, (before, "output")], type_check=False))
    spec = from_nir(tmp_path / "net.nir", dt_ms=1.0, writer=writer)
    stimulus = Stimulus(Spikes.from_dense(x, 1.0))
    for recording in (simulate(spec, stimulus), Backend("numpy").run(spec, stimulus)):
        for layer, spikes in enumerate(wanted):
            assert spikes.sum() > 30
            np.testing.assert_array_equal(recording.spikes[f"c{layer}"].dense(float), spikes)


def test_alpha_is_found_again_in_single_precision() -> None:
    alpha = np.random.default_rng(1).uniform(0, 0.999, 2000).astype(np.float32)
    for step in (1.0, 1e-3):
        tau = (np.float32(step) / (1 - alpha)).astype(np.float32)
        again = (np.float32(step) / (1 - _alpha(tau, step).astype(np.float32))).astype(np.float32)
        np.testing.assert_array_equal(again, tau)


def test_a_readout_without_spikes(tmp_path: Path) -> None:
    nir = pytest.importorskip("nir")
    beta = np.full(4, 0.75)
    weight = np.round(np.random.default_rng(2).normal(0, 1, (4, 8)) * 64) / 64
    nodes = {
        "input": nir.Input(np.array([8])), "w": nir.Linear(weight),
        "c": nir.LI(tau=1 / (1 - beta), v_leak=np.zeros(4), r=beta), "output": nir.Output(np.array([4])),
    }  # fmt: skip
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes=nodes, edges=[("input", "w"), ("w", "c"), ("c", "output")]))
    x = (np.random.default_rng(3).random((2, 30, 8)) < 0.3).astype(float)
    spec = from_nir(tmp_path / "net.nir", dt_ms=1.0, writer="spyx")
    found = simulate(spec, Stimulus(Spikes.from_dense(x, 1.0)), traces=[("c", "v")]).traces["c", "v"]
    v = np.zeros((2, 4))
    for step in range(30):
        v = 0.75 * v + x[:, step] @ weight.T
        np.testing.assert_allclose(found[:, step], v, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tau": 4.0, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0}, "Spyx writes beta there"),
        ({"tau": 4.0, "r": [0.75, 0.75, 0.5, 0.75], "v_leak": 0.0, "v_threshold": 1.0}, "not as Spyx writes it"),
        ({"tau": 4.0, "r": 0.75, "v_leak": 1.0, "v_threshold": 1.0}, "not as Spyx writes it"),
    ],
)
def test_constants_of_another_writer_are_refused(tmp_path: Path, values: dict, message: str) -> None:
    nir = pytest.importorskip("nir")
    lif = nir.LIF(**{name: np.ones(4) * np.asarray(value) for name, value in values.items()})
    nodes = {"input": nir.Input(np.array([8])), "w": nir.Linear(np.ones((4, 8))), "c": lif, "output": nir.Output(np.array([4]))}
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes=nodes, edges=[("input", "w"), ("w", "c"), ("c", "output")]))
    with pytest.raises(DataError, match=message):
        from_nir(tmp_path / "net.nir", dt_ms=1.0, writer="spyx")


def test_another_reset_and_recurrent_layers_are_refused(tmp_path: Path) -> None:
    nir = pytest.importorskip("nir")
    p = constants(np.random.default_rng(4), 4)
    nodes = {
        "input": nir.Input(np.array([8])), "w": nir.Linear(np.ones((4, 8))), "c": node(nir, "LIF", p, 1.0, 1.0),
        "r": nir.Linear(np.ones((4, 4))), "output": nir.Output(np.array([4])),
    }  # fmt: skip
    forward = [("input", "w"), ("w", "c"), ("c", "output")]
    plain = nir.NIRGraph(nodes={name: each for name, each in nodes.items() if name != "r"}, edges=forward)
    nir.write(tmp_path / "plain.nir", plain)
    with pytest.raises(DataError, match="takes the threshold off the membrane"):
        from_nir(tmp_path / "plain.nir", dt_ms=1.0, writer="spyx", reset="zero")
    loops = [*forward, ("c", "r"), ("r", "c")], [("input", "r"), ("r", "c"), ("c", "r"), ("c", "output")]
    for edges, message in zip(loops, ("recurrent layers of Spyx are not read", "they form a loop"), strict=True):
        nir.write(tmp_path / "loop.nir", nir.NIRGraph(nodes=nodes, edges=edges, type_check=False))
        with pytest.raises(DataError, match=message):
            from_nir(tmp_path / "loop.nir", dt_ms=1.0, writer="spyx")
