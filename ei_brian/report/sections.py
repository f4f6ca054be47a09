"""From a validation to the report that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ei_brian.core.parts import whole_spikes
from ei_brian.measure.van_rossum import van_rossum_matrix
from ei_brian.report.cells import cells_only, currents_into, example_traces, example_trial, input_currents
from ei_brian.report.document import Picture, Report, Section, Table, picture
from ei_brian.report.figures.confusion import confusion, confusion_matrix
from ei_brian.report.figures.currents import currents
from ei_brian.report.figures.distances import distances
from ei_brian.report.figures.ladder import ladder
from ei_brian.report.figures.raster import raster
from ei_brian.report.figures.rates import rate_course, rates
from ei_brian.report.figures.traces import traces
from ei_brian.report.methods import equations_text, methods, sources
from ei_brian.report.robustness_sections import controls_sections, noise_section
from ei_brian.report.rung import Rung
from ei_brian.report.validation import Validation
from ei_brian.report.verdict import verdict
from ei_brian.report.words import percent

__all__ = ["validation_report"]

DISTANCE_TAU_MS, DISTANCE_TRIALS = 10.0, 100


def validation_report(validation: Validation) -> Report:
    """Return the report of a validation."""
    good, sentence = verdict(validation)
    exact, first, last = validation.exact, validation.trained, validation.last
    cells = sum(population.size for population in first.spec.cells if population.spiking and not population.relay)
    facts = [
        (f"{exact.equal_trials} of {exact.n_trials}", f"test trials with the spikes of {exact.oracle} in all {cells} cells"),
        (percent(first.accuracy), f"of the test set decided right in Brian2, {first.name}"),
        (percent(last.accuracy), f"with {last.name}, mean of {len(last.specs)} draws") if last is not first else
        (f"{validation.single.equal_trials} of {exact.n_trials}", "trials with the same spikes in single precision"),
        (f"{first.recording.run_seconds:.2g} s", f"to simulate the test set in Brian2 ({validation.settings.backend})"),
    ]  # fmt: skip
    sections = (
        _equality(validation), _function(validation), _activity(validation), _cells(validation), noise_section(validation),
        *controls_sections(validation), _methods(validation),
    )  # fmt: skip
    return Report(f"ei_brian report: {first.spec.name} on {validation.stimulus.name}", sentence, good, tuple(facts), sections)


def _ends(validation: Validation) -> tuple[Rung, ...]:
    return tuple(dict.fromkeys((validation.trained, validation.last)))


def _equality(validation: Validation) -> Section:
    exact, single = validation.exact, validation.single
    rows = tuple(
        (f"{c.oracle} and {c.other}", c.n_trials, c.equal_trials, c.n_spikes, c.differing_spikes, c.first or "none")
        for c in (exact, single)
    )
    columns = ("compared", "trials", "equal trials", "spikes", "differing spikes", "first difference")
    text = (
        f"The network {validation.trained.name} was run on every one of {exact.n_trials} test trials, and each spike of each "
        f"hidden cell was compared in time and place, without tolerance. In double precision {exact.differing_spikes:,} of "
        f"{exact.n_spikes:,} spikes differ. "
        f"Single precision rounds differently: {single.equal_trials} of {single.n_trials} trials keep every spike."
    )
    table = Table("equality", "Spikes compared one by one; n is the number of test trials.", columns, rows)
    proven = validation.trained.spec.proven
    imported = (f"As it was imported: {proven}.",) if proven else ()
    return Section("The same spikes", (text, *imported), tables=(table,))


def _function(validation: Validation) -> Section:
    n, n_classes = validation.stimulus.n_trials, validation.stimulus.n_classes
    intervals = [(rung.name, rung.interval) for rung in validation.rungs]
    rungs = [(name, one.mean, one.low, one.high) for name, one in intervals]
    shown = picture(
        "ladder", "Accuracy along the ladder of realism",
        f"Share of {n} test trials decided right by the network {validation.trained.name} and after each change of its cells "
        "(top to bottom); lines are 95 % intervals: Wilson's over trials for the first network, Student's t over draws of cell "
        f"types (n = {len(validation.last.specs)}) for the others. Chance is {percent(1 / n_classes)}. See whether the points "
        "stay where they were.",
        ladder(rungs, 1 / n_classes), 1.1 + 0.62 * len(rungs),
    )  # fmt: skip
    rows = tuple((name, one.n, n, one.mean, one.low, one.high) for name, one in intervals)
    table = Table("accuracy", "", ("network", "units", "trials", "accuracy", "low 95 %", "high 95 %"), rows, shown=False)
    matrices = [(rung.name, _matrix(rung, n_classes)) for rung in _ends(validation)]
    errors = picture(
        "confusion", "Which class is taken for which",
        f"Number of test trials (n = {n}) by true class and decision; the shade is the share of the row. Everything off the "
        "diagonal is an error; see whether the same classes are confused before and after.",
        confusion(matrices), 3.3 if len(matrices) > 1 else 4.2,
    )  # fmt: skip
    return Section("Does the function survive?", validation.notes, (shown, errors), (table,))


def _matrix(rung: Rung, n_classes: int) -> np.ndarray:  # type: ignore[type-arg]
    labels = rung.recording.labels
    return confusion_matrix(np.asarray(labels), rung.recording.decisions, n_classes)


def _trial(validation: Validation) -> int:
    right = np.ones(validation.stimulus.n_trials, dtype=bool)
    for rung in validation.rungs:
        right &= rung.recording.decisions == rung.recording.labels
    return example_trial(validation.stimulus, right)


def _activity(validation: Validation) -> Section:
    trial, ends = _trial(validation), _ends(validation)
    label = None if validation.stimulus.labels is None else int(validation.stimulus.labels[trial])
    n = validation.stimulus.n_trials
    spikes = picture(
        "raster", "Spikes of one trial",
        f"Every spike of every hidden cell (rows) in test trial {trial} (class {label}), the first that all decide right; "
        "cells sorted by type. See whether excitatory cells keep their pattern when the interneurons change.",
        raster([(rung.name, rung.spec, cells_only(rung.spec, rung.recording)) for rung in ends], trial), 2.0 + 1.7 * len(ends),
    )  # fmt: skip
    inhibitory = [p.name for rung in ends for p in rung.spec.cells if p.role == "inh"]
    course = picture(
        "rates", "Population rates",
        f"Mean firing rate in bins of 4 ms (Hz) over {n} test trials and all cells of a population. See whether height and "
        "timing of the response are kept.",
        rates([(rung.name, cells_only(rung.spec, rung.recording)) for rung in ends], inhibitory), 2.8,
    )  # fmt: skip
    rows = tuple(
        (rung.name, name, train.n_units, train.mean_rate_hz())
        for rung in validation.rungs
        for name, train in cells_only(rung.spec, rung.recording).spikes.items()
    )
    table = Table("rates", f"Mean firing rates over {n} test trials.", ("network", "population", "cells", "rate (Hz)"), rows)
    return Section("Activity", (), (spikes, course, *_distances(validation)), (table, _courses(validation)))


def _distances(validation: Validation) -> Iterator[Picture]:
    names = [p.name for p in validation.trained.spec.cells if p.role == "inh" and p.spiking and not p.relay][-1:]
    for name in names:
        trains = [(rung.name, whole_spikes(rung.spec, rung.recording.spikes, name)) for rung in _ends(validation)]
        n = min(DISTANCE_TRIALS, validation.stimulus.n_trials)
        panels = [(title, van_rossum_matrix(train.select(0, n), DISTANCE_TAU_MS).mean(axis=0)) for title, train in trains]
        yield picture(
            "distances", "Diversity of the interneurons",
            f"Van Rossum distance (time constant {DISTANCE_TAU_MS:g} ms) between the spike trains of every two cells of {name}, "
            f"mean over the first {n} test trials. Darker is more different: see whether diverse cell types darken it.",
            distances(panels, "distance"), 2.6,
        )  # fmt: skip


def _courses(validation: Validation) -> Table:
    rows = tuple(
        (rung.name, name, float(left), float(rate))
        for rung in validation.rungs
        for name, train in rung.recording.spikes.items()
        for left, rate in zip(*rate_course(train), strict=True)
    )
    return Table("rate_course", "", ("network", "population", "time (ms)", "rate (Hz)"), rows, shown=False)


def _cells(validation: Validation) -> Section:
    return Section("Single cells", (), tuple(_cell_pictures(validation)))


def _cell_pictures(validation: Validation) -> Iterator[Picture]:
    trial, spec = _trial(validation), validation.trained.spec
    shown = example_traces(validation.last.spec, validation.stimulus, trial)
    if shown:
        yield picture(
            "traces", "Membrane potentials",
            f"The most active cell of each type in test trial {trial}, {validation.last.name}; triangles mark spikes. "
            "Integrate-and-fire cells have no volts: rest is 0, threshold 1. See the after-potentials and bursts that only "
            "biological cells have.",
            traces(shown), 1.0 + 1.15 * len(shown),
        )  # fmt: skip
    for name in input_currents(spec)[-1:]:
        counts = validation.trained.recording.counts[name][trial]
        cell = int(np.argmax(counts))
        parts = currents_into(spec, validation.stimulus, trial, name, cell)
        spikes = validation.trained.recording.spikes[name]
        steps = spikes.step[(spikes.trial == trial) & (spikes.unit == cell)]
        if parts:
            yield picture(
                "currents", "Excitation and inhibition of one cell",
                f"Synaptic current into cell {cell} of {name} (the most active of test trial {trial}), "
                f"{validation.trained.name}, by source, in units of the threshold; triangles mark its spikes. See which source "
                "drives the cell and which holds it back.",
                currents(parts, steps, spec.dt_ms),
            )  # fmt: skip


def _methods(validation: Validation) -> Section:
    stages = tuple(validation.seconds.items())
    table = Table("seconds", "Wall-clock time of each stage on this machine.", ("stage", "seconds"), stages)
    texts = [f"{rung.name}\n\n{equations_text(rung.spec)}" for rung in _ends(validation)]
    return Section(
        "Methods", (methods(validation), *sources(validation).splitlines()), tables=(table,), verbatim="\n\n\n".join(texts)
    )
