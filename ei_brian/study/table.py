"""The one tidy table of a study: a row per condition, in the order of the plan, the same bytes whenever it is made."""

from __future__ import annotations

import csv
import io
import math
import os
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.plain_text import cell_text, one_line, text_of_cell
from ei_brian.errors import DataError, StorageError
from ei_brian.study.condition import Condition
from ei_brian.study.store import Store, write_whole

__all__ = ["Row", "read_table", "rows_of", "write_table"]

Value = str | int | float | None
Row = dict[str, Value]
LABELS = ("variant", "replicate", "noise", "level", "seed", "condition", "status")
TEXTS = ("variant", "noise", "condition", "status", "error")


def rows_of(conditions: Sequence[Condition], store: Store) -> list[Row]:
    """Return a row per condition that has an outcome; failed ones have their error and no numbers."""
    rows: list[Row] = []
    known = dict(store.known({condition.key: None for condition in conditions}))
    for condition in conditions:
        record = known.get(condition.key)
        if record is not None:
            status = "failed" if record.error else "done"
            rows.append({**condition.labels, "status": status, "error": record.error, **record.result})
    return rows


def write_table(folder: Path, rows: Sequence[Mapping[str, Value]]) -> tuple[Path, Path]:
    """Write ``table.csv`` and ``table.sqlite`` (table ``results``) and return their paths.

    Columns: the labels, the error, then every measure in alphabetical order. Numbers are written so that reading gives the same
    bits. Equal rows give equal bytes.
    """
    columns = _columns(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([cell_text(name) for name in columns])
    writer.writerows([_written(row.get(name)) for name in columns] for row in rows)
    write_whole(folder / "table.csv", text.getvalue().encode())
    _write_sqlite(folder / "table.sqlite", columns, rows)
    return folder / "table.csv", folder / "table.sqlite"


@takes_numbers()
def read_table(path: Path) -> list[Row]:
    """Return the rows of a table that `write_table` wrote.

    Raises
    ------
    DataError
        If there is none, or it is not one.
    """
    path = path / "table.csv" if path.is_dir() else path
    try:
        with open(path, newline="", encoding="utf-8") as file:
            read = csv.DictReader(file)
            rows = [{one_line(text_of_cell(name)): _read(name, text) for name, text in row.items()} for row in read]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Give the folder of `ei-brian sweep`, or its table.csv.") from error
    if rows and not set(LABELS) <= set(rows[0]):
        raise DataError(f"{path}: has the columns {sorted(rows[0])}; a table of results has {', '.join(LABELS)}.")
    return rows


def _columns(rows: Sequence[Mapping[str, Value]]) -> list[str]:
    measures = {name for row in rows for name in row} - set(LABELS) - {"error"}
    return [*LABELS, *sorted(measures), "error"]


def _written(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return cell_text(value)
    return repr(value) if isinstance(value, float) else str(value)


def _read(name: str, text: str | None) -> Value:
    if not text:
        return "" if name in TEXTS else None
    if name in TEXTS:
        return one_line(text_of_cell(text))
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text_of_cell(text)


def _write_sqlite(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Value]]) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    kinds = {name: _affinity([row.get(name) for row in rows]) for name in columns}
    quoted = ['"' + name.replace('"', '""') + '"' for name in columns]
    try:
        with closing(sqlite3.connect(aside)) as database, database:
            declared = ", ".join(f"{q} {kinds[name]}" for q, name in zip(quoted, columns, strict=True))
            database.execute(f"CREATE TABLE results ({declared})")
            marks = ", ".join("?" * len(columns))
            values = [tuple(_finite(row.get(name)) for name in columns) for row in rows]
            database.executemany(f"INSERT INTO results VALUES ({marks})", values)
        os.replace(aside, path)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"{path}: cannot be written ({error}). Make room or give another folder, then start again.") from error
    finally:
        with suppress(OSError):
            aside.unlink()


def _affinity(values: Sequence[Value]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int}:
        return "INTEGER"
    return "REAL" if kinds <= {int, float} else "TEXT"


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and math.isnan(value) else value
