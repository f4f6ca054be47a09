"""Where compiled programs are kept."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

__all__ = ["cache_root"]

VARIABLE = "EI_BRIAN_CACHE"


def cache_root() -> Path:
    """Return the folder of compiled programs, made if it is not there.

    ``$EI_BRIAN_CACHE`` if set, else ``$XDG_CACHE_HOME/ei_brian``, else ``~/.cache/ei_brian``. Where that cannot be written (a
    read-only or missing home) a folder of this user under the system's temporary folder serves, and stderr says so.
    """
    for candidate in _candidates():
        try:
            candidate.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.access(candidate, os.W_OK | os.X_OK):
                return candidate.resolve()
        except OSError:
            continue
    private = Path(tempfile.gettempdir()) / f"ei_brian_cache_{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    private.mkdir(mode=0o700, exist_ok=True)
    if private.is_symlink() or (hasattr(os, "getuid") and private.stat().st_uid != os.getuid()):
        private = Path(tempfile.mkdtemp(prefix="ei_brian_cache_"))
    print(f"ei_brian: no writable cache folder; compiled programs go to {private}. Set {VARIABLE} to choose.", file=sys.stderr)
    return private


def _candidates() -> list[Path]:
    named = os.environ.get(VARIABLE)
    if named:
        return [Path(named)]
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        home = Path.home()
    except RuntimeError:
        return [Path(base) / "ei_brian"] if base else []
    return [Path(base) / "ei_brian" if base else home / ".cache" / "ei_brian"]
