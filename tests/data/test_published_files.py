"""IDX files, downloads and Spiking Heidelberg Digits: what is read, and what is refused before memory is taken."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tracemalloc
import urllib.error
import zipfile
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from ei_brian.data import fetch as fetching
from ei_brian.data.datasets import load_dataset, load_images, split
from ei_brian.data.fetch import Source, data_folder, fetch
from ei_brian.data.heidelberg import load_heidelberg
from ei_brian.data.idx import IDX_FILES, read_idx
from ei_brian.errors import DataError, StorageError


def idx(array: npt.NDArray[np.uint8]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def arrays() -> list[npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    labels = [np.arange(n, dtype=np.uint8) % 10 for n in (60, 20)]
    images = [rng.integers(0, 256, (n, 5, 4), dtype=np.uint8) for n in (60, 20)]
    return [images[0], labels[0], images[1], labels[1]]


@pytest.fixture
def folder(tmp_path: Path, arrays: list[npt.NDArray[np.uint8]]) -> Path:
    for name, array in zip(IDX_FILES, arrays, strict=True):
        (tmp_path / name).write_bytes(gzip.compress(idx(array)))
    return tmp_path


def test_idx_folder_is_read_and_its_own_test_set_kept(folder: Path, arrays: list[npt.NDArray[np.uint8]]) -> None:
    images = load_images(str(folder))
    np.testing.assert_array_equal(images.values * 255, np.concatenate([arrays[0], arrays[2]]).reshape(80, 20))
    train, calibration, test = split(images.labels, images.n_test)
    np.testing.assert_array_equal(test, np.arange(60, 80))
    np.testing.assert_array_equal(np.sort(np.concatenate([train, calibration])), np.arange(60))
    assert calibration.size == 10  # a tenth of the six of each class, rounded: one
    made_train, made_test = load_dataset(str(folder), n_steps=40)
    assert (made_train.n_trials, made_test.n_trials, made_test.n_units) == (50, 20, 20)


def test_the_first_images_make_a_smaller_set_without_the_published_test_images(
    folder: Path, arrays: list[npt.NDArray[np.uint8]], tmp_path: Path
) -> None:
    npz = tmp_path / "first.npz"
    np.savez(npz, images=arrays[0][:50], labels=arrays[1][:50])
    for calibration in (False, True):
        cut = load_dataset(str(folder), n_steps=40, n_images=50, calibration=calibration)
        whole = load_dataset(str(npz), n_steps=40, calibration=calibration)
        assert [part.sha256 for part in cut] == [part.sha256 for part in whole]
    for n_images in (0, 61):
        with pytest.raises(DataError, match=f"first {n_images} images asked for; allowed are 1 to 60"):
            load_dataset(str(folder), n_images=n_images)


def test_uncompressed_idx_files_are_read_too(folder: Path) -> None:
    before = load_images(str(folder)).values
    for name in IDX_FILES:
        (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress((folder / name).read_bytes()))
        (folder / name).unlink()
    np.testing.assert_array_equal(load_images(str(folder)).values, before)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 2, 2, 2) + bytes(7), "holds 7"),
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 2, 2, 2) + bytes(9), "holds 9"),
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1), "at most"),
        (b"\x00\x00\x0d\x03" + struct.pack(">3I", 1, 1, 1) + bytes(4), "begins with"),
        (b"\x00\x00\x08\x01" + struct.pack(">I", 1) + bytes(1), "begins with"),
        (b"", "begins with"),
    ],
)
def test_idx_files_that_are_not_what_they_say_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(data))
    with pytest.raises(DataError, match=said):
        read_idx(path, 3)
    path.write_bytes(gzip.compress(data)[:-5])
    with pytest.raises(DataError):
        read_idx(path, 3)


def test_gzip_bomb_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"\x00\x00\x08\x03" + struct.pack(">3I", 2, 2, 2))
        for _ in range(64):
            file.write(bytes(2**20))
    tracemalloc.start()
    with pytest.raises(DataError, match="or more"):
        read_idx(path, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20  # 64 MiB are stored; buffers of gzip are some 10 kB


def test_npz_that_declares_more_than_it_holds_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 784)})
    labels = io.BytesIO()
    np.save(labels, np.zeros(3, dtype=np.int64))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(64))
        archive.writestr("labels.npy", labels.getvalue())
    with pytest.raises(DataError, match="declares"):
        load_images(str(path))
    path.write_bytes(b"PK no zip")
    with pytest.raises(DataError, match="'images' and 'labels'"):
        load_images(str(path))


def test_files_that_do_not_fit_together_are_named(folder: Path) -> None:
    (folder / IDX_FILES[1]).write_bytes(gzip.compress(idx(np.zeros(59, dtype=np.uint8))))
    with pytest.raises(DataError, match="59 labels"):
        load_images(str(folder))
    (folder / IDX_FILES[1]).unlink()
    with pytest.raises(DataError, match="holds no train-labels"):
        load_images(str(folder))


class TestFetch:
    @pytest.fixture
    def published(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
        files = {f"https://example.org/{name}": name.encode() * 100 for name in IDX_FILES}
        md5 = {name: hashlib.md5(name.encode() * 100).hexdigest() for name in IDX_FILES}
        monkeypatch.setitem(fetching.SOURCES, "mnist", Source("https://example.org/", md5, "", ""))
        return files

    def test_files_are_fetched_once(self, tmp_path: Path, published: dict[str, bytes]) -> None:
        asked: list[str] = []

        def answer(address: str) -> io.BytesIO:
            asked.append(address)
            return io.BytesIO(published[address])

        found = fetch("mnist", tmp_path, open_address=answer)
        assert fetch("mnist", tmp_path, open_address=answer) == found == data_folder("mnist", tmp_path)
        assert asked == list(published)
        assert sorted(path.name for path in found.iterdir()) == sorted(IDX_FILES)

    def test_what_has_another_checksum_is_not_kept(self, tmp_path: Path, published: dict[str, bytes]) -> None:
        with pytest.raises(DataError, match="md5"):
            fetch("mnist", tmp_path, open_address=lambda address: io.BytesIO(b"something else"))
        assert not list((tmp_path / "mnist").iterdir())

    def test_a_broken_network_is_said(self, tmp_path: Path, published: dict[str, bytes]) -> None:
        def broken(address: str) -> io.BytesIO:
            raise urllib.error.URLError("Name or service not known")

        with pytest.raises(DataError, match="Check the network"):
            fetch("mnist", tmp_path, open_address=broken)

    def test_unknown_names_and_other_protocols(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="fashion-mnist"):
            fetch("fashion-mnits", tmp_path)
        handler = fetching._HttpsOnly()
        with pytest.raises(urllib.error.URLError, match="not https"):
            handler.redirect_request(None, None, 302, "", {}, "http://example.org/")
        assert all(source.address.startswith("https://") for source in fetching.SOURCES.values())

    def test_missing_data_set_says_how_to_get_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(fetching.VARIABLE, str(tmp_path))
        monkeypatch.setattr("ei_brian.data.datasets.INSTALLED", {})
        with pytest.raises(DataError, match="ei-brian data fetch fashion-mnist"):
            load_images("fashion-mnist")


class TestHeidelberg:
    @staticmethod
    def write(path: Path, times: list[list[float]], units: list[list[int]], labels: list[int]) -> Path:
        """Write the layout of the published files: rows of variable length, float16 times in s."""
        with h5py.File(path, "w") as file:
            for name, rows, kind in (("times", times, np.float16), ("units", units, np.uint16)):
                data = file.create_dataset(f"spikes/{name}", (len(rows),), dtype=h5py.vlen_dtype(kind))
                for index, row in enumerate(rows):
                    data[index] = np.array(row, dtype=kind)
            file["labels"] = np.array(labels, dtype=np.uint16)
            file.create_group("extra")["speaker"] = np.zeros(len(labels), dtype=np.uint16)
        return path

    def test_events_are_binned(self, tmp_path: Path) -> None:
        # times exact in float16: multiples of 1/1024 s below 1 s
        times = [[0.0, 3 / 1024, 3.25 / 1024, 0.5], [], [0.75]]
        path = self.write(tmp_path / "shd_train.h5", times, [[699, 5, 5, 0], [], [12]], [3, 0, 19])
        made = load_heidelberg(path, dt_ms=2.0, n_steps=300)
        # 3/1024 s = 2.93 ms and 3.25/1024 s = 3.17 ms share the step from 2 to 4 ms; 750 ms is beyond 600 ms
        assert (made.events.trial.tolist(), made.events.step.tolist()) == ([0, 0, 0], [0, 1, 250])
        assert made.events.unit.tolist() == [699, 5, 0]
        assert np.asarray(made.labels).tolist() == [3, 0, 19]
        assert (made.n_trials, made.n_units, made.n_classes, made.name) == (3, 700, 20, "shd_train")
        assert load_heidelberg(path, n_trials=1, n_steps=600).n_trials == 1

    def test_blocks_do_not_matter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(1)
        times = [np.sort(rng.uniform(0, 0.9, 40)).tolist() for _ in range(30)]
        units = [rng.integers(0, 700, 40).tolist() for _ in range(30)]
        path = self.write(tmp_path / "a.h5", times, units, (np.arange(30) % 20).tolist())
        whole = load_heidelberg(path)
        monkeypatch.setattr("ei_brian.data.heidelberg.BLOCK_TRIALS", 7)
        assert load_heidelberg(path).events.equals(whole.events)

    def test_folder_is_a_data_set(self, tmp_path: Path) -> None:
        for name, n in (("shd_train.h5", 40), ("shd_test.h5", 10)):
            self.write(tmp_path / name, [[0.1]] * n, [[k] for k in range(n)], [k % 2 for k in range(n)])
        train, test = load_dataset(str(tmp_path), n_steps=200)
        calibration, _ = load_dataset(str(tmp_path), n_steps=200, calibration=True)
        assert (train.n_trials, calibration.n_trials, test.n_trials) == (36, 4, 10)
        assert not set(train.events.unit) & set(calibration.events.unit)  # the unit tells the trial here

    @pytest.mark.parametrize(
        ("times", "units", "labels"),
        [
            ([[0.1, 0.2]], [[1]], [0]),
            ([[0.1]], [[700]], [0]),
            ([[-0.1]], [[1]], [0]),
            ([[float("nan")]], [[1]], [0]),
            ([[0.1]], [[1]], [0, 1]),
            ([[0.1]], [[1]], [25]),
        ],
    )
    def test_what_does_not_fit_is_refused(
        self, tmp_path: Path, times: list[list[float]], units: list[list[int]], labels: list[int]
    ) -> None:
        path = self.write(tmp_path / "a.h5", times, units, labels)
        with pytest.raises(DataError):
            load_heidelberg(path)

    def test_files_of_another_kind_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file["other"] = 1
        with pytest.raises(DataError, match="spikes/times"):
            load_heidelberg(path)
        path.write_bytes(b"no HDF5")
        with pytest.raises(StorageError):
            load_heidelberg(path)
