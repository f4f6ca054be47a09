"""HDF5 files made to do harm are refused before any of their data is read."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from ei_brian.errors import StorageError
from ei_brian.storage.hdf5_guard import Limits, open_guarded

ALL = Limits(variable_length=True)
SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def soft_link(file: h5py.File, folder: Path) -> None:
    file["link"] = h5py.SoftLink("/a")


def dangling_link(file: h5py.File, folder: Path) -> None:
    file["link"] = h5py.SoftLink("/nowhere")


def external_link(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as other:
        other["x"] = 1.0
    file["link"] = h5py.ExternalLink(str(folder / "secret.h5"), "/x")


def external_link_within(file: h5py.File, folder: Path) -> None:
    external_link(file.create_group("group").create_group("deep"), folder)


def external_storage(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", (100,), "u1", external=[("/etc/passwd", 0, 100)])


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("/etc/hostname.h5", "x", (4,))
    file.create_virtual_dataset("x", layout)


def hard_link_cycle(file: h5py.File, folder: Path) -> None:
    file.create_group("group")["again"] = file["/"]


def hard_link_twice(file: h5py.File, folder: Path) -> None:
    file["b"] = file["a"]


def declares_much(file: h5py.File, folder: Path) -> None:
    for index in range(1000):
        file.create_dataset(f"d{index}", (2**30 - 1,), "<f4", chunks=(2**20,), compression="gzip")


def contiguous_never_written(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", (2**40,), "<f8")


def one_huge_chunk(file: h5py.File, folder: Path) -> None:
    data = file.create_dataset("x", (1,), "<f8", chunks=(1,), maxshape=(None,), compression="gzip")
    data[0] = 1.0
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_chunk((2**23,))
    properties.set_deflate(9)
    space = h5s.create_simple((1,), (h5s.UNLIMITED,))
    made = h5d.create(file.id, b"y", h5t.IEEE_F64LE, space, properties)
    made.write(h5s.ALL, h5s.ALL, np.ones(1))


def deflate_bomb(file: h5py.File, folder: Path) -> None:
    data = file.create_dataset("x", (4,), "<f8", chunks=(4,), compression="gzip")
    data.id.write_direct_chunk((0,), zlib.compress(bytes(200 << 20), 9))


def huge_attribute(file: h5py.File, folder: Path) -> None:
    file.attrs.create("x", np.zeros(60_000, "<f4"), dtype="<f4")


def unknown_filter(file: h5py.File, folder: Path) -> None:
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_chunk((4,))
    properties.set_filter(32_001, 1, (1, 2))
    space = h5s.create_simple((4,))
    h5d.create(file.id, b"x", h5t.IEEE_F64LE, space, properties)


def scale_offset(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", data=np.arange(8), scaleoffset=0)


def big_endian(file: h5py.File, folder: Path) -> None:
    file["x"] = np.zeros(3, ">f4")


def complex_numbers(file: h5py.File, folder: Path) -> None:
    file["x"] = np.zeros(3, complex)


def long_double(file: h5py.File, folder: Path) -> None:
    file["x"] = np.zeros(3, np.longdouble)


def reference(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", (1,), h5py.ref_dtype)


def opaque(file: h5py.File, folder: Path) -> None:
    file["x"] = np.zeros(3, "V7")


def enumeration(file: h5py.File, folder: Path) -> None:
    file["x"] = np.zeros(3, bool)


def compound(file: h5py.File, folder: Path) -> None:
    file["x"] = np.zeros(3, [("a", "<f4"), ("b", "<i4")])


def named_type(file: h5py.File, folder: Path) -> None:
    file["kind"] = np.dtype("<f4")


def variable_of_variable(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", (2,), h5py.vlen_dtype(h5py.string_dtype()))


def deep(file: h5py.File, folder: Path) -> None:
    group = file
    for _ in range(200):
        group = group.create_group("g")


def many(file: h5py.File, folder: Path) -> None:
    for index in range(20_001):
        file.create_group(f"g{index}")


def null_space(file: h5py.File, folder: Path) -> None:
    file["x"] = h5py.Empty("f4")


def strange_name(file: h5py.File, folder: Path) -> None:
    file["a\nb"] = 1.0


def parent_name(file: h5py.File, folder: Path) -> None:
    file.create_group("..")


def compressed_strings(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", (1000,), h5py.string_dtype(), chunks=(1000,), compression="gzip")[:] = "a"


HARM = (
    soft_link, dangling_link, external_link, external_link_within, external_storage, virtual, hard_link_cycle, hard_link_twice,
    declares_much, contiguous_never_written, one_huge_chunk, deflate_bomb, huge_attribute, unknown_filter, scale_offset,
    big_endian, complex_numbers, long_double, reference, opaque, enumeration, compound, named_type, variable_of_variable, deep,
    many, null_space, strange_name, parent_name, compressed_strings,
)  # fmt: skip


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_harm_is_refused_in_little_memory(tmp_path: Path, harm: Callable[[h5py.File, Path], None]) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver="latest" if harm is huge_attribute else None) as file:
        file["a"] = np.arange(4.0)
        harm(file, tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(StorageError, match=r"file\.h5: refused, because it holds"), open_guarded(path, ALL):
            pass
        assert tracemalloc.get_traced_memory()[1] < 2 * path.stat().st_size + (64 << 20)
    finally:
        tracemalloc.stop()


def test_strings_that_refer_to_one_piece_many_times(tmp_path: Path) -> None:
    """A hundred thousand strings of one megabyte each, all the same megabyte of the file."""
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", (1000,), h5py.string_dtype())
        data[0] = "a" * 1_000_000
        place = data.id.get_offset()
    raw = bytearray(path.read_bytes())
    raw[place : place + 16_000] = raw[place : place + 16] * 1000
    path.write_bytes(raw)
    with h5py.File(path) as file:
        assert len(file["x"][999]) == 1_000_000, "HDF5 itself accepts it"
    with pytest.raises(StorageError, match="larger than the file"), open_guarded(path, ALL):
        pass


@pytest.mark.parametrize("sort", [0x02, 0x03, 0xF2, 0xFF])
def test_a_type_of_variable_length_of_no_known_sort(tmp_path: Path, sort: int) -> None:
    """Reading such a value ends the process in HDF5; found by changing bytes of a file at random."""
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data="text", dtype=h5py.string_dtype())
    raw = bytearray(path.read_bytes())
    at = raw.index(b"\x19\x01\x01\x00\x10\x00\x00\x00")  # class 9 in version 1, a string, UTF-8, of 16 bytes
    raw[at + 1] = sort
    path.write_bytes(raw)
    with pytest.raises(StorageError, match="no known sort"), open_guarded(path, ALL):
        pass


@pytest.mark.parametrize("size", [0, 8, 2**40])
def test_a_damaged_heap_does_not_make_hdf5_loop(tmp_path: Path, size: int) -> None:
    """The free space of a heap, its object 0, says that it is of no size: HDF5 then never comes to the end of the heap."""
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data="text", dtype=h5py.string_dtype())
    raw = bytearray(path.read_bytes())
    free = raw.index(b"GCOL") + 16 + 16 + 8
    raw[free + 8 : free + 16] = size.to_bytes(8, "little")
    path.write_bytes(raw)
    with pytest.raises(StorageError, match="damaged heap"), open_guarded(path, ALL):
        pass


def test_harmless_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    rng = np.random.default_rng(0)
    table = rng.normal(size=(50, 40)).astype(np.float32)
    rows = [rng.integers(0, 700, n).astype(np.uint16) for n in (3, 0, 7)]
    with h5py.File(path, "w") as file:
        group = file.create_group("node/nodes/1.lif")
        group.create_dataset("weight", data=table, compression="gzip", shuffle=True, fletcher32=True, chunks=(7, 11))
        group["v"] = np.float64(1.5)
        group.create_dataset("type", data="LIF", dtype=h5py.string_dtype())
        group["fixed"] = np.bytes_(b"text")
        file.attrs["version"] = 3
        file.create_dataset("empty", (0, 5), "<i8")
        data = file.create_dataset("units", (3,), h5py.vlen_dtype(np.uint16))
        for index, row in enumerate(rows):
            data[index] = row
    with open_guarded(path, ALL) as guarded:
        group = guarded.file["node/nodes/1.lif"]
        assert np.array_equal(group["weight"][()], table)
        assert group["v"][()] == 1.5
        assert group["type"][()] == b"LIF"
        assert group["fixed"][()] == b"text"
        assert guarded.size == path.stat().st_size
        for index, row in enumerate(rows):
            assert np.array_equal(guarded.file["units"][index], row)
    with pytest.raises(StorageError, match="type that is not allowed"), open_guarded(path):
        pass


def test_a_file_swapped_after_the_check_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.arange(4.0)
    with open_guarded(path) as guarded:
        path.write_bytes(b"something else")
        assert np.array_equal(guarded.file["a"][()], np.arange(4.0))


def test_not_hdf5(tmp_path: Path) -> None:
    for data in (b"", b"PK\3\4", bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(1000)):
        (tmp_path / "file.h5").write_bytes(data)
        with pytest.raises(StorageError, match="not an HDF5 file, or damaged"), open_guarded(tmp_path / "file.h5"):
            pass


@pytest.mark.skipif(not SHARED.is_dir(), reason="reference data not on this machine")
def test_files_of_nir_pass() -> None:
    files = sorted((SHARED / "reference_cases").glob("*.nir"))
    assert files
    for path in files:
        with open_guarded(path, ALL) as guarded, h5py.File(path) as plain:
            assert list(guarded.file) == list(plain)


def test_refused_without_asserts_too(tmp_path: Path) -> None:
    """The same under ``python -O``, which takes all asserts away."""
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        external_storage(file, tmp_path)
    code = "import sys; from ei_brian.storage.hdf5_guard import open_guarded\nwith open_guarded(sys.argv[1]): pass"
    done = subprocess.run([sys.executable, "-O", "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "StorageError" in done.stderr
    assert "data in another file" in done.stderr
