"""A call with six arguments or more names the later ones: nobody counts positions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "gradflow"
TREES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))
}
MOST = 5
_ANY_NUMBER = {
    node.name
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.FunctionDef) and node.args.vararg is not None
}
"""Functions that take any number of arguments of one meaning, as ``print`` does."""


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls of a module by position alone, those of functions of any number left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            name = name.id if isinstance(name, ast.Name) else name
            if name not in _ANY_NUMBER:
                yield node


def test_no_call_has_six_positional_arguments() -> None:
    long = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path, tree in TREES.items()
        for call in calls(tree)
        if len(call.args) > MOST
    ]

    assert not long


def test_no_line_has_more_than_100_characters() -> None:
    """Ruff lets a line pass that it cannot break, as a long word or a comment for a tool."""
    long = [
        f"{path.relative_to(PACKAGE)}:{number}"
        for path in TREES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 100
    ]

    assert not long
