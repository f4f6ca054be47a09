"""Text from files of others, made harmless to terminals and readers."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["cell_text", "one_line", "printable", "text_of_cell"]

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # control, format (also right-to-left), surrogate, private, line and paragraph ends


FORMULA = re.compile(r"['\s]*(?:[=@]|[+-](?!(?:[.\d]+(?:[eE][+-]?\d+)?|inf|nan)?\Z))")  # as a spreadsheet sees it; no number


def cell_text(text: str) -> str:
    """Return a text as it stands in a CSV file: a spreadsheet shows it, and computes nothing, by an apostrophe before it."""
    return f"'{text}" if FORMULA.match(text) else text


def text_of_cell(cell: str) -> str:
    """Return the text of which `cell_text` made that."""
    return cell[1:] if cell.startswith("'") and cell_text(cell[1:]) == cell else cell


def printable(text: object) -> str:
    r"""Return a text whose control and formatting characters are written out (``\x1b``, ``\u202e``); lines and tabs stay."""
    plain = str(text)
    if plain.isascii() and plain.replace("\n", "").replace("\t", "").isprintable():
        return plain
    return "".join(
        one if one in "\n\t" or unicodedata.category(one) not in HIDDEN else ascii(one)[1:-1] for one in plain
    )


def one_line(text: object, longest: int = 2000) -> str:
    r"""Return the same as one line, cut where it is longer than that."""
    line = printable(text).replace("\n", "\\n").replace("\t", " ")
    return line if len(line) <= longest else line[: longest - 1] + "…"
