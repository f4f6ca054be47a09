"""Hostile versions of our own files, one for each number."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ei_brian.storage import save_spec
from ei_brian.storage.container import MAGIC, PREFIX, Content, read_content
from validation.trust.hdf5_mutants import byte_mutant, feature_mutant
from validation.trust.networks import network

__all__ = ["ModelMutants"]

STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2**31, 2**63, 10**400, -0.0, 1e308, 5e-324, "", "x", "dt", "int", "../../a", "a\nb", "E", "I", "out",
    "lif_exponential", "dv/dt = 1/ms : 1", "\u202e", "a" * 70, [], {}, [[]], [["g", "AMPA"]], {"action": "x"},
)  # fmt: skip
NUMBERS = (np.nan, np.inf, -np.inf, -1.0, 0.0, 5e-324, 1e308, 2.0**31)
TYPES = ("<f2", "<f4", "<f8", "<i1", "<i4", "<i8", "<u1", "<u8", ">f4", "S3")


def sealed(body: bytes) -> bytes:
    """Return a file of ours around any HDF5 bytes, with a right checksum."""
    text = MAGIC + f"bytes {len(body)}\nsha256 {hashlib.sha256(body).hexdigest()}\n".encode()
    return text.ljust(PREFIX, b"\0") + body


class ModelMutants:
    """Mutants of a few small networks; the number of a mutant decides everything about it."""

    def __init__(self, seed: int = 0, n_networks: int = 8) -> None:
        self.seed = seed
        self.folder = tempfile.mkdtemp(prefix="ei_brian_fuzz_")
        self.files: list[bytes] = []
        self.contents: list[Content] = []
        for index in range(n_networks):
            path = Path(self.folder, f"{index}.h5")
            save_spec(network(index), path)
            self.files.append(path.read_bytes())
            self.contents.append(read_content(path, "network", 1))

    def __call__(self, index: int) -> tuple[str, bytes]:
        """Return kind and bytes of a mutant."""
        kind, data = self._mutant(index)
        return ("unchanged" if data in self.files else kind), data

    def _mutant(self, index: int) -> tuple[str, bytes]:
        rng = np.random.default_rng((self.seed, index))
        which = int(rng.integers(len(self.files)))
        kind = int(rng.integers(10))
        if kind < 2:
            return "bytes", byte_mutant(self.files[which], rng)
        if kind < 6:
            return "bytes, sealed", sealed(byte_mutant(self.files[which][PREFIX:], rng))
        if kind < 7:
            return "HDF5 features", sealed(feature_mutant(self.files[which][PREFIX:], rng))
        return "content", self._content(self.contents[which], rng)

    def _content(self, content: Content, rng: np.random.Generator) -> bytes:
        header = json.loads(json.dumps(content.header))
        arrays = dict(content.arrays)
        for _ in range(int(rng.integers(1, 4))):
            if rng.integers(2):
                _change_header(header, rng)
            else:
                _change_array(arrays, rng)
        return sealed(_write(header, arrays))


def _write(header: Any, arrays: dict[str, Any]) -> bytes:
    """Write what our own writer would refuse."""
    buffer = io.BytesIO()
    text = re.sub(r'"DEEP(\d+)"', lambda match: "[" * int(match[1]) + "]" * int(match[1]), json.dumps(header))
    with h5py.File(buffer, "w") as file:
        file.create_dataset("header", data=np.bytes_(text.encode()))
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return buffer.getvalue()


def _change_header(header: Any, rng: np.random.Generator) -> None:
    """Put something strange anywhere into the header."""
    spots: list[tuple[Any, Any]] = []

    def collect(value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            spots.append((value, key))
            collect(item)

    collect(header)
    if not spots:
        return
    place, key = spots[int(rng.integers(len(spots)))]
    how = int(rng.integers(8))
    if how == 0:
        del place[key]
    elif how == 1 and isinstance(place, dict):
        place[f"{key}_"] = place[key]
    elif how == 2 and isinstance(place, list):
        place.append(place[key])
    elif how == 3:
        place[key] = f"DEEP{rng.choice([5, 40, 900, 200_000])}"
    elif how == 4:
        other, name = spots[int(rng.integers(len(spots)))]
        place[key] = json.loads(json.dumps(other[name]))
    else:
        place[key] = STRANGE[int(rng.integers(len(STRANGE)))]


def _change_array(arrays: dict[str, Any], rng: np.random.Generator) -> None:
    """Change values, type, shape or name of an array."""
    if not arrays:
        return
    name = sorted(arrays)[int(rng.integers(len(arrays)))]
    array = np.array(arrays[name])
    how = int(rng.integers(7))
    if how == 0:
        del arrays[name]
    elif how == 1:
        arrays[f"{name}_x"] = array
    elif how == 2:
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(TYPES[int(rng.integers(len(TYPES)))])
    elif how == 3:
        arrays[name] = np.stack([array, array])
    elif how == 4:
        arrays[name] = array.ravel()[: int(rng.integers(array.size + 1))]
    elif array.size and array.dtype.kind in "iuf":
        with np.errstate(all="ignore"):
            array.flat[int(rng.integers(array.size))] = np.array(NUMBERS[int(rng.integers(len(NUMBERS)))]).astype(array.dtype)
        arrays[name] = array
