"""What must hold of this thread's arithmetic for results to be the same everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from ei_brian.errors import BackendError

__all__ = ["check_arithmetic"]

KINDS: tuple[Any, ...] = (np.float64, np.float32)


def check_arithmetic() -> None:
    """Refuse a thread in which the smallest numbers are zero, or that does not round to the nearest number.

    Raises
    ------
    BackendError
        With what is set.
    """
    for kind in KINDS:
        limits = np.finfo(kind)
        one: Any = np.ones(1, dtype=kind)
        small: Any = np.full(1, limits.epsneg / 4, dtype=kind)
        halved: Any = np.full(1, limits.tiny, dtype=kind) * kind(0.5)
        if not halved.view(np.uint8).any():
            raise BackendError(
                f"arithmetic: numbers below {limits.tiny:g} are set to zero in this thread, so that results would not be the "
                "same everywhere. torch.set_flush_denormal(True) does that, and libraries compiled with -ffast-math when they "
                "are loaded; call torch.set_flush_denormal(False)."
            )
        if ((one + small) != one)[0] or ((-one - small) != -one)[0] or ((one - small) != one)[0]:
            raise BackendError(
                "arithmetic: this thread does not round to the nearest number (fesetround, or a library that has called it), so "
                "that results would not be the same everywhere; set FE_TONEAREST again."
            )
