"""Brian2's global preferences, changed for one run and put back."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import brian2
import numpy as np
import numpy.typing as npt
from brian2 import prefs

from ei_brian.sim.cache_root import cache_root

__all__ = ["COMPILER_FLAGS", "preferences"]

COMPILER_FLAGS = ("-w", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-std=c++17")


@contextmanager
def preferences(target: str, dtype: npt.DTypeLike) -> Iterator[None]:
    """Set code generation target and precision, and forbid rewriting of arithmetic; restore everything afterwards.

    Brian2's optimisation of loop-invariant expressions reorders products and so changes the last bit; without it, generated
    code computes what the catalogue says. Brian2's default flags hold ``-ffast-math``, which does the same. Its Cython cache
    does not look at flags, so code of ours is kept in a folder of its own.
    """
    wanted: dict[str, Any] = {
        "codegen.target": target,
        "codegen.loop_invariant_optimisations": False,
        "core.default_float_dtype": np.dtype(dtype).type,
        "codegen.cpp.extra_compile_args_gcc": list(COMPILER_FLAGS),
        "codegen.runtime.cython.cache_dir": _cython_cache(),
    }
    before = {name: prefs[name] for name in wanted}
    try:
        for name, value in wanted.items():
            prefs[name] = value
        yield
    finally:
        for name, value in before.items():
            prefs[name] = value


def _cython_cache() -> str:
    digest = hashlib.sha256(" ".join((*COMPILER_FLAGS, brian2.__version__, sys.version)).encode()).hexdigest()[:16]
    return str(cache_root() / "cython" / digest)
