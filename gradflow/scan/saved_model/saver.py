"""Tell the ops that write and read checkpoints for the saver alone, so that no run of the model
comes to them.

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
        arguments = [item.name for item in self.program.functions[function].signature.input_arg]
        fed = [name for name in map(node_of, node.input[:1]) if name in arguments]
        if not fed:
            return False
        ends = [item for item in self.program.graph.graph_def.node if item.name == self._restorer]
        called = [item for item in ends if function in self.program.called([item])]
        position = arguments.index(fed[0])
        return bool(called) and all(
            list(map(node_of, item.input))[position:][:1] == [self._checkpoint] for item in called
        )

    def _is_apart(self, name: str) -> bool:
        """Return whether nothing comes after a node of the graph but what a saver does, and no run
        comes to that."""
        reached: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current not in reached:
                reached.add(current)
                waiting += (after.name for after in self._after.get(current, ()))
        run = self.program.run_on_top | self._restoring
        later = (after for current in reached for after in self._after.get(current, ()))
        return not reached & run and all(after.op in _PASSES_ON for after in later)

    @cached_property
    def _after(self) -> Mapping[str, list[Any]]:
        """The nodes of the graph that take something from each of its nodes."""
        consumers: dict[str, list[Any]] = {}
        for node in self.program.graph.graph_def.node:
            for name in set(map(node_of, node.input)):
                consumers.setdefault(name, []).append(node)
        return consumers

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
