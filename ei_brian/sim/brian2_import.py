"""Loads Brian2 without what it does to the program that it is loaded into.

On import Brian2 takes Ctrl-C, uncaught errors and warnings over, and fails in every thread but the main one, since only that one
may do so. Whoever wants that imports brian2 first; then nothing of it is changed here.
"""

from __future__ import annotations

import logging
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from ei_brian.errors import BackendError, EIBrianError

__all__ = ["load_brian2"]


def load_brian2() -> None:
    """Import Brian2; hooks of the interpreter and handlers of signals are the same objects afterwards.

    Raises
    ------
    BackendError
        Where it is there but cannot be imported: a preference file, or a setting of matplotlib, that it does not take.
    """
    if "brian2" not in sys.modules:
        with _hooks_kept():
            try:
                import brian2  # noqa: F401
            except ModuleNotFoundError:
                raise
            except Exception as error:
                raise BackendError(
                    f"Brian2 cannot be imported: {type(error).__name__}: {error}. It reads the preference files "
                    "./brian_preferences and ~/.brian/user_preferences and the settings of matplotlib: look there first."
                ) from error
    _show_own_errors_plainly()


@contextmanager
def _hooks_kept() -> Iterator[None]:
    """Let nothing that is imported here set a handler of a signal, ``sys.excepthook`` or how warnings are shown."""
    mine, set_handler, hook, shown = get_ident(), signal.signal, sys.excepthook, warnings.showwarning
    words = sys.argv  # Brian2 writes them down as UTF-8, which not every name of a file is

    def guarded(number: int, handler: Any) -> Any:
        return signal.getsignal(number) if get_ident() == mine else set_handler(number, handler)

    signal.signal = guarded  # type: ignore[assignment]
    sys.argv = [word.encode("utf-8", "backslashreplace").decode() for word in words]
    try:
        yield
    finally:
        signal.signal, sys.argv = set_handler, words
        sys.excepthook = hook
        if warnings.showwarning is not shown:
            logging.captureWarnings(False)


class _OwnErrors(logging.Filter):
    """Shows uncaught errors of this package as Python does, not as errors that Brian2's authors ask to be told of."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether Brian2 is to show the record."""
        kind = record.exc_info[0] if record.exc_info else None
        if kind is None or not issubclass(kind, EIBrianError):
            return True
        traceback.print_exception(*record.exc_info)  # type: ignore[misc]
        return False


def _show_own_errors_plainly() -> None:
    logger = logging.getLogger("brian2")
    if not any(isinstance(each, _OwnErrors) for each in logger.filters):
        logger.addFilter(_OwnErrors())
