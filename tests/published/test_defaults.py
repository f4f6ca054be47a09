"""What is promised when nothing is said: every default of every public function and class stands in ``defaults.txt``.

A default that changes changes results of everyone who did not give it. Where that is meant, say so in CHANGELOG.md and write the
table again: ``python -m tests.published.test_defaults``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import ei_brian

TABLE = Path(__file__).with_name("defaults.txt")


def defaults() -> list[str]:
    """Return a line ``module.name(argument) = default`` for each default of a public name, in order."""
    lines = set()
    for module in ei_brian.FACADES:
        for name in import_module(f"ei_brian.{module}").__all__:
            lines |= set(_of(f"{module}.{name}", getattr(import_module(f"ei_brian.{module}"), name)))
    return sorted(lines)


def _of(name: str, thing: object) -> Iterator[str]:
    if not callable(thing):
        return
    try:
        parameters = inspect.signature(thing).parameters.values()
    except ValueError:
        return
    for parameter in parameters:
        if parameter.default is not inspect.Parameter.empty and " at 0x" not in repr(parameter.default):
            yield f"{name}({parameter.name}) = {parameter.default!r}"
    for method, value in vars(thing).items() if inspect.isclass(thing) else ():
        if not method.startswith("_") and callable(getattr(thing, method)):
            yield from _of(f"{name}.{method}", getattr(thing, method) if isinstance(value, classmethod | staticmethod) else value)


def test_defaults_are_those_that_were_promised() -> None:
    promised, found = TABLE.read_text(encoding="utf-8").splitlines(), defaults()
    assert sorted(set(promised) - set(found)) == [], "no longer so"
    assert sorted(set(found) - set(promised)) == [], "not in the table yet"
    assert len(found) > 300


if __name__ == "__main__":
    TABLE.write_text("\n".join(defaults()) + "\n", encoding="utf-8")
