"""``ei-brian import`` and ``ei-brian script``, from a file of a framework to a script that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ei_brian.interop.nir_writer import to_nir
from ei_brian.storage import load_spec
from tests.cli.conftest import ei_brian  # noqa: F401 - a fixture
from tests.interop.networks import CASES, architecture
from tests.interop.small_cases import small_spec, stored

NAME = "snntorch-RLeaky-zero"


def toml(path: Path) -> Path:
    described = architecture(CASES[NAME])
    lines = [f'framework = "{described["framework"]}"', f"input_shape = {described['input_shape']}", "dt_ms = 1.0"]
    for layer in described["layers"]:
        lines += ["[[layers]]", *(f"{key} = {json.dumps(value)}" for key, value in layer.items())]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_state_dict_to_model_to_script(ei_brian: Callable, tmp_path: Path) -> None:  # noqa: F811
    start = f"{NAME}/state/"
    np.savez(tmp_path / "net.npz", **{key.removeprefix(start): value for key, value in stored().items() if key.startswith(start)})
    layers = toml(tmp_path / "net.toml")
    shown = ei_brian("import", tmp_path / "net.npz", "--from", "snntorch", "--architecture", layers, "-o", tmp_path / "net.h5")
    assert shown.code == 0, shown.err
    assert "Dale's law" in shown.out
    spec = load_spec(tmp_path / "net.h5")
    assert spec.sha256 == small_spec(NAME).sha256
    split = ("--split-by-sign", "-o", tmp_path / "split.h5")
    assert ei_brian("import", tmp_path / "net.npz", "--from", "snntorch", "--architecture", layers, *split).code == 0
    assert {"exc", "inh"} <= {population.role for population in load_spec(tmp_path / "split.h5").populations}
    assert ei_brian("script", tmp_path / "net.h5", "-o", tmp_path / "net.py").code == 0
    assert compile((tmp_path / "net.py").read_text(encoding="utf-8"), "net.py", "exec")


def test_nir_to_model(ei_brian: Callable, tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip("nir")
    to_nir(small_spec(NAME), tmp_path / "net.nir")
    shown = ei_brian("import", tmp_path / "net.nir", "--from", "nir", "-o", tmp_path / "net.h5", "--json")
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)["sha256"] == small_spec(NAME).sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{npz}", "--from", "keras"), "'keras' is not known"), (("{npz}", "--from", "snntorch"), "--architecture"),
        (("{npz}", "--from", "nir"), ".nir"), (("{npz}", "--from", "norse", "--architecture", "{toml}"), "must agree"),
        (("{npz}", "--from", "snntorch", "--architecture", "{toml}", "--reset", "zero"), "--reset"),
        (("{none}", "--from", "nir"), "No such file|cannot"), (("{npz}.nir", "--from", "nir"), "No such file|cannot"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value)[:40],
)  # fmt: skip
def test_mistakes_are_one_line(ei_brian: Callable, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:  # noqa: F811
    import re

    np.savez(tmp_path / "net.npz", x=np.zeros(2))
    names = {"npz": tmp_path / "net.npz", "toml": toml(tmp_path / "net.toml"), "none": tmp_path / "none.nir"}
    shown = ei_brian("import", *(item.format(**names) for item in arguments), "-o", tmp_path / "net.h5")
    assert shown.code == 2
    assert re.search(message, shown.err), shown.err
    assert len(shown.err.strip().splitlines()) == 1
