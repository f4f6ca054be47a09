"""The ladder of realism: what a network can still do at every step from trained cells to biology."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ei_brian.core.noise.noise import Noise
from ei_brian.core.parts import parts_in, whole_spikes
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.delays import with_delays
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.pipe import Transform
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.core.transform.refine import refine_dt, steps_within
from ei_brian.core.transform.replay import filtered
from ei_brian.core.transform.trials import calibration_trials, refuse_overlap, trial_hashes
from ei_brian.errors import CalibrationError, SpecError

__all__ = ["Ladder", "Rung", "ladder", "standard_rungs"]

Run = Callable[..., Recording]


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder, measured on the test set.

    Parameters
    ----------
    name : str
        In words.
    spec : NetworkSpec or None
        The network; None where its calibration did not converge.
    accuracy : float
        Share of right decisions.
    retained : float
        The same as a share of the trained network's.
    agreement : float
        Share of decisions that are those of the trained network.
    rates_hz : mapping of str to float
        Mean rate of each spiking population.
    distance : mapping of str to float
        Squared distance of the filtered spike trains (10 ms) from the trained ones, as a share of their power.
    noisy : float
        Accuracy under the noise that was asked for; nan without.
    seconds : float
        Time of the simulations.
    note : str
        Why there is no network; empty otherwise.
    """

    name: str
    spec: NetworkSpec | None
    accuracy: float = float("nan")
    retained: float = float("nan")
    agreement: float = float("nan")
    rates_hz: Mapping[str, float] | None = None
    distance: Mapping[str, float] | None = None
    seconds: float = 0.0
    note: str = ""
    noisy: float = float("nan")


@dataclass(frozen=True, slots=True)
class Ladder:
    """All rungs, the trained network first."""

    rungs: tuple[Rung, ...]
    stimulus_name: str

    def as_data(self) -> list[dict[str, Any]]:
        """Return one plain mapping per rung, without the networks."""
        without = ("spec",) if any(np.isfinite(rung.noisy) for rung in self.rungs) else ("spec", "noisy")
        keys = [key for key in Rung.__dataclass_fields__ if key not in without]
        return [{key: getattr(rung, key) for key in keys} for rung in self.rungs]

    def table(self) -> str:
        """Return the ladder as text."""
        width = max(len(rung.name) for rung in self.rungs)
        noise = any(np.isfinite(rung.noisy) for rung in self.rungs)
        lines = [f"{'rung':<{width}}  accuracy  retained  {'noise     ' if noise else ''}rates Hz"]
        for rung in self.rungs:
            rates = " ".join(f"{name} {rate:.1f}" for name, rate in (rung.rates_hz or {}).items())
            under = f"{rung.noisy:8.3f}  " if noise else ""
            lines.append(f"{rung.name:<{width}}  {rung.accuracy:8.3f}  {rung.retained:8.3f}  {under}{rates or rung.note}")
        return "\n".join(lines)


