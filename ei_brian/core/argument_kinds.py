"""Which argument of a call is of another kind than its annotation says: asked only once a call has failed."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ei_brian.errors import shown

__all__ = ["misfit"]

ARRAYS = ("ArrayLike", "NDArray", "Floats", "FloatArray", "IntArray", "Weights", "Array")
SEQUENCES = ("Sequence", "Iterable", "Collection", "tuple", "list")
MAPPINGS = ("Mapping", "dict")
PLAIN: dict[str, tuple[type, ...]] = {"int": (int, np.integer), "str": (str,), "bool": (bool, np.bool_), "bytes": (bytes,)}


def misfit(function: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """Return what the first argument that does not fit its annotation is and what is allowed; empty if all fit.

    Parameters
    ----------
    function : callable
        With annotations; those that cannot be read here fit all.
    given : mapping
        Argument to value.
    """
    texts = {name: one.annotation for name, one in inspect.signature(function).parameters.items()}
    for name, value in given.items():
        text = texts.get(name)
        if not isinstance(text, str):
            continue
        if not _fits(ast.parse(text, mode="eval").body, value, function.__module__):
            return f"{name}: {shown(value)}; give {text.replace('npt.', '')}."
    return ""


def _fits(node: ast.expr, value: Any, module: str) -> bool:
    if isinstance(node, ast.BinOp):
        return _fits(node.left, value, module) or _fits(node.right, value, module)
    if isinstance(node, ast.Constant):
        return value is None if node.value is None else True
    if isinstance(node, ast.Subscript):
        return _parts_fit(_name(node.value), node.slice, value, module)
    return _is(_name(node), value, module)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _parts_fit(name: str, inner: ast.expr, value: Any, module: str) -> bool:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name in MAPPINGS:
        return isinstance(value, Mapping) and all(
            _fits(kind, item, module) for pair in value.items() for kind, item in zip(parts, pair, strict=False)
        )
    if name not in SEQUENCES or not _is(name, value, module):
        return _is(name, value, module)
    if not isinstance(value, (list, tuple, np.ndarray)):
        return True
    if name == "tuple" and not any(isinstance(part, ast.Constant) and part.value is ... for part in parts):
        return len(value) == len(parts) and all(_fits(part, item, module) for part, item in zip(parts, value, strict=True))
    return all(_fits(parts[0], item, module) for item in value)


def _is(name: str, value: Any, module: str) -> bool:
    """Whether a value is of the kind of a name; a name of which nothing is known fits all."""
    if name in ARRAYS:
        return _is_array(value)
    if name == "float":
        return _is_float(value)
    if name in PLAIN:
        return isinstance(value, PLAIN[name]) and (name == "bool" or not isinstance(value, bool))
    if name in SEQUENCES:
        return (isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))) or hasattr(value, "__next__")
    if name in MAPPINGS:
        return isinstance(value, Mapping)
    if name == "Callable":
        return callable(value)
    kind = _class(name, module)
    return kind is None or isinstance(value, kind)


def _is_float(value: Any) -> bool:
    if isinstance(value, (bool, complex, str, bytes)):
        return False
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return np.ndim(value) == 0


def _is_array(value: Any) -> bool:
    """Whether something is a table of numbers, or has its own way of becoming one."""
    if isinstance(value, (str, bytes, Mapping)) or value is None:
        return False
    if not isinstance(value, (list, tuple)):
        return hasattr(value, "__array__") or hasattr(value, "shape") or _is_float(value)
    try:
        return np.asarray(value).dtype.kind in "buif"
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return False


def _class(name: str, module: str) -> type | None:
    """Return the class of a name in a module, or of the package where the module imports it for annotations only."""
    places = [module, *sorted(other for other in sys.modules if other.startswith("ei_brian."))]
    found = next((vars(sys.modules[place])[name] for place in places if name in vars(sys.modules.get(place, ast))), None)
    return found if isinstance(found, type) and name != "Any" else None
