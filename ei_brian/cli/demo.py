"""``ei-brian demo``: the whole way in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import AsJson, BackendName, Threads
from ei_brian.cli.output import note, print_json, show

__all__ = ["command"]


def command(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")] = Path("ei_brian_report"),
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Load models/digits_ei80.h5 instead of training.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the network that is trained, and of all draws.")] = 0,
    draws: Annotated[int, typer.Option(min=1, help="Draws of cell types.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Noise seeds per level and draw.")] = 2,
    backend: BackendName = "cpp_standalone",
    threads: Threads = 2,
    as_json: AsJson = False,
) -> None:
    """Train an 80:20 network on digits, prove its spikes equal in Brian2, make its interneurons biological, and add noise.

    Runs controls as well, and writes a report folder with report.html, report.md, the figures and the numbers. Training (left out
    with --pretrained) is some ten seconds of processor time; the runs under noise are draws x seeds x levels.
    """
    from ei_brian.config.shipped import shipped_file
    from ei_brian.report.folder import check_folder, write_report
    from ei_brian.report.model_check import check_model
    from ei_brian.report.settings import Settings
    from ei_brian.storage import load_spec, save_spec

    check_folder(output)
    settings = Settings(backend, threads, {"FS": 0.6, "LTS": 0.4}, draws=draws, seeds=seeds, seed=seed)
    if pretrained:
        path = shipped_file("digits_ei80.h5")
        note(f"loading {path} …")
        spec = load_spec(path)
    else:
        from ei_brian.config.trained import train_from
        from ei_brian.config.training_run import read_training_run

        run = read_training_run(shipped_file("digits_ei80.toml"))
        note("training an 80:20 network of 200 cells on handwritten digits …")
        trained = train_from(run, seed)
        note(f"  test accuracy {trained.test_accuracy:.1%}, {trained.hidden_rate_hz:.1f} Hz, {trained.seconds:.0f} s")
        spec = trained.spec
        output.mkdir(parents=True, exist_ok=True)
        save_spec(spec, output / "model.h5")
    report, facts = check_model(spec, None, settings, 0, note)
    page = write_report(report, output)
    if as_json:
        print_json({**facts, "report": str(page)})
    else:
        show(f"\n{report.verdict}\n\nreport: {page.resolve()}")
    if not report.good:
        raise typer.Exit(1)
