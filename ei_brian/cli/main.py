"""Entry point of ``ei-brian``: runs a verb and turns errors into one line and an exit code."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import NoReturn

from ei_brian.errors import EIBrianError

__all__ = ["EXIT_DONE", "EXIT_INTERRUPTED", "EXIT_MISTAKE", "EXIT_NO", "main"]

EXIT_DONE, EXIT_NO, EXIT_MISTAKE, EXIT_INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Run the command line and exit with 0 (done), 1 (verdict is no), 2 (user's mistake or machine) or 130 (interrupted)."""
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
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_NO)
    except OSError as error:  # a folder that is missing, a disk that is full
        where = f": {error.filename}" if error.filename else ""
        _say(f"{error.strerror}{where}" if error.strerror else str(error))
        sys.exit(EXIT_MISTAKE)


def _end_at_once() -> NoReturn:
    """End the process: the blocks that the interrupt passed have put their things in order; tearing torch down takes seconds."""
    with suppress(KeyboardInterrupt):  # of somebody impatient
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED)


def _say(text: str) -> None:
    print("ei-brian: " + " ".join(text.split()), file=sys.stderr)
