"""What an HDF5 file of a stranger may hold."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFLATE", "FLETCHER32", "SHUFFLE", "Limits", "RefusedError"]

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3


class RefusedError(Exception):
    """What a file holds that it may not hold."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold before any data is read.

    Parameters
    ----------
    file_bytes : int
        Size of the file.
    declared_bytes : int
        Sum over the whole file of what its objects declare, padding of chunks included.
    ratio : float
        Declared over stored bytes, for each object and for the file; 1 means no compression.
    objects, depth : int
        Number of objects, and of levels of groups.
    attribute_bytes : int
        Size of one attribute.
    chunks : int
        Number of chunks of one dataset.
    filters : frozenset of int
        Numbers of the HDF5 filters.
    variable_length : bool
        Whether strings and rows of numbers of variable length are allowed; what they refer to must fit into the file.
    names : str
        Pattern of the names of objects.
    """

    file_bytes: int = 8 << 30
    declared_bytes: int = 16 << 30
    ratio: float = 1000.0
    objects: int = 20_000
    depth: int = 16
    attribute_bytes: int = 65_536
    chunks: int = 1_000_000
    filters: frozenset[int] = frozenset({DEFLATE, SHUFFLE, FLETCHER32})
    variable_length: bool = False
    names: str = r"[A-Za-z0-9_][A-Za-z0-9_.+\-]{0,127}"
