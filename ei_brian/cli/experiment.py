"""``ei-brian experiment``: a model with and without perturbations, on the same trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ei_brian.cli.options import AsJson, BackendName, DataName, ModelFile, Seed, Threads, Trials
from ei_brian.cli.output import note, print_json, show

if TYPE_CHECKING:
    from ei_brian.study.experiment import Experiment
    from ei_brian.study.statistics import PairedTest

__all__ = ["command"]


def command(
    model: ModelFile,
    do: Annotated[
        list[str],
        typer.Option(help="What is done, once for each: 'silence FS 20 40', 'scale I 0.7', 'inject E 10 40 pA=30'."),
    ],
    data: DataName = None,
    noise: Annotated[str, typer.Option(help="KIND=LEVEL,… of ei_brian.Noise, the same with and without.")] = "",
    seed: Seed = 0,
    trials: Trials = 0,
    backend: BackendName = "cpp_standalone",
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Run a model with and without perturbations, paired by trial: silence, clamp, inject, evoke, scale, lesion, change_delay."""
    from ei_brian.cli.mixture import parse_noise, parse_perturbation
    from ei_brian.report.model_check import data_settings
    from ei_brian.sim.backend import Backend
    from ei_brian.storage import load_spec
    from ei_brian.study.experiment import experiment

    perturbations, injected = [parse_perturbation(text) for text in do], parse_noise(noise)
    spec = load_spec(model)
    _, test_set = data_settings(spec, data).load()
    if trials:
        test_set = test_set.select(0, min(trials, test_set.n_trials))
    note(f"running {test_set.n_trials} trials of {test_set.name} twice in {backend} …")
    found = experiment(
        spec, test_set, *perturbations, run=Backend(backend, threads=threads).run, noise=injected, seed=seed if injected else None
    )
    if as_json:
        print_json(_facts(found))
    else:
        show(repr(found))


def _facts(found: Experiment) -> dict[str, Any]:
    """Return what the verb says, as plain values."""
    intact, perturbed = found.intact, found.perturbed
    decided = intact.labels is not None and intact.scores is not None
    return {
        "trials": intact.n_trials,
        "perturbations": [repr(one) for one in found.perturbations],
        "rates_hz": {
            name: _pair(intact.rate_hz(name), perturbed.rate_hz(name), found.rate_change(name)) for name in intact.counts
        },
        "accuracy": _pair(intact.accuracy, perturbed.accuracy, found.accuracy_change()) if decided else None,
        "agreement": found.agreement if intact.scores is not None else None,
    }


def _pair(intact: float, perturbed: float, test: PairedTest) -> dict[str, float]:
    change = test.difference
    return {"intact": intact, "perturbed": perturbed, "change": change.mean, "low": change.low, "high": change.high}
