"""The report folder: made whole in memory, then written."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import ConfigError, unknown_name
from ei_brian.report.document import Report
from ei_brian.report.html import to_html
from ei_brian.report.markdown import to_markdown
from ei_brian.report.style import WRITERS
from ei_brian.storage.atomic_file import write_bytes

__all__ = ["check_folder", "check_formats", "write_report"]


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written, before any work is done; it is left as it was.

    Raises
    ------
    ConfigError
        If it cannot be made or written.
    """
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        _make(folder)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"output folder {folder}: {error.strerror}; give a folder that can be made and written.") from error
    finally:
        for part in (folder / "figures", folder / "numbers", *missing):
            with suppress(OSError):  # not empty, or never made
                part.rmdir()


def _make(folder: Path) -> None:
    for part in (folder, folder / "figures", folder / "numbers"):
        part.mkdir(parents=True, exist_ok=True)


def check_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Return the formats of figures, ``png`` always among them; refuse others by name.

    Raises
    ------
    ConfigError
        For a format that is not known.
    """
    for kind in formats:
        if kind not in WRITERS:
            raise ConfigError(unknown_name("figures: format", kind, WRITERS))
    return tuple(dict.fromkeys(("png", *formats)))


@takes_numbers()
def write_report(report: Report, folder: Path, formats: Sequence[str] = ()) -> Path:
    """Write ``report.html``, ``report.md``, ``figures/*.png`` and ``numbers/*.csv``, and return the path of the page.

    ``formats`` names what the figures are written as beside PNG: ``svg``, ``pdf``.
    """
    kinds = check_formats(formats)
    files = {folder / "figures" / f"{one.name}.{kind}": one.written(kind) for one in report.pictures for kind in kinds}
    files |= {folder / "numbers" / f"{table.name}.csv": table.csv().encode() for table in report.tables}
    files[folder / "report.md"] = to_markdown(report).encode()
    files[folder / "report.html"] = to_html(report).encode()
    check_folder(folder)
    _make(folder)
    for path, content in files.items():
        write_bytes(path, content)
    return folder / "report.html"
