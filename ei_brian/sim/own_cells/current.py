"""The current of a synapse as an expression: what of it falls in proportion to the potential is a conductance."""

from __future__ import annotations

import ast
from collections.abc import Mapping

__all__ = ["driven_and_opened", "names_in", "renamed"]


class _NotInProportion(Exception):
    pass


def names_in(tree: ast.AST) -> set[str]:
    """Return the names in an expression, those of functions included."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def renamed(tree: ast.expr, names: Mapping[str, str]) -> str:
    """Return an expression as text with other names."""

    class Names(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            return ast.Name(names.get(node.id, node.id), ast.Load())

    return ast.unparse(Names().visit(ast.parse(ast.unparse(tree), mode="eval").body))


def driven_and_opened(current: ast.expr, v: str) -> tuple[ast.expr, ast.expr | None]:
    """Return the current at a potential of 0, and the conductance by which it falls with the potential.

    ``g*(E - v)`` is ``g*E`` and ``g``. A factor that depends on the potential, as the block of a channel, stays in both. There is
    no conductance, and all of the current is driven, where it does not depend on the potential, or has no such factor.
    """
    try:
        drive, slope = _split(current, v)
    except _NotInProportion:
        return current, None
    return (current, None) if slope is None else (_plain(drive), _plain(ast.UnaryOp(ast.USub(), slope)))


def _split(node: ast.expr, v: str) -> tuple[ast.expr, ast.expr | None]:
    """Return what a node is at a potential of 0 and what stands before the potential; None where it does not hold it."""
    if v not in names_in(node):
        return node, None
    if isinstance(node, ast.Name):
        return ast.Constant(0), ast.Constant(1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        drive, slope = _split(node.operand, v)
        return ast.UnaryOp(ast.USub(), drive), None if slope is None else ast.UnaryOp(ast.USub(), slope)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        return _sum(node, _split(node.left, v), _split(node.right, v))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for side in ("right", "left"):
            made = _factor(node, side, v)
            if made is not None:
                return made
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        made = _factor(node, "left", v)
        if made is not None:
            return made
    raise _NotInProportion


def _factor(node: ast.BinOp, side: str, v: str) -> tuple[ast.expr, ast.expr] | None:
    """Return a product or quotient whose factor on that side is split; None where that cannot be."""
    inner = node.left if side == "left" else node.right
    try:
        drive, slope = _split(inner, v)
    except _NotInProportion:
        return None
    if slope is None:
        return None

    def again(part: ast.expr) -> ast.expr:
        return ast.BinOp(part, node.op, node.right) if side == "left" else ast.BinOp(node.left, node.op, part)

    return again(drive), again(slope)


def _sum(
    node: ast.BinOp, left: tuple[ast.expr, ast.expr | None], right: tuple[ast.expr, ast.expr | None]
) -> tuple[ast.expr, ast.expr | None]:
    drive = _less(left[0], right[0]) if isinstance(node.op, ast.Sub) else ast.BinOp(left[0], node.op, right[0])
    if right[1] is None:
        return drive, left[1]
    slope = ast.UnaryOp(ast.USub(), right[1]) if isinstance(node.op, ast.Sub) else right[1]
    return drive, slope if left[1] is None else ast.BinOp(left[1], ast.Add(), slope)


def _less(left: ast.expr, right: ast.expr) -> ast.expr:
    return left if isinstance(right, ast.Constant) and right.value == 0 else ast.BinOp(left, ast.Sub(), right)


def _plain(tree: ast.expr) -> ast.expr:
    """Return an expression without factors of 1 and without double minus signs."""

    class Plain(ast.NodeTransformer):
        def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
            self.generic_visit(node)
            inner = _without_minus(node.operand) if isinstance(node.op, ast.USub) else None
            return node if inner is None else self.visit(inner)

        def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
            self.generic_visit(node)
            if isinstance(node.op, (ast.Mult, ast.Div)) and _is_one(node.right):
                return node.left
            return node.right if isinstance(node.op, ast.Mult) and _is_one(node.left) else node

    made: ast.expr = Plain().visit(ast.parse(ast.unparse(tree), mode="eval").body)
    return made


def _without_minus(node: ast.expr) -> ast.expr | None:
    """Return what a product with a minus sign in it is without that; None where there is none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return node.operand
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        left, right = _without_minus(node.left), _without_minus(node.right)
        if left is not None:
            return ast.BinOp(left, node.op, node.right)
        return None if right is None else ast.BinOp(node.left, node.op, right)
    return None


def _is_one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1
