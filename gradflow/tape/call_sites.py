"""Find the line of the user's code that calls a function of keras.ops on symbolic tensors.

Keras keeps no stack of such a call, so that the modules are searched for it which ask for the
analysis, and those that they import. A line is told only where it is the only one that can be
meant.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import keras

from gradflow.files.frames import Frame, user_source

_OPERATORS = frozenset(
    "absolute add divide equal floor_divide get_item greater greater_equal less less_equal "
    "logical_and logical_not logical_or logical_xor matmul mod multiply negative not_equal power "
    "subtract true_divide".split()
)
"""Functions that a sign calls as well, such as ``<``: no name is there to be found."""
_BRANCHES = (ast.For, ast.While, ast.If, ast.Try, ast.comprehension)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def call_sites(model: Any, libraries: Sequence[str]) -> Mapping[int, Frame]:
    """Return the file and line of the call, by the ``id`` of the operation; empty for a model that
    was built from a configuration, as one that was loaded.

    ``libraries``: folders whose files are not the user's.
    """
    layer = keras.layers.Layer
    called: dict[str, list[Any]] = {}
    for owner in model._flatten_layers():
        if isinstance(owner, keras.layers.InputLayer) and _is_configured(owner):
            return {}
        for operation in getattr(owner, "operations", ()):
            if not isinstance(operation, layer):
                called.setdefault(_function_of(operation), []).append(operation)
    called = {name: operations for name, operations in called.items() if name not in _OPERATORS}
    if not called:
        return {}
    calls = [call for module in _modules(libraries) for call in _calls(module, set(called))]
    sites: dict[int, Frame] = {}
    for name, operations in called.items():
        found = [call for call in calls if call.function == name]
        if len(found) == 1:
            sites.update((id(operation), found[0].frame) for operation in operations)
        elif len(found) == len(operations) and len({call.scope for call in found}) == 1:
            in_order = sorted(dict.fromkeys(operations), key=_number)
            if all(call.is_run_once for call in found):
                sites.update(
                    (id(operation), call.frame)
                    for operation, call in zip(in_order, found, strict=False)
                )
    return sites


class _Call:
    """One call in the text of a module."""

    def __init__(self, function: str, frame: Frame, ancestors: Sequence[ast.AST]) -> None:
        scopes = [number for number, node in enumerate(ancestors) if isinstance(node, _SCOPES)]
        inside = ancestors[scopes[-1] :] if scopes else ancestors
        self.function = function
        self.frame = frame
        self.scope = id(inside[0])
        self.is_run_once = not any(isinstance(node, _BRANCHES) for node in inside)


def _is_configured(layer: Any) -> bool:
    """Return whether an InputLayer was made from a configuration: ``keras.Input(shape)`` was not
    called for it (Keras 3.15)."""
    config = getattr(getattr(layer, "_auto_config", None), "config", {})
    return config.get("shape") is None


def _function_of(operation: Any) -> str:
    """Return the name of the function that makes such an operation: ``stop_gradient``."""
    name = type(operation).__name__
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return snake if callable(getattr(keras.ops, snake, None)) else ""


def _number(operation: Any) -> int:
    """Return the number at the end of a name that Keras gave: they are counted as they are
    made."""
    match = re.search(r"_(\d+)$", operation.name)
    return int(match[1]) if match else 0


def _modules(libraries: Sequence[str]) -> Sequence[ModuleType]:
    """Return the user's modules that are running now, and those that they know by name: a module
    that they do not know has not built their model. Each file once."""
    modules: dict[str, ModuleType] = {}
    stack = [frame for frame, _ in traceback.walk_stack(None)]
    waiting = [sys.modules.get(str(frame.f_globals.get("__name__"))) for frame in stack]
    while waiting:
        module = waiting.pop()
        file = getattr(module, "__file__", None)
        if (
            isinstance(module, ModuleType)
            and isinstance(file, str)
            and file.endswith(".py")
            and file not in modules
            and user_source([(file, 1)], libraries) is not None
        ):
            modules[file] = module
            waiting += [_module_of(value) for value in list(vars(module).values())]
    return list(modules.values())


def _module_of(value: Any) -> ModuleType | None:
    if isinstance(value, ModuleType):
        return value
    is_defined = isinstance(value, FunctionType | type)
    return sys.modules.get(str(getattr(value, "__module__", ""))) if is_defined else None


def _calls(module: ModuleType, functions: set[str]) -> Iterable[_Call]:
    file = str(module.__file__)
    try:
        text = Path(file).read_text(encoding="utf-8")
        tree = ast.parse(text) if any(name in text for name in functions) else None
    except (OSError, ValueError, SyntaxError, RecursionError):
        return []
    if tree is None:
        return []
    names = {name: name for name in functions}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names.update(
                (alias.asname, alias.name)
                for alias in node.names
                if alias.asname is not None and alias.name in functions
            )
    calls: list[_Call] = []
    stack: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(tree, ())]
    while stack:
        node, above = stack.pop()
        if isinstance(node, ast.Call):
            function = _called(node.func, names)
            if function and _may_be(module, node.func, function):
                calls.append(_Call(function, (file, node.lineno), above))
        stack += [(child, (*above, node)) for child in ast.iter_child_nodes(node)]
    return sorted(calls, key=lambda call: call.frame)


def _called(node: ast.expr, names: Mapping[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr if node.attr in names.values() else ""
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def _may_be(module: ModuleType, node: ast.expr, function: str) -> bool:
    """Return whether the name that is called is that of keras.ops, as far as the module knows:
    ``tf.stop_gradient`` is another function."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in vars(module):
        return bool(parts) or not hasattr(builtins, function)
    value = vars(module)[node.id]
    for part in reversed(parts):
        value = getattr(value, part, None)
    return value is getattr(keras.ops, function)
