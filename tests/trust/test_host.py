"""The Brian2 of the program that calls us: runs do not see what it has set, and leave it as they found it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import Network, defaultclock, ms, prefs

from ei_brian.core.recording import Recording
from ei_brian.errors import BackendError
from ei_brian.sim import brian2_import
from ei_brian.sim.backend import Backend
from ei_brian.sim.preferences import _Found, preferences
from tests.conftest import random_spec, random_stimulus

NEEDED = {"codegen.loop_invariant_optimisations": False, "core.stop_on_keyboard_interrupt": False}

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")
devices: Any = import_module("brian2.devices.device")
SPEC, STIMULUS = random_spec(), random_stimulus(n_trials=3)
TRACE = ("E", "v")
RIGHT = {dtype: Backend("reference", dtype=dtype).run(SPEC, STIMULUS, traces=[TRACE]) for dtype in ("float64", "float32")}


def run(dtype: str = "float64", name: str = "numpy", layout: str = "shared") -> Recording:
    return Backend(name, dtype=dtype, layout=layout).run(SPEC, STIMULUS, traces=[TRACE])


def is_right(recording: Recording, dtype: str = "float64") -> bool:
    """Tell whether a recording is that of the reference, to the bit."""
    right = RIGHT[dtype]
    trace, wanted = recording.traces[TRACE], right.traces[TRACE]
    same = all(recording.spikes[name].equals(right.spikes[name]) for name in right.spikes)
    return same and trace.dtype == wanted.dtype and trace.tobytes() == wanted.tobytes()


def script(code: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of a user in a folder."""
    paths = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH", "")]))
    whole = {**os.environ, "PYTHONPATH": paths, **environment}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=whole, check=False)


def everything() -> tuple[Any, ...]:
    """Return what a run must leave as it was."""
    return (
        dict(prefs.prefs), devices.active_device, list(devices.previous_devices), float(defaultclock.dt / ms),
        Network._globally_running, Network._globally_stopped, signal.getsignal(signal.SIGINT), sys.excepthook,
        warnings.showwarning, list(warnings.filters), list(sys.path),
    )  # fmt: skip


PREFERENCES: dict[str, Any] = {
    "core.default_float_dtype": np.float32, "core.default_integer_dtype": np.int64, "codegen.target": "cython",
    "codegen.string_expression_target": "cython", "codegen.loop_invariant_optimisations": True,
    "codegen.cpp.extra_compile_args": ["-Ofast"], "codegen.cpp.define_macros": [("double", "float")],
    "core.network.default_schedule": ["start", "synapses", "groups", "thresholds", "resets", "end"],
    "devices.cpp_standalone.openmp_threads": 4, "legacy.refractory_timing": True,
}  # fmt: skip


@pytest.fixture
def host() -> Iterator[Callable[..., None]]:
    """Give a function that sets preferences as a script of the user does; all is put back at the end."""
    before, device, clock = dict(prefs.prefs), devices.active_device, defaultclock.dt

    def set_up(**chosen: Any) -> None:
        for name, value in chosen.items():
            prefs[name.replace("__", ".")] = value

    yield set_up
    prefs.prefs.update(before)
    devices.active_device = device
    defaultclock.dt = clock


@pytest.mark.parametrize("name", PREFERENCES)
@pytest.mark.parametrize("layout", ["shared", "synapses"])
def test_no_preference_of_the_host_changes_a_run(name: str, layout: str, host: Callable[..., None]) -> None:
    host(**{name: PREFERENCES[name]})
    before = everything()
    assert is_right(run(layout=layout))
    assert everything() == before


def test_a_run_that_fails_leaves_everything_as_it_was(host: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    host(core__default_float_dtype=np.float32, codegen__loop_invariant_optimisations=True)
    defaultclock.dt = 0.7 * ms
    before = everything()

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Network, "run", fail)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert everything() == before
    assert is_right(run())


@pytest.mark.parametrize("options", [{"build_on_run": False}, {"directory": None}])
def test_a_device_of_the_host_is_not_that_of_a_run_and_stays(options: dict[str, Any], tmp_path: Path) -> None:
    code = f"""
import brian2, sys
brian2.set_device("cpp_standalone", **{options!r})
mine = brian2.NeuronGroup(2, "v : 1")
from tests.trust.test_host import is_right, run, everything
before = everything()
assert is_right(run()) and is_right(run("float32", layout="synapses"), "float32")
assert everything() == before
from ei_brian.sim.backend import Backend
from tests.trust.test_host import SPEC, STIMULUS
try:
    Backend("numpy").network(SPEC, STIMULUS)
except Exception as error:
    assert "cpp_standalone" in str(error) and "set_device('runtime')" in str(error), error
else:
    raise SystemExit("live objects on a device that is not that of this process")
later = brian2.NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", method="exact")
if not brian2.get_device().build_on_run:
    brian2.run(1 * brian2.ms)
"""
    done = script(code)
    assert done.returncode == 0, done.stderr[-2000:]


def test_threads_get_the_precision_that_they_asked_for(host: Callable[..., None]) -> None:
    host(codegen__loop_invariant_optimisations=True)
    before = everything()
    asked = ["float64", "float32"] * 6
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda dtype: is_right(run(dtype), dtype), asked))
    assert everything() == before


