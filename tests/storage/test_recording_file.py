"""Recordings come back as they were, or with one clear error."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import StorageError
from ei_brian.storage import load_recording, save_recording, save_spec
from ei_brian.storage.container import Content, read_content, write_content
from validation.trust.networks import network


def recording() -> Recording:
    spec = network(6)
    rng = np.random.default_rng(0)
    dense = rng.integers(0, 2, (5, 20, spec.n_inputs))
    stimulus = Stimulus(Spikes.from_dense(dense, spec.dt_ms), rng.integers(0, 3, 5), 3, "random")
    made = simulate(spec, stimulus, traces=(("E", "v"), ("I", "u")))
    return dataclasses.replace(made, backend={"name": "reference", "threads": 1}, run_seconds=0.1, seed=2**40)


def test_comes_back(tmp_path: Path) -> None:
    before = recording()
    save_recording(before, tmp_path / "r.h5")
    after = load_recording(tmp_path / "r.h5")
    arrays = {"spikes", "counts", "traces", "scores", "labels"}
    for field in dataclasses.fields(Recording):
        if field.name not in arrays:
            assert getattr(after, field.name) == getattr(before, field.name)
    assert before.spikes.keys() == after.spikes.keys()
    assert all(after.spikes[name].equals(before.spikes[name]) for name in before.spikes)
    for name in ("counts", "traces"):
        old, new = getattr(before, name), getattr(after, name)
        assert old.keys() == new.keys()
        assert all(old[key].tobytes() == new[key].tobytes() and old[key].dtype == new[key].dtype for key in old)
    assert np.array_equal(after.scores, before.scores)
    assert np.array_equal(after.labels, before.labels)
    assert after.accuracy == before.accuracy


def test_counts_only_and_without_labels(tmp_path: Path) -> None:
    before = dataclasses.replace(recording(), spikes={}, labels=None, traces={}, seed=None)
    save_recording(before, tmp_path / "r.h5")
    after = load_recording(tmp_path / "r.h5")
    assert not after.spikes
    assert after.labels is None
    assert after.rate_hz("E") == before.rate_hz("E")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("spikes/E/unit", np.array([10**6], np.int32), "Spikes"),
        ("spikes/E/trial", np.array([-1], np.int32), "Spikes"),
        ("counts/E", np.zeros((4, 2), np.int64), "does not fit"),
        ("scores", np.zeros(5), "does not fit"),
        ("labels", np.zeros(5), "does not fit"),
        ("traces/E/v", np.zeros((5, 20)), "does not fit"),
        ("left_over", np.zeros(5), "belongs to nothing"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, name: str, value: np.ndarray, words: str) -> None:
    path = tmp_path / "r.h5"
    save_recording(recording(), path)
    content = read_content(path, "recording", 1)
    header = {key: item for key, item in content.header.items() if key not in ("kind", "schema")}
    write_content(path, "recording", 1, Content(header, {**content.arrays, name: value}))
    with pytest.raises(StorageError, match=words):
        load_recording(path)


def test_a_network_is_not_a_recording(tmp_path: Path) -> None:
    save_spec(network(6), tmp_path / "model.h5")
    with pytest.raises(StorageError, match="holds 'network', not 'recording'"):
        load_recording(tmp_path / "model.h5")
