"""What decides a compiled Brian2 program: compiler, its flags, the processor, versions, and our own sources."""

from __future__ import annotations

import functools
import hashlib
import platform
from pathlib import Path

import brian2
import numpy as np

from ei_brian.toolchain.compiler import check_compiler, processor

__all__ = ["check_compiler", "processor", "toolchain_key"]

SOURCES = (
    "arithmetic.h", "data_file.h", "counter.h", "session.h", "rows.h", "learning.h", "runtime.h", "spike_list.h", "plan.py",
    "dialect.py", "project.py", "compilation.py", "child.py", "templates/threshold.cpp", "../neuron_group.py", "../slots.py",
    "../functions.py", "../propagation/synapses.py", "../preferences.py", "../../toolchain/compiler.py",
    "../brian2_import.py", "../../core/texts.py", "../../core/projection.py", "../structure.py", "../../core/exponential.py",
    "../../core/elementary.py", "../cuda/kernels.h", "../cuda/device_run.h", "../cuda/flags.py", "../cuda/project.py",
    "../cuda/templates/threshold.cu", "../cuda/templates/reset.cu", "../cuda/templates/ei_call.cu",
)  # fmt: skip


@functools.cache
def toolchain_key() -> str:
    """Return a hash of the compiler, the processor, the versions, and the sources that write a program."""
    digest = hashlib.sha256()
    for text in (check_compiler(), processor(), brian2.__version__, np.__version__, platform.python_version()):
        digest.update(text.encode() + b"\0")
    here = Path(__file__).parent
    for name in SOURCES:
        digest.update((here / name).read_bytes())
    return digest.hexdigest()
