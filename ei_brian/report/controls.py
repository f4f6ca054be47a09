"""Controls: what a verdict about inhibition is worth, from runs in which it is known what was taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise import Noise
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.report.rung import Rung, right
from ei_brian.report.settings import Settings
from ei_brian.sim.backend import Backend
from ei_brian.study.statistics import Interval, mean_interval

__all__ = ["AMONG", "INPUT", "SILENCED", "UNCALIBRATED", "WEAKER", "Control", "run_controls", "weaker_inhibition"]

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
        Of the accuracy against the same network without it; over draws, or over trials where one network was run once.
    unit : {"draws", "trials"}
        What the interval is over.
    accuracy : float
        Mean that is left.
    of_type : bool
        Whether one cell type alone was silenced.
    """

    name: str
    network: str
    change: Interval
    unit: str
    accuracy: float
    of_type: bool = False


def run_controls(
    rungs: Sequence[Rung], test_set: Stimulus, settings: Settings, backend: Backend, say: Callable[[str], None]
) -> tuple[Control, ...]:
    """Return the controls of the trained network and of the last rung, and what the swap costs without calibration."""
    say("controls: inhibition silenced, weakened, type by type; noise on the input …")
    first, last = rungs[0], rungs[-1]
    found = list(_of(first, (), test_set, settings, backend))
    if last is not first:
        if len(rungs) > 2:
            found.append(_compared(UNCALIBRATED, first.name, first.recordings, rungs[1].recordings))
        found += _of(last, _types(last.spec), test_set, settings, backend)
    return tuple(found)


def _of(
    rung: Rung, types: Sequence[str], test_set: Stimulus, settings: Settings, backend: Backend
) -> Iterator[Control]:
    ways: list[tuple[str, float, str, bool]] = []
    if any(_inhibits(rung.spec, p) for p in rung.spec.projections):
        ways = [(SILENCED, 0.0, "", True), (WEAKER, WEAKER_FACTOR, "", True)]
        if any(_inhibits(rung.spec, p) and rung.spec[p.target].role == "readout" for p in rung.spec.projections):
            ways.insert(1, (AMONG, 0.0, "", False))
        ways += [(f"{kind} silenced", 0.0, kind, True) for kind in types]
    runs: list[list[Recording]] = [[] for _ in range(len(ways) + 1)]
    for draw in range(settings.draws):
        spec = rung.specs[draw % len(rung.specs)]
        once = [] if draw >= len(rung.specs) else [weaker_inhibition(spec, *how) for _, *how in ways]  # type: ignore[arg-type]
        lost = (spec, test_set, Noise.of("input_deletion", LOST_INPUT), settings.noise_seed(draw, 0))
        made = backend.run_many([*((changed, test_set, None, None) for changed in once), lost])
        for row, recording in zip(runs if once else runs[-1:], made, strict=True):
            row.append(recording)
    for (name, _, kind, _), after in zip([*ways, (INPUT, 1.0, "", True)], runs, strict=True):
        yield replace(_compared(name, rung.name, rung.recordings, after), of_type=bool(kind))


def _compared(name: str, network: str, before: Sequence[Recording], after: Sequence[Recording]) -> Control:
    """Compare draw by draw; a single run trial by trial."""
    left = float(np.mean([recording.accuracy for recording in after]))
    if len(after) == 1:
        change = right(after[0]).astype(np.float64) - right(before[0])
        return Control(name, network, mean_interval(change), "trials", left)
    changes = [one.accuracy - before[k % len(before)].accuracy for k, one in enumerate(after)]
    return Control(name, network, mean_interval(changes), "draws", left)


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
