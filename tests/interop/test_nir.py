"""NIR files: our own come back identical, those of others by what is said about them, and nothing is guessed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.diversify import diversify
from ei_brian.errors import DataError, StorageError
from ei_brian.interop.nir_graph import from_nir
from ei_brian.interop.nir_writer import NIR_MODELS, to_nir
from ei_brian.sim.backend import Backend
from tests.conftest import random_spec
from tests.interop.small_cases import SMALL_CASES, small_spec, small_stimulus

nir = pytest.importorskip("nir")
WRITABLE = [name for name in SMALL_CASES if small_spec(name)["cell1"].model in NIR_MODELS]


def write(path: Path, nodes: dict[str, Any], edges: list[tuple[str, str]]) -> Path:
    nir.write(path, nir.NIRGraph(nodes=nodes, edges=edges, type_check=False))
    return path


def one_cell(node: Any, n: int = 1) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return input → weights of 1 → cell → output."""
    nodes = {
        "in": nir.Input(input_type=np.array([n])), "w": nir.Linear(weight=np.eye(n)), "cell": node,
        "out": nir.Output(output_type=np.array([n])),
    }  # fmt: skip
    return nodes, [("in", "w"), ("w", "cell"), ("cell", "out")]


def lif(n: int = 1, **changes: Any) -> Any:
    values = {"tau": 10e-3, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changes
    return nir.LIF(**{key: np.full(n, float(value)) for key, value in values.items()})


def constant(n_steps: int, value: float, dt_ms: float = 1.0) -> Stimulus:
    return Stimulus.from_currents(np.full((1, n_steps, 1), value, dtype=np.float32), dt_ms)


@pytest.mark.parametrize("name", WRITABLE)
def test_own_files_come_back_identical(name: str, tmp_path: Path) -> None:
    spec = small_spec(name)
    to_nir(spec, tmp_path / "net.nir")
    back = from_nir(tmp_path / "net.nir")
    assert back.sha256 == spec.sha256
    assert back.provenance == spec.provenance
    graph = nir.read(tmp_path / "net.nir", type_check=False)  # and nir itself reads it
    assert set(graph.nodes) >= {"input", "cell1", "cell2"}


def test_a_trained_network_with_delays_comes_back_identical(tmp_path: Path) -> None:
    spec = random_spec(seed=2)
    some = np.random.default_rng(0).integers(0, 5, spec.projection("E_I").weights.shape).astype(np.int32)
    delays = {"E_I": some, "I_E": 3}
    changed = [replace(p, delay_steps=delays.get(p.name, 0)) for p in spec.projections]
    spec = replace(spec, projections=tuple(changed))
    to_nir(spec, tmp_path / "net.nir")
    assert from_nir(tmp_path / "net.nir").sha256 == spec.sha256
    delay = nir.read(tmp_path / "net.nir", type_check=False).nodes["I_E_delay"].delay
    assert np.allclose(delay, 3e-3, rtol=1e-12), "seconds"


def test_cells_that_nir_lacks_are_refused_by_name(tmp_path: Path) -> None:
    spec = diversify(random_spec(), {"FS": 1.0}, seed=0)
    with pytest.raises(DataError, match="izhikevich_2003"):
        to_nir(spec, tmp_path / "net.nir")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_physical_lif_takes_the_time_of_the_closed_form(reset: str, tmp_path: Path) -> None:
    tau, dt, drive = 10.0, 0.01, 1.6
    path = write(tmp_path / "net.nir", *one_cell(lif(tau=tau * 1e-3)))
    spec = from_nir(path, dt_ms=dt, reset=reset, method="exact")
    recording = simulate(spec, constant(4000, drive, dt))
    closed_form = -tau * np.log(1 - 1 / drive)  # ms from rest to threshold under a constant drive
    first = recording.spikes["cell"].step[0] * dt
    assert abs(first - closed_form) <= 2 * dt  # a spike is seen at the end of its step


def test_euler_converges_to_exact_with_first_order(tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", *one_cell(nir.LI(tau=np.array([10e-3]), r=np.array([2.0]), v_leak=np.array([0.3]))))
    errors = []
    for dt in (0.2, 0.1):
        steps = round(10 / dt)
        v = simulate(from_nir(path, dt_ms=dt), constant(steps, 0.5, dt), traces=[("cell", "v")]).traces["cell", "v"][0, -1, 0]
        closed = (0.3 + 2.0 * 0.5) * (1 - np.exp(-1.0))  # NIR: tau dv/dt = (v_leak - v) + r I, from v = 0, after one tau
        errors.append(abs(v - closed))
    assert 1.8 < errors[0] / errors[1] < 2.2  # half the step, half the error


def test_what_decides_the_spikes_is_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", *one_cell(lif()))
    with pytest.raises(DataError, match="dt_ms"):
        from_nir(path)
    with pytest.raises(DataError, match="reset"):
        from_nir(path, dt_ms=1.0)
    with pytest.raises(DataError, match="'brian' is not known"):
        from_nir(path, dt_ms=1.0, writer="brian")
    with pytest.raises(DataError, match="writer="):
        from_nir(write(tmp_path / "b.nir", *one_cell(lif(tau=1e-3))), dt_ms=1.0, reset="zero")
    with pytest.raises(DataError, match="v_reset"):
        from_nir(write(tmp_path / "c.nir", *one_cell(lif(v_reset=0.2))), dt_ms=1.0, reset="subtract")
    with pytest.raises(DataError, match="hard resets only"):
        from_nir(path, dt_ms=1.0, writer="spikingjelly", reset="subtract")
    with pytest.raises(DataError, match="another writer"):
        from_nir(write(tmp_path / "d.nir", *one_cell(lif(r=3.0))), dt_ms=1.0, writer="snntorch", reset="zero")


def test_subgraphs_recurrence_convolution_pooling_and_delay(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inner = nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type=np.array([4])), "lif": lif(4),
            "loop": nir.Affine(weight=-np.eye(4) / 4, bias=np.full(4, 0.125)), "output": nir.Output(output_type=np.array([4])),
        },
        edges=[("input", "lif"), ("lif", "loop"), ("loop", "lif"), ("lif", "output")], type_check=False,
    )  # fmt: skip
    kernel = rng.integers(-8, 9, (3, 2, 3, 3)) / 8
    nodes = {
        "input": nir.Input(input_type=np.array([2, 4, 4])),
        "conv": nir.Conv2d((4, 4), kernel, 1, 1, 1, 1, np.array([0.5, 0.25, 0.0])),
        "cell1": nir.IF(r=np.full((3, 4, 4), 1e3), v_threshold=np.ones((3, 4, 4)), v_reset=np.zeros((3, 4, 4))),
        "pool": nir.SumPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])),
        "flat": nir.Flatten(input_type={"input": np.array([3, 2, 2])}, start_dim=0, end_dim=-1),
        "late": nir.Delay(delay=np.full(12, 2e-3)), "scale": nir.Scale(scale=np.full(12, 0.5)),
        "fc": nir.Linear(weight=rng.integers(-4, 9, (4, 12)) / 8), "inner": inner,
        "output": nir.Output(output_type=np.array([4])),
    }  # fmt: skip
    order = ["input", "conv", "cell1", "pool", "flat", "late", "scale", "fc", "inner", "output"]
    path = write(tmp_path / "net.nir", nodes, list(pairwise(order)))
    spec = from_nir(path, dt_ms=1.0, reset="subtract")
    events = (rng.random((2, 30, 32)) < 0.3).astype(np.uint8)
    recording = simulate(spec, Stimulus(Spikes.from_dense(events, 1.0)))
    wanted = by_hand(events.reshape(2, 30, 2, 4, 4).astype(float), kernel, nodes["fc"].weight)
    assert wanted.sum() > 20
    assert np.array_equal(recording.spikes["inner_lif"].dense(), wanted)


