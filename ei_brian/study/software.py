"""What computes: versions, and a hash of the sources, so that two commits of one version are not taken for each other."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

__all__ = ["source_hash", "this_software"]

DRAWING = ("cli", "report")  # parts that change no number
LIBRARIES = ("brian2", "numpy", "scipy")


@functools.cache
def source_hash() -> str:
    """Return the first 16 digits of the SHA-256 of all sources of the package that can change a number."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix in (".py", ".pyx", ".cpp", ".h", ".cu", ".json") and name.split("/")[0] not in DRAWING:
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def this_software() -> dict[str, str]:
    """Return names and versions of what decides numbers here."""
    own = {"ei_brian": str(import_module("ei_brian").__version__), "sources": source_hash()}
    return {**own, **{name: version(name) for name in LIBRARIES}, "machine": platform.machine()}
