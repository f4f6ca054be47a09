"""`import ei_brian` is light, and its public names are what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ei_brian

HEAVY = ("torch", "brian2", "scipy", "matplotlib", "sklearn", "h5py", "typer")


def printed(code: str) -> str:
    """Return what a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_loads_no_heavy_library() -> None:
    code = f"import sys, ei_brian; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    assert printed(code) == ""


def test_simulating_needs_no_torch() -> None:
    code = "import sys, ei_brian; ei_brian.NetworkSpec, ei_brian.Backend; print('torch' in sys.modules)"
    assert printed(code) == "False"


def test_training_needs_no_brian2() -> None:
    code = "import sys, ei_brian as e; e.EINetwork, e.train, e.export, e.load_dataset; print('brian2' in sys.modules)"
    assert printed(code) == "False"


@pytest.mark.parametrize("name", ei_brian.__all__)
def test_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(ei_brian, name).__doc__


def test_at_most_nineteen_public_names_sorted() -> None:
    assert ei_brian.__all__ == sorted(ei_brian.__all__)
    assert len(ei_brian.__all__) <= 19


def test_unknown_name_names_the_public_ones() -> None:
    with pytest.raises(AttributeError, match="NetworkSpec"):
        ei_brian.nothing  # noqa: B018
