"""The Python of the documentation runs as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDS = {"howto/bring_your_network.md": "snntorch"}
PAGES = (
    "get_started.md", "howto/add_a_neuron_model.md", "howto/add_a_noise.md", "howto/figures.md", "howto/perturb.md",
    "howto/any_task.md", "howto/long_activity.md", "howto/learning_synapses.md",
    "howto/from_brian2.md", "howto/from_recordings.md", *NEEDS,
)  # fmt: skip


def code_of(page: str) -> str:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_code_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
    (tmp_path / "models").mkdir()
    for model in (ROOT / "models").glob("*.h5"):
        shutil.copy(model, tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    code = code_of(page)
    assert code
    exec(compile(code, page, "exec"), {"__name__": "page"})  # noqa: S102 - our own pages


def test_the_gallery_shows_every_cell_type() -> None:
    from ei_brian.models import CELL_TYPES

    page = (ROOT / "docs" / "concepts" / "cell_types.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")]
    assert [name for name in rows if name not in ("type", "---")] == list(CELL_TYPES)
    images = re.findall(r"{image} (\S+)", page)
    assert len(images) == 8
    assert all((ROOT / "docs" / "concepts" / image).is_file() for image in images)
