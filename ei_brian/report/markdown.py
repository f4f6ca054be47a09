"""A report as Markdown, with figures beside it."""

from __future__ import annotations

import re

from ei_brian.core.plain_text import printable
from ei_brian.report.document import Report, Section, Table
from ei_brian.report.html import shown

__all__ = ["cell", "inert", "to_markdown"]

TAG = re.compile(r"<(?=[A-Za-z/!?])")



def to_markdown(report: Report) -> str:
    """Return the report as Markdown; figures are expected in ``figures/``, tables as CSV in ``numbers/``."""
    lines = [f"# {inert(report.title)}", "", f"**{inert(report.headline)}**", ""]
    lines += [*(f"- {inert(sentence)}" for sentence in report.reasons), ""] if report.reasons else []
    lines += [f"- {inert(number)}: {inert(words)}" for number, words in report.facts]
    for section in report.sections:
        lines += ["", *_section(section)]
    return "\n".join(lines).rstrip() + "\n"


def inert(text: object) -> str:
    """Return text in which nothing is HTML, a link or a heading of a stranger's making."""
    plain = TAG.sub("&lt;", printable(text)).replace("](", "]\\(")
    return "\n".join("\\" + line if line.startswith(("#", "```", "~~~")) else line for line in plain.split("\n"))


def _section(section: Section) -> list[str]:
    lines = [f"## {inert(section.title)}", ""]
    for paragraph in section.paragraphs:
        lines += [inert(paragraph), ""]
    for picture in section.pictures:
        lines += [f"![{inert(picture.title)}](figures/{picture.name}.png)", ""]
        lines += [f"**{inert(picture.title)}.** {inert(picture.caption)}", ""]
    for table in section.tables:
        if table.shown:
            lines += [*_table(table), ""]
    if section.verbatim:
        lines += [fence := _fence(section.verbatim), printable(section.verbatim), fence, ""]
    return lines


def cell(text: object) -> str:
    """Return text for a cell of a table."""
    return inert(text).replace("|", "\\|").replace("\n", " ")


def _table(table: Table) -> list[str]:
    def row(values: tuple[object, ...]) -> str:
        return "| " + " | ".join(cell(shown(value)) for value in values) + " |"

    return [row(table.columns), row(("---",) * len(table.columns)), *map(row, table.rows), "", inert(table.caption)]


def _fence(text: str) -> str:
    """Return a fence that the text does not hold."""
    fence = "```"
    while fence in text:
        fence += "`"
    return fence
