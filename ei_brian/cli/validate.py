"""``ei-brian validate``: equality, biology and noise for any model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import AsJson, BackendName, DataName, Formats, ModelFile, Threads, Trials
from ei_brian.cli.output import note, print_json, show

__all__ = ["command"]


def command(
    model: ModelFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")] = Path("ei_brian_report"),
    data: DataName = None,
    mix: Annotated[
        str,
        typer.Option(help="What the inhibitory cells become: TYPE=SHARE,…, a mixture (hippocampus CA3), a cell file, 'none'."),
    ] = "FS=0.6,LTS=0.4",
    noise: Annotated[str, typer.Option(help="Kind of noise of the ladder, a field of ei_brian.Noise.")] = "membrane_ou_sd",
    levels: Annotated[str, typer.Option(help="Its levels, from 0 upwards, in its unit.")] = "0,0.2,0.5,1,1.5",
    draws: Annotated[int, typer.Option(min=1, help="Draws of cell types, each with noise seeds of its own.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Noise seeds per level and draw.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 1,
    largest_loss: Annotated[
        float, typer.Option(help="Criterion: points of accuracy (of 100) that may be lost for a function to count as kept.")
    ] = 5.0,
    controls: Annotated[bool, typer.Option(help="Run the controls: inhibition silenced, weakened, noise on the input.")] = True,
    figures: Formats = "",
    trials: Trials = 0,
    backend: BackendName = "cpp_standalone",
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Prove the spikes of a model equal in Brian2, make its interneurons biological, add noise, run controls, write a report."""
    from ei_brian.cli.mixture import parse_levels, parse_mix
    from ei_brian.report.folder import check_folder, check_formats, write_report
    from ei_brian.report.model_check import check_model
    from ei_brian.report.settings import Settings
    from ei_brian.storage import load_spec

    settings = Settings(
        backend, threads, parse_mix(mix), noise, parse_levels(levels), seeds, seed, draws, largest_loss / 100, controls
    )
    formats = check_formats([one.strip() for one in figures.split(",") if one.strip()])
    spec = load_spec(model)
    check_folder(output)
    report, facts = check_model(spec, data, settings, trials, note)
    page = write_report(report, output, formats)
    if as_json:
        print_json({**facts, "report": str(page)})
    else:
        show(f"{report.verdict}\nreport: {page}")
    if not report.good:
        raise typer.Exit(1)
