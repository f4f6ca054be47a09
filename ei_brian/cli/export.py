"""``ei-brian export``: a model file from a checkpoint of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import AsJson, Output
from ei_brian.cli.output import check_can_write, print_json, show

__all__ = ["command"]


def command(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint (.pt) that `ei-brian train --checkpoint` keeps.")],
    config: Annotated[Path, typer.Option(help="The configuration (TOML) that it was trained with.")],
    output: Output,
    as_json: AsJson = False,
) -> None:
    """Export the network of a checkpoint, finished or not, to a model file, and measure it on the test set."""
    from ei_brian.config.trained import export_checkpoint
    from ei_brian.config.training_run import read_training_run
    from ei_brian.storage import save_spec

    check_can_write(output)
    trained = export_checkpoint(read_training_run(config), checkpoint)
    save_spec(trained.spec, output)
    facts = {
        "model": str(output), "sha256": trained.spec.sha256, "epochs": len(trained.history.loss),
        **trained.measured, "hidden_rate_hz": trained.hidden_rate_hz,
    }  # fmt: skip
    if as_json:
        print_json(facts)
    else:
        figures = f"{trained.words}, {trained.hidden_rate_hz:.1f} Hz"
        show(f"wrote {output}: {facts['epochs']} epochs, {figures}")
