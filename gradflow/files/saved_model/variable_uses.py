"""Find the layer that uses a variable first, from the names of the ops that read it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gradflow.ops.tensor_names import is_control

_NUMBERED = re.compile(r"(.+)_\d+")
_OP = re.compile(
    r"([A-Z]\w*|matmul|add|sub|mul|truediv|batchnorm|convolution|einsum|moments)(_\d+)?"
)
"""A scope that an op opens around what it reads: ``MatMul/ReadVariableOp``."""


def layers_of_use(
    objects: Any, functions: Sequence[Any], names: Mapping[int, str]
) -> Mapping[int, str]:
    """Return the path of the layer that uses each variable first, where a function tells it.

    Keras 3 traces with numbered scopes: layer ``enc1`` of model ``net`` runs as
    ``net_1/enc1_1/MatMul``. The model's own scope is no part of the path.

    Args:
        objects: the file's object graph.
        functions: the functions of its graph.
        names: of the variables that are looked for, by object number.
    """
    scopes = _scopes(objects, functions, names)
    if _is_numbered(scopes, names):
        scopes = {number: [_plain(scope) for scope in path] for number, path in scopes.items()}
    is_below_one = len({path[0] for path in scopes.values()}) == 1
    return {
        number: "/".join(path[1:] if is_below_one and len(path) > 1 else path)
        for number, path in scopes.items()
    }


def _scopes(
    objects: Any, functions: Sequence[Any], numbers: Collection[int]
) -> dict[int, list[str]]:
    """Return the scopes in which each variable is read first, outermost first."""
    scopes: dict[int, list[str]] = {}
    bound_to = objects.concrete_functions
    for function in functions:
        if function.signature.name not in bound_to:
            continue
        bound = list(bound_to[function.signature.name].bound_inputs)
        last = list(function.signature.input_arg)[-len(bound) :] if bound else []
        read = {
            argument.name: number
            for argument, number in zip(last, bound, strict=False)
            if number in numbers
        }
        for node in function.node_def:
            for tensor in node.input:
                number = read.get(tensor.partition(":")[0])
                scope = _scope(node) if number is not None and not is_control(tensor) else []
                if number is not None and scope:
                    scopes.setdefault(number, scope)
    return scopes


def _scope(node: Any) -> list[str]:
    scope: list[str] = node.name.split("/")[:-1]
    return scope[:-1] if scope and _OP.fullmatch(scope[-1]) else scope


def _is_numbered(scopes: Mapping[int, list[str]], names: Mapping[int, str]) -> bool:
    """Return whether the scopes have numbers that the layers do not have."""
    known = {name.partition("/")[0] for name in names.values() if "/" in name}
    outermost = {path[0] for path in scopes.values()}
    if known & {_plain(scope) for scope in outermost - known}:
        return True
    return not known and all(
        _NUMBERED.fullmatch(scope) is not None for path in scopes.values() for scope in path
    )


def _plain(scope: str) -> str:
    match = _NUMBERED.fullmatch(scope)
    return match[1] if match else scope
