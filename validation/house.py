"""The house in figures, read from the sources: ``python -m validation.house`` prints them.

Sizes of files and functions; circles of imports, module by module, at the top of files (imports within functions keep
``import ei_brian`` light); files that call ``compose``, comparisons with the name of a backend, public names. Run it before and
after a change of the structure.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

PACKAGE = Path(__file__).resolve().parents[1] / "ei_brian"
Functions = ast.FunctionDef | ast.AsyncFunctionDef


def module_of(path: Path) -> str:
    """Return the dotted name of a file."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_at_top(tree: ast.Module, known: frozenset[str]) -> set[str]:
    """Return the modules of the package that a file imports when it is loaded."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & known) or {node.module}
    return found & known


def import_graph(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Return which module of the package imports which when it is loaded."""
    trees = {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))}
    return {name: imported_at_top(tree, frozenset(trees)) - {name} for name, tree in trees.items()}


def circles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Return the strongly connected groups of more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(tuple(sorted(group)))

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def lines_of_code(node: ast.AST, text: list[str]) -> int:
    """Return the lines of a function that are neither empty, comment nor docstring."""
    body = node.body  # type: ignore[attr-defined]
    first = body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    skipped = range(first.lineno, first.end_lineno + 1) if is_text else range(0)
    numbers = range(node.lineno, node.end_lineno + 1)  # type: ignore[attr-defined]
    return sum(1 for k in numbers if k not in skipped and text[k - 1].strip() and not text[k - 1].lstrip().startswith("#"))


def functions() -> Iterator[tuple[int, str]]:
    """Yield (lines of code, place) of every function of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Functions):
                yield lines_of_code(node, text.splitlines()), f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}"


def calls(name: str) -> int:
    """Return how many files of the package call a function of that name."""
    count = 0
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        count += any(
            isinstance(n, ast.Call) and getattr(n.func, "id", getattr(n.func, "attr", "")) == name for n in ast.walk(tree)
        )
    return count


def comparisons_with(names: frozenset[str]) -> int:
    """Return how often the package compares something with one of these texts."""
    count = 0
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                sides = (node.left, *node.comparators)
                count += any(isinstance(side, ast.Constant) and side.value in names for side in sides)
    return count


def main() -> int:
    """Print the figures; 1 if there is a circle."""
    import ei_brian

    files = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    sizes = sorted(functions())
    lines = np.array([size for size, _ in sizes])
    found = circles(import_graph())
    backends = frozenset({"numpy", "cython", "cpp_standalone", "cuda_standalone", "reference"})
    longest = max(files, key=lambda path: files[path])
    print(f"files                          {len(files)}, {sum(files.values())} lines, longest {files[longest]} ({longest.name})")
    print(f"functions                      {len(lines)}, 90 % up to {np.percentile(lines, 90):.0f} lines of code")
    print(f"functions above 40 lines       {', '.join(f'{place} ({size})' for size, place in sizes if size > 40) or 'none'}")
    print(f"circles of imports             {'; '.join(' <-> '.join(group) for group in found) or 'none'}")
    print(f"files that call compose        {calls('compose')}")
    print(f"comparisons with a backend     {comparisons_with(backends)}")
    public = sum(len(vars(__import__(f"ei_brian.{name}", fromlist=["x"]))["__all__"]) for name in ei_brian.FACADES)
    print(f"public names                   {len(ei_brian.__all__)} at the top level, {public} in {len(ei_brian.FACADES)} modules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
