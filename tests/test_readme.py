"""The example of the README runs as it stands there, shortened to two epochs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_lead_to_files_of_this_repository() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README) + re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert len(targets) >= 6
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.slow
def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    assert "epochs=30" in code
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace("epochs=30", "epochs=2"), "README.md", "exec"), {})  # noqa: S102
    accuracies = [float(text) for text in re.findall(r"accuracy (\S+),", capsys.readouterr().out)]
    assert len(accuracies) == 2
    assert accuracies[0] > 0.5, "two epochs decide most digits right"
    assert (tmp_path / "digits.h5").is_file()
