"""Hostile versions of state dict files, one for each number."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np
import torch

from validation.trust.hdf5_mutants import byte_mutant

__all__ = ["ARCHITECTURE", "StateDictMutants"]

ARCHITECTURE: dict[str, Any] = {
    "framework": "snntorch",
    "input_shape": [6],
    "layers": [
        {"name": "0", "type": "Linear"}, {"name": "1", "type": "Leaky"},
        {"name": "2", "type": "Linear"}, {"name": "3", "type": "Leaky"},
    ],
}  # fmt: skip
OPCODES = b"cR.}](tbq\x80\x81\x85\x86\x87\x88\x89QX0N"


def _state_dict(seed: int) -> OrderedDict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    kept: OrderedDict[str, torch.Tensor] = OrderedDict()
    for number, (n_out, n_in) in ((0, (5, 6)), (2, (3, 5))):
        kept[f"{number}.weight"] = torch.randn(n_out, n_in, generator=generator)
        kept[f"{number}.bias"] = torch.randn(n_out, generator=generator)
        for name, value in (("threshold", 1.0), ("graded_spikes_factor", 1.0), ("reset_mechanism_val", 0), ("beta", 0.9)):
            kept[f"{number + 1}.{name}"] = torch.tensor(value)
    return kept


class _Program:
    """Runs a program when it is unpickled by something that is not careful."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, ("touch /tmp/ei_brian_was_here",)


class StateDictMutants:
    """Mutants of two small state dicts; the number of a mutant decides everything about it."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.files = [self._saved(_state_dict(number)) for number in range(2)]

    @staticmethod
    def _saved(value: Any, protocol: int = 2) -> bytes:
        buffer = io.BytesIO()
        torch.save(value, buffer, pickle_protocol=protocol)
        return buffer.getvalue()

    def __call__(self, index: int) -> tuple[str, bytes]:
        """Return kind and bytes of a mutant."""
        kind, data = self._mutant(index)
        return ("unchanged" if data in self.files else kind), data

    def _mutant(self, index: int) -> tuple[str, bytes]:
        rng = np.random.default_rng((self.seed, index))
        file, kind = self.files[int(rng.integers(len(self.files)))], int(rng.integers(10))
        if kind < 3:
            return "bytes", byte_mutant(file, rng)
        if kind < 7:
            return "parts", _parts(file, rng)
        return "content", self._content(rng)

    def _content(self, rng: np.random.Generator) -> bytes:
        kept: Any = _state_dict(0)
        name = list(kept)[int(rng.integers(len(kept)))]
        how = int(rng.integers(12))
        tensor = kept[name]
        strange = (
            lambda: tensor * float("nan"), lambda: tensor.expand(1000, 1000, *tensor.shape), lambda: tensor.to(torch.complex64),
            lambda: tensor.to(torch.float16), lambda: torch.zeros(0), lambda: tensor.to_sparse() if tensor.ndim else tensor,
            lambda: "text", lambda: {"a": tensor}, lambda: _Program(), lambda: tensor.int(), lambda: tensor[None],
        )  # fmt: skip
        if how == 11:
            del kept[name]
        else:
            kept[name] = strange[how]()
        if rng.integers(8) == 0:
            return pickle.dumps(kept)
        return self._saved([kept] if rng.integers(10) == 0 else kept)


def _parts(file: bytes, rng: np.random.Generator) -> bytes:
    """Change the parts of the archive and write it again with right checksums."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    names = list(parts)
    for _ in range(int(rng.integers(1, 3))):
        pickled = next((name for name in names if name.endswith("data.pkl") and name in parts), None)
        name = names[int(rng.integers(len(names)))]
        how = int(rng.integers(7))
        if how < 3 and pickled:
            parts[pickled] = _pickle_mutant(parts[pickled], rng)
        elif how == 3:
            parts.pop(name, None)
        elif how == 4:
            parts[f"../../{name}"] = parts.get(name, b"")
        elif how == 5:
            parts[name] = bytes(int(rng.choice([0, 3, 100_000])))
        else:
            parts[name] = byte_mutant(parts.get(name, b"x"), rng)
    buffer = io.BytesIO()
    packing = zipfile.ZIP_DEFLATED if rng.integers(4) == 0 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _pickle_mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """Change operation codes, numbers and names of a pickle."""
    changed = bytearray(data or b".")
    how = int(rng.integers(5))
    if how == 0:
        return byte_mutant(data, rng)
    if how == 1:
        changed[int(rng.integers(len(changed)))] = OPCODES[int(rng.integers(len(OPCODES)))]
    elif how == 2:
        other = [b"os\nsystem\n", b"builtins\neval\n", b"torch\nload\n", b"torch\nFloatStorage\n", b"collections\nCounter\n"]
        return bytes(changed).replace(b"torch._utils\n_rebuild_tensor_v2\n", other[int(rng.integers(len(other)))], 1)
    elif how == 3:
        place = int(rng.integers(len(changed)))
        changed[place:place] = b"J" + rng.bytes(4)
    else:
        return bytes(changed).replace(b"K\x05", b"J\xff\xff\xff\x7f", int(rng.integers(1, 4)))
    return bytes(changed)
