"""Data sets of images as stimuli, split once and for all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike

import numpy as np
import numpy.typing as npt

from ei_brian.core.stimulus import Stimulus
from ei_brian.data.encode import Encoding, encode
from ei_brian.errors import DataError, unknown_name

__all__ = ["DATASETS", "Images", "load_dataset", "load_images", "split"]

TEST_SHARE, CALIBRATION_SHARE = 0.2, 0.1
SPLIT_SEED = 20250715


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Grey values 0 to 1, shape (image, unit), their classes, and a name."""

    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    name: str

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.labels.ndim != 1 or len(self.labels) != len(self.values):
            raise DataError(
                f"data set {self.name}: {self.labels.size} labels for {len(self.values)} images; give one each."
            )


def _digits() -> Images:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Images(bunch.data / 16.0, bunch.target.astype(np.int64), "digits")


DATASETS = {"digits": _digits}


def load_images(name: str) -> Images:
    """Return an embedded data set, or the arrays ``images`` and ``labels`` of an npz file.

    Parameters
    ----------
    name : str
        ``"digits"`` (1,797 images of 8 × 8, inside scikit-learn: Alpaydin & Kaynak 1998, UCI) or the path of an npz file with
        ``images`` (image, …) of uint8 or of floats from 0 to 1, and ``labels`` (image,).

    Raises
    ------
    DataError
        For an unknown name, or a file without these arrays.
    """
    if name in DATASETS:
        return DATASETS[name]()
    if not name.endswith(".npz"):
        raise DataError(unknown_name("data set", name, DATASETS, "Or give the path of an .npz file."))
    return _npz(name)


def _npz(path: str | PathLike[str]) -> Images:
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"data set {path}: {error}; the file holds the arrays 'images' and 'labels'.") from error
    values = images.reshape(len(images), -1) / (255.0 if images.dtype == np.uint8 else 1.0)
    return Images(values, labels.astype(np.int64), str(path).rsplit("/", 1)[-1].removesuffix(".npz"))


def split(labels: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the indices of the training, calibration and test images: disjoint, stratified, the same at every call.

    Of each class the first 20 % of a fixed permutation are for testing, the next 10 % for calibration.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label in np.unique(labels):
        order = rng.permutation(np.flatnonzero(labels == label))
        n_test, n_calibration = round(TEST_SHARE * order.size), round(CALIBRATION_SHARE * order.size)
        parts[2].extend(order[:n_test])
        parts[1].extend(order[n_test : n_test + n_calibration])
        parts[0].extend(order[n_test + n_calibration :])
    train, calibration, test = (np.sort(np.array(part, dtype=np.int64)) for part in parts)
    return train, calibration, test


def load_dataset(
    name: str = "digits", dt_ms: float = 1.0, seed: int = 0, *, n_steps: int = 100, encoding: Encoding | str = "latency",
    calibration: bool = False,
) -> tuple[Stimulus, Stimulus]:  # fmt: skip
    """Return the training and the test set of a data set as stimuli.

    Parameters
    ----------
    name : str
        See `load_images`.
    dt_ms : float
        Time step in ms.
    seed : int
        For encoders that draw random spikes; the split does not depend on it.
    n_steps : int
        Steps of a trial.
    encoding : encoder or name
        ``"latency"``, ``"poisson"``, ``"current"``, or one of those objects with other settings.
    calibration : bool
        Return (calibration, test) instead of (training, test): images that neither training nor test holds.

    Returns
    -------
    tuple of Stimulus
        Two disjoint sets; units are pixels, rows first.
    """
    images = load_images(name)
    train_index, calibration_index, test_index = split(images.labels)
    first, word = (calibration_index, "calibration") if calibration else (train_index, "train")
    made = []
    for index, part in ((first, word), (test_index, "test")):
        part_seed = int.from_bytes(hashlib.sha256(f"{part}/{seed}".encode()).digest()[:8], "little")
        made.append(
            encode(images.values[index], images.labels[index], encoding, dt_ms, n_steps, part_seed, f"{images.name}/{part}")
        )
    return made[0], made[1]
