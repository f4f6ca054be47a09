"""Errors that a user can cause, each naming where, what it was, what is allowed and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ei_brian.core.transform.nearest import Nearest

__all__ = [
    "BackendError",
    "CalibrationError",
    "ConfigError",
    "DataError",
    "EIBrianError",
    "ProofError",
    "SpecError",
    "StorageError",
    "UnitError",
    "unknown_name",
]


class EIBrianError(Exception):
    """Base of every error that a user's input or machine can cause."""


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
    return f"{where}: {name!r} is not known.{guess} Allowed: {', '.join(choices)}. {what_to_do}".rstrip()
