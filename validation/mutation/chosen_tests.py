"""Which tests are nearest to a place of the source: those that reach it, or, for what runs on import, by what they name."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from validation.mutation.reached import ON_IMPORT, Reached, block_at

__all__ = ["Tests", "symbol_at"]

DIRECT, NAMED, PUBLIC, NEAR, PUBLISHED = 4, 6, 3, 1, 5
RECORDED = ("tests/published/", "tests/interop/test_small_cases.py")  # figures of papers, and what frameworks gave
FAR = 5  # files between a test and a place of the source
MOST, NEAREST = 400, 8
QUICK_S, QUICK_FILES = 10.0, 4  # of the tests that are run first


@dataclass(frozen=True, slots=True)
class _Test:
    node_id: str
    file: str
    names: frozenset[str]


@dataclass(frozen=True)
class Tests:
    """The tests of a repository.

    Parameters
    ----------
    root : Path
        Of the repository.
    reached : Reached
        The blocks that each test reaches.
    """

    root: Path
    reached: Reached

    def chosen(self, path: str, line: int) -> tuple[list[str], list[str]]:
        """Return the tests to run first and those to run then, by node id.

        In a function: those that reach the block of the line, from the files that import its file and of which many quick tests
        reach it, first a few files. Outside functions, in what runs on import, and where no test of this process gets: by names.
        """
        block = block_at((self.root / path).read_bytes(), line)
        found = self.reached.tests(path, block) if block is not None else []
        if not found or ON_IMPORT in dict(found):
            near = self.nearest(path, line)
            return ["tests/published", *near[:NEAREST]], near[NEAREST:]
        return self._quick_first(path, found)

    def _quick_first(self, path: str, found: list[tuple[str, float]]) -> tuple[list[str], list[str]]:
        module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        by_file: dict[str, list[tuple[float, str]]] = {}
        for test, seconds in found:
            by_file.setdefault(test.partition("::")[0], []).append((seconds, test))
        ranked = sorted(by_file, key=lambda file: (module not in self._imports.get(file, ()), sorted(by_file[file])[0], file))
        first, then = [], []
        for rank, file in enumerate(ranked):
            spent = 0.0
            for seconds, test in sorted(by_file[file]):
                spent += seconds
                (first if rank < QUICK_FILES and spent < QUICK_S / QUICK_FILES else then).append(test)
        return first, then[:MOST]

    def nearest(self, path: str, line: int, most: int = 150) -> list[str]:
        """Return the node ids of the tests nearest to a line of a file, nearest first; of those equally near, in order of files.

        Near is a test that names the function, class or constant in which the line stands (in its body, or in that of a helper
        that it names), another public name of that file, or whose file imports that file; less near is one that imports or names
        what uses that file, the less the more files lie between. The published constants are near to all, and the spikes that
        frameworks gave to all of the core.
        """
        symbol, public = symbol_at(self.root / path, line)
        module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        users = self._users(module)
        scored = []
        for test in self._tests:
            imports = self._imports[test.file]
            score = DIRECT * (module in imports) + NAMED * (symbol in test.names) + PUBLIC * bool(public & test.names)
            score += PUBLISHED * test.file.startswith(RECORDED if path.startswith("ei_brian/core/") else RECORDED[:1])
            score += next((near for near, modules, names in users if modules & imports or names & test.names), 0.0)
            if score:
                scored.append((-score, test.node_id))
        return [node_id for _, node_id in sorted(scored)[:most]]

    def _users(self, module: str) -> list[tuple[float, frozenset[str], frozenset[str]]]:
        """Return the modules that use a module, directly or through others, with their public names; nearest first."""
        found, seen, edge = [], {module}, {module}
        for far in range(FAR):
            edge = {name for name, imported in self._package_imports.items() if imported & edge} - seen
            seen |= edge
            named = frozenset[str]().union(*(self._public[name] for name in edge))
            found.append((NEAR * 0.5**far, frozenset(edge), named))
        return found

    @cached_property
    def _trees(self) -> dict[str, ast.Module]:
        files = sorted((self.root / "tests").rglob("*.py"))
        return {str(file.relative_to(self.root)): ast.parse(file.read_bytes()) for file in files}

    @cached_property
    def _imports(self) -> dict[str, frozenset[str]]:
        """Modules of the package that a test file imports, also through other files of the tests."""
        own = {file: frozenset(_imported(tree)) for file, tree in self._trees.items()}
        through = {file.removesuffix(".py").replace("/", "."): names for file, names in own.items()}
        return {file: names.union(*(through.get(name, frozenset()) for name in names)) for file, names in own.items()}

    @cached_property
    def _package_imports(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(_imported(ast.parse(path.read_bytes()))) for name, path in self._modules.items()}

    @cached_property
    def _public(self) -> dict[str, frozenset[str]]:
        """Public classes and functions of every module of the package, of names that are not everyday words."""
        return {name: frozenset(filter(_telling, symbol_at(path, 0)[1])) for name, path in self._modules.items()}

    @cached_property
    def _modules(self) -> dict[str, Path]:
        files = {str(file.relative_to(self.root)): file for file in sorted((self.root / "ei_brian").rglob("*.py"))}
        return {name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): file for name, file in files.items()}

    @cached_property
    def _tests(self) -> tuple[_Test, ...]:
        files = {file: tree for file, tree in self._trees.items() if Path(file).name.startswith("test_")}
        return tuple(test for file, tree in files.items() for test in _tests(file, tree))


def symbol_at(path: Path, line: int) -> tuple[str, frozenset[str]]:
    """Return the name of the top-level function, class or constant in which a line stands, and all public ones of the file."""
    symbol, public = "", set()
    for node in ast.parse(path.read_bytes()).body:
        names = _defined(node)
        public |= {name for name in names if not name.startswith("_")}
        if names and node.lineno <= line <= (node.end_lineno or node.lineno):
            symbol = names[0]
    return symbol, frozenset(public)


def _telling(name: str) -> bool:
    """Whether a name is seldom anything else: several words, or a class."""
    return "_" in name.strip("_") or not name.islower()


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _tests(file: str, tree: ast.Module) -> Iterator[_Test]:
    helpers = {node.name: _names([node]) for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        inner: Iterable[ast.stmt] = node.body if isinstance(node, ast.ClassDef) else [node]
        owner = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for test in inner:
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test"):
                own = _names([test])
                names = own.union(*(helpers[name] for name in own & helpers.keys()))
                yield _Test(f"{file}::{owner}{test.name}", file, frozenset(names))


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    found: set[str] = set()
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.keyword) and node.arg:
                found.add(node.arg)
    return found
