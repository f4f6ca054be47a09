"""The C++ compiler that the user has chosen, and the flags in it that would break the promise of equal bits."""

from __future__ import annotations

import functools
import os
import platform
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from ei_brian.errors import BackendError

__all__ = [
    "CYTHON_VARIABLES", "check_compiler", "check_cython_compiler", "compiler_command", "compiler_version", "processor",
    "refuse_flags",
]  # fmt: skip

CYTHON_VARIABLES = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED", "LDCXXSHARED", "ARCHFLAGS")
# of gcc, clang, Intel, NVIDIA: reordered, fused, flushed to zero, of another precision, or NaN taken for impossible
INEXACT = re.compile(
    r"-Ofast|-fast|-Kfast|-ffast-math|-funsafe-math-optimizations|-ffinite-math-only|-fassociative-math|-freciprocal-math"
    r"|-fno-signed-zeros|-fno-honor-(nans|infinities)|-fapprox-func|-fsingle-precision-constant|-fcx-limited-range"
    r"|-ffp-contract=(fast|on|fast-honor-pragmas)|-ffp-model=(fast|aggressive)|-fexcess-precision=fast|-ffp-eval-method=\w+"
    r"|-fdenormal-fp-math(-f32)?=.*|-fp-model[= ]?fast.*|-m(32|x32|fpmath=.*387.*|recip(=.*)?|daz-ftz|veclibabi=.*)"
    r"|--?(use_fast_math|ftz=true|prec-div=false|prec-sqrt=false|fmad=true)"
)


def compiler_command() -> tuple[str, ...]:
    """Return the words that call the C++ compiler: ``$CXX`` as shells read it, or as one path with spaces; else ``g++``.

    Raises
    ------
    BackendError
        For quotes that do not end, or a flag that changes arithmetic.
    """
    text = os.environ.get("CXX", "").strip()
    if not text:
        return ("g++",)
    if shutil.which(text):
        return (text,)
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BackendError(f"$CXX: {text!r}: {error}; give a compiler, with flags if need be, or unset it.") from error
    refuse_flags(words[1:], "$CXX")
    return words


def refuse_flags(words: tuple[str, ...] | list[str], where: str) -> None:
    """Refuse flags of a compiler under which results are no longer those of the reference.

    Raises
    ------
    BackendError
        With the flag.
    """
    for word in words:
        if INEXACT.fullmatch(word):
            raise BackendError(
                f"{where}: the flag {word} lets a compiler change the results of arithmetic; they would no longer be those of "
                "the reference. Take it out."
            )


def check_compiler() -> str:
    """Return the first line of the C++ compiler's version.

    Raises
    ------
    BackendError
        If there is no compiler.
    """
    return compiler_version(compiler_command()[0])


def check_cython_compiler() -> str:
    """Return the versions of the compilers that Python's own build tools call, whose flags come from the environment.

    Raises
    ------
    BackendError
        If there is none, or a flag changes arithmetic.
    """
    for name in CYTHON_VARIABLES:
        try:
            words = shlex.split(os.environ.get(name, ""))
        except ValueError as error:
            raise BackendError(f"${name}: {os.environ[name]!r}: {error}; mend or unset it.") from error
        refuse_flags(words, f"${name}")
    for name in ("CC", "CXX"):
        if name in os.environ and not os.environ[name].strip():
            raise BackendError(f"${name}: it is set to nothing, which Python's build tools take for a compiler; unset it.")
    named = [shlex.split(os.environ[name])[0] for name in ("CC", "CXX") if name in os.environ]
    return " | ".join(compiler_version(name) for name in named or ["g++"])


def compiler_version(compiler: str) -> str:
    """Return the first line of a compiler's version.

    Raises
    ------
    BackendError
        If it is not there or does not run.
    """
    path = shutil.which(compiler)
    if path is None:
        raise BackendError(
            f"compiler: {compiler!r} was not found on PATH; compiled programs need a C++ compiler (Debian: apt install g++; "
            "macOS: xcode-select --install; conda: conda install cxx-compiler). Or use Backend('numpy')."
        )
    return _version(path)


@functools.cache
def _version(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise BackendError(f"compiler: {path}: {error}; name another in $CXX.") from error
    return done.stdout.splitlines()[0] if done.stdout.strip() else path


@functools.cache
def processor() -> str:
    """Return what tells this processor's instruction set from another's: a program built for one may not run on the other."""
    facts = [platform.machine(), platform.system()]
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("flags", "Features", "model name")):
                facts.append(line.partition(":")[2].strip())
                if len(facts) >= 4:
                    break
    except OSError:
        facts.append(platform.processor())
    return " | ".join(facts)
