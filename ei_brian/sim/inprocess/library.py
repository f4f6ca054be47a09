"""Compiles a C++ text, keeps it in the build cache, and loads it into this process."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

from ei_brian.errors import BackendError
from ei_brian.toolchain.build_cache import BuildCache
from ei_brian.toolchain.compiler import check_compiler, compiler_command, processor

__all__ = ["loaded", "pointers"]

FLAGS = (
    "-w", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-std=c++17", "-shared", "-fPIC",
)  # fmt: skip


@lru_cache(maxsize=256)
def loaded(text: str) -> Any:
    """Return the function ``run`` of a C++ text.

    Raises
    ------
    BackendError
        If there is no compiler, or it refuses the text.
    """
    facts = "\0".join((text, check_compiler(), processor(), *compiler_command(), *FLAGS))
    key = "inprocess_" + hashlib.sha256(facts.encode()).hexdigest()

    def make(folder: Path) -> None:
        source = folder / "loop.cpp"
        source.write_text(text, encoding="utf-8")
        command = [*compiler_command(), *FLAGS, str(source), "-o", str(folder / "loop.so")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BackendError(f"compiled loop: {command[0]} failed: {done.stderr.strip()[-800:]}")

    with BuildCache().entry(key, make) as folder:
        function = ctypes.CDLL(str(folder / "loop.so")).run  # stays mapped, whatever becomes of the file
    function.restype = None
    return function


def pointers(arrays: list[Any]) -> Any:
    """Return the addresses of arrays as a C array; the arrays must be kept alive."""
    return (ctypes.c_void_p * max(len(arrays), 1))(*(array.ctypes.data for array in arrays))
