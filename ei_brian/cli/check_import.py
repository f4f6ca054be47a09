"""``ei-brian check-import``: does a model file give the spikes that another program saved?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import AsJson, ModelFile
from ei_brian.cli.output import check_can_write, print_json, show

__all__ = ["command"]


def command(
    model: ModelFile,
    expected: Annotated[
        Path, typer.Option("--expect", help="An .npz: input, and under the name of each population the spikes it must give.")
    ],
    axes: Annotated[str, typer.Option(help="Order of the axes: trial,step,unit or step,trial,unit.")] = "trial,step,unit",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the model with its proof.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare every spike of a model with those that the framework it came from gave on the same input."""
    from ei_brian.errors import ProofError
    from ei_brian.interop.expected import expect
    from ei_brian.storage import load_spec, save_spec

    if output is not None:
        check_can_write(output)
    try:
        proven = expect(load_spec(model), expected, axes)
    except ProofError as error:
        if as_json:
            print_json({"exact": False, "difference": str(error)})
        else:
            show(f"not equal: {error}")
        raise typer.Exit(1) from error
    if output is not None:
        save_spec(proven, output)
    if as_json:
        print_json({"exact": True, "proof": proven.proven})
        return
    show(f"equal: {proven.proven}")
