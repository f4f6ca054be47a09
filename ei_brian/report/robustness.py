"""The report of a sweep: robustness curves with intervals, what differs and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.errors import DataError
from ei_brian.study.comparison import Curve, Difference, compare, curves
from ei_brian.study.store import write_whole
from ei_brian.study.table import Row, read_table

__all__ = ["draw_curves", "robustness_report"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")  # Okabe & Ito 2008
MARKERS = "osD^v<>P"


def robustness_report(folder: Path, output: Path | None = None, measure: str = "accuracy") -> Path:
    """Write ``robustness.md`` and one figure for each kind of noise, and return the path of the text.

    Parameters
    ----------
    folder : Path
        Of ``ei-brian sweep``, or its ``table.csv``.
    output : Path, optional
        Folder to write to; the folder of the table when not given.
    measure : str
        Column of the table.

    Raises
    ------
    DataError
        If there is no table, or no such column with numbers in it.
    """
    rows = read_table(folder)
    place = output or (folder if folder.is_dir() else folder.parent)
    if not any(isinstance(row.get(measure), (int, float)) for row in rows):
        columns = ", ".join(sorted(rows[0])) if rows else "no rows"
        raise DataError(f"{folder}: no numbers in column {measure!r}; the table has {columns}.")
    found = curves(rows, measure)
    kinds = list(dict.fromkeys(curve.noise for curve in found))
    pictures = {kind: f"{measure}_{kind}.svg" for kind in kinds}
    for kind, name in pictures.items():
        draw_curves([curve for curve in found if curve.noise == kind], place / name)
    text = _text(rows, found, compare(found), pictures, measure)
    write_whole(place / "robustness.md", text.encode())
    return place / "robustness.md"


def draw_curves(found: Sequence[Curve], path: Path) -> None:
    """Draw curves of one kind of noise with their intervals into one figure (SVG, or what the name ends in)."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for index, curve in enumerate(found):
        _draw(axes, curve, COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)])
    trials = found[0].unit_name + "s"
    axes.set_xlabel(f"{found[0].noise.replace('_', ' ')} (level)")
    axes.set_ylabel(found[0].measure.replace("_", " "))
    axes.set_title(f"mean and 95 % bootstrap interval over {trials}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(axes: Any, curve: Curve, colour: str, marker: str) -> None:
    intervals = curve.intervals()
    mean, low, high = (np.array([getattr(one, name) for one in intervals]) for name in ("mean", "low", "high"))
    n = sorted({one.n for one in intervals})
    counted = f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"
    label = f"{curve.variant} ({counted} {curve.unit_name}s)"
    axes.plot(curve.levels, mean, marker=marker, color=colour, label=label, markersize=4)
    axes.fill_between(curve.levels, low, high, color=colour, alpha=0.2, linewidth=0)


def _text(
    rows: Sequence[Row], found: Sequence[Curve], differences: Sequence[Difference], pictures: dict[str, str], measure: str
) -> str:
    failed = [row for row in rows if row["status"] == "failed"]
    lines = [f"# {measure.replace('_', ' ').capitalize()} under noise", "", *_failures(rows, failed)]
    for kind, picture in pictures.items():
        own = [curve for curve in found if curve.noise == kind]
        lines += [f"## {kind.replace('_', ' ')}", "", f"![{measure} against {kind}]({picture})", "", *_levels(own)]
        lines += _differences([one for one in differences if one.noise == kind])
    if differences:
        lines += [
            "Intervals: bias-corrected and accelerated bootstrap, 95 %, over the units named. p: sign flips of the paired "
            f"differences, two-sided, corrected by Holm over the {sum(math.isfinite(d.test.p) for d in differences)} tests of "
            "this report; q: Benjamini–Hochberg over the same. d: mean difference over the standard deviation of it.",
            "",
        ]
    return "\n".join(lines)


def _failures(rows: Sequence[Row], failed: Sequence[Row]) -> list[str]:
    if not failed:
        return [f"{len(rows)} conditions, none failed.", ""]
    errors = sorted({str(row["error"])[:200] for row in failed})
    return [f"{len(rows)} conditions, **{len(failed)} failed**: ", "", *(f"- {error}" for error in errors[:10]), ""]


def _levels(own: Sequence[Curve]) -> list[str]:
    lines = ["| variant | level | mean | 95 % interval | n |", "| --- | ---: | ---: | --- | ---: |"]
    for curve in own:
        for level, one in zip(curve.levels, curve.intervals(), strict=True):
            span, n = _range(one.low, one.high), f"{one.n} {curve.unit_name}s"
            lines.append(f"| {curve.variant} | {level:g} | {one.mean:.4g} | {span} | {n} |")
    return [*lines, ""]


def _differences(own: Sequence[Difference]) -> list[str]:
    if not own:
        return []
    lines = [
        f"Against {own[0].against}:", "",
        "| variant | level | difference | 95 % interval | n | d | p (Holm) | q |",
        "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for one in own:
        level = "all (mean)" if math.isnan(one.level) else f"{one.level:g}"
        test, span = one.test, _range(one.test.difference.low, one.test.difference.high)
        numbers = " | ".join("–" if math.isnan(value) else f"{value:.2g}" for value in (test.effect_size, one.p_holm, one.q))
        lines.append(f"| {one.variant} | {level} | {test.difference.mean:+.4g} | {span} | {test.difference.n} | {numbers} |")
    return [*lines, ""]


def _range(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{low:.4g} to {high:.4g}"
