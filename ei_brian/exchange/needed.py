"""Packages that only an export needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ei_brian.errors import ConfigError

__all__ = ["needed"]

PACKAGES = {"neo": "neo quantities", "quantities": "neo quantities", "pandas": "pandas", "pynapple": "pynapple", "pynwb": "pynwb"}


def needed(module: str, what: str) -> Any:
    """Import a module that is not among the requirements of the package.

    Raises
    ------
    ConfigError
        If it is not installed, with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(f"{what} needs {module}: pip install {PACKAGES.get(module.split('.')[0], module)}") from error
