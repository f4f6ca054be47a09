"""Uncaught errors of this package in a plain script: shown as Python shows them.

Brian2 puts a hook in ``sys.excepthook`` that asks to report every uncaught exception to its authors. Errors of ours say what to
do and are none of Brian2's; all others reach its hook as before.
"""

from __future__ import annotations

import sys
from types import TracebackType

from brian2.utils.logger import brian_excepthook

from ei_brian.errors import EIBrianError

__all__ = ["keep_own_errors_plain"]


def keep_own_errors_plain() -> None:
    """Let errors of ours pass by Brian2's hook, where that is the one that is set; a hook of the user's is left alone."""
    if sys.excepthook is brian_excepthook:
        sys.excepthook = _hook


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    shown = sys.__excepthook__ if issubclass(kind, EIBrianError) else brian_excepthook
    shown(kind, error, trace)
