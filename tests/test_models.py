"""The trained networks that come with the package are what their cards say, and do what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

import ei_brian
from ei_brian.config.data_settings import data_of
from ei_brian.core.reference import simulate
from ei_brian.core.transform.cell_stand import stand_table, where_cells_stand
from ei_brian.errors import StorageError
from ei_brian.report.facts import figures_of
from ei_brian.report.words import percent
from ei_brian.storage import load_spec

MODELS = Path(__file__).resolve().parents[1] / "models"
FILES = sorted(MODELS.glob("*.h5"))


def test_every_configuration_and_recipe_has_its_model() -> None:
    sources = {path.stem for path in (*MODELS.glob("*.toml"), *MODELS.glob("*.py"))} - {"build", "recipe"}
    assert sources == {path.stem for path in FILES}
    assert len(sources) >= 8


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_card_and_table_belong_to_the_file(path: Path) -> None:
    spec = load_spec(path)
    card, table = path.with_suffix(".md").read_text(), (MODELS / "README.md").read_text()
    assert spec.name == path.stem
    assert spec.sha256 in card
    stands = where_cells_stand(spec)
    assert (stand_table(stands) in card) if stands else ("Where the cells stand" not in card)
    accuracy = percent(figures_of(spec)["test_accuracy"])
    assert any(line.startswith(f"| [{path.stem}]({path.stem}.md)") and accuracy in line for line in table.splitlines())


@pytest.mark.parametrize("path", [path for path in FILES if path.stem.startswith("digits")], ids=lambda path: path.stem)
def test_accuracy_and_rates_are_those_of_the_card(path: Path) -> None:
    spec = load_spec(path)
    figures = figures_of(spec)
    _, test_set = data_of(spec).load()
    assert test_set.sha256 == figures["test_set_sha256"]
    recording = simulate(spec, test_set)
    assert recording.accuracy == pytest.approx(figures["test_accuracy"], abs=1e-6)  # rounded to six digits
    for name, rate in figures["rates_hz"].items():
        assert recording.rate_hz(name) == pytest.approx(rate, abs=1e-3)  # rounded to three digits


def test_a_shipped_model_is_found_by_name_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ei_brian.load("digits_ei80").sha256 == load_spec(MODELS / "digits_ei80.h5").sha256
    with pytest.raises(StorageError, match="digits_ei80"):
        ei_brian.load("digits_ei8")
    with pytest.raises(StorageError):
        ei_brian.load("digits_ei80.h5")  # a file name is a file
