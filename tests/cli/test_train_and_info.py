"""Training writes a model and its card; info says what is in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ei_brian.config.data_settings import data_of
from ei_brian.storage import load_spec


def test_train_writes_model_and_card(ei_brian: Callable, tiny_config: Path, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "made.h5"
    shown = ei_brian("train", tiny_config, "-o", path, "--json")
    assert shown.code == 0
    facts = json.loads(shown.out)
    spec = load_spec(path)
    assert facts["sha256"] == spec.sha256 == load_spec(tiny_model).sha256, "the same configuration gives the same bits"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["made.h5", "made.md"]
    card = path.with_suffix(".md").read_text()
    assert spec.sha256 in card
    assert f"{facts['test_accuracy']:.1%}" in card
    assert data_of(spec).n_steps == 40


def test_other_seed_is_another_network(ei_brian: Callable, tiny_config: Path, tiny_model: Path, tmp_path: Path) -> None:
    shown = ei_brian("train", tiny_config, "-o", tmp_path / "s.h5", "--seed", 1, "--json")
    assert json.loads(shown.out)["sha256"] != load_spec(tiny_model).sha256


def test_train_learns_targets_of_own_trials(ei_brian: Callable, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spikes = rng.random((40, 30, 6)) < 0.2
    np.savez(tmp_path / "mine.npz", spikes=spikes, targets=np.cumsum(spikes[:, :, :1] * 0.2, axis=1), dt_ms=1.0)
    (tmp_path / "run.toml").write_text(
        f'name = "sums"\n[data]\nname = "{tmp_path / "mine.npz"}"\n[network]\nn_exc = 8\nn_inh = 2\n[training]\nepochs = 2\n'
    )
    shown = ei_brian("train", tmp_path / "run.toml", "-o", tmp_path / "a.h5", "--checkpoint", tmp_path / "kept.pt", "--json")
    assert shown.code == 0, shown.err
    found = json.loads(shown.out)["test_r_squared"]
    assert load_spec(tmp_path / "a.h5")["out"].size == 1
    assert f"test set: R² {found:.3f}" in (tmp_path / "a.md").read_text()
    assert f"test R² {found:.3f}" in ei_brian("info", tmp_path / "a.h5").out
    again = ei_brian("export", tmp_path / "kept.pt", "--config", tmp_path / "run.toml", "-o", tmp_path / "b.h5")
    assert f"test R² {found:.3f}" in again.out


def test_info_shows_what_the_model_is(ei_brian: Callable, tiny_model: Path) -> None:
    shown = ei_brian("info", tiny_model)
    assert shown.code == 0
    parts = ("lif_exponential", "dv/dt = (-v + g)/tau_mem", "doi 10.1007/s004220050570", "tau_mem [ms]", "Hz on its test set")
    assert all(part in shown.out for part in parts)
    facts = json.loads(ei_brian("info", tiny_model, "--json").out)
    spec = load_spec(tiny_model)
    assert facts["sha256"] == spec.sha256
    inhibitory = next(p for p in facts["projections"] if p["source"] == "I")
    assert inhibitory["signs"]["+"] == 0
    assert {p["name"]: p["size"] for p in facts["populations"]} == {p.name: p.size for p in spec.populations}
