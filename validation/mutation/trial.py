"""One run of tests in a fork of a process that has loaded all libraries but the package, within a budget of processor time."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

__all__ = ["UNLOADED", "load_libraries", "run_tests"]

BUDGET_S, HANGS_S = 30.0, 25.0  # processor time of all tests of a fault, and of one that does not end
WALL_S = 900.0
UNLOADED = "the tests cannot be loaded, or the process ended"
LIBRARIES = (
    "numpy", "scipy.sparse", "scipy.stats", "scipy.optimize", "matplotlib.figure", "h5py", "torch", "brian2", "hypothesis",
)  # fmt: skip


def load_libraries() -> None:
    """Import what tests import, so that a fork need not."""
    for name in LIBRARIES:
        with suppress(ImportError):
            import_module(name)
    assert not [name for name in sys.modules if name == "ei_brian"], "the package must be loaded from the copy with the fault"


def run_tests(copy: Path, tests: Sequence[str], most_s: float = BUDGET_S) -> tuple[str, str]:
    """Run fast tests in a copy of the repository until one fails; return how it ended, and the test that failed.

    Returns
    -------
    str
        ``"passed"``, ``"failed"``, ``"hangs"`` (a test that takes seconds without a fault did not end) or ``"time is out"``.
    str
        The test.
    """
    told = copy / "told.json"
    told.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _in_child(copy, tests, told)
    end = time.monotonic() + WALL_S
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if _seconds(child) > most_s or time.monotonic() > end:
            _kill(child)
            current, since = _told(told).get("current", ("", 0.0))
            hangs = _LAST.get(child, 0.0) - since > HANGS_S or time.monotonic() > end
            return ("hangs" if hangs else "time is out"), current
        time.sleep(0.1)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) in (0, 5):
        return "passed", ""
    return "failed", str(_told(told).get("failed") or UNLOADED)


class _Telling:
    """A plugin that writes which test runs, since when, and which failed."""

    def __init__(self, told: Path) -> None:
        self.told, self.facts = told, {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._tell(current=(nodeid, sum(os.times()[:4])))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._tell(failed=report.nodeid)

    def _tell(self, **facts: object) -> None:
        self.facts |= facts
        self.told.write_text(json.dumps(self.facts), encoding="utf-8")


def _in_child(copy: Path, tests: Sequence[str], told: Path) -> None:
    code = 99
    try:
        os.setsid()
        os.chdir(copy)
        for name in [name for name in sys.modules if name.split(".")[0] in ("validation", "tests")]:
            del sys.modules[name]
        sys.path.insert(0, str(copy))
        os.environ["PYTHONPATH"] = str(copy)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        options = ["-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(copy)]
        code = int(pytest.main([*options, *tests], plugins=[_Telling(told)]))
    finally:
        os._exit(code)


_LAST: dict[int, float] = {}


def _seconds(child: int) -> float:
    """Return the processor time of a process and its ended children."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        _LAST[child] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return _LAST.get(child, 0.0)


def _kill(child: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _told(path: Path) -> dict:  # type: ignore[type-arg]
    try:
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return {}
