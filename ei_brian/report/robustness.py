"""The report of a sweep: robustness curves with intervals, what differs and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.core.plain_text import one_line
from ei_brian.errors import DataError
from ei_brian.report.document import Picture, Report, Section, Table, picture
from ei_brian.report.folder import write_report
from ei_brian.report.style import Draw, Ink, tidy
from ei_brian.report.words import noise_name, noise_unit
from ei_brian.study.comparison import Curve, Difference, compare, curves
from ei_brian.study.table import Row, read_table

__all__ = ["curves_picture", "robustness_report", "sweep_report"]

LONGEST_LABEL = 60
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
ALPHA = 0.05


def robustness_report(
    folder: Path, output: Path | None = None, measure: str = "accuracy", formats: Sequence[str] = ()
) -> Path:
    """Write the report of a sweep (page, Markdown, figures, numbers) and return the path of the page.

    Parameters
    ----------
    folder : Path
        Of ``ei-brian sweep``, or its ``table.csv``.
    output : Path, optional
        Folder to write to; ``report`` beside the table when not given.
    measure : str
        Column of the table.
    formats : sequence of str
        What figures are written as beside PNG: ``svg``, ``pdf``.

    Raises
    ------
    DataError
        If there is no table, or no such column with numbers in it.
    """
    place = output or (folder if folder.is_dir() else folder.parent) / "report"
    return write_report(sweep_report(read_table(folder), measure), place, formats)


def sweep_report(rows: Sequence[Row], measure: str = "accuracy") -> Report:
    """Return the report of a table; see `robustness_report`."""
    if not any(isinstance(row.get(measure), (int, float)) for row in rows):
        columns = ", ".join(sorted(rows[0])) if rows else "no rows"
        raise DataError(f"table of results: no numbers in column {measure!r}; it has {columns}.")
    found = curves(rows, measure)
    differences = compare(found)
    failed = [row for row in rows if row["status"] == "failed"]
    facts = (
        (str(len(rows)), "rows: variants × noise × levels × seeds"),
        (str(len({row["condition"] for row in rows})), "different conditions"),
        (str(len(failed)), "failed"),
    )
    kinds = list(dict.fromkeys(curve.noise for curve in found))
    sections = [_section(kind, found, differences) for kind in kinds]
    if failed:
        sections.insert(0, _failures(failed))
    title = f"ei_brian report: {measure.replace('_', ' ')} under noise"
    return Report(title, _verdict(differences, failed), not failed, facts, (*sections, _methods(differences)))


def _verdict(differences: Sequence[Difference], failed: Sequence[Row]) -> str:
    start = f"{len(failed)} rows failed. " if failed else ""
    whole = [one for one in differences if math.isnan(one.level)]
    if not whole:
        return f"{start}There is nothing to compare: one variant, or one level."
    largest = max(whole, key=lambda one: abs(one.test.difference.mean))
    words = f"{largest.variant} against {largest.against} under {noise_name(largest.noise)}, {largest.test.difference.mean:+.3f}"
    n = min(one.test.difference.n for one in whole)
    if 2.0 ** (1 - n) > ALPHA:
        return f"{start}With n = {n} no test can reach {ALPHA:g}; the largest difference over all levels: {words}."
    sure = sum(one.q < ALPHA for one in whole)
    return f"{start}{sure} of {len(whole)} comparisons over all levels differ (q < {ALPHA:g}); the largest difference: {words}."


def _section(kind: str, found: Sequence[Curve], differences: Sequence[Difference]) -> Section:
    own = [curve for curve in found if curve.noise == kind]
    tables = [_levels(kind, own)]
    if any(one.noise == kind for one in differences):
        tables.append(_differences(kind, [one for one in differences if one.noise == kind]))
    formula = NOISE_KINDS[kind].meaning if kind in NOISE_KINDS else ""
    return Section(noise_name(kind).capitalize(), (formula,) if formula else (), (curves_picture(kind, own),), tuple(tables))


def curves_picture(kind: str, own: Sequence[Curve]) -> Picture:
    """Return the figure of the curves of one kind of noise, with n in its legend."""
    measure = one_line(own[0].measure.replace("_", " "), LONGEST_LABEL)
    caption = f"Mean and 95 % interval (Student's t) over {own[0].unit_name}s; where all seeds are one run there is none."
    axis = f"{noise_name(kind)}\n({noise_unit(kind)})" if kind in NOISE_KINDS else one_line(kind, LONGEST_LABEL)
    name = f"{own[0].measure}_{kind}"
    return picture(name, f"{measure.capitalize()} against {noise_name(kind)}", caption, _draw(own, axis, measure), 3.6)


def _draw(own: Sequence[Curve], axis: str, measure: str) -> Draw:
    intervals = [curve.intervals() for curve in own]

    def draw(figure: Figure, ink: Ink) -> None:
        axes = figure.subplots()
        for index, (curve, ranges) in enumerate(zip(own, intervals, strict=True)):
            colour, marker = (ink.exc, *ink.types)[index % (1 + len(ink.types))], MARKERS[index % len(MARKERS)]
            mean, low, high = (np.array([getattr(one, name) for one in ranges]) for name in ("mean", "low", "high"))
            n = max(one.n for one in ranges)
            label = f" {one_line(curve.variant, LONGEST_LABEL)} (n = {n} {curve.unit_name}{'' if n == 1 else 's'})"
            axes.plot(curve.levels, mean, marker=marker, color=colour, label=label, markersize=4)
            axes.fill_between(curve.levels, *_closed(mean, low, high), color=colour, alpha=0.2, linewidth=0)
        axes.set_xlabel(axis)
        axes.set_ylabel(measure)
        axes.legend()
        tidy(axes)

    return draw


def _closed(mean: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """Return the band, drawn to a point where there is no interval."""
    return np.where(np.isnan(low), mean, low), np.where(np.isnan(high), mean, high)


def _levels(kind: str, own: Sequence[Curve]) -> Table:
    rows = [
        (curve.variant, float(level), one.mean, _range(one.low, one.high), one.n, f"{curve.unit_name}s")
        for curve in own
        for level, one in zip(curve.levels, curve.intervals(), strict=True)
    ]
    columns = ("variant", "level", "mean", "95 % interval", "n", "units")
    return Table(f"{own[0].measure}_{kind}_levels", "Mean and interval at each level.", columns, tuple(rows))


def _differences(kind: str, own: Sequence[Difference]) -> Table:
    columns = ("variant", "level", "difference", "95 % interval", "n", "d", "p (Holm)", "q")
    rows = []
    for one in own:
        gap = one.test.difference
        level = "all (mean)" if math.isnan(one.level) else f"{one.level:g}"
        numbers = (_number(one.test.effect_size), _number(one.p_holm), _number(one.q))
        rows.append((one.variant, level, gap.mean, _range(gap.low, gap.high), gap.n, *numbers))
    return Table(f"differences_{kind}", f"Differences from {own[0].against}, unit by unit.", columns, tuple(rows))


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2g}"


def _range(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{low:.4g} to {high:.4g}"


def _failures(failed: Sequence[Row]) -> Section:
    columns = ("variant", "replicate", "noise", "level", "seed", "error")
    rows = tuple(tuple(row[name] for name in columns) for row in failed)
    text = "These have no numbers; `ei-brian sweep --retry-failed` computes them anew."
    return Section("Conditions that failed", (text,), (), (Table("failed", "Failed conditions.", columns, rows),))


def _methods(differences: Sequence[Difference]) -> Section:
    tests = sum(math.isfinite(one.test.p) for one in differences)
    return Section(
        "Methods",
        (
            "Units are trained networks where a variant has several, else seeds of the noise; the same seed gives the same noise "
            "in every variant: differences are taken unit by unit. Intervals: Student's t, 95 % "
            "(Student 1908, Biometrika 6:1). “All (mean)” is the area under the curve over its range of levels.",
            f"p: two-sided, from flipping the signs of the paired differences, corrected by Holm over the {tests} tests of this "
            "report; q: Benjamini–Hochberg over the same; d: mean difference over the standard deviation of the differences "
            "(Cohen's d_z). With n units p cannot be below 2 to the power 1 - n.",
        ),
    )
