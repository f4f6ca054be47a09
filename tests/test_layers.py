"""Which part of the package may import what, read from the syntax trees."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "ei_brian"
SHELL = {"storage", "config", "report", "cli", "errors", "__init__", "__main__"}
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    # part: (parts of ei_brian, libraries); the standard library and errors are open to all
    "core": ({"core"}, {"numpy", "scipy", "tqdm"}),
    "data": ({"data", "core", "storage"}, {"numpy", "scipy", "sklearn", "h5py"}),
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
DECLARED = {("core/spec.py", "storage")}  # NetworkSpec.save: a convenience, imported when called
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            yield node.module or ""
            if node.module == "ei_brian":
                yield from (f"ei_brian.{alias.name}" for alias in node.names)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_imports_only_what_its_layer_may(path: Path) -> None:
    part = part_of(path)
    assert part in LAYERS or part in SHELL, f"{part} belongs to no layer: add it to the table"
    if part in SHELL:
        return
    parts, libraries = LAYERS[part]
    for name in imports(path):
        root, *rest = name.split(".")
        if root == "ei_brian":
            target = rest[0] if rest else ""
            allowed = target in parts | {"errors"} or (str(path.relative_to(PACKAGE)), target) in DECLARED
        else:
            allowed = root in libraries or root in sys.stdlib_module_names
        assert allowed, f"{part} may not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_torch_and_brian2_never_meet_in_one_file(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert not {"torch", "brian2"} <= roots


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_assert_no_pickle_no_broad_except(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: assert belongs into tests"
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            assert not broad or raises, f"line {node.lineno}: an except that swallows everything"
        if isinstance(node, ast.ImportFrom) and node.module == "pickle":
            assert [alias.name for alias in node.names] == ["UnpicklingError"], f"line {node.lineno}: nothing is unpickled"
        if isinstance(node, ast.Import):
            assert not {"pickle", "dill", "cloudpickle", "joblib"} & {alias.name.split(".")[0] for alias in node.names}
