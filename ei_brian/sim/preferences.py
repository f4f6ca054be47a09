"""Brian2's global preferences, changed for one run and put back."""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import brian2
import numpy as np
import numpy.typing as npt
from brian2 import prefs
from brian2.codegen.generators.numpy_generator import NumpyCodeGenerator
from brian2.core.functions import DEFAULT_FUNCTIONS

from ei_brian.toolchain.cache_root import cache_root

__all__ = ["COMPILER_FLAGS", "preferences"]

RUNTIME_TARGETS = ("numpy", "cython")
COMPILER_FLAGS = ("-w", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-std=c++17")


@contextmanager
def preferences(target: str, dtype: npt.DTypeLike, flags: Sequence[str] = COMPILER_FLAGS) -> Iterator[None]:
    """Set code generation target and precision, and forbid rewriting of arithmetic; restore everything afterwards.

    Brian2's optimisation of loop-invariant expressions reorders products and so changes the last bit; without it, generated
    code computes what the catalogue says. Brian2's default flags hold ``-ffast-math``, which does the same. Its Cython cache
    does not look at flags, so code of ours is kept in a folder of its own. Its ``int`` for numpy gives int32, which turns
    float32 arithmetic into float64; here it gives a number of the precision of the run.
    """
    wanted: dict[str, Any] = {
        "codegen.target": target,
        "codegen.loop_invariant_optimisations": False,
        "core.default_float_dtype": np.dtype(dtype).type,
        "codegen.cpp.extra_compile_args_gcc": list(flags),
        "codegen.runtime.cython.cache_dir": _cython_cache(),
    }
    if target in RUNTIME_TARGETS:  # Ctrl-C would else end a run early as if it were whole
        wanted["core.stop_on_keyboard_interrupt"] = False
    before = {name: prefs[name] for name in wanted}
    implementations = DEFAULT_FUNCTIONS["int"].implementations
    int_before = implementations[NumpyCodeGenerator].get_code(None)
    try:
        implementations.add_implementation(NumpyCodeGenerator, code=lambda value: np.asarray(value).astype(dtype))
        for name, value in wanted.items():
            prefs[name] = value
        with warnings.catch_warnings():
            # Brian2 compares float32 states with 1e50, which becomes infinity: right, and of no use to a reader
            warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)
            yield
    finally:
        implementations.add_implementation(NumpyCodeGenerator, code=int_before)
        for name, value in before.items():
            prefs[name] = value


def _cython_cache() -> str:
    digest = hashlib.sha256(" ".join((*COMPILER_FLAGS, brian2.__version__, sys.version)).encode()).hexdigest()[:16]
    return str(cache_root() / "cython" / digest)
