"""Bytes changed at random, and HDF5 files with what a stranger could put into them."""

from __future__ import annotations

import io
import zlib
from typing import Any

import h5py
import numpy as np

__all__ = ["byte_mutant", "feature_mutant"]


def byte_mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with a few of them flipped, set, cut out, doubled or moved."""
    mutant = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if not mutant:
            break
        place = int(rng.integers(len(mutant)))
        width = int(min(rng.choice([1, 2, 4, 8, 64]), len(mutant) - place))
        how = int(rng.integers(7))
        if how == 0:
            mutant[place] ^= 1 << int(rng.integers(8))
        elif how == 1:
            mutant[place : place + width] = rng.bytes(width)
        elif how == 2:
            mutant[place : place + width] = b"\xff" * width
        elif how == 3:
            mutant[place : place + width] = bytes(width)
        elif how == 4:
            mutant[place] = int(mutant[place] + rng.integers(-3, 4)) % 256
        elif how == 5 and rng.integers(4) == 0:
            del mutant[place : place + width]
        else:
            source = int(rng.integers(len(mutant)))
            mutant[place : place + width] = mutant[source : source + width]
    return bytes(mutant[: int(rng.integers(len(mutant) + 1))]) if rng.integers(12) == 0 else bytes(mutant)


def feature_mutant(body: bytes, rng: np.random.Generator) -> bytes:
    """Return an HDF5 file with features added anywhere that plain files never have."""
    buffer = io.BytesIO(body)
    with h5py.File(buffer, "r+") as file:
        groups = [file]
        file.visititems(lambda _, item: groups.append(item) if isinstance(item, h5py.Group) else None)
        for _ in range(int(rng.integers(1, 4))):
            _add_feature(groups[int(rng.integers(len(groups)))], f"x{rng.integers(1000)}", rng)
    made = buffer.getvalue()
    return byte_mutant(made, rng) if rng.integers(3) == 0 else made


def _add_feature(group: Any, name: str, rng: np.random.Generator) -> None:
    if name in group:
        return
    size = int(rng.choice([0, 1, 5, 2**20, 2**40]))
    bomb = zlib.compress(bytes(1 << 20), 1)
    (
        lambda: group.__setitem__(name, h5py.SoftLink("/header")),
        lambda: group.__setitem__(name, h5py.ExternalLink("/etc/passwd", "/")),
        lambda: group.__setitem__(name, group.file[next(iter(group.file))]),
        lambda: group.__setitem__(name, group.file["/"]),
        lambda: group.create_dataset(name, (size,), "<f8"),
        lambda: group.create_dataset(name, (size or 1,), "<f8", chunks=(min(max(size, 1), 1000),), compression="gzip"),
        lambda: group.create_dataset(name, (10,), "u1", external=[("/etc/passwd", 0, 10)]),
        lambda: group.create_dataset(name, (3,), h5py.string_dtype()),
        lambda: group.create_dataset(name, data=np.zeros(3, [("a", "<f4"), ("b", "<i8")])),
        lambda: group.create_dataset(name, (3,), h5py.ref_dtype),
        lambda: group.create_dataset(name, data=np.zeros(4, complex)),
        lambda: group.attrs.__setitem__(name, np.zeros(int(rng.choice([1, 7000])))),
        lambda: group.create_dataset(name, (4,), "<f8", chunks=(4,), compression="gzip").id.write_direct_chunk((0,), bomb),
        lambda: group.create_group("/".join([name] * int(rng.choice([1, 4, 60])))),
        lambda: group.__setitem__(f"{name}\n", 1.0),
        lambda: group.__setitem__(name, np.dtype("<f4")),
    )[int(rng.integers(16))]()
