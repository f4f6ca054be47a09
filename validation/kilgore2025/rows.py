"""Rows of the table of trained networks, as CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write rows as CSV."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a CSV file, numbers as numbers."""
    with open(path, newline="") as file:
        return [{name: float(value) if value else None for name, value in row.items()} for row in csv.DictReader(file)]
