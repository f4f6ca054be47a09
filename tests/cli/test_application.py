"""The command line as a whole: light to start, every verb explains itself, mistakes are one line and exit code 2."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ei_brian.cli.app import verbs

HEAVY = ("torch", "brian2", "scipy", "matplotlib", "sklearn", "h5py", "numpy")


def test_building_the_application_loads_nothing_heavy() -> None:
    code = f"import sys; from ei_brian.cli.app import application as a; a(); print(*[n for n in {HEAVY!r} if n in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == []


def test_info_loads_neither_torch_nor_brian2(tiny_model: Path) -> None:
    code = (
        f"import sys; sys.argv = ['ei-brian', 'info', {str(tiny_model)!r}]\n"
        "from ei_brian.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded', *[n for n in ('torch', 'brian2', 'matplotlib', 'sklearn') if n in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] .strip() == "loaded"


@pytest.mark.parametrize("verb", verbs())
def test_help_of_every_verb(ei_brian: Callable, verb: str) -> None:
    shown = ei_brian(verb, "--help")
    assert shown.code == 0
    assert len(re.findall(r"\w+", shown.out)) > 20, "help says something"


def test_version_help_and_exit_codes(ei_brian: Callable) -> None:
    assert re.fullmatch(r"ei-brian \d+\.\d+\.\d+\n", ei_brian("--version").out)
    shown = ei_brian("--help").out
    assert "130 interrupted" in " ".join(shown.split())


def test_unknown_verb_and_option(ei_brian: Callable) -> None:
    assert ei_brian("trian").code == 2
    assert ei_brian("info", "--nothing").code == 2


def test_shell_completion_is_there(ei_brian: Callable) -> None:
    assert "--install-completion" in ei_brian("--help").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", "{tmp}/none.h5"), ("info", "{tmp}"), ("info", "{text}"), ("train", "{tmp}/none.toml"), ("train", "{text}"),
        ("train", "{config}", "-o", "{tmp}/no/folder/model.h5"), ("train", "{config}", "-o", "{tmp}"),
        ("demo", "--backend", "nupmy", "-o", "{tmp}/report"), ("report", "{tmp}/none.h5"), ("data", "fetch"),
        ("export", "{text}", "--config", "{config}", "-o", "{tmp}/model.h5"),
    ],
    ids=lambda arguments: " ".join(arguments),
)  # fmt: skip
def test_mistakes_are_one_line_and_leave_nothing(
    ei_brian: Callable, tmp_path: Path, tiny_config: Path, arguments: tuple[str, ...]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("neither [TOML nor HDF5")
    before = sorted(tmp_path.rglob("*"))
    filled = [argument.format(tmp=tmp_path, text=text, config=tiny_config) for argument in arguments]
    shown = ei_brian(*filled)
    assert shown.code == 2
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert shown.err.startswith("ei-brian: ")
    assert "Traceback" not in shown.err
    assert sorted(tmp_path.rglob("*")) == before
