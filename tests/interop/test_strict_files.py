"""Files are read strictly: what a layer does not know is refused, orientation is asked for, and spikes of others are compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, DataError, ProofError
from ei_brian.interop.expected import expect
from ei_brian.interop.known_fields import CELL_OPTIONS, LINEAR_OPTIONS
from ei_brian.interop.nir_graph import from_nir
from ei_brian.interop.state_dict import from_state_dict
from ei_brian.storage import load_spec, save_spec
from tests.cli.conftest import ei_brian  # noqa: F401 - a fixture
from tests.interop.networks import CASES, architecture
from tests.interop.small_cases import small_spec, small_spikes, stored

GENERATOR = np.random.default_rng(0)
FRAMEWORKS = {"snntorch": "Leaky", "norse": "LIFCell", "spikingjelly": "LIFNode"}


def read(folder: Path, arrays: dict[str, Any], layers: list[dict[str, Any]], framework: str = "snntorch", **top: Any) -> Any:
    np.savez(folder / "net.npz", **arrays)
    return from_state_dict(folder / "net.npz", {"framework": framework, "input_shape": [3], "layers": layers, **top})


LINEAR = {"w.weight": GENERATOR.normal(size=(4, 3)), "l.beta": np.float32(0.9), "l.threshold": np.float32(1)}
LAYERS = [{"name": "w", "type": "Linear"}, {"name": "l", "type": "Leaky"}]


EXTRA = ("w.sign", "w.mask", "w.delay", "w.weight_orig", "l.tau", "l.alpha", "l.V", "l.recurrent.weight")


@pytest.mark.parametrize("extra", EXTRA)
def test_arrays_that_a_layer_does_not_use_are_refused(tmp_path: Path, extra: str) -> None:
    arrays = {**LINEAR, extra: np.ones((4, 3))}
    with pytest.raises(DataError, match=f"(?s){extra.partition('.')[2]}.*ignore"):
        read(tmp_path, arrays, LAYERS)
    assert read(tmp_path, arrays, LAYERS, ignore=[extra]).sha256 == read(tmp_path, LINEAR, LAYERS).sha256
    with pytest.raises(ConfigError, match="Did you mean"):
        read(tmp_path, arrays, LAYERS, ignore=[extra + "x"])


def slips() -> list[tuple[str, str, str]]:
    known = {("", kind): names for kind, names in LINEAR_OPTIONS.items() if names}
    found = []
    for (framework, kind), names in {**CELL_OPTIONS, **known}.items():
        name = names.split()[0]
        found += [(framework, kind, name + "s"), (framework, kind, name + "_")]
    return found


@pytest.mark.parametrize(("framework", "kind", "slip"), slips())
def test_options_that_a_layer_does_not_know_are_refused(tmp_path: Path, framework: str, kind: str, slip: str) -> None:
    layers = [{"name": "x", "type": kind, slip: 2}]
    with pytest.raises(ConfigError, match=f"'{slip}' is not known"):
        read(tmp_path, {}, layers, framework or "snntorch")


def test_every_cell_that_is_read_says_what_it_knows() -> None:
    from ei_brian.interop.frameworks import cell_kinds

    assert set(CELL_OPTIONS) == {(framework, kind) for framework in FRAMEWORKS for kind in cell_kinds(framework)}


def test_a_saved_state_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="saved in the middle of a run"):
        read(tmp_path, {**LINEAR, "l.mem": np.array([0.0, 0.3, 0, 0])}, LAYERS)
    assert read(tmp_path, {**LINEAR, "l.mem": np.zeros(4)}, LAYERS).cells


def test_a_square_matrix_of_a_loop_of_ones_own_needs_its_orientation(tmp_path: Path) -> None:
    weight = GENERATOR.normal(size=(3, 3))
    cell = {"name": "c", "type": "nir_if_zero"}
    for arrays in ({"w.weight": weight}, {"w": weight}):
        with pytest.raises(ConfigError, match="square"):
            read(tmp_path, arrays, [{"name": "w", "type": "Linear"}, cell], "torch")
        for axes, wanted in (("out, in", weight), ("in, out", weight.T)):
            spec = read(tmp_path, arrays, [{"name": "w", "type": "Linear", "axes": axes}, cell], "torch")
            assert np.array_equal(spec.projections[0].weights, wanted)
    wide = GENERATOR.normal(size=(3, 5))
    with pytest.raises(DataError, match=r"lies \(in, out\)"):
        read(tmp_path, {"w": wide}, [{"name": "w", "type": "Linear"}, cell], "torch")
    spec = read(tmp_path, {"w": wide}, [{"name": "w", "type": "Linear", "axes": "in, out"}, cell], "torch")
    assert np.array_equal(spec.projections[0].weights, wide.T)
    with pytest.raises(ConfigError, match="recurrent_weights"):
        read(tmp_path, {"c.recurrent_weights": weight}, [cell], "torch")


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_a_checkpoint_holds_a_state_dict(tmp_path: Path, key: str) -> None:
    layer = torch.nn.Linear(3, 4)
    torch.save({"epoch": 4, key: {f"w.{name}": value for name, value in layer.state_dict().items()}}, tmp_path / "check.pt")
    described = {"framework": "norse", "input_shape": [3], "layers": [LAYERS[0], {"name": "l", "type": "LIFCell"}]}
    assert np.array_equal(from_state_dict(tmp_path / "check.pt", described).projections[0].weights, layer.weight.detach())


NAME = "snntorch-RLeaky-zero"


def expected(folder: Path, axes: str, wrong: bool = False) -> Path:
    from tests.interop.networks import events

    arrays = {"input": events(), **dict(zip(("cell1", "cell2"), small_spikes(NAME), strict=True))}
    if wrong:
        arrays["cell2"] = arrays["cell2"].copy()
        arrays["cell2"][3, 17, 2] ^= 1
    if axes == "step,trial,unit":
        arrays = {name: array.swapaxes(0, 1) for name, array in arrays.items()}
    np.savez(folder / "spikes.npz", **arrays)
    return folder / "spikes.npz"


@pytest.mark.parametrize("axes", ["trial,step,unit", "step,trial,unit"])
def test_saved_spikes_are_a_proof(tmp_path: Path, axes: str) -> None:
    proven = expect(small_spec(NAME), expected(tmp_path, axes), axes)
    assert proven.proof is not None
    assert proven.proof.layers == ("cell1", "cell2")
    assert proven.proof.n_spikes == sum(int(part.sum()) for part in small_spikes(NAME))
    with pytest.raises(ProofError, match="population cell2, trial 3, step 17, neuron 2"):
        expect(small_spec(NAME), expected(tmp_path, axes, wrong=True), axes)


def test_check_import_on_the_command_line(ei_brian: Callable[..., Any], tmp_path: Path) -> None:  # noqa: F811
    save_spec(small_spec(NAME), tmp_path / "net.h5")
    file = expected(tmp_path, "trial,step,unit")
    shown = ei_brian("check-import", tmp_path / "net.h5", "--expect", file, "-o", tmp_path / "proven.h5")
    assert shown.code == 0, shown.err
    assert "all equal" in shown.out
    assert "all equal" in load_spec(tmp_path / "proven.h5").proven
    assert "proof: " in ei_brian("info", tmp_path / "proven.h5").out
    assert ei_brian("check-import", tmp_path / "net.h5", "--expect", expected(tmp_path, "trial,step,unit", wrong=True)).code == 1


# -- NIR: each writer with its own meaning --------------------------------------------------------------------------------------


def lif_file(folder: Path, kind: str = "LIF", **values: float) -> Path:
    nir = pytest.importorskip("nir")
    one = np.ones(6)
    node = getattr(nir, kind)(**{key: value * one for key, value in values.items()})
    weight = np.round(np.random.default_rng(1).normal(0.3, 0.5, (6, 20)) * 64) / 64
    nodes = {"input": nir.Input(np.array([20])), "w": nir.Linear(weight), "c": node, "output": nir.Output(np.array([6]))}
    nir.write(folder / "net.nir", nir.NIRGraph(nodes=nodes, edges=[("input", "w"), ("w", "c"), ("c", "output")]))
    return folder / "net.nir"


def loop(folder: Path, step: Callable[[Any, Any, Any], tuple[Any, Any, Any]], dt_ms: float, arguments: dict[str, Any]) -> None:
    """Compare a file with a loop written out: ``step(v, i, drive) -> v, i, spikes``."""
    x = (np.random.default_rng(2).random((4, 80, 20)) < 0.3).astype(float)
    weight = np.round(np.random.default_rng(1).normal(0.3, 0.5, (6, 20)) * 64) / 64
    v, i, kept = np.zeros((4, 6)), np.zeros((4, 6)), []
    for now in range(80):
        v, i, spikes = step(v, i, x[:, now] @ weight.T)
        kept.append(spikes)
    wanted = np.stack(kept, axis=1).astype(bool)
    spec = from_nir(folder / "net.nir", dt_ms=dt_ms, **arguments)
    given = simulate(spec, Stimulus(Spikes.from_dense(x, dt_ms))).spikes["c"].dense(bool)
    assert wanted.sum() > 50
    assert np.array_equal(given, wanted)


def test_sinabs_counts_in_steps_and_spikes_at_the_threshold(tmp_path: Path) -> None:
    def subtract(v: Any, i: Any, drive: Any) -> Any:
        v = v + drive
        z = v >= 4
        return v - 4 * z, i, z

    lif_file(tmp_path, "IF", r=1, v_threshold=4, v_reset=0)
    loop(tmp_path, subtract, 1.0, {"writer": "sinabs"})
    lif_file(tmp_path, "LIF", tau=8, r=1, v_leak=0, v_threshold=4, v_reset=0)

    def leaky(v: Any, i: Any, drive: Any) -> Any:
        v = v * np.exp(-1 / 8) + drive
        z = v >= 4
        return v - 4 * z, i, z

    loop(tmp_path, leaky, 1.0, {"writer": "sinabs"})


def test_rockpool_lets_the_input_decay_with_the_membrane(tmp_path: Path) -> None:
    decay, decay_syn = np.exp(-0.1), np.exp(-0.25)
    lif_file(tmp_path, "LIF", tau=0.01, r=10 * decay, v_leak=0, v_threshold=4, v_reset=0)

    def subtract(v: Any, i: Any, drive: Any) -> Any:
        v = (v + drive) * decay
        z = v > 4
        return v - 4 * z, i, z

    loop(tmp_path, subtract, 1.0, {"writer": "rockpool"})
    lif_file(tmp_path, "CubaLIF", tau_mem=0.01, tau_syn=0.004, r=10 * decay, v_leak=0, v_threshold=9, v_reset=0, w_in=1)

    def with_current(v: Any, i: Any, drive: Any) -> Any:
        i = (i + drive) * decay_syn
        v = v * decay + i
        z = v > 9
        return v - 9 * z, i, z

    loop(tmp_path, with_current, 1.0, {"writer": "rockpool"})
    with pytest.raises(DataError, match="fits a step of about"):
        from_nir(tmp_path / "net.nir", dt_ms=0.1, writer="rockpool")


def test_norse_of_before_wrote_seconds(tmp_path: Path) -> None:
    lif_file(tmp_path, "LIF", tau=0.0025, r=1, v_leak=0, v_threshold=0.3, v_reset=0)

    rate = float(np.float32(0.1e-3 / 0.0025))
    loop(tmp_path, lambda v, i, d: _zero(v + rate * ((0 - v) + d), 0.3), 0.1, {"writer": "norse-1.0"})
    with pytest.raises(DataError, match=r"norse-1\.0"):
        from_nir(tmp_path / "net.nir", dt_ms=0.1, writer="norse")


def _zero(v: Any, threshold: float) -> Any:
    z = v > threshold
    return v * (1 - z), v, z


def test_lava_is_forward_euler_and_nengo_exact(tmp_path: Path) -> None:
    lif_file(tmp_path, "LIF", tau=0.01, r=10, v_leak=0, v_threshold=4, v_reset=0)
    loop(tmp_path, lambda v, i, d: _zero(v + 0.1 * ((0 - v) + 10 * d), 4), 1.0, {"writer": "lava"})
    share = -np.expm1(-0.1)
    loop(tmp_path, lambda v, i, d: _zero(v + share * ((0 - v) + 10 * d), 4), 1.0, {"writer": "nengo"})


def test_a_network_that_cannot_fire_is_named(tmp_path: Path) -> None:
    lif_file(tmp_path, "IF", r=1, v_threshold=4, v_reset=0)
    with pytest.raises(DataError, match=r"c could not reach threshold.*sinabs"):
        from_nir(tmp_path / "net.nir", dt_ms=1.0, reset="zero")


def test_the_braille_networks_step(tmp_path: Path) -> None:
    """RSynaptic with a reset in the step of the spike: a state dict of it is the recurrence written out."""
    case = CASES["snntorch-RSynaptic-zero"]
    described = architecture(case)
    described["layers"][1]["reset_delay"] = False
    start = "snntorch-RSynaptic-zero/state/"
    arrays = {key.removeprefix(start): value for key, value in stored().items() if key.startswith(start)}
    np.savez(tmp_path / "net.npz", **arrays)
    spec = from_state_dict(tmp_path / "net.npz", described)
    assert spec["cell1"].model == "snntorch_rsynaptic_zero_at_once"
    from tests.interop.networks import events

    x, wide = events().astype(float), {key: value.astype(float) for key, value in arrays.items()}
    v = g = z = np.zeros((5, 9))
    kept = []
    for now in range(x.shape[1]):
        drive = x[:, now] @ wide["fc1.weight"].T + wide["fc1.bias"]
        g = wide["cell1.alpha"] * g + drive + z @ wide["cell1.recurrent.weight"].T + wide["cell1.recurrent.bias"]
        v = wide["cell1.beta"] * v + g
        z = (v > wide["cell1.threshold"]).astype(float)
        v = v * (1 - z)
        kept.append(z)
    wanted = np.stack(kept, axis=1).astype(bool)
    given = simulate(spec, Stimulus(Spikes.from_dense(events(), 1.0))).spikes["cell1"].dense(bool)
    assert wanted.sum() > 50
    assert np.array_equal(given, wanted)