def by_hand(x: Any, kernel: Any, weight: Any) -> Any:
    """Run the network above with loops over every index, as the nodes are defined."""
    n_trials, n_steps = x.shape[:2]
    v1, v2, loop = np.zeros((n_trials, 3, 4, 4)), np.zeros((n_trials, 4)), np.zeros((n_trials, 4))
    kept: list[Any] = []
    out = np.zeros((n_trials, n_steps, 4))
    for step in range(n_steps):
        padded = np.pad(x[:, step], ((0, 0), (0, 0), (1, 1), (1, 1)))
        current = np.zeros_like(v1) + np.array([0.5, 0.25, 0.0])[:, None, None]
        for row in range(4):
            for column in range(4):
                current[:, :, row, column] += np.einsum("bcij,ocij->bo", padded[:, :, row : row + 3, column : column + 3], kernel)
        v1 = v1 + current
        z1 = (v1 > 1).astype(float)
        v1 -= z1
        kept.append(z1.reshape(n_trials, 3, 2, 2, 2, 2).sum(axis=(3, 5)).reshape(n_trials, 12) * 0.5)
        drive = (kept[step - 2] if step >= 2 else np.zeros((n_trials, 12))) @ weight.T
        v2 = v2 + 0.1 * (0 - v2 + drive + loop + 0.125)
        z2 = (v2 > 1).astype(float)
        v2 -= z2
        loop = -z2 / 4
        out[:, step] = z2
    return out.astype(np.uint8)


