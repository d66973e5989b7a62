"""Tell from the names of ops which layers they belong to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

_NUMBERED = re.compile(r"(.+)_\d+")
_CONTROL = re.compile(r"(while|cond|case|switch_case|TensorArray\w+?)(_\d+)?")
"""Scopes that TensorFlow itself opens around control flow and the lists in it."""
_INNER = re.compile(r".*/(?:body|cond|then|else|branch\d+)/")


def layer_finder(
    ops: Iterable[str], layers: Mapping[str, str], *, complete: bool
) -> Callable[[str], str | None]:
    """Return a function from an op's name to the layer it belongs to, None where it is the model's
    own.

    Keras 3 traces with numbered scopes: layer ``dense`` runs as ``m_1/dense_1/MatMul``, and
    ``dense_1`` as ``m_1/dense_1_2/MatMul``. Whether a graph is numbered is seen from the layers
    that are known.

    Args:
        ops: all op names of the graph.
        layers: path of each known layer by its name.
        complete: whether ``layers`` are all layers of the model; else only those that own
            variables, and a scope that stands for none of them is taken for a layer too.
    """
    scopes = {scope for op in ops for scope in op.split("/")[:-1]}
    plain = {match[1] for match in map(_NUMBERED.fullmatch, scopes) if match}
    numbered = any(name not in scopes and name in plain for name in layers)

    def named(scope: str) -> str:
        match = _NUMBERED.fullmatch(scope) if numbered else None
        return match[1] if match else scope

    def by_layers(op: str) -> str | None:
        for scope in reversed(op.split("/")[:-1]):
            for name in (named(scope), scope):
                if name in layers:
                    return layers[name]
        return None

    def by_scopes(op: str) -> str | None:
        names = [named(scope) for scope in _INNER.sub("", op).split("/")[:-1]]
        if names and names[0] not in layers:
            names = names[1:]  # the model's own scope
        scope = "/".join(name for name in names if name in layers or not _CONTROL.fullmatch(name))
        path = layers.get(scope.rpartition("/")[2], "")
        # In a body the scopes around the loop are not in the names.
        return path if path.endswith(f"/{scope}") else scope or None

    return by_layers if complete else by_scopes


_DEEPEST = 100
"""Layers within each other that are told apart: the names of all of them take the square of
that."""


def variable_layers(names: Iterable[str | None]) -> dict[str, str]:
    """Return the layers that own variables, by each part of their paths: ``{"enc": "enc", "dense":
    "enc/dense"}``."""
    paths: dict[str, str] = {}
    for name in names:
        for path in (*above(name), name) if name else ():
            paths.setdefault(path.rpartition("/")[2], path)
    return paths


def above(name: str) -> Iterator[str]:
    """Yield the names above one, the outermost first: ``a`` and ``a/b`` of ``a/b/c``."""
    end = -1
    for _ in range(_DEEPEST):
        end = name.find("/", end + 1)
        if end < 0:
            return
        yield name[:end]
