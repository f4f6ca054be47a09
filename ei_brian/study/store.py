"""The results folder: one file per condition, written whole or not at all.

::

    results/
      conditions/ab/ab12….json    one finished condition each, with a checksum
      recordings/ab12….h5         its spikes, where they are kept
      claims/                     who works on what, now
      table.csv, table.sqlite     made from them, in the order of the plan

A kill at any moment loses what was running and nothing else. A result that is there is never computed or written again, whoever
shares the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ei_brian.errors import ConfigError, StorageError
from ei_brian.study.condition import Condition, canonical
from ei_brian.study.outcome import Outcome

__all__ = ["Record", "Store", "write_whole"]

FORMAT = 2
LEFTOVER_SECONDS = 3600.0
LARGEST_RECORD = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Record:
    """What the store holds of a condition; ``error`` is empty unless it failed."""

    result: dict[str, Any]
    error: str
    seconds: float


class Store:
    """Results of a study in a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Raises
    ------
    StorageError
        If the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conditions = folder / "conditions"
        try:
            self.conditions.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"results folder {folder}: {error.strerror}. Give a folder that can be written.") from error
        self._sweep_leftovers()

    def path(self, key: str) -> Path:
        """Return where the result of a condition is or would be."""
        return self.conditions / key[:2] / f"{key}.json"

    def read(self, key: str) -> Record | None:
        """Return what is known of a condition, or None.

        Raises
        ------
        StorageError
            If its file is not one of ours.
        """
        path = self.path(key)
        try:
            if path.stat().st_size > LARGEST_RECORD:
                raise ValueError(f"larger than {LARGEST_RECORD} bytes")
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT or data["key"] != key:
                raise ValueError(f"format {data['format']!r}, key {data['key']!r}")
            if data.pop("sha256") != _checksum(data):
                raise ValueError("its checksum says that it was changed after it was written")
            return Record(dict(data["result"]), str(data["error"]), float(data["seconds"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError, ConfigError) as error:
            raise StorageError(
                f"{path}: cannot be used ({error}). Delete it and start again: it is then computed anew."
            ) from error

    def write(self, condition: Condition, outcome: Outcome) -> None:
        """Keep the outcome of a condition; a result that is there already stays, a failure gives way.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written; nothing half written stays.
        """
        path = self.path(condition.key)
        data = {
            "format": FORMAT,
            "key": condition.key,
            "identity": json.loads(condition.identity),
            "result": dict(outcome.result),
            "error": outcome.error,
            "trace": outcome.trace,
            "seconds": outcome.seconds,
        }
        before = self.read(condition.key)
        if before is not None and not before.error:
            return
        write_whole(path, (canonical({**data, "sha256": _checksum(data)}) + "\n").encode(), replace=before is not None)

    def write_files(self, outcome: Outcome) -> None:
        """Keep the files of a condition; see `write`.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written, or for a name outside the folder.
        """
        for name, content in outcome.files.items():
            path = (self.folder / name).resolve()
            if not path.is_relative_to(self.folder.resolve()):
                raise StorageError(f"{name[:80]!r}: is not within the results folder {self.folder}.")
            write_whole(path, content)

    def known(self, keys: Iterable[str]) -> Iterator[tuple[str, Record]]:
        """Yield what is known of those conditions that have an outcome."""
        for key in keys:
            record = self.read(key)
            if record is not None:
                yield key, record

    def _sweep_leftovers(self) -> None:
        """Remove what killed writers left behind more than an hour ago."""
        for part in (*self.conditions.glob("*/.*.part"), *self.conditions.parent.glob(".table.*.part*")):
            with suppress(OSError):
                if time.time() - part.stat().st_mtime > LEFTOVER_SECONDS:
                    part.unlink()


def _checksum(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(data).encode()).hexdigest()


def write_whole(path: Path, data: bytes, replace: bool = True) -> None:
    """Write a file so that its name holds all of it or what it held before; without ``replace`` the first writer wins.

    Raises
    ------
    StorageError
        If it cannot be written; nothing half written stays.
    """
    aside = path.with_name(f".{path.name[:80]}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _put_in_place(aside, path, replace)
        _flush_names(path.parent)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror or error}). Make room or give another folder, then start again: "
            "everything finished is kept."
        ) from error
    finally:
        with suppress(OSError):
            aside.unlink()


def _put_in_place(aside: Path, path: Path, replace: bool) -> None:
    if replace:
        os.replace(aside, path)
        return
    try:
        os.link(aside, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        os.replace(aside, path)


def _flush_names(folder: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
