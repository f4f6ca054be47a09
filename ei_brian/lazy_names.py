"""Names that a package offers and loads when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from ei_brian.errors import ConfigError, install_command

__all__ = ["lazy_names"]


def lazy_names(package: str, where: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that offers names of its modules.

    Parameters
    ----------
    package : str
        Its name.
    where : mapping of str to str
        Public name: ``"module:attribute"``, or ``"module"`` where the attribute has the same name. A module without a dot at
        its start is one of the package; ``"."`` in front makes it the module's full name.

    Raises
    ------
    AttributeError
        For other names, with those that there are.
    ConfigError
        If what the name needs is not installed, with the command that installs it.
    """

    def load(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; public names: {', '.join(sorted(where))}")
        module, _, attribute = where[name].partition(":")
        module = module[1:] if module.startswith(".") else f"{package}.{module}"
        try:
            found = import_module(module)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise ConfigError(f"{name} needs torch, which is not installed: {install_command('train')}") from error
        value = getattr(found, attribute or name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *where})

    return load, names
