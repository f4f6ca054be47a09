"""``ei-brian data``: data sets that are not part of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.output import note

__all__ = ["command"]


def command(
    action: Annotated[str, typer.Argument(help="fetch, or list.")],
    name: Annotated[str, typer.Argument(help="fashion-mnist or mnist.")] = "",
    data_dir: Annotated[
        Path | None, typer.Option(help="Where data sets are kept; $EI_BRIAN_DATA or ~/.local/share/ei_brian when not given.")
    ] = None,
) -> None:
    """Fetch a data set over https, checked against its published checksums, or list what there is."""
    from ei_brian.data.fetch import SOURCES, data_folder, fetch
    from ei_brian.errors import ConfigError, unknown_name

    if action == "list":
        for known, source in SOURCES.items():
            folder = data_folder(known, data_dir)
            place = f"in {folder}" if folder.is_dir() else "not fetched"
            print(f"{known:<14} {place}   {source.licence}   {source.reference}")
    elif action == "fetch":
        if not name:
            raise ConfigError(f"data fetch: name a data set: {' or '.join(SOURCES)}.")
        print(fetch(name, data_dir, report=note))
    else:
        raise ConfigError(unknown_name("data: action", action, ("fetch", "list")))
