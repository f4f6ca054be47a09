"""The sandbox of the fuzz runs finds planted faults; without this its zeros would mean nothing."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ei_brian.errors import StorageError
from validation.trust.sandbox import fuzz, seccomp_works

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses /proc and fork")
needs_seccomp = pytest.mark.skipif(not seccomp_works(), reason="the kernel takes no filter")


def mutants(index: int) -> tuple[str, bytes]:
    return "plain", bytes([index])


def read(path: str) -> int:
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(file, 1)[0]
    finally:
        os.close(file)


def crash(path: str) -> None:
    ctypes.string_at(0)


def other_error(path: str) -> None:
    raise KeyError(path)


def other_file(path: str) -> None:
    os.close(os.open("/etc/passwd", os.O_RDONLY | os.O_NONBLOCK))


def other_file_in_c(path: str) -> None:
    ctypes.CDLL(None).open(b"/etc/passwd", 0)


def program(path: str) -> None:
    subprocess.run(["true"], check=False)


def network(path: str) -> None:
    socket.socket()


def write(path: str) -> None:
    Path(path + "x").write_bytes(b"")


def much_memory(path: str) -> None:
    bytearray(1 << 30)


def touched_memory(path: str) -> None:
    try:
        bytearray(1 << 30)
    except MemoryError as error:
        raise StorageError("refused") from error


def forever(path: str) -> None:
    time.sleep(60)


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (crash, "killed by SIGSEGV"),
        (other_error, "escaped"),
        (other_file, "opened another file"),
        pytest.param(other_file_in_c, "forbidden system call", marks=needs_seccomp),
        pytest.param(program, "forbidden system call|opened another file", marks=needs_seccomp),
        pytest.param(network, "forbidden system call", marks=needs_seccomp),
        pytest.param(write, "forbidden system call|opened another file", marks=needs_seccomp),
        (much_memory, "escaped"),
        (touched_memory, "refused"),
        pytest.param(forever, "slow", marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_planted_fault_is_found_and_the_rest_goes_on(fault: object, names: str) -> None:
    def reader(path: str) -> None:
        if read(path) == 7:
            fault(path)  # type: ignore[operator]

    report = fuzz(reader, mutants, 10, warm_up=5)
    assert report.n == 10
    assert report.count("loaded") == 9
    found = next(name for (_, name), number in report.outcomes.items() if name != "loaded" and number)
    assert found in names.split("|")
    assert report.findings == ([] if found == "refused" else [f"mutant 7 (plain): {found}"])
