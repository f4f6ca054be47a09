"""A recording as a file in the format Neurodata Without Borders."""

from __future__ import annotations

from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError, needed
from ei_brian.exchange.trace_unit import trace_unit
from ei_brian.exchange.trains import check_has_spikes, duration_s, trains

__all__ = ["to_nwb"]

VOLTS = {"mV": 1e-3, "V": 1.0}


@takes_numbers()
def to_nwb(recording: Recording, path: str | PathLike[str], spec: NetworkSpec | None = None) -> Path:
    """Write an NWB file: trials end to end, a unit for each neuron, a time series for each trace.

    Times are in seconds from the start of the first trial; ``trials`` has start, stop, label and decision; ``units`` has
    population, number in it, and the observed interval. Potentials in mV are stored in volts where the network is given.

    Parameters
    ----------
    recording : Recording
        With its spikes.
    path : path
        The file, ending in ``.nwb``; written aside and renamed as a whole.
    spec : NetworkSpec, optional
        The network that ran: gives traces their unit and the file its description.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    ConfigError
        Without pynwb.
    DataError
        For a recording of counts only, or another ending.
    """
    pynwb = needed("pynwb", "to_nwb", "pip install pynwb")
    check_has_spikes(recording, "to_nwb")
    place = Path(path)
    if place.suffix != ".nwb":
        raise DataError(f"to_nwb.path: {place.name!r}; give a name that ends in .nwb.")
    file = pynwb.NWBFile(
        session_description=f"simulation of {spec.name if spec else 'a network'} on {recording.stimulus_name}",
        identifier=f"{recording.spec_sha256}-{recording.stimulus_name}-{recording.seed}",
        session_start_time=datetime.now(UTC),
        experiment_description="spikes of a simulated network; no animal, no electrodes",
        source_script="ei_brian.exchange.to_nwb", source_script_file_name="ei_brian",
        notes=str(dict(recording.backend)),
    )  # fmt: skip
    _add_trials(file, recording)
    _add_units(file, recording)
    for (population, state), values in recording.traces.items():
        file.add_acquisition(_series(pynwb, recording, population, state, values, trace_unit(spec, population, state)))
    aside = place.with_name(f".unfinished_{place.name}")
    try:
        with pynwb.NWBHDF5IO(str(aside), "w") as io:
            io.write(file)
        aside.replace(place)
    finally:
        aside.unlink(missing_ok=True)
    return place


def _add_trials(file: Any, recording: Recording) -> None:
    length = duration_s(recording)
    columns: dict[str, Any] = {}
    if recording.labels is not None:
        columns["label"] = recording.labels
        file.add_trial_column("label", "true class")
    if recording.scores is not None:
        columns["decision"] = recording.decisions
        file.add_trial_column("decision", "class with the largest score of the readout")
    for trial in range(recording.n_trials):
        own = {name: int(values[trial]) for name, values in columns.items()}
        file.add_trial(start_time=trial * length, stop_time=(trial + 1) * length, **own)


def _add_units(file: Any, recording: Recording) -> None:
    length, n = duration_s(recording), recording.n_trials
    file.add_unit_column("population", "population of the neuron")
    file.add_unit_column("number", "number of the neuron in its population")
    by_trial = [list(trains(recording, trial)) for trial in range(n)]
    for own in zip(*by_trial, strict=True):
        times = np.concatenate([train.times_s + trial * length for trial, train in enumerate(own)])
        file.add_unit(
            spike_times=times, obs_intervals=[[0.0, n * length]], population=own[0].population, number=own[0].unit
        )


def _series(pynwb: Any, recording: Recording, population: str, state: str, values: Any, unit: str) -> Any:
    """Return all trials of a trace end to end, axes (time, neuron)."""
    volts = VOLTS.get(unit)
    data = values.reshape(-1, values.shape[-1]) * (volts if volts is not None else 1.0)
    return pynwb.TimeSeries(
        name=f"{population}_{state}", data=data, unit="volts" if volts is not None else unit if unit not in ("", "1") else "a.u.",
        rate=1e3 / recording.dt_ms, starting_time=recording.dt_ms * 1e-3,
        description=f"{state} of the neurons of {population} at the end of each step, trials end to end",
    )  # fmt: skip
