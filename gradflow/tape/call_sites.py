"""Find the line of the user's code that calls a function of keras.ops on symbolic tensors.

Keras keeps no stack of such a call, so that the modules are searched for it which ask for the
analysis, and those that they import. Where several calls can be meant, each of their lines is
told, and where there are too many, none.
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
_MAX_CHOICES = 3
_LOCAL = object()
_BRANCHES = (ast.For, ast.While, ast.If, ast.Try, ast.comprehension)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def call_sites(model: Any, libraries: Sequence[str]) -> Mapping[int, Sequence[Frame]]:
    """Return the files and lines of the calls of which one has made the operation, by its ``id``;
    empty for a model that was built from a configuration, as one that was loaded.

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
    sites: dict[int, Sequence[Frame]] = {}
    for name, operations in called.items():
        uses = [call for call in calls if call.function == name]
        if any(not use.is_call for use in uses):  # it may be called by another name
            continue
        frames = [use.frame for use in uses]
        in_order = sorted(dict.fromkeys(operations), key=_number)
        is_one_scope = len({use.scope for use in uses}) == 1
        if is_one_scope and len(uses) == len(in_order) and all(use.is_run_once for use in uses):
            sites.update(
                (id(operation), [frame]) for operation, frame in zip(in_order, frames, strict=True)
            )
        elif 0 < len(choices := list(dict.fromkeys(frames))) <= _MAX_CHOICES:
            sites.update((id(operation), choices) for operation in operations)
    return sites


class _Use:
    """Where the text of a module calls a function, or hands it on by its name."""

    def __init__(
        self, function: str, frame: Frame, ancestors: Sequence[ast.AST], *, is_call: bool
    ) -> None:
        scopes = [number for number, node in enumerate(ancestors) if isinstance(node, _SCOPES)]
        inside = ancestors[scopes[-1] :] if scopes else ancestors
        self.function = function
        self.frame = frame
        self.is_call = is_call
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


def _calls(module: ModuleType, functions: set[str]) -> Iterable[_Use]:
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
    uses: list[_Use] = []
    stack: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(tree, ())]
    while stack:
        node, above = stack.pop()
        if isinstance(node, ast.Call):
            function = _called(node.func, names)
            if function and _may_be(module, node.func, function):
                uses.append(_Use(function, (file, node.lineno), above, is_call=True))
            stack.append((node.func, (*above, node)))
            stack += [(child, (*above, node)) for child in (*node.args, *node.keywords)]
            continue
        if isinstance(node, ast.Attribute | ast.Name) and not _is_called(node, above):
            function = _called(node, names)
            if function and _value(module, node) is getattr(keras.ops, function):
                uses.append(_Use(function, (file, node.lineno), above, is_call=False))
        stack += [(child, (*above, node)) for child in ast.iter_child_nodes(node)]
    return sorted(uses, key=lambda use: use.frame)


def _is_called(node: ast.AST, above: Sequence[ast.AST]) -> bool:
    return bool(above) and isinstance(above[-1], ast.Call) and above[-1].func is node


def _called(node: ast.expr, names: Mapping[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr if node.attr in names.values() else ""
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def _may_be(module: ModuleType, node: ast.expr, function: str) -> bool:
    """Return whether the name that is called is that of keras.ops, as far as the module knows:
    ``tf.stop_gradient`` is another function."""
    value = _value(module, node)
    if value is _LOCAL:
        return isinstance(node, ast.Attribute) or not hasattr(builtins, function)
    return value is getattr(keras.ops, function)


def _value(module: ModuleType, node: ast.expr) -> Any:
    """Return what a name with dots stands for in ``module``; ``_LOCAL`` where the module itself
    does not know its first part."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in vars(module):
        return _LOCAL
    value = vars(module)[node.id]
    for part in reversed(parts):
        value = getattr(value, part, None)
    return value
