"""Own trials from an npz file: what was written comes back, and what is something else is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ei_brian.data.datasets import load_dataset
from ei_brian.data.own_trials import load_trials
from ei_brian.errors import DataError

RNG = np.random.default_rng(1)
DENSE = (RNG.random((20, 30, 4)) < 0.2).astype(np.uint8)
LABELS = np.arange(20) % 2


def written(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "mine.npz", **arrays)
    return folder / "mine.npz"


def test_spikes_events_and_currents_are_the_same_trials(tmp_path: Path) -> None:
    dense = load_trials(written(tmp_path, spikes=DENSE, labels=LABELS, dt_ms=0.5))
    events = load_trials(written(tmp_path, events=np.argwhere(DENSE), shape=DENSE.shape, labels=LABELS), dt_ms=0.5)
    currents = load_trials(written(tmp_path, currents=1.5 * DENSE, labels=LABELS, dt_ms=0.5))
    assert dense.sha256 == events.sha256
    assert np.array_equal(dense.dense(), DENSE)
    assert np.array_equal(currents.dense(), np.float32(1.5) * DENSE)
    assert dense.n_classes == 2


def test_trials_are_divided_into_three_parts_without_a_common_trial(tmp_path: Path) -> None:
    values = RNG.normal(size=(20, 30, 1))
    path = str(written(tmp_path, spikes=DENSE, labels=LABELS, targets=values, dt_ms=1.0))
    train, test = load_dataset(path, 1.0)
    calibration, again = load_dataset(path, 1.0, calibration=True)
    assert again.sha256 == test.sha256
    assert (train.n_trials, calibration.n_trials, test.n_trials) == (14, 2, 4)
    seen = np.concatenate([part.targets.values for part in (train, calibration, test)])  # type: ignore[union-attr]
    assert sorted(seen[:, 0, 0].tolist()) == sorted(values[:, 0, 0].tolist())
    where = [int(np.flatnonzero(values[:, 0, 0] == one)[0]) for one in test.targets.values[:, 0, 0]]  # type: ignore[union-attr]
    assert np.array_equal(test.dense(), DENSE[where])
    assert np.array_equal(test.labels, LABELS[where])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"spikes": DENSE}, "says no dt_ms"),
        ({"spikes": DENSE, "currents": DENSE, "dt_ms": 1.0}, "spikes, currents"),
        ({"labels": LABELS, "dt_ms": 1.0}, "holds none"),
        ({"spikes": DENSE, "label": LABELS, "dt_ms": 1.0}, "Did you mean 'labels'"),
        ({"spikes": 2 * DENSE, "dt_ms": 1.0}, "other than 0 and 1"),
        ({"spikes": DENSE, "labels": LABELS[:3], "dt_ms": 1.0}, "labels"),
        ({"events": np.argwhere(DENSE), "dt_ms": 1.0}, "shape"),
        ({"events": np.argwhere(DENSE), "shape": (3, 30, 4), "dt_ms": 1.0}, "trial"),
        ({"spikes": DENSE, "targets": np.zeros((3, 30, 1)), "dt_ms": 1.0}, "3 trials"),
        ({"spikes": np.array([object()]), "dt_ms": 1.0}, "pickle|Object"),
        ({"spikes": np.array(["a"]), "dt_ms": 1.0}, "give numbers"),
    ],
)
def test_what_is_something_else_is_refused(arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        load_trials(written(tmp_path, **arrays))


def test_a_step_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dt_ms 0\.5; the network has 1 ms"):
        load_dataset(str(written(tmp_path, spikes=DENSE, dt_ms=0.5)), 1.0)
