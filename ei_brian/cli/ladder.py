"""``ei-brian ladder``: accuracy and rates of a model at every step from trained cells to biology."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import AsJson, BackendName, DataName, ModelFile, Threads, Trials
from ei_brian.cli.output import check_can_write, note, print_json, show

__all__ = ["command"]


def command(
    model: ModelFile,
    data: DataName = None,
    mix: Annotated[str, typer.Option(help="Named mixture of cell types, for example 'hippocampus CA3'.")] = "cortex FS/LTS",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Model file of the last rung (.h5).")] = None,
    rungs: Annotated[int, typer.Option(min=0, help="How many rungs above the trained network; 0 for all.")] = 0,
    noise: Annotated[str, typer.Option(help="Also run every rung under noise: KIND=LEVEL, as membrane_ou_sd=0.5.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of that noise.")] = 1,
    trials: Trials = 0,
    backend: BackendName = "cpp_standalone",
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Swap, calibrate and enrich a model step by step, and print accuracy (or R² over time) and rates at every rung."""
    from ei_brian.cli.mixture import parse_noise
    from ei_brian.core.transform.ladder import ladder, standard_rungs
    from ei_brian.measures import potential_readout
    from ei_brian.report.model_check import data_settings
    from ei_brian.sim.backend import Backend
    from ei_brian.storage import load_spec, save_spec

    injected = parse_noise(noise)
    if output is not None:
        check_can_write(output)
    spec = load_spec(model)
    calibration_set, test_set = data_settings(spec, data).load(calibration=True)
    if trials:
        test_set = test_set.select(0, min(trials, test_set.n_trials))
    steps = standard_rungs(spec, calibration_set, mix)
    simulator = Backend(backend, threads=threads)
    over_time = test_set.targets
    readout = None if over_time is None else potential_readout(spec, range(over_time.values.shape[2]))
    note(f"climbing with {test_set.n_trials} test trials …")
    climbed = ladder(
        spec, test_set, calibration_set=calibration_set, rungs=steps[: rungs or None], run=simulator.run, progress=not as_json,
        noise=injected, seed=seed, readout=readout,
    )  # fmt: skip
    last = [rung.spec for rung in climbed.rungs if rung.spec is not None][-1]
    if output is not None:
        save_spec(last, output)
    if as_json:
        print_json({"rungs": climbed.as_data(), "model": None if output is None else str(output)})
    else:
        show(climbed.table())
    if any(rung.spec is None for rung in climbed.rungs):
        raise typer.Exit(1)
