"""``ei-brian run``: a model on its test set, recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ei_brian.cli.options import AsJson, BackendName, ModelFile, Precision, Seed, Threads
from ei_brian.cli.output import check_can_write, note, print_json

__all__ = ["command"]


def command(
    model: ModelFile,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Recording file to write (.h5).")] = None,
    data: Annotated[str | None, typer.Option(help="Data set; the one the model was trained with when not given.")] = None,
    noise: Annotated[str, typer.Option(help="KIND=LEVEL,… of ei_brian.Noise, for example membrane_white=0.1.")] = "",
    seed: Seed = 0,
    trials: Annotated[int, typer.Option(min=0, help="Test trials; 0 for the whole test set.")] = 0,
    backend: BackendName = "cpp_standalone",
    dtype: Precision = "float64",
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Simulate the test set, print accuracy and rates, and write every spike to a recording file."""
    from ei_brian.cli.mixture import parse_noise
    from ei_brian.report.model_check import data_settings
    from ei_brian.sim.backend import Backend
    from ei_brian.storage import load_spec, save_recording

    if output is not None:
        check_can_write(output)
    injected = parse_noise(noise)
    spec = load_spec(model)
    _, test_set = data_settings(spec, data).load()
    if trials:
        test_set = test_set.select(0, min(trials, test_set.n_trials))
    simulator = Backend(backend, dtype=dtype, threads=threads)
    note(f"running {test_set.n_trials} trials of {test_set.name} in {backend} …")
    recording = simulator.run(spec, test_set, noise=injected, seed=seed if injected else None)
    if output is not None:
        save_recording(recording, output)
    rates = {name: recording.rate_hz(name) for name in recording.counts}
    accuracy = recording.accuracy if spec.readout is not None and recording.labels is not None else None
    if as_json:
        times = {"build_seconds": recording.build_seconds, "run_seconds": recording.run_seconds}
        written = None if output is None else str(output)
        print_json({"trials": recording.n_trials, "accuracy": accuracy, "rates_hz": rates, **times, "recording": written})
        return
    if accuracy is not None:
        print(f"accuracy {accuracy:.1%} of {recording.n_trials} trials")
    for name, rate in rates.items():
        print(f"rate of {name}: {rate:.1f} Hz")
    print(f"built in {recording.build_seconds:.1f} s, run in {recording.run_seconds:.2f} s")
    if output is not None:
        print(f"wrote {output}")
