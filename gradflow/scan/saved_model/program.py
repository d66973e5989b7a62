"""Find the functions of a SavedModel's graph, and who calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gradflow.files.saved_model.schema import DecodeError, message, parse
from gradflow.ops.calls import functions_in_attrs
from gradflow.ops.tensor_names import node_of

TOP = ""
"""Stands for the graph that is in no function."""
_INIT_OPS = ("saved_model_main_op", "legacy_init_op", "main_op")
_INIT_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
_INITIALIZERS = "table_initializer"
_ASSETS = "saved_model_assets"
_LOCAL = "local_variables"
"""The variables that are initialised where a graph of TensorFlow 1 names no op to start with."""


@dataclass(frozen=True)
class Program:
    """What a SavedModel's graph would run, and where from."""

    graph: Any
    """MetaGraphDef."""
    is_only: bool = True
    """Whether the file holds no other graph."""

    @property
    def loads_objects(self) -> bool:
        """Whether TensorFlow loads it by its objects, so that nothing runs the graph itself
        (tensorflow/python/saved_model/load.py, 2.21)."""
        return self.is_only and len(self.graph.object_graph_def.nodes) > 0

    @cached_property
    def functions(self) -> Mapping[str, Any]:
        """FunctionDefs by name."""
        return {
            function.signature.name: function for function in self.graph.graph_def.library.function
        }

    @cached_property
    def bodies(self) -> Mapping[str, Any]:
        """The nodes of each function by its name, and those of the graph itself."""
        return {
            TOP: self.graph.graph_def.node,
            **{name: function.node_def for name, function in self.functions.items()},
        }

    @cached_property
    def calls(self) -> Mapping[str, frozenset[str]]:
        """The functions that each body names, by its ops or in its attributes."""
        return {name: frozenset(self.called(nodes)) for name, nodes in self.bodies.items()}

    def reached(self, roots: Iterable[str]) -> frozenset[str]:
        """Return the functions ``roots``, and all that they call, however deep."""
        reached_names: set[str] = set()
        waiting = list(roots)
        while waiting:
            name = waiting.pop()
            if name not in reached_names and name in self.calls:
                reached_names.add(name)
                waiting += self.calls[name]
        return frozenset(reached_names)

    @cached_property
    def assets(self) -> tuple[Any, ...]:
        """AssetFileDefs: TensorFlow 1 has them in a collection, which counts where there are no
        others."""
        collections = self.graph.collection_def
        collected = (
            collections[_ASSETS].any_list.value
            if _ASSETS in collections and not self.graph.asset_file_def
            else ()
        )
        return (
            *self.graph.asset_file_def,
            *(_parsed("AssetFileDef", value.value) for value in collected),
        )

    @cached_property
    def run_on_top(self) -> frozenset[str]:
        """The nodes of the graph itself that a run can come to: of its signatures, and of what is
        run at the start."""
        return self.run_at_start | self.above(map(node_of, self._outputs(lambda name: True)))

    @cached_property
    def run_at_start(self) -> frozenset[str]:
        """The nodes of the graph itself that are run before any signature."""
        ends = self._outputs(_INIT_SIGNATURES.__contains__)
        for key, collection in self.graph.collection_def.items():
            if key in _INIT_OPS or _INITIALIZERS in key:
                ends += [
                    *map(_text, collection.node_list.value),
                    *map(_text, collection.bytes_list.value),
                ]
            if _LOCAL in key:
                ends += [
                    name for value in collection.bytes_list.value for name in _of_variable(value)
                ]
        return self.above(map(node_of, ends))

    @cached_property
    def run_without_assets(self) -> frozenset[str]:
        """Those that a run comes to in which TensorFlow does not put the paths of the assets into
        the graph."""
        ends = self._outputs(lambda name: name not in _INIT_SIGNATURES)
        return self.above(map(node_of, [*ends, self.graph.saver_def.restore_op_name]))

    def _outputs(self, is_meant: Callable[[str], bool]) -> list[str]:
        signatures = [
            signature for name, signature in self.graph.signature_def.items() if is_meant(name)
        ]
        return [
            name
            for signature in signatures
            for info in signature.outputs.values()
            for name in _names(info)
        ]

    def above(self, ends: Iterable[str]) -> frozenset[str]:
        """Return the nodes of the graph itself that a run of ``ends`` comes to."""
        inputs = self._inputs
        reached_names: set[str] = set()
        waiting = [end for end in ends if end in inputs]
        while waiting:
            name = waiting.pop()
            if name not in reached_names and name in inputs:
                reached_names.add(name)
                waiting += inputs[name]
        return frozenset(reached_names)

    @cached_property
    def _inputs(self) -> Mapping[str, list[str]]:
        return {
            node.name: [node_of(source) for source in node.input]
            for node in self.graph.graph_def.node
        }

    def called(self, nodes: Iterable[Any]) -> Iterator[str]:
        """Yield the functions that ``nodes`` name, as their op or in their attributes."""
        for node in nodes:
            if node.op in self.functions:
                yield node.op
            yield from functions_in_attrs(node)


def _names(info: Any) -> Iterator[str]:
    """Yield the tensors of a TensorInfo, which can be a sparse one."""
    yield info.name
    if info.HasField("composite_tensor"):
        for part in info.composite_tensor.components:
            yield from _names(part)
    if info.HasField("coo_sparse"):
        sparse = info.coo_sparse
        yield from (
            sparse.values_tensor_name,
            sparse.indices_tensor_name,
            sparse.dense_shape_tensor_name,
        )


def _of_variable(value: bytes) -> tuple[str, ...]:
    """Return what a VariableDef names."""
    variable = _parsed("VariableDef", value)
    return variable.initializer_name, variable.snapshot_name, variable.initial_value_name


def _parsed(kind: str, value: bytes) -> Any:
    """Return a message; an empty one where the bytes are something else, which TensorFlow does not
    take either."""
    try:
        return parse(kind, value)
    except DecodeError:
        return message(kind)()


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
