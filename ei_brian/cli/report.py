"""``ei-brian report``: the report of a recording, or of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import Formats
from ei_brian.cli.output import show

__all__ = ["command"]


def command(
    source: Annotated[Path, typer.Argument(help="Recording (.h5) of `ei-brian run`, or results folder of `ei-brian sweep`.")],
    model: Annotated[Path | None, typer.Option("--model", "-m", help="Model file of the recording.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; if not given, report/ of a sweep, else ei_brian_report.")
    ] = None,
    measure: Annotated[str, typer.Option(help="Column of a sweep's table.")] = "accuracy",
    figures: Formats = "",
) -> None:
    """Write figures, tables and text: raster, rates and errors of a recording, or the robustness curves of a sweep."""
    from ei_brian.errors import ConfigError
    from ei_brian.report.folder import check_folder, check_formats, write_report

    formats = check_formats([one.strip() for one in figures.split(",") if one.strip()])
    if source.is_dir() or source.suffix == ".csv":
        from ei_brian.report.robustness import robustness_report

        show(f"report: {robustness_report(source, output, measure, formats)}")
        return
    if not source.is_file():
        raise ConfigError(f"{source}: is not there; give a recording of `ei-brian run` or a results folder of `ei-brian sweep`.")
    if model is None:
        raise ConfigError("--model: a recording holds numbers only; give the model file that it was made with.")
    from ei_brian.report.recording_report import recording_report
    from ei_brian.storage import load_recording, load_spec

    folder = output or Path("ei_brian_report")
    made = recording_report(load_spec(model), load_recording(source))
    check_folder(folder)
    show(f"report: {write_report(made, folder, formats)}")
