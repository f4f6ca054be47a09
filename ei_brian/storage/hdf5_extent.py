"""How much an HDF5 dataset or attribute declares and stores, found without reading it."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
from h5py import h5d, h5s, h5t

from ei_brian.storage.hdf5_heap import REFERENCE, Heaps
from ei_brian.storage.hdf5_limits import DEFLATE, Limits, RefusedError

__all__ = ["attribute_bytes", "dataset_bytes"]

NUMBERS = (
    h5t.IEEE_F16LE, h5t.IEEE_F32LE, h5t.IEEE_F64LE, h5t.STD_I8LE, h5t.STD_I16LE, h5t.STD_I32LE, h5t.STD_I64LE,
    h5t.STD_U8LE, h5t.STD_U16LE, h5t.STD_U32LE, h5t.STD_U64LE,
)  # fmt: skip
LARGEST_STRING = 64 << 20
SLACK = 64  # bytes that deflate may add to what it cannot compress, and a checksum

VLEN_SEQUENCE, VLEN_STRING = 0, 1


def attribute_bytes(attribute: Any, where: str, limits: Limits) -> int:
    """Return the size of an attribute.

    Raises
    ------
    RefusedError
        If its type or size is not allowed.
    """
    kind = attribute.get_type()
    if _is_variable(kind):
        raise RefusedError(f"an attribute of variable length ({where})")
    size = _elements(attribute.get_space(), where) * _item_bytes(kind, where, limits)
    if size > limits.attribute_bytes or attribute.get_storage_size() > limits.attribute_bytes:
        raise RefusedError(f"an attribute of {size} bytes ({where})")
    return size


def dataset_bytes(dataset: Any, where: str, heaps: Heaps, limits: Limits) -> tuple[int, int]:
    """Return how many bytes a dataset declares, whole chunks counted, and how many it stores.

    Parameters
    ----------
    dataset : h5py.h5d.DatasetID
        An open dataset.
    where : str
        Its path, for messages.
    heaps : Heaps
        All bytes of the file, and its values of variable length.
    limits : Limits
        What is allowed.

    Raises
    ------
    RefusedError
        If its type, layout, filters or sizes are not allowed.
    """
    properties = dataset.get_create_plist()
    layout = properties.get_layout()
    if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
        raise RefusedError(f"a virtual dataset ({where})")
    if properties.get_external_count():
        raise RefusedError(f"data in another file ({where})")
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    if not limits.filters.issuperset(filters) or len(set(filters)) != len(filters):
        raise RefusedError(f"a filter that is not allowed ({where}: {filters})")
    space, kind = dataset.get_space(), dataset.get_type()
    item = _item_bytes(kind, where, limits)
    declared, stored = _elements(space, where) * item, dataset.get_storage_size()
    if layout == h5d.CHUNKED:
        chunk = item * math.prod(properties.get_chunk())
        declared = _chunk_count(dataset, properties, where, limits) * chunk
    if declared > limits.ratio * stored:
        raise RefusedError(f"{declared} bytes declared and {stored} stored ({where})")
    if layout == h5d.CHUNKED and declared:
        _check_chunks(dataset, space, filters, chunk, where, heaps.data)
    if _is_variable(kind):
        declared += _referred(dataset, layout, filters, stored, where, heaps)
    return declared, stored


def _elements(space: Any, where: str) -> int:
    if space.get_simple_extent_type() == h5s.NULL:
        raise RefusedError(f"an empty data space ({where})")
    return math.prod(int(size) for size in space.get_simple_extent_dims())


def _is_variable(kind: Any) -> bool:
    return isinstance(kind, h5t.TypeVlenID) or (isinstance(kind, h5t.TypeStringID) and bool(kind.is_variable_str()))


def _check_variable(kind: Any, where: str) -> None:
    """Refuse a type of variable length that is neither a sequence nor a string: reading one ends HDF5's process.

    The encoded type is that of the file format, section IV.A.2.d, behind two bytes: class, then in the low half byte the sort.
    """
    if kind.encode()[3] & 0x0F not in (VLEN_SEQUENCE, VLEN_STRING):
        raise RefusedError(f"a type of variable length of no known sort ({where})")


def _item_bytes(kind: Any, where: str, limits: Limits) -> int:
    """Return the size of one element of an allowed type."""
    if kind.committed():
        raise RefusedError(f"a named type ({where})")
    if _is_variable(kind):
        _check_variable(kind, where)
        allowed = isinstance(kind, h5t.TypeStringID) or any(kind.get_super().equal(number) for number in NUMBERS)
        if limits.variable_length and allowed:
            return int(kind.get_size())
    elif isinstance(kind, h5t.TypeStringID):
        if 0 < kind.get_size() <= LARGEST_STRING:
            return int(kind.get_size())
    elif any(kind.equal(number) for number in NUMBERS):
        return int(kind.get_size())
    raise RefusedError(f"values of a type that is not allowed ({where}); little-endian numbers and text are")


def _chunk_count(dataset: Any, properties: Any, where: str, limits: Limits) -> int:
    sizes = dataset.get_space().get_simple_extent_dims()
    count = math.prod(-(-int(size) // int(chunk)) for size, chunk in zip(sizes, properties.get_chunk(), strict=True))
    if count > limits.chunks:
        raise RefusedError(f"{count} chunks ({where})")
    return count


def _check_chunks(dataset: Any, space: Any, filters: list[int], chunk: int, where: str, data: bytes) -> None:
    """Refuse a compressed chunk that unpacks to more than a chunk, which HDF5 itself does not bound."""
    for index in range(dataset.get_num_chunks(space)):
        stored = dataset.get_chunk_info(index, space)
        if stored.byte_offset is None or stored.byte_offset + stored.size > len(data):
            raise RefusedError(f"a chunk outside the file ({where})")
        if DEFLATE in filters and not stored.filter_mask & (1 << filters.index(DEFLATE)):
            packed = memoryview(data)[stored.byte_offset : stored.byte_offset + stored.size]
            _check_deflated(packed, chunk, where)
        elif stored.size > chunk + SLACK:
            raise RefusedError(f"a chunk larger than declared ({where})")


def _check_deflated(packed: memoryview, chunk: int, where: str) -> None:
    stream, done = zlib.decompressobj(), 0
    try:
        while not stream.eof and done <= chunk + SLACK:
            part = stream.decompress(packed, 1 << 20)
            packed = memoryview(stream.unconsumed_tail)
            if not part and not packed:
                break
            done += len(part)
    except zlib.error as error:
        raise RefusedError(f"a damaged chunk ({where}: {error})") from error
    if done > chunk + SLACK:
        raise RefusedError(f"a chunk that unpacks to more than it declares ({where})")


def _referred(dataset: Any, layout: int, filters: list[int], stored: int, where: str, heaps: Heaps) -> int:
    """Return the bytes that the values of variable length refer to."""
    if layout != h5d.CONTIGUOUS or filters:
        raise RefusedError(f"values of variable length that are not stored in one piece ({where})")
    kind, start, count = dataset.get_type(), dataset.get_offset(), _elements(dataset.get_space(), where)
    if stored == 0:
        return 0
    if stored != count * REFERENCE.itemsize:
        raise RefusedError(f"values of variable length in a form that is not known ({where})")
    if start is None or start + stored > len(heaps.data):
        raise RefusedError(f"values outside the file ({where})")
    references = np.frombuffer(heaps.data, REFERENCE, count, start)
    size = int(kind.get_super().get_size()) if isinstance(kind, h5t.TypeVlenID) else 1
    return heaps.check(references, size, where)
