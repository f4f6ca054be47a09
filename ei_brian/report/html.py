"""A report as one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import html
import re
from importlib import resources

from ei_brian.core.plain_text import printable
from ei_brian.report.document import Picture, Report, Section, Table

__all__ = ["to_html"]

DOI = re.compile(r"doi (10\.\d{4,9}/[^\s,;)]*[^\s,;).])")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def to_html(report: Report) -> str:
    """Return the page: figures and style inside, no script, nothing fetched; light and dark as the reader's system is."""
    style = resources.files("ei_brian.report").joinpath("page.css").read_text(encoding="utf-8")
    reasons = "".join(f"<li>{_text(sentence)}</li>" for sentence in report.reasons)
    facts = "".join(f"<li><b>{_text(number)}</b>{_text(words)}</li>" for number, words in report.facts)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">',
            f"<title>{_text(report.title)}</title>",
            f"<style>{style}</style></head><body><main>",
            f"<h1>{_text(report.title)}</h1>",
            f'<p class="verdict{"" if report.good else " no"}">{_text(report.headline)}</p>',
            *((f'<ul class="reasons">{reasons}</ul>',) if reasons else ()),
            f'<ul class="facts">{facts}</ul>',
            *(_section(section) for section in report.sections),
            "</main></body></html>",
            "",
        ]
    )


def _text(text: str) -> str:
    return html.escape(printable(text))


def _paragraph(text: str) -> str:
    return "<p>" + DOI.sub(r'doi <a href="https://doi.org/\1">\1</a>', _text(text)) + "</p>"


def _section(section: Section) -> str:
    parts = [f"<section><h2>{_text(section.title)}</h2>"]
    parts += [_paragraph(paragraph) for paragraph in section.paragraphs]
    parts += [_picture(shown) for shown in section.pictures]
    parts += [_table(table) for table in section.tables if table.shown]
    if section.verbatim:
        parts.append(f"<pre>{_text(section.verbatim)}</pre>")
    return "\n".join([*parts, "</section>"])


def _picture(shown: Picture) -> str:
    light, dark = (f"data:image/png;base64,{base64.b64encode(image).decode()}" for image in (shown.light, shown.dark))
    return (
        f'<figure id="{_text(shown.name)}"><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{_text(shown.title)}: {_text(shown.caption)}"></picture>'
        f"<figcaption><b>{_text(shown.title)}.</b> {_text(shown.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    numeric = [all(isinstance(row[k], (int, float)) for row in table.rows) for k in range(len(table.columns))]

    def cell(tag: str, value: object, number: bool) -> str:
        kind = ' class="number"' if number else ""
        return f"<{tag}{kind}>{_text(shown(value))}</{tag}>"

    head = "".join(cell("th", column, number) for column, number in zip(table.columns, numeric, strict=True))
    body = "".join(
        "<tr>" + "".join(cell("td", value, number) for value, number in zip(row, numeric, strict=True)) + "</tr>"
        for row in table.rows
    )
    return f'<div class="wide"><table><caption>{_text(table.caption)}</caption><tr>{head}</tr>{body}</table></div>'


def shown(value: object) -> str:
    """Return a value as it stands in a table for reading."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    return f"{value:.4g}" if isinstance(value, float) else str(value)
