"""Running the command line inside the test process, and a tiny model for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from ei_brian.cli.main import main

QUICK = """
name = "tiny"
[data]
n_steps = 40
[network]
n_exc = 24
n_inh = 6
[training]
epochs = 1
batch_size = 128
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def ei_brian(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Return a function that runs ``ei-brian`` with arguments and gives exit code and output."""

    def leave() -> NoReturn:
        sys.exit(130)

    monkeypatch.setattr("ei_brian.cli.main._end_at_once", leave)  # it ends the whole process

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["ei-brian", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(QUICK)
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, tiny_config: Path) -> Path:
    """Return a model file of a small network trained for one epoch on digits."""
    from ei_brian.config.trained import train_from
    from ei_brian.config.training_run import read_training_run
    from ei_brian.storage import save_spec

    path = tmp_path_factory.mktemp("model") / "tiny.h5"
    save_spec(train_from(read_training_run(tiny_config), progress=False).spec, path)
    return path
