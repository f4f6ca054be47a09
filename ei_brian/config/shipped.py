"""Where the models and configurations that come with the package lie."""

from __future__ import annotations

import sys
from pathlib import Path

import ei_brian
from ei_brian.errors import ConfigError

__all__ = ["shipped_file"]


def shipped_file(name: str) -> Path:
    """Return the path of a file of ``models/``: in this folder, beside the package (a clone), or where pip put it.

    Raises
    ------
    ConfigError
        If it is in none of them.
    """
    beside, installed = Path(ei_brian.__file__).resolve().parents[1], Path(sys.prefix) / "share" / "ei_brian"
    places = (Path("models"), beside / "models", installed / "models")
    for place in places:
        if (place / name).is_file():
            return place / name
    where = ", ".join(map(str, places))
    raise ConfigError(f"{name}: not found in {where}; run in a clone of the repository, or install it again.")
