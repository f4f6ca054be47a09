"""Controls: what a verdict about inhibition is worth, from runs in which it is known what was taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise import Noise
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.report.rung import right
from ei_brian.report.settings import Settings
from ei_brian.sim.backend import Backend
from ei_brian.study.statistics import Interval, mean_interval

__all__ = [
    "AMONG", "INPUT", "SILENCED", "UNCALIBRATED", "WEAKER", "Control", "Function", "run_controls", "weaker_inhibition",
]  # fmt: skip

SILENCED, AMONG, WEAKER = "inhibition silenced", "inhibition silenced, but for the readout", "inhibition −30 %"
INPUT, UNCALIBRATED = "20 % of the input spikes lost", "cells swapped, not calibrated"
LOST_INPUT, WEAKER_FACTOR = 0.2, 0.7
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """One control of one network.

    Parameters
    ----------
    name, network : str
        What was done, and to which rung.
    change : Interval
        Of the accuracy, or of R² where the task is an output over time, against the same network without it; over draws, or
        over trials where one network was run once.
    unit : {"draws", "trials"}
        What the interval is over.
    left : float
        Mean of the same that is left.
    of_type : bool
        Whether one cell type alone was silenced.
    """

    name: str
    network: str
    change: Interval
    unit: str
    left: float
    of_type: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """What is measured of the recordings of one network.

    Parameters
    ----------
    value : callable
        Accuracy or R² of a recording.
    change : callable
        Difference of a recording (second) from another of the same trials (first), with an interval over trials.
    traces : tuple of (population, state)
        What runs must keep for it.
    """

    value: Callable[[Recording], float]
    change: Callable[[Recording, Recording], Interval]
    traces: tuple[tuple[str, str], ...] = ()


class Tried(Protocol):
    """A rung of either kind of report."""

    @property
    def name(self) -> str:
        """In words."""

    @property
    def specs(self) -> tuple[NetworkSpec, ...]:
        """One for each draw."""

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Of each draw."""


def decided_right() -> Function:
    """Return the accuracy, and its change over trials."""
    def change(before: Recording, after: Recording) -> Interval:
        return mean_interval(right(after).astype(np.float64) - right(before))

    return Function(lambda recording: recording.accuracy, change)


def run_controls(
    rungs: Sequence[Tried], test_set: Stimulus, settings: Settings, backend: Backend, say: Callable[[str], None],
    function: Function | None = None,
) -> tuple[Control, ...]:  # fmt: skip
    """Return the controls of the trained network and of the last rung, and what the swap costs without calibration."""
    say("controls: inhibition silenced, weakened, type by type; noise on the input …")
    first, last, seen = rungs[0], rungs[-1], function or decided_right()
    found = list(_of(first, (), test_set, settings, backend, seen))
    if last is not first:
        if len(rungs) > 2:
            found.append(_compared(UNCALIBRATED, first.name, first.recordings, rungs[1].recordings, seen))
        found += _of(last, _types(last.specs[0]), test_set, settings, backend, seen)
    return tuple(found)


def _of(
    rung: Tried, types: Sequence[str], test_set: Stimulus, settings: Settings, backend: Backend, function: Function
) -> Iterator[Control]:
    ways: list[tuple[str, float, str, bool]] = []
    first = rung.specs[0]
    if any(_inhibits(first, p) for p in first.projections):
        ways = [(SILENCED, 0.0, "", True), (WEAKER, WEAKER_FACTOR, "", True)]
        if any(_inhibits(first, p) and first[p.target].role == "readout" for p in first.projections):
            ways.insert(1, (AMONG, 0.0, "", False))
        ways += [(f"{kind} silenced", 0.0, kind, True) for kind in types]
    runs: list[list[Recording]] = [[] for _ in range(len(ways) + 1)]
    for draw in range(settings.draws):
        spec = rung.specs[draw % len(rung.specs)]
        once = [] if draw >= len(rung.specs) else [weaker_inhibition(spec, *how) for _, *how in ways]  # type: ignore[arg-type]
        lost = (spec, test_set, Noise.of("input_deletion", LOST_INPUT), settings.noise_seed(draw, 0))
        made = backend.run_many([*((changed, test_set, None, None) for changed in once), lost], traces=function.traces)
        for row, recording in zip(runs if once else runs[-1:], made, strict=True):
            row.append(recording)
    for (name, _, kind, _), after in zip([*ways, (INPUT, 1.0, "", True)], runs, strict=True):
        yield replace(_compared(name, rung.name, rung.recordings, after, function), of_type=bool(kind))


def _compared(
    name: str, network: str, before: Sequence[Recording], after: Sequence[Recording], function: Function
) -> Control:
    """Compare draw by draw; a single run trial by trial."""
    values = [function.value(recording) for recording in after]
    left = float(np.mean(values))
    if len(after) == 1:
        return Control(name, network, function.change(before[0], after[0]), "trials", left)
    start = [function.value(recording) for recording in before]
    return Control(name, network, mean_interval([one - start[k % len(start)] for k, one in enumerate(values)]), "draws", left)


def _types(spec: NetworkSpec) -> tuple[str, ...]:
    """Return the cell types of the inhibitory cells, where there is more than one."""
    kinds = sorted({str(kind) for population in spec.cells if population.role == "inh" for kind in population.cell_types})
    return tuple(kinds) if len(kinds) > 1 else ()


def _inhibits(spec: NetworkSpec, projection: Projection) -> bool:
    """Tell whether a projection carries inhibition: from inhibitory cells, or negative weights among cells of both signs."""
    role = spec[projection.source].role
    if role == "mixed" and spec[projection.target].role != "readout":
        return bool(np.any(projection.weight_values() < 0))
    return role == "inh"


def weaker_inhibition(spec: NetworkSpec, factor: float, kind: str = "", readout: bool = True) -> NetworkSpec:
    """Return the network with inhibitory synapses scaled.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    factor : float
        0 silences.
    kind : str
        Only the synapses of this cell type; all when empty.
    readout : bool
        Whether the synapses onto the readout are scaled as well.
    """
    changed = []
    for projection in spec.projections:
        left_alone = not readout and spec[projection.target].role == "readout"
        if _inhibits(spec, projection) and not left_alone:
            projection = replace(projection, weights=_scaled(spec, projection, factor, kind))
        changed.append(projection)
    return replace(spec, projections=tuple(changed))


def _scaled(spec: NetworkSpec, projection: Projection, factor: float, kind: str) -> npt.NDArray[np.floating]:
    source, weights = spec[projection.source], projection.weights.copy()
    chosen = np.array([kind in ("", str(own)) for own in source.cell_types or [""] * source.size], dtype=bool)
    gains = np.where(chosen, factor, 1.0).astype(weights.dtype)
    values = weights.data if projection.sparse else weights
    gain = gains[weights.indices] if projection.sparse else gains
    if source.role == "mixed":
        gain = np.where(values < 0, gain, np.ones((), dtype=weights.dtype))
    values *= gain
    return weights  # type: ignore[no-any-return]
