"""Every public measure says its unit, and where its definition is from."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import ei_brian.measure

UNITS = ("dimensionless", "Hz", " ms", "count", "unit of", "from 0 to 1", "share")
SOURCES = ("doi 10.", "arXiv:", "by definition", "By definition", "is ours", "are ours")
MEASURES = [
    (module.name, name)
    for module in pkgutil.iter_modules(ei_brian.measure.__path__)
    for name in importlib.import_module(f"ei_brian.measure.{module.name}").__all__
    if inspect.isfunction(getattr(importlib.import_module(f"ei_brian.measure.{module.name}"), name))
]


def test_all_modules_are_looked_at() -> None:
    assert len(MEASURES) > 20


@pytest.mark.parametrize(("module", "name"), MEASURES)
def test_unit_and_source(module: str, name: str) -> None:
    text = " ".join(str(inspect.getdoc(getattr(importlib.import_module(f"ei_brian.measure.{module}"), name))).split())
    assert any(unit in text or unit.capitalize() in text for unit in UNITS), text
    assert any(source in text for source in SOURCES), text
