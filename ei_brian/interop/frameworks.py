"""The frameworks that are read, their supported versions, and how to get them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from types import ModuleType

from ei_brian.errors import ConfigError, install_command, unknown_name
from ei_brian.interop.cells_norse import NORSE_CELLS, norse_cell
from ei_brian.interop.cells_plain import plain_cell, plain_models
from ei_brian.interop.cells_snntorch import SNNTORCH_CELLS, snntorch_cell
from ei_brian.interop.cells_spikingjelly import SPIKINGJELLY_CELLS, spikingjelly_cell
from ei_brian.interop.graph import Cell, Node

__all__ = ["CELLS", "SUPPORTED", "cell_kinds", "cell_of", "framework"]

SUPPORTED = {"snntorch": "1.0", "norse": "1.1", "spikingjelly": "2.0", "nir": "1.0"}
CELLS: dict[str, Callable[[str, Node], Cell]] = {
    "snntorch": snntorch_cell, "norse": norse_cell, "spikingjelly": spikingjelly_cell, "torch": plain_cell,
}  # fmt: skip
KINDS: dict[str, Mapping[str, object]] = {
    "snntorch": SNNTORCH_CELLS, "norse": NORSE_CELLS, "spikingjelly": SPIKINGJELLY_CELLS,
}  # fmt: skip


def cell_kinds(name: str) -> tuple[str, ...]:
    """Return the classes of neurons that are read from a framework."""
    return tuple(plain_models()) if name == "torch" else tuple(KINDS[_known(name)])


def cell_of(name: str, layer: str, node: Node) -> Cell:
    """Return what a neuron of a framework becomes; raises `DataError` for what is not reproduced."""
    return CELLS[_known(name)](layer, node)


def _known(name: str) -> str:
    if name not in CELLS:
        raise ConfigError(unknown_name("framework", name, CELLS))
    return name


def framework(name: str) -> ModuleType:
    """Return the module of a framework, imported now.

    Raises
    ------
    ConfigError
        If it is not installed, or of another version than this package was tested with: then its arithmetic may differ.
    """
    try:
        module = import_module(name)
        version = metadata.version(name)
    except (ImportError, metadata.PackageNotFoundError) as error:
        raise ConfigError(f"{name}: not installed ({error}); {install_command('interop')}") from error
    if version.split(".")[:2] != SUPPORTED[name].split("."):
        raise ConfigError(
            f"{name}: version {version}; {SUPPORTED[name]}.x is what the order of operations was read from and tested with. "
            f"Install {name}=={SUPPORTED[name]}.*, or save the state dict and read that."
        )
    return module
