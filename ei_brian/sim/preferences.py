"""Brian2's global state: taken for one run, in one thread at a time, and put back.

Device, preferences and a few tables of Brian2 belong to the whole process, and so to the program that calls us. A run has its
own: it starts from Brian2's defaults, not from what a script, a preference file or another run has set, and leaves everything as
it was found, also after an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from threading import RLock, get_ident
from typing import Any

import brian2
import numpy as np
import numpy.typing as npt
from brian2 import Network, prefs
from brian2.codegen.generators.numpy_generator import NumpyCodeGenerator
from brian2.codegen.runtime.cython_rt.extension_manager import cython_extension_manager
from brian2.core.functions import DEFAULT_FUNCTIONS

from ei_brian.sim.cython_cache import cython_cache, note_modules

__all__ = ["COMPILER_FLAGS", "active_device", "preferences"]

COMPILER_FLAGS = ("-w", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-std=c++17")
devices: Any = import_module("brian2.devices.device")  # the module; ``brian2.devices.device`` is a stand-in for the active one
USERS = "logging."  # what Brian2 says and where is the user's
_int = DEFAULT_FUNCTIONS["int"].implementations


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What a run found, by the thread that took it."""

    thread: int
    device: Any
    preferences: dict[str, Any]
    int_code: Any
    cython_modules: dict[Any, Any]
    running: bool
    stopped: bool

    @classmethod
    def now(cls) -> _Found:
        return cls(
            get_ident(), devices.active_device, dict(prefs.prefs), _int[NumpyCodeGenerator].get_code(None),
            cython_extension_manager._code_cache, Network._globally_running, Network._globally_stopped,
        )  # fmt: skip

    def put_back(self) -> None:
        devices.active_device = self.device
        prefs.prefs.update(self.preferences)
        _int.add_implementation(NumpyCodeGenerator, code=self.int_code)
        cython_extension_manager._code_cache = self.cython_modules
        Network._globally_running, Network._globally_stopped = self.running, self.stopped


_lock = RLock()
_taken: list[_Found] = []  # the innermost last
_cython_modules: dict[str, dict[Any, Any]] = {}  # ours, by folder: Brian2 knows a module by its text, not by its flags


@contextmanager
def preferences(target: str, dtype: npt.DTypeLike, flags: Sequence[str] = COMPILER_FLAGS) -> Iterator[None]:
    """Give Brian2 to one run: its runtime device, its defaults with a target and a precision, and no rewriting of arithmetic.

    Brian2's optimisation of loop-invariant expressions reorders products and so changes the last bit; without it, generated
    code computes what the catalogue says. Brian2's default flags hold ``-ffast-math``, which does the same. Its Cython cache
    does not look at flags, so code of ours is kept in a folder of its own. Its ``int`` for numpy gives int32, which turns
    float32 arithmetic into float64; here it gives a number of the precision of the run. Ctrl-C ends a run: Brian2 would return
    from a part of it as from the whole.

    Other threads wait until the block is left.
    """
    wanted: dict[str, Any] = {
        "codegen.target": target,
        "codegen.loop_invariant_optimisations": False,
        "core.default_float_dtype": np.dtype(dtype).type,
        "core.stop_on_keyboard_interrupt": False,
        "codegen.cpp.extra_compile_args_gcc": list(flags),
    }
    if target == "cython":
        wanted["codegen.runtime.cython.cache_dir"] = _cython_cache(flags)
    with _lock:
        found = _Found.now()
        _taken.append(found)
        try:
            devices.active_device = devices.runtime_device
            prefs.prefs.update(_defaults() | wanted)
            folder = wanted.get("codegen.runtime.cython.cache_dir", "")
            cython_extension_manager._code_cache = _cython_modules.setdefault(folder, {})
            _int.add_implementation(NumpyCodeGenerator, code=lambda value: np.asarray(value).astype(dtype))
            # Brian2 compares float32 states with 1e50, which becomes infinity: right, and of no use to a reader
            with np.errstate(over="ignore"):
                yield
            if folder:
                note_modules(folder, _cython_modules[folder].values())
        finally:
            found.put_back()  # before it is taken off the list, so that a child that is forked in between does it again
            _taken.remove(found)


def _cython_cache(flags: Sequence[str] = COMPILER_FLAGS) -> str:
    return cython_cache(flags)


def active_device() -> str:
    """Return the name of the device that the calling program has chosen."""
    return next((name for name, each in devices.all_devices.items() if each is brian2.get_device()), "unknown")


def _defaults() -> dict[str, Any]:
    """Return the default of every preference, lists as copies of their own."""
    return {
        f"{category}.{name}": copy(preference.default)
        for category, (defined, _) in prefs.pref_register.items()
        for name, preference in defined.items()
        if not f"{category}.".startswith(USERS)
    }


def _start_over_after_fork() -> None:
    """Put Brian2 back in a child that was forked while another thread had it, or took or left it: that thread is not here."""
    global _lock
    if _taken and _taken[0].thread == get_ident():
        return  # forked within a run of this thread, which goes on here and holds the lock
    if _taken:
        _taken[0].put_back()
        _taken.clear()
    _lock = RLock()  # also with nothing on the list: the other thread may have had the lock alone


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over_after_fork)
