"""A live FuncGraph in, the stack and the Keras layer of each of its ops out.

Private TensorFlow API: ``Graph._functions`` and ``FuncGraph._create_op_internal``, checked on 2.21.0.
"""

from __future__ import annotations

import sysconfig
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

from gradflow.files.frames import Frame
from gradflow.flow.origins import Origins

_PACKAGE = Path(__file__).resolve().parents[1]
_TRACED_FROM = str(_PACKAGE / "tape" / "trace.py")
_LIBRARIES = (
    str(_PACKAGE),
    *(str(Path(module.__file__).resolve().parent) for module in (tf, keras)),
    sysconfig.get_paths()["stdlib"],
)
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})

Notes = dict[Any, dict[str, str]]
"""For each graph, the layer of each op by its name."""


def live_origins(graph: Any, notes: Notes) -> Origins:
    """Describe where the ops of ``graph``, and of all functions that it calls, come from."""

    @cache
    def graphs() -> dict[str, tuple[Any, str]]:
        return _reached(graph)

    @cache
    def callers() -> dict[str, str]:
        """Layers of functions that had been traced before, so that only the call was noted."""
        return {
            tf.compat.as_str(inner.get_operation_by_name(op).get_attr("f").name): layer
            for inner, layers in notes.items()
            for op, layer in layers.items()
            if inner.get_operation_by_name(op).type in _CALLS
        }

    def frames(function: str, name: str) -> Sequence[Frame] | None:
        op = _operation(graphs().get(function), name)
        return None if op is None else _inner_frames(op)

    def layer(function: str, name: str) -> str | None:
        found = graphs().get(function)
        if found is not None and found[0] in notes:
            return notes[found[0]].get(name)
        if _operation(found, name) is None:
            return None
        while function and function not in callers():
            function = graphs()[function][1]
        return callers().get(function)

    return Origins(frames, layer, tuple(folder.replace("\\", "/") for folder in _LIBRARIES))


@contextmanager
def noted_layers(model: Any) -> Iterator[Notes]:
    """Note, for each op that is created meanwhile, in the call of which layer or keras.ops operation it is.

    Names of scopes do not tell: an operation of a functional model opens none, and layers can have equal names.
    """
    notes: Notes = defaultdict(dict)
    inside: list[tuple[Any, str]] = [(model, "")]
    operations = {id(one) for owner in model._flatten_layers() for one in getattr(owner, "operations", ())}
    create, calls = FuncGraph._create_op_internal, (keras.Operation.__call__, keras.layers.Layer.__call__)

    def creating(graph: Any, *args: Any, **kwargs: Any) -> Any:
        op = create(graph, *args, **kwargs)
        notes[graph][op.name] = inside[-1][1]
        return op

    def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
        def calling(self: Any, *args: Any, **kwargs: Any) -> Any:
            is_place = isinstance(self, keras.layers.Layer) or id(self) in operations
            if self is inside[-1][0] or not is_place:
                return call(self, *args, **kwargs)
            inside.append((self, _path(self, *inside[-1])))
            try:
                return call(self, *args, **kwargs)
            finally:
                inside.pop()

        return calling

    FuncGraph._create_op_internal = creating
    keras.Operation.__call__, keras.layers.Layer.__call__ = map(wrapped, calls)
    try:
        yield notes
    finally:
        FuncGraph._create_op_internal = create
        keras.Operation.__call__, keras.layers.Layer.__call__ = calls


def _path(layer: Any, parent: Any, parent_path: str) -> str:
    """As the paths of variables have it: the layers of a functional model stand there without the model's name."""
    path = str(getattr(layer, "path", None) or layer.name)
    if "/" in path or not isinstance(layer, keras.layers.Layer) or layer.variables or _is_functional(parent):
        return path
    return f"{parent_path or parent.name}/{layer.name}"


def _is_functional(model: Any) -> bool:
    return hasattr(model, "operations")


def _reached(graph: Any) -> dict[str, tuple[Any, str]]:
    """The graph of each function that ``graph``, named ``""``, reaches, and the name of one that calls it."""
    found = {"": (graph, "")}
    stack = [""]
    while stack:
        caller = stack.pop()
        for name, function in found[caller][0]._functions.items():
            inner = getattr(function, "graph", None)
            if name not in found and inner is not None:
                found[name] = inner, caller
                stack.append(name)
    return found


def _operation(found: tuple[Any, str] | None, name: str) -> Any | None:
    try:
        return None if found is None else found[0].get_operation_by_name(name)
    except (KeyError, ValueError):
        return None


def _inner_frames(op: Any) -> list[Frame]:
    """The stack inside our own call: what lies outside is the script that called gradflow."""
    frames = [(frame.filename, frame.lineno) for frame in op.traceback or ()]
    ours = [place for place, (file, _) in enumerate(frames) if file == _TRACED_FROM]
    return frames[ours[-1] + 1 :] if ours else frames
