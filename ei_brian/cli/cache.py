"""``ei-brian cache``: the compiled programs on disk."""

from __future__ import annotations

from typing import Annotated

import typer

from ei_brian.cli.options import AsJson
from ei_brian.cli.output import print_json, show

__all__ = ["command"]


def command(
    action: Annotated[str, typer.Argument(help="info, or clear.")] = "info",
    as_json: AsJson = False,
) -> None:
    """Show how many compiled programs are kept, where and how large, or delete those that no process uses.

    They are kept in $EI_BRIAN_CACHE, or in ~/.cache/ei_brian; the least recently used go first when they outgrow 2 GiB.
    """
    from ei_brian.errors import ConfigError, unknown_name
    from ei_brian.toolchain.build_cache import BuildCache

    cache = BuildCache()
    if action not in ("info", "clear"):
        raise ConfigError(unknown_name("cache: action", action, ("clear", "info")))
    cleared = cache.clear() if action == "clear" else None
    info = cache.info()
    facts = {"folder": str(info.root), "programs": len(info.entries), "bytes": info.n_bytes, "limit_bytes": info.limit_bytes}
    if cleared is not None:
        facts["cleared"] = cleared
    if as_json:
        print_json(facts)
        return
    if cleared is not None:
        show(f"deleted {cleared} programs")
    show(f"{len(info.entries)} programs, {info.n_bytes / 1e6:.1f} MB of at most {info.limit_bytes / 1e6:.0f} MB, in {info.root}")
