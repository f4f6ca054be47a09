"""Hostile versions of NIR files, one for each number."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from validation.trust.hdf5_mutants import byte_mutant, feature_mutant

__all__ = ["NirMutants"]

VALUES: tuple[Any, ...] = (
    np.nan, np.inf, -1.0, 0.0, np.zeros(0), np.zeros((3, 4, 5, 6)), np.array(2**62), "LIF", "x" * 10_000, "NIRGraph", b"\xff\xfe",
    np.full(7, np.nan), np.arange(6, dtype=">f4"), np.zeros((5, 6), np.float32),
)  # fmt: skip


def _graphs() -> list[Any]:
    rng = np.random.default_rng(0)
    weight, back = rng.normal(size=(5, 6)).astype(np.float32), rng.normal(size=(5, 5)).astype(np.float32)

    def ones(value: float) -> np.ndarray:
        return np.full(5, value, np.float32)

    lif = nir.LIF(tau=ones(0.02), r=ones(1), v_leak=ones(0), v_threshold=ones(1), v_reset=ones(0))
    cuba = nir.CubaLIF(
        tau_syn=ones(0.005), tau_mem=ones(0.02), r=ones(1), v_leak=ones(0), v_threshold=ones(1), v_reset=ones(0), w_in=ones(1)
    )
    plain = nir.NIRGraph.from_list(nir.Affine(weight=weight, bias=ones(0.1)), lif)
    recurrent = nir.NIRGraph(
        nodes={
            "input": nir.Input(np.array([6])), "fc": nir.Linear(weight), "cell": cuba, "rec": nir.Linear(back),
            "output": nir.Output(np.array([5])),
        },
        edges=[("input", "fc"), ("fc", "cell"), ("cell", "rec"), ("rec", "cell"), ("cell", "output")],
    )  # fmt: skip
    return [plain, recurrent]


class NirMutants:
    """Mutants of two small graphs; the number of a mutant decides everything about it."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.files: list[bytes] = []
        folder = tempfile.mkdtemp(prefix="ei_brian_fuzz_")
        for index, graph in enumerate(_graphs()):
            path = Path(folder, f"{index}.nir")
            nir.write(path, graph)
            self.files.append(path.read_bytes())

    def __call__(self, index: int) -> tuple[str, bytes]:
        """Return kind and bytes of a mutant."""
        kind, data = self._mutant(index)
        return ("unchanged" if data in self.files else kind), data

    def _mutant(self, index: int) -> tuple[str, bytes]:
        rng = np.random.default_rng((self.seed, index))
        file, kind = self.files[int(rng.integers(len(self.files)))], int(rng.integers(10))
        if kind < 5:
            return "bytes", byte_mutant(file, rng)
        if kind < 7:
            return "HDF5 features", feature_mutant(file, rng)
        return "content", _content(file, rng)


def _content(data: bytes, rng: np.random.Generator) -> bytes:
    """Change, remove, double or replace objects of a graph."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        for _ in range(int(rng.integers(1, 4))):
            names: list[str] = []
            file.visit(names.append)
            if not names:
                break
            name = names[int(rng.integers(len(names)))]
            item, how = file[name], int(rng.integers(6))
            if how == 0:
                del file[name]
            elif how == 1:
                file.copy(item, f"{name}_x{rng.integers(100_000)}")
            elif isinstance(item, h5py.Dataset):
                old = item[()]
                del file[name]
                file[name] = _other(old, how, rng)
            else:
                file.copy(item, f"{name}/inner{rng.integers(100_000)}")
    return buffer.getvalue()


def _other(old: Any, how: int, rng: np.random.Generator) -> Any:
    if how == 2 and np.asarray(old).dtype.kind in "iuf":
        array = np.array(old, dtype=np.float64)
        array.flat[: int(rng.integers(1, 3))] = float(rng.choice([np.nan, np.inf, -1.0, 0.0, 1e300]))
        return array
    if how == 3 and np.asarray(old).ndim:
        return np.asarray(old)[:-1].tolist() if np.asarray(old).dtype == object else np.asarray(old)[:-1]
    return VALUES[int(rng.integers(len(VALUES)))]
