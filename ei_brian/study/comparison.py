"""From a table of results to curves with intervals, and to what differs between variants and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.measure.robustness import area_under_curve
from ei_brian.study.statistics import Interval, PairedTest, false_discovery, holm, mean_interval, paired_test
from ei_brian.study.table import Row

__all__ = ["Curve", "Difference", "compare", "curves"]

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One measure of a variant against the level of one kind of noise.

    Parameters
    ----------
    variant, noise, measure : str
        Names.
    levels : array, shape (level,)
        Ascending.
    values : array, shape (unit, level)
        A unit is a network where the variant has several, else a seed of the noise; nan where a condition failed or is missing.
    units : tuple of int
        Number of the network, or the seed.
    unit_name : {"network", "seed"}
        Which.
    n_distinct : tuple of int
        Number of different conditions at each level: one network without noise is one, whatever the number of seeds.
    """

    variant: str
    noise: str
    measure: str
    levels: Values
    values: Values
    units: tuple[int, ...]
    unit_name: str
    n_distinct: tuple[int, ...]

    def intervals(self) -> list[Interval]:
        """Return mean and 95 % interval at each level."""
        return [
            mean_interval(column if n > 1 else [np.nanmean(column)]) if np.isfinite(column).any() else mean_interval([])
            for column, n in zip(self.values.T, self.n_distinct, strict=True)
        ]

    def area(self) -> Values:
        """Return the mean of the measure over the range of levels (trapezoids), shape (unit,); nan for a single level."""
        if self.levels.size < 2:
            return np.full(len(self.units), np.nan)
        return np.array([area_under_curve(self.levels, row) for row in self.values])


@dataclass(frozen=True, slots=True)
class Difference:
    """A variant against the first one, at one level or (level nan) over all levels.

    ``p_holm`` and ``q`` are corrected over all comparisons of the report.
    """

    variant: str
    against: str
    noise: str
    level: float
    test: PairedTest
    p_holm: float
    q: float


def curves(rows: Sequence[Row], measure: str = "accuracy") -> list[Curve]:
    """Return the curves of a table, in the order in which it names kinds of noise and variants."""
    names = {(str(row["noise"]), str(row["variant"])): None for row in rows}
    kinds = list(dict.fromkeys(noise for noise, _ in names))
    return [
        _curve([row for row in rows if (row["noise"], row["variant"]) == (noise, variant)], measure)
        for noise in kinds
        for kind, variant in names
        if kind == noise
    ]


def _curve(rows: Sequence[Row], measure: str) -> Curve:
    """Return the curve of the rows of one variant and kind of noise."""
    several = len({row["replicate"] for row in rows}) > 1
    unit_name = "network" if several else "seed"
    column = "replicate" if several else "seed"
    levels = sorted({float(row["level"]) for row in rows})  # type: ignore[arg-type]
    units = sorted({int(row[column]) for row in rows})  # type: ignore[arg-type]
    values = np.full((len(units), len(levels)), np.nan)
    for i, unit in enumerate(units):
        for j, level in enumerate(levels):
            found = [row.get(measure) for row in rows if row[column] == unit and row["level"] == level]
            numbers = [float(value) for value in found if isinstance(value, (int, float))]
            values[i, j] = np.mean(numbers) if numbers else np.nan
    first = rows[0]
    distinct = tuple(len({row["condition"] for row in rows if row["level"] == level}) for level in levels)
    return Curve(
        str(first["variant"]), str(first["noise"]), measure, np.array(levels), values, tuple(units), unit_name, distinct
    )


def compare(found: Sequence[Curve]) -> list[Difference]:
    """Compare every variant with the first one, unit by unit, at every level and over all levels.

    Without noise the seeds of one network are one and the same run: such a level has no test (nan), only a difference.
    """
    plain: list[tuple[Curve, Curve, float, PairedTest]] = []
    for curve in found:
        base = next(other for other in found if other.noise == curve.noise)
        if curve is base:
            continue
        for level in sorted(set(curve.levels) & set(base.levels)):
            plain.append((curve, base, float(level), _test_at(base, curve, float(level))))
        if np.array_equal(curve.levels, base.levels) and curve.levels.size > 1:
            plain.append((curve, base, float("nan"), _paired(base, curve, base.area(), curve.area())))
    p = [test.p for _, _, _, test in plain]
    return [
        Difference(curve.variant, base.variant, curve.noise, level, test, float(p_holm), float(q))
        for (curve, base, level, test), p_holm, q in zip(plain, holm(p), false_discovery(p), strict=True)
    ]


def _test_at(base: Curve, curve: Curve, level: float) -> PairedTest:
    columns = [one.values[:, list(one.levels).index(level)] for one in (base, curve)]
    if all(one.n_distinct[list(one.levels).index(level)] == 1 for one in (base, curve)):
        columns = [np.array([np.nanmean(column)]) for column in columns]
        return paired_test(*columns)
    return _paired(base, curve, *columns)


def _paired(base: Curve, curve: Curve, first: Values, second: Values) -> PairedTest:
    """Compare the units that both have."""
    shared = [unit for unit in base.units if unit in curve.units]
    return paired_test(
        first[[base.units.index(unit) for unit in shared]], second[[curve.units.index(unit) for unit in shared]]
    )
