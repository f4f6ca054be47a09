"""The report on a network whose task is an output over time."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ei_brian.report.document import Picture, Report, Section, Table, picture
from ei_brian.report.methods import equations_text
from ei_brian.report.output_validation import OutputRung, OutputValidation
from ei_brian.report.style import Draw, Ink, tidy
from ei_brian.report.verdict import inhibition_words, judge
from ei_brian.study.statistics import Interval

__all__ = ["output_facts", "output_report"]

MEASURES = (("r_squared", "R²"), ("correlation", "correlation"), ("rmse", "RMSE"))
MOST_OUTPUTS = 4


def output_report(found: OutputValidation) -> Report:
    """Return the report of a validation."""
    exact, first, last = found.exact, found.trained, found.last
    cells = sum(population.size for population in first.specs[0].cells if population.spiking and not population.relay)
    facts = [
        (f"{exact.equal_trials} of {exact.n_trials}", f"test trials with the spikes of {exact.oracle} in all {cells} cells"),
        (f"{first.mean('r_squared').mean:.3f}", f"R² of the output, {first.name}"),
    ]
    if last is not first:
        facts.append((f"{last.mean('r_squared').mean:.3f}", f"R² with {last.name}, mean of {len(last.specs)} draws"))
    good, sentence = _verdict(found)
    sections = (_equality(found), _function(found), *_controls(found), _methods(found))
    return Report(f"ei_brian report: {first.specs[0].name} on {found.stimulus.name}", sentence, good, tuple(facts), sections)


def _span(one: Interval) -> str:
    return f"{one.mean:.3f}" if np.isnan(one.low) else f"{one.mean:.3f}, 95 % interval {one.low:.3f} to {one.high:.3f}"


def _verdict(found: OutputValidation) -> tuple[bool, str]:
    exact, name = found.exact, found.trained.specs[0].name
    if not exact.equal:
        return False, (
            f"{name} does not do in Brian2 what it does in {exact.oracle}: {exact.differing_spikes:,} spikes differ, first at "
            f"{exact.first}."
        )
    same = f"{name} does in Brian2 exactly what it does in {exact.oracle} (all {exact.n_spikes:,} spikes are equal)"
    trained = _span(found.trained.mean("r_squared"))
    if found.last is found.trained:
        return True, f"{same}; R² of its output over time is {trained}."
    loss = found.settings.largest_loss
    words = {
        "kept": "its function is kept", "lost": "its function is lost", "open": "it stays open whether its function is kept"
    }[judge(found.change, loss).word]  # fmt: skip
    change = found.change
    span = f"95 % interval {change.low:+.3f} to {change.high:+.3f} over draws"
    span = "one draw, no interval" if np.isnan(change.low) else span
    needed = inhibition_words(found.controls, found.trained.name, loss, 1.0) if found.controls else ""
    return True, (
        f"{same}. With {found.last.name} {words}: R² of its output over time {trained} {found.trained.name}, "
        f"{_span(found.last.mean('r_squared'))} with them, a change of {change.mean:+.3f} ({span}). Criterion: kept where the "
        f"whole interval of the change lies above −{loss:g}, lost where it lies below, else open. {needed}".rstrip()
    )


def _equality(found: OutputValidation) -> Section:
    exact = found.exact
    columns = ("compared", "trials", "equal trials", "spikes", "differing spikes", "first difference")
    row = (f"{exact.oracle} and {exact.other}", exact.n_trials, exact.equal_trials, exact.n_spikes, exact.differing_spikes,
           exact.first or "none")  # fmt: skip
    proven = found.trained.specs[0].proven
    text = f"Each spike of each hidden cell in {exact.n_trials} test trials was compared in time and place, without tolerance."
    tables = (Table("equality", "Spikes compared one by one; n is the number of test trials.", columns, (row,)),)
    return Section("The same spikes", (text, *((f"As it was imported: {proven}.",) if proven else ())), tables=tables)


def _function(found: OutputValidation) -> Section:
    rows = []
    for rung in found.rungs:
        for name, words in MEASURES:
            one = rung.mean(name)
            rows.append((rung.name, words, len(rung.specs), one.mean, one.low, one.high))
    n = int(found.targets.counted.any(axis=1).sum())
    caption = (
        f"Output against target at the steps that count, {n} test trials. Intervals are 95 %: of the trained network over trials "
        "(jackknife), of the others Student's t over draws of cell types; nan where there is one draw."
    )
    columns = ("network", "measure", "draws", "value", "low 95 %", "high 95 %")
    rates = tuple(
        (rung.name, name, rung.recordings[0].rate_hz(name)) for rung in found.rungs for name in rung.recordings[0].spikes
    )
    tables = (
        Table("output", caption, columns, tuple(rows)),
        Table("rates", "Mean firing rates of the first draw.", ("network", "population", "rate (Hz)"), rates),
    )
    return Section("Does the function survive?", found.notes, (_picture(found),), tables)


def _controls(found: OutputValidation) -> tuple[Section, ...]:
    """Return the section on controls, where there are any."""
    if not found.controls:
        return ()
    loss = found.settings.largest_loss
    rows = tuple(
        (one.network, one.name, one.left, one.change.mean, one.change.low, one.change.high, f"{one.change.n} {one.unit}",
         judge(one.change, loss).word)
        for one in found.controls
    )  # fmt: skip
    columns = ("network", "control", "R²", "change of R²", "low 95 %", "high 95 %", "interval over", "function")
    caption = (
        "Each control against the same network without it (cells swapped, not calibrated: against the trained network), on the "
        f"same {found.stimulus.n_trials} test trials, without noise on the cells. Over trials: jackknife."
    )
    return (Section("Controls", (inhibition_words(found.controls, found.trained.name, loss, 1.0),),
                    tables=(Table("controls", caption, columns, rows),)),)  # fmt: skip


def _picture(found: OutputValidation) -> Picture:
    shown = tuple(dict.fromkeys((found.trained, found.last)))
    trial = int(np.argmax(found.targets.counted.sum(axis=1)))
    return picture(
        "output_over_time", "Output over time",
        f"Test trial {trial}: the target (grey), and the output {found.trained.name} and after the change of cells (first draw). "
        "Steps that do not count are left out of the target. See whether the lines stay together.",
        _draw(found, shown, trial), 1.0 + 1.6 * min(MOST_OUTPUTS, found.targets.values.shape[2]),
    )  # fmt: skip


def _draw(found: OutputValidation, shown: tuple[OutputRung, ...], trial: int) -> Draw:
    targets = found.targets
    time = (np.arange(targets.values.shape[1]) + 1) * targets.dt_ms

    def draw(figure: Figure, ink: Ink) -> None:
        n = min(MOST_OUTPUTS, targets.values.shape[2])
        axes = np.atleast_1d(figure.subplots(n, 1, sharex=True))
        for output, ax in enumerate(axes):
            wanted = np.where(targets.counted[trial], targets.values[trial, :, output], np.nan)
            ax.plot(time, wanted, color=ink.faint, linewidth=4.0, label="target")
            for rung, colour in zip(shown, (ink.exc, ink.inh), strict=False):
                ax.plot(time, rung.outputs[0][trial, :, output], color=colour, label=rung.name)
            ax.set_ylabel(f"output {output}")
            tidy(ax)
        axes[0].legend()
        axes[-1].set_xlabel("time (ms)")

    return draw


def _methods(found: OutputValidation) -> Section:
    settings = found.settings
    text = (
        f"Brian2 ran {found.stimulus.n_trials} test trials of {found.stimulus.name} ({settings.backend}, double precision). "
        f"The output is compared with its target at the ends of steps of {found.targets.dt_ms:g} ms."
    )
    texts = [f"{rung.name}\n\n{equations_text(rung.specs[0])}" for rung in dict.fromkeys((found.trained, found.last))]
    return Section("Methods", (text,), verbatim="\n\n\n".join(texts))


def output_facts(found: OutputValidation) -> dict[str, Any]:
    """Return the main figures as plain values; what has no interval is None there."""
    def plain(one: Interval) -> dict[str, Any]:
        return {"mean": one.mean, "low": None if np.isnan(one.low) else one.low, "high": None if np.isnan(one.high) else one.high}

    return {
        "network": found.trained.specs[0].name,
        "sha256": found.trained.specs[0].sha256,
        "equal": found.exact.equal,
        "compared_with": found.exact.oracle,
        "trials": found.exact.n_trials,
        "spikes": found.exact.n_spikes,
        **{name: {rung.name: plain(rung.mean(name)) for rung in found.rungs} for name, _ in MEASURES},
        "change": plain(found.change),
        "controls": [
            {"control": one.name, "network": one.network, "r_squared": one.left, "change": one.change.mean}
            for one in found.controls
        ],
        "largest_loss": found.settings.largest_loss,
        "notes": list(found.notes),
    }
