"""A calibration as it is kept in a network, shown in a few lines and as tables in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from numbers import Real
from typing import Any

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.plain_text import one_line
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.cell_stand import CellStand, where_cells_stand
from ei_brian.errors import DataError

__all__ = ["Calibration", "calibration_of"]

RATE_COLUMNS = ("population", "trained (Hz)", "before (Hz)", "after (Hz)", "distance before", "distance after")
CELL_COLUMNS = ("population", "type", "cells", "current", "rest (mV)", "τ (ms)", "at a bound")
Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What a calibration found: how near the populations came, and where their cells stand now.

    Parameters
    ----------
    name : str
        Of the network.
    calibration_set : str
        The trials that it was made on.
    before, after : mapping
        Of the swapped and the calibrated network on them: ``rates_hz`` and ``rates_trained_hz`` by population in Hz, ``distance``
        of the filtered spike trains as a share of their power, ``r2`` of the output, ``agreement`` of decisions.
    shortfalls : tuple of str
        What did not reach its aim.
    cells : tuple of CellStand
        The fitted cells by population and type.
    """

    name: str
    calibration_set: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    shortfalls: tuple[str, ...]
    cells: tuple[CellStand, ...]

    def rates(self) -> Rows:
        """Return rates and distances of each population before and after, as text."""
        names = _part(self.after, "rates_hz")
        columns = (
            _part(self.after, "rates_trained_hz"), _part(self.before, "rates_hz"), names, _part(self.before, "distance"),
            _part(self.after, "distance"),
        )  # fmt: skip
        return tuple((one_line(str(name)), *(_number(column.get(name)) for column in columns)) for name in names)

    def fits(self) -> Rows:
        """Return where the cells of each type stand, mean [least, largest], as text."""
        return tuple(
            (one_line(one.population), one_line(one.cell_type), str(one.n_cells), f"{_span(one.current)} {one.unit}",
             _span(one.rest_mv), _span(one.tau_ms), f"{one.at_bound:.0%}")
            for one in self.cells
        )  # fmt: skip

    def _head(self) -> str:
        return f"Calibration of {one_line(self.name)!r} on {one_line(self.calibration_set)!r}"

    def _facts(self) -> Iterator[str]:
        for words, key in (("output R²", "r2"), ("decisions as trained", "agreement")):
            before, after = (one.get(key) for one in (self.before, self.after))
            if isinstance(after, Real) and after == after:
                yield f"{words}: {_number(before)} before, {_number(after)} after"
        yield from (f"short of its aim: {one_line(text)}" for text in self.shortfalls)

    def __repr__(self) -> str:
        parts = [_text(RATE_COLUMNS, self.rates()), _text(CELL_COLUMNS, self.fits())]
        return "\n".join([self._head(), *(f"  {line}" for line in (*self._facts(), *"\n".join(parts).split("\n")))])

    def _repr_html_(self) -> str:
        facts = "".join(f"<div>{escape(text)}</div>" for text in self._facts())
        tables = _table(RATE_COLUMNS, self.rates()) + _table(CELL_COLUMNS, self.fits())
        return f"<strong>{escape(self._head())}</strong>{facts}{tables}"


@takes_numbers()
def calibration_of(spec: NetworkSpec) -> Calibration:
    """Return the last calibration of a network, to be looked at.

    Parameters
    ----------
    spec : NetworkSpec
        What `calibrate` returned, or a network made from it or loaded from its file.

    Raises
    ------
    DataError
        If the network was not calibrated.
    """
    lines = [line for line in spec.provenance if line.get("action") == "calibrate"]
    if not lines:
        raise DataError(f"network {spec.name}: was not calibrated; give what ei.calibrate returned.")
    line = lines[-1]
    before, after = (_part(line, key) for key in ("before", "result"))
    told = line.get("shortfalls")
    shortfalls = tuple(map(str, told)) if isinstance(told, (list, tuple)) else ()
    return Calibration(spec.name, str(line.get("calibration_set", "")), before, after, shortfalls, where_cells_stand(spec))


def _part(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = of.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, Real) and not isinstance(value, bool) else "–"


def _span(values: tuple[float, float, float]) -> str:
    mean, low, high = values
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def _text(columns: tuple[str, ...], rows: Rows) -> str:
    widths = [max(len(row[k]) for row in (columns, *rows)) for k in range(len(columns))]
    lines = ("  ".join(f"{part:<{width}}" for part, width in zip(row, widths, strict=True)) for row in (columns, *rows))
    return "\n".join(line.rstrip() for line in lines)


def _table(columns: tuple[str, ...], rows: Rows) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(part)}</td>" for part in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
