"""Read in the source of a gradient function for which inputs it always returns None."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any


def none_positions(function: Callable[..., Any], inputs: int) -> frozenset[int]:
    """Return the positions below ``inputs`` at which every ``return`` of ``function`` has the
    literal None.

    A position that a return builds in any other way than by a literal counts as gradient; an
    unreadable function (a lambda in a call, C code) returns nothing.
    """
    definition = _definition(function)
    if definition is None:
        return frozenset()
    returns = [_positions(value, inputs) for value in _returned(definition)]
    return frozenset.intersection(*returns) if returns else frozenset()


def always_raises(function: Callable[..., Any]) -> bool:
    """Tell whether ``function`` raises on every way through it."""
    definition = _definition(function)
    if definition is None:
        return False
    return any(isinstance(node, ast.Raise) for node in definition.body) and not any(
        _returned(definition)
    )


def _definition(function: Callable[..., Any]) -> ast.FunctionDef | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    return next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), None)


def _returned(definition: ast.FunctionDef) -> Iterator[ast.expr | None]:
    """Yield the values that ``definition`` returns, those of functions defined inside left out."""
    todo: list[ast.AST] = list(definition.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Return):
            yield node.value
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            todo.extend(ast.iter_child_nodes(node))


def _positions(value: ast.expr | None, inputs: int) -> frozenset[int]:
    everything = frozenset(range(inputs))
    if value is None or _is_none(value):
        return everything
    items = _items(value, inputs)
    return frozenset(i for i, item in enumerate(items or []) if _is_none(item)) & everything


def _items(value: ast.expr, inputs: int) -> list[ast.expr] | None:
    """Return the entries of a list that is spelled out; also ``[None] * n`` and ``[x] + [None] *
    n``."""
    if isinstance(value, (ast.List, ast.Tuple)):
        return (
            list(value.elts)
            if not any(isinstance(item, ast.Starred) for item in value.elts)
            else None
        )
    if not isinstance(value, ast.BinOp):
        return None
    left = _items(value.left, inputs)
    if isinstance(value.op, ast.Mult) and left is not None:
        times = value.right.value if isinstance(value.right, ast.Constant) else inputs
        return left * times if isinstance(times, int) else None
    right = _items(value.right, inputs) if isinstance(value.op, ast.Add) else None
    return left + right if left is not None and right is not None else None


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
