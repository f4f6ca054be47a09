"""``ei-brian data``: data sets that are not part of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import AsJson
from ei_brian.cli.output import note, print_json, show

__all__ = ["command"]


def command(
    action: Annotated[str, typer.Argument(help="fetch, or list.")],
    name: Annotated[str, typer.Argument(help="fashion-mnist or mnist.")] = "",
    data_dir: Annotated[
        Path | None, typer.Option(help="Where data sets are kept; $EI_BRIAN_DATA or ~/.local/share/ei_brian when not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a data set over https, checked against its published checksums, or list what there is."""
    from ei_brian.data.fetch import SOURCES, data_folder, fetch
    from ei_brian.errors import ConfigError, unknown_name

    if action == "list":
        places = {known: data_folder(known, data_dir) for known in SOURCES}
        if as_json:
            print_json({known: str(folder) if folder.is_dir() else None for known, folder in places.items()})
            return
        for known, source in SOURCES.items():
            place = f"in {places[known]}" if places[known].is_dir() else "not fetched"
            show(f"{known:<14} {place}   {source.licence}   {source.reference}")
    elif action == "fetch":
        if not name:
            raise ConfigError(f"data fetch: name a data set: {' or '.join(SOURCES)}.")
        folder = fetch(name, data_dir, report=note)
        if as_json:
            print_json({name: str(folder)})
        else:
            show(folder)
    else:
        raise ConfigError(unknown_name("data: action", action, ("fetch", "list")))
