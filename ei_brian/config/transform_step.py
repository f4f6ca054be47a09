"""One step of what is done to a network, as a configuration file says it: the name of a transform and its arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from ei_brian.config.data_settings import DataSettings
from ei_brian.config.own_cells import own_mix
from ei_brian.config.toml_file import arguments_of, from_mapping
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibration_settings import CalibrationSettings
from ei_brian.core.transform.perturbation import PERTURBATIONS
from ei_brian.core.transform.trained import AFTER_CURRENTS
from ei_brian.errors import ConfigError, unknown_name
from ei_brian.storage.synapse_file import load_synapse

__all__ = ["ON_CALIBRATION_SET", "TRANSFORMS", "presented", "read_step", "transformed"]

TRANSFORMS = {  # name in the file: where the function is
    "diversify": "ei_brian.core.transform.diversify",
    "calibrate": "ei_brian.core.transform.calibrate",
    "to_conductances": "ei_brian.core.transform.conductances",
    "with_delays": "ei_brian.core.transform.delays",
    "with_short_term_plasticity": "ei_brian.core.transform.plasticity",
    "refine_dt": "ei_brian.core.transform.refine",
}
ON_CALIBRATION_SET = ("calibrate", "to_conductances")
GIVEN = ("spec", "calibration_set", "test_set", "trained", "checkpoint")  # never in the file


def read_step(step: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of a step.

    Raises
    ------
    ConfigError
        For a transform or an argument that is not known, and for a value of another kind.
    """
    name = step.get("name")
    told = {key: value for key, value in step.items() if key != "name"}
    if name in PERTURBATIONS:  # whose keys are the fields of the perturbation
        return str(name), {"perturbation": from_mapping(PERTURBATIONS[name], told, f"variant.transform {name}")}
    if name not in TRANSFORMS:
        raise ConfigError(unknown_name("variant.transform.name", name, (*TRANSFORMS, *PERTURBATIONS)))
    if name == "calibrate":  # whose keys are the fields of its settings
        return str(name), {"settings": from_mapping(CalibrationSettings, told, f"variant.transform {name}")}
    return str(name), arguments_of(_function(str(name)).function, told, f"variant.transform {name}", without=GIVEN)


def _function(name: str) -> Any:
    return getattr(import_module(TRANSFORMS[name]), name)


def transformed(spec: NetworkSpec, steps: tuple[Mapping[str, Any], ...], data: DataSettings) -> NetworkSpec:
    """Return a network after all steps; those that measure something get the calibration part of the data set.

    Raises
    ------
    ConfigError, SpecError, CalibrationError
        Of `read_step` and of the transforms.
    """
    trained = spec
    for step in steps:
        name, arguments = read_step(step)
        if name in PERTURBATIONS:
            spec = arguments["perturbation"](spec)
            continue
        function: Callable[..., NetworkSpec] = _function(name)
        if "mix" in arguments:
            arguments["mix"] = own_mix(arguments["mix"])
        arguments |= {sign: _synapse(arguments[sign]) for sign in ("excitatory", "inhibitory") if sign in arguments}
        if name in ON_CALIBRATION_SET:
            calibration_set, test_set = data.load(calibration=True)
            arguments |= _sets(name, spec, trained, calibration_set, test_set)
        spec = function(spec, **arguments)
    return spec


def _synapse(given: Any) -> Any:
    """Return what a file of a synapse holds; the name of a receptor as it is."""
    if not isinstance(given, str):
        raise ConfigError("to_conductances: a synapse is given by the name of a receptor or of a file (ei.models.save_synapse).")
    return load_synapse(given) if given.endswith(".json") else given


def _sets(
    name: str, spec: NetworkSpec, trained: NetworkSpec, calibration_set: Stimulus, test_set: Stimulus
) -> dict[str, Any]:
    if name == "to_conductances":
        return {"calibration_set": presented(spec, calibration_set)}
    made: dict[str, Any] = {"calibration_set": calibration_set, "test_set": test_set}
    swapped_before = any(line.get("action") == "diversify" for line in trained.provenance)
    if not swapped_before and any(line.get("action") in AFTER_CURRENTS for line in spec.provenance):
        made["trained"] = trained  # which the provenance no longer tells
    return made


def presented(spec: NetworkSpec, stimulus: Stimulus) -> Stimulus:
    """Return the stimulus on the grid of a network after ``refine_dt``; the same for any other."""
    factor = math.prod(int(line.get("factor", 1)) for line in spec.provenance if line.get("action") == "refine_dt")
    return stimulus.refined(factor) if factor > 1 and stimulus.dt_ms != spec.dt_ms else stimulus
