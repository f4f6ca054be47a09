"""Entry point of ``ei-brian``: runs a verb and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys

from ei_brian.cli.app import application
from ei_brian.errors import EIBrianError

__all__ = ["EXIT_DONE", "EXIT_INTERRUPTED", "EXIT_MISTAKE", "EXIT_NO", "main"]

EXIT_DONE, EXIT_NO, EXIT_MISTAKE, EXIT_INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Run the command line and exit with 0 (done), 1 (verdict is no), 2 (user's mistake or machine) or 130 (interrupted)."""
    try:
        application()(prog_name="ei-brian")
    except EIBrianError as error:
        _say(f"{type(error).__name__}: {error}")
        sys.exit(EXIT_MISTAKE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_NO)
    except OSError as error:  # a folder that is missing, a disk that is full
        where = f": {error.filename}" if error.filename else ""
        _say(f"{error.strerror}{where}" if error.strerror else str(error))
        sys.exit(EXIT_MISTAKE)


def _say(text: str) -> None:
    print("ei-brian: " + " ".join(text.split()), file=sys.stderr)
