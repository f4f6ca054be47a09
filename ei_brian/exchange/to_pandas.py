"""A recording as tidy tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.errors import needed
from ei_brian.exchange.trains import check_has_spikes

__all__ = ["spikes_table", "trials_table"]


def spikes_table(recording: Recording) -> Any:
    """Return a ``pandas.DataFrame`` with one row a spike: population (categorical), trial, unit, step, time_ms.

    Raises
    ------
    ConfigError
        Without pandas.
    DataError
        For a recording of counts only.
    """
    pandas = needed("pandas", "to_pandas", "pip install pandas")
    check_has_spikes(recording, "to_pandas")
    names = list(recording.spikes)
    n = [recording.spikes[name].n_events for name in names]
    column = {
        what: np.concatenate([np.zeros(0, np.int32), *(getattr(recording.spikes[name], what) for name in names)])
        for what in ("trial", "unit", "step")
    }
    population = pandas.Categorical.from_codes(np.repeat(np.arange(len(names)), n), names)
    return pandas.DataFrame({"population": population, **column, "time_ms": column["step"] * recording.dt_ms})


@takes_numbers()
def trials_table(recording: Recording) -> Any:
    """Return a ``pandas.DataFrame`` with one row a trial: label, decision, correct, rate of each population in Hz.

    Columns that need labels or a readout are there where the recording has them.

    Raises
    ------
    ConfigError
        Without pandas.
    """
    pandas = needed("pandas", "trials_table", "pip install pandas")
    columns: dict[str, Any] = {"trial": np.arange(recording.n_trials)}
    if recording.labels is not None:
        columns["label"] = recording.labels
    if recording.scores is not None:
        columns["decision"] = recording.decisions
    if recording.labels is not None and recording.scores is not None:
        columns["correct"] = recording.decisions == recording.labels
    seconds = recording.n_steps * recording.dt_ms * 1e-3
    columns |= {f"rate_{name}_hz": counts.mean(axis=1) / seconds for name, counts in recording.counts.items()}
    return pandas.DataFrame(columns)
