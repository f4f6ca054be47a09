"""A report as data: verdict, sections, figures, tables; written by `ei_brian.report.html` and `ei_brian.report.markdown`."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ei_brian.core.plain_text import cell_text, printable
from ei_brian.report.style import INKS, LIGHT, WRITERS, Draw, png

__all__ = ["Picture", "Report", "Section", "Table", "picture"]

HEADLINE = 2


def file_name(name: str) -> str:
    """Return a name that stays in its folder: letters, digits, ``_ - .``; a hash tells apart those that held more."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip(".")[:80]
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in both themes, with the caption that says n, units and what to see."""

    name: str
    title: str
    caption: str
    light: bytes
    dark: bytes
    draw: Draw | None = field(default=None, repr=False, compare=False)
    height_in: float = 3.2

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", file_name(self.name))

    def written(self, kind: str) -> bytes:
        """Return the figure on light paper as ``png``, ``svg`` or ``pdf``."""
        return self.light if kind == "png" or self.draw is None else WRITERS[kind](self.draw, self.height_in, LIGHT)


def picture(name: str, title: str, caption: str, draw: Draw, height_in: float = 3.2) -> Picture:
    """Return a figure drawn on light and on dark paper."""
    light, dark = (png(draw, height_in, ink) for ink in INKS)
    return Picture(name, title, caption, light, dark, draw, height_in)


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers with column names; the whole table is also written as CSV under its name."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    shown: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", file_name(self.name))

    def csv(self) -> str:
        """Return the table as CSV, numbers in full precision."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(cell_text(printable(column)) for column in self.columns)
        writer.writerows([cell_text(printable(one)) if isinstance(one, str) else one for one in row] for row in self.rows)
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with paragraphs, then figures, tables and verbatim text."""

    title: str
    paragraphs: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    verbatim: str = ""


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?]) (?=[A-Z])", text)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report.

    Parameters
    ----------
    title, verdict : str
        The verdict begins with what a reader should remember, in `HEADLINE` sentences; what follows says why.
    good : bool
        Whether the verdict is yes.
    facts : sequence of (number, words)
        A few figures to stand on top.
    sections : sequence of Section
        In reading order.
    """

    title: str
    verdict: str
    good: bool
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]

    @property
    def headline(self) -> str:
        """The sentences of the verdict that are to be remembered."""
        return " ".join(_sentences(self.verdict)[:HEADLINE])

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences of the verdict that say why."""
        return tuple(_sentences(self.verdict)[HEADLINE:])

    @property
    def pictures(self) -> Sequence[Picture]:
        """All figures in order."""
        return [shown for section in self.sections for shown in section.pictures]

    @property
    def tables(self) -> Sequence[Table]:
        """All tables in order."""
        return [table for section in self.sections for table in section.tables]
