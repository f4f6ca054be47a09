"""Exit code 1 means that the verdict is no; an error of the package is 70, one line, and a traceback in a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ei_brian.cli import main as entry

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "ei_brian", *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, capture_output=True, check=False
    )


@pytest.mark.parametrize("error", [ValueError("odd \x1b[31m\nthing"), KeyError("x"), RecursionError("deep"), MemoryError()])
def test_an_unexpected_error_is_70_with_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fails() -> object:
        raise error

    monkeypatch.setattr("ei_brian.cli.app.application", fails)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(SystemExit) as stop:
        entry.main()
    assert stop.value.code == 70
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert type(error).__name__ in said
    assert "\x1b" not in said
    found = re.search(r"traceback in (\S+)", said)
    assert found is not None
    assert type(error).__name__ in Path(found[1]).read_text()


def test_a_reader_who_leaves_is_no_verdict(tmp_path: Path) -> None:
    command = f"{sys.executable} -m ei_brian info {ROOT}/models/digits_ei80.h5 --json"
    pipe = f"{command} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", pipe], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, check=False)
    assert done.returncode in (0, 141)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_a_terminal_of_another_encoding_gets_the_same_lines(tmp_path: Path, encoding: str) -> None:
    done = run("info", str(ROOT / "models" / "digits_ei80.h5"), cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert b"populations" in done.stdout


def test_paths_that_are_no_utf8_are_one_line(tmp_path: Path) -> None:
    path = os.fsdecode(bytes(tmp_path) + b"/\xff.h5")
    done = run("info", path, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    os.symlink(ROOT / "models" / "digits_ei80.h5", path)
    assert run("info", path, cwd=tmp_path).returncode == 0
    done = run("script", path, "-o", os.fsdecode(b"\xfe.py"), cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
