"""One call from a network and trials of any task to a report: ``ei.report(spec, stimulus, calibration=…)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from ei_brian.core.reference import check_stimulus
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.errors import DataError
from ei_brian.measure.output import LinearReadout
from ei_brian.report.document import Report
from ei_brian.report.folder import check_folder, write_report
from ei_brian.report.model_check import facts_of, torch_spikes
from ei_brian.report.output_report import output_facts, output_report
from ei_brian.report.output_validation import validate_output
from ei_brian.report.sections import validation_report
from ei_brian.report.settings import Settings
from ei_brian.report.validation import validate

__all__ = ["report", "validated"]


def report(
    spec: NetworkSpec, stimulus: Stimulus, *, calibration: Stimulus | None = None, targets: Targets | None = None,
    readout: LinearReadout | None = None, output: str | PathLike[str] | None = None, settings: Settings | None = None,
    say: Callable[[str], None] = print,
) -> Report:  # fmt: skip
    """Validate a network on trials of any task and return the report, which is written where ``output`` is given.

    Parameters
    ----------
    spec : NetworkSpec
        The trained network.
    stimulus : Stimulus
        Test trials, with classes (``labels``) or an output over time (``targets``).
    calibration : Stimulus, optional
        Other trials of the same kind; without them new cells are not calibrated.
    targets : Targets, optional
        Instead of those of the stimulus.
    readout : LinearReadout, optional
        What the output over time is; the potentials of the readout population unless given.
    output : path, optional
        Folder to write ``report.html``, figures and numbers to.
    settings : Settings, optional
        Cell types, draws, noise, backend, criterion (`ei_brian.report.settings.Settings`); interneurons become FS and LTS cells
        unless given.
    say : callable
        Told of progress.

    Raises
    ------
    DataError
        For trials with neither classes nor targets, or that do not fit the network.
    """
    if output is not None:
        check_folder(Path(output))
    shown = stimulus if targets is None else replace(stimulus, targets=targets)
    check_stimulus(spec, shown)
    how = settings or Settings(mix={"FS": 0.6, "LTS": 0.4})
    made, _ = validated(spec, shown, calibration, how, say, readout)
    if output is not None:
        write_report(made, Path(output))
    return made


def validated(
    spec: NetworkSpec, test_set: Stimulus, calibration_set: Stimulus | None, settings: Settings, say: Callable[[str], None],
    readout: LinearReadout | None = None,
) -> tuple[Report, dict[str, Any]]:  # fmt: skip
    """Return the report on trials with classes or with targets, and its main figures; targets come first where there are both."""
    oracle: Mapping[str, Spikes] | None = torch_spikes(spec, test_set)
    if test_set.targets is not None:
        found = validate_output(spec, test_set, calibration_set, settings, readout, oracle, say)
        return output_report(found), output_facts(found)
    if test_set.labels is None:
        raise DataError(f"stimulus {test_set.name}: has neither labels nor targets, so that there is nothing to be kept.")
    validation = validate(spec, test_set, calibration_set, settings, oracle, say)
    return validation_report(validation), facts_of(validation)
