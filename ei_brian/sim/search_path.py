"""Where a child process finds this package."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["child_search_path"]


def child_search_path() -> str:
    """Return ``PYTHONPATH`` for a child: this package first, then what the user has set.

    Empty entries are left out: to Python they are the working folder, whose modules must not take the place of others.
    """
    places = [str(Path(__file__).resolve().parents[2]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.pathsep.join(filter(None, places))
