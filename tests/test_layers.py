"""Which part of the package may import what, read from the syntax trees."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.doors import doors, marked

PACKAGE = Path(__file__).resolve().parents[1] / "ei_brian"
FACADES = {"io", "measures", "models", "network", "noise", "studies", "training", "transforms"}
SHELL = {"storage", "exchange", "config", "report", "cli", "errors", "lazy_names", "__init__", "__main__"} | FACADES
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    # part: (parts of ei_brian, libraries); the standard library and errors are open to all
    "core": ({"core"}, {"numpy", "scipy", "tqdm"}),
    "data": ({"data", "core", "storage", "toolchain"}, {"numpy", "scipy", "sklearn", "h5py"}),
    "toolchain": ({"toolchain"}, set()),
    "learn": ({"learn", "core", "toolchain"}, {"numpy", "scipy", "torch", "tqdm"}),
    "interop": (
        {"interop", "core", "storage"},
        {"numpy", "scipy", "torch", "h5py", "nir", "snntorch", "norse", "spikingjelly"},
    ),
    "sim": ({"sim", "core", "toolchain"}, {"numpy", "scipy", "brian2", "brian2cuda", "tqdm", "Cython"}),
    "measure": ({"measure", "core"}, {"numpy", "scipy", "elephant", "neo", "quantities", "pyspike", "sklearn"}),
    "study": ({"study", "core", "measure", "data"}, {"numpy", "scipy", "dask", "distributed", "pandas", "tqdm"}),
}
# storage is open to data and interop for its guard: every HDF5 file of a stranger is read through it
# NetworkSpec.save and the exports of a recording: conveniences, imported when they are called
DECLARED = {("core/spec.py", "storage"), ("core/recording.py", "exchange"), ("core/stimulus.py", "exchange")}
FILES = sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module that a file imports, wherever in it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            yield node.module or ""
            if node.module == "ei_brian":
                yield from (f"ei_brian.{alias.name}" for alias in node.names)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def wrong_imports(path: Path) -> Iterator[str]:
    """Yield what a file imports that its layer may not."""
    part = part_of(path)
    if part in SHELL:
        return
    if part not in LAYERS:
        yield f"{part} belongs to no layer: add it to the table"
        return
    parts, libraries = LAYERS[part]
    for name in imports(path):
        root, *rest = name.split(".")
        if root == "ei_brian":
            target = rest[0] if rest else ""
            allowed = target in parts | {"errors", "lazy_names"} or (str(path.relative_to(PACKAGE)), target) in DECLARED
        else:
            allowed = root in libraries or root in sys.stdlib_module_names
        if not allowed:
            yield f"{part} may not import {name}"


def torch_beside_brian2(path: Path) -> Iterator[str]:
    if {"torch", "brian2"} <= {name.split(".")[0] for name in imports(path)}:
        yield "torch and brian2 meet in this file"


def unsafe_code(path: Path) -> Iterator[str]:
    """Yield each assert, each unpickling and each except that swallows everything."""
    for node in ast.walk(tree_of(path)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Assert):
            yield f"line {line}: assert belongs into tests"
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
            if broad and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
                yield f"line {line}: an except that swallows everything"
        named = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) and node.module == "pickle" else []
        if set(named) - {"UnpicklingError"}:
            yield f"line {line}: nothing is unpickled"
        if isinstance(node, ast.Import) and {"pickle", "dill", "cloudpickle", "joblib"} & {
            alias.name.split(".")[0] for alias in node.names
        }:
            yield f"line {line}: nothing is unpickled"


@pytest.mark.parametrize("rule", [wrong_imports, torch_beside_brian2, unsafe_code], ids=lambda rule: rule.__name__)
def test_every_file_of_the_package_keeps_the(rule: Callable[[Path], Iterator[str]]) -> None:
    assert FILES
    assert [f"{path.relative_to(PACKAGE)}: {fault}" for path in FILES for fault in rule(path)] == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (wrong_imports, "import brian2"),
        (wrong_imports, "def late():\n    from ei_brian import sim"),
        (torch_beside_brian2, "import torch.nn\nfrom brian2 import ms"),
        (unsafe_code, "assert True"),
        (unsafe_code, "try:\n    pass\nexcept Exception:\n    pass"),
        (unsafe_code, "import pickle"),
        (unsafe_code, "from pickle import loads"),
    ],
)
def test_a_planted_fault_is_found(
    rule: Callable[[Path], Iterator[str]], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    path = tmp_path / "core" / "planted.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    assert len(list(rule(path))) >= 1


def test_everything_that_takes_numbers_stands_behind_takes_numbers() -> None:
    """See `ei_brian.core.plain_numbers`; tests/test_doors.py tries each."""
    by_hand = {"Noise", "Noise.of"}  # whose units are those of the table of kinds
    open_doors = [f"{path}:{name}" for path, name, node in doors() if not marked(node) and name not in by_hand]
    assert not open_doors, f"mark {open_doors} with @takes_numbers(), or name in tests/doors.py what only the package calls"
