"""Find the stack and the Keras layer of each op of a live FuncGraph."""

from __future__ import annotations

import sysconfig
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gradflow.files.frames import Frame
from gradflow.files.model_layer import ModelLayer
from gradflow.flow.graph import Origins
from gradflow.ops.calls import callees
from gradflow.tape.call_sites import call_sites
from gradflow.tape.private_api import FuncGraph

_PACKAGE = Path(__file__).resolve().parents[1]
_TRACED_FROM = str(_PACKAGE / "tape" / "trace.py")
LIBRARIES = (
    str(_PACKAGE),
    *(str(Path(module.__file__).resolve().parent) for module in (tf, keras)),
    sysconfig.get_paths()["stdlib"],
)
"""Folders of this machine whose files are not the user's."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What was noted of ops while they were traced, for each graph by the op's name."""

    layers: dict[Any, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """The layer or operation in whose call it was created."""
    calls: dict[Any, dict[str, Sequence[Frame]]] = field(default_factory=lambda: defaultdict(dict))
    """Where the user's code called that operation: one of these lines, if they are known."""


def live_origins(graph: Any, graph_def: Any, notes: Notes) -> Origins:
    """Describe where the ops of ``graph``, defined by ``graph_def``, and of all functions that it
    calls come from."""

    @cache
    def graphs() -> dict[str, Any]:
        return reached(graph)

    @cache
    def callers() -> dict[str, dict[str, str | None]]:
        return _callers(graph_def, graphs(), notes)

    def frames(function: str, name: str) -> Sequence[Frame] | None:
        inner = graphs().get(function)
        op = _operation(inner, name)
        if op is None:
            return None
        return _inner_frames(op)

    def calls(function: str, name: str) -> Sequence[Frame] | None:
        inner = graphs().get(function)
        return notes.calls[inner].get(name) if inner in notes.calls else None

    def layer(function: str, name: str) -> str | None:
        inner = graphs().get(function)
        if inner in notes.layers:
            return notes.layers[inner].get(name)
        return None if _operation(inner, name) is None else _layer_of_call(function, callers())

    libraries = tuple(folder.replace("\\", "/") for folder in LIBRARIES)
    return Origins(frames, layer, libraries, calls)


@contextmanager
def noted_layers(
    model: Any, kinds: Sequence[Any] = (keras.Operation, keras.layers.Layer)
) -> Iterator[Notes]:
    """Note, for each op that is created meanwhile, in the call of which layer or keras.ops
    operation it is.

    Names of scopes do not tell: an operation of a functional model opens none, and layers can have
    equal names.

    ``kinds``: the classes whose calls are noted, that of the layers last.
    """
    notes = Notes()
    sites = call_sites(model, LIBRARIES) if kinds[-1] is keras.layers.Layer else {}
    inside: list[tuple[Any, str]] = [(model, "")]
    operations = {
        id(operation)
        for owner in model._flatten_layers()
        for operation in getattr(owner, "operations", ())
    }
    create, calls = FuncGraph._create_op_internal, [kind.__call__ for kind in kinds]

    def creating(graph: Any, *args: Any, **kwargs: Any) -> Any:
        op = create(graph, *args, **kwargs)
        caller, path = inside[-1]
        notes.layers[graph][op.name] = path
        if id(caller) in sites:
            notes.calls[graph][op.name] = sites[id(caller)]
        return op

    def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
        def calling(self: Any, *args: Any, **kwargs: Any) -> Any:
            is_place = isinstance(self, kinds[-1]) or id(self) in operations
            if self is inside[-1][0] or not is_place:
                return call(self, *args, **kwargs)
            inside.append((self, _path(self, *inside[-1])))
            try:
                return call(self, *args, **kwargs)
            finally:
                inside.pop()

        return calling

    FuncGraph._create_op_internal = creating
    for kind, call in zip(kinds, calls, strict=True):
        kind.__call__ = wrapped(call)
    try:
        yield notes
    finally:
        FuncGraph._create_op_internal = create
        for kind, call in zip(kinds, calls, strict=True):
            kind.__call__ = call


def noted_model_layers(
    model: Any,
    inner_layers: Callable[[Any], Iterable[Any]],
    owner_name: Callable[[Any], str | None],
) -> Mapping[str, ModelLayer]:
    """Return what a model of Keras says of its layers and operations, by the path that
    ``noted_layers`` notes of each; of a shared one, as it stands first.

    Args:
        model: the model.
        inner_layers: lists the layers right inside a layer.
        owner_name: what the variables of a layer call it; None where it has none of its own.
    """
    result: dict[str, ModelLayer] = {}
    stack: list[tuple[Any, str, str | None]] = [(model, "", None)]
    seen = {id(model)}
    while stack:
        layer, path, holder = stack.pop()
        for inner in (*inner_layers(layer), *getattr(layer, "operations", ())):
            noted = _path(inner, layer, path)
            is_operation = not hasattr(inner, "variables")
            name = noted if is_operation else owner_name(inner) or noted
            record = ModelLayer(name, type(inner).__name__, holder, is_operation)
            result.setdefault(noted, record)
            result.setdefault(name, record)
            if id(inner) not in seen and not is_operation:
                seen.add(id(inner))
                stack.append((inner, noted, name))
    return result


def reached(graph: Any) -> dict[str, Any]:
    """Return the graph of each function that ``graph`` reaches, by the function's name; its own is
    ``""``."""
    graphs = {"": graph}
    stack = [graph]
    while stack:
        for name, function in stack.pop()._functions.items():
            inner = getattr(function, "graph", None)
            if name not in graphs and inner is not None:
                graphs[name] = inner
                stack.append(inner)
    return graphs


def _path(layer: Any, parent: Any, parent_path: str) -> str:
    """Return the path of a layer as the paths of variables have it: layers of a functional model
    stand there without the model's name."""
    path = str(getattr(layer, "path", None) or layer.name)
    is_named_alone = not hasattr(layer, "variables") or layer.variables or _is_functional(parent)
    if "/" in path or is_named_alone:
        return path
    return f"{parent_path or parent.name}/{layer.name}"


def _is_functional(model: Any) -> bool:
    return hasattr(model, "operations") or hasattr(model, "_nested_inputs")  # the latter: Keras 2


def _callers(
    graph_def: Any, graphs: Mapping[str, Any], notes: Notes
) -> dict[str, dict[str, str | None]]:
    """For each called function, those that call it, and the layer of the call where it was noted.

    Read from the definitions: TensorFlow rewrites calls in live graphs once it has differentiated
    them.
    """
    callers: dict[str, dict[str, str | None]] = {}
    functions = {
        function.signature.name: function.node_def for function in graph_def.library.function
    }
    for name, nodes in {"": graph_def.node, **functions}.items():
        noted = notes.layers.get(graphs.get(name), {})
        for node in nodes:
            for callee in callees(node, functions):
                callers.setdefault(callee.function, {})[name] = noted.get(node.name)
    return callers


def _layer_of_call(function: str, callers: Mapping[str, Mapping[str, str | None]]) -> str | None:
    """Return the layer that reaches a function which was traced or loaded before, so that none of
    its ops was noted."""
    queue = [function]
    for called in queue:
        for caller, layer in callers.get(called, {}).items():
            if layer is not None:
                return layer
            queue += [caller] if caller not in queue else []
    return None


def _operation(graph: Any | None, name: str) -> Any | None:
    try:
        return None if graph is None else graph.get_operation_by_name(name)
    except (KeyError, ValueError):
        return None


def _inner_frames(op: Any) -> list[Frame]:
    """Return the stack inside our own call: what lies outside is the script that called
    gradflow."""
    frames = [(frame.filename, frame.lineno) for frame in op.traceback or ()]
    calls = [index for index, (file, _) in enumerate(frames) if file == _TRACED_FROM]
    return frames[calls[-1] + 1 :] if calls else frames
