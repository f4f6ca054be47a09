"""Validation of a network whose task is an output over time: the same spikes, then biology, then R² against the targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.errors import DataError
from ei_brian.measure.output import LinearReadout, potential_readout
from ei_brian.measure.over_time import Estimate, correlation, r_squared, r_squared_change, rmse
from ei_brian.report.biology import biological_rungs
from ei_brian.report.comparison import Comparison, compare
from ei_brian.report.controls import Control, Function, run_controls
from ei_brian.report.rung import starting_name
from ei_brian.report.settings import Settings
from ei_brian.sim.backend import Backend
from ei_brian.study.statistics import Interval, mean_interval

__all__ = ["OutputRung", "OutputValidation", "validate_output"]

Say = Callable[[str], None]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class OutputRung:
    """A network of the ladder, and its output in every draw of cell types.

    Parameters
    ----------
    name : str
        In words.
    specs, recordings : tuple
        One for each draw; one alone where nothing was drawn.
    outputs : tuple of array, shape (trial, step, output)
        On the grid of the targets.
    r_squared, correlation, rmse : tuple of Estimate
        Of each draw, with intervals over trials.
    """

    name: str
    specs: tuple[NetworkSpec, ...]
    recordings: tuple[Recording, ...]
    outputs: tuple[Floats, ...]
    r_squared: tuple[Estimate, ...]
    correlation: tuple[Estimate, ...]
    rmse: tuple[Estimate, ...]

    def mean(self, measure: str) -> Interval:
        """Return a measure, the mean over draws: Student's t over draws; of one alone its own interval over trials."""
        found: tuple[Estimate, ...] = getattr(self, measure)
        if len(found) > 1:
            return mean_interval([one.value for one in found])
        return Interval(found[0].value, found[0].low, found[0].high, found[0].n)


@dataclass(frozen=True, slots=True, eq=False)
class OutputValidation:
    """Everything that a report on an output over time is made of; ``rungs`` has the trained network first.

    ``controls`` say what is left of R² where something was taken away; empty where none were run.
    """

    settings: Settings
    stimulus: Stimulus
    targets: Targets
    exact: Comparison
    rungs: tuple[OutputRung, ...]
    notes: tuple[str, ...]
    controls: tuple[Control, ...] = ()

    @property
    def trained(self) -> OutputRung:
        """The network as it was trained."""
        return self.rungs[0]

    @property
    def last(self) -> OutputRung:
        """The network at the end of the ladder."""
        return self.rungs[-1]

    @property
    def change(self) -> Interval:
        """Change of R² from the trained network to the last, Student's t over draws."""
        return mean_interval([one.value - self.trained.r_squared[0].value for one in self.last.r_squared])


def validate_output(
    spec: NetworkSpec, test_set: Stimulus, calibration_set: Stimulus | None, settings: Settings,
    readout: LinearReadout | None = None, torch_spikes: Mapping[str, Spikes] | None = None, say: Say = print,
) -> OutputValidation:  # fmt: skip
    """Compare the spikes in Brian2, make the interneurons biological, and measure the output of each step.

    Parameters
    ----------
    spec : NetworkSpec
        The trained network.
    test_set : Stimulus
        With targets.
    calibration_set : Stimulus or None
        Other trials; without them no calibration.
    settings : Settings
        How; its criterion is a loss of R².
    readout : LinearReadout, optional
        What the output is; the potentials of the readout population unless given, as many as there are targets.
    torch_spikes : mapping of str to Spikes, optional
        Of torch's own forward pass; the reference stepper is the oracle without.
    say : callable
        Told of progress.
    """
    targets = test_set.targets
    if targets is None:
        raise DataError(f"stimulus {test_set.name}: has no targets.")
    seen = readout or potential_readout(spec, range(targets.values.shape[2]))
    backend, notes = Backend(settings.backend, threads=settings.threads), list[str]()
    say(f"running {test_set.n_trials} test trials in Brian2 ({settings.backend}) …")
    trained = _rung(starting_name(spec), [spec], test_set, targets, seen, backend)
    oracle = "torch" if torch_spikes is not None else "the reference stepper"
    expected = simulate(spec, test_set).spikes if torch_spikes is None else torch_spikes
    exact = compare(oracle, expected, f"Brian2 ({settings.backend})", trained.recordings[0].spikes)
    rungs = [trained]
    if settings.mix is not None:
        run = partial(_rung, test_set=test_set, targets=targets, readout=seen, backend=backend)
        rungs += biological_rungs(spec, calibration_set, test_set, settings, run, say, notes)
    function = _explained(spec, seen, targets)
    controls = run_controls(rungs, test_set, settings, backend, say, function) if settings.controls else ()
    return OutputValidation(settings, test_set, targets, exact, tuple(rungs), tuple(notes), controls)


def _explained(spec: NetworkSpec, readout: LinearReadout, targets: Targets) -> Function:
    """Return R² of a readout, and its change over trials, as what controls measure."""
    def output(recording: Recording) -> Floats:
        return readout.output(spec, recording, targets.dt_ms)

    def change(before: Recording, after: Recording) -> Interval:
        found = r_squared_change(output(before), output(after), targets)
        return Interval(found.value, found.low, found.high, found.n)

    return Function(lambda recording: r_squared(output(recording), targets).value, change, tuple(readout.traces(spec)))


def _rung(
    name: str, specs: list[NetworkSpec], test_set: Stimulus, targets: Targets, readout: LinearReadout, backend: Backend
) -> OutputRung:
    conditions: list[Any] = [(spec, test_set, None, None) for spec in specs]
    recordings = backend.run_many(conditions, traces=readout.traces(specs[0]))
    outputs = [readout.output(spec, one, targets.dt_ms) for spec, one in zip(specs, recordings, strict=True)]
    measured = [tuple(measure(one, targets) for one in outputs) for measure in (r_squared, correlation, rmse)]
    return OutputRung(name, tuple(specs), tuple(recordings), tuple(outputs), *measured)
