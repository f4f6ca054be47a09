"""Encoding in parts and from the disk gives what encoding at once gives, and the whole set is the whole set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.data import datasets, encoded
from ei_brian.data.datasets import load_dataset
from ei_brian.data.encode import Latency, Poisson, encode
from ei_brian.data.encoded import encoded_images
from ei_brian.data.images import Images
from ei_brian.errors import DataError


def grey_images(n: int = 300) -> Images:
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (n, 20)) * (rng.random((n, 20)) < 0.5)
    return Images(stored.astype(np.uint8), rng.integers(0, 4, n), "grey", white=255.0)


def at_once(images: Images, index: np.ndarray, encoder: Latency | Poisson) -> Stimulus:
    return encode(images.values[index], images.labels[index], encoder, 1.0, 50, 3, "grey")


@pytest.mark.parametrize("encoder", [Latency(40.0, 0.3), Poisson(300.0)])
@pytest.mark.parametrize("many", [10, 10**9])
def test_parts_and_the_disk_change_nothing(
    encoder: Latency | Poisson, many: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EI_BRIAN_CACHE", str(tmp_path))
    monkeypatch.setattr(encoded, "AT_ONCE", 50 * 7)
    monkeypatch.setattr(encoded, "MANY", many)
    images, index = grey_images(), np.arange(0, 299, 3)
    for _ in range(2):
        made = encoded_images(images, index, encoder, 1.0, 50, 3, "grey")
        assert made.sha256 == at_once(images, index, encoder).sha256
        assert made.name == "grey"
    assert len(list(tmp_path.glob("encoded/entries/*"))) == (many == 10 and isinstance(encoder, Latency))


def test_everything_that_decides_the_spikes_is_in_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EI_BRIAN_CACHE", str(tmp_path))
    monkeypatch.setattr(encoded, "MANY", 1)
    images, index = grey_images(), np.arange(40)
    other = Images(images.stored[::-1].copy(), images.labels, "grey", white=255.0)
    asked = [
        (images, index, Latency(), 1.0, 50), (other, index, Latency(), 1.0, 50), (images, index + 1, Latency(), 1.0, 50),
        (images, index, Latency(30.0), 1.0, 50), (images, index, Latency(), 0.5, 50), (images, index, Latency(), 1.0, 40),
    ]  # fmt: skip
    hashes = {encoded_images(*arguments, seed=0, name="grey").sha256 for arguments in asked}
    assert len(hashes) == len(asked) == len(list(tmp_path.glob("encoded/entries/*")))


def test_the_whole_set_is_training_and_calibration_together() -> None:
    train, test = load_dataset("digits")
    calibration, _ = load_dataset("digits", calibration=True)
    whole, same_test = load_dataset("digits", whole=True)
    assert whole.n_trials == train.n_trials + calibration.n_trials
    assert same_test.sha256 == test.sha256
    rows = {row.tobytes() for part in (train, calibration) for row in part.dense(np.uint8)}
    assert rows == {row.tobytes() for row in whole.dense(np.uint8)}
    with pytest.raises(DataError, match="one or the other"):
        load_dataset("digits", whole=True, calibration=True)


def test_sorting_digit_by_digit_is_sorting(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    flat = rng.permutation(30 * 20 * 40)[:2000]
    arrays = np.unravel_index(flat, (30, 20, 40))
    quick = Spikes(*arrays, 30, 20, 40, 1.0)
    monkeypatch.setattr("ei_brian.core.spikes.DIGIT", 1)
    assert Spikes(*arrays, 30, 20, 40, 1.0).equals(quick)
    assert np.array_equal(np.ravel_multi_index((quick.trial, quick.step, quick.unit), (30, 20, 40)), np.sort(flat))


@pytest.mark.skipif(not datasets.INSTALLED["fashion-mnist"].is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_fashion_mnist_is_found_where_debian_puts_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EI_BRIAN_DATA", str(tmp_path))
    images = datasets.load_images("fashion-mnist")
    assert (images.stored.shape, images.n_test) == ((70_000, 784), 10_000)
    assert np.bincount(images.labels[:60_000]).tolist() == [6_000] * 10
