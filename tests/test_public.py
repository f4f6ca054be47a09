"""What is public: documented, tested, and all there is to import."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import ei_brian

ROOT = Path(__file__).resolve().parents[1]
DIRECTIVE = re.compile(r"^\.\. auto(function|class|module):: (ei_brian[\w.]*)\n((?:   :\w[^\n]*\n)*)", re.M)


def public() -> list[tuple[str, str]]:
    """Return (module, name) of every public name below the top level."""
    return [(module, name) for module in ei_brian.FACADES for name in import_module(f"ei_brian.{module}").__all__]


@cache
def documented() -> dict[int, str]:
    """Return what the API page shows, by identity of the objects."""
    found: dict[int, str] = {}
    for kind, path, options in DIRECTIVE.findall((ROOT / "docs" / "api.md").read_text(encoding="utf-8")):
        if kind != "module":
            module, _, name = path.rpartition(".")
            found[id(getattr(import_module(module), name))] = path
            continue
        chosen = re.search(r":members: *(.+)", options)
        names = re.split(r",\s*", chosen[1]) if chosen else import_module(path).__all__
        found |= {id(getattr(import_module(path), name)): f"{path}.{name}" for name in names}
    return found


@cache
def used_in_tests() -> frozenset[str]:
    """Return every name that a test imports or takes from something."""
    names: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
    return frozenset(names)


def test_every_public_name_is_there_and_listed_once_and_in_order() -> None:
    for module in ei_brian.FACADES:
        names = import_module(f"ei_brian.{module}").__all__
        assert len(names) == len(set(names)), module
        assert getattr(ei_brian, module) is import_module(f"ei_brian.{module}")


def test_every_public_name_is_documented() -> None:
    missing = [f"{m}.{n}" for m, n in public() if id(getattr(import_module(f"ei_brian.{m}"), n)) not in documented()]
    assert missing == [], "add them to docs/api.md"


def test_every_public_function_is_tested() -> None:
    untested = []
    for module, name in public():
        value: Any = getattr(import_module(f"ei_brian.{module}"), name)
        if inspect.isfunction(value) and not {name, value.__name__} & used_in_tests():
            untested.append(f"{module}.{name}")
    assert untested == []


def test_what_the_api_page_shows_is_public() -> None:
    offered = {id(getattr(import_module(f"ei_brian.{module}"), name)) for module, name in public()}
    offered |= {id(getattr(ei_brian, name)) for name in ei_brian.__all__}
    private = [path for key, path in documented().items() if key not in offered and ".errors." not in path]
    assert private == [
        "ei_brian.toolchain.build_cache.BuildCache",  # for its folder; `ei-brian cache` is its public face
        "ei_brian.report.any_task.report",  # what `ei.report(...)` calls
    ]


def test_top_level_names_are_on_the_api_page() -> None:
    """Each is a name of a module there, or the page names it itself."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    missing = [n for n in ei_brian.__all__ if id(getattr(ei_brian, n)) not in documented() and f"ei.{n}" not in page]
    assert missing == []
