"""Deliberate faults: small changes of one place of the source that should change what the package computes."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PARTS", "Fault", "compiles", "draw", "faults_of"]

PARTS = ("core", "sim", "learn", "measure", "interop")
COMPARISONS = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
OPERATIONS = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "/", ast.Pow: "*"}
SYMBOLS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Pow: "**"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One change.

    Parameters
    ----------
    path : str
        File, from the root of the repository.
    line : int
        Where it begins, from 1.
    start, end : int
        Bytes of the file that are replaced.
    kind : str
        What was done.
    before, after : str
        Text there and in its place.
    """

    path: str
    line: int
    start: int
    end: int
    kind: str
    before: str
    after: str

    def planted(self, source: bytes) -> bytes:
        """Return the file with the fault."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def faults_of(path: Path, root: Path) -> Iterator[Fault]:
    """Yield every fault of a file, whether it `compiles` or not; docstrings, annotations and ``__all__`` are left alone."""
    source = path.read_bytes()
    begins = [0]
    for line in source.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    tree = ast.parse(source)

    def text(part: Any) -> str:
        return source[begins[part.lineno - 1] + part.col_offset : begins[part.end_lineno - 1] + part.end_col_offset].decode()

    skipped = _not_computed(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        for kind, where, after in _changes(node, text):
            start = begins[where.lineno - 1] + where.col_offset
            end = begins[where.end_lineno - 1] + where.end_col_offset
            fault = Fault(str(path.relative_to(root)), where.lineno, start, end, kind, source[start:end].decode(), after)
            if fault.before != after:
                yield fault


def draw(root: Path, n: int, seed: int) -> list[Fault]:
    """Return ``n`` faults: parts in turn, files by their number of places, so that no part is left out."""
    rng = random.Random(seed)
    places = {part: [f for p in sorted((root / "ei_brian" / part).rglob("*.py")) for f in faults_of(p, root)] for part in PARTS}
    for found in places.values():
        rng.shuffle(found)
    drawn = {part: (fault for fault in found if compiles(root, fault)) for part, found in places.items()}
    return [next(drawn[PARTS[i % len(PARTS)]]) for i in range(n)]


def _changes(node: ast.AST, text: Callable[[Any], str]) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        yield "comparison", node, f"{text(node.left)} {COMPARISONS[type(node.ops[0])]} {text(node.comparators[0])}"
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS and not isinstance(node.left, ast.Constant | ast.JoinedStr):
        yield "operation", node, f"{text(node.left)} {OPERATIONS[type(node.op)]} {text(node.right)}"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield "sign or not dropped", node, text(node.operand)
    elif isinstance(node, ast.BoolOp):
        yield "one side only", node, text(node.values[0])
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "constant", node, str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        other = node.value + 1 if isinstance(node.value, int) else (node.value * 10 or 1e-3)
        yield "constant", node, repr(other)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from _in_text(node, text(node))
    elif isinstance(node, ast.IfExp):
        yield "branches swapped", node, f"{text(node.orelse)} if {text(node.test)} else {text(node.body)}"
    elif isinstance(node, ast.If) and not node.orelse:
        yield "condition never true", node.test, "False"
    elif isinstance(node, ast.Call) and len(node.args) == 2 and not node.keywords and not any(map(_starred, node.args)):
        yield "arguments swapped", node, f"{text(node.func)}({text(node.args[1])}, {text(node.args[0])})"


def _starred(node: ast.expr) -> bool:
    return isinstance(node, ast.Starred)


def _in_text(node: ast.Constant, written: str) -> Iterator[tuple[str, ast.expr, str]]:
    """Change the first operation in the text of an equation."""
    for before, after in ((" + ", " - "), (" - ", " + "), ("*", "/")):
        if before in written:
            yield "operation in a text", node, written.replace(before, after, 1)
            return


def _not_computed(tree: ast.Module) -> set[int]:
    """Return the nodes that decide nothing at run time, and texts of messages."""
    found: set[int] = set()
    for node in ast.walk(tree):
        roots: list[ast.AST] = []
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            roots.append(node.body[0])
        if isinstance(node, ast.FunctionDef):
            roots += [a.annotation for a in ast.walk(node.args) if isinstance(a, ast.arg) and a.annotation]
            roots += [node.returns] if node.returns else []
            roots += node.decorator_list
        if isinstance(node, ast.ClassDef):
            roots += node.decorator_list
        if isinstance(node, ast.AnnAssign):
            roots.append(node.annotation)
        if isinstance(node, ast.Raise | ast.JoinedStr):
            roots.append(node)
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            roots.append(node)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            roots.append(node)
        found |= {id(inner) for root in roots for inner in ast.walk(root)}
    return found


def compiles(root: Path, fault: Fault) -> bool:
    """Return whether a file with a fault is Python still."""
    try:
        compile(fault.planted((root / fault.path).read_bytes()), "planted", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
