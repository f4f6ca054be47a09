"""The IDX files in which MNIST and its relatives are published."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import DataError

__all__ = ["IDX_FILES", "read_idx", "read_idx_folder"]

IDX_FILES = (
    "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
)  # fmt: skip
UNSIGNED_BYTES = 0x08
LARGEST_BYTES = 2**31


@takes_numbers()
def read_idx(path: Path, n_axes: int) -> npt.NDArray[np.uint8]:
    """Return the array of an IDX file of unsigned bytes, compressed by gzip if its name ends in ``.gz``.

    The sizes that the file declares are checked against a limit before memory is taken, and nothing beyond them is expanded.

    Parameters
    ----------
    path : Path
        The file.
    n_axes : int
        Number of axes that it must have: 3 for images, 1 for labels.

    Raises
    ------
    DataError
        If it cannot be read, is no IDX file of that kind, or holds more or less than it declares.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            return _read(file, path, n_axes)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}). Fetch the file again.") from error


def _read(file: IO[bytes], path: Path, n_axes: int) -> npt.NDArray[np.uint8]:
    head = file.read(4 + 4 * n_axes)
    if head[:4] != bytes((0, 0, UNSIGNED_BYTES, n_axes)) or len(head) != 4 + 4 * n_axes:
        raise DataError(f"{path}: begins with {head[:4].hex()}; an IDX file of {n_axes} axes of unsigned bytes begins with 000008"
                        f"{n_axes:02x}. Give the files as they are published.")  # fmt: skip
    shape = tuple(int(size) for size in np.frombuffer(head, ">u4", offset=4))
    declared = math.prod(shape)
    if declared > LARGEST_BYTES:
        raise DataError(f"{path}: declares {declared} bytes, shape {shape}; at most {LARGEST_BYTES} are read.")
    data = file.read(declared + 1)
    if len(data) != declared:
        raise DataError(f"{path}: declares {declared} bytes, shape {shape}, and holds {len(data)} or more. Fetch the file again.")
    return np.frombuffer(data, np.uint8).reshape(shape)


def read_idx_folder(folder: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], int]:
    """Return images (image, row, column), labels and the number of training images, which come first, of the four files.

    The files may be compressed (``train-images-idx3-ubyte.gz``) or not (``train-images-idx3-ubyte``).

    Raises
    ------
    DataError
        If a file is missing or they do not fit together.
    """
    arrays = [read_idx(_found(folder, name), 3 if "images" in name else 1) for name in IDX_FILES]
    for images, labels, part in ((arrays[0], arrays[1], "train"), (arrays[2], arrays[3], "t10k")):
        if len(images) != len(labels) or not len(images) or images.shape[1:] != arrays[0].shape[1:]:
            raise DataError(f"{folder}: {part} holds images {images.shape} and {len(labels)} labels; they must fit together.")
    return np.concatenate(arrays[::2]), np.concatenate(arrays[1::2]), len(arrays[0])


def _found(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / name.removesuffix(".gz")):
        if path.is_file():
            return path
    raise DataError(f"{folder}: holds no {name}; the four files are {', '.join(IDX_FILES)}.")
