"""The engine's compiled library: made once by the compiler of this machine, kept in the build cache, loaded into the process."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import subprocess
from pathlib import Path

from ei_brian.errors import BackendError
from ei_brian.learn.engine.equations import equations_header
from ei_brian.toolchain.build_cache import BuildCache
from ei_brian.toolchain.compiler import check_compiler, compiler_command, processor

__all__ = ["FLAGS", "UNITS", "load_library"]

FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-w", "-pthread")
UNITS = {"forward": "off", "backward": "fast", "engine": "off"}  # whether a product and a sum may round as one
HEADERS = ("engine.h", "products.h")
NAME = "engine.so"


@functools.cache
def load_library() -> ctypes.CDLL:
    """Return the library.

    It stays loaded for as long as the process lives, also when its entry of the cache is taken away.

    Raises
    ------
    BackendError
        If there is no compiler, or it fails.
    """
    check_compiler()
    with BuildCache().entry(_key(), _build) as folder:
        return ctypes.CDLL(str(folder / NAME))


def _sources() -> dict[str, bytes]:
    here = Path(__file__).parent
    files = {name: (here / name).read_bytes() for name in (*HEADERS, *(f"{unit}.cpp" for unit in UNITS))}
    return files | {"equations.h": equations_header().encode()}


def _key() -> str:
    digest = hashlib.sha256(b"engine\0")
    for text in (check_compiler(), processor(), *compiler_command(), *FLAGS, repr(UNITS)):
        digest.update(text.encode() + b"\0")
    for name, source in sorted(_sources().items()):
        digest.update(name.encode() + b"\0" + source + b"\0")
    return digest.hexdigest()


def _build(folder: Path) -> None:
    for name, text in _sources().items():
        (folder / name).write_bytes(text)
    compiler = compiler_command()
    commands = [
        [*compiler, *FLAGS, f"-ffp-contract={fused}", "-c", f"{unit}.cpp", "-o", f"{unit}.o"] for unit, fused in UNITS.items()
    ]
    running = [_start(command, folder) for command in commands]
    for command, process in zip(commands, running, strict=True):
        _end(command, process)
    link = [*compiler, *FLAGS, "-shared", *(f"{unit}.o" for unit in UNITS), "-o", NAME]
    _end(link, _start(link, folder))
    for unit in UNITS:
        (folder / f"{unit}.o").unlink()


def _start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _end(command: list[str], process: subprocess.Popen[str]) -> None:
    _, words = process.communicate()
    if process.returncode != 0:
        raise BackendError(
            f"build: the training engine could not be compiled (exit code {process.returncode} of {command[0]}). Last words:\n"
            f"{words.strip()[-3000:]}"
        )
