"""Where HDF5 keeps values of variable length, checked before HDF5 goes there: a damaged heap makes it loop for ever."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.storage.hdf5_limits import RefusedError

__all__ = ["REFERENCE", "Heaps"]

REFERENCE = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])  # HDF5 file format, section IV.B
COLLECTION = struct.Struct("<4sB3xQ")  # signature, version, size: section III.E
OBJECT = struct.Struct("<HH4xQ")  # index, references, size


class Heaps:
    """The global heaps of a file, each parsed once.

    Parameters
    ----------
    data : bytes
        All bytes of the file.
    base : int
        Where HDF5 begins in them; addresses count from there.
    """

    def __init__(self, data: bytes, base: int) -> None:
        self.data, self.base = data, base
        self._objects: dict[int, dict[int, int]] = {}

    def check(self, references: npt.NDArray[Any], item_bytes: int, where: str) -> int:
        """Return how many bytes some references refer to.

        Raises
        ------
        RefusedError
            If they do not lead to values of just their length, or refer to more than the file holds.
        """
        total = 0
        for length, address, index in references.tolist():
            if length == 0:
                continue
            total += length * item_bytes
            if total > len(self.data):
                raise RefusedError(f"values of variable length that are larger than the file ({where})")
            if self._collection(address, where).get(index) != length * item_bytes:
                raise RefusedError(f"a value of variable length that is not where it should be ({where})")
        return total

    def _collection(self, address: int, where: str) -> dict[int, int]:
        if address not in self._objects:
            self._objects[address] = self._parsed(self.base + address, where)
        return self._objects[address]

    def _parsed(self, start: int, where: str) -> dict[int, int]:
        """Return the sizes of the values of one heap by their index."""
        broken = RefusedError(f"a damaged heap ({where})")
        if start + COLLECTION.size > len(self.data):
            raise broken
        signature, version, size = COLLECTION.unpack_from(self.data, start)
        if signature != b"GCOL" or version != 1 or size < 4096 or size > len(self.data) - start:
            raise broken
        at, end, objects = start + COLLECTION.size, start + size, {}
        while end - at >= OBJECT.size:
            index, _, length = OBJECT.unpack_from(self.data, at)
            step = length if index == 0 else OBJECT.size + -(-length // 8) * 8
            if step < OBJECT.size or step > end - at or index in objects:
                raise broken
            if index:
                objects[index] = length
            at += step
        return objects
