"""What ``ei-brian validate`` and ``ei-brian demo`` compute: equality, biology, noise, controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.report.biology import biological_rungs
from ei_brian.report.comparison import Comparison, compare
from ei_brian.report.controls import Control, run_controls
from ei_brian.report.noisy import under_noise
from ei_brian.report.rung import Rung, starting_name
from ei_brian.report.settings import Settings
from ei_brian.report.words import percent
from ei_brian.sim.backend import Backend

__all__ = ["Rung", "Settings", "Validation", "validate"]

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """Everything that a report is made of.

    Parameters
    ----------
    exact, single : Comparison
        Brian2 against torch (or the reference, for networks that torch cannot run) in float64, and float32 against float64.
    rungs : tuple of Rung
        Trained network first.
    accuracy : mapping of rung name to array, shape (draw, level, seed)
        Accuracy under noise.
    controls : tuple of Control
        Empty where none were run.
    notes : tuple of str
        What could not be done, and why.
    seconds : mapping of str to float
        Time of each stage.
    """

    settings: Settings
    stimulus: Stimulus
    exact: Comparison
    single: Comparison
    rungs: tuple[Rung, ...]
    accuracy: Mapping[str, npt.NDArray[np.float64]]
    controls: tuple[Control, ...]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]

    @property
    def trained(self) -> Rung:
        """The network as it was trained."""
        return self.rungs[0]

    @property
    def last(self) -> Rung:
        """The network at the end of the ladder."""
        return self.rungs[-1]


@takes_numbers()
def validate(
    spec: NetworkSpec, test_set: Stimulus, calibration_set: Stimulus | None, settings: Settings,
    torch_spikes: Mapping[str, Spikes] | None = None, say: Say = print,
) -> Validation:  # fmt: skip
    """Run a model through equality, biology and noise.

    Parameters
    ----------
    spec : NetworkSpec
        The model, with a readout.
    test_set : Stimulus
        With labels.
    calibration_set : Stimulus, optional
        For fitting swapped cells; without it they stay as `diversify` made them.
    settings : Settings
        How.
    torch_spikes : mapping of str to Spikes, optional
        Torch's own spikes on the test set; the reference stepper is the oracle without them.
    say : callable
        Told of progress.
    """
    if test_set.labels is None or spec.readout is None:
        raise DataError(f"network {spec.name}: a validation needs labels in the test set and a readout in the network.")
    clock, notes = _Clock(), list[str]()
    backend = Backend(settings.backend, threads=settings.threads)
    say(f"running {test_set.n_trials} test trials in Brian2 ({settings.backend}) …")
    recording = backend.run(spec, test_set)
    clock.lap("brian2")
    oracle = "torch" if torch_spikes is not None else "the reference stepper"
    expected = simulate(spec, test_set).spikes if torch_spikes is None else torch_spikes
    exact = compare(oracle, expected, f"Brian2 ({settings.backend})", recording.spikes)
    words = "every one equal to" if exact.equal else f"{exact.differing_spikes:,} differ from"
    say(f"  {exact.n_spikes:,} spikes, {words} {oracle}")
    narrow = Backend(settings.backend, dtype="float32", threads=settings.threads).run(spec, test_set)
    single = compare("float64", recording.spikes, "float32", narrow.spikes)
    clock.lap("float32")
    rungs = [Rung(starting_name(spec), (spec,), (recording,))]
    if settings.mix is not None:
        run = partial(_run_draws, test_set=test_set, backend=backend, say=say)
        rungs += biological_rungs(spec, calibration_set, test_set, settings, run, say, notes)
        clock.lap("biology")
    ends = (rungs[0], rungs[-1]) if len(rungs) > 1 else (rungs[0],)
    accuracy = {rung.name: under_noise(rung, test_set, settings, backend, say) for rung in ends}
    clock.lap("noise")
    controls = run_controls(rungs, test_set, settings, backend, say) if settings.controls else ()
    clock.lap("controls")
    return Validation(settings, test_set, exact, single, tuple(rungs), accuracy, controls, tuple(notes), clock.laps)


class _Clock:
    """Times of stages."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = perf_counter()

    def lap(self, name: str) -> None:
        """Note the time since the last lap under a name."""
        now = perf_counter()
        self.laps[name], self.last = now - self.last, now


def _run_draws(name: str, specs: list[NetworkSpec], test_set: Stimulus, backend: Backend, say: Say) -> Rung:
    recordings = backend.run_many([(spec, test_set, None, None) for spec in specs])
    rung = Rung(name, tuple(specs), tuple(recordings))
    say(f"  accuracy {percent(rung.accuracy)}")
    return rung
