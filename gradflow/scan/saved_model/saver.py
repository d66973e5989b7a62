"""Find the ops that write and read checkpoints and that the saver alone runs, never the model.

TensorFlow 2 keeps what writes and reads checkpoints in two functions, TensorFlow 1 in the graph
itself. The variables are brought back from the model's own folder: TensorFlow feeds its path to the
saver's file name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gradflow.ops.tensor_names import node_of
from gradflow.scan.saved_model.program import TOP, Program

WRITES = frozenset({"SaveV2", "MergeV2Checkpoints", "Save", "SaveSlices"})
READS = frozenset({"RestoreV2", "Restore", "RestoreSlice"})
_PASSES_ON = frozenset({"Identity", "NoOp", "Pack", "ConcatV2", *WRITES})
"""What a saver makes of what it has written. A run looks at other ops, such as a Merge, wherever
they stand."""


@dataclass(frozen=True)
class Saver:
    """Tells what belongs to the saver of ``program``."""

    program: Program

    def owns(self, body: str, node: Any) -> bool:
        """Return whether a ``node`` of ``WRITES`` or ``READS`` is the saver's, and does what a
        saver does."""
        if body != TOP:
            return (
                body in self._reading and self._is_fed(body, node)
                if node.op in READS
                else body in self._writing
            )
        if node.op in READS:
            is_fed = list(map(node_of, node.input[:1])) == [self._checkpoint]
            return node.name not in self.program.run_on_top and (
                is_fed or node.name not in self._restoring
            )
        return self._is_apart(node.name)

    @cached_property
    def _writing(self) -> frozenset[str]:
        """The functions that only the node which saves calls."""
        end = node_of(self.program.graph.saver_def.save_tensor_name)
        return self._called_by(end) if self._is_apart(end) else frozenset()

    @cached_property
    def _reading(self) -> frozenset[str]:
        """The functions that only the node which restores calls."""
        return (
            frozenset()
            if self._restorer in self.program.run_on_top
            else self._called_by(self._restorer)
        )

    def _called_by(self, end: str) -> frozenset[str]:
        graph, program = self.program.graph, self.program
        called_by_others = {
            name
            for node in graph.graph_def.node
            if node.name != end
            for name in program.called([node])
        }
        called_by_others.update(graph.object_graph_def.concrete_functions)
        called_by_others.update(
            gradient.gradient_func for gradient in graph.graph_def.library.registered_gradients
        )
        own = [
            name
            for node in graph.graph_def.node
            if node.name == end
            for name in program.called([node])
        ]
        return program.reached(own) - program.reached(called_by_others)

    def _is_fed(self, function: str, node: Any) -> bool:
        """Return whether the first input is what TensorFlow feeds: an argument that the saver's
        file name is given to."""
        arguments = self._fed_arguments.get(function, frozenset())
        return bool(arguments.intersection(map(node_of, node.input[:1])))

    @cached_property
    def _fed_arguments(self) -> Mapping[str, frozenset[str]]:
        """Of each function that restores: the arguments to which every call of the restorer gives
        the saver's file name."""
        ends = [item for item in self.program.graph.graph_def.node if item.name == self._restorer]
        fed: dict[str, frozenset[str]] = {}
        for end in ends:
            inputs = list(map(node_of, end.input))
            for name in set(self.program.called([end])) & self.program.functions.keys():
                arguments = self.program.functions[name].signature.input_arg
                given = frozenset(
                    argument.name
                    for argument, source in zip(arguments, inputs, strict=False)
                    if source == self._checkpoint
                )
                fed[name] = fed.get(name, given) & given
        return fed

    def _is_apart(self, name: str) -> bool:
        """Return whether nothing comes after a node of the graph but what a saver does, and no run
        comes to that."""
        return name not in self._involved

    @cached_property
    def _involved(self) -> frozenset[str]:
        """The nodes of the graph that a run comes to, or after which something comes that is more
        than a saver's."""
        nodes = self.program.graph.graph_def.node
        sources: dict[str, list[str]] = {}
        for node in nodes:
            sources.setdefault(node.name, []).extend(map(node_of, node.input))
        waiting = [*self.program.run_on_top, *self._restoring]
        waiting += [
            name for node in nodes if node.op not in _PASSES_ON for name in map(node_of, node.input)
        ]
        involved: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in involved:
                involved.add(name)
                waiting += sources.get(name, ())
        return frozenset(involved)

    @cached_property
    def _restoring(self) -> frozenset[str]:
        return self.program.above([self._restorer])

    @property
    def _restorer(self) -> str:
        return node_of(self.program.graph.saver_def.restore_op_name)

    @property
    def _checkpoint(self) -> str:
        """The node that TensorFlow gives the path of the variables to."""
        return node_of(self.program.graph.saver_def.filename_tensor_name)
