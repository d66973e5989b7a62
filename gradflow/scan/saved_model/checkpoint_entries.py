"""Find the functions that write or read files and that no entry runs but the one asked for.

A model that is trained on a device has signatures to save and restore it, which take the path
(TensorFlow Lite, "On-device training"). Loading calls neither, and the analysis never runs an entry
that comes to one. An inner model that is saved again leaves its own saver in the library, which
nothing calls any more (TFX, tf.Transform).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gradflow.ops.tensor_names import node_of
from gradflow.scan.saved_model.assets import Origins
from gradflow.scan.saved_model.program import TOP, Program
from gradflow.scan.saved_model.saver import READS, WRITES

_DEEPEST = 100
_FILES = READS | WRITES
_MOST_SAVERS = 256
"""Functions with such ops whose names are looked for: each takes a look at the whole file."""
_BETWEEN = b"\xff\n"
"""Stands in no name."""


@dataclass(frozen=True)
class Chosen:
    """Tells what of a ``program`` runs only where its caller asks for it."""

    program: Program
    origins: Origins
    _answers: dict[tuple[str, str], bool] = field(default_factory=dict)

    def owns(self, body: str, node: Any) -> bool:
        """Whether a ``node`` of files is in a function that nothing calls, or that somebody calls
        with a path of his own.

        All of these ops have state, so that TensorFlow does not run them while it builds a library.
        """
        if body == TOP or not node.input or node.op not in _FILES:
            return False
        if body not in self._mentioned:
            return True
        return body not in self._run_unasked and self._is_given(body, node.input[0])

    @cached_property
    def _mentioned(self) -> frozenset[str]:
        """The functions with such ops whose names stand anywhere else in the file, as a call, in an
        attribute or in a string."""
        names = [
            name
            for name, nodes in self.program.bodies.items()
            if name != TOP and any(node.op in _FILES for node in nodes)
        ]
        if len(names) > _MOST_SAVERS:
            return frozenset(names)
        functions = {
            name: function.SerializeToString() for name, function in self.program.functions.items()
        }
        whole = _BETWEEN.join([*functions.values(), *self._texts(self.program.graph)])
        return frozenset(
            name
            for name in names
            if whole.count(name.encode("utf-8")) > functions[name].count(name.encode("utf-8"))
        )

    @staticmethod
    def _texts(graph: Any) -> Iterator[bytes]:
        """The bytes of each part of the file that is no function."""
        library = graph.graph_def.library
        parts = [
            graph.object_graph_def,
            graph.saver_def,
            graph.meta_info_def,
            *graph.signature_def.values(),
            *graph.collection_def.values(),
            *graph.graph_def.node,
            *library.gradient,
            *library.registered_gradients,
        ]
        return (part.SerializeToString() for part in parts)

    @cached_property
    def _run_unasked(self) -> frozenset[str]:
        """The functions that loading, the end or a backward pass comes to; all of a file that is
        loaded as one graph."""
        program, graph = self.program, self.program.graph
        objects, library = graph.object_graph_def, graph.graph_def.library
        if not program.loads_objects:
            return frozenset(program.functions)
        roots = {item.gradient_func for item in (*library.registered_gradients, *library.gradient)}
        numbers = [
            child.node_id
            for node in objects.nodes
            for child in node.children
            if child.local_name.startswith("_")  # _initialize, _create_resource, ...
        ]
        for node in objects.nodes:
            for saveable in node.saveable_objects.values():
                numbers += [saveable.save_function, saveable.restore_function]
        for number in numbers:
            if 0 < number < len(objects.nodes):
                held = objects.nodes[number]
                roots.update(held.function.concrete_functions)
                roots.add(held.bare_concrete_function.concrete_function_name)
        roots.discard(TOP)  # an object that is no function has a name as empty as the graph itself
        ends = [graph.saver_def.restore_op_name, graph.saver_def.save_tensor_name]
        started = program.run_at_start | program.above(map(node_of, ends))
        roots.update(
            name
            for node in graph.graph_def.node
            if node.name in started
            for name in program.called([node])
        )
        return program.reached(roots)

    def _is_given(self, body: str, tensor: str, depth: int = 0) -> bool:
        """Whether whoever calls an entry gives ``tensor`` of ``body``, in every call."""
        key = (body, tensor)
        if key not in self._answers:
            self._answers[key] = True  # on a circle nothing comes in
            self._answers[key] = depth < _DEEPEST and self._follow(body, tensor, depth + 1)
        return self._answers[key]

    def _follow(self, body: str, tensor: str, depth: int) -> bool:
        name = node_of(tensor)
        if body != TOP and name in self.origins.arguments[body]:
            return all(self._bound(body, self.origins.arguments[body][name], depth))
        node = self.origins.nodes[body].get(name)
        if node is None:
            return False
        if node.op == "Identity" and node.input:
            return self._is_given(body, node.input[0], depth)
        return body == TOP and node.op == "Placeholder"

    def _bound(self, function: str, position: int, depth: int) -> Iterator[bool]:
        """For each way in which the function is called: whether its caller gives that argument."""
        objects = self.program.graph.object_graph_def
        if function in objects.concrete_functions:
            bound = objects.concrete_functions[function].bound_inputs
            yield position < self.origins.count(function) - len(bound)
        yield function not in self.origins.called_otherwise
        for body, node in self.origins.calls.get(function, ()):
            yield position < len(node.input) and self._is_given(body, node.input[position], depth)


def touches_files(graph: Any, function: str) -> bool:
    """Whether a run of ``function`` comes to an op that writes or reads checkpoints."""
    program = Program(graph)
    return any(
        node.op in _FILES for name in program.reached([function]) for node in program.bodies[name]
    )
