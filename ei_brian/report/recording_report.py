"""The report of one recording."""

from __future__ import annotations

import numpy as np

from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError
from ei_brian.report.cells import cells_only
from ei_brian.report.document import Report, Section, Table, picture
from ei_brian.report.figures.confusion import confusion, confusion_matrix
from ei_brian.report.figures.raster import raster
from ei_brian.report.figures.rates import rates
from ei_brian.report.methods import equations_text
from ei_brian.report.words import percent

__all__ = ["recording_report"]


def recording_report(spec: NetworkSpec, recording: Recording) -> Report:
    """Return the report of a recording made with a network.

    Raises
    ------
    DataError
        If the recording is of another network, or holds no spikes or trials.
    """
    if recording.spec_sha256 != spec.sha256:
        raise DataError(
            f"recording: was made with network {recording.spec_sha256[:12]}…, not with {spec.name} ({spec.sha256[:12]}…); give "
            "the model file that it was made with."
        )
    if not recording.spikes or not recording.n_trials:
        raise DataError("recording: holds no spikes or no trials; record with record='spikes'.")
    recording = cells_only(spec, recording)
    n = recording.n_trials
    judged = recording.labels is not None and recording.scores is not None
    sentence = f"{spec.name} on {recording.stimulus_name}: "
    sentence += f"{percent(recording.accuracy)} of {n} trials decided right." if judged else f"{n} trials."
    facts = tuple((f"{recording.rate_hz(name, spec):.1f} Hz", f"mean rate of {name}") for name in recording.counts)
    sections = (_activity(spec, recording), *([_decisions(recording)] if judged else []), _network(spec, recording))
    return Report(f"ei_brian recording: {spec.name} on {recording.stimulus_name}", sentence, True, facts, sections)


def _activity(spec: NetworkSpec, recording: Recording) -> Section:
    counts = sum((count.sum(axis=1) for count in recording.counts.values()), np.zeros(recording.n_trials, dtype=np.int64))
    trial = int(np.argsort(counts)[counts.size // 2])
    inhibitory = [population.name for population in spec.cells if population.role == "inh"]
    spikes = picture(
        "raster", "Spikes of one trial",
        f"Every spike of every cell (rows) in trial {trial}, the one with the median number of spikes; cells sorted by type.",
        raster([(spec.name, spec, recording)], trial), 3.4,
    )  # fmt: skip
    course = picture(
        "rates", "Population rates",
        f"Mean firing rate in bins of 4 ms (Hz) over {recording.n_trials} trials and all cells of a population.",
        rates([(spec.name, recording)], inhibitory), 2.8,
    )  # fmt: skip
    rows = tuple((name, spec[name].size, recording.rate_hz(name, spec)) for name in recording.counts)
    table = Table("rates", f"Mean firing rates over {recording.n_trials} trials.", ("population", "cells", "rate (Hz)"), rows)
    return Section("Activity", (), (spikes, course), (table,))


def _decisions(recording: Recording) -> Section:
    labels, decisions = np.asarray(recording.labels), recording.decisions
    matrix = confusion_matrix(labels, decisions, int(max(labels.max(), decisions.max())) + 1)
    shown = picture(
        "confusion", "Which class is taken for which",
        f"Number of trials (n = {recording.n_trials}) by true class and decision; the shade is the share of the row.",
        confusion([("", matrix)]), 4.2,
    )  # fmt: skip
    columns = ("true class", *(f"decided {k}" for k in range(len(matrix))))
    rows = tuple((k, *map(int, line)) for k, line in enumerate(matrix))
    return Section("Decisions", (), (shown,), (Table("confusion", "", columns, rows, shown=False),))


def _network(spec: NetworkSpec, recording: Recording) -> Section:
    facts = ", ".join(f"{name} {value}" for name, value in recording.backend.items())
    noise = "none" if recording.noise is None else f"{recording.noise} with seed {recording.seed}"
    return Section("Network and run", (f"Simulated with {facts}. Noise: {noise}.",), verbatim=equations_text(spec))
