"""A cell as text in the description of a network: parsed and checked, never run as code, kept in the model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ei_brian.core.models import MODELS
from ei_brian.core.population import Population
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.curves import calibration_curves
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.trained import trained_network
from ei_brian.core.transform.trained_drive import trained_drive
from ei_brian.errors import ConfigError, EIBrianError
from ei_brian.interop.cells_plain import described_cells
from ei_brian.interop.cells_spikingjelly import SPIKINGJELLY_CELLS
from ei_brian.interop.dale import split_by_sign
from ei_brian.interop.graph import Node
from ei_brian.interop.layout import read_layout
from ei_brian.interop.state_dict import from_state_dict, read_architecture
from ei_brian.storage import load_spec, save_spec

TEXT = """
framework = "torch"
input_shape = [12]

[[layers]]
name = "i2h"
type = "Linear"

[[layers]]
name = "h"
type = "alif"
axes = "out, in"
rho = 0.98

[cells.alif]
reference = "Yin, Corradi & Bohte 2021"
states = {v = 0.0, b = 0.0, level = "b0", fired = 0.0}
parameters = {decay = 0.9, rho = 0.99, b0 = 0.01, beta = 1.8}
threshold = "v > level"
reset = "fired = 1"
update = '''
b = rho*b + (1 - rho)*fired
level = b0 + beta*b
v = decay*v + (1 - decay)*drive - level*fired
fired = 0
'''
"""


def arrays(seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {
        "i2h.weight": np.float32(generator.normal(0.3, 1, (9, 12))), "i2h.bias": np.float32(generator.normal(0, 0.1, 9)),
        "h.recurrent_weights": np.float32(generator.normal(0, 0.3, (9, 9))),
        "h.decay": np.float32(generator.uniform(0.8, 0.95, 9)),
    }  # fmt: skip


def loop(w: dict[str, Any], x: Any) -> Any:
    w = {key: value.astype(float) for key, value in w.items()}
    v = b = z = np.zeros((len(x), 9))
    kept = []
    for now in range(x.shape[1]):
        current = x[:, now] @ w["i2h.weight"].T + w["i2h.bias"] + z @ w["h.recurrent_weights"].T
        b = 0.98 * b + (1 - 0.98) * z
        level = 0.01 + 1.8 * b
        v = w["h.decay"] * v + (1 - w["h.decay"]) * current - level * z
        z = (v > level).astype(float)
        kept.append(z > 0)
    return np.stack(kept, axis=1)


@pytest.mark.parametrize("seed", range(4))
def test_a_cell_that_is_written_out_gives_the_spikes_of_its_loop(seed: int, tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(TEXT, encoding="utf-8")
    np.savez(tmp_path / "net.npz", **arrays(seed))
    save_spec(from_state_dict(tmp_path / "net.npz", read_architecture(tmp_path / "net.toml")), tmp_path / "net.h5")
    x = np.random.default_rng(seed + 9).random((4, 60, 12)) < 0.3
    given = simulate(load_spec(tmp_path / "net.h5"), Stimulus(Spikes.from_dense(x, 1.0))).spikes["h"].dense(bool)
    wanted = loop(arrays(seed), x.astype(float))
    assert wanted.sum() > 100
    assert np.array_equal(given, wanted)


CELL = {"update": "v = v + drive", "threshold": "v > 1", "reset": "v = 0", "states": {"v": 0.0}, "parameters": {}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"update": "v = __import__('os')"}, "architecture.cells.mine.*__import__"), ({"update": "import os"}, "no assignment"),
        ({"update": "v = v.real"}, "not allowed"), ({"threshold": "v"}, "no condition"), ({"update": ""}, "give text"),
        ({"states": {}}, "at least one"), ({"tau": 1.0}, "'tau' is not known"), ({"parameters": {"a": "b"}}, "names and numbers"),
        ({"update": "v = leak*v + drive"}, "leak"),
    ],
)  # fmt: skip
def test_what_is_no_step_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        described_cells({"mine": {**CELL, **change}})


def test_names_of_the_catalogue_are_taken() -> None:
    with pytest.raises(ConfigError, match="of the catalogue"):
        described_cells({"nir_lif_zero": CELL})


def test_models_that_were_added_to_the_catalogue_later_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = described_cells({"late_cell": CELL})["late_cell"]
    layers = [{"name": "i2h", "type": "Linear"}, {"name": "h", "type": "late_cell"}]
    np.savez(tmp_path / "net.npz", **{"i2h.weight": np.ones((4, 3), np.float32)})
    described = {"framework": "torch", "input_shape": [3], "layers": layers}
    with pytest.raises(EIBrianError, match=r"'late_cell' is not known.*nir_lif_zero.*\[cells\.NAME\]"):
        from_state_dict(tmp_path / "net.npz", described)
    monkeypatch.setitem(MODELS, "late_cell", model)
    assert from_state_dict(tmp_path / "net.npz", described)["h"].model == "late_cell"


LEAKY = {
    "update": "v = decay*v + drive", "threshold": "v > limit", "reset": "v = 0", "states": {"v": 0.0},
    "parameters": {"decay": 0.9, "limit": 1.0},
}  # fmt: skip


def lawful(folder: Path) -> NetworkSpec:
    """Return two layers of a cell that is written out, split by sign."""
    generator = np.random.default_rng(0)
    np.savez(folder / "net.npz", **{
        "a.weight": np.float32(generator.normal(0.1, 0.4, (20, 12))),
        "b.weight": np.float32(generator.normal(0.05, 0.4, (4, 20))),
    })  # fmt: skip
    layers = [{"name": name, "type": kind} for name, kind in (("a", "Linear"), ("h", "mine"), ("b", "Linear"), ("o", "mine"))]
    described = {"framework": "torch", "input_shape": [12], "layers": layers, "cells": {"mine": LEAKY}}
    return split_by_sign(from_state_dict(folder / "net.npz", described))


def test_leaky_cells_that_are_written_out_become_real_ones(tmp_path: Path) -> None:
    trained = lawful(tmp_path)
    made = diversify(trained, {"FS": 1.0}, seed=1)
    save_spec(made, tmp_path / "made.h5")
    back = load_spec(tmp_path / "made.h5")
    assert back["h_inh"].model == "izhikevich_2003"
    assert trained_network(back).sha256 == trained.sha256
    x = np.random.default_rng(1).random((10, 100, 12)) < 0.3
    stimulus = Stimulus(Spikes.from_dense(x, 1.0), np.zeros(10, np.int64), 4)
    rates = [simulate(network, stimulus).rate_hz("h_inh") for network in (trained, back)]
    assert rates[0] / 3 < rates[1] < 3 * rates[0]
    assert calibration_curves(back)[0].trained_hz[-1] > 10


def test_the_filter_of_a_written_cell_is_that_of_its_twin_in_the_catalogue(tmp_path: Path) -> None:
    mine = lawful(tmp_path)["h_inh"]
    twin = Population("twin", 4, "inh", "snntorch_leaky_zero_at_once", parameters={"decay": 0.9, "v_threshold": 1.0})
    assert trained_drive(mine, 1.0, "test") == trained_drive(twin, 1.0, "test")


def test_a_node_of_spikingjelly_that_says_no_time_constant_has_the_frameworks() -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    assert SPIKINGJELLY_CELLS["LIFNode"]("layer", Node("LIFNode")).parameters["tau"] == neuron.LIFNode().tau == 2.0


def test_a_layout_of_an_older_file_has_the_steps_first() -> None:
    """Before 0.2 the line of provenance said only whether a call takes the whole sequence."""
    whole, step = (read_layout({"whole_sequence": one, "input_shape": [3]}) for one in (True, False))
    assert (whole.kind, whole.step_axis, whole.trial_axis) == ("all steps", 0, 1)
    assert (step.kind, step.step_axis, step.trial_axis) == ("one step", None, 0)
    assert [read_layout(one.as_dict()) for one in (whole, step)] == [whole, step]
    assert [one.as_dict()["whole_sequence"] for one in (whole, step)] == [True, False]