@takes_numbers()
def standard_rungs(
    spec: NetworkSpec, calibration_set: Stimulus | None, mix: str = "cortex FS/LTS", *, dt_ms: float = 0.1, seed: int = 1,
    iterations: int = 6,
) -> tuple[tuple[str, Transform], ...]:  # fmt: skip
    """Return the usual rungs, each a name and a transform of the network of the rung before.

    With a calibration set: interneurons, all cells, conductances, delays of 1 to 2 ms, short-term plasticity of inhibition, a
    fine time step; each that changes what cells receive is calibrated. Without one: interneurons and all cells with the first
    map only. Left out is what a network has no place for: delays and plasticity where no cell has a synapse onto another, a fine
    time step where the readout is a recurrence in steps, as in imported networks.
    """
    inhibitory = any(p.role == "inh" for p in spec.cells)
    swap = [("inhibitory cells", "inh")] if inhibitory else []
    others = (("excitatory cells", "exc"), ("cells of both signs", "mixed"))
    swap += [(words, role) for words, role in others if any(p.role == role for p in spec.cells)][:1]
    rungs: list[tuple[str, Transform]] = []
    for words, role in swap:
        rungs.append((f"{words}: {mix}", diversify(mix=mix, population=role, seed=seed)))
        if calibration_set is not None:
            rungs.append((f"{words} calibrated", calibrate(calibration_set, trained=spec, iterations=iterations)))
    if calibration_set is None:
        return tuple(rungs)
    again = calibrate(calibration_set, trained=spec, iterations=iterations)
    fine = calibrate(calibration_set, trained=spec, iterations=max(1, iterations // 2), most_trials=60)
    rungs.append(("conductances", _both(to_conductances(calibration_set), again)))
    sources = {p.source for p in spec.projections if spec[p.source].role != "input" and spec[p.target].role != "readout"}
    if sources:
        rungs.append(("delays of 1-2 ms", with_delays(1.0, 2.0, seed=seed)))
    if any(spec[name].role == "inh" for name in sources):
        rungs.append(("short-term plasticity", _both(with_short_term_plasticity("inh"), again)))
    if dt_ms < spec.dt_ms and not any(p.role == "readout" and p.neuron().method == "recurrence" for p in spec.cells):
        rungs.append((f"dt {dt_ms:g} ms", _both(refine_dt(dt_ms), fine)))
    return tuple(rungs)


def _both(first: Transform, second: Transform) -> Transform:
    return lambda spec: second(first(spec))


@takes_numbers()
def ladder(
    spec: NetworkSpec, test_set: Stimulus, *, calibration_set: Stimulus | None = None, mix: str = "cortex FS/LTS",
    rungs: Sequence[tuple[str, Transform]] | None = None, run: Run | None = None, progress: bool = False,
    noise: Noise | None = None, seed: int = 1,
) -> Ladder:  # fmt: skip
    """Climb from a trained network to biology and measure every rung: ``ladder(spec, test_set, calibration_set=…).table()``.

    Parameters
    ----------
    spec : NetworkSpec
        The trained network.
    test_set : Stimulus
        With labels; at the network's time step.
    calibration_set : Stimulus, optional
        Needed for the rungs beyond a first map; shares no trial with the test set.
    mix : str
        Named mixture of cell types for the standard rungs.
    rungs : sequence of (name, transform), optional
        Instead of `standard_rungs`.
    run : callable, optional
        ``run(spec, stimulus) -> Recording``, for example ``Backend().run``; the reference stepper unless given.
    progress : bool
        Show a bar.
    noise : Noise, optional
        Run every rung under this noise as well (`Rung.noisy`); ``run`` then takes ``noise`` and ``seed`` too. A level of membrane
        noise is the same share of every cell's own distance to threshold on every rung.
    seed : int
        Of the noise, the same on every rung.

    Returns
    -------
    Ladder
        A calibration that does not converge leaves a rung without a network, with the reason; the next rung starts from the
        last network.

    Raises
    ------
    DataError
        If calibration and test set share trials.
    """
    if calibration_set is not None:
        refuse_overlap(trial_hashes(calibration_set), test_set)
    refuse_overlap(calibration_trials(spec), test_set)
    run = run or simulate
    steps = standard_rungs(spec, calibration_set, mix) if rungs is None else tuple(rungs)
    trained = run(spec, test_set)
    noisy = _noisy(run, noise, seed)
    made = [replace(_measured("trained", spec, trained, trained, 10.0), noisy=noisy(spec, test_set))]
    present = spec
    for name, transform in tqdm(steps, desc="climbing", unit="rung", disable=not progress):
        try:
            present = transform(present)
        except CalibrationError as error:
            made.append(Rung(name, None, note=str(error)))
            continue
        started, stimulus = perf_counter(), test_set.refined(_factor(spec, present))
        recording = run(present, stimulus)
        under = noisy(present, stimulus)
        made.append(replace(_measured(name, present, recording, trained, 10.0, perf_counter() - started), noisy=under))
    return Ladder(tuple(made), test_set.name)


def _noisy(run: Callable[..., Recording], noise: Noise | None, seed: int) -> Callable[[NetworkSpec, Stimulus], float]:
    """Return what measures the accuracy under noise; nan without any."""
    if noise is None or not noise.kinds:
        return lambda spec, stimulus: float("nan")
    return lambda spec, stimulus: run(spec, stimulus, noise=noise, seed=seed).accuracy


def _factor(trained: NetworkSpec, spec: NetworkSpec) -> int:
    factor = steps_within(trained.dt_ms, spec.dt_ms)
    if not factor:
        raise SpecError(f"ladder: a rung has dt {spec.dt_ms:g} ms; {trained.dt_ms:g} ms must be a whole multiple of it.")
    return factor


def _measured(
    name: str, spec: NetworkSpec, recording: Recording, trained: Recording, filter_ms: float, seconds: float = 0.0
) -> Rung:
    agreement = float(np.mean(recording.decisions == trained.decisions))
    rates = {name: recording.rate_hz(name) for name in recording.counts if not spec[name].relay}
    divided = parts_in(spec)
    distance = {
        population: _distance(whole_spikes(spec, recording.spikes, population), train, filter_ms)
        for population, train in trained.spikes.items()
        if population in recording.spikes or population in divided
    }
    retained = recording.accuracy / trained.accuracy if trained.accuracy else float("nan")
    return Rung(name, spec, recording.accuracy, retained, agreement, rates, distance, seconds)


def _distance(got: Spikes, wanted: Spikes, filter_ms: float) -> float:
    wanted_trace, got_trace = (filtered(_on_grid(train, wanted), filter_ms, wanted.dt_ms) for train in (wanted, got))
    return float(np.square(got_trace - wanted_trace).sum() / max(float(np.square(wanted_trace).sum()), 1e-12))


def _on_grid(spikes: Spikes, grid: Spikes) -> npt.NDArray[np.float32]:
    """Return spike counts per step of the trained network's grid."""
    step = np.minimum(spikes.step * (spikes.dt_ms / grid.dt_ms) + 1e-6, grid.n_steps - 1).astype(np.int64)
    dense = np.zeros((spikes.n_trials, grid.n_steps, spikes.n_units), dtype=np.float32)
    np.add.at(dense, (spikes.trial, step, spikes.unit), 1.0)
    return dense
