"""Flags of nvcc: arithmetic is neither fused, reordered nor approximated, so that a GPU computes the bits of the reference."""

from __future__ import annotations

import os

from ei_brian.sim.cuda.toolkit import capability

__all__ = ["OPTIMISATION", "capability_of", "gpu_flags"]

OPTIMISATION = "EI_BRIAN_CUDA_OPTIMISATION"
EXACT = ("-fmad=false", "-prec-div=true", "-prec-sqrt=true", "-ftz=false")


def gpu_flags() -> tuple[str, ...]:
    """Return the flags for the GPU of this machine, or for the compute capability that the environment names.

    Raises
    ------
    BackendError
        If there is neither.
    """
    level = os.environ.get(OPTIMISATION, "-O3")
    return ("-w", level, "-std=c++17", *EXACT, "-Xcompiler", "-ffp-contract=off", f"-arch=sm_{capability().replace('.', '')}")


def capability_of(flags: tuple[str, ...]) -> str:
    """Return the compute capability in the flags, such as ``"9.0"``."""
    digits = next(flag for flag in flags if flag.startswith("-arch=sm_")).removeprefix("-arch=sm_")
    return f"{digits[:-1]}.{digits[-1]}"
