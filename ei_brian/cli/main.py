"""Entry point of ``ei-brian``: runs a verb and turns errors into one line and an exit code."""

from __future__ import annotations

import atexit
import io
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from typing import NoReturn

from ei_brian.core.plain_text import one_line, printable
from ei_brian.errors import EIBrianError, install_command

__all__ = ["EXIT_DONE", "EXIT_INTERRUPTED", "EXIT_MISTAKE", "EXIT_NO", "EXIT_PIPE", "EXIT_UNEXPECTED", "main"]

EXIT_DONE, EXIT_NO, EXIT_MISTAKE, EXIT_UNEXPECTED, EXIT_INTERRUPTED, EXIT_PIPE = 0, 1, 2, 70, 130, 141


def main() -> None:
    """Run the command line.

    Exits with 0 (done), 1 (the verdict is no, and nothing else), 2 (user's mistake or machine), 70 (an error of the package: one
    line says where its traceback is), 130 (interrupted) or 141 (the reader of stdout has gone).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal or file of another encoding: what it lacks is written out
            stream.reconfigure(errors="backslashreplace")
    try:
        from ei_brian.cli.app import application  # takes a moment, in which Ctrl-C is heard already

        application()(prog_name="ei-brian")
    except EIBrianError as error:
        _say(f"{type(error).__name__}: {error}")
        sys.exit(EXIT_MISTAKE)
    except KeyboardInterrupt:
        _end_at_once()
    except SystemExit as stop:  # typer turns an interrupt within a verb into one
        if stop.code == EXIT_INTERRUPTED:
            _end_at_once()
        if isinstance(stop.__context__, BrokenPipeError):  # which click makes an exit with 1
            _leave_stdout()
        raise
    except BrokenPipeError:
        _leave_stdout()
    except OSError as error:  # a folder that is missing, a disk that is full
        where = f": {error.filename}" if error.filename else ""
        _say(f"{error.strerror}{where}" if error.strerror else str(error))
        sys.exit(EXIT_MISTAKE)
    except Exception as error:
        if type(error) is ModuleNotFoundError and error.name == "torch":
            _say(f"this needs torch, which is not installed: {install_command('train')}")
            sys.exit(EXIT_MISTAKE)
        _say(f"unexpected {type(error).__name__}: {one_line(error, 300)}. This is a fault of ei_brian; {_kept(error)}")
        raise SystemExit(EXIT_UNEXPECTED) from None


def _leave_stdout() -> NoReturn:
    """End without a verdict: nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    sys.exit(EXIT_PIPE)


def _end_at_once() -> NoReturn:
    """End the process: the blocks that the interrupt passed have put their things in order; tearing torch down takes seconds."""
    with suppress(KeyboardInterrupt):  # of somebody impatient
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED)


def _kept(error: Exception) -> str:
    """Write the traceback to a file, and say where it is."""
    trace = "".join(traceback.format_exception(error))
    try:
        descriptor, path = tempfile.mkstemp(prefix="ei_brian_error_", suffix=".txt")
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(trace)
    except OSError as reason:
        return f"its traceback could not be kept ({reason.strerror}): {trace[-2000:]}"
    return f"please report it with the traceback in {path}"


def _say(text: str) -> None:
    print("ei-brian: " + printable(" ".join(text.split())), file=sys.stderr)
