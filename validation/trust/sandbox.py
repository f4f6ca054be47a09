"""A child process that reads one hostile file after another, under the kernel's eye.

The child may open the given file and nothing else: a seccomp filter kills it at any other open, at a start of a program, a
socket, and at every call that changes the file system; an audit hook of Python checks the name of what it does open. Its memory
is bounded, its peak is measured for each file, and the parent kills it when a file takes too long. Any end of the child is a
finding about the file that it was reading; a new child goes on with the next one.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import platform
import resource
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ei_brian.errors import EIBrianError

__all__ = ["Reader", "Report", "fuzz", "seccomp_works"]

LIMIT_S = 5.0  # of the processor: a busy machine makes no file slow
PATIENCE_S = 40.0  # of the clock, after which a child that does not answer is killed
EXTRA_BYTES = 256 << 20
RECORD = struct.Struct("<qBdq16s")  # index, outcome, seconds, peak growth in bytes, kind of mutant
OUTCOMES = ("loaded", "refused", "escaped", "opened another file", "memory")

Reader = Callable[[str], object]
Mutator = Callable[[int], tuple[str, bytes]]


@dataclass
class Report:
    """What happened to all mutants: outcomes by kind of mutant, and the findings, each with the index that makes it again."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    largest_growth: int = 0
    seconds: float = 0.0
    guarded: bool = True

    @property
    def n(self) -> int:
        """Number of mutants."""
        return sum(self.outcomes.values())

    def add(self, other: Report) -> None:
        """Add what happened to other mutants."""
        self.outcomes += other.outcomes
        self.findings += other.findings
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.largest_growth = max(self.largest_growth, other.largest_growth)
        self.seconds += other.seconds
        self.guarded &= other.guarded

    def count(self, outcome: str) -> int:
        """Number of mutants of an outcome."""
        return sum(number for (_, name), number in self.outcomes.items() if name == outcome)


def fuzz(reader: Reader, mutate: Mutator, count: int, start: int = 0, warm_up: int = 40) -> Report:
    """Read mutants ``start`` to ``start + count - 1`` in child processes and return what happened.

    Parameters
    ----------
    reader : callable
        ``reader(path)`` reads a file; it may return or raise an `EIBrianError`.
    mutate : callable
        ``mutate(index)`` returns kind and bytes of a mutant, always the same for the same index.
    count, start : int
        Which mutants.
    warm_up : int
        Mutants that are read before the watch begins, so that whatever is loaded late is loaded.
    """
    report, index, began = Report(guarded=seccomp_works()), start, time.perf_counter()
    while index < start + count:
        index = _one_child(reader, mutate, range(index, start + count), warm_up, report)
    report.seconds = time.perf_counter() - began
    return report


def _one_child(reader: Reader, mutate: Mutator, indices: range, warm_up: int, report: Report) -> int:
    """Run a child until it ends; return the index after the last mutant that is accounted for."""
    receive, send = os.pipe()
    folder = tempfile.mkdtemp(prefix="ei_brian_mutants_")
    child = os.fork()
    if child == 0:
        os.close(receive)
        status = 1
        try:
            _serve(reader, mutate, indices, warm_up, send, report.guarded, str(Path(folder, "mutant")))
            status = 0
        finally:
            os._exit(status)
    os.close(send)
    try:
        index, hung = _listen(receive, indices.start, report)
    finally:
        os.close(receive)
    if hung:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    shutil.rmtree(folder, ignore_errors=True)
    if status == 0 and index == indices.stop:
        return index
    name = "slow" if hung else _name_of_end(status)
    kind = mutate(index)[0]
    report.outcomes[kind, name] += 1
    report.findings.append(f"mutant {index} ({kind}): {name}")
    return index + 1


