"""Errors that a user can cause, each naming where, what it was, what is allowed and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ei_brian.core.transform.nearest import Nearest

__all__ = [
    "ArgumentError",
    "BackendError",
    "CalibrationError",
    "ConfigError",
    "DataError",
    "EIBrianError",
    "ProofError",
    "SpecError",
    "StorageError",
    "UncalibratedWarning",
    "UnitError",
    "install_command",
    "needed",
    "shown",
    "unknown_name",
]

LONGEST = 80  # characters of a value in an error


class EIBrianError(Exception):
    """Base of every error that a user's input or machine can cause."""


class ArgumentError(EIBrianError, TypeError):
    """A function or type has no argument of that name (the message names the nearest), or one of another kind was given."""


class UncalibratedWarning(UserWarning):
    """A network runs, and its cells fire far outside because a step that needs a calibration had none."""


class SpecError(EIBrianError):
    """A network description is inconsistent: shapes, signs, names, units or ranges."""


class DataError(EIBrianError):
    """A data set, stimulus or recording does not fit what was asked of it."""


class ProofError(DataError):
    """A network that was read does not do what the network it was read from does."""


class StorageError(EIBrianError):
    """A file could not be read or written safely."""


class ConfigError(EIBrianError):
    """A configuration file or command-line option holds something that is not understood."""


class UnitError(SpecError, DataError, ConfigError):
    """A number that enters a network, data or a configuration has a unit that does not fit, or is masked, text or complex."""


class BackendError(EIBrianError):
    """A simulation could not be built, did not finish, or did not prove that it finished right."""


class CalibrationError(EIBrianError):
    """A calibration did not reach the trained network's activity; there is no network to return.

    Parameters
    ----------
    message : str
        What is missing.
    best : Nearest, optional
        How near it came: `ei_brian.core.transform.nearest.Nearest`.
    """

    def __init__(self, message: str, best: Nearest | None = None) -> None:
        super().__init__(message)
        self.best = best


def shown(value: object) -> str:
    """Return a value in one short line, for an error: its text, or its kind where the text is long or has several lines."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits has no text
        return f"a {type(value).__name__}"
    short = len(text) <= LONGEST and "\n" not in text
    return text if short else f"a {type(value).__name__} ({' '.join(text.split())[:LONGEST]}…)"


def unknown_name(where: str, name: object, allowed: Iterable[str], what_to_do: str = "") -> str:
    """Return the text of an error about an unknown name, with the nearest allowed one first.

    Parameters
    ----------
    where : str
        Object and field, for example ``"population E.model"``.
    name : object
        What was given.
    allowed : iterable of str
        The names that would have been accepted.
    what_to_do : str, optional
        A last sentence.
    """
    choices = sorted(allowed)
    nearest = difflib.get_close_matches(str(name), choices, n=1, cutoff=0.5)
    guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return f"{where}: {shown(name)} is not known.{guess} Allowed: {', '.join(choices)}. {what_to_do}".rstrip()


def install_command(extra: str) -> str:
    """Return the command that installs what an extra of this package brings, wherever the package itself came from.

    Parameters
    ----------
    extra : str
        ``"train"``, ``"interop"``, ``"analysis"``, ``"study"`` or another of setup.cfg.
    """
    from importlib import metadata

    try:
        lines = metadata.requires("ei_brian") or []
    except metadata.PackageNotFoundError:  # a folder on the path, never installed
        return f"pip install '.[{extra}]' in the folder of ei_brian"
    wanted = [line.partition(";")[0].strip() for line in lines if re.search(rf"""extra == ['"]{extra}['"]""", line)]
    return "pip install " + " ".join(f"'{name}'" for name in wanted if not name.startswith("ei_brian"))


def needed(module: str, what: str, command: str) -> Any:
    """Import a module that is not among the requirements of the package.

    Parameters
    ----------
    module : str
        Its name.
    what : str
        What needs it, for the error.
    command : str
        What installs it.

    Raises
    ------
    ConfigError
        If it is not installed, with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        root = module.partition(".")[0]
        if not isinstance(error, ModuleNotFoundError) or (error.name or "").partition(".")[0] != root:
            raise ConfigError(f"{what}: {module} is installed but cannot be imported ({error}).") from error
        raise ConfigError(f"{what} needs {module}, which is not installed: {command}") from error
