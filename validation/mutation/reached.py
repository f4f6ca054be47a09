"""Which tests reach which block of the source: one run of the fast tests with every block counted.

``python -m pytest -p validation.mutation.reached --reached FOLDER`` loads the package with one call at the start of each block
of statements in a function (its body, the branches of ``if``, ``for``, ``with``, ``try``), in memory, and writes for every test
how long it took and which blocks it began. What runs in another process is not seen; code outside functions runs on import.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

__all__ = ["ON_IMPORT", "Reached", "block_at", "blocks_of"]

PACKAGE, CALL, ON_IMPORT = "ei_brian", "__block_begins__", "on import"
BODIES = ("body", "orelse", "finalbody")


def blocks_of(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield every block of statements that runs in a function, without the docstring before it."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _inside(function)


def _inside(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in BODIES:
        statements = getattr(node, name, None)
        if isinstance(statements, list) and statements:
            yield statements
            for statement in statements:
                if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):  # walked by themselves
                    yield from _inside(statement)
    for handler in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield from _inside(handler)


def block_at(source: bytes, line: int) -> int | None:
    """Return the first line of the smallest block in which a line stands, None outside functions."""
    spans = [(block[-1].end_lineno or 0, block[0].lineno) for block in blocks_of(ast.parse(source))]
    around = [(last - first, first) for last, first in spans if first <= line <= last]
    return min(around)[1] if around else None


@dataclass(frozen=True)
class Reached:
    """What a run wrote.

    Parameters
    ----------
    folder : Path
        Where it was written.
    """

    folder: Path

    def tests(self, path: str, line: int) -> list[tuple[str, float]]:
        """Return the tests that begin a block, given by its first line, with their seconds; the quickest first.

        Also `ON_IMPORT`, where the block runs when the package or the tests are loaded.
        """
        return [(test, seconds) for seconds, test in sorted(self._by_block.get((path, line), ()))]

    @cached_property
    def _by_block(self) -> dict[tuple[str, int], set[tuple[float, str]]]:
        found: dict[tuple[str, int], set[tuple[float, str]]] = {}
        for file in sorted(self.folder.glob("*.jsonl")):
            for row in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
                test = (row["seconds"], row["test"])
                for path, lines in row["blocks"].items():
                    for line in lines:
                        found.setdefault((path, line), set()).add(test)
        return found


class _Loader(SourceFileLoader):
    """Loads a module with a call at the start of every block; nothing is kept on disk."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path))
        for block in list(blocks_of(tree)):
            first = block[0]
            call = ast.Call(ast.Name(CALL, ast.Load()), [ast.Constant((path, first.lineno))], [])
            block.insert(int(_is_docstring(first)), ast.copy_location(ast.Expr(call), first))
        return compile(ast.fix_missing_locations(tree), path, "exec")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.split(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin)
        return spec


class _Writing:
    """Writes which blocks each test began."""

    def __init__(self, folder: Path, root: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.root = folder / f"{os.getpid()}.jsonl", root
        self.blocks: set[tuple[str, int]] = set()
        self.since: float | None = None
        setattr(builtins, CALL, self.blocks.add)

    def pytest_runtest_logstart(self) -> None:
        if self.since is None:
            self._write(ON_IMPORT, 0.0)
        self.since = time.process_time()
        self.blocks.clear()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write(nodeid, time.process_time() - (self.since or 0.0))

    def _write(self, test: str, seconds: float) -> None:
        by_file: dict[str, list[int]] = {}
        for path, line in sorted(self.blocks):
            by_file.setdefault(str(Path(path).relative_to(self.root)), []).append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"test": test, "seconds": round(seconds, 3), "blocks": by_file}) + "\n")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reached", type=Path, default=None, help="folder for the blocks that each test begins")
    setattr(builtins, CALL, lambda block: None)
    sys.meta_path.insert(0, _Finder())


def pytest_configure(config: pytest.Config) -> None:
    folder: Any = config.getoption("reached")
    if folder is not None and (hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", 0)):
        config.pluginmanager.register(_Writing(folder.resolve(), config.rootpath))
