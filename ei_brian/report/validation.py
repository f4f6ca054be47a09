"""What ``ei-brian validate`` and ``ei-brian demo`` compute: equality, biology, noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise import Noise
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.mixtures import MIXTURES, mixture
from ei_brian.errors import CalibrationError, DataError, SpecError
from ei_brian.report.comparison import Comparison, compare
from ei_brian.report.words import percent
from ei_brian.sim.backend import Backend

__all__ = ["Rung", "Settings", "Validation", "validate"]

Say = Callable[[str], None]


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is validated.

    Parameters
    ----------
    backend : str
        Name of the Brian2 backend.
    threads : int
        Processor cores for it.
    mix : mapping of cell type to share, or None
        What the inhibitory cells become; None leaves them.
    noise : str
        Kind of noise of the ladder, a field of `Noise`.
    levels : tuple of float
        Its levels, the first is 0.
    seeds : int
        Number of noise seeds per level.
    seed : int
        Seed of cell types and of the first noise.

    Raises
    ------
    BackendError, SpecError, ConfigError
        For a backend, cell type, mixture or noise that is not known, and a level out of range: before anything is computed.
    """

    backend: str = "cpp_standalone"
    threads: int = 1
    mix: Mapping[str, float] | None = None
    noise: str = "membrane_ou_sd"
    levels: tuple[float, ...] = (0.0, 0.1, 0.2, 0.35, 0.5)
    seeds: int = 3
    seed: int = 1

    def __post_init__(self) -> None:
        Backend(self.backend, threads=self.threads)
        if self.mix is not None:
            mixture(self.mix, "inh", "validate")
        for level in self.levels:
            Noise.of(self.noise, level)


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """A network on the ladder of realism, and what it did on the test set."""

    name: str
    spec: NetworkSpec
    recording: Recording

    @property
    def correct(self) -> int:
        """Number of trials decided right."""
        return int(np.sum(self.recording.decisions == self.recording.labels))


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """Everything that a report is made of.

    Parameters
    ----------
    exact, single : Comparison
        Brian2 against torch (or the reference, for networks that torch cannot run) in float64, and float32 against float64.
    rungs : tuple of Rung
        Trained network first.
    accuracy : mapping of rung name to array, shape (level, seed)
        Accuracy under noise.
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
    rungs = [Rung("as trained", spec, recording)]
    if settings.mix is not None:
        rungs += _biology(spec, test_set, calibration_set, settings, backend, say, notes)
        clock.lap("biology")
    ends = (rungs[0], rungs[-1]) if len(rungs) > 1 else (rungs[0],)
    accuracy = {rung.name: _under_noise(rung, test_set, settings, backend, say) for rung in ends}
    clock.lap("noise")
    return Validation(settings, test_set, exact, single, tuple(rungs), accuracy, tuple(notes), clock.laps)


class _Clock:
    """Times of stages."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = perf_counter()

    def lap(self, name: str) -> None:
        """Note the time since the last lap under a name."""
        now = perf_counter()
        self.laps[name], self.last = now - self.last, now


def _biology(
    spec: NetworkSpec, test_set: Stimulus, calibration_set: Stimulus | None, settings: Settings, backend: Backend, say: Say,
    notes: list[str],
) -> list[Rung]:  # fmt: skip
    words = mix_in_words(settings.mix or {})
    say(f"replacing the interneurons by {words} cells …")
    try:
        diverse = diversify(spec, settings.mix or {}, "inh", seed=settings.seed)
    except SpecError as error:
        notes.append(f"The interneurons were not replaced: {error}")
        say(f"  {notes[-1]}")
        return []
    rungs = [Rung(f"{words} interneurons", diverse, backend.run(diverse, test_set))]
    say(f"  accuracy {percent(rungs[0].recording.accuracy)}")
    if calibration_set is None:
        return rungs
    say(f"calibrating them on {calibration_set.n_trials} other trials …")
    try:
        fitted = calibrate(diverse, calibration_set, test_set=test_set)
    except CalibrationError as error:
        notes.append(f"The calibration did not converge, and the cells stay as they were: {error}")
        say(f"  {notes[-1]}")
        return rungs
    rungs.append(Rung(f"{words}, calibrated", fitted, backend.run(fitted, test_set)))
    say(f"  accuracy {percent(rungs[1].recording.accuracy)}")
    return rungs


def mix_in_words(mix: Mapping[str, float]) -> str:
    """Return "FS/LTS" for a mixture of those types, and the name of a mixture that has one and many types."""
    named = [known.name for known in MIXTURES.values() if len(mix) > 2 and dict(known.inh) == dict(mix)]
    return named[0] if named else "/".join(mix)


def _under_noise(
    rung: Rung, test_set: Stimulus, settings: Settings, backend: Backend, say: Say
) -> npt.NDArray[np.float64]:
    say(f"noise ladder ({settings.noise}), {rung.name} …")
    accuracy = np.empty((len(settings.levels), settings.seeds))
    for row, level in enumerate(settings.levels):
        noise = Noise.of(settings.noise, level)
        for column in range(settings.seeds):
            seed = settings.seed + column
            accuracy[row, column] = backend.run(rung.spec, test_set, noise=noise, seed=seed).accuracy if level else np.nan
        if not level:
            accuracy[row] = rung.recording.accuracy
        say(f"  {settings.noise} {level:g}: accuracy {percent(accuracy[row].mean())}")
    return accuracy
