"""Data sets of images as stimuli, split once and for all."""

from __future__ import annotations

import hashlib
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.stimulus import Stimulus
from ei_brian.data.encode import Encoding
from ei_brian.data.encoded import encoded_images
from ei_brian.data.fetch import data_folder
from ei_brian.data.heidelberg import load_heidelberg
from ei_brian.data.idx import read_idx_folder
from ei_brian.data.images import Images
from ei_brian.data.own_trials import holds_trials, load_trials, taken
from ei_brian.errors import DataError, unknown_name

__all__ = ["DATASETS", "Images", "load_dataset", "load_images", "split"]

TEST_SHARE, CALIBRATION_SHARE = 0.2, 0.1
SPLIT_SEED = 20250715
LARGEST_ARRAY = 2**33
HEIDELBERG = ("shd_train.h5", "shd_test.h5")


@takes_numbers()
def _digits() -> Images:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Images(bunch.data, bunch.target.astype(np.int64), "digits", white=16.0)


DATASETS = {"digits": _digits}
FETCHED = ("fashion-mnist", "mnist")
INSTALLED = {"fashion-mnist": Path("/usr/share/datasets/fashion-mnist")}  # Debian's package dataset-fashion-mnist


@takes_numbers()
def load_images(name: str) -> Images:
    """Return an embedded data set, one of IDX files, or the arrays ``images`` and ``labels`` of an npz file.

    Parameters
    ----------
    name : str
        ``"digits"`` (1,797 images of 8 × 8, inside scikit-learn: Alpaydin & Kaynak 1998, UCI); ``"fashion-mnist"`` or
        ``"mnist"`` once `fetch` or ``ei-brian data fetch`` got them (Fashion-MNIST also from Debian's package
        ``dataset-fashion-mnist``, where that is installed); the path of a folder with the four IDX files; or that of an
        npz file with ``images`` (image, …) of uint8 or of floats from 0 to 1, and ``labels`` (image,).

    Raises
    ------
    DataError
        For an unknown name, files that are missing, and files that declare more than they hold.
    """
    if name in DATASETS:
        return DATASETS[name]()
    if name in FETCHED:
        folder = data_folder(name)
        if not folder.is_dir() and INSTALLED.get(name, folder).is_dir():
            folder = INSTALLED[name]
        if not folder.is_dir():
            raise DataError(f"data set {name}: not in {folder}. Run `ei-brian data fetch {name}`, or give the path of a folder.")
        return _idx(folder, name)
    if Path(name).is_dir():
        return _idx(Path(name), Path(name).resolve().name)
    if not name.endswith(".npz"):
        known = (*DATASETS, *FETCHED)
        raise DataError(unknown_name("data set", name, known, "Or give the path of an .npz file or of a folder of IDX files."))
    return _npz(Path(name))


def _idx(folder: Path, name: str) -> Images:
    images, labels, n_train = read_idx_folder(folder)
    return Images(images.reshape(len(images), -1), labels.astype(np.int64), name, len(images) - n_train, 255.0)


def _npz(path: Path) -> Images:
    try:
        _check_npz(path)
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"data set {path}: {error}; the file holds the arrays 'images' and 'labels'.") from error
    if images.dtype.kind not in "uif" or labels.dtype.kind not in "ui":
        raise DataError(f"data set {path}: images of {images.dtype}, labels of {labels.dtype}; give numbers, and whole numbers.")
    white = 255.0 if images.dtype == np.uint8 else 1.0
    return Images(images.reshape(len(images), -1), labels.astype(np.int64), path.name.removesuffix(".npz"), white=white)


def _check_npz(path: Path) -> None:
    """Refuse arrays that declare more bytes than are stored, or too many, before memory is taken for them."""
    with zipfile.ZipFile(path) as archive:
        for name in ("images.npy", "labels.npy"):
            with archive.open(name) as file:
                version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
                headers: Any = np.lib.format
                read = headers.read_array_header_1_0 if version == (1, 0) else headers.read_array_header_2_0
                shape, _, dtype = read(file)
            declared = math.prod(shape) * dtype.itemsize
            if declared > min(archive.getinfo(name).file_size, LARGEST_ARRAY):
                raise ValueError(f"{name} declares {declared} bytes, shape {shape}, more than it holds or than {LARGEST_ARRAY}")


Index = npt.NDArray[np.int64]


