"""A MetaGraphDef in, its functions and who calls them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

TOP = ""
"""Stands for the graph that is in no function."""
_INIT_OPS = ("saved_model_main_op", "legacy_init_op", "main_op")
_INIT_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
_INITIALIZERS = "table_initializer"


@dataclass(frozen=True)
class Program:
    """What a SavedModel's graph would run, and where from."""

    graph: Any
    """MetaGraphDef."""

    @cached_property
    def functions(self) -> Mapping[str, Any]:
        """FunctionDefs by name."""
        return {function.signature.name: function for function in self.graph.graph_def.library.function}

    @cached_property
    def bodies(self) -> Mapping[str, Any]:
        """The nodes of each function by its name, and those of the graph itself."""
        return {TOP: self.graph.graph_def.node, **{name: one.node_def for name, one in self.functions.items()}}

    @cached_property
    def calls(self) -> Mapping[str, frozenset[str]]:
        """The functions that each body names, by its ops or in its attributes."""
        return {name: frozenset(self._called(nodes)) for name, nodes in self.bodies.items()}

    def reached(self, roots: Iterable[str]) -> frozenset[str]:
        """The functions ``roots``, and all that they call, however deep."""
        found: set[str] = set()
        waiting = list(roots)
        while waiting:
            name = waiting.pop()
            if name not in found and name in self.calls:
                found.add(name)
                waiting += self.calls[name]
        return frozenset(found)

    @cached_property
    def of_saver(self) -> frozenset[str]:
        """The functions that only the saver calls: TensorFlow 2 keeps what writes and reads checkpoints in them."""
        saver = self.graph.saver_def
        ends = [_node(saver.save_tensor_name), _node(saver.restore_op_name)]
        called = {one.name: set(self._called([one])) for one in self.graph.graph_def.node}
        own = self.reached(name for end in ends for name in called.get(end, ()))
        others = [name for node, names in called.items() if node not in ends for name in names]
        objects = self.graph.object_graph_def.concrete_functions
        gradients = [one.gradient_func for one in self.graph.graph_def.library.registered_gradients]
        return own - self.reached([*others, *objects, *gradients])

    @cached_property
    def run_on_top(self) -> frozenset[str]:
        """The nodes of the graph itself that a run can come to: of its signatures, and of what is run at the start."""
        graph = self.graph
        ends = [info.name for one in graph.signature_def.values() for info in one.outputs.values()]
        ends += [
            part.name for one in graph.signature_def.values() for info in one.outputs.values() for part in _parts(info)
        ]
        for key, collection in graph.collection_def.items():
            if key in _INIT_OPS or _INITIALIZERS in key:
                ends += [*map(_text, collection.node_list.value), *map(_text, collection.bytes_list.value)]
        return self._above(_node(end) for end in ends)

    @cached_property
    def restoring(self) -> frozenset[str]:
        """The nodes of the graph itself that bring back the variables."""
        return self._above([_node(self.graph.saver_def.restore_op_name)])

    @property
    def checkpoint(self) -> str:
        """The node of the graph itself that TensorFlow gives the path of the variables to."""
        return _node(self.graph.saver_def.filename_tensor_name)

    def _above(self, ends: Iterable[str]) -> frozenset[str]:
        inputs = self._inputs
        found: set[str] = set()
        waiting = [end for end in ends if end in inputs]
        while waiting:
            name = waiting.pop()
            if name not in found and name in inputs:
                found.add(name)
                waiting += inputs[name]
        return frozenset(found)

    @cached_property
    def _inputs(self) -> Mapping[str, list[str]]:
        return {node.name: [_node(one) for one in node.input] for node in self.graph.graph_def.node}

    def _called(self, nodes: Iterable[Any]) -> Iterator[str]:
        for node in nodes:
            if node.op in self.functions:
                yield node.op
            for value in node.attr.values():
                yield from named(value)


def named(value: Any) -> Iterator[str]:
    """The functions that an attribute names, at any depth."""
    if value.HasField("func"):
        yield value.func.name
        for inner in value.func.attr.values():
            yield from named(inner)
    if value.HasField("list"):
        for one in value.list.func:
            yield one.name
            for inner in one.attr.values():
                yield from named(inner)


def _parts(info: Any) -> Iterator[Any]:
    if info.HasField("composite_tensor"):
        yield from info.composite_tensor.components


def _node(tensor: str) -> str:
    """The node of a tensor or of a control input: ``^a/b`` and ``a/b:0`` are of ``a/b``."""
    return tensor.removeprefix("^").partition(":")[0]


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