def _name_of_end(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"ended with {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    return "forbidden system call" if number == signal.SIGSYS else f"killed by {signal.Signals(number).name}"


def _listen(receive: int, index: int, report: Report) -> tuple[int, bool]:
    """Take records until the child ends or hangs; return the next index and whether it hung."""
    rest = b""
    while True:
        ready, _, _ = select.select([receive], [], [], PATIENCE_S)
        if not ready:
            return index, True
        part = os.read(receive, 1 << 16)
        if not part:
            return index, False
        rest += part
        while len(rest) >= RECORD.size:
            number, outcome, seconds, growth, kind = RECORD.unpack(rest[: RECORD.size])
            rest = rest[RECORD.size :]
            name, label = OUTCOMES[outcome], kind.rstrip(b"\0").decode()
            name = "slow" if seconds > LIMIT_S else name
            report.outcomes[label, name] += 1
            if name not in ("loaded", "refused"):
                report.findings.append(f"mutant {number} ({label}): {name}")
            report.slowest_s = max(report.slowest_s, seconds)
            report.largest_growth = max(report.largest_growth, growth)
            index = number + 1


def _serve(
    reader: Reader, mutate: Mutator, indices: range, warm_up: int, send: int, guarded: bool, path: str
) -> None:
    """Read the mutants one after the other and report each; runs in the child."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.disable()
    warnings.simplefilter("ignore")  # to show one, Python opens its source
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    file, foreign, peak = os.open(path, os.O_RDWR | os.O_CREAT), _watch_opens(path), _PeakMemory()
    for index in range(warm_up):
        _read_one(reader, mutate(index)[1], file, path)
    if guarded:
        _forbid()
    for index in indices:
        kind, data = mutate(index)
        peak.reset()
        foreign.clear()
        _bound_memory(peak.address_space + 2 * len(data) + EXTRA_BYTES)
        began = time.process_time()
        outcome = _read_one(reader, data, file, path)
        seconds, growth = time.process_time() - began, peak.growth()
        _bound_memory(None)
        if foreign:
            outcome = OUTCOMES.index("opened another file")
        elif growth > 2 * len(data) + EXTRA_BYTES:
            outcome = OUTCOMES.index("memory")
        os.write(send, RECORD.pack(index, outcome, seconds, growth, kind.encode()[:16]))


def _read_one(reader: Reader, data: bytes, file: int, path: str) -> int:
    os.ftruncate(file, 0)
    os.pwrite(file, data, 0)
    try:
        reader(path)
    except EIBrianError:
        return 1
    except Exception:  # every other error is what we look for
        return 2
    return 0


def _watch_opens(path: str) -> list[str]:
    """Return a list that every other file that Python opens is added to."""
    foreign: list[str] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir") and str(arguments[0]) != path:
            foreign.append(str(arguments[0]))
        elif event in ("subprocess.Popen", "os.system", "os.exec", "socket.connect", "ctypes.dlopen", "import"):
            foreign.append(event)

    sys.addaudithook(hook)
    return foreign


class _PeakMemory:
    """Peak resident memory and address space since the last reset, from files of /proc that stay open."""

    def __init__(self) -> None:
        self.clear = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self.status = os.open("/proc/self/status", os.O_RDONLY)
        self.base = self.address_space = 0

    def _value(self, name: bytes) -> int:
        text = os.pread(self.status, 1 << 14, 0)
        return int(text.split(name)[1].split()[0]) << 10

    def reset(self) -> None:
        """Begin to measure."""
        os.write(self.clear, b"5")
        self.base, self.address_space = self._value(b"VmRSS:"), self._value(b"VmSize:")

    def growth(self) -> int:
        """Return the peak above the memory at the reset in bytes."""
        return max(0, self._value(b"VmHWM:") - self.base)


def _bound_memory(address_space: int | None) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard if address_space is None else address_space, hard))


# System calls of x86-64 that a reader of files needs not: opens of other kinds, changes of the file system, programs, sockets.
FORBIDDEN = (
    2, 85, 437, 59, 322, 41, 42, 44, 49, 53, 57, 58, 76, 82, 83, 84, 86, 87, 88, 90, 92, 132, 133, 165, 235, 257, 258, 259, 260,
    261, 263, 264, 265, 266, 268, 280, 316,
)  # fmt: skip
ALLOW, KILL, ARCHITECTURE = 0x7FFF0000, 0x80000000, 0xC000003E


def _program() -> bytes:
    """Return the filter: openat only as our reader does it (read-only, not blocking), nothing of the list."""
    def instruction(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("<HBBI", code, yes, no, value)

    load, equal, all_set, give = 0x20, 0x15, 0x45, 0x06
    steps = [instruction(load, 0, 0, 4), instruction(equal, 1, 0, ARCHITECTURE), instruction(give, 0, 0, KILL)]
    steps.append(instruction(load, 0, 0, 0))
    others = [number for number in FORBIDDEN if number != 257]
    steps += [instruction(equal, 0, 4, 257), instruction(load, 0, 0, 32), instruction(all_set, 0, 1, os.O_NONBLOCK)]
    steps += [instruction(give, 0, 0, ALLOW), instruction(give, 0, 0, KILL)]
    for place, number in enumerate(others):
        steps.append(instruction(equal, len(others) - place, 0, number))
    steps += [instruction(give, 0, 0, ALLOW), instruction(give, 0, 0, KILL)]
    return b"".join(steps)


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def _forbid() -> None:
    """Install the filter for the rest of this process's life.

    Raises
    ------
    OSError
        If the kernel does not take it.
    """
    steps = _program()
    buffer = ctypes.create_string_buffer(steps, len(steps))
    program = _FilterProgram(len(steps) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(38, 1, 0, 0, 0) or library.prctl(22, 2, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def seccomp_works() -> bool:
    """Tell whether the kernel takes the filter and it does what it should: a plain open ends the process."""
    if platform.machine() != "x86_64" or sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        try:
            _forbid()
            os.close(os.open("/dev/null", os.O_RDONLY | os.O_NONBLOCK))
            os.open("/dev/null", os.O_RDONLY)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS
