"""TOML becomes frozen dataclasses; what is not understood is named, with the nearest that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ei_brian.config.toml_file import from_mapping, read_toml
from ei_brian.config.training_run import read_training_run
from ei_brian.errors import ConfigError, EIBrianError

MODELS = Path(__file__).resolve().parents[2] / "models"


@dataclass(frozen=True)
class Inner:
    rate_hz: float = 1.0
    sizes: int | tuple[int, ...] = 3


@dataclass(frozen=True)
class Outer:
    name: str
    flag: bool = False
    count: int = 1
    inner: Inner = field(default_factory=Inner)
    most: int | None = None


def test_values_arrive_with_their_types() -> None:
    made = from_mapping(Outer, {"name": "a", "flag": True, "inner": {"rate_hz": 3, "sizes": [1, 2]}}, "file")
    assert made == Outer("a", True, 1, Inner(3.0, (1, 2)))
    assert isinstance(made.inner.rate_hz, float)


def test_what_was_left_out_stands_as_none_in_provenance_and_comes_back() -> None:
    assert from_mapping(Outer, {"name": "a", "most": None}, "file").most is None
    assert from_mapping(Outer, {"name": "a", "most": 3}, "file").most == 3
    with pytest.raises(ConfigError, match=r"most: 'all'; give a whole number\."):
        from_mapping(Outer, {"name": "a", "most": "all"}, "file")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "a", "flagg": True}, r"file: key: 'flagg' is not known. Did you mean 'flag'\?"),
        ({"name": "a", "inner": {"rate": 1.0}}, r"file: inner: key: 'rate' .*Did you mean 'rate_hz'\?"),
        ({}, "lacks the key 'name'"),
        ({"name": 3}, "file: name: 3; give a text in quotes"),
        ({"name": "a", "count": 1.5}, "count: 1.5; give a whole number"),
        ({"name": "a", "count": True}, "count: True; give a whole number"),
        ({"name": "a", "flag": 1}, "flag: 1; give true or false"),
        ({"name": "a", "inner": 3}, "inner: 3; give a table"),
        ({"name": "a", "inner": {"sizes": ["x"]}}, "give a whole number or a list"),
        ({"name": "a", "inner": {"rate_hz": "fast"}}, "give a number"),
    ],
)
def test_each_mistake_has_its_message(data: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_mapping(Outer, data, "file")


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"a = 1\na = 2", b"x" * 2_000_000])
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"c\.toml"):
        read_toml(path, Outer)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match="give the path of a configuration file"):
            read_toml(path, Outer)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.toml")), ids=lambda path: path.stem)
def test_committed_configurations_are_understood_and_named_like_their_file(path: Path) -> None:
    assert read_training_run(path).name == path.stem


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('name = "a b"', "cannot be used"),
        ('name = "a"\nseed = -1', "seed"),
        ('name = "a"\n[data]\nencoding = "latncy"', "Did you mean 'latency'"),
        ('name = "a"\n[training]\nepochs = 0', "training.epochs"),
        ('name = "a"\n[data]\nn_steps = 0', "at least 1 step"),
    ],
)
def test_values_out_of_range(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(EIBrianError, match=word):
        read_training_run(path)
