"""Where the results of the trust checks are kept, and on what they were made."""

from __future__ import annotations

import datetime
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from validation.processor import processor

__all__ = ["FOLDER", "machine", "table", "write_result"]

FOLDER = Path(__file__).parent / "results"


def machine() -> str:
    """Return date, processor and versions in one paragraph."""
    names = ("numpy", "scipy", "h5py", "brian2", "torch", "nir")
    return (
        f"{datetime.date.today().isoformat()}; {processor()}; {platform.system()} {platform.release()}; Python "
        f"{platform.python_version()}, " + ", ".join(f"{name} {_version(name)}" for name in names)
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_result(name: str, title: str, body: str, quick: bool) -> None:
    """Print a result; keep it in ``results/NAME.md`` unless the run was a quick one."""
    command = " ".join(["python -m", f"validation.trust.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
    text = f"# {title}\n\nCommand: `{command}`\n\nMade: {machine()}\n\n{body.strip()}\n"
    print(text, flush=True)
    if not quick:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")