def looped(delays_s: Any, between: tuple[str, ...] = ("late", "back")) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return two layers, the second of which feeds the first through weights and delays."""
    rng = np.random.default_rng(3)
    nodes = {
        "input": nir.Input(input_type=np.array([6])), "fc1": nir.Linear(weight=rng.integers(-2, 9, (4, 6)) / 2), "cell1": lif(4),
        "fc2": nir.Linear(weight=rng.integers(-2, 9, (3, 4)) * 1.0), "cell2": lif(3),
        "late": nir.Delay(delay=np.asarray(delays_s)), "back": nir.Linear(weight=rng.integers(-8, 9, (4, 3)) / 2),
        "output": nir.Output(output_type=np.array([3])),
    }  # fmt: skip
    path = ["cell2", *between, "cell1"]
    edges = [*pairwise(["input", "fc1", "cell1", "fc2", "cell2", "output"]), *pairwise(path)]
    return {name: node for name, node in nodes.items() if any(name in edge for edge in edges)}, edges


def looped_by_hand(x: Any, nodes: dict[str, Any], steps: Any) -> Any:
    """Run it with loops: what cell2 fires at t reaches cell1 at t + its delay, what cell1 fires reaches cell2 at once."""
    n_trials, n_steps = x.shape[:2]
    v1, v2, out = np.zeros((n_trials, 4)), np.zeros((n_trials, 3)), np.zeros((n_trials, n_steps, 3))
    for t in range(n_steps):
        sent = np.stack([out[:, t - d, k] if t >= d else np.zeros(n_trials) for k, d in enumerate(steps)], axis=1)
        v1 = v1 + 0.1 * ((0 - v1) + (x[:, t] @ nodes["fc1"].weight.T + sent @ nodes["back"].weight.T))
        z1 = (v1 > 1).astype(float)
        v1 -= z1
        v2 = v2 + 0.1 * (0 - v2 + z1 @ nodes["fc2"].weight.T)
        out[:, t] = v2 > 1
        v2 -= out[:, t]
    return out.astype(np.uint8)


@pytest.mark.parametrize("steps", [(1, 1, 1), (3, 3, 3), (1, 4, 2)])
def test_a_loop_over_several_layers_with_a_delay(steps: tuple[int, ...], tmp_path: Path) -> None:
    nodes, edges = looped(np.array(steps) * 1e-3)
    spec = from_nir(write(tmp_path / "net.nir", nodes, edges), dt_ms=1.0, reset="subtract")
    assert spec.readout is not None
    assert spec.readout.population == "cell2"
    events = (np.random.default_rng(1).random((3, 80, 6)) < 0.8).astype(np.uint8)
    stimulus = Stimulus(Spikes.from_dense(events, 1.0))
    wanted = looped_by_hand(events.astype(float), nodes, steps)
    without = looped_by_hand(events.astype(float), {**nodes, "back": nir.Linear(weight=0 * nodes["back"].weight)}, steps)
    assert wanted.sum() > 20
    assert not np.array_equal(wanted, without), "the loop has no effect"
    assert np.array_equal(simulate(spec, stimulus).spikes["cell2"].dense(), wanted)
    for layout in ("synapses", "shared"):
        recording = Backend("numpy", layout=layout).run(spec, stimulus)
        assert np.array_equal(recording.spikes["cell2"].dense(), wanted), layout


@pytest.mark.parametrize(
    ("delays", "between"),
    [([1e-3, 0.0, 1e-3], ("late", "back")), ([0.0] * 3, ("late", "back")), ([1e-3] * 3, ("back",))],
    ids=["one of them none", "none", "no Delay"],
)
def test_a_loop_over_several_layers_without_a_delay_is_refused(
    delays: list[float], between: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="form a loop"):
        from_nir(write(tmp_path / "net.nir", *looped(delays, between)), dt_ms=1.0, reset="subtract")


def test_a_loop_without_neurons_is_refused_even_with_a_delay(tmp_path: Path) -> None:
    nodes, edges = looped([1e-3] * 4, ())
    nodes |= {"late": nir.Delay(delay=np.full(4, 1e-3)), "turn": nir.Linear(weight=np.eye(4))}
    edges += [("fc1", "turn"), ("turn", "late"), ("late", "turn"), ("late", "cell1")]
    with pytest.raises(DataError, match="form a loop"):
        from_nir(write(tmp_path / "net.nir", nodes, edges), dt_ms=1.0, reset="subtract")


@pytest.mark.parametrize("name", ["snntorch-Leaky-zero", "snntorch-Synaptic-zero"])
def test_snntorch_reads_our_files(name: str, tmp_path: Path) -> None:
    pytest.importorskip("snntorch")
    import torch
    from snntorch.import_nir import import_from_nir

    spec = small_spec(name)
    to_nir(spec, tmp_path / "net.nir", nominal_dt_ms=0.1)
    graph = nir.read(tmp_path / "net.nir", type_check=False)
    model = import_from_nir(graph)
    betas = [module.beta for module in model.modules() if hasattr(module, "beta")]
    assert len(betas) == 2
    wanted = spec["cell1"].parameters["decay"]
    assert torch.allclose(torch.as_tensor(betas[0]).double(), torch.tensor(np.asarray(wanted)).double(), atol=1e-6)


def test_norse_reads_our_files(tmp_path: Path) -> None:
    pytest.importorskip("norse")
    import norse.torch

    spec = small_spec("norse-LIFBoxCell")
    to_nir(spec, tmp_path / "net.nir")
    graph = nir.read(tmp_path / "net.nir", type_check=False)
    model = norse.torch.from_nir(graph)
    cells = [module for module in model.modules() if type(module).__name__ == "LIFBoxCell"]
    assert cells
    rate = 0.001 * float(np.ravel(cells[0].p.tau_mem_inv)[0])
    assert rate == pytest.approx(float(spec["cell1"].parameters["rate_mem"]), rel=1e-6)


def test_our_metadata_of_another_version_is_refused(tmp_path: Path) -> None:
    to_nir(small_spec(WRITABLE[0]), tmp_path / "net.nir")
    with h5py.File(tmp_path / "net.nir", "r+") as file:
        text = file["node/metadata/ei_brian"][()].decode().replace('"version": 1', '"version": 99')
        del file["node/metadata/ei_brian"]
        file["node/metadata/ei_brian"] = text
    with pytest.raises(StorageError, match="99"):
        from_nir(tmp_path / "net.nir")


def test_spikes_survive_the_file_and_the_run(tmp_path: Path) -> None:
    spec: NetworkSpec = small_spec("snntorch-RLeaky-zero")
    to_nir(spec, tmp_path / "net.nir")
    ours, theirs = simulate(from_nir(tmp_path / "net.nir"), small_stimulus()), simulate(spec, small_stimulus())
    assert all(ours.spikes[cell.name].equals(theirs.spikes[cell.name]) for cell in spec.cells)
