"""Fashion-MNIST as SpyTorch encodes it, and Heidelberg's spoken digits."""

from __future__ import annotations

from pathlib import Path

from ei_brian.core.stimulus import Stimulus
from ei_brian.data.datasets import load_dataset
from ei_brian.data.heidelberg import load_heidelberg
from ei_brian.errors import ConfigError
from paper.protocol import SHD

SHD_BIN_MS, SHD_STEPS = 14.0, 100


def load(name: str, fashion: str, shd: Path | None) -> tuple[Stimulus, Stimulus]:
    """Return training and test set of a protocol.

    Parameters
    ----------
    name : str
        Of the protocol.
    fashion : str
        ``"fashion-mnist"``, or the folder of its four IDX files: all 60,000 and 10,000 images.
    shd : Path, optional
        Folder of ``shd_train.h5`` and ``shd_test.h5``: 1.4 s in 100 bins. Several spikes of a channel in a bin count once here;
        in SpyTorch's sparse tensors they add up.
    """
    if name != SHD.name:
        return load_dataset(fashion, 1.0, n_steps=100, encoding="charging", whole=True)
    if shd is None:
        raise ConfigError("SHD: its two files are not given; use --shd FOLDER.")
    train, test = (load_heidelberg(shd / f"shd_{part}.h5", SHD_BIN_MS, SHD_STEPS) for part in ("train", "test"))
    return train, test
