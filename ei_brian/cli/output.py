"""What verbs print and where they may write: results on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ei_brian.core.plain_text import printable
from ei_brian.errors import ConfigError

__all__ = ["check_can_write", "note", "print_json", "show"]


def show(text: object = "") -> None:
    """Print a result on stdout; names from files of others reach no terminal with their control characters."""
    print(printable(text), flush=True)


def note(text: str) -> None:
    """Print a line of progress on stderr."""
    print(printable(text), file=sys.stderr, flush=True)


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(data, indent=2, default=float))


def check_can_write(path: Path) -> None:
    """Refuse an output file whose folder is not there or cannot be written, before any work is done.

    Raises
    ------
    ConfigError
        With the folder.
    """
    folder = path.parent
    if path.is_dir():
        raise ConfigError(f"--output {path}: is a folder; give the name of a file in it.")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"--output {path}: folder {folder} is not there or cannot be written; give another.")
