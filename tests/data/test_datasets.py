"""Splits are disjoint, complete, stratified and the same for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ei_brian.data.datasets import load_dataset, load_images, split
from ei_brian.errors import DataError


def test_split_is_a_partition_of_every_class() -> None:
    labels = load_images("digits").labels
    parts = split(labels)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(labels.size))
    for digit in range(10):
        size = np.sum(labels == digit)
        for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
            assert abs(np.sum(labels[part] == digit) - share * size) <= 1.5, "two roundings of half an image, one remainder"


def test_split_never_changes() -> None:
    """A published accuracy belongs to a test set: the hash holds it fast."""
    _, _, test = split(load_images("digits").labels)
    assert test.size == 359
    assert hashlib.sha256(test.tobytes()).hexdigest().startswith(TEST_HASH)


TEST_HASH = "040e1ce967d10130"


def test_sets_are_reproducible_and_share_nothing() -> None:
    train_set, test_set = load_dataset("digits", dt_ms=1.0, seed=0)
    calibration, same_test = load_dataset("digits", dt_ms=1.0, seed=0, calibration=True)
    assert (train_set.n_trials, calibration.n_trials, test_set.n_trials) == (1259, 179, 359)
    assert train_set.n_units == 64
    assert same_test.sha256 == test_set.sha256
    assert {train_set.name, calibration.name, test_set.name} == {"digits/train", "digits/calibration", "digits/test"}


def test_seed_changes_random_spikes_and_not_the_split() -> None:
    first, second = (load_dataset("digits", seed=seed, n_steps=20, encoding="poisson")[1] for seed in (0, 1))
    assert np.array_equal(first.labels, second.labels)
    assert not first.events.equals(second.events)


def test_file_of_images(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(60, 3, 3), dtype=np.uint8)
    path = tmp_path / "mine.npz"
    np.savez(path, images=images, labels=np.arange(60) % 3)
    loaded = load_images(str(path))
    assert loaded.name == "mine"
    assert np.array_equal(loaded.values, images.reshape(60, 9) / 255)
    assert load_dataset(str(path))[1].n_units == 9


def test_files_that_are_no_data_set(tmp_path: Path) -> None:
    lacking, objects, text = tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "c.npz"
    np.savez(lacking, images=np.zeros((2, 2)))
    np.savez(objects, images=np.array([{}], dtype=object), labels=np.zeros(1, int))
    text.write_text("no archive")
    for path in (lacking, objects, text, tmp_path / "none.npz"):
        with pytest.raises(DataError, match=path.name):
            load_images(str(path))


def test_labels_of_another_length(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((3, 4)), labels=np.zeros(2, int))
    with pytest.raises(DataError, match="2 labels for 3 images"):
        load_images(str(path))


def test_unknown_name() -> None:
    with pytest.raises(DataError, match="Did you mean 'digits'"):
        load_images("digitz")