def test_a_precision_that_was_changed_during_a_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code of the host that sets a preference in another thread cannot be held off, but is found out."""
    whole = Network.__init__

    def interfering(self: Network, *arguments: Any, **options: Any) -> None:
        prefs.core.default_float_dtype = np.float32
        whole(self, *arguments, **options)

    monkeypatch.setattr(Network, "__init__", interfering)
    with pytest.raises(BackendError, match=r"float32.*float64"):
        run()


@pytest.mark.parametrize("point", ["takes", "has", "leaves"])
def test_a_child_that_is_forked_while_another_thread_runs_can_run(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brian2 is taken under a lock, which the child must not wait for: nobody is there who would give it up."""
    entered, leave = threading.Event(), threading.Event()

    def stop() -> None:
        if threading.current_thread() is holder:
            entered.set()
            leave.wait(60)

    def hold() -> None:
        with preferences("numpy", np.float32):
            if point == "has":
                stop()

    whole = {"takes": _Found.now, "leaves": _Found.put_back}
    if point == "takes":
        monkeypatch.setattr(_Found, "now", lambda: (stop(), whole[point]())[1])
    if point == "leaves":
        monkeypatch.setattr(_Found, "put_back", lambda found: (stop(), whole[point](found))[1])
    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(60)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)
        end = 2  # an exception must not let the child go on as the test run that it is a copy of
        try:
            end = 0 if prefs.core.default_float_dtype is np.float64 and is_right(run()) else 1
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(end)
    leave.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0


IMPORTED = """
import signal, sys, threading, warnings
signal.signal(signal.SIGINT, {handler})
found = lambda: (signal.getsignal(signal.SIGINT), sys.excepthook, warnings.showwarning, signal.signal)
before = found()
def use():
    from ei_brian.sim.backend import Backend
    from tests.trust.test_host import is_right, run
    print(is_right(run()))
{call}
assert found() == before, (before, found())
"""


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "signal.default_int_handler", "lambda *_: None"])
@pytest.mark.parametrize("call", ["use()", "t = threading.Thread(target=use); t.start(); t.join()"], ids=["main", "thread"])
def test_import_and_runs_leave_the_hooks_of_the_host(handler: str, call: str) -> None:
    if "IGN" not in handler and call == "use()":
        pytest.skip("one of the main thread is enough")
    code = IMPORTED.format(handler=handler, call=call)
    done = script(code)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "True"


def test_a_broken_preference_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "brian_preferences").write_text("this is not a preference\n")
    done = script("from ei_brian.sim.backend import Backend", tmp_path)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ei_brian.errors.BackendError: Brian2 cannot be imported: PreferenceError")
    assert "brian_preferences" in last


def test_own_errors_are_told_once_and_not_as_brian2s(capsys: pytest.CaptureFixture[str]) -> None:
    brian2_import.load_brian2()
    brian2_import.load_brian2()
    logger = logging.getLogger("brian2")
    assert len([each for each in logger.filters if isinstance(each, brian2_import._OwnErrors)]) == 1
    error = BackendError("mine")
    logger.error("Brian 2 encountered an unexpected error.", exc_info=(type(error), error, None))
    assert capsys.readouterr().err.strip() == "ei_brian.errors.BackendError: mine"


@needs_compiler
@pytest.mark.slow
def test_preference_files_do_not_reach_the_build(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".brian").mkdir(parents=True)
    (home / ".brian" / "user_preferences").write_text("devices.cpp_standalone.openmp_threads = 4\n")
    lines = (f"{name} = {getattr(value, '__name__', repr(value))}" for name, value in PREFERENCES.items())
    (tmp_path / "brian_preferences").write_text("\n".join(lines) + "\n")
    code = "from tests.trust.test_host import *\nprint(is_right(run()), is_right(run(name='cpp_standalone')))"
    done = script(code, tmp_path, HOME=str(home), EI_BRIAN_CACHE=str(tmp_path / "cache"))
    assert done.stdout.strip() == "True True", done.stderr[-2000:]


@pytest.mark.parametrize(("error", "shown"), [(BackendError("ours"), False), (ValueError("theirs"), True), (None, True)])
def test_only_errors_of_this_package_are_kept_from_brian2s_words(
    error: Exception | None, shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = None if error is None else (type(error), error, None)
    record = logging.LogRecord("brian2", logging.ERROR, "", 0, "Brian 2 encountered an unexpected error.", None, found)
    assert brian2_import._OwnErrors().filter(record) is shown
    assert ("ours" in capsys.readouterr().err) is not shown


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_has_the_preferences_that_its_bits_need_and_gives_the_users_back(dtype: type) -> None:
    before = {name: prefs[name] for name in (*NEEDED, "core.default_float_dtype", "codegen.target")}
    with preferences("numpy", dtype):
        assert {name: prefs[name] for name in NEEDED} == NEEDED
        assert prefs["core.default_float_dtype"] is dtype
        assert prefs["codegen.target"] == "numpy"
    assert {name: prefs[name] for name in before} == before


def test_what_brian2_says_stays_as_the_user_wants_it_and_all_else_is_the_default_in_a_run() -> None:
    before = {name: prefs[name] for name in ("logging.console_log_level", "codegen.string_expression_target")}
    try:
        prefs["logging.console_log_level"], prefs["codegen.string_expression_target"] = "ERROR", "cython"
        with preferences("numpy", np.float64):
            assert prefs["logging.console_log_level"] == "ERROR"
            assert prefs["codegen.string_expression_target"] == "numpy"
        assert (prefs["logging.console_log_level"], prefs["codegen.string_expression_target"]) == ("ERROR", "cython")
    finally:
        prefs.update(before)
