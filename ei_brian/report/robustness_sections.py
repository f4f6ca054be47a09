"""The sections of a report on noise and on controls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ei_brian.core.models.physiology import IN_VIVO_SD_MV
from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.core.noise.response import own_point
from ei_brian.core.population import Population
from ei_brian.report.document import Section, Table, picture
from ei_brian.report.figures.robustness import robustness
from ei_brian.report.validation import Validation
from ei_brian.report.verdict import control_words, criterion_words, judge
from ei_brian.report.words import noise_name, noise_unit
from ei_brian.study.statistics import mean_interval

__all__ = ["controls_sections", "noise_section", "physiological_words"]


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
    told = (criterion_words(validation), *physiological_words(validation))
    return Section("Noise", told, (shown,), (*_in_volts(validation), table))


def _of_potentials(validation: Validation) -> bool:
    kind = validation.settings.noise
    return "distance to threshold" in NOISE_KINDS[kind].unit and kind.startswith("membrane")


def physiological_words(validation: Validation) -> tuple[str, ...]:
    """Say which of the levels are those of the living brain, where the potentials of the last network's cells are in volts."""
    levels = [level for level in validation.settings.levels if level]
    if not _of_potentials(validation) or not levels:
        return ()
    spec = validation.last.spec
    cells = [population for population in spec.cells if population.spiking and _unit(population) == "mV"]
    if not cells:
        return ()
    mean = np.mean(np.concatenate([np.broadcast_to(own_point(each, spec.dt_ms).distance, each.size) for each in cells]))
    low, high = (limit / float(mean) for limit in IN_VIVO_SD_MV)
    inside = ", ".join(f"{level:g}" for level in levels if low <= level <= high)
    above = ", ".join(f"{level:g}" for level in levels if level > high)
    found = f"of the levels tried {inside}" if inside else "none of the levels tried"
    rest = f"; {above} {'are' if ',' in above else 'is'} more than cells meet there, a stress test" if above else ""
    return (
        f"Physiological is a standard deviation of {IN_VIVO_SD_MV[0]:g} to {IN_VIVO_SD_MV[1]:g} mV (cortical cells in vivo, "
        f"Destexhe & Paré 1999): in the cells of this network with volts, whose threshold is {mean:.3g} mV from rest on average, "
        f"a level of {low:.2g} to {high:.2g}, {found}{rest}.",
    )


def _unit(population: Population) -> str:
    voltage = population.neuron().voltage
    return next(state.unit for state in population.declared_states() if state.name == voltage)


def _in_volts(validation: Validation) -> Iterator[Table]:
    """Give the levels of membrane noise in the unit of each cell's potential."""
    settings = validation.settings
    if not _of_potentials(validation):
        return
    levels, rows = [level for level in settings.levels if level], []
    for rung in dict.fromkeys((validation.trained, validation.last)):
        for population in rung.spec.cells:
            if not population.spiking:
                continue
            distance = np.broadcast_to(own_point(population, rung.spec.dt_ms).distance, population.size)
            unit = _unit(population)
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
            one.network, one.name, one.left, 100 * one.change.mean, 100 * one.change.low, 100 * one.change.high,
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
