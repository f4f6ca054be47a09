"""A recording as a neo block, which elephant and many viewers read."""

from __future__ import annotations

from typing import Any

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import needed
from ei_brian.exchange.trace_unit import trace_unit
from ei_brian.exchange.trains import check_has_spikes, duration_s, trains

__all__ = ["to_neo"]


@takes_numbers()
def to_neo(recording: Recording, spec: NetworkSpec | None = None) -> Any:
    """Return a ``neo.Block``: one segment a trial, one spike train a neuron, one analog signal a trace.

    Spike trains are annotated with ``population`` and ``unit``, segments with ``trial`` and, where there are, ``label`` and
    ``decision``; times are the starts of the steps in which the spikes are.

    Parameters
    ----------
    recording : Recording
        With its spikes.
    spec : NetworkSpec, optional
        The network that ran: gives traces their unit; without it they are dimensionless.

    Raises
    ------
    ConfigError
        Without neo.
    DataError
        For a recording of counts only.
    """
    neo, pq = (needed(name, "to_neo", "pip install neo quantities") for name in ("neo", "quantities"))
    check_has_spikes(recording, "to_neo")
    block = neo.Block(name=recording.stimulus_name, spec_sha256=recording.spec_sha256)
    for trial in range(recording.n_trials):
        segment = neo.Segment(name=f"trial {trial}", index=trial, **_decided(recording, trial))
        segment.spiketrains = [
            neo.SpikeTrain(
                train.times_s * pq.s, t_stop=duration_s(recording) * pq.s, sampling_rate=1e3 / recording.dt_ms * pq.Hz,
                name=f"{train.population} {train.unit}", population=train.population, unit=train.unit,
            )
            for train in trains(recording, trial)
        ]  # fmt: skip
        for (population, state), values in recording.traces.items():
            unit = trace_unit(spec, population, state).replace("^", "**")
            segment.analogsignals.append(
                neo.AnalogSignal(
                    values[trial], units="dimensionless" if unit in ("", "1") else unit, sampling_period=recording.dt_ms * pq.ms,
                    t_start=recording.dt_ms * pq.ms, name=f"{population} {state}", population=population, state=state,
                )
            )  # fmt: skip
        block.segments.append(segment)
    return block


def _decided(recording: Recording, trial: int) -> dict[str, int]:
    found = {"trial": trial}
    if recording.labels is not None:
        found["label"] = int(recording.labels[trial])
    if recording.scores is not None:
        found["decision"] = int(recording.decisions[trial])
    return found
