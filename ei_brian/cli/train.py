"""``ei-brian train``: a network from a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import AsJson
from ei_brian.cli.output import check_can_write, note, print_json, show

__all__ = ["command"]


def command(
    config: Annotated[Path, typer.Argument(help="Configuration (TOML); models/digits_ei80.toml is an example.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Model file to write; NAME.h5 in this folder when not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the configuration's seed.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="File that is replaced after every epoch, and from which a second call goes on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network, measure it on the test set, and write the model (.h5) and its card (.md) beside it."""
    from ei_brian.config.trained import train_from
    from ei_brian.config.training_run import read_training_run
    from ei_brian.report.card import model_card
    from ei_brian.storage import save_spec
    from ei_brian.storage.atomic_file import write_bytes

    run = read_training_run(config)
    path = output or Path(f"{run.name}.h5")
    check_can_write(path)
    trained = train_from(run, seed, checkpoint=checkpoint)
    save_spec(trained.spec, path)
    write_bytes(path.with_suffix(".md"), model_card(trained.spec, f"ei-brian train {config} -o {path}").encode())
    facts = {
        "model": str(path),
        "sha256": trained.spec.sha256,
        **trained.measured,
        "hidden_rate_hz": trained.hidden_rate_hz,
        "seconds": round(trained.seconds, 1),
    }
    if as_json:
        print_json(facts)
    else:
        note(f"{trained.words}, hidden cells {trained.hidden_rate_hz:.1f} Hz, {trained.seconds:.0f} s")
        show(f"wrote {path} and {path.with_suffix('.md')}")
