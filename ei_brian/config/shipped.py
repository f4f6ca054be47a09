"""Where the models and configurations that come with the package lie."""

from __future__ import annotations

import sys
from importlib import metadata
from os import PathLike
from pathlib import Path

import ei_brian
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import ConfigError, StorageError, unknown_name
from ei_brian.storage import load_spec

__all__ = ["load", "shipped_file"]


def shipped_file(name: str) -> Path:
    """Return the path of a file of ``models/``: in this folder, beside the package (a clone), or where pip put it.

    Raises
    ------
    ConfigError
        If it is in none of them.
    """
    for place in _places():
        if (place / name).is_file():
            return place / name
    where = ", ".join(map(str, _places()))
    raise ConfigError(f"{name}: not found in {where}; run in a clone of the repository, or install it again.")


@takes_numbers()
def load(model: str | PathLike[str]) -> NetworkSpec:
    """Return the network of a model file, or of a model that comes with the package by its name.

    Parameters
    ----------
    model : str or path
        A file, or a name such as ``"digits_ei80"``. A file of that very name comes first.

    Raises
    ------
    StorageError
        If there is neither; for a name the message has the nearest. See `ei_brian.storage.load_spec` for files.
    """
    path = Path(model)
    if path.exists() or path.name != str(model) or path.suffix:
        return load_spec(path)
    names = sorted({file.stem for place in _places() for file in place.glob("*.h5")})
    if path.name not in names:
        raise StorageError(unknown_name("load: no file, and model", path.name, names))
    return load_spec(shipped_file(f"{path.name}.h5"))


def _places() -> tuple[Path, ...]:
    beside, installed = Path(ei_brian.__file__).resolve().parents[1], Path(sys.prefix) / "share" / "ei_brian"
    return Path("models"), beside / "models", installed / "models", *_recorded()


def _recorded() -> tuple[Path, ...]:
    """Return where the installer says that it put them: another prefix, a user's folder, a target."""
    try:
        files = metadata.files("ei_brian") or []
    except metadata.PackageNotFoundError:  # a folder on the path, never installed
        return ()
    return tuple(sorted({Path(str(file.locate())).resolve().parent for file in files if file.suffix == ".h5"}))
