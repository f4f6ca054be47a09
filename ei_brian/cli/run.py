"""``ei-brian run``: a model on its test set, recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ei_brian.cli.options import AsJson, BackendName, DataName, ModelFile, Precision, Seed, Threads, Trials
from ei_brian.cli.output import check_can_write, note, print_json, show

if TYPE_CHECKING:
    from ei_brian.core.recording import Recording
    from ei_brian.core.spec import NetworkSpec

__all__ = ["command"]


def command(
    model: ModelFile,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Recording file to write (.h5).")] = None,
    data: DataName = None,
    noise: Annotated[str, typer.Option(help="KIND=LEVEL,… of ei_brian.Noise, for example membrane_white_sd=0.1.")] = "",
    seed: Seed = 0,
    trials: Trials = 0,
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
    shown = _facts(spec, recording, None if output is None else str(output))
    if as_json:
        print_json(shown)
    else:
        show("\n".join(_lines(shown)))


def _facts(spec: NetworkSpec, recording: Recording, written: str | None) -> dict[str, Any]:
    """Return what the verb says about a recording, as plain values."""
    decided = recording.scores is not None and recording.labels is not None
    return {
        "trials": recording.n_trials,
        "accuracy": recording.accuracy if decided else None,
        "rates_hz": {name: recording.rate_hz(name, spec) for name in recording.counts},
        "build_seconds": recording.build_seconds,
        "run_seconds": recording.run_seconds,
        "recording": written,
    }


def _lines(facts: dict[str, Any]) -> list[str]:
    """Return the same in words."""
    lines = [] if facts["accuracy"] is None else [f"accuracy {facts['accuracy']:.1%} of {facts['trials']} trials"]
    lines += [f"rate of {name}: {rate:.1f} Hz" for name, rate in facts["rates_hz"].items()]
    lines.append(f"built in {facts['build_seconds']:.1f} s, run in {facts['run_seconds']:.2f} s")
    return lines if facts["recording"] is None else [*lines, f"wrote {facts['recording']}"]
