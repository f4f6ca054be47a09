"""The C++ compiler of this machine, and the processor that it compiles for."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
from pathlib import Path

from ei_brian.errors import BackendError

__all__ = ["check_compiler", "processor"]


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
