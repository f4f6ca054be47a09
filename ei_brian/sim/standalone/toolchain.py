"""What of this machine decides a compiled program: compiler, its flags, the processor, versions, and our own sources."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path

import brian2
import numpy as np

from ei_brian.errors import BackendError

__all__ = ["check_compiler", "processor", "toolchain_key"]

SOURCES = (
    "data_file.h", "counter.h", "session.h", "rows.h", "runtime.h", "spike_list.h", "plan.py", "dialect.py", "project.py",
    "compilation.py", "child.py", "templates/threshold.cpp", "../neuron_group.py", "../slots.py", "../functions.py",
    "../propagation/synapses.py", "../preferences.py", "../../core/texts.py", "../../core/projection.py", "../structure.py",
    "../../core/exponential.py", "../cuda/kernels.h", "../cuda/device_run.h", "../cuda/flags.py",
    "../cuda/project.py", "../cuda/templates/threshold.cu", "../cuda/templates/reset.cu", "../cuda/templates/ei_call.cu",
)  # fmt: skip


@functools.cache
def check_compiler() -> str:
    """Return the first line of the C++ compiler's version.

    Raises
    ------
    BackendError
        If there is no compiler.
    """
    compiler = os.environ.get("CXX", "g++").split()[0]
    if shutil.which(compiler) is None:
        raise BackendError(
            f"compiler: {compiler!r} was not found on PATH; compiled programs need a C++ compiler (Debian: apt install g++; "
            "macOS: xcode-select --install; conda: conda install cxx-compiler). Or use Backend('numpy')."
        )
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else compiler


@functools.cache
def processor() -> str:
    """Return what tells this processor's instruction set from another's: a program built for one may not run on the other."""
    facts = [platform.machine(), platform.system()]
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features", "model name")):
                facts.append(line.partition(":")[2].strip())
                if len(facts) >= 4:
                    break
    except OSError:
        facts.append(platform.processor())
    return " | ".join(facts)


@functools.cache
def toolchain_key() -> str:
    """Return a hash of all that."""
    digest = hashlib.sha256()
    own_flags = os.environ.get("CXX", "").split()[1:]
    for text in (check_compiler(), processor(), brian2.__version__, np.__version__, platform.python_version(), *own_flags):
        digest.update(text.encode() + b"\0")
    here = Path(__file__).parent
    for name in SOURCES:
        digest.update((here / name).read_bytes())
    return digest.hexdigest()
