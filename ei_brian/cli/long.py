"""``ei-brian long``: seconds to hours of one activity, streamed to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import AsJson, ModelFile, Seed
from ei_brian.cli.output import print_json, show

__all__ = ["command"]


def command(
    model: ModelFile,
    folder: Annotated[Path, typer.Argument(help="Where parts are written; the same command goes on after the last whole one.")],
    duration_ms: Annotated[float, typer.Option(help="How long is recorded, in ms; 600000 are ten minutes.")] = 10_000.0,
    rate_hz: Annotated[float, typer.Option(min=0, help="Poisson rate of every input; 0 for none.")] = 10.0,
    warm_up_ms: Annotated[float, typer.Option(min=0, help="Run before, and not counted.")] = 0.0,
    part_ms: Annotated[float, typer.Option(help="Length of a part in ms: what is in memory at once.")] = 5000.0,
    noise: Annotated[str, typer.Option(help="KIND=LEVEL,… of ei_brian.Noise, for example membrane_ou_sd=0.3.")] = "",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run one long trial under Poisson input, or spontaneous activity under noise, in bounded memory; Ctrl-C loses one part."""
    from ei_brian.cli.mixture import parse_noise
    from ei_brian.storage import load_spec
    from ei_brian.storage.long_run import PoissonInput, run_long

    injected, spec = parse_noise(noise), load_spec(model)
    drive = PoissonInput(spec.n_inputs, spec.dt_ms, rate_hz, seed) if rate_hz else None
    found = run_long(
        spec, drive, folder, duration_ms, warm_up_ms=warm_up_ms, noise=injected, seed=seed if injected else None, part_ms=part_ms,
        progress=not as_json,
    )  # fmt: skip
    rates = {population.name: found.rate_hz(population.name) for population in spec.cells if population.spiking}
    if as_json:
        print_json({"folder": str(folder), "duration_ms": duration_ms, "rates_hz": rates})
    else:
        show("\n".join([*(f"rate of {name}: {rate:.1f} Hz" for name, rate in rates.items()), f"wrote {folder}"]))
