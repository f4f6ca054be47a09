"""A report as Markdown, with figures beside it."""

from __future__ import annotations

from ei_brian.report.document import Report, Section, Table
from ei_brian.report.html import shown

__all__ = ["to_markdown"]


def to_markdown(report: Report) -> str:
    """Return the report as Markdown; figures are expected in ``figures/``, tables as CSV in ``numbers/``."""
    lines = [f"# {report.title}", "", f"**{report.verdict}**", ""]
    lines += [f"- {number}: {words}" for number, words in report.facts]
    for section in report.sections:
        lines += ["", *_section(section)]
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {section.title}", ""]
    for paragraph in section.paragraphs:
        lines += [paragraph, ""]
    for picture in section.pictures:
        lines += [f"![{picture.title}](figures/{picture.name}.png)", "", f"**{picture.title}.** {picture.caption}", ""]
    for table in section.tables:
        if table.shown:
            lines += [*_table(table), ""]
    if section.verbatim:
        lines += ["```", section.verbatim, "```", ""]
    return lines


def _table(table: Table) -> list[str]:
    def row(values: tuple[object, ...]) -> str:
        return "| " + " | ".join(shown(value).replace("|", "\\|") for value in values) + " |"

    return [row(table.columns), row(("---",) * len(table.columns)), *map(row, table.rows), "", table.caption]