@takes_numbers()
def split(labels: Index, n_test: int = 0) -> tuple[Index, Index, Index]:
    """Return the indices of the training, calibration and test images: disjoint, stratified, the same at every call.

    Of each class the first 20 % of a fixed permutation are for testing, the next 10 % for calibration. Where the publisher made
    the last ``n_test`` images the test set, they are it, and the 20 % stay with the training images.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    own = labels[: len(labels) - n_test]
    for label in np.unique(own):
        order = rng.permutation(np.flatnonzero(own == label))
        n_first, n_calibration = round(TEST_SHARE * order.size), round(CALIBRATION_SHARE * order.size)
        parts[0 if n_test else 2].extend(order[:n_first])
        parts[1].extend(order[n_first : n_first + n_calibration])
        parts[0].extend(order[n_first + n_calibration :])
    if n_test:
        parts[2].extend(range(len(own), len(labels)))
    train, calibration, test = (np.sort(np.array(part, dtype=np.int64)) for part in parts)
    return train, calibration, test


@takes_numbers()
def load_dataset(
    name: str = "digits", dt_ms: float = 1.0, seed: int = 0, *, n_steps: int = 100, encoding: Encoding | str = "latency",
    calibration: bool = False, n_images: int | None = None, whole: bool = False,
) -> tuple[Stimulus, Stimulus]:  # fmt: skip
    """Return the training and the test set of a data set as stimuli.

    Parameters
    ----------
    name : str
        See `load_images`; or the path of a folder with ``shd_train.h5`` and ``shd_test.h5``, see `load_heidelberg`: these are
        spikes already, so that encoding and seed have no effect; or an npz file of trials of your own (`load_trials`), of which
        20 % of each class are for testing and 10 % for calibration, drawn once and for all.
    dt_ms : float
        Time step in ms.
    seed : int
        For encoders that draw random spikes; the split does not depend on it.
    n_steps : int
        Steps of a trial.
    encoding : encoder or name
        ``"latency"``, ``"charging"``, ``"poisson"``, ``"current"``, or one of those objects with other settings.
    calibration : bool
        Return (calibration, test) instead of (training, test): images that neither training nor test holds.
    n_images : int, optional
        Take the first so many training images of the set and divide these, for a smaller problem.
    whole : bool
        Keep no images back for calibration: the training set is everything that is not for testing, such as all 60,000 training
        images of Fashion-MNIST.

    Returns
    -------
    tuple of Stimulus
        Two disjoint sets; units are pixels, rows first.
    """
    if whole and calibration:
        raise DataError("load_dataset: whole=True keeps no images for calibration; ask for one or the other.")
    if all(Path(name, file).is_file() for file in HEIDELBERG):
        if n_images is not None:
            raise DataError(f"data set {name}: n_images={n_images}; only sets of images can be cut, leave it out.")
        return _heidelberg(Path(name), dt_ms, n_steps, calibration, whole)
    if name.endswith(".npz") and holds_trials(Path(name)):
        return _own(load_trials(name, dt_ms), calibration, whole)
    images = load_images(name) if n_images is None else load_images(name).first(n_images)
    train_index, calibration_index, test_index = split(images.labels, images.n_test)
    if whole:
        train_index = np.sort(np.concatenate([train_index, calibration_index]))
    first, word = (calibration_index, "calibration") if calibration else (train_index, "train")
    made = []
    for index, part in ((first, word), (test_index, "test")):
        part_seed = int.from_bytes(hashlib.sha256(f"{part}/{seed}".encode()).digest()[:8], "little")
        made.append(encoded_images(images, index, encoding, dt_ms, n_steps, part_seed, f"{images.name}/{part}"))
    return made[0], made[1]


def _own(trials: Stimulus, calibration: bool, whole: bool) -> tuple[Stimulus, Stimulus]:
    labels = np.zeros(trials.n_trials, dtype=np.int64) if trials.labels is None else trials.labels
    train_index, calibration_index, test_index = split(labels)
    if whole:
        train_index = np.sort(np.concatenate([train_index, calibration_index]))
    return taken(trials, calibration_index if calibration else train_index), taken(trials, test_index)


def _heidelberg(folder: Path, dt_ms: float, n_steps: int, calibration: bool, whole: bool) -> tuple[Stimulus, Stimulus]:
    train, test = (load_heidelberg(folder / file, dt_ms, n_steps) for file in HEIDELBERG)
    if whole:
        return train, test
    labels = np.asarray(train.labels)
    train_index, calibration_index, _ = split(np.concatenate([labels, labels[:1]]), n_test=1)
    return taken(train, calibration_index if calibration else train_index), test
