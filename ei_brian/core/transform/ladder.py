"""The ladder of realism: what a network can still do at every step from trained cells to biology."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, Protocol

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
from ei_brian.core.targets import Targets
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.delays import with_delays
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.pipe import Transform
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.core.transform.refine import refine_dt, steps_within
from ei_brian.core.transform.replay import filtered
from ei_brian.core.transform.trials import calibration_trials, refuse_overlap, trial_hashes
from ei_brian.core.uncalibrated import far_outside
from ei_brian.errors import CalibrationError, DataError, SpecError

__all__ = ["Ladder", "Rung", "ladder", "standard_rungs"]

Run = Callable[..., Recording]
OVER_TIME = ("r_squared", "correlation", "rmse")
FILTER_MS = 10.0


class OutputReader(Protocol):
    """What the ladder asks of a `LinearReadout`."""

    def traces(self, spec: NetworkSpec) -> list[tuple[str, str]]:
        """Return the traces that a run must keep."""

    def measured(self, spec: NetworkSpec, recording: Recording, targets: Targets) -> Mapping[str, float]:
        """Return R², correlation and RMSE."""


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
        The same, or R² where there are no labels, as a share of the trained network's.
    agreement : float
        Share of decisions that are those of the trained network.
    rates_hz : mapping of str to float
        Mean rate of each spiking population.
    distance : mapping of str to float
        Squared distance of the filtered spike trains (10 ms) from the trained ones, as a share of their power.
    noisy : float
        Accuracy, or R² where there are no labels, under the noise that was asked for; nan without.
    seconds : float
        Time of the simulations.
    note : str
        Why there is no network, or that its cells fire far outside without calibration; empty otherwise.
    r_squared, correlation, rmse : float
        Of an output over time against its targets; nan where none was asked for.
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
    r_squared: float = float("nan")
    correlation: float = float("nan")
    rmse: float = float("nan")


@dataclass(frozen=True, slots=True)
class Ladder:
    """All rungs, the trained network first."""

    rungs: tuple[Rung, ...]
    stimulus_name: str

    def as_data(self) -> list[dict[str, Any]]:
        """Return one plain mapping per rung, without the networks."""
        without = {"spec", *(() if self._any("noisy") else ("noisy",)), *(() if self._any("r_squared") else OVER_TIME)}
        if not self._any("accuracy"):
            without |= {"accuracy", "agreement"}
        keys = [key for key in Rung.__dataclass_fields__ if key not in without]
        return [{key: getattr(rung, key) for key in keys} for rung in self.rungs]

    def table(self) -> str:
        """Return the ladder as text."""
        width = max(len(rung.name) for rung in self.rungs)
        shown = [("accuracy", "accuracy")] if self._any("accuracy") else []
        shown += [("r_squared", "R²"), ("correlation", "corr."), ("rmse", "RMSE")] if self._any("r_squared") else []
        shown += [("retained", "retained"), *([("noisy", "noise")] if self._any("noisy") else [])]
        lines = [f"{'rung':<{width}}  " + "".join(f"{words:<10}" for _, words in shown) + "rates Hz"]
        for rung in self.rungs:
            rates = " ".join(f"{name} {rate:.1f}" for name, rate in (rung.rates_hz or {}).items())
            values = "".join(f"{getattr(rung, key):8.3f}  " for key, _ in shown)
            lines.append(f"{rung.name:<{width}}  {values}{'; '.join(words for words in (rates, rung.note) if words)}")
        return "\n".join(lines)

    def _any(self, key: str) -> bool:
        return any(np.isfinite(getattr(rung, key)) for rung in self.rungs)


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
    noise: Noise | None = None, seed: int = 1, readout: OutputReader | None = None,
) -> Ladder:  # fmt: skip
    """Climb from a trained network to biology and measure every rung: ``ladder(spec, test_set, calibration_set=…).table()``.

    Parameters
    ----------
    spec : NetworkSpec
        The trained network.
    test_set : Stimulus
        With labels, or with targets and a ``readout``; at the network's time step.
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
    readout : LinearReadout, optional
        What the output over time is, `ei_brian.measures.potential_readout` or `ei_brian.fit_readout`: R², correlation and RMSE
        against the targets on every rung, read from every network by the same weights.

    Returns
    -------
    Ladder
        A calibration that does not converge leaves a rung without a network, with the reason; the next rung starts from the
        last network.

    Raises
    ------
    DataError
        If calibration and test set share trials, or there are neither labels nor targets with a readout.
    """
    _check_task(spec, test_set, readout)
    if calibration_set is not None:
        refuse_overlap(trial_hashes(calibration_set), test_set)
    refuse_overlap(calibration_trials(spec), test_set)
    run = partial(_run_and_read, run or simulate, readout)
    steps = standard_rungs(spec, calibration_set, mix) if rungs is None else tuple(rungs)
    trained = run(spec, test_set)
    measured = partial(_measured, trained=trained, targets=test_set.targets, readout=readout)
    noisy = _noisy(run, noise, seed, test_set.targets, readout)
    made = [_with_retained(replace(measured("trained", spec, trained), noisy=noisy(spec, test_set)), None)]
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
        found = replace(measured(name, present, recording, seconds=perf_counter() - started), noisy=under)
        made.append(_with_retained(found, made[0]))
    return Ladder(tuple(made), test_set.name)


def _check_task(spec: NetworkSpec, test_set: Stimulus, readout: OutputReader | None) -> None:
    if readout is not None and test_set.targets is None:
        raise DataError(f"stimulus {test_set.name}: has no targets to compare the readout with; give Stimulus(targets=…).")
    if readout is None and (test_set.labels is None or spec.readout is None):
        has = "no labels" if test_set.targets is None else "targets"
        raise DataError(
            f"ladder: stimulus {test_set.name} has {has}; give labels and a network that decides, or targets and "
            "readout=potential_readout(spec) or fit_readout(…)."
        )


def _run_and_read(run: Run, readout: OutputReader | None, spec: NetworkSpec, stimulus: Stimulus, **noise: Any) -> Recording:
    traces = [] if readout is None else readout.traces(spec)
    return run(spec, stimulus, **noise, **({"traces": traces} if traces else {}))


def _noisy(
    run: Run, noise: Noise | None, seed: int, targets: Targets | None, readout: OutputReader | None
) -> Callable[[NetworkSpec, Stimulus], float]:
    """Return what measures accuracy or R² under noise; nan without any."""
    if noise is None or not noise.kinds:
        return lambda spec, stimulus: float("nan")

    def measure(spec: NetworkSpec, stimulus: Stimulus) -> float:
        recording = run(spec, stimulus, noise=noise, seed=seed)
        if stimulus.labels is None and readout is not None and targets is not None:
            return readout.measured(spec, recording, targets)["r_squared"]
        return recording.accuracy

    return measure


def _with_retained(rung: Rung, trained: Rung | None) -> Rung:
    """Return a rung with what it has kept of the accuracy, or of R² where nothing is decided."""
    key = "accuracy" if np.isfinite(rung.accuracy) else "r_squared"
    whole = getattr(trained or rung, key)
    return replace(rung, retained=getattr(rung, key) / whole if whole else float("nan"))


def _factor(trained: NetworkSpec, spec: NetworkSpec) -> int:
    factor = steps_within(trained.dt_ms, spec.dt_ms)
    if not factor:
        raise SpecError(f"ladder: a rung has dt {spec.dt_ms:g} ms; {trained.dt_ms:g} ms must be a whole multiple of it.")
    return factor


def _measured(
    name: str, spec: NetworkSpec, recording: Recording, trained: Recording, targets: Targets | None, readout: OutputReader | None,
    seconds: float = 0.0,
) -> Rung:  # fmt: skip
    decides = recording.labels is not None and recording.scores is not None
    agreement = float(np.mean(recording.decisions == trained.decisions)) if decides else float("nan")
    rates = {name: recording.rate_hz(name) for name in recording.counts if not spec[name].relay}
    divided = parts_in(spec)
    distance = {
        population: _distance(whole_spikes(spec, recording.spikes, population), train, FILTER_MS)
        for population, train in trained.spikes.items()
        if population in recording.spikes or population in divided
    }
    found = Rung(
        name, spec, recording.accuracy if decides else float("nan"), agreement=agreement, rates_hz=rates, distance=distance,
        seconds=seconds, note=far_outside(spec, recording),
    )  # fmt: skip
    if readout is None or targets is None:
        return found
    over_time = readout.measured(spec, recording, targets)
    return replace(found, r_squared=over_time["r_squared"], correlation=over_time["correlation"], rmse=over_time["rmse"])


def _distance(got: Spikes, wanted: Spikes, filter_ms: float) -> float:
    wanted_trace, got_trace = (filtered(_on_grid(train, wanted), filter_ms, wanted.dt_ms) for train in (wanted, got))
    return float(np.square(got_trace - wanted_trace).sum() / max(float(np.square(wanted_trace).sum()), 1e-12))


def _on_grid(spikes: Spikes, grid: Spikes) -> npt.NDArray[np.float32]:
    """Return spike counts per step of the trained network's grid."""
    step = np.minimum(spikes.step * (spikes.dt_ms / grid.dt_ms) + 1e-6, grid.n_steps - 1).astype(np.int64)
    dense = np.zeros((spikes.n_trials, grid.n_steps, spikes.n_units), dtype=np.float32)
    np.add.at(dense, (spikes.trial, step, spikes.unit), 1.0)
    return dense
