"""The sections of a report on noise and on controls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.report.document import Section, Table, picture
from ei_brian.report.figures.robustness import robustness
from ei_brian.report.validation import Validation
from ei_brian.report.verdict import control_words, criterion_words, judge
from ei_brian.report.words import noise_name, noise_unit
from ei_brian.study.statistics import mean_interval

__all__ = ["controls_sections", "noise_section"]


def noise_section(validation: Validation) -> Section:
    """Return accuracy against the level of noise, and what the levels are in each type of cell."""
    settings, n = validation.settings, validation.stimulus.n_trials
    kind, levels = NOISE_KINDS[settings.noise], np.array(settings.levels)
    name, unit = noise_name(settings.noise), noise_unit(settings.noise)
    curves = {}
    for rung, accuracy in validation.accuracy.items():
        found = [mean_interval(row) for row in accuracy.mean(axis=2).T]
        curves[rung] = np.array([[each.mean, each.low, each.high] for each in found]).T
    shown = picture(
        "noise", "Robustness to noise",
        f"Test accuracy (n = {n} trials) against the level of {name}: {kind.meaning.rstrip('.')}. Lines are means, bands 95 % "
        f"intervals (Student's t) over {settings.draws} draws of {settings.seeds} noise seeds each. See where each curve leaves "
        "its plateau.",
        robustness(levels, curves, 1 / validation.stimulus.n_classes, f"{name}\n({unit})" if unit else name), 3.5,
    )  # fmt: skip
    rows = tuple(
        (rung, float(level), draw, settings.noise_seed(draw, column), float(accuracy[draw, row, column]))
        for rung, accuracy in validation.accuracy.items()
        for row, level in enumerate(settings.levels)
        for draw in range(settings.draws)
        for column in range(settings.seeds)
    )
    table = Table("noise", "", ("network", settings.noise, "draw", "seed", "accuracy"), rows, shown=False)
    return Section("Noise", (criterion_words(validation),), (shown,), (*_in_volts(validation), table))


def _in_volts(validation: Validation) -> Iterator[Table]:
    """Give the levels of membrane noise in the unit of each cell's potential."""
    settings = validation.settings
    if "distance to threshold" not in NOISE_KINDS[settings.noise].unit or not settings.noise.startswith("membrane"):
        return
    levels, rows = [level for level in settings.levels if level], []
    for rung in dict.fromkeys((validation.trained, validation.last)):
        for population in rung.spec.cells:
            if not population.spiking:
                continue
            distance = np.broadcast_to(population.operating_point(rung.spec.dt_ms).distance, population.size)
            voltage = population.neuron().voltage
            unit = next(state.unit for state in population.declared_states() if state.name == voltage)
            kinds = np.array(population.cell_types or ("as trained",) * population.size)
            for kind in sorted(set(kinds.tolist())):
                mean = float(distance[kinds == kind].mean())
                label = unit if unit != "1" else "of the trained unit"
                sizes = (f"{level * mean:.3g}" for level in levels)
                rows.append((rung.name, population.name, kind, int(np.sum(kinds == kind)), f"{mean:.3g}", label, *sizes))
    columns = ("network", "population", "cells", "n", "distance", "unit", *(f"SD at {level:g}" for level in levels))
    yield Table("noise_levels", "Mean distance from rest to threshold, and the SD of the free potential at each level.", columns,
                tuple(rows))  # fmt: skip


def controls_sections(validation: Validation) -> Iterator[Section]:
    """Give the section on controls, where there are any."""
    if not validation.controls:
        return
    rows = tuple(
        (
            one.network, one.name, one.accuracy, 100 * one.change.mean, 100 * one.change.low, 100 * one.change.high,
            f"{one.change.n} {one.unit}", judge(one.change, validation.settings.largest_loss).word,
        )
        for one in validation.controls
    )  # fmt: skip
    columns = ("network", "control", "accuracy", "change (points)", "low 95 %", "high 95 %", "interval over", "function")
    caption = (
        "Each control against the same network without it (cells swapped, not calibrated: against the trained network), on the "
        f"same {validation.stimulus.n_trials} test trials, without noise on the cells."
    )
    yield Section("Controls", control_words(validation), tables=(Table("controls", caption, columns, rows),))
