"""A model file, its data set and torch brought together for a validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ei_brian.config.data_settings import DataSettings, data_of
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.reference import check_stimulus
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import SpecError
from ei_brian.report.document import Report
from ei_brian.report.settings import Settings
from ei_brian.report.validation import Validation

__all__ = ["check_model", "data_settings", "facts_of"]


def data_settings(spec: NetworkSpec, name: str | None) -> DataSettings:
    """Return the data settings of a model, with another data set where one is named."""
    if name is None:
        return data_of(spec)
    return replace(DataSettings(name=name), dt_ms=spec.dt_ms)


@takes_numbers()
def check_model(
    spec: NetworkSpec, data: str | None, settings: Settings, trials: int, say: Callable[[str], None]
) -> tuple[Report, dict[str, Any]]:
    """Validate a model on its test set and return the report and its main figures.

    Parameters
    ----------
    spec : NetworkSpec
        The model.
    data : str, optional
        Data set instead of the one that it was trained with.
    settings : Settings
        How it is validated.
    trials : int
        Number of test trials; 0 for all.
    say : callable
        Told of progress.
    """
    calibration_set, test_set = data_settings(spec, data).load(calibration=True)
    if trials:
        test_set = test_set.select(0, min(trials, test_set.n_trials))
    check_stimulus(spec, test_set)
    from ei_brian.report.any_task import validated  # which uses this file for networks that torch can run

    return validated(spec, test_set, calibration_set, settings, say)


def torch_spikes(spec: NetworkSpec, stimulus: Stimulus) -> Mapping[str, Spikes] | None:
    """Return the spikes of torch's own forward pass in float64, or None: networks that torch cannot run, or no torch here."""
    try:
        from ei_brian.learn.export import simulate_torch
        from ei_brian.learn.from_spec import network_from_spec
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return None

    try:
        net = network_from_spec(spec)
    except SpecError:
        return None
    return simulate_torch(net, stimulus)[0]


def facts_of(validation: Validation) -> dict[str, Any]:
    """Return the main figures as plain values."""
    exact = validation.exact
    return {
        "network": validation.trained.spec.name,
        "sha256": validation.trained.spec.sha256,
        "equal": exact.equal,
        "compared_with": exact.oracle,
        "trials": exact.n_trials,
        "equal_trials": exact.equal_trials,
        "spikes": exact.n_spikes,
        "equal_trials_float32": validation.single.equal_trials,
        "accuracy": {rung.name: rung.accuracy for rung in validation.rungs},
        "accuracy_of_draws": {rung.name: rung.accuracies.tolist() for rung in validation.rungs},
        "noise": {name: accuracy.mean(axis=(0, 2)).tolist() for name, accuracy in validation.accuracy.items()},
        "levels": list(validation.settings.levels),
        "largest_loss": validation.settings.largest_loss,
        "controls": [
            {"control": one.name, "network": one.network, "accuracy": one.left, "change": one.change.mean}
            for one in validation.controls
        ],
        "seconds": dict(validation.seconds),
        "notes": list(validation.notes),
    }
