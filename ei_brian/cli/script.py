"""``ei-brian script``: a network as one Brian2 script to read, publish and run without this package."""

from __future__ import annotations

from typing import Annotated

import typer

from ei_brian.cli.options import ModelFile, Output
from ei_brian.cli.output import check_can_write, show

__all__ = ["command"]


def command(
    model: ModelFile,
    output: Output,
    data: Annotated[str | None, typer.Option(help="Data set whose first test trials become the example input.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="How many of them.")] = 3,
) -> None:
    """Write the network as one readable Brian2 script: equations, units, parameters, citations; weights in an .npz beside it.

    The script needs brian2 alone and gives the same spikes. Without --data it takes a file of input spikes as its argument.
    """
    from ei_brian.interop.brian2_script import script
    from ei_brian.storage import load_spec

    check_can_write(output)
    spec = load_spec(model)
    stimulus = None
    if data is not None:
        from ei_brian.data.datasets import load_dataset

        _, test = load_dataset(data, dt_ms=spec.dt_ms)
        stimulus = test.select(0, min(trials, test.n_trials))
    written, numbers = script(spec, output, stimulus)
    show(f"wrote {written} and {numbers}; run: python {written}" + ("" if stimulus else " INPUT.npz"))
