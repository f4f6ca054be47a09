"""The same call in other surroundings: the quick share of ``python -m validation.trust.surroundings``."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from validation.trust.surrounding_cases import SURROUNDINGS
from validation.trust.surroundings import right_digest, try_surrounding

QUICK = [case for case in SURROUNDINGS if case.quick]


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("right")
    return right_digest(folder, folder / "cache"), folder / "cache"


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_a_surrounding_holds(case: object, right: tuple[str, Path], tmp_path: Path) -> None:
    """In Brian2 inside the process; the compiled programs are tried by the whole script."""
    quick = replace(case, backends=("numpy",))  # type: ignore[type-var]
    held, what = try_surrounding(quick, right[0], tmp_path, right[1])
    assert held, what


def test_there_are_sixty_and_their_names_differ() -> None:
    assert len({case.name for case in SURROUNDINGS}) == len(SURROUNDINGS) >= 60


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell")
def test_a_surrounding_that_does_not_hold_is_noticed(right: tuple[str, Path], tmp_path: Path) -> None:
    planted = replace(QUICK[0], backends=("numpy",), call="print(call('float32'))")
    assert not try_surrounding(planted, right[0], tmp_path, right[1])[0]
    refusing = replace(planted, call="print(call())", expected="something that is not said")
    assert not try_surrounding(refusing, right[0], tmp_path, right[1])[0]
