"""The report folder: made whole in memory, then written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ei_brian.errors import ConfigError
from ei_brian.report.document import Report
from ei_brian.report.html import to_html
from ei_brian.report.markdown import to_markdown
from ei_brian.storage.whole_file import write_bytes

__all__ = ["check_folder", "write_report"]


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


def write_report(report: Report, folder: Path) -> Path:
    """Write ``report.html``, ``report.md``, ``figures/*.png`` and ``numbers/*.csv``, and return the path of the page."""
    files = {folder / "figures" / f"{picture.name}.png": picture.light for picture in report.pictures}
    files |= {folder / "numbers" / f"{table.name}.csv": table.csv().encode() for table in report.tables}
    files[folder / "report.md"] = to_markdown(report).encode()
    files[folder / "report.html"] = to_html(report).encode()
    check_folder(folder)
    _make(folder)
    for path, content in files.items():
        write_bytes(path, content)
    return folder / "report.html"
